#!/usr/bin/env bash
# Deliveries that succeed in part: what is stored stays, only failures go out again, lost answers are looked up, what refers to
# a failed resource waits, a corrected record is never doubled, and what a server did not keep is told.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
record=fixtures/clinic/minimal/record.json
servers_begin "$work"
total() { get "$base" "$1?_summary=count&_total=accurate" | jq .total; }
posts() { grep -o 'request POST .*entries=[0-9]*' "$work/$1.log" | sed 's/.*entries=//' | tr '\n' ' '; }
quickly='"retryWaitMs": 10'

# --- a batch in which one entry fails for a passing cause: that one alone is sent again
server_start faults some --faults entry-500,ok
destination some hapi "$server_url" "{\"submit\": \"batch\", $quickly}"
expect 0 "$ketlink" send --to "$work/destinations/some.json" "$record"
read -r first second rest <<< "$(posts some)"
[ "$first" -gt 1 ] || fail "the first part has one entry only"
expect_same "$second" 1 "not only the failure was sent again ($first $second $rest)"
expect_no_text "$work/out" "not confirmed|refused|not sent"

# --- it fails for ever: the others are stored, what refers to it waits, the exit status says so
server_start faults never --faults entry-429
destination never hapi "$server_url" "{\"submit\": \"batch\", \"retries\": 1, $quickly}"
expect 1 "$ketlink" send --to "$work/destinations/never.json" "$record"
expect_text "$work/out" " created "
expect_text "$work/out" "not confirmed \(HTTP status 429\)"
expect_text "$work/out" "not sent: waits for "
expect_text "$work/err" "error delivery-unavailable: .*HTTP status 429.*sending again is safe"
[ "$(grep -c 'error delivery-waits' "$work/err")" -le "$(grep -c 'not confirmed' "$work/out")" ] || fail "more findings than causes"

# --- a server that asks for more patience than a command has is not asked again
server_start faults patience --faults 503 --retry-after 60
destination patience hapi "$server_url"
expect 75 "$ketlink" send --to "$work/destinations/patience.json" "$record"
expect_same "$(grep -c 'request POST' "$work/patience.log")" 1

# --- a busy server, then a well one
server_start faults busy --faults 503-bare,429-bare,ok
destination busy hapi "$server_url" "{$quickly}"
expect 0 "$ketlink" send --to "$work/destinations/busy.json" "$record"
expect_same "$(grep -c 'request POST' "$work/busy.log")" 3

# --- one of single writes is refused for good: what refers to it waits, the others go
server_start faults first --faults 422,ok
destination first hapi "$server_url" '{"submit": "single"}'
expect 1 "$ketlink" send --json --to "$work/destinations/first.json" "$record"
jq -es '([.[] | select(.action == "refused")] | length == 1) and any(.action == "held-back") and any(.stored)' "$work/out" > /dev/null ||
  fail "not one refused, some waiting, some stored"

# --- written, and the answer lost, or no answer to speak of: found by looking, stored once
export_types() { "$ketlink" export -q "$record" | jq -r '.entry[].resource.resourceType' | sort | uniq -c | awk '{ print $2, $1 }'; }
export_types > "$work/wanted"
held() { while read -r type _; do echo "$type $(total "$type")"; done < "$work/wanted"; }
# lost FAULT JSON TEXT
lost() {
  server_start medplum "ehr$1" --strict
  base=$server_url
  server_start faults "$1" --faults "$1" --to "$base"
  destination "$1" medplum "$server_url" "$2"
  expect 0 "$ketlink" send --to "$work/destinations/$1.json" "$record"
  expect_text "$work/out" "$3"
  held | diff "$work/wanted" - || fail "$1: not once"
  expect 0 "$ketlink" send --to "$work/destinations/$1.json" "$record"
  held | diff "$work/wanted" - || fail "$1: sending again made duplicates"
  server_stop "$1"
  server_stop "ehr$1"
}
lost pass-lost-writes "{\"submit\": \"single\", \"idempotency\": \"search-first\", $quickly}" " unchanged "
lost pass-406-writes "{\"submit\": \"single\", \"idempotency\": \"search-first\", $quickly}" " unchanged "
lost pass-409-writes "{\"submit\": \"single\", \"idempotency\": \"conditional-create\", $quickly}" " unchanged "
lost pass-202-writes "{\"submit\": \"single\", \"idempotency\": \"search-first\", $quickly}" " stored "
lost pass-lost-writes "{$quickly}" " unchanged "

# --- a conditional create that matched stores nothing: the correction is an update by id, and goes out once
server_start medplum created --strict
base=$server_url
destination created medplum "$base" "{\"idempotency\": \"conditional-create\", $quickly}"
jq '.patient.birthDate = "1970-02-03"' "$record" > "$work/corrected.json"
expect 0 "$ketlink" send --to "$work/destinations/created.json" "$record"
expect 0 "$ketlink" send --to "$work/destinations/created.json" "$work/corrected.json"
expect_text "$work/out" "^Patient .* stored "
expect_same "$(get "$base" "Patient" | jq -r '.entry | length, .[0].resource.birthDate' | tr '\n' ' ')" "1 1970-02-03 "
expect 0 "$ketlink" send --to "$work/destinations/created.json" "$work/corrected.json"
expect_no_text "$work/out" "^Patient .* stored "

# --- whatever a server answers to a search, nobody else is taken for the patient, or for the clinic
server_start faults deaf --faults pass-ignored-search --to "$base"
destination deaf medplum "$server_url" '{"submit": "single", "idempotency": "search-first"}'
for change in '.patient.mrn = "MRN-other"' '.clinic.id = "ELSEWHERE"'; do
  jq ".session.id = \"S-third\" | $change" "$record" > "$work/third.json"
  expect 1 "$ketlink" send --to "$work/destinations/deaf.json" "$work/third.json"
  expect_text "$work/err" "error delivery-refused: (patient|clinic/ELSEWHERE): the server ignores the search by identifier"
  expect_no_text "$work/out" "^Patient .* (stored|referred)|^Organization .* stored "
  expect_same "$(get "$base" "Patient" | jq -r '.entry | length, .[0].resource.birthDate' | tr '\n' ' ')" "1 1970-02-03 "
done

# --- whom the hospital knows by its own number is found by it, referred to, and neither made again nor written over
server_start medplum known --strict
base=$server_url
put_patient() {
  jq -n --arg system "http://ketlink.dev/fhir/clinic/$(jq -r '.clinic.id' "$1")/mrn" --arg mrn "$(jq -r '.patient.mrn' "$1")" \
    '{resourceType: "Patient", identifier: [{system: $system, value: $mrn}], name: [{family: "Theirs"}]}' |
    curl -sS --fail --cacert "$work/certs/ca.pem" -H "Authorization: Bearer $(cat "$work/token")" \
      -H "Content-Type: application/fhir+json" --data @- "$base/Patient" > /dev/null
}
put_patient "$record"
destination known medplum "$base" '{"submit": "single", "idempotency": "search-first"}'
expect 0 "$ketlink" send --to "$work/destinations/known.json" "$record"
expect_text "$work/out" "^Patient .* referred to Patient/"
expect_same "$(get "$base" "Patient" | jq -r '[.entry[].resource.name[0].family] | join(" ")')" Theirs "the EHR's patient"

# --- a server that ignores the search by identifier gets nothing that may be there already
server_start faults ignores --faults pass-ignored-search --to "$base"
destination ignores medplum "$server_url" '{"submit": "single", "idempotency": "search-first"}'
held > "$work/before"
jq '.session.id = "S-other"' "$record" > "$work/other.json"
expect 1 "$ketlink" send --to "$work/destinations/ignores.json" "$work/other.json"
expect_text "$work/err" "error delivery-refused: .*the server ignores the search by identifier"
held | diff "$work/before" - || fail "something was made that may have been there"

# --- a type that may be made and not be corrected: told, never doubled, never refused by the server
server_start medplum fixes --strict
base=$server_url
server_start restricted epic --rules epic --to "$base"
destination fixed epic "$server_url"
long=fixtures/clinic/iv-trd/record.json
expect 0 "$ketlink" send --to "$work/destinations/fixed.json" "$long"
before=$(total AllergyIntolerance)
jq 'if (.allergies | length) > 0 then .allergies[0].substance = "other" else . end' "$long" > "$work/long.json"
expect 1 "$ketlink" send --to "$work/destinations/fixed.json" "$work/long.json"
expect_text "$work/err" "error delivery-fixed: .* exists and cannot be corrected by interface \(.*\): tell the people of the EHR"
expect_text "$work/out" "^AllergyIntolerance .* exists, cannot be corrected by interface AllergyIntolerance/"
expect_same "$(total AllergyIntolerance)" "$before" "the correction was doubled"
expect_refusals epic

# --- the session note: there where something does not go, with the page, and as R4 wants it
get "$base" "DocumentReference?_tag=http://ketlink.dev/fhir/CodeSystem/local%7Csession-note" > "$work/notes.json"
jq -r '.entry[0].resource.content[0].attachment.data' "$work/notes.json" | base64 -d > "$work/note.html"
expect_same "$(jq -r '.entry | length' "$work/notes.json")" 1
expect_same "$(jq -r '.entry[0].resource.content[0].attachment.hash' "$work/notes.json")" \
  "$(openssl dgst -sha1 -binary "$work/note.html" | base64)"
expect_same "$(jq -r '.entry[0].resource.content[0].attachment.size' "$work/notes.json")" "$(stat -c %s "$work/note.html")"
expect_text "$work/note.html" "<html"
expect_text "$work/out" "^MedicationRequest .* left out \(type\), in the session note"

# --- read back: what a server discards or changes is a finding
server_start medplum vitals --strict
base=$server_url
server_start restricted uscore --rules us-core-write --to "$base" --set '{"discard": {"minutes": 30, "status": 202}}'
destination uscore us-core-write "$server_url" "{\"retries\": 0}"
expect 1 "$ketlink" send --to "$work/destinations/uscore.json" "$long"
expect_text "$work/err" "error delivery-waits: .*refer to patient, which the server does not hold"
expect_same "$(total Observation)" 0 "sent for a patient whom the server does not hold"
put_patient "$long"
expect 1 "$ketlink" send --to "$work/destinations/uscore.json" "$long"
expect_text "$work/out" "^Patient .* referred to Patient/"
expect_text "$work/out" "^Observation .*, kept"
expect_text "$work/out" "^Observation .*, discarded"
expect_text "$work/err" "error delivery-not-kept: .* took it and does not hold it"
expect_text "$work/err" "read back: [0-9]+ kept, 0 changed, [1-9][0-9]* discarded"
expect_same "$(grep -c ', kept' "$work/out")" "$(total Observation)" "kept is not what is there"
expect_same "$(get "$base" "Patient" | jq -r '.entry[0].resource.name[0].family')" Theirs "the EHR's patient was written over"

server_start medplum rounded --strict
base=$server_url
server_start faults rounds --faults pass-altered-reads --to "$base"
destination rounds medplum "$server_url" '{"readBack": true, "retries": 0}'
expect 1 "$ketlink" send --json --to "$work/destinations/rounds.json" "$long"
jq -es 'any(.kept == "changed" and .type == "Observation" and .differs == ["valueQuantity"]) and any(.kept == "kept")' "$work/out" \
  > /dev/null || fail "what the server holds otherwise is not told"
echo "partial: kept, repeated, looked up, waited for, told"
