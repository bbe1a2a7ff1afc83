# make demo and make test need nothing but Python 3.11 or newer: they make .venv themselves.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: setup demo test lint bench clean

setup: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet torch torchvision
	$(BIN)/pip install --quiet --editable '.[dev,tensorboard,weights,maps]'
	touch $@

demo: setup
	$(BIN)/assay run studies/digits.yaml

test: setup lint
	$(BIN)/pytest

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

clean:
	rm -rf .venv runs
