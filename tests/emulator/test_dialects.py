"""What Coze Studio and Coze Plus do differently, and the routes beside chats and workflows."""

import json
from typing import Any

import anyio
import pytest
from emulator.talk import HEADERS, names, opened, parse, question, stream_of, talking, text_of

from coze_async.emulator import Chunk, Dialect, Emulator, Failure, Script, ToolCall, WorkflowScript


def plain(text: str = "What is jazz?", **more: Any) -> dict[str, Any]:
    """A question that leaves `stream` to the server."""
    return {name: value for name, value in question(text, **more).items() if name != "stream"}


async def test_studio_streams_by_default_and_ends_without_data() -> None:
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
    assert (events[0].data["status"], events[0].data["completed_at"]) == ("in_progress", 0)
    assert "usage" not in events[-2].data
    assert emulator.dialect == "studio"


async def test_studio_polls_with_other_keys() -> None:
    emulator = Emulator("studio")
    async with talking(emulator) as coze:
        first = await coze.post("/v3/chat", question(stream=False))
        assert (first["code"], first["BaseResp"], first["data"]["status"]) == (0, None, "in_progress")
        ids = {"conversation_id": first["data"]["conversation_id"], "chat_id": first["data"]["id"]}
        listed = await coze.get("/v3/chat/message/list", **ids)
        assert [message["type"] for message in listed["Messages"]] == ["question"]
        finished = await coze.finished(ids)
        assert (finished["status"], finished["usage"]["token_count"] > 0) == ("completed", True)
        listed = await coze.get("/v3/chat/message/list", **ids)
        assert "data" not in listed
        assert [message["type"] for message in listed["Messages"]][:2] == ["question", "answer"]
        late = await coze.http.post("/v3/chat/cancel", json=ids)
        assert (late.status_code, late.json()["code"]) == (400, 400)
        # No check for a second chat in the same conversation, and both places for its id.
        body = plain(ConversationID=ids["conversation_id"])
        assert (await coze.chat(body))[0].data["conversation_id"] == ids["conversation_id"]
        wrong = await coze.http.get("/v3/chat/retrieve", params={**ids, "chat_id": "1"})
        assert (wrong.status_code, wrong.text) == (500, "record not found")
        assert (await coze.http.post("/v3/chat/retrieve", params=ids)).status_code == 404


@pytest.mark.parametrize("dialect", ["studio", "plus"])
async def test_a_run_that_is_cancelled_goes_on_and_completes(dialect: Dialect) -> None:
    emulator = Emulator(dialect, pace=0.1)
    async with talking(emulator) as coze:
        response = await opened(emulator)
        body = b""
        async for chunk in stream_of(response):
            body += chunk
            if body.endswith(b"in_progress"):
                (chat,) = emulator.chats.values()
                ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
                answer = await coze.post("/v3/chat/cancel", ids)
                assert answer["ChatV3ChatDetail"]["status"] == "conversation.chat.cancelled"
                assert "code" not in answer
    assert names(parse(body.decode()))[-2:] == ["conversation.chat.completed", "conversation.stream.done"]
    assert [chat.status for chat in emulator.chats.values()] == ["completed"]


async def test_studio_tells_its_failures_in_error_events() -> None:
    """A failed model is told in an error event, and its chat completes; what cannot begin fails without an end."""
    emulator = Emulator("studio")
    emulator.bot("broken", Script("Hi", failure=Failure(103200002, "model")))
    emulator.bot("dead", Script("Hi", failure=Failure(103100001, "no model", before_run=True)))
    emulator.bot("asks", Script(requires=[ToolCall("x")]))
    emulator.bot("gone", None)
    async with talking(emulator) as coze:
        events = await coze.chat(plain(bot_id="broken"))
        assert names(events)[-3:] == ["error", "conversation.chat.completed", "conversation.stream.done"]
        events = await coze.chat(plain(bot_id="dead"))
        assert names(events)[-2:] == ["conversation.chat.in_progress", "error"]
        assert list(emulator.chats.values())[-1].status == "failed"
        (refused,) = await coze.chat(plain(bot_id="gone"))
        assert (refused.name, "agent not published, agentID=gone" in refused.data["msg"]) == ("error", True)
        assert "\nstack=" in refused.data["msg"]
        # An unknown conversation is begun anew.
        assert (await coze.chat(plain(), conversation_id="1"))[-1].name == "conversation.stream.done"
        (waiting, _, *_) = [event.data for event in await coze.chat(plain(bot_id="asks")) if "meta_data" in event.data][
            1:
        ]
        assert "requires_action" in waiting["meta_data"]
        odd = {"role": "user", "type": "verbose", "content": "x"}
        assert names(await coze.chat(plain(additional_messages=[odd]))) == ["error"]
        for body in (plain(bot_id="abc"), plain(bot_id=5), plain(parameters="x"), plain(user_id=5)):
            response = await coze.http.post("/v3/chat", json=body)
            assert (response.status_code, response.json()["code"]) == (400, 400)
        denied = await coze.http.post("/v3/chat", json=plain(), headers={"Authorization": ""})
        assert (denied.status_code, denied.json()["code"]) == (200, 700012006)


async def test_a_bot_that_asks_waits_in_the_conversation() -> None:
    """With a plug-in or on a chatflow: only a verbose message tells it, and the next message is the answer."""
    emulator = Emulator("studio")
    emulator.bot("7", lambda given: "Hi Bob" if given.history else Script(asks="Your name?", chatflow=True))
    async with talking(emulator) as coze:
        asked = await coze.chat(plain(bot_id="7"))
        assert [
            json.loads(event.data["content"])["msg_type"]
            for event in asked
            if event.data and event.data.get("type") == "verbose"
        ] == ["interrupt", "generate_answer_finish"]
        told = await coze.chat(plain("Bob", bot_id="7"), conversation_id=asked[0].data["conversation_id"])
        assert text_of(told) == "Hi Bob"
    cloud = Emulator()
    cloud.bot("b-1", Script(asks="Your name?"))
    async with talking(cloud) as coze:
        assert text_of(await coze.chat()) == "Your name?"


async def test_a_bot_on_a_chatflow_completes_its_last_answer_twice() -> None:
    emulator = Emulator("studio")
    emulator.bot("7", Script(["one", "two"], chatflow=True))
    async with talking(emulator) as coze:
        events = await coze.chat(plain(bot_id="7"))
    ends = [event.data for event in events if event.name.endswith("message.completed")]
    assert [message["content"] for message in ends[:3]] == ["one", "two", "two"]
    assert ends[1]["id"] == ends[2]["id"]


async def test_another_account_sees_nothing_of_the_first() -> None:
    emulator = Emulator("studio")
    emulator.account("pat_other")
    async with talking(emulator) as coze:
        ids = await coze.create(plain())
        coze.http.headers["authorization"] = "Bearer pat_other"
        assert (await coze.http.get("/v3/chat/retrieve", params=ids)).status_code == 500
        found = await coze.get("/v1/conversation/retrieve", conversation_id=ids["conversation_id"])
        assert found["code"] == 103000002
        assert (await coze.post("/v1/workflow/run", {"workflow_id": "w-1"}))["code"] == 720701013


async def test_studio_workflows_have_their_own_history_and_numbered_chatflows() -> None:
    emulator = Emulator("studio")
    emulator.workflow("w-2", WorkflowScript(failure=Failure(1, "x")))
    emulator.workflow("w-3", None)
    emulator.workflow("w-4", WorkflowScript(published=False))
    async with talking(emulator) as coze:
        started = await coze.post("/v1/workflow/run", {"workflow_id": "w-1", "is_async": True})
        assert started["code"] == 0
        ids = {"workflow_id": "w-1", "execute_id": started["execute_id"]}
        (item,) = (await coze.get("/v1/workflow/get_run_history", **ids))["data"]
        assert item["execute_id"] == int(started["execute_id"])
        await anyio.sleep(2)
        (item,) = (await coze.get("/v1/workflow/get_run_history", **ids))["data"]
        assert (item["error_msg"], bool(item["log_id"])) == ("", True)
        assert (await coze.http.get("/v1/workflows/w-1/run_histories/1")).status_code == 401
        assert "node_title" not in (await coze.events("/v1/workflow/stream_run", {"workflow_id": "ask"}))[-1].data
        assert (await coze.post("/v1/workflow/run", {"workflow_id": "w-3"}))["code"] == 720702004
        assert (await coze.post("/v1/workflow/run", {"workflow_id": "w-4"}))["code"] == 6031
        assert (await coze.post("/v1/workflow/stream_run", {"workflow_id": "w-4"}))["code"] == 720702011
        body = {**question(), "workflow_id": "w-1"}
        assert (await coze.post("/v1/workflows/chat", body))["code"] == 777777775
        body["parameters"] = {"CONVERSATION_NAME": "x"}
        events = await coze.events("/v1/workflows/chat", body)
        assert events[0].block.startswith("id: 1\nevent: conversation.chat.created")
        assert events[-1].name == "done"
        failed = (await coze.events("/v1/workflows/chat", {**body, "workflow_id": "w-2"}))[-1]
        assert (failed.name, failed.data["code"]) == ("error", "1")


async def test_plus_streams_whatever_is_asked_for() -> None:
    emulator = Emulator("plus")
    emulator.bot("b-1", Script("Hi"))
    async with talking(emulator) as coze:
        for more in ({"stream": False}, {"stream": None}, {}):
            events = await coze.chat({**plain(), **more})
            assert text_of(events) == "Hi"
            assert "section_id" not in events[2].data
        assert [(await coze.http.post("/v3/chat", json=question())).status_code for _ in range(70)] == [200] * 70


async def test_the_page_of_plus_nests_its_payloads() -> None:
    emulator = Emulator("plus-page")
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


async def test_the_page_of_plus_answers_at_once_and_has_nothing_to_poll() -> None:
    emulator = Emulator("plus-page")
    emulator.bot("b-2", Script(failure=Failure(7, "no")))
    emulator.bot("b-3", Script())
    async with talking(emulator) as coze:
        answer = await coze.post("/v3/chat", question(stream=False))
        assert (answer["code"], answer["msg"], answer["data"]["role"]) == (0, "success", "assistant")
        assert "jazz" in answer["data"]["content"]
        assert (await coze.http.get("/v3/chat/retrieve")).status_code == 401
        assert (await coze.http.get("/v3/chat/message/list")).status_code == 401
        assert (await coze.post("/v3/chat", question(stream=False, bot_id="b-2")))["code"] == 7
        assert (await coze.post("/v3/chat", question(stream=False, bot_id="b-3")))["data"]["content"] == ""
        # A conversation's id alone is enough to cancel.
        response = await opened(emulator)
        await anext(aiter(stream_of(response)))
        chat = list(emulator.chats.values())[-1]
        assert (await coze.post("/v3/chat/cancel", {"conversation_id": chat.conversation_id}))["ChatV3ChatDetail"]
        await response.aclose()
        empty = (await coze.post("/v1/conversation/create", {}))["data"]["id"]
        assert (await coze.http.post("/v3/chat/cancel", json={"conversation_id": empty})).status_code == 400


async def test_the_page_of_plus_takes_sixty_chats_a_minute_from_one_user() -> None:
    emulator = Emulator("plus-page")
    emulator.bot("b-1", Script("ok"))
    async with talking(emulator) as coze:
        statuses = [(await coze.http.post("/v3/chat", json=question())).status_code for _ in range(61)]
        assert statuses == [200] * 60 + [429]
        assert (await coze.http.post("/v3/chat", json=question(user_id="other"))).status_code == 200
        await anyio.sleep(61)
        assert (await coze.http.post("/v3/chat", json=question())).status_code == 200


@pytest.mark.parametrize("dialect", ["studio", "plus"])
async def test_session_routes_want_a_cookie(dialect: Dialect) -> None:
    emulator = Emulator(dialect)
    async with talking(emulator) as coze:
        refused = await coze.http.post("/api/draftbot/create", json={"space_id": "1"})
        assert (refused.status_code, refused.json()["code"]) == (401, 401)
        coze.http.headers["cookie"] = "session_key=abc"
        made = {"space_id": "1", "name": "x", "icon_uri": "icon.png"}
        bot_id = (await coze.post("/api/draftbot/create", made))["data"]["bot_id"]
        assert (await coze.post("/api/draftbot/update_display_info", {"bot_id": bot_id}))["code"] == 0
        # Not published yet.
        assert (await coze.get(f"/v1/bots/{bot_id}"))["code"] == 100000000
        published: dict[str, Any] = {"space_id": "1", "bot_id": bot_id, "connectors": {"1024": {}}}
        assert "1024" in (await coze.post("/api/draftbot/publish", published))["data"]["publish_result"]
        assert (await coze.get(f"/v1/bots/{bot_id}"))["data"]["name"] == "x"
        body = {"query": "What is jazz?", "bot_id": bot_id, "scene": 4}
        # A published bot is not found here, and nothing says so.
        assert (await coze.http.post("/api/conversation/chat", json=body)).text == ""
        response = await coze.http.post("/api/conversation/chat", json={**body, "draft_mode": True})
        (space,) = (await coze.post("/api/playground_api/space/list", {}))["data"]["bot_space_list"]
        assert space["name"] == "Personal Space"
    assert response.text.endswith("event:done\ndata:\n\n")
    assert json.loads(response.text.split("data:")[1].partition("\n")[0])["message"]["type"] == "ack"


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


def test_there_are_four_dialects() -> None:
    with pytest.raises(ValueError, match="'cloud', 'studio', 'plus', 'plus-page'"):
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
    """The route tables of Coze Studio source 4f786d6 and Coze Plus source fb00b21.

    Self-hosted servers say so with 401 for a missing session, and with 404 where only the method is another one.
    """
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
                absent = response.status_code == 404 or (
                    dialect != "cloud" and response.status_code == 401 and not path.startswith("/api/")
                )
                has_only_session = dialect != "cloud" and path == "/api/permission/oauth2/token"
                assert absent is ((method, path) in missing and not has_only_session), (dialect, method, path)
                assert "x-log-id" in response.headers or "x-tt-logid" in response.headers


async def test_studio_tells_nothing_of_a_workflow_without_a_role() -> None:
    async with talking(Emulator("studio")) as coze:
        assert await coze.get("/v1/workflows/7") == {"BaseResp": None}
