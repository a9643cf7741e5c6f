#!/usr/bin/env bash
# Delivery that cannot succeed: each cause has its own words and exit status, nothing is half reported, and no byte of a
# record reaches a server that is not who it should be.
. "$(dirname "$0")/lib.sh"
command -v node > /dev/null || { echo "skipped: node is not installed"; exit 77; }
record=fixtures/clinic/minimal/record.json
servers_begin "$work"

# refused STATUS TEXT NAME: sends to the server at $server_url.
refused() {
  destination "$3" hapi "$server_url" '{"retries": 0}'
  expect "$1" "$ketlink" send --to "$work/destinations/$3.json" "$record"
  expect_text "$work/err" "$2"
  expect_no_text "$work/out" ' (created|stored) '
}
# faulty NAME FAULT OPTION…
faulty() {
  local name=$1 fault=$2
  shift 2
  server_start faults "$name" --faults "$fault" "$@"
}
bytes_received() { awk -F 'application-bytes=' '/application-bytes=/ { n += $2 } END { print n + 0 }' "$work/$1.log"; }

# --- nobody there
server_url=https://127.0.0.1:9/fhir
refused 69 "delivery-unavailable.*cannot be reached, nothing was sent" down
server_url=https://no-such-host.invalid/fhir
refused 69 "delivery-unavailable.*nothing was sent" unresolved

# --- not who it should be: no byte of the record leaves
for case in "expired:certificate has expired" "future:not yet valid" "otherhost:another host name" \
  "unknown:unable to get local issuer|unable to verify|self-signed|self signed" "selfsigned:self-signed|self signed"; do
  name=${case%%:*}
  faulty "$name" ok --cert "$work/certs/$name.pem" --key "$work/certs/$name.key"
  refused 78 "delivery-tls.*(${case#*:})" "$name"
  sleep 0.2
  expect_same "$(bytes_received "$name")" 0 "$name: bytes of a record were received"
  server_stop "$name"
done
for version in 1.0 1.1; do
  faulty "tls$version" ok --tls "$version"
  refused 78 "delivery-tls" "tls$version"
  expect_same "$(bytes_received "tls$version")" 0 "TLS $version: bytes of a record were received"
  server_stop "tls$version"
done

# --- an answer that is no success
while read -r fault status text; do
  faulty "f$fault" "$fault"
  refused "$status" "$text" "f$fault"
  expect_same "$(grep -c 'request POST' "$work/f$fault.log")" 1 "$fault: the request was repeated"
  server_stop "f$fault"
done << 'TABLE'
401 77 delivery-auth.*refused the credential
403 77 delivery-auth
404 78 config-invalid.*404
405 78 config-invalid.*405
307 78 config-invalid.*307
400 65 delivery-refused.*refused the data
413 65 delivery-refused
422 65 delivery-refused.*error
409 1 delivery-refused.*something else
412 1 delivery-refused.*something else
429 75 delivery-unavailable.*try again
500 75 delivery-unavailable
502 75 delivery-unavailable
503 75 delivery-unavailable
200-html 75 delivery-
200-truncated 75 delivery-
200-wrong-type 75 delivery-response
200-wrong-bundle 75 delivery-response
200-outcome 75 delivery-response
entries-none 75 delivery-response
entries-fewer 75 delivery-response
entries-more 75 delivery-response
entries-reordered 75 delivery-response
entry-no-status 75 delivery-response
close 75 delivery-unknown.*sending again is safe
close-in-answer 75 delivery-unknown
reset 75 delivery-unknown
TABLE

# --- an answer without end, and one that never comes
faulty endless endless
destination endless hapi "$server_url" '{"maxResponseBytes": 65536, "retries": 0}'
expect 75 "$ketlink" send --to "$work/destinations/endless.json" "$record"
expect_text "$work/err" "larger than 65536 bytes"
server_stop endless
faulty hang hang
destination hang hapi "$server_url" '{"totalTimeoutMs": 1500, "retries": 0}'
expect 75 "$ketlink" send --to "$work/destinations/hang.json" "$record"
expect_text "$work/err" "delivery-unknown"
server_stop hang

# --- one entry refused inside a success: the others are reported, and the whole is not called done
faulty partial entry-422
destination partial hapi "$server_url"
expect 1 "$ketlink" send --to "$work/destinations/partial.json" "$record"
expect_text "$work/err" "delivery-refused.*HTTP status 422"
expect_text "$work/out" "refused \(HTTP status 422\)"
echo "faults: each has its words and its exit status"
