"""kb_<name> and prompt_<name> for every file in knowledge_bases/ (Airflow finds the DAGs in this module)."""

from pathlib import Path

from liftgate.config.reading import read_knowledge_base
from liftgate_airflow.building import dags_of
from liftgate_airflow.flows.knowledge_base import knowledge_base
from liftgate_airflow.flows.prompt import prompt

FILES = Path(__file__).parent / "knowledge_bases"
globals().update(dags_of(FILES, read_knowledge_base, {"kb_": knowledge_base, "prompt_": prompt}))
