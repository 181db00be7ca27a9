"""Rows for tests against Weaviate, of one document unless said otherwise."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import numpy as np

from liftgate.index import Chunk
from liftgate.index.rows import Vector
from liftgate.runtime import Runtime
from liftgate.settings import Settings
from liftgate.sources.identity import Document

DIMS = 8
LONG = Document("documents", "long.md")


def unit(seed: int) -> Vector:
    vector = np.random.default_rng(seed).standard_normal(DIMS).astype(np.float32)
    return np.asarray(vector / np.linalg.norm(vector), dtype=np.float32)


def row(ordinal: int = 0, **values: Any) -> Chunk:
    made = Chunk(
        id=uuid4(),
        source=LONG.source,
        uri=LONG.uri,
        doc_id=LONG.uri,
        version="v1",
        ordinal=ordinal,
        section="",
        text=f"piece {ordinal}",
        tokens=2,
        updated_at=datetime(2026, 1, 1, tzinfo=UTC),
        groups=("staff",),
        embedding=unit(ordinal),
        added_in=1,
    )
    return replace(made, **values)


def settings(runtime: Runtime, **other: object) -> Settings:
    return Settings.model_validate({**runtime.settings.model_dump(), **other})
