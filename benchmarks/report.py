"""What came out: as JSON for programs, as a table for people, with the facts of the machine."""

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.suite import Figure, Outcome

__all__ = ["as_json", "as_table", "machine"]

# Who is compared with whom: the first divided by the second.
RATIOS = (("cozepy", "coze_async"), ("httpx by hand", "coze_async"), ("coze_async", "floor"))
_PACKAGES = ("coze_async", "cozepy", "httpx", "httpcore", "h11", "httpx-sse", "anyio", "pydantic", "pydantic-core")


def machine() -> dict[str, Any]:
    """Return what the numbers depend on beyond the code."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "versions": {name: version for name in _PACKAGES if (version := _version(name))},
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if name != "coze_async":
            return None
        from coze_async import __version__

        return __version__


def as_json(outcomes: Sequence[Outcome], *, mode: str, rounds: int, missing: Mapping[str, str]) -> dict[str, Any]:
    """Return all of it; README.md describes the keys."""
    return {
        "schema": 1,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "mode": mode,
        "rounds": rounds,
        "machine": machine(),
        "missing_peers": dict(missing),
        "scenarios": {outcome.scenario.name: _scenario(outcome) for outcome in outcomes},
    }


def _scenario(outcome: Outcome) -> dict[str, Any]:
    return {
        "about": outcome.scenario.about,
        "unit": f"µs/{outcome.scenario.unit}",
        "operations_per_round": outcome.scenario.operations,
        "peers": {
            name: {
                "cpu": {**_figure(Figure.of(cpu)), "rounds": cpu},
                "wall": _figure(Figure.of(outcome.wall[name])),
            }
            for name, cpu in outcome.cpu.items()
        },
        "ratios": {
            f"{above} / {below}": _figure(ratio)
            for above, below in RATIOS
            if (ratio := outcome.ratio(above, below)) is not None
        },
    }


def _figure(figure: Figure) -> dict[str, float]:
    return {"median": figure.median, "min": figure.least, "max": figure.most}


def as_table(results: Mapping[str, Any]) -> str:
    """Return the results as a Markdown table: CPU of the client's process, median (min–max)."""
    scenarios: Mapping[str, Any] = results["scenarios"]
    peers = list(dict.fromkeys(name for scenario in scenarios.values() for name in scenario["peers"]))
    ratios = list(dict.fromkeys(name for scenario in scenarios.values() for name in scenario["ratios"]))
    rows = [["scenario", "unit", *peers, *ratios]]
    for name, scenario in scenarios.items():
        costs = [_text(scenario["peers"].get(peer, {}).get("cpu")) for peer in peers]
        factors = [_text(scenario["ratios"].get(ratio)) for ratio in ratios]
        rows.append([name, scenario["unit"], *costs, *factors])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    rows.insert(1, ["-" * width for width in widths[:2]] + ["-" * (width - 1) + ":" for width in widths[2:]])
    facts: Mapping[str, Any] = results["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    return "\n".join(
        [
            f"CPU of the client's process: median (min–max) of {results['rounds']} rounds, {results['mode']}",
            f"{facts['implementation']} {facts['python']}, {facts['cores']} cores of {facts['cpu']}, {results['date']}",
            versions,
            "",
            *(_line(row, widths) for row in rows),
            "",
            *(f"{name}: {scenario['about']}" for name, scenario in scenarios.items()),
        ]
    )


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    padded = [text.ljust(width) for text, width in zip(row[:2], widths, strict=False)]
    padded += [text.rjust(width) for text, width in zip(row[2:], widths[2:], strict=True)]
    return f"| {' | '.join(padded)} |"


def _text(figure: Mapping[str, float] | None) -> str:
    if not figure:
        return "–"
    return " ".join((_short(figure["median"]), f"({_short(figure['min'])}–{_short(figure['max'])})"))


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
