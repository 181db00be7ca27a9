"""Who looks at a page, and what Airflow lets them see and start.

Imported at the first request only: it needs Airflow's API server.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Literal

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.api_fastapi.core_api.security import GetUserDep, requires_access_dag
from airflow.models.dag import DagModel
from airflow.models.pool import Pool
from fastapi import HTTPException, Request
from pydantic import ValidationError

from liftgate.config.block import Block
from liftgate_airflow.pages.filters import Text

Startable = Literal["yes", "paused", "no"]
MISTAKEN = (
    "Expected `viewer_groups` in the extras of the connection liftgate_database to be like "
    '{"roles": {"op": ["staff"]}, "users": {"ada": ["board"]}}, found something else. Correct it.'
)


class ViewerGroups(Block):
    """Who holds which access groups on Liftgate's pages."""

    roles: dict[str, list[str]] = {}
    users: dict[str, list[str]] = {}


def may_see(kb: Text, request: Request, user: GetUserDep) -> None:
    """Refuse whoever may not see the DAG of a knowledge base."""
    requires_access_dag("GET", None, f"kb_{kb}")(request, user)


def visible_to(user: Any, kbs: Collection[str]) -> list[str]:
    """The knowledge bases whose DAG a user may see."""
    teams = DagModel.get_dag_id_to_team_name_mapping([f"kb_{kb}" for kb in kbs])
    return [kb for kb in kbs if _may("GET", None, f"kb_{kb}", teams.get(f"kb_{kb}"), user)]


def startable(user: Any, dag_id: str) -> Startable:
    """Whether a user may start a run of a DAG; paused: they may, and it will wait. Airflow itself asks this again."""
    found = DagModel.get_dagmodel(dag_id)
    if (
        found is None
        or found.is_stale
        or not _may("POST", DagAccessEntity.RUN, dag_id, DagModel.get_team_name(dag_id), user)
    ):
        return "no"
    return "paused" if found.is_paused else "yes"


def missing_pools(names: Collection[str]) -> list[str]:
    """Those of some pools that Airflow does not have. A task of such a pool waits for ever, and without a word."""
    return sorted(name for name in names if Pool.get_pool(name) is None)


def groups_of(user: Any, mapping: Any) -> set[str]:
    """The access groups that a user holds on these pages. By default nobody holds any, and texts are shown to nobody.

    Airflow knows no access groups of documents, so the installation says which roles and users hold which: as JSON in
    the extras of the connection liftgate_database. Whoever may edit that connection can read the database anyway.
    Example: {"roles": {"op": ["staff"]}, "users": {"ada": ["board"]}}, the operator ada -> {"staff", "board"}
    """
    try:
        known = ViewerGroups.model_validate(mapping)
    except ValidationError as error:
        raise HTTPException(500, MISTAKEN) from error
    by_role = {name.casefold(): groups for name, groups in known.roles.items()}
    found = [by_role.get(role.casefold(), []) for role in _roles_of(user)]
    return set().union(known.users.get(user.get_name(), []), *found)


def _roles_of(user: Any) -> list[str]:
    """Airflow's simple auth manager gives a user one role by its name, the one of FAB several roles."""
    one = getattr(user, "role", None)
    return [one] if isinstance(one, str) else [role.name for role in getattr(user, "roles", ())]


def _may(method: Any, what: DagAccessEntity | None, dag_id: str, team: str | None, user: Any) -> bool:
    details = DagDetails(id=dag_id, team_name=team)
    return get_auth_manager().is_authorized_dag(method=method, access_entity=what, details=details, user=user)
