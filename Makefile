# `make run` and `make test` are all a fresh machine needs: python3 with venv, make and git.

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
PIP := $(PY) -m pip --disable-pip-version-check --quiet
INSTALL := $(PIP) install --require-hashes --no-deps --root-user-action=ignore --progress-bar=off
COMPILE := $(PY) -m uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header --no-annotate pyproject.toml
RUN_STAMP := $(VENV)/installed-run
DEV_STAMP := $(VENV)/installed-dev
ARGS ?=

.DELETE_ON_ERROR:
.PHONY: help run test torture fuzz check format docs bench bench-peers lock upgrade clean

help:
	@echo "make run      start Salescycle (ARGS='--port 8001' for options of salescycle up)"
	@echo "make test     run every test on servers of its own"
	@echo "make torture  kill workers a hundred times in the middle of their work (make test: ten times)"
	@echo "make fuzz     try documents under both executors (ARGS='--minutes 10 --seed 1')"
	@echo "make check    lint, types, import rules, schema snapshot, migrations"
	@echo "make format   let ruff write the code as it should look"
	@echo "make docs     write docs/settings.md and docs/errors.md from the code"
	@echo "make bench    run the benchmarks"
	@echo "make bench-peers  measure beside PostGraphile, Mercurius and plain Strawberry (docs/benchmarks.md)"
	@echo "make lock     write the lock files after a change of pyproject.toml (upgrade: newest versions)"

run: $(RUN_STAMP)
	@bin/salescycle up $(ARGS)

# Bytecode is kept whatever the environment says: three processes would compile every test anew.
test: $(DEV_STAMP)
	@PYTHONDONTWRITEBYTECODE= $(PY) -m pytest $(ARGS)

torture: $(DEV_STAMP)
	@KILLS=100 $(PY) -m pytest tests/workers/test_deliveries_killed.py tests/workers/test_reminders_killed.py tests/workers/test_plans_killed.py tests/workers/test_rescoring_killed.py -n 0 $(ARGS)

fuzz: $(DEV_STAMP)
	@$(PY) -m tests.oracle $(ARGS)

check: $(DEV_STAMP)
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy .
	@$(VENV)/bin/lint-imports
	@$(PY) cli.py export-schema --check
	@$(PY) cli.py check-migrations

format: $(DEV_STAMP)
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

docs: $(DEV_STAMP)
	@$(PY) -m docs.reference

bench: $(DEV_STAMP)
	@$(PY) -m bench $(ARGS)

bench-peers: $(DEV_STAMP)
	@$(PY) -m bench.peers $(ARGS)

lock: $(DEV_STAMP)
	@$(COMPILE) --output-file requirements.lock
	@$(COMPILE) --extra dev --constraint requirements.lock --output-file requirements-dev.lock

upgrade: COMPILE += --upgrade
upgrade: lock

clean:
	rm -rf $(VENV)

$(PY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Salescycle needs Python 3.11 or newer; name one with make PYTHON=..." >&2; exit 1; }
	@echo "Making a virtual environment in $(VENV)."
	@$(PYTHON) -m venv --clear $(VENV)

$(RUN_STAMP): requirements.lock | $(PY)
	@echo "Installing the packages of requirements.lock."
	@$(INSTALL) -r requirements.lock
	@touch $@

$(DEV_STAMP): requirements-dev.lock | $(PY)
	@echo "Installing the packages of requirements-dev.lock."
	@$(INSTALL) -r requirements-dev.lock
	@touch $(RUN_STAMP) $@
