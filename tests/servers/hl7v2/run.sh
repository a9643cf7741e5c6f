#!/bin/sh
# Builds the HAPI HL7 v2 peer when its sources are newer than target/, then becomes it. `run.sh --build` only builds.
# Exit status 77 (ctest: skipped) when there is no JDK or Maven. Java options: HL7V2_JAVA_OPTIONS.
#
#   run.sh send PORT FILE… | listen READY-FILE | bench FOLDER   [--tls]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
jar=$here/target/hapi-hl7v2.jar
. "$here/../jar.sh"
# One compiler tier and the serial collector: a peer lives for seconds, and two cores serve everything.
# shellcheck disable=SC2086
exec java ${HL7V2_JAVA_OPTIONS:--Xmx256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1} -jar "$jar" "$@"
