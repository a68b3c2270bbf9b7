# Two commands do all: `make demo` runs an acquirer, `make test` passes the tests.
# `make bench` measures (ten minutes), `make bench-peers` beside the competition.
# Each target is a few plain commands; the README prints them too.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
POSLOAD := $(shell find tools/posload -type f -not -path '*/__pycache__/*' -not -path '*/target/*' 2>/dev/null)
NATIVE := $(shell find native src/posengine/_native CMakeLists.txt pyproject.toml -type f 2>/dev/null)

.PHONY: demo test bench bench-peers posload build clean

demo: build
	$(BIN)/posengine demo

test: build posload
	$(BIN)/python tools/check.py

bench: build posload
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

posload: $(VENV)/.posload

$(VENV)/.posload: $(VENV)/.deps $(POSLOAD)
	@command -v cargo >/dev/null || { echo "posload, the load generator, is Rust: apt install cargo" >&2; exit 1; }
	PATH="$(CURDIR)/$(BIN):$$PATH" CARGO_TARGET_DIR=$(CURDIR)/build/posload $(BIN)/python -m pip install --quiet \
		--disable-pip-version-check --no-deps --no-build-isolation --force-reinstall tools/posload
	touch $@

clean:
	rm -rf $(VENV) build dist
