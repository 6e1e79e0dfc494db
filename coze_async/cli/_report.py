"""A page about a batch: numbers, plots and failures, in one file that needs nothing else."""

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import escape
from pathlib import Path

from coze_async.cli._answer import Answer
from coze_async.cli._charts import Plot, round_values
from coze_async.cli._summary import Summary, quantile
from coze_async.cli._words import counted, often, short, spent

__all__ = ["Facts", "page", "write_page"]

# Steps of a clock, in seconds.
_CLOCK = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_BINS = 60
_BARS = 40
_KINDS = 7
# Nothing came for so long, in seconds and in times the longest answer: the batch had been stopped.
_PAUSE, _PAUSE_FACTOR = 300.0, 3.0


@dataclass(frozen=True)
class Facts:
    """What a page says beside the numbers.

    Attributes:
        questions: The file of questions.
        answers: The file of answers.
        total: How many questions there are.
        bad: How many lines hold none.
        bots: Who was asked.
        ended_by: Why not all were asked, None if they were.
    """

    questions: str
    answers: str
    total: int
    bad: int = 0
    bots: Sequence[str] = ()
    ended_by: str | None = None


def write_page(path: Path, summary: Summary, facts: Facts) -> None:
    """Write the page; whoever reads meanwhile sees the old one or the new one.

    Raises:
        OSError: it cannot be written.
    """
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_text(page(summary, facts), encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def page(summary: Summary, facts: Facts) -> str:
    """Return the page."""
    timeline = _Timeline(summary)
    title = f"{summary.answered:,} of {counted(facts.total, 'question')} answered"
    plots = [
        _card("Latency over time", _P50_AND_P95, _latency(timeline)),
        _card("Latency of the answers", "", _histogram(summary.latencies)),
        _card("Tokens over time", _IN_AND_OUT, _tokens(timeline)),
        _card("Failures by kind", "", _kinds(summary)),
    ]
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{escape(facts.answers)}: {title}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<header>
<h1>{title}</h1>
<p>{_subtitle(timeline, facts)}</p>
{f'<p class="alarm">Ended early: {escape(facts.ended_by)}</p>' if facts.ended_by else ""}
</header>
<section class="tiles">{"".join(_tiles(summary, timeline, facts))}</section>
<section class="plots">{"".join(plots)}</section>
{_failures(summary)}
</main>
</body>
</html>
"""


# --- numbers ----------------------------------------------------------------------------------------------------------


class _Timeline:
    """When what was over, in seconds of work: the time between two runs is left out.

    Attributes:
        begin: When the first question was asked, in Unix seconds.
        end: When the last one was over.
        span: Seconds of work.
        pauses: Where time was left out, and how much of it.
        width: Seconds of one bin.
        bins: Of each, which questions were over in it, by their number in the summary.
    """

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        order = sorted(range(summary.count), key=summary.ends.__getitem__)
        longest = max(summary.seconds, default=0.0)
        first = order[0] if order else None
        self.begin: float = summary.ends[first] - summary.seconds[first] if first is not None else 0.0
        self.end: float = summary.ends[order[-1]] if order else 0.0
        self.pauses: list[tuple[float, float]] = []
        at: list[float] = []
        left_out, before = 0.0, self.begin
        for number in order:
            gap = summary.ends[number] - before
            if gap > max(_PAUSE, _PAUSE_FACTOR * longest):
                # What the first one after it took belongs to the work.
                pause = gap - min(summary.seconds[number], gap)
                self.pauses.append((before - self.begin - left_out, pause))
                left_out += pause
            before = summary.ends[number]
            at.append(before - self.begin - left_out)
        self.span: float = max(at[-1] if at else 0.0, 1e-3)
        self.width: float = round_values(self.span, _BINS, _CLOCK)[1]
        count = int(self.span / self.width) + 1
        self.bins: list[list[int]] = [[] for _ in range(count)]
        for number, moment in zip(order, at, strict=True):
            self.bins[int(moment / self.width)].append(number)

    def latencies(self, bin_: list[int]) -> list[float]:
        """Return how long the answers of a bin took, the shortest first."""
        summary = self.summary
        return sorted(summary.seconds[number] for number in bin_ if summary.is_answered[number])

    def failed(self, bin_: list[int]) -> int:
        """Return how many of a bin have failed."""
        return sum(not self.summary.is_answered[number] for number in bin_)


def _subtitle(timeline: _Timeline, facts: Facts) -> str:
    parts = [f"<b>{escape(facts.questions)}</b> → <b>{escape(facts.answers)}</b>"]
    if facts.bots:
        parts.append(f"{'bot' if len(facts.bots) == 1 else 'bots'} {escape(', '.join(facts.bots))}")
    if timeline.end:
        begin, end = (datetime.fromtimestamp(moment, UTC) for moment in (timeline.begin, timeline.end))
        until = f"{end:%H:%M}" if begin.date() == end.date() else f"{end:%Y-%m-%d %H:%M}"
        parts.append(f"{begin:%Y-%m-%d %H:%M} – {until} UTC")
    return " · ".join(parts)


def _tiles(summary: Summary, timeline: _Timeline, facts: Facts) -> Iterable[str]:
    latencies, failed = summary.latencies, sum(summary.failed.values())
    given, written = summary.tokens
    share = f"{100 * summary.answered / facts.total:.1f} % of {facts.total:,}" if facts.total else "no questions"
    yield _tile("Answered", f"{summary.answered:,}", share)
    notes = [f"{summary.may_have_cost:,} may have cost"] if summary.may_have_cost else []
    if left := facts.total - summary.count:
        notes.append(f"{left:,} not asked")
    if facts.bad:
        notes.append(counted(facts.bad, "bad line"))
    yield _tile("Failed", f"{failed:,}", ", ".join(notes) or "of those asked", "bad" if failed else "")
    longest = f"longest {spent(latencies[-1])}" if latencies else ""
    yield _tile("Latency p50", spent(quantile(latencies, 0.5)) if latencies else "–", "half are faster")
    yield _tile("Latency p95", spent(quantile(latencies, 0.95)) if latencies else "–", longest)
    yield _tile("Tokens", short(given + written), f"{short(given)} in, {short(written)} out")
    rate = often(summary.count / timeline.span) if timeline.span > 1 else ""
    yield _tile("Time", spent(timeline.span) if summary.count else "–", rate)


def _tile(name: str, value: str, note: str, kind: str = "") -> str:
    return f'<div class="tile {kind}"><h2>{name}</h2><b>{escape(value)}</b><p>{escape(note)}</p></div>'


# --- plots ------------------------------------------------------------------------------------------------------------

_P50_AND_P95 = '<i class="p50"></i>p50 <i class="p95"></i>p95 <i class="failed"></i>failures'
_IN_AND_OUT = '<i class="in"></i>in <i class="out"></i>out'


def _card(name: str, legend: str, content: str) -> str:
    return f'<figure class="card"><figcaption><h2>{name}</h2><p>{legend}</p></figcaption>{content}</figure>'


def _seconds(value: float) -> str:
    """Return a time at an axis."""
    for unit, size in (("h", 3600), ("min", 60)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g} s" if value else "0"


def _clock(seconds: float) -> str:
    """Return a time since the beginning, as a clock shows it."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def _number(value: float) -> str:
    """Return a number at an axis."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if value >= size:
            return f"{value / size:.3g} {unit}"
    return f"{value:.3g}"


def _over_time(label: str, timeline: _Timeline, high: float) -> Plot:
    """Return a plot whose axis to the right is time."""
    plot = Plot(label, wide=timeline.width * len(timeline.bins), high=high)
    end = timeline.width * len(timeline.bins)
    plot.columns([tick for tick in round_values(end, 8, _CLOCK) if tick <= end], _clock)
    for at, pause in timeline.pauses:
        plot.mark(at, "pause", f"stopped for {spent(pause)}")
    return plot


def _latency(timeline: _Timeline) -> str:
    found = [(number, timeline.latencies(bin_)) for number, bin_ in enumerate(timeline.bins)]
    middle = [((number + 0.5) * timeline.width, quantile(values, 0.5)) for number, values in found if values]
    upper = [((number + 0.5) * timeline.width, quantile(values, 0.95)) for number, values in found if values]
    ticks = round_values(max((height for _, height in upper), default=1.0), 5)
    plot = _over_time("Latency over time: the 50th and the 95th percentile", timeline, ticks[-1])
    plot.rows(ticks, _seconds)
    plot.area(upper, middle, "band")
    plot.line(upper, "p95")
    plot.line(middle, "p50")
    if len(middle) == 1:
        plot.dot(*middle[0], "p50")
        plot.dot(*upper[0], "p95")
    failures = [timeline.failed(bin_) for bin_ in timeline.bins]
    for (number, values), failed in zip(found, failures, strict=True):
        left, right = number * timeline.width, (number + 1) * timeline.width
        if failed:
            plot.dot((left + right) / 2, 0.0, "failed", failed / max(failures))
        words = f"after {_clock(left)}: {counted(len(values), 'answer')}"
        if values:
            words += f", p50 {spent(quantile(values, 0.5))}, p95 {spent(quantile(values, 0.95))}"
        plot.tell(left, right, words + (f", {failed:,} failed" if failed else ""))
    return plot.svg()


def _histogram(latencies: list[float]) -> str:
    if not latencies:
        return '<p class="none">No answers.</p>'
    # A few that took very long would press all others against the axis: they share the last bar.
    edges = round_values(max(quantile(latencies, 0.99), 1e-3), _BARS)
    places = [bisect_left(latencies, edge) for edge in edges[:-1]]
    counts = [end - begin for begin, end in zip(places, [*places[1:], len(latencies)], strict=True)]
    ticks = round_values(max(counts), 5)
    plot = Plot("How many answers took how long", wide=edges[-1], high=ticks[-1])
    plot.rows([tick for tick in ticks if tick == int(tick)], _number)
    plot.columns([tick for tick in round_values(edges[-1], 8) if tick <= edges[-1]], _seconds)
    for number, count in enumerate(counts):
        left, right = edges[number], edges[number + 1]
        is_last = number == len(counts) - 1 and latencies[-1] > right
        plot.bar(left, right, 0, count, "longer" if is_last else "latency")
        words = f"{_seconds(left)} or longer" if is_last else f"{_seconds(left)} – {_seconds(right)}"
        plot.tell(left, right, f"{words}: {counted(count, 'answer')}")
    for row, (share, name) in enumerate(((0.5, "p50"), (0.95, "p95"))):
        # Not in the same row: they may be close to each other.
        plot.mark(min(quantile(latencies, share), edges[-1]), "quantile", name, row)
    return plot.svg()


def _tokens(timeline: _Timeline) -> str:
    summary = timeline.summary
    if not sum(summary.tokens):
        return '<p class="none">The server told of no tokens.</p>'
    sums = [
        (sum(summary.tokens_in[number] for number in bin_), sum(summary.tokens_out[number] for number in bin_))
        for bin_ in timeline.bins
    ]
    ticks = round_values(max(map(sum, sums)), 5)
    plot = _over_time("Tokens over time, in and out", timeline, ticks[-1])
    plot.rows(ticks, _number)
    for number, (given, written) in enumerate(sums):
        left, right = number * timeline.width, (number + 1) * timeline.width
        plot.bar(left, right, 0, given, "in")
        plot.bar(left, right, given, given + written, "out")
        plot.tell(left, right, f"after {_clock(left)}: {given:,} tokens in, {written:,} out")
    return plot.svg()


def _kinds(summary: Summary) -> str:
    if not summary.failed:
        return '<p class="none">Nothing failed.</p>'
    kinds = summary.failed.most_common()
    most, (first, rest) = kinds[0][1], (kinds[:_KINDS], kinds[_KINDS:])
    if rest:
        first.append((counted(len(rest), "other kind"), sum(count for _, count in rest)))
    rows = [
        f'<tr><th>{escape(name)}</th><td class="bar"><span style="width:{min(100.0, 100 * count / most):.1f}%"></span>'
        f"</td><td>{count:,}</td></tr>"
        for name, count in first
    ]
    return f'<table class="kinds">{"".join(rows)}</table>'


# --- failures ---------------------------------------------------------------------------------------------------------


def _failures(summary: Summary) -> str:
    if not summary.shown:
        return ""
    failed = sum(summary.failed.values())
    shown = f"The first {len(summary.shown):,} of {failed:,}" if failed > len(summary.shown) else "All of them"
    heads = "".join(f"<th>{name}</th>" for name in ("Question", "Kind", "What happened", "Tries", "After", "At (UTC)"))
    return f"""<section class="card failures"><h2>Failures</h2>
<p>{shown}, as they came. Those marked <i class="cost">●</i> may have been started, and cost.</p>
<div><table><thead><tr>{heads}</tr></thead>
<tbody>{"".join(map(_row, summary.shown))}</tbody></table></div></section>"""


def _row(answer: Answer) -> str:
    failure, origin = answer.failure, answer.origin
    if failure is None:
        return ""
    name = f"line {origin.line}" if origin.id is None else origin.id
    mark = ' <i class="cost" title="may have been started, and cost">●</i>' if failure.started else ""
    at = datetime.fromtimestamp(answer.at, UTC)
    return (
        f'<tr><td title="{escape(answer.message[:200])}">{escape(name)}</td><td>{escape(failure.name)}{mark}</td>'
        f"<td>{escape(failure.text)}</td><td>{answer.attempts}</td><td>{spent(answer.seconds)}</td>"
        f'<td title="{at:%Y-%m-%d}">{at:%H:%M:%S}</td></tr>'
    )


_STYLE = """
:root {
  color-scheme: light dark;
  --page: #f5f6f8; --card: #ffffff; --ink: #1b1f27; --soft: #626b7a; --line: #e3e6eb; --axis: #b9c0cb;
  --blue: #2f6fde; --pale: #8fb4f3; --band: #2f6fde1f; --orange: #d9822b; --red: #cf3b3b; --alarm: #fdecec;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #12151b; --card: #1b2028; --ink: #e8ebf0; --soft: #98a2b3; --line: #2b323d; --axis: #4a5362;
    --blue: #6ea0f5; --pale: #3f68b5; --band: #6ea0f526; --orange: #e79a4d; --red: #ef6b6b; --alarm: #3a2024;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 15px/1.5 system-ui, "Noto Sans SC", sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 32px 20px 48px; }
h1 { margin: 0; font-size: 26px; font-weight: 650; letter-spacing: -.01em; }
h2 { margin: 0; font-size: 13px; font-weight: 600; color: var(--soft); }
header p { margin: 4px 0 0; color: var(--soft); overflow-wrap: anywhere; }
header b { font-weight: 600; color: var(--ink); }
header .alarm { margin-top: 12px; padding: 10px 14px; border-radius: 8px; background: var(--alarm); color: var(--red); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(160px, 1fr)); gap: 14px; margin: 24px 0 14px; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; }
.tile { padding: 14px 16px; }
.tile b { display: block; margin: 2px 0; font-size: 23px; font-weight: 650; letter-spacing: -.02em; }
.tile p { margin: 0; font-size: 13px; color: var(--soft); }
.tile.bad b { color: var(--red); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 440px), 1fr)); gap: 14px; }
.card { margin: 0; padding: 16px 18px; min-width: 0; }
figcaption { display: flex; justify-content: space-between; gap: 12px; margin-bottom: 10px; }
figcaption p { margin: 0; font-size: 13px; color: var(--soft); white-space: nowrap; }
figcaption i { display: inline-block; width: 14px; height: 3px; margin: 0 6px 0 12px; border-radius: 2px; }
figcaption i { vertical-align: 4px; }
figcaption .p50 { background: var(--blue); }
figcaption .p95 { background: var(--pale); }
figcaption .failed { width: 7px; height: 7px; border-radius: 50%; background: var(--red); vertical-align: 1px; }
figcaption .in, figcaption .out { width: 10px; height: 10px; vertical-align: -1px; }
figcaption .in { background: var(--blue); }
figcaption .out { background: var(--orange); }
svg { display: block; width: 100%; height: auto; font-size: 12px; }
svg text { fill: var(--soft); font-variant-numeric: tabular-nums; }
svg .end { text-anchor: end; }
svg .middle { text-anchor: middle; }
svg .grid { stroke: var(--line); }
svg .axis { stroke: var(--axis); }
svg .p50 { fill: none; stroke: var(--blue); stroke-width: 2; stroke-linejoin: round; }
svg .p95 { fill: none; stroke: var(--pale); stroke-width: 1.5; stroke-linejoin: round; }
svg circle.p50 { fill: var(--blue); }
svg circle.p95 { fill: var(--pale); }
svg .band { fill: var(--band); }
svg .latency, svg .in { fill: var(--blue); }
svg .longer { fill: var(--pale); }
svg .out { fill: var(--orange); }
svg circle.failed { fill: var(--red); }
svg line.quantile { stroke: var(--ink); stroke-width: 1; stroke-dasharray: 3 3; }
svg text.quantile { fill: var(--ink); stroke: none; }
svg line.pause { stroke: var(--axis); stroke-dasharray: 2 3; }
svg .told { fill: transparent; }
svg .told:hover { fill: var(--ink); fill-opacity: .06; }
.none { margin: 32px 0; text-align: center; color: var(--soft); }
table { width: 100%; border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; }
.kinds th { padding: 5px 14px 5px 0; text-align: left; font-weight: 500; white-space: nowrap; }
.kinds td { padding: 5px 0; text-align: right; white-space: nowrap; }
.kinds .bar { width: 70%; padding-right: 12px; }
.kinds span { display: block; height: 14px; border-radius: 3px; background: var(--red); }
.failures { margin-top: 14px; }
.failures > p { margin: 2px 0 10px; font-size: 13px; color: var(--soft); }
.failures > div { overflow-x: auto; }
.failures th { padding: 6px 14px 6px 0; text-align: left; font-weight: 600; color: var(--soft); white-space: nowrap; }
.failures td { padding: 7px 14px 7px 0; border-top: 1px solid var(--line); vertical-align: top; white-space: nowrap; }
.failures td:nth-child(1) { max-width: 180px; overflow: hidden; text-overflow: ellipsis; }
.failures td:nth-child(3) { min-width: 320px; white-space: normal; overflow-wrap: anywhere; }
.cost { font-style: normal; color: var(--red); }
@media (max-width: 620px) { svg { font-size: 15px; } }
@media print { body { background: #fff; } .card, .tile { break-inside: avoid; } }
"""
