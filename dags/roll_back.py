"""roll_back_<name> and resume_<name> for every knowledge base (Airflow finds the DAGs in this module)."""

from pathlib import Path

from liftgate_airflow.building import is_wanted, names_in
from liftgate_airflow.flows.roll_back import resume, roll_back

for name in names_in(Path(__file__).parent / "knowledge_bases"):
    for flow in (roll_back, resume):
        if is_wanted(f"{flow.__name__}_{name}"):
            globals()[f"{flow.__name__}_{name}"] = flow(name)
