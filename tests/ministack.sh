#!/usr/bin/env bash
# Installs MiniStack, the stand-in for AWS, from PyPI where it is missing, and prints the path of its program.
set -euo pipefail
cd "$(dirname "$0")/.."
version=1.5.33
into=target/ministack

mkdir -p target
exec 9>target/ministack.lock
flock 9
if [ "$(cat $into/version 2>/dev/null)" != $version ]; then
  echo "installing MiniStack $version" >&2
  rm -rf $into
  python3 -m venv $into >&2
  $into/bin/pip install --quiet --disable-pip-version-check ministack==$version >&2
  echo $version >$into/version
fi
echo "$PWD/$into/bin/ministack"
