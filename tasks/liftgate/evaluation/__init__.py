"""Questions, metrics, and a run of both sides: from golden questions to evidence."""
