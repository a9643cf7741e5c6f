#!/usr/bin/env bash
# hl7v2.sh VALUES PACK: hl7v2.py with the engines that can be had here, and: do the committed models come of hl7apy's tables? hl7apy
# is in a virtual environment of its own (tests/bench/peers/requirements.txt); without it HAPI alone is compared with.
. "$(dirname "$0")/../../scripts/lib.sh"

python=
if made=$(python_with tests/bench/peers 2> /dev/null); then python=$made; else echo "hl7apy: skipped: its package cannot be had"; fi
if [ -n "$python" ]; then
  made=$(mktemp)
  trap 'rm -f "$made"' EXIT
  "$python" scripts/hl7v2-models -o "$made"
  cmp "$made" mappings/models/hl7v2.json || die "mappings/models/hl7v2.json is not what scripts/hl7v2-models makes"
fi
tests/oracles/hl7v2.py "$@" ${python:+--python "$python"}
