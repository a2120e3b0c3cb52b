# Every target fetches what it needs first: see scripts/setup-toolchain.
SHELL := /bin/sh
.DEFAULT_GOAL := help
.PHONY: help setup build demo up types lint format generate verify unit test bench image cluster cluster-down cluster-test \
  install upgrade uninstall forward soak clean
export PATH := $(CURDIR)/.toolchain/bin:$(CURDIR)/node_modules/.bin:$(PATH)

# Generators write what they make; with --check they compare and fail on a difference.
GENERATORS := $(sort $(wildcard scripts/generate-*.ts scripts/dump-*.ts))
RESULTS := test-results
DAGS ?= examples
export MINUTES SEED

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## fetch the pinned Node and the locked dependencies (done once)
	@scripts/setup-toolchain

build: setup ## bundle the worker into dist/
	@node scripts/build-worker.ts

demo: build ## run an example on this machine, start to end
	@bin/windlass demo

up: build ## serve DAGS=folder (the examples) on http://127.0.0.1:8080 until Ctrl-C
	@exec bin/windlass standalone --dags $(DAGS)

types: setup ## check the types
	tsc -p .

lint: setup ## lint with type information, check the format
	oxlint --type-aware --deny-warnings
	oxfmt --check

format: setup ## format every file
	oxfmt

generate: setup ## write every generated file
	@set -e; for script in $(GENERATORS); do echo "node $$script"; node $$script; done

verify: setup ## fail if a generated file is not up to date
	@set -e; for script in $(GENERATORS); do echo "node $$script --check"; node $$script --check; done

unit: build ## the unit, architecture and integration tests, on a real Postgres
	vitest run --project unit --reporter=default --reporter=json --outputFile.json=$(RESULTS)/test.json

test: types lint verify unit ## types, lint, generated files, unit and integration tests

bench: setup ## what progress costs Postgres, of runs of 1,000 and of 10,000 instances
	@node scripts/bench-progress.ts

image: setup ## build the image, load it into the local cluster if that runs (root, unless there is Docker)
	@test/cluster/local image

cluster: setup ## start a Kubernetes cluster here: kind where Docker runs, else one of the project's own (root)
	@test/cluster/local up

cluster-down: ## stop it and remove what it left
	@test/cluster/local down

install: setup ## install the chart with a Postgres: on the cluster of KUBECONFIG, else on that of `make cluster`
	@test/cluster/release install $(VALUES)

upgrade: setup ## apply the chart and VALUES=file.yaml to what is installed
	@test/cluster/release upgrade $(VALUES)

uninstall: ## take it away again, with its namespace
	@test/cluster/release uninstall

forward: ## the installed API on http://127.0.0.1:8080 until Ctrl-C
	@test/cluster/release forward

cluster-test: build ## the suite on a real cluster: that of KUBECONFIG, else one of its own
	@test/cluster/run $(RESULTS)/cluster.json

soak: build ## MINUTES=15 of work under random faults, repeatable by SEED; needs `test/cluster/cluster build`
	@node test/soak/main.ts

clean: ## remove what was fetched and built here
	rm -rf .toolchain node_modules dist $(RESULTS) .windlass
