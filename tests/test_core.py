"""One request in, one answer out: what is sent, what is told of it, how long it may take, what is given back."""

import gzip
import logging
import ssl
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from answering import Answers, answer, chat, event_stream, refusal
from anyio.abc import SocketAttribute, SocketStream
from replaying import Asked, Piece, Recording, ReplayTransport, asked_of, stream_of

from coze_async import (
    APIError,
    AsyncCoze,
    BadRequestError,
    ConfigurationError,
    CozeError,
    DecodeError,
    Exchange,
    Limits,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    ServerError,
    StreamInterruptedError,
    Timeouts,
    TransportError,
)
from coze_async._wire import AutoWire

URL = "http://coze.example"
STREAM = 'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7"}\n\nevent:done\ndata:"[DONE]"\n\n'


def coze_with(*answers: httpx.Response | Exception, **options: Any) -> tuple[AsyncCoze, Answers]:
    transport = Answers(*answers)
    settings: dict[str, Any] = {"limits": Limits.none(), **options}
    return AsyncCoze("pat_x", base_url=URL, transport=transport, **settings), transport


async def retrieve(coze: AsyncCoze) -> Any:
    return await coze.chat.retrieve(conversation_id="7", chat_id="9")


async def create(coze: AsyncCoze) -> Any:
    return await coze.chat.create("Hi", bot_id="b", user_id="u")


async def delete(coze: AsyncCoze) -> Any:
    return await coze.conversations.delete(conversation_id="7")


async def ask(coze: AsyncCoze) -> Any:
    return await coze.chat.ask("Hi", bot_id="b", user_id="u")


# --- what is sent -----------------------------------------------------------------------------------------------------


async def test_a_request_says_who_asks_and_what_it_takes() -> None:
    coze, transport = coze_with(chat(), headers={"X-Team": "blue"})
    await create(coze)
    headers = transport.requests[0].headers
    assert headers["authorization"] == "Bearer pat_x"
    assert headers["content-type"] == "application/json"
    assert headers["accept"] == "application/json"
    assert headers["user-agent"].startswith("coze_async/")
    assert headers["x-team"] == "blue"


async def test_a_request_without_a_body_names_no_content_type() -> None:
    coze, transport = coze_with(chat())
    await retrieve(coze)
    request = transport.requests[0]
    assert "content-type" not in request.headers
    assert asked_of(request) == Asked("GET", "/v3/chat/retrieve", {"conversation_id": "7", "chat_id": "9"})


async def test_a_stream_is_asked_for_as_a_stream() -> None:
    coze, transport = coze_with(event_stream(STREAM))
    await ask(coze)
    assert transport.requests[0].headers["accept"] == "text/event-stream"


async def test_an_own_header_wins_over_ours_but_never_over_the_credential() -> None:
    coze, transport = coze_with(chat(), headers={"User-Agent": "mine/1", "Authorization": "Bearer other"})
    await retrieve(coze)
    assert transport.requests[0].headers["user-agent"] == "mine/1"
    assert transport.requests[0].headers["authorization"] == "Bearer pat_x"


async def test_a_base_url_keeps_its_path() -> None:
    transport = Answers(chat())
    await retrieve(AsyncCoze("pat_x", base_url=f"{URL}/coze/", transport=transport))
    assert transport.requests[0].url.path == "/coze/v3/chat/retrieve"


@pytest.mark.parametrize("headers", [{"X-Team": "蓝"}, {"X-Téam": "blue"}])
async def test_a_header_that_http_cannot_carry_is_found_before_anything_is_sent(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError, match="headers: "):
        coze_with(chat(), headers=headers)


@pytest.mark.parametrize("token", ["pat_蓝", "pat_a\r\nX-B: 2"])
async def test_a_token_that_http_cannot_carry_is_found_before_anything_is_sent(token: str) -> None:
    async def auth() -> str:
        return token

    transport = Answers(chat())
    with pytest.raises(ConfigurationError) as caught:
        await create(AsyncCoze(auth, base_url=URL, transport=transport))
    assert token not in str(caught.value)
    assert transport.requests == []


@pytest.mark.parametrize("error", [httpx.LocalProtocolError("Illegal header value"), httpx.UnsupportedProtocol("ftp")])
async def test_what_http_itself_refuses_to_send_is_a_mistake_of_configuration(error: Exception) -> None:
    coze, transport = coze_with(error)
    with pytest.raises(ConfigurationError, match="cannot be sent"):
        await create(coze)
    assert len(transport.requests) == 1


# --- what comes back --------------------------------------------------------------------------------------------------


async def test_a_compressed_answer_and_a_compressed_stream_are_unpacked() -> None:
    packed = {"content-encoding": "gzip"}
    body = gzip.compress(b'{"code":0,"data":{"id":"9","conversation_id":"7"}}')
    recorded = stream_of(body, headers={"content-type": "application/json", **packed})
    coze = AsyncCoze("pat_x", base_url=URL, transport=ReplayTransport(recorded.by_bytes()))
    assert (await retrieve(coze)).id == "9"
    transport = ReplayTransport(stream_of(gzip.compress(STREAM.encode()), headers=packed).by_bytes())
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport)
    assert (await ask(coze)).chat_id == "9"
    assert transport.open_bodies == 0


# httpx leaves its own generators behind when unpacking fails, and trio tells of them; the connection is closed.
@pytest.mark.filterwarnings("ignore:.*(aiter_raw|BoundAsyncStream):pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:.*(aiter_raw|BoundAsyncStream):ResourceWarning")
async def test_a_compressed_stream_that_is_broken_is_an_interruption() -> None:
    transport = ReplayTransport(stream_of(b"this is not gzip", headers={"content-encoding": "gzip"}))
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport)
    with pytest.raises(StreamInterruptedError):
        await ask(coze)
    assert transport.open_bodies == 0


@pytest.mark.parametrize("kind", ["text/plain", ""])
async def test_a_stream_under_a_vague_content_type_is_read_as_a_stream(kind: str) -> None:
    coze, _ = coze_with(event_stream(STREAM, headers={"content-type": kind}))
    assert (await ask(coze)).chat_id == "9"


async def test_an_answer_in_json_where_a_stream_was_asked_for_is_quoted() -> None:
    coze, _ = coze_with(chat("completed"))
    with pytest.raises(
        DecodeError, match=r"asked for a stream and answered with application/json.*completed"
    ) as caught:
        await ask(coze)
    assert '"completed"' in caught.value.body


@pytest.mark.parametrize("call", [retrieve, ask])
async def test_a_page_where_an_answer_was_due_asks_whether_this_is_an_api(call: Any) -> None:
    page = answer(content=b"<html><title>Sign in</title></html>", headers={"content-type": "text/html"})
    coze, _ = coze_with(page)
    with pytest.raises(DecodeError, match=r"text/html instead of JSON: Sign in\. Is base_url \(http://coze.example\)"):
        await call(coze)


async def test_an_answer_without_anything_in_it_is_named_so() -> None:
    coze, _ = coze_with(answer(content=b"", headers={"content-type": ""}))
    with pytest.raises(DecodeError, match="no content type instead of JSON: nothing"):
        await retrieve(coze)


@pytest.mark.parametrize("status", [400, 500])
async def test_an_error_under_the_type_of_a_stream_is_an_error(status: int) -> None:
    coze, _ = coze_with(event_stream("event:error\ndata:{}\n\n", headers={}))
    response = httpx.Response(
        status, headers={"content-type": "text/event-stream"}, content=b'{"code":4000,"msg":"bad bot"}'
    )
    coze, _ = coze_with(response, retry=Retry.none())
    with pytest.raises(BadRequestError, match="bad bot"):
        await ask(coze)


@pytest.mark.parametrize("call", [retrieve, create, delete])
@pytest.mark.parametrize("before", [b"", b"\xef\xbb\xbf", b"\r\n "])
async def test_an_error_under_the_type_of_a_stream_is_one_where_none_was_asked_for(call: Any, before: bytes) -> None:
    body = before + b'{"code":4200,"msg":"no such thing","detail":{"logid":"log-7"}}'
    coze, _ = coze_with(answer(content=body, headers={"content-type": "text/event-stream; charset=utf-8"}))
    with pytest.raises(NotFoundError, match="no such thing") as caught:
        await call(coze)
    assert (caught.value.code, caught.value.status, caught.value.logid) == (4200, 200, "log-7")


async def test_an_answer_under_the_type_of_a_stream_is_read_all_the_same() -> None:
    coze, _ = coze_with(answer(content=chat("in_progress").content, headers={"content-type": "text/event-stream"}))
    assert (await retrieve(coze)).status == "in_progress"


async def test_an_array_or_a_number_instead_of_an_object_cannot_be_read() -> None:
    for body in (b"[1,2]", b"7", b"null", b'{"code":0,"data":[]}'):
        coze, _ = coze_with(answer(content=body))
        with pytest.raises(DecodeError):
            await retrieve(coze)


async def test_a_redirect_to_another_server_is_an_error_that_names_it() -> None:
    coze, transport = coze_with(httpx.Response(307, headers={"location": "https://user:pw@api.coze.com/v3/chat"}))
    with pytest.raises(ConfigurationError, match=r"redirected to https://api.coze.com, .*Set base_url") as caught:
        await create(coze)
    assert "pw" not in str(caught.value)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("location", ["/elsewhere", "http://u:pw@coze.example/v3/chat/", None])
async def test_a_redirect_within_the_server_is_not_followed_but_reported(location: str | None) -> None:
    coze, transport = coze_with(httpx.Response(307, headers={} if location is None else {"location": location}))
    with pytest.raises(APIError, match=r"redirected to .*; set base_url") as caught:
        await create(coze)
    assert "pw" not in str(caught.value)
    assert len(transport.requests) == 1


# --- attempts ---------------------------------------------------------------------------------------------------------

LOST = httpx.RemoteProtocolError("Server disconnected without sending a response.")
NOT_CONNECTED = httpx.ConnectError("All connection attempts failed")


@pytest.mark.parametrize("stop", ["", ".", "..."])
async def test_why_a_call_was_lost_is_told_with_one_full_stop(stop: str) -> None:
    coze, _ = coze_with(httpx.RemoteProtocolError(f"Server disconnected{stop}"))
    with pytest.raises(TransportError, match=r": Server disconnected\. What it started"):
        await create(coze)


@pytest.mark.parametrize("call", [create, ask])
@pytest.mark.parametrize(
    "problem", [LOST, httpx.ReadTimeout("slow"), httpx.WriteTimeout("slow"), refusal(5000), answer({}, status=502)]
)
async def test_what_may_have_started_a_chat_is_never_sent_again(call: Any, problem: Any) -> None:
    coze, transport = coze_with(problem, chat())
    with pytest.raises(CozeError):
        await call(coze)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("call", [create, ask])
@pytest.mark.parametrize(
    "problem",
    [NOT_CONNECTED, httpx.ConnectTimeout("slow"), httpx.PoolTimeout("full"), refusal(4013), refusal(429, status=429)],
)
async def test_what_surely_started_nothing_is_sent_again(call: Any, problem: Any) -> None:
    good = chat() if call is create else event_stream(STREAM)
    coze, transport = coze_with(problem, problem, good)
    await call(coze)
    assert len(transport.requests) == 3


@pytest.mark.parametrize(
    "problem", [LOST, httpx.ReadTimeout("slow"), NOT_CONNECTED, refusal(5000), answer({}, status=503)]
)
async def test_what_only_reads_is_sent_again_whatever_happened(problem: Any) -> None:
    coze, transport = coze_with(problem, problem, chat())
    assert (await retrieve(coze)).id == "9"
    assert len(transport.requests) == 3


async def test_the_last_error_is_raised_when_all_attempts_are_used_up() -> None:
    coze, transport = coze_with(refusal(5000, "first"), refusal(5000, "second"), retry=Retry(attempts=2))
    with pytest.raises(ServerError, match="second"):
        await retrieve(coze)
    assert len(transport.requests) == 2


async def test_a_wait_that_the_server_asks_for_is_kept() -> None:
    coze, transport = coze_with(refusal(4013, status=429, headers={"retry-after": "7"}), chat())
    await create(coze)
    assert 7.0 <= transport.gaps[0] <= 7.5


async def test_a_wait_that_is_too_long_is_left_to_the_caller() -> None:
    coze, transport = coze_with(refusal(4013, status=429, headers={"retry-after": "3600"}), chat())
    with pytest.raises(RateLimitError) as caught:
        await create(coze)
    assert caught.value.retry_after == 3600.0
    assert len(transport.requests) == 1


async def test_a_server_that_is_down_is_not_asked_three_times_by_everybody() -> None:
    coze, transport = coze_with(refusal(5000), retry=Retry(attempts=4, budget=10.0))
    for _ in range(100):
        with pytest.raises(ServerError):
            await retrieve(coze)
    assert len(transport.requests) == 110


async def test_a_refused_user_waits_and_no_other() -> None:
    coze, transport = coze_with(
        refusal(4013, status=429, headers={"retry-after": "9"}), chat(), chat(), limits=Limits(), retry=Retry.none()
    )  # fmt: skip
    with pytest.raises(RateLimitError):
        await coze.chat.create("Hi", bot_id="b", user_id="greedy")
    await coze.chat.create("Hi", bot_id="b", user_id="modest")
    await coze.chat.create("Hi", bot_id="b", user_id="greedy")
    assert transport.gaps == pytest.approx([0.0, 9.0], abs=0.001)


async def test_a_refused_attempt_gives_its_slot_back() -> None:
    coze, _ = coze_with(refusal(4000), limits=Limits(chats_at_once=1))
    for call in (ask, ask, create, create):
        with pytest.raises(BadRequestError), anyio.fail_after(1):
            await call(coze)


# --- what is told -----------------------------------------------------------------------------------------------------


async def test_every_attempt_is_told_to_whoever_watches() -> None:
    told: list[Exchange] = []
    coze, _ = coze_with(
        refusal(4013, status=429, headers={"x-tt-logid": "L1"}), NOT_CONNECTED, chat(), observe=told.append
    )  # fmt: skip
    await create(coze)
    first, second, third = told
    assert (first.method, first.path, first.attempt, first.user) == ("POST", "/v3/chat", 1, "u")
    assert (first.status, first.code, first.logid) == (429, 4013, "L1")
    assert isinstance(first.error, RateLimitError)
    assert first.retry_in is not None
    assert (second.attempt, second.status, second.code) == (2, None, None)
    assert isinstance(second.error, TransportError)
    assert (third.attempt, third.status, third.error, third.retry_in) == (3, 200, None, None)


async def test_how_long_an_attempt_took_is_told() -> None:
    told: list[Exchange] = []
    slow = stream_of(
        (1.5, b'{"code":0,"data":{"id":"9","conversation_id":"7"}}'), headers={"content-type": "application/json"}
    )
    coze = AsyncCoze("pat_x", base_url=URL, transport=ReplayTransport(slow), observe=told.append)
    await retrieve(coze)
    assert told[0].seconds == pytest.approx(1.5)


async def test_a_watcher_that_fails_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    def fail(exchange: Exchange) -> None:
        raise ZeroDivisionError(exchange.path)

    coze, _ = coze_with(chat(), observe=fail)
    assert (await retrieve(coze)).id == "9"
    assert "`observe` failed on GET /v3/chat/retrieve" in caplog.text


async def test_the_log_tells_of_attempts_without_queries_or_tokens(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        coze, _ = coze_with(refusal(5000), chat())
        await retrieve(coze)
    assert "GET /v3/chat/retrieve: attempt 1, HTTP 200, ServerError" in caplog.text
    assert "again in" in caplog.text
    assert "conversation_id=7" not in caplog.text
    assert "pat_x" not in caplog.text


# --- time -------------------------------------------------------------------------------------------------------------

JSON = {"content-type": "application/json"}


class Silent(httpx.AsyncBaseTransport):
    """Takes a request and never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError


async def time_of(call: Any, coze: AsyncCoze, match: str) -> float:
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError, match=match):
        await call(coze)
    return anyio.current_time() - began


async def test_a_server_that_says_nothing_is_given_up_in_time() -> None:
    coze = AsyncCoze(
        "pat_x", base_url=URL, transport=Silent(), timeouts=Timeouts(first_event=20.0, idle=30.0), retry=Retry.none()
    )
    assert await time_of(ask, coze, r"no answer within 20 s \(Timeouts.first_event\).*not sent again") == pytest.approx(
        20.0
    )
    assert await time_of(create, coze, r"no answer within 30 s \(Timeouts.idle\).*not sent again") == pytest.approx(
        30.0
    )
    assert await time_of(
        retrieve, coze, r"no answer within 30 s \(Timeouts.idle\) from http://coze.example\. Raise"
    ) == pytest.approx(30.0)


async def test_an_answer_that_stops_in_the_middle_is_given_up_in_time() -> None:
    half = stream_of((1.0, b'{"code":0,'), headers=JSON, endless=True)
    transport = ReplayTransport(half)
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport, timeouts=Timeouts(idle=30.0))
    # The whole of the answer counts, and its beginning gives no further time.
    assert await time_of(create, coze, r"Timeouts.idle") == pytest.approx(30.0)
    assert transport.open_bodies == 0


async def test_a_connection_that_is_lost_in_the_middle_of_an_answer_is_told_as_such() -> None:
    transport = ReplayTransport(stream_of(b'{"code":0,', headers=JSON, lost="peer closed connection"))
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport)
    with pytest.raises(
        TransportError, match=r"lost before the answer was complete: peer closed connection\. What it started"
    ):
        await create(coze)
    assert transport.open_bodies == 0


async def test_a_total_time_holds_for_all_attempts_together() -> None:
    coze, transport = coze_with(
        refusal(4013, status=429, headers={"retry-after": "7"}), timeouts=Timeouts(total=20.0), retry=Retry(attempts=9)
    )
    assert await time_of(create, coze, r"no answer within 20 s \(Timeouts.total\)") == pytest.approx(20.0)
    assert len(transport.requests) == 3


async def test_an_error_within_the_total_time_is_itself() -> None:
    coze, _ = coze_with(refusal(4000), timeouts=Timeouts(total=20.0))
    with pytest.raises(BadRequestError):
        await create(coze)
    with pytest.raises(BadRequestError):
        await ask(coze)
    coze, _ = coze_with(chat(), timeouts=Timeouts(total=20.0))
    assert (await create(coze)).id == "9"


@pytest.mark.parametrize(
    ("problem", "match"),
    [
        (httpx.ConnectTimeout(""), r"no connection to http://coze.example within 5.0 s \(Timeouts.connect\)"),
        (httpx.PoolTimeout(""), r"no free connection within 30.0 s \(Timeouts.pool\)"),
        (httpx.WriteTimeout(""), r"took no more of the request within 30.0 s \(Timeouts.write\)"),
        (httpx.ReadTimeout(""), r"no answer within 210 s \(Timeouts.idle\)"),
    ],
)
async def test_every_limit_of_time_is_told_by_its_name(problem: Exception, match: str) -> None:
    coze, _ = coze_with(problem, retry=Retry.none())
    with pytest.raises(RequestTimeoutError, match=match) as caught:
        await create(coze)
    assert isinstance(caught.value, TimeoutError)


async def test_a_limit_of_the_transport_itself_is_told_as_such() -> None:
    coze, _ = coze_with(httpx.ReadTimeout(""), retry=Retry.none(), timeouts=Timeouts(idle=None))
    with pytest.raises(RequestTimeoutError, match=r"no answer in time .*a limit of the transport"):
        await create(coze)


async def test_a_host_that_cannot_be_reached_says_where_to_look() -> None:
    coze, _ = coze_with(httpx.ConnectError("[Errno -2] Name or service not known"), retry=Retry.none())
    with pytest.raises(
        TransportError, match=r"no connection to http://coze.example: .*not known\. Check the base URL"
    ) as caught:
        await create(coze)
    assert not caught.value.may_have_arrived


# --- over real sockets ------------------------------------------------------------------------------------------------


@asynccontextmanager
async def silent_port(*answers: bytes) -> AsyncGenerator[str]:
    """A port that takes requests and answers each with some bytes, and then nothing more."""

    async def serve(connection: SocketStream) -> None:
        async with connection:
            try:
                await connection.receive()
                for part in answers:
                    await connection.send(part)
                while True:
                    await connection.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                pass

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=0)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, serve)
        yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
        tasks.cancel_scope.cancel()


HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CREATED = b'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7"}\n\n'


@pytest.mark.parametrize(
    "timeouts",
    [
        Timeouts(idle=30.0, first_event=20.0),  # the transport watches
        Timeouts(idle=30.0, first_event=40.0),  # it would give up the first event too early, so it does not
        Timeouts(idle=30.0, first_event=None),
    ],
)
async def test_httpx_own_transport_keeps_the_time_between_two_pieces(timeouts: Timeouts) -> None:
    async with (
        silent_port(HEAD, b"%x\r\n%s\r\n" % (len(CREATED), CREATED)) as url,
        AsyncCoze("pat_x", base_url=url, timeouts=timeouts) as coze,
    ):
        stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
        await anext(stream)
        with pytest.raises(RequestTimeoutError, match=r"nothing came within 30 s \(Timeouts.idle\)") as caught:
            await anext(stream)
        assert caught.value.partial is not None
        assert caught.value.partial.chat_id == "9"


async def test_httpx_own_transport_keeps_the_time_of_the_first_event() -> None:
    timeouts = Timeouts(idle=30.0, first_event=20.0)
    async with silent_port() as url, AsyncCoze("pat_x", base_url=url, timeouts=timeouts, retry=Retry.none()) as coze:
        with pytest.raises(RequestTimeoutError, match=r"within 20 s \(Timeouts.first_event\)"):
            await ask(coze)
    async with (
        silent_port(HEAD) as url,
        AsyncCoze("pat_x", base_url=url, timeouts=timeouts, retry=Retry.none()) as coze,
    ):
        with pytest.raises(RequestTimeoutError, match=r"no event came within 20 s \(Timeouts.first_event\)"):
            await ask(coze)
    async with silent_port() as url, AsyncCoze("pat_x", base_url=url, timeouts=timeouts, retry=Retry.none()) as coze:
        with pytest.raises(RequestTimeoutError, match=r"within 30 s \(Timeouts.idle\)"):
            await create(coze)


async def test_httpx_own_transport_does_not_give_up_a_first_event_that_may_take_longer_than_a_pause() -> None:
    timeouts = Timeouts(idle=30.0, first_event=40.0)
    async with silent_port() as url, AsyncCoze("pat_x", base_url=url, timeouts=timeouts, retry=Retry.none()) as coze:
        began = anyio.current_time()
        with pytest.raises(RequestTimeoutError, match=r"within 40 s \(Timeouts.first_event\)"):
            await ask(coze)
        assert anyio.current_time() - began >= 40.0


async def test_a_port_where_nobody_listens_is_a_transport_error() -> None:
    async with silent_port() as url:
        pass
    async with AsyncCoze("pat_x", base_url=url, retry=Retry.none()) as coze:
        with pytest.raises(TransportError, match=f"no connection to {url}"):
            await create(coze)


# --- certificates -----------------------------------------------------------------------------------------------------


async def test_clients_for_https_share_what_they_know_of_certificates(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[ssl.SSLContext] = []
    original = ssl.create_default_context

    def counting(**given: Any) -> ssl.SSLContext:
        made.append(original(**given))
        return made[-1]

    from coze_async._wire import _auto

    monkeypatch.setattr(ssl, "create_default_context", counting)
    _auto._certificates.cache_clear()  # pyright: ignore[reportPrivateUsage]
    for _ in range(2):
        one = AutoWire("https://coze.example")
        await one.load()
        await one.aclose()
    assert len(made) == 1
    plain = AutoWire("http://coze.example")
    await plain.load()
    await plain.aclose()
    assert len(made) == 1
    _auto._certificates.cache_clear()  # pyright: ignore[reportPrivateUsage]


async def test_a_body_that_never_ends_after_closing_is_left_alone() -> None:
    """Some transport may hand out bytes even when closed: closing still ends."""

    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncGenerator[bytes]:
            while True:
                await anyio.sleep(0.001)
                yield b"x"

        async def aclose(self) -> None:
            pass

    def endless(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Endless())

    coze = AsyncCoze(
        "pat_x", base_url=URL, transport=httpx.MockTransport(endless), timeouts=Timeouts(total=5.0, first_event=None)
    )
    stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
    with anyio.move_on_after(0.01):
        await anext(stream)
    await stream.aclose()


def test_a_recording_can_be_cut_anywhere_without_losing_a_byte_or_its_time() -> None:
    recorded: Recording = stream_of((1.0, b"abc"), (2.0, b"defg"))
    assert recorded.cut([2, 5]).pieces == (Piece(1.0, b"ab"), Piece(2.0, b"cde"), Piece(2.0, b"fg"))
    assert recorded.by_bytes().body == recorded.whole().body == b"abcdefg"
    assert stream_of().cut([1]).pieces == ()


async def test_a_hook_of_the_users_client_may_read_the_answer() -> None:
    async def read(response: httpx.Response) -> None:
        await response.aread()

    answer = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 22\r\n\r\n{"code":0,"data":null}'
    async with (
        silent_port(answer) as url,
        httpx.AsyncClient(event_hooks={"response": [read]}) as http,
        AsyncCoze("pat_x", base_url=url, http_client=http, retry=Retry.none()) as coze,
    ):
        assert await coze.chat.messages.list(conversation_id="7", chat_id="9") == []
