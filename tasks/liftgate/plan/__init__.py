"""The plan: what a run does, decided from listing and manifest before anything is touched."""

from liftgate.plan.plan_changes import plan_changes, stop_if_nothing_to_do
from liftgate.plan.planned import Change, Plan, batches_of, newest_plan

__all__ = ["Change", "Plan", "batches_of", "newest_plan", "plan_changes", "stop_if_nothing_to_do"]
