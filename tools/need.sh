#!/bin/sh
# What this machine must have before anything is installed from a lock file. POSIX sh; no Python needed yet.
#
#   need.sh python [INTERPRETER]   Python >= 3.11 that can make virtual environments; exits 1 without it
#   need.sh chromium               a Chromium for the tests that look at pages; never fails: those tests then say
#                                  that they did not run
#   need.sh services               nginx and redis-server for the gateway's tests; never fails, for the same reason
#
# It names what is missing. As root on a Debian system it installs it, otherwise it prints the command to run.
set -u

say() { printf '%s\n' "$*" >&2; }

updated=no
install() {
    if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        say "  install it with:  sudo apt-get install $*   (or this system's own package manager)"
        return 1
    fi
    say "  installing the Debian package(s): $*"
    if [ "$updated" = no ]; then
        apt-get update -qq >&2 || say "  apt-get update failed; trying the package lists already here"
        updated=yes
    fi
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >&2 && return 0
    say "  apt-get could not install: $*"
    return 1
}

recent() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
makes_venvs() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

need_python() {
    python=$1
    if ! command -v "$python" >/dev/null 2>&1; then
        say "missing: Python >= 3.11 ($python is not there)"
        install python3 python3-venv
    fi
    if ! recent "$python"; then
        say "missing: Python >= 3.11; '$python' is $("$python" --version 2>/dev/null || echo absent)"
        for other in python3.14 python3.13 python3.12 python3.11; do
            recent "$other" && say "  $other is here: add PYTHON=$other to the make command" && break
        done
        exit 1
    fi
    makes_venvs "$python" && return
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    say "missing: the venv and ensurepip modules of $python (Python $version)"
    install "python$version-venv" && makes_venvs "$python" && return
    say "cannot make a virtual environment with $python"
    exit 1
}

need_chromium() {
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null 2>&1 && return
    done
    say "missing: Chromium (tests that look at pages in a browser)"
    install chromium || say "  going on without it: those tests will be listed as not run"
}

need_services() {
    for pair in nginx:nginx-light redis-server:redis-server; do
        command -v "${pair%%:*}" >/dev/null 2>&1 && continue
        say "missing: ${pair%%:*} (tests of the gateway)"
        install "${pair##*:}" || say "  going on without it: those tests will be listed as not run"
    done
}

case "${1:-}" in
    python) need_python "${2:-python3}" ;;
    chromium) need_chromium ;;
    services) need_services ;;
    *)
        say "usage: need.sh python [INTERPRETER] | chromium | services"
        exit 2
        ;;
esac
