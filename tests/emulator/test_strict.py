"""Strict mode, and the demo: what exists before anybody has made anything."""

from typing import Any

import pytest
from emulator.client import client
from emulator.talk import question, talking, text_of

from coze_async import AuthenticationError, NotFoundError
from coze_async.emulator import Emulator, OAuthApp, Script, WorkflowScript

# A parametrized test needs the mark when it is collected; tests/conftest.py adds it later than that.
pytestmark = pytest.mark.anyio


def strict(**options: Any) -> Emulator:
    return Emulator(strict=True, tokens=["pat_test"], **options)


@pytest.mark.parametrize("is_strict", [False, True])
async def test_a_fresh_emulator_has_a_bot_and_a_workflow_to_list_and_to_use(is_strict: bool) -> None:
    """The first steps of the official SDKs: list, take one, talk to it."""
    async with client(strict() if is_strict else Emulator()) as coze:
        space = (await coze.workspaces.list().first()).items[0].id
        (bot,) = [bot async for bot in coze.bots.list(workspace_id=space)]
        (older,) = [bot async for bot in coze.bots.list_v1(space_id=space)]
        (flow,) = [flow async for flow in coze.workflows.list(workspace_id=space)]
        assert (bot.id, bot.name) == (older.bot_id, older.bot_name)
        assert (await coze.bots.retrieve(bot_id=bot.id)).name == bot.name == "Demo bot"
        assert (await coze.chat.ask("Hi", bot_id=bot.id, user_id="u")).text
        assert (await coze.chat.create_and_poll("Hi", bot_id=bot.id, user_id="u")).text
        assert flow.workflow_id
        assert (await coze.workflows.run(workflow_id=flow.workflow_id)).data


async def test_the_demo_makes_room_for_what_has_a_script() -> None:
    emulator = strict()
    async with client(emulator) as coze:
        space = (await coze.workspaces.list().first()).items[0].id
        (demo,) = [bot.id async for bot in coze.bots.list(workspace_id=space)]
        (flow,) = [flow.workflow_id async for flow in coze.workflows.list(workspace_id=space)]
        emulator.bot("7001", "Hello")
        emulator.workflow("w", WorkflowScript("x"))
        assert [bot.id async for bot in coze.bots.list(workspace_id=space)] == ["7001"]
        assert [flow.workflow_id async for flow in coze.workflows.list(workspace_id=space)] == ["w"]
        assert (await coze.chat.ask("Hi", bot_id="7001", user_id="u")).text == "Hello"
        with pytest.raises(NotFoundError):
            await coze.chat.ask("Hi", bot_id=demo, user_id="u")
        with pytest.raises(NotFoundError):
            await coze.workflows.run(workflow_id=flow or "")


@pytest.mark.parametrize("tokens", [None, [], ["pat_other"]])
async def test_a_token_that_nobody_granted_is_refused(tokens: list[str] | None) -> None:
    emulator = Emulator(strict=True, tokens=tokens)
    async with client(emulator) as coze:
        with pytest.raises(AuthenticationError) as caught:
            await coze.users.me()
    assert caught.value.code == 4100
    # One that a registered app was given is granted; others have no app.
    emulator.oauth.register(OAuthApp("app"))
    async with client(emulator, auth=emulator.oauth.issue("app")["access_token"]) as coze:
        assert (await coze.users.me()).user_id


async def test_an_app_that_nobody_registered_gets_no_token() -> None:
    emulator = strict()
    path = "/api/permission/oauth2/device/code"
    async with talking(emulator) as coze:
        assert (await coze.post(path, {"client_id": "app"}))["error"] == "invalid_client"
        emulator.oauth.register(OAuthApp("app"))
        assert (await coze.post(path, {"client_id": "app"}))["device_code"]


@pytest.mark.parametrize(
    ("method", "path", "given"),
    [
        ("POST", "/v3/chat", {"bot_id": "7", "user_id": "u", "additional_messages": question()["additional_messages"]}),
        ("GET", "/v1/bots/7", {}),
        ("GET", "/v1/bot/get_online_info", {"bot_id": "7"}),
        ("GET", "/v1/bots", {"workspace_id": "7"}),
        ("GET", "/v1/space/published_bots_list", {"space_id": "7"}),
        ("POST", "/v1/bot/create", {"space_id": "7", "name": "x"}),
        ("POST", "/v1/workflow/run", {"workflow_id": "7"}),
        ("POST", "/v1/workflow/stream_run", {"workflow_id": "7-ask"}),
        ("POST", "/v1/workflows/chat", {"workflow_id": "7", "bot_id": "8", **question()}),
        ("GET", "/v1/workflows/7", {}),
        ("GET", "/v1/workflows", {"workspace_id": "7"}),
        ("POST", "/v1/conversation/create", {"bot_id": "7"}),
        ("GET", "/v1/conversations", {"bot_id": "7"}),
        ("GET", "/v1/variables", {"bot_id": "7", "connector_uid": "u"}),
        ("GET", "/v1/variables", {"app_id": "7", "connector_uid": "u"}),
        ("GET", "/v1/datasets", {"space_id": "7"}),
        ("POST", "/v1/datasets", {"space_id": "7", "name": "x", "format_type": 0}),
        ("GET", "/v1/folders", {"workspace_id": "7", "folder_type": "library"}),
        ("GET", "/v1/apps", {"workspace_id": "7"}),
        ("POST", "/v1/templates/7/duplicate", {"workspace_id": "7400000000000000001"}),
        ("POST", "/v1/audio/speech", {"input": "Hi", "voice_id": "7"}),
        ("POST", "/v1/audio/rooms", {"bot_id": "7"}),
        ("POST", "/v1/enterprises/7/organizations", {"name": "x", "super_admin_user_id": "1"}),
        ("POST", "/v1/connectors/1024/install", {"workspace_id": "7"}),
    ],
)
async def test_what_nobody_made_does_not_exist(method: str, path: str, given: dict[str, Any]) -> None:
    """The code 4200 for all of it: coze.cn page coze_error_codes."""
    emulator = strict()
    async with talking(emulator) as coze:
        answer = await (coze.get(path, **given) if method == "GET" else coze.post(path, given))
    assert answer["code"] == 4200
    assert not emulator.chats
    assert not emulator.runs


async def test_what_was_made_exists() -> None:
    emulator = strict()
    emulator.workflow("7-ask", WorkflowScript({"a": 1}))
    async with client(emulator) as coze:
        space = (await coze.workspaces.create(name="Team", description="x")).id or ""
        bot = (await coze.bots.create(space_id=space, name="Mine")).bot_id
        await coze.bots.publish(bot_id=bot, connector_ids=["1024"])
        assert [one.id async for one in coze.bots.list(workspace_id=space)] == [bot]
        chat = await coze.chat.ask("Hi", bot_id=bot, user_id="u")
        assert chat.text
        more = await coze.chat.ask("More", bot_id=bot, user_id="u", conversation_id=chat.conversation_id)
        assert more.conversation_id == chat.conversation_id
        with pytest.raises(NotFoundError) as caught:
            await coze.chat.ask("More", bot_id=bot, user_id="u", conversation_id="7")
        assert caught.value.code == 4001
        assert (await coze.workflows.run(workflow_id="7-ask")).json() == {"a": 1}
        voice = (await coze.audio.voices.list().first()).items[0].voice_id
        await coze.audio.speech.create(input="Hi", voice_id=voice)


async def test_a_bot_without_publication_is_there_and_says_so() -> None:
    emulator = strict()
    emulator.bot("none", None)
    emulator.bot("7", Script("x"))
    async with talking(emulator) as coze:
        assert (await coze.post("/v3/chat", question(bot_id="none")))["code"] == 4015
        assert text_of(await coze.chat(question(bot_id="7"))) == "x"
