"""The command line: `liftgate`."""

from liftgate.cli.app import app

__all__ = ["app"]
