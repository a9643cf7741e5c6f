#!/usr/bin/env bash
# The commands of the manuals of HL7 v2 and of the mappings are run as they stand there, line by line, in a copy of both folders. For
# docs/hl7v2.md there are a hospital that takes messages and a relay that listens; ports are free ones, and a load is shorter. And no page
# has commands that no test runs.
. "$(dirname "$0")/lib.sh"
export KETLINK_DEFINITIONS=${KETLINK_DEFINITIONS:-$root/build/definitions.pack} # before ketlink changes its folder
[ -e "$KETLINK_DEFINITIONS" ] || { echo "skipped: no definition pack (scripts/setup makes one)"; exit 77; }
program=$(realpath "$ketlink")
relay=$(dirname "$program")/ketlink-relay
[ -x "$relay" ] || { echo "skipped: $relay is not built"; exit 77; }
run=$work/run
started=()
trap 'kill "${started[@]}" 2> /dev/null || :; rm -rf "$work"' EXIT
mkdir "$run"
cp -r mappings fixtures "$run/"

# page -> the test that runs its commands; those of tests' own folders are for who writes tests
declare -A runs=([README.md]=readme.sh [docs/adding-a-mapping.md]=adding-a-mapping.py [docs/csv.md]=csv-doc.sh [docs/hl7v2.md]=pages.sh
  [docs/hl7v2-maps.md]=pages.sh [docs/live.md]=live.sh [docs/operating.md]=operating.sh [docs/relay-api.md]=relay-api.py [mappings/README.md]=pages.sh
  [CONTRIBUTING.md]=pages.sh)
while read -r page; do
  [ -n "${runs[$page]:-}" ] || fail "the commands of $page are run by no test"
done < <(grep -lE '^```(sh|bash|console)' ./*.md docs/*.md mappings/*.md mappings/*/*.md | sed 's|^\./||')

# the long ones of CONTRIBUTING and README are what runs this: their scripts and presets are there
while read -r script; do [ -x "$script" ] || fail "$script, which a page names, is not there"; done < <(grep -ohE '\bscripts/[a-z0-9-]+' ./*.md docs/*.md | sort -u)
for preset in $(sed -nE 's/.*# presets: (.*)/\1/p' CONTRIBUTING.md | tr -d ,); do
  jq -e --arg name "$preset" 'any(.configurePresets[]; .name == $name)' CMakePresets.json > /dev/null || fail "there is no preset $preset"
done

# block N of the page, without fences
block_of() { awk -v want="$2" '/^```/ { if (open) open = 0; else open = /^```sh/ && ++n == want ? 2 : 1; next } open == 2' "$1"; }
commands=0
run_line() { # PAGE LINE
  (cd "$run" && eval "${2//ketlink /\"$program\" }" > "$work/out" 2> "$work/err") || { cat "$work/out" "$work/err" >&2; fail "$1: $2"; }
  commands=$((commands + 1))
}
run_block() { # PAGE N
  local line
  while read -r line; do run_line "$1" "$line"; done < <(block_of "$1" "$2" | grep -v '^#')
}

# --- the maps
run_block docs/hl7v2-maps.md 1
run_block mappings/README.md 1
git diff --no-index --quiet fixtures "$run/fixtures" || fail "map test --update changed what was as it should be"
mkdir "$run/records"
jq '.products |= map(.form = "nasal-spray") | del(.adverseEvents) | .doses |= map(.route = "drip" | del(.site))' fixtures/clinic/iv-trd/record.json > "$run/records/1.json"
while read -r line; do
  case $line in
  "ketlink terms --draft"*) line="! $line" ;; # 1: there are unknown words
  "ketlink map check"*) # a person has filled in the rows meanwhile
    for draft in "$run"/mappings/terminology/*-local.json; do
      jq '.group[].element[].target[0] = {code: "47625008", display: "Intravenous route", equivalence: "equivalent"}' "$draft" > "$work/filled"
      cp "$work/filled" "$draft"
    done
    ;;
  esac
  run_line mappings/README.md "$line"
done < <(block_of mappings/README.md 2 | grep -v '^#')

# --- HL7 v2: what comes after it is a hospital at its port
tests/servers/certs.sh "$work/certs" > /dev/null
mkdir -m 700 "$work/state" "$work/credentials"
listen() { # NAME COMMAND…: its port, when it listens
  local name=$1
  shift
  "$@" > "$work/$name.out" 2> "$work/$name.log" &
  started+=($!)
  for _ in $(seq 200); do
    port=$(sed -nE 's/.*(listening on 127\.0\.0\.1:| mllp-listens .*port=)([0-9]+).*/\2/p' "$work/$name.log")
    [ -z "$port" ] || return 0
    sleep 0.1
  done
  cat "$work/$name.log" >&2
  fail "$name does not listen"
}
listen hospital "$program" simulate listen 127.0.0.1:0 --json
jq -n --arg address "127.0.0.1:$port" '{protocol: "mllp", address: $address, tls: false}' > "$run/mappings/destinations/hospital.json"
(umask 077 && echo "1 $(openssl rand -hex 32)" > "$work/store.key")
jq -n '{preset: "hapi", base: "https://127.0.0.1:1/fhir", auth: {type: "none"}}' > "$run/mappings/destinations/archive.json" # what comes in waits
top="[relay]
state = $work/state
key = $work/store.key
mappings = $run/mappings
definitions = $KETLINK_DEFINITIONS
[destination hospital]
[destination archive]"
printf '%s\n[mllp ehr]\nlisten = 127.0.0.1:0\nto = archive\n' "$top" > "$work/relay.ini"
cp fixtures/clinic/iv-trd/record.json "$run/record.json"
run_block docs/hl7v2.md 1
[ "$(grep -c '^MSH|' <(tr '\r' '\n' < "$run/record.hl7"))" -ge 5 ] || fail "the record's messages are not in record.hl7"
before=$(wc -l < "$work/hospital.out")
[ "$before" -ge 5 ] || fail "the hospital got no messages"
mkdir "$run/messages"
for name in adt-a04-check-in oru-vitals siu-s12-booked; do cp "fixtures/hl7v2/$name/message.hl7" "$run/messages/$name.hl7"; done
cp fixtures/hl7v2/oru-vitals/message.hl7 "$run/oru.hl7"
listening=0
listen relay "$relay" relay --config "$work/relay.ini"
to=$port
while read -r line; do
  line=${line%%  #*}
  line=${line/--repeat 1000/--repeat 5}
  case $line in
  *" listen "*)
    listening=$((listening + 1))
    words=${line/:2575/:0}
    # shellcheck disable=SC2086 # the words of the page
    listen "ehr$listening" "$program" ${words#ketlink}
    run_line docs/hl7v2.md "ketlink simulate send 127.0.0.1:$port oru.hl7"
    ;;
  *) run_line docs/hl7v2.md "${line/:2575/:$to}" ;;
  esac
done < <(block_of docs/hl7v2.md 2)
[ "$listening" = 2 ] || fail "the page has no listeners"

# the listener of the page is one that starts, where its files are
for name in ehr.pem ehr.key senders-ca.pem; do
  case $name in *.key) from=server.key ;; ehr.pem) from=server.pem ;; *) from=ca.pem ;; esac
  cp "$work/certs/$from" "$work/$name"
done
mv "$work/ehr.key" "$work/credentials/"
mkdir -m 700 "$work/other-state"
{ echo "${top/"$work/state"/"$work/other-state"}" && sed -n '/^```ini$/,/^```$/p' docs/hl7v2.md | grep -v '^```'; } > "$work/page.ini"
expect 0 env CREDENTIALS_DIRECTORY="$work/credentials" "$program" relay --check --config "$work/page.ini"
[ "$commands" -ge 16 ] || fail "only $commands commands were found"
echo "pages: $commands commands run as written"
