"""Every endpoint of the client is called against the emulator, and what it makes is read back."""

import re
from collections.abc import Awaitable, Callable, Iterator
from types import NoneType
from typing import Any, TypeVar, get_args

import anyio
import pytest
from emulator.client import client
from emulator.talk import talking

from coze_async import APIError, AsyncCoze, Page, SessionAuth, Upload
from coze_async.emulator import Answer, Ask, Emulator, Node, Script, ToolCall, WorkflowScript
from coze_async.emulator._routes import ROUTES
from coze_async.models import (
    AppCollaborator,
    BenefitLimitation,
    BotCollaborator,
    CozeModel,
    DocumentBase,
    EnterpriseMember,
    Message,
    OrganizationMemberInput,
    RoomConfig,
    ToolOutput,
    TranslateConfig,
    UserConfig,
    UserConfigEnum,
    VariableValue,
    WorkspaceMember,
)
from coze_async.resources import all_endpoints

T = TypeVar("T")
Scenario = Callable[[AsyncCoze], Awaitable[None]]

# What the service leaves out at times: a plan alone has no benefits, a run that goes on has no error (wire facts b.2);
# and what the client fills in by itself.
LEFT_OUT = {
    "Bot": {"shortcut_commands", "voice_data_list"},
    "BenefitData": {"benefit_info"},
    "WorkflowRun": {"outputs", "messages", "data"},
    "WorkflowRunHistory": {"error_message", "is_output_trimmed"},
}


def gaps_of(value: Any) -> Iterator[str]:
    """The fields that a model cannot do without, but that the server has not sent."""
    inside: list[Any] = []
    if isinstance(value, CozeModel):
        kind = type(value)
        for name, field in kind.model_fields.items():
            optional = NoneType in get_args(field.annotation) or name in LEFT_OUT.get(kind.__name__, ())
            if name not in value.model_fields_set and not optional:
                yield f"{kind.__name__}.{name}"
            inside.append(getattr(value, name))
    elif isinstance(value, Page | list | dict):
        inside += value.items if isinstance(value, Page) else value.values() if isinstance(value, dict) else value  # pyright: ignore[reportUnknownArgumentType, reportUnknownMemberType] - of any kind
    for item in inside:
        yield from gaps_of(item)


def wav(speaker: str = "") -> Upload:
    """A recording; the same speaker sounds the same."""
    return Upload(b"RIFF" + bytes(100) + speaker.encode(), name="voice.wav")


def whole(value: T) -> T:
    """An answer in which nothing is missing."""
    assert not list(gaps_of(value))
    return value


def user(text: str) -> Message:
    return Message.user(text)


async def chats(coze: AsyncCoze) -> None:
    chat = whole(await coze.chat.create("What is jazz?", bot_id="7", user_id="u"))
    ids: dict[str, Any] = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    await anyio.sleep(2)
    assert whole(await coze.chat.retrieve(**ids)).status == "completed"
    assert {message.type for message in whole(await coze.chat.messages.list(**ids))} >= {"answer", "verbose"}
    assert (await coze.chat.stream("Again", bot_id="7", user_id="u").result()).text
    running = await coze.chat.create("Hi", bot_id="7", user_id="u")
    assert (await coze.chat.cancel(conversation_id=running.conversation_id, chat_id=running.id)).status == "canceled"
    for streamed in (False, True):
        asked = await coze.chat.create("Weather?", bot_id="tools", user_id="u")
        waits: dict[str, Any] = {"conversation_id": asked.conversation_id, "chat_id": asked.id}
        await anyio.sleep(2)
        (call,) = (await coze.chat.retrieve(**waits)).tool_calls
        outputs = [ToolOutput(tool_call_id=call.id, output="sunny")]
        if streamed:
            answered = await coze.chat.submit_tool_outputs_stream(**waits, tool_outputs=outputs).result()
            assert "sunny" in answered.text
        else:
            assert whole(await coze.chat.submit_tool_outputs(**waits, tool_outputs=outputs)).status == "in_progress"


async def conversations(coze: AsyncCoze) -> None:
    made = whole(await coze.conversations.create(messages=[user("Hi")], bot_id="7", name="x"))
    assert whole(await coze.conversations.retrieve(conversation_id=made.id)) == made
    assert whole(await coze.conversations.update(conversation_id=made.id, name="y")).name == "y"
    assert [one.id for one in whole(await coze.conversations.list(bot_id="7").first()).items] == [made.id]
    assert whole(await coze.conversations.clear(conversation_id=made.id)).conversation_id == made.id
    messages = coze.conversations.messages
    put = whole(await messages.create(conversation_id=made.id, role="user", content="a", content_type="text"))
    assert whole(await messages.retrieve(conversation_id=made.id, message_id=put.id)) == put
    assert whole(await messages.update(conversation_id=made.id, message_id=put.id, content="b")).content == "b"
    assert len(whole(await messages.list(conversation_id=made.id).first()).items) == 2
    await messages.feedback.create(conversation_id=made.id, message_id=put.id, feedback_type="like")
    await messages.feedback.delete(conversation_id=made.id, message_id=put.id)
    assert whole(await messages.delete(conversation_id=made.id, message_id=put.id)).content == "b"
    assert len((await messages.list(conversation_id=made.id).first()).items) == 1
    await coze.conversations.delete(conversation_id=made.id)
    assert (await coze.conversations.list(bot_id="7").first()).items == []


async def bots(coze: AsyncCoze) -> None:
    bot_id = whole(await coze.bots.create(space_id="1", name="x")).bot_id
    await coze.bots.update(bot_id=bot_id, name="y")
    published = whole(await coze.bots.publish(bot_id=bot_id))
    assert whole(await coze.bots.retrieve(bot_id=bot_id)).name == "y"
    assert whole(await coze.bots.retrieve_online(bot_id=bot_id)).version == published.version
    assert [bot.id for bot in whole(await coze.bots.list(workspace_id="1").first()).items] == [bot_id]
    assert [bot.bot_id for bot in whole(await coze.bots.list_v1(space_id="1").first()).items] == [bot_id]
    (version,) = whole(await coze.bots.versions.list(bot_id=bot_id).first()).items
    assert version.version == published.version
    await coze.bots.collaboration_modes.update(bot_id=bot_id, collaboration_mode="collaboration")
    await coze.bots.collaborators.create(bot_id=bot_id, collaborators=[BotCollaborator(user_id="5")])
    with pytest.raises(APIError, match="already"):
        await coze.bots.collaborators.create(bot_id=bot_id, collaborators=[BotCollaborator(user_id="5")])
    await coze.bots.collaborators.delete(bot_id=bot_id, user_id="5")
    with pytest.raises(APIError, match="does not exist"):
        await coze.bots.collaborators.delete(bot_id=bot_id, user_id="5")
    # The review of a channel of one's own: refused, it is gone from there.
    await coze.bots.publish(bot_id=bot_id, connector_ids=["77"])
    await coze.connectors.bots.update(connector_id="77", bot_id=bot_id, audit_status=2)
    assert len((await coze.bots.list(workspace_id="1", connector_id="77").first()).items) == 1
    await coze.connectors.bots.update(connector_id="77", bot_id=bot_id, audit_status=3, reason="no")
    assert (await coze.bots.list(workspace_id="1", connector_id="77").first()).items == []
    await coze.bots.unpublish(bot_id=bot_id, connector_id="1024")
    assert (await coze.bots.list(workspace_id="1").first()).items == []


async def datasets(coze: AsyncCoze) -> None:
    of = whole(await coze.datasets.create(name="x", space_id="1", format_type=0)).dataset_id
    await coze.datasets.update(dataset_id=of, name="y", description="z")
    text, page = (
        DocumentBase.of_content("a", "été".encode(), "txt"),
        DocumentBase.of_web_page("b", "https://example.com"),
    )
    for documents in (coze.datasets.documents, coze.knowledge.documents):
        made = whole(await documents.create(dataset_id=of, document_bases=[text, page]))
        assert [(document.name, document.type, document.status) for document in made] == [
            ("a", "txt", 0),
            ("b", "html", 0),
        ]
        assert (made[0].size, made[0].char_count) == (5, 3)
        ids = [document.document_id for document in made]
        assert {one.status for one in whole(await coze.datasets.process(dataset_id=of, document_ids=ids))} == {0}
        await anyio.sleep(1)
        (first, _) = await coze.datasets.process(dataset_id=of, document_ids=ids)
        assert (first.status, first.progress, first.remaining_time) == (0, 50, 1)
        assert (await coze.datasets.list(space_id="1").first()).items[0].processing_file_id_list == ids
        await anyio.sleep(1.01)
        assert {one.progress for one in await coze.datasets.process(dataset_id=of, document_ids=ids)} == {100}
        renamed = await documents.update(document_id=ids[0], document_name="c")
        assert renamed is not None
        assert whole(renamed).name == "c"
        listed = whole(await documents.list(dataset_id=of).first())
        assert ([document.name for document in listed.items], listed.total) == (["b", "c"], 2)
        (dataset,) = whole(await coze.datasets.list(space_id="1").first()).items
        assert (dataset.name, dataset.doc_count, dataset.file_list) == ("y", 2, ["c", "b"])
        await documents.delete(document_ids=ids)
        assert (await documents.list(dataset_id=of).first()).items == []
    (orphan,) = await coze.datasets.documents.create(dataset_id=of, document_bases=[text])
    await coze.datasets.delete(dataset_id=of)
    assert (await coze.datasets.list(space_id="1").first()).items == []
    with pytest.raises(APIError, match="does not exist"):
        await coze.datasets.documents.update(document_id=orphan.document_id, document_name="x")
    pictures = (await coze.datasets.create(name="p", space_id="1", format_type=2)).dataset_id
    image = DocumentBase.of_content("p.png", b"png", "png")
    (photo,) = await coze.datasets.documents.create(dataset_id=pictures, document_bases=[image], format_type=2)
    assert [one.caption for one in whole(await coze.datasets.images.list(dataset_id=pictures).first()).items] == [""]
    await coze.datasets.images.update(dataset_id=pictures, document_id=photo.document_id, caption="a cat")
    found = await coze.datasets.images.list(dataset_id=pictures, keyword="cat", has_caption=True).first()
    assert [one.caption for one in found.items] == ["a cat"]
    assert (await coze.datasets.images.list(dataset_id=pictures, has_caption=False).first()).items == []


async def workspaces(coze: AsyncCoze) -> None:
    made = whole(await coze.workspaces.create(name="x", description="d")).id
    assert made is not None
    await coze.workspaces.update(workspace_id=made, name="y")
    listed = whole(await coze.workspaces.list().first())
    assert [(space.name, space.workspace_type) for space in listed.items] == [("Personal", "personal"), ("y", "team")]
    personal = listed.items[0].id
    with pytest.raises(APIError, match="personal"):
        await coze.workspaces.update(workspace_id=personal, name="z")
    users = [WorkspaceMember(user_id="5", role_type="admin"), WorkspaceMember(user_id="6")]
    added = whole(await coze.workspaces.members.create(workspace_id=made, users=users))
    assert added.added_success_user_ids == ["5", "6"]
    again = await coze.workspaces.members.create(workspace_id=made, users=users[:1])
    assert again.already_joined_user_ids == ["5"]
    members = whole(await coze.workspaces.members.list(workspace_id=made).first()).items
    assert [member.role_type for member in members] == ["owner", "admin", "member"]
    removed = await coze.workspaces.members.delete(workspace_id=made, user_ids=["5", "9", members[0].user_id])
    assert removed.removed_success_user_ids == ["5"]
    assert removed.not_in_workspace_user_ids == removed.not_in_space_user_ids == ["9"]
    assert removed.owner_not_support_remove_user_ids == [members[0].user_id]
    assert (await coze.workspaces.members.list(workspace_id=made).first()).total == 2
    folder = whole(await coze.folders.list(workspace_id=personal, folder_type="development").first()).items[0]
    assert whole(await coze.folders.retrieve(folder_id=folder.id)) == folder
    inside = await coze.folders.list(
        workspace_id=personal, folder_type="development", parent_folder_id=folder.id
    ).first()
    assert len(inside.items) == folder.children_count == 1
    (app,) = whole(await coze.apps.list(workspace_id=personal).first()).items
    await coze.apps.collaborators.create(app_id=app.id, collaborators=[AppCollaborator(user_id="5")])
    await coze.apps.collaborators.delete(app_id=app.id, user_id="5")
    with pytest.raises(APIError, match="does not exist"):
        await coze.apps.collaborators.delete(app_id=app.id, user_id="5")


async def copies(coze: AsyncCoze) -> None:
    template = whole(await coze.templates.duplicate(template_id="3", workspace_id="1", name="copy"))
    assert (await coze.bots.retrieve(bot_id=template.entity_id, is_published=False)).name == "copy"
    at_once = await coze.entities.copy_tasks.create(entity_id=template.entity_id, entity_type="bot")
    assert (await coze.bots.retrieve(bot_id=str(at_once.copied_entity_id), is_published=False)).name == "copy"
    (app,) = (await coze.apps.list(workspace_id=(await coze.workspaces.list().first()).items[0].id).first()).items
    for kind, source in (("bot", template.entity_id), ("app", app.id), ("workflow", "4")):
        task = await coze.entities.copy_tasks.create(entity_id=source, entity_type=kind, to_workspace_id="2")
        begun = whole(await coze.entities.copy_tasks.retrieve(task_id=str(task.task_id)))
        assert (begun.task_status, begun.target_entity_id) == ("in_progress", "")
        await anyio.sleep(2.01)
        done = await coze.entities.copy_tasks.retrieve(task_id=str(task.task_id))
        assert (done.task_status, done.target_workspace_id) == ("successful", "2")
        assert done.target_entity_id
    assert [bot.name async for bot in coze.bots.list(workspace_id="2", publish_status="all")] == ["copy"]
    assert len((await coze.apps.list(workspace_id="2", publish_status="all").first()).items) == 1
    assert len((await coze.workflows.list(workspace_id="2", publish_status="all").first()).items) == 1


async def workflows(coze: AsyncCoze) -> None:
    listed = whole(await coze.workflows.list(include_input_output=True).first()).items
    assert [flow.workflow_id for flow in listed] == ["w", "ask"]
    info = whole(await coze.workflows.retrieve(workflow_id="w", include_chatflow_role=True, include_input_output=True))
    assert info.workflow_detail == (await coze.workflows.list().first()).items[0]
    assert (info.role and info.role.workflow_id, bool(info.input)) == ("w", True)
    assert len(whole(await coze.workflows.versions.list(workflow_id="w").first()).items) == 1
    await coze.workflows.update_collaboration_mode(workflow_id="w", collaboration_mode="collaboration")
    await coze.workflows.collaborators.create(workflow_id="w", collaborators=[BotCollaborator(user_id="5")])
    await coze.workflows.collaborators.delete(workflow_id="w", user_id="5")
    assert whole(await coze.workflows.run(workflow_id="w")).json() == {"output": "done"}
    assert (await coze.workflows.stream(workflow_id="w").result()).json() == {"output": "done"}
    started = await coze.workflows.run(workflow_id="w", is_async=True)
    ids: dict[str, Any] = {"workflow_id": "w", "execute_id": str(started.execute_id)}
    (running,) = whole(await coze.workflows.runs.run_histories.retrieve(**ids))
    (node,) = (running.node_execute_status or {}).values()
    uuid = node["node_execute_uuid"]
    assert node["update_time"] == running.update_time
    retrieve = coze.workflows.runs.run_histories.execute_nodes.retrieve
    assert (running.execute_status, (await retrieve(**ids, node_execute_uuid=uuid)).is_finish) == ("Running", False)
    await anyio.sleep(2)
    (history,) = whole(await coze.workflows.runs.run_histories.retrieve(**ids))
    assert (history.execute_status, history.outputs["Said"]) == ("Success", "half way")
    assert whole(await retrieve(**ids, node_execute_uuid=uuid)).node_output == "half way"
    with pytest.raises(APIError, match="no output node"):
        await retrieve(**ids, node_execute_uuid="1")
    for is_streamed in (False, True):
        waits = (await coze.workflows.run(workflow_id="ask")).interrupt_data
        assert waits is not None
        answer: dict[str, Any] = {"workflow_id": "ask", "event_id": waits.event_id, "resume_data": "x"}
        answer["interrupt_type"] = 2
        if is_streamed:
            assert (await coze.workflows.resume(**answer).result()).json() == {"output": "x"}
        else:
            assert (await coze.workflows.runs.resume_sync(**answer)).json() == {"output": "x"}
    assert (await coze.workflows.chat("Hi", workflow_id="w", bot_id="7").result()).text


async def account(coze: AsyncCoze) -> None:
    assert whole(await coze.users.me()).user_name
    values = [VariableValue(keyword="name", value="Li"), VariableValue(keyword="age", value="7")]
    await coze.variables.update(connector_uid="u", data=values, bot_id="7")
    await anyio.sleep(3)
    await coze.variables.update(connector_uid="u", data=[VariableValue(keyword="age", value="8")], bot_id="7")
    found = whole(await coze.variables.retrieve(connector_uid="u", keywords=["age", "other"], bot_id="7"))
    assert [(variable.keyword, variable.value) for variable in found] == [("age", "8")]
    assert found[0].update_time == (found[0].create_time or 0) + 3
    assert await coze.variables.retrieve(connector_uid="other", keywords=["age"], bot_id="7") == []
    assert await coze.variables.retrieve(connector_uid="u", keywords=["age"], app_id="7") == []
    with pytest.raises(APIError, match="Exactly one of bot_id and app_id"):
        await coze.variables.update(connector_uid="u", data=values)
    assert whole(await coze.benefits.retrieve()).benefit_info == []
    kinds = await coze.benefits.retrieve(benefit_type_list=["api_run_qps", "call_tool_limit"], resource_id="plugin")
    assert [benefit.benefit_type for benefit in whole(kinds).benefit_info] == ["api_run_qps", "call_tool_limit"]
    given = BenefitLimitation(benefit_type="resource_point", active_mode="absolute_time", limit="100", status="valid")
    limit = await coze.benefit_limitations.create(entity_type="single_device", entity_id="d", benefit_info=given)
    changed = await coze.benefit_limitations.update(benefit_id=str(limit.benefit_id), limit="200")
    assert changed is not None
    limits = coze.benefit_limitations.list(entity_type="single_device", benefit_type="resource_point")
    assert [one.limit async for one in limits] == [changed.limit] == ["200"]
    task = whole(await coze.bill_tasks.create(started_at="1760000000", ended_at="1760086399"))
    assert (task.status, task.file_urls) == ("running", [])
    await anyio.sleep(61)
    (ready,) = whole(await coze.bill_tasks.list(task_ids=[str(task.task_id)]).first()).items
    assert (ready.status, len(ready.file_urls), ready.started_at) == ("succeed", 1, 1760000000)


async def channels(coze: AsyncCoze) -> None:
    made = whole(await coze.api_apps.create(app_type="normal", name="x"))
    await coze.api_apps.update(app_id=made.id, callback_url="https://example.com/hook")
    await coze.api_apps.create(app_type="connector", connector_id="77")
    assert len([app async for app in coze.api_apps.list(page_size=1)]) == 2
    (listed,) = whole(await coze.api_apps.list(app_type="normal").first()).items
    assert (listed.callback_url, listed.verify_token) == ("https://example.com/hook", made.verify_token)
    await coze.api_apps.events.create(api_app_id=made.id, event_types=["bot.published", "bot.deleted"])
    await coze.api_apps.events.delete(api_app_id=made.id, event_types=["bot.deleted"])
    events = whole(await coze.api_apps.events.list(api_app_id=made.id).first()).items
    assert [event.event_type for event in events] == ["bot.published"]
    await coze.api_apps.delete(app_id=made.id)
    assert len([app async for app in coze.api_apps.list()]) == 1
    await coze.connectors.install(connector_id="77", workspace_id="1")
    config = UserConfig(key="color", enums=[UserConfigEnum(label="Red", value="red")])
    await coze.connectors.bind(connector_id="77", configs=[config])


async def enterprises(coze: AsyncCoze) -> None:
    members = coze.enterprises.members
    await members.create(enterprise_id="1", users=[EnterpriseMember(user_id="5", role="enterprise_member")])
    await members.update(enterprise_id="1", user_id="5", role="enterprise_admin")
    await members.delete(enterprise_id="1", user_id="5", receiver_user_id="6")
    with pytest.raises(APIError, match="does not exist"):
        await members.update(enterprise_id="1", user_id="5", role="enterprise_admin")
    made = whole(
        await coze.enterprises.organizations.create(enterprise_id="1", name="x", super_admin_user_id="5")
    ).organization_id
    await coze.organizations.update(organization_id=made, name="y")
    (organization,) = whole(await coze.enterprises.organizations.list(enterprise_id="1").first()).items
    assert (organization.organization_id, organization.organization_name) == (made, "y")
    people = [OrganizationMemberInput(user_id="6", organization_role_type="organization_guest")]
    await coze.organizations.members.create(organization_id=made, organization_people=people)
    await coze.organizations.members.update(
        organization_id=made, user_id="6", organization_role_type="organization_admin"
    )
    listed = whole(await coze.organizations.members.list(organization_id=made).first()).items
    assert [(one.user_id, one.organization_role_type) for one in listed] == [
        ("5", "organization_super_admin"),
        ("6", "organization_admin"),
    ]
    await coze.organizations.members.delete(organization_id=made, user_id="6", receiver_user_id="5")
    with pytest.raises(APIError, match="last super admin") as last:
        await coze.organizations.members.delete(organization_id=made, user_id="5", receiver_user_id="6")
    assert last.value.code == 777074044


async def audio(coze: AsyncCoze) -> None:
    system = whole(await coze.audio.voices.list().first()).items
    cloned = await coze.audio.voices.clone(voice_name="Me", file=wav(), audio_format="wav", language="en")
    mine = whole(await coze.audio.voices.list(filter_system_voice=True).first()).items
    assert [(voice.voice_id, voice.name, voice.available_training_times) for voice in mine] == [
        (cloned.voice_id, "Me", 9)
    ]
    again = await coze.audio.voices.clone(voice_name="Me 2", file=wav(), audio_format="wav", voice_id=cloned.voice_id)
    assert again == cloned
    assert [voice.name async for voice in coze.audio.voices.list(voice_state="cloned")] == ["Me 2"]
    assert [voice.voice_id async for voice in coze.audio.voices.list(page_size=2)][:-1] == [
        one.voice_id for one in system
    ]
    groups = coze.audio.voiceprint_groups
    group_id = whole(await groups.create(name="Family", desc="all")).id
    await groups.update(group_id=group_id, name="Friends")
    ids = [
        whole(await groups.features.create(group_id=group_id, name=name, file=wav(name))).id for name in ("Ann", "Bob")
    ]
    await groups.features.update(group_id=group_id, feature_id=ids[1], name="Ben")
    listed = whole(await groups.features.list(group_id=group_id).first()).items
    assert [(feature.id, feature.name) for feature in listed] == [(ids[1], "Ben"), (ids[0], "Ann")]
    heard = whole(await groups.speaker_identify(group_id=group_id, file=wav("Bob"))).feature_score_list
    assert (heard[0].feature_name, heard[0].score > 90 > heard[1].score) == ("Ben", True)
    await groups.features.update(group_id=group_id, feature_id=ids[0], file=wav("Amy"))
    (best,) = (await groups.speaker_identify(group_id=group_id, file=wav("Amy"), top_k=1)).feature_score_list
    assert best.feature_id == ids[0]
    (group,) = whole(await groups.list(name="Fri").first()).items
    assert (group.name, group.desc, group.feature_count) == ("Friends", "all", 2)
    await groups.features.delete(group_id=group_id, feature_id=ids[0])
    assert (await groups.features.list(group_id=group_id).first()).total == 1
    await groups.delete(group_id=group_id)
    assert (await groups.list().first()).items == []
    config = RoomConfig(room_mode="translate", translate_config=TranslateConfig(from_="zh", to="en"))
    room = whole(await coze.audio.rooms.create(bot_id="7", config=config))
    live = whole(await coze.audio.live.retrieve(live_id=room.room_id))
    assert [stream.live_type for stream in live.stream_infos] == ["origin", "translation"]
    speech = await coze.audio.speech.create(input="Hello", voice_id=system[0].voice_id, response_format="wav")
    assert whole(await coze.audio.transcriptions.create(file=Upload(await speech.read(), name="a.wav"))).text == "Hello"


async def files_and_plugins(coze: AsyncCoze) -> None:
    file = whole(await coze.files.upload(b"a,b", name="a.csv"))
    assert whole(await coze.files.retrieve(file_id=file.id)) == file
    category, _ = whole(await coze.stores.categories.list(entity_type="plugin").first()).items
    found = coze.stores.plugins.list(keyword="weather", is_official=True, category_ids=[str(category.id)])
    (product,) = whole(await found.first()).items
    assert product.metainfo is not None
    plugin_id = str(product.metainfo.entity_id)
    plugin = whole(await coze.plugins.retrieve(plugin_id=plugin_id))
    assert whole(await coze.plugins.mget(ids=[plugin_id, "1"])) == [plugin]
    called = await coze.plugins.call_tool(
        plugin_id=plugin_id, tool_name=str(plugin.tools[0].name), arguments={"query": "Oslo"}
    )
    assert called.result == {"text": "Weather on Oslo."}
    with pytest.raises(APIError, match="has no tool"):
        await coze.plugins.call_tool(plugin_id=plugin_id, tool_name="x", arguments={})


async def studio(coze: AsyncCoze) -> None:
    """The routes that only self-hosted servers have."""
    bot_id = whole(await coze.studio.draft_bots.create(space_id="1", name="x", icon_uri="icon.png")).bot_id
    await coze.studio.draft_bots.update_display_info(bot_id=bot_id, display_info={"tab_display_info": {}})
    done = whole(await coze.studio.draft_bots.publish(space_id="1", bot_id=bot_id, connectors={"1024": {}}))
    assert list(done.publish_result) == ["1024"]
    async with client(emulator_of(coze)) as other:
        assert (await other.bots.retrieve(bot_id=bot_id)).name == "x"
        conversation = await other.conversations.create()
        started = await other.workflows.run(workflow_id="w", is_async=True)
        ids: dict[str, Any] = {"workflow_id": "w", "execute_id": str(started.execute_id)}
        await anyio.sleep(2)
        (history,) = await other.workflows.runs.run_histories.get_run_history(**ids)
        assert history.execute_status == "Success"
    asked = await coze.studio.agent_run("Hi", bot_id=bot_id, conversation_id=conversation.id)
    assert asked.text


_EMULATORS: dict[AsyncCoze, Emulator] = {}


def emulator_of(coze: AsyncCoze) -> Emulator:
    return _EMULATORS[coze]


CLOUD: list[Scenario] = [
    chats,
    conversations,
    bots,
    datasets,
    workspaces,
    copies,
    workflows,
    account,
    channels,
    enterprises,
    audio,
    files_and_plugins,
]


async def played(scenario: Scenario) -> Emulator:
    """The emulator after a scenario."""
    emulator = Emulator("studio" if scenario is studio else "cloud")
    emulator.bot("tools", Script(requires=[ToolCall("weather")]))
    emulator.bot("thinks", Script(Answer("yes", reasoning="hm")))
    emulator.workflow("w", WorkflowScript({"output": "done"}, nodes=[Node("Said", "half way")]))
    emulator.workflow("ask", WorkflowScript(ask=Ask("Which?")))
    async with client(emulator, SessionAuth("session") if scenario is studio else "pat_test") as coze:
        _EMULATORS[coze] = emulator
        await scenario(coze)
        del _EMULATORS[coze]
    return emulator


@pytest.mark.parametrize("scenario", [*CLOUD, studio], ids=lambda scenario: scenario.__name__)
async def test_what_is_made_is_read_back(scenario: Scenario) -> None:
    emulator = await played(scenario)
    assert emulator.open_streams == 0


NOT_EMULATED: dict[tuple[str, str], str] = {}
"""Endpoints of the client that no emulator answers: method and path -> why."""


def shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{}", path)


async def test_every_endpoint_of_the_client_is_answered() -> None:
    """A new endpoint has to be followed by the emulator, and by a scenario above."""
    seen: set[tuple[str, str]] = set()
    for scenario in (*CLOUD, studio):
        emulator = await played(scenario)
        for request in emulator.requests:
            for route in ROUTES:
                if route.method == request.method and re.fullmatch(
                    re.sub(r"\{\w+\}", "[^/]+", route.path), request.path
                ):
                    seen.add((route.method, shape(route.path)))
                    break
    declared = {(endpoint.method, shape(endpoint.path)) for endpoint in all_endpoints()}
    assert declared - seen == set(NOT_EMULATED)


async def test_counts_have_their_documented_end() -> None:
    """The pages of each endpoint; see the docstrings of the client."""
    async with client(Emulator()) as coze:
        space = str((await coze.workspaces.create(name="x", description="d")).id)
        people = [WorkspaceMember(user_id=str(number)) for number in range(21)]
        with pytest.raises(APIError, match="users holds more than 20"):
            await coze.workspaces.members.create(workspace_id=space, users=people)
        await coze.workspaces.members.create(workspace_id=space, users=people[:20])
        with pytest.raises(APIError, match="user_ids holds more than 5"):
            await coze.workspaces.members.delete(workspace_id=space, user_ids=["0", "1", "2", "3", "4", "5"])
        of = (await coze.datasets.create(name="x", space_id="1", format_type=0)).dataset_id
        text = DocumentBase.of_content("a", b"x", "txt")
        with pytest.raises(APIError, match="document_bases holds more than 10"):
            await coze.datasets.documents.create(dataset_id=of, document_bases=[text] * 11)
        with pytest.raises(APIError, match="document_ids holds more than 100"):
            await coze.datasets.documents.delete(document_ids=["1"] * 101)
        with pytest.raises(APIError, match="format_type 2, but the dataset has 0"):
            await coze.datasets.documents.create(dataset_id=of, document_bases=[text], format_type=2)
        organizations = coze.enterprises.organizations
        for number in range(20):
            await organizations.create(enterprise_id="1", name=str(number), super_admin_user_id="5")
        with pytest.raises(APIError, match="20 organizations at most"):
            await organizations.create(enterprise_id="1", name="x", super_admin_user_id="5")
        # A page that is just full is the last one.
        assert (await organizations.list(enterprise_id="1", page_size=20).first()).has_more is False
        assert (await coze.stores.categories.list(entity_type="plugin", page_size=2).first()).has_more is False
        assert (await coze.stores.categories.list(entity_type="plugin", page_size=1).first()).has_more is True
        group = (await coze.audio.voiceprint_groups.create(name="x")).id
        for number in range(10):
            await coze.audio.voiceprint_groups.features.create(group_id=group, name=str(number), file=wav())
        with pytest.raises(APIError, match="holds 10 voiceprints"):
            await coze.audio.voiceprint_groups.features.create(group_id=group, name="x", file=wav())
        voice = None
        for _ in range(10):
            voice = (
                await coze.audio.voices.clone(voice_name="x", file=wav(), audio_format="wav", voice_id=voice)
            ).voice_id
        with pytest.raises(APIError, match="was trained 10 times"):
            await coze.audio.voices.clone(voice_name="x", file=wav(), audio_format="wav", voice_id=voice)


async def test_content_that_is_no_base64_is_refused() -> None:
    async with talking(Emulator()) as coze:
        of = (await coze.post("/v1/datasets", {"space_id": "1", "name": "x", "format_type": 0}))["data"]["dataset_id"]
        source = {"file_base64": "not base64!", "file_type": "txt"}
        body = {"dataset_id": of, "document_bases": [{"name": "a", "source_info": source}]}
        answer = await coze.post("/open_api/knowledge/document/create", body)
    assert (answer["code"], answer["msg"]) == (4000, "The content of a is no base64.")


async def test_variables_of_two_are_never_one() -> None:
    """Whatever their names hold, a slash too."""
    async with client(Emulator()) as coze:
        for uid, keyword in (("a/b", "c"), ("a", "b/c"), ("a", "1024/c")):
            await coze.variables.update(connector_uid=uid, data=[VariableValue(keyword=keyword, value=uid)], bot_id="7")
        await coze.variables.update(
            connector_uid="a", data=[VariableValue(keyword="c", value="x")], bot_id="7/1024", connector_id="1"
        )
        found = await coze.variables.retrieve(connector_uid="a/b", bot_id="7", keywords=[])
        assert [(one.keyword, one.value) for one in found] == [("c", "a/b")]
        found = await coze.variables.retrieve(connector_uid="a", bot_id="7", keywords=[])
        assert sorted((one.keyword, one.value) for one in found) == [("1024/c", "a"), ("b/c", "a")]
