# What a clone needs: `make test` installs on its own. PYTHON names an interpreter, TESTS narrows the tests.
.DEFAULT_GOAL := help
.PHONY: help install test check demo clean

DATA ?=
FACESKETCH := .venv/bin/facesketch

help:  ## Show this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 10

install:  ## Make .venv, or bring it up to date
	@scripts/install

test: install  ## Run the tests; TESTS=tests/test_images.py runs some
	@scripts/test $(TESTS)

check: install  ## Check style, types and the direction of imports
	@scripts/check

demo: install  ## Try everything on drawn faces; DATA=folder takes yours
	test -n "$(DATA)" -o -d demo/faces || $(FACESKETCH) data sample demo/faces --pairs 40 --size 128 --seed 0
	$(FACESKETCH) study "$(or $(DATA),demo/faces)" --out "demo/study-of-$(notdir $(abspath $(or $(DATA),faces)))"

clean:  ## Remove what these targets made, .venv too
	rm -rf .venv build dist demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
