#!/usr/bin/env bash
# What the README says is run as it stands there: every command of its "Use" section, its links, folders and exit statuses.
. "$(dirname "$0")/lib.sh"
[ -d tests/servers/medplum/node_modules ] || { echo "skipped: npm packages of tests/servers/medplum are not installed"; exit 77; }
servers_begin "$work"
server_start medplum medplum --strict

# the README's hospital is the test server
cp -r mappings "$work/mappings"
destination hospital medplum "$server_url"
cp "$work/destinations/hospital.json" "$work/mappings/destinations/hospital.json"
export KETLINK_MAPPINGS=$work/mappings

mkdir "$work/run"
ln -s "$root/fixtures" "$root/mappings" "$work/run/"
# a pack of its own: it is added to; packages where they are to be had
cp "${KETLINK_DEFINITIONS:-build/definitions.pack}" "$work/definitions.pack"
export KETLINK_DEFINITIONS=$work/definitions.pack HOME=$work
packages=${KETLINK_CONFORMANCE:-$root/../shared/conformance}/packages
[ ! -d "$packages" ] || ln -s "$packages"/*.tgz "$work/run/"
program=$(realpath "$ketlink")
commands=0
while read -r line; do
  line=${line%%  #*}
  package=$(grep -oE '[^ ]+\.tgz' <<< "$line") && [ ! -e "$work/run/$package" ] && { echo "not run, no $package: $line"; continue; }
  (cd "$work/run" && eval "${line/#ketlink/\"$program\"}" > "$work/out" 2> "$work/err") ||
    { cat "$work/err" >&2; fail "README: $line"; }
  commands=$((commands + 1))
done < <(sed -n '/^## Use/,/^## The source/p' README.md | sed -n '/^```sh/,/^```$/p' | grep '^ketlink ')
[ "$commands" -ge 9 ] || fail "only $commands commands were found in README"

# links lead somewhere
grep -oE '\]\([^)#]+\)' README.md CONTRIBUTING.md SECURITY.md CHANGELOG.md | sed -E 's/^[^:]*:\]\((.*)\)$/\1/' | sort -u |
  while read -r link; do [ -e "$link" ] || fail "a link to $link leads nowhere"; done

# every stage has a row, every exit status stands in the help
for folder in gateway/*/; do
  grep -q "($folder" README.md || fail "README has no row for $folder"
done
help=$("$ketlink" export -h)
for status in $(sed -n '/^| exit status/,/^$/p' README.md | grep -oE '^\| [0-9]+' | tr -d '| '); do
  grep -qE "(^|[ ;])$status [a-z]" <<< "$help" || fail "exit status $status is not in the help"
done

# what the tables of CONTRIBUTING point at exists
grep -oE '`tests/[a-z0-9_/.-]+' CONTRIBUTING.md SECURITY.md | sed 's/.*`//' | sort -u |
  while read -r path; do [ -e "$path" ] || fail "CONTRIBUTING or SECURITY names $path, which is not there"; done
echo "README: $commands commands run as written"
