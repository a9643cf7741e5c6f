#!/usr/bin/env bash
# Words that no ConceptMap knows: listed, drafted, filled in, and the same record has its codes.
. "$(dirname "$0")/lib.sh"
cp -r mappings "$work/mappings"
export KETLINK_MAPPINGS=$work/mappings
terminology=$work/mappings/terminology

# a good record with words of a clinic's own: a route twice (once with a slip), a reaction, a site (which is a text)
jq '.products |= map(.form = "nasal-spray") | del(.adverseEvents)
  | .doses |= map(.route = "drip" | .site = "left arm of Alex Sample")
  | .allergies = [{ "id": "AL9", "substance": "penicillin", "status": "active", "reaction": "intravenouss" }]' \
  fixtures/clinic/iv-trd/record.json > "$work/record.json"
cp "$work/record.json" "$work/unedited.json"
doses=$(jq '.doses | length' "$work/record.json")

# listed: the word, the element, how often, the place; a text is not shown; nothing else of the record is
expect 1 "$ketlink" terms --json "$work/record.json"
cp "$work/out" "$work/words.json"
jq -e --argjson doses "$doses" '.[] | select(.word == "drip" and (.conceptMap | endswith("/ConceptMap/route")))
  | .count == $doses and .element == "SessionRecord.doses.route" and .line > 1' "$work/words.json" > "$work/found" ||
  fail "drip is not listed"
jq -e '.[] | select(.element == "SessionRecord.doses.site") | has("word") | not' "$work/words.json" > "$work/found" ||
  fail "a text is shown"
expect_no_text "$work/words.json" "Alex|Sample|arm"
line=$(jq '.[] | select(.word == "drip") | .line' "$work/words.json")
sed -n "${line}p" "$work/record.json" | grep -q drip || fail "line $line has no such word"
expect 1 "$ketlink" terms "$work/record.json"
expect_text "$work/out" "^ +$doses +drip +SessionRecord.doses.route +$work/record.json:$line$"
expect_text "$work/out" "\(text\) +SessionRecord.doses.site"
expect_no_text "$work/out" "Alex|Sample"
expect_text "$work/err" "1 record: [0-9]+ unknown words"

# the same by several threads and over many records, counted together; a bad record is named, and is no "nothing unknown"
for _ in $(seq 20); do jq -c . "$work/record.json"; done > "$work/many.ndjson"
expect 1 "$ketlink" terms "$work/many.ndjson" "$work/record.json"
cp "$work/out" "$work/one"
expect 1 "$ketlink" terms --jobs 4 "$work/many.ndjson" "$work/record.json"
cmp "$work/one" "$work/out" || fail "four threads list otherwise"
expect_text "$work/out" "^ +$((21 * doses)) +drip "
expect 65 "$ketlink" terms fixtures/clinic/bad-wrong-type/record.json
expect_text "$work/err" "record.json:12:82: error wrong-type"

# a value that two targets translate by one ConceptMap is one place
cp -r mappings "$work/twice"
sed -i -E "s|(route.coding = translate\\(word, '[^']*/route', 'Coding'\\)), |\\1, \\1, |" "$work/twice/clinic/dose.fml"
cmp -s mappings/clinic/dose.fml "$work/twice/clinic/dose.fml" && fail "the map was not changed"
expect 1 "$ketlink" terms --mappings "$work/twice" "$work/record.json"
expect_text "$work/out" "^ +$doses +drip "

# of a set of CSV files the same words, with their rows
tests/csv/csv_set.py -o "$work/set" "$work/record.json"
expect 1 "$ketlink" terms --jobs 2 "$work/set"
sed -E 's/  [^ ]+:[0-9]+( |$)/\1/; s/ +/ /g' "$work/out" > "$work/of-set"
expect_text "$work/out" "drip +SessionRecord.doses.route +$work/set/doses.csv:2"
expect_no_text "$work/out" "Alex|Sample"
expect 1 "$ketlink" terms "$work/record.json"
sed -E 's/  [^ ]+:[0-9]+( |$)/\1/; s/ +/ /g' "$work/out" | diff - "$work/of-set" || fail "a set of CSV files has other words"

# drafts: valid FHIR, nothing of the record in them
expect 2 "$ketlink" terms --draft "$work/record.json"
expect 1 "$ketlink" terms --draft -o "$work/drafts" "$work/record.json"
expect_text "$work/err" "rows to fill in, in 2 files of $work/drafts"
expect_same "$(cd "$work/drafts" && echo *)" "reaction-local.json route-local.json"
expect 0 "$ketlink" validate "$work/drafts"
expect_same "$(grep -c '@' "$work/out") $(grep -c '@.*dom-6' "$work/out")" "2 2" "nothing but that there is no narrative"
expect_no_text "$work/drafts/route-local.json" "Alex|Sample|$work"

# no room: said by its name
status=0
said=$(trap '' XFSZ && ulimit -f 0 && "$ketlink" terms -q --draft -o "$work/no-room" "$work/record.json" 2>&1 > /dev/null) || status=$?
expect_same "$status $said" "74 ketlink: $work/no-room: File too large"

# not filled in they change nothing: the folder is good, the word is a text and is reported as before
"$ketlink" export "$work/record.json" > "$work/before.json" 2> "$work/before.err"
cp "$work/drafts"/*.json "$terminology/"
expect 0 "$ketlink" map check
expect_text "$work/err" "2 rows of ConceptMaps are still to be filled in"
expect 0 "$ketlink" export "$work/record.json"
cmp "$work/before.json" "$work/out" || fail "a draft changes the Bundle"
cmp "$work/before.err" "$work/err" || fail "a draft changes the report"

# filled in, the same record has the code, and the list is shorter
code=$(jq -r '.group[0].element[] | select(.code == "iv").target[0].code' mappings/terminology/route.json)
fill() { # WORD JQ: sets the target of a word in a draft
  jq --arg word "$2" "(.group[].element[] | select(.code == \$word).target[0]) |= $3" "$terminology/$1" > "$work/filled"
  cp "$work/filled" "$terminology/$1"
}
fill route-local.json drip "{ code: \"$code\", display: \"Intravenous route\", equivalence: \"equivalent\" }"
expect 0 "$ketlink" map check
expect 0 "$ketlink" export "$work/record.json"
cmp "$work/record.json" "$work/unedited.json" || fail "the record was edited"
expect_same "$(jq --arg code "$code" '[.. | objects | select(.text? == "drip" and (.coding[0].code? == $code))] | length' "$work/out")" \
  "$doses" "doses with the code of the new row"
expect 1 "$ketlink" terms --json "$work/record.json"
expect_same "$(jq -r 'map(.word // "-") | sort | join(" ")' "$work/out")" "- intravenouss"

# a row without a code on purpose: the comment goes, the word stays a text, and nobody asks again
fill reaction-local.json intravenouss '{ equivalence: "unmatched" }'
jq '.doses |= map(del(.site))' "$work/record.json" > "$work/no-site.json"
expect 0 "$ketlink" terms "$work/no-site.json"
[ ! -s "$work/out" ] || fail "something is listed"
expect_text "$work/err" "1 record: 0 unknown words"

# new words: the next draft has a name of its own, so that what was filled in is not written over
jq '.doses |= map(.route = "another-drip")' "$work/no-site.json" > "$work/next.json"
expect 1 "$ketlink" terms --draft -o "$work/drafts" "$work/next.json"
expect_same "$(cd "$work/drafts" && echo *)" "route-local-2.json"
expect 74 "$ketlink" terms --draft -o "$terminology" "$work/next.json"
expect_text "$work/err" "holds files that this command has not made"
# what was filled in where it was drafted, or has such a name by chance, is somebody's work
for edit in '.group[0].element[0].target[0] = { code: "1", equivalence: "equivalent" }' '.group[0].element = []' '.'; do
  mkdir "$work/worked"
  jq "$edit" "$work/drafts/route-local-2.json" | tee "$work/filled" > "$work/worked/route-local.json"
  expect 74 "$ketlink" terms --draft -o "$work/worked" "$work/next.json"
  expect_text "$work/err" "changed since \(route-local.json\)"
  cmp "$work/filled" "$work/worked/route-local.json" || fail "rows that were filled in are gone"
  rm -r "$work/worked"
done

# a row that would change one that is there is a fault with both places; the same row again is none
refuse() { # TEXT JQ: what map check says of route-local.json changed so
  cp "$terminology/route-local.json" "$work/good"
  jq "$2" "$work/good" > "$terminology/route-local.json"
  expect 1 "$ketlink" map check
  expect_text "$work/err" "route-local.json:[0-9]+:[0-9]+: error .*$1"
  expect 78 "$ketlink" export "$work/record.json"
  cp "$work/good" "$terminology/route-local.json"
}
line=$(grep -n '"code": "iv"' "$terminology/route.json" | cut -d: -f1)
refuse "the word 'iv' has another row at .*terminology/route.json:$line; a supplement adds words and changes none" \
  '.group[0].element[0].code = "iv" | .group[0].element[0].target[0].equivalence = "wider"'
refuse "not loaded; did you mean" '.extension[0].valueCanonical += "e"'
refuse "adds to another itself" '.extension[0].valueCanonical |= sub("/route$"; "/reaction-local")'
refuse "what becomes of other words" '.group[0].unmapped = { mode: "provided" }'
refuse "this target has a code now" '.group[0].element[0].target[0] += { equivalence: "unmatched", comment: "FILL IN" }'
jq --arg code "$code" '.group[0].element += [{ code: "iv", target: [{ code: $code, equivalence: "equivalent" }] }]' \
  "$terminology/route-local.json" > "$work/filled"
cp "$work/filled" "$terminology/route-local.json"
expect 0 "$ketlink" map check
echo "terms: listed, drafted, filled in"
