# The two commands of a fresh machine: `make demo`, `make test`. `make help` lists the rest.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
export ANSIBLE_COLLECTIONS_PATH := $(CURDIR)/.collections
# Everything that Ansible and its tools write for themselves stays in the checkout, so that no stale copy of the collection is found elsewhere.
export ANSIBLE_HOME := $(CURDIR)/.cache/ansible
export SANDBOX_PYTHON := $(CURDIR)/.venvs/sandbox/bin/python
# Modules are imported hundreds of times in a run: without bytecode each import costs about three times as much.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

DEV := .venvs/dev/bin
LINK := .collections/ansible_collections/ethereal/spot
PORT ?= 4577

.PHONY: help setup demo test test-full bench bench-fleet sandbox env lint judges sanity unit integration molecule docs package clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' Makefile | awk -F ':.*## ' '{printf "  %-12s %s\n", $$1, $$2}'

$(LINK):
	@mkdir -p $(@D) && ln -s ../../.. $@

setup: $(LINK) ## make the environments that the demo and the tests run in
	@tools/environment dev
	@tools/environment sandbox

demo: setup ## a hub and two worker regions on the sandbox: provision, place, show, tear down
	@$(DEV)/python tools/demo.py

test: setup ## everything that CI runs
	@$(DEV)/python tools/run_tests.py

test-full: setup ## make test, and whatever is slow: whole lives of roles, the newest ansible-core, the Galaxy importer
	@$(DEV)/python tools/run_tests.py --full

bench: setup ## module runs, API calls and CPU of `site`; with YARDSTICK=FOLDER Terraform's beside it
	@$(DEV)/python tools/bench.py

bench-fleet: setup ## CPU, memory and API calls of one fleet made, unchanged and deleted; with YARDSTICK=FOLDER Terraform's beside it
	@$(DEV)/python tools/bench_fleet.py

sandbox: setup ## the local AWS in the foreground, on PORT
	@SANDBOX_MODELS=$$(echo .venvs/dev/lib/python3*/site-packages/botocore/data) exec $(SANDBOX_PYTHON) -m sandbox $(PORT)

env: $(LINK) ## export lines for working by hand against `make sandbox`; use make -s env PORT=n
	@$(DEV)/python tools/local_aws.py env $(PORT)

lint: setup ## formatting, Python and Ansible lint, changelog and documentation
	@$(DEV)/python tools/run_tests.py lint

judges: setup ## cfn-lint and checkov on the templates
	@$(DEV)/python tools/run_tests.py judges

sanity: setup ## ansible-test sanity
	@$(DEV)/python tools/run_tests.py sanity

unit: setup ## unit tests
	@$(DEV)/python tools/run_tests.py unit

integration: setup ## the sandbox's own tests and the collection's targets on it
	@$(DEV)/python tools/run_tests.py sandbox integration

molecule: setup ## one scenario per role
	@$(DEV)/python tools/run_tests.py molecule

package: setup ## build the tarball, install it into a clean environment, run site from there
	@$(DEV)/python tools/run_tests.py package

clean: ## remove everything that make made
	rm -rf .venvs .collections .cache .pytest_cache .ruff_cache .hypothesis collections dist tests/output
