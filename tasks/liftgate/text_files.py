"""Files that people write: settings, questions, prompts."""

from __future__ import annotations

from pathlib import Path

from liftgate.errors import ConfigurationError


def read_text(path: Path, what: str) -> str:
    """What stands in a file. Raises ConfigurationError where it is not there, is no file, or is no text.

    what: as it is called in the error, such as "a prompt".
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigurationError(f"Expected {what} in {path}, found no such file. Create it.") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(
            f"Expected {what} in {path} as text in UTF-8, found byte {error.object[error.start]:#04x} at position "
            f"{error.start}. Save the file as UTF-8."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"Expected {what} in {path}, found that it cannot be read ({error.strerror}). Name a file, or correct its "
            "rights."
        ) from error
