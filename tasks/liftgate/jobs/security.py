"""What a job's pods may do: nothing but compute. Holds Kubernetes' `restricted` pod security standard."""

from __future__ import annotations

from typing import Any

USER = 10001
"""The user of trainer_image; its group owns what the job writes on its claims."""


def pod_security() -> dict[str, Any]:
    """The securityContext of a job's pod."""
    return {
        "runAsNonRoot": True,
        "runAsUser": USER,
        "runAsGroup": USER,
        "fsGroup": USER,
        # Without this, every start changes the owner of every file of a claim.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security() -> dict[str, Any]:
    """The securityContext of its container."""
    return {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
