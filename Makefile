# Every target first installs what is missing. PYTHON names an interpreter, TESTS goes to pytest.
.DEFAULT_GOAL := help
.PHONY: help install test check docs bench demo clean

DATA ?=
FACESKETCH := .venv/bin/facesketch

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

install:  ## Create .venv or update it
	@scripts/install

test: install  ## Run the tests; TESTS=tests/images runs some of them
	@scripts/test $(TESTS)

check: install  ## Check style, types, imports and spelling
	@scripts/check

docs: install  ## Build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 .venv/bin/mkdocs build --strict

bench: install  ## Time training steps and translations, and append the ratios to benchmarks/history.jsonl
	.venv/bin/python benchmarks/training.py --history benchmarks/history.jsonl
	.venv/bin/python benchmarks/floor.py

demo: install  ## Try everything on drawn faces; DATA=folder takes your own pairs
	test -n "$(DATA)" || $(FACESKETCH) data sample demo/faces --pairs 40 --size 128 --seed 0
	$(FACESKETCH) study "$(or $(DATA),demo/faces)" --out "demo/study-of-$(notdir $(abspath $(or $(DATA),faces)))"

clean:  ## Remove what these targets made, including .venv
	rm -rf .venv build dist demo site .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis tests/web/node_modules
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
