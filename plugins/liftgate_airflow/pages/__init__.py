"""What Liftgate adds to Airflow's API server, behind Airflow's own login on every route."""
