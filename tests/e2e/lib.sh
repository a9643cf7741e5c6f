# lib.sh - shared by the end-to-end tests: a scratch folder, servers with certificates made on the spot, assertions.
# KETLINK names the program; exit status 77 means skipped.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$root"
ketlink=${KETLINK:-build/release/ketlink}
[ -x "$ketlink" ] || { echo "skipped: $ketlink is not built"; exit 77; }
work=$(mktemp -d "${TMPDIR:-/tmp}/ketlink-e2e.XXXXXX")
# shellcheck source=tests/servers/servers.sh
. tests/servers/servers.sh
trap 'servers_end; rm -rf "$work"' EXIT

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

# expect_refusals NAME [RULE…]: what the restricted server NAME has refused so far is just these rules, each at least once;
# without rules: nothing.
expect_refusals() {
  local name=$1 wanted
  shift
  wanted=$([ $# -eq 0 ] || printf '%s\n' "$@" | sort -u)
  [ "$(jq -r 'select(.refused) | .refused' "$work/$name.log" | sort -u)" = "$wanted" ] || {
    jq -c 'select(.refused) | [.interaction, .type, .refused, .text]' "$work/$name.log" | sort | uniq -c >&2
    fail "$name: refused is not '$(tr '\n' ' ' <<< "$wanted")'"
  }
}

# destination NAME PRESET BASE [JSON]: a destination file with the test's CA and token; $work/destinations/NAME.json
destination() {
  mkdir -p "$work/destinations"
  cp mappings/destinations/*.json "$work/destinations/"
  local extra=${4:-"{}"}
  jq -n --arg preset "$2" --arg base "$3" --arg ca "$work/certs/ca.pem" --arg token "$work/token" --argjson extra "$extra" \
    '{preset: $preset, base: $base, caFile: $ca, settleMs: 50, auth: {type: "bearer", tokenFile: $token}} + $extra' \
    > "$work/destinations/$1.json"
}

# get BASE PATH: a FHIR read with the test's token, past ketlink.
get() {
  curl -sS --fail-with-body --cacert "$work/certs/ca.pem" -H "Authorization: Bearer $(cat "$work/token")" \
    -H "Accept: application/fhir+json" -H "Cache-Control: no-cache" "$1/$2"
}
