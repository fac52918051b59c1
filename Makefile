# make run | test | bench | soak | lint. HOST=, PORT= and E2ERESET_INSTANCE= change where it runs.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
INSTANCE := $(or $(E2ERESET_INSTANCE),instance)
BIN := .venv/bin
RUFF := $(BIN)/ruff
export HOST PORT

.PHONY: run test bench soak lint

run: .venv/server.installed $(INSTANCE)/config.py
	@umask 077 && $(BIN)/e2ereset db upgrade
	@umask 077 && $(BIN)/e2ereset demo --url http://$(HOST):$(PORT)
	@echo "Stop it with Ctrl-C."
	@exec $(BIN)/gunicorn --log-level warning wsgi:app

test: .venv/test.installed
	@$(BIN)/pytest

bench: .venv/test.installed
	@$(BIN)/python -m bench
	@$(BIN)/python -m bench.timing

soak: .venv/test.installed
	@$(BIN)/python -m bench.soak --minutes 1.5

lint: .venv/test.installed
	@$(RUFF) check --config .ci/ruff.toml .
	@$(RUFF) format --check --config .ci/ruff.toml .
	@$(BIN)/mypy

$(INSTANCE)/config.py: | instance/config.example.py
	@mkdir -p $(INSTANCE)
	@cp instance/config.example.py $@

.venv/%.installed: setup.cfg pyproject.toml
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "Installing e2ereset[$*] into .venv ..."
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
