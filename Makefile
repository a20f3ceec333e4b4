# Everything starts here. On a fresh Debian machine python3, make and a package registry are enough.
PYTHON ?= python3
VENV ?= .venv
BENCH_VENV ?= build/bench-venv
BIN := $(VENV)/bin
# Most tests wait for real processes and clocks, so two workers more than there are cores keep the cores busy.
JOBS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 2)
PYTEST = $(BIN)/pytest -n $(JOBS) --dist worksteal
STAMP := $(VENV)/.installed
BENCH_STAMP := $(BENCH_VENV)/.installed

# Hundreds of processes are begun by tests: compiled modules that were not kept would be compiled by each of them.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check chaos soak lint fmt bench bench-quick bench-setup nvflare-example screenshots clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 18

setup: $(STAMP) ## the virtual environment, with everything in it

# A copied or moved checkout would go on running the old one: the stamp holds the place it was made for.
ifneq ($(shell cat '$(STAMP)' 2>/dev/null),$(CURDIR))
.PHONY: $(STAMP)
endif

$(STAMP): pyproject.toml package-lock.json scripts/make-venv scripts/page-tools
	@PYTHON='$(PYTHON)' scripts/make-venv '$(VENV)' '.[dev]'
	@$(BIN)/python scripts/page-tools install
	@echo '$(CURDIR)' > $@

demo: setup ## a receiver and three small training jobs; one is killed
	@$(BIN)/logstreamer demo

test: lint ## everything: format, lint, types and the whole test suite
	$(PYTEST)

check: lint ## the same in under a minute, without the slow tests
	$(PYTEST) -q -m "not slow"

chaos: setup ## writers, rotators, networks and kills at random: MINUTES=30 SEED=... ROUND=seconds of each round
	@$(BIN)/python -m tests.chaos --minutes $(or $(MINUTES),1) $(if $(SEED),--seed $(SEED)) --round $(or $(ROUND),60)

soak: setup ## faults as long and as many as they come: stalls of 60 s, 200 senders; ten minutes
	SOAK=1 $(BIN)/pytest -v tests/faults -k "n01 or n03 or n18"

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python scripts/page-tools vendor --check
	$(BIN)/python scripts/page-tools types

screenshots: setup ## the pictures of the page and the terminal in docs/images, of a real receiver with real jobs
	@$(BIN)/python scripts/screenshots
	@$(BIN)/python scripts/terminal-pictures docs/images

fmt: setup ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup bench-setup ## this and its peers side by side, every budget, about 20 minutes; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks --flare-python $(BENCH_VENV)/bin/python --report docs/benchmarks.md

bench-quick: setup bench-setup ## the short form, under three minutes, printed only
	$(BIN)/python -m benchmarks --flare-python $(BENCH_VENV)/bin/python --quick

nvflare-example: bench-setup ## a real NVFlare simulator job, its logs followed while it runs, copies compared
	@$(BENCH_VENV)/bin/python examples/nvflare_simulator/run.py build/nvflare-example

# What cannot be installed is not an error here: the benchmark reports that peer as missing, with the reason.
bench-setup:
	@scripts/make-bench '$(BENCH_VENV)' '$(BENCH_STAMP)'

clean: ## back to a fresh checkout
	rm -rf $(VENV) node_modules build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
