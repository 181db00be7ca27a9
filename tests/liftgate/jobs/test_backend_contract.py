"""What every backend promises, kept on each of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from places import Place

from liftgate.errors import JobRefused
from liftgate.jobs.attempts import Attempt, attach
from liftgate.jobs.backend import JobRef, Manifest, Phase, follow
from liftgate.jobs.identity import identified
from liftgate.jobs.spec import JobSpec, Origin, Resources

pytestmark = pytest.mark.slow

ORIGIN = Origin("dag", "run", "task")
WAITS = "import time; print('up', flush=True); time.sleep(600)"


def job(code: str, **changes: Any) -> JobSpec:
    made = JobSpec(
        slug="contract",
        image="python:3.11-slim",
        command=("python", "-c"),
        args=(code,),
        resources=Resources(cpus=1, memory="256Mi"),
    )
    return replace(made, **changes)


def manifest(place: Place, code: str, **changes: Any) -> Manifest:
    return place.backend.render(job(code, **changes))


def submitted(place: Place, code: str, **changes: Any) -> JobRef:
    return place.backend.submit(identified(manifest(place, code, **changes), ORIGIN, 1))


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


def test_a_job_that_exits_with_0_succeeds_and_hands_on_its_log(place: Place) -> None:
    ref, lines = submitted(place, "print('step 1/1 loss 0.5')"), []
    state = follow(place.backend, ref, lines.append, poll_seconds=0.05)
    assert state.phase is Phase.SUCCEEDED
    if place.has_logs:
        assert lines[-1] == "step 1/1 loss 0.5"


def test_a_job_that_exits_with_another_code_fails(place: Place) -> None:
    state = follow(place.backend, submitted(place, "raise SystemExit(3)"), poll_seconds=0.05)
    assert state.phase is Phase.FAILED
    assert state.reason == "PyTorchJobFailed"


def test_two_replicas_know_their_ranks(place: Place) -> None:
    code = "import os; assert (os.environ['WORLD_SIZE'], os.environ['PET_NNODES']) == ('2', '2'), os.environ"
    state = follow(place.backend, submitted(place, code, nodes=2), poll_seconds=0.05)
    assert state.phase is Phase.SUCCEEDED


def test_the_same_job_is_adopted_and_made_once(place: Place) -> None:
    first, again = submitted(place, WAITS), submitted(place, WAITS)
    assert (again, first.adopted, again.adopted) == (first, False, True)
    assert place.made() == [first.name]


def test_another_job_of_the_same_name_is_refused(place: Place) -> None:
    first = submitted(place, WAITS)
    other = identified(manifest(place, "pass"), ORIGIN, 1)
    other["metadata"]["name"] = first.name
    with pytest.raises(JobRefused, match="another specification"):
        place.backend.submit(other)


def test_a_container_of_another_name_is_refused_with_the_remedy(place: Place) -> None:
    wrong = identified(manifest(place, "pass"), ORIGIN, 1)
    wrong["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["name"] = "trainer"
    with pytest.raises(JobRefused, match="Rename the training container to 'pytorch'"):
        place.backend.submit(wrong)
    assert place.made() == []


def test_a_cancelled_job_has_ended_and_cancelling_it_again_does_nothing(place: Place) -> None:
    ref = submitted(place, WAITS)
    until(lambda: place.backend.status(ref).phase is Phase.RUNNING)
    place.backend.cancel(ref)
    until(lambda: place.backend.status(ref).phase.ended)
    assert place.backend.status(ref).phase is not Phase.SUCCEEDED
    place.backend.cancel(ref)


def test_a_job_that_took_anothers_name_is_not_mistaken_for_it(place: Place) -> None:
    first = submitted(place, WAITS)
    place.delete(first)
    until(lambda: place.backend.find(first.namespace, first.name) is None)
    assert place.backend.status(first).phase is Phase.LOST
    second = submitted(place, WAITS)
    assert second.name == first.name
    assert place.backend.status(first).phase is Phase.LOST
    place.backend.cancel(first)
    assert place.backend.status(second).phase is not Phase.LOST


class Kept(list[Attempt]):
    """What a state store was told, in order."""

    def attach(self, place: Place, code: str, **changes: Any) -> Attempt:
        return attach(place.backend, manifest(place, code, **changes), ORIGIN, self[-1] if self else None, self.append)


def test_a_try_finds_the_job_of_the_last_one_and_makes_none(place: Place) -> None:
    kept = Kept()
    first = kept.attach(place, WAITS)
    assert kept.attach(place, WAITS) == first
    assert place.made() == [first.name]


def test_a_try_that_died_before_it_heard_of_its_job_finds_it_again(place: Place) -> None:
    kept = Kept()
    first = kept.attach(place, WAITS)
    kept[:] = [replace(first, uid=None)]
    assert kept.attach(place, WAITS) == first
    assert place.made() == [first.name]


def test_a_new_attempt_begins_only_after_the_last_one_is_recorded_as_ended(place: Place) -> None:
    kept = Kept()
    first = kept.attach(place, "raise SystemExit(1)")
    follow(place.backend, first.ref, poll_seconds=0.05)
    assert kept.attach(place, "raise SystemExit(1)").number == 1  # it has failed, but nobody said so yet
    kept.append(replace(first, ended=Phase.FAILED))
    second = kept.attach(place, "raise SystemExit(1)")
    assert (second.number, second.name) == (2, first.name.removesuffix("-a1") + "-a2")


def test_a_job_that_is_gone_is_recorded_as_lost_before_the_next_one_begins(place: Place) -> None:
    kept = Kept()
    first = kept.attach(place, WAITS)
    place.delete(first.ref)
    until(lambda: place.backend.status(first.ref).phase is Phase.LOST)
    second = kept.attach(place, WAITS)
    assert [(one.number, bool(one.uid), one.ended) for one in kept] == [
        *((1, False, None), (1, True, None), (1, True, Phase.LOST)),
        *((2, False, None), (2, True, None)),
    ]
    assert second.number == 2


def test_a_job_of_another_specification_is_ended_before_the_next_one_begins(place: Place) -> None:
    kept = Kept()
    first = kept.attach(place, WAITS)
    second = kept.attach(place, WAITS + "; print(2)")
    assert place.backend.status(first.ref).phase.ended
    assert (second.number, place.backend.status(second.ref).phase.ended) == (2, False)


def test_an_attempt_of_unknown_uid_is_found_by_its_name_although_the_manifest_has_another(place: Place) -> None:
    kept = Kept()
    first = kept.attach(place, WAITS)
    kept[:] = [replace(first, uid=None)]
    assert kept.attach(place, WAITS, slug="renamed").name == first.name
    assert place.made() == [first.name]


def test_a_refused_job_leaves_the_next_try_a_time_of_its_own(place: Place) -> None:
    kept = Kept()
    wrong = manifest(place, WAITS)
    wrong["spec"]["pytorchReplicaSpecs"]["Master"]["template"]["spec"]["containers"][0]["name"] = "trainer"
    with pytest.raises(JobRefused):
        attach(place.backend, wrong, ORIGIN, None, kept.append)
    refused = kept[-1]
    assert (refused.uid, refused.ended) == (None, Phase.FAILED)
    assert kept.attach(place, WAITS).started > refused.started
