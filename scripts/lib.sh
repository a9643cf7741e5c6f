# shellcheck shell=bash disable=SC2034
# lib.sh - shared by the scripts: packages, Node, build folders. Sourced by bash, from any folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"

say() { printf '\n== %s\n' "$*"; }
die() {
  printf '%s\n' "$*" >&2
  exit 1
}

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo > /dev/null; then
    sudo "$@"
  else
    die "not root and no sudo: install by hand: $*"
  fi
}

# need_packages NAME…: installs what apt does not have on the machine yet.
need_packages() {
  local missing=() name
  for name in "$@"; do
    dpkg-query -W -f '${db:Status-Status}' "$name" 2> /dev/null | grep -qx installed || missing+=("$name")
  done
  [ ${#missing[@]} = 0 ] && return 0
  say "installing ${missing[*]}"
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" > /dev/null
}

node_is_new() {
  command -v node > /dev/null && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major >= 24 ? 0 : 1)'
}

npm_is_new() { [ "$(npm --version 2> /dev/null | cut -d. -f1)" -ge 11 ] 2> /dev/null; }

# Node 20.19 and npm 11 or newer (npm 9 does not read our lock files): the machine's own, else those of packaging/node.
need_node() {
  need_command node nodejs
  need_command npm npm
  node_is_new && npm_is_new && return 0
  if ! cmp -s packaging/node/package-lock.json build/node/package-lock.json || [ ! -x build/node/bin/npm ]; then
    say "installing the pinned Node.js and npm (the system's: node $(node --version), npm $(npm --version))"
    mkdir -p build/node/bin
    cp packaging/node/package.json packaging/node/package-lock.json build/node/
    npm_ci build/node
    ln -sf "$root"/build/node/node_modules/node-linux-*/bin/node build/node/bin/node
    ln -sf "$root"/build/node/node_modules/npm/bin/npm-cli.js build/node/bin/npm
  fi
  PATH="$root/build/node/bin:$PATH"
  hash -r
  # Debian's own node trusts the system's authorities; this one has to be told
  export NODE_EXTRA_CA_CERTS=${NODE_EXTRA_CA_CERTS:-/etc/ssl/certs/ca-certificates.crt}
  node_is_new && npm_is_new || die "node $(node --version) or npm $(npm --version) is too old"
}

need_command() { command -v "$1" > /dev/null || need_packages "$2"; }

# npm_ci FOLDER: what the lock file says, once per content of the lock file.
npm_ci() {
  local stamp="$1/node_modules/.ketlink-lock"
  cmp -s "$1/package-lock.json" "$stamp" && return 0
  (cd "$1" && npm ci --no-audit --no-fund --loglevel=error > /dev/null)
  cp "$1/package-lock.json" "$stamp"
}

# python_with FOLDER: prints a Python that has what FOLDER/requirements.txt names, with digests; made once per content of that file.
# A virtual environment of its own in build/, so that nothing of the machine changes.
python_with() {
  local home=build/python/$1
  if ! cmp -s "$1/requirements.txt" "$home/.ketlink-requirements"; then
    # who asks whether it can be had has switched off that a failure ends the script
    need_packages python3-venv >&2 && /usr/bin/python3 -m venv --clear "$home" >&2 &&
      "$home/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r "$1/requirements.txt" >&2 &&
      cp "$1/requirements.txt" "$home/.ketlink-requirements" || return 1
  fi
  echo "$home/bin/python"
}

build_packages=(cmake ninja-build gcc libc6-dev pkg-config libcsv-dev libcurl4-openssl-dev libevent-dev libexpat1-dev
  libinih-dev libjansson-dev liblz4-dev libssl-dev libpcre2-dev libsqlite3-dev tzdata zlib1g-dev ca-certificates python3)
test_packages=(clang libclang-rt-14-dev libcmocka-dev universal-ctags jq openssl curl binutils strace faketime)

# configure_and_build PRESET [TARGET…]
configure_and_build() {
  local preset=$1
  shift
  cmake --preset "$preset" > "build/$preset.configure.log" || { cat "build/$preset.configure.log"; return 1; }
  cmake --build --preset "$preset" ${1:+--target "$@"} -- -k 0
}

# The definition pack, made once for all builds; again when packages or models have changed: models that differ from the pack's
# are read at each start.
need_definitions() {
  [ -s build/definitions.pack ] &&
    [ -z "$(find packaging/definitions/package-lock.json mappings/models -newer build/definitions.pack -print -quit)" ] &&
    "$1" definitions list -q --definitions build/definitions.pack > /dev/null 2>&1 && return 0
  need_node
  npm_ci packaging/definitions
  say "compiling the FHIR definitions"
  "$1" definitions build -o build/definitions.pack
}
