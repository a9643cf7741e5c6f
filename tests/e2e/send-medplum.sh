#!/usr/bin/env bash
# Delivery to the Medplum router: transactions are split at 8 entries, nothing is doubled.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
servers_begin "$work"
server_start medplum medplum --strict
base=$server_url
destination medplum-test medplum "$base"
to=$work/destinations/medplum-test.json
total() { get "$base" "$1?_summary=count&_total=accurate" | jq .total; }

good=()
for folder in fixtures/clinic/*/; do
  case $folder in */bad-*) ;; *) good+=("$folder/record.json") ;; esac
done
expect 0 "$ketlink" send --to "$to" "${good[@]}"
for type in Patient Encounter Procedure MedicationAdministration Observation AdverseEvent; do
  expect_text "$work/out" "^$type .*$type/[A-Za-z0-9.-]+"
done
awk '{ print $1 }' "$work/out" | sort -u > "$work/types"
while read -r type; do echo "$type $(total "$type")"; done < "$work/types" > "$work/counts.1"
expect 0 "$ketlink" send --to "$to" "${good[0]}"
while read -r type; do echo "$type $(total "$type")"; done < "$work/types" > "$work/counts.2"
diff "$work/counts.1" "$work/counts.2" || fail "sending twice made duplicates"
# the same session as a set of CSV files is the same resources
expect 0 "$ketlink" send --to "$to" fixtures/csv/iv-trd/set
expect_text "$work/out" "^MedicationAdministration "
while read -r type; do echo "$type $(total "$type")"; done < "$work/types" > "$work/counts.2"
diff "$work/counts.1" "$work/counts.2" || fail "the session as CSV made duplicates"

# where each is, as --json tells it: something of that type is there; of what was not stored no place is told
expect 0 "$ketlink" send --json --to "$to" "${good[1]}"
jq -r 'select(.stored) | [.type, .location] | @tsv' "$work/out" > "$work/places"
[ "$(wc -l < "$work/places")" -gt 3 ] || fail "--json tells of nothing that is stored"
while read -r type location; do
  expect_same "$(get "$base" "$location" | jq -r '.resourceType + "/" + .id')" "$location"
  expect_same "${location%%/*}" "$type"
done < "$work/places"
destination nowhere medplum https://127.0.0.1:1/fhir
expect 69 "$ketlink" send --json --to "$work/destinations/nowhere.json" "${good[1]}"
jq -es 'all(.stored == false and (.location // "") == "")' "$work/out" > /dev/null || fail "a place is told of what was not stored"

# references lead to what is there
get "$base" "MedicationAdministration?_count=100" | jq -r '.entry[].resource.subject.reference' | sort -u |
  while read -r reference; do get "$base" "$reference" > /dev/null || fail "$reference leads nowhere"; done
# what does not have the profiles that the hospital asks for is parked and leaves no trace, or is sent with warnings
server_start medplum strict --strict
base=$server_url
bp='{"profiles": ["http://hl7.org/fhir/StructureDefinition/bp"]}'
destination refuse medplum "$base" "$bp"
destination park medplum "$base" "$(jq -c '.validation = "park"' <<< "$bp")"
destination warn medplum "$base" "$(jq -c '.validation = "warn"' <<< "$bp")"
record=fixtures/clinic/iv-trd/record.json
expect 65 "$ketlink" send --to "$work/destinations/refuse.json" "$record"
expect 1 "$ketlink" send --to "$work/destinations/park.json" "$record" fixtures/clinic/minimal/record.json
expect_text "$work/out" "^$record:1: parked, nothing of it was sent"
expect_same "$(total Patient)" 1 "only the record without Observations is there"
expect_same "$(total Observation)" 0 "a parked record was sent"
expect 0 "$ketlink" send --to "$work/destinations/warn.json" "$record"
expect_text "$work/err" "warning required-missing: .*defined in http://hl7.org/fhir/StructureDefinition/bp"
[ "$(total Observation)" -gt 5 ] || fail "a record with warnings was not sent"
echo "medplum: $(awk '{ n += $2 } END { print n }' "$work/counts.1") resources, none twice"
