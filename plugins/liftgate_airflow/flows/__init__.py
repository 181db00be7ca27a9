"""The wiring: a function for each kind of DAG, whose docstring is the page that the operator on call reads."""
