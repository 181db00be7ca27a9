"""Jobs run as processes by the operator's rules: small Python commands, no torch."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from liftgate.errors import JobRefused
from liftgate.jobs.attempts import attach
from liftgate.jobs.backend import JobRef, JobState, Phase, follow
from liftgate.jobs.identity import identified
from liftgate.jobs.local.backend import LocalBackend
from liftgate.jobs.local.state import SILENT_SECONDS, JobFolder
from liftgate.jobs.pytorchjob import render
from liftgate.jobs.spec import JobSpec, Origin, Resources, Volume

pytestmark = pytest.mark.slow

ORIGIN = Origin("dag", "run", "task")


@pytest.fixture
def backend(tmp_path: Path) -> LocalBackend:
    return LocalBackend(tmp_path / "jobs", {"data": tmp_path / "d", "out": tmp_path / "o"}, tmp_path / "image")


def spec(code: str, **changes: Any) -> JobSpec:
    made = JobSpec(
        slug="job",
        image="trainer:1",
        command=("python", "-c"),
        args=(code,),
        resources=Resources(cpus=1, memory="1Gi"),
        volumes=(Volume("data", "/data"), Volume("out", "/artifacts")),
    )
    return replace(made, **changes)


def manifest_of(job: JobSpec) -> dict[str, Any]:
    return identified(render(job), ORIGIN, 1)


def run(backend: LocalBackend, manifest: dict | JobSpec) -> tuple[JobState, list[str], JobRef]:
    ref = backend.submit(manifest if isinstance(manifest, dict) else manifest_of(manifest))
    lines: list[str] = []
    state = follow(backend, ref, lines.append, poll_seconds=0.02)
    return state, lines, ref


def until(condition: Callable[[], bool]) -> None:
    """Polls; the time-out of the whole test is the limit."""
    while not condition():
        time.sleep(0.02)


def record(tmp_path: Path, ref: JobRef) -> dict[str, Any]:
    return JobFolder(tmp_path / "jobs" / ref.namespace / ref.name).read() or {}


def conditions(tmp_path: Path, ref: JobRef) -> list[str]:
    return [one["type"] for one in record(tmp_path, ref)["conditions"]]


def test_a_job_that_exits_with_0_succeeds_and_its_conditions_are_in_order(
    backend: LocalBackend, tmp_path: Path
) -> None:
    state, lines, ref = run(backend, spec("print('step 1/1')"))
    assert state.phase is Phase.SUCCEEDED
    assert lines[-1] == "step 1/1"
    assert conditions(tmp_path, ref) == ["Created", "Running", "Succeeded"]


def test_paths_of_mounted_claims_become_folders_and_the_log_says_so(backend: LocalBackend, tmp_path: Path) -> None:
    code = "import sys; open(sys.argv[1] + '/x', 'w').write(sys.argv[2])"
    manifest = manifest_of(spec(code, args=(code, "/artifacts", "--file=/data/train.jsonl")))
    state, lines, _ = run(backend, manifest)
    assert state.phase is Phase.SUCCEEDED
    assert (tmp_path / "o" / "x").read_text() == f"--file={tmp_path / 'd'}/train.jsonl"
    assert f"[local backend] /artifacts is {tmp_path / 'o'}" in lines


def test_a_path_that_only_begins_like_a_mount_is_left_alone(backend: LocalBackend) -> None:
    code = "import sys; print(sys.argv[1])"
    assert run(backend, spec(code, args=(code, "/database/x")))[1][-1] == "/database/x"


def test_a_master_gets_its_rank_and_address_and_a_worker_alone_gets_none(backend: LocalBackend) -> None:
    code = "import os; print(*[os.environ.get(n) for n in ('RANK', 'WORLD_SIZE', 'MASTER_ADDR', 'PET_NNODES')])"
    manifest = manifest_of(spec(code))
    assert run(backend, manifest)[1][-1] == "0 1 127.0.0.1 1"
    replicas = manifest["spec"]["pytorchReplicaSpecs"]
    replicas["Worker"] = replicas.pop("Master")
    manifest["metadata"]["name"] = "workers-alone"
    assert run(backend, manifest)[1][-1] == "None None None None"


def test_world_size_counts_nodes_and_processes(backend: LocalBackend, tmp_path: Path) -> None:
    code = "import os; print(os.environ['RANK'], os.environ['WORLD_SIZE'], os.environ['PET_NPROC_PER_NODE'])"
    _, lines, ref = run(backend, spec(code, nodes=2, procs_per_node=2))
    assert lines[-1] == "0 4 2"
    worker = JobFolder(tmp_path / "jobs" / ref.namespace / ref.name).log_lines("worker-0")
    assert set(worker) <= {"1 4 2"} | set(lines)  # it may have been ended before it said a word


def test_a_replica_sees_none_of_the_workers_secrets(backend: LocalBackend, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_DATABASE", "secret")
    code = "import os; print('AIRFLOW_CONN_DATABASE' in os.environ, os.environ['LIFTGATE_JOB'][:7])"
    assert run(backend, spec(code))[1][-1] == "False llm/job"


def test_a_broken_replica_is_restarted_as_often_as_retries_allow(backend: LocalBackend, tmp_path: Path) -> None:
    state, lines, ref = run(backend, spec("print('try'); raise SystemExit(1)", retries=2))
    assert (state.phase, state.restarts) == (Phase.FAILED, 2)
    assert lines.count("try") == 3
    assert "backoff limit of 3" in state.message
    assert conditions(tmp_path, ref) == ["Created", "Running", "Failed"]


def test_a_replica_that_recovers_ends_in_success(backend: LocalBackend, tmp_path: Path) -> None:
    code = "import os, sys; p = sys.argv[1]; e = os.path.exists(p); open(p, 'w'); sys.exit(not e)"
    state, _, _ = run(backend, spec(code, args=(code, "/artifacts/mark"), retries=1))
    assert (state.phase, state.restarts) == (Phase.SUCCEEDED, 1)


def test_without_retries_the_first_failure_is_final(backend: LocalBackend) -> None:
    state, _, _ = run(backend, spec("raise SystemExit(3)"))
    assert (state.phase, state.restarts) == (Phase.FAILED, 0)
    assert "exit code 3" in state.message


def test_exit_code_policy_restarts_after_a_signal_only(backend: LocalBackend) -> None:
    code = (
        "import os, sys; p = sys.argv[1]; e = os.path.exists(p); open(p, 'w');"
        "sys.exit(2) if e else os.kill(os.getpid(), 9)"
    )
    manifest = manifest_of(spec(code, args=(code, "/artifacts/mark")))
    manifest["spec"]["pytorchReplicaSpecs"]["Master"]["restartPolicy"] = "ExitCode"
    state, _, _ = run(backend, manifest)
    assert (state.phase, state.restarts) == (Phase.FAILED, 1)
    assert "exit code 2" in state.message


def test_success_follows_the_master_and_ends_the_workers(backend: LocalBackend, tmp_path: Path) -> None:
    code = "import os, time; time.sleep(0 if os.environ['RANK'] == '0' else 600)"
    state, _, ref = run(backend, spec(code, nodes=2))
    assert state.phase is Phase.SUCCEEDED
    for pid, _ in record(tmp_path, ref)["processes"].values():
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_workers_alone_succeed_only_together(backend: LocalBackend) -> None:
    manifest = manifest_of(spec("raise SystemExit(__import__('os').getpid() * 0)", nodes=3))
    replicas = manifest["spec"]["pytorchReplicaSpecs"]
    del replicas["Master"]
    assert run(backend, manifest)[0].phase is Phase.SUCCEEDED
    replicas["Worker"]["template"]["spec"]["containers"][0]["args"] = ["raise SystemExit(1)"]
    manifest["metadata"]["name"] = "one-fails"
    assert run(backend, manifest)[0].phase is Phase.FAILED


def test_a_job_over_its_deadline_is_stopped(backend: LocalBackend) -> None:
    state, _, _ = run(backend, spec("import time; time.sleep(600)", deadline_seconds=1))
    assert state.phase is Phase.FAILED
    assert "deadline of 1 seconds" in state.message


def test_cancel_asks_first_and_kills_after_the_grace_period(backend: LocalBackend) -> None:
    code = (
        "import signal, time; signal.signal(15, lambda *a: print('asked', flush=True));"
        "print('up', flush=True)\nwhile True: time.sleep(0.1)"
    )
    manifest = manifest_of(spec(code, retries=3))
    pod = manifest["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]
    pod["terminationGracePeriodSeconds"] = 1
    ref = backend.submit(manifest)
    until(lambda: "up" in backend.logs(ref))
    backend.cancel(ref)
    state = backend.status(ref)
    assert (state.phase, state.reason, state.restarts) == (Phase.FAILED, "PyTorchJobCancelled", 0)
    assert "asked" in backend.logs(ref)


def test_the_same_job_is_adopted_and_runs_once(backend: LocalBackend) -> None:
    job = spec("print('ran')")
    state, lines, first = run(backend, job)
    again = attach(backend, render(job), ORIGIN).ref
    assert again == first
    assert list(backend.logs(again)).count("ran") == 1
    assert backend.status(again) == state


def test_another_job_of_the_same_name_is_refused(backend: LocalBackend) -> None:
    _, _, ref = run(backend, spec("pass"))
    manifest = manifest_of(spec("print(1)"))
    manifest["metadata"]["name"] = ref.name
    with pytest.raises(JobRefused, match="another specification"):
        backend.submit(manifest)


def test_a_new_attempt_is_made_only_after_the_last_one_ended_badly(backend: LocalBackend) -> None:
    job = spec("raise SystemExit(1)")
    _, _, first = run(backend, job)
    second = attach(backend, render(job), ORIGIN).ref
    assert first.name.endswith("-a1")
    assert second.name == first.name.removesuffix("-a1") + "-a2"
    follow(backend, second, poll_seconds=0.02)


def test_a_job_that_took_anothers_name_is_not_mistaken_for_it(backend: LocalBackend) -> None:
    _, _, ref = run(backend, spec("pass"))
    backend.delete(ref)
    assert backend.status(ref).phase is Phase.LOST
    _, _, other = run(backend, spec("pass"))
    assert other.name == ref.name
    assert backend.status(ref).phase is Phase.LOST
    assert list(backend.logs(ref)) == []


WORKER = """
import sys, time
sys.path[:0] = {path!r}
sys.path.insert(0, {tests!r})
from test_local_backend import manifest_of, spec
from liftgate.jobs.local.backend import LocalBackend
backend = LocalBackend({root!r} + "/jobs", {{"data": "d", "out": {root!r}}}, "image")
ref = backend.submit(manifest_of(spec("import time; print('up', flush=True); time.sleep(600)")))
print(ref.name, flush=True)
time.sleep(600)
"""


def test_a_killed_worker_takes_its_replicas_along_and_the_next_one_reaps_the_state(tmp_path: Path) -> None:
    tests = str(Path(__file__).parent)
    code = WORKER.format(path=sys.path, tests=tests, root=str(tmp_path))
    worker = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert worker.stdout is not None
    folder = JobFolder(tmp_path / "jobs" / "llm" / worker.stdout.readline().strip())
    until(lambda: "up" in folder.log_lines("master-0"))
    pid = (folder.read() or {})["processes"]["master-0"][0]
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    until(lambda: not Path(f"/proc/{pid}").exists() or _is_zombie(pid))
    assert folder.state().phase is Phase.LOST
    LocalBackend(tmp_path / "jobs", {}, tmp_path)
    reaped = (folder.read() or {})["conditions"][-1]
    assert (reaped["type"], reaped["reason"]) == ("Failed", "PyTorchJobLost")


def test_a_job_of_another_machine_is_there_for_as_long_as_its_record_is_renewed(
    backend: LocalBackend, tmp_path: Path
) -> None:
    ref = backend.submit(manifest_of(spec("import time; print('up', flush=True); time.sleep(600)")))
    folder = JobFolder(tmp_path / "jobs" / ref.namespace / ref.name)
    until(lambda: "up" in folder.log_lines("master-0"))
    folder.update(machine="another kernel:pid:[1]", owner=[1, "0"])  # its numbers mean nothing here
    LocalBackend(tmp_path / "jobs", {}, tmp_path)
    assert folder.state().phase is Phase.RUNNING
    past = time.time() - SILENT_SECONDS - 1
    os.utime(folder.path / "job.json", (past, past))
    assert folder.state().phase is Phase.LOST
    LocalBackend(tmp_path / "jobs", {}, tmp_path)
    pid = (folder.read() or {})["processes"]["master-0"][0]
    assert Path(f"/proc/{pid}").exists(), "a process of this machine was ended for a job of another one"
    os.killpg(pid, signal.SIGKILL)


def test_whoever_runs_a_job_renews_its_record(
    backend: LocalBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("liftgate.jobs.local.run.BEAT_SECONDS", 0.05)
    ref = backend.submit(manifest_of(spec("import time; print('up', flush=True); time.sleep(600)")))
    folder = JobFolder(tmp_path / "jobs" / ref.namespace / ref.name)
    until(lambda: "up" in folder.log_lines("master-0"))
    record = folder.path / "job.json"
    os.utime(record, (0, 0))
    until(lambda: record.stat().st_mtime > 0)
    backend.cancel(ref)


def _is_zombie(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
