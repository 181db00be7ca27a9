"""The wheel: built, installed outside the checkout, and used from there as a team would."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import psycopg
import pytest
from wheels import ROOT, build_wheel, pip_settings

pytestmark = pytest.mark.slow

CLI = "import sys; from liftgate.cli import app; sys.exit(app())"
SHIPPED = (".py", ".html", ".css", ".js")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder outside the checkout that the wheel is installed into; what it requires is there already."""
    folder = tmp_path_factory.mktemp("installed")
    install = [sys.executable, "-m", "pip", "install", "--quiet", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, env={**os.environ, **pip_settings(folder)})
    return folder


def run(installed: Path, code: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run Python in the installed package's folder. The folder on the path goes before the checkout's."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LIFTGATE_")}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=installed,
        env={**kept, **environment, "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_wheel_holds_the_library_airflows_side_and_the_sql_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    roots = {name.split("/")[0] for name in names if ".dist-info/" not in name}
    assert roots == {"liftgate", "liftgate_airflow"}
    for kind in ("migrations", "queries"):
        wanted = {f"liftgate/sql/{kind}/{path.name}" for path in (ROOT / "sql" / kind).glob("*.sql")}
        assert wanted <= set(names)
        assert wanted
    assert not [name for name in names if "trainer/" in name or "/tests/" in name or name.endswith(".pyc")]


def test_wheel_holds_every_module_and_what_the_pages_are_made_of(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder, package in (("tasks", "liftgate"), ("plugins", "liftgate_airflow")):
        files = (path for path in (ROOT / folder / package).rglob("*") if path.suffix in SHIPPED)
        assert {str(path.relative_to(ROOT / folder)) for path in files} <= names


def test_installed_package_is_the_one_that_is_imported(installed: Path) -> None:
    done = run(installed, "import liftgate, liftgate_airflow; print(liftgate.__file__, liftgate_airflow.__file__)")
    assert done.stdout.split() == [str(installed / name / "__init__.py") for name in ("liftgate", "liftgate_airflow")]


def test_every_module_can_be_imported_from_the_installed_package(installed: Path) -> None:
    code = (
        "import pkgutil, importlib, liftgate\n"
        "names = [m.name for m in pkgutil.walk_packages(liftgate.__path__, 'liftgate.')]\n"
        "for name in names: importlib.import_module(name)\n"
        "print(len(names))"
    )
    done = run(installed, code)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 90


def test_every_module_of_the_command_line_can_be_the_first_one_that_is_imported(installed: Path) -> None:
    """Modules that import each other in a circle are found only by whoever begins at the wrong one."""
    code = (
        "import importlib, os, pkgutil, liftgate.cli\n"
        "import numpy, psycopg, pydantic, rich, yaml\n"
        "names = [m.name for m in pkgutil.walk_packages(liftgate.cli.__path__, 'liftgate.cli.')]\n"
        "for name in names:\n"
        "    if not (child := os.fork()):\n"
        "        importlib.import_module(name)\n"
        "        os._exit(0)\n"
        "    if os.waitpid(child, 0)[1]:\n"
        "        print('not alone:', name)\n"
        "print(len(names))"
    )
    done = run(installed, code)
    assert done.returncode == 0, done.stderr
    assert "not alone" not in done.stdout, done.stderr
    assert int(done.stdout) > 10


def test_library_does_not_bring_airflow_or_a_model_with_it(installed: Path) -> None:
    code = (
        "import sys, liftgate.runtime, liftgate.cli.app, liftgate.releases.promotion, liftgate.training.train\n"
        "print([name for name in ('airflow', 'torch', 'transformers', 'kubernetes') if name in sys.modules])"
    )
    done = run(installed, code)
    assert done.stdout.strip() == "[]", done.stderr


def test_help_names_the_commands(installed: Path) -> None:
    done = run(installed, CLI, "--help")
    assert done.returncode == 0, done.stderr
    for command in ("init", "ask", "releases", "gate", "plan", "doctor", "db"):
        assert command in done.stdout


def test_wheel_declares_the_command(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        assert "liftgate = liftgate.cli:app" in archive.read(name).decode()


def test_db_upgrade_makes_the_tables_of_a_real_database_and_a_second_one_changes_nothing(
    installed: Path, database_url: str, tmp_path: Path
) -> None:
    settings = {"LIFTGATE_DATABASE_URL": database_url, "LIFTGATE_FILES_URL": str(tmp_path)}
    first = run(installed, CLI, "db", "upgrade", **settings)
    assert first.returncode == 0, first.stderr
    with psycopg.connect(database_url) as connection:
        found = connection.execute("SELECT to_regclass('events'), to_regclass('live_releases')").fetchone()
        applied = connection.execute("SELECT migration_id FROM liftgate_migrations ORDER BY 1").fetchall()
    assert found == ("events", "live_releases")
    files = [path.stem for path in (ROOT / "sql" / "migrations").glob("*.sql")]
    assert [row[0] for row in applied] == sorted(name for name in files if not name.endswith(".rollback"))
    second = run(installed, CLI, "db", "upgrade", **settings)
    assert second.returncode == 0, second.stderr


def test_missing_settings_are_named_with_the_remedy(installed: Path) -> None:
    done = run(installed, CLI, "db", "upgrade")
    assert done.returncode == 2
    assert "LIFTGATE_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr
