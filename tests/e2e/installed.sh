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
rm "$work/usr/bin/ketlink-send"
expect 74 env -i ./ketlink send --to nobody "$record"
expect_text "$work/err" "ketlink-send: No such file or directory; it belongs beside this program"
echo "installed: it finds what it needs"
