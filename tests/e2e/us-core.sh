#!/usr/bin/env bash
# us-core: the Bundles that the fixtures must become claim profiles of US Core, and conform to version 6.1.0.
# shellcheck source=tests/e2e/lib.sh
. "$(dirname "$0")/lib.sh"
packages=${KETLINK_CONFORMANCE:-$root/../shared/conformance}/packages
package=$packages/hl7.fhir.us.core-6.1.0.tgz
[ -f "$package" ] || { echo "skipped: no $package"; exit 77; }
export HOME="$work"

expect 0 "$ketlink" validate --ig "$package" fixtures/clinic/*/expected.json
grep -q "us-core" fixtures/clinic/minimal/expected.json || fail "the fixtures claim no profile of US Core"

# what a profile asks for is asked for: a Patient without a name
cat > "$work/nameless.json" << 'END'
{ "resourceType": "Patient", "gender": "unknown",
  "meta": { "profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"] },
  "identifier": [{ "system": "http://example.org/mrn", "value": "1" }] }
END
expect 1 "$ketlink" validate --ig "$package" "$work/nameless.json"
expect_text "$work/out" "name"
echo "fixtures conform to US Core 6.1.0"
