"""What a journal keeps of requests and streams, and that it stays small."""

import contextlib
import json
import time
from typing import Any

import anyio
import httpx
import pytest
from emulator.talk import question, stream_of, talking

from coze_async import AsyncCoze, ChatFailedError
from coze_async.emulator import (
    Break,
    Cut,
    Emulator,
    EmulatorLimits,
    ErrorEvent,
    Failure,
    Refuse,
    Script,
    Seen,
    Stall,
    Unreachable,
    WorkflowScript,
)
from coze_async.emulator._journal import Journal


def watched(**options: Any) -> tuple[Emulator, Journal]:
    emulator = Emulator(**options)
    return emulator, emulator.journal


async def test_nothing_is_kept_before_somebody_looks() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        await coze.get("/v1/users/me")
        assert emulator.journal.total == 0
        assert emulator.journal is emulator.journal
        await coze.get("/v1/users/me")
    assert [seen.path for seen in emulator.journal.requests] == ["/v1/users/me"]
    assert len(emulator.requests) == 2


async def test_a_request_is_seen_with_what_became_of_it() -> None:
    emulator, journal = watched()
    ended: list[Seen] = []
    journal.on_end = ended.append
    async with talking(emulator) as coze:
        await coze.create(question("What is <jazz>?"))
        await coze.http.get("/v1/bots/7", headers={"authorization": "Bearer bad"})
    chat, bot = journal.requests
    assert (chat.method, chat.path, chat.user, chat.subject, chat.question) == (
        "POST",
        "/v3/chat",
        "u-1",
        "b-1",
        "What is <jazz>?",
    )
    assert (chat.status, chat.code, chat.msg, chat.ending, chat.seconds) == (200, 0, "", "complete", 0)
    assert chat.lane in emulator.chats
    assert len(chat.logid) > 20
    assert json.loads(chat.body)["user_id"] == "u-1"
    assert '"conversation_id"' in chat.answer
    assert (bot.status, bot.code, bot.msg) == (401, 4100, "authentication is invalid")
    assert ended == [chat, bot]
    assert [seen.number for seen in journal.requests] == [1, 2]


async def test_the_events_of_a_stream_are_marks_on_a_line_of_time() -> None:
    emulator, journal = watched(pace=0.5)
    emulator.bot("b-1", "one two three")
    async with talking(emulator) as coze:
        response = await emulator.transport().handle_async_request(
            coze.http.build_request("POST", "/v3/chat", json=question())
        )
        stream = aiter(stream_of(response))
        for _ in range(4):
            await anext(stream)
        (seen,) = journal.requests
        assert (seen.seconds, seen.ending, seen.is_stream, len(seen.marks)) == (None, "", True, 4)
        version = journal.version
        assert journal.changed_since(version) == []
        assert [chunk async for chunk in stream]
        await response.aclose()
    assert journal.changed_since(version) == [seen]
    assert [round(mark.seconds, 2) for mark in seen.marks] == [0, 0, 0.5, 1.0, 1.5, 1.5, 1.5, 1.5, 1.5]
    assert seen.marks[0].head.startswith(b"event:conversation.chat.created\ndata:")
    assert seen.seconds == pytest.approx(1.5)
    assert (seen.ending, seen.chunks, seen.has_failed) == ("complete", 9, False)
    assert seen.lane in emulator.chats


async def test_how_a_request_ended_is_told() -> None:
    emulator, journal = watched()
    faults = [Break(after=2), Break(after=None), Unreachable(), Cut(after=2), Refuse(), ErrorEvent()]
    async with talking(emulator, timeout=5) as coze:
        for fault in faults:
            emulator.fail(fault, "/v3/chat")
            with contextlib.suppress(httpx.TransportError):
                await coze.http.post("/v3/chat", json=question())
        emulator.fail(Stall())
        with anyio.move_on_after(1):
            await coze.http.post("/v3/chat", json=question())
        emulator.fail(Stall(after=1))
        with anyio.move_on_after(1):
            await coze.http.post("/v3/chat", json=question())
    assert [(seen.fault, seen.status, seen.code, seen.ending, seen.has_failed) for seen in journal.requests] == [
        ("Break", 200, None, "lost", False),
        ("Break", None, None, "lost", False),
        ("Unreachable", None, None, "unreachable", False),
        ("Cut", 200, None, "complete", False),
        ("Refuse", 429, 4013, "complete", False),
        ("ErrorEvent", 200, None, "complete", True),
        ("Stall", None, None, "left", False),
        ("Stall", 200, None, "left", False),
    ]
    assert [seen.seconds for seen in journal.requests][-2:] == [pytest.approx(1, abs=0.1)] * 2
    assert journal.rates()["refused"] == 1


async def test_what_belongs_to_one_chat_or_run_is_one_lane() -> None:
    emulator, journal = watched()
    emulator.bot("bad", Script("x", failure=Failure(5000)))
    emulator.workflow("w", WorkflowScript({"output": "x"}, seconds=0.0))
    async with AsyncCoze("any", transport=emulator.transport()) as coze:
        result = await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
        streamed = await coze.chat.ask("Hi", bot_id="b", user_id="u")
        run = await coze.workflows.run(workflow_id="w")
        async for _ in coze.workflows.stream(workflow_id="w"):
            pass
        asked = [event async for event in coze.workflows.stream(workflow_id="w-ask")][-1]
        event_id: str = getattr(asked, "event_id", "")
        async for _ in coze.workflows.resume(
            workflow_id="w-ask", event_id=event_id, interrupt_type=2, resume_data="Paris"
        ):
            pass
        polled = await coze.workflows.run_and_poll(workflow_id="w")
        with pytest.raises(ChatFailedError):
            await coze.chat.ask("Hi", bot_id="bad", user_id="u")
    assert [seen.has_failed for seen in journal.requests][-2:] == [False, True]
    lanes: dict[str, list[str]] = {}
    for seen in journal.requests:
        lanes.setdefault(seen.lane, []).append(seen.path.removeprefix("/v1/").removeprefix("/v3/"))
    assert lanes[result.chat_id or ""][0] == "chat"
    assert lanes[result.chat_id or ""][-1] == "chat/message/list"
    assert lanes[streamed.chat_id or ""] == ["chat"]
    assert lanes[run.execute_id or ""] == ["workflow/run"]
    assert lanes[event_id.partition("/")[0]] == ["workflow/stream_run", "workflow/stream_resume"]
    assert lanes[polled.execute_id or ""][0] == "workflow/run"
    assert "run_histories" in lanes[polled.execute_id or ""][-1]
    assert "" not in lanes


async def test_a_chat_that_failed_has_failed_whatever_comes_after_it() -> None:
    emulator, journal = watched()
    emulator.bot("b-1", Script("x", failure=Failure(5000)))
    async with talking(emulator) as coze:
        assert (await coze.chat())[-1].name == "done"
    assert [(seen.has_failed, seen.ending) for seen in journal.requests] == [(True, "complete")]


async def test_of_many_users_in_one_second_some_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coze_async.emulator._journal._MOST_USERS", 2)
    monkeypatch.setattr("time.time", lambda: 1_800_000_000.0)
    emulator, journal = watched()
    async with talking(emulator) as coze:
        for user in "abcab":
            await coze.chat(question(user_id=user))
    assert journal.rates()["users"] == [("a", 2), ("b", 2)]


async def test_secrets_of_a_login_are_not_kept() -> None:
    emulator, journal = watched()
    async with talking(emulator) as coze:
        await coze.post("/api/permission/oauth2/token", {"client_id": "c", "refresh_token": "s3cret"})
        emulator.oauth.approve()
        await coze.post("/api/permission/oauth2/device/code", {"client_id": "c"})
    assert [(seen.body, seen.answer) for seen in journal.requests] == [("", "")] * 2
    assert journal.requests[0].code is None
    assert "pat_test" not in repr(list(journal.requests))


async def test_large_and_odd_bodies_are_kept_as_a_glimpse() -> None:
    emulator, journal = watched()
    async with talking(emulator) as coze:
        deep: Any = "x"
        for _ in range(50):
            deep = {"a": [deep]}
        await coze.post("/v3/chat", {"long": "x" * 10**6, "many": list(range(10**5)), "deep": deep, "user_id": ["u"]})
        await coze.post("/v3/chat", {"additional_messages": [5, {"role": "user", "content": {"a": 1}}], "user_id": 7})
        odd = {"role": "user", "content_type": "object_string", "content": "no JSON"}
        await coze.post("/v3/chat", {"additional_messages": [odd]})
        await coze.http.post("/v3/chat", content=b"\xff\xfe")
        await coze.http.post("/v3/chat", json=[1, 2])
        await coze.http.post("/v1/files/upload", files={"file": ("票价.pdf", b"12345", "application/pdf")})
        emulator.fail(Refuse(msg="m" * 10**5))
        await coze.get("/v1/users/me")
    first, second, third, fourth, fifth, form, last = journal.requests
    assert len(first.body) <= 1200
    assert len(first.user) < 10
    assert (second.user, second.question) == ("7", "{'a': 1}")
    assert (third.question, fourth.body, fifth.body) == ("", '"\ufffd\ufffd"', "[1, 2]")
    assert form.body == "file: 票价.pdf (application/pdf, 5 bytes)"
    assert (last.status, last.code, len(last.answer)) == (429, None, 600)


def test_a_journal_stays_small_after_100000_requests() -> None:
    emulator, journal = watched(keep=100)

    async def ask() -> None:
        for number in range(100_000):
            await emulator.handle("GET", f"/none/{number}", {}, {}, b"")

    anyio.run(ask)
    assert (journal.total, len(journal.requests)) == (100_000, 400)
    assert journal.requests[-1].path == "/none/99999"
    assert 100 <= len(emulator.requests) <= 200
    assert emulator.requests[-1].path == "/none/99999"
    assert all(len(seconds) == 60 for seconds in journal.rates()["buckets"].values())


async def test_a_stream_of_many_events_keeps_its_beginning_and_its_end() -> None:
    emulator, journal = watched()
    emulator.bot("b-1", " ".join(f"w{number}" for number in range(2000)))
    async with talking(emulator) as coze:
        await coze.chat()
    (seen,) = journal.requests
    assert seen.chunks > 2000
    assert 100 < len(seen.marks) <= 300
    assert seen.thinned > 0
    assert b"chat.created" in seen.marks[0].head
    assert b"event:done" in seen.marks[-1].head
    seconds = [mark.seconds for mark in seen.marks]
    assert seconds == sorted(seconds)


async def test_rates_count_calls_by_what_they_share_and_by_user(monkeypatch: pytest.MonkeyPatch) -> None:
    emulator, journal = watched()
    now = 1_800_000_000.0
    monkeypatch.setattr("time.time", lambda: now)
    async with talking(emulator) as coze:
        for user in ("a", "b", "a"):
            await coze.chat(question(user_id=user))
        await coze.get("/v3/chat/retrieve")
        await coze.get("/v3/chat/message/list")
        await coze.post("/v3/chat/cancel", {})
        now += 5
        await coze.post("/v1/workflow/run", {"workflow_id": "w"})
        await coze.get("/v1/workflows/1/run_histories/2")
        await coze.post("/v1/workflows/chat", {})
        await coze.post("/v1/files/upload", {})
        for number in range(150):
            await coze.http.post("/v1/none", json={"user_id": f"user-{number}"})
        rates = journal.rates()
        assert {name: sum(seconds) for name, seconds in rates["buckets"].items()} == {
            "chat": 5,
            "workflow": 3,
            "upload": 1,
            "other": 151,
        }
        assert all(len(seconds) == 60 for seconds in rates["buckets"].values())
        assert (rates["buckets"]["chat"][-6], rates["buckets"]["workflow"][-1]) == (5, 3)
        assert rates["users"][0] == ("a", 2)
        assert len(rates["users"]) == 12
        now += 56
        assert sum(journal.rates()["buckets"]["chat"]) == 0
        assert sum(journal.rates()["buckets"]["workflow"]) == 3
        now += 10
        assert journal.rates()["users"] == []


async def test_rates_are_counted_once_for_all_who_look(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_760_000_000.0
    monkeypatch.setattr(time, "time", lambda: now)
    emulator = Emulator(limits=EmulatorLimits(chat_qps=1))
    journal = emulator.journal
    async with talking(emulator) as coze:
        for refused in (0, 1):
            await coze.chat() if not refused else await coze.post("/v3/chat", question())
            rates = journal.rates()
            assert journal.rates() is rates
            assert (rates["buckets"]["chat"][-1], rates["refused"]) == (1 + refused, refused)
    now += 1
    assert journal.rates()["buckets"]["chat"][-2:] == [2, 0]
