#!/usr/bin/env bash
# Does what docs/operating.md tells the on-call engineer, with a relay, a hospital that refuses a record and one that is fine.
# systemctl and journalctl are stood in for: there is no systemd in a test.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
relay=$(dirname "$(realpath "$ketlink")")/ketlink-relay
[ -x "$relay" ] || { echo "skipped: $relay is not built"; exit 77; }
servers_begin "$work"
server_start medplum hospital --strict
mkdir -m 700 "$work/state" "$work/run" "$work/drop" "$work/bin"
cp -r mappings "$work/mappings"
jq -n --arg base "$server_url" --arg ca "$work/certs/ca.pem" --arg token "$work/token" \
  '{preset: "medplum", base: $base, caFile: $ca, auth: {type: "bearer", tokenFile: $token}}' > "$work/mappings/destinations/hospital.json"
(umask 077 && echo "1 $(openssl rand -hex 32)" > "$work/store.key")
cat > "$work/relay.ini" << INI
[relay]
state = $work/state
key = $work/store.key
marker = $work/marker
mappings = $work/mappings
definitions = ${KETLINK_DEFINITIONS:-$root/build/definitions.pack}
[store]
backup = $work/backup.db
[http]
socket = $work/run/ketlink.sock
[post]
to = hospital
[folder clinic]
path = $work/drop
to = hospital
[destination hospital]
retry-seconds = 20
retry-max-seconds = 60
INI

# what the page's reader has in other places
cat > "$work/bin/ketlink" << SH
#!/bin/bash
case \$1 in
relay | queue | audit) exec "$(realpath "$ketlink")" "\$@" --config "$work/relay.ini" ;;
doctor) exec "$(realpath "$ketlink")" "\$@" --config "$work/relay.ini" ;;
*) exec "$(realpath "$ketlink")" "\$@" --mappings "$work/mappings" ;;
esac
SH
cat > "$work/bin/curl" << SH
#!/bin/bash
exec /usr/bin/curl "\${@/#\/run\/ketlink/$work\/run}"
SH
printf '#!/bin/bash\nkill -HUP "$(cat %s)"\n' "$work/relay.pid" > "$work/bin/systemctl"
printf '#!/bin/bash\ntail -n 20 %s\n' "$work/log" > "$work/bin/journalctl"
chmod +x "$work"/bin/*

"$relay" relay --config "$work/relay.ini" 2> "$work/log" &
echo $! > "$work/relay.pid"
trap 'kill $(cat "$work/relay.pid") 2> /dev/null || :; servers_end; rm -rf "$work"' EXIT
wait_for() { # SECONDS COMMAND…
  local left=$(($1 * 10))
  shift
  until "$@" > "$work/out" 2> "$work/err"; do
    left=$((left - 1))
    [ $left -gt 0 ] || { cat "$work/log" >&2; fail "waited in vain for: $*"; }
    sleep 0.1
  done
}
state_is() { [ "$("$work/bin/ketlink" queue show "$1" --json | jq -r .state)" = "$2" ]; }
wait_for 20 curl -sf --unix-socket "$work/run/ketlink.sock" http://localhost/healthz

# 1 is delivered; then the token is wrong: 2 waits, the destination is held
cp fixtures/clinic/minimal/record.json "$work/next" && mv "$work/next" "$work/drop/1.json"
wait_for 30 state_is 1 done
echo wrong > "$work/wrong-token" && chmod 600 "$work/wrong-token"
jq --arg token "$work/wrong-token" '.auth.tokenFile = $token' "$work/mappings/destinations/hospital.json" > "$work/next"
cp "$work/mappings/destinations/hospital.json" "$work/good.json"
cp "$work/next" "$work/mappings/destinations/hospital.json"
"$work/bin/systemctl" reload ketlink
wait_for 10 grep -q reloaded "$work/log"
curl -sf --unix-socket "$work/run/ketlink.sock" --json @fixtures/clinic/im-stopped-early/record.json http://localhost/records > /dev/null
wait_for 30 grep -q "destination-held" "$work/log"
cp "$work/good.json" "$work/mappings/destinations/hospital.json"

PATH="$work/bin:$PATH" KETLINK="$work/bin/ketlink" tests/e2e/adding-a-mapping.py --page docs/operating.md || { cat "$work/log" >&2; exit 1; }

# each reason, alert and exit status that there is stands on the page
reasons=$(grep -ohE 'STR\("[a-z-]+"\)|RELAY_(BUSY|HELD), "[a-z-]+"' gateway/relay/outcome.c | grep -oE '"[a-z-]+"' | grep -v '"delivered"')
alerts=$(grep -hoE '"(destination|records|queue|store|folder|socket|reload|backup|control-id)-[a-z]+"' gateway/relay/*.c | sort -u)
[ "$(wc -w <<< "$reasons $alerts")" -gt 25 ] || fail "the words of the sources are not found any more"
for word in $reasons $alerts; do
  grep -qF "\`${word//\"/}\`" docs/operating.md || fail "docs/operating.md does not say what $word is"
done

# what the page did: 2 was given up by name, the mended destination is in use, the trail is whole
state_is 2 dropped || fail "record 2 was not dropped"
curl -sf --unix-socket "$work/run/ketlink.sock" http://localhost/audit | jq -e 'any(.events[]; .what == "dropped" and .reason == "wrong-patient")' > /dev/null ||
  fail "the trail does not say who dropped it, and why"
expect_no_text "$work/log" "MRN-|Least|S-0005"
wait_for 20 test -s "$work/backup.db"
kill -TERM "$(cat "$work/relay.pid")"
wait "$(cat "$work/relay.pid")" || fail "the relay did not stop well"

# the backup in the place of the store: refused with the way out, taken once, and then it runs
rm "$work"/state/outbox.db*
cp "$work/backup.db" "$work/state/outbox.db"
expect 1 "$relay" relay --config "$work/relay.ini"
expect_text "$work/err" "ketlink relay --accept-restored"
expect 0 "$relay" relay --accept-restored --config "$work/relay.ini"
expect_text "$work/err" "start the relay"
"$relay" relay --config "$work/relay.ini" 2> "$work/log" &
echo $! > "$work/relay.pid"
wait_for 20 "$work/bin/ketlink" audit list --people
expect_text "$work/out" "started .*uid=.* accept-restored"
kill -TERM "$(cat "$work/relay.pid")"
wait "$(cat "$work/relay.pid")" || fail "with the restored store the relay did not stop well"
echo "operating: the page's commands did what it says"
