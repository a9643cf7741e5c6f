#!/bin/sh
# Builds the oracle when its sources are newer than target/, then becomes it. `run.sh --build` only builds.
# Exit status 77 (ctest: skipped) when there is no JDK or Maven. Memory can be set with ORACLE_JAVA_OPTIONS.
#
#   run.sh < jobs.jsonl > answers.jsonl
#   run.sh transform MAP RECORD --mappings DIR | fhirpath EXPRESSION FILE | validate FILE | check --mappings DIR
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
jar=$here/target/hapi-oracle.jar

command -v java >/dev/null || { echo "skipped: java is not installed" >&2; exit 77; }

up_to_date() {
    [ -s "$jar" ] && [ -z "$(find "$here/pom.xml" "$here/src" -newer "$jar" -print -quit)" ]
}

if ! up_to_date; then
    if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
        echo "skipped: Maven or a JDK is not installed" >&2
        exit 77
    fi
    mkdir -p "$here/target"
    ( # Tests may start two at once: one builds, the other waits and finds the work done.
        flock 9
        up_to_date || { mvn --batch-mode --quiet -f "$here/pom.xml" package >&2 && touch "$jar"; }
    ) 9>"$here/target/.lock"
fi

[ "${1-}" != --build ] || exit 0
# shellcheck disable=SC2086
exec java ${ORACLE_JAVA_OPTIONS:--Xmx2g -XX:+UseSerialGC} -jar "$jar" "$@"
