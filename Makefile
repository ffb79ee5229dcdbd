# Every command a developer needs. `make` alone lists them.

PYTHON   ?= python3
VENV     ?= .venv
WORKERS  ?= 1
FRAMES   ?= 1000000
RUNS     ?= 100000
KILLS    ?= 200
RECORDS  ?= 10000000
EXAMPLE  := examples/wildlife_strikes
BIN       = $(VENV)/bin
PIP       = $(BIN)/python -m pip --quiet --disable-pip-version-check install
CACHES   := .coverage .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache

# What decides whether a program is run and an operation let through, and the tests of just that.
JUDGING  := src/doublevm/barriers/*,src/doublevm/wire/*
JUDGING  := $(JUDGING),src/doublevm/monitor.py,src/doublevm/history.py,src/doublevm/state.py
JUDGING  := $(JUDGING),src/doublevm/policy.py,src/doublevm/levels.py,src/doublevm/audit.py
JUDGING  := $(JUDGING),src/doublevm/callables.py,src/doublevm/guard_options.py
JUDGING  := $(JUDGING),src/doublevm/guard/*,src/doublevm/guard/rules/*
JUDGING  := $(JUDGING),src/doublevm/operation.py,src/doublevm/verdict.py
JUDGING  := $(JUDGING),src/doublevm/guard/scoring/*,src/doublevm/score.py
JUDGING  := $(JUDGING),src/doublevm/scoring_options.py
JUDGING_TESTS := tests/barriers tests/monitor tests/guard tests/scoring tests/unit/wire \
    tests/unit/test_bind.py tests/unit/test_exceptions.py
# What compares times, and is not run beside other tests.
RATIOS := tests/benchmarks/test_ratios.py
# What says the same on every version of Python: it is about our own code alone, or the kernel's.
ONCE := $(JUDGING_TESTS) tests/fuzz tests/attacks/test_native_probes.py $(RATIOS) \
    tests/looking/test_browser.py

# make says so when its own output is a terminal; colour is for terminals only.
ifneq ($(MAKE_TERMOUT),)
ifndef NO_COLOR
TINT  := \033[1;36m
PLAIN := \033[0m
endif
endif
step = @printf '$(TINT)==> %s$(PLAIN)\n' '$(strip $(1))'
# Shows the command as a user would type it, then runs it.
doublevm = @printf '\n$(TINT)$$ doublevm %s$(PLAIN)\n' '$(1)'; $(BIN)/doublevm $(1)

# A second interpreter for the tests. A name on PATH may be a shim that fails: run it to see.
# Expanded only where it is used, so that no other command pays for the search.
PYTHON_3_13 ?= $(shell for python in python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13.*/bin/python3.13; do \
    "$$python" -c 'import ensurepip, sys; sys.exit(sys.version_info[:2] != (3, 13))' >/dev/null 2>&1 \
    && echo "$$python" && break; done)

.DEFAULT_GOAL := help
# The steps share caches and the terminal: `make -j` runs them one after the other all the same.
.NOTPARALLEL:
.DELETE_ON_ERROR:
.PHONY: help setup browser demo test check coverage pytest ratios pytest-3.13 soak fuzz kills records rungs bench performance matrix policy mutate lock clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: $(VENV)/.ready ## make .venv, with locked dependencies and doublevm itself

# Never one that pip or npm would bring along: the tests take the system's, or are skipped.
browser: ## install Chromium, with which the tests look at audit reports (as root, with apt)
	@for name in chromium chromium-browser google-chrome-stable google-chrome; do \
	    command -v $$name >/dev/null && exit 0; done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    printf '$(TINT)==> %s$(PLAIN)\n' 'chromium, from the system'; \
	    export DEBIAN_FRONTEND=noninteractive; \
	    apt-get update -qq && apt-get install -qq -y --no-install-recommends \
	        chromium fonts-dejavu-core >/dev/null; \
	else echo 'Install the package chromium, as root: the tests of audit reports need it.' >&2; \
	    exit 1; fi

demo: setup ## run the example: a real task, a hostile program, a refused one
	$(call step,A task over 10000 real records; written as a language model would)
	$(call doublevm,run $(EXAMPLE)/program.py --tools $(EXAMPLE)/tools.py --show-operations)
	$(call step,A program that tries to reach the host)
	$(call doublevm,run $(EXAMPLE)/hostile.py --tools $(EXAMPLE)/tools.py --engine cpython --show-operations)
	$(call step,A program refused before it starts)
	@# It has to be refused: exit code 1, the guest's fault, and no other.
	$(call doublevm,run $(EXAMPLE)/refused.py); test $$? -eq 1

test: check coverage ## every check and every test
	@# What coverage has run is not run again.
	@$(MAKE) --no-print-directory pytest WITHOUT='$(JUDGING_TESTS) $(RATIOS)'
	@$(MAKE) --no-print-directory pytest-3.13 WITHOUT='$(ONCE)'
	@$(MAKE) --no-print-directory ratios

check: setup ## the static checks: ruff, mypy, import-linter
	$(call step,ruff)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	$(call step,mypy)
	@$(BIN)/mypy
	$(call step,import-linter)
	@$(BIN)/lint-imports --no-logo

coverage: setup ## the judging core's own tests must reach every line and branch of it
	$(call step,coverage of the judging core)
	@$(BIN)/python -m pytest --quiet --numprocesses 4 --cov --cov-report= $(JUDGING_TESTS)
	@$(BIN)/python -m coverage report --include '$(JUDGING)' --fail-under 100

# Much of the tests' time is waiting for timeouts: four at a time also suit two cores.
pytest: setup
	$(call step,pytest in $(VENV))
	@$(BIN)/python -m pytest --quiet --numprocesses 4 --dist worksteal $(addprefix --ignore ,$(WITHOUT))

ratios: setup
	$(call step,what may not become several times slower)
	@$(BIN)/python -m pytest --quiet $(RATIOS)

pytest-3.13: setup
	@if $(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))'; then exit 0; fi; \
	python='$(PYTHON_3_13)'; \
	if [ -z "$$python" ]; then echo 'no Python 3.13 here: its tests are left out'; exit 0; fi; \
	$(MAKE) --no-print-directory VENV=.venv-3.13 PYTHON="$$python" pytest

# RUNS=… for another number of runs of each pool.
soak: setup ## 1,000 runs of good and bad guests; 100,000 runs over a pool, sync and async; an hour
	$(call step,soak)
	@DOUBLEVM_SOAK_RUNS=1000 DOUBLEVM_POOL_SOAK_RUNS=$(RUNS) \
	    $(BIN)/python -m pytest --quiet --timeout 14400 tests/soak

# SEED=… and TARGET=guest|parent|bytes|source narrow it down; REPLAY=build/fuzz/….json runs one case again.
# ATHERIS=1: libFuzzer looks at what it reaches, for ever; another number ends it after so many runs.
fuzz: $(if $(ATHERIS),build/atheris/.ready,setup) ## a million hostile frames to the parent VM and to the host (FRAMES=…); some minutes
	$(call step,fuzz)
ifdef ATHERIS
	@PYTHONPATH=src build/atheris/bin/python -m tests.fuzz.guided \
	    $(if $(filter-out 1,$(ATHERIS)),-runs=$(ATHERIS))
else
	@$(BIN)/python -m tests.fuzz --frames $(FRAMES) $(if $(SEED),--seed $(SEED)) \
	    $(if $(TARGET),--target $(TARGET)) $(if $(REPLAY),--replay $(REPLAY))
endif

# KILLS=… for another number.
kills: setup ## kill a host under load 200 times: no handler has run without its record; some minutes
	$(call step,kills)
	@DOUBLEVM_KILLS=$(KILLS) $(BIN)/python -m pytest --quiet --numprocesses $(WORKERS) \
	    tests/audit/test_killed.py

# RECORDS=… for another number; FOLDER=… where there is room for some 13 GB.
records: setup ## ten million operations in SQLite: how long each filter takes, and verifying; half an hour
	$(call step,records)
	@$(BIN)/python -m benchmarks.records --records $(RECORDS) $(if $(FOLDER),--folder $(FOLDER))

rungs: setup ## every known escape as root, and on a kernel that offers less; some minutes
	$(call step,rungs)
	@DOUBLEVM_ALL_ESCAPES=1 $(BIN)/python -m pytest --quiet --numprocesses $(WORKERS) \
	    tests/attacks/test_rungs.py

# OPTIONS='--only call,fresh --rounds 9' narrows it down; OPTIONS=--help lists what there is.
bench: build/bench/.ready build/bench-3.13/.ready ## what doublevm costs, beside its floors and its peers; a quarter of an hour
	$(call step,benchmarks)
	@build/bench/bin/python -m benchmarks --json build/bench/results.json $(OPTIONS)
	$(if $(OPTIONS),,@build/bench/bin/python -m benchmarks.judging)
	$(if $(OPTIONS),,@build/bench/bin/python -m benchmarks.reading)
	$(if $(OPTIONS),,@build/bench/bin/python -m benchmarks.audit)
	$(if $(OPTIONS),,@build/bench/bin/python -m benchmarks.jail)
	$(if $(OPTIONS),,@build/bench/bin/python -m benchmarks.ticker)
	$(if $(OPTIONS),,@build/bench/bin/python -m benchmarks.ticker --engine cpython)

# Not made from build/bench: making that anew would take the results with it.
performance: ## write docs/performance.md anew, from what make bench has measured
	@test -f build/bench/results.json || { echo 'There are no results yet: make bench' >&2; exit 1; }
	@build/bench/bin/python -m benchmarks.page build/bench/results.json --write docs/performance.md

matrix: setup ## write docs/security/attack-matrix.md anew, from the corpus of attacks
	@$(BIN)/python tests/attacks/matrix.py

policy: setup ## write docs/policy-reference.md and docs/policy.schema.json anew, from the options
	@$(BIN)/python -m tests.docs.policy_reference

# ONLY='doublevm.state*' takes these mutants alone and leaves what is known of the others.
# ONLY='doublevm.state*' takes these mutants alone and leaves what is known of the others; several
# such patterns may be given. Which tests come by which function is found out anew each time: mutmut
# asks its new tests only, and so would know no old one of a function that is new.
mutate: build/mutate/.ready ## change the judging core in many small ways; each has to fail a test
	$(call step,mutmut)
	@rm -rf mutants$(if $(ONLY),/mutmut-stats.json)
	@build/mutate/bin/mutmut run --max-children $(WORKERS) $(patsubst %,'%',$(ONLY))
	@build/mutate/bin/python tests/mutation/survivors.py

COMPILE = build/lock/bin/uv pip compile --quiet $(UPGRADE) --universal --python-version 3.11 \
    --generate-hashes --no-emit-index-url --annotation-style line \
    --custom-compile-command 'make lock'

lock: ## write requirements/*.txt anew (UPGRADE=--upgrade for newer versions)
	$(call step,requirements/lock.txt; requirements/mutate.txt; requirements/fuzz.txt; requirements/bench.txt)
	@$(PYTHON) -m venv --clear build/lock
	@build/lock/bin/python -m pip --quiet --disable-pip-version-check install uv
	@$(COMPILE) pyproject.toml --extra dev --output-file requirements/lock.txt
	@$(COMPILE) requirements/mutate.in --constraint requirements/lock.txt \
	    --output-file requirements/mutate.txt
	@$(COMPILE) requirements/fuzz.in --constraint requirements/lock.txt \
	    --output-file requirements/fuzz.txt
	@$(COMPILE) requirements/bench.in --constraint requirements/lock.txt \
	    --output-file requirements/bench.txt

clean: ## remove everything that these commands made
	@rm -rf .venv .venv-3.13 build dist mutants $(CACHES)
	@find src tests examples -name __pycache__ -type d -prune -exec rm -rf {} + 2>/dev/null || true

$(VENV)/.locked: requirements/lock.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	    echo "doublevm needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) --version 2>&1 || true)." >&2; \
	    echo 'Name another one: make setup PYTHON=python3.11' >&2; exit 1; }
	$(call step,$(VENV): locked dependencies)
	@$(PYTHON) -m venv --clear $(VENV)
	@# Wheels only: building a source archive would fetch build tools that no hash covers.
	@$(PIP) --require-hashes --only-binary :all: -r requirements/lock.txt
	@touch $@

$(VENV)/.ready: $(VENV)/.locked pyproject.toml
	$(call step,$(VENV): doublevm)
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

# Without doublevm itself: the mutated copy is the only one that can be imported.
build/mutate/.ready: requirements/lock.txt requirements/mutate.txt
	$(call step,build/mutate: locked dependencies and mutmut)
	@$(PYTHON) -m venv --clear build/mutate
	@build/mutate/bin/python -m pip --quiet --disable-pip-version-check install \
	    --require-hashes --only-binary :all: -r requirements/lock.txt -r requirements/mutate.txt
	@touch $@

# Without doublevm itself: it is the imported copy that is watched. There are wheels for Linux alone.
build/atheris/.ready: requirements/lock.txt requirements/fuzz.txt
	$(call step,build/atheris: locked dependencies and atheris)
	@$(PYTHON) -m venv --clear build/atheris
	@build/atheris/bin/python -m pip --quiet --disable-pip-version-check install \
	    --require-hashes --only-binary :all: -r requirements/lock.txt -r requirements/fuzz.txt
	@touch $@

# With doublevm itself. It is compared on one Python with all peers that have wheels for it.
build/bench/.ready: requirements/lock.txt requirements/bench.txt pyproject.toml
	$(call step,build/bench: locked dependencies and doublevm)
	@$(PYTHON) -m venv --clear build/bench
	@build/bench/bin/python -m pip --quiet --disable-pip-version-check install \
	    --require-hashes --only-binary :all: -r requirements/lock.txt -r requirements/bench.txt
	@build/bench/bin/python -m pip --quiet --disable-pip-version-check install \
	    --no-deps --no-build-isolation --editable .
	@touch $@

# The peers that need a newer Python; without one they are left out, and the tables say so.
build/bench-3.13/.ready: requirements/bench.txt
	$(call step,build/bench-3.13: peers that need a newer Python)
	@python='$(PYTHON_3_13)'; \
	if [ -z "$$python" ]; then echo 'no Python 3.13 here: pyeryx is left out'; exit 0; fi; \
	"$$python" -m venv --clear build/bench-3.13 && \
	build/bench-3.13/bin/python -m pip --quiet --disable-pip-version-check install \
	    --require-hashes --only-binary :all: -r requirements/bench.txt && \
	touch $@
