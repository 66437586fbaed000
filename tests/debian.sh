#!/usr/bin/env bash
# Installs the Debian packages of programs that are missing, given as program=package.
set -euo pipefail
PATH=$PATH:/usr/sbin

missing=()
for each; do
  command -v "${each%%=*}" >/dev/null || missing+=("${each#*=}")
done
if [ ${#missing[@]} = 0 ]; then exit; fi

as_root=()
if [ "$EUID" != 0 ]; then as_root=(sudo); fi
if ! command -v apt-get >/dev/null || { [ "$EUID" != 0 ] && ! command -v sudo >/dev/null; }; then
  echo "missing: ${missing[*]}. This needs apt-get, as root or with sudo; install them and run it again." >&2
  exit 1
fi
echo "installing the Debian packages ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" apt-get install -qq -y --no-install-recommends "${missing[@]}"
