#!/bin/sh
# Make .venv/bin/canhman from uv.lock. Usage: deploy/install.sh [GROUP | extra:NAME ...]
# Of pyproject.toml: dependency groups (test, lint), and extras (extra:grafana brings what `canhman dashboards push` needs).
# Needs git, make and Python 3.11; run again at any time: it does only what is missing. PYTHON=/path/to/python3 chooses one.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
venv=$root/.venv
stamp=$venv/.canhman-installed  # what stands in this .venv; absent while an install is under way or was cut short
begun=$venv/.canhman-begun

say() { printf '%s\n' "$*" >&2; }
fail() { say "$*"; exit 1; }

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# The first Python that is new enough, one that can make a venv before one that cannot.
choose_python() {
    second=
    for name in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3}; do
        if command -v "$name" >/dev/null 2>&1 && new_enough "$name"; then
            if makes_venvs "$name"; then
                echo "$name"
                return
            fi
            second=${second:-$name}
        fi
    done
    echo "$second"
}

install_venv_module() {
    version=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    package=python$version-venv
    if [ "$1" = python3 ] || [ "$version" = "$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)" ]; then
        package=python3-venv  # the distribution's default Python
    fi
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
        say "installing $package"
        DEBIAN_FRONTEND=noninteractive
        export DEBIAN_FRONTEND
        apt-get install -qq -y --no-install-recommends "$package" >/dev/null 2>&1 ||
            { apt-get update -qq >/dev/null 2>&1 && apt-get install -qq -y --no-install-recommends "$package" >/dev/null 2>&1; } ||
            fail "apt-get could not install $package; install it by hand, then run this again"
        makes_venvs "$1" && return
    fi
    fail "$1 cannot make a virtual environment: install the package $package (sudo apt-get install $package), then run this again"
}

make_venv() {
    python=$(choose_python)
    if [ -z "$python" ]; then
        found=$(${PYTHON:-python3} -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null || true)
        fail "Canh Mặn needs Python 3.11 or newer, ${PYTHON:-python3} here is ${found:-not installed}; install python3.11, or name one: PYTHON=/path/to/python3 make install"
    fi
    makes_venvs "$python" || install_venv_module "$python"
    rm -rf "$venv"
    mkdir "$venv"
    : >"$begun"
    "$python" -m venv "$venv" || fail "$python could not make $venv"
}

# A .venv that was cut short, whose Python is gone or too old, or which was moved here from elsewhere is made anew.
whole() {
    [ -x "$venv/bin/python" ] && new_enough "$venv/bin/python" && "$venv/bin/python" -m pip --version >/dev/null 2>&1 &&
        [ ! -e "$begun" ] && { [ ! -e "$stamp" ] || grep -qxF "place $root" "$stamp"; }
}

# By uv, from the places the lock names; where those cannot be reached, by pip with the lock's hashes from the index pip is set up with.
fill_venv() {
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r "$root/deploy/uv.txt" ||
        fail "pip could not fetch uv; is the package index reachable?"
    unset VIRTUAL_ENV UV_PROJECT_ENVIRONMENT
    cd "$root"
    # shellcheck disable=SC2086 # options are words
    if ! "$venv/bin/uv" sync --frozen --quiet --no-python-downloads --python "$venv/bin/python" $options; then
        say "uv could not fetch the packages; trying pip with the same hashes"
        # shellcheck disable=SC2086
        "$venv/bin/uv" export --frozen --quiet --no-emit-project --format requirements.txt $options >"$venv/locked.txt" &&
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$venv/locked.txt" &&
            "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --editable . ||
            fail "the packages of uv.lock could not be installed; is the package index reachable?"
    fi
}

# Groups and extras add up: an install without them does not take away what `make test` put there.
parts=$(printf '%s\n' "$@" $(sed -n 's/^group //p; s/^extra /extra:/p' "$stamp" 2>/dev/null || true) | sort -u)
options=
wanted="place $root
lock $(cat "$root/uv.lock" "$root/pyproject.toml" "$root/deploy/uv.txt" | sha256sum | cut -d' ' -f1)"
for part in $parts; do
    case $part in extra:*) kind=extra ;; *) kind=group ;; esac
    options="$options --$kind ${part#extra:}"
    wanted="$wanted
$kind ${part#extra:}"
done

if whole; then
    [ "$(cat "$stamp" 2>/dev/null || true)" = "$wanted" ] && exit 0
    : >"$begun"
else
    make_venv
fi
rm -f "$stamp"
say "installing into $venv"
fill_venv
printf '%s\n' "$wanted" >"$stamp"
rm -f "$begun"
