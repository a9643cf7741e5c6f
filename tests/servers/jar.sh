# Sourced by the run.sh of a Java peer, which has set `here` (its folder) and `jar`: builds the jar when the sources are newer.
# Ends the script with 77 (ctest: skipped) when there is no JDK or Maven, and with 0 when it was asked to --build only.

command -v java >/dev/null || { echo "skipped: java is not installed" >&2; exit 77; }

# By a mark that Maven's end leaves: the jar is there before the libraries beside it are.
built=$here/target/.built
up_to_date() {
    [ -s "$jar" ] && [ -e "$built" ] && [ -z "$(find "$here/pom.xml" "$here/src" -newer "$built" -print -quit)" ]
}

if ! up_to_date; then
    if ! command -v mvn >/dev/null || ! command -v javac >/dev/null; then
        echo "skipped: Maven or a JDK is not installed" >&2
        exit 77
    fi
    mkdir -p "$here/target"
    ( # Tests may start two at once: one builds, the other waits and finds the work done.
        flock 9
        up_to_date || { mvn --batch-mode --quiet -f "$here/pom.xml" package >&2 && touch "$built"; }
    ) 9>"$here/target/.lock"
fi

[ "${1-}" != --build ] || exit 0
