"""Results as pictures and as pages: SVG files for README.md and docs/benchmarks, from the JSON of a run.

Each peer has one colour in all of them. The background is a light card, so that they can be read on dark pages too.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.report import as_table, machine_line, short

__all__ = ["BEGIN", "COLOURS", "END", "draw", "publish"]

COLOURS = {
    "coze_async": "#1f6feb",
    "cozepy": "#e8590c",
    "httpx by hand": "#9c6ade",
    "aiohttp by hand": "#2f9e44",
    "floor": "#868e96",
}
BEGIN, END = "<!-- figures: written by scripts/bench --plot -->", "<!-- end of figures -->"

_INK, _SOFT, _LINES, _CARD = "#1f2328", "#59636e", "#d8dee4", "#fbfcfd"
_STYLE = {
    "svg.hashsalt": "coze_async",  # the same ids every time: a picture changes only where a number does
    "font.family": ["DejaVu Sans"],
    "font.size": 10.5,
    "text.color": _INK,
    "axes.labelcolor": _SOFT,
    "axes.edgecolor": _LINES,
    "axes.titlecolor": _INK,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.facecolor": _CARD,
    "figure.facecolor": _CARD,
    "xtick.color": _SOFT,
    "ytick.color": _INK,
    "grid.color": _LINES,
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
}

Results = Mapping[str, Any]
# A scenario, what it is called in the picture, and the measure.
Row = tuple[str, str, str]


def _value(results: Results, scenario: str, peer: str, measure: str) -> Mapping[str, float] | None:
    found: Mapping[str, float] | None = (
        results["scenarios"].get(scenario, {}).get("peers", {}).get(peer, {}).get(measure)
    )
    return found


def _measured(results: Results, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row[0] in results["scenarios"]]


def _peers(results: Results, rows: Sequence[Row]) -> list[str]:
    return [peer for peer in COLOURS if any(_value(results, name, peer, measure) for name, _, measure in rows)]


def _bars(axes: Any, results: Results, rows: Sequence[Row], unit: str, *, log: bool) -> None:
    """Draw a group of bars for each row, the least first, with the whole range of rounds as a thin line."""
    peers = _peers(results, rows)
    height = 0.82 / len(peers)
    most = 0.0
    for number, (name, _, measure) in enumerate(rows):
        for place, peer in enumerate(peers):
            figure = _value(results, name, peer, measure)
            if figure is None:
                continue
            y = number + (place - (len(peers) - 1) / 2) * height
            median = figure["median"]
            most = max(most, median)
            axes.barh(y, median, height * 0.86, color=COLOURS[peer], label=peer if number == 0 else None)
            axes.plot([figure["min"], figure["max"]], [y, y], color=_INK, linewidth=0.8, alpha=0.55)
            axes.annotate(
                short(median), (max(median, figure["max"]), y), xytext=(5, 0), textcoords="offset points",
                va="center", fontsize=8.5, color=_INK if peer == "coze_async" else _SOFT,
                fontweight="bold" if peer == "coze_async" else "normal",
            )  # fmt: skip
    axes.set_yticks(range(len(rows)), [label for _, label, _ in rows])
    axes.set_ylim(len(rows) - 0.42, -0.58)
    axes.tick_params(axis="y", length=0)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(right=axes.get_xlim()[1] * 1.5)
        _plain_numbers(axes.xaxis)
    else:
        axes.set_xlim(0, most * 1.22)
    axes.grid(axis="x")
    axes.set_xlabel(unit)
    axes.spines["left"].set_visible(False)


def _plain_numbers(axis: Any) -> None:
    from matplotlib.ticker import FuncFormatter, NullFormatter

    axis.set_major_formatter(FuncFormatter(_plain))
    axis.set_minor_formatter(NullFormatter())


def _plain(value: float, _: int | None) -> str:
    return f"{value:g}"


def _legend(figure: Any, peers: Sequence[str]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=COLOURS[peer], label="floor: a bare socket" if peer == "floor" else peer) for peer in peers]
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0.012, 0.915), ncols=len(handles), frameon=False,
        fontsize=9.5, handlelength=1.0, handleheight=1.0, columnspacing=1.6, handletextpad=0.5,
    )  # fmt: skip


def _figure(results: Results, title: str, panels: int, height: float, widths: Sequence[float] | None = None) -> Any:
    from matplotlib.figure import Figure

    figure: Any = Figure(figsize=(9.6, height))
    axes = figure.subplots(1, panels, squeeze=False, width_ratios=widths)[0]
    figure.text(0.02, 1 - 0.32 / height, title, fontsize=14, fontweight="bold", va="center")
    facts = f"{machine_line(results)}; less is better; bars are medians, thin lines all rounds"
    figure.text(0.02, 0.16 / height, facts, fontsize=8, color=_SOFT, va="center")
    return figure, axes


def _finish(figure: Any, peers: Sequence[str]) -> Any:
    height = figure.get_figheight()
    _legend(figure, peers)
    figure.legends[0].set_bbox_to_anchor((0.012, 1 - 0.48 / height))
    figure.tight_layout(rect=(0.01, 0.28 / height, 0.99, 1 - 0.82 / height), w_pad=2.5)
    return figure


def _streams(results: Results) -> Any:
    shapes = (
        ("framed", "an event\nper HTTP chunk"),
        ("packed", "16 KiB chunks"),
        ("large", "64 KiB chunks"),
        ("paced", "an event\nper read"),
        ("split", "cut in the\nmiddle, paced"),
    )
    plain = _measured(results, [(name, label, "cpu") for name, label in shapes])
    secure = _measured(results, [(f"{name}-tls", label, "cpu") for name, label in shapes])
    if not plain and not secure:
        return None
    sides = [(rows, title) for rows, title in ((plain, "plain"), (secure, "TLS")) if rows]
    tallest = max(len(rows) for rows, _ in sides)
    figure, axes = _figure(results, "CPU of one streamed event", len(sides), 1.7 + 0.95 * tallest)
    for panel, (rows, title) in zip(axes, sides, strict=True):
        _bars(panel, results, rows, "µs per event, log", log=True)
        panel.set_title(title)
    return _finish(figure, _peers(results, plain or secure))


def _fan_out(results: Results) -> Any:
    sizes = (1, 10, 100, 500, 1000)
    kinds = (("streams", "streams of 50 events"), ("streams-tls", "the same over TLS"), ("polls", "polled chats"))
    sides: list[tuple[str, list[tuple[int, str]]]] = []
    for kind, title in kinds:
        base, _, tls = kind.partition("-")
        names = [(size, f"{base}-{size}{'-tls' if tls else ''}") for size in sizes]
        found = [(size, name) for size, name in names if name in results["scenarios"]]
        if len(found) > 1:
            sides.append((title, found))
    if not sides:
        return None
    figure, axes = _figure(results, "CPU of a chat, by how many run at once", len(sides), 4.9)
    drawn: list[str] = []
    for panel, (title, found) in zip(axes, sides, strict=True):
        for peer, colour in COLOURS.items():
            points = [(size, figures) for size, name in found if (figures := _value(results, name, peer, "cpu"))]
            if not points:
                continue
            drawn.append(peer)
            ours = peer == "coze_async"
            x, y = [size for size, _ in points], [figures["median"] for _, figures in points]
            panel.fill_between(
                x, [figures["min"] for _, figures in points], [figures["max"] for _, figures in points],
                color=colour, alpha=0.13, linewidth=0,
            )  # fmt: skip
            panel.plot(
                x, y, color=colour, marker="o", markersize=5.5 if ours else 4, linewidth=2.6 if ours else 1.6,
                linestyle="--" if peer == "floor" else "-", zorder=3 if ours else 2,
            )  # fmt: skip
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks([size for size, _ in found], [str(size) for size, _ in found])
        panel.minorticks_off()
        _plain_numbers(panel.yaxis)
        panel.grid()
        panel.set_title(title)
        panel.set_xlabel("at once, log")
    axes[0].set_ylabel("ms of CPU per chat, log")
    return _finish(figure, [peer for peer in COLOURS if peer in drawn])


def _calls(results: Results) -> Any:
    calls = _measured(
        results,
        [
            ("retrieve", "retrieve", "cpu"),
            ("retrieve-tls", "retrieve, TLS", "cpu"),
            ("create", "create", "cpu"),
            ("create-tls", "create, TLS", "cpu"),
        ],
    )
    if not calls:
        return None
    figure, axes = _figure(results, "CPU of a small JSON call, on a warm connection", 1, 1.6 + 0.8 * len(calls))
    _bars(axes[0], results, calls, "µs per call", log=False)
    return _finish(figure, _peers(results, calls))


def _latency(results: Results) -> Any:
    sides = [
        (name, title) for name, title in (("latency", "plain"), ("latency-tls", "TLS")) if name in results["scenarios"]
    ]
    if not sides:
        return None
    figure, axes = _figure(results, "How late a text is, with 100 paced streams", len(sides), 3.7)
    for panel, (name, title) in zip(axes, sides, strict=True):
        _bars(
            panel,
            results,
            [(name, "median", "median"), (name, "p99", "p99")],
            "ms from the server's write to the caller, log",
            log=True,
        )
        panel.set_title(title)
    return _finish(figure, _peers(results, [(sides[0][0], "", "median")]))


def _memory(results: Results) -> Any:
    idle = _measured(results, [("idle", "plain", "grown"), ("idle-tls", "TLS", "grown")])
    active = _measured(results, [("active-1000", "plain", "peak"), ("active-1000-tls", "TLS", "peak")])
    sides = [
        (rows, title, unit)
        for rows, title, unit in (
            (idle, "a stream that waits", "KiB per stream"),
            (active, "1000 streams at work", "MiB at most, the whole process"),
        )
        if rows
    ]
    if not sides:
        return None
    figure, axes = _figure(results, "Memory", len(sides), 4.1)
    for panel, (rows, title, unit) in zip(axes, sides, strict=True):
        _bars(panel, results, rows, unit, log=False)
        panel.set_title(title)
    return _finish(figure, _peers(results, sides[0][0]))


def _start(results: Results) -> Any:
    found = [
        (name, title) for name, title in (("start", "plain"), ("start-tls", "TLS")) if name in results["scenarios"]
    ]
    if not found:
        return None
    figure, axes = _figure(results, "CPU of a new process, up to the first text of a stream", len(found), 3.9)
    parts = (
        ("import", "import", 1.0),
        ("construct", "make a client", 0.8),
        ("enter", "enter it", 0.6),
        ("first", "first text", 0.4),
    )
    for panel, (name, title) in zip(axes, found, strict=True):
        peers = [peer for peer in COLOURS if _value(results, name, peer, "total")]
        for place, peer in enumerate(peers):
            left = 0.0
            for measure, _, alpha in parts:
                median = (_value(results, name, peer, measure) or {"median": 0.0})["median"]
                panel.barh(place, median, 0.68, left=left, color=COLOURS[peer], alpha=alpha, linewidth=0)
                left += median
            bold = "bold" if peer == "coze_async" else "normal"
            panel.annotate(short(left), (left, place), xytext=(5, 0), textcoords="offset points", va="center",
                           fontsize=8.5, fontweight=bold)  # fmt: skip
        panel.set_yticks(range(len(peers)), peers)
        panel.set_ylim(len(peers) - 0.4, -0.6)
        panel.set_xlim(0, panel.get_xlim()[1] * 1.12)
        panel.tick_params(axis="y", length=0)
        panel.grid(axis="x")
        panel.spines["left"].set_visible(False)
        panel.set_title(title)
        panel.set_xlabel("ms: " + ", then paler ".join(label for _, label, _ in parts))
    return _finish(figure, [peer for peer in COLOURS if _value(results, found[0][0], peer, "total")])


_PICTURES: Mapping[str, tuple[Callable[[Results], Any], str]] = {
    "streams": (_streams, "CPU per streamed event"),
    "fan-out": (_fan_out, "CPU per chat, for 1 to 1000 chats at once"),
    "calls": (_calls, "CPU per call"),
    "latency": (_latency, "Latency of an event at 100 paced streams"),
    "memory": (_memory, "Memory of streams"),
    "start": (_start, "CPU of starting"),
}


def draw(results: Results, folder: Path) -> dict[str, Path]:
    """Draw what was measured as SVG files; return them by name. Without matplotlib: ImportError."""
    mpl: Any = import_module("matplotlib")

    folder.mkdir(parents=True, exist_ok=True)
    drawn: dict[str, Path] = {}
    with mpl.rc_context(_STYLE):
        for name, (make, _) in _PICTURES.items():
            figure = make(results)
            if figure is None:
                continue
            drawn[name] = folder / f"{name}.svg"
            figure.savefig(drawn[name], format="svg", metadata={"Date": None, "Creator": None})
    return drawn


def publish(results: Results, root: Path) -> list[Path]:
    """Draw into docs/benchmarks, write the tables and the JSON there, and show the pictures in README.md.

    Args:
        results: The JSON of a run.
        root: Where README.md and docs/ are.
    """
    folder = root / "docs" / "benchmarks"
    data, page, front = folder / "results.json", folder / "README.md", root / "README.md"
    text = front.read_text(encoding="utf-8")
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md has no place for figures: put {BEGIN!r} and {END!r} around it")
    drawn = draw(results, folder)
    data.write_text(json.dumps(results, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    page.write_text(_page(results, drawn), encoding="utf-8")
    front.write_text(f"{before}{BEGIN}\n{_front(results, drawn)}\n{END}{after}", encoding="utf-8")
    return [*drawn.values(), data, page, front]


def _images(drawn: Mapping[str, Path], folder: str) -> list[str]:
    return [f"![{_PICTURES[name][1]}]({folder}{path.name})" for name, path in drawn.items()]


def _front(results: Results, drawn: Mapping[str, Path]) -> str:
    shown = {name: path for name, path in drawn.items() if name in ("streams", "fan-out", "latency")}
    more = "[all figures](docs/benchmarks/README.md), with calls, memory and starting"
    return "\n\n".join([f"Measured on {machine_line(results)}; {more}.", *_images(shown, "docs/benchmarks/")])


def _page(results: Results, drawn: Mapping[str, Path]) -> str:
    intro, _, tables = as_table(results).partition("\n\n")
    about = (
        "How they come about, and what each name means, stands in [benchmarks](../../benchmarks/README.md); "
        "the rounds themselves are in [results.json](results.json)."
    )
    parts = ["# Figures", about, intro.replace("\n", "  \n"), *_images(drawn, ""), _as_list(tables)]
    return "\n\n".join(parts).rstrip() + "\n"


def _as_list(tables: str) -> str:
    """Turn what follows the tables into a list: Markdown would run its lines together."""
    lines = [line if not line or line.startswith("|") else f"- {line}" for line in tables.splitlines()]
    return "\n".join(lines)
