#!/usr/bin/env bash
# Builds the Lambda functions into <folder>/<function>/bootstrap.zip, and says how large they are.
#   infra/build.sh [arm64|x86_64] [folder]
# Needs Rust (rustup) and Python 3; cargo-lambda, and zig to link with, come from PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."
arch=${1:-arm64}
into=${2:-target/lambda}
functions=(advance dispatch sessions channels credentials)
# A cold start fetches and unpacks the zip.
limit=$((5 * 1000 * 1000))

case $arch in
  arm64) target=aarch64-unknown-linux-gnu ;;
  x86_64) target=x86_64-unknown-linux-gnu ;;
  *) echo "ARCH must be arm64 or x86_64, not '$arch'" >&2; exit 2 ;;
esac

tools=$(tests/pypi.sh cargo-lambda cargo-lambda==1.9.2 ziglang==0.17.0)
if ! rustup target list --installed | grep -qx $target; then
  echo "adding Rust's target $target" >&2
  rustup target add $target
fi

# One invocation, so that what they share is compiled once. Zips of two architectures never lie side by side.
rm -rf "$into"
PATH="$tools:$PATH" cargo lambda build --locked --target $target --profile function \
  --output-format zip --lambda-dir "$into" "${functions[@]/#/--package=}"
echo "$arch" >"$into/architecture"

too_large=0
printf '\n%-12s %10s  %s\n' function "zip, KB" "for $arch, at most $((limit / 1000)) KB"
for function in "${functions[@]}"; do
  size=$(stat -c %s "$into/$function/bootstrap.zip")
  note=
  if [ "$size" -gt $limit ]; then
    note='too large'
    too_large=1
  fi
  printf '%-12s %10s  %s\n' "$function" $((size / 1000)) "$note"
done
exit $too_large
