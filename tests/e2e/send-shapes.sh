#!/usr/bin/env bash
# Every way a destination may want it gives the same resources on the server, once, however often it is sent.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
servers_begin "$work"
record=fixtures/clinic/intranasal-84mg/record.json
total() { get "$base" "$1?_summary=count&_total=accurate" | jq .total; }
held() { while read -r type; do echo "$type $(total "$type")"; done < "$work/types"; }

expect 0 "$ketlink" export -q "$record"
jq -r '.entry[].resource.resourceType' "$work/out" | sort | uniq -c | awk '{ print $2, $1 }' > "$work/wanted"
awk '{ print $1 }' "$work/wanted" > "$work/types"

# shape NAME JSON: twice, then counted
shape() {
  server_start medplum "$1" --strict
  base=$server_url
  destination "$1" medplum "$base" "$2"
  expect 0 "$ketlink" send --to "$work/destinations/$1.json" "$record"
  held > "$work/held.$1"
  diff "$work/wanted" "$work/held.$1" || fail "$1: not what was exported"
  expect 0 "$ketlink" send --to "$work/destinations/$1.json" "$record"
  held | diff "$work/wanted" - || fail "$1: sending twice made duplicates"
  reference=$(get "$base" "MedicationAdministration?_count=1" | jq -r '.entry[0].resource.subject.reference')
  get "$base" "$reference" > /dev/null || fail "$1: the patient's reference $reference leads nowhere"
  server_stop "$1"
}
shape transaction-update '{}'
shape transaction-create '{"idempotency": "conditional-create"}'
shape batch '{"submit": "batch", "maxEntries": 1}'
shape single-update '{"submit": "single", "maxEntries": 1}'
shape single-create '{"submit": "single", "idempotency": "conditional-create", "maxEntries": 1}'
shape search-first '{"submit": "single", "idempotency": "search-first", "maxEntries": 1}'

# an EHR that takes only some types: the others are left out with a warning, references to them name them by identifier
server_start medplum few --strict
base=$server_url
destination few medplum "$base" '{"submit": "single", "idempotency": "search-first", "maxEntries": 1,
  "resources": ["Patient", "Observation", "Condition", "Procedure"]}'
expect 0 "$ketlink" send --to "$work/destinations/few.json" "$record"
expect_text "$work/err" "warning bundle-not-allowed: .*Encounter"
expect_same "$(total Encounter)" 0 "an Encounter was sent"
[ "$(total Observation)" -gt 5 ] || fail "no Observations were sent"
get "$base" "Observation?_count=1" | jq -e '.entry[0].resource.encounter.identifier.value' > /dev/null ||
  fail "the reference to the Encounter is lost"
echo "shapes: seven ways, the same resources, once"
