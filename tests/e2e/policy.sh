#!/usr/bin/env bash
# What a destination asks of Bundles: profiles from packages; what does not have it is refused, parked, or sent with
# warnings, by `send` and by `export --for` alike.
. "$(dirname "$0")/lib.sh"
command -v node > /dev/null || { echo "skipped: node is not installed"; exit 77; }
export HOME=$work
good=fixtures/clinic/minimal/record.json
cp "$good" "$work/record.json"

# a package of the hospital's: every Patient has a photo, and an Organization a name
mkdir -p "$work/package"
echo '{"name":"hospital.profiles","version":"1.0.0","fhirVersions":["4.0.1"],"dependencies":{"hl7.fhir.r4.core":"4.0.1"}}' \
  > "$work/package/package.json"
# profile NAME TYPE ELEMENT
profile() {
  jq -n --arg name "$1" --arg type "$2" --arg element "$3" '{resourceType: "StructureDefinition", url: "http://hospital.example/\($name)",
    version: "1.0.0", name: $name, status: "active", fhirVersion: "4.0.1", kind: "resource", abstract: false, type: $type,
    baseDefinition: "http://hl7.org/fhir/StructureDefinition/\($type)", derivation: "constraint", differential: {element:
    [{id: $type, path: $type}, {id: "\($type).\($element)", path: "\($type).\($element)", min: 1}]}}' > "$work/package/$1.json"
}
profile PhotoPatient Patient photo
profile NamedOrganization Organization name
mkdir -p "$work/destinations"
tar -czf "$work/destinations/hospital.tgz" -C "$work" package
named='{"packages": ["hospital.tgz"], "profiles": ["http://hospital.example/NamedOrganization"]}'
photo='{"packages": ["hospital.tgz"], "profiles": ["http://hospital.example/NamedOrganization", "http://hospital.example/PhotoPatient"]}'
with() { jq -c --arg word "$2" '. + {validation: $word}' <<< "$1"; }

servers_begin "$work"
server_start faults ehr --faults ok
for word in refuse park warn; do
  destination "named-$word" hapi "$server_url" "$(with "$named" $word)"
  destination "photo-$word" hapi "$server_url" "$(with "$photo" $word)"
done
requests() { grep -c 'request POST' "$work/ehr.log" || :; }
at="$work/destinations"

# --- what is asked for is there: sent, whatever the policy
for word in refuse park warn; do
  expect 0 "$ketlink" send --to "$at/named-$word.json" "$good"
done
expect_same "$(requests)" 3

# --- refuse: nothing of it leaves
expect 65 "$ketlink" send --to "$at/photo-refuse.json" "$good"
expect_text "$work/err" "error required-missing: Patient.photo is missing \[Bundle.entry\[[0-9]+\].resource\]"
expect 65 "$ketlink" export --for "$at/photo-refuse.json" "$good"
[ ! -s "$work/out" ] || fail "refused, and still written"

# --- park: named with its place, the others go on
expect 1 "$ketlink" send --to "$at/photo-park.json" "$good" "$work/record.json"
expect_same "$(grep -c ':1: parked, nothing of it was sent: 1 errors$' "$work/out")" 2
expect_text "$work/err" "2 of 2 records parked"
expect 1 "$ketlink" send --json --to "$at/photo-park.json" "$good"
jq -e '.parked and .line == 1 and (.findings | map(select(.severity == "error")) | length == 1 and .[0].profile == "http://hospital.example/PhotoPatient")' \
  "$work/out" > /dev/null || fail "the parked record is not told"
expect 1 "$ketlink" export --for "$at/photo-park.json" "$good"
expect_text "$work/err" "minimal/record.json:1: parked"
[ ! -s "$work/out" ] || fail "parked, and still written"
expect 65 "$ketlink" send --to "$at/photo-park.json" fixtures/clinic/bad-word/record.json
expect_same "$(requests)" 3 "something that was refused or parked was sent"

# --- warn, and no check at all
expect 0 "$ketlink" send --to "$at/photo-warn.json" "$good"
expect_text "$work/err" "warning required-missing: Patient.photo is missing"
expect_text "$work/out" "^Patient .* (created|stored) "
expect 0 "$ketlink" send --no-validate --to "$at/photo-refuse.json" "$good"
expect_no_text "$work/err" "photo"
expect_same "$(requests)" 5
expect 0 "$ketlink" export --for "$at/photo-warn.json" "$good"
jq -e '.type == "transaction"' "$work/out" > /dev/null || fail "warned, and not written"
expect 65 "$ketlink" send --to "$at/photo-warn.json" fixtures/clinic/bad-word/record.json

# --- a destination that cannot be what is meant
expect 78 "$ketlink" send --to medplun "$good"
expect_text "$work/err" "there is no destination medplun; did you mean medplum\?"
expect 78 "$ketlink" export --for nowhere "$good"
expect_text "$work/err" "there is no destination nowhere; there are: aidbox, blaze, epic, hapi"
destination wrong hapi "$server_url" '{"validation": "refus"}'
expect 78 "$ketlink" send --to "$at/wrong.json" "$good"
expect_text "$work/err" "validation must be one of: refuse, park, warn; did you mean refuse\?"
destination unknown hapi "$server_url" '{"profiles": ["http://hospital.example/PhotoPatient"]}'
expect 78 "$ketlink" export --for "$at/unknown.json" "$good"
expect_text "$work/err" "do not have http://hospital.example/PhotoPatient; name its package"
destination absent hapi "$server_url" '{"packages": ["absent.tgz"]}'
expect 78 "$ketlink" export --for "$at/absent.json" "$good"
expect_text "$work/err" "absent.tgz"
expect_same "$(requests)" 5
echo "policies: refused, parked, warned"
