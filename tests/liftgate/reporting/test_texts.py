from __future__ import annotations

from typing import Any

import pytest

from liftgate.evaluation.questions import Question
from liftgate.releases.propose import propose_prompt
from liftgate.reporting.texts import ShownQuestion, question_for
from liftgate.reporting.verdicts import newest_judged

NEW_PROMPT = "---\nrefusal: No.\n---\nBriefly.\n$context\n\n$question\n"


@pytest.fixture
def refused(judged: Any) -> Any:
    """Release 2 refuses every question that release 1 answers."""
    judged.retrieve_by(min_score=0.99)
    assert judged.whole_run() == (2, "reject")
    return judged


def shown(kb: Any, question: str, *groups: str) -> ShownQuestion:
    with kb.runtime.database.transaction() as connection:
        judged = newest_judged(connection, kb.release(2))
    assert judged
    return question_for(kb.runtime, kb.name, judged.evaluation_id, question, groups)


def test_who_may_read_the_documents_sees_the_texts_of_both_sides(refused: Any) -> None:
    found = shown(refused, "q-3", "staff")
    assert found.asked == "When the topicad desk opens?"
    assert found.closed == ()
    assert found.values["refusal_correct"] == {"baseline": 1.0, "candidate": 0.0}
    assert [side.side for side in found.sides] == ["candidate", "baseline"]
    candidate = found.sides[0]
    assert (candidate.chunks[0].uri, "opens at 103 sharp" in (candidate.chunks[0].text or "")) == ("desk-3.md", True)
    assert candidate.best_score == pytest.approx(candidate.chunks[0].score, abs=1e-5)


@pytest.mark.parametrize("groups", [(), ("board",)])
def test_others_see_scores_and_ids(refused: Any, groups: Any) -> None:
    found = shown(refused, "q-3", *groups)
    assert found.asked is None
    assert "desk-3.md" in found.closed
    assert [chunk.text for side in found.sides for chunk in side.chunks] == [None] * 6
    assert found.sides[0].chunks[0].score > 0.5


def test_revocation_closes_the_texts_of_earlier_evaluations(refused: Any) -> None:
    refused.allow_groups({"desk-3.md": ["board"], "secret/**": ["board"]}, ["staff"])
    refused.start()
    found = shown(refused, "q-3", "staff")
    assert (found.asked, found.closed) == (None, ("desk-3.md",))
    assert [chunk.text for side in found.sides for chunk in side.chunks] == [None] * 6
    assert shown(refused, "q-3", "staff", "board").asked


def test_deletion_closes_the_texts_for_everybody(refused: Any) -> None:
    refused.write("desk-3.md", None)
    refused.start()
    assert shown(refused, "q-3", "staff", "board").closed == ("desk-3.md",)


def test_question_that_is_about_a_hidden_document_is_hidden_with_it(judged: Any) -> None:
    """Nothing of the vault was found on either side, but the question itself tells of it."""
    judged.retrieve_by(min_score=0.0)
    assert judged.whole_run() == (2, "reject")
    assert shown(judged, "h-0", "staff").closed == ("secret/vault-0.md",)
    assert shown(judged, "h-0", "staff", "board").asked == "Vault topicja holds ingots?"


def test_question_on_which_the_sides_agree_has_no_texts(refused: Any) -> None:
    found = shown(refused, "a-0", "staff")
    assert (found.asked, found.sides) == (None, ())
    assert found.values["refusal_correct"]["candidate"] == 1.0


def test_answers_stand_beside_each_other(judged: Any) -> None:
    (judged.folder / "prompt.md").write_text(NEW_PROMPT)
    run = judged.start()
    candidate = propose_prompt(judged.runtime, run)

    def say(side: str, question: Question, found: Any) -> str:
        right = f"It opens at {found.chunks[0].text.split()[7]}. [doc:{found.chunks[0].doc_id}]"
        return right if side == "baseline" else "I do not know."

    judged.compare_answers(run, candidate, say)
    found = shown(judged, "q-3", "staff")
    answers = {side.side: side.answer for side in found.sides}
    assert (answers["candidate"], answers["baseline"] or "") == ("I do not know.", answers["baseline"])
    assert "103" in (answers["baseline"] or "")
    assert {side.answer for side in shown(judged, "q-3", "board").sides} == {None}
