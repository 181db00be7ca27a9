"""Connections to what runs jobs."""
