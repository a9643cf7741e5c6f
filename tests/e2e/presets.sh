#!/usr/bin/env bash
# presets.sh PRESET: sessions sent with a preset to a server that keeps to the rules of that EHR. Nothing that is sent has to be
# refused; what the EHR takes is there once, however often it is sent; what it does not take travels in the session note; a
# corrected dose arrives. What is there is asked of the server behind, by search.
. "$(dirname "$0")/lib.sh"
preset=${1:?usage: presets.sh PRESET}
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
servers_begin "$work"
rules=tests/servers/restricted/$preset.json
records=()
for name in iv-trd intranasal-84mg im-stopped-early minimal follow-up-integration; do
  # each a clinic of its own: records that differ in what they share would correct one another
  sed "s/\"id\": *\"riverside\"/\"id\": \"$name\"/" "fixtures/clinic/$name/record.json" > "$work/$name.json"
  records+=("$work/$name.json")
done

# --- the server behind: HAPI for large transactions and for references that must lead somewhere, else Medplum
case $preset in
  hapi | aidbox | blaze)
    tests/servers/hapi/run.sh --build || exit $?
    server_start hapi behind
    ;;
  *) server_start medplum behind --strict ;;
esac
behind=$server_url
server_start restricted "$preset" --rules "$preset" --to "$behind"
destination "my-$preset" "$preset" "$server_url"
to=$work/destinations/my-$preset.json

expect 0 "$ketlink" doctor "$to"
expect 0 "$ketlink" export -q --as ndjson -o "$work/all.ndjson" "${records[@]}"

# held FILE: what there should be and what there is
held() {
  node tests/e2e/presets.mjs --rules "$rules" --base "$behind" --ca "$work/certs/ca.pem" --token-file "$work/token" \
    --known "$known" "$work/all.ndjson" > "$1"
}
post() {
  curl -sS --fail-with-body --cacert "$work/certs/ca.pem" -H "Authorization: Bearer $(cat "$work/token")" \
    -H "Content-Type: application/fhir+json" --data-binary @- "$behind/$1" > /dev/null
}
# seed TYPE: the EHR knows them already, by numbers of its own world, never by the clinic's record
seed() {
  jq -c --arg type "$1" 'select(.resourceType == $type)
    | {resourceType, identifier: (.identifier[:-1])} + (if .name then {name} else {} end) | select(.identifier | length > 0)' \
    "$work/all.ndjson" | sort -u | awk -F '"value":' '!seen[$2]++' | while read -r resource; do post "$1" <<< "$resource"; done
}
writes() { jq -r 'select(.interaction == "create" or (.interaction | test("update"))) | .interaction' "$work/$preset.log" | wc -l; }

known=''
case $preset in
  epic | oracle) known=Practitioner ;;
  us-core-write) known=Patient,Practitioner ;;
  blaze) known=Organization,Practitioner ;; # what is looked for first is found by any number: the clinics share staff
esac
[ "$preset" = blaze ] || for type in ${known//,/ }; do seed "$type"; done

# --- the first time: everything that the EHR takes is there once
expect 0 "$ketlink" send --to "$to" "${records[@]}"
cp "$work/out" "$work/sent"
cp "$work/err" "$work/said"
expect_refusals "$preset"
held "$work/held.1"
awk '$1 == "must" && $4 != 1 || $1 == "may" && $4 > 1 || $1 == "never" && $2 !~ /^(Patient|Practitioner)$/ && $4 != 0' "$work/held.1" > "$work/wrong"
[ ! -s "$work/wrong" ] || fail "what the server holds is not what it takes: $(head -5 "$work/wrong")"
must=$(grep -c '^must' "$work/held.1")
[ "$must" -gt 20 ] || fail "only $must resources were expected"

# --- what is not there stands in the report of send, resource by resource, and in the session note
while read -r wanted type token count _; do
  [ "$wanted" != must ] && [ "$count" = 0 ] || continue
  key=${token#*|}
  key=${key//+/ }
  [[ $key != patient/* ]] || key=patient
  grep -F "$type " "$work/sent" | grep -F " $key " | grep -qE 'left out \(|not at the server' || fail "send does not tell that $type $key did not go"
done < "$work/held.1"
# notes FILE: the pages of all session notes on the server, as text
notes() {
  get "$behind" "DocumentReference?_count=100&_tag=$(jq -rn '"http://ketlink.dev/fhir/CodeSystem/local|session-note" | @uri')" > "$work/notes.json"
  jq -r '.entry[]?.resource.content[].attachment.data' "$work/notes.json" | while read -r page; do base64 -d <<< "$page"; done | sed 's/<[^>]*>//g' > "$1"
  jq -r '.entry[]?.resource | .id' "$work/notes.json" | sort > "$1.ids"
}
notes "$work/notes.1"
case $preset in
  epic | oracle)
    expect_same "$(wc -l < "$work/notes.1.ids")" "${#records[@]}" "session notes"
    grep -q '37\.50 mg' "$work/notes.1" || fail "the dose is not in the session note"
    expect_text "$work/sent" '^MedicationAdministration .*left out .*, in the session note$'
    ;;
  *)
    expect_same "$(wc -l < "$work/notes.1.ids")" 0 "session notes"
    expect_no_text "$work/sent" 'in the session note'
    ;;
esac

# --- again: nothing new
before=$(writes)
expect 0 "$ketlink" send --to "$to" "${records[@]}"
expect_refusals "$preset"
held "$work/held.2"
diff "$work/held.1" "$work/held.2" || fail "sending twice made duplicates or new versions"
case $preset in
  epic | oracle | blaze) expect_same "$(writes)" "$before" "sending twice wrote something" ;;
esac

# --- a corrected dose
sed -e 's/"givenMg": 37.50, "givenMl": 0.75/"givenMg": 37.00, "givenMl": 0.74/' -e 's/"drawnMg": 40.00/"drawnMg": 39.50/' \
    -e 's/"status": "completed", "route"/"status": "stopped", "reason": "nausea", "route"/' \
  "$work/iv-trd.json" > "$work/corrected.json"
cmp -s "$work/iv-trd.json" "$work/corrected.json" && fail "the record was not changed"
case $preset in
  oracle) # a Procedure can be made there and not corrected: said, not made a second time
    expect 1 "$ketlink" send --to "$to" "$work/corrected.json"
    expect_text "$work/err" 'delivery-fixed: .*exists and cannot be corrected by interface \(status\)'
    ;;
  *) expect 0 "$ketlink" send --to "$to" "$work/corrected.json" ;;
esac
expect_refusals "$preset"
held "$work/held.3"
diff <(cut -d' ' -f1-4 "$work/held.1") <(cut -d' ' -f1-4 "$work/held.3") || fail "a corrected dose made or lost a resource"
diff "$work/held.1" "$work/held.3" | awk '/^>/ { print $3 }' | sort | uniq -c > "$work/changed" || true
if grep -q '^must MedicationAdministration' "$work/held.1"; then
  grep -q MedicationAdministration "$work/changed" || fail "the corrected dose did not arrive"
fi
notes "$work/notes.2"
diff "$work/notes.1.ids" "$work/notes.2.ids" || fail "a correction made or lost a session note"
case $preset in
  epic | oracle)
    grep -q '37\.00 mg' "$work/notes.2" || fail "the corrected dose is not in the session note"
    ! grep -q '37\.50 mg' "$work/notes.2" || fail "the wrong dose is still in the session note"
    ;;
esac

# --- a server that discards what is close in time, and one that says no more than 202: both are told from what is there
if [ "$preset" = us-core-write ]; then
  server_start medplum sparse --strict
  behind=$server_url
  for type in ${known//,/ }; do seed "$type"; done
  server_start restricted discards --rules "$preset" --to "$behind" --set '{"discard": {"minutes": 20, "status": 202}}'
  destination discards "$preset" "$server_url"
  expect 1 "$ketlink" send --to "$work/destinations/discards.json" "$work/iv-trd.json"
  expect_refusals discards
  thrown=$(jq -r 'select(.discarded) | .type' "$work/discards.log" | wc -l)
  [ "$thrown" -gt 0 ] || fail "nothing was discarded"
  expect_same "$(grep -c ', discarded' "$work/out" || true)" "$thrown" "reported as discarded"
  held "$work/held.discards"
  sent=$(grep -c '^Observation .*, kept' "$work/out" || true)
  expect_same "$(grep -c 'S-000412.* 1 ' "$work/held.discards")" "$sent" "reported as kept"

  server_start medplum quiet --strict
  behind=$server_url
  for type in ${known//,/ }; do seed "$type"; done
  server_start restricted accepted --rules "$preset" --to "$behind" --set '{"created": {"status": 202, "header": ""}}'
  destination accepted "$preset" "$server_url"
  expect 0 "$ketlink" send --to "$work/destinations/accepted.json" "${records[@]}"
  expect_refusals accepted
  held "$work/held.accepted"
  diff <(cut -d' ' -f1-4 "$work/held.1") <(cut -d' ' -f1-4 "$work/held.accepted") || fail "202 and no place: not the same resources"
fi
echo "$preset: $must resources once; not taken: $(grep -c '^never' "$work/held.1"), put right or left out: $(grep -c '^may' "$work/held.1" || true); corrected: $(tr -s ' \n' ' ' < "$work/changed")"
