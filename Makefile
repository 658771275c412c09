# The health wallet: `make run` starts it, `make test` checks it. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
PY := $(VENV)/bin/python
SCAN := $(VENV)/scanners
LOCKS := requirements.txt requirements-embedded.txt
FIND_PYTHON := for p in $(PYTHON) python3 python3.14 python3.13 python3.12 python3.11 python; do \
	if "$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then echo "$$p"; exit 0; fi; done; \
	echo "The wallet needs Python 3.11 or newer and found none: install it, or name it with make PYTHON=/path/to/python." >&2; exit 1
PIP := -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --only-binary :all:
INSTALL := $(PY) $(PIP)

SOAK := -o faulthandler_timeout=1800 tests/soak

.PHONY: help run test story bench conformance soak mutants lint scan format lock clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.run ## start everything on this machine with demo people (PORT, WALLET_DATA_DIR); Ctrl-C stops it
	@WALLET_ENV=$${WALLET_ENV:-dev} exec $(PY) -m wallet_api.infra.tether $$PPID -- $(PY) -m wallet_api run

test: $(VENV)/.test $(VENV)/.scan $(VENV)/.peers ## lint, types, import contracts, scanners, all tests
	@$(MAKE) --no-print-directory -j 2 lint scan
# Three on two cores: a quarter of the time one waits for a process it killed or a broker. Each of them and each
# server they start would compile everything anew where Python is told to keep no bytecode: a sixth of the time.
	@env -u PYTHONDONTWRITEBYTECODE $(PY) -m pytest -n 3 --dist loadfile --no-loadscope-reorder --durations 15 $(ARGS)

story: $(VENV)/.run ## the main job from end to end over HTTP, each step printed
	@WALLET_ENV=dev exec $(PY) -m wallet_api story

bench: $(VENV)/.run ## measure; one JSON object a line
	@WALLET_ENV=dev exec $(PY) -m bench

conformance: $(VENV)/.test ## CDC's public immunization cases through the engine (WALLET_VECTORS_DIR)
	@$(PY) -m tests.conformance

soak: $(VENV)/.test ## the long runs under load and faults
	@$(PY) -m pytest -m "soak and alone" $(SOAK) $(ARGS)
	@$(PY) -m pytest -m "soak and not alone" -n 2 --dist worksteal $(SOAK) $(ARGS)

mutants: $(VENV)/.test ## remove each guard in a copy of the project and see that its tests notice
	@$(PY) -m tests.mutants $(ARGS)

lint: $(VENV)/.test ## style, types and import contracts only
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy
	@$(VENV)/bin/lint-imports --no-logo

scan: $(VENV)/.scan ## scanners: bad habits, injection, secrets, licences, the list of parts
	@$(PY) -m tests.scanners $(SCAN)/bin

format: $(VENV)/.test ## put the code into the house format
	@$(PY) -m ruff check --fix .
	@$(PY) -m ruff format .

lock: $(VENV)/.lock ## pin and hash what the .in files ask for
	@for name in requirements requirements-embedded requirements-tracing tests/requirements tests/scanners; do \
		UV_CUSTOM_COMPILE_COMMAND="make lock" $(PY) -m uv pip compile --quiet --no-config --universal --python-version 3.11 \
			--generate-hashes --no-emit-index-url --no-emit-find-links $(ARGS) $$name.in -o $$name.txt; done

clean: ## remove the virtual environment and all caches; data stays
	@rm -rf $(VENV) build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -not -path './data/*' -prune -exec rm -rf {} +

$(PY):
	@python="$$($(FIND_PYTHON))"; echo "Making the virtual environment $(VENV) with $$("$$python" --version)."; "$$python" -m venv --clear $(VENV)

$(VENV)/.run: $(LOCKS) | $(PY)
	@echo "Installing what the wallet needs (once, about a minute)."
	@$(INSTALL) $(LOCKS:%=-r %)
	@touch $@

$(VENV)/.test: tests/requirements.txt $(VENV)/.run
	@echo "Installing what the checks need (once)."
	@$(INSTALL) -r tests/requirements.txt
	@touch $@

$(VENV)/.scan: tests/scanners.txt $(VENV)/.test
	@echo "Installing the scanners (once)."
	@$(PY) -m venv --clear $(SCAN)
	@$(SCAN)/bin/python $(PIP) -r tests/scanners.txt
	@touch $@

# Without npm or its registry those tests are skipped, and say so.
$(VENV)/.peers: tests/peers/package.json tests/peers/package-lock.json | $(PY)
	@mkdir -p $(VENV)/peers && cp tests/peers/package.json tests/peers/package-lock.json tests/peers/.npmrc $(VENV)/peers/
	@if ! command -v npm >/dev/null; then echo "npm is absent: the sign-in tests at foreign OpenID providers will be skipped."; \
	elif npm ci --prefix $(VENV)/peers --loglevel=error; then touch $@; \
	else echo "npm could not install: the sign-in tests at foreign OpenID providers will be skipped."; fi

$(VENV)/.lock: | $(PY)
	@$(PY) -m pip install --quiet --disable-pip-version-check uv
	@touch $@
