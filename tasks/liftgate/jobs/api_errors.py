"""What an answer of a Kubernetes API server means: worth another try, or a refusal, and then what is missing."""

from __future__ import annotations

import contextlib
import json
from typing import Any

from liftgate.errors import ClusterUnavailable, JobRefused, LiftgateError

EXISTS, MISSING, NOT_YET = 409, 404, 400
"""NOT_YET: what the server says of the log of a container that has not started."""
_TRANSIENT = (429, 500, 502, 503, 504)
_ROLE = "deploy/role.yaml"


def status_of(error: BaseException) -> int | None:
    """The HTTP status of an API client's exception, also where the training SDK hides it in a cause or context."""
    for one in (error, error.__cause__, error.__context__):
        status = getattr(one, "status", None)
        if isinstance(status, int) and status > 0:
            return status
    return None


def is_an_answer(error: BaseException) -> bool:
    """Whether an exception tells of the API server or the way to it, and not of a mistake in our own call."""
    if status_of(error) is not None:
        return True
    chain = (error, error.__cause__, error.__context__)
    return any(isinstance(one, (OSError, TimeoutError, *_transport_errors())) for one in chain)


def _transport_errors() -> tuple[type[BaseException], ...]:
    import importlib

    found: list[type[BaseException]] = []
    for module, name in (("urllib3.exceptions", "HTTPError"), ("aiohttp", "ClientError")):
        with contextlib.suppress(ImportError):
            found.append(getattr(importlib.import_module(module), name))
    return tuple(found)


def explained(error: Exception, verb: str, what: str) -> LiftgateError:
    """The error to raise in place of an API client's. verb and what: "create", "pytorchjobs in namespace llm"."""
    status, said = status_of(error), _message(error)
    if status in _TRANSIENT:
        return ClusterUnavailable(
            f"Expected the Kubernetes API server to {verb} {what}, found {status}: {said} It is tried again.",
            retry_after=_retry_after(error),
        )
    if status is None:
        return ClusterUnavailable(
            f"Expected the Kubernetes API server to answer ({verb} {what}), found {said} It is tried again. If it does "
            "not come back, check the connection's address and the network."
        )
    message = f"Expected to {verb} {what}, found {status}: {said} {_remedy(status, said, verb, what)}"
    return JobRefused(message, status)


def _remedy(status: int, said: str, verb: str, what: str) -> str:
    if status == 401:
        return "Renew the credentials of the Kubernetes connection."
    if status == 403 and "admission webhook" in said:
        return "Correct the manifest."
    if status == 403 and "exceeded quota" in said:
        return "Ask for less, wait for other jobs to end, or have the namespace's quota raised."
    if status == 403:
        return f"Let the account of this connection {verb} {what}: the Role in {_ROLE} has all that is used."
    if status == MISSING and "namespaces" in said:
        return "Create the namespace, or name another one."
    if status == MISSING:
        return "Install Kubeflow's training operator, which brings this kind of resource, or check the address."
    return "Correct the manifest: the server names the fields."


def _message(error: BaseException) -> str:
    for one in (error, error.__cause__, error.__context__):
        body = getattr(one, "body", None)
        if body:
            text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
            return _sentence(_status_message(text))
    inner = error.__cause__ or error.__context__
    return _sentence(f"{type(inner or error).__name__}: {inner or error}")


def _status_message(text: str) -> str:
    try:
        found: Any = json.loads(text)
    except ValueError:
        return text
    return str(found.get("message") or text) if isinstance(found, dict) else text


def _sentence(text: str) -> str:
    line = " ".join(text.split())[:600]
    return line if line.endswith(".") else f"{line}."


def _retry_after(error: BaseException) -> float | None:
    for one in (error, error.__cause__):
        given = (getattr(one, "headers", None) or {}).get("Retry-After")
        if given and str(given).isdigit():
            return float(given)
    return None
