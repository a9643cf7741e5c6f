#!/usr/bin/env bash
# validate: folders, records a line, formats, exit statuses; as many threads as one likes, the same report.
. "$(dirname "$0")/lib.sh"
good='{"resourceType":"Patient","active":true,"text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">p</div>"}}'
bad='{"resourceType":"Patient","active":"yes","name":[{"family":"Zzyzxname"}],"birthDate":"19x1"}'
folder=$work/in
mkdir -p "$folder/b/deep" "$folder/.hidden"
echo "$good" > "$folder/a.json"
echo "$bad" > "$folder/b/bad.json"
printf '%s\n\n%s\n{"resourceType":\n' "$good" "$bad" > "$folder/b/deep/day.ndjson"
echo '<Patient xmlns="http://hl7.org/fhir"><active value="true"/></Patient>' > "$folder/c.xml"
echo "not an input" > "$folder/readme.txt"
echo "$bad" > "$folder/.hidden/x.json"
echo "$bad" > "$folder/.x.json"
ln -s ../a.json "$folder/b/link.json"
ln -s .. "$folder/b/loop"

# --- a folder: every file once, sorted, a record a line told apart
expect 65 "$ketlink" validate --format json "$folder"
jq -r '.extension[0].valueString' "$work/out" | sed "s|^$folder/||" > "$work/names"
printf '%s\n' a.json b/bad.json b/deep/day.ndjson:1 b/deep/day.ndjson:3 b/deep/day.ndjson:4 c.xml | diff - "$work/names" ||
  fail "not the files of the folder, in their order"
expect_text "$work/err" '^6 inputs \(1 could not be read\): [0-9]+ errors, .* notes; [0-9.]+ s$'
expect 65 "$ketlink" validate -q "$folder/"
expect_text "$work/out" "^-- $folder/b/bad.json$"
[ ! -s "$work/err" ] || fail "-q and still a summary"
mkdir "$work/empty"
expect 74 "$ketlink" validate "$work/empty"
expect_text "$work/err" "has no .json, .ndjson, .xml or .hl7 file"

# --- exit statuses
expect 0 "$ketlink" validate "$folder/a.json"
expect 1 "$ketlink" validate "$folder/b/bad.json"
expect 0 "$ketlink" validate --fail-on none "$folder/b/bad.json"
expect 0 "$ketlink" validate "$folder/c.xml"
expect 1 "$ketlink" validate --fail-on warning "$folder/c.xml"
expect 65 "$ketlink" validate --fail-on none "$folder/b/deep/day.ndjson"
expect 74 "$ketlink" validate "$work/none.json" "$folder/b/deep/day.ndjson"
expect_text "$work/err" "none.json: error file-unreadable: no such file"
expect 2 "$ketlink" validate --format htm "$folder"
expect 2 "$ketlink" validate --fail-on never "$folder"
expect 2 "$ketlink" validate --jobs 65 "$folder"
expect 2 "$ketlink" validate --jobs many "$folder"
expect 1 "$ketlink" validate - < "$folder/b/bad.json"

# --- HL7 v2: a segment or a field that is there and empty says nothing, and nothing wrong
printf '%s\r' 'MSH|^~\&|A|R|K|G|20260311100500-0500||ADT^A04^ADT_A01|C-1|P|2.5.1' 'EVN||20260311100500-0500' 'PID|1||M1^^^R^MR~^^||Doe^J' 'PV1||' \
  > "$work/empty.hl7"
expect 0 "$ketlink" validate "$work/empty.hl7"
printf '%s\r' 'ZAB|1|x' 'NK1|1|Doe^Al||||~|' 'AL1|1^2^3||X^^^^^^^^^^^^^^^^^^^^^^^^^9' >> "$work/empty.hl7"
expect 0 "$ketlink" validate "$work/empty.hl7" # what no table has is passed over, and told
expect_text "$work/out" 'has no element "ZAB"'
echo '{"format":"session-record/1","clinic":{}}' > "$work/empty.json"
expect 1 "$ketlink" validate "$work/empty.json"
expect_text "$work/out" "an empty object"

# --- what each finding says
expect 1 "$ketlink" validate --format json "$folder/b/bad.json"
jq -e '.issue | map(select(.severity == "error" and .expression == ["Patient.birthDate"]))[0].extension
  | map(.url | sub(".*/"; "")) == ["operationoutcome-issue-line", "operationoutcome-issue-col"]' "$work/out" > /dev/null ||
  fail "no line and column"
expect 0 "$ketlink" validate --format json "$folder/c.xml"
jq -e '[.issue[].extension[]? | select(.url | endswith("message-id")).valueCode] | any(endswith("dom-6"))' "$work/out" > /dev/null ||
  fail "the rule is not named"
expect 65 "$ketlink" validate --format json "$folder" "fixtures/clinic"
cp "$work/out" "$work/outcomes.ndjson"
expect 0 "$ketlink" validate "$work/outcomes.ndjson" # a good OperationOutcome each
expect 65 "$ketlink" validate --format junit "$folder"
expect_text "$work/out" '<testsuite name="ketlink validate" tests="6" failures="2" errors="1" skipped="0">'
python3 -c 'import sys, xml.etree.ElementTree as e; s = e.parse(sys.argv[1]).getroot()
assert len(s.findall("testcase")) == 6 and len(s.findall("testcase/failure")) == 2 and len(s.findall("testcase/error")) == 1' "$work/out" ||
  fail "not the test cases"
expect 1 "$ketlink" validate --format github "$folder/b/bad.json"
expect_text "$work/out" "^::error file=$folder/b/bad.json,line=1,col=[0-9]+,title=value-format::Patient.birthDate: "

# --- the page: whole, alone, without what the inputs hold
mkdir "$work/a<b&c"
echo "$bad" > "$work/a<b&c/x.json"
expect 2 "$ketlink" validate --json --format html fixtures/clinic/minimal/record.json
expect_text "$work/err" "--json is --format json, and not html"
expect 0 "$ketlink" validate --json --format json -q fixtures/clinic/minimal/record.json
expect 65 "$ketlink" validate --format html "$folder" "$work/a<b&c" -o "$work/report.html"
expect_text "$work/report.html" "<title>Validation report: [0-9]+ errors</title>"
python3 - "$work/report.html" << 'PYTHON' || fail "not a whole page"
import html.parser, re, sys
text = open(sys.argv[1], encoding="utf-8").read()
class Page(html.parser.HTMLParser):
    open, ids, links, rows, tags = [], set(), set(), 0, set()
    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        self.ids.add(attributes.get("id"))
        if tag == "a": self.links.add(attributes["href"])
        assert "src" not in attributes and not any(name.startswith("on") for name in attributes)
        if tag not in ("meta",): self.open.append(tag)
    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag
page = Page()
page.feed(text)
assert not page.open and page.tags.isdisjoint({"script", "link", "img", "iframe"}), page.tags
assert all(link.startswith("#") and link[1:] in page.ids for link in page.links) and len(page.links) == 5, page.links
assert {"h1", "h2", "caption", "thead", "main"} <= page.tags and 'lang="en"' in text and "@media print" in text
assert "a&lt;b&amp;c/x.json" in text and "Zzyzxname" not in text and "19x1" not in text
assert re.search(r"<td class=\"word\">Error</td><td class=\"number\">1:\d+</td><td><code>Patient.birthDate</code>", text)
PYTHON

# --- a stream: findings of a record are printed before the next is read
for i in $(seq 300); do [ $((i % 7)) = 0 ] && echo "$bad" || echo "$good"; done > "$work/many.ndjson"
mkdir "$work/many"
for i in $(seq -w 40); do [ "$((10#$i % 5))" = 0 ] && echo "$bad" > "$work/many/$i.json" || echo "$good" > "$work/many/$i.json"; done
for format in text json junit github html; do
  expect 65 "$ketlink" validate -q --format $format --jobs 1 "$work/many.ndjson" "$work/many" "$folder" "fixtures/clinic"
  cp "$work/out" "$work/one"
  for jobs in 2 7 0; do
    expect 65 "$ketlink" validate -q --format $format --jobs $jobs "$work/many.ndjson" "$work/many" "$folder" "fixtures/clinic"
    cmp "$work/one" "$work/out" || fail "$format: $jobs threads report otherwise than one"
  done
done
# --- a wrong code: another is meant, or the same one of another code system
concept() {
  echo "{\"resourceType\":\"AllergyIntolerance\",\"patient\":{\"display\":\"p\"},\"clinicalStatus\":{\"coding\":[{\"system\":\"$1\",\"code\":\"$2\"}]}}"
}
concept http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical actve > "$work/slip.json"
concept http://clinic.example/status active > "$work/elsewhere.json"
expect 1 "$ketlink" validate "$work/slip.json" "$work/elsewhere.json"
expect_text "$work/out" 'the code "actve" is not in the value set .*; did you mean "active"\?'
expect_text "$work/out" 'the code "active" is not in the value set .*; it has this code of another code system'
echo "validate: folders, lines, five formats, any number of threads"
