"""kb_<name>, prompt_<name> and, where it is configured, approve_<name> for every file in knowledge_bases/.

Airflow finds the DAGs in this module.
"""

from pathlib import Path

from liftgate.config.reading import read_knowledge_base
from liftgate_airflow.building import dags_of
from liftgate_airflow.flows.approve import approve
from liftgate_airflow.flows.knowledge_base import knowledge_base
from liftgate_airflow.flows.prompt import prompt

FLOWS = {"kb_": knowledge_base, "prompt_": prompt, "approve_": approve}
globals().update(dags_of(Path(__file__).parent / "knowledge_bases", read_knowledge_base, FLOWS))
