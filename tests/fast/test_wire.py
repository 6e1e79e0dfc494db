"""Which way calls go: over our own wire where nobody would see a difference, and over an HTTP client elsewhere."""

# pyright: reportPrivateUsage=false

import logging
import re
import ssl
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import anyio
import httpcore
import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from raw_http import FOREVER, OK, Server, Visitor, closed, saying, serving

from coze_async import (
    AsyncCoze,
    ConfigurationError,
    Limits,
    MessageDelta,
    RequestTimeoutError,
    Retry,
    StreamProtocolError,
    Timeouts,
)
from coze_async._encoding import path_segment, query_string
from coze_async._wire import AutoWire, WireRequest
from coze_async._wire._auto import _certificates
from coze_async._wire._fast._connection import Connection
from coze_async._wire._fast._wire import FastWire

CHAT = b'{"code":0,"data":{"id":"9","conversation_id":"7","status":"completed"}}'
DONE = b'event:conversation.chat.completed\ndata:{"id":"9","conversation_id":"7"}\n\nevent:done\ndata:"[DONE]"\n\n'
ANSWER = OK + b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(CHAT) + CHAT


def coze_at(server: Server, timeouts: Timeouts = FOREVER, **options: Any) -> AsyncCoze:
    return AsyncCoze(
        "pat_x", base_url=server.url, timeouts=timeouts, retry=Retry.none(), limits=Limits.none(), **options
    )


async def retrieve(coze: AsyncCoze) -> str:
    return (await coze.chat.retrieve(conversation_id="7", chat_id="9")).id


async def sent(
    call: Callable[[AsyncCoze], Any], answer: bytes = ANSWER, **options: Any
) -> tuple[bytes, list[bytes], bytes]:
    """Return the line, the headers and the body of the one request of a call."""
    requests: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        requests.append(await visitor.request())
        await visitor.send(answer)
        await visitor.gone()

    async with serving(script) as server, coze_at(server, **options) as coze:
        await call(coze)
        port = server.url.rpartition(":")[2].encode()
    (request,) = requests
    head, _, body = request.replace(port, b"PORT").partition(b"\r\n\r\n")
    line, *headers = head.split(b"\r\n")
    return line, sorted(headers), body


async def list_with_odd_letters(coze: AsyncCoze) -> object:
    return await coze.conversations.list(bot_id="5 & 杭州+%", page_size=3).first()


async def cancel(coze: AsyncCoze) -> object:
    return await coze.chat.cancel(conversation_id="7", chat_id="杭州")


async def upload(coze: AsyncCoze) -> object:
    return await coze.files.upload(b"content", name="a.pdf")


async def cancel_with_own_headers(coze: AsyncCoze) -> object:
    return await cancel(coze.with_options(headers={"accept-encoding": "identity", "X-More": "1"}))


async def ask(coze: AsyncCoze) -> object:
    return await coze.chat.create("杭州" * 50_000, bot_id="b", user_id="u")


@pytest.mark.parametrize("call", [retrieve, list_with_odd_letters, cancel, upload, cancel_with_own_headers, ask])
async def test_our_own_wire_sends_what_httpx_would_send(call: Callable[[AsyncCoze], Any]) -> None:
    ours = await sent(call)
    async with httpx.AsyncClient() as http:
        theirs = await sent(call, http_client=http)

    def without_boundary(request: tuple[bytes, list[bytes], bytes]) -> object:
        line, headers, body = request
        kept = [header for header in headers if b"boundary=" not in header]
        return line, kept, len(body)

    if b"boundary=" in b"".join(ours[1]):
        assert without_boundary(ours) == without_boundary(theirs)
    else:
        assert ours == theirs


@pytest.mark.parametrize("call", [retrieve, list_with_odd_letters])
async def test_our_own_wire_logs_what_httpx_would_log(
    call: Callable[[AsyncCoze], Any], caplog: pytest.LogCaptureFixture
) -> None:
    """Programs and people look for it there; what was asked is not in it."""
    odd = ANSWER.replace(b"200 OK", b"203 All fine")

    async def logged(**options: Any) -> list[tuple[str, str]]:
        caplog.clear()
        with caplog.at_level(logging.INFO, "httpx"):
            await sent(call, odd, **options)
        return [
            (record.levelname, re.sub(r":\d+/", ":PORT/", record.getMessage()))
            for record in caplog.records
            if record.name == "httpx"
        ]

    ours = await logged()
    async with httpx.AsyncClient() as http:
        assert ours == await logged(http_client=http)
    ((level, line),) = ours
    assert level == "INFO"
    assert re.fullmatch(r'HTTP Request: GET http://127\.0\.0\.1:PORT/v\S+\?\*\*\* "HTTP/1\.1 203 All fine"', line)


async def test_nothing_is_logged_where_nobody_wants_it(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "httpx"):
        await sent(retrieve)
    assert "HTTP Request" not in caplog.text


@given(st.text(min_size=1), st.lists(st.tuples(st.from_regex(r"[a-z_]+", fullmatch=True), st.text())))
def test_what_is_quoted_here_is_an_address_to_httpx(name: str, pairs: list[tuple[str, str]]) -> None:
    try:
        path = path_segment("X.y", "name", name)
    except ConfigurationError:
        # Dots, or half a surrogate pair.
        return
    query = query_string([pair for pair in pairs if pair[1].isprintable()])
    target = f"/v1/{path}?{query}" if query else f"/v1/{path}"
    assert httpx.URL(f"http://a{target}").raw_path == target.encode("ascii")


@pytest.mark.parametrize(
    ("base", "where"), [("", b"; Path=/"), ("", b""), ("/proxy", b""), ("/proxy", b"; Path=/proxy")]
)
async def test_a_cookie_that_a_server_gives_is_given_back(base: str, where: bytes) -> None:
    """Without a path it is for all that lies beside what was asked for."""
    requests: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        for _ in range(2):
            requests.append(await visitor.request())
            await visitor.send(ANSWER.replace(b"Content-Type", b"Set-Cookie: worker=7%b\r\nContent-Type" % where))
        await visitor.gone()

    async with serving(script) as server, coze_at(Server(server.url + base)) as coze:
        await retrieve(coze)
        await retrieve(coze)
    assert b"worker=7" not in requests[0]
    assert b"Cookie: worker=7\r\n" in requests[1]


async def test_a_cookie_of_the_callers_own_is_the_only_one() -> None:
    requests: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        for _ in range(2):
            requests.append(await visitor.request())
            await visitor.send(ANSWER.replace(b"Content-Type", b"Set-Cookie: worker=7; Path=/\r\nContent-Type"))
        await visitor.gone()

    async with serving(script) as server, coze_at(server) as coze:
        await retrieve(coze)
        await retrieve(coze.with_options(headers={"cookie": "own=1"}))
    assert b"worker=7" not in requests[1]
    assert b"cookie: own=1\r\n" in requests[1]


async def test_what_replaces_the_functions_of_httpx_is_asked() -> None:
    """respx, pytest-httpx and tracers put functions of theirs in the place of httpx's."""
    async with serving(saying(ANSWER, ANSWER, ANSWER)) as server, coze_at(server) as coze:
        assert await retrieve(coze) == "9"
        with respx.mock(base_url=server.url) as router:
            router.get("/v3/chat/retrieve").respond(
                json={"code": 0, "data": {"id": "mocked", "conversation_id": "7", "status": "x"}}
            )
            assert await retrieve(coze) == "mocked"
        assert await retrieve(coze) == "9"


@pytest.mark.parametrize(
    ("owner", "name"), [(httpx.AsyncClient, "send"), (httpx.AsyncHTTPTransport, "handle_async_request")]
)
async def test_a_tracer_that_wraps_httpx_sees_every_request(
    owner: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    original = getattr(owner, name)

    async def traced(self: Any, request: httpx.Request, **options: Any) -> httpx.Response:
        seen.append(request.url.path)
        response: httpx.Response = await original(self, request, **options)
        return response

    async with serving(saying(ANSWER, ANSWER)) as server, coze_at(server) as coze:
        await retrieve(coze)
        monkeypatch.setattr(owner, name, traced)
        await retrieve(coze)
    assert seen == ["/v3/chat/retrieve"]


async def test_a_tracer_that_wraps_httpcore_is_seen_also_if_it_comes_after_the_first_request(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[bytes] = []
    original = httpcore.AsyncConnectionPool.handle_async_request

    async def traced(self: Any, request: httpcore.Request) -> httpcore.Response:
        seen.append(request.url.target)
        return await original(self, request)

    async with serving(saying(ANSWER, ANSWER)) as server, coze_at(server) as coze:
        # A program that has loaded httpcore for no other purpose yet.
        with monkeypatch.context() as before:
            before.delitem(sys.modules, "httpcore")
            await retrieve(coze)
        await retrieve(coze)
        monkeypatch.setattr(httpcore.AsyncConnectionPool, "handle_async_request", traced)
        await retrieve(coze)
    assert len(seen) == 1


async def test_a_header_that_would_be_two_is_refused_before_anything_is_sent() -> None:
    async with serving(saying()) as server:
        wire = FastWire(server.url, ssl.create_default_context)
        request = WireRequest("GET /", "GET", "/", {"X-A": "1\r\nX-B: 2"})
        with pytest.raises(ConfigurationError, match="the value of the header 'X-A' holds a line break"):
            await wire.send(request, Timeouts(), None, None)
        await wire.aclose()
    assert server.connections == 0


async def test_with_a_proxy_in_the_environment_httpx_does_all(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        asked.append((await visitor.request()).partition(b"\r\n")[0])
        await visitor.send(ANSWER)
        await visitor.gone()

    reasons: list[str] = []
    original = AutoWire._why_not_fast

    def noting(self: AutoWire) -> str:
        reason = original(self)
        reasons.append(reason)
        return reason

    monkeypatch.setattr(AutoWire, "_why_not_fast", noting)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    async with serving(script) as server:
        monkeypatch.setenv("http_proxy", server.url)
        elsewhere = Server("http://coze.example")
        async with coze_at(elsewhere) as coze:
            assert await retrieve(coze) == "9"
        assert set(reasons) == {"the environment names a proxy"}
        reasons.clear()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        async with coze_at(server) as coze:
            assert await retrieve(coze) == "9"
        assert set(reasons) == {""}
    assert [line.split()[1].partition(b"?")[0] for line in asked] == [
        b"http://coze.example/v3/chat/retrieve",
        b"/v3/chat/retrieve",
    ]


async def test_other_headers_are_sent_by_the_next_call() -> None:
    requests: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        for _ in range(3):
            requests.append(await visitor.request())
            await visitor.send(ANSWER)
        await visitor.gone()

    async with serving(script) as server, coze_at(server) as coze:
        await retrieve(coze)
        await retrieve(coze.with_options(headers={"X-Trace": "1"}))
        await retrieve(coze)
    assert [b"X-Trace: 1\r\n" in request for request in requests] == [False, True, False]


def no_answer(limit: float) -> Any:
    return pytest.raises(RequestTimeoutError, match=rf"no answer within {limit:g} s \(Timeouts.first_event\)")


FIRST_EVENT = Timeouts(connect=50.0, first_event=10.0, idle=20.0, write=50.0)
STREAM = OK + b"Content-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n" % len(DONE) + DONE


async def test_connecting_again_takes_of_the_time_for_the_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    async def connecting(*_: object) -> NoReturn:
        await anyio.sleep_forever()
        raise AssertionError

    async with serving(saying(STREAM)) as server, coze_at(server, timeouts=FIRST_EVENT) as coze:
        await coze.chat.stream("Hi", bot_id="b", user_id="u").result()
        # The server has said farewell, and nobody has heard it yet.
        monkeypatch.setattr(Connection, "is_stale", True)
        monkeypatch.setattr("coze_async._wire._fast._pool.connected_socket", connecting)
        began = anyio.current_time()
        with no_answer(10.0):
            await coze.chat.stream("Hi", bot_id="b", user_id="u").result()
        assert anyio.current_time() - began == pytest.approx(10.0)


async def test_sending_a_long_body_takes_of_the_time_for_the_first_event(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pushing(*_: object) -> None:
        # The server takes it in pieces, each of them soon enough for `write`.
        await anyio.sleep(9.0)

    async with serving(saying(STREAM)) as server, coze_at(server, timeouts=FIRST_EVENT) as coze:
        await coze.chat.stream("Hi", bot_id="b", user_id="u").result()
        monkeypatch.setattr(Connection, "push", pushing)
        began = anyio.current_time()
        with no_answer(10.0):
            await coze.chat.stream("Hi" * 40_000, bot_id="b", user_id="u").result()
        assert anyio.current_time() - began == pytest.approx(10.0)
        assert server.connections == 1


async def test_the_total_time_is_over_for_whoever_never_has_to_wait() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK + b"Content-Type: text/event-stream\r\n\r\n")
        for _ in range(30):
            await visitor.send(b'event:conversation.message.delta\ndata:{"id":"m"}\n\n')
            await anyio.sleep(0.5)
        await visitor.gone()

    async with serving(script) as server, coze_at(server, timeouts=Timeouts(total=5.0)) as coze:
        seen: list[float] = []

        async def read_slowly() -> None:
            async for _ in coze.chat.stream("Hi", bot_id="b", user_id="u"):
                seen.append(anyio.current_time())
                await anyio.sleep(0.7)

        with pytest.raises(RequestTimeoutError, match=r"did not end within 5 s \(Timeouts.total\)"):
            await read_slowly()
        # What was read before is handed out.
        assert seen[-1] - seen[0] < 10.0


@pytest.mark.parametrize("is_watched", [True, False])
async def test_over_a_client_of_ones_own_the_pieces_of_a_stream_come_in_time(*, is_watched: bool) -> None:
    """Whether its transport keeps to time-outs, as httpx's own does, or nobody knows."""

    async def forget(response: httpx.Response) -> None:
        # As from a transport of which nobody knows whether it keeps to time-outs.
        if not is_watched:
            del response.extensions["network_stream"]

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK + b"Content-Type: text/event-stream\r\n\r\n")
        for _ in range(3):
            await visitor.send(b'event:conversation.message.delta\ndata:{"id":"m"}\n\n')
            await anyio.sleep(4.0)
        await visitor.gone()

    timeouts = Timeouts(first_event=5.0, idle=5.0)
    async with (
        serving(script) as server,
        httpx.AsyncClient(event_hooks={"response": [forget]}) as http,
        coze_at(server, timeouts=timeouts, http_client=http) as coze,
    ):
        seen: list[float] = []
        stream = coze.chat.stream("Hi", bot_id="b", user_id="u")

        async def read() -> None:
            async for _ in stream:
                seen.append(anyio.current_time())

        with pytest.raises(RequestTimeoutError, match=r"nothing came within 5 s \(Timeouts.idle\)"):
            await read()
        assert anyio.current_time() - seen[-1] == pytest.approx(5.0, abs=0.2)
        assert len(seen) == 3


async def test_an_event_that_comes_in_pieces_without_an_end_is_given_up() -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        begin = b'event:conversation.message.delta\ndata:{"id":"m"}\n\nevent:done\ndata:'
        await visitor.send(OK + b"Content-Type: text/event-stream\r\n\r\n" + begin)
        for _ in range(1024):
            await visitor.send(b"y" * 4096)

    async with serving(script) as server, coze_at(server, max_body=1 << 20) as coze:
        stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
        assert isinstance(await anext(stream), MessageDelta)
        with pytest.raises(StreamProtocolError, match="more than 1048576 bytes came without the blank line"):
            await stream.result()
        await closed(server, 1)


async def test_whoever_is_cancelled_while_certificates_are_read_can_enter_again() -> None:
    _certificates.cache_clear()
    coze = AsyncCoze("pat_x", base_url="https://127.0.0.1:9")
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with coze:
            raise AssertionError
    async with coze:
        pass
    _certificates.cache_clear()
