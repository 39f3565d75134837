# Two commands: `make run` and `make test`. Each installs what it needs into .venv, pinned by hash.
.DEFAULT_GOAL := help
.PHONY: help run test test-pgbouncer rehearse-restore stripe-world check lock clean
PY := .venv/bin/python
# Settings for what only reads the code and never connects.
OFFLINE := ENV_FILE=/dev/null SECRET_KEY=- DATABASE_URL=postgres://localhost/- REDIS_URL=redis://localhost
# What must hold through PgBouncer: usage, holds, batches, reports, exports, top-ups, refunds, admin, sweep, races.
POOLED := tests/journeys/test_pgbouncer.py tests/journeys/test_sweep_alone.py tests/attacks/test_races_of_running_out.py \
  $(addprefix tests/usage/test_,concurrency.py usage_api.py holds_api.py batch_api.py exports.py overview.py \
    verify_ledger.py phone_number_races.py) \
  $(addprefix tests/billing/test_,topup_api.py topup_sweep.py auto_topup_races.py settle.py refunds.py disputes.py \
    billing_admin.py) tests/accounts/test_admin.py
unexport VIRTUAL_ENV PYTHONHOME PYTHONPATH

help:              ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:[^#]*##/\t/'

run: .venv/trial   ## everything on this machine: PostgreSQL, Redis, web, worker, beat (PORT=8123; else 8000 or the next free)
	@$(PY) -m thinnest_billing.devstack $(PORT)

test: .venv/dev    ## the whole suite on a real PostgreSQL and Redis of its own (ARGS="-k topup" picks)
	@$(PY) -m pytest -n logical --maxprocesses 8 $(ARGS)

test-pgbouncer: .venv/dev   ## the paths of the money through PgBouncer in transaction mode (needs pgbouncer)
	@TEST_PGBOUNCER=yes $(PY) -m pytest --reuse-db -n logical --maxprocesses 4 $(POOLED) $(ARGS)

rehearse-restore: .venv/trial   ## a backup under traffic, a disaster, a restore: what was lost and found (SECONDS_EACH=5)
	@$(PY) -m thinnest_billing.devstack.rehearsal --seconds $(or $(SECONDS_EACH),5)

stripe-world: .venv/dev   ## payments against a replica of Stripe (STRIPE_WORLD=its address, or a Python that has it: docs/payments.md)
	@test -n "$(STRIPE_WORLD)" || { echo "Set STRIPE_WORLD to the address of a world, or to a Python that has it: docs/payments.md says how."; exit 1; }
	@STRIPE_WORLD="$(STRIPE_WORLD)" $(PY) -m pytest tests/stripe_world -rs $(ARGS)

check: .venv/dev   ## format, lint, templates, types, layering contracts, missing migrations
	@$(PY) -m ruff format --check --quiet . || { echo "Not formatted: $(PY) -m ruff format ."; exit 1; }
	@$(PY) -m ruff check --quiet .
	@$(PY) -m djlint --lint --quiet templates
	@$(OFFLINE) $(PY) -m mypy
	@$(PY) -c 'from importlinter.cli import lint_imports_command as run; run()'
	@$(OFFLINE) PYTHONWARNINGS=ignore $(PY) manage.py makemigrations --check --dry-run

lock:              ## pin what pyproject.toml asks for (ARGS=--upgrade, ARGS="--upgrade-package django"); needs uv
	@requirements/lock $(ARGS)

clean:             ## forget the environment, the caches and the trial's data
	@if [ -x $(PY) ]; then $(PY) -m thinnest_billing.devstack.clean; fi
	@rm -rf .venv .cache .data staticfiles .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

.venv/trial: requirements/trial.txt
	@requirements/install trial
.venv/dev: requirements/dev.txt
	@requirements/install dev
