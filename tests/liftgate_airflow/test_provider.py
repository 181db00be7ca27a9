"""The connection type in Airflow's pages, and what becomes of an error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from liftgate import errors
from liftgate_airflow.connection import SERVERS
from liftgate_airflow.provider import FIELDS
from liftgate_airflow.step import RETRIES

LOOKS = """
from airflow.providers_manager import ProvidersManager
manager = ProvidersManager()
manager.initialize_providers_hooks()
print("type:", manager.hooks["liftgate"].hook_name)
print("fields:", sorted(name for name in manager.connection_form_widgets if "liftgate" in name))
"""
WORTH_A_RETRY = {
    "SourceError", "DocumentChanged", "PageForbidden", "DocumentUnreadable",
    "IndexDiffers", "IndexUnavailable", "IndexRefused",
    "JobFailed", "JobLost", "ClusterUnavailable", "ModelServerUnavailable",
}  # fmt: skip
"""A server may answer later; the others may go through at the next try."""


def test_airflow_offers_the_connection_type_with_its_fields(tmp_path: Path) -> None:
    installed = tmp_path / "liftgate-0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: liftgate\nVersion: 0\n")
    point = "provider_info = liftgate_airflow.provider:get_provider_info"
    (installed / "entry_points.txt").write_text(f"[apache_airflow_provider]\n{point}\n")
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n{LOOKS}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "type: Liftgate" in done.stdout, done.stderr
    assert all(f"extra__liftgate__{name}" in done.stdout for name in FIELDS), done.stdout


def test_every_connection_that_can_be_named_has_a_field() -> None:
    assert set(SERVERS) <= set(FIELDS)


def _all(error: type[errors.LiftgateError]) -> set[type[errors.LiftgateError]]:
    return {one for sub in error.__subclasses__() for one in {sub, *_all(sub)}}


@pytest.mark.parametrize("error", sorted(_all(errors.LiftgateError), key=lambda one: one.__name__))
def test_every_error_is_either_worth_a_retry_or_fails_at_the_first_try(error: type[errors.LiftgateError]) -> None:
    policy = RETRIES["retry_policy"]
    fails = any(rule.matches(error("test")) for rule in policy.rules)
    assert fails == (error.__name__ not in WORTH_A_RETRY)
