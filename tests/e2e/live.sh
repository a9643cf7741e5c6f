#!/usr/bin/env bash
# scripts/live against restricted servers on loopback: it asks first, refuses what is not synthetic, finds what it sent, corrects
# it, deletes what it made and nothing else, and writes what happened. No sandbox is contacted.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
servers_begin "$work"
server_start medplum behind --strict
behind=$server_url
server_start restricted medplum --rules medplum --to "$behind"
destination loopback medplum "$server_url"
to=$work/destinations/loopback.json
export KETLINK=$ketlink
records=(fixtures/clinic/iv-trd/record.json fixtures/clinic/minimal/record.json)
total() { get "$behind" "$1?_summary=count&_total=accurate" | jq .total; }
writes() { jq -r 'select(.interaction | test("search|capab|read") | not) | .interaction' "$work/$1.log" | wc -l; }
someone='{"resourceType": "Patient", "identifier": [{"system": "urn:test", "value": "somebody else"}]}'
curl -sS --cacert "$work/certs/ca.pem" -H "Authorization: Bearer $(cat "$work/token")" -H "Content-Type: application/fhir+json" \
  -d "$someone" "$behind/Patient" > /dev/null

# --- nothing is sent without the name, and nothing that is not synthetic
expect 2 scripts/live "$to" "${records[@]}" < /dev/null
expect_text "$work/err" 'not confirmed: nothing was sent'
expect 2 scripts/live "$to" "${records[@]}" <<< yes
expect_text "$work/err" 'not confirmed'
sed 's/ (synthetic)//' "${records[1]}" > "$work/real.json"
expect 2 scripts/live --yes "$to" "$work/real.json"
expect_text "$work/err" 'not marked synthetic.*nothing was sent'
(cat "${records[1]}" && cat "$work/real.json") > "$work/mixed.ndjson"
expect 2 scripts/live --yes "$to" "$work/mixed.ndjson"
expect 2 scripts/live --yes no-such-destination
expect_same "$(writes medplum)" 0 "something was written before it was confirmed"

# --- confirmed by name: sent, found, corrected, taken away
expect 0 scripts/live -o "$work/report.md" "$to" "${records[@]}" <<< "$to"
expect_text "$work/report.md" "^\| software by its /metadata \| restricted server after Medplum rules of 2026-07"
expect_text "$work/report.md" "^\| server \| $server_url"
expect_text "$work/report.md" '^\| second send \| exit status 0: .* 0 new resources, 0 new versions'
expect_text "$work/report.md" '^\| corrected dose \| .*1 MedicationAdministration'
expect_text "$work/report.md" '^\| MedicationAdministration \| 1 \|'
made=$(sed -nE 's/^\| cleaned up \| ([0-9]+) of \1 deleted.*/\1/p' "$work/report.md")
[ "${made:-0}" -gt 50 ] || fail "only ${made:-0} resources were made and deleted"
expect_same "$(total Patient)" 1 "the Patients of the run are gone, somebody else's is not"
for type in Encounter Observation MedicationAdministration Practitioner; do expect_same "$(total $type)" 0 "$type"; done
expect_no_text "$work/report.md" "$(cat "$work/token")"
expect_no_text "$work/report.md" 'MRN-|Whitfield|37\.5'
expect_refusals medplum

# --- a server that deletes nothing: the report says what stays
server_start restricted keeping --rules medplum --to "$behind" \
  --set '{"interactions": {"create": ["*"], "update": ["*"], "read": ["*"], "search-type": ["*"], "delete": []}}'
destination strict medplum "$server_url"
expect 0 scripts/live --yes -o "$work/keeping.md" "$work/destinations/strict.json" fixtures/clinic/minimal/record.json
expect_text "$work/keeping.md" '^\| cleaned up \| 0 of [1-9][0-9]* deleted'
expect_text "$work/keeping.md" '^- `Patient/[^ ]+ HTTP 405`$'
expect_refusals keeping interaction # the deletions, and no more
jq -e -s 'map(select(.refused) | .interaction) | unique == ["delete"]' "$work/keeping.log" > /dev/null || fail "more than deletions was refused"

# --- an EHR that takes little: what goes, goes; the rest is said to travel in the session note
server_start restricted epic --rules epic --to "$behind"
destination epic-like epic "$server_url"
expect 0 scripts/live --yes -o "$work/epic.md" "$work/destinations/epic-like.json" fixtures/clinic/iv-trd/record.json
expect_text "$work/epic.md" '^\| MedicationAdministration, (absent|left-out) \| 1 \|'
expect_text "$work/epic.md" '^\| corrected dose \| exit status 0: 1 DocumentReference, 1 Procedure'
expect_text "$work/epic.md" '^\| second send \| exit status 0: .*unchanged; 0 new resources, 0 new versions'

# --- a server that takes nothing: exit status 1, and the report says what was refused
server_start restricted closed --rules us-core-write --to "$behind"
destination closed medplum "$server_url" '{"submit": "single", "idempotency": "search-first", "resources": ["Patient"]}'
expect 1 scripts/live --yes -o "$work/closed.md" "$work/destinations/closed.json" fixtures/clinic/minimal/record.json
expect_text "$work/err" 'nothing was stored'
expect_text "$work/closed.md" '^\| failed \| create \| the server names no create for Patient'
expect_text "$work/closed.md" '^- Patient patient: '

# --- the destinations that are shipped name https servers and presets that exist
for file in mappings/destinations/live/*.json; do
  jq -e '.base | startswith("https://")' "$file" > /dev/null || fail "$file: no https base"
  [ -f "mappings/destinations/$(jq -r .preset "$file").json" ] || fail "$file: no such preset"
done
echo "live: $made resources made, found and taken away"
