"""Bots: a draft is made, changed, published, read in each form, and answers where it is published."""

from typing import Any

import anyio
import pytest
from emulator.client import client
from emulator.talk import question, talking

from coze_async import APIError, AsyncCoze, NotFoundError
from coze_async.emulator import Emulator, Script
from coze_async.models import (
    BotKnowledge,
    BotModelInfo,
    BotOnboardingInfo,
    BotPromptInfo,
    PluginIDInfo,
    PluginIDList,
    WorkflowIDInfo,
    WorkflowIDList,
)


async def made(coze: AsyncCoze, name: str = "Poet", **more: Any) -> str:
    return (await coze.bots.create(space_id="1", name=name, **more)).bot_id


async def test_a_draft_is_read_back_with_its_settings() -> None:
    async with client(Emulator()) as coze:
        icon = await coze.files.upload(b"png", name="icon.png")
        bot_id = await made(
            coze,
            description="Rhymes.",
            icon_file_id=icon.id,
            prompt_info=BotPromptInfo(prompt="Be brief."),
            onboarding_info=BotOnboardingInfo(prologue="Hi", suggested_questions=["Why?"]),
            model_info_config=BotModelInfo(model_id="9", temperature=0.2),
            plugin_id_list=PluginIDList(
                id_list=[PluginIDInfo(plugin_id="3", api_id="31"), PluginIDInfo(plugin_id="3", api_id="32")]
            ),
            workflow_id_list=WorkflowIDList(ids=[WorkflowIDInfo(id="4")]),
            voice_ids=["5"],
        )
        draft = await coze.bots.retrieve(bot_id=bot_id, is_published=False)
        assert (draft.bot_id, draft.name, draft.description) == (bot_id, "Poet", "Rhymes.")
        assert icon.id in str(draft.icon_url)
        assert draft.prompt_info == BotPromptInfo(prompt="Be brief.")
        assert draft.onboarding_info is not None
        assert draft.onboarding_info.suggested_questions == ["Why?"]
        assert draft.model_info is not None
        assert (draft.model_info.model_id, draft.model_info.temperature) == ("9", 0.2)
        assert [[tool.api_id for tool in plugin.api_info_list] for plugin in draft.plugin_info_list] == [["31", "32"]]
        assert [workflow.id for workflow in draft.workflow_info_list] == ["4"]
        assert [voice.voice_id for voice in draft.voice_info_list] == ["5"]
        with pytest.raises(NotFoundError, match="is not published"):
            await coze.bots.retrieve(bot_id=bot_id)
        # What is not given stays; the knowledge is replaced as a whole.
        dataset = await coze.datasets.create(name="Facts", space_id="1", format_type=0)
        await coze.bots.update(
            bot_id=bot_id, name="Bard", knowledge=BotKnowledge(dataset_ids=[dataset.dataset_id, "8"])
        )
        draft = await coze.bots.retrieve(bot_id=bot_id, is_published=False)
        assert (draft.name, draft.description) == ("Bard", "Rhymes.")
        assert draft.knowledge is not None
        assert [(info.id, info.name) for info in draft.knowledge.knowledge_infos] == [
            (dataset.dataset_id, "Facts"),
            ("8", ""),
        ]
        await coze.bots.update(bot_id=bot_id, knowledge=BotKnowledge(dataset_ids=[]))
        draft = await coze.bots.retrieve(bot_id=bot_id, is_published=False)
        assert draft.knowledge is not None
        assert draft.knowledge.knowledge_infos == []


async def test_what_is_published_stays_while_the_draft_changes() -> None:
    async with client(Emulator()) as coze:
        bot_id = await made(coze, "First")
        one = await coze.bots.publish(bot_id=bot_id)
        await anyio.sleep(10)
        await coze.bots.update(bot_id=bot_id, name="Second")
        assert (await coze.bots.retrieve(bot_id=bot_id)).name == "First"
        assert (await coze.bots.retrieve(bot_id=bot_id, is_published=False)).name == "Second"
        two = await coze.bots.publish(bot_id=bot_id, connector_ids=["1024", "999"])
        assert one.version != two.version
        assert (await coze.bots.retrieve(bot_id=bot_id)).version == two.version
        assert (await coze.bots.retrieve_online(bot_id=bot_id, version=one.version)).name == "First"
        with pytest.raises(NotFoundError, match="in the version 5"):
            await coze.bots.retrieve_online(bot_id=bot_id, version="5")
        assert [version.version async for version in coze.bots.versions.list(bot_id=bot_id)] == [
            two.version,
            one.version,
        ]
        assert [v.version async for v in coze.bots.versions.list(bot_id=bot_id, page_size=1)] == [
            two.version,
            one.version,
        ]
        assert [v.version async for v in coze.bots.versions.list(bot_id=bot_id, connector_id="999")] == [two.version]
        online = [v async for v in coze.bots.versions.list(bot_id=bot_id, publish_status="published_online")]
        assert [version.version for version in online] == [two.version]
        assert online[0].created is not None
        with pytest.raises(APIError, match="page_size is not a number from 1 to 30"):
            await coze.bots.versions.list(bot_id=bot_id, page_size=31).first()


async def test_a_bot_that_was_made_answers_where_it_is_published() -> None:
    """coze.cn page chat_v3: code 4015."""
    emulator = Emulator()
    async with client(emulator) as coze, talking(emulator) as talk:
        bot_id = await made(coze)

        async def code(**more: Any) -> int:
            return int((await talk.post("/v3/chat", question(bot_id=bot_id, stream=False, **more)))["code"])

        assert await code() == 4015
        assert await code(publish_status="unpublished_draft") == 0
        await coze.bots.publish(bot_id=bot_id, connector_ids=["999"])
        assert await code() == 4015
        assert await code(connector_id="999") == 0
        version = (await coze.bots.publish(bot_id=bot_id)).version
        assert await code() == 0
        assert await code(bot_version=version) == 0
        assert await code(bot_version="5") == 4000
        # A script says what it says, and not whether it may.
        emulator.bot(bot_id, Script("Roses are red."))
        assert (await coze.chat.ask("Hi", bot_id=bot_id, user_id="u")).text == "Roses are red."
        await coze.bots.unpublish(bot_id=bot_id, connector_id="1024")
        assert await code() == 4015
        with pytest.raises(APIError, match="is not published to the channel 1024"):
            await coze.bots.unpublish(bot_id=bot_id, connector_id="1024")


async def test_bots_are_listed_by_their_state() -> None:
    emulator = Emulator()
    async with client(emulator) as coze:
        draft = await made(coze, "draft")
        await anyio.sleep(1)
        online = await made(coze, "online")
        await coze.bots.publish(bot_id=online)
        await anyio.sleep(1)
        changed = await made(coze, "changed")
        await coze.bots.publish(bot_id=changed)
        await coze.bots.update(bot_id=changed, name="changed since")
        elsewhere = await coze.bots.create(space_id="2", name="elsewhere")

        async def ids(status: str | None = None, **more: Any) -> list[str]:
            return [bot.id async for bot in coze.bots.list(workspace_id="1", publish_status=status, **more)]

        assert await ids() == await ids("published_online") == [changed, online]
        assert await ids("all") == await ids("all", page_size=1) == [changed, online, draft]
        assert await ids("published_draft") == [changed]
        assert await ids("unpublished_draft") == [draft]
        assert await ids(connector_id="999") == []
        assert elsewhere.bot_id not in await ids("all")
        # The online list tells what is online.
        assert [bot.name async for bot in coze.bots.list(workspace_id="1")] == ["changed", "online"]
        names = {bot.name: bot.is_published async for bot in coze.bots.list(workspace_id="1", publish_status="all")}
        assert names == {"changed since": True, "online": True, "draft": False}
        older = [bot async for bot in coze.bots.list_v1(space_id="1", page_size=1)]
        assert [(bot.bot_id, bot.bot_name) for bot in older] == [(changed, "changed"), (online, "online")]
        assert older[0].published is not None


async def test_a_bot_with_a_script_stands_in_the_personal_workspace() -> None:
    emulator = Emulator()
    emulator.bot("7", "Hi")
    emulator.bot("gone", None)
    async with client(emulator) as coze:
        (workspace,) = [space async for space in coze.workspaces.list()]
        (bot,) = [bot async for bot in coze.bots.list(workspace_id=workspace.id)]
        assert (bot.id, bot.is_published) == ("7", True)
        assert (await coze.bots.retrieve(bot_id="7")).name == bot.name
        assert [bot.bot_id async for bot in coze.bots.list_v1(space_id=workspace.id)] == ["7"]


async def test_what_is_missing_or_wrong_is_refused() -> None:
    async with client(Emulator()) as coze:
        for call, code in (
            (lambda: coze.bots.create(space_id="1", name=""), 4000),
            (lambda: coze.bots.create(space_id="1", name="x", icon_file_id="1"), 4200),
            (lambda: coze.bots.update(bot_id="1", name="x"), 4200),
            (lambda: coze.bots.publish(bot_id="1"), 4200),
            (lambda: coze.bots.unpublish(bot_id="1", connector_id="1024"), 4200),
            (lambda: coze.bots.collaboration_modes.update(bot_id="1", collaboration_mode="single"), 4200),
            (lambda: coze.bots.versions.list(bot_id="1").first(), 4200),
            (lambda: coze.bots.list(workspace_id="1", publish_status="other").first(), 4000),
        ):
            with pytest.raises(APIError) as caught:
                await call()
            assert caught.value.code == code


async def test_settings_of_another_type_are_refused() -> None:
    async with client(Emulator()) as coze, talking(Emulator()) as talk:
        bot_id = await made(coze)
        await coze.bots.collaboration_modes.update(bot_id=bot_id, collaboration_mode="collaboration")
        with pytest.raises(APIError, match="none of single, collaboration"):
            await coze.bots.collaboration_modes.update(bot_id=bot_id, collaboration_mode="several")
        for wrong in (
            {"prompt_info": "x"},
            {"plugin_id_list": {"id_list": [{"api_id": "1"}]}},
            {"workflow_id_list": {"ids": "x"}},
            {"knowledge": {"dataset_ids": {"x": 1}}},
            {"voice_ids": 5},
            {"name": ["x"]},
        ):
            answer = await talk.post("/v1/bot/create", {"space_id": "1", "name": "x", **wrong})
            assert answer["code"] == 4000, wrong
            assert answer["msg"].startswith("Request parameter error: ")
        answer = await talk.post("/v1/bot/create", {"space_id": "1", "name": "x", "plugin_id_list": {"id_list": [{}]}})
        assert answer["msg"] == "Request parameter error: plugin_id_list.id_list.plugin_id is required."
