"""adapter_<name> for every file in adapters/ (Airflow finds the DAGs in this module)."""

from pathlib import Path

from liftgate.config.reading import read_adapter
from liftgate_airflow.building import dags_of
from liftgate_airflow.flows.adapter import adapter

globals().update(dags_of(Path(__file__).parent / "adapters", read_adapter, {"adapter_": adapter}))
