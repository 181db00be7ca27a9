"""Who looks at the pages in the tests."""

from __future__ import annotations

USERS = {"viewer": "viewer", "user": "user", "op": "op", "nobody": None}
"""Names and their roles in Airflow's simple auth manager."""
GROUPS = {"roles": {"OP": ["staff"]}, "users": {"user": ["board"]}}
"""The extra `viewer_groups` of liftgate_database."""
