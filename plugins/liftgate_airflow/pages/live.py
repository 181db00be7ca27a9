"""`GET /liftgate/live/{kb}`: where an application, in any language, has to read. Imported at the first request only."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, HTTPException

from liftgate.database import queries
from liftgate.index.weaviate import visible_json
from liftgate_airflow.connection import database_in_api_server
from liftgate_airflow.pages.viewer import may_see

router = APIRouter()


@router.get("/live/{kb}", dependencies=[Depends(may_see)])
def live(kb: str) -> dict[str, Any]:
    """Collection, generation and the ready filter, for whoever may see the DAG `kb_<name>`. 404: nothing is live.

    Example: {"kb": "handbook", "release": 4, "collection": "Kb_chunks_handbook_g1_7c7f36", "generation": 5,
    "where": {...}} - rows of that collection for which `where` holds, and of these only what the asker's groups allow.
    """
    with database_in_api_server().transaction() as connection:
        row = queries().live_place(connection, kb=kb)
    if row is None:
        raise HTTPException(404, f"Expected a live release of {kb}, found none. Let kb_{kb} run.")
    return {**row, "where": visible_json(row["generation"])}
