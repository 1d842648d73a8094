# make demo and make test are all that a new user needs; both make the virtual environment first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed

.PHONY: demo test lint proto bench install docs clean

demo: install
	$(BIN)/blindmatch simulate pilot --out pilot

test: install
	$(BIN)/python tools/test.py

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

proto: install
	$(BIN)/python tools/generate_proto.py

bench: install
	$(BIN)/blindmatch bench

docs: install
	$(BIN)/python tools/generate_docs.py

install: $(STAMP)

# The C sources are built by the install: a change there asks for another.
$(STAMP): pyproject.toml $(wildcard protocol/*/native/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[parquet,postgres]" --group dev
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist
