"""An emulator that runs for days: what has ended is forgotten, and what has not is there."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from emulator.client import client
from emulator.talk import opened, question, stream_of, talking
from emulator.test_oauth import JWT_GRANT, asked, assertion, jwt_emulator

from coze_async import APIError, AsyncCoze
from coze_async.emulator import ChatInput, Emulator, Script, ToolCall, WorkflowScript
from coze_async.emulator._state import ChatState, State
from coze_async.models import Message


@pytest.fixture(autouse=True)
def _three(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coze_async.emulator._state.MOST_KEPT", 3)


def state_of(emulator: Emulator) -> State:
    return emulator._world.state  # pyright: ignore[reportPrivateUsage]


async def chats(coze: AsyncCoze, count: int, **given: Any) -> list[str]:
    return [(await coze.chat.ask(f"Hi {n}", bot_id="7", user_id="u", **given)).chat_id for n in range(count)]


# --- chats and runs ---------------------------------------------------------------------------------------------------


async def test_of_the_chats_that_are_over_the_newest_stay_with_what_was_said() -> None:
    emulator = Emulator()
    async with client(emulator) as coze:
        made = await chats(coze, 9)
        # The one that has just come is not over yet when room is made.
        assert list(emulator.chats) == made[-4:]
        state = state_of(emulator)
        assert list(state.conversations) == [chat.conversation_id for chat in emulator.chats.values()]
        for chat in emulator.chats.values():
            ids: dict[str, Any] = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
            assert (await coze.chat.retrieve(**ids)).status == "completed"
            assert await coze.chat.messages.list(**ids)


async def test_a_conversation_stays_as_long_as_anything_is_left_of_it() -> None:
    emulator = Emulator()
    async with client(emulator) as coze:
        put = await coze.conversations.create(messages=[Message.user("put")])
        empty = await coze.conversations.create()
        first = await chats(coze, 1, conversation_id=put.id)
        long = await coze.conversations.create()
        made = await chats(coze, 4, conversation_id=long.id)
        await chats(coze, 1)
        kept = made[-3:]
        assert list(emulator.chats)[:3] == kept
        assert first[0] not in emulator.chats
        said = [one async for one in coze.conversations.messages.list(conversation_id=long.id)]
        assert {one.chat_id for one in said} == set(kept)
        assert [one.content async for one in coze.conversations.messages.list(conversation_id=put.id)] == ["put"]
        await coze.conversations.retrieve(conversation_id=empty.id)
        await chats(coze, 6)
        with pytest.raises(APIError) as caught:
            await coze.conversations.retrieve(conversation_id=long.id)
        assert caught.value.code == 4001


async def test_what_goes_on_is_not_forgotten() -> None:
    emulator = Emulator(pace=1.0)
    response = await opened(emulator)
    polled = Script("Late", seconds=10_000.0, pace=0.0)
    emulator.bot("late", polled)
    emulator.bot("7", Script("Now", pace=0.0))
    async with client(emulator) as coze, talking(emulator) as talk:
        late: Any = await talk.create(question(bot_id="late"))
        running = list(emulator.chats)
        made = await chats(coze, 9)
        assert list(emulator.chats) == [*running, *made[-4:]]
        assert (await coze.chat.retrieve(**late)).status in ("created", "in_progress")
    await stream_of(response).aclose()


async def test_a_conversation_is_not_forgotten_with_an_older_chat_that_spoke_last() -> None:
    """The chat that waited for tool outputs ends after another one of its conversation had begun, and goes first."""
    emulator = Emulator()
    emulator.bot("asks", Script(requires=[ToolCall("look", {}, id="c")]))
    async with talking(emulator) as talk:
        of = (await talk.post("/v1/conversation/create"))["data"]["id"]
        body = question(bot_id="asks")
        waits = next(
            event.data for event in await talk.chat(body, conversation_id=of) if event.name.endswith("created")
        )
        await talk.chat(question(auto_save_history=False), conversation_id=of)
        ids: dict[str, Any] = {"conversation_id": of, "chat_id": waits["id"]}
        outputs = {"stream": True, "tool_outputs": [{"tool_call_id": "c", "output": "x"}]}
        await talk.events("/v3/chat/submit_tool_outputs", outputs, **ids)
        for _ in range(3):
            await talk.chat()
        assert waits["id"] not in emulator.chats
        assert of in state_of(emulator).conversations
        for _ in range(2):
            await talk.chat()
        assert [chat for chat in emulator.chats.values() if chat.conversation_id == of] == []


async def test_a_conversation_is_not_forgotten_while_its_next_chat_is_prepared() -> None:
    emulator = Emulator()
    prepared = anyio.Event()

    async def slow(given: ChatInput) -> str:
        await prepared.wait()
        return "Late"

    emulator.bot("slow", slow)
    async with talking(emulator) as talk, anyio.create_task_group() as tasks:
        of = (await talk.post("/v1/conversation/create"))["data"]["id"]
        await talk.chat(question(auto_save_history=False), conversation_id=of)

        async def late() -> None:
            told = await talk.chat(question(bot_id="slow"), conversation_id=of)
            assert told[-1].name == "done"

        tasks.start_soon(late)
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            await talk.chat()
        assert [chat for chat in emulator.chats.values() if chat.conversation_id == of] == []
        prepared.set()


async def test_of_the_runs_that_are_over_the_newest_stay() -> None:
    emulator = Emulator()
    emulator.workflow("slow", WorkflowScript("late", seconds=1000.0))
    async with client(emulator) as coze:
        slow = await coze.workflows.run(workflow_id="slow", is_async=True)
        made = [(await coze.workflows.run(workflow_id="w")).execute_id for _ in range(9)]
        assert list(emulator.runs) == [slow.execute_id, *made[-4:]]


async def test_old_ones_are_not_looked_for_at_every_chat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coze_async.emulator._state.MOST_KEPT", 20)
    looks: list[int] = []
    settled = State.settled

    def counted(state: State) -> dict[str, ChatState]:
        looks.append(len(state.chats))
        return settled(state)

    monkeypatch.setattr(State, "settled", counted)
    async with client(Emulator()) as coze:
        await chats(coze, 31)
    assert looks == [21, 24, 24, 24]


async def test_the_file_forgets_what_is_forgotten(tmp_path: Path) -> None:
    file = tmp_path / "coze.sqlite"
    with Emulator(state=file) as emulator:
        async with client(emulator) as coze:
            long = await coze.conversations.create()
            await chats(coze, 6, conversation_id=long.id)
            await chats(coze, 2)
            for _ in range(9):
                await coze.workflows.run(workflow_id="w")
        state = state_of(emulator)
        kept = list(emulator.chats), list(emulator.runs), list(state.conversations)
        said = [list(conversation.messages) for conversation in state.conversations.values()]
    with Emulator(state=file) as again:
        state = state_of(again)
        assert (list(again.chats), list(again.runs), list(state.conversations)) == kept
        assert [list(conversation.messages) for conversation in state.conversations.values()] == said


# --- tokens and codes -------------------------------------------------------------------------------------------------


def rows(emulator: Emulator) -> int:
    state, oauth = state_of(emulator), emulator.oauth
    tokens = len(state.rows["access_token"]) + len(state.rows["refresh_token"])
    return tokens + len(oauth._codes) + len(oauth._devices)  # pyright: ignore[reportPrivateUsage]


async def test_tokens_and_codes_are_forgotten_when_they_have_ended() -> None:
    emulator = Emulator()
    emulator.oauth.refresh_seconds = 2000
    query = {"client_id": "app", "redirect_uri": "https://a.example", "response_type": "code"}
    most = 0
    for _ in range(100):
        emulator.oauth.issue("app")
        emulator.oauth.authorize(query)
        emulator.oauth.device("app", "http://x")
        most = max(most, rows(emulator))
        await anyio.sleep(100)
        # Somebody asks: that is how time comes to an emulator.
        async with talking(emulator) as talk:
            await talk.get("/v1/users/me")
    assert most <= 9 + 20 + 6 + 9 + 4
    assert rows(emulator) <= most


async def test_an_assertion_is_remembered_as_long_as_it_holds() -> None:
    emulator = jwt_emulator()
    for _ in range(20):
        bearer = assertion(emulator, exp=state_of(emulator).unix_time() + 300)
        for status in (200, 401):
            assert (await asked(emulator, {"grant_type": JWT_GRANT}, bearer)).status_code == status
        await anyio.sleep(100)
    assert len(emulator.oauth._seen) <= 4  # pyright: ignore[reportPrivateUsage]


async def test_a_token_that_is_forgotten_is_refused_and_one_from_elsewhere_stays_revoked() -> None:
    emulator = Emulator()
    old, revoked = (emulator.oauth.issue("app", seconds=50)["access_token"] for _ in range(2))
    emulator.oauth.revoke("pat_mine")
    emulator.oauth.revoke(revoked)
    async with talking(emulator) as talk:
        await talk.get("/v1/users/me")
        await anyio.sleep(200)
        await talk.get("/v1/users/me")
    new = emulator.oauth.issue("app")["access_token"]
    assert set(state_of(emulator).rows["access_token"]) == {"pat_mine", new}
    assert [emulator.oauth.judge(token) for token in (old, revoked, "pat_mine", new)] == [False, False, False, True]
    assert emulator.oauth.judge("pat_other") is None
