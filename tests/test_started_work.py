"""Chats and runs that were started cost money: they are never started twice, and never lost."""

import json
from typing import Any

import anyio
import httpx
import pytest
from answering import Answers, answer, chat, event_stream, refusal

from coze_async import (
    AsyncCoze,
    Auth,
    AuthenticationError,
    ChatFailedError,
    CozeError,
    Limits,
    PermissionDeniedError,
    Polling,
    PollTimeoutError,
    ServerError,
    StreamInterruptedError,
    TransportError,
    WorkflowError,
)
from coze_async.emulator import Emulator
from coze_async.models import KnowledgeChunk, Message
from coze_async.models._chat import knowledge_chunks

ASKED: dict[str, Any] = {"bot_id": "b", "user_id": "u"}


class Renewable(Auth):
    """A login that always has another token."""

    def __init__(self, *tokens: str) -> None:
        self._tokens = list(tokens)
        self.renewals = 0

    async def headers(self) -> dict[str, str]:
        token = self._tokens.pop(0) if len(self._tokens) > 1 else self._tokens[0]
        return {"Authorization": f"Bearer {token}"}

    async def renew(self, refused: Any, endpoint: Any) -> bool:
        self.renewals += 1
        return True

    def secrets(self) -> tuple[str, ...]:
        return ()


class Nobody(Renewable):
    """A login without credentials, as a server of one's own may want it."""

    async def headers(self) -> dict[str, str]:
        return {}


@pytest.mark.parametrize("failure", [httpx.ReadError("reset"), refusal(5000, status=500)])
async def test_a_chat_without_credentials_is_not_sent_twice_either(failure: httpx.Response | Exception) -> None:
    transport = Answers(failure)
    async with AsyncCoze(Nobody("-"), transport=transport) as coze:
        with pytest.raises((TransportError, ServerError)):
            await coze.chat.create("hi", **ASKED)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("code", [109000002, 109000013, 777777765])
async def test_the_login_of_a_plug_in_that_fails_in_a_run_does_not_start_the_run_again(code: int) -> None:
    transport, auth = Answers(refusal(code)), Renewable("token-one")
    async with AsyncCoze(auth, transport=transport) as coze:
        with pytest.raises(AuthenticationError):
            await coze.workflows.run(workflow_id="w")
    assert (len(transport.requests), auth.renewals) == (1, 0)


@pytest.mark.parametrize("refused", [refusal(4100), refusal(700012006), refusal(1, status=401)])
async def test_a_refused_token_is_renewed_once_and_the_chat_sent_again(refused: httpx.Response) -> None:
    transport, auth = Answers(refused, chat("created")), Renewable("token-one", "token-two")
    async with AsyncCoze(auth, transport=transport) as coze:
        assert (await coze.chat.create("hi", **ASKED)).id == "9"
    assert [request.headers["authorization"][-3:] for request in transport.requests] == ["one", "two"]
    assert auth.renewals == 1


async def test_a_token_is_hidden_although_the_login_has_moved_on_to_another() -> None:
    transport = Answers(refusal(4000, "unknown: firstsecrettoken"))
    async with AsyncCoze(Renewable("firstsecrettoken", "second"), transport=transport) as coze:
        with pytest.raises(CozeError) as caught:
            await coze.users.me()
    assert "firstsecret" not in str(caught.value)


async def test_an_error_while_looking_names_the_chat_that_goes_on() -> None:
    transport = Answers(chat("in_progress"), refusal(4101))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        with pytest.raises(PermissionDeniedError) as caught:
            await coze.chat.create_and_poll("hi", **ASKED)
    assert caught.value.chat is not None
    assert (caught.value.chat.id, caught.value.chat.conversation_id) == ("9", "7")
    assert "chat 9 of the conversation 7" in caught.value.__notes__[0]


async def test_an_error_while_looking_names_the_run_that_goes_on() -> None:
    transport = Answers(answer({"execute_id": "77", "debug_url": "d", "msg": ""}), refusal(4101))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        with pytest.raises(PermissionDeniedError) as caught:
            await coze.workflows.run_and_poll(workflow_id="w")
    assert caught.value.execute_id == "77"


@pytest.mark.parametrize("updated", [True, False])
async def test_polled_answers_stand_in_the_order_in_which_they_were_written(updated: bool) -> None:
    """Case A11: an answer's created_at is the beginning of its chat, or says nothing at all."""

    def said(text: str, created: int, changed: int) -> dict[str, Any]:
        facts = {"id": text, "role": "assistant", "type": "answer", "content": text, "created_at": created}
        return {**facts, "updated_at": changed} if updated else facts

    listed = [said("second", 10, 40), said("first", 20, 30)]
    transport = Answers(chat("completed"), answer({"code": 0, "data": listed}))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        result = await coze.chat.create_and_poll("hi", **ASKED)
    # Without a time of writing, the server's own order holds.
    assert result.answers == (["first", "second"] if updated else ["second", "first"])


@pytest.mark.parametrize("status", ["conversation.chat.cancelled", "cancelled", "canceled"])
async def test_a_canceled_chat_is_over_however_it_is_spelled(status: str) -> None:
    """Case A12: Coze Studio says later that it is completed."""
    transport = Answers(chat("in_progress"), chat(status), chat("completed"))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        result = await coze.chat.create_and_poll("hi", **ASKED)
    assert (result.status, result.is_empty) == ("canceled", True)
    assert len(transport.requests) == 2


@pytest.mark.parametrize("listed", [None, [], [{"id": "1", "role": "user", "type": "question", "content": "hi"}]])
async def test_a_polled_chat_without_a_message_of_its_bot_has_failed(listed: Any) -> None:
    """Case A13: Coze Studio calls a chat completed whose model has failed."""
    transport = Answers(chat("completed"), answer({"code": 0, "data": listed}))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        with pytest.raises(ChatFailedError, match="has brought no message") as caught:
            await coze.chat.create_and_poll("hi", **ASKED)
    assert caught.value.chat is not None
    assert caught.value.chat.id == "9"


async def test_a_polled_chat_whose_answer_is_empty_has_not_failed() -> None:
    finish = {"id": "1", "role": "assistant", "type": "verbose", "content": '{"msg_type":"generate_answer_finish"}'}
    transport = Answers(chat("completed"), answer({"code": 0, "data": [finish]}))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        assert (await coze.chat.create_and_poll("hi", **ASKED)).text == ""


async def test_waiting_for_a_slot_counts_into_the_time_of_a_poll() -> None:
    emulator = Emulator()
    coze = AsyncCoze("pat_x", transport=emulator.transport(), limits=Limits(chats_at_once=1))
    async with coze, coze.chat.stream("hi", **ASKED) as stream:
        await anext(stream)
        began = anyio.current_time()
        with pytest.raises(PollTimeoutError, match="not yet created"):
            await coze.chat.create_and_poll("hi", **ASKED, polling=Polling(timeout=3.0))
        assert anyio.current_time() - began == pytest.approx(3.0)
    assert len(emulator.chats) == 1


async def test_a_poll_that_could_not_cancel_does_not_say_that_it_has() -> None:
    class Refusing(Answers):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == "/v3/chat/cancel":
                return refusal(4101)
            return await super().handle_async_request(request)

    async with AsyncCoze("pat_x", transport=Refusing(chat("in_progress"))) as coze:
        with pytest.raises(PollTimeoutError, match="could not be cancelled and may go on"):
            await coze.chat.create_and_poll("hi", **ASKED, polling=Polling(timeout=5.0))


def history(status: str, **more: Any) -> httpx.Response:
    return answer({"code": 0, "data": [{"execute_id": "77", "execute_status": status, "output": "", **more}]})


async def test_a_run_that_waits_for_nobody_is_not_over_and_one_that_was_cancelled_is() -> None:
    started = answer({"execute_id": "77", "debug_url": "d", "msg": ""})
    empty = {"interrupt_data": {"event_id": "", "type": 0, "data": ""}}
    transport = Answers(started, history("Running", **empty), history("Success", output='{"Output":"done"}', **empty))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        run = await coze.workflows.run_and_poll(workflow_id="w")
    assert (run.data, run.interrupt_data) == ("done", None)
    async with AsyncCoze("pat_x", transport=Answers(started, history("Cancel"))) as coze:
        with pytest.raises(WorkflowError):
            await coze.workflows.run_and_poll(workflow_id="w")


async def test_an_interrupt_is_kept_although_the_end_comes_with_it() -> None:
    waits = 'id: 0\nevent: Interrupt\ndata: {"interrupt_data":{"event_id":"1/2","type":2}}\n\n'
    transport = Answers(event_stream(f"{waits}id: 1\nevent: Done\ndata: {{}}\n\n"))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        run = await coze.workflows.stream(workflow_id="w").result()
    assert run.interrupt_data is not None
    assert run.interrupt_data.event_id == "1/2"


async def test_a_stream_under_which_the_client_is_closed_says_so() -> None:
    created = 'event:conversation.chat.created\ndata:{"id":"9","conversation_id":"7","status":"created"}\n\n'
    coze = AsyncCoze("pat_x", transport=Answers(event_stream(created)))
    stream = coze.chat.stream("hi", **ASKED)
    await anext(stream)
    await coze.aclose()
    with pytest.raises(StreamInterruptedError, match="the client was closed"):
        await anext(stream)


async def test_a_chatflow_counts_for_the_user_whom_it_names_and_for_nobody_else() -> None:
    done = event_stream('event:done\ndata:"[DONE]"\n\n')
    limits = Limits(account=None)
    for ext, waits in (({"user_id": "u"}, True), (None, False)):
        transport = Answers(done)
        async with AsyncCoze("pat_x", transport=transport, limits=limits) as coze:
            for _ in range(61):
                await coze.workflows.chat("hi", workflow_id="w", bot_id="b", ext=ext).result()
        assert (transport.times[-1] - transport.times[0] > 60) == waits


def test_an_address_is_repaired_only_where_it_is_broken() -> None:
    def url(given: str) -> str | None:
        data = json.dumps({"chunks": [{"slice": "s", "meta": {"link": {"url": given}}}]})
        recall = json.dumps({"msg_type": "knowledge_recall", "data": data})
        (chunk,) = list[KnowledgeChunk](knowledge_chunks(Message(type="verbose", content=recall)))
        return chunk.url

    assert url("https://x/a?b=1u0026c=2") == "https://x/a?b=1&c=2"
    assert url("https://x/menu0026.html?a=1&b=2") == "https://x/menu0026.html?a=1&b=2"


@pytest.mark.parametrize("body", [b'{"code":1e400}', b"[" * 100_000, b'{"code":"InvalidToken","msg":"no"}'])
async def test_an_odd_answer_is_an_error_of_this_library(body: bytes) -> None:
    async with AsyncCoze("pat_x", transport=Answers(answer(content=body))) as coze:
        with pytest.raises(CozeError):
            await coze.bots.unpublish(bot_id="b", connector_id="1024")
