.DEFAULT_GOAL := help
SHELL := /bin/bash

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Marks the installed requirements; a changed lock file triggers a new install.
INSTALLED := $(VENV)/.installed
# A second environment with the benchmark contenders, for `make bench` only.
BENCH_VENV := .venv-bench
BENCH_BIN := $(BENCH_VENV)/bin
BENCH_INSTALLED := $(BENCH_VENV)/.installed

# Arguments of the demo: `make demo COUNCILS="sutton" FROM=2017-01 TO=2017-03`.
COUNCILS ?=
SOURCES ?=
FROM ?=
TO ?=
ASKED = $(SOURCES) $(addprefix --council ,$(COUNCILS)) $(if $(FROM),--from $(FROM)) $(if $(TO),--to $(TO))

# The commands for Compose and containers.
COMPOSE ?= docker compose
DOCKER ?= docker

# What `test-slow` runs with more examples than `test` does; the longest first, two at a time.
SLOW_TESTS := tests/integration/test_broken_models.py tests/incremental \
  tests/integration/test_paging_servers.py tests/dags/test_broken_definitions.py

help: ## List the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-24s %s\n", $$1, $$2}'

$(INSTALLED): requirements.txt requirements-local.txt pyproject.toml
	@case "$$PWD" in *'$$'*) \
	  echo "Airflow replaces \$$NAME in paths: $$PWD. Move the checkout to a path without a dollar sign."; exit 1;; esac
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "Wandle needs Python 3.11, 3.12 or 3.13; $(PYTHON) is $$($(PYTHON) --version). Try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Python's venv is missing. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@sed -n '/^uv==/,/[^\\]$$/p' requirements-local.txt > $(VENV)/uv.txt
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@echo "Installing into $(VENV) (a minute or two the first time)"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.txt requirements-local.txt
	@$(MAKE) --no-print-directory editable
	@touch $@

# The checkout itself, by a relative path: with an absolute one in another encoding than the
# locale's (accents and LC_ALL=C), Python does not even start.
editable: INTO ?= $(VENV)
editable:
	@$(or $(UV),$(BIN)/uv) pip install --quiet --python $(INTO)/bin/python --no-deps --no-build-isolation --editable .
	@for path in $(INTO)/lib/python3*/site-packages/_wandle.pth; do echo ../../../.. > "$$path"; done

# PostgreSQL refuses to run as root: check for a way around that before anything is installed.
account:
	@$(PYTHON) -m include.local.account "$${WANDLE_HOME:-.local}"

install: $(INSTALLED) ## Create or update the virtual environment
	@echo "Installed into $(VENV). Next: make demo"

demo: account $(INSTALLED) ## Run the main job end to end and leave the platform running
	@$(BIN)/wandle demo $(ASKED)

up: account $(INSTALLED) ## Start the local platform
	@$(BIN)/wandle up

down: $(INSTALLED) ## Stop the local platform; data is kept
	@$(BIN)/wandle down

status: $(INSTALLED) ## Show the status of each service
	@$(BIN)/wandle status

check: lint test ## Run the linters and tests; run this before you push

lint: $(INSTALLED) ## Check Python, SQL, contracts and import rules
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --config dbt_project/.sqlfluff dbt_project/models dbt_project/tests
	$(BIN)/hadolint Dockerfile
	$(BIN)/wandle sync --check
	$(BIN)/shellcheck --external-sources .github/deploy/*.sh .ci/run .ci/digests
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/jactionlint
	$(BIN)/zizmor --offline --quiet .github

format: $(INSTALLED) ## Format Python and SQL
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/sqlfluff fix --config dbt_project/.sqlfluff dbt_project/models dbt_project/tests

test: $(INSTALLED) ## Run unit, DAG and integration tests
	$(BIN)/pytest tests/unit tests/dags tests/integration tests/security

# The same in three parts, which can run at the same time.
SECOND_HALF := tests/integration/test_[!a-l]*.py
test-unit: $(INSTALLED)
	$(BIN)/pytest tests/unit tests/dags tests/security

test-integration-1: $(INSTALLED)
	$(BIN)/pytest tests/integration --ignore-glob='$(SECOND_HALF)'

test-integration-2: $(INSTALLED)
	$(BIN)/pytest $(SECOND_HALF)

test-slow: $(INSTALLED) ## Run generated tests longer: EXAMPLES paged servers, EXAMPLES/500 changed warehouses, 10 or more mistakes in each contract and model (EXAMPLES=10000: all)
	@$(MAKE) --no-print-directory --keep-going --jobs=2 --output-sync=target $(SLOW_TESTS)

$(SLOW_TESTS):
	EXAMPLES=$(or $(EXAMPLES),10000) $(BIN)/pytest $@

test-acceptance: $(INSTALLED) ## Follow the docs, and run the main job on recorded payloads (RECORDED_PAYLOADS=<dir> ACCEPTANCE=<file>)
	$(BIN)/pytest $(or $(ACCEPTANCE),tests/acceptance)

test-aws: $(INSTALLED) ## Test the AWS integration with moto and PostgreSQL over TLS (needs PostgreSQL)
	$(BIN)/pytest tests/aws

test-chaos: $(INSTALLED) ## Kill jobs at random and check that nothing is lost (KILLS=200, CHAOS_SEED=)
	$(if $(KILLS),KILLS=$(KILLS)) $(if $(CHAOS_SEED),CHAOS_SEED=$(CHAOS_SEED)) $(BIN)/pytest tests/chaos --capture=no

test-browser: $(INSTALLED) ## Test the UI in a browser (needs Chromium)
	$(BIN)/pytest $(or $(BROWSER),tests/browser)

$(BENCH_INSTALLED): $(INSTALLED) requirements-bench.txt
	@test -x $(BENCH_BIN)/python || $(PYTHON) -m venv --without-pip $(BENCH_VENV)
	@echo "Installing into $(BENCH_VENV)"
	@$(BIN)/uv pip sync --quiet --compile-bytecode --python $(BENCH_BIN)/python --require-hashes \
	  requirements.txt requirements-local.txt requirements-bench.txt
	@$(MAKE) --no-print-directory editable INTO=$(BENCH_VENV)
	@touch $@

bench: $(BENCH_INSTALLED) ## Benchmark loading against COPY and others (CASES="first_load" RUNS=3 RECORDS=1000000)
	$(BENCH_BIN)/python -m tests.benchmarks $(CASES) $(if $(RUNS),--runs $(RUNS)) $(if $(RECORDS),--records $(RECORDS)) $(if $(CHECK),--check)

bench-api: $(INSTALLED) ## Benchmark the read API, and write docs/performance-api.md (MINUTES=5 CHECK=1)
	@$(BIN)/python -m tests.benchmarks.api --page docs/performance-api.md \
	  $(if $(MINUTES),--seconds $$(($(MINUTES) * 60))) $(if $(CHECK),--check); found=$$?; \
	  $(BIN)/python -m tests.notebooks notebooks/performance_api.ipynb && exit $$found

test-containers: $(INSTALLED) ## Test the platform in containers (COMPOSE="docker compose"; slow)
	COMPOSE="$(COMPOSE)" $(BIN)/pytest $(or $(TESTS),tests/containers)

compose-demo: ## Run the main job in containers and leave them running
	COMPOSE_PROFILES=sandbox WANDLE_LIVE= $(COMPOSE) up --detach --build
	COMPOSE_PROFILES=sandbox,demo WANDLE_LIVE= $(COMPOSE) run --rm --no-deps demo $(ASKED)

# If the AWS provider cannot be downloaded, set TF_OFFLINE to a command that runs Terraform with it and,
# with the option --moto, with a local stand-in for AWS.
TF_OFFLINE ?=
TERRAFORM := $(if $(TF_OFFLINE),$(abspath $(TF_OFFLINE)) )terraform
WITH_AWS := $(if $(TF_OFFLINE),$(abspath $(TF_OFFLINE)) --moto)
TERRAFORM_FOLDERS := terraform/bootstrap terraform/environments/dev terraform/environments/prod $(wildcard terraform/modules/*)

# An environment of its own: checkov's dependencies conflict with Airflow's.
CHECKOV_VENV := .venv-checkov
CHECKOV_INSTALLED := $(CHECKOV_VENV)/.installed

$(CHECKOV_INSTALLED): $(INSTALLED) requirements-checkov.txt
	@test -x $(CHECKOV_VENV)/bin/python || $(PYTHON) -m venv --without-pip $(CHECKOV_VENV)
	@$(BIN)/uv pip sync --quiet --python $(CHECKOV_VENV)/bin/python --require-hashes requirements-checkov.txt
	@touch $@

terraform-test: $(INSTALLED) $(CHECKOV_INSTALLED) ## Terraform: format, validate, tests, checkov, IAM (needs terraform, no AWS account)
	@command -v terraform >/dev/null || \
	  { echo "Terraform 1.11 or newer is missing: https://developer.hashicorp.com/terraform/install"; exit 1; }
	$(TERRAFORM) fmt -check -recursive terraform
	@$(MAKE) --no-print-directory --jobs=2 --output-sync=target $(TERRAFORM_FOLDERS)
	LOG_LEVEL=ERROR $(CHECKOV_VENV)/bin/checkov --directory terraform \
	  --framework terraform --skip-download --compact --quiet
	$(WITH_AWS) $(BIN)/pytest tests/infra --ignore tests/infra/apply --ignore tests/infra/host

# Terraform cannot validate a module that takes two providers by itself: the environments, which call it, are.
$(TERRAFORM_FOLDERS):
	@cd $@ && $(TERRAFORM) init -backend=false -input=false -no-color >.terraform.log 2>&1 || { cat .terraform.log; exit 1; }
	@cd $@ && { grep -qs configuration_aliases *.tf || $(TERRAFORM) validate -no-color; } && $(TERRAFORM) test -no-color

terraform-apply-offline: $(INSTALLED) ## Terraform: apply, upgrade, use and destroy the environments on a local stand-in for AWS
	$(WITH_AWS) $(BIN)/pytest tests/infra/apply

terraform-host: $(INSTALLED) ## Terraform: run the user data of the hosts in containers (COMPOSE="docker compose" DOCKER=docker; slow)
	COMPOSE="$(COMPOSE)" DOCKER="$(DOCKER)" $(WITH_AWS) $(BIN)/pytest tests/infra/host

screenshots: $(INSTALLED) ## Take screenshots of the dashboard at SITE=<address or folder>, or of the portal at PORTAL=<address>
	$(BIN)/python docs/images/shoot.py $(if $(PORTAL),portal $(PORTAL),dashboard $(SITE))

diagrams: $(INSTALLED) ## Draw the diagrams of docs/architecture.md
	$(BIN)/python docs/diagrams/draw.py

demo-recording: $(INSTALLED) ## Record the commands of docs/demo.md on the running platform (after `make demo`)
	$(BIN)/python docs/recording/record.py docs/demo.md docs/images/demo.svg

dictionary: $(INSTALLED) ## Write docs/data-dictionary.md from contracts and models
	$(BIN)/python docs/dictionary/write.py

# An environment of its own: Zensical's dependencies conflict with dbt's.
DOCS_VENV := .venv-docs
DOCS_INSTALLED := $(DOCS_VENV)/.installed

$(DOCS_INSTALLED): $(INSTALLED) requirements-docs.txt
	@test -x $(DOCS_VENV)/bin/python || $(PYTHON) -m venv --without-pip $(DOCS_VENV)
	@$(BIN)/uv pip sync --quiet --python $(DOCS_VENV)/bin/python --require-hashes requirements-docs.txt
	@touch $@

docs: $(DOCS_INSTALLED) ## Build the site of the documentation into .docs-site; a broken link is an error
	$(DOCS_VENV)/bin/python docs/site/build.py $(or $(DOCS_SITE),.docs-site)

terraform-docs: $(INSTALLED) ## Terraform: generate the tables of variables and outputs in the READMEs
	$(BIN)/python terraform/tables.py

lock: $(INSTALLED) ## Compile the lock files from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet -o requirements.txt
	$(BIN)/uv pip compile --group local --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet -c requirements.txt -o requirements-local.txt
	$(BIN)/uv pip compile --group bench --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet -c requirements.txt -c requirements-local.txt -o requirements-bench.txt
	$(BIN)/uv pip compile --group extract --universal --python-version 3.12 --generate-hashes \
	  --no-annotate --no-header --quiet -c requirements.txt -o requirements-extract.txt
	$(BIN)/uv pip compile --group api --universal --python-version 3.12 --generate-hashes \
	  --no-annotate --no-header --quiet -c requirements.txt -o requirements-api.txt
	$(BIN)/uv pip compile --group checkov --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet -o requirements-checkov.txt
	$(BIN)/uv pip compile --group docs --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet -o requirements-docs.txt
	$(BIN)/uv pip compile template/pyproject.toml --group template/pyproject.toml:dev --universal --python-version 3.11 --generate-hashes \
	  --no-annotate --no-header --quiet -c requirements.txt -c requirements-local.txt -o template/requirements.txt

.PHONY: help account install editable demo up down status check lint format test test-unit test-integration-1 test-integration-2 test-slow test-acceptance test-aws test-chaos test-browser test-containers compose-demo bench bench-api lock \
  terraform-test terraform-apply-offline terraform-host terraform-docs diagrams demo-recording dictionary docs screenshots $(TERRAFORM_FOLDERS) $(SLOW_TESTS)
