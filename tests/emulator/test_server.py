"""The emulator on a port: real sockets, real time, on 127.0.0.1 only."""

import contextlib
import itertools
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
import trio.testing
from anyio.from_thread import start_blocking_portal
from emulator.talk import HEADERS, parse, question, talking

from coze_async.emulator import Break, ChatInput, Cut, Emulator, Failure, Script, Stall, Unreachable, WorkflowScript

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")


@contextmanager
def served(emulator: Emulator, backend: str = "asyncio") -> Generator[str]:
    """The base URL of an emulator that is served from another thread; at the end the server is cancelled."""
    with start_blocking_portal(backend) as portal:
        serving, url = portal.start_task(emulator.serve)
        try:
            yield url
        finally:
            serving.cancel()


def client(url: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers=HEADERS, timeout=10)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_pieces_arrive_one_by_one_over_a_port(backend: str) -> None:
    emulator = Emulator(pace=0.05)
    emulator.bot("b-1", "one two three four five")
    with served(emulator, backend) as url, client(url) as http:
        assert url.startswith("http://127.0.0.1:")
        times: list[float] = []
        with http.stream("POST", "/v3/chat", json=question()) as response:
            assert response.headers["x-tt-logid"]
            for line in response.iter_lines():
                if "message.delta" in line:
                    # Four more pieces are to come after the first.
                    assert times or emulator.open_streams == 1
                    times.append(time.monotonic())
        assert len(times) == 5
        assert all(later - earlier > 0.02 for earlier, later in itertools.pairwise(times))
        assert http.get("/v1/bots/7").json()["data"]["bot_id"] == "7"
        assert emulator.open_streams == 0


@pytest.mark.parametrize(
    ("name", "is_answered"),
    [
        ("localhost", True),
        ("LOCALHOST:80", True),
        ("coze.localhost", True),
        ("127.0.0.2:8000", True),
        ("[::1]:8000", True),
        ("emulator:8000", True),
        ("evil.example", False),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example:8000", False),
        ("192.0.2.1", False),
        ("other", False),
    ],
)
def test_a_port_is_answered_under_its_own_names_only(name: str, is_answered: bool) -> None:
    """A foreign page can make a name of its own point here (DNS rebinding)."""
    emulator = Emulator()
    with start_blocking_portal() as portal:
        serving, url = portal.start_task(partial(emulator.serve, hosts=["emulator"]))
        with client(url) as http:
            for path in ("/v1/users/me", "/_/", "/"):
                response = http.get(path, headers={"host": name}, follow_redirects=False)
                assert (response.status_code != 403) == is_answered
        serving.cancel()
    assert bool(emulator.requests) == is_answered


def test_a_client_that_goes_away_ends_the_stream() -> None:
    emulator = Emulator()
    emulator.fail(Stall(after=2))
    with served(emulator) as url, client(url) as http:
        with http.stream("POST", "/v3/chat", json=question()) as response:
            chunks = response.iter_raw()
            next(chunks)
            assert emulator.open_streams == 1
        http.close()
        for _ in range(500):
            if not emulator.open_streams:
                break
            time.sleep(0.01)
    assert emulator.open_streams == 0


def test_cuts_and_broken_connections_over_a_port() -> None:
    emulator = Emulator()
    with served(emulator) as url, client(url) as http:
        emulator.fail(Cut(after=2))
        assert len(parse(http.post("/v3/chat", json=question()).text)) == 2
        for fault in (Break(after=2), Break(after=None), Unreachable()):
            emulator.fail(fault)
            with pytest.raises(httpx.RemoteProtocolError):
                http.post("/v3/chat", json=question())
        for fault in (Break(after=2, reset=True), Break(after=None, reset=True)):
            emulator.fail(fault)
            with pytest.raises(httpx.ReadError):
                http.post("/v3/chat", json=question())
        emulator.fail(Cut(after=0))
        assert http.get("/v1/users/me").content == b""


def test_an_open_stream_does_not_keep_the_server_from_stopping() -> None:
    emulator = Emulator()
    emulator.fail(Stall(after=2))
    with contextlib.ExitStack() as stack:
        http = stack.enter_context(httpx.Client(headers=HEADERS, timeout=10))
        with served(emulator) as url:
            response = stack.enter_context(http.stream("POST", f"{url}/v3/chat", json=question()))
            chunks = response.iter_raw()
            next(chunks)
    assert emulator.open_streams == 0


async def test_a_server_without_our_extension_leaves_a_body_that_never_comes() -> None:
    for fault in (Unreachable(), Break(after=None), Break(after=0)):
        emulator = Emulator()
        emulator.fail(fault)
        sent = await _asgi(emulator, [{"type": "http.request", "body": b"{}", "more_body": False}])
        assert [message["type"] for message in sent] == ["http.response.start"]


async def _asgi(emulator: Emulator, messages: list[dict[str, Any]]) -> list[Any]:
    sent: list[Any] = []
    scope: dict[str, Any] = {
        "type": "http",
        "method": "POST",
        "path": "/v3/chat",
        "query_string": b"",
        "headers": [],
        "root_path": "",
    }

    async def receive() -> Any:
        if not messages:
            await anyio.sleep_forever()
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await emulator.app()(scope, receive, send)
    return sent


async def test_a_client_that_goes_away_before_its_request_is_complete_is_not_answered() -> None:
    assert await _asgi(Emulator(), [{"type": "http.disconnect"}]) == []


async def test_the_official_client_understands_the_emulator() -> None:
    """cozepy 0.20.0 reads the stream, polls, and follows a workflow with its question."""
    with warnings.catch_warnings(record=True):  # One of its dependencies warns about itself.
        cozepy: Any = pytest.importorskip("cozepy")
    emulator = Emulator()
    emulator.bot("7", Script("Hello there", follow_ups=["And you?"], seconds=0.2))
    emulator.workflow("w", WorkflowScript({"output": "tea"}, seconds=0.1))

    def use(url: str) -> None:
        http = cozepy.SyncHTTPClient()
        coze = cozepy.Coze(auth=cozepy.TokenAuth("pat_x"), base_url=url, http_client=http)
        asked = {"bot_id": "7", "user_id": "u", "additional_messages": [cozepy.Message.build_user_question_text("Hi")]}
        events = list(coze.chat.stream(**asked))
        deltas = [e.message.content for e in events if e.event == cozepy.ChatEventType.CONVERSATION_MESSAGE_DELTA]
        assert "".join(deltas) == "Hello there"
        polled = coze.chat.create_and_poll(**asked)
        assert polled.chat.status == cozepy.ChatStatus.COMPLETED
        assert "Hello there" in [message.content for message in polled.messages]
        run = coze.workflows.runs.create(workflow_id="w", parameters={"input": "tea"})
        assert "tea" in run.data
        told = list(coze.workflows.runs.stream(workflow_id="w-ask", parameters={"input": "tea"}))
        interrupt = told[-1].interrupt.interrupt_data
        more = list(
            coze.workflows.runs.resume(
                workflow_id="w-ask", event_id=interrupt.event_id, resume_data="Paris", interrupt_type=interrupt.type
            )
        )
        assert "Paris" in more[-1].message.content
        assert coze.bots.retrieve(bot_id="7").bot_id == "7"
        assert len(coze.workspaces.list().items) == 1
        assert coze.users.me().user_name == "emulated"
        http.close()

    with served(emulator) as url:
        await anyio.to_thread.run_sync(use, url)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_looking_on_from_another_loop_moves_nothing(backend: str) -> None:
    """The server runs in a loop of its own, and the clock of trio begins anywhere."""
    emulator = Emulator()
    emulator.bot("b-1", Script("x", seconds=3600))

    async def look() -> set[str]:
        return {chat.status for chat in emulator.chats.values()}

    with start_blocking_portal(backend) as portal:
        serving, url = portal.start_task(emulator.serve)
        with client(url) as http:
            started = http.post("/v3/chat", json={**question(), "stream": False}).json()["data"]
            assert portal.call(look) == {"in_progress"}
            ids = {"conversation_id": started["conversation_id"], "chat_id": started["id"]}
            assert http.get("/v3/chat/retrieve", params=ids).json()["data"]["status"] == "in_progress"
        serving.cancel()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_time_goes_on_from_one_loop_to_the_next(backend: str) -> None:
    emulator, options = Emulator(), {"clock": trio.testing.MockClock()} if backend == "trio" else {}
    emulator.bot("b-1", Script("x", seconds=3600))

    async def start() -> int:
        async with talking(emulator) as talk:
            body = {**question(), "stream": False}
            created_at: int = (await talk.post("/v3/chat", body))["data"]["created_at"]
            return created_at

    async def look() -> list[str]:
        return [chat.status for chat in emulator.chats.values()]

    began = int(time.time())
    first = anyio.run(start, backend=backend, backend_options=options)
    rest = [anyio.run(start, backend=backend) for _ in range(3)]
    times = [began, first, *rest, int(time.time()) + 1]
    assert times == sorted(times)
    assert anyio.run(look, backend=backend) == ["in_progress"] * 4


def test_a_script_that_raises_is_told_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    """Before the answer and in the middle of its stream."""
    emulator = Emulator()
    journal = emulator.journal

    def broken(asked: ChatInput) -> str:
        raise ZeroDivisionError(asked.question)

    emulator.bot("broken", broken)
    emulator.bot("odd", Script("x", failure=Failure(5000, "\ud800")))
    with served(emulator) as url, client(url) as http:
        assert http.post("/v3/chat", json=question(bot_id="broken")).status_code == 500
        with contextlib.suppress(httpx.RemoteProtocolError):
            http.post("/v3/chat", json=question(bot_id="odd"))
        names = [["a", "b"], ["keywords", "keywords"]]
        http.get("/v1/variables", params=list(zip(names[1], names[0], strict=True)))
    told = [record for record in caplog.records if record.name == "coze_async.emulator"]
    assert [record.levelname for record in told] == ["ERROR"] * 2
    assert "ZeroDivisionError" in str(told[0].exc_info)
    assert "surrogates" in str(told[1].exc_info)
    assert [seen.ending for seen in journal.requests] == ["failed", "failed", "complete"]
    assert emulator.requests[-1].query == {"keywords": "a,b"}


async def test_a_script_that_raises_leaves_the_connection_open() -> None:
    """The server would close it if the application raised after its answer: the next request would meet that."""
    emulator = Emulator()

    def broken(asked: ChatInput) -> str:
        raise ZeroDivisionError(asked.question)

    emulator.bot("b-1", broken)
    transport = httpx.ASGITransport(emulator.app(), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://emulator", headers=HEADERS) as http:
        answer = await http.post("/v3/chat", json=question())
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")


async def test_names_that_come_again_add_to_a_query() -> None:
    emulator = Emulator()
    async with talking(emulator) as talk:
        await talk.http.get("/v1/variables?keywords=a&keywords=b&bot_id=7")
    assert emulator.requests[0].query == {"keywords": "a,b", "bot_id": "7"}
