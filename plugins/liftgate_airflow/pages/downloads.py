"""What the pages show, as JSON and CSV for spreadsheets and notebooks."""

# No postponed annotations here: FastAPI reads those of a function that is defined in another.

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Annotated, Any


def router() -> Any:
    """The downloads of a knowledge base. Whoever may see its DAG may have them; they hold no texts."""
    from fastapi import APIRouter, Depends, Query
    from fastapi.encoders import jsonable_encoder

    from liftgate_airflow.pages import reading
    from liftgate_airflow.pages.filters import EventFilter
    from liftgate_airflow.pages.viewer import may_see

    made = APIRouter(prefix="/kb/{kb}", dependencies=[Depends(may_see)])

    @made.get("/releases.json")
    def releases(kb: str) -> Any:
        return jsonable_encoder(reading.overview(kb).lines)

    @made.get("/releases/{n}.json")
    def release(kb: str, n: int) -> Any:
        return jsonable_encoder(reading.release_page(kb, n))

    @made.get("/releases/{n}/checks.csv")
    def checks(kb: str, n: int) -> Any:
        judged = reading.release_page(kb, n).judged
        rows = [vars(check) for check in judged.verdict.checks] if judged else []
        return as_csv(f"{kb}-{n}-checks.csv", rows)

    @made.get("/releases/{n}/flips.csv")
    def flips(kb: str, n: int, against: str = "") -> Any:
        found = reading.release_page(kb, n, against)
        rows = [
            {"question": flip.question, "family": flip.family, "kind": flip.kind, **vars(one)}
            for flip in found.flips
            for one in flip.measured
        ]
        return as_csv(f"{kb}-{n}-flips.csv", rows)

    @made.get("/ledger.json")
    def ledger_json(kb: str, wanted: Annotated[EventFilter, Query()]) -> Any:
        return jsonable_encoder(reading.events(kb, wanted))

    @made.get("/ledger.csv")
    def ledger_csv(kb: str, wanted: Annotated[EventFilter, Query()]) -> Any:
        return as_csv(f"{kb}-ledger.csv", [vars(event) for event in reading.events(kb, wanted)])

    return made


def as_csv(name: str, rows: Iterable[Mapping[str, Any]]) -> Any:
    """A CSV file that a browser saves under a name. No rows: an empty file."""
    from fastapi import Response

    listed = list(rows)
    text = io.StringIO()
    if listed:
        writer = csv.DictWriter(text, list(listed[0]))
        writer.writeheader()
        writer.writerows({key: inert(value) for key, value in row.items()} for row in listed)
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(text.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


def inert(value: Any) -> Any:
    """A value that no spreadsheet takes for a formula. Example: "=HYPERLINK(...)" -> "'=HYPERLINK(...)"."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")):
        return "'" + value
    return value
