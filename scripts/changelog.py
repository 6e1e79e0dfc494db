"""Put the fragments of changelog.d into CHANGELOG.md, or check that they are well named.

    python scripts/changelog.py --check
    python scripts/changelog.py 0.2.0 2026-12-01

A fragment is `changelog.d/<slug>.<added|changed|fixed|removed>.md`, one or two sentences for users.
"""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
KINDS = ("added", "changed", "fixed", "removed")
NAME = re.compile(rf"[a-z0-9][a-z0-9-]*\.({'|'.join(KINDS)})\.md")


def fragments() -> dict[str, list[Path]]:
    """Return the fragments by kind; exit with a message if one is badly named or empty."""
    found: dict[str, list[Path]] = {kind: [] for kind in KINDS}
    for path in sorted((ROOT / "changelog.d").glob("*.md")):
        match = NAME.fullmatch(path.name)
        if match is None:
            sys.exit(f"changelog.d/{path.name}: name it <slug>.<{'|'.join(KINDS)}>.md")
        if not path.read_text(encoding="utf-8").strip():
            sys.exit(f"changelog.d/{path.name} is empty: say in a sentence what users will notice")
        found[match[1]].append(path)
    return found


def release(version: str, date: str) -> None:
    """Write the fragments under a new heading, and remove them."""
    lines = [f"## {version} ({date})", ""]
    found = fragments()
    for kind, paths in found.items():
        if paths:
            lines += [f"### {kind.capitalize()}", ""]
            lines += [f"- {' '.join(path.read_text(encoding='utf-8').split())}" for path in paths]
            lines += [""]
    changelog = ROOT / "CHANGELOG.md"
    head, mark, rest = changelog.read_text(encoding="utf-8").partition("<!-- releases -->\n")
    changelog.write_text(f"{head}{mark}\n" + "\n".join(lines) + rest, encoding="utf-8")
    for paths in found.values():
        for path in paths:
            path.unlink()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        fragments()
    elif len(sys.argv) == 3:
        release(sys.argv[1], sys.argv[2])
    else:
        sys.exit(__doc__)
