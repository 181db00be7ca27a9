"""Releases: proposed, judged, promoted, held, rolled back, and all of it in a ledger that nobody can change."""
