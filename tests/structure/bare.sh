#!/usr/bin/env bash
# The build is configured on a machine that has only what the program needs: scripts/setup installs nothing for tests.
# bare.sh CMAKE
set -euo pipefail
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cat > "$work/pkg-config" << 'EOF'
#!/bin/sh
case " $* " in *' cmocka'*) exit 1 ;; esac
exec pkg-config "$@"
EOF
chmod +x "$work/pkg-config"
"$1" -S . -B "$work/build" -G Ninja -DPKG_CONFIG_EXECUTABLE="$work/pkg-config" > "$work/log" 2>&1 || {
  cat "$work/log"
  exit 1
}
tests=$("$1" --build "$work/build" --target help | grep -c '^test_' || true)
[ "$tests" = 0 ] || { echo "cmocka was to be found nowhere, and there are $tests unit tests"; exit 1; }
