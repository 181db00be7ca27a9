#!/bin/sh
# Run once by PostgreSQL's image over an empty volume: a database and a role of its own for Airflow and for Liftgate.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 \
    --set airflow="$AIRFLOW_DB_PASSWORD" --set liftgate="$LIFTGATE_DB_PASSWORD" <<'SQL'
CREATE ROLE airflow LOGIN PASSWORD :'airflow';
CREATE DATABASE airflow OWNER airflow;
CREATE ROLE liftgate LOGIN PASSWORD :'liftgate';
CREATE DATABASE liftgate OWNER liftgate;
\connect liftgate
CREATE EXTENSION vector;
SQL
