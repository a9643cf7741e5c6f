# lib.sh - shared by the end-to-end tests: a scratch folder, servers with certificates made on the spot, assertions.
# KETLINK names the program; exit status 77 means skipped.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
ketlink=${KETLINK:-build/release/ketlink}
[ -x "$ketlink" ] || { echo "skipped: $ketlink is not built"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/ketlink-e2e.XXXXXX")
servers=()
trap 'stop_servers; rm -rf "$work"' EXIT

stop_servers() {
  local pid
  for pid in "${servers[@]:-}"; do
    [ -z "$pid" ] || kill "$pid" 2> /dev/null || true
  done
}

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  exit 1
}

# expect STATUS COMMAND…: runs it, output in $work/out and $work/err.
expect() {
  local want=$1 got=0
  shift
  "$@" > "$work/out" 2> "$work/err" || got=$?
  [ "$got" = "$want" ] || { cat "$work/err" >&2; fail "exit status $got instead of $want: $*"; }
}
expect_text() { grep -qE -- "$2" "$1" || { cat "$1" >&2; fail "no '$2' in $1"; }; }
expect_no_text() { ! grep -qE -- "$2" "$1" || { cat "$1" >&2; fail "'$2' in $1"; }; }
expect_same() { [ "$1" = "$2" ] || fail "'$1' is not '$2'${3:+: $3}"; }

make_certificates() {
  tests/servers/certs.sh "$work/certs"
  (umask 077 && head -c 24 /dev/urandom | base64 | tr -d '/+=' > "$work/token")
}

# wait_ready FILE PID SECONDS: the port the server wrote.
wait_ready() {
  local tries=$(($3 * 10))
  while [ ! -s "$1" ]; do
    kill -0 "$2" 2> /dev/null || return 1
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
  cat "$1"
}

# start_server NAME SECONDS COMMAND…: sets $port. The usual options are added.
start_server() {
  local name=$1 seconds=$2 pid
  shift 2
  "$@" --port 0 --cert "$work/certs/${server_cert:-server}.pem" --key "$work/certs/${server_cert:-server}.key" \
    --token-file "$work/token" --ready-file "$work/$name.ready" > "$work/$name.log" 2>&1 &
  pid=$!
  servers+=("$pid")
  port=$(wait_ready "$work/$name.ready" "$pid" "$seconds") || { cat "$work/$name.log" >&2; fail "$name did not start"; }
  server_pid=$pid
}

# destination NAME PRESET BASE [JSON]: a destination file with the test's CA and token; $work/destinations/NAME.json
destination() {
  mkdir -p "$work/destinations"
  cp mappings/destinations/*.json "$work/destinations/"
  local extra=${4:-"{}"}
  jq -n --arg preset "$2" --arg base "$3" --arg ca "$work/certs/ca.pem" --arg token "$work/token" --argjson extra "$extra" \
    '{preset: $preset, base: $base, caFile: $ca, auth: {type: "bearer", tokenFile: $token}} + $extra' \
    > "$work/destinations/$1.json"
}

# get BASE PATH: a FHIR read with the test's token, past ketlink.
get() {
  curl -sS --fail-with-body --cacert "$work/certs/ca.pem" -H "Authorization: Bearer $(cat "$work/token")" \
    -H "Accept: application/fhir+json" -H "Cache-Control: no-cache" "$1/$2"
}
