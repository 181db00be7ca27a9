"""Liftgate: nothing goes live that was not shown to hold what is live."""

__version__ = "0.1.0"
