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

# expect_mentioned_whole BASE DESTINATION NAME: a patient that ADT told of stays whole when results name little of it; results that come first make one,
# which ADT completes; what ADT corrects is corrected.
expect_mentioned_whole() {
  local base=$1 to=$2 name=$3 mrn place before
  full() {
    printf '%s\r' "MSH|^~\\&|CLINICEHR|RIVERSIDE|||20260311100500-0500||ADT^$1|$2|P|2.5.1" \
      "PID|1||$mrn^^^RIVERSIDE^MR||Doe^Jordan^Q||19840229|F|||$3^^Springfield^IL^62701||^PRN^PH^^1^555^5550142" \
      'PV1|1|O|||||1234567893^Vega^Marisol^^^Dr^^^NPI^L^^^NPI' > "$work/$2.hl7"
  }
  thin() {
    printf '%s\r' "MSH|^~\\&|MONITOR|RIVERSIDE|||20260311110500-0500||ORU^R01|$1|P|2.5.1" "PID|||$mrn^^^RIVERSIDE^MR||Doe" \
      "OBR|1||FO-$1|VS^Vital signs|||20260311100000-0500" \
      "OBX|1|NM|8867-4^Heart rate^LN||$2|/min^^UCUM|||||F|||20260311100000-0500||1234567893^V^^^^^^^NPI^L^^^NPI" > "$work/$1.hl7"
  }
  patients() { get "$base" "Patient?identifier=http%3A%2F%2Fketlink.dev%2Ffhir%2Fclinic%2FRIVERSIDE%2Frecord%7Cpatient%2FRIVERSIDE%2F$mrn" | jq -r '.entry[]?.resource.id'; }
  what() { get "$base" "$1" | jq -c '[.meta.versionId, .birthDate, .address[0].line[0], .name[0].given]'; }
  mrn=1-$name
  full A04 "A-$name" '12 Elm St'
  expect 0 "$ketlink" send --to "$to" "$work/A-$name.hl7"
  place=Patient/$(patients)
  before=$(what "$place")
  for value in 71 72; do
    thin "T$value-$name" "$value"
    expect 0 "$ketlink" send --to "$to" "$work/T$value-$name.hl7"
    expect_text "$work/out" "^Patient +patient +referred to $place"
    expect_text "$work/out" "^Practitioner .* referred to Practitioner/"
    expect_text "$work/out" "^Observation .* created "
  done
  expect_same "$(what "$place")" "$before" "results changed the patient"
  get "$base" "Practitioner?identifier=1234567893" | jq -e '.entry[0].resource.name[0].given == ["Marisol"]' > /dev/null || fail "results changed the clinician"
  full A08 "B-$name" '7 Oak St'
  expect 0 "$ketlink" send --to "$to" "$work/B-$name.hl7"
  expect_text <(what "$place") '"7 Oak St"'
  mrn=2-$name
  thin "U-$name" 73
  expect 0 "$ketlink" send --to "$to" "$work/U-$name.hl7"
  expect_text "$work/out" "^Patient +patient +created "
  place=Patient/$(patients)
  full A04 "C-$name" '1 Ash St'
  expect 0 "$ketlink" send --to "$to" "$work/C-$name.hl7"
  expect_same "Patient/$(patients)" "$place" "ADT made another patient than results"
  expect_text <(what "$place") '"1984-02-29","1 Ash St"'
  before=$(what "$place")
  expect 0 "$ketlink" send --to "$to" "$work/U-$name.hl7"
  expect_same "$(what "$place")" "$before" "results that came again changed the patient"
}
