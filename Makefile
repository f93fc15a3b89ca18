# `make help` lists the targets. All need Python 3.11 or later with venv, and make a virtual environment in .venv.

# PYTHON=... makes the virtual environment; without it, the system's python3 if it is new enough, else the one in PATH
PYTHON ?=
VENV ?= .venv
BIN = $(VENV)/bin
# one worker more than processors, as tests of whole servers mostly wait
WORKERS = $$(($$(getconf _NPROCESSORS_ONLN) + 1))
PACKAGING = setup.cfg pyproject.toml
# twistd finds the plugin of an editable install only in this mode
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --config-settings editable_mode=compat -e

.PHONY: help demo test quick test-crash test-alerting test-soak test-nginx cluster screenshots bench api-examples check lint types imports words docstrings vendor docs news package source clean \
    torture vigil rooms

help:
	@echo "make demo            start a server and ten simulated devices, send commands, keep running until Ctrl-C"
	@echo "make demo ONCE=1     the same, but stop when the commands are done; exits 0 if all outcomes are as expected"
	@echo "make demo PORT=9080  the same, with devices on port 9080 and the admin API on 9081; default: 8080 and 8081"
	@echo "make test            run all tests; TESTS=tests/core runs those of one folder"
	@echo "make quick           run the fast tests, which start no processes; under 90 seconds"
	@echo "make test-crash      kill the server again and again under load and check its guarantees; two minutes"
	@echo "make test-alerting   let simulated devices go offline and check every alert; two minutes"
	@echo "make test-soak       serve friendly and hostile clients and check that nothing accumulates; 25 minutes"
	@echo "make cluster         disturb three servers with 3,000 devices that share a PostgreSQL database; five minutes"
	@echo "make test-nginx      serve 2,000 simulated devices through nginx; two minutes"
	@echo "make bench           measure the server and compare it with other servers; ten minutes"
	@echo "make api-examples    write the examples of the OpenAPI document anew, from real answers"
	@echo "make screenshots     pictures of all pages of the dashboard, in build/screenshots; one minute"
	@echo "make check           run lint, types, imports, words, docstrings, vendor, docs, news (all of them: make source) and package"
	@echo "make clean           delete the virtual environment and everything that was built"

$(VENV)/pyvenv.cfg:
	@python=$$(sh tools/find_python.sh $(PYTHON)) && $$python -m venv $(VENV) || { rm -f $@; exit 1; }

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
	$(BIN)/python -m pushd.demo $(if $(PORT),--port $(PORT)) $(if $(ONCE),--once) $(DEMO)

test: $(VENV)/.for-test
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal $(TESTS)

quick: $(VENV)/.for-test
	$(BIN)/python -m pytest -n auto --dist worksteal -m "not slow" --hypothesis-profile=quick $(TESTS)

test-crash: $(VENV)/.for-test
	$(BIN)/python -m tests.crash $(CRASH)

cluster: $(VENV)/.for-test
	$(BIN)/python -m tests.cluster $(CLUSTER)

test-nginx: $(VENV)/.for-test
	NGINX_DEVICES=2000 $(BIN)/python -m pytest -v tests/integration/test_nginx.py

screenshots: $(VENV)/.for-test
	$(BIN)/python -m tests.dashboard.screenshots build/screenshots

bench: $(VENV)/.for-test
	$(BIN)/python -m benchmarks $(BENCH)

test-alerting: $(VENV)/.for-test
	$(BIN)/python -m tests.alerting $(ALERTING)

test-soak: $(VENV)/.for-test
	$(BIN)/python -m tests.soak $(SOAK)

api-examples: $(VENV)/.for-test
	$(BIN)/python -m tests.api_examples

check: source package

source: lint types imports words docstrings vendor docs news

lint: $(VENV)/.for-check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.for-check
	$(BIN)/mypy

imports: $(VENV)/.for-check
	$(BIN)/lint-imports

words: $(VENV)/.for-check
	$(BIN)/python -m tools.lint_words

docstrings: $(VENV)/.for-check
	$(BIN)/python -m tools.check_docstrings pushd tests benchmarks tools

vendor: $(VENV)/.for-check
	$(BIN)/python -m tools.vendor --check

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

# Former names of targets.
torture:
	@echo "make torture is now make test-crash (its options: CRASH=...)"; exit 1

vigil:
	@echo "make vigil is now make test-alerting (its options: ALERTING=...)"; exit 1

rooms:
	@echo "make rooms is now make imports"; exit 1
