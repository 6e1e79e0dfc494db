"""What people are told of a batch: numbers, words, a bar or lines."""

# pyright: reportPrivateUsage=false

import sys

import pytest
from cli.command import Terminal
from hypothesis import given
from hypothesis import strategies as st

from coze_async.cli import _progress
from coze_async.cli._answer import Answer, Failure
from coze_async.cli._batch_item import Origin
from coze_async.cli._output import Output
from coze_async.cli._progress import shown
from coze_async.cli._summary import Summary, quantile
from coze_async.cli._words import counted, often, short, spent

Captured = pytest.CaptureFixture[str]


def answer(seconds: float = 1.0, failure: Failure | None = None) -> Answer:
    return Answer(origin=Origin(1, None, "d"), seconds=seconds, failure=failure, tokens_in=10, tokens_out=1000)


# --- numbers ----------------------------------------------------------------------------------------------------------


def test_answers_and_failures_are_counted_apart() -> None:
    summary = Summary()
    limited, broken = Failure("RateLimitError", "x", 4013), Failure("TransportError", "y", started=True)
    for each in (answer(3.0), answer(9.0, limited), answer(1.0), answer(9.0, broken), answer(9.0, limited)):
        summary.add(each)
    assert (summary.answered, summary.count, summary.may_have_cost) == (2, 5, 1)
    assert summary.failed == {"RateLimitError 4013": 2, "TransportError": 1}
    assert summary.latencies == [1.0, 3.0]
    assert summary.tokens == (50, 5000)
    assert [shown_one.failure for shown_one in summary.shown] == [limited, broken, limited]


def test_all_failures_are_counted_and_some_are_kept() -> None:
    summary = Summary()
    for _ in range(1200):
        summary.add(answer(failure=Failure("ServerError", "x")))
    assert (summary.failed["ServerError"], len(summary.shown)) == (1200, 500)


@given(st.lists(st.floats(0, 1e6), min_size=1), st.sampled_from([0.05, 0.5, 0.95, 0.99, 1.0]))
def test_a_quantile_is_the_smallest_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    values.sort()
    found = quantile(values, share)
    needed = share * len(values) - 1e-9
    assert sum(value <= found for value in values) >= needed
    assert sum(value < found for value in values) < needed


def test_nothing_has_no_quantile() -> None:
    assert quantile([], 0.5) == 0.0


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0 ms"), (0.0364, "36 ms"), (0.9994, "999 ms"), (0.9996, "1.0 s"), (1.0, "1.0 s"), (9.94, "9.9 s"),
        (9.96, "10 s"), (59.4, "59 s"), (59.6, "1 min 0 s"), (725, "12 min 5 s"), (3599.6, "1 h 0 min"),
        (7325, "2 h 2 min"), (172800, "2 days 0 h"), (200000, "2 days 7 h"),
    ],
)  # fmt: skip
def test_a_time_is_said_as_people_say_it(seconds: float, words: str) -> None:
    assert spent(seconds) == words


def test_how_often_something_happens_is_said_as_people_say_it() -> None:
    assert [often(rate) for rate in (27.84, 1.0, 0.96, 0.9, 0.05)] == [
        "27.8 a second", "1.0 a second", "1.0 a second", "54.0 a minute", "3.0 a minute",
    ]  # fmt: skip


def test_numbers_are_said_as_people_say_them() -> None:
    assert [short(number) for number in (0, 999, 1000, 1250, 99_949, 123_456, 1_234_567, 5 * 10**9)] == [
        "0", "999", "1.0 k", "1.2 k", "99.9 k", "123 k", "1.2 M", "5.0 G",
    ]  # fmt: skip
    assert (counted(1, "line"), counted(0, "line"), counted(1234, "line")) == ("1 line", "0 lines", "1,234 lines")


# --- how far it has come ----------------------------------------------------------------------------------------------


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(_progress.Watch.__init__, "__defaults__", (clock,))
    return clock


def test_a_log_gets_a_line_now_and_then(clock: Clock, capsys: Captured) -> None:
    summary = Summary()
    for _ in range(10):
        summary.add(answer())
    with shown(Output(), summary, 1000) as watch:
        for second in range(26):
            clock.now = 100.0 + second
            summary.add(answer())
            summary.add(answer(failure=Failure("ServerError", "x")))
            watch.look()
        clock.now += 10.0
        watch.close()
        clock.now += 100.0
    assert (watch.done, watch.elapsed) == (52, 35.0)
    assert watch.rate == pytest.approx(52 / 35)
    out, err = capsys.readouterr()
    assert out == ""
    # Those of an earlier run are done, and say nothing of the rate.
    assert err.splitlines() == [
        "32 of 1,000: 2.2/s, 11 failed, 32.3 k tokens, about 7 min 20 s left",
        "52 of 1,000: 2.1/s, 21 failed, 52.5 k tokens, about 7 min 31 s left",
    ]


def test_before_anything_came_there_is_no_rate(clock: Clock, capsys: Captured) -> None:
    with shown(Output(), Summary(), 5) as watch:
        assert watch.rate == 0.0
        clock.now += 10.0
        watch.look()
    assert capsys.readouterr().err == "0 of 5: 0.0/s, 0 failed\n"


def test_somebody_who_watches_sees_a_bar(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", "xterm")
    summary = Summary()
    with shown(Output(), summary, 4) as watch:
        for second in range(3):
            clock.now = 100.0 + second
            summary.add(answer())
            watch.look()
        clock.now += 0.05
        summary.add(answer(failure=Failure("ServerError", "x")))
        # Too soon to be seen.
        watch.look()
        clock.now += 0.95
        watch.close()
    assert "━" in err.shown
    assert "4/4" in err.shown
    assert "1.3/s, 1 failed, 4.0 k tokens" in err.shown


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_terminal_that_cannot_move_gets_lines(term: str, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setenv("TERM", term or "unknown")
    with shown(Output(), Summary(), 4) as watch:
        clock.now += 10.0
        watch.look()
    assert "0 of 4: 0.0/s, 0 failed" in err.shown
    assert "\x1b[?25l" not in err.shown
