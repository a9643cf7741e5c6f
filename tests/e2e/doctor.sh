#!/usr/bin/env bash
# ketlink doctor: each preset fits the rules it was made for and no others; each fault on the way has its line, its fix and
# its exit status; nothing is written to a server.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
servers_begin "$work"
server_start medplum behind
behind=$server_url

# doctor STATUS NAME: of the destination NAME; its lines in $work/out
doctor() { expect "$1" "$ketlink" doctor "$work/destinations/$2.json"; }
line() { expect_text "$work/out" "^$1 +$2  .*${3:-}"; }

# --- this machine alone
expect 0 "$ketlink" doctor
line ok definitions 'packages'
line ok maps '[0-9]+ maps, [0-9]+ ConceptMaps'
line ok destinations '[0-9]+ files, no faults'
expect_no_text "$work/out" '^(FAIL|skip)'

cp -r mappings "$work/edited"
sed -i 's/"short": "mm\[Hg\]"/"short": "in mm[Hg]"/' "$work/edited/models/session-record.json"
expect 0 "$ketlink" doctor --mappings "$work/edited"
line ok maps 'its models are not those of the pack, so each start reads them anew: ketlink definitions build'

# --- every preset fits its own server
for preset in hapi medplum aidbox blaze epic oracle us-core-write; do
  server_start restricted "$preset" --rules "$preset" --to "$behind"
  destination "my-$preset" "$preset" "$server_url"
  doctor 0 "my-$preset"
  expect_no_text "$work/out" '^(FAIL|skip)'
  line ok software 'restricted server after .*resource types'
  line ok tls 'TLSv1\.[23], [A-Z0-9_-]+, a chain of 2, the host name fits'
  line warn certificate 'ends in [67] days -> ask who runs the server'
  line ok clock 'within a minute'
  line ok token 'accepted|none needed'
  expect_same "$(jq -r 'select(.interaction != "capabilities" and .interaction != "search-type") | .interaction' "$work/$preset.log")" "" \
    "$preset: doctor did more than read"
  eval "url_${preset//-/_}=\$server_url"
done
doctor 0 my-epic
line ok left-out 'MedicationAdministration.*in the session note|in the session note'
doctor 0 my-us-core-write
line warn left-out 'not sent at all'

# --- and not another's
destination wrong hapi "$url_epic"
doctor 78 wrong
line FAIL submit 'names no transaction -> set submit to single'
line FAIL idempotency 'names no conditional-update for .* -> set idempotency to search-first'
line FAIL create 'names no create for .* and [0-9]+ more -> take create'
destination wrong epic "$url_oracle"
doctor 78 wrong
line FAIL create 'names no create for AllergyIntolerance'
line ok submit single
destination wrong hapi "$url_blaze"
doctor 78 wrong
line ok submit transaction
line FAIL idempotency 'conditional-update'
destination wrong oracle "$url_us_core_write" '{"sessionNote": "never"}'
doctor 78 wrong
line FAIL search 'names no search for'
line warn left-out 'not sent at all -> set sessionNote'

# --- as data
expect 78 "$ketlink" doctor --json "$work/destinations/wrong.json"
jq -se 'map(select(.mark == "failed")) | length > 1 and all(.check and .detail and .fix)' "$work/out" > /dev/null || fail "--json"

# --- the credential
echo 0123456789 > "$work/other"
chmod 600 "$work/other"
destination wrong epic "$url_epic" "{\"auth\": {\"type\": \"bearer\", \"tokenFile\": \"$work/other\"}}"
doctor 77 wrong
line FAIL token 'refused \(HTTP status 401\) -> get a new token'
line ok create 'create of'
chmod 644 "$work/other"
doctor 78 wrong
line FAIL credential 'read by others'
line ok metadata 'CapabilityStatement'
line skip token
rm "$work/other"
doctor 78 wrong
line FAIL credential 'missing'

# --- the file
destination wrong epic "$url_epic" '{"submitt": "single"}'
doctor 78 wrong
line FAIL configuration 'submitt'
line skip address
destination wrong epic "$url_epic" '{"profiles": ["http://example.org/none"]}'
doctor 78 wrong
line FAIL profiles 'do not have'
line ok token accepted
destination wrong epic "$url_epic" '{"caFile": "/dev/null"}'
doctor 78 wrong
line FAIL authority 'no certificate in PEM'
expect 78 "$ketlink" doctor epik
line FAIL configuration 'did you mean epic'

# --- the way there
destination wrong epic https://127.0.0.1:9/fhir
doctor 69 wrong
line FAIL connection '-> check the port'
destination wrong epic https://no-such-host.invalid/fhir
doctor 69 wrong
line FAIL address '-> check the host name'
line skip tls
for case in expired:expired "future:not yet valid" "otherhost:another host name" "unknown:issuer|self.signed|unable" "selfsigned:self.signed"; do
  name=${case%%:*}
  server_start faults "$name" --faults ok --cert "$work/certs/$name.pem" --key "$work/certs/$name.key"
  destination wrong epic "$server_url"
  doctor 78 wrong
  line ok connection made
  line FAIL tls "(${case#*:}).* -> the server's certificate"
  server_stop "$name"
done
server_start faults old --faults ok --tls 1.1
destination wrong epic "$server_url"
doctor 78 wrong
line FAIL tls 'TLS 1.2 or newer'
destination wrong epic "${url_epic%/R4}"
doctor 78 wrong
line FAIL metadata 'HTTP status 404 -> check the path'

server_start faults plain --faults ok --tls none
destination wrong epic "$server_url"
doctor 78 wrong
line FAIL tls '-> the server.s certificate'
server_stop plain
server_start faults silent --faults ok --tls silent
destination wrong epic "$server_url" '{"connectTimeoutMs": 500}'
doctor 69 wrong
line FAIL '(connection|tls)' '-> check'
line skip metadata
destination wrong epic "$url_epic" '{"maxResponseBytes": 1024}'
doctor 69 wrong
line FAIL metadata 'larger than 1024 bytes'

# --- the clocks
for case in "120:0:warn:1[12][0-9] s behind" "-120:0:warn:1[12][0-9] s ahead of" "600:78:FAIL:(59|60)[0-9] s behind"; do
  IFS=: read -r seconds status mark words <<< "$case"
  server_start restricted skewed --rules epic --to "$behind" --skew="$seconds"
  destination wrong epic "$server_url"
  doctor "$status" wrong
  line "$mark" clock "$words the server's -> set the clock"
  line ok token accepted
  server_stop skewed
done

echo "doctor: seven presets fit their own servers, each fault has its line"
