"""What came out: as JSON for programs, as tables for people, with the facts of the machine."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.machine import describe
from benchmarks.scenarios import KINDS
from benchmarks.suite import Figure, Outcome

__all__ = ["as_json", "as_table", "machine_line", "short"]

# Who is compared with whom: the first divided by the second.
RATIOS = (
    ("cozepy", "coze_async"),
    ("httpx by hand", "coze_async"),
    ("coze_async", "aiohttp by hand"),
    ("coze_async", "floor"),
)
# What is shown beside the first measure of a kind.
_ALSO_SHOWN = {
    "streams": ("wall", "p99", "peak"),
    "polls": ("wall", "p99", "peak"),
    "latency": ("p99",),
    "active": ("grown",),
    "start": ("import", "construct", "enter", "first", "first_wall"),
    "limiter": ("held", "left"),
}


def as_json(
    outcomes: Sequence[Outcome], *, mode: str, rounds: int, missing: Mapping[str, str], complete: bool = True
) -> dict[str, Any]:
    """Return all of it; README.md describes the keys."""
    return {
        "schema": 2,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "mode": mode,
        "complete": complete,
        "rounds": rounds,
        "machine": describe(),
        "missing_peers": dict(missing),
        "scenarios": {outcome.scenario.name: _scenario(outcome) for outcome in outcomes},
    }


def _scenario(outcome: Outcome) -> dict[str, Any]:
    scenario, kind = outcome.scenario, KINDS[outcome.scenario.kind]
    return {
        "about": scenario.about,
        "kind": scenario.kind,
        "tls": scenario.secure,
        "at_once": scenario.at_once,
        "operation": kind.operation,
        "operations_per_round": scenario.operations,
        "measures": {name: {"unit": how.unit, "about": how.about} for name, how in kind.measures.items()},
        "peers": {
            name: {
                measure: {**_figure(Figure.of(values)), "rounds": list(values)} for measure, values in measures.items()
            }
            for name, measures in outcome.figures.items()
        },
        "left_out": dict(outcome.left_out),
        "ratios": {
            measure: {
                f"{above} / {below}": _figure(ratio)
                for above, below in RATIOS
                if (ratio := outcome.ratio(measure, above, below)) is not None
            }
            for measure in kind.measures
        },
        "server_cpu": outcome.server,
    }


def _figure(figure: Figure) -> dict[str, float]:
    return {"median": figure.median, "min": figure.least, "max": figure.most}


def machine_line(results: Mapping[str, Any]) -> str:
    """Return where and when it was measured, in a line."""
    facts: Mapping[str, Any] = results["machine"]
    python = f"{facts['implementation']} {facts['python']}"
    return f"{facts['cores']} cores of {facts['cpu']}, {python}, {results['date'][:10]}"


def as_table(results: Mapping[str, Any]) -> str:
    """Return the results as Markdown tables, one for the peers and one for the library's own costs."""
    scenarios: Mapping[str, Any] = results["scenarios"]
    compared = {name: scenario for name, scenario in scenarios.items() if not KINDS[scenario["kind"]].ours_only}
    own = {name: scenario for name, scenario in scenarios.items() if name not in compared}
    versions = ", ".join(f"{name} {version}" for name, version in results["machine"]["versions"].items())
    return "\n".join(
        [
            f"Median (min–max) of up to {results['rounds']} rounds, {results['mode']}; {machine_line(results)}",
            versions,
            *_of_peers(compared),
            *_of_the_library(own),
            "",
            *(f"{name}: {scenario['about']}" for name, scenario in scenarios.items()),
            *_absent(scenarios),
        ]
    )


def _of_peers(scenarios: Mapping[str, Any]) -> Iterator[str]:
    peers = list(dict.fromkeys(name for scenario in scenarios.values() for name in scenario["peers"]))
    if not peers:
        return
    ratios = [f"{above} / {below}" for above, below in RATIOS if above in peers and below in peers]
    rows = [["scenario", "measure", "unit", *peers, *ratios]]
    for name, scenario in scenarios.items():
        for measure in _shown(scenario):
            costs = [_text(scenario["peers"].get(peer, {}).get(measure)) for peer in peers]
            factors = [_text(scenario["ratios"][measure].get(ratio)) for ratio in ratios]
            rows.append([name, measure, scenario["measures"][measure]["unit"], *costs, *factors])
    yield ""
    yield from _lines(rows, left=3)


def _of_the_library(scenarios: Mapping[str, Any]) -> Iterator[str]:
    rows = [["coze_async itself", "measure", "unit", "figure"]]
    for name, scenario in scenarios.items():
        for measure in _shown(scenario):
            unit = scenario["measures"][measure]["unit"]
            rows += [[name, measure, unit, _text(figures.get(measure))] for figures in scenario["peers"].values()]
    if len(rows) > 1:
        yield ""
        yield from _lines(rows, left=3)


def _absent(scenarios: Mapping[str, Any]) -> Iterator[str]:
    """Tell who did not take part, each reason once; that others have no costs of ours goes without saying."""
    absent: dict[tuple[str, str], list[str]] = {}
    for name, scenario in scenarios.items():
        for peer, reason in scenario["left_out"].items():
            if peer == "coze_async" or not KINDS[scenario["kind"]].ours_only:
                absent.setdefault((peer, reason), []).append(name)
    if absent:
        yield ""
    for (peer, reason), names in absent.items():
        yield f"{peer} has no part in {', '.join(names)}: {reason}."


def _shown(scenario: Mapping[str, Any]) -> list[str]:
    first = next(iter(scenario["measures"]))
    have = {measure for figures in scenario["peers"].values() for measure in figures}
    return [measure for measure in (first, *_ALSO_SHOWN.get(scenario["kind"], ())) if measure in have]


def _lines(rows: Sequence[Sequence[str]], left: int) -> Iterator[str]:
    """Lay a table out; so many columns hold words."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        if number == 1:
            marks = ["-" * width for width in widths[:left]] + ["-" * (width - 1) + ":" for width in widths[left:]]
            yield f"| {' | '.join(marks)} |"
        words = [text.ljust(width) for text, width in zip(row[:left], widths[:left], strict=True)]
        numbers = [text.rjust(width) for text, width in zip(row[left:], widths[left:], strict=True)]
        yield f"| {' | '.join([*words, *numbers])} |"


def _text(figure: Mapping[str, float] | None) -> str:
    if not figure:
        return "–"
    return f"{short(figure['median'])} ({short(figure['min'])}–{short(figure['max'])})"


def short(value: float) -> str:
    """Return a number with three digits that count."""
    if value and abs(value) < 1:
        return f"{value:.3f}" if abs(value) < 0.1 else f"{value:.2f}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
