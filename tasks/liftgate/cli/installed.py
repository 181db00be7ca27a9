"""Which optional packages are there, found without importing them, and what training on this machine takes."""

from __future__ import annotations

from liftgate.errors import ConfigurationError
from liftgate.settings import Settings


def require_packages(extra: str, *packages: str) -> None:
    """Raise ConfigurationError if a package is not installed. Imports none of them: that would cost seconds."""
    import importlib.util

    if missing := [package for package in packages if importlib.util.find_spec(package) is None]:
        raise ConfigurationError(
            f"Expected {', '.join(missing)} to be installed, found nothing. Run: pip install 'liftgate[{extra}]'"
        )


def check_trainer(settings: Settings) -> str:
    """What trains and answers on this machine is there."""
    from liftgate.answering.generator import trainer_environment

    trainer_environment(settings)
    require_packages("training", "torch", "transformers", "peft", "safetensors")
    return f"{settings.trainer_dir}, with torch, transformers and peft"
