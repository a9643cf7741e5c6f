#!/usr/bin/env bash
# Installed below a prefix, from another folder, without HOME and by a link: each program finds the others, the definitions and the
# mappings that came with it.
. "$(dirname "$0")/lib.sh"
command -v cmake > /dev/null || { echo "skipped: no cmake"; exit 77; }
[ -s build/definitions.pack ] || { echo "skipped: build/definitions.pack is not there"; exit 77; }
record=$root/fixtures/clinic/minimal/record.json
cmake --install "$(dirname "$ketlink")" --prefix "$work/usr" > "$work/log"
for file in bin/ketlink bin/ketlink-send bin/ketlink-relay share/ketlink/definitions.pack share/ketlink/mappings/routes.json \
  share/doc/ketlink/operating.md share/doc/ketlink/README.md lib/systemd/system/ketlink.service lib/sysusers.d/ketlink.conf; do
  [ -s "$work/usr/$file" ] || fail "$file is not installed"
done
grep -q "^Documentation=file:///usr/share/doc/ketlink/operating.md" "$work/usr/lib/systemd/system/ketlink.service" || fail "the unit names other docs"
# what does not mend itself is not tried again for ever: systemd asks that of the main process alone
expect_no_text "$work/usr/lib/systemd/system/ketlink.service" '^ExecStartPre='
expect_text "$work/usr/lib/systemd/system/ketlink.service" '^RestartPreventExitStatus=1 2 65 78$'
expect 0 "$ketlink" export "$record"
cp "$work/out" "$work/built"
mkdir "$work/elsewhere"
ln -s "$work/usr/bin/ketlink" "$work/elsewhere/ketlink"
cd "$work/elsewhere"
for program in "$work/usr/bin/ketlink" ./ketlink; do
  expect 0 env -i "$program" export "$record"
  cmp "$work/built" "$work/out" || fail "$program gives another Bundle than where it was built"
  expect 0 env -i "$program" definitions list
  expect 0 env -i "$program" map check
  expect 0 env -i "$program" doctor
  expect 78 env -i "$program" send --to nobody "$record"
  expect_text "$work/err" "there is no destination nobody; there are: "
  expect 78 env -i "$program" relay --check --config none.ini
done
# which mappings: those in the current folder when they are some, and nobody else's where all may write
used() { expect 0 env -i ./ketlink map check --json; jq -r .mappings "$work/out"; }
mkdir mappings
echo "not ours" > mappings/cities.csv
expect_same "$(used)" "$work/usr/bin/../share/ketlink/mappings" "a folder of that name which has no maps"
cp -r "$work/usr/share/ketlink/mappings/." mappings
expect_same "$(used)" mappings "a folder of mappings here"
expect 0 env -i ./ketlink doctor
expect_text "$work/out" "^ok +maps +mappings: "
if [ "$(id -u)" = 0 ]; then
  chown -R 65534 mappings
  expect_same "$(used)" mappings "mappings of another user in a folder of our own"
  chmod 1777 .
  expect_same "$(used)" "$work/usr/bin/../share/ketlink/mappings" "mappings of another user in a folder of all"
  chmod 755 .
fi
rm -r mappings
rm "$work/usr/bin/ketlink-send"
expect 74 env -i ./ketlink send --to nobody "$record"
expect_text "$work/err" "ketlink-send: No such file or directory; it belongs beside this program"
echo "installed: it finds what it needs"
