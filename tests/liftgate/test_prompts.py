from __future__ import annotations

from pathlib import Path

import pytest

from liftgate.errors import ConfigurationError
from liftgate.prompts import parse_prompt, read_prompt

GOOD = "---\nrefusal: I cannot answer.\n---\n\n$context\n\nQuestion: $question costs $$5\n"


def test_prompt_is_its_template_filled_in() -> None:
    prompt = parse_prompt(GOOD)
    assert prompt.refusal == "I cannot answer."
    assert prompt.render(context="C $question", question="Q") == "C $question\n\nQuestion: Q costs $5"


def test_version_changes_with_every_character_of_the_file_and_not_with_its_place(tmp_path: Path) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(GOOD)
    first, second = read_prompt(tmp_path / "a.md"), read_prompt(tmp_path / "b.md")
    assert first.version == second.version
    assert parse_prompt(GOOD + " ").version != first.version
    assert parse_prompt(GOOD.replace("cannot", "can not")).version != first.version


@pytest.mark.parametrize(
    "text",
    [
        "$context $question",
        "---\nname: x\n---\n$context $question",
        "---\n- a\n---\n$context $question",
        "x---\nrefusal: a\n---\n",
    ],
)
def test_prompt_without_a_refusal_sentence_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="front matter"):
        parse_prompt(text)


@pytest.mark.parametrize("template", ["$context", "$question", "$context $question $other", "nothing"])
def test_prompt_takes_context_and_question_and_nothing_else(template: str) -> None:
    with pytest.raises(ConfigurationError, match=r"\$context and \$question"):
        parse_prompt(f"---\nrefusal: No.\n---\n{template}\n", "answer.md")


def test_dashes_in_the_template_stay_in_it() -> None:
    assert parse_prompt("---\nrefusal: No.\n---\n$context\n---\n$question\n").render("a", "b") == "a\n---\nb"
