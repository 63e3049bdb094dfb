# Canh Mặn: everything a developer types. `make` alone shows the list.
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo install test soak faults fuzz skill lint format docs web clean

START := $(shell date +%s)
# $(call timed,NAME,COMMAND): run COMMAND, print how long NAME took, keep the exit code
timed = status=0; { $(2); } || status=$$?; echo "$(1) took $$(( $$(date +%s) - $(START) )) s"; exit $$status
ARGS ?=
# three processes (tests wait for servers, so two cores have room), a file of tests in each at a time, in the order of tests/conftest.py: every test has servers,
# ports and folders of its own
WORKERS ?= 3
# what Python compiles is kept and shared, whatever the environment says: each of some hundred processes would compile for seconds
COMPILED = $(CURDIR)/.pytest_cache/compiled

help: ## this list
	@sed -n 's/^\([a-z]*\):[^#]*## \(.*\)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## the whole path on this machine, with simulated sensors (ARGS="--port 8080")
	@deploy/install.sh
	@.venv/bin/canhman demo $(ARGS)

install: ## .venv/bin/canhman, from uv.lock
	@deploy/install.sh

test: ## every test, with real servers (ARGS="-k journal" chooses)
	@deploy/install.sh test lint
	@deploy/test_servers.sh
	@$(call timed,make test,PYTHONDONTWRITEBYTECODE= PYTHONPYCACHEPREFIX=$(COMPILED) .venv/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS))

soak: ## the demo for an hour: memory, log, every object stored once (ARGS=5 minutes)
	@deploy/install.sh
	@.venv/bin/python bench/soak.py $(ARGS)

faults: ## docs/faults.md: every fault with real servers, stored held against acknowledged; what is done is kept in .make/faults (ARGS="--row kills")
	@deploy/install.sh test
	@deploy/test_servers.sh
	@.venv/bin/python -m bench.faults $(ARGS)

fuzz: ## docs/fuzz.md: a million damaged inputs to everything that reads bytes of strangers (ARGS="--inputs 20000 --seed 1")
	@deploy/install.sh
	@.venv/bin/python -m bench.fuzz $(ARGS)

bench: ## docs/speed.md: messages a second, CPU a message, publish to stored, memory, beside what one would otherwise write (ARGS="--part live")
	@deploy/install.sh test
	@deploy/test_servers.sh
	@.venv/bin/python -m bench.ingest $(ARGS)

skill: ## docs/skill.md: the forecasts tried on every measured set of SHARED_DIR; what is done is kept in .make/skill (ARGS="--jobs 2")
	@deploy/install.sh
	@OMP_NUM_THREADS=1 .venv/bin/python -m bench.skill $(ARGS)

lint: ## ruff, mypy, layers, dependencies, lock
	@deploy/install.sh test lint
	@$(call timed,make lint,.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/mypy && .venv/bin/lint-imports && .venv/bin/deptry . && .venv/bin/uv lock --check --quiet)

format: ## put the code into its form
	@deploy/install.sh test lint
	@.venv/bin/ruff check --fix . ; .venv/bin/ruff format .

docs: ## write the tables of docs/ anew from what they tell of
	@deploy/install.sh test lint
	@.venv/bin/python deploy/docs_tables.py docs

web: ## the heading font of the pages, where npm is at hand
	@deploy/web.sh

clean: ## remove what was made here (.venv and caches)
	@rm -rf .venv node_modules api/web/static/fonts .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
