#!/bin/sh
# `canhman` for whoever runs the machine: any command with the settings of the services, and as their user, so that what it
# writes is theirs. Installed as /usr/local/bin/canhman. A CANHMAN_ variable given by the caller counts before the file.
set -eu

user=canhman
settings=/etc/canhman/canhman.env
program=/opt/canhman/.venv/bin/canhman

if [ ! -r "$settings" ]; then
    echo "canhman: $settings is not there or cannot be read by $(id -un); type this as root (sudo -i)" >&2
    exit 1
fi
given=$(export -p | grep '^export CANHMAN_' || true)
set -a
. "$settings"
eval "$given"
set +a
[ "$(id -un)" = "$user" ] && exec "$program" "$@"
HOME=/var/lib/canhman exec runuser -u "$user" -- "$program" "$@"
