"""adapter_<name> and, where it is configured, canary_<name> for every file in adapters/.

Airflow finds the DAGs in this module.
"""

from pathlib import Path

from liftgate.config.reading import read_adapter
from liftgate_airflow.building import dags_of
from liftgate_airflow.flows.adapter import adapter
from liftgate_airflow.flows.canary import canary

FLOWS = {"adapter_": adapter, "canary_": canary}
globals().update(dags_of(Path(__file__).parent / "adapters", read_adapter, FLOWS))
