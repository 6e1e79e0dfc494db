"""The page: what it tells, what it switches, whom it lets in, and what a browser shows of it."""

import json
import re
from collections.abc import Callable, Generator
from importlib.resources import files
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from emulator.asgi import call, streaming
from emulator.browser import Page, browser, find_browser
from emulator.talk import HEADERS, question, talking

from coze_async.emulator import FAULT_KINDS, Cut, Dialect, Emulator, EmulatorLimits, Script

pytest.importorskip("uvicorn")
pytest.importorskip("starlette")

from coze_async.emulator._page import News

# A parametrized test needs the mark when it is collected; tests/conftest.py adds it later than that.
pytestmark = pytest.mark.anyio

CHAT = question("What is <script>jazz</script>?")


def shown(emulator: Emulator) -> Emulator:
    emulator.app()
    return emulator


async def state(emulator: Emulator) -> Any:
    return (await call(emulator, "GET", "/_/state")).json()


async def test_the_files_of_the_page_lead_nowhere_else() -> None:
    emulator = Emulator()
    for name, kind in (("", "text/html"), ("page.css", "text/css"), ("page.js", "text/javascript")):
        answer = await call(emulator, "GET", f"/_/{name}")
        assert answer.status == 200
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
        text = answer.body.decode().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|//[\w.-]+\.\w|url\(|@import", re.sub(r"^\s*//.*$", "", text, flags=re.MULTILINE))
        assert "innerHTML" not in text
    page = (await call(emulator, "GET", "/_/")).body.decode()
    assert set(re.findall(r'(?:src|href)="([^"]+)"', page)) - {"page.css", "page.js"} == {
        link for link in re.findall(r'href="([^"]+)"', page) if link.startswith("data:")
    }
    # The policy forbids both.
    assert "style=" not in page
    assert " on" not in "".join(re.findall(r"<[^>]+>", page)).replace(" only", "")


async def test_only_what_is_a_file_of_the_page_is_served() -> None:
    emulator = Emulator()
    for path in ("/_/none", "/_/page.html", "/_/..%2fpage.css", "/_/../_server.py", "/_/page/page.css"):
        answer = await call(emulator, "GET", path)
        assert answer.status == 404, path
    assert {path.name for path in (files("coze_async.emulator") / "page").iterdir()} == {
        "page.html",
        "page.css",
        "page.js",
    }


async def test_the_page_is_no_request_of_the_emulator_and_disturbs_none() -> None:
    emulator = Emulator()
    for path in ("/_/", "/_/state", "/_/page.js", "/_/none", "/_"):
        await call(emulator, "GET", path)
    await call(emulator, "POST", "/_/heal", {})
    assert emulator.requests == []
    assert (await call(emulator, "GET", "/_")).headers["location"].endswith("/_/")
    browser_like = {"accept": "text/html,*/*;q=0.8"}
    assert (await call(emulator, "GET", "/", headers=browser_like)).headers["location"].endswith("/_/")
    assert emulator.requests == []
    for method, path in (("GET", "/"), ("POST", "/"), ("GET", "/_x"), ("GET", "/v1/_/state"), ("GET", "/v3/chat")):
        assert (await call(emulator, method, path)).status in {404, 401}
    assert (await call(emulator, "POST", "/", headers=browser_like)).status == 404
    assert [request.path for request in emulator.requests] == ["/", "/", "/_x", "/v1/_/state", "/v3/chat", "/"]


async def test_the_page_is_told_what_was_asked_and_answered() -> None:
    emulator = shown(Emulator(pace=0.0))
    emulator.bot("b-1", Script("one two", follow_ups=["three?"]))
    async with talking(emulator) as coze:
        await coze.chat(CHAT)
        await coze.get("/v1/bots/9")
    told = await state(emulator)
    assert (told["dialect"], told["total"], told["open"]) == ("cloud", 2, 0)
    assert [kind for kind, _, _ in told["kinds"]] == list(FAULT_KINDS)
    chat, bot = told["requests"]
    assert (chat["path"], chat["user"], chat["question"], chat["status"], chat["stream"], chat["ending"]) == (
        "/v3/chat",
        "u-1",
        "What is <script>jazz</script>?",
        200,
        True,
        "complete",
    )
    assert [(kind, name.rpartition(".")[2], text) for _, kind, name, text in chat["marks"]] == [
        ("chat", "created", "created"),
        ("chat", "in_progress", "in_progress"),
        ("delta", "delta", "one"),
        ("delta", "delta", " two"),
        ("answer", "completed", "one two"),
        ("verbose", "completed", chat["marks"][5][3]),
        ("follow-up", "completed", "three?"),
        ("chat", "completed", "completed"),
        ("done", "done", '"[DONE]"'),
    ]
    assert (bot["method"], bot["path"], bot["status"], bot["code"], bot["marks"]) == ("GET", "/v1/bots/9", 200, 0, [])
    assert sum(told["rates"]["buckets"]["chat"]) == 1
    assert told["rates"]["users"] == [["u-1", 1]]


@pytest.mark.parametrize("dialect", ["cloud", "studio", "plus"])
async def test_events_are_named_by_what_they_are_in_every_dialect(dialect: Dialect) -> None:
    emulator = shown(Emulator.load(Path(__file__).parents[2] / "examples/bots.yaml", dialect))
    async with talking(emulator) as coze:
        for text in ("ticket", "weather", "order 7", "quota", "read it"):
            await coze.chat(question(text, bot_id="7001"))
        await coze.events("/v1/workflow/stream_run", {"workflow_id": "booking"})
        await coze.events("/v1/workflow/stream_run", {"workflow_id": "broken"})
    asked = (await state(emulator))["requests"]
    kinds = [list(dict.fromkeys(kind for _, kind, _, _ in seen["marks"])) for seen in asked]
    # Coze Studio and Coze Plus suggest follow-ups before they say that all is generated, as recorded.
    end = ["verbose", "follow-up"] if dialect == "cloud" else ["follow-up", "verbose"]
    assert kinds[0] == ["chat", "recall", "reasoning", "delta", "answer", *end, "done"]
    assert kinds[1][:4] == ["chat", "tool", "delta", "answer"]
    assert "tool" in kinds[2]
    assert ("action" in kinds[2]) == (dialect == "cloud")
    assert "error" in kinds[3]
    assert ("audio" in kinds[4]) == (dialect == "cloud")
    assert kinds[5] == ["delta", "action"]
    assert kinds[6] == ["error"]
    failed = next(text for _, kind, _, text in asked[3]["marks"] if kind == "error")
    assert failed == "The free quota of this account is used up."
    assert all(seen["lane"] for seen in asked[:6])


async def news(messages: Any) -> dict[str, Any]:
    """The next news of a stream; heart-beats are passed over."""
    while True:
        body: bytes = (await messages.receive())["body"]
        if body.startswith(b"data: "):
            told: dict[str, Any] = json.loads(body.removeprefix(b"data: "))
            return told


async def test_a_viewer_is_told_everything_once_and_then_what_is_new() -> None:
    emulator = shown(Emulator(pace=1.0))
    emulator.bot("b-1", "one two three")
    async with talking(emulator, timeout=None) as coze:
        await coze.get("/v1/users/me")
        with anyio.fail_after(100):
            async with streaming(emulator, "GET", "/_/events") as messages, anyio.create_task_group() as tasks:
                start = await messages.receive()
                headers = dict(start["headers"])
                assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
                first = await news(messages)
                assert first.keys() == {
                    "dialect",
                    "kinds",
                    "requests",
                    "total",
                    "open",
                    "faults",
                    "rates",
                    "limits",
                    "now",
                }
                tasks.start_soon(coze.chat)
                marks: list[Any] = []
                while True:
                    told = await news(messages)
                    assert "dialect" not in told
                    for seen in told.get("requests", []):
                        assert seen["path"] == "/v3/chat"
                        assert seen["told"] == len(marks)
                        marks += seen["marks"]
                    if marks and marks[-1][1] == "done":
                        break
                assert [mark[3] for mark in marks if mark[1] == "delta"] == ["one", " two", " three"]
                emulator.switch("cut", 0.25)
                assert (await news(messages))["faults"]["on"] == {"cut": 0.25}
    assert len(emulator.requests) == 2


async def test_thinned_marks_are_told_from_the_beginning() -> None:
    emulator = shown(Emulator(pace=0.1))
    emulator.bot("b-1", " ".join(f"w{number}" for number in range(400)))
    marks: list[Any] = []
    again = 0
    async with talking(emulator, timeout=None) as coze:
        with anyio.fail_after(1000):
            async with streaming(emulator, "GET", "/_/events") as messages, anyio.create_task_group() as tasks:
                await messages.receive()
                tasks.start_soon(coze.chat)
                while not marks or marks[-1][1] != "done":
                    for seen in (await news(messages)).get("requests", []):
                        again += bool(marks and not seen["told"])
                        marks = marks[: seen["told"]] + seen["marks"]
    assert again >= 1
    assert marks == (await state(emulator))["requests"][0]["marks"]


async def test_what_a_viewer_was_told_is_forgotten_with_the_requests() -> None:
    emulator = shown(Emulator())
    news = News(emulator)
    for _ in range(3):
        for _ in range(300):
            await emulator.handle("GET", "/none", {}, {}, b"")
        assert 300 <= len(news.next()["requests"]) <= 400
    assert len(news.marks) == 400
    assert "requests" not in news.next()


async def test_a_quiet_stream_says_now_and_then_that_it_is_there() -> None:
    async with streaming(Emulator(), "GET", "/_/events") as messages:
        await messages.receive()
        started = anyio.current_time()
        with anyio.fail_after(200):
            while (await messages.receive())["body"] != b": still here\n\n":
                pass
        assert 10 < anyio.current_time() - started < 100


async def test_the_page_is_told_the_limits_and_what_they_refused() -> None:
    emulator = shown(Emulator(limits=EmulatorLimits(chat_qps=2, upload_qps=10)))
    async with talking(emulator) as coze:
        for _ in range(5):
            await coze.http.post("/v3/chat", json=question())
    told = await state(emulator)
    assert told["limits"] == {"chat": 2, "workflow": None, "upload": 10}
    assert told["rates"]["refused"] == 3
    assert [seen["code"] for seen in told["requests"]] == [None, None, 4013, 4013, 4013]


async def test_the_page_switches_faults_on_and_heals_them() -> None:
    emulator = shown(Emulator())
    emulator.fail(Cut(after=1), "/v3/chat", times=3, probability=0.5)
    emulator.fail(Cut(after=2), times=None)
    answer = await call(emulator, "POST", "/_/faults", {"kind": "429", "probability": 0.5})
    assert answer.json() == {
        "on": {"429": 0.5},
        "planned": [
            {"fault": "Cut(after=1, after_bytes=None)", "on": "/v3/chat", "left": 3, "probability": 0.5},
            {"fault": "Cut(after=2, after_bytes=None)", "on": "*", "left": None, "probability": 1.0},
        ],
    }
    healed = await call(emulator, "POST", "/_/heal", {})
    assert healed.json() == (await state(emulator))["faults"] == {"on": {}, "planned": []}
    await call(emulator, "POST", "/_/faults", {"kind": "429", "probability": 1})
    async with talking(emulator) as coze:
        assert (await coze.http.get("/v1/users/me")).status_code == 429
        await call(emulator, "POST", "/_/faults", {"kind": "429", "probability": 0})
        assert (await coze.http.get("/v1/users/me")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"\xff",
        b"[" * 100_000,
        [],
        {},
        {"kind": "cut"},
        {"kind": "none", "probability": 1},
        {"kind": ["cut"], "probability": 1},
        {"kind": "cut", "probability": 2},
        {"kind": "cut", "probability": "often"},
        {"kind": "cut", "probability": None},
    ],
)
async def test_what_is_no_switch_is_told(body: Any) -> None:
    emulator = shown(Emulator())
    answer = await call(emulator, "POST", "/_/faults", body)
    assert answer.status == 400
    assert answer.json()["error"].startswith("This is no switch: ")
    assert emulator.faults.switched == {}


@pytest.mark.parametrize(
    ("host", "is_shown"),
    [
        ("127.0.0.1:8000", True),
        ("localhost:8000", True),
        ("LOCALHOST", True),
        ("coze.localhost", True),
        ("[::1]:8000", True),
        ("192.168.1.7:8000", True),
        ("coze:8000", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("127.0.0.1.evil.example", False),
        ("[::1", False),
        ("", False),
    ],
)
async def test_a_name_that_may_have_been_made_to_point_here_is_not_answered(host: str, is_shown: bool) -> None:
    emulator = Emulator()
    for path in ("/_/", "/_/state"):
        assert (await call(emulator, "GET", path, headers={"host": host})).status == (200 if is_shown else 403)
    # The API is there for every name.
    assert (await call(emulator, "GET", "/v1/users/me", headers={"host": host, **HEADERS})).status == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"origin": "http://127.0.0.1:8000"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:9000"}, 403),
        ({"origin": "null"}, 403),
        ({"content-type": "text/plain"}, 403),
        ({"content-type": "application/x-www-form-urlencoded"}, 403),
    ],
)
async def test_other_sites_set_no_switches(headers: dict[str, str], status: int) -> None:
    emulator = shown(Emulator())
    body = {"kind": "cut", "probability": 1}
    assert (await call(emulator, "POST", "/_/faults", body, headers)).status == status
    assert bool(emulator.faults.switched) == (status == 200)


async def test_nobody_else_may_read_or_frame_the_page() -> None:
    emulator = Emulator()
    for path in ("/_/", "/_/state", "/_/none"):
        headers = (await call(emulator, "GET", path, headers={"origin": "http://evil.example"})).headers
        assert "access-control-allow-origin" not in headers
        assert headers["cross-origin-resource-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert (await call(emulator, "OPTIONS", "/_/faults")).status == 405
    emulator.switch("cut")
    assert (await call(emulator, "GET", "/_/heal")).status in {404, 405}
    assert emulator.faults.switched


# In a browser


@pytest.fixture(scope="module")
def open_page(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[[str], Page]]:
    """Opens a URL in a headless browser."""
    if find_browser() is None:
        pytest.skip("there is no Chromium here")
    with browser(tmp_path_factory.mktemp("browser")) as page:

        def opened(url: str) -> Page:
            page.open(url)
            page.wait_for("document.getElementById('link').textContent === 'live'")
            return page

        yield opened


TEXT_OF_ROWS = "[...document.querySelectorAll('#rows tr.row')].map((row) => row.innerText)"


def test_a_browser_shows_requests_chats_and_switches(open_page: Callable[[str], Page]) -> None:
    emulator = Emulator(pace=0.001)
    emulator.bot("b-1", Script("西湖 <b>tea</b>", follow_ups=["<i>More?</i>"]))
    with start_blocking_portal() as portal:
        serving, url = portal.start_task(emulator.serve)
        with httpx.Client(base_url=url, headers=HEADERS) as http:
            http.post("/v3/chat", json=question("What is <script>document.title = 'x'</script>杭州?"))
            http.get("/v1/bots/<img src=x onerror=document.title='x'>")
        page = open_page(f"{url}/")
        bot, chat = page.wait_for(f"{TEXT_OF_ROWS}.length === 2 && {TEXT_OF_ROWS}")
        assert "What is <script>document.title = 'x'</script>杭州?" in chat
        assert "u-1" in chat
        assert "<img src=x onerror=document.title='x'>" in bot
        assert page.wait_for("document.getElementById('canvas').getAttribute('aria-label').startsWith('1 chats')")
        assert page.value("spots.map((spot) => spot.kind)").count("delta") == 2
        # A click tells more.
        page.value("document.querySelectorAll('#rows tr.row')[1].click()")
        assert "西湖 <b>tea</b>" in page.value("document.querySelector('#rows tr.more').innerText")
        # It talks to the bot as any client does.
        page.value("document.getElementById('bot').value = 'b-1'")
        page.value("document.getElementById('question').value = '你好'; document.getElementById('send').click()")
        said = page.wait_for("document.querySelector('#said .next') && document.getElementById('said').innerText")
        assert [line for line in said.splitlines() if line] == ["你好", "西湖 <b>tea</b>", "<i>More?</i>"]
        assert emulator.requests[-1].body["user_id"] == "page"
        # A slider is a switch.
        page.value(
            "((slider) => { slider.value = 50; for (const name of ['input', 'change']) "
            "slider.dispatchEvent(new Event(name)); })(document.getElementById('kind-503'))"
        )
        page.wait_for("document.getElementById('faults-on').textContent === '1 on'")
        assert emulator.faults.switched["503", "*"].probability == 0.1
        emulator.switch("503")
        page.value("document.getElementById('question').value = '?'; document.getElementById('send').click()")
        assert "HTTP 503, code 5000" in page.wait_for("document.querySelector('#said .wrong')?.textContent")
        page.value("document.getElementById('heal').click()")
        page.wait_for("document.getElementById('faults-on').textContent === 'none'")
        assert emulator.faults.switched == {}
        # A filter leaves what it fits.
        page.value("document.getElementById('only-bad').click()")
        page.wait_for("[...document.querySelectorAll('#rows tr.row')].filter((row) => !row.hidden).length === 1")
        assert page.value("document.title") == "Emulated Coze"
        assert page.value("document.querySelectorAll('#rows script, #rows img, #said b, #said i').length") == 0
        serving.cancel()
    page.wait_for("document.getElementById('link').textContent === 'not running'")


@pytest.mark.parametrize("dialect", ["studio", "plus"])
def test_a_browser_talks_to_other_dialects_too(open_page: Callable[[str], Page], dialect: Dialect) -> None:
    emulator = Emulator(dialect)
    emulator.bot("demo", "one two")
    with start_blocking_portal() as portal:
        serving, url = portal.start_task(emulator.serve)
        page = open_page(f"{url}/_/")
        assert page.wait_for("document.getElementById('dialect').textContent.length > 2 && dialect") == dialect
        for _ in range(2):
            page.wait_for("!document.getElementById('send').disabled")
            page.value("document.getElementById('question').value = 'Hi'; document.getElementById('send').click()")
        page.wait_for("document.querySelectorAll('#said .told').length === 2")
        page.wait_for("!document.getElementById('send').disabled")
        assert page.value("document.querySelectorAll('#said .wrong').length") == 0
        serving.cancel()
    assert len(emulator.chats) == 2
    assert len({chat.conversation_id for chat in emulator.chats.values()}) == 1
