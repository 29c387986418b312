# The commands of the project. Each makes .venv first when it is not there.
# Waiting threads sleep instead of spinning: on a shared machine that is ten times faster
export OMP_WAIT_POLICY ?= PASSIVE
PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.installed

.PHONY: paper-small demo test test-slow cluster docs docs-shown chaos mutants simulate check format bench gpu peers lock locked audit fuzz clean

demo: $(SETUP)
	$(BIN)/xp submit specs/quickstart.yaml --wait
	$(BIN)/xp report quickstart

# all experiments of the paper on photographs, small, with real teachers: an hour or two on two cores; run it again to go on
paper-small: $(SETUP)
	$(BIN)/python -m benchmarks.paper_small $(ARGS)

# In two processes and in an order of chance, which is printed: a test that leans on another one shows itself. The tests
# of a file stay together, and those of some rooms, so that what they stand on is made once; the longest files come first
# (tests/conftest.py)
test: $(SETUP)
	$(BIN)/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: $(SETUP)
	$(BIN)/python -m pytest -q -m slow

# a real Slurm and a real Ray of two nodes on this machine; installs them where that can be done, skips with a reason
# where not. SkyPilot in a venv of its own: it pins what others have newer
cluster: $(SETUP)
	command -v slurmctld > /dev/null || test "$$(id -u)" != 0 || ! command -v apt-get > /dev/null \
		|| apt-get install -y -q --no-install-recommends slurm-wlm slurmctld slurmd munge slurm-client
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev,ray]' || true
	test -x .venv-sky/bin/sky || { $(PYTHON) -m venv .venv-sky && .venv-sky/bin/python -m pip install -q skypilot; } || true
	$(BIN)/python -m pytest -q -rs -m cluster tests/cluster

chaos: $(SETUP)
	$(BIN)/python -m pytest -q -s -m chaos

# the manual, into build/site; its commands are run by the tests, and what they print is written into it by docs-shown
docs: $(SETUP)
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "build/site/index.html"

docs-shown: $(SETUP)
	$(BIN)/python -m tests.docs commands
	$(BIN)/python -m tests.docs outputs build/study
	$(BIN)/python -m tests.docs picture build/study

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

# the acceptance on a GPU, ten minutes; ARGS=--cpu tries it out without one
gpu: $(SETUP)
	$(BIN)/python benchmarks/gpu.py --page benchmarks/RESULTS.md $(ARGS)

peers: $(SETUP)
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install -q -r benchmarks/peers.txt
	# without what it needs, which is here already: torch in other releases, for one
	test -d .torchdistill || .venv-peers/bin/python -m pip install -q --no-deps --target .torchdistill torchdistill==1.1.5
	test -d .timm || git clone -q --depth 1 https://github.com/huggingface/pytorch-image-models .timm

# constraints.lock: the pins of constraints.txt with the hash of every file that may be installed, for all platforms
lock:
	$(PYTHON) -m venv .venv-supply
	.venv-supply/bin/python -m pip install -q uv
	echo '# constraints.txt with the hash of every file that may be installed, for --require-hashes; made by make lock' > constraints.lock
	printf 'hatchling\neditables\n' | .venv-supply/bin/uv pip compile pyproject.toml - --extra dev --extra ray -c constraints.txt \
		--generate-hashes --universal --python-version 3.11 --no-header --no-annotate -q >> constraints.lock

# the installation where every file must have the hash that the lock holds
locked:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r constraints.lock
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $(SETUP)

# known vulnerabilities of what is pinned; says what it could not look up, and ends with 3 then
audit:
	$(PYTHON) -m venv .venv-supply
	.venv-supply/bin/python -m pip install -q pip-audit
	.venv-supply/bin/python -m tests.supply.audit

# every reader of foreign bytes under atheris, which looks for new branches; what crashes is kept as a test
MINUTES ?= 60
fuzz: $(SETUP)
	$(BIN)/python -m pip install -q --disable-pip-version-check atheris
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES) --jobs $(WORKERS)

$(SETUP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "xp needs Python 3.11 or newer: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) .venv-peers .venv-sky .mypy_cache .ruff_cache .pytest_cache build dist
