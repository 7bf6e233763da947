# Steelyard. `make quickstart` and `make test` are the two commands; the rest is for those who build it.
.PHONY: quickstart test test-all lint bench docs clean system system-tests models

VENV ?= .venv
PY := $(VENV)/bin/python
STEELYARD := $(VENV)/bin/steelyard

quickstart: $(VENV)/.user
	$(STEELYARD) models pull smollm2
	$(STEELYARD) run quickstart
	$(STEELYARD) rank humaneval-pro
	$(STEELYARD) rank softmax --where "kind == 'time'"
	$(STEELYARD) claims softmax --time 2m
	$(STEELYARD) claims humaneval-pro self-debug --no-measure
	$(STEELYARD) report
	@echo "Next:  $(STEELYARD) show softmax   |   $(STEELYARD) compare torch two-pass --on softmax --where \"kind == 'time'\""
	@echo "       $(STEELYARD) papers         |   open report.html   |   docs/running.md"

test: system-tests lint models
	$(PY) -m pytest -n 2 --dist loadfile

test-all: system-tests lint models
	$(PY) -m pytest -n 2 --dist loadfile -m "slow or not slow"

lint: $(VENV)/.dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

bench: $(VENV)/.dev
	for bench in benches/*.py; do echo "== $$bench"; $(PY) $$bench || exit 1; done

docs: $(VENV)/.dev
	$(PY) scripts/generate_docs.py

system:
	bash scripts/system-packages

system-tests:
	bash scripts/system-packages --tests

# torch is asked for by its exact version: that is the CPU build where one is at hand.
$(VENV)/.torch: | system
	python3 -m venv $(VENV)
	$(PY) -m pip install -q --upgrade pip
	$(PY) -m pip install -q torch==2.13.0
	touch $@

$(VENV)/.user: $(VENV)/.torch pyproject.toml CMakeLists.txt $(wildcard native/*)
	$(PY) -m pip install -q -e '.[models]'
	touch $@

$(VENV)/.dev: $(VENV)/.torch pyproject.toml CMakeLists.txt $(wildcard native/*)
	$(PY) -m pip install -q -e '.[models,code,lab,dev]'
	touch $@ $(VENV)/.user

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

models: $(VENV)/.dev
	$(STEELYARD) models pull smollm2
