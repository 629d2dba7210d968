# `make demo` and `make test` need nothing but Python >= 3.11; everything is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
INSTALLED := .venv/.installed
DOCS_INSTALLED := .venv/.installed-docs
SOURCES := neurokit_fm $(wildcard plugins datasets tokenizers)
# A thread that waits must not spin: on a busy machine that costs many times the work itself.
export OMP_WAIT_POLICY = PASSIVE
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet -c constraints.txt

.PHONY: demo test lint types bench docs readme clean

demo: $(INSTALLED)
	$(BIN)/nkfm demo

# One process a core, each with one thread.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n auto --dist worksteal $(ARGS)

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(INSTALLED)
	$(BIN)/mypy $(SOURCES)

bench: $(INSTALLED)
	set -e; for file in benchmarks/*.py; do echo "== $$file"; $(BIN)/python $$file; done

docs: $(DOCS_INSTALLED)
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

readme: $(INSTALLED)
	$(BIN)/python docs/readme.py

clean:
	rm -rf .venv build dist demo docs/_build docs/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis

# torch comes first and pinned, so that no later step resolves it anew; hatchling is pinned too, hence no build isolation.
$(INSTALLED): pyproject.toml constraints.txt
	@echo "installing into .venv (once; again only when pyproject.toml or constraints.txt change)"
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) torch==2.13.0 numpy
	$(PIP) hatchling
	$(PIP) --no-build-isolation -e ".[dev]"
	touch $@

$(DOCS_INSTALLED): $(INSTALLED)
	$(PIP) --no-build-isolation -e ".[dev,docs]"
	touch $@
