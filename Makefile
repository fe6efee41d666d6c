# Every target works alone: it creates .venv and installs what it needs first.
.PHONY: demo test check drills bench wheels constraints lock format screenshots catalogues
PYTHON ?= python3
BIN := .venv/bin
# Tests of one file run in one process, because they share servers; `tests/distribution.py` sets the number of processes.
# PYTHONDONTWRITEBYTECODE is cleared, or every process that a test starts would compile the bot again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile
STAMP := .venv/installed
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
# Builds the project. uv leaves it out of the resolution because it is no dependency.
SETUPTOOLS := 80.9.0
COMPILE := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --extra dev

demo: $(STAMP)
	$(BIN)/fewshot demo

test: $(STAMP)
	$(PYTEST)

check: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(PYTEST)

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

drills: $(STAMP)
	$(BIN)/python -m pytest tests/drills -s
	$(BIN)/python -m pytest tests -m slow
	$(BIN)/python -m pytest tests/engine/lora/test_training.py -rs

bench: $(STAMP)
	$(BIN)/python -m tests.bench

catalogues: $(STAMP)
	$(BIN)/python -m bot.locales

screenshots: $(STAMP)
	$(BIN)/python -m docs.screenshots

# requirements.lock pins every version with its hashes. Packages come from wheels/ if that folder exists (`make wheels`
# fills it, for machines without network), else from the index.
$(STAMP): pyproject.toml requirements.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Fewshot needs Python 3.11 or later; try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This Python cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@if [ -d wheels ]; then set -- --no-index --find-links wheels; else set --; fi; \
	$(PIP) install "$$@" --require-hashes -r requirements.lock && $(PIP) install "$$@" --no-deps --no-build-isolation -e . \
	|| { echo "Installing failed: the package index cannot be reached and there is no usable wheels/ folder. Run 'make wheels' on a machine with network and copy wheels/ here." >&2; exit 1; }
	@touch $(STAMP)

wheels: $(STAMP)
	$(PIP) download --require-hashes -r requirements.lock -d wheels

# `constraints` resolves all versions anew. `lock` writes the versions of constraints.txt with their hashes.
constraints: $(STAMP)
	$(PIP) install uv
	$(COMPILE) -o constraints.new pyproject.toml
	(printf '%s\n' "# Every version that an installation gets, for Python 3.11 and later on Linux, macOS and Windows." "# Made by: make constraints"; \
	cat constraints.new; echo "setuptools==$(SETUPTOOLS)") > constraints.txt; rm constraints.new
	$(MAKE) lock

lock:
	test -x $(BIN)/uv || $(PIP) install uv
	echo "setuptools==$(SETUPTOOLS)" | $(COMPILE) --generate-hashes -c constraints.txt -o requirements.new pyproject.toml -
	(printf '%s\n' "# The versions of constraints.txt with their hashes. Made by: make lock"; cat requirements.new) > requirements.lock; rm requirements.new
