"""Which optional packages are there, found without importing them."""

from __future__ import annotations

from liftgate.errors import ConfigurationError


def require_packages(extra: str, *packages: str) -> None:
    """Raise ConfigurationError if a package is not installed. Imports none of them: that would cost seconds."""
    import importlib.util

    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise ConfigurationError(
            f"Expected {', '.join(missing)} to be installed, found nothing. Run: pip install 'liftgate[{extra}]'"
        )
