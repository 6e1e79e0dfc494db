"""What holds for every road to a server: our own transport on asyncio, an HTTP client on trio, httpx2."""

import gc
import gzip
import logging
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import httpx
import httpx2
import pytest
from answering import Answers, answer, chat, event_stream
from raw_http import Visitor, saying, serving
from replaying import ReplayTransport, stream_of

from coze_async import (
    APIError,
    AsyncCoze,
    AuthenticationError,
    ConfigurationError,
    CozeError,
    DecodeError,
    Limits,
    NotFoundError,
    OAuthToken,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    ServerError,
    StreamInterruptedError,
    StreamProtocolError,
    Timeouts,
    TransportError,
)
from coze_async._envelope import redirect_of
from coze_async._retry import retry_after
from coze_async._token_endpoint import token_endpoint
from coze_async._wire import WireRequest, read_whole
from coze_async._wire._fast._cookies import Cookies

CHAT = b'{"code":0,"data":{"id":"7500000000000000001","conversation_id":"7","status":"completed"}}'
OTHER = CHAT.replace(b"0001", b"0002")
EVENTS = b'event:conversation.chat.completed\ndata:{"id":"9","conversation_id":"7"}\n\nevent:done\ndata:"[DONE]"\n\n'
FOREVER = Timeouts(connect=None, first_event=None, idle=None, write=None, pool=None)


def http(body: bytes, kind: str = "application/json", status: bytes = b"200 OK", more: bytes = b"") -> bytes:
    head = b"HTTP/1.1 %b\r\nContent-Type: %b\r\n%bContent-Length: %d\r\n\r\n"
    return head % (status, kind.encode(), more, len(body)) + body


GOOD = http(CHAT)
STREAM = http(EVENTS, "text/event-stream")


def coze_at(url: str, **options: Any) -> AsyncCoze:
    settings: dict[str, Any] = {"timeouts": FOREVER, "retry": Retry.none(), "limits": Limits.none(), **options}
    return AsyncCoze("pat_x", base_url=url, **settings)


async def retrieve(coze: AsyncCoze) -> str:
    return (await coze.chat.retrieve(conversation_id="7", chat_id="7500000000000000001")).id


async def ask(coze: AsyncCoze) -> str:
    return (await coze.chat.ask("Hi", bot_id="b", user_id="u")).chat_id


# --- which answers leave a connection that can be used again ----------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "bad", "kind"),
    [
        (retrieve, http(b'{"code":4000,"msg":"no"}', status=b"400 Bad Request"), APIError),
        (retrieve, http(b'{"code":5000,"msg":"no"}', status=b"500 Internal Server Error"), APIError),
        (retrieve, http(b"<html>", "text/html", b"504 Gateway Timeout"), APIError),
        (retrieve, http(b"<html>", "text/html"), DecodeError),
        (retrieve, http(b"hello", "text/plain"), DecodeError),
        (retrieve, b"HTTP/1.1 204 No Content\r\n\r\n", DecodeError),
        (retrieve, http(b"", "application/json"), DecodeError),
        (retrieve, http(OTHER), TransportError),
        (ask, http(CHAT), DecodeError),
        (ask, http(b"", "text/event-stream"), StreamInterruptedError),
        (ask, http(b": nothing\n\n", "text/event-stream"), StreamInterruptedError),
        (ask, http(b"<html>hello", "text/event-stream"), StreamProtocolError),
        (ask, http(b"event:conversation.chat.created\ndata:{oops\n\n", "text/event-stream"), StreamProtocolError),
        (ask, http(b"event:error\ndata:{}\n\n", "text/event-stream"), APIError),
        (
            ask,
            http(EVENTS.partition(b"event:done")[0].replace(b"completed", b"created"), "text/event-stream"),
            CozeError,
        ),
    ],
)
async def test_an_answer_that_is_not_what_was_asked_for_costs_its_connection(
    call: Callable[[AsyncCoze], Any], bad: bytes, kind: type[CozeError]
) -> None:
    async with serving(saying(bad, GOOD)) as server, coze_at(server.url) as coze:
        with pytest.raises(kind):
            await call(coze)
        assert server.connections == 1
    async with serving(answering(bad, GOOD)) as server, coze_at(server.url) as coze:
        with pytest.raises(kind):
            await call(coze)
        assert await retrieve(coze) == "7500000000000000001"
        assert server.connections == 2


def answering(*answers: bytes) -> Callable[[Visitor], Any]:
    """Give the answers one after the other, whichever connection asks."""
    left = [*answers]

    async def script(visitor: Visitor) -> None:
        while left:
            await visitor.request()
            await visitor.send(left.pop(0))
        await visitor.gone()

    return script


async def test_whole_answers_of_the_expected_kind_share_a_connection() -> None:
    # A refusal that comes with HTTP 200 is an answer like any other.
    refused = http(b'{"code":4101,"msg":"no"}')
    async with serving(saying(GOOD, STREAM, refused, STREAM, GOOD)) as server, coze_at(server.url) as coze:
        assert await retrieve(coze) == "7500000000000000001"
        assert await ask(coze) == "9"
        with pytest.raises(APIError):
            await retrieve(coze)
        assert await ask(coze) == "9"
        assert await retrieve(coze) == "7500000000000000001"
        assert server.connections == 1


SURPLUS = pytest.mark.parametrize(
    "surplus", [GOOD, STREAM, http(b"", status=b"504 Gateway Timeout"), b"garbage\r\n\r\n"]
)


@SURPLUS
async def test_a_surplus_answer_that_comes_while_nobody_asks_reaches_no_other_caller(surplus: bytes) -> None:
    steps = [anyio.Event() for _ in range(6)]

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(GOOD)
        await steps[2 * visitor.number - 2].wait()
        await visitor.send(surplus)
        steps[2 * visitor.number - 1].set()
        await visitor.gone()

    async with serving(script) as server, coze_at(server.url) as coze:
        for number in range(1, 4):
            assert await retrieve(coze) == "7500000000000000001"
            assert server.connections == number
            steps[2 * number - 2].set()
            await steps[2 * number - 1].wait()


@SURPLUS
async def test_a_surplus_answer_in_the_same_piece_reaches_no_other_caller(
    surplus: bytes, anyio_backend_name: str
) -> None:
    if anyio_backend_name == "trio":
        pytest.skip("httpcore keeps what comes in the same piece for the next request, and nobody can look there")
    async with serving(saying(GOOD + surplus)) as server, coze_at(server.url) as coze:
        for number in range(1, 4):
            assert await retrieve(coze) == "7500000000000000001"
            assert server.connections == number


async def test_a_stream_that_only_ends_is_empty_and_costs_its_connection() -> None:
    """It may be the surplus end of another answer."""
    done = http(b'event:done\ndata:"[DONE]"\n\n', "text/event-stream")
    async with serving(answering(done, STREAM)) as server, coze_at(server.url) as coze:
        assert await ask(coze) == ""
        assert await ask(coze) == "9"
        assert server.connections == 2


async def test_an_answer_about_another_chat_is_asked_for_again_over_another_connection() -> None:
    async with serving(answering(http(OTHER), GOOD)) as server, coze_at(server.url, retry=Retry(initial=0.0)) as coze:
        assert await retrieve(coze) == "7500000000000000001"
        assert server.connections == 2


async def test_messages_of_another_chat_are_not_handed_out() -> None:
    listed = b'{"code":0,"data":[{"id":"1","chat_id":"7500000000000000002","type":"answer","content":"secret"}]}'
    coze = AsyncCoze("pat_x", transport=Answers(answer(content=listed)), retry=Retry.none())
    with pytest.raises(TransportError, match="is about the chat 7500000000000000002") as caught:
        await coze.chat.messages.list(conversation_id="7", chat_id="7500000000000000001")
    assert "secret" not in str(caught.value)


# --- size -------------------------------------------------------------------------------------------------------------


def bomb(size: int, beginning: bytes = b"") -> bytes:
    """A gzip of so many bytes, made a step at a time."""
    packer = zlib.compressobj(9, wbits=31)
    step = b"y" * (1 << 20)
    return packer.compress(beginning) + b"".join(packer.compress(step) for _ in range(size >> 20)) + packer.flush()


def packed(body: bytes, coding: str) -> httpx.Response:
    headers = {"content-type": "application/json", "content-encoding": coding}
    return httpx.Response(200, headers=headers, stream=_Bytes(body))


class _Bytes(httpx.AsyncByteStream):
    """A body that httpx has not read yet."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        for piece in self._pieces:
            yield piece


def coze_over(response: httpx.Response, **options: Any) -> AsyncCoze:
    return AsyncCoze(
        "pat_x",
        base_url="http://coze.example",
        transport=httpx.MockTransport(lambda _: response),
        retry=Retry.none(),
        **options,
    )


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP", "deflate", "identity", "", "raw deflate"])
async def test_a_compressed_answer_is_unpacked(coding: str) -> None:
    bare = zlib.compressobj(wbits=-15)
    body = {
        "gzip": gzip.compress(CHAT),
        "deflate": zlib.compress(CHAT),
        "raw deflate": bare.compress(CHAT) + bare.flush(),
        "identity": CHAT,
        "": CHAT,
    }[coding.lower().removeprefix("x-")]
    assert await retrieve(coze_over(packed(body, coding.removeprefix("raw ")))) == "7500000000000000001"


async def test_a_compressed_answer_is_the_same_wherever_it_is_cut() -> None:
    large = CHAT[:-1] + b',"detail":{"text":"' + b"x" * 200_000 + b'"}}'
    body = gzip.compress(large)
    for cut in (1, 10, 11, len(body) // 2, len(body) - 1):
        headers = {"content-type": "application/json", "content-encoding": "gzip"}
        response = httpx.Response(200, headers=headers, stream=_Bytes(body[:cut], body[cut:]))
        assert await retrieve(coze_over(response)) == "7500000000000000001"


@pytest.mark.parametrize(
    ("body", "words"),
    [(gzip.compress(CHAT)[:-9], "ended too early"), (b"\x1f\x8b" + b"x" * 20, "is damaged"), (b"{}", "is damaged")],
    ids=["cut", "rubbish", "plain"],
)
async def test_a_damaged_compressed_answer_is_a_transport_error(body: bytes, words: str) -> None:
    with pytest.raises(TransportError, match=words):
        await retrieve(coze_over(packed(body, "gzip")))


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "br, " * 100 + "br"])
async def test_an_encoding_that_was_not_asked_for_is_an_error_that_names_it(coding: str) -> None:
    with pytest.raises(DecodeError, match=r"compressed with '.*only gzip, deflate was asked for"):
        await retrieve(coze_over(packed(CHAT, coding)))


@pytest.mark.parametrize("coding", ["gzip", ""])
async def test_an_answer_larger_than_allowed_is_refused_before_it_fills_the_memory(coding: str) -> None:
    taken = 0

    class Endless(httpx.AsyncByteStream):
        is_closed = False

        async def aclose(self) -> None:
            self.is_closed = True

        async def __aiter__(self) -> AsyncGenerator[bytes]:
            nonlocal taken
            packer = zlib.compressobj(wbits=31)
            while not self.is_closed:
                taken += 1 << 20
                step = b"y" * (1 << 20)
                yield packer.compress(step) + packer.flush(zlib.Z_SYNC_FLUSH) if coding else step

    headers = {"content-type": "application/json"} | ({"content-encoding": coding} if coding else {})
    coze = coze_over(httpx.Response(200, headers=headers, stream=Endless()), max_body=5 << 20)
    with pytest.raises(DecodeError, match=r"larger than 5242880 bytes.*max_body") as caught:
        await retrieve(coze)
    assert taken <= 7 << 20
    assert len(str(caught.value)) + len(caught.value.body) < 2000


async def test_a_small_answer_that_unpacks_to_gigabytes_does_not_stop_the_loop() -> None:
    """Case E3: 450 MB from a few hundred KB; with an event loop that goes on meanwhile."""
    body = bomb(450 << 20)
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        with pytest.raises(DecodeError, match="larger than"):
            await retrieve(coze_over(packed(body, "gzip")))
        tasks.cancel_scope.cancel()
    # A turn of all tasks for each 64 KiB of the 16 MiB that are allowed.
    assert turns >= 200


async def test_a_stream_that_unpacks_to_gigabytes_lets_other_tasks_run_and_is_given_up() -> None:
    headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
    beginning = b"event:conversation.message.delta\ndata:" + b'{"id":"m","type":"answer","content":"Hi"}\n\n'
    response = httpx.Response(200, headers=headers, stream=_Bytes(bomb(450 << 20, beginning + b"data: ")))
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        stream = coze_over(response).chat.stream("Hi", bot_id="b", user_id="u")
        with pytest.raises(StreamProtocolError, match="more than 16777216 bytes"):
            await stream.result()
        tasks.cancel_scope.cancel()
    assert turns >= 200


async def test_of_a_large_error_page_only_the_beginning_is_looked_at() -> None:
    """Case E2: patterns that search a page take quadratic time."""
    for page in (b"<a" * (1 << 20), b"<title" * (1 << 19), b"<title>x" + b"y" * (3 << 20)):
        headers = {"content-type": "text/html"}
        began = time.perf_counter()
        with pytest.raises(APIError) as caught:
            await retrieve(coze_over(httpx.Response(502, headers=headers, stream=_Bytes(page))))
        assert len(str(caught.value)) < 2000
        assert time.perf_counter() - began < 5.0


async def test_a_secret_in_a_large_answer_is_not_shown() -> None:
    page = b"x" * 300 + b" pat_secret_of_somebody " + b"y" * (1 << 20)
    for status in (200, 502):
        with pytest.raises(CozeError) as caught:
            await retrieve(coze_over(httpx.Response(status, headers={"content-type": "text/html"}, content=page)))
        assert "pat_secret" not in str(caught.value)
        assert "more characters" in str(caught.value)


@pytest.mark.parametrize("most", [0, -1, "16", None, True, 1.5])
def test_a_size_that_cannot_be_right_is_refused(most: Any) -> None:
    with pytest.raises(ConfigurationError, match="max_body"):
        AsyncCoze("pat_x", max_body=most)


# --- time -------------------------------------------------------------------------------------------------------------


async def test_an_answer_that_comes_in_drops_is_given_up_in_time() -> None:
    """Case E12: a byte each 0.4 s with `idle=1`."""
    drops = [(0.4 * n, CHAT[n : n + 1]) for n in range(1, 60)]
    transport = ReplayTransport(stream_of(*drops, headers={"content-type": "application/json"}, endless=True))
    coze = AsyncCoze("pat_x", transport=transport, timeouts=Timeouts(idle=1.0), retry=Retry.none())
    with pytest.raises(RequestTimeoutError, match=r"within 1 s \(Timeouts.idle\)") as caught:
        await retrieve(coze)
    assert caught.value.timeout == "idle"
    assert anyio.current_time() == pytest.approx(1.0)
    assert transport.open_bodies == 0


# --- headers ----------------------------------------------------------------------------------------------------------

ABSURD = [
    "Wed, 21 Oct 2015 07:28:00 -9999999999",
    "Wed, 21 Oct 2015 07:28:00 +99999",
    "Wed, 21 Oct 99999 07:28:00 GMT",
    "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359",
    "99999999999999999999999",
    "1e400",
    "nan",
    "-1",
    "²",
    "0" * 5000,
    "9" * 5000,
    "",
    "\x00",
]


@pytest.mark.parametrize("value", ABSURD)
def test_no_value_of_retry_after_is_an_error(value: str) -> None:
    seconds = retry_after({"retry-after": value})
    assert seconds is None or 0.0 <= seconds < float("inf")


@pytest.mark.parametrize("value", [value for value in ABSURD if "\x00" not in value and value.isascii()])
async def test_no_header_of_a_server_is_an_error(value: str) -> None:
    names = ("retry-after", "date", "x-tt-logid", "content-type", "set-cookie", "location", "age")
    coze = coze_over(answer(content=CHAT, headers=dict.fromkeys(names, value)))
    assert await retrieve(coze) == "7500000000000000001"
    refused = answer({"code": 4200, "msg": "no"}, headers=dict.fromkeys(names, value))
    with pytest.raises(NotFoundError):
        await retrieve(coze_over(refused))


@pytest.mark.parametrize("value", ABSURD)
async def test_no_length_of_a_download_is_an_error(value: str) -> None:
    headers = [(b"content-type", b"audio/mpeg"), (b"content-length", value.encode())]
    coze = coze_over(httpx.Response(200, headers=headers, stream=_Bytes(b"sound")))
    download = await coze.audio.speech.create(input="Hi", voice_id="1")
    assert download.size is None or download.size >= 0
    assert await download.read() == b"sound"


@pytest.mark.parametrize("date", [value for value in ABSURD if value.isascii()])
@pytest.mark.parametrize("expires_in", [900, "900", 900.5, "soon", None, [], 1e300, -5, float("inf")])
async def test_a_token_that_was_given_is_not_lost(date: str, expires_in: Any) -> None:
    """The one before may be void already."""
    given = {"access_token": "czu_new", "refresh_token": "czr_new", "expires_in": expires_in}
    response = answer(content=str(given).replace("'", '"').replace("None", "null").replace("inf", "1e999").encode())
    response.headers["date"] = date
    async with token_endpoint("http://coze.example", Answers(response)) as endpoint:
        granted = await endpoint.token("/api/permission/oauth2/token", {})
    assert isinstance(granted.token, OAuthToken)
    assert (granted.token.access_token, granted.token.refresh_token) == ("czu_new", "czr_new")


# --- redirects --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_client_that_follows_redirects_takes_nothing_to_another_server(status: int) -> None:
    """Case E6: the message and the credentials would go there, and its answer would be returned."""
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.host)
        if request.url.host == "coze.example":
            return httpx.Response(status, headers={"location": "https://evil.example/v3/chat?x=1"})
        return chat()

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle), follow_redirects=True)
    async with client, coze_at("http://coze.example", http_client=client) as coze:
        for call in (retrieve, ask):
            with pytest.raises(ConfigurationError, match=r"redirected to https://evil\.example.*Set base_url"):
                await call(coze)
    assert set(asked) == {"coze.example"}


async def test_a_client_that_follows_redirects_may_do_so_within_its_server() -> None:
    asked: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if not request.url.path.startswith("/moved"):
            return httpx.Response(307, headers={"location": f"/moved{request.url.path}"})
        return answer(content=CHAT)

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle), follow_redirects=True)
    async with client, coze_at("http://coze.example", http_client=client) as coze:
        assert await retrieve(coze) == "7500000000000000001"
    assert asked == ["/v3/chat/retrieve", "/moved/v3/chat/retrieve"]


async def test_redirects_in_a_circle_end() -> None:
    circle = httpx.MockTransport(lambda request: httpx.Response(307, headers={"location": str(request.url)}))
    client = httpx.AsyncClient(transport=circle, follow_redirects=True)
    async with client, coze_at("http://coze.example", http_client=client) as coze:
        with pytest.raises(APIError, match="redirected to"):
            await retrieve(coze)


# --- the user's own client --------------------------------------------------------------------------------------------


async def test_a_hook_may_read_a_compressed_answer_or_a_whole_stream() -> None:
    async def read(response: httpx.Response) -> None:
        await response.aread()

    def handle(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("retrieve"):
            return packed(gzip.compress(CHAT), "gzip")
        return event_stream(EVENTS.decode())

    client = httpx.AsyncClient(transport=httpx.MockTransport(handle), event_hooks={"response": [read]})
    async with client, coze_at("http://coze.example", http_client=client) as coze:
        assert await retrieve(coze) == "7500000000000000001"
        assert await ask(coze) == "9"


async def test_a_hook_that_uses_a_stream_up_is_a_transport_error() -> None:
    async def use_up(response: httpx.Response) -> None:
        async for _ in response.aiter_raw():
            pass

    handle = httpx.MockTransport(lambda _: packed(gzip.compress(CHAT), "gzip"))
    client = httpx.AsyncClient(transport=handle, event_hooks={"response": [use_up]})
    async with client, coze_at("http://coze.example", http_client=client) as coze:
        with pytest.raises(CozeError):
            await retrieve(coze)


async def test_a_client_of_httpx2_is_taken(caplog: pytest.LogCaptureFixture) -> None:
    asked: list[str] = []

    def handle(request: Any) -> Any:
        asked.append(f"{request.method} {request.url.path}")
        if request.url.path.endswith("upload"):
            return httpx2.Response(200, json={"code": 0, "data": {"id": "1"}})
        if request.url.path.endswith("retrieve"):
            return httpx2.Response(200, content=CHAT, headers={"content-type": "application/json"})
        return httpx2.Response(200, content=EVENTS, headers={"content-type": "text/event-stream"})

    client = httpx2.AsyncClient(transport=httpx2.MockTransport(handle))
    with caplog.at_level(logging.INFO):
        async with client, coze_at("http://coze.example", http_client=client) as coze:
            assert await retrieve(coze) == "7500000000000000001"
            assert await ask(coze) == "9"
            assert (await coze.files.upload(b"%PDF-1", name="a.pdf")).id == "1"
    assert asked == ["GET /v3/chat/retrieve", "POST /v3/chat", "POST /v1/files/upload"]
    assert "HTTP Request" in caplog.text
    assert "chat_id=" not in caplog.text


@pytest.mark.parametrize("name", ["ConnectError", "ConnectTimeout", "ReadError", "PoolTimeout", "RemoteProtocolError"])
async def test_errors_of_httpx2_are_translated_like_those_of_httpx(name: str) -> None:
    def told(module: Any) -> Any:
        def fail(_: Any) -> Any:
            raise getattr(module, name)("reason")

        return module.AsyncClient(transport=module.MockTransport(fail))

    errors: list[CozeError] = []
    for module in (httpx, httpx2):
        async with told(module) as client, coze_at("http://coze.example", http_client=client) as coze:
            with pytest.raises(TransportError) as caught:
                await retrieve(coze)
            errors.append(caught.value)
    one, other = errors
    assert (type(one), str(one), vars(one)) == (type(other), str(other), vars(other))


ALIASED = """
import httpx2
httpx2.alias_httpx()
import anyio, logging
logging.basicConfig(level="INFO", format="%(name)s %(message)s")
from coze_async import AsyncCoze
from coze_async.emulator import Emulator

async def main():
    emulator = Emulator()
    async with AsyncCoze("pat_x", transport=emulator.transport()) as coze:
        chat = await coze.chat.create("Hi", bot_id="1", user_id="u")
        await coze.chat.retrieve(conversation_id=chat.conversation_id, chat_id=chat.id)
        print((await coze.chat.ask("Hi", bot_id="1", user_id="u")).text)

anyio.run(main)
"""


def test_a_program_that_puts_httpx2_in_the_place_of_httpx_works_and_logs_no_ids() -> None:
    done = subprocess.run([sys.executable, "-c", ALIASED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip()
    assert "HTTP Request" in done.stderr
    assert "chat_id=" not in done.stderr


# --- event loops ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_that_another_running_loop_uses_is_refused_at_once(backend: str) -> None:
    """Case B1: the second loop waited for ever."""
    coze = AsyncCoze("pat_x", transport=httpx.MockTransport(lambda _: answer(content=CHAT)))
    is_used, may_end = threading.Event(), threading.Event()
    errors: list[BaseException] = []

    async def use() -> None:
        await retrieve(coze)
        is_used.set()
        await anyio.to_thread.run_sync(may_end.wait, 10)

    first = threading.Thread(target=lambda: anyio.run(use, backend=backend), name="the first one")
    first.start()
    assert is_used.wait(10)

    async def use_too() -> None:
        for call in (retrieve, ask):
            with pytest.raises(RuntimeError, match="by the event loop of the thread 'the first one'") as caught:
                await call(coze)
            errors.append(caught.value)

    anyio.run(use_too, backend=backend)
    may_end.set()
    first.join(10)
    assert len(errors) == 2
    # When the first one is over, its client serves the next.
    assert anyio.run(retrieve, coze, backend=backend) == "7500000000000000001"


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_client_serves_one_loop_after_another_in_any_thread(backend: str) -> None:
    coze = AsyncCoze("pat_x", transport=httpx.MockTransport(lambda _: answer(content=CHAT)))
    found: list[str] = []
    go, gone = threading.Event(), threading.Event()

    def first() -> None:
        found.append(anyio.run(retrieve, coze, backend=backend))
        gone.set()
        # The thread lives on, as in a pool.
        go.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    assert gone.wait(10)
    for other in ("asyncio", "trio"):
        found.append(anyio.run(retrieve, coze, backend=other))
    go.set()
    thread.join(10)
    assert found == ["7500000000000000001"] * 3


async def test_a_client_says_once_which_road_it_takes_and_why(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, "coze_async"):
        coze = AsyncCoze("pat_x", transport=Answers(answer(content=CHAT)))
        for _ in range(3):
            await retrieve(coze)
    told = [record.getMessage() for record in caplog.records if "go over" in record.getMessage()]
    assert told == ["requests to https://api.coze.cn go over an HTTP client: transport was given"]


# --- leaving ----------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def counted(most: int) -> AsyncGenerator[tuple[AsyncCoze, list[int]]]:
    """A client of one chat at a time, and how many streams its server saw open."""
    seen: list[int] = [0, 0]

    class Open(httpx.AsyncByteStream):
        async def __aiter__(self) -> AsyncGenerator[bytes]:
            yield b'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7"}\n\n'
            await anyio.sleep_forever()

        async def aclose(self) -> None:
            # A close that takes its time, as over TLS.
            await anyio.sleep(0.5)
            seen[0] -= 1

    def handle(_: httpx.Request) -> httpx.Response:
        seen[0] += 1
        seen[1] = max(seen)
        return httpx.Response(200, headers={"content-type": "text/event-stream"}, stream=Open())

    limits = Limits(chat=None, chats_at_once=most)
    async with AsyncCoze("pat_x", transport=httpx.MockTransport(handle), limits=limits) as coze:
        yield coze, seen


@pytest.mark.parametrize("how", ["aclose", "cancel", "abandon"])
async def test_a_place_is_given_back_after_its_connection_is_closed(how: str) -> None:
    """Case A25: 8 streams were open where 4 are allowed."""
    async with counted(4) as (coze, seen):

        async def one() -> None:
            stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
            if how == "cancel":
                with anyio.move_on_after(1.0):
                    await stream.result()
                return
            await anext(stream)
            await anyio.sleep(1.0)
            if how == "aclose":
                await stream.aclose()

        async with anyio.create_task_group() as tasks:
            for _ in range(16):
                tasks.start_soon(one)
        gc.collect()
        await anyio.sleep(5.0)
        assert seen == [0, 4]
        limiter: Any = coze._session.limiter  # pyright: ignore[reportPrivateUsage]
        assert limiter._places == {}


async def test_nothing_is_left_of_a_request_that_is_cancelled_while_it_is_sent() -> None:
    """trio warns of each generator that is left, and warnings are errors here."""

    async def endless() -> AsyncGenerator[bytes]:
        while True:
            yield b"x" * 100_000

    async def ask_much(coze: AsyncCoze) -> None:
        await coze.chat.ask("x" * 20_000_000, bot_id="b", user_id="u")

    async def upload(coze: AsyncCoze) -> None:
        await coze.files.upload(endless(), name="a.zip")

    async def upload_bytes(coze: AsyncCoze) -> None:
        await coze.files.upload(b"PK" * 20_000_000, name="a.zip")

    for call in (ask_much, upload, upload_bytes):
        # Nobody reads what is sent here.
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
            async with coze_at(url) as coze, anyio.create_task_group() as tasks:
                tasks.start_soon(call, coze)
                for _ in range(100):
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        gc.collect()


async def test_closing_the_client_is_named_by_a_stream_that_is_being_read() -> None:
    begin = b'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7"}\n\n'

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 1000\r\n\r\n"
        await visitor.send(head + begin)
        await visitor.gone()

    async with serving(script) as server:
        coze = coze_at(server.url)
        stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
        await anext(stream)
        async with anyio.create_task_group() as tasks:

            async def read_on() -> None:
                with pytest.raises(StreamInterruptedError, match="client was closed while the stream was being read"):
                    await stream.result()

            tasks.start_soon(read_on)
            await anyio.lowlevel.checkpoint()
            await coze.aclose()


async def test_a_connection_that_is_closed_without_a_word_is_not_used_again() -> None:
    """What is read to its end and not accepted may be out of step."""
    async with serving(answering(GOOD, GOOD)) as server, coze_at(server.url) as coze:
        wire = coze._session.wire  # pyright: ignore[reportPrivateUsage]
        wire.check()
        request = WireRequest("GET /x", "GET", "/x", {})
        for number in (1, 2):
            response = await wire.send(request, FOREVER, None, None)
            await read_whole(response, 1 << 20)
            await response.aclose()
            assert server.connections == number


# --- what a review has found ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [0.0, 0.4])
async def test_a_body_that_goes_on_behind_its_end_is_left_in_time(gap: float) -> None:
    """A comment each 0.4 s held a finished stream, its connection and its place for as long as the server liked."""
    comments = [(gap * n, b": and on\n\n") for n in range(1, 200)]
    transport = ReplayTransport(stream_of(EVENTS, *comments, endless=True))
    coze = AsyncCoze("pat_x", transport=transport, limits=Limits(chats_at_once=1))
    await coze.chat.ask("Hi", bot_id="b", user_id="u")
    assert anyio.current_time() <= 1.5
    assert transport.open_bodies == 0
    assert coze.limits.statistics().in_flight == 0


async def test_closing_a_stream_that_is_being_drained_frees_it() -> None:
    transport = ReplayTransport(stream_of(EVENTS, endless=True))
    coze = AsyncCoze("pat_x", transport=transport, limits=Limits(chats_at_once=1))
    stream = coze.chat.stream("Hi", bot_id="b", user_id="u")
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(stream.result)
        await anyio.sleep(0.5)
        await stream.aclose()
        assert transport.open_bodies == 0
        assert coze.limits.statistics().in_flight == 0
    assert anyio.current_time() < 0.7
    assert (await stream.result()).chat_id == "9"


async def test_a_foreign_stream_is_no_run_of_a_workflow_that_keeps_its_connection() -> None:
    foreign = http(b'event:conversation.chat.created\ndata:{"id":"9"}\n\nevent:done\ndata:{}\n\n', "text/event-stream")
    async with serving(answering(foreign, GOOD)) as server, coze_at(server.url) as coze:
        await coze.workflows.stream(workflow_id="w").result()
        assert await retrieve(coze) == "7500000000000000001"
        assert server.connections == 2


async def test_a_stream_about_another_chat_than_the_one_asked_about_is_refused() -> None:
    other = EVENTS.replace(b'"id":"9"', b'"id":"7500000000000000002"')
    async with serving(answering(http(other, "text/event-stream"), GOOD)) as server, coze_at(server.url) as coze:
        stream = coze.chat.submit_tool_outputs_stream(
            conversation_id="7", chat_id="7500000000000000001", tool_outputs=[]
        )
        with pytest.raises(StreamProtocolError, match="is about the chat 7500000000000000002"):
            await stream.result()
        assert await retrieve(coze) == "7500000000000000001"
        assert server.connections == 2


async def test_a_file_without_content_costs_its_connection_and_no_content_is_no_file() -> None:
    nothing = b"HTTP/1.1 204 No Content\r\n\r\n"
    empty = http(b"", "audio/mpeg")
    async with serving(answering(nothing, empty, GOOD)) as server, coze_at(server.url) as coze:
        with pytest.raises(DecodeError):
            await coze.audio.speech.create(input="Hi", voice_id="1")
        assert await (await coze.audio.speech.create(input="Hi", voice_id="1")).read() == b""
        assert await retrieve(coze) == "7500000000000000001"
        assert server.connections == 3


@pytest.mark.parametrize("name", ["Content-Length", "transfer-encoding"])
async def test_a_caller_cannot_frame_the_body(name: str) -> None:
    async with serving(saying(STREAM)) as server, coze_at(server.url, headers={name: "3"}) as coze:
        with pytest.raises(ConfigurationError, match="frames the body"):
            await ask(coze)


async def test_a_host_of_the_callers_own_is_sent_once() -> None:
    asked: list[bytes] = []

    async def script(visitor: Visitor) -> None:
        asked.append(await visitor.request())
        await visitor.send(GOOD)
        await visitor.gone()

    async with serving(script) as server, coze_at(server.url, headers={"host": "coze.internal"}) as coze:
        await retrieve(coze)
    assert asked[0].lower().count(b"\r\nhost: ") == 1
    assert b"coze.internal" in asked[0]


async def test_a_host_that_cannot_be_is_a_configuration_error() -> None:
    for url in ("http://a..b.test", f"http://{'a' * 64}.test"):
        async with coze_at(url) as coze:
            with pytest.raises((ConfigurationError, TransportError)):
                await retrieve(coze)


async def test_a_small_answer_of_many_values_does_not_stop_the_loop() -> None:
    many = b'{"code":0,"data":[' + b"{}," * 4_000_000 + b"{}]}"
    began = time.perf_counter()
    with pytest.raises(DecodeError, match="more than 500000 values"):
        await retrieve(coze_over(packed(gzip.compress(many, 1), "gzip")))
    assert time.perf_counter() - began < 5.0


async def test_a_flood_during_an_upload_stops_the_server_and_not_the_memory() -> None:
    taken = 0

    async def script(visitor: Visitor) -> None:
        nonlocal taken
        await visitor.stream.receive(1000)
        await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        with anyio.move_on_after(1.0):
            while True:
                await visitor.send(b"x" * 65536)
                taken += 65536

    async with serving(script) as server, coze_at(server.url, timeouts=Timeouts(write=2.0)) as coze:
        with pytest.raises(CozeError):
            await coze.files.upload(b"PK" * 30_000_000, name="a.zip")
    assert taken < 30 << 20


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_download_that_another_task_closes_is_not_saved_as_whole(tmp_path: Path) -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 1000\r\n\r\n" + b"x" * 300)
        await visitor.gone()

    async with serving(script) as server, coze_at(server.url) as coze:
        download = await coze.audio.speech.create(input="Hi", voice_id="1")

        async def save() -> None:
            with pytest.raises(CozeError):
                await download.save(tmp_path / "a.mp3")

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(save)
            for _ in range(50):
                await anyio.lowlevel.checkpoint()
            await download.aclose()
    assert files_in(tmp_path) == []


async def test_a_connection_whose_answer_is_of_another_kind_is_not_used_again() -> None:
    # The server is out of step by one: what it says next is not for whoever asks next.
    other = http(b'{"code":0,"msg":"","data":{"items":[{"bot_id":"1"}]}}')
    async with serving(answering(other, STREAM)) as server, coze_at(server.url, retry=Retry.none()) as coze:
        with pytest.raises(DecodeError):
            await retrieve(coze)
        assert await ask(coze) == "9"
        assert server.connections == 2


@pytest.mark.parametrize(("status", "error"), [(401, AuthenticationError), (429, RateLimitError), (503, ServerError)])
@pytest.mark.parametrize("coding", ["br", "gzip", "zstd", "utf-8"])
async def test_the_status_of_an_error_counts_when_its_body_cannot_be_unpacked(
    status: int, error: type[APIError], coding: str
) -> None:
    headers = {"content-type": "application/json", "content-encoding": coding}
    answer = httpx.Response(status, headers=headers, stream=_Bytes(b"\x8b\x01{not packed"))
    with pytest.raises(error) as caught:
        await retrieve(coze_over(answer))
    assert caught.value.status == status


async def test_a_charset_in_the_place_of_a_coding_is_passed_over() -> None:
    assert await retrieve(coze_over(packed(CHAT, "utf-8"))) == "7500000000000000001"


async def test_a_refusal_in_a_stream_says_how_long_to_wait() -> None:
    refused = b'event: error\ndata: {"code":4013,"msg":"too many"}\n\n'
    headers = {"content-type": "text/event-stream", "retry-after": "7"}
    with pytest.raises(RateLimitError) as caught:
        await ask(coze_over(httpx.Response(200, headers=headers, stream=_Bytes(refused))))
    assert (caught.value.retry_after, caught.value.status) == (7.0, 200)


async def test_an_event_of_very_many_lines_is_refused_before_they_are_read() -> None:
    headers = {"content-type": "text/event-stream"}
    many = b"data: x\n" * 200_000 + b"\n"
    with pytest.raises(StreamProtocolError, match="more than 100000 lines"):
        await ask(coze_over(httpx.Response(200, headers=headers, stream=_Bytes(many))))


def test_a_redirection_to_the_same_server_may_name_its_usual_port() -> None:
    headers = {"location": "https://api.coze.cn:443/v3/chat"}
    assert redirect_of(302, headers, "https://api.coze.cn") is None
    assert redirect_of(302, headers, "https://api.coze.com") == "https://api.coze.cn:443"
    assert redirect_of(302, headers, "http://api.coze.cn") == "https://api.coze.cn:443"


def test_a_cookie_that_cannot_be_sent_does_not_hide_the_others() -> None:
    cookies = Cookies()
    cookies.take("http://coze.example/", [(b"Set-Cookie", b"a=\xff; Path=/"), (b"set-cookie", b"b=2; Path=/")])
    assert cookies.header("http://coze.example/") == "b=2"
