#!/usr/bin/env bash
# Installs packages from PyPI where they are missing, in an environment of their own, and prints the folder of their
# programs: tests/pypi.sh <environment> <package>==<version>..
set -euo pipefail
cd "$(dirname "$0")/.."
into=target/pypi/$1
shift

mkdir -p target/pypi
exec 9>"$into.lock"
flock 9
if [ "$(cat "$into/installed" 2>/dev/null)" != "$PWD $*" ]; then
  echo "installing $*" >&2
  rm -rf "$into"
  python3 -m venv "$into" >&2
  "$into/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
  # Programs in it name it by its path: a folder that moved is made anew.
  echo "$PWD $*" >"$into/installed"
fi
echo "$PWD/$into/bin"
