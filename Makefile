# Needs Python 3.11 to 3.13 and make; everything else is installed into .venv, at the versions of uv.lock.
PYTHON ?= python3
UV_VERSION := 0.13.9
UV := $(shell command -v uv 2>/dev/null || echo .venv/bin/uv)
export UV_COMPILE_BYTECODE := 1
export UV_PROJECT_ENVIRONMENT := .venv
BIN := .venv/bin
# uv compiles what it installs; where Python keeps nothing compiled, as in many containers, each command would compile ours.
COMPILE = @$(BIN)/python -m compileall -q packaging_assets

.PHONY: help demo demo-aws test bench bench-peers bench-peers-install ui check format install install-dev clean
help:            ## this list
	@grep -E '^[a-z-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 14

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/bin/uv: | .venv/bin/python
	.venv/bin/python -m pip install --quiet "uv==$(UV_VERSION)"

# --inexact keeps what another target installed: the development tools, uv itself.
.venv/.installed: uv.lock pyproject.toml | .venv/bin/python $(filter .venv/bin/uv,$(UV))
	$(UV) sync --locked --inexact --no-dev --quiet
	$(COMPILE)
	@touch $@

.venv/.installed-dev: uv.lock pyproject.toml | .venv/bin/python $(filter .venv/bin/uv,$(UV))
	$(UV) sync --locked --inexact --quiet
	$(COMPILE)
	@touch $@ .venv/.installed

install: .venv/.installed           ## install the platform
install-dev: .venv/.installed-dev   ## install the platform and its development tools

demo: install    ## run the whole job on a simulated retailer (options: make demo ARGS="--products 5000 --home .packaging-small")
	$(BIN)/packaging demo $(ARGS)

# By default of fewer products than `demo`: each step of it is a job with a container of its own.
demo-aws: install-dev   ## the same job through the clients of AWS, with stand-ins for its services on this machine
	rm -rf .packaging-aws
	PYTHONPATH=tests/standins/aws $(BIN)/python -m aws_standin $(BIN)/packaging demo --home .packaging-aws --products 5000 $(ARGS)

ui: install      ## open the Dagster UI on http://127.0.0.1:3000
	$(BIN)/packaging ui $(ARGS)

# Three processes for two cores: many tests wait for processes that they start.
test: install-dev    ## run every test
	$(BIN)/pytest -n 3 --dist loadfile $(ARGS)

bench: install-dev   ## measure the platform against floors (ARGS=--quick, ARGS="--only NAME")
	$(BIN)/python benchmarks/run.py $(ARGS)

PEERS := dagster metaflow kedro prefect zenml

# One after the other: they are large. Each needs Python 3.11, which uv finds or fetches.
.peers/%/.installed: benchmarks/peers/requirements/%.txt | .venv/.installed-dev $(filter .venv/bin/uv,$(UV))
	$(UV) venv --quiet --clear --python 3.11 .peers/$*
	$(UV) pip install --quiet --python .peers/$*/bin/python -r $<
	@touch $@

bench-peers-install: $(PEERS:%=.peers/%/.installed)

bench-peers: bench-peers-install   ## the same job in other orchestrators, each in an environment of its own
	$(BIN)/python benchmarks/peers/compare.py $(ARGS)

check: install-dev   ## run every linter and type checker
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	@# Without a path, dg looks at one file only of several of the same component type.
	@for model in $(dir $(wildcard packaging_assets/defs/*/defs.yaml)); do echo "dg check yaml $$model"; $(BIN)/dg check yaml $$model || exit 1; done
	$(BIN)/sqlfluff lint dbt_project/models
	$(BIN)/sqlfluff lint --templater placeholder --dialect redshift packaging_assets

format: install-dev  ## format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:           ## remove the homes of demos and benchmarks, and all caches
	rm -rf .packaging .packaging-aws .packaging-small .packaging-tutorial* .bench .peers .pytest_cache .ruff_cache dbt_project/target
