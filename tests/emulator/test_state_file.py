"""A state that is kept in a file: what was there before is there again, and a file that cannot be used says why."""

import json
import os
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from emulator.client import client
from emulator.talk import HEADERS, question, talking

from coze_async import APIError, AsyncCoze, AuthenticationError, ConfigurationError
from coze_async.emulator import (
    Answer,
    Ask,
    ChatInput,
    Chunk,
    Emulator,
    Failure,
    Node,
    Script,
    ToolCall,
    ToolUse,
    Verbose,
    WorkflowScript,
)
from coze_async.emulator._body import Body
from coze_async.models import DocumentBase, Message, ToolOutput, VariableValue


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "coze.sqlite"


async def seen(coze: AsyncCoze, emulator: Emulator) -> dict[str, Any]:
    """What a client sees of everything."""
    return {
        "conversations": [
            (one, [message async for message in coze.conversations.messages.list(conversation_id=one.id)])
            async for one in coze.conversations.list(bot_id="7")
        ],
        "chats": [
            (chat.id, chat.status, chat.usage, chat.last_error, chat.required_action, chat.messages, chat.asked)
            for chat in emulator.chats.values()
        ],
        "bots": [bot async for bot in coze.bots.list(workspace_id="1", publish_status="all")],
        "datasets": [one async for one in coze.datasets.list(space_id="1")],
        "variables": await coze.variables.retrieve(connector_uid="u", keywords=["a"], bot_id="7"),
        "runs": [
            (await coze.workflows.runs.run_histories.retrieve(workflow_id="w", execute_id=run))[0].output
            for run in emulator.runs
        ],
        "rows": {kind: rows for kind, rows in emulator._world.state.rows.items() if rows},  # pyright: ignore[reportPrivateUsage]
        "used": emulator._world.state.used,  # pyright: ignore[reportPrivateUsage]
    }


async def test_what_was_there_is_there_again(file: Path) -> None:
    with Emulator(state=file) as emulator:
        emulator.workflow("w", WorkflowScript({"output": "x"}, nodes=[Node("Said", "half way")]))
        emulator.bot("fails", Script("no", failure=Failure(5000, "broken", bare=True)))
        async with client(emulator) as coze, talking(emulator) as talk:
            asked = await coze.chat.ask("What is jazz?", bot_id="7", user_id="u")
            await coze.chat.ask("And blues?", bot_id="7", user_id="u", conversation_id=asked.conversation_id)
            polled = await coze.chat.create("Hi", bot_id="7", user_id="u")
            await talk.chat(question(bot_id="fails"))
            made = await coze.conversations.create(
                bot_id="7", name="x", messages=[Message.user("put"), Message.user("two")]
            )
            first = await coze.conversations.messages.list(conversation_id=made.id).first()
            await coze.conversations.messages.delete(conversation_id=made.id, message_id=first.items[0].id)
            gone = await coze.conversations.create(bot_id="7")
            await coze.conversations.delete(conversation_id=gone.id)
            bot_id = (await coze.bots.create(space_id="1", name="Poet")).bot_id
            await coze.bots.publish(bot_id=bot_id)
            await coze.bots.update(bot_id=bot_id, name="Bard")
            dataset = await coze.datasets.create(name="d", space_id="1", format_type=0)
            content = DocumentBase.of_content("a", b"x", "txt")
            await coze.datasets.documents.create(dataset_id=dataset.dataset_id, document_bases=[content])
            await coze.variables.update(connector_uid="u", data=[VariableValue(keyword="a", value="b")], bot_id="7")
            await coze.workflows.run(workflow_id="w")
            await anyio.sleep(3)
            assert (await coze.chat.retrieve(conversation_id=polled.conversation_id, chat_id=polled.id)).is_over
            before = await seen(coze, emulator)
    with Emulator(state=file) as emulator:
        async with client(emulator) as coze:
            assert await seen(coze, emulator) == before
            # Ids go on, and so does the conversation.
            new = await coze.conversations.create()
            assert new.id not in {conversation.id for conversation, _ in before["conversations"]}
            again = await coze.chat.ask(
                "What did I ask?", bot_id="7", user_id="u", conversation_id=asked.conversation_id
            )
            assert emulator.chats[again.chat_id].conversation_id == asked.conversation_id
            state = emulator._world.state  # pyright: ignore[reportPrivateUsage]
            said = [message["content"] for message in state.said(state.conversations[asked.conversation_id])]
            assert said == ["What is jazz?", "And blues?", "What did I ask?"]


async def test_what_was_going_on_has_failed(file: Path) -> None:
    with Emulator(state=file) as emulator:
        emulator.bot("7", Script("x", seconds=3600))
        emulator.workflow("w", WorkflowScript("x", seconds=3600))
        async with client(emulator) as coze:
            chat = await coze.chat.create("Hi", bot_id="7", user_id="u")
            run = await coze.workflows.run(workflow_id="w", is_async=True)
    with Emulator(state=file) as emulator:
        async with client(emulator) as coze:
            found = await coze.chat.retrieve(conversation_id=chat.conversation_id, chat_id=chat.id)
            assert found.status == "failed"
            assert found.last_error is not None
            assert (found.last_error.code, "started anew" in found.last_error.msg) == (5000, True)
            assert found.failed_at
            ids: dict[str, Any] = {"workflow_id": "w", "execute_id": str(run.execute_id)}
            (history,) = await coze.workflows.runs.run_histories.retrieve(**ids)
            assert (history.execute_status, history.error_code) == ("Fail", 5000)
            # The conversation is free again.
            await coze.chat.ask("Hi", bot_id="7", user_id="u", conversation_id=chat.conversation_id)


async def test_what_was_over_meanwhile_is_over(file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looked at it before the emulator stopped, in order or by a crash."""
    emulator = Emulator(state=file)
    spoken = [Answer("Cool ", audio=[b"\xff"]), Answer("jazz", reasoning="why")]
    emulator.bot("7", Script(spoken, knowledge=[Chunk("a")], tools=[ToolUse("t", {"a": 1}, "r")], follow_ups=["And?"]))
    emulator.bot("raw", Script(raw=[b"\xff"]))
    emulator.bot("fails", Script("x", failure=Failure(4009, "full")))
    emulator.bot("asks", Script(requires=[ToolCall("weather", id="call-1")], then="never"))
    emulator.bot("odd", Script(verbose=[Verbose("x", {"a": "\ud800"})]))
    emulator.bot("long", Script("x", seconds=99))
    emulator.workflow("w", WorkflowScript({"output": "x"}, ask=None))
    emulator.workflow("ask", WorkflowScript(ask=Ask("Which?", type=5)))
    async with client(emulator) as coze:
        chats = {
            bot: await coze.chat.create("Hi", bot_id=bot, user_id="u")
            for bot in ("7", "raw", "fails", "asks", "odd", "long")
        }
        runs = {name: await coze.workflows.run(workflow_id=name, is_async=True) for name in ("w", "ask")}
        memory = emulator._world.memory  # pyright: ignore[reportPrivateUsage]
        assert memory is not None
        memory.flush()
        copy(tmp_path)
    emulator.close()
    began, real = chats["7"].created_at or 0, time.time
    monkeypatch.setattr(time, "time", lambda: real() + 50)
    for path in (file, tmp_path / "copy.sqlite"):
        with Emulator(state=path) as emulator:
            async with client(emulator) as coze:
                found = {bot: emulator.chats[chat.id] for bot, chat in chats.items()}
                statuses = {bot: chat.status for bot, chat in found.items()}
                assert statuses == {
                    "7": "completed", "raw": "completed", "fails": "failed", "asks": "requires_action",
                    "odd": "failed", "long": "failed",
                }  # fmt: skip
                assert found["fails"].last_error == Failure(4009, "full")
                assert began <= found["7"].completed_at <= began + 3
                assert emulator._world.state.used["tokens"] > 0  # pyright: ignore[reportPrivateUsage]
                ids: dict[str, Any] = {"conversation_id": chats["7"].conversation_id, "chat_id": chats["7"].id}
                messages = await coze.chat.messages.list(**ids)
                answers = [message.content for message in messages if message.type == "answer"]
                assert (answers, len(messages)) == (["Cool ", "jazz"], 7)
                written = [m async for m in coze.conversations.messages.list(conversation_id=ids["conversation_id"])]
                assert len(written) == 3
                histories = [
                    (await coze.workflows.runs.run_histories.retrieve(workflow_id=name, execute_id=str(run.execute_id)))
                    for name, run in runs.items()
                ]
                assert [(str(one.execute_status), bool(one.interrupt_data)) for (one,) in histories] == [
                    ("Success", False),
                    ("Running", True),
                ]
                # All of it is written down again: nothing happens twice.
        with Emulator(state=path) as emulator:
            assert {row["id"] for row in emulator.chats[chats["7"].id].messages} == {row.id for row in messages}


async def test_the_rest_of_a_chat_is_over_only_if_none_of_it_was_told(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tool outputs make a turn of their own; a stream that was left early has told a part."""
    with Emulator(state=file) as emulator:
        emulator.bot("asks", Script(requires=[ToolCall("weather", id="call-1")], then="Take a coat."))
        async with client(emulator) as coze:
            asked = await coze.chat.create("Hi", bot_id="asks", user_id="u")
            await anyio.sleep(2)
            ids: dict[str, Any] = {"conversation_id": asked.conversation_id, "chat_id": asked.id}
            outputs = [ToolOutput(tool_call_id="call-1", output="sunny")]
            await coze.chat.submit_tool_outputs(**ids, tool_outputs=outputs)
            emulator.bot("7", Script("x " * 9, knowledge=[Chunk("a")]))
            left: list[str] = []
            for last in (b"conversation.chat.in_progress", b"conversation.message.completed"):
                asked_again = json.dumps(question(bot_id="7")).encode()
                response = await emulator.handle("POST", "/v3/chat", {}, HEADERS, asked_again)
                assert isinstance(response.body, Body)
                async for chunk in response.body:
                    if last in chunk:
                        break
                response.close()
                left.append(list(emulator.chats)[-1])
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 50)
    with Emulator(state=file) as emulator:
        chat = emulator.chats[asked.id]
        assert [row["content"] for row in chat.messages if row["type"] in {"tool_response", "answer"}] == [
            "sunny",
            "Take a coat.",
        ]
        assert [emulator.chats[chat_id].status for chat_id in left] == ["completed", "failed"]


async def test_what_waits_goes_on(file: Path) -> None:
    with Emulator(state=file) as emulator:
        emulator.bot("7", Script(requires=[ToolCall("weather", id="call-1")]))
        emulator.workflow("w", WorkflowScript(ask=Ask("Which?", type=5)))
        async with client(emulator) as coze:
            chat = await coze.chat.create("Weather?", bot_id="7", user_id="u")
            await anyio.sleep(2)
            interrupt = (await coze.workflows.run(workflow_id="w")).interrupt_data
            stopped = await coze.workflows.chat("Hi", workflow_id="w", bot_id="7").result()
    with Emulator(state=file) as emulator:
        async with client(emulator) as coze:
            outputs = [ToolOutput(tool_call_id="call-1", output="sunny")]
            ids: dict[str, Any] = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
            assert "sunny" in (await coze.chat.submit_tool_outputs_stream(**ids, tool_outputs=outputs).result()).text
            assert interrupt is not None
            answer: dict[str, Any] = {"workflow_id": "w", "resume_data": "x", "interrupt_type": 5}
            resumed = await coze.workflows.runs.resume_sync(event_id=interrupt.event_id, **answer)
            assert resumed.json() == {"output": "x"}
            conversation_id = stopped.conversation_id
            flow = coze.workflows.chat("Oslo", workflow_id="w", bot_id="7", conversation_id=conversation_id)
            assert (await flow.result()).text == "Oslo"


async def test_tokens_hold_as_before(file: Path) -> None:
    with Emulator(state=file) as emulator:
        async with client(emulator) as coze:
            await coze.users.me()
            tokens = [emulator.oauth.issue("app")["access_token"] for _ in range(2)]
            emulator.oauth.revoke(tokens[0])
            emulator.oauth.revoke("pat_x1")
    with Emulator(state=file, tokens=[]) as emulator:
        async with client(emulator, tokens[1]) as coze:
            await coze.users.me()
        for revoked in (tokens[0], "pat_x1"):
            async with client(emulator, revoked) as coze:
                with pytest.raises(AuthenticationError):
                    await coze.users.me()
        assert emulator.oauth.issue("app")["access_token"] not in tokens


def copy(folder: Path) -> None:
    for part in list(folder.iterdir()):
        (folder / part.name.replace("coze", "copy")).write_bytes(part.read_bytes())


async def test_a_crash_loses_nothing_that_was_answered(file: Path, tmp_path: Path) -> None:
    """The file and its log as they are on the disk while the emulator still runs."""
    with Emulator(state=file) as emulator:
        async with client(emulator) as coze:
            made = await coze.conversations.create(name="x", bot_id="7")
            memory = emulator._world.memory  # pyright: ignore[reportPrivateUsage]
            assert memory is not None
            memory.flush()
            copy(tmp_path)
    with Emulator(state=tmp_path / "copy.sqlite") as emulator:
        async with client(emulator) as coze:
            assert await coze.conversations.retrieve(conversation_id=made.id) == made


async def test_after_a_crash_no_id_is_given_twice(file: Path, tmp_path: Path) -> None:
    """What the client saw may not have reached the disk; an orderly end leaves no gap."""
    with Emulator(state=file) as emulator:
        copy(tmp_path)
        async with client(emulator) as coze:
            seen = [(await coze.conversations.create()).id for _ in range(3)]
    with Emulator(state=tmp_path / "copy.sqlite") as emulator:
        async with client(emulator) as coze:
            assert int((await coze.conversations.create()).id) > int(seen[-1])
    with Emulator(state=file) as emulator:
        async with client(emulator) as coze:
            made = await coze.conversations.create()
            assert int(made.id) - int(seen[-1]) == int(seen[-1]) - int(seen[-2])


async def test_a_closed_emulator_goes_on_in_memory(file: Path) -> None:
    emulator = Emulator(state=file)
    emulator.close()
    emulator.close()
    async with client(emulator) as coze:
        await coze.conversations.create(bot_id="7")
    with Emulator(state=file) as emulator:
        assert emulator._world.state.conversations == {}  # pyright: ignore[reportPrivateUsage]
    Emulator().close()


def refused(path: Path, why: str) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        Emulator(state=path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_used_says_why(file: Path, tmp_path: Path) -> None:
    refused(tmp_path / "no" / "folder.sqlite", "Is there such a folder")
    refused(tmp_path, "Is there such a folder")
    file.write_text("Dear diary, " * 500, encoding="utf-8")
    refused(file, "file is not a database. Choose another file, or delete this one")
    assert file.read_text(encoding="utf-8").startswith("Dear diary")
    file.unlink()
    with closing(sqlite3.connect(file)) as foreign:
        foreign.execute("CREATE TABLE diary (line)")
    refused(file, "not the state of an emulator of this version")


@pytest.mark.parametrize("name", ["", ":memory:", "file:x.sqlite?mode=memory"])
def test_what_is_no_file_is_refused(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=r"is not the name of a file\. Give a path"):
        Emulator(state=name)
    assert list(tmp_path.iterdir()) == []


def test_a_file_of_another_version_is_left_alone(file: Path) -> None:
    Emulator(state=file).close()
    with closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA user_version = 99")
    refused(file, "of this version")


def test_a_file_is_open_in_one_emulator_at_a_time(file: Path) -> None:
    with Emulator(state=file):
        refused(file, "is open in another emulator")
    Emulator(state=file).close()


def test_a_damaged_file_is_refused(file: Path) -> None:
    async def fill(emulator: Emulator) -> None:
        async with client(emulator) as coze:
            for number in range(300):
                await coze.conversations.create(bot_id="7", name=f"{number}" * 20)

    with Emulator(state=file) as emulator:
        anyio.run(fill, emulator)
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    refused(file, "cannot be used")
    file.write_bytes(whole[:8192] + bytes(4096) + whole[12288:])
    refused(file, "cannot be used")
    file.write_bytes(whole)
    for change in ("{", "{}", "[]", '{"id": 1}'):
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("UPDATE things SET value = ? WHERE kind = 'conversation'", (change,))
        refused(file, "something in it does not fit together")


async def test_a_disk_that_is_full_is_said_once_it_is_known(file: Path) -> None:
    emulator = Emulator(state=file)
    memory = emulator._world.memory  # pyright: ignore[reportPrivateUsage]
    assert memory is not None
    memory._disk._connection.execute("PRAGMA max_page_count = 6")  # pyright: ignore[reportPrivateUsage]

    async def fill() -> None:
        async with talking(emulator) as talk:
            for number in range(1000):
                await talk.post("/v1/conversation/create", {"name": f"{number}" * 20, "bot_id": "7"})
                memory.flush()

    with pytest.raises(ConfigurationError, match="database or disk is full"):
        await fill()
    with pytest.raises(ConfigurationError, match="in memory only"):
        emulator.close()


async def test_refusals_are_kept_out(file: Path) -> None:
    with Emulator(state=file) as emulator:
        async with client(emulator) as coze:
            with pytest.raises(APIError):
                await coze.bots.publish(bot_id="1")
    with Emulator(state=file) as emulator:
        assert not any(emulator._world.state.rows.values())  # pyright: ignore[reportPrivateUsage]


async def test_what_cannot_be_written_keeps_nothing_else_in_memory(file: Path) -> None:
    """A script can say half a character, which no UTF-8 can; only JSON has a way to name it."""
    with Emulator(state=file) as emulator:
        emulator.bot("odd", Script("x", failure=Failure(5000, "\ud800")))
        async with talking(emulator) as talk:
            ids = await talk.create(question(bot_id="odd"))
            await anyio.sleep(2)
            with pytest.raises(ValueError, match="surrogates not allowed"):
                await talk.get("/v3/chat/retrieve", **ids)
            made = await talk.post("/v1/conversation/create", {"bot_id": "7"})
    with Emulator(state=file) as emulator:
        assert made["data"]["id"] in emulator._world.state.conversations  # pyright: ignore[reportPrivateUsage]


async def test_a_conversation_may_be_deleted_while_its_bot_thinks(file: Path) -> None:
    async def think(said: ChatInput) -> str:
        await anyio.sleep(2)
        return said.question

    with Emulator(state=file) as emulator:
        emulator.bot("slow", think)
        async with client(emulator) as coze:
            made = await coze.conversations.create(name="x")

            async def delete() -> None:
                await anyio.sleep(1)
                await coze.conversations.delete(conversation_id=made.id)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(delete)
                with pytest.raises(APIError) as caught:
                    await coze.chat.create("Hi", bot_id="slow", user_id="u", conversation_id=made.id)
                assert caught.value.code == 4001
            assert emulator.chats == {}
            kept = await coze.chat.create("Hi", bot_id="7", user_id="u")
    # As it was written before that was refused: a chat without its conversation, and a message.
    with closing(sqlite3.connect(file, isolation_level=None)) as other:
        other.execute("DELETE FROM things WHERE kind = 'conversation'")
    with Emulator(state=file) as emulator:
        assert kept.id not in emulator.chats


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are a matter of POSIX")
def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    """Tokens are in it."""
    file = tmp_path / "state.sqlite"
    before = os.umask(0)
    try:
        for _ in range(2):
            with Emulator(state=file) as emulator:
                emulator.oauth.issue("app")
                assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}
            # One that an older version made.
            file.chmod(0o644)
    finally:
        os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="modes of files are a matter of POSIX")
def test_the_mode_of_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("x" * 100)
    file.chmod(0o644)
    with pytest.raises(ConfigurationError):
        Emulator(state=file)
    assert file.stat().st_mode & 0o777 == 0o644
