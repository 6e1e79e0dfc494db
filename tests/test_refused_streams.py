"""A refusal in the body of a stream, before any event, is treated like one that comes as JSON."""

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from answering import Answers, event_stream
from replaying import ReplayTransport, stream_of

from coze_async import (
    APIError,
    AsyncCoze,
    Auth,
    AuthenticationError,
    ConversationBusyError,
    Exchange,
    Limits,
    Rate,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    ServerError,
    StreamInterruptedError,
    Timeouts,
    WorkflowError,
)

Opens = Callable[[AsyncCoze], Any]

DONE = 'event:conversation.chat.completed\ndata:{"id":"9","conversation_id":"7"}\n\nevent:done\ndata:"[DONE]"\n\n'
RUN = 'event: Message\ndata: {"content":"Hi","node_title":"End","node_is_finish":true}\n\nevent: Done\ndata: {}\n\n'


def chat(coze: AsyncCoze) -> Any:
    return coze.chat.stream("Hi", bot_id="b", user_id="u", conversation_id="7")


def tool_outputs(coze: AsyncCoze) -> Any:
    return coze.chat.submit_tool_outputs_stream(conversation_id="7", chat_id="9", tool_outputs=[])


def chatflow(coze: AsyncCoze) -> Any:
    return coze.workflows.chat("Hi", workflow_id="w", bot_id="b", conversation_id="7")


def workflow(coze: AsyncCoze) -> Any:
    return coze.workflows.stream(workflow_id="w")


def resume(coze: AsyncCoze) -> Any:
    return coze.workflows.resume(workflow_id="w", event_id="e", interrupt_type=2, resume_data="x")


STREAMS: list[tuple[Opens, str]] = [
    (chat, DONE),
    (tool_outputs, DONE),
    (chatflow, DONE),
    (workflow, RUN),
    (resume, RUN),
]


def as_event(code: int, msg: str, whole: str) -> httpx.Response:
    """An error event, in the words of the stream's own dialect."""
    facts = f'"error_code":{code},"error_message":"{msg}"' if whole is RUN else f'"code":{code},"msg":"{msg}"'
    return event_stream(f"event: {'Error' if whole is RUN else 'error'}\ndata: {{{facts}}}\n\n")


def as_json(code: int, msg: str, whole: str) -> httpx.Response:
    del whole
    return event_stream(f'{{"code":{code},"msg":"{msg}"}}')


def as_nothing(code: int, msg: str, whole: str) -> httpx.Response:
    answer = as_json(code, msg, whole)
    del answer.headers["content-type"]
    return answer


FORMS = pytest.mark.parametrize("refused", [as_event, as_json, as_nothing])
ALL = pytest.mark.parametrize(("opens", "whole"), STREAMS, ids=[opens.__name__ for opens, _ in STREAMS])


def coze_over(transport: httpx.AsyncBaseTransport, auth: Any = "pat_x", **options: Any) -> AsyncCoze:
    return AsyncCoze(auth, base_url="http://coze.example", transport=transport, **options)


@ALL
@FORMS
async def test_a_stream_that_is_refused_for_the_rate_is_asked_for_again(
    opens: Opens, whole: str, refused: Callable[..., httpx.Response]
) -> None:
    told: list[Exchange] = []
    transport = Answers(refused(4013, "too fast", whole), event_stream(whole))
    coze = coze_over(transport, observe=told.append)
    assert await opens(coze).result()
    assert len(transport.requests) == 2
    assert [(type(each.error), each.code) for each in told] == [(RateLimitError, 4013), (type(None), None)]
    assert told[0].retry_in is not None
    assert coze.limits.statistics().pushed_back == 1


@ALL
@FORMS
async def test_a_stream_that_finds_its_conversation_busy_waits_for_the_other_chat(
    opens: Opens, whole: str, refused: Callable[..., httpx.Response]
) -> None:
    transport = Answers(*[refused(4016, "occupied", whole)] * 3, event_stream(whole))
    # Waiting for somebody else counts as no attempt.
    coze = coze_over(transport, retry=Retry(attempts=1))
    assert await opens(coze).result()
    assert len(transport.requests) == 4
    assert transport.gaps[0] >= 1.0


class Two(Auth):
    """A login whose first token is refused."""

    renewals = 0

    def secrets(self) -> tuple[str, ...]:
        return ()

    async def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer token-{self.renewals}"}

    async def renew(self, refused: Any, endpoint: Any) -> bool:
        self.renewals += 1
        return True


@ALL
@FORMS
async def test_a_stream_whose_token_is_refused_is_asked_for_with_a_new_one(
    opens: Opens, whole: str, refused: Callable[..., httpx.Response]
) -> None:
    transport = Answers(refused(4100, "authentication is invalid", whole), event_stream(whole))
    assert await opens(coze_over(transport, Two(), retry=Retry(attempts=1))).result()
    sent = [request.headers["authorization"] for request in transport.requests]
    assert sent == ["Bearer token-0", "Bearer token-1"]
    assert transport.gaps == [0.0]


@ALL
@FORMS
@pytest.mark.parametrize(
    ("code", "kind"), [(4013, RateLimitError), (4016, ConversationBusyError), (4100, AuthenticationError)]
)
async def test_a_refusal_that_stays_is_the_error_that_json_would_be(
    opens: Opens, whole: str, refused: Callable[..., httpx.Response], code: int, kind: type[APIError]
) -> None:
    transport = Answers(refused(code, "no", whole))
    with pytest.raises(kind) as caught:
        await opens(coze_over(transport, retry=Retry(attempts=2, busy_timeout=3.0))).result()
    assert caught.value.code == code
    assert len(transport.requests) >= (1 if code == 4100 else 2)


@ALL
async def test_other_errors_before_the_first_event_are_not_repeated(opens: Opens, whole: str) -> None:
    transport = Answers(as_event(5000, "oops", whole))
    with pytest.raises(WorkflowError if whole is RUN else ServerError):
        await opens(coze_over(transport)).result()
    assert len(transport.requests) == 1


@ALL
async def test_a_refusal_behind_another_event_is_raised(opens: Opens, whole: str) -> None:
    first = whole.partition("\n\n")[0] + "\n\n"
    transport = Answers(event_stream(first + as_event(4013, "too fast", whole).text))
    with pytest.raises(WorkflowError if whole is RUN else RateLimitError):
        await opens(coze_over(transport)).result()
    assert len(transport.requests) == 1


@ALL
async def test_keep_alives_before_a_refusal_begin_nothing(opens: Opens, whole: str) -> None:
    refusal = ": keep-alive\n\n" + as_event(4013, "too fast", whole).text
    transport = Answers(event_stream(refusal), event_stream(whole))
    assert await opens(coze_over(transport)).result()
    assert len(transport.requests) == 2


@ALL
async def test_a_stream_that_is_lost_before_its_first_event_is_not_repeated(opens: Opens, whole: str) -> None:
    del whole
    transport = ReplayTransport(stream_of(b": keep-alive\n\n", lost="peer closed connection"))
    with pytest.raises(StreamInterruptedError, match="peer closed connection"):
        await opens(coze_over(transport)).result()
    assert len(transport.requests) == 1
    assert transport.open_bodies == 0


async def test_a_refused_attempt_leaves_nothing_of_itself_in_the_next() -> None:
    refusal = 'event:error\ndata:{"code":4013,"msg":"no"}\n\nevent:conversation.message.delta\ndata:{"id":"m","con'
    transport = Answers(event_stream(refusal), event_stream(DONE))
    result = await chat(coze_over(transport)).result()
    assert result.messages == []
    assert result.text == ""


async def test_who_is_held_back_by_a_stream_waits_before_the_next_call() -> None:
    transport = Answers(as_event(4013, "no", DONE), event_stream(DONE))
    coze = coze_over(transport, retry=Retry.none(), limits=Limits(chat=Rate(60, 60.0)))
    with pytest.raises(RateLimitError):
        await chat(coze).result()
    began = anyio.current_time()
    await chat(coze).result()
    assert anyio.current_time() - began == pytest.approx(Retry().initial)


# --- time -------------------------------------------------------------------------------------------------------------

PING = b'event: PING\ndata: {"content":"{}"}\n\n'


@pytest.mark.parametrize("opens", [workflow, resume])
async def test_a_workflow_that_sends_heart_beats_may_take_longer_than_a_first_event(opens: Opens) -> None:
    """Case A2: PING every 5 s, the result after 70 s."""
    pings = [(5.0 * n, PING) for n in range(1, 14)]
    result = await opens(coze_over(ReplayTransport(stream_of(*pings, (70.0, RUN.encode()))))).result()
    assert result.data == "Hi"


@pytest.mark.parametrize("opens", [workflow, resume, chatflow])
@pytest.mark.parametrize("silent", [65.0, 590.0])
async def test_a_workflow_may_be_silent_for_ten_minutes_before_its_first_event(opens: Opens, silent: float) -> None:
    whole = DONE if opens is chatflow else RUN
    transport = ReplayTransport(stream_of((silent, whole.encode())))
    assert await opens(coze_over(transport)).result()
    assert anyio.current_time() == pytest.approx(silent)


async def test_a_workflow_that_stays_silent_is_given_up_by_its_own_limit() -> None:
    for pieces in ([], [(1.0, PING)], [(1.0, RUN.partition("\n\n")[0].encode() + b"\n\n")]):
        coze = coze_over(ReplayTransport(stream_of(*pieces, endless=True)), timeouts=Timeouts(workflow=100.0))
        began = anyio.current_time()
        with pytest.raises(RequestTimeoutError, match=r"nothing came within 100 s \(Timeouts.workflow\)") as caught:
            await workflow(coze).result()
        assert caught.value.timeout == "workflow"
        assert anyio.current_time() - began == pytest.approx(100.0 + len(pieces))


async def test_a_run_without_a_stream_may_take_as_long_as_a_workflow() -> None:
    class Slow(Answers):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await anyio.sleep(500.0)
            return await super().handle_async_request(request)

    answer = httpx.Response(200, json={"code": 0, "data": "{}", "execute_id": "1"})
    assert (await coze_over(Slow(answer)).workflows.run(workflow_id="w")).execute_id == "1"
    with pytest.raises(RequestTimeoutError, match=r"within 300 s \(Timeouts.workflow\)"):
        await coze_over(Slow(answer), timeouts=Timeouts(workflow=300.0)).workflows.run(workflow_id="w")
    with pytest.raises(RequestTimeoutError, match=r"within 210 s \(Timeouts.idle\)"):
        await coze_over(Slow(answer), retry=Retry.none()).bots.retrieve(bot_id="5")


async def test_a_chat_that_draws_a_picture_may_be_silent_for_minutes() -> None:
    """Case A3: silent for 130 s after in_progress; the official web chat waits 210 s."""
    begin = b'event:conversation.chat.in_progress\ndata:{"id":"9","conversation_id":"7","status":"in_progress"}\n\n'
    transport = ReplayTransport(stream_of(begin, (130.0, DONE.encode())))
    assert (await chat(coze_over(transport)).result()).chat_id == "9"


async def test_heart_beats_are_no_first_event_of_a_chat() -> None:
    pings = [(5.0 * n, b"event: ping\ndata: {}\n\n: keep-alive\n\n") for n in range(1, 30)]
    with pytest.raises(RequestTimeoutError, match=r"no event came within 60 s \(Timeouts.first_event\)"):
        await chat(coze_over(ReplayTransport(stream_of(*pings, endless=True)))).result()
    assert anyio.current_time() == pytest.approx(60.0)


async def test_a_first_event_that_comes_in_drops_is_given_up_in_time() -> None:
    drops = [(1.0 * n, b"e") for n in range(1, 100)]
    with pytest.raises(RequestTimeoutError, match=r"no event came within 60 s"):
        await chat(coze_over(ReplayTransport(stream_of(*drops, endless=True)))).result()
    assert anyio.current_time() == pytest.approx(60.0)
