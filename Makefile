# Two commands do everything on a fresh Debian 12 machine with rustup, Node 20+ and Python 3:
#   make demo    a small city certifies real work, in front of you
#   make test    all tests
# Build output goes to CARGO_TARGET_DIR, outside the clone, so that clones share it; nothing needs it to be there.
export CARGO_TARGET_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/guildhall/target
export GUILDHALL_ASSETS ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/guildhall/assets
export GUILDHALL_APPS ?= $(CURDIR)/build/apps

.DEFAULT_GOAL := help
.PHONY: help setup assets demo up test check bench gas soak fuzz simulate fmt gen clean

# The contracts, built.
contracts = (cd contracts && npx --no-install forge build)

help: ## what there is to do
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## install what is missing: Rust target, npm and Debian packages
	@scripts/setup.sh

assets: setup ## build the apps and the web application, fetch the model and the photographs
	@scripts/web.sh build
	@scripts/assets.sh

demo: assets ## a city certifies real work on the embedded chain
	cargo run --bin guildhall -- demo

up: assets ## the same city, durable, until you stop it
	cargo run --bin guildhall -- up

test: setup ## all tests
	@scripts/test.sh

check: setup ## format, lints, docs, tidy, generated files, the apps natively
	@$(contracts) && scripts/check.sh

bench: assets ## measure, write bench/results.json and bench/README.md
	cargo run --bin xtask -- bench

gas: setup ## measure gas on anvil, write contracts/snapshots/gas.json
	$(contracts) && node contracts/tools/gas.mjs

soak: assets ## kill -9 of every role, a hundred times from seeds, write bench/soak.json
	GUILDHALL_CRASH_RUNS=100 GUILDHALL_CRASH_DATE=$$(date -u +%F) GUILDHALL_CRASH_COMMIT=$$(git rev-parse --short HEAD) \
		GUILDHALL_CRASH_REPORT=$(CURDIR)/bench/soak.json \
		cargo test --workspace --locked --test it -- crashes --nocapture

fuzz: ## fuzz everything that reads bytes from outside, ten minutes a target (fuzz/src has one file each)
	scripts/fuzz.sh 600

simulate: ## the market with a part of its stake faulty in every way, write bench/simulation.json and bench/simulation.md
	cargo run --release --locked --bin simulate -- --date $$(date -u +%F) --report $(CURDIR)/bench/simulation.json

fmt: setup ## format Rust and Solidity
	cargo fmt --all && cd apps && cargo fmt --all && cd ../contracts && npx --no-install forge fmt

gen: setup ## write what is generated and committed: vectors, contract artifacts
	# All of them anew: what the compiler makes of a contract can depend on what else it compiles.
	cd contracts && npx --no-install forge build --force
	node contracts/tools/abi.mjs && cargo run --bin xtask -- gen

clean: ## remove what was built in this clone
	rm -rf build contracts/out contracts/cache
