# `make demo` on a bare machine is all it takes: Python 3.11 to 3.13 and make.

SHELL := /bin/bash
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# where it is set, every process of the cluster compiles the same libraries at each start
unexport PYTHONDONTWRITEBYTECODE

# the first interpreter of a version we support that can make virtual environments
PROBE := import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))
PYTHON = $(or $(shell for p in python3.11 python3.12 python3.13 python3; do \
	$$p -c '$(PROBE)' 2>/dev/null && echo $$p && break; done),\
	$(error no Python 3.11, 3.12 or 3.13 with venv and pip was found))

CLUSTER := $(PY) -m workers.embedded

.PHONY: help install demo up run down status verify backup restore test test-unit \
	test-integration test-system test-docker faults soak check audit fuzz \
	sbom requirements format docs bench benchmark-science lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(VENV)/.project ## the virtual environment, once

$(VENV)/.python:
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.locked: requirements.lock | $(VENV)/.python
	@echo "Installing the locked set (one to three minutes, once) ..."
	$(PY) -m pip install --quiet --no-compile -r requirements.lock
	@touch $@

$(VENV)/.project: pyproject.toml client/pyproject.toml $(VENV)/.locked
	$(PY) -m pip install --quiet --no-deps -e . -e client
	@touch $@

demo: export RETORT_CONFIG ?= $(or $(RETORT_HOME),.retort)/client.json
demo: up ## install, start, upload, train, tune, predict; leaves the cluster running
	$(PY) examples/demo.py

up: install ## start the cluster in the background; says so when it runs already
	$(CLUSTER) up

run: install ## run the cluster in this terminal; Ctrl-C drains it
	$(CLUSTER) run

down: install ## drain and stop: running jobs go back to their queues
	$(CLUSTER) down

status: install ## what runs, and where
	@$(CLUSTER) status

verify: install ## does everything hold that is promised? (any time, changes nothing)
	$(PY) -m workers.verify --embedded

backup: install ## back up the running cluster: make backup TO=/path/folder
	$(PY) -m workers.backup create --embedded $(or $(TO),$(error say where: make backup TO=/path/folder))

restore: install ## into a stopped cluster: make restore FROM=/path/folder [FORCE=1]
	$(PY) -m workers.backup restore --embedded $(if $(FORCE),--force) \
		$(or $(FROM),$(error say from where: make restore FROM=/path/folder))

test: install ## every test but those that need a container engine, or `make faults`
	@$(MAKE) --no-print-directory --jobs=3 --output-sync=target \
		test-unit test-integration test-system

# three at once, as most of a test is waiting; the first two give way to what watches the clock
test-unit:
	nice -n 10 $(PY) -m pytest -m "not docker" --durations=10 \
		--ignore-glob='tests/integration/test_*.py' tests/unit tests/integration

test-integration:
	nice -n 10 $(PY) -m pytest -m "not docker" --durations=10 $(wildcard tests/integration/test_*.py)

test-system:
	$(PY) -m pytest -m "not docker and not exhaustive" --durations=10 \
		tests/rolling tests/mutated tests/contract tests/acceptance tests/faults

test-docker: install ## the built images in containers; skips, with the reason, where no engine answers
	$(PY) -m pytest -p pytest_celery -m docker -rs tests/docker

faults: install ## every fault, at the product's own speed; prints the table (25 minutes)
	@mkdir -p .faults
	RETORT_FAULT_SETTINGS=product RETORT_FAULT_REPORT=.faults/table.md RETORT_FAULT_LOGS=.faults/logs \
		$(PY) -m pytest -q --timeout=900 tests/faults

soak: install ## a storm of random faults: make soak [MINUTES=30] [SEED=7]
	$(PY) -m tests.faults.storm $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED))

check: install docs audit sbom ## style, types, layers, links of the guides, known holes, bill of materials
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(PY) -m mypy
	$(VENV)/bin/lint-imports

# tools with dependencies of their own, apart from ours
.audit/.tools:
	@$(PYTHON) -m venv .audit && \
		.audit/bin/pip install --quiet 'pip-audit>=2.10' 'cyclonedx-bom>=7.3' && touch $@ || true

audit: install .audit/.tools ## known holes of the locked versions, where pip-audit's database can be reached
	$(PY) deploy/audit.py .audit/bin/pip-audit

sbom: install .audit/.tools ## bill of materials of what is installed: build/sbom.cdx.json (CycloneDX)
	@mkdir -p build
	@if [ ! -x .audit/bin/cyclonedx-py ]; then \
		echo "cyclonedx-py cannot be installed here: no bill of materials was made"; \
	else .audit/bin/cyclonedx-py environment --output-reproducible --pyproject pyproject.toml \
		--output-file build/sbom.cdx.json $(PY); fi

fuzz: install ## the whole OpenAPI against a real gateway: make fuzz [REQUESTS=20000] [SEED=7]
	$(PY) -m tests.fuzz $(if $(REQUESTS),--requests $(REQUESTS)) $(if $(SEED),--seed $(SEED))

requirements: install ## which requirements are proved by which tests: make requirements [GROUP=S0]
	$(PY) -m tests.requirements $(GROUP)

format: install ## mend what ruff can
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

docs: install ## the guides as a site in build/docs; warnings and broken links are errors
	$(PY) -m sphinx -b html --fresh-env --write-all --fail-on-warning --keep-going --nitpicky --quiet \
		docs build/docs
	@echo "The site: build/docs/index.html"

bench: install ## peers and limits, side by side, onto docs/benchmarks.md: make bench [NAMES="submit poll"]
	$(PY) -m benchmarks $(NAMES)

benchmark-science: install ## defaults against published scores: make benchmark-science [DATA="esol freesolv"] [SEEDS="0 1"]
	OMP_NUM_THREADS=1 $(PY) -m benchmarks.science --write $(if $(DATA),--data $(DATA)) $(if $(SEEDS),--seeds $(SEEDS))

lock: install ## pin what is installed now
	$(PY) deploy/lock.py > requirements.lock.new
	mv requirements.lock.new requirements.lock
	@touch $(VENV)/.locked $(VENV)/.project

clean: ## caches and build outputs; the data folder .retort and .venv stay
	rm -rf .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis build dist .bench .faults .fuzz .audit
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +
