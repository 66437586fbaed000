# Everything this repository does, from a machine that has Rust (rustup), Node 20 or later, Python 3
# and make. What else a target needs it installs, and says so.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test e2e soak fuzz mutants audit check bench bench-channel measure-lambda cost build bootstrap synth diff deploy deploy-code destroy rust

# npm installs what a lock file pins; this is the file that it writes when it is done.
installed = $(patsubst %/package-lock.json,%/node_modules/.package-lock.json,$(wildcard $(1)/package-lock.json))
# `make demo ARGS='--help'` and the like.
ARGS ?=

help: ## Say what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-14s  %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(call installed,functions/ferry) ## Play a live channel through the ferry, in your browser: no account, no media
	cargo run --locked --package ferry -- demo $(ARGS)

check: rust $(call installed,functions/ferry) $(call installed,infra) ## What must be clean: format, lints, documentation
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --locked --workspace --no-deps
	for script in $$(git ls-files '*.js' '*.mjs'); do node --check "$$script"; done
	npm run check --prefix infra --silent
	for script in .ci/run $$(git ls-files '*.sh'); do bash -n "$$script"; done

# The end-to-end cases wait far more than they work: more of them at once than there are cores. The binaries that
# they start are built with the rest, so that dependencies are compiled once. Temporary files have a folder of their
# own, which Apache's user may pass: what a process that is killed has left goes with it.
define cargo_test
tests/debian.sh apache2=apache2-bin ffmpeg=ffmpeg chromium=chromium curl=curl strip=binutils faketime=faketime libnss_wrapper.so=libnss-wrapper
cargo test --locked --workspace --no-run
export TMPDIR="$$(mktemp -d)"; chmod a+x "$$TMPDIR"; trap 'rm -rf "$$TMPDIR" || true' EXIT; built="$$(realpath "$${CARGO_TARGET_DIR:-target}")/debug"; \
	FERRY="$$built/ferry" FUNCTIONS="$$built" cargo test --locked --workspace
endef
test e2e: export RUST_TEST_THREADS ?= 8
test e2e: $(call installed,functions/ferry) $(call installed,tests/browser) $(call installed,infra)
test: ## Everything: units, simulation, and the real parts end to end
	$(cargo_test)
	npm test --prefix infra --silent
e2e: ## The real parts end to end alone: on one machine, and on a local AWS
	$(cargo_test) --test e2e $(ARGS)

soak: export SEEDS ?= 100000
soak: export SEED ?= 0
soak: export THREADS ?= $(shell nproc)
# What runs is optimised; what it is built of is that of the tests.
soak: optimised = $(foreach package,hls relay tests,--config profile.dev.package.$(package).opt-level=3 \
	--config profile.dev.package.$(package).debug-assertions=false --config profile.dev.package.$(package).overflow-checks=true)
soak: ## Try the promises in virtual time under the faults of many seeds: SEEDS=, SEED= (the first), THREADS=
	cargo test --locked --package tests --test simulation $(optimised) -- --nocapture --test-threads=1 $(ARGS)

fuzz: SECONDS = 600
fuzz: export TARGET ?=
fuzz: ## Look for bytes that break a parser: TARGET= (absent: each in turn), SECONDS=
	tests/fuzz/run.sh $(SECONDS)

mutants: PACKAGE = hls
mutants: export SEEDS ?= 20
# What relay's actions do is seen from outside of it.
mutants: noticing = $(if $(filter relay,$(PACKAGE)),--test-package relay --test-package tests -- \
	--lib --test decisions --test formats --test simulation --test bounds,-- --lib --tests)
mutants: ## Change one thing at a time, and see whether a test notices (hours): PACKAGE=hls, relay or channel
	version="$$(PATH="target/cargo-mutants/bin:$$PATH" cargo mutants --version || true)"; [[ $$version == *' 27.1.0' ]] || \
		cargo install cargo-mutants --version 27.1.0 --locked --root target/cargo-mutants
	PATH="target/cargo-mutants/bin:$$PATH" cargo mutants --package $(PACKAGE) --output target $(ARGS) $(noticing)

audit: ## What dependencies may be, and what is known against them (asks the network)
	version="$$(PATH="target/cargo-deny/bin:$$PATH" cargo deny --version || true)"; [[ $$version == *' 0.20.2' ]] || \
		cargo install cargo-deny --version 0.20.2 --locked --root target/cargo-deny
	PATH="target/cargo-deny/bin:$$PATH" cargo deny --locked check
	for folder in infra functions/ferry tests/browser; do \
		if told="$$(npm audit --prefix "$$folder" --package-lock-only 2>&1)"; then echo "$$folder: $$told"; \
		elif [[ $$told == *'audit endpoint returned an error'* ]]; then echo "$$folder: not looked at, for this npm registry answers no audits"; \
		else echo "$$told"; exit 1; fi; \
	done

bench: $(call installed,functions/ferry) $(call installed,tests/bench/peer) ## Measure the ferry against its peer (takes minutes)
	tests/debian.sh apache2=apache2-bin ffmpeg=ffmpeg curl=curl
	tests/bench/run.sh $(ARGS)

bench-channel: $(call installed,functions/ferry) $(call installed,tests/bench/channel-engine) ## Measure channels against their peer (takes a minute or two)
	tests/bench/run.sh channels $(ARGS)

measure-lambda: ## Measure the functions: zips, starts, first invocations (builds them for this machine)
	tests/cost/run.sh start $(ARGS)

cost: ## Carry sessions by the functions for some minutes, and work out what a month on AWS costs
	tests/cost/run.sh month $(ARGS)

build: ## Build the Lambda functions for the deploy (ARCH=x86_64 where the configuration says so)
	infra/build.sh $(ARCH)

bootstrap: build $(call installed,infra) ## Prepare an AWS account and region for deploys, once
	npm run bootstrap --prefix infra -- $(ARGS)

# `make deploy ARGS='--require-approval never'` and the like.
synth: $(call installed,infra) ## Make the templates of the AWS stacks, and check them
	npm run synth --prefix infra -- $(ARGS)

diff: $(call installed,infra) ## Show what a deploy would change
	npm run diff --prefix infra -- $(ARGS)

deploy: build $(call installed,infra) ## Build the functions and deploy every stack to AWS
	npm run deploy --prefix infra -- $(ARGS)

deploy-code: build ## Give the deployed functions new code, and change nothing else
	for function in advance dispatch sessions channels credentials; do \
		PATH="$$PWD/target/pypi/cargo-lambda/bin:$$PATH" cargo lambda deploy --binary-name "$$function" $(ARGS); \
	done

destroy: $(call installed,infra) ## Take every stack away from AWS
	npm run destroy --prefix infra -- $(ARGS)

rust:
	@cargo fmt --version >/dev/null && cargo clippy --version >/dev/null || \
		{ echo 'adding rustfmt and clippy'; rustup component add rustfmt clippy; }

%/node_modules/.package-lock.json: %/package-lock.json
	@echo 'installing the npm packages of $*'
	npm ci --prefix $* --no-audit --no-fund
	@touch $@
