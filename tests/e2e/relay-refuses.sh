#!/usr/bin/env bash
# What keeps the relay from starting: each with a message and an exit status of its own, and nothing of a key in it.
# A row: NAME STATUS WORDS-OF-THE-MESSAGE; what makes it so is the function of that name, run on a relay that would start.
. "$(dirname "$0")/lib.sh"
relay=${KETLINK_RELAY:-build/release/ketlink-relay}
[ -x "$relay" ] || { echo "skipped: $relay is not built"; exit 77; }
[ -s build/definitions.pack ] || { echo "skipped: build/definitions.pack is not there"; exit 77; }
tests/servers/certs.sh "$work/certs" > /dev/null

rows='
no_configuration        78 cannot be read
unknown_key             78 unknown
unknown_destination     78 nowhere
value_out_of_range      78 in-flight
no_folder_of_store      78 the folder of the store
folder_open_to_others   78 others may enter
state_is_a_link         78 store.s folder is a link
store_is_a_link         78 lock file
missing_key             78 store key is missing or cannot be read
key_open_to_others      78 read by others
key_is_a_link           78 is a link
token_open_to_others    78 token-file of \[http\] can be read by others
token_of_two_lines      78 token-file of \[http\] must hold one line
key_is_no_key           78 64 hexadecimal digits
empty_key               78 empty
another_key             78 does not open this store
newer_schema            78 newer version
another_database        78 no outbox of ketlink
damaged_store           74 damaged|malformed|not a database
older_copy              1  older copy
second_relay            75 another relay has this store open
socket_of_another       75 another process listens on it
port_of_another         75 Address already in use
port_of_a_listener      75 Address already in use
missing_ca              78 ca\.pem
broken_destination      78 destinations/hospital.json
missing_definitions     74 definitions
fault_in_an_unused_map  78 out-oru.fml:[0-9:]+ error map-unknown-element
no_drop_folder          78 the drop folder
no_folder_of_marker     78 the folder of the marker
no_folder_of_backup     78 the folder of the backup
no_folder_of_socket     78 the folder of the socket
no_alert_program        78 program that the relay
folder_is_a_file        78 Not a directory
marker_is_a_folder      74 marker of the store
no_destination_file     78 destinations/hospital.json
destination_twice       78 would get each record twice
path_twice              78 taken twice
path_by_another_name    78 by another name
backup_over_the_store   78 own folder
marker_over_the_store   78 file of the store
backup_over_the_key     78 backup is there, and is no copy of a store
backup_over_a_database  78 backup is there, and is no copy of a store
marker_is_the_backup    78 one file
everybodys_configuration 78 relay.ini.*everybody on this machine may write
everybodys_folder       78 relay.ini.*put another in its place
everybodys_destination  78 hospital.json.*everybody on this machine may write
everybodys_alert        78 alert.*everybody on this machine may write
'

# --- a relay that starts, in $here ---

# What a relay compiles at its start takes most of its time, and matters to the faults of maps alone: the others have one map of one rule.
small=$work/small
mkdir -p "$small/clinic" "$small/destinations"
cp mappings/destinations/*.json "$small/destinations/"
jq '.routes |= map(select(.format == "session-record/1"))' mappings/routes.json > "$small/routes.json"
cat > "$small/clinic/session.fml" << 'FML'
map "http://ketlink.dev/fhir/StructureMap/session" = "session"

uses "http://ketlink.dev/fhir/StructureDefinition/session-record" alias SessionRecord as source
uses "http://hl7.org/fhir/StructureDefinition/Bundle" alias Bundle as target

group Session(source rec : SessionRecord, target bundle : Bundle) {
  rec -> bundle.type = 'collection' "bundle-type";
}
FML

make_relay() {
  here=$work/$1
  mkdir -m 700 "$here" "$here/state" "$here/drop"
  cp -r "$small" "$here/mappings"
  printf '{"preset":"hapi","base":"https://127.0.0.1:9/fhir","caFile":"%s","auth":{"type":"none"}}\n' "$here/ca.pem" \
    > "$here/mappings/destinations/hospital.json"
  cp "$work/certs/ca.pem" "$here/ca.pem"
  (umask 077 && printf '1 %s\n' "$(printf '%064d' 7)" > "$here/key")
  cat > "$here/relay.ini" << INI
[relay]
state = $here/state
key = $here/key
marker = $here/marker
mappings = $here/mappings
definitions = $PWD/build/definitions.pack
[folder drop]
path = $here/drop
to = hospital
[destination hospital]
in-flight = 2
INI
}

start() { timeout -s TERM "${1-20}" "$relay" relay --config "$here/relay.ini" > /dev/null 2> "$here/err"; }
# Runs until it says that it has started, then stops it.
run_once() {
  rm -f "$here/err"
  start 60 &
  local pid=$! tries=0
  until grep -q started "$here/err" 2> /dev/null; do
    tries=$((tries + 1))
    [ $tries -lt 300 ] || fail "it does not start: $(cat "$here/err")"
    sleep 0.1
  done
  pkill -TERM -P $pid || :
  wait $pid || [ $? = 124 ] || fail "it did not stop well: $(cat "$here/err")"
}
sql() { python3 -c 'import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); d.executescript(sys.argv[2]); d.close()' "$here/state/outbox.db" "$1"; }

# --- what is wrong with it ---

no_configuration() { rm "$here/relay.ini"; }
unknown_key() { sed -i 's/^in-flight.*/in-fligth = 2/' "$here/relay.ini"; }
unknown_destination() { sed -i 's/^to = .*/to = nowhere/' "$here/relay.ini"; }
value_out_of_range() { sed -i 's/^in-flight.*/in-flight = 65/' "$here/relay.ini"; }
no_folder_of_store() { rmdir "$here/state"; }
folder_open_to_others() { chmod 750 "$here/state"; }
state_is_a_link() { mv "$here/state" "$here/elsewhere" && ln -s elsewhere "$here/state"; }
store_is_a_link() { ln -s "$here/elsewhere" "$here/state/lock"; }
missing_key() { rm "$here/key"; }
token_open_to_others() {
  printf '0123456789abcdef\n' > "$here/token"
  chmod 644 "$here/token"
  printf '[http]\nlisten = 127.0.0.1:1\ntoken-file = token\n[post]\nto = hospital\n' >> "$here/relay.ini"
}
token_of_two_lines() {
  token_open_to_others
  chmod 600 "$here/token"
  printf '0123456789abcdef\nfedcba9876543210\n' > "$here/token"
}
key_open_to_others() { chmod 640 "$here/key"; }
key_is_a_link() { mv "$here/key" "$here/other" && ln -s other "$here/key"; }
key_is_no_key() { echo "1 secret-but-short" > "$here/key"; }
empty_key() { : > "$here/key"; }
another_key() { run_once && printf '2 %s\n' "$(printf '%064d' 8)" > "$here/key"; }
newer_schema() { run_once && sql 'PRAGMA user_version = 99'; }
another_database() { sql 'CREATE TABLE t(x)'; }
damaged_store() { run_once && dd if=/dev/zero of="$here/state/outbox.db" bs=4096 seek=1 count=3 conv=notrunc status=none; }
older_copy() { run_once && cp "$here/state/outbox.db" "$here/copy" && run_once && cp "$here/copy" "$here/state/outbox.db"; }
second_relay() { run_beside & beside=$!; sleep 0.1; until grep -q started "$here/beside" 2> /dev/null; do sleep 0.1; done; }
run_beside() { exec timeout 60 "$relay" relay --config "$here/relay.ini" 2> "$here/beside"; }
listen_beside() { # ADDRESS: a process that has it
  python3 -c 'import socket, sys, time
where = sys.argv[1].rsplit(":", 1)
with socket.create_server((where[0], int(where[1]))) if where[1:] else socket.socket(socket.AF_UNIX) as place:
    if not where[1:]: place.bind(where[0]); place.listen()
    open(sys.argv[2], "w").write("listens %d" % (place.getsockname()[1] if where[1:] else 0))
    time.sleep(60)' "$1" "$here/beside" &
  beside=$!
  until grep -q listens "$here/beside" 2> /dev/null; do sleep 0.1; done
  port=$(grep -o '[0-9]*$' "$here/beside")
}
socket_of_another() { listen_beside "$here/socket" && printf '[http]\nsocket = socket\n[post]\nto = hospital\n' >> "$here/relay.ini"; }
port_of_another() {
  listen_beside 127.0.0.1:0 && token_open_to_others && chmod 600 "$here/token" && sed -i "s/^listen.*/listen = 127.0.0.1:$port/" "$here/relay.ini"
}
port_of_a_listener() { listen_beside 127.0.0.1:0 && printf '[mllp v2]\nlisten = 127.0.0.1:%s\nto = hospital\n' "$port" >> "$here/relay.ini"; }
missing_ca() { rm "$here/ca.pem"; }
broken_destination() { echo '{' > "$here/mappings/destinations/hospital.json"; }
missing_definitions() { sed -i 's/^definitions.*/definitions = nowhere.pack/' "$here/relay.ini"; }
fault_in_an_unused_map() {
  cp -r mappings/* "$here/mappings/"
  sed -i 's/bundle.entry/bundle.entree/; s/PID_3/PID_333/; s/OBX_3/OBX_333/' "$here/mappings/hl7v2/out-oru.fml"
}
no_drop_folder() { rmdir "$here/drop"; }
no_folder_of_marker() { sed -i "s|^marker.*|marker = $here/nowhere/marker|" "$here/relay.ini"; }
no_folder_of_backup() { printf '[store]\nbackup = nowhere/backup.db\n' >> "$here/relay.ini"; }
no_folder_of_socket() { printf '[http]\nsocket = nowhere/socket\n[post]\nto = hospital\n' >> "$here/relay.ini"; }
no_alert_program() { sed -i "s|^marker.*|alert = $here/nobody|" "$here/relay.ini"; }
folder_is_a_file() { rmdir "$here/drop" && : > "$here/drop"; }
marker_is_a_folder() { mkdir "$here/marker"; }
no_destination_file() { rm "$here/mappings/destinations/hospital.json"; }
destination_twice() { sed -i 's/^to = .*/to = hospital, hospital/' "$here/relay.ini"; }
path_twice() { printf '[folder other]\npath = drop\nto = hospital\n' >> "$here/relay.ini"; }
path_by_another_name() { ln -s drop "$here/link"; printf '[folder other]\npath = link\nto = hospital\n' >> "$here/relay.ini"; }
backup_over_the_store() { ln -s state "$here/link"; printf '[store]\nbackup = link/outbox.db\n' >> "$here/relay.ini"; }
marker_over_the_store() { sed -i "s|^marker.*|marker = $here/state/outbox.db|" "$here/relay.ini"; }
backup_over_the_key() { printf '[store]\nbackup = key\n' >> "$here/relay.ini"; }
backup_over_a_database() { printf '%-100s' "SQLite format 3" > "$here/clinic.db" && printf '[store]\nbackup = clinic.db\n' >> "$here/relay.ini"; }
marker_is_the_backup() { printf '[store]\nbackup = marker\n' >> "$here/relay.ini"; }
everybodys_configuration() { chmod 646 "$here/relay.ini"; }
everybodys_folder() { chmod 777 "$here"; }
everybodys_destination() { chmod 666 "$here/mappings/destinations/hospital.json"; }
everybodys_alert() { printf '#!/bin/sh\n' > "$here/alert" && chmod 777 "$here/alert" && sed -i "s|^marker.*|alert = $here/alert|" "$here/relay.ini"; }
# sockets and ports are not opened by --check, and a relay may have the store; all else that keeps the relay from starting it knows
not_known=" second_relay socket_of_another port_of_another port_of_a_listener "

count=0
while read -r name statuses words; do
  [ -n "$name" ] || continue
  beside=
  make_relay "$name"
  "$name"
  status=0
  start || status=$?
  [ -z "$beside" ] || { kill "$beside" && wait "$beside" || :; }
  grep -qxE "$statuses" <<< "$status" || fail "$name: exit status $status instead of $statuses: $(cat "$here/err")"
  grep -qE -- "$words" "$here/err" || fail "$name: no '$words' in: $(cat "$here/err")"
  if [[ $not_known != *" $name "* ]]; then
    status=0
    "$relay" relay --check --config "$here/relay.ini" 2> "$here/checked" || status=$?
    [ "$status" = "$statuses" ] && grep -qE -- "$words" "$here/checked" || fail "$name: --check says $status: $(cat "$here/checked")"
  fi
  ! grep -qE '0{40}|secret-but-short' "$here/err" || fail "$name: the key is told"
  count=$((count + 1))
done <<< "$rows"
# those of the configuration and those of what it names, at once
make_relay manifold
value_out_of_range
key_open_to_others
broken_destination
for words in "in-flight is a number" "read by others" "destinations/hospital.json"; do
  status=0
  "$relay" relay --check --config "$here/relay.ini" 2> "$here/checked" || status=$?
  [ $status = 78 ] && grep -qE -- "$words" "$here/checked" || fail "--check does not say '$words' with the others: $(cat "$here/checked")"
done
make_relay running
second_relay
"$relay" relay --check --config "$here/relay.ini" 2> "$here/checked" || fail "--check does not let a relay run: $(cat "$here/checked")"
kill "$beside" && wait "$beside" || fail "the relay that was checked ended with $?"
make_relay left
run_once
sql "INSERT INTO destination(id, name) VALUES (7, 'archive');
  INSERT INTO record(id, destination, lane, state, open, blocks, kind, label, reason, attempts, bytes, data_key, salt, due, accepted, changed, revision)
  VALUES (9, 7, -9, 3, 0, 0, 'bundle', x'', '', 0, 0, 1, x'', 0, 0, 0, 0)"
"$relay" relay --check --config "$here/relay.ini" 2> "$here/checked" || fail "--check refuses what is only to be told: $(cat "$here/checked")"
expect_text "$here/checked" "warning.*records for .?archive.?, and there is no \[destination\] of that name"
make_relay sound
cp -r mappings/* "$here/mappings/"
"$relay" relay --check --config "$here/relay.ini" 2> "$here/checked" || fail "--check of no store yet: $(cat "$here/checked")"
[ -z "$(ls "$here/state")" ] || fail "--check has made $(ls "$here/state")"
printf '\xef\xbb\xbf' | cat - "$here/relay.ini" > "$here/bom" && mv "$here/bom" "$here/relay.ini"
run_once
echo "relay: $count refusals, and one start"
