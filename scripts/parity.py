"""Write docs/parity.md: which of our methods does what a method of the official SDK does.

    python scripts/parity.py            write it
    python scripts/parity.py --check    say whether it is up to date and without a hole

The facts are in scripts/parity.json, the routes are those of our declarations.
"""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coze_async import AsyncCoze
from coze_async._endpoint import Endpoint
from coze_async.resources import all_endpoints

ROOT = Path(__file__).parent.parent
TABLE = ROOT / "docs" / "parity.md"

HEAD = """# What the official SDK has, and what we have

Every endpoint of the official SDKs, of the official pages and of self-hosted servers, and the method that calls it.
A dash means that the official Python SDK has no method for it.
Methods of ours that call no endpoint of their own (`chat.ask`, `chat.create_and_poll`, `workflows.run_and_poll`) are not in the table.

This file is written by `scripts/parity.py`.

| official Python SDK | coze_async | endpoint |
| --- | --- | --- |
"""  # noqa: E501 - a sentence per line


@dataclass(frozen=True)
class Row:
    """One endpoint in scope.

    Attributes:
        name: Where the official SDKs have it, such as "chat.messages.list".
        official: The methods of the official Python SDK.
        ours: Our method, None if there is none.
        route: Verb and path of our declaration, None if there is none.
    """

    name: str
    official: tuple[str, ...]
    ours: str | None
    route: str | None


def rows() -> list[Row]:
    """Return every endpoint in scope, by name."""
    facts: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "parity.json").read_text("utf-8"))
    declared = {f"{endpoint.method} {endpoint.path}" for endpoint in all_endpoints()}
    coze = AsyncCoze("none-is-needed")
    found: list[Row] = []
    for name, fact in sorted(facts["endpoints"].items()):
        ours: str = fact.get("ours", name)
        method = _method(coze, ours)
        route: str = fact["http"]
        # A method that was declared says itself what it calls; others stand on a declaration of that route.
        endpoint: Endpoint | None = getattr(method, "endpoint", None)
        if endpoint is not None:
            route = f"{endpoint.method} {endpoint.path}"
        known = method is not None and route == fact["http"] and route in declared
        found.append(Row(name, tuple(fact["cozepy"]), f"coze.{ours}" if known else None, route if known else None))
    return found


def _method(coze: AsyncCoze, name: str) -> Callable[..., Any] | None:
    thing: Any = coze
    for step in name.split("."):
        thing = getattr(thing, step, None)
    return thing if callable(thing) else None


def table(of: list[Row]) -> str:
    """Return the text of docs/parity.md."""
    lines = [
        f"| {', '.join(f'`{method}`' for method in row.official) or '–'} "
        f"| {f'`{row.ours}`' if row.ours else '**missing**'} | {f'`{row.route}`' if row.route else ''} |"
        for row in of
    ]
    return HEAD + "\n".join(lines) + "\n"


def main(arguments: list[str]) -> None:
    """Write or check the table."""
    found = rows()
    if missing := [row.name for row in found if row.ours is None]:
        sys.exit(f"Not in coze_async: {', '.join(missing)}")
    if arguments == ["--check"]:
        if not TABLE.is_file() or TABLE.read_text("utf-8") != table(found):
            sys.exit("docs/parity.md is not up to date: run python scripts/parity.py")
    elif arguments:
        sys.exit(__doc__)
    else:
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(table(found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
