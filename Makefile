# Every target sets up what it needs on a machine that has only make and Python 3.11 or newer.
# As root on Debian, missing system packages are installed; otherwise their names are printed.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ROUNDS ?= 1
TESTS  ?= tests
FILES  ?= 300
JOB      ?= lvs_agent
RUNBOOKS ?= https://example.org/lvs-agent/runbooks

.PHONY: help demo test check format cov docs pictures alerts bench lab machine clean

help:  ## list the targets
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

$(VENV)/.run: pyproject.toml scripts/setup
	scripts/setup run $(PYTHON) $(VENV)

$(VENV)/.dev: $(VENV)/.run
	scripts/setup dev $(PYTHON) $(VENV)

demo: $(VENV)/.run  ## run the agent on servers that fail and recover (ROUNDS=0: until Ctrl-C)
	$(BIN)/lvs-agent demo --rounds $(ROUNDS)

test: lab  ## run every check and test: style, types, layers, tests on a real kernel
	scripts/test $(BIN)/pytest $(TESTS)

check: $(VENV)/.dev  ## check style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.dev  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

cov: $(VENV)/.dev  ## measure the coverage of the tests outside the lab kernel
	$(BIN)/pytest -m "not ipvs and not machine" --cov --cov-report=term-missing $(TESTS)

docs: $(VENV)/.dev  ## regenerate the documents that are generated from the code
	$(BIN)/python -m tests.checks.reference
	$(BIN)/python -m tests.config.reference
	$(BIN)/python -m tests.ldirectord.convert.directive_table
	$(BIN)/python -m tests.ldirectord_faults.catalogue
	$(BIN)/python -m tests.metrics_document
	$(BIN)/python -m grafana

alerts:  ## print the rules for Prometheus with your JOB=... and RUNBOOKS=...
	@sed -e 's|job="lvs_agent"|job="$(JOB)"|g' -e 's|https://example.org/lvs-agent/runbooks|$(RUNBOOKS)|g' \
		alerts/lvs-agent.rules.yml

pictures: $(VENV)/.dev  ## take the pictures of the status page again
	$(BIN)/python -m tests.web.pictures

differential: $(VENV)/.dev  ## compare the tables that ldirectord and lvs-agent make of the same configurations
	LVS_DIFFERENTIAL_TEXTS=5000 $(BIN)/pytest -q -o timeout=0 tests/ldirectord/reader/test_oracle.py
	$(BIN)/python -m tests.differential --files $(FILES)

bench: $(VENV)/.dev  ## compare the speed with the peers, in one run
	scripts/setup bench $(PYTHON) $(VENV)
	$(BIN)/python -m benchmarks.checks
	$(BIN)/python -m benchmarks.scrape
	$(BIN)/python -m benchmarks.liveness

lab: $(VENV)/.dev  ## download a kernel with IPVS, if the running kernel has none
	tests/lab/lab fetch

machine: lab  ## boot a Debian with systemd in which the agent is installed, with a shell on this terminal
	LVS_MACHINE_PYTHON=$(BIN)/python tests/machine/machine shell

clean:  ## remove everything that make has created
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
