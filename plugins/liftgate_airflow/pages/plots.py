"""Plots as Vega-Lite specifications with their data in them. The browser draws them; numbers stand in tables too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from liftgate.gate.verdict import Check
from liftgate.gate.wording import WORDS
from liftgate.reporting.health import TimeToLive
from liftgate.reporting.timeline import LivePeriod, ReleaseLine
from liftgate_airflow.pages.rendering import words

SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"
SHOWN = {**WORDS, "not_assessed": "not assessed"}
"""Outcomes of a check in the words of its sentence."""
CHECK_COLOURS = ["var(--good)", "var(--bad)", "var(--unsure)", "var(--quiet)"]
SHAPES = ["circle", "cross", "diamond", "square"]
OUTCOMES = ("promoted", "rejected", "held", "superseded", "rolled_back", "open")
OUTCOME_COLOURS = ["var(--good)", "var(--bad)", "var(--unsure)", "var(--quiet)", "var(--accent)", "var(--ink)"]
OUTCOME_SHAPES = ["circle", "cross", "diamond", "square", "triangle-left", "triangle-up"]
ROW_PIXELS = 46
MOST_ROWS = 60
"""Of a plot. The table below it has every check."""

Spec = dict[str, Any]
BY_THE_CLOCK = {"hours": "%H:%M", "minutes": "%H:%M", "seconds": "%H:%M:%S", "date": "%b %d", "week": "%b %d"}
"""Of a tick, by the finest unit that it needs. Vega's own are 12-hour times, and name the weekday of a whole day."""
TIME: Spec = {
    "type": "temporal",
    "title": None,
    "scale": {"type": "utc"},
    "axis": {"tickCount": 5, "format": BY_THE_CLOCK},
}


def interval_plots(checks: Iterable[Check]) -> dict[str, Spec]:
    """By caption: differences to what the candidate is compared with, and means against floors, if there are any."""
    drawn = [check for check in checks if check.lower is not None and check.upper is not None]
    compared = [check for check in drawn if check.kind != "floor"]
    floors = [check for check in drawn if check.kind == "floor"]
    plots = {}
    if compared:
        plots["Candidate minus the other side"] = _intervals(compared, include=[0.0])
    if floors:
        plots["Mean of the candidate"] = _intervals(floors, include=[1.0])
    return plots


def timeline_plot(lines: Sequence[ReleaseLine], periods: Sequence[LivePeriod], metric: str, now: datetime) -> Spec:
    """Each candidate by the mean of a metric when it was proposed, and as a line what readers had."""
    means = {line.n: line.means[metric] for line in lines if metric in line.means}
    lowest = min(means.values(), default=0.0)
    y = {
        "field": "mean",
        "type": "quantitative",
        "title": metric,
        "scale": {"domain": [max(0.0, lowest - 0.05), 1.0], "zero": False, "nice": False},
        "axis": {"format": ".2f", "tickCount": 5},
    }
    return {
        "$schema": SCHEMA,
        "description": f"{metric} of each candidate over time, and of the release that was live.",
        "width": "container",
        "height": 220,
        "layer": [_live_layer(periods, means, y, now), _candidates_layer(lines, means, y)],
    }


def _live_layer(periods: Sequence[LivePeriod], means: Mapping[int, float], y: Spec, now: datetime) -> Spec:
    rows = [
        {
            "since": one.since.isoformat(),
            "until": (one.until or now).isoformat(),
            "mean": means[one.release],
            "release": one.release,
        }
        for one in periods
        if one.release in means
    ]
    return {
        "data": {"values": rows},
        "mark": {"type": "rule", "strokeWidth": 5, "color": "var(--live)", "strokeCap": "round"},
        "encoding": {
            "x": {**TIME, "field": "since"},
            "x2": {"field": "until"},
            "y": y,
            "tooltip": [{"field": "release", "title": "live"}, {"field": "mean", "format": ".3f"}],
        },
    }


def _candidates_layer(lines: Sequence[ReleaseLine], means: Mapping[int, float], y: Spec) -> Spec:
    rows = [
        {
            "at": line.release.created_at.isoformat(),
            "mean": means[line.n],
            "release": line.n,
            "outcome": words(line.release.outcome or "open"),
            "verdict": line.verdict,
        }
        for line in lines
        if line.n in means
    ]
    outcomes = [words(name) for name in OUTCOMES]
    tooltip = [{"field": name} for name in ("release", "outcome", "verdict")] + [{"field": "mean", "format": ".3f"}]
    return {
        "data": {"values": rows},
        "mark": {"type": "point", "filled": True, "size": 80, "opacity": 1},
        "encoding": {
            "x": {**TIME, "field": "at"},
            "y": y,
            "color": _scale("outcome", outcomes, OUTCOME_COLOURS, 3),
            "shape": _scale("outcome", outcomes, OUTCOME_SHAPES, 3),
            "tooltip": tooltip,
        },
    }


def time_to_live_plot(times: Sequence[TimeToLive]) -> Spec:
    """How long each promoted index took until readers saw it."""
    rows = [{"at": one.promoted_at.isoformat(), "minutes": one.seconds / 60, "release": one.release} for one in times]
    return {
        "$schema": SCHEMA,
        "description": "Minutes from the start of a listing until readers saw what it found, for each promoted index.",
        "width": "container",
        "height": 120,
        "data": {"values": rows},
        "mark": {"type": "line", "point": {"size": 50, "color": "var(--accent)"}, "color": "var(--accent)"},
        "encoding": {
            "x": {**TIME, "field": "at"},
            "y": {"field": "minutes", "type": "quantitative", "title": "minutes"},
            "tooltip": [{"field": "release"}, {"field": "minutes", "format": ".1f"}],
        },
    }


def _intervals(checks: Sequence[Check], include: list[float]) -> Spec:
    """One row for each check: its interval, its estimate, and the zone in which the whole interval has to lie."""
    rows = [_row(check, place) for place, check in enumerate(checks[:MOST_ROWS])]
    edges = include + [row[name] for row in rows for name in ("lower", "upper", "needed")]
    margin = max(max(edges) - min(edges), 0.02) * 0.05
    domain = [round(min(edges) - margin, 6), round(max(edges) + margin, 6)]
    for row in rows:
        row["end"] = domain[1]
    y = {"field": "place", "type": "ordinal", "axis": None}
    x = {
        "type": "quantitative",
        "title": None,
        "scale": {"domain": domain, "nice": False, "zero": False},
        "axis": {"format": "+.2f" if min(include) == 0.0 else ".2f", "tickCount": 6},
    }
    return {
        "$schema": SCHEMA,
        "description": "One interval for each check, with what was needed. The table below has the numbers.",
        "width": "container",
        "height": {"step": ROW_PIXELS},
        "data": {"values": rows},
        "layer": [
            _layer("rect", x, y, "needed", "end", color="var(--zone)", height={"band": 0.9}, opacity=1),
            _layer("tick", x, y, "needed", thickness=2, height=ROW_PIXELS * 0.9, color="var(--edge)"),
            *_zero_line(include, x),
            _layer("rule", x, y, "lower", "upper", outcome=True, strokeWidth=3),
            _layer("point", x, y, "estimate", outcome=True, filled=True, size=150, opacity=1),
            {
                "mark": {"type": "text", "align": "left", "dy": -14, "fontSize": 12, "color": "var(--ink)"},
                "encoding": {"x": {"value": 4}, "y": y, "text": {"field": "label"}},
            },
        ],
    }


def _row(check: Check, place: int) -> dict[str, Any]:
    return {
        "place": place,
        "label": f"{check.name}: {SHOWN[check.outcome]}{' (does not count)' if check.counts == 'never' else ''}",
        "estimate": check.estimate,
        "lower": check.lower,
        "upper": check.upper,
        "needed": check.threshold,
        "outcome": SHOWN[check.outcome],
        "sentence": check.sentence,
    }


def _layer(
    mark: str, x: Spec, y: Spec, start: str, end: str | None = None, *, outcome: bool = False, **style: Any
) -> Spec:
    encoding: Spec = {"x": {**x, "field": start}, "y": y, "tooltip": {"field": "sentence"}}
    if end:
        encoding["x2"] = {"field": end}
    if outcome:
        encoding["color"] = _scale("outcome", list(SHOWN.values()), CHECK_COLOURS)
    if mark == "point":
        encoding["shape"] = _scale("outcome", list(SHOWN.values()), SHAPES)
    return {"mark": {"type": mark, **style}, "encoding": encoding}


def _zero_line(include: list[float], x: Spec) -> list[Spec]:
    """Where a difference is none at all."""
    if include != [0.0]:
        return []
    mark = {"type": "rule", "strokeDash": [3, 3], "color": "var(--ink)", "opacity": 0.6}
    return [{"data": {"values": [{"zero": 0}]}, "mark": mark, "encoding": {"x": {**x, "field": "zero"}}}]


def _scale(field: str, domain: list[str], values: list[str], columns: int = 2) -> Spec:
    return {
        "field": field,
        "type": "nominal",
        "scale": {"domain": domain, "range": values},
        "legend": {"orient": "bottom", "title": None, "columns": columns, "symbolOpacity": 1},
    }
