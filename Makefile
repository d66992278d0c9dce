SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
UV_VERSION := 0.13.9

# Node is a package of Python's too, so that nothing but Python need be there.
NPM := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npm --prefix web
MODULES := web/node_modules/.installed
PAGES := server/static/pages/play.html
PAGE_SOURCES := $(shell find web/sdk/src web/react/src web/pages -type f -not -path '*/dist/*' 2>/dev/null)

TYPED := questlog eventstore server tools migrations tests bench examples
UNIT := tests/document tests/campaign tests/sync tests/house
CORE := questlog/document/*,questlog/campaign/*,questlog/sync/*,eventstore/*
WHOLE := questlog/*,eventstore/*,server/*,tools/*

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: install ## serve the demo campaign, perform it and show the players' live view
	@$(BIN)/questlog demo

.PHONY: install
install: $(STAMP) $(PAGES) ## make .venv with .venv/bin/questlog (PYTHON=python3.13 chooses the interpreter), and the pages

$(STAMP): pyproject.toml constraints.txt
	@python=; \
	for candidate in "$(PYTHON)" python3.14 python3.13 python3.12 python3.11; do \
	  if "$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	    python=$$candidate; break; \
	  fi; \
	done; \
	if [ -z "$$python" ]; then \
	  found=$$("$(PYTHON)" -V 2>/dev/null || echo "not there"); \
	  echo "Questlog needs Python 3.11 or later; $(PYTHON) is $$found." \
	    "Install one, or name it: make install PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	  version=$$("$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'); \
	  echo "$$python cannot make virtual environments (it lacks venv or ensurepip)." \
	    "On Debian or Ubuntu: apt-get install python$$version-venv" >&2; \
	  exit 1; \
	fi; \
	"$$python" -m venv --clear $(VENV)
	@# The list is complete: a pip that resolved it once more would take a newer release for an extra.
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --require-hashes -r constraints.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation -e .
	@$(BIN)/python -m pip --disable-pip-version-check check >/dev/null
	@touch $@

$(MODULES): $(STAMP) web/package.json web/package-lock.json
	@$(NPM) ci --silent --no-progress
	@touch $@

$(PAGES): $(MODULES) $(PAGE_SOURCES) web/package.json
	@$(NPM) run --silent build -- --logLevel warn

.PHONY: test
test: install ## everything CI runs: format, lint, types, all tests, the coverage floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(TYPED)
	$(NPM) run --silent check
	$(NPM) run --silent test
	$(BIN)/python -m pytest -n auto --dist worksteal \
	  --cov --cov-config=pyproject.toml --cov-report=
	$(BIN)/coverage report --include='$(CORE)' --fail-under=97
	$(BIN)/coverage report --include='$(WHOLE)' --fail-under=90

.PHONY: check
check: install ## fast: format, lint, types, unit tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy $(TYPED)
	$(NPM) run --silent check
	$(NPM) run --silent test
	$(BIN)/python -m pytest -q -n auto $(UNIT)

.PHONY: bench
bench: install ## measure, side by side with the alternatives
	@$(BIN)/python -m bench

.PHONY: soak
soak: install ## a player that stops reading for a minute at full speed: what it costs, how it ends
	@$(BIN)/python -m bench.slow

.PHONY: crash
crash: install ## kill -9 the server in the middle of play, 50 times
	@$(BIN)/python -m bench.crash --rounds 50

.PHONY: rough
rough: install ## ten players on bad wifi, changing between sockets, streams and polls for two minutes
	@$(BIN)/python -m bench.rough --seconds 120

.PHONY: canary
canary: install ## play 500 campaigns made up at random to viewers of every kind, and look for secrets
	@$(BIN)/questlog canary --random 500

.PHONY: flips
flips: install ## flip 10,000 single bits of stored events, and have verify find and name each
	@$(BIN)/python -m bench.flips

.PHONY: fuzz
fuzz: install ## send 200,000 mutated frames and requests to a running server
	@$(BIN)/python -m bench.fuzz --count 200000

.PHONY: screenshots
screenshots: install ## take the pictures of the pages that the README shows
	@$(BIN)/python -m bench.screenshots

.PHONY: docs
docs: install ## write the generated documents anew
	@$(BIN)/python -m tools.gendocs

.PHONY: lock
lock: ## write constraints.txt anew, with the newest versions pyproject.toml allows
	@"$(PYTHON)" -m venv --clear .venv-lock
	@.venv-lock/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@.venv-lock/bin/uv --quiet pip compile --universal --python-version 3.11 --generate-hashes \
	  --no-header --no-annotate --extra dev --upgrade -o .venv-lock/pins.txt pyproject.toml
	@{ echo '# Exact versions and hashes of everything Questlog runs on and is built and tested with.'; \
	  echo '# Made by `make lock`; not edited by hand.'; \
	  cat .venv-lock/pins.txt; } > constraints.txt
	@rm -rf .venv-lock
	@rm -f web/package-lock.json
	@$(NPM) install --silent --package-lock-only
	@$(BIN)/python -m tools.plainlock web/package-lock.json

.PHONY: clean
clean: ## remove the environment, caches and builds
	@rm -rf web/node_modules web/*/dist web/*.tsbuildinfo web/*/*.tsbuildinfo server/static/pages
	@rm -rf $(VENV) .venv-lock build dist htmlcov .mypy_cache .ruff_cache .pytest_cache .hypothesis
	@rm -f .coverage .coverage.*
	@find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
