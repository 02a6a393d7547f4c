# What you can do here. `make` alone lists it.
# The system's own Python first: distributions compile theirs with profiles. One that was compiled
# without, as pyenv does, takes a third more CPU.
PYTHON ?= $(shell for p in /usr/bin/python3 python3; do \
  $$p -c "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))" 2>/dev/null \
  && { echo $$p; exit; }; done; echo python3)
BUS ?= postgresql
MINUTES ?= 10
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.installed
MACHINE := $(BIN)/python -m deploy.machine
# Two files at a time, each worker with servers of its own: half of a test is waiting. The longest
# files first (tests/conftest.py), so that nobody waits for one of them at the end.
SIDE_BY_SIDE := -n 2 --dist loadfile --no-loadscope-reorder
# Where bytecode is not kept, every run rewrites every assertion anew, which takes each worker ten
# seconds, and every process that a test starts compiles Hartline.
test unit: export PYTHONDONTWRITEBYTECODE :=

.PHONY: help install up smoke down status token test lint ruff format types imports unit alerts brokers chaos drill load bench lock

help:  ## List the targets.
	@sed -n 's/^\([.a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

install: $(READY)  ## Make .venv with exactly what requirements.lock names.

$(READY): requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "Hartline needs Python 3.11 or newer: run make PYTHON=/path/to/python3.11"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) \
	  || { echo "Python's venv is missing (Debian: apt-get install python3-venv)"; exit 1; }
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@touch $@

up: $(READY)  ## Run everything here and show one referral. BUS=kafka: Apache Kafka. SANDBOX=1: tests only.
	@$(MACHINE) up --bus $(BUS) $(if $(SANDBOX),--sandbox)

smoke: $(READY)  ## The same in a temporary home, checked and stopped. BUS=kafka for Apache Kafka.
	@$(MACHINE) smoke --bus $(BUS)

down: $(READY)  ## Stop what `make up` runs.
	@$(MACHINE) down

status: $(READY)  ## What runs, and the way of a referral, live.
	@$(MACHINE) status

.PHONY: doctor
doctor: $(READY)  ## What is wrong with what runs, in plain words, and what to do.
	@$(MACHINE) doctor

token: $(READY)  ## A bearer token: make token SCOPE="tasks:read clocks:read".
	@$(MACHINE) token $(SCOPE)

lint: ruff format types imports  ## Style, types and import rules.

ruff: $(READY)
	$(BIN)/ruff check .

format: $(READY)
	$(BIN)/ruff format --check .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports

unit: $(READY)  ## The tests that need no server.
	$(BIN)/pytest tests/unit tests/contract

test: $(READY)  ## Every check, against real PostgreSQL and Kafka. CI=true: nothing may be skipped.
	@$(MAKE) --keep-going --no-print-directory lint; linted=$$?; \
	echo "$(BIN)/pytest $(SIDE_BY_SIDE)"; $(BIN)/pytest $(SIDE_BY_SIDE) && exit $$linted

brokers: $(READY)  ## Three Kafka brokers with permissions, of which some are killed.
	$(BIN)/pytest -m heavy tests/e2e/test_three_brokers.py

alerts: $(READY)  ## Every alert fired and ended, by real faults too. Needs Prometheus and Alertmanager.
	$(BIN)/pytest -m "alerts or not alerts" tests/integration/operations tests/e2e/test_alerts_reach_a_person.py tests/e2e/test_dashboards_show_data.py

chaos: $(READY)  ## Kill everything at every step, and count what was lost. BUS=kafka too.
	$(BIN)/python -m tests.chaos --bus $(BUS)

drill: $(READY)  ## Lose the disk under load, restore elsewhere by docs/restore.md, and count. BUS=kafka too.
	PYTHONPATH=clients/python $(BIN)/python -m tests.drill --bus $(BUS)

.PHONY: trial
trial: $(READY)  ## Is the runbook enough? Break a run: FAULT=1 to 15, CALL=fbi, CHECK=1; END=1 ends it.
	@$(BIN)/python -m tests.trial $(FAULT) $(if $(CALL),--call $(CALL)) $(if $(CHECK),--check) $(if $(END),--end)

.PHONY: change
change: $(READY)  ## Replace every process and change tables under load, and count. BUS=kafka too.
	$(BIN)/python -m tests.change --bus $(BUS)

load: $(READY)  ## Measure the whole way under load, with a hanging partner, and one that comes back.
	$(BIN)/python -m tests.load --bus $(BUS)
	$(BIN)/python -m tests.load.intake --bus $(BUS)
	$(BIN)/python -m tests.load.saturated --bus $(BUS)
	$(BIN)/python -m tests.load.hanging --bus $(BUS)
	$(BIN)/python -m tests.load.drain --bus $(BUS)

.PHONY: soak
soak: $(READY)  ## Does memory stay flat? MINUTES=10 of referrals. BUS=kafka too.
	$(BIN)/python -m tests.load.soak --bus $(BUS) --minutes $(MINUTES)

bench: $(READY)  ## Measure the parts alone: messaging, audit, sweeping, counting, forms.
	$(BIN)/python -m tests.load.bench_messaging --bus $(BUS)
	$(BIN)/python -m tests.load.bench_audit
	$(BIN)/python -m tests.load.bench_sweep
	$(BIN)/python -m tests.load.bench_routing
	$(BIN)/python -m tests.load.bench_replay
	$(BIN)/python -m tests.load.bench_due
	$(BIN)/python -m tests.load.bench_rebuild
	$(BIN)/python -m tests.load.bench_forms
	$(BIN)/python -m tests.load.bench_statistics
	$(BIN)/python -m tests.load.bench_metrics
	$(BIN)/python -m tests.load.bench_finished
	$(BIN)/python -m tests.load.bench_tracing

.secrets:  ## Random passwords for docker-compose.yml, each in a file.
	$(PYTHON) deploy/compose_secrets.py $@

lock:  ## Write requirements.lock anew from pyproject.toml (needs uv).
	@command -v uv >/dev/null || { echo "uv is missing (pip install uv)"; exit 1; }
	uv pip compile pyproject.toml --group dev --python-version 3.11 --generate-hashes \
	  --no-header --no-emit-index-url --quiet --output-file requirements.lock
