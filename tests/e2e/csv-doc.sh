#!/usr/bin/env bash
# docs/csv.md: its commands run as they stand there, and its pieces of a description are those of the fixture.
. "$(dirname "$0")/lib.sh"
[ -n "${KETLINK_DEFINITIONS:-}" ] || [ -e build/definitions.pack ] || { echo "skipped: no definition pack (scripts/setup makes one)"; exit 77; }
export KETLINK_DEFINITIONS=${KETLINK_DEFINITIONS:-$root/build/definitions.pack}
mkdir "$work/run"
cp -r mappings "$work/run/mappings"
ln -s "$root/fixtures" "$work/run/fixtures"
program=$(realpath "$ketlink")
commands=0
while read -r line; do
  (cd "$work/run" && eval "${line//ketlink /\"$program\" }" > "$work/out" 2> "$work/err") ||
    { cat "$work/err" >&2; fail "docs/csv.md: $line"; }
  commands=$((commands + 1))
done < <(sed -n '/^```sh$/,/^```$/p' docs/csv.md | grep -v '^```')
[ "$commands" -ge 8 ] || fail "only $commands commands were found in docs/csv.md"
[ -s "$work/run/lakeside.ndjson" ] && [ -s "$work/run/lakeside/Patient.ndjson" ] || fail "the example gave nothing"
pieces=0
while read -r line; do
  grep -qF -- "$line" fixtures/csv/site-units/description.json || fail "not in the fixture's description: $line"
  pieces=$((pieces + 1))
done < <(sed -n '/^```json$/,/^```$/p' docs/csv.md | grep -v '^```')
[ "$pieces" -ge 10 ] || fail "only $pieces lines of a description were found"
# every member that a description may have stands in the manual
for name in $(grep -oE 'known\[\] = \{[^}]*' gateway/intake/csv_describe.c | grep -oE '"[a-zA-Z]+"' | tr -d '"' | sort -u); do
  grep -q "\`$name\`" docs/csv.md || fail "docs/csv.md does not tell of \"$name\""
done
echo "docs/csv.md: $commands commands run as written"
