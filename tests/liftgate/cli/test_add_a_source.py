"""README, "Add a source", word by word, as somebody does who follows it. Confluence is an imitation of its API."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import yaml
from source_servers import send, web_server

from liftgate.config.reading import read_knowledge_base
from liftgate.sources.finding import known_kinds

ROOT = Path(__file__).parents[3]
SECTION = (ROOT / "README.md").read_text().partition("## Add a source")[2].partition("\n## ")[0]
BLOCKS = re.findall(r"([^\n]*(?:\n[^\n]+)*)\n\n```(\w+)\n(.*?)```", SECTION, re.DOTALL)
PAGES = {"7": ("Leave", 3, "<h1>Leave</h1><p>Sixteen weeks.</p>"), "8": ("Travel", 1, "<p>By train.</p>")}


def block(language: str, mentioned: str) -> str:
    """The only block of code whose introduction mentions that."""
    (text,) = [text for before, kind, text in BLOCKS if kind == language and mentioned in before]
    return str(text)


def commands() -> list[list[str]]:
    """The lines that somebody types, but for the variable."""
    return [shlex.split(line) for line in re.findall(r"^    ((?:liftgate|python) .*)$", SECTION, re.MULTILINE)]


def about(id: str) -> dict[str, Any]:
    title, number, _ = PAGES[id]
    return {"id": id, "title": title, "version": {"number": number, "createdAt": "2026-01-01T00:00:00.000Z"}}


@pytest.fixture
def confluence(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server with two pages, which lists one at a time, and the variable of the section with its address."""

    def answer(handler: BaseHTTPRequestHandler, found: dict[str, Any]) -> None:
        send(handler, 200 if "Authorization" in handler.headers else 401, json.dumps(found).encode())

    with web_server() as web:
        space = "/wiki/api/v2/spaces/42/pages?limit=250"
        first = {"results": [about("7")], "_links": {"next": f"{space}&cursor=2"}}
        second: dict[str, Any] = {"results": [about("8")], "_links": {}}
        web.special[space] = lambda handler: answer(handler, first)
        web.special[f"{space}&cursor=2"] = lambda handler: answer(handler, second)
        for id, (_, _, body) in PAGES.items():
            page, path = {**about(id), "body": {"storage": {"value": body}}}, f"/wiki/api/v2/pages/{id}"
            web.special[f"{path}?body-format=storage"] = lambda handler, page=page: answer(handler, page)
        ((variable, value),) = re.findall(r"export (AIRFLOW_CONN_\w+)='(.*)'", SECTION)
        monkeypatch.setenv(variable, json.dumps({**json.loads(value), "host": web.url}))
        yield


@pytest.fixture
def bundle(tmp_path: Path, liftgate: Any, monkeypatch: pytest.MonkeyPatch, confluence: None) -> Path:
    """What somebody has who followed the section."""
    assert liftgate("init", tmp_path).exit_code == 0
    for path in ("sources/confluence.py", "tests/test_confluence.py"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(block("python", path))
    file = tmp_path / "knowledge_bases" / "example.yaml"
    settings = yaml.safe_load(file.read_text())
    settings["ingestion"] |= yaml.safe_load(block("yaml", "knowledge_bases/example.yaml"))
    file.write_text(yaml.safe_dump(settings))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_commands_of_the_section_list_and_plan_the_new_source(bundle: Path, liftgate: Any) -> None:
    said = {words[1]: liftgate(*words[1:]) for words in commands() if words[0] == "liftgate"}
    assert set(said) == {"doctor", "plan"}
    assert "ok       example.yaml: source wiki: 2 documents" in said["doctor"].stdout
    assert said["plan"].exit_code == 0, said["plan"].output
    assert "open 2 documents and embed an unknown number of tokens: those of 2 documents" in said["plan"].stdout


def test_the_contract_test_of_the_section_passes(bundle: Path) -> None:
    (words,) = [words for words in commands() if words[0] == "python"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run([sys.executable, *words[1:]], capture_output=True, text=True, env=environment)
    assert "1 passed" in done.stdout, done.stdout + done.stderr


def test_the_configuration_of_the_section_is_valid(kb: Any) -> None:
    found = yaml.safe_load(next(text for _, language, text in BLOCKS if language == "yaml"))
    kb.ingest(source=found["ingestion"]["source"])
    kb.write_settings(access=found["access"])
    assert read_knowledge_base(kb.file).ingestion.sources[0].type == "s3"


def test_every_kind_stands_in_the_table_of_the_section() -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", SECTION, re.MULTILINE)) - {"type"} == set(known_kinds())
