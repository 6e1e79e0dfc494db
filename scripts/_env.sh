# Sourced by the other scripts: a virtual environment beside the checkout, made once and brought up to date when needed.
# Needs Python 3.11 or newer and nothing else.
#
#   . scripts/_env.sh; need cli emulator test     extras and dependency groups of pyproject.toml
#                      need_node                  the JavaScript package that tests/interop needs
#
# COZE_ASYNC_VENV names another place for the environment.

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
venv=${COZE_ASYNC_VENV:-$root.venv}
# Where nothing may be written beside the checkout, it goes inside; git does not see it there.
[ -d "$venv" ] || [ -w "$(dirname "$venv")" ] || venv=$root/.venv
bin=$venv/bin

find_python() {
    for name in python3 python3.13 python3.12 python3.11 python; do
        if command -v "$name" >/dev/null 2>&1 &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed, and none was found." >&2
    return 1
}

need() {
    wanted=$*
    if [ ! -x "$bin/python" ]; then
        python=$(find_python) || exit 1
        echo "Making a virtual environment in $venv …" >&2
        "$python" -m venv "$venv" || {
            rm -rf "$venv"
            echo "'$python -m venv' failed. On Debian and Ubuntu: apt-get install python3-venv" >&2
            exit 1
        }
    fi
    # What is installed is noted with a checksum of what asked for it: the second run installs nothing.
    for part in $wanted; do
        stamp="$part $(cksum <pyproject.toml) $root"
        grep -qsxF "$stamp" "$venv/installed" && continue
        echo "Installing what '$part' needs …" >&2
        # Older versions of pip know no dependency groups, so the list is read here.
        "$bin/python" - "$part" <<'PYTHON' >"$venv/wanted" || exit 1
import sys, tomllib
from pathlib import Path

facts = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
part = sys.argv[1]
print("\n".join(facts["dependency-groups"].get(part) or facts["project"]["optional-dependencies"][part]))
PYTHON
        "$bin/python" -m pip install --quiet --disable-pip-version-check --editable . --requirement "$venv/wanted" || {
            echo "Installing failed. Is a package index reachable from here?" >&2
            exit 1
        }
        echo "$stamp" >>"$venv/installed"
    done
}

# What tests/interop/js/package.json names goes to $venv/node. Where that cannot be, its tests are skipped (in CI they fail).
need_node() {
    command -v npm >/dev/null 2>&1 || {
        echo "No npm here: the tests with the official JavaScript SDK need Node 18 or newer, and are left out." >&2
        return
    }
    stamp="node $(cksum <tests/interop/js/package.json)"
    grep -qsxF "$stamp" "$venv/installed" && return
    echo "Installing the official JavaScript SDK for tests/interop …" >&2
    mkdir -p "$venv/node" && cp tests/interop/js/package.json "$venv/node/" &&
        (cd "$venv/node" && npm install --silent --no-package-lock --no-audit --no-fund --ignore-scripts --fetch-retries 1) || {
        echo "Installing failed. Is an npm registry reachable from here? The tests with it are left out." >&2
        return
    }
    echo "$stamp" >>"$venv/installed"
}
