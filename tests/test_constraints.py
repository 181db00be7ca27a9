"""Both sets of exact versions: the same packages, and the same versions but for the Kubernetes client and its users."""

from __future__ import annotations

import re
from importlib.metadata import requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
FILES = ["constraints.txt", "constraints-k8s36.txt"]
DIFFERENT = {
    "apache-airflow-providers-cncf-kubernetes": ("10.24.", "10.25."),
    "kubeflow-training": ("1.9.4", "1.9.3"),
    "kubernetes": ("35.", "36."),
}


def pins(name: str) -> dict[str, str]:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9.-]+==[^ ;*]+", line) for line in lines), "a pin is a name and one exact version"
    found = dict(line.split("==") for line in lines)
    assert len(found) == len(lines), "a package is pinned once"
    return found


def test_both_files_pin_the_same_packages_and_differ_in_three_versions() -> None:
    usual, newer = (pins(name) for name in FILES)
    assert set(usual) == set(newer)
    assert {name for name in usual if usual[name] != newer[name]} == set(DIFFERENT)
    for name, (before, after) in DIFFERENT.items():
        assert usual[name].startswith(before)
        assert newer[name].startswith(after)


@pytest.mark.parametrize("name", FILES)
def test_what_this_environment_has_of_the_three_may_stand_beside_the_client_of_its_file(name: str) -> None:
    """Each package says itself which Kubernetes clients it takes; asked of those versions that are installed here."""
    from importlib.metadata import version

    found = pins(name)
    if any(version(package) != found[package] for package in DIFFERENT):
        pytest.skip(f"Other versions are installed than those of {name}. To try these: make CONSTRAINTS={name} test")
    for package in DIFFERENT:
        for one in map(Requirement, requires(package) or []):
            if one.name in found and (one.marker is None or one.marker.evaluate({"extra": ""})):
                assert one.specifier.contains(found[one.name]), f"{package} wants {one}"


def test_set_up_installs_the_set_that_was_asked_for() -> None:
    script = (ROOT / "scripts/set_up.sh").read_text()
    assert re.findall(r"pip install -c (\S+)", script) == ['"$CONSTRAINTS"']
    assert "CONSTRAINTS='$(CONSTRAINTS)'" in (ROOT / "Makefile").read_text()
