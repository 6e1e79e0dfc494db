"""The page about a batch: its numbers are the data's, its texts are no markup, and it needs nothing but itself."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async.cli._answer import Answer, Failure
from coze_async.cli._batch_item import Origin
from coze_async.cli._charts import round_values
from coze_async.cli._report import Facts, page, write_page
from coze_async.cli._summary import Summary

BEGIN = 1_790_000_000.0
FACTS = Facts("questions.jsonl", "answers.jsonl", 10, bots=["7301"])
VOID = {"meta", "line", "rect", "circle", "polyline", "polygon"}


class Page(HTMLParser):
    """Reads a page: which elements it has, what they hold, and whether each is closed.

    Attributes:
        elements: The name, the attributes and the path of each element, with the text directly in it.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str], list[str]]] = []
        self._open: list[int] = []
        self.feed(html)
        self.close()
        assert not self._open, "an element is not closed"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), [self.elements[number][0] for number in self._open], []))
        if tag != "meta":
            self._open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), [self.elements[number][0] for number in self._open], []))

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self._open.pop()][0] == tag

    def handle_data(self, data: str) -> None:
        if self._open and data.strip():
            self.elements[self._open[-1]][3].append(data.strip())

    def texts(self, tag: str, within: str = "html") -> list[str]:
        return [" ".join(text) for name, _, path, text in self.elements if name == tag and within in path]

    @property
    def tiles(self) -> dict[str, tuple[str, str]]:
        """Name -> value and note."""
        names, values = self.texts("h2", "div"), self.texts("b", "div")
        notes = [" ".join(text) for name, _, path, text in self.elements if name == "p" and path[-1] == "div"]
        return dict(zip(names, zip(values, notes, strict=True), strict=True))

    @property
    def told(self) -> list[str]:
        """What is told to those who point at a plot."""
        return self.texts("title", "rect")


def answer(
    number: int = 1, *, at: float = 0.0, seconds: float = 1.0, failure: Failure | None = None, tokens: int = 0
) -> Answer:
    return Answer(
        origin=Origin(number, f"q-{number}", "d"),
        message="What?",
        at=BEGIN + at,
        seconds=seconds,
        attempts=1,
        failure=failure,
        tokens_in=tokens,
        tokens_out=2 * tokens,
    )


def summed(*answers: Answer) -> Summary:
    summary = Summary()
    for each in answers:
        summary.add(each)
    return summary


LIMITED = Failure("RateLimitError", "Too many.", 4013)
STARTED = Failure("ServerError", "It fell over.", 5000, started=True)
SOME = summed(
    answer(1, at=2.0, seconds=2.0, tokens=100),
    answer(2, at=4.0, seconds=4.0, tokens=200),
    answer(3, at=5.0, seconds=1.0, failure=LIMITED),
    answer(4, at=10.0, seconds=0.5, tokens=300),
    answer(5, at=61.0, seconds=30.0, failure=STARTED, tokens=5),
)


def test_the_numbers_are_those_of_the_data() -> None:
    found = Page(page(SOME, FACTS))
    assert found.texts("h1") == ["3 of 10 questions answered"]
    assert found.tiles == {
        "Answered": ("3", "30.0 % of 10"),
        "Failed": ("2", "1 may have cost, 5 not asked"),
        "Latency p50": ("2.0 s", "half are faster"),
        "Latency p95": ("4.0 s", "longest 4.0 s"),
        "Tokens": ("1.8 k", "605 in, 1.2 k out"),
        "Time": ("1 min 1 s", "4.9 a minute"),
    }
    header = " ".join([*found.texts("p", "header"), *found.texts("b", "header")])
    assert "bot 7301 · 2026-09-21 14:13 – 14:14 UTC" in header
    assert "questions.jsonl answers.jsonl" in header


def test_every_plot_tells_its_numbers() -> None:
    told = Page(page(SOME, FACTS)).told
    over_time = [text for text in told if text.startswith("after") and "tokens" not in text]
    assert over_time[:3] == [
        "after 0:00: 0 answers",
        "after 0:02: 1 answer, p50 2.0 s, p95 2.0 s",
        "after 0:04: 1 answer, p50 4.0 s, p95 4.0 s, 1 failed",
    ]
    assert over_time[-1] == "after 1:00: 0 answers, 1 failed"
    tokens = [text for text in told if "tokens" in text]
    assert tokens[1:3] == ["after 0:02: 100 tokens in, 200 out", "after 0:04: 200 tokens in, 400 out"]
    histogram = [text for text in told if " – " in text]
    assert {text for text in histogram if not text.endswith(" 0 answers")} == {
        "0.5 s – 0.6 s: 1 answer",
        "2 s – 2.1 s: 1 answer",
        "3.9 s – 4 s: 1 answer",
    }


def test_failures_are_counted_and_listed() -> None:
    found = Page(page(SOME, FACTS))
    assert [*zip(found.texts("th", "table")[:2], found.texts("td", "table")[1:4:2], strict=True)] == [
        ("RateLimitError 4013", "1"),
        ("ServerError 5000", "1"),
    ]
    cells = found.texts("td", "tbody")
    assert cells[:6] == ["q-3", "RateLimitError 4013", "Too many.", "1", "1.0 s", "14:13:25"]
    assert cells[6:12] == ["q-5", "ServerError 5000", "It fell over.", "1", "30 s", "14:14:21"]
    marks = [path for name, attributes, path, _ in found.elements if name == "i" and attributes.get("title")]
    assert len(marks) == 1
    assert "All of them, as they came." in found.texts("p", "section")[-1]


def test_many_failures_and_many_kinds_are_cut_short_and_counted() -> None:
    failures = [Failure(f"Error{number % 20:02}", "x") for number in range(700)]
    found = Page(page(summed(*[answer(n, at=n, failure=failure) for n, failure in enumerate(failures)]), FACTS))
    assert len(found.texts("tr", "tbody")) == 500
    assert "The first 500 of 700, as they came." in found.texts("p", "section")[-1]
    kinds = found.texts("th", "table")
    assert kinds[7] == "13 other kinds"
    assert sum(int(text) for text in found.texts("td", "table")[1:16:2]) == 700
    widths = [attributes["style"] for name, attributes, _, _ in found.elements if name == "span"]
    assert widths == ["width:100.0%"] * 8


def test_texts_are_texts_and_never_markup() -> None:
    nasty = '<script>alert("x")</script>&amp;\'"'
    summary = summed(
        Answer(
            origin=Origin(1, nasty, "d"),
            message=nasty,
            at=BEGIN,
            failure=Failure(nasty, nasty, started=True),
            attempts=1,
        )
    )
    html = page(summary, Facts(nasty, nasty, 1, bots=[nasty], ended_by=nasty))
    found = Page(html)
    assert "<script" not in html
    assert nasty in found.texts("td", "tbody")
    assert [attributes.get("title") for name, attributes, _, _ in found.elements if name == "td"][2] == nasty
    assert any(nasty in text for text in found.texts("p", "header"))
    assert found.texts("title", "head") == [f"{nasty}: 0 of 1 question answered"]


def test_the_page_needs_nothing_but_itself() -> None:
    summary = summed(answer(failure=Failure("TransportError", "no connection to https://api.coze.cn")))
    html = page(summary, FACTS)
    found = Page(html)
    loading = {"src", "href", "srcset", "data", "action", "poster", "xlink:href", "background"}
    assert not [name for name, attributes, _, _ in found.elements if loading & attributes.keys()]
    assert {name for name, *_ in found.elements} & {"script", "link", "img", "iframe", "object", "embed"} == set()
    (style,) = found.texts("style")
    assert "url(" not in style
    assert "@import" not in style
    # Only a text may name an address.
    assert re.findall(r"https?://[^\s<]*", html) == ["https://api.coze.cn"]
    policy = [attributes for name, attributes, _, _ in found.elements if name == "meta" and "http-equiv" in attributes]
    assert policy[0]["content"] == "default-src 'none'; style-src 'unsafe-inline'"


def test_light_and_dark_have_the_same_colours_by_name() -> None:
    (style,) = Page(page(SOME, FACTS)).texts("style")
    light, dark = (set(re.findall(r"(--\w+):", block)) for block in re.findall(r":root \{(.*?)\}", style, re.DOTALL))
    assert light == dark
    assert set(re.findall(r"var\((--\w+)\)", style)) <= light


def test_the_time_between_two_runs_is_left_out() -> None:
    first = [answer(n, at=10.0 * n, tokens=1) for n in range(30)]
    night = 290.0 + 30_000.0
    second = [answer(n, at=night + 10.0 * n, seconds=8.0, tokens=1) for n in range(30)]
    found = Page(page(summed(*second, *first), FACTS))
    assert found.tiles["Time"] == ("9 min 49 s", "6.1 a minute")
    assert [text for text in found.texts("text", "svg") if "stopped" in text] == ["stopped for 8 h 19 min"] * 2
    header = " ".join(found.texts("p", "header"))
    assert "2026-09-21 14:13 – 22:43 UTC" in header


def test_a_slow_bot_is_no_pause() -> None:
    slow = [answer(n, at=900.0 * n, seconds=400.0) for n in range(1, 5)]
    assert "stopped for" not in page(summed(*slow), FACTS)
    found = Page(page(summed(answer(1, at=0.0), answer(2, at=86_400.0)), FACTS))
    header = " ".join(found.texts("p", "header"))
    assert "2026-09-21 14:13 – 2026-09-22 14:13 UTC" in header


def test_a_few_that_took_very_long_share_a_bar() -> None:
    latencies = [*(0.1 * n for n in range(1, 200)), 5000.0, 6000.0]
    told = Page(page(summed(*[answer(n, at=n, seconds=s) for n, s in enumerate(latencies)]), FACTS)).told
    assert [text for text in told if "or longer" in text] == ["19.5 s or longer: 7 answers"]


@pytest.mark.parametrize(
    "summary", [Summary(), summed(answer()), summed(answer(seconds=0.0)), summed(answer(failure=LIMITED))]
)
def test_a_page_about_next_to_nothing_is_a_page_too(summary: Summary) -> None:
    found = Page(page(summary, Facts("q", "a", summary.count, bad=1)))
    assert len([name for name, *_ in found.elements if name == "figure"]) == 4
    assert "nan" not in page(summary, FACTS)
    assert found.tiles["Failed"][1].endswith("1 bad line")
    texts = " ".join(found.texts("p", "figure"))
    assert ("No answers." in texts) is not bool(summary.answered)
    assert ("Nothing failed." in texts) is not bool(summary.failed)
    assert "The server told of no tokens." in texts


def test_why_it_ended_early_is_said() -> None:
    assert "Ended early" not in page(SOME, FACTS)
    found = Page(page(SOME, Facts("q", "a", 9, bots=["1", "2"], ended_by="no credits")))
    assert "Ended early: no credits" in found.texts("p", "header")
    assert any("bots 1, 2" in text for text in found.texts("p", "header"))


ANSWERS = st.lists(
    st.builds(
        answer,
        number=st.integers(1, 99),
        at=st.floats(0, 1e6),
        seconds=st.floats(0, 5000),
        failure=st.sampled_from([None, None, LIMITED, STARTED]),
        tokens=st.integers(0, 10**9),
    ),
    min_size=1,
    max_size=60,
)


@settings(max_examples=60)
@given(ANSWERS)
def test_nothing_is_lost_on_its_way_into_the_plots(answers: list[Answer]) -> None:
    summary = summed(*answers)
    told = Page(page(summary, FACTS)).told

    def total(pattern: str, texts: list[str]) -> int:
        return sum(int(found.replace(",", "")) for text in texts for found in re.findall(pattern, text))

    over_time = [text for text in told if text.startswith("after")]
    assert total(r"([\d,]+) answers?", over_time) == summary.answered
    assert total(r"([\d,]+) failed", over_time) == sum(summary.failed.values())
    assert total(r"([\d,]+) answers?", [text for text in told if not text.startswith("after")]) == summary.answered
    assert total(r"([\d,]+) tokens in", over_time) == summary.tokens[0]
    assert total(r"([\d,]+) out$", over_time) == summary.tokens[1]


@given(st.floats(1e-6, 1e12), st.integers(1, 60), st.sampled_from([(), (1, 5, 60, 300)]))
def test_an_axis_is_marked_at_round_values_that_cover_it(end: float, most: int, steps: tuple[float, ...]) -> None:
    values = round_values(end, most, steps)
    assert values[0] == 0.0
    assert values[-1] >= end * (1 - 1e-6)
    assert 2 <= len(values) <= most + 1 or most == 1
    step = values[1]
    assert step in steps or f"{step:e}"[0] in "125"
    assert len(values) == 2 or values[-2] < end


def test_a_page_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    write_page(path, SOME, FACTS)
    before = path.read_text(encoding="utf-8")
    assert before == page(SOME, FACTS)

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        write_page(path, Summary(), FACTS)
    assert [*tmp_path.iterdir()] == [path]
    assert path.read_text(encoding="utf-8") == before
