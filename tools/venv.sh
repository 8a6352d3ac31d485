#!/bin/sh
# Make a virtual environment where there is none, and install into it.
#
#   venv.sh INTERPRETER VENV PIP-INSTALL-ARGUMENT...
#
# An install that was killed can leave half a package that pip takes for a whole one, so the environment carries the
# mark `.unfinished` while pip works, and `make` removes one that still carries it. An install that merely failed (no
# network, say) is undone by pip itself, and leaves the environment usable.
set -eu

python=$1
venv=$2
shift 2
mark=$venv/.unfinished
trap 'exit 130' INT TERM HUP

if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    mkdir "$venv"
    : >"$mark"
    "$python" -m venv "$venv"
fi

: >"$mark"
status=0
"$venv/bin/python" -m pip --disable-pip-version-check --no-input install -qq "$@" || status=$?
# Above 128 pip was ended by a signal, and nobody knows what it was doing.
[ "$status" -gt 128 ] || rm -f "$mark"
exit "$status"
