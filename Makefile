# Two commands matter: `make run` (set up, then find the campaigns in the bundled sample) and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL := sh tools/venv.sh $(PYTHON) $(VENV)
COMPILE := $(BIN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-header --python-version 3.11
SAMPLE := src/revenuer/data/sample

.DEFAULT_GOAL := help
.PHONY: remove-unfinished help setup setup-dev setup-lab run test lint format bench-detect lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

# The stamps are touched last: whatever failed, or whose lock changed since, is done again. An environment that was
# left in the middle of an install (see tools/venv.sh) is made anew.
$(VENV)/.run: requirements.lock pyproject.toml $(if $(wildcard $(VENV)/.unfinished),remove-unfinished)
	@sh tools/need.sh python $(PYTHON)
	@echo "installing the packages of requirements.lock into $(VENV)"
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.run
	@echo "installing the packages of requirements-dev.lock into $(VENV)"
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

remove-unfinished:
	@echo "an install into $(VENV) was interrupted: making it anew"
	@rm -rf $(VENV)

setup: $(VENV)/.run ## make .venv with the locked packages and revenuer in it
setup-dev: $(VENV)/.dev ## the same, with what tests and linters need

setup-lab: setup ## the same, with PyTorch (large), for distilling in the lab
	@$(INSTALL) --no-build-isolation -e '.[lab]'

run: setup ## find the campaigns in the bundled sample log
	$(BIN)/revenuer scan $(SAMPLE)/exchanges.jsonl.zst --accounts $(SAMPLE)/accounts.jsonl --out out/sample

test: setup-dev lint ## check everything: style, types and all tests
	@sh tools/need.sh chromium
	@sh tools/need.sh services
	$(BIN)/python -m pytest

lint: setup-dev ## check style and types only
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup-dev ## put every file into the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench-detect: setup-dev ## score detection against the baselines (long); writes bench/RESULTS.md
	$(BIN)/python -m bench.detect

lock: setup-dev ## bring both lock files in step with pyproject.toml (UPGRADE=1 renews every version)
	$(COMPILE) $(if $(UPGRADE),--upgrade) pyproject.toml tools/build.in -o requirements.lock
	$(COMPILE) $(if $(UPGRADE),--upgrade) --extra dev -c requirements.lock pyproject.toml tools/build.in -o requirements-dev.lock

clean: ## remove the environment and everything made
	rm -rf $(VENV) out .mypy_cache .ruff_cache .pytest_cache .hypothesis
