#!/bin/sh
# Builds the HAPI FHIR server when its sources are newer than target/, then becomes it. `run.sh --build` only builds.
# Exit status 77 (ctest: skipped) when there is no JDK or Maven. Memory can be set with HAPI_JAVA_OPTIONS.
#
#   run.sh --cert FILE --key FILE --token-file FILE [--port 0] [--ready-file FILE] [--data FOLDER] [--strict]
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
jar=$here/target/hapi-server.jar
. "$here/../jar.sh"
# One compiler tier and the serial collector: the server lives for seconds, and two cores serve everything.
# shellcheck disable=SC2086
exec java ${HAPI_JAVA_OPTIONS:--Xmx1g -XX:+UseSerialGC -XX:TieredStopAtLevel=1} -jar "$jar" "$@"
