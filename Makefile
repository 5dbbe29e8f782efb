# `make help` lists what there is. The work is done by scripts/.

ifneq ($(HOLDFAST_CACHE),)
built := $(HOLDFAST_CACHE)/target/release
else
built := $(or $(CARGO_TARGET_DIR),target)/release
endif

.PHONY: help setup dev testnet optee build test test-optee test-rpmb soak differential lint doc bench bench-optee fuzz licences

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 13

setup: ## install what building lacks on this machine (Debian, Ubuntu); says what it does first
	@scripts/setup build

dev: build ## set up, build, and run a development chain of one node
	@echo
	@echo "Starting a development chain: a block every 6 seconds, RPC at ws://127.0.0.1:9944. Ctrl-C ends it."
	$(built)/holdfast-node --dev

testnet: build ## four validators, each with a signer daemon of its own; ARGS='--help' lists what can be chosen
	scripts/cargo build --release --workspace --bins
	@$(built)/holdfast-testnet --dir $(built:release=testnet) $(ARGS)

optee: build ## OP-TEE in QEMU with a signer daemon beside it, for a node of yours; ARGS='--help' lists what can be chosen
	@scripts/optee/build
	@scripts/optee/signer $(ARGS)

build: setup ## the node, the daemon and the command line, into $CARGO_TARGET_DIR or target/release
	@[ -e $(built)/holdfast-node ] || echo "The first build takes 20 to 30 minutes on two cores."
	scripts/cargo build --release --workspace --bin holdfast-node --bin holdfast-host --bin holdfast

test: ## every check: format, licences, lint, documentation, tests (what CI runs)
	@scripts/test

test-optee: ## what of `make test` runs on OP-TEE in QEMU
	@scripts/setup test
	@scripts/optee/build
	scripts/cargo nextest run --release --workspace --profile optee

test-rpmb: ## OP-TEE with RPMB: a kernel and a QEMU of its own (ten minutes to build), and what `make test` leaves out
	@scripts/setup test
	@scripts/optee/build rpmb
	scripts/cargo nextest run --release --workspace --profile rpmb --no-capture

soak: ## never two, a step deeper (DEPTH=1); KILLS=1000 random kills of a validator's daemon and node; SEED=… repeats a run
	@scripts/setup test
	HOLDFAST_DEPTH=$(or $(DEPTH),1) scripts/cargo nextest run --release --workspace --profile soak --no-capture \
		-E 'package(holdfast-ta) & test(exhaustive)'
	HOLDFAST_KILLS=$(or $(KILLS),1000) $(if $(SEED),HOLDFAST_SEED=$(SEED)) scripts/cargo nextest run --release --workspace \
		--profile soak --no-capture -E 'package(holdfast-e2e) & test(/^soak::/)'

differential: ## evidence judged beside dcap-qvl, with MUTATIONS=100000 changes; SEED=… repeats a run
	@scripts/setup test
	HOLDFAST_MUTATIONS=$(or $(MUTATIONS),100000) $(if $(SEED),HOLDFAST_SEED=$(SEED)) scripts/cargo nextest run --release \
		--workspace --profile soak --no-capture -E 'package(holdfast-evidence) & test(/^differential::nothing/)'

lint: ## Clippy and rustdoc, warnings denied, over the workspace's own crates
	@scripts/setup test
	scripts/lint

doc: lint ## the same; the documentation is in target/doc
	@echo "The documentation: $(built:release=doc)/holdfast_protocol/index.html, and the other crates beside it."

bench: setup ## the benchmarks of docs/benchmarks.md
	scripts/cargo bench --profile release --workspace --bench '*'

bench-optee: setup ## the benchmarks of the trusted application on OP-TEE in QEMU
	@scripts/optee/build
	@scripts/optee/bench

fuzz: ## every fuzz target for SECONDS=60 each; executions and coverage at the end (fuzz/README.md)
	@scripts/fuzz $(or $(SECONDS),60)

licences: ## the licences of everything that ships
	scripts/check-licences
