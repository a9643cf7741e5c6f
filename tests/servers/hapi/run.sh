#!/bin/sh
# Builds the HAPI FHIR server when its sources are newer than target/, then becomes it. `run.sh --build` only builds.
# Exit status 77 (ctest: skipped) when there is no JDK or Maven. Memory can be set with HAPI_JAVA_OPTIONS.
#
#   run.sh --cert FILE --key FILE --token-file FILE [--port 0] [--ready-file FILE] [--data FOLDER] [--strict]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
jar=$here/target/hapi-server.jar

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
    ( # Tests may start two servers at once: one builds, the other waits and finds the work done.
        flock 9
        up_to_date || { mvn --batch-mode --quiet -f "$here/pom.xml" package >&2 && touch "$jar"; }
    ) 9>"$here/target/.lock"
fi

[ "${1-}" != --build ] || exit 0
# One compiler tier and the serial collector: the server lives for seconds, and two cores serve everything.
# shellcheck disable=SC2086
exec java ${HAPI_JAVA_OPTIONS:--Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1} -jar "$jar" "$@"
