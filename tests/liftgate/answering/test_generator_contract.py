"""What every generator must do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from model_servers import model_servers

from liftgate.answering import Generator, Request
from liftgate.config.retrieval import Retrieval
from liftgate.errors import LiftgateError
from liftgate.local.models import SMOLLM2
from liftgate.releases.makeup import AdapterPart, BasePart, Makeup, PromptPart, RetrievalPart
from liftgate.runtime import Runtime
from liftgate.settings import Settings

ROOT = Path(__file__).parents[3]
QUESTIONS = ["Name a colour.", "Count from one to twenty.", "Name a colour."]
ADAPTER = AdapterPart(digest="f00d", name="small", uri="/nowhere")
Made = Callable[..., Generator]


def makeup(adapter: AdapterPart | None, max_new_tokens: int) -> Makeup:
    part = RetrievalPart(collection_id=1, collection="c", generation=1, digest="d", settings=Retrieval())
    prompt, base = PromptPart(version="p", text=""), BasePart(model=SMOLLM2)
    return Makeup(retrieval=part, prompt=prompt, base=base, adapter=adapter, max_new_tokens=max_new_tokens)


def requests() -> list[Request]:
    return [Request(f"q-{n}", [{"role": "user", "content": text}]) for n, text in enumerate(QUESTIONS)]


@pytest.fixture(params=[pytest.param("local", marks=pytest.mark.slow), "openai"])
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    """Makes the generator of a release, of the kind that the settings say."""
    own = {"database_url": "", "files_url": "", "models_dir": f"{ROOT}/.models", "trainer_dir": f"{ROOT}/trainer_image"}
    with model_servers() as servers:
        servers.models[SMOLLM2] = lambda asked: f"You said: {asked} " + "And on. " * 20
        of = Settings.model_validate(own | (servers.answering if request.param == "openai" else {}))
        yield lambda adapter=None, max_new_tokens=8: Runtime(of).generator(makeup(adapter, max_new_tokens))


def test_each_request_gets_one_answer_the_same_one_for_the_same_words_and_no_longer_than_allowed(made: Made) -> None:
    answers = {one.id: one for one in made().answers(requests())}
    assert set(answers) == {"q-0", "q-1", "q-2"}
    assert answers["q-0"].text == answers["q-2"].text != answers["q-1"].text
    assert all(one.tokens <= 8 for one in answers.values())
    assert answers["q-1"].finish == "length"
    assert [one.text for one in made().answers(requests()[:1])] == [answers["q-0"].text]


def test_nothing_asked_loads_and_asks_nothing(made: Made) -> None:
    assert list(made(ADAPTER).answers([])) == []


def test_adapter_that_is_not_there_is_never_answered_for_by_its_base(made: Made) -> None:
    with pytest.raises(LiftgateError, match=r"Expected .*, found"):
        list(made(ADAPTER).answers(requests()))
