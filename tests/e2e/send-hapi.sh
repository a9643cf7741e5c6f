#!/usr/bin/env bash
# Delivery to HAPI FHIR JPA over TLS: all there, once; a change makes a new version of the same resource.
. "$(dirname "$0")/lib.sh"
tests/servers/hapi/run.sh --build || exit $?
servers_begin "$work"
server_start hapi hapi
base=$server_url
destination hapi-test hapi "$base"
to=$work/destinations/hapi-test.json
record=fixtures/clinic/iv-trd/record.json

expect 0 "$ketlink" send --to "$to" "$record"
cat "$work/out"
sent=$(grep -vc " left out (" "$work/out")
for type in Patient Encounter Procedure MedicationAdministration Observation AdverseEvent; do
  expect_text "$work/out" "^$type .*$type/[A-Za-z0-9.-]+"
done

total() { get "$base" "$1?_summary=count" | jq .total; }
count_all() {
  local type
  for type in $(awk '{ print $1 }' "$work/sent.txt" | sort -u); do printf '%s %s\n' "$type" "$(total "$type")"; done
}
cp "$work/out" "$work/sent.txt"
count_all > "$work/counts.1"
expect_same "$(awk '{ n += $2 } END { print n }' "$work/counts.1")" "$sent" "the server holds what was reported"

expect 0 "$ketlink" send --to "$to" "$record"
count_all > "$work/counts.2"
diff "$work/counts.1" "$work/counts.2" || fail "sending twice made duplicates"

# the dose changes: same resource, new version
first=$(awk '$1 == "MedicationAdministration" { for (i = 1; i <= NF; i++) if ($i ~ /^MedicationAdministration\//) print $i }' "$work/sent.txt" | head -1)
# jq of Debian 12 rewrites numbers: the text itself is looked at
dose() { get "$base" "$first" | tr -d ' \n' | grep -oE '"dose":\{"value":[0-9.]+' | grep -oE '[0-9.]+$'; }
version() { get "$base" "$1" | jq -r .meta.versionId; }
before=$(version "$first")
expect_same "$(dose)" 37.50 "the dose as recorded"
sed -e 's/"givenMg": 37.50, "givenMl": 0.75/"givenMg": 37.00, "givenMl": 0.74/' -e 's/"drawnMg": 40.00/"drawnMg": 39.50/' \
  -e 's/"status": "completed", "route"/"status": "stopped", "reason": "nausea", "route"/' "$record" > "$work/changed.json"
cmp -s "$record" "$work/changed.json" && fail "the record was not changed"
expect 0 "$ketlink" send --to "$to" "$work/changed.json"
count_all > "$work/counts.3"
diff "$work/counts.1" "$work/counts.3" || fail "a changed dose made another resource"
after=$(version "$first")
[ "$after" -gt "$before" ] || fail "version $after is not newer than $before"
expect_same "$(dose)" 37.00 "the changed dose"
# every good fixture is accepted as a whole
for fixture in fixtures/clinic/*/expected.json fixtures/hl7v2/*/expected.json; do
  source=$(dirname "$fixture")/record.json
  [ -f "$source" ] || source=$(dirname "$fixture")/message.hl7
  expect 0 "$ketlink" send --to "$to" "$source"
done
expect_mentioned_whole "$base" "$to" mentioned
echo "hapi: each resource once, a changed dose is version $after"
