"""The client: what it is made from, how long it lives, what its views share."""

import copy
import logging
import os
import pickle
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from answering import Answers, answer, chat, event_stream, refusal

from coze_async import (
    COZE_CN_BASE_URL,
    COZE_COM_BASE_URL,
    AsyncCoze,
    Auth,
    ConfigurationError,
    DecodeError,
    Exchange,
    Limiter,
    Limits,
    LocalLimiter,
    NotFoundError,
    Rate,
    RequestTimeoutError,
    Retry,
    ServerError,
    SessionAuth,
    Slot,
    Timeouts,
    TokenAuth,
    TransportError,
)
from coze_async._wire import _auto  # pyright: ignore[reportPrivateUsage]
from coze_async.emulator import Emulator, Script

URL = "http://coze.example"
STREAM = 'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7"}\n\nevent:done\ndata:"[DONE]"\n\n'


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COZE_API_TOKEN", raising=False)
    monkeypatch.delenv("COZE_API_BASE", raising=False)


async def retrieve(coze: AsyncCoze) -> Any:
    return await coze.chat.retrieve(conversation_id="7", chat_id="9")


# --- construction -----------------------------------------------------------------------------------------------------


def test_making_a_client_opens_no_file_and_no_socket_and_needs_no_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: Any, **_options: Any) -> Any:
        raise AssertionError

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(httpx, "AsyncClient", refuse)
    monkeypatch.setattr(httpx, "create_ssl_context", refuse)
    assert AsyncCoze("pat_x").base_url == "https://api.coze.cn"


def test_importing_the_package_imports_no_event_loop() -> None:
    heavy = {"trio", "asyncio.base_events", "starlette", "uvicorn", "cyclopts"}
    code = f"import coze_async, sys; print(sorted({heavy} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert printed.stdout.strip() == "[]"


# A server that streams one short chat to whoever asks, and a program that asks.
FIRST_CHAT = r"""
import asyncio, sys

CHAT = b'{"id":"9","conversation_id":"7","status":"completed"}'
DELTA = b'{"id":"1","type":"answer","content":"Hi"}'
EVENTS = [(b"conversation.chat.created", CHAT), (b"conversation.message.delta", DELTA), (b"done", b"[DONE]")]
BODY = b"".join(b"event:%b\ndata:%b\n\n" % event for event in EVENTS)
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: %d\r\n\r\n" % len(BODY)

async def answer(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r")[0]))
    writer.write(HEAD + BODY)
    await reader.read()
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    from coze_async import AsyncCoze
    async with AsyncCoze("pat_x", base_url=f"http://127.0.0.1:{port}") as coze:
        before = set(sys.modules)
        from coze_async import ChatCreated, ChatInProgress
        built = ChatCreated.__pydantic_complete__ and ChatInProgress.__pydantic_complete__
        texts = [text async for text in coze.chat.stream("Hello", bot_id="b", user_id="u").text()]
    server.close()
    print(*texts)
    print(*before)
    print(*set(sys.modules) - before)
    print(built)

asyncio.run(main())
"""


def test_a_first_chat_loads_no_more_than_it_needs() -> None:
    env = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    done = subprocess.run([sys.executable, "-c", FIRST_CHAT], capture_output=True, text=True, check=False, env=env)
    text, loaded, late, built = (line.split() for line in done.stdout.splitlines() or [done.stderr])
    assert text == ["Hi"]
    assert "coze_async._wire._fast._connection" in loaded
    # Entering the client has done it all.
    assert not late
    assert built == ["True"]
    # httpcore alone loads trio and its friends, which take as long as all of this package.
    needless = {"httpx", "httpx_sse", "httpcore", "trio", "starlette", "cryptography", "redis"}
    needless |= {f"coze_async.{name}" for name in ("_batch", "_pages", "_upload")}
    assert not needless & {*loaded}


@pytest.mark.parametrize(
    ("proxy", "but_not", "reason"),
    [
        ("gopher://127.0.0.1:70", "", "gopher"),
        ("http://me:se/cret@proxy.example:80", "", "%2F"),
        ("http://127.0.0.1:9", "http://me:se/cret@host.example", "%2F"),
    ],
)
async def test_what_a_client_cannot_be_made_with_is_said_by_its_first_request(
    proxy: str, but_not: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy)
    monkeypatch.setenv("NO_PROXY", but_not)
    async with AsyncCoze("pat_x", base_url="http://studio.example") as coze:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=rf"studio\.example: .*{reason}.*HTTP_PROXY") as caught:
                await retrieve(coze)
            error: BaseException | None = caught.value
            while error is not None:
                # httpx takes what stands before the slash for a port, and quotes it.
                assert "'se'" not in str(error)
                error = error.__cause__ or error.__context__


async def test_a_host_that_cannot_be_is_said_by_the_first_request() -> None:
    async with AsyncCoze("pat_x", base_url="http://\u00df\u200d.example") as coze:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match=r"Invalid IDNA hostname.*Check base_url"):
                await retrieve(coze)


async def test_certificates_of_the_environment_that_cannot_be_read_are_said_by_the_first_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    file = tmp_path / "ca.pem"
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    _auto._certificates.cache_clear()  # pyright: ignore[reportPrivateUsage]
    # asyncio reads them in a thread, which virtual time would overtake.
    unlimited = Timeouts(connect=None, idle=None, pool=None)
    async with AsyncCoze("pat_x", base_url="https://127.0.0.1:9", timeouts=unlimited, retry=Retry.none()) as coze:
        for content in (None, "no certificate"):
            if content is not None:
                file.write_text(content)
            with pytest.raises(ConfigurationError, match=r"https://127\.0\.0\.1:9: .*SSL_CERT_FILE"):
                await retrieve(coze)
        monkeypatch.delenv("SSL_CERT_FILE")
        # It is looked at anew.
        with pytest.raises(TransportError, match="no connection"):
            await retrieve(coze)
    _auto._certificates.cache_clear()  # pyright: ignore[reportPrivateUsage]


async def test_entering_reads_the_certificates_once_for_all_clients(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    read: list[ssl.SSLContext] = []
    original = ssl.create_default_context

    def counting(**given: Any) -> ssl.SSLContext:
        read.append(original(**given))
        return read[-1]

    monkeypatch.setattr(ssl, "create_default_context", counting)
    _auto._certificates.cache_clear()  # pyright: ignore[reportPrivateUsage]
    async with AsyncCoze("pat_x", base_url="http://127.0.0.1:9"):
        assert not read
    for _ in range(2):
        async with AsyncCoze("pat_x", base_url="https://127.0.0.1:9"):
            assert len(read) == 1
    # What is loaded is what the first request goes by.
    unlimited = Timeouts(connect=None, idle=None, pool=None)
    async with AsyncCoze("pat_x", base_url="https://127.0.0.1:9", timeouts=unlimited, retry=Retry.none()) as coze:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
        with pytest.raises(TransportError, match="no connection"):
            await retrieve(coze)
    assert len(read) == 1
    _auto._certificates.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_a_client_of_another_event_loop_is_not_used_when_no_new_one_can_be_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coze = AsyncCoze("pat_x", base_url="http://studio.example")
    anyio.run(coze.__aenter__)
    monkeypatch.setenv("HTTP_PROXY", "gopher://127.0.0.1:70")

    async def ask() -> None:
        for _ in range(2):
            with pytest.raises(ConfigurationError, match="gopher"):
                await retrieve(coze)

    anyio.run(ask)


@pytest.mark.parametrize("has_transport", [False, True])
async def test_a_closed_client_cannot_be_entered(has_transport: bool) -> None:
    transport = Answers(chat()) if has_transport else None
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport)
    await coze.aclose()
    for one in (coze, coze.with_options(user="u")):
        with pytest.raises(RuntimeError, match="is closed"):
            await one.__aenter__()


async def test_token_and_base_url_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COZE_API_TOKEN", " pat_from_env ")
    monkeypatch.setenv("COZE_API_BASE", "http://studio.example:8888/")
    transport = Answers(chat())
    coze = AsyncCoze(transport=transport)
    await retrieve(coze)
    assert coze.base_url == "http://studio.example:8888"
    assert transport.requests[0].headers["authorization"] == "Bearer pat_from_env"
    # What is given wins.
    assert AsyncCoze("pat_x", base_url=COZE_COM_BASE_URL).base_url == "https://api.coze.com"


def test_without_a_token_the_error_says_where_to_put_one() -> None:
    with pytest.raises(ConfigurationError, match=r"COZE_API_TOKEN.*Emulator"):
        AsyncCoze()


@pytest.mark.parametrize("token", ["", "  ", "Bearer ", "pat_a b", "pat_a\nb", "pat_密"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(token: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncCoze(token)
    assert not token.strip() or token not in str(caught.value)


def test_what_is_no_login_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="auth is a int"):
        AsyncCoze(7)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the mistake that is tested


@pytest.mark.parametrize("token", ["pat_x", "Bearer pat_x", "bearer pat_x", " pat_x\n"])
async def test_a_token_is_taken_as_people_paste_it(token: str) -> None:
    transport = Answers(chat())
    await retrieve(AsyncCoze(token, base_url=URL, transport=transport))
    assert transport.requests[0].headers["authorization"] == "Bearer pat_x"


@pytest.mark.parametrize(
    ("base_url", "advice"),
    [
        ("https://api.coze.cn/v3/chat", r"the path '/v3/chat'.*Use 'https://api.coze.cn'"),
        ("https://api.coze.com/open_api", r"Use 'https://api.coze.com'"),
        ("http://studio.example/v1/", r"the path '/v1'.*Use 'http://studio.example'"),
        ("https://www.coze.cn", r"console.*Use 'https://api.coze.cn'"),
        ("api.coze.cn", "must begin with https://"),
        ("", "must begin with https://"),
        ("ftp://api.coze.cn", "must begin with https://"),
        ("http://studio.example:port", "is no URL"),
        ("http://studio.example/?a=1", "more than scheme"),
    ],
)
def test_a_base_url_that_cannot_be_right_says_what_would_be(base_url: str, advice: str) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        AsyncCoze("pat_x", base_url=base_url)


def test_a_password_in_a_base_url_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncCoze("pat_x", base_url="https://me:hunter2@studio.example")
    assert "hunter2" not in str(caught.value)


def test_a_client_and_a_transport_together_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="http_client or transport, not both"):
        AsyncCoze("pat_x", http_client=httpx.AsyncClient(), transport=Answers(chat()))


def test_the_representation_shows_where_but_never_who() -> None:
    assert repr(AsyncCoze("pat_secret")) == "AsyncCoze(TokenAuth(***), base_url='https://api.coze.cn')"
    assert "pat_secret" not in repr(vars(AsyncCoze("pat_secret")))


# --- logins -----------------------------------------------------------------------------------------------------------


async def test_a_token_callable_is_asked_before_every_attempt() -> None:
    tokens = iter(["pat_1", "Bearer pat_2", "pat_3"])

    async def token() -> str:
        return next(tokens)

    transport = Answers(refusal(4013), chat(), chat())
    coze = AsyncCoze(token, base_url=URL, transport=transport)
    await coze.chat.create("Hi", bot_id="b", user_id="u")
    await retrieve(coze)
    assert [request.headers["authorization"][7:] for request in transport.requests] == ["pat_1", "pat_2", "pat_3"]


async def test_a_token_callable_that_returns_no_token_is_a_mistake_of_configuration() -> None:
    async def token() -> Any:
        return None

    transport = Answers(chat())
    coze = AsyncCoze(token, base_url=URL, transport=transport, limits=Limits(chats_at_once=1))
    for _ in range(2):
        with pytest.raises(ConfigurationError, match="token that the callable returned is a NoneType"):
            await coze.chat.ask("Hi", bot_id="b", user_id="u")
    assert transport.requests == []


async def test_what_a_token_callable_raises_arrives_and_costs_no_slot() -> None:
    async def token() -> str:
        raise LookupError("vault")

    coze = AsyncCoze(token, base_url=URL, transport=Answers(chat()), limits=Limits(chats_at_once=1))
    for _ in range(2):
        with pytest.raises(LookupError, match="vault"), anyio.fail_after(1):
            await coze.chat.ask("Hi", bot_id="b", user_id="u")


async def test_session_routes_take_only_the_login_of_a_session() -> None:
    transport = Answers(chat())
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport)
    with pytest.raises(ConfigurationError, match=r"POST /api/conversation/chat takes the cookie.*SessionAuth"):
        await coze.studio.agent_run("Hi", bot_id="b", conversation_id="7")
    assert transport.requests == []


async def test_the_login_of_a_session_travels_as_a_cookie() -> None:
    transport = Answers(chat())
    await retrieve(AsyncCoze(SessionAuth("session_key=abcdef"), base_url=URL, transport=transport))
    headers = transport.requests[0].headers
    assert headers["cookie"] == "session_key=abcdef"
    assert "authorization" not in headers


async def test_an_own_login_may_send_any_headers() -> None:
    class Badge(Auth):
        async def headers(self) -> dict[str, str]:
            return {"X-Badge": "7"}

        def secrets(self) -> tuple[str, ...]:
            return ()

    transport = Answers(chat())
    await retrieve(AsyncCoze(Badge(), base_url=URL, transport=transport))
    assert transport.requests[0].headers["x-badge"] == "7"
    await retrieve(AsyncCoze(TokenAuth("pat_y"), base_url=URL, transport=transport))
    assert transport.requests[1].headers["authorization"] == "Bearer pat_y"


# --- lifetime ---------------------------------------------------------------------------------------------------------


class Closing(Answers):
    """Remembers that it was closed."""

    closed = 0

    async def aclose(self) -> None:
        self.closed += 1


async def test_a_client_closes_the_transport_that_it_uses() -> None:
    transport = Closing(chat())
    async with AsyncCoze("pat_x", base_url=URL, transport=transport) as coze:
        await retrieve(coze)
        assert transport.closed == 0
    assert transport.closed == 1
    await coze.aclose()


async def test_a_client_that_sent_nothing_has_nothing_to_close() -> None:
    transport = Closing(chat())
    async with AsyncCoze("pat_x", base_url=URL, transport=transport):
        pass
    assert transport.closed == 0


@pytest.mark.parametrize("used", [True, False])
async def test_a_closed_client_refuses_to_send(used: bool) -> None:
    coze = AsyncCoze("pat_x", base_url=URL, transport=Answers(chat()))
    if used:
        await retrieve(coze)
    view = coze.with_options(user="u")
    await coze.aclose()
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: retrieve(coze),
        lambda: retrieve(view),
        lambda: coze.chat.ask("Hi", bot_id="b", user_id="u"),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="This AsyncCoze is closed"):
            await call()


async def test_a_client_that_the_user_brought_stays_open() -> None:
    async with httpx.AsyncClient(transport=Answers(chat(), event_stream(STREAM)), headers={"X-Theirs": "1"}) as theirs:
        async with AsyncCoze("pat_x", base_url=URL, http_client=theirs) as coze:
            assert (await retrieve(coze)).id == "9"
            assert (await coze.chat.ask("Hi", bot_id="b", user_id="u")).chat_id == "9"
        assert not theirs.is_closed
        with pytest.raises(RuntimeError, match="closed"):
            await retrieve(coze)


async def test_many_tasks_share_one_http_client(monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0
    original = httpx.AsyncClient.__init__

    def counting(self: httpx.AsyncClient, *args: Any, **options: Any) -> None:
        nonlocal made
        made += 1
        original(self, *args, **options)

    monkeypatch.setattr(httpx.AsyncClient, "__init__", counting)
    emulator = Emulator()
    async with (
        AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport()) as coze,
        anyio.create_task_group() as tasks,
    ):
        for n in range(50):
            tasks.start_soon(ask_as, coze, f"u{n}")
    assert made == 1
    assert len(emulator.requests) == 50


async def ask_as(coze: AsyncCoze, user: str) -> None:
    await coze.chat.ask("Hi", bot_id="b", user_id=user)


# --- views ------------------------------------------------------------------------------------------------------------


async def test_a_view_changes_what_it_names_and_nothing_else() -> None:
    transport = Answers(chat())
    coze = AsyncCoze(
        "pat_x", base_url=URL, transport=transport, headers={"X-A": "1", "X-B": "1"}, retry=Retry(attempts=5)
    )
    view = coze.with_options(headers={"X-B": "2"}, timeouts=Timeouts(idle=7.0))
    await retrieve(coze)
    await retrieve(view)
    assert [(request.headers["x-a"], request.headers["x-b"]) for request in transport.requests] == [
        ("1", "1"),
        ("1", "2"),
    ]
    further = view.with_options(headers={"X-A": "3"})
    await retrieve(further)
    assert (transport.requests[2].headers["x-a"], transport.requests[2].headers["x-b"]) == ("3", "2")
    assert further.base_url == URL


async def test_a_view_has_its_own_time_outs_and_attempts() -> None:
    class Silent(httpx.AsyncBaseTransport):
        asked = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            self.asked += 1
            await anyio.sleep_forever()
            raise AssertionError

    transport = Silent()
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport, timeouts=Timeouts(idle=50.0))
    hasty = coze.with_options(timeouts=Timeouts(idle=2.0), retry=Retry.none())
    began = anyio.current_time()
    with pytest.raises(RequestTimeoutError, match="within 2 s"):
        await retrieve(hasty)
    assert anyio.current_time() - began == pytest.approx(2.0)
    assert transport.asked == 1
    with pytest.raises(RequestTimeoutError, match="within 50 s"):
        await retrieve(coze)
    assert transport.asked == 4


async def test_views_share_limits_and_connections() -> None:
    transport = Closing(chat())
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport, limits=Limits(chat=Rate(1, 10.0, guard=0.0)))
    view = coze.with_options(headers={"X-A": "1"})
    await coze.chat.create("Hi", bot_id="b", user_id="u")
    await view.chat.create("Hi", bot_id="b", user_id="u")
    assert transport.gaps == pytest.approx([10.0])
    await view.aclose()
    assert transport.closed == 1
    with pytest.raises(RuntimeError, match="closed"):
        await retrieve(coze)


async def test_the_user_of_a_view_counts_where_a_request_names_none() -> None:
    told: list[Exchange] = []
    bot = {"code": 0, "data": {"bot_id": "5"}}
    transport = Answers(httpx.Response(200, json=bot))
    limits = Limits(bot_info=Rate(1, 10.0, guard=0.0))
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport, limits=limits, observe=told.append)
    for name in ("ann", "bob", "ann"):
        await coze.with_options(user=name).with_options(headers={"X-A": "1"}).bots.retrieve(bot_id="5")
    assert transport.gaps == pytest.approx([0.0, 10.0], abs=0.001)
    assert [exchange.user for exchange in told] == ["ann", "bob", "ann"]


async def test_a_limiter_can_be_shared_by_clients_and_made_by_oneself() -> None:
    class Told(Limiter):
        def __init__(self) -> None:
            self.calls: list[tuple[Any, ...]] = []

        async def turn(self, kind: str | None, user: str | None) -> None:
            self.calls.append(("turn", kind, user))

        async def slot(self, user: str | None) -> Slot:
            self.calls.append(("slot", user))
            return Slot()

        def push_back(self, kind: str | None, user: str | None, seconds: float) -> None:
            self.calls.append(("push back", kind, user))

    told = Told()
    transport = Answers(refusal(4013), event_stream(STREAM), chat())
    coze = AsyncCoze("pat_x", base_url=URL, transport=transport, limiter=told)
    await coze.chat.ask("Hi", bot_id="b", user_id="u")
    await retrieve(coze)
    assert told.calls == [
        ("slot", "u"),
        ("turn", "chat", "u"),
        ("push back", "chat", "u"),
        ("turn", "chat", "u"),
        ("turn", "chat_look", None),
    ]

    shared = LocalLimiter(Limits(chat=Rate(1, 10.0, guard=0.0)))
    transport = Answers(chat())
    for _ in range(2):
        coze = AsyncCoze("pat_x", base_url=URL, transport=transport, limiter=shared)
        await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert transport.gaps == pytest.approx([10.0])


# --- the log of httpx -------------------------------------------------------------------------------------------------


async def test_the_log_of_httpx_shows_no_query_of_ours_and_leaves_others_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO):
        await retrieve(AsyncCoze("pat_x", base_url=URL, transport=Answers(chat())))
        async with httpx.AsyncClient(transport=Answers(chat())) as other:
            await other.get("http://elsewhere.example/?q=1")
    assert "conversation_id" not in caplog.text
    assert "http://coze.example/v3/chat/retrieve?***" in caplog.text
    assert "http://elsewhere.example/?q=1" in caplog.text


def test_the_addresses_of_the_clouds_are_named() -> None:
    assert (COZE_CN_BASE_URL, COZE_COM_BASE_URL) == ("https://api.coze.cn", "https://api.coze.com")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"timeouts": 5}, "timeouts is a int: give a Timeouts"),
        ({"retry": 3}, "retry is a int: give a Retry"),
        ({"limits": 60}, "limits is a int: give a Limits"),
        ({"limiter": "redis"}, "limiter is a str: give a Limiter"),
    ],
)
def test_a_setting_of_another_type_is_refused_in_words(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        AsyncCoze("pat_x", **given)


def test_one_client_serves_one_event_loop_after_another() -> None:
    # In a process of its own: the connections of a loop that has ended cannot be closed any more.
    program = """
import anyio
from anyio.from_thread import start_blocking_portal
from coze_async import AsyncCoze
from coze_async.emulator import Emulator

async def ask(coze):
    print(bool((await coze.chat.ask("hi", bot_id="b", user_id="u")).text))

with start_blocking_portal() as portal:
    serving, url = portal.start_task(Emulator().serve)
    coze = AsyncCoze("pat_x", base_url=url)
    for _ in range(3):
        anyio.run(ask, coze)
    serving.cancel()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["True"] * 3, done.stderr


def test_a_name_that_the_package_does_not_have_is_an_attribute_error() -> None:
    import coze_async.models

    for module in (coze_async, coze_async.models):
        with pytest.raises(AttributeError, match="has no attribute 'Chatt'"):
            getattr(module, "Chatt")  # noqa: B009 - the name is one that no type checker lets through
        assert {"__all__", *module.__all__} <= {*dir(module)}


# --- endpoints that the library does not know -------------------------------------------------------------------------


async def test_an_unknown_endpoint_is_called_with_the_same_engine() -> None:
    """Case B14."""
    fresh = answer({"code": 0, "data": [1]}, headers={"x-tt-logid": "L1", "X-More": "1"})
    transport = Answers(refusal(4013, "slow"), fresh)
    async with AsyncCoze("pat_x", transport=transport, headers={"x-env": "boe"}) as coze:
        given = await coze.request("post", "/v9/new", params={"a": [1, 2], "b": None, "c": "\u676d"}, json={"x": None})
    assert (given.status, given.logid, given.json()) == (200, "L1", {"code": 0, "data": [1]})
    assert given.headers["x-more"] == "1"
    assert given.content.startswith(b"{")
    assert "200" in repr(given)
    assert [str(request.url.raw_path, "ascii") for request in transport.requests] == ["/v9/new?a=1&a=2&c=%E6%9D%AD"] * 2
    request = transport.requests[-1]
    assert (request.method, request.headers["authorization"], request.headers["x-env"]) == (
        "POST",
        "Bearer pat_x",
        "boe",
    )
    assert transport.body() == {"x": None}


async def test_an_unknown_endpoint_may_answer_with_anything_but_an_error() -> None:
    page = answer(content=b"\x89PNG", headers={"content-type": "image/png"})
    async with AsyncCoze("pat_x", transport=Answers(page)) as coze:
        given = await coze.request("GET", "/v9/picture")
        assert given.content == b"\x89PNG"
        with pytest.raises(DecodeError, match=r"image/png.*is not JSON.*\.content"):
            given.json()
        with pytest.raises(ConfigurationError, match="must begin with a slash"):
            await coze.request("GET", "https://elsewhere.example/v9")
    async with AsyncCoze("pat_x", transport=Answers(refusal(4200, "no"))) as coze:
        with pytest.raises(NotFoundError):
            await coze.request("GET", "/v9/picture")


async def test_only_what_is_safe_is_sent_again_to_an_unknown_endpoint() -> None:
    down = answer({"code": 5000, "msg": "down"}, status=503)
    for method, safe, times in (("GET", False, 3), ("POST", False, 1), ("POST", True, 3)):
        transport = Answers(down)
        async with AsyncCoze("pat_x", transport=transport) as coze:
            with pytest.raises(ServerError):
                await coze.request(method, "/v9/new", safe=safe, timeouts=Timeouts(total=60.0))
        assert len(transport.requests) == times


async def test_a_result_names_the_log_id_of_its_response() -> None:
    """Case B13."""
    headers = {"x-tt-logid": "L7"}
    listed = answer({"code": 0, "data": [{"id": "1", "role": "assistant", "type": "answer"}]}, headers=headers)
    transport = Answers(chat(status="completed"), listed)
    async with AsyncCoze("pat_x", transport=transport) as coze:
        first = await coze.chat.retrieve(conversation_id="7", chat_id="9")
        messages = await coze.chat.messages.list(conversation_id="7", chat_id="9")
    assert first.logid is None
    assert [message.logid for message in messages] == ["L7"]
    # It belongs to the response, and not to the data.
    assert "logid" not in messages[0].model_dump()
    assert "logid" not in repr(messages[0])


# --- arguments that cannot be right, copies, representations ----------------------------------------------------------


async def test_a_wrong_argument_is_refused_by_its_name_when_the_client_is_made() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200))
    make: Any = AsyncCoze
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"base_url": 123}, "base_url is a int"),
        ({"transport": 3}, "transport is a int"),
        ({"transport": httpx.AsyncHTTPTransport}, "transport is a type"),
        ({"observe": 3}, "observe is a int"),
        ({"http_client": 3}, "http_client is a int"),
        ({"auth": lambda: "pat_x"}, r"auth is a function that returns a text: make it `async def`"),
        ({"auth": 3}, "auth is a int"),
        ({"timeouts": 3.0}, "timeouts is a float"),
        ({"retry": 3}, "retry is a int"),
        ({"limits": 3}, "limits is a int"),
        ({"headers": ["x"]}, "headers is a list"),
        ({"headers": {"X-Number": 3}}, "headers: 'X-Number' is a str with a int"),
        ({"headers": {"X Blank": "3"}}, "headers: 'X Blank' is an invalid name"),
        ({"headers": {"X-Line": "secret\r\nX: y"}}, "headers: the value of 'X-Line' has a character"),
    ]
    for given, says in wrong:
        with pytest.raises(ConfigurationError, match=says) as caught:
            make(**{"auth": "pat_x", **given})
        assert "secret" not in str(caught.value)
    with httpx.Client() as client, pytest.raises(ConfigurationError, match="http_client is a Client: give an AsyncCl"):
        AsyncCoze("pat_x", http_client=client)
    coze: Any = AsyncCoze("pat_x", transport=transport)
    for given, says in (({"timeouts": 3}, "timeouts is a int"), ({"retry": 3}, "retry"), ({"user": 3}, "user")):
        with pytest.raises(ConfigurationError, match=says):
            coze.with_options(**given)
    with pytest.raises(ConfigurationError, match=r"\['content'\] is a str, .* half of a surrogate pair"):
        coze.chat.stream("half \ud83d", bot_id="5", user_id="u")


async def test_a_function_that_returns_a_coroutine_is_a_login() -> None:
    began: list[str] = []

    async def token(user: str) -> str:
        began.append(user)
        return "pat_x"

    transport = httpx.MockTransport(lambda _: httpx.Response(200, json={"code": 0, "data": {"user_id": "7"}}))
    coze = AsyncCoze(lambda: token("u"), transport=transport)
    assert began == []
    assert (await coze.users.me()).user_id == "7"
    assert began == ["u"]


async def test_what_holds_connections_or_a_credential_is_neither_copied_nor_pickled() -> None:
    coze = AsyncCoze("pat_secret", transport=httpx.MockTransport(lambda _: httpx.Response(200)))
    stream = coze.chat.stream("hi", bot_id="5", user_id="u")
    for held, says in (
        (coze, "AsyncCoze cannot be copied or pickled. Make one client in each process"),
        (coze.with_options(user="u"), "AsyncCoze cannot"),
        (coze.chat, "ChatResource cannot"),
        (stream, "ChatStream cannot be copied or pickled. Keep what `await stream.result"),
        (TokenAuth("pat_secret"), "TokenAuth cannot be copied or pickled. Log in anew"),
        (SessionAuth("key_secret"), "SessionAuth cannot"),
        (LocalLimiter(), "LocalLimiter cannot be copied or pickled. Give the same one"),
    ):
        for spread in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match=says) as caught:
                spread(held)
            assert "secret" not in str(caught.value)


async def test_representations_are_one_short_line_without_addresses() -> None:
    emulator = Emulator()
    emulator.bot("5", Script("word " * 300))
    async with AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport()) as coze:
        stream = coze.chat.stream("hi", bot_id="5", user_id="u")
        assert repr(stream) == "ChatStream(new)"
        result = await stream.result()
        run = await coze.workflows.run(workflow_id="w")
        async with coze.chat.batch(["hi"], bot_id="5", user_id="u") as outcomes:
            outcome = await anext(aiter(outcomes))
        shown: list[Any] = [
            coze, coze.chat, stream, result, result.chat, result.messages[0], run, outcome,
            coze.conversations.list(bot_id="5"), await coze.conversations.list(bot_id="5").first(),
        ]  # fmt: skip
    for one in shown:
        text = repr(one)
        assert text.startswith(f"{type(one).__name__}("), text
        assert len(text) < 400
        assert "\n" not in text
        assert " at 0x" not in text
    assert repr(stream).startswith(f"ChatStream(finished, chat_id='{stream.chat_id}', conversation_id=")
    assert repr(result).startswith("ChatResult('word word word")
    # What a notebook asks for.
    assert result._repr_markdown_().startswith("word word")  # pyright: ignore[reportPrivateUsage]
