"""What is sent again, how soon, how often: and what never is, because it costs money."""

import copy
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from answering import Answers, answer, chat, event_stream, refusal
from hypothesis import given
from hypothesis import strategies as st

from coze_async import (
    APIError,
    AsyncCoze,
    AuthenticationError,
    BadRequestError,
    Chat,
    ChatFailedError,
    ChatResult,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    DecodeError,
    Exchange,
    Limits,
    NotFoundError,
    PollTimeoutError,
    QuotaError,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    ServerError,
    StreamInterruptedError,
    Timeouts,
    TransportError,
    WorkflowError,
)
from coze_async._retry import Budget, may_have_started, may_repeat, next_step, retry_after

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


@pytest.fixture
def longest_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the jitter always draw the bound, so that times can be told."""

    def bound(low: float, high: float) -> float:
        assert low == 0.0
        return high

    monkeypatch.setattr(random, "uniform", bound)


def client(transport: Answers, *, retry: Retry = Retry()) -> AsyncCoze:  # noqa: B008 - immutable
    return AsyncCoze("pat_x", base_url="http://coze.test", transport=transport, retry=retry, limits=Limits.none())


async def ask(coze: AsyncCoze) -> None:
    """Send what must never be sent twice by accident: it costs money."""
    await coze.chat.create("hi", bot_id="5", user_id="u")


async def look(coze: AsyncCoze) -> None:
    """Send what only reads."""
    await coze.chat.retrieve(conversation_id="7", chat_id="9")


# --- the decision ----------------------------------------------------------------------------------------------------

# How an attempt ended; whether what only reads is repeated; whether what starts something is.
DECISIONS: list[tuple[CozeError, bool, bool]] = [
    (TransportError("no connection", may_have_arrived=False), True, True),
    (TransportError("the answer was lost"), True, False),
    (RequestTimeoutError("no connection in time", may_have_arrived=False), True, True),
    (RequestTimeoutError("no answer in time"), True, False),
    (RateLimitError("429, 4013, 4009, 4020"), True, True),
    (ServerError("500, 5000"), True, False),
    (ConversationBusyError("4016"), False, False),
    (QuotaError("4028"), False, False),
    (AuthenticationError("4100"), False, False),
    (BadRequestError("4000"), False, False),
    (APIError("4033"), False, False),
    (DecodeError("HTML"), False, False),
    (StreamInterruptedError("no done"), False, False),
    (ConfigurationError("no token"), False, False),
]


@pytest.mark.parametrize(("error", "when_safe", "when_not"), DECISIONS, ids=lambda value: repr(value)[:40])
def test_what_starts_something_is_repeated_only_if_it_surely_did_not_start(
    error: CozeError, when_safe: bool, when_not: bool
) -> None:
    assert may_repeat(error, safe=True) is when_safe
    assert may_repeat(error, safe=False) is when_not


BEGUN = ChatResult(chat=Chat(id="9", conversation_id="7"))


@pytest.mark.parametrize(
    ("error", "may_have"),
    [
        (ConfigurationError("x"), False),
        (BadRequestError("x", partial=ChatResult()), False),
        (BadRequestError("x", partial=BEGUN), True),
        (ConversationBusyError("x"), False),
        (RateLimitError("x"), False),
        (RateLimitError("x", partial=BEGUN), True),
        (AuthenticationError("x"), False),
        (APIError("x"), False),
        (ServerError("x"), True),
        (QuotaError("x", partial=BEGUN), False),
        (TransportError("x", may_have_arrived=False), False),
        (TransportError("x"), True),
        (RequestTimeoutError("x", may_have_arrived=False), False),
        (RequestTimeoutError("x"), True),
        (ChatFailedError("x", code=5000), True),
        (ChatFailedError("x"), True),
        (ChatFailedError("x", code=4028), False),
        (WorkflowError("x", code=702095072), False),
        (WorkflowError("x", code=720701013), True),
        (StreamInterruptedError("x"), True),
        (DecodeError("x"), True),
        (PollTimeoutError("x"), True),
        (ValueError("of the caller, after it was sent"), True),
    ],
    ids=repr,
)
def test_what_was_sent_may_have_started_unless_it_was_refused_before(error: Exception, may_have: bool) -> None:
    assert may_have_started(error) is may_have


@pytest.mark.parametrize(
    "error",
    [
        NotFoundError("GET /v3/chat/message/list was refused"),
        RateLimitError("x"),
        QuotaError("x"),
        TransportError("x", may_have_arrived=False),
        ConfigurationError("the client was closed"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["chat", "execute_id"])
def test_a_look_that_goes_wrong_does_not_undo_what_was_started(error: CozeError, name: str) -> None:
    error = copy.copy(error)
    assert not may_have_started(error)
    setattr(error, name, Chat(id="9", conversation_id="7") if name == "chat" else "77")
    assert may_have_started(error)


def test_a_chat_that_was_refused_for_its_quota_has_not_started() -> None:
    error = QuotaError("x", partial=BEGUN)
    error.chat = BEGUN.chat
    assert not may_have_started(error)


REPEATED = {
    "no connection": httpx.ConnectError("refused"),
    "no connection in time": httpx.ConnectTimeout("slow"),
    "no free connection": httpx.PoolTimeout("busy"),
    "HTTP 429": refusal(0, status=429),
    "code 4013": refusal(4013),
    "code 4009": refusal(4009),
    "code 4020": refusal(4020),
}
ONLY_WHEN_SAFE = {
    "connection lost while reading": httpx.ReadError("lost"),
    "connection lost while writing": httpx.WriteError("lost"),
    "connection closed by the server": httpx.RemoteProtocolError("closed"),
    "no answer in time": httpx.ReadTimeout("slow"),
    "request not taken in time": httpx.WriteTimeout("slow"),
    "HTTP 500": refusal(5000, status=500),
    "HTTP 502 of a gateway": answer(status=502, content=b"<html><title>502 Bad Gateway</title></html>"),
    "code 5000": refusal(5000),
}
NEVER = {
    "bad parameter": refusal(4000),
    "wrong token": refusal(4100, status=401),
    "quota": refusal(4028),
    "HTML with 200": answer(content=b"<html>hi</html>", headers={"content-type": "text/html"}),
    "redirect": answer(status=302, headers={"location": "https://elsewhere"}),
}


@pytest.mark.parametrize("first", REPEATED.values(), ids=REPEATED.keys())
async def test_a_chat_is_sent_again_if_no_server_has_begun_with_it(first: httpx.Response | Exception) -> None:
    transport = Answers(first, first, chat())
    await ask(client(transport))
    assert [request.url.path for request in transport.requests] == ["/v3/chat"] * 3
    assert transport.requests[0].content == transport.requests[2].content


@pytest.mark.parametrize("first", [*ONLY_WHEN_SAFE.values(), *NEVER.values()], ids=[*ONLY_WHEN_SAFE, *NEVER])
async def test_a_chat_that_may_have_begun_is_never_sent_again(first: httpx.Response | Exception) -> None:
    transport = Answers(first, chat())
    with pytest.raises(CozeError):
        await ask(client(transport))
    assert len(transport.requests) == 1


@pytest.mark.parametrize("first", [*REPEATED.values(), *ONLY_WHEN_SAFE.values()], ids=[*REPEATED, *ONLY_WHEN_SAFE])
async def test_what_only_reads_is_asked_again_after_every_failure_that_may_pass(
    first: httpx.Response | Exception,
) -> None:
    transport = Answers(first, first, chat())
    await look(client(transport))
    assert len(transport.requests) == 3


@pytest.mark.parametrize("first", NEVER.values(), ids=NEVER.keys())
async def test_what_only_reads_is_not_asked_again_when_that_cannot_help(first: httpx.Response | Exception) -> None:
    transport = Answers(first, chat())
    with pytest.raises(CozeError):
        await look(client(transport))
    assert len(transport.requests) == 1


async def test_cancelling_a_chat_twice_does_no_more_than_once_so_it_is_repeated() -> None:
    transport = Answers(httpx.ReadError("lost"), chat("canceled"))
    cancelled = await client(transport).chat.cancel(conversation_id="7", chat_id="9")
    assert cancelled.status == "canceled"
    assert len(transport.requests) == 2


@pytest.mark.parametrize("first", REPEATED.values(), ids=REPEATED.keys())
async def test_a_stream_is_opened_again_as_long_as_no_headers_came(first: httpx.Response | Exception) -> None:
    done = event_stream(
        'event:conversation.chat.completed\ndata:{"id":"9","conversation_id":"7"}\n\nevent:done\ndata:\n\n'
    )
    transport = Answers(first, done)
    result = await client(transport).chat.ask("hi", bot_id="5", user_id="u")
    assert result.chat_id == "9"
    assert len(transport.requests) == 2


@pytest.mark.parametrize("first", ONLY_WHEN_SAFE.values(), ids=ONLY_WHEN_SAFE.keys())
async def test_a_stream_that_may_have_begun_is_never_opened_again(first: httpx.Response | Exception) -> None:
    transport = Answers(first)
    with pytest.raises(CozeError):
        await client(transport).chat.ask("hi", bot_id="5", user_id="u")
    assert len(transport.requests) == 1


async def test_a_time_out_that_no_setting_names_is_still_one_of_our_errors() -> None:
    # A transport may have a limit of its own.
    timeouts = Timeouts(first_event=None, idle=None)
    coze = client(Answers(httpx.ReadTimeout("slow")), retry=Retry.none()).with_options(timeouts=timeouts)
    with pytest.raises(RequestTimeoutError, match="no answer in time"):
        await look(coze)
    with pytest.raises(RequestTimeoutError, match="no answer in time"):
        await coze.chat.ask("hi", bot_id="5", user_id="u")


class SlowBody(httpx.AsyncByteStream):
    """A body that ends with the transport's own time-out."""

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7"}\n\n'
        raise httpx.ReadTimeout("slow")


async def test_a_time_out_of_the_transport_ends_a_stream_with_what_came_until_then() -> None:
    def slow(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=SlowBody())

    async with AsyncCoze("pat_x", transport=httpx.MockTransport(slow), timeouts=Timeouts(idle=None)) as coze:
        with pytest.raises(RequestTimeoutError, match="nothing came in time, by a limit of the transport") as caught:
            await coze.chat.ask("hi", bot_id="5", user_id="u")
    assert caught.value.partial is not None
    assert caught.value.partial.chat_id == "9"


# --- how often, how soon ---------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("longest_waits")
async def test_the_bound_of_the_waits_doubles_up_to_its_own_bound() -> None:
    transport = Answers(httpx.ConnectError("refused"))
    with pytest.raises(TransportError):
        await look(client(transport, retry=Retry(attempts=7)))
    assert transport.gaps == pytest.approx([0.5, 1.0, 2.0, 4.0, 8.0, 8.0])


@given(st.integers(1, 30), st.floats(0, 10), st.floats(1, 3), st.floats(0, 20), st.none() | st.floats(0, 100))
def test_a_wait_lies_between_what_the_server_asked_for_and_the_bound_beyond_it(
    attempt: int, initial: float, factor: float, max_wait: float, asked: float | None
) -> None:
    retry = Retry(initial=initial, factor=factor, max_wait=max_wait)
    wait = retry.wait(attempt, RateLimitError("busy", retry_after=asked))
    bound = min(max_wait, initial * factor ** (attempt - 1))
    assert (asked or 0.0) <= wait <= (asked or 0.0) + bound + 1e-9


def test_the_jitter_is_full() -> None:
    """Clients that failed together do not come back together: the waits fill the whole range."""
    waits = [Retry().wait(3, TransportError("lost")) for _ in range(400)]
    assert {int(wait / 2.0 * 8) for wait in waits} == set(range(8))


async def test_one_attempt_never_repeats() -> None:
    transport = Answers(httpx.ConnectError("refused"))
    with pytest.raises(TransportError):
        await look(client(transport, retry=Retry.none()))
    assert len(transport.requests) == 1


@pytest.mark.usefixtures("longest_waits")
@pytest.mark.parametrize("status", [429, 503])
async def test_retry_after_is_kept_to_and_the_jitter_comes_on_top(status: int) -> None:
    transport = Answers(refusal(5000 if status == 503 else 4013, status=status, headers={"retry-after": "7"}), chat())
    await look(client(transport))
    assert transport.gaps == pytest.approx([7.5])


async def test_a_server_that_asks_for_too_long_a_wait_gets_no_further_attempt() -> None:
    transport = Answers(refusal(4013, status=429, headers={"retry-after": "61"}), chat())
    with pytest.raises(RateLimitError, match="asks to wait 61 s") as caught:
        await ask(client(transport))
    assert caught.value.retry_after == 61.0
    assert transport.gaps == []
    await ask(client(Answers(refusal(4013, headers={"retry-after": "61"}), chat()), retry=Retry(max_retry_after=61)))


async def test_a_refusal_holds_that_user_back_but_never_longer_than_a_caller_would_wait() -> None:
    transport = Answers(refusal(4013, status=429, headers={"retry-after": "3600"}), chat())
    async with AsyncCoze("pat_x", base_url="http://coze.test", transport=transport) as coze:
        with pytest.raises(RateLimitError):
            await ask(coze)
        await coze.chat.create("hi", bot_id="5", user_id="other")
        await ask(coze)
    assert transport.gaps == pytest.approx([0.0, 60.0], abs=1e-5)


@pytest.mark.usefixtures("longest_waits")
async def test_a_refusal_without_retry_after_holds_that_user_back_for_the_wait() -> None:
    transport = Answers(refusal(4013), refusal(4013), chat())
    async with AsyncCoze("pat_x", base_url="http://coze.test", transport=transport, retry=Retry(attempts=2)) as coze:
        with pytest.raises(RateLimitError):
            await ask(coze)
        await ask(coze)
    assert transport.gaps == pytest.approx([0.5, 0.5], abs=1e-5)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("", None),
        ("5", 5.0),
        (" 1.5 ", 1.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("Sun, 01 Mar 2026 12:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 14:00:30 +0200", 30.0),
        ("Sun, 01 Mar 2026 12:00:30 -0000", 30.0),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("-inf", 0.0),
        ("Sun, 99 Mar 2026 12:00:30 GMT", None),
        ("Sun, 01 Mar 2026 12:00:30 +9999", None),
        ("1e999", None),
        ("5, 6", None),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date_and_nonsense_is_nothing(text: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": text}, NOW) == seconds


def test_no_retry_after_is_none() -> None:
    assert retry_after({}) is None


def test_a_date_is_compared_with_the_clock_of_the_machine() -> None:
    seconds = retry_after({"retry-after": "Fri, 01 Jan 2100 00:00:00 GMT"})
    assert seconds is not None
    assert seconds > 86400


@given(st.text(max_size=30) | st.sampled_from("0123456789,: GMT+-JanSun").flatmap(lambda c: st.text(c, max_size=12)))
def test_no_header_of_any_kind_breaks_the_reading_of_retry_after(text: str) -> None:
    seconds = retry_after({"retry-after": text}, NOW)
    assert seconds is None or seconds >= 0.0


# --- the budget ------------------------------------------------------------------------------------------------------


async def test_a_server_that_is_down_is_not_asked_three_times_by_everybody() -> None:
    transport = Answers(httpx.ConnectError("refused"))
    coze = client(transport)
    for _ in range(100):
        with pytest.raises(TransportError):
            await look(coze.with_options(headers={"x-view": "1"}))
    # Ten repeats are in store, for all views of a client together; 300 attempts would come without.
    assert len(transport.requests) == 110


async def test_answers_fill_the_budget_again_a_tenth_each() -> None:
    budget = Budget(2)

    def spent() -> int:
        """Return how many there were, when all are spent."""
        count = 0
        while budget.has_any:
            budget.spend()
            count += 1
        return count

    assert spent() == 2
    for _ in range(9):
        budget.answered()
    assert spent() == 0
    budget.answered()
    budget.answered()
    assert spent() == 1
    for _ in range(1000):
        budget.answered()
    assert spent() == 2


async def test_a_refusal_for_the_rate_draws_nothing_from_the_budget() -> None:
    transport = Answers(*[refusal(4013) for _ in range(20)], chat())
    await ask(client(transport, retry=Retry(attempts=30, budget=0)))
    assert len(transport.requests) == 21


# --- what cannot be a policy -----------------------------------------------------------------------------------------


def test_a_policy_without_attempts_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"Retry\.attempts is 0: 1 sends once"):
        Retry(attempts=0)


@pytest.mark.parametrize("field", ["initial", "max_wait", "max_retry_after", "budget"])
def test_negative_seconds_and_budgets_are_refused(field: str) -> None:
    with pytest.raises(ConfigurationError, match="no negative seconds or budget"):
        Retry(**{"attempts": 3, field: -0.1})  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - by name


def test_waits_that_shrink_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="a factor of 1 or more"):
        Retry(factor=0.5)


# --- the decision -----------------------------------------------------------------------------------------------------

RATE = RateLimitError("slow down", code=4013)
LATER = RateLimitError("slow down", code=4013, retry_after=7.0)
MUCH_LATER = RateLimitError("slow down", code=4013, retry_after=61.0)
BUSY = ConversationBusyError("occupied", code=4016)
BUSY_FOR = ConversationBusyError("occupied", code=4016, retry_after=3.0)
DOWN = ServerError("down", status=503)
LOST = TransportError("lost", may_have_arrived=True)
UNSENT = TransportError("no connection", may_have_arrived=False)
REFUSED = AuthenticationError("no", code=4100)
WRONG = BadRequestError("no", code=4000)

# The error, what is known, and: the least and the longest wait (None: no further attempt), whether it counts as an
# attempt, whether it draws on the budget.
STEPS: list[tuple[CozeError, dict[str, Any], tuple[float, float] | None, bool, bool]] = [
    (RATE, {}, (0.0, 0.5), True, False),
    (RATE, {"failures": 2}, (0.0, 1.0), True, False),
    (RATE, {"failures": 3}, None, True, False),
    (RATE, {"has_budget": False}, (0.0, 0.5), True, False),
    (LATER, {}, (7.0, 7.5), True, False),
    (MUCH_LATER, {}, None, True, False),
    (DOWN, {"safe": True}, (0.0, 0.5), True, True),
    (DOWN, {"safe": True, "has_budget": False}, None, True, False),
    (DOWN, {"safe": False}, None, True, False),
    (LOST, {"safe": True}, (0.0, 0.5), True, True),
    (LOST, {"safe": False}, None, True, False),
    (UNSENT, {"safe": False}, (0.0, 0.5), True, True),
    (UNSENT, {"failures": 3}, None, True, False),
    (UNSENT, {"is_spent": True}, None, True, False),
    (WRONG, {"safe": True}, None, True, False),
    (REFUSED, {}, None, True, False),
    (REFUSED, {"renewed": True}, (0.0, 0.0), False, False),
    (REFUSED, {"renewed": True, "failures": 9, "has_budget": False}, (0.0, 0.0), False, False),
    (REFUSED, {"renewed": True, "is_spent": True}, None, True, False),
    (BUSY, {}, (1.0, 1.0), False, False),
    (BUSY, {"failures": 9, "has_budget": False}, (1.0, 1.0), False, False),
    (BUSY, {"busy_for": 4.0}, (3.0, 3.0), False, False),
    (BUSY, {"busy_for": 20.0}, (5.0, 5.0), False, False),
    (BUSY, {"busy_for": 58.0}, (2.0, 2.0), False, False),
    (BUSY, {"busy_for": 60.0}, None, False, False),
    (BUSY_FOR, {"busy_for": 20.0}, (3.0, 3.0), False, False),
    (BUSY, {"is_spent": True}, None, True, False),
]


@pytest.mark.parametrize(("error", "known", "wait", "counts", "spends"), STEPS)
def test_how_a_call_goes_on_after_a_failure(
    error: CozeError, known: dict[str, Any], wait: tuple[float, float] | None, counts: bool, spends: bool
) -> None:
    for _ in range(20):
        facts: dict[str, Any] = {"failures": 1, **known}
        step = next_step(Retry(), error, **facts)
        if wait is None:
            assert step.wait is None
        else:
            assert step.wait is not None
            assert wait[0] <= step.wait <= wait[1]
        assert (step.counts, step.spends) == (counts, spends)


@pytest.mark.parametrize("busy", [1, 5])
async def test_attempts_are_counted_from_the_first_after_a_chat_of_somebody_else(busy: int) -> None:
    """What was refused because of another chat is no attempt of ours, and none of it is lost."""
    seen: list[Exchange] = []
    rate = refusal(4013)
    transport = Answers(*[refusal(4016)] * busy, rate, rate, rate, refusal(4000))
    coze = AsyncCoze("pat_x", transport=transport, observe=seen.append)
    with pytest.raises(RateLimitError):
        await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert [each.attempt for each in seen] == [1] * busy + [1, 2, 3]


async def test_a_busy_conversation_is_waited_for_no_longer_in_all_whatever_comes_between() -> None:
    busy = refusal(4016)
    transport = Answers(*[busy] * 3, refusal(4013), busy)
    coze = AsyncCoze("pat_x", transport=transport, retry=Retry(attempts=2, busy_timeout=6.0, initial=0.0))
    with pytest.raises(ConversationBusyError):
        await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert transport.times[-1] - transport.times[0] == pytest.approx(6.0)
