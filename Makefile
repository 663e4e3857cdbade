# Needs Python 3.11 or newer with venv and pip. `make help` lists what there is.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.setup-done

.DEFAULT_GOAL := help
.PHONY: help setup quickstart test test-fast test-gpu lint format docs dist

help:
	@echo "make setup       set up .venv with the equipoise command"
	@echo "make quickstart  set up, fetch the starters, train, evaluate, write a report"
	@echo "make test        set up, fetch the starters, lint, check types, run all tests"
	@echo "make test-fast   run the tests that need no starter"
	@echo "make test-gpu    run the tests that need a GPU, on one, in five minutes at most"
	@echo "make lint        check style and types"
	@echo "make format      format the code"
	@echo "make docs        build the pages into site/"
	@echo "make dist        build wheel and sdist into dist/, and try the wheel"
	@echo "Another interpreter: make setup PYTHON=python3.12"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Equipoise needs Python 3.11 or newer; '$(PYTHON)' is older or missing." \
	    "Name another: make setup PYTHON=python3.12" >&2; exit 1; }
	@$(BIN)/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv .venv || { \
	  echo "$(PYTHON) cannot make a virtual environment: install its venv package" \
	    "(on Debian and Ubuntu: python3-venv)." >&2; exit 1; }
	$(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

quickstart: setup
	$(BIN)/equipoise quickstart

test: lint
	$(BIN)/equipoise fetch minilm smollm2-135m vader
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

test-fast: setup
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not starter and not gpu"

test-gpu: setup
	OMP_NUM_THREADS=1 timeout 300 $(BIN)/python -m pytest -m gpu

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

dist: setup
	$(BIN)/python scripts/build.py
