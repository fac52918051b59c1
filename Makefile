# make run | test | docs | bench | timing | soak | words | lint. HOST=, PORT= and E2ERESET_INSTANCE= change where it runs.

PYTHON ?= python3
HOST ?= 127.0.0.1
PORT ?= 8000
INSTANCE := $(or $(E2ERESET_INSTANCE),instance)
BIN := .venv/bin
RUFF := $(BIN)/ruff
export HOST PORT
# Else each worker of the tests, and each command that they start, compiles every module again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: run test docs bench timing soak words lint

run: .venv/server.installed
	@$(BIN)/python -m e2ereset.server.listen_address
	@test "$(INSTANCE)" != instance || chmod 700 instance
	@test -e "$(INSTANCE)/config.py" -o ! -d "$(INSTANCE)" \
		|| (umask 077 && cp instance/config.example.py "$(INSTANCE)/config.py")
	@$(BIN)/e2ereset db upgrade
	@$(BIN)/e2ereset demo --if-empty
	@echo "Stop it with Ctrl-C."
	@exec $(BIN)/gunicorn --log-level warning wsgi:app

test: .venv/test.installed
	@$(BIN)/pytest

docs: .venv/docs.installed
	@$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs
	@echo "Open build/docs/index.html"

bench: .venv/bench.installed
	@$(BIN)/python -m bench

timing: .venv/test.installed
	@$(BIN)/python -m bench.timing

soak: .venv/test.installed
	@$(BIN)/python -m bench.soak --minutes 1.5

lint: .venv/test.installed
	@$(RUFF) check --config .ci/ruff.toml .
	@$(RUFF) format --check --config .ci/ruff.toml .
	@$(BIN)/mypy

.venv/%.installed: setup.cfg pyproject.toml
	@test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	@echo "Installing e2ereset[$*] into .venv ..."
	@$(BIN)/pip install --quiet --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@

words: .venv/test.installed
	@$(BIN)/python -m tests.kit.catalogues
