# Every target sets itself up: a clean clone needs python3 (>= 3.11) and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=
WORKERS ?= 2

.PHONY: demo test check wheel-test bench slow serve clean help

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | sort

demo: $(VENV)/.ready ## 25 REST clients find five hidden groups; ARGS="--privacy off" and more
	@$(BIN)/secure-clove demo $(ARGS)

test wheel-test: export OMP_NUM_THREADS = 1 # the workers share the cores already
test: $(VENV)/.ready ## every test but the slow ones
	$(BIN)/python -m pytest -n $(WORKERS) $(ARGS)

check: $(VENV)/.ready ## format, lint, types, layers, and the library's tests against the built wheel
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(MAKE) --no-print-directory wheel-test

wheel-test: $(VENV)/.ready ## the library alone: no server, no attacks, not this folder
	bash .ci/wheel-test $(abspath $(BIN)) $(WORKERS)

bench: $(VENV)/.ready ## ratios measured side by side, as one JSON object
	@$(BIN)/python -m tests.bench

slow: $(VENV)/.ready ## the demo's numbers over many seeds, and 10,000 patterns of dropouts
	$(BIN)/python -m pytest -m slow tests/slow $(ARGS)

serve: $(VENV)/.ready ## a coordinator; ARGS="--operator-key HEX"
	@$(BIN)/python -m api serve $(ARGS)

clean: ## remove the environment and what was built; runs/ stays
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis

$(VENV)/.ready: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[server,dev]'
	@touch $@
