# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
RUN    := $(VENV)/.run-installed
DEV    := $(VENV)/.dev-installed

.DEFAULT_GOAL := help
.PHONY: help demo test lint types unit page browser bench soak fuzz references hil hil-catches fault-matrix soak-hil clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

demo: $(RUN) ## install into .venv and drive the simulated arm
	$(BIN)/trocar demo $(ARGS)

test: lint types unit ## install, then lint, types, layering and all tests but those in a browser

lint: $(DEV) ## style and layering
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: $(DEV) ## static types, strict
	$(BIN)/mypy

# Real processes have the machine to themselves; the others share its cores. Status 5: ARGS picks none of these.
unit: $(DEV) ## the tests alone; ARGS='-k name' picks some
	$(BIN)/python -m pytest -m "process and not soak and not browser" $(ARGS) || [ $$? -eq 5 ]
	$(BIN)/python -m pytest -m "not process and not soak" -n 2 --dist loadfile $(ARGS) || [ $$? -eq 5 ]

page: ## build the console's page from its lock file; fails where that is not the page that is committed
	cd teleop/console/web && npm ci --no-audit --no-fund && npm run check && npm run build
	git diff --exit-code --stat -- teleop/console/static

browser: $(DEV) ## the console's page driven in a Chromium that is on this machine (7 minutes)
	$(BIN)/python -m pytest tests/browser tests/console/test_page.py $(ARGS)

bench: $(DEV) ## measured claims, each beside a peer
	$(BIN)/pip install --quiet -e '.[bench]'
	@for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file || exit 1; done

soak: $(DEV) ## the long runs: adversarial ticks, hours of samples
	$(BIN)/python -m pytest -m soak -s $(ARGS)

hil: $(DEV) ## hardware in the loop, on the simulated arm; ARGS='--rig NAME --endpoint E --allow-motion'
	$(BIN)/python -m pytest hil_tests -m "not soak" --ignore=hil_tests/test_bad_drivers.py \
	  --html hil.html --junitxml hil.xml $(ARGS)

fault-matrix: $(DEV) ## every fault on every stream: docs/fault-matrix.md and fault-matrix.html (20 minutes)
	$(BIN)/python -m hil_tests.fault_matrix --docs docs/fault-matrix.md --html fault-matrix.html $(ARGS)

soak-hil: $(DEV) ## two arms at 1 kHz for half an hour: memory, skips, latency over time; ARGS='--minutes 5'
	$(BIN)/python -m hil_tests.soak $(ARGS)

hil-catches: $(DEV) ## a bad driver for each rule of the conformance test: each is caught
	$(BIN)/python -m pytest hil_tests/test_bad_drivers.py $(ARGS)

fuzz: $(DEV) ## every decoder under atheris, SECONDS=20 each
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[fuzz]'
	$(BIN)/python -m tests.fuzz.run $(or $(SECONDS),20)

references: $(DEV) ## write what the ten reference sessions do now; review the diff
	$(BIN)/python -m tests.recorder.sessions

clean: ## remove the virtual environment and all caches
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache build dist

$(VENV)/bin/pip:
	$(PYTHON) -m venv $(VENV)

$(RUN): pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(DEV): pyproject.toml | $(VENV)/bin/pip
	$(BIN)/pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(RUN)
