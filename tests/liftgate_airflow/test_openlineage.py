"""OpenLineage's side of tasks. That events are sent is seen where a whole run is, in test_installation.py."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest

from liftgate_airflow.dag import asset
from liftgate_airflow.lineage import STEPS, tell_lineage
from liftgate_airflow.provider import get_provider_info
from liftgate_airflow.step import call_step

ABSENT = """
import sys
sys.modules["airflow.providers.openlineage"] = None
from liftgate_airflow.lineage import STEPS, tell_lineage
for step in STEPS:
    tell_lineage(step, "nobody:nothing", None, print)
print([name for name in sys.modules if name.startswith("openlineage")])
"""


def test_what_a_promotion_changes_is_a_data_set_too() -> None:
    (told,) = get_provider_info()["asset-uris"]
    module, _, name = told["to_openlineage_converter"].rpartition(".")
    assert told["schemes"] == ["liftgate"]
    found = getattr(import_module(module), name)(asset("handbook", "index"), None)
    assert (found.namespace, found.name) == ("liftgate://handbook", "index")


def test_where_the_provider_is_absent_nothing_is_imported_and_nothing_said() -> None:
    done = subprocess.run([sys.executable, "-c", ABSENT], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr


def test_where_it_is_not_configured_no_step_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW__OPENLINEAGE__TRANSPORT", raising=False)
    for step in STEPS:
        tell_lineage(step, "nobody:nothing", None, call_step)  # would need a database


def test_lineage_that_fails_is_printed_and_fails_no_run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("liftgate_airflow.lineage._is_active", lambda: True)
    monkeypatch.delenv("AIRFLOW_CONN_LIFTGATE_DATABASE", raising=False)
    (step, *_) = STEPS
    tell_lineage(step, "nobody:nothing", None, call_step)
    assert f"No OpenLineage event was sent of {step}" in capsys.readouterr().out
