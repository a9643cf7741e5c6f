#!/usr/bin/env bash
# Messages that are not about the patient leave the patient alone, in every way that a destination may want it.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
servers_begin "$work"
server_start medplum ehr --strict
base=$server_url
# shape NAME JSON
shape() {
  destination "$1" medplum "$base" "$2"
  expect_mentioned_whole "$base" "$work/destinations/$1.json" "$1"
}
shape transaction-update '{}'
shape look-first '{"idempotency": "conditional-create", "lookFirst": true}'
shape search-first '{"submit": "single", "idempotency": "search-first", "maxEntries": 1}'
echo "create-only: a patient stays whole in three ways"
