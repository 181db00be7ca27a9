"""OpenLineage events, where Airflow's provider for it is installed and configured. Nothing of it is imported otherwise.

Most tasks here are functions, so their data sets are told by the provider's own call for functions; what promotions
change are assets of Airflow, which the provider turns into data sets by `data_set_of_asset`.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from airflow.sdk import Asset

    from liftgate.lineage import Lineage

STEPS = {
    "liftgate.indexing.close_generation": "liftgate.lineage.of_generation",
    "liftgate.training.tuning_set.build_tuning_set": "liftgate.lineage.of_tuning_set",
    "liftgate.training.adapters.register_adapter": "liftgate.lineage.of_adapter",
}
"""Steps that make data out of data, and what says out of which."""


def tell_lineage(step: str, key: str, result: Any, call: Callable[..., Lineage]) -> None:
    """Tell what a step read and wrote; `call` asks the library. Whatever goes wrong is printed: it fails no run."""
    if step not in STEPS or not _is_active():
        return
    try:
        _emit(call(STEPS[step], key, result))
    except Exception:
        print(f"No OpenLineage event was sent of {step}:\n{traceback.format_exc()}")


def data_set_of_asset(asset: Asset, context: Any) -> Any:
    """Example: liftgate://handbook/index -> namespace liftgate://handbook, name index"""
    from openlineage.client.event_v2 import Dataset

    parts = urlsplit(asset.uri)
    return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.lstrip("/"))


def _is_active() -> bool:
    try:
        from airflow.providers.openlineage.api import is_openlineage_active
    except ImportError:
        return False
    return bool(is_openlineage_active())


def _emit(told: Lineage) -> None:
    from airflow.providers.openlineage.api import emit_dataset_lineage
    from openlineage.client.event_v2 import Dataset

    emit_dataset_lineage(
        inputs=[Dataset(namespace=one.namespace, name=one.name) for one in told.inputs],
        outputs=[Dataset(namespace=one.namespace, name=one.name) for one in told.outputs],
    )
