"""What the pages show, as JSON and CSV for spreadsheets and notebooks. Imported at the first request only."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Response
from fastapi.encoders import jsonable_encoder

from liftgate_airflow.pages import reading
from liftgate_airflow.pages.filters import EventFilter, Number, Text
from liftgate_airflow.pages.viewer import may_see

router = APIRouter(prefix="/kb/{kb}", dependencies=[Depends(may_see)])
"""Whoever may see the DAG `kb_<name>` may have these. They hold no texts of documents, questions or answers."""


@router.get("/releases.json")
def releases(kb: str) -> Any:
    """Every release with its verdict's outcome and means."""
    return jsonable_encoder(reading.all_releases(kb))


@router.get("/releases/{n}.json")
def release(kb: str, n: Number) -> Any:
    """One release, all of it."""
    return jsonable_encoder(reading.release_page(kb, n))


@router.get("/releases/{n}/checks.csv")
def checks(kb: str, n: Number) -> Response:
    """Every check of its newest verdict."""
    judged = reading.release_page(kb, n).judged
    return as_csv(f"{kb}-{n}-checks.csv", [vars(check) for check in judged.verdict.checks] if judged else [])


@router.get("/releases/{n}/flips.csv")
def flips(kb: str, n: Number, against: Text = "") -> Response:
    """Every measurement in which it differs from what it was compared with."""
    found = reading.release_page(kb, n, against)
    rows = [
        {"question": flip.question, "family": flip.family, "kind": flip.kind, **vars(one)}
        for flip in found.flips
        for one in flip.measured
    ]
    return as_csv(f"{kb}-{n}-flips.csv", rows)


@router.get("/ledger.json")
def ledger_json(kb: str, wanted: Annotated[EventFilter, Query()]) -> Any:
    """The events that the filter lets pass."""
    return jsonable_encoder(reading.events(kb, wanted))


@router.get("/ledger.csv")
def ledger_csv(kb: str, wanted: Annotated[EventFilter, Query()]) -> Response:
    """The same as a table."""
    return as_csv(f"{kb}-ledger.csv", [vars(event) for event in reading.events(kb, wanted)])


def as_csv(name: str, rows: Iterable[Mapping[str, Any]]) -> Response:
    """A CSV file that a browser saves under a name. No rows: an empty file."""
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
