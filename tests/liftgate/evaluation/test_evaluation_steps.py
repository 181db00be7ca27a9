from __future__ import annotations

import json
from typing import Any

import pytest

from liftgate.errors import LiftgateError
from liftgate.evaluation.compare_answers import answer_with_baseline, answer_with_candidate, compare_answers
from liftgate.evaluation.conditions import retrieval_conditions
from liftgate.evaluation.evaluate import evaluate, replayed
from liftgate.evaluation.questions import Question
from liftgate.evaluation.retrieve_for_questions import retrieve_for_questions
from liftgate.evaluation.storing import stored_evidence
from liftgate.releases.propose import propose_candidate, propose_prompt
from liftgate.releases.rollback import resume, roll_back
from liftgate.retrieval import Found

NEW_PROMPT = "---\nrefusal: No.\n---\nBriefly.\n$context\n\n$question\n"


def changed(judged: Any) -> tuple[Any, int]:
    """A run with a candidate that is not evaluated yet."""
    judged.retrieve_by(top_k=4)
    run = judged.index()
    return run, propose_candidate(judged.runtime, run)


def verdict(judged: Any) -> dict[str, Any]:
    found: dict[str, Any] = judged.query("SELECT verdict FROM verdicts ORDER BY n DESC LIMIT 1")[0]["verdict"]
    return found


def set_aside(judged: Any) -> list[str]:
    """The questions that the newest evaluation set aside."""
    found = judged.query("SELECT comparison FROM evaluations ORDER BY id DESC LIMIT 1")[0]["comparison"]
    return list(found["comparison"]["set_aside"])


def sides(judged: Any) -> list[str]:
    """The sides of the newest evaluation."""
    found = judged.query("SELECT DISTINCT side FROM evidence WHERE evaluation_id = (SELECT max(id) FROM evaluations)")
    return sorted(row["side"] for row in found)


def anchor(judged: Any, run: Any) -> int | None:
    with judged.runtime.database.transaction() as connection:
        return retrieval_conditions(connection, run).anchor


def prompt_candidate(judged: Any) -> tuple[Any, int]:
    (judged.folder / "prompt.md").write_text(NEW_PROMPT)
    run = judged.start()
    return run, propose_prompt(judged.runtime, run)


def in_schema(question: Question, found: Found) -> str:
    """An answer as the schema wants it: the text of the best chunk, cited."""
    best = found.chunks[0]
    answer = {"summary": best.text, "risk": "none", "next_steps": [], "citations": [f"doc:{best.doc_id}"]}
    return json.dumps(answer)


def test_first_release_is_judged_on_its_floors_without_a_baseline(judged: Any) -> None:
    found = verdict(judged)
    assert (found["policy"], found["outcome"], sides(judged)) == ("first", "promote", ["candidate"])
    assert any("No baseline" in line for line in found["summary"])


def test_evidence_has_a_row_for_each_question_metric_and_side(judged: Any) -> None:
    judged.judge(changed(judged)[0])
    rows = judged.query("SELECT side, metric, count(*) AS n FROM evidence WHERE evaluation_id = 2 GROUP BY 1, 2")
    counted = {(row["side"], row["metric"]): row["n"] for row in rows}
    assert counted == {
        (side, metric): 40 if metric == "refusal_correct" else 32
        for side in ("candidate", "baseline")
        for metric in ("recall", "rr", "ndcg", "refusal_correct")
    }


def test_question_whose_quote_is_gone_from_its_source_is_set_aside(judged: Any) -> None:
    """The plain reader looks, not our parser: what is only lost in parsing goes on counting."""
    judged.write("desk-0.md", "# Desk\n\nThe desk is closed for good.\n")
    judged.judge()
    assert set_aside(judged) == ["q-0: needs review"]


def test_question_whose_document_is_deleted_is_set_aside(judged: Any) -> None:
    judged.write("desk-0.md", None)
    _, candidate = judged.judge()
    assert set_aside(judged) == ["q-0: document deleted"]
    assert judged.end(judged.start(), candidate) == "promote"


def test_questions_whose_access_changed_are_set_aside(judged: Any) -> None:
    rules = {"secret/vault-0.md": ["staff"], "secret/**": ["board"], "desk-0.md": ["board"]}
    judged.allow_groups(rules, default=["staff"])
    judged.retrieve_by(top_k=4)
    judged.judge()
    assert set_aside(judged) == ["q-0: needs review", "h-0: needs review"]


def test_quotes_are_looked_up_once_for_each_version_of_a_document(judged: Any) -> None:
    before = judged.count("plain_quotes")
    for path in judged.documents.rglob("desk-*.md"):
        path.chmod(0)
    judged.judge(changed(judged)[0])
    assert judged.count("plain_quotes") == before


def test_chunk_of_a_document_that_was_deleted_meanwhile_is_a_leak(judged: Any) -> None:
    run, candidate = changed(judged)
    judged.write("desk-0.md", None)
    judged.start()
    assert evaluate(judged.runtime, run, retrieve_for_questions(judged.runtime, run, candidate)) == "reject"
    assert "desk-0.md is deleted" in verdict(judged)["checks"][0]["sentence"]


def test_chunk_that_the_asker_may_not_read_is_a_leak(judged: Any) -> None:
    judged.query("UPDATE chunks SET groups = '{staff}' WHERE uri = 'secret/vault-0.md' RETURNING 1")
    judged.judge(changed(judged)[0])
    found = verdict(judged)["checks"][0]
    assert (found["kind"], found["outcome"]) == ("leak", "fail")
    assert "h-0: secret/vault-0.md is not for staff" in found["sentence"]


def test_without_a_suite_the_verdict_is_inconclusive(judged: Any) -> None:
    judged.passing = None
    judged.write("desk-0.md", judged.text(0, "On Mondays."))
    run, candidate = judged.judge()
    assert verdict(judged)["outcome"] == "inconclusive"
    assert judged.end(run, candidate) == "hold"


def test_replay_gives_the_stored_verdict(judged: Any) -> None:
    judged.judge(changed(judged)[0])
    with judged.runtime.database.transaction() as connection:
        assert replayed(connection, "small", 2).to_json() == verdict(judged)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE evidence SET value = 0 WHERE evaluation_id = 2 AND side = 'candidate' AND metric = 'recall'",
        "DELETE FROM evidence WHERE evaluation_id = 2 AND side = 'baseline' AND question = 'q-0'",
        "UPDATE evaluations SET comparison = jsonb_set(comparison, '{comparison,leaks}', '[\"x\"]') WHERE id = 2",
    ],
)
def test_replay_notices_evidence_that_was_changed(judged: Any, change: str) -> None:
    judged.judge(changed(judged)[0])
    judged.query(change + " RETURNING 1")
    with (
        judged.runtime.database.transaction() as connection,
        pytest.raises(LiftgateError, match="evidence was changed"),
    ):
        replayed(connection, "small", 2)


def test_evidence_is_stored_whole_or_not_at_all(judged: Any) -> None:
    with judged.runtime.database.transaction() as connection:
        connection.execute("ALTER TABLE evidence ADD CHECK (evaluation_id = 1 OR question <> 'q-9')")
    run, candidate = changed(judged)
    with pytest.raises(Exception, match="violates check constraint"):
        retrieve_for_questions(judged.runtime, run, candidate)
    assert judged.count("evaluations") == 1


def lose_one(judged: Any) -> None:
    """A change that costs one question of 32, where a gate tolerates it."""
    judged.write_settings(gate={"guards": [{"metric": name, "margin": 0.2} for name in ("recall", "refusal_correct")]})
    judged.write("desk-0.md", judged.text(0).replace("topicaa", "another"))


def test_anchor_is_the_best_promoted_release_that_is_not_live(judged: Any) -> None:
    lose_one(judged)
    assert judged.whole_run() == (2, "promote")
    judged.retrieve_by(top_k=4)
    run, candidate = judged.judge()
    assert anchor(judged, run) == 1
    assert sides(judged) == ["anchor", "baseline", "candidate"]
    assert any(check["kind"] == "anchor" for check in verdict(judged)["checks"])


def test_anchor_is_no_release_that_was_rolled_back_for_its_quality(judged: Any) -> None:
    lose_one(judged)
    judged.whole_run()
    judged.ask_more()
    lose_none = judged.text(0).replace("topicaa", "topicaa indeed")
    judged.write("desk-0.md", lose_none)
    assert judged.whole_run() == (3, "promote")
    assert anchor(judged, judged.start()) == 1
    roll_back(judged.runtime, "small", 1, kind="drill", why="test", by="ada", run_id="back-1")
    roll_back(judged.runtime, "small", 2, kind="quality", why="test", by="ada", run_id="back-2")
    resume(judged.runtime, "small", by="ada", run_id="resume")
    assert anchor(judged, judged.start()) == 3


def test_anchor_that_cannot_be_run_is_noted_and_holds_nobody(judged: Any) -> None:
    lose_one(judged)
    judged.whole_run()
    judged.query("UPDATE generations SET pruned_at = now() WHERE generation = 1 RETURNING 1")
    judged.retrieve_by(top_k=4)
    assert judged.whole_run() == (3, "promote")
    assert "The anchor, release 1, was not assessed: its rows are pruned." in verdict(judged)["notes"]


def test_prompt_that_only_changes_the_form_of_answers_is_promoted(judged: Any) -> None:
    run, candidate = prompt_candidate(judged)

    def say(side: str, question: Question, found: Found) -> str:
        best = found.chunks[0]
        return in_schema(question, found) if side == "candidate" else f"{best.text} [doc:{best.doc_id}]"

    assert judged.compare_answers(run, candidate, say) == "promote"
    assert judged.end(run, candidate) == "promote"
    assert judged.live() == candidate


def test_prompt_that_improves_nothing_is_not_promoted(judged: Any) -> None:
    run, candidate = prompt_candidate(judged)
    assert judged.compare_answers(run, candidate, lambda side, *asked: in_schema(*asked)) != "promote"


def test_missing_answers_make_a_verdict_inconclusive(judged: Any) -> None:
    """Two of 36 answers never came; at most two in a hundred may be missing."""
    run, candidate = prompt_candidate(judged)

    def say(side: str, question: Question, found: Found) -> str | None:
        missing = side == "candidate" and question.id in ("q-0", "q-1")
        return None if missing else in_schema(question, found) if side == "candidate" else "I do not know."

    assert judged.compare_answers(run, candidate, say) == "inconclusive"
    found = [check for check in verdict(judged)["checks"] if check["name"] == "missing candidate"][0]
    assert (found["outcome"], found["estimate"]) == ("undecided", 0.0625)


def test_answers_that_are_stored_are_not_generated_again(judged: Any) -> None:
    run, candidate = prompt_candidate(judged)
    judged.compare_answers(run, candidate, lambda side, *asked: in_schema(*asked))
    before = judged.count("answers")
    assert answer_with_candidate(judged.runtime, run, candidate) == 36
    assert answer_with_baseline(judged.runtime, run, candidate) == 36
    assert judged.count("answers") == before


def test_answers_are_compared_once_under_the_same_conditions(judged: Any) -> None:
    run, candidate = prompt_candidate(judged)
    judged.compare_answers(run, candidate, lambda side, *asked: in_schema(*asked))
    before = judged.count("evidence")
    assert compare_answers(judged.runtime, run, candidate) == 2
    assert judged.count("evidence") == before
    with judged.runtime.database.transaction() as connection:
        stored = stored_evidence(connection, 2)["comparison"]
    assert stored["component"] == "prompt"
    assert {row["question"][0] for row in stored["rows"]} == {"q", "a"}
