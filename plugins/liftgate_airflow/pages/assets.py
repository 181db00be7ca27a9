"""Scripts and styles, shipped with the wheel: the pages need no internet. Imported at the first request only."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse

FOLDER = Path(__file__).parent / "assets"

router = APIRouter()


@router.get("/assets/{name}")
def asset(name: str) -> FileResponse:
    """A script or a style."""
    if name not in files():
        raise HTTPException(404, f"Expected one of {', '.join(files())}, found {name!r}.")
    return FileResponse(files()[name], headers={"Cache-Control": "private, max-age=31536000, immutable"})


@cache
def files() -> dict[str, Path]:
    """Every asset by its name. What is not in here is not served, whatever the address says."""
    return {path.name: path for path in sorted(FOLDER.rglob("*")) if path.suffix in (".css", ".js")}


@cache
def digest(name: str) -> str:
    """The beginning of a content hash: browsers keep an asset until it changes."""
    return hashlib.sha256(files()[name].read_bytes()).hexdigest()[:12]
