"""Triggers: what the triggerer runs for a deferred task."""
