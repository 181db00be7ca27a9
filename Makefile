# What to type: make demo, make test. Both set everything up first; repeated, that costs nothing.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
CONSTRAINTS := constraints.txt
# Each set of versions has its own, so that asking for the other one installs it.
STAMP := .venv/set-up-is-done$(CONSTRAINTS:constraints%.txt=%)

# Nothing phones home, and nothing is downloaded from a hub at run time.
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED := False
export GX_ANALYTICS_ENABLED := false
export DO_NOT_TRACK := true
export DISABLE_TELEMETRY := true
export HF_HUB_DISABLE_TELEMETRY := 1
export HF_HUB_OFFLINE := 1
# Threads that sleep while they wait: three times as fast where more than one process wants the cores.
export OMP_WAIT_POLICY := PASSIVE
# Without compiled files Airflow takes twice as long to start.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help set-up demo test test-fast lint clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 12
	@echo 'Options: PYTHON=python3.12  TORCH=cpu (smaller)  PORT=8090 (demo)  EXIT=1 (demo: leave at the end)'
	@echo '         INDEX=weaviate (demo: on a Weaviate server, see README)'
	@echo '         CONSTRAINTS=constraints-k8s36.txt (Kubernetes client 36)'

set-up: $(STAMP) ## environment and local model; every other target does it first

$(STAMP): pyproject.toml $(CONSTRAINTS) scripts/set_up.sh
	@PYTHON='$(PYTHON)' TORCH='$(TORCH)' CONSTRAINTS='$(CONSTRAINTS)' STAMP='$@' sh scripts/set_up.sh

demo: $(STAMP) ## the whole loop on the example handbook, with a real Airflow on http://localhost:8080
	@PORT='$(PORT)' EXIT='$(EXIT)' INDEX='$(INDEX)' PYTHONPATH=examples/handbook $(BIN)/python -m demo

test: lint test-fast ## every check and every test
	$(BIN)/python -m pytest -m slow -n 2 --dist loadfile

test-fast: $(STAMP) ## tests without scheduler, torch or Great Expectations
	$(BIN)/python -m pytest -m 'not slow' -n 2

lint: $(STAMP) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean: ## remove what set-up and the demo made
	rm -rf .venv .models .demo
