"""What ends the demo before its story does."""

from __future__ import annotations


class DemoFailed(Exception):
    """The demo cannot go on. The message says what was expected, what was found, and the remedy."""
