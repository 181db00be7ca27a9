"""Airflow's side of Liftgate: flows, steps, operators. The work itself is in the package `liftgate`."""
