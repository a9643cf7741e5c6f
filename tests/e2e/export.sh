#!/usr/bin/env bash
# The main job up to the wire: a session record becomes the same Bundle every time; a bad record becomes findings.
. "$(dirname "$0")/lib.sh"
record=fixtures/clinic/iv-trd/record.json

expect 0 "$ketlink" export "$record"
cp "$work/out" "$work/first.json"
expect 0 "$ketlink" export "$record"
cmp "$work/first.json" "$work/out" || fail "two exports of one record differ"

for type in Patient Practitioner Organization Location Encounter Procedure Medication MedicationAdministration Observation \
  Condition AdverseEvent; do
  count=$(jq --arg type "$type" '[.entry[].resource | select(.resourceType == $type)] | length' "$work/first.json")
  [ "$count" -gt 0 ] || fail "no $type in the Bundle"
done

# every decimal keeps its text: 37.50 stays 37.50
grep -qE '"value": ?37\.50[,}[:space:]]' "$work/first.json" || fail "37.50 did not keep its text"

# the same through a pipe, and as NDJSON
expect 0 "$ketlink" export - < "$record"
cmp "$work/first.json" "$work/out" || fail "stdin gives another Bundle"
expect 0 "$ketlink" export --as ndjson "$record"
expect_same "$(jq -s length "$work/out")" "$(jq '.entry | length' "$work/first.json")" "NDJSON has all resources"

# a psychotherapy note leaves only where it is asked for, and the report says so
expect 0 "$ketlink" export "$record"
expect_no_text "$work/out" PSYTHPN
expect_text "$work/err" "information bundle-withheld: .*S-000412/notes/NT2"
expect 0 "$ketlink" export --include psychotherapy-notes "$record"
expect_text "$work/out" PSYTHPN
expect 2 "$ketlink" export --include everything "$record"

# each bad record: exit 65, nothing on stdout, one line per finding with line and column
expect 65 "$ketlink" export fixtures/clinic/bad-wrong-type/record.json
expect 65 "$ketlink" export fixtures/clinic/bad-*/record.json
[ ! -s "$work/out" ] || fail "output for bad records"
for folder in fixtures/clinic/bad-*; do
  expect_text "$work/err" "^$folder/record.json:[0-9]+:[0-9]+: (error|fatal) "
done
bad=$(printf '%s\n' fixtures/clinic/bad-* | wc -l)
expect_same "$(grep -vE '^fixtures/clinic/bad-[^/]*/record.json:[0-9]+:[0-9]+: (error|fatal|warning|information) ' "$work/err")" \
  "$bad of $bad records are bad and were left out" "lines without a position"

# a good record beside a bad one still comes out
expect 65 "$ketlink" export fixtures/clinic/bad-wrong-type/record.json "$record"
[ -s "$work/out" ] || fail "the good record was lost"

# several threads, several inputs, one of them larger than what is read at once, one of them not there: the same
# bytes in the same order
for i in $(seq 24); do
  jq -c --arg id "S-$i" '.session.id = $id' "$record"
  jq -c . fixtures/clinic/bad-wrong-type/record.json
done > "$work/some.ndjson"
{
  head -6 "$work/some.ndjson"
  printf '%*s\n' $((9 << 20)) ''
  tail -6 "$work/some.ndjson"
} > "$work/day.ndjson"
[ "$(stat -c %s "$work/day.ndjson")" -gt $((8 << 20)) ] || fail "the file is not large enough to be mapped"
for jobs in 1 4; do
  expect 74 "$ketlink" export --jobs $jobs "$record" "$work/none.json" "$work/some.ndjson" - < "$record"
  cp "$work/out" "$work/out.$jobs"
  cp "$work/err" "$work/err.$jobs"
done
cmp "$work/out.1" "$work/out.4" || fail "another output with four threads"
cmp "$work/err.1" "$work/err.4" || fail "other messages with four threads"
expect_same "$(jq -s length "$work/out.4")" 26 "a Bundle for each good record"
expect_text "$work/err.4" "24 of 50 records are bad and were left out"
expect_text "$work/err.4" "none.json: error file-unreadable: no such file"
expect 65 "$ketlink" export --jobs 2 "$work/day.ndjson"
expect_same "$(grep -c '^{"resourceType":"Bundle"' "$work/out")" 6 "a Bundle for each good line of a mapped file"
expect 2 "$ketlink" export --jobs many "$record"

# a folder as Bulk Data exports are: one file a type, each resource once and in its last version
jq -c '.session.id = "S-900" | .patient.family = "Renamed"' "$record" > "$work/later.json"
expect 0 "$ketlink" export --as ndjson "$record" "$work/later.json"
cp "$work/out" "$work/all.ndjson"
for jobs in 1 3; do
  expect 0 "$ketlink" export --as ndjson --jobs $jobs -o "$work/bulk.$jobs/" "$record" "$record" "$work/later.json"
  [ ! -s "$work/out" ] || fail "data on stdout beside the folder"
done
diff -r "$work/bulk.1" "$work/bulk.3" || fail "another folder with three threads"
expect_same "$(stat -c %a "$work/bulk.1" "$work/bulk.1"/*.ndjson | sort -u | tr '\n' ' ')" "600 700 " "modes"
jq -s -c 'reverse | unique_by(.resourceType, .id) | map(["\(.resourceType).ndjson", .])[]' "$work/all.ndjson" > "$work/last"
(cd "$work/bulk.1" && jq -c '[input_filename, .]' *.ndjson) | jq -s -c 'sort_by(.[1].resourceType, .[1].id)[]' | cmp - "$work/last" ||
  fail "not each resource once, in its last version, in the file of its type"
expect_same "$(cat "$work/bulk.1"/*.ndjson | wc -l)" "$(jq -r '.resourceType + .id' "$work/all.ndjson" | sort -u | wc -l)"
expect_same "$(grep -c . "$work/bulk.1/Patient.ndjson")" 1 "the patient of three records"
# a correction stands in whatever order its revisions come
jq -c '.session.revision = 2 | .patient.family = "Corrected"' "$record" > "$work/second.json"
for jobs in 1 3; do
  expect 0 "$ketlink" export --as ndjson --jobs $jobs -o "$work/newest" "$work/second.json" "$record"
  expect_text "$work/err" "warning older-revision: "
  expect_text "$work/err" "1 of 2 records are older revisions and were left out"
  expect_text "$work/newest/Patient.ndjson" '"family":"Corrected"'
  expect 0 "$ketlink" export --as ndjson --jobs $jobs -o "$work/newest" "$record" "$work/second.json"
  expect_no_text "$work/err" "older"
  expect_text "$work/newest/Patient.ndjson" '"family":"Corrected"'
done
# what each file holds, for programs
expect 0 "$ketlink" export --as ndjson --json -o "$work/bulk.1" "$record"
expect_same "$(jq -r '.output[] | "\(.count) \(.url)"' "$work/out" | sort)" \
  "$(cd "$work/bulk.1" && grep -c . *.ndjson | sed 's/\(.*\):\(.*\)/\2 \1/' | sort)" "the list of files"
# the bad record is left out; a folder with anything else in it stays as it is; without a resource there is none
expect 65 "$ketlink" export --as ndjson -o "$work/bulk.1" fixtures/clinic/bad-wrong-type/record.json "$record"
expect_text "$work/err" "1 of 2 records are bad and were left out"
cp "$record" "$work/bulk.1/mine.json"
expect 74 "$ketlink" export --as ndjson -o "$work/bulk.1" "$record"
expect_text "$work/err" "holds files that this command has not made, .*\(mine.json\)"
# records of the clinic beside each other are no earlier export, whatever they are called
mkdir "$work/march"
jq -c . "$record" > "$work/march/monday.ndjson"
expect 74 "$ketlink" export --as ndjson -o "$work/march" "$work/march/monday.ndjson"
expect_text "$work/err" "holds files that this command has not made, .*\(monday.ndjson\)"
jq -c . "$record" | cmp - "$work/march/monday.ndjson" || fail "records were replaced by their export"
expect 65 "$ketlink" export --as ndjson -o "$work/bulk.none" fixtures/clinic/bad-wrong-type/record.json
[ ! -e "$work/bulk.none" ] || fail "a folder without a resource"
ls -d "$work"/bulk.*.* 2> /dev/null && fail "something was left beside the folders"
expect 0 "$ketlink" validate -q "$work/bulk.3"

# ended in the middle: nothing of the patients stays behind under a name that nobody looks for
mkfifo "$work/never"
exec 8<> "$work/never"
for signal in INT TERM HUP; do
  expect 124 timeout -s $signal 0.7 "$ketlink" export --as ndjson -o "$work/ended" "$record" "$work/never"
  expect 124 timeout -s $signal 0.7 "$ketlink" export -q -o "$work/ended.json" "$record" "$work/never"
done
expect 137 timeout --preserve-status -s KILL 0.7 "$ketlink" export -q -o "$work/ended.json" "$record" "$work/never"
exec 8>&-
# what nohup has ignored stays ignored
(trap '' HUP && exec "$ketlink" export -q --as ndjson -o "$work/nohup" "$record" "$work/never") &
exec 8> "$work/never"
for _ in $(seq 100); do [ ! -e "$work"/nohup.*/Patient.ndjson ] || break; sleep 0.1; done
kill -HUP $!
sleep 0.2
cat fixtures/clinic/minimal/record.json >&8
exec 8>&-
wait $! || fail "an export that ignores SIGHUP was ended by it"
[ -s "$work/nohup/Patient.ndjson" ] || fail "an export that ignores SIGHUP made nothing"
"$ketlink" export --as ndjson -o "$work/unheard" fixtures/clinic/*/record.json 2>&1 | head -c 1 > "$work/out" || true
expect_same "$(cd "$work" && find . -maxdepth 1 -name 'ended*' -o -maxdepth 1 -name 'unheard*')" ./unheard "what is left of exports that were ended"

# a large file, a table, that becomes shorter while it is read: said by its name, and nothing half is left
stopped() { # OUTPUT… of an export in the background that stands still: its reader has taken only the beginning
  for _ in $(seq 100); do [ "$(sed 's/.*) //' "/proc/$1/stat" 2>&1 | cut -c 1)" = R ] || break; sleep 0.05; done
}
jq -c . "$record" > "$work/line"
yes "$(cat "$work/line")" | head -c $((12 << 20)) > "$work/shrinks.ndjson" || true
mkdir "$work/shrinks"
cp fixtures/csv/iv-trd/set/* "$work/shrinks"
for file in "$work"/shrinks/*.csv; do # 400 sessions; what belongs to a patient or a clinic stands there once
  head -c 10 "$file" | grep -q ^session_id || continue
  awk -F , 'NR == 1 { print; next } { rows[NR] = substr($0, length($1) + 1); key = $1 }
    END { for (i = 1; i <= 400; i++) for (row = 2; row <= NR; row++) print key sprintf("-%03d", i) rows[row] }' "$file" > "$work/rows"
  cp "$work/rows" "$file"
done
# The thread sanitizer calls handlers with all signals blocked, and a guard is known by a signal that is.
if ! grep -q __tsan_init "$ketlink"; then
  mkfifo "$work/slow"
  for input in shrinks.ndjson shrinks; do
    for jobs in 1 3; do
      cp -r "$work/$input" "$work/now.$input"
      "$ketlink" export -q --jobs $jobs "$work/now.$input" > "$work/slow" 2> "$work/err" &
      exec 9< "$work/slow"
      head -c 1 <&9 > "$work/out"
      stopped $!
      for file in "$work/now.$input" "$work/now.$input"/*.csv; do [ ! -f "$file" ] || truncate -s 100 "$file"; done
      cat <&9 > "$work/out"
      got=0
      wait $! || got=$?
      exec 9<&-
      expect_same "$got" 74 "an export of $input that became shorter"
      expect_text "$work/err" "^ketlink: $work/now.$input.*: it became shorter, or its disk failed, while it was read"
      rm -r "$work/now.$input"
    done
  done
  for _ in $(seq 4); do cat "$work/shrinks.ndjson"; done > "$work/now.ndjson"
  "$ketlink" export -q --jobs 2 --as ndjson -o "$work/shrunk" "$work/now.ndjson" 2> "$work/err" &
  for _ in $(seq 200); do ls "$work"/shrunk.*/Patient.ndjson > "$work/out" 2>&1 && break; sleep 0.02; done
  truncate -s 100 "$work/now.ndjson"
  got=0
  wait $! || got=$?
  expect_same "$got" 74 "an export to a folder of what became shorter"
  expect_text "$work/err" "now.ndjson: it became shorter"
  expect_same "$(find "$work" -maxdepth 1 -name 'shrunk*')" "" "what is left of an export whose input became shorter"
fi

# a full disk, a limit: said by its name, and nothing half is left
limited() { (trap '' XFSZ && ulimit -f 1 && "$@"); }
expect 74 limited "$ketlink" export -q --as ndjson -o "$work/limited" "$record"
expect_text "$work/err" "^ketlink: $work/limited: File too large"
expect 74 limited "$ketlink" export -q -o "$work/limited.json" "$record"
expect_text "$work/err" "writing the output failed: File too large"
expect_same "$(find "$work" -maxdepth 1 -name 'limited*')" "" "what is left of exports that had no room"

# on a terminal the way through many files is shown, and nothing of it elsewhere
if command -v script > "$work/out"; then
  script -qec "'$ketlink' export --as ndjson -o '$work/seen' '$record' '$record' '$record' '$record'" /dev/null > "$work/tty" < /dev/null
  expect_text "$work/tty" "exporting \\[#+\\.+\\] +50 %"
  expect_text "$work/tty" "resources in [0-9]+ files"
fi
expect 0 "$ketlink" export --as ndjson -o "$work/seen" "$record" "$record" "$record" "$record"
expect_no_text "$work/err" "exporting"

# the session note: only where it is asked for, the same bytes each time, as R4 wants an attachment; what is said in psychotherapy
# stays out of its page unless that is asked for too
session=fixtures/clinic/iv-trd/record.json
note='.entry[].resource | select(any(.meta.tag[]?; .code == "session-note")) | .content[0].attachment'
expect 0 "$ketlink" export -q "$session"
expect_same "$(jq "$note" "$work/out")" "" "a session note that nobody asked for"
expect 0 "$ketlink" export -q --include session-note "$session"
jq "$note" "$work/out" > "$work/note.json"
expect 0 "$ketlink" export -q --include session-note "$session"
jq "$note" "$work/out" | cmp - "$work/note.json" || fail "another page of the same record"
jq -r .data "$work/note.json" | base64 -d > "$work/note.html"
expect_same "$(jq -r .hash "$work/note.json")" "$(openssl dgst -sha1 -binary "$work/note.html" | base64)" "hash of the page"
expect_same "$(jq -r '[.contentType, .size, .creation, .title] | join(" ")' "$work/note.json")" \
  "text/html $(stat -c %s "$work/note.html") $(jq -r '.session.start, .session.id' "$session" | paste -sd ' ' | sed 's/ / Session /')"
expect_text "$work/note.html" "Third infusion. Paused once for nausea."
expect_no_text "$work/note.html" "Integration session."
expect 0 "$ketlink" export -q --include session-note --include psychotherapy-notes "$session"
jq -r "$note | .data" "$work/out" | base64 -d > "$work/note.html"
expect_text "$work/note.html" "Integration session."
expect 2 "$ketlink" export --include everything "$session"

# each shape over several records: a Bundle a line
for shape in collection batch transaction; do
  expect 0 "$ketlink" export --as $shape "$record" "$work/later.json"
  expect_same "$(jq -r .type "$work/out" | tr '\n' ' ')" "$shape $shape " "Bundles of two records"
  expect_same "$(wc -l < "$work/out")" 2 "a Bundle a line"
done
echo "export: as promised"
