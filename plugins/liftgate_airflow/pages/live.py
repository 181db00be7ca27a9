"""`GET /liftgate/live/{kb}`: where an application, in any language, has to read."""

# No postponed annotations here: FastAPI reads those of a function that is defined in another.

from typing import Any


def router() -> Any:
    """The route. Whoever may see the DAG `kb_<name>` may ask."""
    from fastapi import APIRouter, Depends, HTTPException

    from liftgate_airflow.pages.viewer import may_see

    made = APIRouter()

    @made.get("/live/{kb}", dependencies=[Depends(may_see)])
    def live(kb: str) -> dict[str, Any]:
        """Collection, generation and the ready filter. 404: nothing is live."""
        found = live_release(kb)
        if found is None:
            raise HTTPException(404, f"Expected a live release of {kb}, found none. Let kb_{kb} run.")
        return found

    return made


def live_release(kb: str) -> dict[str, Any] | None:
    """What is live, as an application needs it.

    Example: {"kb": "handbook", "release": 4, "collection": "Kb_chunks_handbook_g1_7c7f36", "generation": 5,
    "where": {...}} - rows of that collection for which `where` holds, and of these only what the asker's groups allow.
    """
    from liftgate.database import queries
    from liftgate.index.weaviate import visible_json
    from liftgate_airflow.connection import database_in_api_server

    with database_in_api_server().transaction() as connection:
        row = queries().live_place(connection, kb=kb)
    return {**row, "where": visible_json(row["generation"])} if row else None
