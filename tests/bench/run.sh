#!/usr/bin/env bash
# Builds and runs the benchmark; README.md here says how it works and what its settings are.
set -euo pipefail
cd "$(dirname "$0")/../.."

target=${CARGO_TARGET_DIR:-target}
cargo build --locked --release --package ferry --package bench

# Two hundred sessions have more connections than a shell's usual limit.
ulimit -n "$(ulimit -Hn)"
stored=$(mktemp -d -p "${BENCH_DIR:-/dev/shm}" bench.XXXXXX)
trap 'rm -rf "$stored"' EXIT
chmod 755 "$stored"
mkdir -p "$target/bench"
BENCH_DIR=$stored BENCH_KEEP=$target/bench FERRY=${FERRY:-$target/release/ferry} \
  "$target/release/bench" "$@" | tee "$target/bench/$([[ ${1:-} == channels ]] && echo channels || echo table).md"
