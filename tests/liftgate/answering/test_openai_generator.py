"""Answers by a server: what it is asked, what is never asked twice, and what is wrong when it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from threading import Lock
from typing import Any

import pytest
from model_servers import KEY, Fault, ModelServers, model_servers
from trained_adapter import registered

from liftgate import model_server
from liftgate.answering import answer_questions, known_answers
from liftgate.errors import (
    ArtifactCorrupt,
    ConfigurationError,
    ModelServerRefused,
    ModelServerUnavailable,
    RequestsRefused,
)
from liftgate.evaluation.compare_answers import answer_with_baseline, answer_with_candidate, compare_answers
from liftgate.evaluation.evaluate import evaluate
from liftgate.local.models import SMOLLM2
from liftgate.releases.makeup import AdapterPart, Makeup
from liftgate.retrieval import Asked
from liftgate.runtime import Runtime
from liftgate.settings import Settings

ASKED = [Asked(f"When the topica{letter} desk opens?", ("staff",)) for letter in "abcdefgh"]
ADAPTER = AdapterPart(digest="4f2a91c0d3b75e16", name="small", uri="/artifacts/small/f00d")


def plain(prompt: str) -> str:
    """The first passage of the context, and its id."""
    cited, _, _, text = prompt.splitlines()[:4]
    return f"{text} {cited}"


def schema(prompt: str) -> str:
    """The same in the form that the gate asks for."""
    text, _, cited = plain(prompt).rpartition(" ")
    return json.dumps({"summary": text, "risk": "none", "next_steps": [], "citations": [cited.strip("[]")]})


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModelServers]:
    monkeypatch.setattr(model_server, "FIRST_WAIT_SECONDS", 0.001)
    with model_servers() as made:
        made.models[SMOLLM2] = plain
        yield made


def served(judged: Any, servers: ModelServers, **settings: Any) -> Runtime:
    own = {**judged.runtime.settings.model_dump(), "trainer_dir": None, **servers.answering, **settings}
    return Runtime(Settings.model_validate(own), judged.runtime._embedders)


def with_adapter(judged: Any) -> Makeup:
    made: Makeup = judged.release(1).makeup.model_copy(update={"adapter": ADAPTER})
    return made


def test_the_likeliest_token_is_asked_for_in_one_message_of_the_user_with_the_key(
    judged: Any, servers: ModelServers
) -> None:
    (answer,) = answer_questions(served(judged, servers), judged.release(1).makeup, ASKED[:1])
    (body,) = servers.chats
    assert (body["model"], body["temperature"], body["max_tokens"]) == (SMOLLM2, 0, 96)
    assert [message["role"] for message in body["messages"]] == ["user"]
    assert answer.text == plain(body["messages"][0]["content"])
    assert {key for _, _, key in servers.asked} == {f"Bearer {KEY}"}


def test_an_adapter_is_asked_for_by_its_name_and_digest_or_as_the_team_names_it(
    judged: Any, servers: ModelServers
) -> None:
    servers.models |= {"small-4f2a91c0d3b75e16": schema, "team/4f2a91c0d3b75e16": schema, "assistant": plain}
    answer_questions(served(judged, servers), with_adapter(judged), ASKED[:1])
    answer_questions(served(judged, servers, generator_adapter="team/{digest}"), with_adapter(judged), ASKED[:1])
    answer_questions(served(judged, servers, generator_base="assistant"), judged.release(1).makeup, ASKED[:1])
    assert [body["model"] for body in servers.chats] == [*list(servers.models)[1:]]


@pytest.mark.parametrize(
    "wrong", [{"generator_adapter": "{name}"}, {"generator_base": "{name}"}, {"generator_base": ""}]
)
def test_names_that_would_take_one_adapter_for_another_are_refused(
    judged: Any, servers: ModelServers, wrong: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="nothing else in braces"):
        served(judged, servers, **wrong)


def test_model_that_is_not_served_is_named_with_those_that_are_before_anything_is_asked(
    judged: Any, servers: ModelServers
) -> None:
    expected = f"serve small-4f2a91c0d3b75e16, found {SMOLLM2}. Load /artifacts/small/f00d"
    with pytest.raises(ModelServerRefused, match=expected):
        answer_questions(served(judged, servers), with_adapter(judged), ASKED)
    assert servers.chats == []


def test_new_adapter_is_loaded_once_where_the_server_finds_it_if_its_files_are_the_registered_ones(
    judged: Any, servers: ModelServers, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, candidate = registered(judged)
    makeup = judged.release(candidate).makeup
    servers.folders["/loras/trained/one"] = schema
    runtime = served(judged, servers, generator_adapters_dir="/loras/")
    weights = Path(makeup.adapter.uri, "adapter_model.safetensors")
    right = weights.read_bytes()
    weights.write_bytes(b"others")
    with pytest.raises(ArtifactCorrupt):
        answer_questions(runtime, makeup, ASKED)
    weights.write_bytes(right)
    assert all(one.text for one in answer_questions(runtime, makeup, ASKED))
    answer_questions(runtime, makeup, [Asked("When the topicba desk opens?", ("staff",))])
    assert [path for path, _, _ in servers.asked].count("/v1/load_lora_adapter") == 1
    assert f"loaded /loras/trained/one as small-{makeup.adapter.digest}" in capsys.readouterr().out


def test_an_adapter_that_the_server_lost_by_a_restart_is_loaded_again_and_every_question_is_answered(
    judged: Any, servers: ModelServers
) -> None:
    _, _, candidate = registered(judged)
    makeup = judged.release(candidate).makeup
    runtime = served(judged, servers, generator_adapters_dir="/loras")
    many = [Asked(f"When the topic{a}{b} desk opens?", ("staff",)) for a in "ab" for b in "abcdefghij"]
    one_by_one, lost = Lock(), []

    def lost_once(prompt: str) -> str:
        with one_by_one:
            if not lost:
                lost.append(servers.models.pop(f"small-{makeup.adapter.digest}"))
        return schema(prompt)

    servers.folders["/loras/trained/one"] = lost_once
    assert all(one.text for one in answer_questions(runtime, makeup, many))
    assert [path for path, _, _ in servers.asked].count("/v1/load_lora_adapter") > 1


def test_server_that_loads_no_adapter_says_what_it_takes(judged: Any, servers: ModelServers) -> None:
    _, _, candidate = registered(judged)
    runtime = served(judged, servers, generator_adapters_dir="/loras")
    with pytest.raises(ModelServerRefused, match=r"load /loras/trained/one as .*404.*VLLM_ALLOW_RUNTIME_LORA_UPDATING"):
        answer_questions(runtime, judged.release(candidate).makeup, ASKED)


def test_model_that_is_unloaded_meanwhile_is_named_too(judged: Any, servers: ModelServers) -> None:
    def last(prompt: str) -> str:
        servers.models = {"another": plain}
        return plain(prompt)

    servers.models[SMOLLM2] = last
    with pytest.raises(ModelServerRefused, match=f"serve {SMOLLM2}, found another. Start that server"):
        answer_questions(served(judged, servers), judged.release(1).makeup, ASKED * 2)


def test_busy_server_is_asked_again_and_what_it_answered_is_kept(judged: Any, servers: ModelServers) -> None:
    servers.faults = [Fault(429), Fault(503)]
    makeup = judged.release(1).makeup
    assert all(one.text for one in answer_questions(served(judged, servers), makeup, ASKED))
    servers.faults = [Fault(500)] * 100
    answer_questions(served(judged, servers), makeup, ASKED)
    assert len(servers.chats) == len(ASKED) + 2


def test_what_was_answered_before_an_error_is_not_asked_again(judged: Any, servers: ModelServers) -> None:
    def fails_once(prompt: str) -> str:
        if len(servers.chats) == 5:
            servers.faults = [Fault(401, "expired")]
        return plain(prompt)

    servers.models[SMOLLM2] = fails_once
    runtime, makeup = served(judged, servers), judged.release(1).makeup
    many = [Asked(f"When the topic{a}{b} desk opens?", ("staff",)) for a in "ab" for b in "abcdefghij"]
    with pytest.raises(ConfigurationError, match="expired"):
        answer_questions(runtime, makeup, many)
    asked = len(servers.chats)
    assert judged.count("answers") == asked - 1
    assert all(one.text for one in answer_questions(runtime, makeup, many))
    assert len(servers.chats) == len(many) + 1


def test_a_question_that_the_server_refuses_is_missing_and_keeps_no_other_from_being_answered(
    judged: Any, servers: ModelServers, capsys: pytest.CaptureFixture[str]
) -> None:
    servers.faults = [Fault(400, "content_filter")]
    runtime, makeup = served(judged, servers), judged.release(1).makeup
    answered = answer_questions(runtime, makeup, ASKED, max_missing_share=0.2)
    assert sorted(one.text is None for one in answered) == [False] * (len(ASKED) - 1) + [True]
    assert "1 of 8 questions stay without an answer" in capsys.readouterr().out
    assert len(servers.chats) == len(ASKED)
    assert all(one.text for one in answer_questions(runtime, makeup, ASKED)), "expected it to be asked anew"


def test_more_refused_questions_than_a_verdict_allows_are_an_error_that_says_how_many_and_why(
    judged: Any, servers: ModelServers
) -> None:
    servers.faults = [Fault(400, "too long"), Fault(413, "too long")]
    runtime, makeup = served(judged, servers), judged.release(1).makeup
    with pytest.raises(RequestsRefused, match=r"refused 2 of 8\. The first: .*found 4.*too long"):
        answer_questions(runtime, makeup, ASKED, max_missing_share=0.2)
    assert judged.count("answers") == len(ASKED) - 2


def test_server_that_stays_away_is_left_to_the_tasks_retry(judged: Any, servers: ModelServers) -> None:
    with pytest.raises(ModelServerUnavailable, match="ConnectError"):
        answer_questions(
            served(judged, servers, generator_url="http://127.0.0.1:9/v1"), judged.release(1).makeup, ASKED[:1]
        )


@pytest.mark.parametrize("said", [{"choices": []}, {"choices": [{"message": {"content": None}}]}, "text", None])
def test_answer_in_another_form_is_an_error_with_its_remedy(judged: Any, servers: ModelServers, said: Any) -> None:
    servers.faults = [Fault(200, json.dumps(said))]
    with pytest.raises(ModelServerRefused, match="another form. Correct LIFTGATE_GENERATOR_URL"):
        answer_questions(served(judged, servers), judged.release(1).makeup, ASKED[:1])


def test_a_model_that_says_nothing_keeps_no_other_question_from_being_answered(
    judged: Any, servers: ModelServers
) -> None:
    nothing = {"message": {"content": None}, "finish_reason": "length"}
    servers.faults = [Fault(200, json.dumps({"choices": [nothing], "usage": {"completion_tokens": 96}}))]
    answered = answer_questions(served(judged, servers), judged.release(1).makeup, ASKED)
    assert sorted(bool(one.text) for one in answered) == [False] + [True] * (len(ASKED) - 1)
    assert all(one.text is not None for one in answered)


def test_an_answer_of_the_server_is_never_taken_for_one_of_the_trainers_program(
    judged: Any, servers: ModelServers
) -> None:
    makeup = judged.release(1).makeup
    answer_questions(served(judged, servers), makeup, ASKED[:1])
    assert known_answers(judged.runtime, makeup, ASKED[:1])[0].text is None
    renamed = served(judged, servers, generator_base="assistant")
    assert known_answers(renamed, makeup, ASKED[:1])[0].text is None
    moved = served(judged, servers, generator_url="http://elsewhere/v1")
    assert known_answers(moved, makeup, ASKED[:1])[0].text


def test_an_adapter_is_judged_by_answers_of_the_server_with_and_without_it(judged: Any, servers: ModelServers) -> None:
    run, _, candidate = registered(judged)
    adapter = judged.release(candidate).makeup.adapter
    servers.models[f"small-{adapter.digest}"] = schema
    local, judged.runtime = judged.runtime, served(judged, servers)
    asked = answer_with_candidate(judged.runtime, run, candidate)
    assert answer_with_baseline(judged.runtime, run, candidate) == asked
    evaluation = compare_answers(judged.runtime, run, candidate)
    assert compare_answers(judged.runtime, run, candidate) == evaluation
    assert {body["model"] for body in servers.chats} == {SMOLLM2, f"small-{adapter.digest}"}
    before = len(servers.chats)
    answer_with_candidate(judged.runtime, run, candidate)
    assert len(servers.chats) == before
    assert evaluate(judged.runtime, run, evaluation) == "promote"
    assert compare_answers(local, run, candidate) != evaluation
    assert judged.end(run, candidate) == "promote"


def test_a_server_and_jobs_at_once_are_refused(judged: Any, servers: ModelServers) -> None:
    judged.write_settings(answers={**judged.settings["answers"], "job": {"backend": "pytorchjob"}})
    run, _, candidate = registered(judged)
    with pytest.raises(ConfigurationError, match=r"LIFTGATE_GENERATOR_URL and pytorchjob .*small\. Remove one"):
        answer_with_candidate(served(judged, servers), run, candidate)
