# Needs Python 3.11+ and make. Everything else goes into .uv/ and .venv/ beside this file; `make clean` removes both.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup demo test fast proof reach lint bench format image clean

PYTHON := $(shell for p in python3 python3.14 python3.13 python3.12 python3.11 python; do \
	"$$p" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { command -v "$$p"; break; }; done)
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
RUN := .venv/bin
STAMP := .venv/.ready
WORKERS ?= 2

export UV_PYTHON_DOWNLOADS = never
# Compiled once here, else by each process anew where Python may not write beside its files: three seconds a start instead of one.
export UV_COMPILE_BYTECODE = 1

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(STAMP)  ## the local environment .venv, with the command .venv/bin/follow-up

demo: $(STAMP)  ## the service with its sample, on this machine only; options in ARGS="--port 8000 --today 2026-11-23"
	@$(RUN)/follow-up demo $(ARGS)

test: $(STAMP)  ## all tests but the heavy ones, on SQLite and PostgreSQL, in random order
	@$(RUN)/python -m pytest -n $(WORKERS) -m "not proof and not reach" $(PYTEST_ARGS)

fast: $(STAMP)  ## the rules and the house, in seconds
	@$(RUN)/python -m pytest -n $(WORKERS) -m "not proof and not reach" tests/planning tests/house $(PYTEST_ARGS)

proof: $(STAMP)  ## the heavy tests: seeds, planted faults, kills, frozen databases, floods, fuzzing
	@$(RUN)/python -m pytest -n $(WORKERS) -m proof $(PYTEST_ARGS)

reach: $(STAMP)  ## 186 more random lives, and what shows their reach: each rule of the plain model made wrong; by hand
	@$(RUN)/python -m pytest -n $(WORKERS) -m reach $(PYTEST_ARGS)

lint: $(STAMP)  ## form, types, import rules, dependencies
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy --strict app
	$(RUN)/lint-imports
	$(RUN)/deptry .

format: $(STAMP)  ## puts the form right
	@$(RUN)/ruff check --fix-only .
	@$(RUN)/ruff format .

bench: $(STAMP)  ## the table of figures, each beside its floor
	@$(RUN)/python -m bench $(ARGS)

image:  ## the container image built without an image registry, started and stopped (root on Debian)
	@.ci/image

clean:  ## removes the environments and what tools left behind
	rm -rf .venv .uv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

$(STAMP): pyproject.toml uv.lock | $(UV)
	@$(UV) sync --frozen --quiet --python "$(PYTHON)"
	@touch $@

# uv itself, where the machine has none: into .uv/ by venv, or by pip alone where venv is missing.
.uv/bin/uv:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or later is needed, and none was found on PATH." >&2; exit 1; }
	@echo "Installing uv into .uv/"
	@{ "$(PYTHON)" -m venv .uv >/dev/null 2>&1 && .uv/bin/python -m pip install --quiet --disable-pip-version-check uv; } \
	|| { rm -rf .uv && "$(PYTHON)" -m pip install --quiet --disable-pip-version-check --target .uv uv 2>/dev/null; } \
	|| { rm -rf .uv; echo "uv could not be installed: $(PYTHON) has no venv module (Debian: apt-get install python3-venv), or the package index" \
	     "is not reached. Install venv, or put uv on PATH, and try again." >&2; exit 1; }
