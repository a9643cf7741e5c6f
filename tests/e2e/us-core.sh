#!/usr/bin/env bash
# us-core: the Bundles that the fixtures must become claim profiles of US Core, and conform to version 6.1.0.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
packages=${KETLINK_CONFORMANCE:-$root/../shared/conformance}/packages
package=$packages/hl7.fhir.us.core-6.1.0.tgz
[ -f "$package" ] || { echo "skipped: no $package"; exit 77; }
export HOME="$work"

# What cannot be told as a vital sign must be: a unit without a code or of another code, a pressure written as one text, no time. It is told as it is, without a claim.
as_written="oru-alternate-codes oru-odd-unit oru-pressure-units oru-signs-without-unit oru-vitals-beyond oru-without-order"
conforming=$(ls fixtures/clinic/*/expected.json fixtures/hl7v2/*/expected.json | grep -v -E "/(${as_written// /|})/")
# shellcheck disable=SC2086 # a list of names
expect 0 "$ketlink" validate --ig "$package" $conforming
for name in $as_written; do
  expect 1 "$ketlink" validate --ig "$package" "fixtures/hl7v2/$name/expected.json"
  expect_no_text "$work/out" "Error .*defined in http://hl7.org/fhir/us/core/"
done
grep -q "us-core" fixtures/clinic/minimal/expected.json || fail "the fixtures claim no profile of US Core"

# what a profile asks for is asked for: a Patient without a name
cat > "$work/nameless.json" << 'END'
{ "resourceType": "Patient", "gender": "unknown",
  "meta": { "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"] },
  "identifier": [{ "system": "http://example.org/mrn", "value": "1" }] }
END
expect 1 "$ketlink" validate --ig "$package" "$work/nameless.json"
expect_text "$work/out" "name"
# a destination that wants them, of the types that always claim one, gets every fixture; of several profiles for one type
# one is enough. One fixture says less than US Core asks, on purpose.
destinations=$work/mappings/destinations
cp -r mappings "$work/mappings"
full=$(ls fixtures/clinic/*/expected.json | grep -v less-than-us-core)
# shellcheck disable=SC2086
jq -rs '[.[].entry[].resource] | group_by(.resourceType)[] | select(all(.meta.profile)) | [.[].meta.profile[]] | unique[]' \
  $full | jq -Rn --arg package "$package" \
  '{preset: "hapi", base: "https://hospital.invalid/fhir", validation: "park", packages: [$package], profiles: [inputs]}' \
  > "$destinations/hospital.json"
good=$(sed 's/expected/record/' <<< "$full")
# shellcheck disable=SC2086
expect 0 "$ketlink" export -q --mappings "$work/mappings" --for hospital $good
expect_same "$(wc -l < "$work/out")" "$(wc -w <<< "$good")" "not every fixture was written"
# that one is parked there, with the reasons
expect 1 "$ketlink" export -q --mappings "$work/mappings" --for hospital fixtures/clinic/less-than-us-core/record.json
for reason in "Coverage.relationship is missing" us-core-15 us-core-7 "DocumentReference.type must have a code"; do
  expect_text "$work/err" "$reason"
done
jq '.profiles = ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs"]' "$destinations/hospital.json" > "$destinations/ward.json"
expect 1 "$ketlink" export -q --mappings "$work/mappings" --for ward fixtures/clinic/iv-trd/record.json
expect_text "$work/err" "required-missing: .*VSCat.*\\(defined in http://hl7.org/fhir/us/core/StructureDefinition/us-core-vital-signs\\)$"
echo "fixtures conform to US Core 6.1.0"
