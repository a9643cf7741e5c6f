#!/usr/bin/env bash
# ketlink keys: key sets for SMART Backend Services and the store's key. Never overwritten, readable by their owner only, nothing
# private printed, rotated with an overlap.
. "$(dirname "$0")/lib.sh"
set_file=$work/ehr.keys

mode() { expect_same "$(stat -c %a "$1")" 600 "mode of $1"; }
states() { "$ketlink" keys list --json "$set_file" | jq -r .state | tr '\n' ' '; }

expect 0 "$ketlink" keys create "$set_file"
mode "$set_file"
before=$(sha256sum "$set_file")
expect 78 "$ketlink" keys create "$set_file"
expect_text "$work/err" 'there already, and is not overwritten'
expect_same "$(sha256sum "$set_file")" "$before"
ln -s "$work/elsewhere" "$work/link"
expect 78 "$ketlink" keys create "$work/link"
[ ! -e "$work/elsewhere" ] || fail "a key set was written through a link"
expect 2 "$ketlink" keys create --alg HS256 "$work/other.keys"
[ ! -e "$work/other.keys" ] || fail "a refused algorithm left a file"
expect 0 "$ketlink" keys create --alg RS384 "$work/rsa.keys"

# --- the public part has nothing private
for name in ehr rsa; do
  expect 0 "$ketlink" keys jwks "$work/$name.keys"
  jq -e '.keys | length == 1 and all(.kid and .alg and .use == "sig" and (has("d") or has("p") or has("q") or has("k") | not))' \
    "$work/out" > /dev/null || fail "jwks of $name"
  expect_no_text "$work/out" PRIVATE
done
expect 0 "$ketlink" keys jwks -o "$work/jwks.json" "$set_file"
expect_same "$(stat -c %a "$work/jwks.json")" 644
expect 0 "$ketlink" keys list "$set_file"
expect_text "$work/out" '^signs  ES384  from 20'
expect_no_text "$work/out" 'PRIVATE|MI[A-Z][A-Za-z0-9+/]{41}' # a kid has 43 characters, and may have these as well

# --- several at once: no key is lost that was told
cp -p "$work/rsa.keys" "$work/busy.keys"
printf '1 %064d\n' 7 > "$work/busy.key"
chmod 600 "$work/busy.key"
for _ in 1 2 3 4 5 6; do
  "$ketlink" keys rotate -q --alg ES384 "$work/busy.keys" &
  "$ketlink" keys store rotate -q "$work/busy.key" &
done
wait
expect 0 "$ketlink" keys list "$work/busy.keys"
expect_same "$(wc -l < "$work/out") $(wc -l < "$work/busy.key")" "7 7" "keys of sets that six rotated at once"

# --- no room: told, and the set is as it was
cp -p "$work/busy.keys" "$work/before.keys"
said=$(trap '' XFSZ && ulimit -f 0 && "$ketlink" keys rotate --alg RS384 "$work/busy.keys" 2>&1) && fail "a set was written without room"
expect_text - 'busy.keys: error .* it cannot be written and is as it was' <<< "$said"
cmp "$work/before.keys" "$work/busy.keys" || fail "a set that could not be written is another"

# --- an overlap: published now, signs later
old=$("$ketlink" keys jwks "$set_file" | jq -r '.keys[0].kid')
expect 0 "$ketlink" keys rotate "$set_file"
mode "$set_file"
expect_same "$(states)" "signs waits "
expect_same "$("$ketlink" keys list --json "$set_file" | jq -r 'select(.state == "signs") | .kid')" "$old"
expect_same "$("$ketlink" keys jwks "$set_file" | jq '.keys | length')" 2
expect 0 "$ketlink" keys prune "$set_file"
expect_same "$(states)" "signs waits " "prune dropped what is needed"
expect 0 "$ketlink" keys rotate --overlap 0 --alg RS384 "$set_file"
expect_same "$(states)" "over waits signs "
expect 0 "$ketlink" keys prune "$set_file"
expect_same "$(states)" "over waits signs " "what it signed may still be under way"
# two hours later: the times of the file are set back
jq '.keys |= map(.made -= 7200000 | .signsFrom -= 7200000)' "$set_file" > "$work/earlier"
cat "$work/earlier" > "$set_file"
expect 0 "$ketlink" keys prune "$set_file"
expect_text "$work/err" '1 key dropped'
expect_same "$(states)" "waits signs "
for _ in 1 2 3 4 5 6; do expect 0 "$ketlink" keys rotate --alg ES384 "$set_file"; done
expect 78 "$ketlink" keys rotate "$set_file"
expect_text "$work/err" 'keys prune first'
expect 2 "$ketlink" keys rotate --overlap 366 "$set_file"
expect 2 "$ketlink" keys rotate --overlap -1 "$set_file"

# --- what is no secret is no key set
chmod 640 "$set_file"
expect 78 "$ketlink" keys list "$set_file"
expect_text "$work/err" 'chmod 600'
expect 78 "$ketlink" keys rotate "$set_file"
expect 78 "$ketlink" keys jwks "$work/none.keys"
expect_text "$work/err" 'missing'

# --- the store's key
expect 0 "$ketlink" keys store create "$work/store.key"
mode "$work/store.key"
expect 78 "$ketlink" keys store create "$work/store.key"
first=$(cat "$work/store.key")
expect 0 "$ketlink" keys store rotate "$work/store.key"
mode "$work/store.key"
expect_same "$(head -n 1 "$work/store.key")" "$first" "the old key stays for what it wraps"
expect_same "$(grep -cE '^[12] [0-9a-f]{64}$' "$work/store.key")" 2
for _ in {3..16}; do expect 0 "$ketlink" keys store rotate "$work/store.key"; done
expect 78 "$ketlink" keys store rotate "$work/store.key"
expect_text "$work/err" 'restart the relay'
expect_same "$(head -n 1 "$work/store.key")" "$first" "the store may still be wrapped by the oldest key"
expect 2 "$ketlink" keys store renew "$work/store.key"
expect 78 "$ketlink" keys store rotate "$work/none.key"
expect_no_text "$work/err" '[0-9a-f]{64}'

echo "keys: sets and store keys made, listed, published, rotated and pruned"
