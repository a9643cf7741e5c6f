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
  records+=("fixtures/clinic/$name/record.json")
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
  node tests/e2e/presets.mjs --rules "$rules" --base "$behind" --ca "$work/certs/ca.pem" --token-file "$work/token" "$work/all.ndjson" > "$1"
}
post() {
  curl -sS --fail-with-body --cacert "$work/certs/ca.pem" -H "Authorization: Bearer $(cat "$work/token")" \
    -H "Content-Type: application/fhir+json" --data-binary @- "$behind/$1" > /dev/null
}
# seed TYPE: the EHR knows them already, by numbers of its own world, never by the clinic's record
seed() {
  jq -c --arg type "$1" 'select(.resourceType == $type)
    | {resourceType, identifier: (.identifier[:-1])} + (if .name then {name} else {} end) | select(.identifier | length > 0)' \
    "$work/all.ndjson" | sort -u | while read -r resource; do post "$1" <<< "$resource"; done
}
writes() { jq -r 'select(.interaction == "create" or (.interaction | test("update"))) | .interaction' "$work/$preset.log" | wc -l; }

[ "$preset" != us-core-write ] || seed Patient
case $preset in epic | oracle | us-core-write) seed Practitioner ;; esac

# --- the first time: everything that the EHR takes is there once
expect "$([ "$preset" = us-core-write ] && echo 1 || echo 0)" "$ketlink" send --to "$to" "${records[@]}"
cp "$work/out" "$work/sent"
cp "$work/err" "$work/said"
expect_refusals "$preset"
held "$work/held.1"
awk '$1 == "must" && $4 != 1 || $1 == "may" && $4 > 1 || $1 == "never" && $2 !~ /^(Patient|Practitioner)$/ && $4 != 0' "$work/held.1" > "$work/wrong"
[ ! -s "$work/wrong" ] || fail "what the server holds is not what it takes: $(head -5 "$work/wrong")"
must=$(grep -c '^must' "$work/held.1")
[ "$must" -gt 20 ] || fail "only $must resources were expected"

# --- again: nothing new
before=$(writes)
expect "$([ "$preset" = us-core-write ] && echo 1 || echo 0)" "$ketlink" send --to "$to" "${records[@]}"
expect_refusals "$preset"
held "$work/held.2"
diff "$work/held.1" "$work/held.2" || fail "sending twice made duplicates or new versions"
case $preset in
  epic | oracle | blaze) expect_same "$(writes)" "$before" "sending twice wrote something" ;;
esac

# --- a corrected dose
sed -e 's/"givenMg": 37.50, "givenMl": 0.75/"givenMg": 37.00, "givenMl": 0.74/' -e 's/"drawnMg": 40.00/"drawnMg": 39.50/' \
    -e 's/"status": "completed", "route"/"status": "stopped", "reason": "nausea", "route"/' \
  fixtures/clinic/iv-trd/record.json > "$work/corrected.json"
cmp -s fixtures/clinic/iv-trd/record.json "$work/corrected.json" && fail "the record was not changed"
expect "$([ "$preset" = us-core-write ] && echo 1 || echo 0)" "$ketlink" send --to "$to" "$work/corrected.json"
expect_refusals "$preset"
held "$work/held.3"
diff <(cut -d' ' -f1-4 "$work/held.1") <(cut -d' ' -f1-4 "$work/held.3") || fail "a corrected dose made or lost a resource"
diff "$work/held.1" "$work/held.3" | awk '/^>/ { print $3 }' | sort | uniq -c > "$work/changed" || true
if grep -q '^must MedicationAdministration' "$work/held.1"; then
  grep -q MedicationAdministration "$work/changed" || fail "the corrected dose did not arrive"
fi
echo "$preset: $must resources once; not taken: $(grep -c '^never' "$work/held.1"), put right or left out: $(grep -c '^may' "$work/held.1" || true); corrected: $(tr -s ' \n' ' ' < "$work/changed")"
