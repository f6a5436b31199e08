#!/bin/sh
# Install the server programs that some tests run, where that is ours to do: as root, with apt-get.
# Anywhere else those tests are skipped, except in CI, where a missing server fails its tests.
set -u

# program:package
servers="nginx:nginx-light redis-server:redis-server"

missing=""
for server in $servers; do
    program=${server%%:*}
    if ! PATH="$PATH:/usr/sbin:/sbin" command -v "$program" >/dev/null 2>&1; then
        missing="$missing ${server#*:}"
    fi
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
    echo "Not installed:$missing. The tests that need them are skipped."
    exit 0
fi

echo "Installing for the tests:$missing"
log=$(mktemp)
# RUNLEVEL: the packages' own services need not start; the tests start theirs.
export DEBIAN_FRONTEND=noninteractive RUNLEVEL=1
install() {
    # shellcheck disable=SC2086 # a list of packages
    apt-get install -y -q --no-install-recommends $missing >"$log" 2>&1
}
if ! install && ! { apt-get update -q >"$log" 2>&1 && install; }; then
    echo "They could not be installed; the tests that need them are skipped:"
    tail -n 3 "$log"
fi
rm -f "$log"
exit 0
