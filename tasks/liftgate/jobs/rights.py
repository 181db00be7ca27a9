"""What a cluster lets its account do, asked before a job needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from liftgate.errors import ConfigurationError
from liftgate.jobs.api import ask
from liftgate.jobs.kubeflow import JobKind

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

Right = dict[str, str]


def require_rights(api: ApiClient, kind: JobKind, namespace: str) -> str:
    """Raises ConfigurationError with every right that is missing to run such jobs in the namespace."""
    needed = list(rights_for(kind))
    missing = [_words(right) for right in needed if not _has(api, namespace, right)]
    if missing:
        raise ConfigurationError(
            f"Expected the right to {', '.join(missing)} in namespace {namespace}, found that the account has none. "
            "Apply deploy/ to the cluster, or bind its Role to this account."
        )
    return f"{len(needed)} rights in namespace {namespace}"


def rights_for(kind: JobKind) -> Iterator[Right]:
    """As deploy/role.yaml grants them.

    Example: {"group": "", "resource": "pods", "subresource": "log", "verb": "get"}
    """
    for verb in ("create", "get", "delete"):
        yield {"group": kind.group, "resource": kind.plural, "verb": verb}
    yield {"group": "", "resource": "pods", "verb": "list"}
    yield {"group": "", "resource": "pods", "subresource": "log", "verb": "get"}
    yield {"group": "", "resource": "events", "verb": "list"}


def _has(api: ApiClient, namespace: str, right: Right) -> bool:
    from kubernetes.client import AuthorizationV1Api

    review: Any = {"spec": {"resourceAttributes": {**right, "namespace": namespace}}}
    call = AuthorizationV1Api(api).create_self_subject_access_review
    return bool(ask("ask", "its rights", lambda: call(review)).status.allowed)


def _words(right: Right) -> str:
    """Example: "get pods/log" """
    return f"{right['verb']} {'/'.join(filter(None, (right['resource'], right.get('subresource'))))}"
