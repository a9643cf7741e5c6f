#!/usr/bin/env bash
# Who we are to a server: SMART Backend Services with ES384 and RS384, keys that rotate while the relay runs, token endpoints that fail
# and lie, basic authentication, client certificates. A token that is not to be believed sends nothing; people are told why.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
relay=$(dirname "$ketlink")/ketlink-relay
[ -x "$relay" ] || { echo "skipped: $relay is not built"; exit 77; }
servers_begin "$work"
record=fixtures/clinic/minimal/record.json

send() { expect "$1" "$ketlink" send --to "$work/destinations/$2.json" "$record"; }
smart() { # NAME BASE KEYS [MEMBERS of auth] [MEMBERS of the file]
  destination "$1" hapi "$2" "$(jq -n --arg keys "$work/$3" --argjson auth "${4:-"{}"}" --argjson file "${5:-"{}"}" \
    '{auth: ({type: "smart", clientId: "ketlink-clinic", keysFile: $keys} + $auth), maxConditionalEntries: 8, retries: 0} + $file')"
}
publish() { "$ketlink" keys jwks "$work/$1" > "$work/part" && mv "$work/part" "$work/published.json"; }
kid() { "$ketlink" keys list --json "$work/$1" | jq -r "select(.state == \"$2\") | .kid"; }

# --- both algorithms, the endpoint discovered below base
for alg in ES384 RS384; do
  "$ketlink" keys create -q --alg $alg "$work/$alg.keys"
done
jq -s '{keys: (.[0].keys + .[1].keys)}' <("$ketlink" keys jwks "$work/ES384.keys") <("$ketlink" keys jwks "$work/RS384.keys") \
  > "$work/published.json"
printf 'of two words\n' > "$work/password" && chmod 600 "$work/password"
server_start medplum ehr --jwks "$work/published.json" --client-id ketlink-clinic --token-log "$work/ehr.tokens" \
  --token-delay 1500 --user clinic --password-file "$work/password"
ehr=$server_url
for alg in ES384 RS384; do
  : > "$work/ehr.tokens"
  smart "by-$alg" "$ehr" $alg.keys
  send 0 "by-$alg"
  expect_same "$(cat "$work/ehr.tokens")" "kid=$(kid $alg.keys signs) alg=$alg error=undefined why=undefined" "one token for all requests"
  expect 0 "$ketlink" doctor "$work/destinations/by-$alg.json"
  expect_text "$work/out" "^ok +authorization +a token from $ehr/auth/token, for 300 s"
  expect_text "$work/out" '^ok +token +accepted'
done

# --- a key that nobody published, a client that nobody knows
"$ketlink" keys create -q "$work/unknown.keys"
smart by-unknown "$ehr" unknown.keys
send 77 by-unknown
expect_text "$work/err" 'no access token: token endpoint: invalid_client .*ketlink keys jwks'
expect 77 "$ketlink" doctor "$work/destinations/by-unknown.json"
expect_text "$work/out" '^FAIL +authorization +no access token: .*invalid_client'
smart by-other "$ehr" ES384.keys '{"clientId": "somebody"}'
send 77 by-other
chmod 644 "$work/unknown.keys"
send 78 by-unknown
expect_text "$work/err" 'chmod 600'

# --- a token endpoint of another origin, which fails and lies
server_start faults fhir --faults ok
fhir=$server_url
"$ketlink" keys jwks "$work/ES384.keys" > "$work/published.json"
echo ok > "$work/mode"
server_start token tokens --jwks "$work/published.json" --client-id ketlink-clinic --mode-file "$work/mode" --redirect-to "$fhir/metadata"
tokens=$server_url
smart other "$ehr" ES384.keys "{\"tokenUrl\": \"$tokens/token\"}"
send 0 other
expect_same "$(wc -l < "$work/tokens.log")" 1 "one token for all requests"
expect_text "$work/tokens.log" 'mode=ok kid=.* alg=ES384 error=undefined .*authorization=no'
echo huge > "$work/mode"
send 0 other

smart lying "$fhir" ES384.keys "{\"tokenUrl\": \"$tokens/token\"}"
while read -r mode status words; do
  echo "$mode" > "$work/mode"
  send "$status" lying
  expect_text "$work/err" "no access token: token endpoint: .*$words"
  expect_no_text "$work/err" "CANARY|$(cat "$work/token")|forged|eyJ"
done << 'CASES'
down 69 HTTP status 503
html 78 not a JSON object
empty 78 not a JSON object
array 78 not a JSON object
twice 78 not a JSON object
deep 78 not a JSON object
large 69 larger than 65536 bytes
zero 78 expires_in
negative 78 expires_in
string 78 expires_in
no-number 78 not a JSON object
crlf 78 printable characters
unprintable 78 not a JSON object|printable characters
no-token 78 no access_token
mac 78 token_type
redirect 78 redirects are never followed
no-client 77 invalid_client .*does not know this client or the key
no-scope 77 invalid_scope .*auth.scope
other-error 77 without an error code
forbidden 77 without an error code
missing 78 is this its address
clock 78 clock is 1(1[5-9]|2[0-5]) s behind the server's
CASES
server_stop tokens
send 69 lying
expect_text "$work/err" 'no access token: token endpoint: '
[ ! -s "$work/fhir.log" ] || fail "the FHIR server was asked without a token"
smart lying "$fhir" ES384.keys "{\"tokenUrl\": \"http://${tokens#https://}/token\"}"
send 78 lying
expect_text "$work/err" 'tokenUrl.*https'
server_start faults selfsigned --faults ok --cert "$work/certs/selfsigned.pem" --key "$work/certs/selfsigned.key"
smart lying "$fhir" ES384.keys "{\"tokenUrl\": \"$server_url/token\"}"
send 78 lying
expect_text "$work/err" 'token endpoint: server certificate refused: self.signed'
expect_text "$work/selfsigned.log" 'application-bytes=0'
expect_no_text "$work/selfsigned.log" ' request '

# --- basic authentication
destination by-basic hapi "$ehr" "{\"auth\": {\"type\": \"basic\", \"user\": \"clinic\", \"passwordFile\": \"$work/password\"}, \"maxConditionalEntries\": 8}"
send 0 by-basic
printf 'another\n' > "$work/wrong" && chmod 600 "$work/wrong"
destination by-basic hapi "$ehr" "{\"auth\": {\"type\": \"basic\", \"user\": \"clinic\", \"passwordFile\": \"$work/wrong\"}}"
send 77 by-basic
expect_no_text "$work/err" 'another'

# --- client certificates: beside a token, alone, missing, of another authority
server_start medplum closed --client-ca "$work/certs/ca.pem"
pair() { printf '{"maxConditionalEntries": 8, "clientCertFile": "%s/certs/%s.pem", "clientKeyFile": "%s/certs/%s.key"}' "$work" "$1" "$work" "$2"; }
destination by-tls hapi "$server_url" "$(pair client client)"
send 0 by-tls
destination by-tls hapi "$server_url" "$(pair client client | jq '.auth = {type: "mtls"}')"
send 77 by-tls
# With TLS 1.3 the client learns of it after it has begun to send: by an alert (client-refused.py), or, from some servers, by a connection
# that breaks without a word. Nothing is stored.
refused() {
  got=0
  "$ketlink" send --to "$work/destinations/by-tls.json" "$record" > "$work/out" 2> "$work/err" || got=$?
  [[ $got = 78 || $got = 75 ]] || fail "exit status $got of a client that was refused"
}
destination by-tls hapi "$server_url" '{"maxConditionalEntries": 8, "retries": 0}'
send 78 by-tls
expect_text "$work/err" 'asks for a client certificate'
destination by-tls hapi "$server_url" "$(pair unknown unknown | jq '.retries = 0')"
refused
server_start faults gateway --faults 400-html --client-ca "$work/certs/ca.pem" --optional-client
destination by-tls hapi "$server_url" '{"retries": 0}'
send 78 by-tls
expect_text "$work/err" 'HTTP status 400; the server asks for a client certificate'
destination by-tls hapi "$server_url" "$(pair client server)"
send 78 by-tls
expect_text "$work/err" 'not the key of the certificate'

# --- the relay: rotation with an overlap, tokens revoked, an endpoint that does not know us for a while
mkdir -m 700 "$work/state" "$work/drop"
"$ketlink" keys store create -q "$work/store.key"
"$ketlink" keys create -q "$work/relay.keys"
publish relay.keys
smart hospital "$ehr" relay.keys
cp -r mappings "$work/mappings" && cp "$work/destinations/hospital.json" "$work/mappings/destinations/"
printf '#!/bin/sh\necho "$1 $2" >> %s/alerts\n' "$work" > "$work/alert" && chmod 755 "$work/alert" && : > "$work/alerts"
cat > "$work/relay.ini" << INI
[relay]
state = $work/state
key = $work/store.key
mappings = $work/mappings
definitions = $root/build/definitions.pack
alert = $work/alert
[http]
socket = $work/socket
[post]
to = hospital
[folder drop]
path = $work/drop
to = hospital
[destination hospital]
retry-seconds = 1
retry-max-seconds = 1
in-flight = 8
INI
"$relay" relay --config "$work/relay.ini" 2> "$work/relay.log" &
echo $! > "$work/relay.pid"

states() { "$ketlink" queue list --json --socket "$work/socket" --limit 1000 | jq -r '(.records? // .)[].state' | sort | uniq -c | tr -s ' \n' ' '; }
number=0
drop() { # COUNT: so many sessions of as many patients
  for _ in $(seq "$1"); do
    number=$((number + 1))
    jq -c ".session.id = \"S-$number\" | .patient.mrn = \"P-$number\"" "$record" > "$work/next"
    mv "$work/next" "$work/drop/$number.json"
  done
}
until_text() { # FILE TEXT
  for _ in $(seq 600); do grep -qE -- "$2" "$1" && return; sleep 0.1; done
  tail -n 20 "$work/relay.log" >&2
  fail "no '$2' in $1"
}
until_states() {
  for _ in $(seq 600); do [ "$(states 2> /dev/null)" = "$1" ] && return; sleep 0.1; done
  tail -n 20 "$work/relay.log" >&2
  fail "states '$(states)' instead of '$1'"
}
forget() { kill -USR2 "$(cat "$work/ehr.pid")"; }

drop 1 # what records share is known to be there from now on: the next do not wait for each other
until_states " 1 done "
: > "$work/ehr.tokens"
forget
drop 7
until_states " 8 done "
old=$(kid relay.keys signs)
expect_same "$(cat "$work/ehr.tokens")" "kid=$old alg=ES384 error=undefined why=undefined" "seven were refused at once: one token"

"$ketlink" keys rotate -q --overlap 2 "$work/relay.keys" # published now, signs in two days
publish relay.keys
forget
drop 4
until_states " 12 done "
expect_same "$(cut -d' ' -f1 "$work/ehr.tokens" | uniq)" "kid=$old" "the new key signed before the overlap was over"
"$ketlink" keys rotate -q --overlap 0 "$work/relay.keys"
publish relay.keys
new=$(kid relay.keys signs)
[ "$new" != "$old" ] || fail "the new key does not sign"
forget
drop 4
until_states " 16 done "
expect_same "$(tail -n 1 "$work/ehr.tokens" | cut -d' ' -f1)" "kid=$new" "the running relay signs with the new key"
expect_no_text "$work/ehr.tokens" 'error=invalid'
expect_same "$(cat "$work/alerts")" "" "alerts in a rotation"

echo '{"keys": []}' > "$work/published.json" # the EHR has lost our keys
forget
drop 4
until_text "$work/alerts" '^destination-held hospital'
until_text "$work/relay.log" 'no-token'
until_states " 16 done 4 queued "
publish relay.keys
until_states " 20 done "
until_text "$work/alerts" '^destination-cleared hospital'

# --- a bearer token that somebody else renews: no signal, no restart
until_text() { # FILE TEXT [TIMES]
  for _ in $(seq 600); do [ "$(grep -cE -- "$2" "$1")" -ge "${3:-1}" ] && return; sleep 0.1; done
  tail -n 20 "$work/relay.log" >&2
  fail "no '$2' in $1"
}
give() { (umask 077 && printf '%s\n' "$1" > "$work/renewed") && mv "$work/renewed" "$work/bearer"; }
give "$(cat "$work/token")"
destination bearer hapi "$ehr" "{\"auth\": {\"type\": \"bearer\", \"tokenFile\": \"$work/bearer\"}, \"maxConditionalEntries\": 8}"
cp "$work/destinations/bearer.json" "$work/mappings/destinations/hospital.json"
kill -HUP "$(cat "$work/relay.pid")"
until_text "$work/relay.log" ' reloaded'
drop 2
until_states " 22 done "
give not-the-token-any-more
drop 2
until_text "$work/alerts" '^destination-held hospital' 2
printf '%s\n' "$(cat "$work/token")" > "$work/bearer" && chmod 644 "$work/bearer" # right, but open to others: nothing is sent
until_text "$work/relay.log" 'reason=configuration .*read by others: chmod 600'
chmod 600 "$work/bearer"
until_states " 24 done "
until_text "$work/alerts" '^destination-cleared hospital' 2
kill "$(cat "$work/relay.pid")"
wait "$(cat "$work/relay.pid")" || fail "the relay ended with $?"
rm "$work/relay.pid"
expect_no_text "$work/relay.log" "eyJ|PRIVATE|P-[0-9]"

echo "identity: two algorithms, a rotation and a new bearer token while the relay ran, 22 lying token endpoints, basic, client certificates"
