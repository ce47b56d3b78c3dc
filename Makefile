# The commands of this checkout. Everything they need besides make, Python and (for hosts) podman goes into .venv.
.DEFAULT_GOAL := help
.PHONY: help demo demo-down test lint test-unit test-molecule venv lock clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' Makefile | expand -t 18

demo: ## Boot a bare Debian host and make a living PanDA server of it
	@tests/hosts/demo

demo-down: ## Remove the demo's host
	@tests/hosts/demo down

test: ## Everything: lint, unit tests and all Molecule scenarios
	@tests/run lint unit molecule

lint: ## ansible-lint, yamllint, ruff, mypy, shellcheck
	@tests/run lint

test-unit: ## The unit tests of the modules
	@tests/run unit

test-molecule: ## One scenario (SCENARIO=fleet), or all of them
	@tests/run molecule $(SCENARIO)

venv: ## Make .venv with the tools that tests/requirements.txt locks
	@tests/venv

lock: venv ## Compile tests/requirements.in into tests/requirements.txt
	.venv/bin/uv pip compile --upgrade --universal --python-version 3.11 --generate-hashes --no-header \
	  --output-file tests/requirements.txt tests/requirements.in

clean: ## Remove .venv, caches, the demo's host and the images of hosts
	@tests/hosts/clean
