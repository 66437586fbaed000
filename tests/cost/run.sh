#!/usr/bin/env bash
# Builds the functions for this machine and measures them; README.md here says how.
#   tests/cost/run.sh start|month
set -euo pipefail
cd "$(dirname "$0")/../.."

built=target/cost
case $(uname -m) in
  aarch64) arch=arm64 ;;
  *) arch=x86_64 ;;
esac
infra/build.sh $arch $built
for function in advance dispatch sessions channels credentials; do
  python3 -m zipfile -e $built/$function/bootstrap.zip $built/$function
  chmod +x $built/$function/bootstrap
done
cargo build --locked --package cost
echo
"${CARGO_TARGET_DIR:-target}/debug/cost" "$@" --built $built | tee "$built/$1.md"
