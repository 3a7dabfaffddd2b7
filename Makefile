# Needs Python 3.11 or newer and make, nothing else. `make help` lists the targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet --quiet
.DEFAULT_GOAL := help

.PHONY: help
help:  ## list what can be done
	@awk 'BEGIN { FS = ":.*## " } /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Gatehouse needs Python 3.11 or newer. Name one: make PYTHON=python3.11 ..." >&2; exit 1; }
	@echo "Creating the environment in $(VENV) (once)"
	@$(PYTHON) -m venv $(VENV)

# Hashes are checked; the stamps make a repeated call cost nothing.
$(VENV)/run.stamp: requirements.txt | $(BIN)/python
	@echo "Installing what the gateway needs (once, about a minute)"
	@$(PIP) install --require-hashes -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt | $(BIN)/python
	@echo "Installing what the tests need (once, about two minutes)"
	@$(PIP) install --require-hashes -r requirements-dev.txt
	@touch $@ $(VENV)/run.stamp

.PHONY: setup run demo test bench lint types contracts migrations check lock
setup: $(VENV)/run.stamp  ## create the environment

run: setup  ## start the gateway: admin on 8001, proxy on 8002
	@exec $(BIN)/python manage.py gateway $(ARGS)

demo: setup  ## start the gateway with a fake provider and a key that uses it
	@exec $(BIN)/python manage.py gateway --demo $(ARGS)

test: $(VENV)/dev.stamp  ## run the tests (they bring their own PostgreSQL and Redis)
	@$(BIN)/python -m pytest $(ARGS)

bench: $(VENV)/dev.stamp  ## measure the gateway against a bare pass-through
	@$(BIN)/python -m bench $(ARGS)

lint: $(VENV)/dev.stamp  ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(VENV)/dev.stamp  ## mypy
	@$(BIN)/mypy

contracts: $(VENV)/dev.stamp  ## import-linter: who may import whom
	@$(BIN)/lint-imports

migrations: $(VENV)/dev.stamp  ## every model change has its migration
	@$(BIN)/python manage.py makemigrations --check --dry-run

check: lint types contracts migrations test  ## everything CI runs

lock:  ## write requirements*.txt anew from pyproject.toml (needs uv)
	uv pip compile pyproject.toml --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 -o requirements.txt
	uv pip compile pyproject.toml --group dev --generate-hashes --no-emit-index-url --no-annotate --python-version 3.11 -c requirements.txt -o requirements-dev.txt
