"""What Coze Studio and Coze Plus do differently, and the routes beside chats and workflows."""

import json
from typing import Any

import anyio
import pytest
from emulator.talk import HEADERS, names, opened, parse, question, stream_of, talking, text_of

from coze_async.emulator import Chunk, Dialect, Emulator, Failure, Script, ToolCall, WorkflowScript


def plain(**more: Any) -> dict[str, Any]:
    """A question that leaves `stream` to the server."""
    return {name: value for name, value in question(**more).items() if name != "stream"}


async def test_studio_streams_by_default_and_ends_without_data() -> None:
    """Coze Studio source 4f786d6, agent_run_service.go."""
    emulator = Emulator("studio")
    emulator.bot("b-1", Script("Hi", knowledge=[Chunk("x")]))
    async with talking(emulator) as coze:
        response = await coze.http.post("/v3/chat", json=plain())
    assert response.headers["content-type"] == "text/event-stream"
    assert len(response.headers["x-log-id"]) == 36
    assert "x-tt-logid" not in response.headers
    assert response.text.endswith("\n\nevent:conversation.stream.done\ndata:\n\n")
    events = parse(response.text)
    assert text_of(events) == "Hi"
    assert events[2].data["type"] == "knowledge"
    assert "last_error" not in events[0].data
    assert events[0].data["completed_at"] == 0
    assert emulator.dialect == "studio"


async def test_studio_polls_with_other_keys() -> None:
    """Coze Studio source 4f786d6, generated handlers of run and message."""
    emulator = Emulator("studio")
    async with talking(emulator) as coze:
        first = await coze.post("/v3/chat", question(stream=False))
        assert (first["code"], first["BaseResp"], "detail" in first) == (0, None, False)
        ids = {"conversation_id": first["data"]["conversation_id"], "chat_id": first["data"]["id"]}
        assert "Messages" not in await coze.get("/v3/chat/message/list", **ids)
        assert (await coze.finished(ids))["status"] == "completed"
        listed = await coze.get("/v3/chat/message/list", **ids)
        assert "data" not in listed
        assert listed["Messages"][0]["type"] == "verbose"
        late = await coze.http.post("/v3/chat/cancel", json=ids)
        assert (late.status_code, late.json()["code"]) == (400, 400)
        # No check for a second chat in the same conversation, and both places for its id.
        body = plain(ConversationID=ids["conversation_id"])
        assert (await coze.chat(body))[0].data["conversation_id"] == ids["conversation_id"]
        wrong = await coze.http.get("/v3/chat/retrieve", params={**ids, "chat_id": "1"})
        assert (wrong.status_code, wrong.headers["content-type"][:10]) == (500, "text/plain")
        assert (await coze.http.post("/v3/chat/retrieve", params=ids)).status_code == 404


async def test_a_studio_stream_ends_when_it_is_cancelled() -> None:
    emulator = Emulator("studio", pace=0.1)
    async with talking(emulator) as coze:
        response = await opened(emulator)
        body = b""
        async for chunk in stream_of(response):
            if not body:
                (chat,) = emulator.chats.values()
                ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
                answer = await coze.post("/v3/chat/cancel", ids)
                assert answer["ChatV3ChatDetail"]["status"] == "cancelled"
                assert "code" not in answer
            body += chunk
    assert names(parse(body.decode()))[1:] == ["conversation.chat.cancelled", "conversation.stream.done"]


async def test_studio_tells_its_failures_in_error_events() -> None:
    """The truth is the error event; the run completes all the same (Coze Studio source 4f786d6)."""
    emulator = Emulator("studio")
    emulator.bot("broken", Script("Hi", failure=Failure(103200002, "model")))
    emulator.bot("asks", Script(requires=[ToolCall("x")]))
    emulator.bot("gone", None)
    async with talking(emulator) as coze:
        events = await coze.chat(plain(bot_id="broken"))
        assert names(events)[-3:] == ["error", "conversation.chat.completed", "conversation.stream.done"]
        assert names(await coze.chat(plain(bot_id="gone"))) == ["error"]
        assert names(await coze.chat(plain(), conversation_id="1")) == ["error"]
        assert names(await coze.chat(plain(bot_id="asks")))[-2:] == [
            "conversation.message.completed",
            "conversation.stream.done",
        ]
        odd = {"role": "user", "type": "verbose", "content": "x"}
        for body in (plain(additional_messages=[odd]), plain(bot_id="")):
            response = await coze.http.post("/v3/chat", json=body)
            assert (response.status_code, response.json()["code"]) == (400, 400)
        missing = await coze.http.post("/v3/chat", json=question(stream=False), params={"conversation_id": "1"})
        assert missing.status_code == 500
        denied = await coze.http.post("/v3/chat", json=plain(), headers={"Authorization": ""})
        assert (denied.status_code, denied.json()["code"]) == (200, 700012006)


async def test_studio_workflows_have_their_own_history_and_numbered_chatflows() -> None:
    emulator = Emulator("studio")
    emulator.workflow("w-2", WorkflowScript(failure=Failure(1, "x")))
    emulator.workflow("w-3", None)
    async with talking(emulator) as coze:
        started = await coze.post("/v1/workflow/run", {"workflow_id": "w-1", "is_async": True})
        assert started["code"] == 0
        (item,) = (await coze.get("/v1/workflow/get_run_history", execute_id=started["execute_id"]))["data"]
        assert item["execute_id"] == int(started["execute_id"])
        await anyio.sleep(2)
        (item,) = (await coze.get("/v1/workflow/get_run_history", execute_id=started["execute_id"]))["data"]
        assert (item["error_msg"], bool(item["log_id"])) == ("", True)
        assert (await coze.http.get("/v1/workflows/w-1/run_histories/1")).status_code == 404
        assert "node_title" not in (await coze.events("/v1/workflow/stream_run", {"workflow_id": "ask"}))[-1].data
        assert (await coze.post("/v1/workflow/run", {"workflow_id": "w-3"}))["code"] == 6031
        body = {**question(), "workflow_id": "w-1"}
        events = await coze.events("/v1/workflows/chat", body)
        assert events[0].block.startswith("id: 1\nevent: conversation.chat.created")
        assert events[-1].name == "done"
        failed = (await coze.events("/v1/workflows/chat", {**body, "workflow_id": "w-2"}))[-2]
        assert (failed.name, failed.data["code"]) == ("error", "1")


async def test_plus_nests_its_payloads() -> None:
    """The documented form of Coze Plus; its published source writes the studio form instead."""
    emulator = Emulator("plus")
    emulator.bot("broken", Script(failure=Failure(7, "no")))
    async with talking(emulator) as coze:
        response = await coze.http.post("/v3/chat", json=question())
        events = parse(response.text)
        assert response.text.startswith("event: conversation.chat.created\ndata: {")
        assert all(event.data["event"] == event.name for event in events)
        assert events[2].data["message_item"]["role"] == "assistant"
        usage = events[-2].data["run_record_item"]["usage"]
        assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"]
        assert events[-1].data == {"event": "conversation.stream.done"}
        error = (await coze.chat(question(bot_id="broken")))[-3]
        assert error.data == {"event": "conversation.error", "error": {"code": 7, "msg": "no"}}


async def test_plus_answers_at_once_and_has_nothing_to_poll() -> None:
    emulator = Emulator("plus")
    emulator.bot("b-2", Script(failure=Failure(7, "no")))
    emulator.bot("b-3", Script())
    async with talking(emulator) as coze:
        answer = await coze.post("/v3/chat", question(stream=False))
        assert (answer["code"], answer["msg"], answer["data"]["role"]) == (0, "success", "assistant")
        assert "jazz" in answer["data"]["content"]
        assert (await coze.http.get("/v3/chat/retrieve")).status_code == 404
        assert (await coze.http.get("/v3/chat/message/list")).status_code == 404
        assert (await coze.post("/v3/chat", question(stream=False, bot_id="b-2")))["code"] == 7
        assert (await coze.post("/v3/chat", question(stream=False, bot_id="b-3")))["data"]["content"] == ""
        # A conversation's id alone is enough to cancel.
        response = await opened(emulator)
        await anext(aiter(stream_of(response)))
        chat = list(emulator.chats.values())[-1]
        assert (await coze.post("/v3/chat/cancel", {"conversation_id": chat.conversation_id}))["ChatV3ChatDetail"]
        await response.aclose()
        empty = (await coze.post("/v1/conversation/create"))["data"]["id"]
        assert (await coze.http.post("/v3/chat/cancel", json={"conversation_id": empty})).status_code == 500


async def test_plus_takes_sixty_chats_a_minute_from_one_user() -> None:
    emulator = Emulator("plus")
    emulator.bot("b-1", Script("ok"))
    async with talking(emulator) as coze:
        statuses = [(await coze.http.post("/v3/chat", json=question())).status_code for _ in range(61)]
        assert statuses == [200] * 60 + [429]
        assert (await coze.http.post("/v3/chat", json=question(user_id="other"))).status_code == 200
        await anyio.sleep(61)
        assert (await coze.http.post("/v3/chat", json=question())).status_code == 200


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", ["studio", "plus"])
async def test_session_routes_want_a_cookie(dialect: Dialect) -> None:
    emulator = Emulator(dialect)
    async with talking(emulator) as coze:
        refused = await coze.http.post("/api/draftbot/create", json={"space_id": "1"})
        assert (refused.status_code, refused.json()["code"]) == (401, 700012006)
        coze.http.headers["cookie"] = "session_key=abc"
        bot_id = (await coze.post("/api/draftbot/create", {"space_id": "1", "name": "x"}))["data"]["bot_id"]
        assert (await coze.post("/api/draftbot/update_display_info", {"bot_id": bot_id}))["code"] == 0
        published = await coze.post("/api/draftbot/publish", {"space_id": "1", "bot_id": bot_id, "connectors": {}})
        assert "1024" in published["data"]["publish_result"]
        conversation_id = (await coze.post("/v1/conversation/create"))["data"]["id"]
        body = {"query": "What is jazz?", "conversation_id": conversation_id, "bot_id": bot_id}
        response = await coze.http.post("/api/conversation/chat", json=body)
    assert "conversation.stream.done" in response.text


async def test_tokens_are_checked() -> None:
    async def status(emulator: Emulator, **headers: str) -> int:
        async with talking(emulator, headers=headers) as coze:
            response = await coze.http.get("/v1/users/me")
        if response.status_code == 401:
            assert response.json()["code"] == 4100
        return response.status_code

    assert await status(Emulator()) == 401
    assert await status(Emulator(), Authorization="Bearer bad_one") == 401
    assert await status(Emulator(), Authorization="Basic x") == 401
    assert await status(Emulator(), Authorization="Bearer x") == 200
    assert await status(Emulator(tokens=["y"]), Authorization="Bearer x") == 401
    assert await status(Emulator(tokens=["y"]), Authorization="Bearer y") == 200


async def test_bots_workspaces_and_conversations_are_there() -> None:
    emulator = Emulator()
    emulator.bot("gone", None)
    async with talking(emulator) as coze:
        assert (await coze.get("/v1/bots/7"))["data"]["bot_id"] == "7"
        assert (await coze.get("/v1/bot/get_online_info", bot_id="7"))["data"]["bot_id"] == "7"
        assert (await coze.get("/v1/bot/get_online_info"))["code"] == 4000
        assert (await coze.get("/v1/bots/gone"))["code"] == 4200
        spaces = (await coze.get("/v1/workspaces"))["data"]
        assert (spaces["total_count"], len(spaces["workspaces"])) == (1, 1)
        assert (await coze.get("/v1/workspaces", page_num=2))["data"]["workspaces"] == []
        created = await coze.post("/v1/conversation/create", {"meta_data": {"a": "b"}})
        assert created["data"]["meta_data"] == {"a": "b"}


async def test_requests_are_recorded() -> None:
    emulator = Emulator()
    async with talking(emulator) as coze:
        await anyio.sleep(5)
        now = anyio.current_time()
        await coze.create(question(), conversation_id="")
        await coze.http.post("/v1/files/upload", content=b"\xff")
    first, second = emulator.requests
    assert (first.method, first.path, first.query) == ("POST", "/v3/chat", {"conversation_id": ""})
    assert first.headers["authorization"] == HEADERS["Authorization"]
    assert HEADERS["Authorization"] not in repr(first)
    assert first.body["user_id"] == "u-1"
    assert first.at == pytest.approx(now, abs=0.1)
    assert second.body == "\ufffd"
    assert json.loads(json.dumps(first.body)) == first.body


def test_there_are_three_dialects() -> None:
    with pytest.raises(ValueError, match="'cloud', 'studio', 'plus'"):
        Emulator("other")  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]


CLOUD_ONLY = [
    ("POST", "/v3/chat/retrieve"),
    ("POST", "/v3/chat/submit_tool_outputs"),
    ("POST", "/v1/workflows/resume"),
    ("GET", "/v1/workflows/1/run_histories/1"),
    ("GET", "/v1/workflows/1/versions"),
    ("GET", "/v1/workflows"),
    ("POST", "/v1/conversation/message/create"),
    ("GET", "/v1/files/retrieve"),
    ("GET", "/v1/bots"),
    ("GET", "/v1/workspaces"),
    ("GET", "/v1/users/me"),
    ("GET", "/v1/variables"),
    ("PUT", "/v1/datasets/1/images/1"),
    ("GET", "/v1/audio/voices"),
    ("GET", "/v1/commerce/benefit/benefits/get"),
    ("POST", "/api/permission/oauth2/token"),
]
NOT_ON_PLUS = [
    ("GET", "/v3/chat/retrieve"),
    ("GET", "/v3/chat/message/list"),
    ("GET", "/v1/conversation/retrieve"),
    ("GET", "/v1/datasets"),
    ("POST", "/open_api/knowledge/document/list"),
]
OWN = [("GET", "/v1/workflow/get_run_history"), ("POST", "/api/draftbot/create"), ("POST", "/api/conversation/chat")]


async def test_each_server_lacks_routes_of_the_others() -> None:
    """The route tables of Coze Studio source 4f786d6 and Coze Plus source fb00b21."""
    lacks: dict[Dialect, list[tuple[str, str]]] = {
        "cloud": OWN,
        "studio": CLOUD_ONLY,
        "plus": CLOUD_ONLY + NOT_ON_PLUS,
    }
    for dialect, missing in lacks.items():
        emulator = Emulator(dialect)
        async with talking(emulator) as coze:
            for method, path in (*CLOUD_ONLY, *NOT_ON_PLUS, *OWN):
                response = await coze.http.request(method, path)
                assert (response.status_code == 404) is ((method, path) in missing), (dialect, method, path)
                assert "x-log-id" in response.headers or "x-tt-logid" in response.headers


async def test_studio_tells_the_role_of_a_workflow_only() -> None:
    async with talking(Emulator("studio")) as coze:
        assert list((await coze.get("/v1/workflows/7"))["data"]) == ["role"]
