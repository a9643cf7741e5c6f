#!/usr/bin/env bash
# The command line: help, usage errors with a hint, exit statuses, output whole or not at all.
. "$(dirname "$0")/lib.sh"
record=fixtures/clinic/minimal/record.json

expect 0 "$ketlink" --version
expect 0 "$ketlink" -h
expect_text "$work/out" "^Examples:"
commands=$(sed -n '/^Commands:/,/^$/p' "$work/out" | sed -n 's/^  \([a-z]* \{0,1\}[a-z]*\)  .*/\1/p')
[ -n "$commands" ] || fail "help lists no commands"
while read -r command; do
  # shellcheck disable=SC2086
  expect 0 "$ketlink" $command -h
  [ "$(sed -n 3p "$work/out")" = "Examples:" ] || fail "$command -h does not begin with examples"
done <<< "$commands"

expect 2 "$ketlink"
expect 2 "$ketlink" exprot
expect_text "$work/err" "did you mean 'export'"
expect 2 "$ketlink" export --no-such-option "$record"
expect_text "$work/err" "unknown option --no-such-option"
expect 2 "$ketlink" export
expect 2 "$ketlink" send "$record"
expect_text "$work/err" "--to DESTINATION is missing"
expect 74 "$ketlink" validate "$work/no-such-file.json"
expect 78 "$ketlink" export --definitions "$work/none.pack" "$record"
expect 78 "$ketlink" export --mappings "$work/none" "$record"
head -c 4096 /dev/urandom > "$work/broken.pack"
expect 78 "$ketlink" export --definitions "$work/broken.pack" "$record"
expect_text "$work/err" "definitions build"

expect 0 "$ketlink" export -o "$work/bundle.json" "$record"
[ ! -s "$work/out" ] || fail "-o and still output on stdout"
[ "$(stat -c %a "$work/bundle.json")" = 600 ] || fail "a file with patients' data is readable by others"
expect 0 "$ketlink" validate "$work/bundle.json"
expect 74 "$ketlink" export -o "$work/no/such/folder/x.json" "$record"
"$ketlink" export "$record" > /dev/full 2> "$work/err" && fail "a full disk went unnoticed"

expect 0 "$ketlink" fhirpath "Bundle.entry.resource.ofType(Patient).birthDate" "$work/bundle.json"
expect 65 "$ketlink" fhirpath "Patient.nam" "$work/bundle.json"
expect 0 "$ketlink" definitions list
expect 0 "$ketlink" definitions show Patient
expect_text "$work/out" "birthDate"
echo "command line: as documented"
