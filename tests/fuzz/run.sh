#!/usr/bin/env bash
# Looks for inputs that break the target TARGET (absent: each in turn), for so many SECONDS.
set -euo pipefail
cd "$(dirname "$0")"
target=$(realpath "${CARGO_TARGET_DIR:-../../target}")
seconds=${1:?}
export PATH="$target/cargo-fuzz/bin:$PATH" CARGO_TARGET_DIR="$target/fuzz"

# Without a sanitizer stable Rust does: there is no `unsafe` here that one would watch.
fuzz() { (cd libfuzzer && cargo fuzz "$@"); }
if ! [[ $(fuzz --version 2>/dev/null) == *' 0.13.1' ]]; then
  cargo install cargo-fuzz --version 0.13.1 --locked --root "$target/cargo-fuzz"
fi
fuzz build --fuzz-dir . --sanitizer none

targets=${TARGET:-$(sed -n 's/^name = "\(.*\)"/\1/p' libfuzzer/Cargo.toml | tail -n +2)}
for each in $targets; do
  corpus="$target/fuzz-corpus/$each"
  mkdir -p "$corpus"
  # An input that takes ten seconds or a gigabyte is a finding too.
  fuzz run --fuzz-dir . --sanitizer none "$each" "$corpus" "$PWD/seeds/$each" "$PWD/../fixtures/playlists" -- \
    -dict="$PWD/words.dict" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -max_len=16384 \
    -print_final_stats=1 -artifact_prefix="$target/fuzz-corpus/$each-"
done
