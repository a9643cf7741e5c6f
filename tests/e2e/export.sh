#!/usr/bin/env bash
# The main job up to the wire: a session record becomes the same Bundle every time; a bad record becomes findings.
. "$(dirname "$0")/lib.sh"
record=fixtures/clinic/iv-trd/record.json

expect 0 "$ketlink" export "$record"
cp "$work/out" "$work/first.json"
expect 0 "$ketlink" export "$record"
cmp "$work/first.json" "$work/out" || fail "two exports of one record differ"

for type in Patient Practitioner Organization Location Encounter Procedure Medication MedicationAdministration Observation \
  Condition AdverseEvent; do
  count=$(jq --arg type "$type" '[.entry[].resource | select(.resourceType == $type)] | length' "$work/first.json")
  [ "$count" -gt 0 ] || fail "no $type in the Bundle"
done

# every decimal keeps its text: 37.50 stays 37.50
grep -qE '"value": ?37\.50[,}[:space:]]' "$work/first.json" || fail "37.50 did not keep its text"

# the same through a pipe, and as NDJSON
expect 0 "$ketlink" export - < "$record"
cmp "$work/first.json" "$work/out" || fail "stdin gives another Bundle"
expect 0 "$ketlink" export --as ndjson "$record"
expect_same "$(jq -s length "$work/out")" "$(jq '.entry | length' "$work/first.json")" "NDJSON has all resources"

# a psychotherapy note leaves only where it is asked for, and the report says so
expect 0 "$ketlink" export "$record"
expect_no_text "$work/out" PSYTHPN
expect_text "$work/err" "information bundle-withheld: .*S-000412/notes/NT2"
expect 0 "$ketlink" export --include psychotherapy-notes "$record"
expect_text "$work/out" PSYTHPN
expect 2 "$ketlink" export --include everything "$record"

# each bad record: exit 65, nothing on stdout, one line per finding with line and column
for folder in fixtures/clinic/bad-*; do
  expect 65 "$ketlink" export "$folder/record.json"
  [ ! -s "$work/out" ] || fail "$folder: output for a bad record"
  [ -s "$work/err" ] || fail "$folder: no finding"
  while read -r line; do
    [[ $line =~ ^$folder/record.json:[0-9]+:[0-9]+:\ (error|fatal|warning|information)\  ]] || fail "$folder: no position: $line"
  done < "$work/err"
  expect_text "$work/err" ': (error|fatal) '
done

# a good record beside a bad one still comes out
expect 65 "$ketlink" export fixtures/clinic/bad-wrong-type/record.json "$record"
[ -s "$work/out" ] || fail "the good record was lost"
echo "export: as promised"
