# Two commands do all: `make demo` runs an acquirer, `make test` passes the tests.
# `make bench` measures (ten minutes), `make bench-peers` beside the competition.
# Each target is a few plain commands; the README prints them too.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
NATIVE := $(shell find native src/posengine/_native CMakeLists.txt pyproject.toml -type f 2>/dev/null)

.PHONY: demo test bench bench-peers build clean

demo: build
	$(BIN)/posengine demo

test: build
	$(BIN)/python tools/check.py

bench: build
	$(BIN)/python bench/run.py

bench-peers: build
	$(BIN)/python bench/run.py --peers

build: $(VENV)/.built

$(VENV)/.deps: tools/constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tools/constraints.txt
	touch $@

$(VENV)/.built: $(VENV)/.deps $(NATIVE)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
		-C build-dir=build/editable -e .
	touch $@

clean:
	rm -rf $(VENV) build dist
