#!/usr/bin/env bash
# Pages of fixtures against NAME.html beside this file; KETLINK_UPDATE=1 writes them anew: look at them in a browser then.
. "$(dirname "$0")/../../e2e/lib.sh"
for golden in tests/golden/report/*.html; do
  name=$(basename "$golden" .html)
  expect 0 "$ketlink" report -q --sent tests/golden/report/sent.ndjson "fixtures/clinic/$name/record.json" -o "$work/page.html"
  [ -z "${KETLINK_UPDATE:-}" ] || cat "$work/page.html" > "$golden"
  diff -u "$golden" "$work/page.html" > "$work/diff" || { head -40 "$work/diff"; fail "$name: not the page that it was"; }
done
echo "golden.report: passed"
