"""docker-compose.yaml: what it promises, and each service's command as a plain process with its health probe."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from liftgate.local import weaviate
from liftgate.local.postgres import LocalPostgres, started

ROOT = Path(__file__).parents[1]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
LASTING = {name: service for name, service in SERVICES.items() if name != "set-up"}
PROBE_OF_POSTGRES = SERVICES["postgres"]["healthcheck"]["test"]
DOCKER = ["docker", "compose"]
AIRFLOW = ["api-server", "scheduler", "dag-processor", "triggerer"]


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What make_env.py writes into an empty folder."""
    folder = tmp_path_factory.mktemp("env")
    subprocess.run([sys.executable, ROOT / "scripts/make_env.py", folder], check=True, capture_output=True)
    assert (folder / ".env").stat().st_mode & 0o077 == 0
    return dict(line.split("=", 1) for line in (folder / ".env").read_text().splitlines())


def test_every_secret_is_made_and_none_has_a_default(secrets: dict[str, str]) -> None:
    text = (ROOT / "docker-compose.yaml").read_text()
    asked = set(re.findall(r"\$\{([A-Z_0-9]+)(?::\?[^}]*)?\}", text))
    assert asked == set(secrets)
    assert all(len(value) >= 32 for value in secrets.values())
    assert len(set(secrets.values())) == len(secrets)
    with_default = set(re.findall(r"\$\{([A-Z_0-9]+):-", text))
    assert with_default == {"PORT", "BASE_IMAGE", "TORCH"}


def test_making_secrets_again_keeps_those_that_are_there(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("ADMIN_PASSWORD=mine\nMORE=kept\nWEAVIATE_API_KEY=\n")
    subprocess.run([sys.executable, ROOT / "scripts/make_env.py", tmp_path], check=True, capture_output=True)
    text = (tmp_path / ".env").read_text()
    assert "ADMIN_PASSWORD=mine\n" in text
    assert "MORE=kept\n" in text
    assert re.search("^WEAVIATE_API_KEY=.{32}", text, re.MULTILINE)  # an empty one was no secret


def test_image_is_built_by_one_service_and_its_user_has_a_name() -> None:
    assert [name for name, service in SERVICES.items() if "build" in service] == ["set-up"]
    lines = (ROOT / "Dockerfile").read_text()
    user = re.findall(r"^USER (\d+):", lines, re.MULTILINE)
    assert user
    assert f"useradd --uid {user[0]} " in lines


def test_nothing_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert published
    assert all(str(port).startswith("127.0.0.1:") for port in published)


def test_every_image_is_pinned_to_a_version() -> None:
    for name, service in SERVICES.items():
        assert re.fullmatch(r"[\w./-]+:[\w.-]*\d+\.\d+[\w.-]*", service["image"]), name
        assert not service["image"].endswith("latest"), name


def test_every_service_has_limits_and_is_awaited_by_its_health() -> None:
    for name, service in SERVICES.items():
        assert set(service["deploy"]["resources"]["limits"]) == {"cpus", "memory"}, name
        assert name == "set-up" or "test" in service["healthcheck"], name
        for other in service.get("depends_on", {}).values():
            assert other["condition"] in ("service_healthy", "service_completed_successfully"), name


def test_volumes_are_named() -> None:
    mounted = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert {volume for volume in mounted if not volume.startswith(".")} == set(COMPOSE["volumes"])


def test_weaviate_asks_for_a_key() -> None:
    settings = SERVICES["weaviate"]["environment"]
    assert settings["AUTHENTICATION_ANONYMOUS_ACCESS_ENABLED"] == "false"
    assert settings["AUTHENTICATION_APIKEY_ENABLED"] == "true"
    assert settings["DISABLE_TELEMETRY"] == "true"
    assert "ports" not in SERVICES["weaviate"]


def test_docker_accepts_the_file(secrets: dict[str, str]) -> None:
    if (
        shutil.which("docker") is None
        or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode
    ):
        pytest.skip("Docker compose was not found. Install docker with its compose plugin to check the file with it.")
    done = subprocess.run(
        [*DOCKER, "--file", str(ROOT / "docker-compose.yaml"), "config", "--quiet"],
        env={**os.environ, **secrets},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def as_written(value: str, secrets: dict[str, str]) -> str:
    """A value of the file as docker compose reads it."""
    return re.sub(r"\$\{([A-Z_0-9]+)[^}]*\}", lambda found: secrets.get(found[1], ""), value)


@contextmanager
def running(
    command: list[str], environment: dict[str, str], folder: Path | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A service as a process, ended with all that it started: a scheduler leaves its workers behind."""
    process = subprocess.Popen(
        command,
        env=environment,
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(30)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def wait_for_probe(test: list[str], environment: dict[str, str], process: subprocess.Popen[bytes]) -> None:
    """Run a health probe until it says yes."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if subprocess.run(test[1:], env=environment, capture_output=True, check=False).returncode == 0:
            return
        time.sleep(1)
    raise AssertionError(f"{test} did not succeed; the process ended with {process.poll()}")


@pytest.fixture(scope="module")
def postgres(secrets: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalPostgres]:
    """A server of which the script has made the databases, as it does in the container."""
    with started(tmp_path_factory.mktemp("postgres")) as server:
        tools = next(Path(sys.prefix).rglob("pginstall*/bin/psql")).parent
        done = subprocess.run(
            ["sh", ROOT / "scripts/compose_databases.sh"],
            env={**secrets, "PATH": f"{tools}:{os.environ['PATH']}", "PGHOST": str(server.socket_folder)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        yield server


def test_databases_belong_to_roles_of_their_own(postgres: LocalPostgres) -> None:
    for name in ("airflow", "liftgate"):
        with psycopg.connect(postgres.url(name, user=name)) as connection:
            assert connection.execute("SELECT current_user").fetchone() == (name,)
    with psycopg.connect(postgres.url("liftgate", user="liftgate")) as connection:
        assert connection.execute("SELECT FROM pg_extension WHERE extname = 'vector'").fetchone() is not None


def test_postgres_passes_its_probe(postgres: LocalPostgres) -> None:
    tools = next(Path(sys.prefix).rglob("pginstall*/bin/pg_isready")).parent
    environment = {"PATH": f"{tools}:{os.environ['PATH']}", "PGHOST": str(postgres.socket_folder)}
    probe = [str(postgres.socket_folder) if part == "127.0.0.1" else part for part in PROBE_OF_POSTGRES]
    wait_for_probe(probe, environment, postgres.process)


@pytest.mark.slow
@pytest.mark.parametrize("service", ["weaviate", "objects"])
def test_store_runs_by_its_command_and_passes_its_probe(service: str, secrets: dict[str, str], tmp_path: Path) -> None:
    binary = shutil.which({"weaviate": "weaviate", "objects": "weed"}[service])
    if binary is None or shutil.which("wget") is None:
        pytest.skip(f"The program of the service {service}, or wget, was not found. Put both on PATH to start it here.")
    (tmp_path / "s3.json").write_text('{"identities": []}')
    ports = dict(zip(("8080", "8333", "50051"), map(str, weaviate.free_ports(3)), strict=True))
    places = {"0.0.0.0": "127.0.0.1", "/var/lib/weaviate": str(tmp_path), "/data": str(tmp_path)}
    places["/etc/s3.json"] = str(tmp_path / "s3.json")

    def here(text: str) -> str:
        for old, new in {**ports, **places}.items():
            text = text.replace(old, new)
        return text

    written = LASTING[service].get("environment", {})
    environment = {name: here(as_written(value, secrets)) for name, value in written.items()}
    environment |= {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "GRPC_PORT": ports["50051"]}
    environment |= {f"CLUSTER_{name}_ADDR": "127.0.0.1" for name in ("ADVERTISE", "BIND")}
    command = [binary, *map(here, LASTING[service]["command"])]
    with running(command, environment, tmp_path) as process:
        wait_for_probe([*map(here, LASTING[service]["healthcheck"]["test"])], environment, process)


@pytest.mark.slow
@pytest.mark.parametrize("service", AIRFLOW)
def test_airflow_service_runs_by_its_command_and_passes_its_probe(
    service: str, postgres: LocalPostgres, airflow_settings: dict[str, str]
) -> None:
    command = [part.replace("0.0.0.0", "127.0.0.1").replace("8080", PORT) for part in LASTING[service]["command"]]
    probe = [part.replace("8080", PORT) for part in LASTING[service]["healthcheck"]["test"]]
    with running(command, airflow_settings) as process:
        wait_for_probe(probe, airflow_settings, process)


@pytest.fixture(scope="module")
def airflow_settings(
    secrets: dict[str, str], postgres: LocalPostgres, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """The environment of Airflow's services, with addresses of this machine, after the set-up service has run."""
    folder = tmp_path_factory.mktemp("airflow")
    settings = {name: as_written(value, secrets) for name, value in SERVICES["scheduler"]["environment"].items()}
    here = {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder / "dags"),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(folder / "passwords.json"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{PORT}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.url("airflow", user="airflow", driver="psycopg"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.url("airflow", user="airflow", driver="psycopg_async"),
        "LIFTGATE_DATABASE_URL": postgres.url("liftgate", user="liftgate"),
        "LIFTGATE_FILES_URL": str(folder / "files"),
        "LIFTGATE_MODELS_DIR": str(ROOT / ".models"),
        "LIFTGATE_TRAINER_DIR": str(ROOT / "trainer_image"),
    }
    tools = Path(sys.executable).parent
    settings |= here | {"PATH": f"{tools}:{os.environ['PATH']}", "HOME": str(folder)}
    (folder / "dags").mkdir()
    script = (ROOT / "scripts/compose_set_up.sh").read_text()
    # Weaviate is not there; what the doctor says of it is tested beside the doctor.
    script = script.replace("liftgate doctor", "liftgate doctor || true")
    done = subprocess.run(["sh", "-c", script], env=settings, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (folder / "passwords.json").stat().st_mode & 0o077 == 0
    return settings


PORT = str(weaviate.free_ports(1)[0])
