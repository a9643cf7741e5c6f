#!/bin/sh
# Builds the peer of LinuxForHealth when its sources are newer than target/, then becomes it. `run.sh --build` only builds.
# Exit status 77 when there is no JDK or Maven.
#
#   run.sh FOLDER
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
jar=$here/target/linuxforhealth.jar
. "$here/../../../servers/jar.sh"
# Its templates are UTF-8 texts and its numbers English, whatever the machine speaks.
exec java -Xmx512m -XX:+UseSerialGC -Dfile.encoding=UTF-8 -Duser.language=en -Duser.country=US -Duser.timezone=UTC -jar "$jar" "$@"
