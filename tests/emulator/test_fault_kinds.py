"""Every kind of fault as a caller of our client meets it: in the process, and over a port."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from coze_async import AsyncCoze, CozeError, Retry, StreamInterruptedError, Timeouts
from coze_async.emulator import FAULT_KINDS, Emulator, FaultKind, parse_fault

Ask = Callable[[AsyncCoze], Awaitable[object]]

# What is asked -> what becomes of it: (a streamed chat, one object).
FINE = "fine"
MET = {
    "429": ("RateLimitError 4013", "RateLimitError 4013"),
    "429-retry-after": ("RateLimitError 4013", "RateLimitError 4013"),
    "503": ("ServerError 5000", "ServerError 5000"),
    "500-text": ("ServerError 500", "ServerError 500"),
    "502-html": ("ServerError 502", "ServerError 502"),
    "504-html": ("ServerError 504", "ServerError 504"),
    "code": ("RateLimitError 4009", "RateLimitError 4009"),
    "code-as-stream": ("ServerError 5000", "ServerError 5000"),
    "wrong-type": (FINE, FINE),
    "error-event": ("ServerError 5000", "ServerError 5000"),
    "cut": ("StreamInterruptedError", FINE),
    "cut-bytes": ("StreamInterruptedError", "DecodeError"),
    "break": ("StreamInterruptedError", "TransportError"),
    "reset": ("StreamInterruptedError", "TransportError"),
    "no-answer": ("TransportError", "TransportError"),
    "unreachable": ("TransportError", "TransportError"),
    "stall": ("RequestTimeoutError", FINE),
    "hang": ("RequestTimeoutError", "RequestTimeoutError"),
    "slow": (FINE, FINE),
    "duplicate": (FINE, FINE),
    "reorder": (FINE, FINE),
    "truncated-json": ("StreamProtocolError", "DecodeError"),
}
# These wait for seconds, which only a virtual clock has to spare.
LONG = {"stall", "hang", "slow"}
SETTINGS: Any = {"retry": Retry.none(), "timeouts": Timeouts(first_event=20, idle=20)}


async def chat(coze: AsyncCoze) -> str:
    return (await coze.chat.ask("Hi", bot_id="b", user_id="u")).text


async def bot(coze: AsyncCoze) -> str:
    return (await coze.bots.retrieve_online(bot_id="b")).bot_id


async def outcome(ask: Ask, coze: AsyncCoze) -> str:
    try:
        answered = await ask(coze)
    except CozeError as error:
        number = getattr(error, "code", None) or getattr(error, "status", None)
        shown = number if type(error).__name__.endswith(("LimitError", "ServerError")) else ""
        return f"{type(error).__name__} {shown}".strip()
    assert answered in {"one two three four", "b"}
    return FINE


def emulated(**options: Any) -> Emulator:
    emulator = Emulator(**options)
    emulator.bot("b", "one two three four")
    return emulator


def test_every_kind_is_tried_and_says_what_it_is() -> None:
    assert MET.keys() == FAULT_KINDS.keys()
    assert all(kind.about for kind in FAULT_KINDS.values())


@pytest.mark.parametrize("kind", MET)
async def test_a_caller_meets_a_kind_of_fault_in_the_process(kind: str) -> None:
    emulator = emulated()
    emulator.switch(kind)
    async with AsyncCoze("any", transport=emulator.transport(), **SETTINGS) as coze:
        assert (await outcome(chat, coze), await outcome(bot, coze)) == MET[kind]
        emulator.heal()
        assert (await outcome(chat, coze), await outcome(bot, coze)) == (FINE, FINE)
    assert emulator.open_streams == 0


def test_a_caller_meets_the_same_over_a_port() -> None:
    pytest.importorskip("uvicorn")
    pytest.importorskip("starlette")
    emulator = emulated()

    async def ask(url: str) -> dict[str, tuple[str, str]]:
        met: dict[str, tuple[str, str]] = {}
        async with AsyncCoze("any", base_url=url, **SETTINGS) as coze:
            for kind in MET.keys() - LONG:
                emulator.switch(kind)
                met[kind] = await outcome(chat, coze), await outcome(bot, coze)
                emulator.heal()
        return met

    with start_blocking_portal() as portal:
        serving, url = portal.start_task(emulator.serve)
        met = anyio.run(ask, url)
        serving.cancel()
    assert met == {kind: MET[kind] for kind in MET.keys() - LONG}


@pytest.mark.parametrize(("kind", "seen"), [("break", "incomplete chunked read"), ("reset", "reset by peer")])
def test_a_reset_is_not_a_close_and_both_come_after_what_was_sent(kind: str, seen: str) -> None:
    pytest.importorskip("uvicorn")
    pytest.importorskip("starlette")
    emulator = emulated(pace=0.01)
    emulator.switch(kind)

    async def ask(url: str) -> StreamInterruptedError:
        async with AsyncCoze("any", base_url=url, **SETTINGS) as coze:
            with pytest.raises(StreamInterruptedError) as caught:
                await chat(coze)
        return caught.value

    with start_blocking_portal() as portal:
        serving, url = portal.start_task(emulator.serve)
        error = anyio.run(ask, url)
        serving.cancel()
    assert seen in str(error)
    assert error.partial is not None
    assert error.partial.text == "one"


async def shares(emulator: Emulator, calls: int) -> str:
    async with AsyncCoze("any", transport=emulator.transport(), **SETTINGS) as coze:
        return "".join(["." if await outcome(bot, coze) == FINE else "x" for _ in range(calls)])


async def test_a_share_of_the_requests_meets_a_fault_and_a_seed_says_which() -> None:
    seen: list[str] = []
    for seed in (7, 7, 8):
        emulator = emulated(seed=seed)
        emulator.switch("503", 0.3)
        seen.append(await shares(emulator, 200))
    assert seen[0] == seen[1] != seen[2]
    # Three standard deviations of 60 are 19.
    assert all(40 <= met.count("x") <= 80 for met in seen)


async def test_a_further_fault_does_not_change_what_the_others_meet() -> None:
    alone, beside = emulated(seed=3), emulated(seed=3)
    for emulator in (alone, beside):
        emulator.switch("503", 0.3, "*/get_online_info")
    beside.switch("429", 0.5, "/v3/chat")
    beside.fail(FAULT_KINDS["cut"].fault, "/v3/chat", times=None, probability=0.5)
    assert await shares(alone, 50) == await shares(beside, 50)


async def test_each_fault_throws_dice_of_its_own() -> None:
    one, other, planned = (emulated(seed=3) for _ in range(3))
    one.switch("503", 0.5)
    other.switch("500-text", 0.5)
    planned.fail(FAULT_KINDS["503"].fault, times=None, probability=0.5)
    assert len({await shares(emulator, 40) for emulator in (one, other, planned)}) == 3


async def test_setting_a_switch_again_goes_on_with_its_dice() -> None:
    still, turned = emulated(seed=5), emulated(seed=5)
    for emulator in (still, turned):
        emulator.switch("503", 0.5)
    first = await shares(still, 20)
    assert await shares(turned, 20) == first
    turned.switch("503", 0.5)
    assert await shares(turned, 20) == await shares(still, 20)


async def test_a_planned_fault_with_a_probability_counts_the_requests_that_met_it() -> None:
    emulator = emulated(seed=1)
    emulator.fail(FAULT_KINDS["503"].fault, times=2, probability=0.25)
    met = await shares(emulator, 60)
    assert met.count("x") == 2
    assert met.index("x") > 0


async def test_planned_faults_come_before_the_switches() -> None:
    emulator = emulated()
    emulator.switch("429", on="GET *")
    emulator.fail(FAULT_KINDS["503"].fault)
    async with AsyncCoze("any", transport=emulator.transport(), **SETTINGS) as coze:
        seen = [await outcome(bot, coze), await outcome(bot, coze), await outcome(chat, coze)]
        emulator.switch("429", 0)
        emulator.switch("429", 0)
        assert [*seen, await outcome(bot, coze)] == ["ServerError 5000", "RateLimitError 4013", FINE, FINE]


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        ("cut", ("cut", 1.0, None)),
        ("cut:0.05", ("cut", 0.05, None)),
        ("429:5%@POST /v3/chat", ("429", 0.05, "POST /v3/chat")),
        (" stall : 1 @ /v1/* ", ("stall", 1.0, "/v1/*")),
    ],
)
def test_a_fault_can_be_written_in_one_word(text: str, parsed: tuple[str, float, str | None]) -> None:
    assert parse_fault(text) == parsed


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ctu:0.1", "There is no kind of fault 'ctu'. Did you mean 'cut'? There are: 429, "),
        ("???", "There is no kind of fault '???'. There are: 429, "),
        ("cut:often", "In 'cut:often', 'often' is no probability: write 0.05 or 5%."),
        ("cut:1.5", "'1.5' is no probability"),
        ("cut:-5%", "'-5%' is no probability"),
        ("cut:nan", "'nan' is no probability"),
    ],
)
def test_what_is_no_fault_is_told(text: str, complaint: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse_fault(text)
    assert complaint in str(caught.value)


def test_what_is_no_probability_is_refused() -> None:
    emulator = Emulator()
    for probability in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="A probability lies between 0 and 1"):
            emulator.fail(FAULT_KINDS["cut"].fault, probability=probability)
    with pytest.raises(ValueError, match="Did you mean 'reset'"):
        emulator.switch("resett")


def test_kinds_are_values() -> None:
    cut = FAULT_KINDS["cut"]
    assert cut == FaultKind(cut.fault, "the body ends after 3 events, properly", "answer")
    assert {kind.family for kind in FAULT_KINDS.values()} == {"refusal", "connection", "answer"}
    with pytest.raises(TypeError):
        FAULT_KINDS["x"] = FAULT_KINDS["cut"]  # type: ignore[index]  # pyright: ignore[reportIndexIssue]
