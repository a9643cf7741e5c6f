#!/usr/bin/env bash
# Pages of all good fixtures, and of records that are hard to draw, in a real browser: nothing is fetched, nothing overlaps or
# leaves its place, all texts have contrast; 1280 and 400 pixels, light and dark, paper. KETLINK_SCREENSHOTS names a folder to
# keep what it saw. A page that is broken on purpose must be found.
. "$(dirname "$0")/lib.sh"
chromium=$(command -v chromium || command -v chromium-browser || command -v google-chrome) || { echo "skipped: no chromium"; exit 77; }
command -v node > /dev/null || { echo "skipped: no node"; exit 77; }
mkdir -p "$work/records" "$work/pages" "$work/broken"
[ -z "${KETLINK_SCREENSHOTS:-}" ] || mkdir -p "$KETLINK_SCREENSHOTS"

tests/e2e/report-records.py "$work/records"
for record in fixtures/clinic/[!b]*/record.json fixtures/clinic/bi*/record.json fixtures/clinic/bp*/record.json "$work"/records/*.json; do
  name=$(basename "$(dirname "$record")")
  [ "$name" != records ] || name=$(basename "$record" .json)
  expect 0 "$ketlink" report -q "$record" -o "$work/pages/$name.html"
done
node tests/e2e/report-browser.mjs "$chromium" "$work/pages" ${KETLINK_SCREENSHOTS:+"$KETLINK_SCREENSHOTS"} ||
  fail "the browser found faults"

# the test itself: each of these faults must be seen
page=$work/pages/iv-trd.html
sed 's|<main>|<main><img src="https://example.invalid/x.png" alt="">|' "$page" > "$work/broken/network.html"
sed 's|<main>|<main><p style="width:3000px">x</p>|' "$page" > "$work/broken/overflow.html"
sed 's|--soft:#57606a|--soft:#b0b0b0|' "$page" > "$work/broken/contrast.html"
sed 's|<main>|<main><h4>x</h4>|' "$page" > "$work/broken/heading.html"
sed 's|\(<text class="label"[^>]*>\)\([^<]*\)</text>|\1\2\2\2\2\2\2\2\2</text>|' "$page" > "$work/broken/overlap.html"
sed 's|<title id="wide-title">[^<]*|<title id="wide-title">|' "$page" > "$work/broken/name.html"
node tests/e2e/report-browser.mjs "$chromium" "$work/broken" > "$work/faults" && fail "broken pages passed"
for fault in 'network.*example.invalid' 'overflow.*wider than the window' 'contrast.*contrast' 'heading.*leaves out a level' \
  'overlap.*overlap' 'name.*without a name'; do
  expect_text "$work/faults" "$fault"
done
echo "e2e.report-browser: passed"
