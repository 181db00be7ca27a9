"""The rights in deploy/ are those that the code uses: none is missing, none is there for nothing."""

from __future__ import annotations

import re

from deploy_manifests import DEPLOY, Document, the

RESOURCES = {"pod": "pods", "pod_log": "pods/log", "event": "events", "custom_object": "jobs"}
"""What the Kubernetes clients call a resource in the names of their methods, and what a Role calls it."""
JOBS = {"pytorchjobs", "trainjobs"}
ROOT = DEPLOY.parent


def used() -> set[tuple[str, str]]:
    """(resource, verb) of every request to the API server in the code.

    Example: "core.read_namespaced_pod_log(...)" -> ("pods/log", "get")
    """
    found = {("jobs", "create")} if "client.create_job(" in sources() else set()
    for verb, resource in re.findall(r"\b([a-z]+)_namespaced_([a-z_]+)", sources()):
        found.add((RESOURCES[resource], "get" if verb == "read" else verb))
    return found


def sources() -> str:
    folders = (ROOT / "tasks/liftgate", ROOT / "plugins/liftgate_airflow")
    return "\n".join(path.read_text() for folder in folders for path in folder.rglob("*.py"))


def given(role: Document) -> set[tuple[str, str]]:
    """(resource, verb) of a Role, where jobs of any kind are "jobs"."""
    return {
        ("jobs" if resource in JOBS else resource, verb)
        for rule in role["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def test_the_role_gives_what_the_code_uses_and_nothing_else() -> None:
    assert given(the("Role")) == used()


def test_other_kinds_of_jobs_need_the_same() -> None:
    assert given(the("Role", "trainjobs")) == {right for right in used() if right[0] == "jobs"}


def test_no_rule_is_wider_than_it_says() -> None:
    for folder in (".", "trainjobs"):
        for rule in the("Role", folder)["rules"]:
            assert "*" not in {*rule["apiGroups"], *rule["resources"], *rule["verbs"]}
