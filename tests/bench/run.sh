#!/usr/bin/env bash
# Measures `ferry` beside hls-pull-push and curl; README.md here says how and what the settings are.
set -euo pipefail
cd "$(dirname "$0")/../.."

parties=${PARTIES:-curl peer ferry}
needed=(cargo curl ffmpeg /usr/sbin/apache2)
[[ $parties == *peer* ]] && needed+=(node npm)
for tool in "${needed[@]}"; do
  command -v "$tool" >/dev/null || { echo "bench: $tool is not installed" >&2; exit 1; }
done

peer=tests/bench/peer
if [[ $parties == *peer* && ! $peer/node_modules/.package-lock.json -nt $peer/package-lock.json ]]; then
  npm ci --prefix "$peer" --ignore-scripts --no-audit --no-fund
fi
target=${CARGO_TARGET_DIR:-target}
packages=(-p bench)
[[ $parties == *ferry* ]] && packages+=(-p ferry)
cargo build --release "${packages[@]}"

# Two hundred sessions have more connections than a shell's usual limit.
ulimit -n "$(ulimit -Hn)"
stored=$(mktemp -d -p "${BENCH_DIR:-/dev/shm}" bench.XXXXXX)
trap 'rm -rf "$stored"' EXIT
chmod 755 "$stored"
mkdir -p "$target/bench"
BENCH_DIR=$stored BENCH_KEEP=$target/bench FERRY=${FERRY:-$target/release/ferry} \
  "$target/release/bench" "$@" | tee "$target/bench/table.md"
