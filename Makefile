# make demo and make test need nothing but Python 3.11 or newer: they make .venv themselves.
PYTHON ?= python3
BIN := .venv/bin
# Torch for the processor alone; on Linux, the package index has it with CUDA.
PROCESSOR := https://download.pytorch.org/whl/cpu
REACHABLE := timeout 3 $(BIN)/python -c "import urllib.request as u; u.urlopen('$(PROCESSOR)/torch/').read(1)"

.PHONY: setup demo test test-gpu lint bench docs texts clean

setup: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -m venv .venv
	@if [ "$$(uname)" = Linux ] && ! nvidia-smi >/dev/null 2>&1 && $(REACHABLE) 2>/dev/null; then \
	  echo "No NVIDIA card: torch for the processor, about 0.2 GB to load and 1 GB on disk"; \
	  $(BIN)/pip install --index-url $(PROCESSOR) torch torchvision || $(BIN)/pip install torch torchvision; \
	else \
	  echo "Torch from the package index: on Linux about 3 GB to load and 6.4 GB on disk, some minutes"; \
	  $(BIN)/pip install torch torchvision; \
	fi
	$(BIN)/pip install --editable '.[dev,docs,tensorboard,mlflow,wandb,weights,maps,rcnn,hf,export,ray,search]'
	touch $@

demo: setup
	$(BIN)/assay run studies/digits.yaml

test: setup lint
	$(BIN)/pytest --numprocesses 2 --dist loadfile

test-gpu: setup
	$(BIN)/python -c "import torch; print('on', torch.cuda.get_device_name() if torch.cuda.is_available() else 'the processor')"
	$(BIN)/pytest -m card

lint: setup
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

bench: setup
	for script in benchmarks/bench_*.py; do $(BIN)/python $$script || exit 1; done

# What pages say in other languages: catalogues brought up to date with the code, and compiled.
texts: setup
	PYTHONPATH=src $(BIN)/python documentation/texts.py

# The first time it trains the studies of the gallery, some minutes; after that it takes a moment.
docs: setup
	$(BIN)/python documentation/gallery.py build/gallery
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "the site: build/site/index.html"

clean:
	rm -rf .venv runs build
