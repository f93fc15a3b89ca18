#!/bin/sh
# Prints the Python that makes the virtual environment: $1 if given, else the first one that is new enough and has venv.
# The system's own comes first: distributions build it with profile-guided optimization, which others often lack.
# usage: find_python.sh [PYTHON]

check='import sys
if sys.version_info < (3, 11):
    sys.exit("is Python %d.%d; pushd needs Python 3.11 or later" % sys.version_info[:2])
try:
    import ensurepip, venv
except ImportError:
    sys.exit("has no venv module; on Debian and Ubuntu, install the package python%d.%d-venv" % sys.version_info[:2])'

system=${SYSTEM_PYTHON:-/usr/bin/python3}
[ -x "$system" ] || system=
first=
for python in ${1:-$system python3 python3.13 python3.12 python3.11}; do
    if problem=$("$python" -c "$check" 2>&1); then
        echo "$python"
        exit 0
    fi
    case $problem in
    is\ * | has\ *) ;;
    *) problem="cannot be run" ;;
    esac
    first=${first:-"$python $problem"}
done
echo "make: $first; choose another one by: make PYTHON=/path/to/python3" >&2
exit 1
