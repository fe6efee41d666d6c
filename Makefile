# Every target works alone: it creates .venv and installs what it needs first.
.PHONY: demo test check drills bench wheels constraints format screenshots catalogues
PYTHON ?= python3
BIN := .venv/bin
# Tests of one file run in one process, because they share servers; `tests/distribution.py` sets the number of processes.
# PYTHONDONTWRITEBYTECODE is cleared, or every process that a test starts would compile the bot again.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -n auto --dist loadfile
STAMP := .venv/installed

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

bench: $(STAMP)
	$(BIN)/python -m tests.bench

catalogues: $(STAMP)
	$(BIN)/python -m bot.locales

screenshots: $(STAMP)
	$(BIN)/python -m docs.screenshots

# Install from wheels/ if that folder exists (`make wheels` fills it, for machines without network), else from the index.
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Fewshot needs Python 3.11 or later; try: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || { echo "This Python cannot make virtual environments; on Debian and Ubuntu: sudo apt install python3-venv" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@if [ -d wheels ]; then set -- --no-index --find-links wheels; else set --; fi; \
	PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$@" -c constraints.txt -e ".[dev]" \
	|| { echo "Installing failed: the package index cannot be reached and there is no usable wheels/ folder. Run 'make wheels' on a machine with network and copy wheels/ here." >&2; exit 1; }
	@touch $(STAMP)

wheels: $(STAMP)
	$(BIN)/python -m pip download --quiet --disable-pip-version-check -c constraints.txt -d wheels ".[dev]" "setuptools>=77" wheel

constraints: $(STAMP)
	$(BIN)/python -m pip install --quiet uv
	(printf '%s\n' "# Every version that an installation gets, for Python 3.11 and later on Linux, macOS and Windows." "# Made by: make constraints"; \
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-annotate --no-emit-index-url --extra dev pyproject.toml \
	| grep -v '^fewshot'; echo "setuptools==80.9.0") > constraints.new && mv constraints.new constraints.txt
