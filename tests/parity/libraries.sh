#!/usr/bin/env bash
# libraries.sh: sourced with $root set. Sets $python to one that has the reference libraries: the one that JUDO_PARITY_PYTHON
# names, or that of a virtual environment in build/parity-venv, filled here once.
python=${JUDO_PARITY_PYTHON:-$root/build/parity-venv/bin/python}
if [ -z "${JUDO_PARITY_PYTHON:-}" ] && ! cmp -s "$root/tests/parity/requirements.txt" "$root/build/parity-venv/installed.txt"; then
    echo "Installing the reference libraries in build/parity-venv (tests/parity/requirements.txt)" >&2
    python3 -m venv "$root/build/parity-venv"
    "$python" -m pip install --quiet -r "$root/tests/parity/requirements.txt"
    cp "$root/tests/parity/requirements.txt" "$root/build/parity-venv/installed.txt" # only now: a broken installation is tried again
fi
