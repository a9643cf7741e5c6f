#!/usr/bin/env bash
# ketlink report: which record, which notes, what was sent; nothing of a record is lost; bad input is refused.
. "$(dirname "$0")/lib.sh"
record=fixtures/clinic/iv-trd/record.json

expect 0 "$ketlink" report "$record" -o "$work/page.html"
[ ! -s "$work/out" ] || fail "-o and still output on stdout"
expect_same "$(stat -c %a "$work/page.html")" 600 "a page with patients' data is readable by others"
expect 0 "$ketlink" report - < "$record"
cmp "$work/out" "$work/page.html" || fail "the page from stdin is another"
expect 0 env TZ=Asia/Kolkata LC_ALL=C.UTF-8 "$ketlink" report "$record"
cmp "$work/out" "$work/page.html" || fail "the page depends on the machine's time zone"
expect_text "$work/page.html" "37\.50"
expect_no_text "$work/page.html" "<script|https?://[^w]"
expect_text "$work/page.html" "1 psychotherapy note is kept back"
expect_no_text "$work/page.html" "Integration session\."
expect 0 "$ketlink" report --include psychotherapy-notes "$record"
expect_text "$work/out" "Integration session\."

# which record
jq -c . "$record" fixtures/clinic/rate-change/record.json > "$work/day.ndjson"
jq -c '.session.revision = 7 | .patient.family = "Revised"' "$record" >> "$work/day.ndjson"
echo '{"format":"session-record/1","session":{"id":"S-000412"' >> "$work/day.ndjson"
expect 2 "$ketlink" report "$work/day.ndjson"
expect_text "$work/err" "choose one with --session"
expect 0 "$ketlink" report --session S-000508 "$work/day.ndjson"
expect_text "$work/out" "Specimen"
expect 0 "$ketlink" report --session S-000412 "$work/day.ndjson"
expect_text "$work/out" "Revised"
expect 65 "$ketlink" report --session S-none "$work/day.ndjson"
expect_text "$work/err" "no record of this session"

# a set of CSV files gives the page of the record that it holds
tests/csv/csv_set.py -o "$work/set" "$record"
expect 0 "$ketlink" report "$work/set"
cmp "$work/out" "$work/page.html" || fail "the page of a set of CSV files is another"

# what was sent
expect 0 "$ketlink" report --sent tests/golden/report/sent.ndjson "$record"
expect_text "$work/out" "Encounter/42"
expect_text "$work/out" "not stored</strong>: <bdi>HTTP status 422"
printf '{"type":"Patient"}\nno row\n' > "$work/sent.ndjson"
expect 65 "$ketlink" report --sent "$work/sent.ndjson" "$record"
expect_text "$work/err" "sent.ndjson:2:1: error input-format"
[ ! -s "$work/out" ] || fail "a page in spite of bad input"
for ((i = 0; i < 10000; i++)); do echo '{"type":"X","stored":true}'; done > "$work/sent.ndjson"
expect 0 "$ketlink" report --sent "$work/sent.ndjson" "$record"
echo '{"type":"X","stored":true}' >> "$work/sent.ndjson"
expect 65 "$ketlink" report --sent "$work/sent.ndjson" "$record"
expect_text "$work/err" "at most 10000 lines"
expect 74 "$ketlink" report --sent "$work/none" "$record"

# what is refused
expect 65 "$ketlink" report fixtures/clinic/bad-word/record.json -o "$work/bad.html"
[ ! -e "$work/bad.html" ] || fail "a page of a bad record"
expect 65 "$ketlink" report fixtures/clinic/bad-broken-json/record.json
printf '{"resourceType":"Patient"}' > "$work/patient.json"
expect 65 "$ketlink" report "$work/patient.json"
expect_text "$work/err" "a clinic record is wanted"
expect 2 "$ketlink" report --json "$record"
expect_text "$work/err" "export"
expect 2 "$ketlink" report --include everything "$record"
expect 2 "$ketlink" report "$record" "$record"
expect 74 "$ketlink" report "$work/none.json"

# nothing of a record is lost
mkdir "$work/pages"
for record in fixtures/clinic/*/record.json; do
  name=$(basename "$(dirname "$record")")
  [ ! -e "fixtures/clinic/$name/expected.diagnostics" ] || [ -e "fixtures/clinic/$name/expected.json" ] ||
    compgen -G "fixtures/clinic/$name/expected*.json" > /dev/null || continue
  expect 0 "$ketlink" report -q --include psychotherapy-notes "$record" -o "$work/pages/$name.html"
done
expect 0 tests/e2e/report-complete.py fixtures/clinic "$work/pages"
tail -n 1 "$work/out"
sed -i 's/0\.75/0.76/' "$work/pages/iv-trd.html"
expect 1 tests/e2e/report-complete.py fixtures/clinic "$work/pages"
expect_text "$work/out" "iv-trd: doses\.givenMl: 0\.75 is not on the page"
echo "e2e.report: passed"
