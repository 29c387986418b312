# The commands of the project. Each makes .venv first when it is not there.
# Waiting threads sleep instead of spinning: on a shared machine that is ten times faster
export OMP_WAIT_POLICY ?= PASSIVE
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.installed

.PHONY: demo test test-slow chaos mutants simulate check format bench peers clean

demo: $(SETUP)
	$(BIN)/xp submit specs/quickstart.yaml --wait
	$(BIN)/xp report quickstart

# In two processes and in an order of chance, which is printed: a test that leans on another one shows itself
test: $(SETUP)
	$(BIN)/python -m pytest -q -n $(WORKERS)

test-slow: $(SETUP)
	$(BIN)/python -m pytest -q -m slow

chaos: $(SETUP)
	$(BIN)/python -m pytest -q -s -m chaos

# a mutation test of one room, as in: make mutants ROOM=report MOST=20 SEED=1
MOST ?= 60
SEED ?= 0
LEAST ?= 85
mutants: $(SETUP)
	$(BIN)/python -m tests.mutants "$(ROOM)" --most $(MOST) --seed $(SEED) --least $(LEAST)

# do the intervals hold, and are verdicts as seldom wrong as they say? Minutes; the short form is among the tests
simulate: $(SETUP)
	$(BIN)/python -m benchmarks simulate

check: $(SETUP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(SETUP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(SETUP)
	$(BIN)/python -m benchmarks

peers: $(SETUP)
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install -q -r benchmarks/peers.txt

$(SETUP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xp needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .venv-peers .mypy_cache .ruff_cache .pytest_cache build dist
