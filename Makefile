# Needs git, make and a Python 3.11 or newer; everything else is brought into .venv.
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
SHELL := /bin/sh

PYTHON ?= python3
VENV := .venv
READY := $(VENV)/installed
RUN := $(VENV)/bin/python -m
# The first that is there; bootstrap.py then checks its version and tries the others itself.
FOUND = $(firstword $(foreach name,$(PYTHON) python3.12 python3.13 python3.11,$(shell command -v $(name) 2>/dev/null)))
NO_PYTHON = no $(PYTHON) on this machine: install Python 3.11 or newer, or name it: make install PYTHON=/path/to/python3.11

export UV_PROJECT_ENVIRONMENT := $(VENV)
# An environment that happens to be active, or another wished-for Python, must not win over .venv.
unexport VIRTUAL_ENV
unexport UV_PYTHON
# The machine's own certificates where it has some: behind a company's proxy no others are trusted.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/*.pem /etc/ssl/cert.pem /etc/pki/tls/certs/*.crt),1,0)

.PHONY: help install demo up test test-long lint format sbom latest bench bench-load clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(READY) ## make .venv with everything in it, as locked in uv.lock

# uv.lock names the public index: with another one uv takes the lock as it is, without checking it is current.
LOCK := $(if $(UV_DEFAULT_INDEX),--frozen,--locked)

# --inexact leaves uv in the environment it lives in; the stamp comes last, so a broken install is tried again.
$(READY): pyproject.toml uv.lock scripts/bootstrap.py
	@"$(or $(FOUND),$(error $(NO_PYTHON)))" scripts/bootstrap.py $(VENV)
	@$(VENV)/bin/uv sync $(LOCK) --inexact --quiet
	@touch $@

demo: $(READY) ## watch a model drift, be caught and be retrained, in about two minutes
	@$(RUN) examples.demo

up: $(READY) ## the demo, left running: Airflow stays open for a look until Ctrl-C
	@$(RUN) examples.demo --keep

test: $(READY) ## run the tests and doctests (ARGS="-k window" picks some)
	@$(RUN) pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-long: $(READY) ## run the tests marked long
	@$(RUN) pytest -m long $(ARGS)

# What runs at a user's: bandit and the SBOM look at it.
SHIPPED := src dags config $(wildcard plugins)

lint: $(READY) ## check style, format, types, who imports what, and for dangerous calls
	@$(RUN) ruff check
	@$(RUN) ruff format --check
	@$(RUN) mypy
	@$(VENV)/bin/lint-imports
	@$(RUN) bandit --quiet --configfile pyproject.toml --recursive $(SHIPPED)

format: $(READY) ## put the code into form
	@$(RUN) ruff check --fix
	@$(RUN) ruff format

sbom: $(READY) ## write what is in the lock, with licences and hashes, to build/sbom.cdx.json (CycloneDX)
	@$(RUN) scripts.packages

latest: $(READY) ## resolve the newest versions for the oldest and the newest Python, and run the tests with them (in .latest)
	@$(RUN) scripts.latest $(ARGS)

bench: $(READY) ## measure speed and memory against peers (ARGS=peers: against other libraries, installed in .peers)
	@$(RUN) benchmarks $(ARGS)

bench-load: $(READY) ## 20 endpoints x 6 windows through docker-compose.yml's services, without Docker (ARGS="--workers 8")
	@$(RUN) benchmarks.load $(ARGS)

clean: ## remove .venv, the demo's folder and every cache
	rm -rf $(VENV) .peers .latest .demo .composed .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
