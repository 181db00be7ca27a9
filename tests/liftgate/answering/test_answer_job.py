"""Answers by jobs: what is laid out for them, what is taken back, and what is never asked twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from liftgate.answering import known_answers
from liftgate.answering.answer_job import Answering
from liftgate.config.answers import Answers
from liftgate.config.jobs import JobBlock
from liftgate.jobs.spec import JobSpec
from liftgate.releases.makeup import AdapterPart, Makeup
from liftgate.retrieval import Asked

ASKED = [Asked(f"When the topica{letter} desk opens?", ("staff",)) for letter in "abc"]
ABSENT = Asked("Who paints zebra0?", ("staff",))


def work(judged: Any, *makeups: Makeup, asked: list[Asked] = ASKED, **job: Any) -> Answering:
    block = JobBlock(backend="pytorchjob", model_path="/artifacts/models/small", **job)
    answers = Answers.model_validate({"prompt": __file__, "job": block})
    return Answering(judged.runtime, judged.name, answers, makeups or (judged.release(1).makeup,), asked)


def argument(spec: JobSpec, name: str) -> str:
    return spec.args[spec.args.index(name) + 1]


def written(judged: Any, spec: JobSpec, skip: int = 0) -> None:
    """What the job would leave: an answer for each request."""
    requests = judged.runtime.files / "tuning_sets" / argument(spec, "--requests").removeprefix("/data/")
    output = judged.runtime.files / "adapters" / argument(spec, "--output").removeprefix("/artifacts/")
    rows = [json.loads(line) for line in requests.read_text().splitlines()][skip:]
    answers = [{"id": row["id"], "text": "At 100.", "tokens": 3, "finish": "stop"} for row in rows]
    output.write_text("".join(json.dumps(answer) + "\n" for answer in answers))


def test_questions_travel_in_the_claim_of_data_and_answers_in_that_of_artifacts(judged: Any) -> None:
    spec = work(judged).spec()
    assert spec.command == ("python", "-m", "trainer.generate")
    assert argument(spec, "--base_model") == "/artifacts/models/small"
    assert argument(spec, "--requests").startswith("/data/requests/")
    assert {volume.mount_path for volume in spec.volumes} == {"/data", "/artifacts"}
    assert "OMP_NUM_THREADS" not in spec.env


def test_answers_of_a_job_are_stored_and_asked_for_no_more(judged: Any) -> None:
    made = work(judged)
    assert made.known() is None
    written(judged, made.spec())
    assert made.known() == len(ASKED)
    assert [one.text for one in known_answers(judged.runtime, made.makeups[0], ASKED)] == ["At 100."] * 3
    assert work(judged).known() == len(ASKED)


def test_a_job_that_left_an_answer_out_is_not_done(judged: Any) -> None:
    made = work(judged)
    written(judged, made.spec(), skip=1)
    assert made.known() is None


def test_what_retrieval_refuses_needs_no_job(judged: Any) -> None:
    assert work(judged, asked=[ABSENT]).known() == 1


def test_the_same_questions_make_the_same_job_and_others_another(judged: Any) -> None:
    assert work(judged).spec() == work(judged).spec()
    assert work(judged).spec() != work(judged, asked=ASKED[:2]).spec()


def test_each_release_gets_a_job_of_its_own_until_all_have_answered(judged: Any) -> None:
    plain = judged.release(1).makeup
    folder = str(judged.runtime.files / "adapters" / "small" / "f00d")
    adapted = plain.model_copy(update={"adapter": AdapterPart(digest="a", name="small", uri=folder)})
    made = work(judged, plain, adapted)
    first = made.spec()
    written(judged, first)
    assert made.known() is None
    second = made.spec()
    assert "--adapter_dir" not in first.args
    assert argument(second, "--adapter_dir") == "/artifacts/small/f00d"
    assert argument(second, "--adapter_digest") == "a"
    written(judged, second)
    assert made.known() == len(ASKED)


def test_with_a_store_everything_has_its_address_and_nothing_is_mounted(judged: Any, tmp_path: Path) -> None:
    store = f"file://{tmp_path}/store"
    made = work(judged, store=store, env_secret="keys", queue="gpus")
    spec = made.spec()
    assert argument(spec, "--requests").startswith(f"{store}/tuning_sets/requests/")
    assert (spec.volumes, spec.env_secret) == ((), "keys")
    assert spec.labels == {"kueue.x-k8s.io/queue-name": "gpus"}
    assert (tmp_path / "store/tuning_sets/requests").is_dir()


def test_a_misspelt_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="pytorchjob"):
        JobBlock(backend="kubeflow")  # type: ignore[arg-type]
