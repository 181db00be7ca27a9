"""Addresses in a configuration file. They stand in logs, errors and the ledger, so no secret may be in them."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator


def _without_login(value: str) -> str:
    """The name in ssh://git@host is none: it only says whose keys are looked at."""
    parts = urlsplit(value)
    if parts.password is not None or (parts.username is not None and parts.scheme in ("http", "https")):
        raise ValueError("an address holds no login, since it is shown; put that into a connection, named by `conn_id`")
    return value


Address = Annotated[str, AfterValidator(_without_login)]
"""An address without a login in it."""
