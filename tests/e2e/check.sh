#!/usr/bin/env bash
# The checklist of a record: marks, places, inputs, exit statuses, and the clinic's policy over validate, export and check alike.
. "$(dirname "$0")/lib.sh"
good=fixtures/clinic/intranasal-84mg/record.json
bad=fixtures/clinic/bad-dose-mismatch/record.json

# --- for people: groups in the order of a session, marks, words, places
expect 0 "$ketlink" check "$good"
expect_same "$(grep -oE '^(Before the dose|Dose|Monitoring|Discharge|Waste|Notes|REMS)$' "$work/out" | tr '\n' ' ')" \
  "Before the dose Dose Monitoring Discharge Waste Notes REMS "
expect_text "$work/out" "^  ✓ bp-before +A blood pressure"
expect_text "$work/out" "^  – was-sum "
[ ! -s "$work/err" ] || fail "a good record, and something on stderr"
expect 1 "$ketlink" check "$bad"
expect_text "$work/out" "^  ✗ dos-short "
expect_text "$work/out" "^ +line 28, column 5: SessionRecord.doses\[0\]$"
expect_same "$(sed -n '/✗ dos-short /,/^  [^ ]/p' "$work/out" | grep -c '^ *line ')" 1 "the places of this rule, and of no other"
expect_text "$work/out" "^  ! bp-leaving "
expect_text "$work/out" "4 fail, 2 warn"
awk 'length > 130' "$work/out" | grep . && fail "lines that are too long"

# --- for programs
expect 1 "$ketlink" check --json "$bad"
jq -e '.modelErrors == 0 and (.rules | length > 40) and ([.rules[] | select(.key == "was-sum")] | length == 1 and
  .[0].group == "waste" and .[0].status == "error" and .[0].severity == "error" and .[0].places == [{"file": "fixtures/clinic/bad-dose-mismatch/record.json", "line": 31, "column": 13, "path": "SessionRecord.waste[0]"}])' \
  "$work/out" > /dev/null || fail "the JSON of a record is not as it should be"

# --- what the shell is told
jq '.discharge.observedMinutes = 119' "$good" > "$work/short.json"
expect 0 "$ketlink" check "$work/short.json"
expect 1 "$ketlink" check --fail-on warning "$work/short.json"
expect 0 "$ketlink" check --fail-on none "$bad"
expect 65 "$ketlink" check fixtures/clinic/bad-broken-json/record.json "$good"
expect_text "$work/out" "intranasal-84mg"
expect 65 "$ketlink" check fixtures/clinic/iv-trd/expected.json
expect_text "$work/err" "a clinic record is wanted"
expect 74 "$ketlink" check "$work/none.json"
expect 2 "$ketlink" check --fail-on sometimes "$good"
expect_text "$work/err" "--fail-on takes error, warning or none"
expect 1 "$ketlink" check fixtures/clinic/bad-word/record.json
expect_text "$work/out" "breaks its model in 3 places"
expect_text "$work/err" "5:68: error code-not-in-value-set"
expect_no_text "$work/out" "✓"

# --- inputs: NDJSON, stdin, folders with Bundles in them, threads
jq -c . "$good" "$bad" > "$work/day.ndjson"
expect 1 "$ketlink" check "$work/day.ndjson"
expect_text "$work/out" "day.ndjson:2: 4 fail"
expect_text "$work/err" "^2 records: 1 with errors, 1 with warnings, 0 could not be read"
expect 1 "$ketlink" check - < "$work/day.ndjson"
expect 0 "$ketlink" check fixtures/clinic/iv-trd
expect_text "$work/err" "^passed over, because no record: 1 FHIR resource$"
for _ in $(seq 20); do cat "$work/day.ndjson"; done > "$work/many.ndjson"
expect 1 "$ketlink" check --json "$work/many.ndjson"
mv "$work/out" "$work/one"
expect 1 "$ketlink" check --json --jobs 4 "$work/many.ndjson"
cmp -s "$work/one" "$work/out" || fail "four threads say something else than one"

# --- a set of CSV files: the places are in its tables
cp -r mappings "$work/csv-mappings"
cp fixtures/csv/site-units/description.json "$work/csv-mappings/csv/site.json"
cp -r fixtures/csv/site-units/set "$work/set"
expect 0 "$ketlink" check --fail-on warning --mappings "$work/csv-mappings" "$work/set"
sed -i '2s/9:40 AM/12:40 PM/' "$work/set/vitals.csv"
expect 1 "$ketlink" check --fail-on warning --mappings "$work/csv-mappings" "$work/set"
expect_text "$work/out" "^  ! bp-before "
expect_text "$work/out" "^ +$work/set/infusions.csv, line 2, column 9: SessionRecord.doses\[0\]$"

# --- no value of a patient
family=$(jq -r .patient.family "$bad") mrn=$(jq -r .patient.mrn "$bad")
expect 1 "$ketlink" check "$bad"
expect_no_text "$work/out" "$family|$mrn|2\.5"

# --- the clinic's policy: one table for validate, export and check
cp -r mappings "$work/mappings"
export KETLINK_MAPPINGS=$work/mappings
policy() { jq --argjson rules "$1" '.rules += $rules' mappings/policy.json > "$work/mappings/policy.json"; }
policy '{"dis-observed": "error"}'
expect 1 "$ketlink" check "$work/short.json"
expect_text "$work/out" "✗ dis-observed"
expect 1 "$ketlink" validate "$work/short.json"
expect_text "$work/out" "Error @ SessionRecord.discharge"
expect 65 "$ketlink" export "$work/short.json"
policy '{"dis-observed": "off"}'
expect 0 "$ketlink" check --fail-on warning "$work/short.json"
expect_text "$work/out" "○ dis-observed +\(off by policy\)"
expect_text "$work/out" "1 off by policy"
expect 0 "$ketlink" export "$work/short.json"
[ ! -s "$work/err" ] || fail "the rule is off, and export speaks of it"
policy '{"was-sum": "warning", "was-volume": "off", "was-witness": "off", "dos-short": "warning"}'
expect 0 "$ketlink" export "$bad"
expect_text "$work/err" "warning constraint-failed: was-sum"
expect_no_text "$work/err" "was-volume"
echo '{"rules": {}}' > "$work/mappings/policy.json"
expect 1 "$ketlink" check "$bad"
rm "$work/mappings/policy.json"
expect 1 "$ketlink" check "$bad"

# --- checked when it is loaded, all faults at once
printf '{ "rules": {\n  "bp-befor": "error",\n  "was-sum": "warnin",\n  "rec-ids": "off" },\n  "rule": 1 }\n' > "$work/mappings/policy.json"
expect 78 "$ketlink" export "$good"
expect_text "$work/err" "policy.json:5:3: error config-invalid: rule is not a known key; did you mean rules\?"
printf '{ "rules": {\n  "bp-befor": "error",\n  "was-sum": "warnin",\n  "rec-ids": "off" } }\n' > "$work/mappings/policy.json"
expect 78 "$ketlink" validate "$good"
expect_text "$work/err" "policy.json:2:3: error config-invalid: rules.bp-befor is not a known key; did you mean bp-before\?"
expect_text "$work/err" "policy.json:3:3: error config-invalid: rules.was-sum must be one of: off, warning, error; did you mean warning\?"
expect_text "$work/err" "policy.json:4:3: error config-invalid: rules.rec-ids is no rule of care"
expect 1 "$ketlink" map check
expect_text "$work/err" "^3 faults"
echo "the checklist, its inputs and its policy are as they should be"
