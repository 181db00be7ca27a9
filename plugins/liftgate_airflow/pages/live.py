"""`GET /liftgate/live/{kb}`: where an application, in any language, has to read. Imported at the first request only."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Depends, HTTPException

from liftgate.database import queries
from liftgate.index.weaviate import visible_json
from liftgate.releases.serving import serving
from liftgate_airflow.connection import database_in_api_server
from liftgate_airflow.pages.filters import Text
from liftgate_airflow.pages.viewer import may_see

router = APIRouter()


@router.get("/live/{kb}", dependencies=[Depends(may_see)])
def live(kb: str, reader: Text = "") -> dict[str, Any]:
    """Collection, generation and the ready filter, for whoever may see the DAG `kb_<name>`. 404: nothing is live.

    Base model and adapter are those of the canary where the reader is one of its readers; `canary` and `side` are what
    an outcome of the request is reported with.

    Example: {"kb": "handbook", "release": 4, "collection": "Kb_chunks_handbook_g1_7c7f36", "generation": 5,
    "where": {...}} - rows of that collection for which `where` holds, and of these only what the asker's groups allow.
    """
    with database_in_api_server().transaction() as connection:
        served = serving(connection, kb, reader or None)
        if served is None:
            raise HTTPException(404, f"Expected a live release of {kb}, found none. Let kb_{kb} run.")
        # Of that very release: another may go live at any moment.
        row = queries().place_of_release(connection, kb=kb, n=served.release.n)
    made = served.makeup.model_dump(include={"base", "adapter"})
    return {**row, **made, "canary": served.canary, "side": served.side, "where": visible_json(row["generation"])}
