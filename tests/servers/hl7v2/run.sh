#!/bin/sh
# Builds the HAPI HL7 v2 peer when its sources are newer than target/, then becomes it. `run.sh --build` only builds.
# Exit status 77 (ctest: skipped) when there is no JDK or Maven. Java options: HL7V2_JAVA_OPTIONS.
#
#   run.sh send PORT FILE… | listen READY-FILE | bench FOLDER   [--tls]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
jar=$here/target/hapi-hl7v2.jar

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
# One compiler tier and the serial collector: a peer lives for seconds, and two cores serve everything.
# shellcheck disable=SC2086
exec java ${HL7V2_JAVA_OPTIONS:--Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1} -jar "$jar" "$@"
