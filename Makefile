# make demo and make test are all that a new user needs; both make the virtual environment first.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
NATIVE := $(wildcard protocol/*/native/*.c protocol/*/native/*.h)

.PHONY: demo test lint proto bench bench-check peers install docs fuzz dudect wheel clean

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

# Measurements: figures and plots go to ./bench. `make peers` also installs the packages that we are measured against.
bench: install
	$(BIN)/blindmatch bench kernel --out bench
	$(BIN)/blindmatch bench pair --out bench
	$(BIN)/blindmatch bench import --out bench
	$(BIN)/blindmatch bench peers --out bench
	$(BIN)/blindmatch bench scale --out bench

# Has the code become dearer? Whatever the machine's pace; see docs/bench.md.
bench-check: install
	$(BIN)/blindmatch bench check

peers: install
	$(BIN)/blindmatch bench peers --install --out bench

docs: install
	$(BIN)/python tools/generate_docs.py
	$(BIN)/python tools/architecture_docs.py

# The native kernel's decoding and arithmetic under sanitizers (seconds), and whether its time depends on secrets (minutes, a quiet machine).
fuzz:
	$(PYTHON) tools/kernel_checks.py fuzz

dudect:
	$(PYTHON) tools/kernel_checks.py timing

# The wheel and the sdist, built, tried in clean environments with and without a compiler, and left in ./dist. Minutes.
wheel:
	$(PYTHON) tools/wheel_checks.py dist

install: $(STAMP)

$(STAMP): pyproject.toml $(NATIVE)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --editable ".[cluster,parquet,postgres]" --group dev
	# An editable installation is not compiled by pip; without its bytecode every command would compile it anew.
	$(BIN)/python -m compileall -q protocol node proto simulations
	touch $(STAMP)

clean:
	rm -rf $(VENV) build dist
	rm -f protocol/*/_native*.so
