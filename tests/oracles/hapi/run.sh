#!/bin/sh
# Builds the oracle when its sources are newer than target/, then becomes it. `run.sh --build` only builds.
# Exit status 77 (ctest: skipped) when there is no JDK or Maven. Memory can be set with ORACLE_JAVA_OPTIONS.
#
#   run.sh < jobs.jsonl > answers.jsonl
#   run.sh transform MAP RECORD --mappings DIR | fhirpath EXPRESSION FILE | validate FILE | check --mappings DIR
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
jar=$here/target/hapi-oracle.jar
. "$here/../../servers/jar.sh"
# shellcheck disable=SC2086
exec java ${ORACLE_JAVA_OPTIONS:--Xmx2g -XX:+UseSerialGC} -jar "$jar" "$@"
