"""How a run ends when it cannot go on: one sentence on stderr and an exit code.

Codes of 1 to 127 are permanent for the training operator (restart policy ExitCode): repeating the run
cannot help. Codes from 128 on have it started again. Nothing here may be caught and retried.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

_TERMINATION_LOG = "/dev/termination-log"
_START_AGAIN = 138  # the code that the training operator keeps for it
_MOST_BYTES = 4096  # Kubernetes cuts off what is longer


class ExpectedFailure(Exception):
    """A failure that was foreseen, mostly of something given to the run. The message says what was expected, what was
    found, and the remedy."""

    exit_code = 2


class PeerLost(ExpectedFailure):
    """Another process of the job did not take part, which a new start may mend."""

    exit_code = _START_AGAIN


class StoreFailed(ExpectedFailure):
    """The object store did not do what it was asked, which a new start may mend."""

    exit_code = _START_AGAIN


class Diverged(ExpectedFailure):
    """The loss is no longer a finite number, so nothing was saved."""

    exit_code = 3


def exit_with(main: Callable[[], str | None]) -> None:
    """Runs main; an expected failure becomes a sentence and its exit code, anything else keeps its traceback.

    What main returns, or the sentence, also stands in the file named by TERMINATION_LOG, where Kubernetes takes a
    pod's last words from: its own place for them is the default wherever it can be written.
    """
    try:
        said = main()
    except ExpectedFailure as failure:
        print(failure, file=sys.stderr, flush=True)
        _leave_word(str(failure))
        raise SystemExit(failure.exit_code) from None
    if said:
        _leave_word(said)


def _leave_word(said: str) -> None:
    path = os.environ.get("TERMINATION_LOG")
    if path is None and os.access(_TERMINATION_LOG, os.W_OK):
        path = _TERMINATION_LOG
    if path:
        word = said.encode()[:_MOST_BYTES].decode(errors="ignore")
        Path(path).write_text(word, encoding="utf-8")
