# Every target makes what it needs: a virtual environment in .venv with exactly the versions of requirements.lock.
.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PACKAGES := magi exchange worker
ARGS ?=
# With words to choose by, one of the two parts of the tests may have nothing to run (status 5).
OR_NONE = $(if $(ARGS),|| [ $$? -eq 5 ])

.PHONY: help run test check fast chaos chaos-nightly docs bench lock clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 24

run: $(READY) ## Start the exchange: embedded Valkey, two nodes, a worker (ARGS="--port 9000" for more)
	@$(BIN)/magi-exchange serve --nodes 2 $(ARGS)

test: $(READY) ## Run all tests (ARGS="-k words" for some)
	@echo "==> tests that share the machine"
	@$(BIN)/pytest -q -n 2 -m "not serial" $(ARGS) $(OR_NONE)
	@echo "==> tests that need the machine for themselves"
	@$(BIN)/pytest -q -m "serial and not chaos" $(ARGS) $(OR_NONE)

check: $(READY) ## Lint, types, layers, house rules and unit tests: the fast gate
	@echo "==> format and lint"
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@echo "==> types"
	@$(BIN)/mypy
	@echo "==> layers"
	@$(BIN)/lint-imports --no-cache > $(VENV)/layers.txt || { cat $(VENV)/layers.txt; exit 1; }
	@tail -n 3 $(VENV)/layers.txt
	@echo "==> house rules"
	@$(BIN)/pytest -q tests/house
	@echo "==> unit tests"
	@$(BIN)/pytest -q -n 2 tests/unit

chaos: $(READY) ## Kill, freeze and cut what runs, and prove that nothing accepted is lost: minutes
	@$(BIN)/pytest -q -m chaos tests/chaos $(ARGS)

chaos-nightly: $(READY) ## The same at full size, for hours; writes docs/results
	@MAGI_CHAOS_LEVEL=nightly $(BIN)/pytest -q -m chaos tests/chaos $(ARGS)

docs: $(READY) ## Write the generated reference pages again
	@$(BIN)/python -m exchange settings --markdown > docs/reference/settings.md
	@$(BIN)/python -m exchange metrics --markdown > docs/reference/metrics.md

bench: $(READY) ## Measure the exchange beside its peers (ARGS="--quick" for a glance)
	@$(BIN)/python -m bench.run $(ARGS)

lock: ## Resolve the newest allowed versions into requirements.lock
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q uv
	@UV_PYTHON_DOWNLOADS=never $(BIN)/uv pip compile -q --upgrade --universal --generate-hashes --no-emit-index-url \
		--no-annotate --no-header --all-extras --group dev -p $(BIN)/python pyproject.toml -o requirements.lock
	@echo "requirements.lock is up to date; run make check and make test."

clean: ## Remove everything that was made
	rm -rf $(VENV) bench/build .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "magi-exchange needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V). Try: make PYTHON=python3.13 ..."; exit 1; }
	@echo "==> making $(VENV) with the versions of requirements.lock (once; about half a minute)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
