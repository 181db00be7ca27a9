"""Waiting for what others do."""
