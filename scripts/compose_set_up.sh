#!/bin/sh
# Run by docker compose before Airflow's services start: tables, the page's login, the pool of models. Repeated, it
# changes nothing but what a new version brings.
set -eu
airflow db migrate
python - <<'PYTHON'
import json, os, pathlib

passwords = pathlib.Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"])
passwords.touch(mode=0o600)
passwords.write_text(json.dumps({"admin": os.environ["ADMIN_PASSWORD"]}))
PYTHON
airflow pools set models 1 "one task at a time that loads a model"
liftgate db upgrade
liftgate doctor
