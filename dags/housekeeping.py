"""The DAG housekeeping, over every knowledge base (Airflow finds it in this module)."""

from pathlib import Path

from liftgate_airflow.building import configuration_files
from liftgate_airflow.flows.housekeeping import housekeeping

dag = housekeeping(configuration_files(Path(__file__).parent / "knowledge_bases"))
