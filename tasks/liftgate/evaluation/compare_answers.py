"""Generated answers on each side: written by the models first, then compared as evidence."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from liftgate.answering import answers
from liftgate.answering.answer_job import Answering
from liftgate.answering.answers import answer_questions, known_answers
from liftgate.answering.openai import require_one_place
from liftgate.config.gate import AnswerGate
from liftgate.evaluation.answer_metrics import Answered, answer_rows, label_f1, refusal_counts
from liftgate.evaluation.conditions import Conditions, answer_conditions
from liftgate.evaluation.counting import count_questions
from liftgate.evaluation.evidence import Comparison, Row
from liftgate.evaluation.questions import Question
from liftgate.evaluation.retrieval_metrics import find_leaks
from liftgate.evaluation.retrieve_for_questions import as_context
from liftgate.evaluation.sides import Sides, readers_of, sides_for
from liftgate.evaluation.storing import known_evaluation, store_evaluation
from liftgate.evaluation.transcripts import Transcript
from liftgate.gate import policy
from liftgate.gate.policy import Policy
from liftgate.jobs.backends import backend_for
from liftgate.jobs.spec import Origin
from liftgate.jobs.work import run_here
from liftgate.prompts import parse_prompt
from liftgate.releases.ledger import Release, release
from liftgate.releases.makeup import Makeup
from liftgate.retrieval import Asked
from liftgate.runs import Run
from liftgate.validation.reports import data_quality

if TYPE_CHECKING:
    from liftgate.runtime import Runtime


def answer_with_candidate(runtime: Runtime, run: Run, candidate: int) -> int:
    """Answer the judged questions with the candidate. Returns how many there are."""
    return _answer(runtime, run, answers_of_candidate(runtime, run, candidate), "answer_with_candidate")


def answer_with_baseline(runtime: Runtime, run: Run, candidate: int) -> int:
    """Answer them with everything that the candidate is compared with; what is known costs nothing."""
    return _answer(runtime, run, answers_of_baseline(runtime, run, candidate), "answer_with_baseline")


def answers_of_candidate(runtime: Runtime, run: Run, candidate: int) -> Answering:
    """The same as work for jobs."""
    return _answering(runtime, run, candidate, ("candidate",))


def answers_of_baseline(runtime: Runtime, run: Run, candidate: int) -> Answering:
    """The same as work for jobs."""
    return _answering(runtime, run, candidate, ("baseline", "live", "anchor"))


def compare_answers(runtime: Runtime, run: Run, candidate: int) -> int:
    """Measure the answers of all sides and store the evidence. Returns the evaluation's id."""
    with runtime.database.transaction() as connection:
        proposed = release(connection, run.kb, candidate)
        conditions = answer_conditions(runtime, connection, run, _gate(run, proposed), proposed)
        known = known_evaluation(connection, proposed, conditions)
        sides = sides_for(connection, proposed, conditions)
    if known is not None:
        print(f"Release {candidate} was evaluated under these conditions before: evaluation {known}.")
        return known
    comparison, transcripts = _compare(runtime, run, proposed, conditions, sides)
    return store_evaluation(runtime, run, proposed, conditions, _policy(run, proposed), comparison, transcripts)


def _answer(runtime: Runtime, run: Run, work: Answering, task_id: str) -> int:
    if work.answers.job.backend != "local":
        dag_id, _, run_id = run.run_id.partition(":")
        return int(run_here(backend_for(runtime, work.answers.job), work, Origin(dag_id, run_id, task_id)))
    for makeup in work.makeups:
        print(makeup)
        answer_questions(runtime, makeup, work.asked, work.max_missing_share)
    return len(work.asked)


def _answering(runtime: Runtime, run: Run, candidate: int, wanted: tuple[str, ...]) -> Answering:
    """Questions, and who has to answer them: nobody where the comparison has been made already."""
    require_one_place(runtime.settings, run.config)
    with runtime.database.transaction() as connection:
        proposed = release(connection, run.kb, candidate)
        gate = _gate(run, proposed)
        conditions = answer_conditions(runtime, connection, run, gate, proposed)
        compared = known_evaluation(connection, proposed, conditions) is not None
        sides = () if compared else tuple(sides_for(connection, proposed, conditions).by_name())
    if compared:
        print("These answers have been compared already.")
    makeups = [makeup for side, makeup in sides if side in wanted]
    asked = _asked(conditions.questions)
    return Answering(runtime, run.kb, run.config.answers, makeups, asked, gate.max_missing_share)


def _compare(
    runtime: Runtime, run: Run, proposed: Release, conditions: Conditions, sides: Sides
) -> tuple[Comparison, list[Transcript]]:
    readers = readers_of(runtime, run.kb)
    counted = count_questions(runtime, run, sides.candidate, conditions.questions, readers)
    rows: list[Row] = []
    transcripts: list[Transcript] = []
    leaks: list[str] = []
    notes = list(sides.notes)
    for side, makeup in sides.by_name():
        given = known_answers(runtime, makeup, _asked(counted.questions))
        answered, told = _answers(runtime, side, makeup, counted.questions, given)
        transcripts += told
        refusal = parse_prompt(makeup.prompt.text).refusal
        rows += answer_rows(side, counted.questions, answered, refusal)
        notes.append(f"{side}: {refusal_counts(counted.questions, answered, refusal)}")
        if (f1 := label_f1(counted.questions, answered)) is not None:
            notes.append(f"{side}: macro-F1 of labels {f1:.3f}")
        if side == "candidate":
            leaks = find_leaks(counted.questions, {i: one.context for i, one in answered.items()}, readers)
    comparison = Comparison(
        component="prompt" if proposed.component == "prompt" else "adapter",
        made_of=sides.made_of(conditions),
        rows=tuple(rows),
        data_quality=_quality(runtime, run, proposed),
        leaks=tuple(leaks),
        set_aside=counted.set_aside,
        notes=tuple(notes),
    )
    return comparison, transcripts


def _answers(
    runtime: Runtime, side: str, makeup: Makeup, questions: tuple[Question, ...], given: Sequence[answers.Answered]
) -> tuple[dict[str, Answered], list[Transcript]]:
    """The answers in the words of the metrics, and what is kept for people."""
    measured, told = {}, []
    for question, one in zip(questions, given, strict=True):
        measured[question.id] = Answered(as_context(question, one.found), one.text)
        key = None if one.text is None else answers.answer_key(runtime, makeup, one.asked, one.found)
        told.append(Transcript(side, question, makeup.retrieval.collection_id, one.found, key))
    return measured, told


def _asked(questions: tuple[Question, ...]) -> list[Asked]:
    return [Asked(question.question, question.groups) for question in questions]


def _gate(run: Run, proposed: Release) -> AnswerGate:
    if proposed.unjudged:
        # Going back claims no improvement, and must work without the adapter's file.
        return run.config.prompt_gate.model_copy(update={"kpi": None})
    return run.config.prompt_gate if proposed.component == "prompt" else run.adapter.gate


def _policy(run: Run, proposed: Release) -> Policy:
    gate = _gate(run, proposed)
    if proposed.unjudged:
        return policy.gone_back("prompt" if proposed.component == "prompt" else "adapter", gate)
    return policy.prompt(gate) if proposed.component == "prompt" else policy.adapter(gate)


def _quality(runtime: Runtime, run: Run, proposed: Release) -> bool | None:
    """Whether the suite over the adapter's tuning set passed. A prompt is built from no data."""
    adapter = proposed.makeup.adapter
    if proposed.component == "prompt" or adapter is None:
        return None
    from liftgate.training.adapters import tuning_set_of

    return data_quality(runtime, run.kb, tuning_set_of(runtime, adapter.digest))
