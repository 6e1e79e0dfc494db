"""Every example runs as it is, without a token and without the network."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal

from coze_async.emulator import Code, Emulator, Script, WorkflowScript

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"

SAID = {
    "chat_poll.py": ["关于“杭州”"],
    "chat_stream.py": [
        "green tea",
        "Ask next:\n- ",
        "Tokens: ",
        "The question before this one was: What is green tea?",
    ],
    "demo.py": [
        "1. A chat, streamed",
        "西湖龙井茶",
        "2. A chat, polled",
        "3. A workflow",
        "杭州",
        "COZE_API_TOKEN",
        "doctor",
    ],
    "fan_out.py": ["user-2: The message is empty", "19 answers in ", "gifts for user-7"],
    "tools.py": ["The bot used: get_weather\nI asked: 22 degrees and a light wind in Hangzhou."],
    "workflow.py": ["Result: none yet", "Which city is it about?\n", '{"output":"Finished: 3, Paris."}'],
}


def run(name: str, **settings: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COZE_")}
    return subprocess.run(
        [sys.executable, "-W", "error", str(EXAMPLES / name)],
        env={**kept, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **settings},
        capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", sorted(SAID))
def test_an_example_runs_without_a_token(name: str) -> None:
    ended = run(name)
    assert (ended.returncode, ended.stderr) == (0, "")
    position = 0
    for text in SAID[name]:
        assert text in ended.stdout[position:]
        position = ended.stdout.index(text, position)


def test_every_example_is_tested() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == {*SAID, "web_app.py", "test_my_bot.py"}


@pytest.mark.parametrize("name", [*SAID, "web_app.py", "test_my_bot.py"])
def test_an_example_says_in_two_lines_what_it_shows(name: str) -> None:
    docstring = (EXAMPLES / name).read_text(encoding="utf-8").split('"""')[1].strip()
    assert len([line for line in docstring.splitlines() if line]) == 2


def test_the_demo_says_in_one_message_what_went_wrong() -> None:
    ended = run("demo.py", COZE_API_TOKEN="pat_x", COZE_BOT_ID="7", COZE_API_BASE="http://127.0.0.1:9")
    assert ended.returncode == 1
    assert "no connection to http://127.0.0.1:9" in ended.stdout
    assert ended.stderr == ""


def test_the_demo_talks_to_a_real_server_if_there_is_a_token_and_a_bot() -> None:
    emulator = Emulator()
    emulator.bot("7", Script("Seven.", seconds=0.0))
    emulator.workflow("w-1", WorkflowScript({"output": "Sunny."}, seconds=0.0))
    with start_blocking_portal() as portal:
        serving, url = portal.start_task(emulator.serve)
        settings = {"COZE_API_TOKEN": "pat_x", "COZE_BOT_ID": "7", "COZE_API_BASE": url}
        ended = run("demo.py", **settings)
        with_workflow = run("demo.py", **settings, COZE_WORKFLOW_ID="w-1")
        serving.cancel()
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"coze_async talks to {url}.")
    assert "set COZE_WORKFLOW_ID to run one of yours" in ended.stdout
    assert "{'output': 'Sunny.'}" in with_workflow.stdout
    assert {request.body["bot_id"] for request in emulator.requests if request.path == "/v3/chat"} == {"7"}


def loaded(name: str) -> ModuleType:
    found = importlib.util.spec_from_file_location(f"example_{name.partition('.')[0]}", EXAMPLES / name)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


async def test_the_web_app_hands_an_answer_on(monkeypatch: pytest.MonkeyPatch) -> None:
    for package in ("starlette", "uvicorn"):
        pytest.importorskip(package)
    for name in ("COZE_API_TOKEN", "COZE_BOT_ID"):
        monkeypatch.delenv(name, raising=False)
    web_app = loaded("web_app.py")
    emulator = Emulator()
    emulator.bot("emulated", "one two three")

    def made(pace: float) -> Emulator:
        return emulator

    monkeypatch.setattr(web_app, "Emulator", made)
    pieces: list[bytes] = []

    async def ask(query: str) -> int:
        """Ask as a web server does, and keep each piece of the body."""
        status = 0
        requests = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> dict[str, Any]:
            if not requests:
                # The client stays until it has its answer.
                await anyio.sleep_forever()
            return requests.pop()

        async def send(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            pieces.append(message.get("body", b""))

        scope: dict[str, Any] = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "method": "GET",
            "path": "/chat",
            "root_path": "",
            "query_string": query.encode(),
            "headers": [],
            "state": state,
        }
        await web_app.app(scope, receive, send)
        return status

    async with web_app.lifespan(web_app.app) as state:
        assert await ask("question=Hello&user=u-7") == 200
        assert [piece for piece in pieces if piece] == [b"one", b" two", b" three"]
        assert emulator.requests[-1].body["user_id"] == "u-7"
        emulator.fail(Code(4015, "not published"))
        assert await ask("question=Hello") == 502
        assert b"code 4015" in pieces[-1]
        assert await ask("") == 502
        assert b"nothing to answer" in pieces[-1]
