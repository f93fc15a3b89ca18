# Two commands are enough: `make demo` and `make test`. All else is for those who change pushd.
# They need Python 3.11 or later with venv, and nothing more.

PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
PACKAGING = setup.cfg pyproject.toml
# the drop-in below twisted/plugins is found from an editable install only in this mode
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e

.PHONY: help demo test torture vigil bench check lint types rooms docs news package clean

help:
	@echo "make demo          start the server and ten simulated devices, send them commands, leave it running"
	@echo "make demo ONCE=1   the same, and end; the exit code tells whether every outcome was the expected one"
	@echo "make test          run all tests"
	@echo "make torture       kill the server again and again, and see whether it keeps its promises; two minutes"
	@echo "make bench         measure the server beside what else people use; ten minutes"
	@echo "make vigil         let some of 2000 devices fall silent, and see whether exactly that is told; two minutes"
	@echo "make check         lint, types, rooms, docs, package"

$(VENV)/pyvenv.cfg:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.for-demo: $(VENV)/pyvenv.cfg $(PACKAGING)
	$(INSTALL) .
	@touch $@

$(VENV)/.for-test: $(VENV)/.for-demo
	$(INSTALL) ".[test]"
	@touch $@

$(VENV)/.for-check: $(VENV)/.for-test
	$(INSTALL) ".[dev]"
	@touch $@

demo: $(VENV)/.for-demo
	$(BIN)/python -m pushd.demo $(if $(ONCE),--once) $(DEMO)

test: $(VENV)/.for-test
	$(BIN)/python -m pytest -n auto $(TESTS)

torture: $(VENV)/.for-test
	$(BIN)/python -m tests.crash $(TORTURE)

bench: $(VENV)/.for-test
	$(BIN)/python -m benchmarks $(BENCH)

vigil: $(VENV)/.for-test
	$(BIN)/python -m tests.alerting $(VIGIL)

check: lint types rooms docs news package

lint: $(VENV)/.for-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.for-check
	$(BIN)/mypy

rooms: $(VENV)/.for-check
	$(BIN)/lint-imports

docs: $(VENV)/.for-check
	$(BIN)/sphinx-build -W --keep-going -q -b html docs docs/_build/html

news: $(VENV)/.for-check
	$(BIN)/towncrier build --draft --version NEXT > /dev/null

package: $(VENV)/.for-check
	rm -rf build dist
	$(BIN)/python -m build --outdir dist . > /dev/null
	$(BIN)/python -m tools.check_package dist

clean:
	rm -rf $(VENV) .venv-bench build dist docs/_build *.egg-info
