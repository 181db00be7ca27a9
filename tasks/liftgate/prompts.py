"""Prompts: versioned files. The content hash is the version."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import Template

import yaml

from liftgate.errors import ConfigurationError
from liftgate.fingerprints import fingerprint
from liftgate.text_files import read_text


@dataclass(frozen=True)
class Prompt:
    """A template with $context and $question, and the sentence with which an answer refuses."""

    text: str
    refusal: str
    template: Template

    @property
    def version(self) -> str:
        """Changes with every character of the file."""
        return fingerprint(self.text)

    def render(self, context: str, question: str) -> str:
        """The message to the model."""
        return self.template.substitute(context=context, question=question)


def read_prompt(path: Path | str) -> Prompt:
    """The prompt in that file."""
    return parse_prompt(read_text(Path(path), "a prompt"), str(path))


def parse_prompt(text: str, name: str = "the prompt") -> Prompt:
    """A prompt from its text: YAML front matter with `refusal`, then the template."""
    pieces = text.split("---\n", 2)
    try:
        front = yaml.safe_load(pieces[1]) if len(pieces) == 3 and not pieces[0].strip() else None
    except yaml.YAMLError as error:
        raise ConfigurationError(f"Expected YAML as front matter of {name}, found: {error}. Correct it.") from error
    if not isinstance(front, dict) or not front.get("refusal"):
        raise ConfigurationError(
            f"Expected {name} to begin with front matter that holds `refusal:`, found none. "
            "Write it between two lines of three dashes."
        )
    template = Template(pieces[2].strip())
    if sorted(set(template.get_identifiers())) != ["context", "question"]:
        raise ConfigurationError(
            f"Expected {name} to hold $context and $question, found {template.get_identifiers()}. "
            "Write $$ for a dollar."
        )
    return Prompt(text, str(front["refusal"]), template)
