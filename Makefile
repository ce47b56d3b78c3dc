# The commands of this checkout. Everything they need besides make, Python and (for hosts) podman goes into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test lint test-unit test-integration test-molecule docs build bench venv lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 20

demo: ## Boot a bare Debian host and make a living PanDA server of it
	@tests/hosts/demo

demo-down: ## Remove the demo's host
	@tests/hosts/demo down

test: ## Everything below up to test-molecule
	@tests/run lint unit docs build integration molecule

lint: ## ansible-lint, ansible-test sanity, mypy, ruff, yamllint, shellcheck, roles' variables, licences, changelog, documentation
	@tests/run lint

test-unit: ## The unit tests of the modules, and what roles, documentation and the tree have to be like
	@tests/run unit

docs: ## Build the documentation site into .cache/docs/html
	@tests/run docs

build: ## Build the tarball into .cache/build, as Galaxy wants it
	@tests/run build

test-integration: ## ansible-test: units on other Pythons, modules here and on a host, the newest ansible-core
	@tests/run integration

test-molecule: ## One scenario (SCENARIO=fleet), or all of them
	@tests/run molecule $(SCENARIO)

bench: venv ## Time what has to be fast
	@for each in tests/benchmarks/*; do echo "--- $$each"; PATH=$(CURDIR)/.venv/bin:$$PATH $$each || exit; done

venv: ## Make .venv with the tools that tests/requirements.txt locks
	@tests/venv

lock: venv ## Compile tests/requirements*.in into what tests/venv installs
	.venv/bin/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	  --output-file tests/requirements.txt tests/requirements.in
	.venv/bin/uv pip compile --upgrade --universal --python-version 3.12 --generate-hashes --no-header \
	  --output-file tests/requirements-newest.txt tests/requirements-newest.in

clean: ## Remove .venv, caches, the demo's host and the images of hosts
	@tests/hosts/clean
