# Every target sets up what it needs on a machine that has only make and Python 3.11 or newer.
# As root on Debian, missing system packages are installed; otherwise they are named.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ROUNDS ?= 1
TESTS  ?= tests
FILES  ?= 300
JOB      ?= lvs_agent
RUNBOOKS ?= https://example.org/lvs-agent/runbooks

.PHONY: help demo test check format cov docs pictures alerts bench lab clean

help:  ## what there is
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST)

$(VENV)/.run: pyproject.toml scripts/setup
	scripts/setup run $(PYTHON) $(VENV)

$(VENV)/.dev: $(VENV)/.run
	scripts/setup dev $(PYTHON) $(VENV)

demo: $(VENV)/.run  ## the agent at work on servers that fail and recover (ROUNDS=0: until Ctrl-C)
	$(BIN)/lvs-agent demo --rounds $(ROUNDS)

test: check lab  ## everything that is checked automatically: style, types, layers, tests on a real kernel
	scripts/test $(BIN)/pytest $(TESTS)

check: $(VENV)/.dev  ## style, types and layers
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell

format: $(VENV)/.dev  ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

cov: $(VENV)/.dev  ## what the tests outside the lab kernel reach
	$(BIN)/pytest -m "not ipvs" --cov --cov-report=term-missing $(TESTS)

docs: $(VENV)/.dev  ## write anew what the documentation takes from the code
	$(BIN)/python -m tests.checks.reference
	$(BIN)/python -m tests.config.convert.directive_table
	$(BIN)/python -m tests.ldirectord_faults.catalogue
	$(BIN)/python -m tests.metrics_document
	$(BIN)/python -m grafana

alerts:  ## the rules for Prometheus, with JOB=... and RUNBOOKS=... as they are called at your place
	@sed -e 's|job="lvs_agent"|job="$(JOB)"|g' -e 's|https://example.org/lvs-agent/runbooks|$(RUNBOOKS)|g' \
		alerts/lvs-agent.rules.yml

pictures: $(VENV)/.dev  ## take the documentation's pictures of the status page anew
	$(BIN)/python -m tests.web.pictures

differential: $(VENV)/.dev  ## the same configurations for ldirectord and lvs-agent, and every difference in their tables
	LVS_DIFFERENTIAL_TEXTS=5000 $(BIN)/pytest -q -o timeout=0 tests/config/ldirectord/test_strict.py
	$(BIN)/python -m tests.differential --files $(FILES)

bench: $(VENV)/.dev  ## speed beside the peers, in one run
	scripts/setup bench $(PYTHON) $(VENV)
	$(BIN)/python -m benchmarks.checks
	$(BIN)/python -m benchmarks.scrape

lab: $(VENV)/.dev  ## a kernel with IPVS, where this machine's own has none
	tests/lab/lab fetch

clean:  ## forget everything that make made
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
