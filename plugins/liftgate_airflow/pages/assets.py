"""Scripts and styles, shipped with the wheel, so that the pages need no internet."""

# No postponed annotations here: FastAPI reads those of a function that is defined in another.

import hashlib
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "assets"


@cache
def files() -> dict[str, Path]:
    """Every asset by its name. What is not in here is not served, whatever the address says."""
    return {path.name: path for path in sorted(FOLDER.rglob("*")) if path.suffix in (".css", ".js")}


@cache
def digest(name: str) -> str:
    """The beginning of a content hash: browsers keep an asset until it changes."""
    return hashlib.sha256(files()[name].read_bytes()).hexdigest()[:12]


def router() -> Any:
    """`GET /liftgate/assets/{name}`."""
    from fastapi import APIRouter, HTTPException
    from fastapi.responses import FileResponse

    made = APIRouter()

    @made.get("/assets/{name}")
    def asset(name: str) -> FileResponse:
        if name not in files():
            raise HTTPException(404, f"Expected one of {', '.join(files())}, found {name!r}.")
        return FileResponse(files()[name], headers={"Cache-Control": "private, max-age=31536000, immutable"})

    return made
