"""How a run ends when it cannot go on: one sentence on stderr and an exit code.

Codes of 1 to 127 are permanent for the training operator (restart policy ExitCode): repeating the run
cannot help. Nothing here may be caught and retried.
"""

from __future__ import annotations

import sys
from collections.abc import Callable


class ExpectedFailure(Exception):
    """Something given to the run is wrong. The message says what was expected, what was found, and the remedy."""

    exit_code = 2


class Diverged(ExpectedFailure):
    """The loss is no longer a finite number, so nothing was saved."""

    exit_code = 3


def exit_with(main: Callable[[], None]) -> None:
    """Runs main; an expected failure becomes a sentence and its exit code, anything else keeps its traceback."""
    try:
        main()
    except ExpectedFailure as failure:
        print(failure, file=sys.stderr, flush=True)
        raise SystemExit(failure.exit_code) from None
