#!/bin/sh
# Put the real servers of the tests on this machine, as root on Debian or Ubuntu; elsewhere name what is missing.
# Their daemons are not left running (the tests start servers of their own), and one that ran before is left alone.
# With REQUIRE_SERVERS=1 a missing one is an error.
set -eu

sbin=${SBIN:-/usr/sbin} # where Debian puts servers; not in everybody's PATH
PATH=$PATH:$sbin
policy=$sbin/policy-rc.d

# program: Debian package
needed='mosquitto:mosquitto mosquitto_passwd:mosquitto mosquitto_pub:mosquitto-clients mosquitto_sub:mosquitto-clients influxd:influxdb chromium:chromium curl:curl openssl:openssl'
libs=${LIBS:-/usr/lib}
fonts=${FONTS:-/usr/share/fonts} # without one that has Vietnamese letters Chromium draws boxes

missing() {
    for pair in $needed; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || echo "${pair##*:}"
    done | sort -u
    [ -e "$fonts/truetype/noto/NotoSans-Regular.ttf" ] || echo fonts-noto-core
    # what drives Chromium is linked to it, and no package of ours brings it
    set -- "$libs"/*/libatomic.so.1
    [ -e "$1" ] || echo libatomic1
    # Debian keeps each version's programs in a folder of its own
    set -- "$libs"/postgresql/*/bin/initdb
    [ -e "$1" ] || echo postgresql
    # a clock of its own for whole processes: the fault record sets it forth and back
    set -- "$libs"/*/faketime/libfaketimeMT.so.1
    [ -e "$1" ] || echo faketime
}

runs() { systemctl is-active --quiet "$1" 2>/dev/null; }

install_quietly() {
    DEBIAN_FRONTEND=noninteractive
    export DEBIAN_FRONTEND
    made_policy=
    if [ ! -e "$policy" ]; then # tells the packages' scripts not to start a daemon
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
        made_policy=yes
        trap 'rm -f "$policy"' EXIT
        trap 'exit 1' HUP INT TERM
    fi
    echo "installing for the tests: $*" >&2
    apt-get update -qq >/dev/null 2>&1 || true
    for package in "$@"; do # one by one: a release without one of them still gets the others
        ran=$(runs "$package" && echo yes || true)
        apt-get install -qq -y --no-install-recommends "$package" >/dev/null 2>&1 || continue
        if [ -z "$ran" ] && command -v systemctl >/dev/null 2>&1; then
            systemctl disable --now --quiet "$package" >/dev/null 2>&1 || true # nor at the next boot
        fi
    done
    if [ -n "$made_policy" ]; then
        rm -f "$policy"
        trap - EXIT HUP INT TERM
    fi
}

packages=$(missing | tr '\n' ' ')
[ -z "$packages" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    # shellcheck disable=SC2086 # names are words
    install_quietly $packages
    packages=$(missing | tr '\n' ' ')
    [ -z "$packages" ] && exit 0
fi
packages=${packages% }
if [ "${REQUIRE_SERVERS:-}" = 1 ]; then
    echo "missing, and nothing may be skipped here: $packages" >&2
    exit 1
fi
echo "missing: $packages. Tests marked 'servers' that need them are skipped (sudo apt-get install $packages)." >&2
