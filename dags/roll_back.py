"""roll_back_<name> and resume_<name> for every knowledge base (Airflow finds the DAGs in this module)."""

from pathlib import Path

from liftgate_airflow.building import is_wanted, models_pools
from liftgate_airflow.flows.roll_back import resume, roll_back

for name, pool in models_pools(Path(__file__).parent / "knowledge_bases"):
    if is_wanted(f"roll_back_{name}"):
        globals()[f"roll_back_{name}"] = roll_back(name, pool)
    if is_wanted(f"resume_{name}"):
        globals()[f"resume_{name}"] = resume(name)
