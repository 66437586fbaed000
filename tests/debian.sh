#!/usr/bin/env bash
# Installs the Debian packages of programs and libraries that are missing, given as program=package, library.so=package.
set -euo pipefail
PATH=$PATH:/usr/sbin

there() {
  case $1 in
    *.so) compgen -G "/usr/lib/*/$1" >/dev/null ;;
    *) command -v "$1" >/dev/null ;;
  esac
}

missing=()
for each; do
  there "${each%%=*}" || missing+=("${each#*=}")
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
