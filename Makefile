# Every target brings what it needs: uv, then the locked environments. Nothing is installed outside this folder but
# uv's own cache. `make help` lists the targets.

PYTHON ?= python3
BIN := .venv/bin
MAKEFLAGS += --no-print-directory
export UV_PYTHON_DOWNLOADS := never
# Compiled files halve the time that tests take to start; they stay inside this folder.
unexport PYTHONDONTWRITEBYTECODE
# The machine's own certificates where it has some: behind a proxy that signs anew, only they know who signs.
export UV_SYSTEM_CERTS ?= $(if $(wildcard /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt),true,false)

CODE := $(wildcard src tests flows ml_backend benchmarks tools)
TYPED := $(wildcard src tests flows ml_backend benchmarks tools)
PROJECTS := . $(patsubst %/pyproject.toml,%,$(wildcard environments/*/pyproject.toml ml_backend/pyproject.toml))

given = $(filter-out 0 no false,$(1))

.PHONY: help install environments demo test unit check format faults bench-sampler bench-judge bench-sync soak lock screenshots clean
.DEFAULT_GOAL := help

help: ## list the targets
	@awk -F ':[^#]*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: .venv/installed ## make the main environment

.venv/installed: uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "goldloop needs Python 3.11 or newer: set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@uv=$$($(PYTHON) tools/get_uv.py) && "$$uv" sync --frozen --all-extras --no-extra ray --python "$$(command -v $(PYTHON))"
	@touch $@

environments: install ## make the environments of Label Studio and of the ML backend
	@$(BIN)/python -m goldloop.devstack.environments

demo: environments ## run the whole loop here; ONCE=1 ends after one round, TRACES=FILE takes your own traces
	@exec $(BIN)/python -m goldloop.devstack demo $(if $(call given,$(ONCE)),--once) \
		$(if $(TRACES),--traces '$(TRACES)')

test: environments ## run every test, those on real servers too; ARGS go to pytest, and choose among all
ifdef ARGS
	@exec $(BIN)/pytest $(ARGS)
else
	@# First on all cores what needs nothing but a core; then what shares one Label Studio and one Prefect, and beside
	@# it what needs other servers.
	@$(BIN)/pytest -n auto -m "not servers and not browser"
	@exec $(BIN)/pytest -n 2 --dist loadgroup -m "servers or browser"
endif

unit: install ## run the tests of the core, the verbs and the pages: no server, no browser, no simulation
	@HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-quick} exec $(BIN)/pytest -n auto -q \
		-m "not servers and not browser and not simulation" tests/unit tests/pipeline tests/docs $(ARGS)

check: install ## format, lint, types, layers, generated files
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(TYPED)
	$(BIN)/lint-imports
	@for project in $(PROJECTS); do $(BIN)/uv lock --check --quiet --project "$$project" || exit 1; done
	$(BIN)/goldloop codebook check label_configs
	$(BIN)/goldloop codebook render --check label_configs
	$(BIN)/python -m goldloop.devstack.sample --check

format: install ## put the code into form
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

bench-sampler: install ## measure what each mix finds and what its numbers are worth; TRACES=FILE for labelled traces
	@$(BIN)/python -m benchmarks.sampler $(if $(TRACES),--traces '$(TRACES)') $(ARGS)
	@$(if $(or $(TRACES),$(call given,$(FAST))),true,$(BIN)/python benchmarks/sampler_scale.py --json benchmarks/results/sampler_scale.json)

bench-judge: environments ## measure judges: overhead, learned judge, effort; TRACES=FILE and PAIRS=FILE for labelled ones
	@exec $(BIN)/python -m benchmarks.judge $(if $(TRACES),--traces '$(TRACES)') $(if $(PAIRS),--pairs $(PAIRS)) \
		$(if $(call given,$(FAST)),--fast) $(ARGS)

soak: environments ## run the loop under load with its schedules on, and see that nothing grows; MINUTES=30
	@exec $(BIN)/python -m benchmarks.soak --minutes $(or $(MINUTES),30) $(ARGS)

bench-sync: environments ## measure the sync beside its raw ceilings and beside plain scripts; ARGS="--only pull"
	@exec $(BIN)/python -m benchmarks.sync $(if $(call given,$(FAST)),--fast) $(ARGS)

faults: environments ## run the loop under injected faults and audit all sides; SEED=n TRACES=n, ARGS="--store postgres"
	@exec $(BIN)/python -m benchmarks.faults --seed $(or $(SEED),1) --traces $(or $(TRACES),2000) $(ARGS)

lock: ## resolve all dependencies anew; UV_DEFAULT_INDEX=URL locks them to a mirror
	@uv=$$($(PYTHON) tools/get_uv.py) && for project in $(PROJECTS); do \
		echo "$$project"; "$$uv" lock --project "$$project" $(ARGS) || exit 1; done

screenshots: environments ## take the pictures of the documentation
	@exec env GOLDLOOP_SCREENSHOTS=docs/images $(BIN)/pytest tests/browser -q

clean: ## remove the environments, the demo's data and the caches
	rm -rf .goldloop .venv .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
