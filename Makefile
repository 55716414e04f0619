# Each target sets up what it needs: on a fresh machine, `make run` and `make test` are all you type.
# ARGS='…' is passed on: make run ARGS='site=pets runtime=inline'.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BASE := $(VENV)/.installed-base
DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt
ARGS ?=
COMPARE ?=
# What plain `make run` shows: the demo at its own pace, a page to watch it, and annotated films at the end.
DEMO := replay.speed=1 'sink=[jsonl,mot,terminal,annotated_video,console]'

.PHONY: run test coverage browser base setup check format bench benchmark evaluate compare containers mutants train weights docs clean

run: base
	$(BIN)/python pipeline/run.py $(if $(ARGS),$(ARGS),$(DEMO))

# Tests that start brokers, clusters or a browser run one after the other, the others on all processors. pytest ends
# with 5 where ARGS leave nothing to do.
PYTEST := $(BIN)/python -m pytest --hypothesis-profile=thorough
ALONE := ray or kafka or browser
PROCESSORS := $(shell getconf _NPROCESSORS_ONLN)

test: setup browser
	$(PYTEST) -n $(PROCESSORS) -m 'not (gpu or nightly or container or $(ALONE))' $(ARGS) || test $$? = 5
	$(PYTEST) -n 0 -m '($(ALONE)) and not (gpu or nightly or container)' $(ARGS) || test $$? = 5

# Tests of the operator's page drive Debian's Chromium. Where it cannot be installed, they are skipped with a message.
browser:
	@command -v chromium > /dev/null \
		|| { test "$$(id -u)" = 0 && command -v apt-get > /dev/null && apt-get update -qq \
			&& DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium > /dev/null; } \
		|| echo 'no browser: its tests are skipped; apt-get install chromium'

# What the default run needs; no torch, no test tools.
base: $(BASE)

# The rest: every extra that the tests need, and their tools.
setup: $(DEV)

$(BASE): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo 'Python 3.11 to 3.13 is needed: make PYTHON=python3.12 …'; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -e .
	touch $(BASE)

$(DEV): $(BASE)
	$(PIP) -e '.[dev]'
	touch $(DEV)

check: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -q -n $(PROCESSORS) tests/test_layers.py tests/test_house_rules.py tests/test_documents.py tests/unit/config

format: setup
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	$(BIN)/passerby bench $(ARGS)
	PYTHONPATH=.:tests/support $(BIN)/python -W ignore tests/benchmarks/kafka_bench.py
	PYTHONPATH=.:tests/support $(BIN)/python -W ignore tests/benchmarks/intake_cost.py

# COMPARE='data=/a/rendered embedder=… weights=…' also compares embedders on data sets, as `make compare` does.
evaluate: setup
	$(BIN)/passerby evaluate $(ARGS)
	$(if $(COMPARE),$(BIN)/python -m models.training compare $(COMPARE))

# Identities on development, test or real sets; worlds are rendered first. make benchmark ARGS='test baselines=true'
benchmark: setup
	PATH=$(BIN):$$PATH PYTHONPATH=. $(BIN)/python -W ignore tests/benchmarks/identities $(ARGS)

compare: setup
	$(BIN)/python -m models.training compare $(ARGS)

train: setup
	$(PIP) -e '.[train]'
	$(BIN)/python -m models.training train $(ARGS)

# The commands of docs/deployment.md as documented (-k documented, 10 minutes), and drills on a whole site, half an hour on
# the Docker engine of this machine; these write the table in docs/deployment.md.
# BUILD='--network host' where builds reach packages by the host's network only.
containers: setup
	! docker info > /dev/null 2>&1 || docker build $(BUILD) -f docker/Dockerfile -t passerby .
	BUILD='$(BUILD)' $(BIN)/python -m pytest -n 0 -s -rs -m container tests/system/test_documented_containers.py tests/system/test_site_drills.py $(ARGS)

# Which lines the tests run, as plain pytest chooses them: make coverage ARGS=tests/unit/ledger for a part.
coverage: setup
	$(BIN)/python -m coverage run --source=pipeline,models,connectors -m pytest -q -n 0 $(ARGS)
	$(BIN)/python -m coverage report --skip-covered --sort=cover

# How many faults put into the code its tests notice: make mutants ARGS='sample=400 seed=1'.
mutants: setup
	$(BIN)/python tests/benchmarks/mutants.py $(ARGS)

weights: base
	$(BIN)/passerby weights $(ARGS)

# The documentation site, in build/site; a wrong link is an error.
docs: base
	$(PIP) -e '.[docs]'
	$(BIN)/mkdocs build --strict

clean:
	rm -rf $(VENV) build outputs mutants .pytest_cache .mypy_cache .ruff_cache .hypothesis
