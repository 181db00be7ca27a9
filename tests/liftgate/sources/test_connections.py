"""Connections of sources, as the command line finds them: in the variables that Airflow reads."""

from __future__ import annotations

import pytest

from liftgate.errors import ConfigurationError
from liftgate.sources.connections import Connection, connection_from_environment


@pytest.mark.parametrize(
    "value",
    [
        "sftp://reader:p%40ss@files.example.com:2222/in?key_file=/k",
        '{"host": "files.example.com", "port": "2222", "login": "reader", "password": "p@ss", "schema": "in", '
        '"extra": "{\\"key_file\\": \\"/k\\"}"}',
    ],
)
def test_a_connection_is_read_from_the_variable_of_airflow(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCS", value)
    found = connection_from_environment("docs")
    assert found == Connection("files.example.com", 2222, "reader", "p@ss", "in", {"key_file": "/k"})
    assert "p@ss" not in repr(found)


@pytest.mark.parametrize("value", ["", '{"host": ', '{"port": "many"}'])
def test_a_missing_or_broken_connection_is_named_with_its_variable(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DOCS", value)
    with pytest.raises(ConfigurationError, match="AIRFLOW_CONN_DOCS"):
        connection_from_environment("docs")
