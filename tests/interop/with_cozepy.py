"""Calls every method of the official Python SDK, unmodified, against a server: `with_cozepy.py URL`.

A line of JSON with the methods that the SDK has, then one for each call: what was called, and what went wrong, if
anything did. The calls stand in the order in which a person would make them, and hand on what they made: what one
creates, the next ones read back. A second call of a method says in parentheses what is special about it.
"""

# ruff: noqa: PT017, PT018 - a program, not a test: an assertion that fails is told as it stands
import asyncio
import inspect
import json
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# The SDK warns of its own names and of a library that it uses.
warnings.simplefilter("ignore")

import cozepy  # noqa: E402 - only now it is quiet
import httpx  # noqa: E402
from cozepy import (  # noqa: E402
    AsyncCoze,
    AsyncTokenAuth,
    AudioFormat,
    BotModelInfo,
    BotOnboardingInfo,
    BotPromptInfo,
    ChatEventType,
    ChatStatus,
    Coze,
    CozeAPIError,
    CozePKCEAuthError,
    CozePKCEAuthErrorType,
    DeviceOAuthApp,
    DocumentBase,
    DocumentFormatType,
    DocumentSourceInfo,
    DocumentUpdateRule,
    JWTOAuthApp,
    Message,
    MessageContentType,
    MessageRole,
    PKCEOAuthApp,
    TokenAuth,
    ToolOutput,
    VariableValue,
    WebOAuthApp,
    WorkflowEventType,
)
from cozepy.connectors.bots import AuditStatus  # noqa: E402
from cryptography.hazmat.primitives import serialization  # noqa: E402
from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: E402

DELTA = ChatEventType.CONVERSATION_MESSAGE_DELTA
CALLS: dict[str, Callable[[Any], Any]] = {}
made: dict[str, Any] = {}
"""What earlier calls have made: ids by name."""


def call(name: str) -> Callable[[Callable[[Any], Any]], Callable[[Any], Any]]:
    """Note a function as the call of a method of the SDK."""

    def note(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
        CALLS[name] = function
        return function

    return note


def refused(function: Callable[[], Any], *codes: int) -> None:
    """See that a call is refused with one of these codes."""
    try:
        function()
    except CozeAPIError as error:
        assert error.code in codes, f"code {error.code} instead of {codes}: {error}"
        assert error.logid, "no log id"
    else:
        raise AssertionError(f"not refused; {codes} expected")


def until(is_over: Callable[[], bool]) -> None:
    """Wait for something that takes the server a fraction of a second."""
    for _ in range(200):
        if is_over():
            return
        time.sleep(0.05)
    raise AssertionError("not over after ten seconds")


# --- who, where ------------------------------------------------------------------------------------------------------


@call("users.me")
def _(coze: Any) -> None:
    me = coze.users.me()
    assert me.user_id and me.user_name
    made["user"] = me.user_id


@call("workspaces.list")
def _(coze: Any) -> None:
    page = coze.workspaces.list()
    spaces = list(page)
    assert spaces and page.total == len(spaces)
    made["space"] = spaces[0].id


@call("workspaces.members.create")
def _(coze: Any) -> None:
    member = cozepy.WorkspaceMember(user_id="7400000000000000777", role_type=cozepy.WorkspaceRoleType.MEMBER)
    answer = coze.workspaces.members.create(workspace_id=made["space"], users=[member])
    assert answer.added_success_user_ids == [member.user_id]


@call("workspaces.members.list")
def _(coze: Any) -> None:
    members = coze.workspaces.members.list(workspace_id=made["space"])
    assert "7400000000000000777" in [one.user_id for one in members]


@call("workspaces.members.delete")
def _(coze: Any) -> None:
    gone = coze.workspaces.members.delete(workspace_id=made["space"], user_ids=["7400000000000000777", "1"])
    assert gone.removed_success_user_ids == ["7400000000000000777"]
    assert gone.not_in_workspace_user_ids == ["1"]


@call("enterprises.members.create")
def _(coze: Any) -> None:
    member = cozepy.EnterpriseMember(user_id="7400000000000000778", role=cozepy.EnterpriseMemberRole.ENTERPRISE_MEMBER)
    coze.enterprises.members.create(enterprise_id="7400000000000000900", users=[member])


@call("enterprises.members.update")
def _(coze: Any) -> None:
    coze.enterprises.members.update(
        enterprise_id="7400000000000000900",
        user_id="7400000000000000778",
        role=cozepy.EnterpriseMemberRole.ENTERPRISE_ADMIN,
    )


@call("enterprises.members.delete")
def _(coze: Any) -> None:
    coze.enterprises.members.delete(
        enterprise_id="7400000000000000900", user_id="7400000000000000778", receiver_user_id=made["user"]
    )


@call("folders.list")
def _(coze: Any) -> None:
    folders = list(coze.folders.list(workspace_id=made["space"], folder_type=cozepy.FolderType.DEVELOPMENT))
    assert folders
    made["folder"] = folders[0].id


@call("folders.retrieve")
def _(coze: Any) -> None:
    assert coze.folders.retrieve(folder_id=made["folder"]).id == made["folder"]


@call("apps.list")
def _(coze: Any) -> None:
    list(coze.apps.list(workspace_id=made["space"]))


# --- files -----------------------------------------------------------------------------------------------------------


@call("files.upload")
def _(coze: Any) -> None:
    file = coze.files.upload(file=("notes.csv", "备忘 notes".encode()))
    assert file.file_name == "notes.csv" and file.bytes == len("备忘 notes".encode())
    made["file"] = file.id


@call("files.retrieve")
def _(coze: Any) -> None:
    assert coze.files.retrieve(file_id=made["file"]).id == made["file"]


# --- bots ------------------------------------------------------------------------------------------------------------


@call("bots.create")
def _(coze: Any) -> None:
    bot = coze.bots.create(
        space_id=made["space"],
        name="Interop",
        description="Made by the official SDK",
        icon_file_id=made["file"],
        prompt_info=BotPromptInfo(prompt="Be kind."),
        onboarding_info=BotOnboardingInfo(prologue="Hi!", suggested_questions=["What can you do?"]),
        model_info_config=BotModelInfo(model_id="1706077826", temperature=0.5, context_round=5),
    )
    made["bot"] = bot.bot_id
    refused(lambda: coze.chat.create(bot_id=bot.bot_id, user_id="u"), 4015, 4000)


@call("bots.publish")
def _(coze: Any) -> None:
    bot = coze.bots.publish(bot_id=made["bot"], connector_ids=["1024"])
    assert bot.bot_id == made["bot"]


@call("bots.retrieve")
def _(coze: Any) -> None:
    for version in (1, 2):
        bot = coze.bots.retrieve(bot_id=made["bot"], is_published=True, use_api_version=version)
        assert (bot.name, bot.description) == ("Interop", "Made by the official SDK")
        assert bot.prompt_info and bot.prompt_info.prompt == "Be kind."
        assert bot.onboarding_info and bot.onboarding_info.suggested_questions == ["What can you do?"]
        assert bot.model_info and bot.model_info.temperature == 0.5


@call("bots.update")
def _(coze: Any) -> None:
    coze.bots.update(bot_id=made["bot"], name="Renamed")
    # What is published stays as it was until it is published again.
    assert coze.bots.retrieve(bot_id=made["bot"], is_published=False, use_api_version=2).name == "Renamed"
    assert coze.bots.retrieve(bot_id=made["bot"], is_published=True, use_api_version=2).name == "Interop"
    coze.bots.publish(bot_id=made["bot"], connector_ids=["1024"])


@call("bots.list")
def _(coze: Any) -> None:
    # Both of the SDK's two routes.
    assert made["bot"] in [bot.bot_id for bot in coze.bots.list(space_id=made["space"])]
    # It counts pages in `page_index`, where the service's pages say `page_num`; its loop ends all the same.
    one_by_one = coze.bots.list(space_id=made["space"], page_size=1, use_api_version=2)
    assert len({bot.bot_id or bot.id for bot in one_by_one}) == one_by_one.total > 1
    status = cozepy.PublishStatus.PUBLISHED_ONLINE
    listed = coze.bots.list(space_id=made["space"], publish_status=status, use_api_version=2)
    assert [bot for bot in listed if (bot.bot_id or bot.id) == made["bot"]]


@call("connectors.bots.update")
def _(coze: Any) -> None:
    coze.connectors.bots.update(bot_id=made["bot"], connector_id="1024", audit_status=AuditStatus.APPROVED)


@call("templates.duplicate")
def _(coze: Any) -> None:
    copy = coze.templates.duplicate(template_id="7400000000000000333", workspace_id=made["space"], name="Copy")
    assert copy.entity_id and copy.entity_type


# --- chats -----------------------------------------------------------------------------------------------------------


@call("chat.stream")
def _(coze: Any) -> None:
    question = [Message.build_user_question_text("How is the weather in 杭州?")]
    text, thought, chat = "", "", None
    kinds: list[ChatEventType] = []
    stream = coze.chat.stream(bot_id="everything", user_id="u", additional_messages=question)
    for event in stream:
        kinds.append(event.event)
        if event.event == ChatEventType.CONVERSATION_MESSAGE_DELTA:
            text += event.message.content
            thought += event.message.reasoning_content or ""
        chat = event.chat or chat
    assert text == "Sunny. 晴，24°C。Bring a hat." and thought == "They ask for the weather."
    # The SDK keeps `done` for itself.
    assert kinds[0] == ChatEventType.CONVERSATION_CHAT_CREATED
    assert kinds[-1] == ChatEventType.CONVERSATION_CHAT_COMPLETED
    assert chat and chat.status == ChatStatus.COMPLETED and chat.usage and chat.usage.token_count > 0
    assert stream.response.logid
    made["conversation"], made["chat"] = chat.conversation_id, chat.id
    failing = list(coze.chat.stream(bot_id="failing", user_id="u", additional_messages=question))
    failed = [event for event in failing if event.event == ChatEventType.CONVERSATION_CHAT_FAILED]
    assert failed and failed[0].chat.last_error.code == 5000
    refused(lambda: list(coze.chat.stream(bot_id="unpublished", user_id="u", additional_messages=question)), 4015)


@call("chat.stream (keep-alive comments)")
def _(coze: Any) -> None:
    question = [Message.build_user_question_text("Hi")]
    events = coze.chat.stream(bot_id="kept alive", user_id="u", additional_messages=question)
    assert "Hello" in "".join(one.message.content for one in events if one.message)


@call("chat.create")
def _(coze: Any) -> None:
    chat = coze.chat.create(
        bot_id="quick", user_id="u", additional_messages=[Message.build_user_question_text("Hi")], meta_data={"k": "v"}
    )
    # It polls for as long as it reads this.
    assert chat.status == ChatStatus.IN_PROGRESS
    made["quick"] = chat


@call("chat.retrieve")
def _(coze: Any) -> None:
    ids = {"conversation_id": made["quick"].conversation_id, "chat_id": made["quick"].id}
    until(lambda: coze.chat.retrieve(**ids).status == ChatStatus.COMPLETED)
    assert coze.chat.retrieve(**ids).meta_data == {"k": "v"}


@call("chat.messages.list")
def _(coze: Any) -> None:
    ids = {"conversation_id": made["quick"].conversation_id, "chat_id": made["quick"].id}
    answers = [one.content for one in coze.chat.messages.list(**ids) if one.type == "answer"]
    assert answers == ["Hello there."]


@call("chat.create_and_poll")
def _(coze: Any) -> None:
    result = coze.chat.create_and_poll(
        bot_id="quick",
        user_id="u",
        conversation_id=made["conversation"],
        additional_messages=[Message.build_user_question_text("Hi")],
    )
    assert result.chat.status == ChatStatus.COMPLETED
    assert [one.content for one in result.messages if one.type == "answer"] == ["Hello there."]


@call("chat.create_and_poll (a chat that fails)")
def _(coze: Any) -> None:
    question = [Message.build_user_question_text("Hi")]
    result = coze.chat.create_and_poll(bot_id="failing", user_id="u", additional_messages=question)
    assert result.chat.status == ChatStatus.FAILED and result.chat.last_error.code == 5000


@call("chat.create_and_poll (it takes too long)")
def _(coze: Any) -> None:
    question = [Message.build_user_question_text("Hi")]
    result = coze.chat.create_and_poll(bot_id="slow", user_id="u", additional_messages=question, poll_timeout=1)
    assert result.chat.status in (ChatStatus.IN_PROGRESS, ChatStatus.CANCELED)


@call("chat.stream (a recording asks)")
def _(coze: Any) -> None:
    sound = cozepy.MessageObjectString.build_audio(file_id=made["file"])
    question = [Message.build_user_question_objects([sound])]
    events = list(coze.chat.stream(bot_id="voice", user_id="u", additional_messages=question))
    heard = [one.message.get_audio() for one in events if one.event == ChatEventType.CONVERSATION_AUDIO_DELTA]
    assert heard and all(heard)
    assert "".join(one.message.content for one in events if one.event == DELTA) == "Hello there."


@call("chat.messages.list (all kinds, in their order)")
def _(coze: Any) -> None:
    listed = coze.chat.messages.list(conversation_id=made["conversation"], chat_id=made["chat"])
    kinds = [one.type for one in listed]
    assert kinds == ["verbose", "function_call", "tool_response", "answer", "answer", "verbose", "follow_up"]


@call("chat.cancel")
def _(coze: Any) -> None:
    chat = coze.chat.create(bot_id="slow", user_id="u", additional_messages=[Message.build_user_question_text("Hi")])
    ids = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    again = [Message.build_user_question_text("Hi")]
    refused(
        lambda: coze.chat.create(
            bot_id="slow", user_id="u", conversation_id=chat.conversation_id, additional_messages=again
        ),
        4016,
    )
    assert coze.chat.cancel(**ids).status == ChatStatus.CANCELED
    refused(lambda: coze.chat.cancel(**ids), 4104)


@call("chat.submit_tool_outputs")
def _(coze: Any) -> None:
    for is_streamed in (True, False):
        events = list(coze.chat.stream(bot_id="tools", user_id="u", additional_messages=[
            Message.build_user_question_text("What time is it?")]))  # fmt: skip
        waiting = next(one.chat for one in events if one.event == ChatEventType.CONVERSATION_CHAT_REQUIRES_ACTION)
        tool = waiting.required_action.submit_tool_outputs.tool_calls[0]
        assert (tool.function.name, json.loads(tool.function.arguments)) == ("clock", {"zone": "UTC"})
        answer: Any = coze.chat.submit_tool_outputs(
            conversation_id=waiting.conversation_id,
            chat_id=waiting.id,
            tool_outputs=[ToolOutput(tool_call_id=tool.id, output="12:00")],
            stream=is_streamed,
        )
        if is_streamed:
            after = list(answer)
            said = [one.message.content for one in after if one.event == ChatEventType.CONVERSATION_MESSAGE_COMPLETED]
            assert "It is noon." in said and after[-1].chat.status == ChatStatus.COMPLETED
        else:
            assert answer.id == waiting.id and answer.status == ChatStatus.IN_PROGRESS


# --- conversations ---------------------------------------------------------------------------------------------------


@call("conversations.create")
def _(coze: Any) -> None:
    conversation = coze.conversations.create(
        messages=[Message.build_user_question_text("I live in 杭州.")], bot_id=made["bot"], meta_data={"city": "杭州"}
    )
    made["talk"] = conversation.id


@call("conversations.retrieve")
def _(coze: Any) -> None:
    conversation = coze.conversations.retrieve(conversation_id=made["talk"])
    assert conversation.id == made["talk"] and conversation.meta_data == {"city": "杭州"}
    refused(lambda: coze.conversations.retrieve(conversation_id="1"), 4001, 4002)


@call("conversations.update")
def _(coze: Any) -> None:
    assert coze.conversations.update(conversation_id=made["talk"], name="Home").name == "Home"


@call("conversations.list")
def _(coze: Any) -> None:
    assert made["talk"] in [one.id for one in coze.conversations.list(bot_id=made["bot"])]


@call("conversations.messages.create")
def _(coze: Any) -> None:
    for text in ("And I like tea.", "With milk."):
        message = coze.conversations.messages.create(
            conversation_id=made["talk"],
            role=MessageRole.USER,
            content=text,
            content_type=MessageContentType.TEXT,
            meta_data={"n": "1"},
        )
        assert message.content == text
    made["message"] = message.id


@call("conversations.messages.retrieve")
def _(coze: Any) -> None:
    message = coze.conversations.messages.retrieve(conversation_id=made["talk"], message_id=made["message"])
    assert (message.content, message.meta_data) == ("With milk.", {"n": "1"})


@call("conversations.messages.update")
def _(coze: Any) -> None:
    coze.conversations.messages.update(
        conversation_id=made["talk"],
        message_id=made["message"],
        content="Without milk.",
        content_type=MessageContentType.TEXT,
    )
    message = coze.conversations.messages.retrieve(conversation_id=made["talk"], message_id=made["message"])
    assert message.content == "Without milk."


@call("conversations.messages.list")
def _(coze: Any) -> None:
    texts = [one.content for one in coze.conversations.messages.list(conversation_id=made["talk"], order="asc")]
    assert texts == ["I live in 杭州.", "And I like tea.", "Without milk."]
    one_by_one = coze.conversations.messages.list(conversation_id=made["talk"], order="asc", limit=1)
    assert [one.content for one in one_by_one] == texts


@call("conversations.messages.feedback.create")
def _(coze: Any) -> None:
    coze.conversations.messages.feedback.create(
        conversation_id=made["talk"],
        message_id=made["message"],
        feedback_type=cozepy.FeedbackType.LIKE,
        comment="Good.",
    )


@call("conversations.messages.feedback.delete")
def _(coze: Any) -> None:
    coze.conversations.messages.feedback.delete(conversation_id=made["talk"], message_id=made["message"])


@call("conversations.messages.delete")
def _(coze: Any) -> None:
    assert coze.conversations.messages.delete(conversation_id=made["talk"], message_id=made["message"]).id
    left = [one.id for one in coze.conversations.messages.list(conversation_id=made["talk"])]
    assert made["message"] not in left and len(left) == 2


@call("conversations.clear")
def _(coze: Any) -> None:
    before = coze.conversations.retrieve(conversation_id=made["talk"]).last_section_id
    section = coze.conversations.clear(conversation_id=made["talk"])
    assert section.conversation_id == made["talk"] and section.id != before


@call("conversations.delete")
def _(coze: Any) -> None:
    coze.conversations.delete(conversation_id=made["talk"])
    refused(lambda: coze.conversations.retrieve(conversation_id=made["talk"]), 4001, 4002)


# --- variables -------------------------------------------------------------------------------------------------------


@call("variables.update")
def _(coze: Any) -> None:
    values = [VariableValue(keyword="city", value="杭州"), VariableValue(keyword="drink", value="tea")]
    coze.variables.update(connector_uid="u", bot_id=made["bot"], data=values)


@call("variables.retrieve")
def _(coze: Any) -> None:
    values = coze.variables.retrieve(connector_uid="u", bot_id=made["bot"], keywords=["city"])
    assert [(one.keyword, one.value) for one in values] == [("city", "杭州")]


# --- workflows -------------------------------------------------------------------------------------------------------


@call("workflows.list")
def _(coze: Any) -> None:
    listed = list(coze.workflows.list(workspace_id=made["space"]))
    assert "plain" in [one.workflow_id for one in listed]


@call("workflows.retrieve")
def _(coze: Any) -> None:
    assert coze.workflows.retrieve(workflow_id="plain").workflow_detail


@call("workflows.versions.list")
def _(coze: Any) -> None:
    assert list(coze.workflows.versions.list(workflow_id="plain"))


@call("workflows.runs.create")
def _(coze: Any) -> None:
    run = coze.workflows.runs.create(workflow_id="plain", parameters={"a": 1})
    assert json.loads(run.data) == {"answer": 42} and run.debug_url
    refused(lambda: coze.workflows.runs.create(workflow_id="failing"), 720702204)
    in_background = coze.workflows.runs.create(workflow_id="plain", is_async=True)
    made["run"] = in_background.execute_id
    assert in_background.execute_id and in_background.debug_url


@call("workflows.runs.run_histories.retrieve")
def _(coze: Any) -> None:
    retrieve = coze.workflows.runs.run_histories.retrieve
    until(lambda: retrieve(workflow_id="plain", execute_id=made["run"]).execute_status != "Running")
    history = coze.workflows.runs.run_histories.retrieve(workflow_id="plain", execute_id=made["run"])
    assert history.execute_status == "Success" and json.loads(history.output)["Think"] == "Thinking about it."
    made["history"] = history


@call("workflows.runs.run_histories.retrieve (while it runs)")
def _(coze: Any) -> None:
    run = coze.workflows.runs.create(workflow_id="long", is_async=True).execute_id
    assert coze.workflows.runs.run_histories.retrieve(workflow_id="long", execute_id=run).execute_status == "Running"


@call("workflows.runs.run_histories.retrieve (it failed, it asks)")
def _(coze: Any) -> None:
    retrieve = coze.workflows.runs.run_histories.retrieve
    failing = coze.workflows.runs.create(workflow_id="failing", is_async=True).execute_id
    until(lambda: retrieve(workflow_id="failing", execute_id=failing).execute_status == "Fail")
    assert retrieve(workflow_id="failing", execute_id=failing).error_code == 720702204
    asking = coze.workflows.runs.create(workflow_id="asking", is_async=True).execute_id
    assert retrieve(workflow_id="asking", execute_id=asking).execute_id == asking


@call("workflows.runs.run_histories.execute_nodes.retrieve")
def _(coze: Any) -> None:
    nodes = made["history"].node_execute_status
    node = next(iter(nodes.values()))
    output = coze.workflows.runs.run_histories.execute_nodes.retrieve(
        workflow_id="plain", execute_id=made["run"], node_execute_uuid=node.node_execute_uuid
    )
    assert output.is_finish and output.node_output == "Thinking about it."


@call("workflows.runs.stream")
def _(coze: Any) -> None:
    events = list(coze.workflows.runs.stream(workflow_id="plain"))
    said = "".join(one.message.content for one in events if one.event == WorkflowEventType.MESSAGE)
    assert "Thinking about it." in said and "42" in said
    failing = [one.error for one in coze.workflows.runs.stream(workflow_id="failing") if one.error]
    assert failing[0].error_code == 720702204


@call("workflows.runs.stream (heart-beats)")
def _(coze: Any) -> None:
    events = list(coze.workflows.runs.stream(workflow_id="kept alive"))
    assert [one.event for one in events].count(WorkflowEventType.MESSAGE) == 2


@call("workflows.runs.resume")
def _(coze: Any) -> None:
    stream = coze.workflows.runs.stream(workflow_id="asking")
    stopped = next(one.interrupt.interrupt_data for one in stream if one.event == WorkflowEventType.INTERRUPT)
    events = coze.workflows.runs.resume(
        workflow_id="asking", event_id=stopped.event_id, resume_data="杭州", interrupt_type=stopped.type
    )
    assert "杭州" in "".join(one.message.content for one in events if one.event == WorkflowEventType.MESSAGE)


@call("workflows.chat.stream")
def _(coze: Any) -> None:
    question = [Message.build_user_question_text("Hi")]
    events = list(coze.workflows.chat.stream(workflow_id="flow", bot_id=made["bot"], additional_messages=question))
    assert "".join(one.message.content for one in events if one.event == ChatEventType.CONVERSATION_MESSAGE_DELTA)
    assert events[-1].chat.status == ChatStatus.COMPLETED


# --- knowledge -------------------------------------------------------------------------------------------------------


@call("datasets.create")
def _(coze: Any) -> None:
    dataset = coze.datasets.create(name="Handbook", space_id=made["space"], format_type=DocumentFormatType.DOCUMENT)
    made["dataset"] = dataset.dataset_id
    images = coze.datasets.create(name="Pictures", space_id=made["space"], format_type=DocumentFormatType.IMAGE)
    made["images"] = images.dataset_id


@call("datasets.list")
def _(coze: Any) -> None:
    names = {one.dataset_id: one.name for one in coze.datasets.list(space_id=made["space"])}
    assert names[made["dataset"]] == "Handbook"


@call("datasets.update")
def _(coze: Any) -> None:
    coze.datasets.update(dataset_id=made["dataset"], name="Manual", description="How it works")
    names = {one.dataset_id: one.name for one in coze.datasets.list(space_id=made["space"], name="Manual")}
    assert names == {made["dataset"]: "Manual"}


def documents(*names: str) -> list[DocumentBase]:
    """Return documents of a line each."""
    return [
        DocumentBase(name=name, source_info=DocumentSourceInfo.build_local_file(f"All about {name}.")) for name in names
    ]


@call("datasets.documents.create")
def _(coze: Any) -> None:
    strategy = cozepy.DocumentChunkStrategy.build_auto()
    created = coze.datasets.documents.create(
        dataset_id=made["dataset"], document_bases=documents("a.txt", "b.txt"), chunk_strategy=strategy
    )
    assert [one.name for one in created] == ["a.txt", "b.txt"]
    made["documents"] = [one.document_id for one in created]
    picture = coze.datasets.documents.create(
        dataset_id=made["images"],
        document_bases=[DocumentBase(name="cat.png", source_info=DocumentSourceInfo.build_file_id(made["file"]))],
        format_type=DocumentFormatType.IMAGE,
        chunk_strategy=cozepy.DocumentChunkStrategy(caption_type=0),
    )
    made["picture"] = picture[0].document_id


@call("datasets.documents.list")
def _(coze: Any) -> None:
    listed = coze.datasets.documents.list(dataset_id=made["dataset"], page_size=1)
    assert sorted(one.name for one in listed) == ["a.txt", "b.txt"] and listed.total == 2


@call("datasets.documents.update")
def _(coze: Any) -> None:
    coze.datasets.documents.update(document_id=made["documents"][0], document_name="c.txt")
    names = [one.name for one in coze.datasets.documents.list(dataset_id=made["dataset"])]
    assert sorted(names) == ["b.txt", "c.txt"]


@call("datasets.documents.update (update_rule)")
def _(coze: Any) -> None:
    rule = DocumentUpdateRule.build_no_auto_update()
    coze.datasets.documents.update(document_id=made["documents"][0], update_rule=rule)


@call("datasets.process")
def _(coze: Any) -> None:
    progress = list(coze.datasets.process(dataset_id=made["dataset"], document_ids=made["documents"]))
    assert [one.document_id for one in progress] == made["documents"]


@call("datasets.documents.delete")
def _(coze: Any) -> None:
    coze.datasets.documents.delete(document_ids=made["documents"][:1])
    assert [one.name for one in coze.datasets.documents.list(dataset_id=made["dataset"])] == ["b.txt"]


@call("datasets.images.list")
def _(coze: Any) -> None:
    images = list(coze.datasets.images.list(dataset_id=made["images"]))
    assert [one.document_id for one in images] == [made["picture"]]


@call("datasets.images.update")
def _(coze: Any) -> None:
    coze.datasets.images.update(dataset_id=made["images"], document_id=made["picture"], caption="A cat")
    assert [one.caption for one in coze.datasets.images.list(dataset_id=made["images"])] == ["A cat"]


@call("datasets.delete")
def _(coze: Any) -> None:
    coze.datasets.delete(dataset_id=made["images"])
    assert made["images"] not in [one.dataset_id for one in coze.datasets.list(space_id=made["space"])]


@call("knowledge.documents.create")
def _(coze: Any) -> None:
    created = coze.knowledge.documents.create(dataset_id=made["dataset"], document_bases=documents("old.txt"))
    made["old"] = created[0].document_id


@call("knowledge.documents.list")
def _(coze: Any) -> None:
    assert "old.txt" in [one.name for one in coze.knowledge.documents.list(dataset_id=made["dataset"])]


@call("knowledge.documents.update")
def _(coze: Any) -> None:
    coze.knowledge.documents.update(document_id=made["old"], document_name="older.txt")
    assert "older.txt" in [one.name for one in coze.knowledge.documents.list(dataset_id=made["dataset"])]


@call("knowledge.documents.delete")
def _(coze: Any) -> None:
    coze.knowledge.documents.delete(document_ids=[made["old"]])
    assert "older.txt" not in [one.name for one in coze.knowledge.documents.list(dataset_id=made["dataset"])]


# --- audio -----------------------------------------------------------------------------------------------------------

SOUND = ("voice.wav", b"RIFF\x24\x00\x00\x00WAVEfmt ")


@call("audio.speech.create")
def _(coze: Any) -> None:
    speech = coze.audio.speech.create(input="你好", voice_id="7400000000000000123", response_format=AudioFormat.WAV)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "speech.wav")
        speech.write_to_file(str(file))
        assert file.read_bytes().startswith(b"RIFF")


@call("audio.speech.create (every format)")
def _(coze: Any) -> None:
    begins = {"mp3": b"ID3", "wav": b"RIFF", "pcm": b"", "ogg_opus": b"OggS"}
    for name, beginning in begins.items():
        speech = coze.audio.speech.create(
            input="你好", voice_id="7400000000000000123", response_format=AudioFormat(name)
        )
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "speech")
            speech.write_to_file(str(file))
            content = file.read_bytes()
        assert content.startswith(beginning) and len(content) > 100
        if beginning:
            heard = coze.audio.transcriptions.create(file=(f"speech.{name[:3]}", content))
            assert heard.text == "你好"


@call("audio.transcriptions.create")
def _(coze: Any) -> None:
    assert coze.audio.transcriptions.create(file=SOUND).text


@call("audio.voices.clone")
def _(coze: Any) -> None:
    assert coze.audio.voices.clone(voice_name="Mine", file=SOUND, audio_format=AudioFormat.WAV).voice_id


@call("audio.voices.list")
def _(coze: Any) -> None:
    mine = [one.voice_id for one in coze.audio.voices.list() if one.name == "Mine"]
    assert len(mine) == 1
    made["voice"] = mine[0]


@call("audio.rooms.create")
def _(coze: Any) -> None:
    room = coze.audio.rooms.create(bot_id=made["bot"], voice_id=made["voice"])
    assert room.room_id and room.token and room.uid and room.app_id
    made["room"] = room.room_id


@call("audio.live.retrieve")
def _(coze: Any) -> None:
    live = coze.audio.live.retrieve(live_id=made["room"])
    assert live.app_id and [one.live_type for one in live.stream_infos] == ["origin"]


@call("audio.voiceprint_groups.create")
def _(coze: Any) -> None:
    made["group"] = coze.audio.voiceprint_groups.create(name="Family", desc="At home").id


@call("audio.voiceprint_groups.update")
def _(coze: Any) -> None:
    coze.audio.voiceprint_groups.update(group_id=made["group"], name="Kin")


@call("audio.voiceprint_groups.list")
def _(coze: Any) -> None:
    assert [one.name for one in coze.audio.voiceprint_groups.list(group_id=made["group"])] == ["Kin"]


@call("audio.voiceprint_groups.features.create")
def _(coze: Any) -> None:
    created = coze.audio.voiceprint_groups.features.create(group_id=made["group"], name="Li", file=SOUND)
    made["feature"] = created.id


@call("audio.voiceprint_groups.features.update")
def _(coze: Any) -> None:
    coze.audio.voiceprint_groups.features.update(group_id=made["group"], feature_id=made["feature"], name="Li Lei")


@call("audio.voiceprint_groups.features.list")
def _(coze: Any) -> None:
    assert [one.name for one in coze.audio.voiceprint_groups.features.list(group_id=made["group"])] == ["Li Lei"]


@call("audio.voiceprint_groups.speaker_identify")
def _(coze: Any) -> None:
    found = coze.audio.voiceprint_groups.speaker_identify(group_id=made["group"], file=SOUND)
    assert [one.feature_id for one in found.feature_score_list] == [made["feature"]]


@call("audio.voiceprint_groups.speaker_identify (top_k)")
def _(coze: Any) -> None:
    assert coze.audio.voiceprint_groups.speaker_identify(group_id=made["group"], file=SOUND, top_k=1)


@call("audio.voiceprint_groups.features.delete")
def _(coze: Any) -> None:
    coze.audio.voiceprint_groups.features.delete(group_id=made["group"], feature_id=made["feature"])
    assert not list(coze.audio.voiceprint_groups.features.list(group_id=made["group"]))


@call("audio.voiceprint_groups.delete")
def _(coze: Any) -> None:
    coze.audio.voiceprint_groups.delete(group_id=made["group"])
    assert made["group"] not in [one.id for one in coze.audio.voiceprint_groups.list()]


# --- API apps --------------------------------------------------------------------------------------------------------


@call("api_apps.create")
def _(coze: Any) -> None:
    made["app"] = coze.api_apps.create(app_type=cozepy.AppType.NORMAL, name="Hook").id


@call("api_apps.update")
def _(coze: Any) -> None:
    coze.api_apps.update(app_id=made["app"], name="Hooked", callback_url="https://example.com/hook")


@call("api_apps.list")
def _(coze: Any) -> None:
    assert {one.id: one.name for one in coze.api_apps.list()}[made["app"]] == "Hooked"


@call("api_apps.events.create")
def _(coze: Any) -> None:
    coze.api_apps.events.create(api_app_id=made["app"], event_types=["benefit.purchased", "bot.published"])


@call("api_apps.events.list")
def _(coze: Any) -> None:
    events = [one.event_type for one in coze.api_apps.events.list(api_app_id=made["app"])]
    assert sorted(events) == ["benefit.purchased", "bot.published"]


@call("api_apps.events.delete")
def _(coze: Any) -> None:
    coze.api_apps.events.delete(api_app_id=made["app"], event_types=["bot.published"])
    assert [one.event_type for one in coze.api_apps.events.list(api_app_id=made["app"])] == ["benefit.purchased"]


@call("api_apps.delete")
def _(coze: Any) -> None:
    coze.api_apps.delete(app_id=made["app"])
    assert made["app"] not in [one.id for one in coze.api_apps.list()]


# --- at last ---------------------------------------------------------------------------------------------------------


@call("bots.unpublish")
def _(coze: Any) -> None:
    coze.bots.unpublish(bot_id=made["bot"], connector_id="1024")
    refused(lambda: coze.chat.create(bot_id=made["bot"], user_id="u"), 4015, 4000)


# --- logins, and the asynchronous half of the SDK --------------------------------------------------------------------


@call("JWTOAuthApp.get_access_token")
def _(coze: Any) -> None:
    token = JWTOAuthApp("app", private_key(), "key", base_url=URL).get_access_token(ttl=600)
    assert who(token)
    assert token.expires_in > time.time()


@call("DeviceOAuthApp.get_access_token")
def _(coze: Any) -> None:
    app = DeviceOAuthApp("app", base_url=URL)
    code = app.get_device_code()
    try:
        app.get_access_token(code.device_code)
    except CozePKCEAuthError as error:
        assert error.error == CozePKCEAuthErrorType.AUTHORIZATION_PENDING
    else:
        raise AssertionError("a token before anybody said yes")
    # The person opens the page, and that is a yes.
    httpx.get(code.verification_uri, params={"user_code": code.user_code}).raise_for_status()
    time.sleep(code.interval)
    token = app.get_access_token(code.device_code, poll=True)
    assert who(token)
    assert app.refresh_access_token(token.refresh_token).access_token


@call("PKCEOAuthApp.get_access_token")
def _(coze: Any) -> None:
    app = PKCEOAuthApp("app", base_url=URL, www_base_url=URL)
    verifier = "v" * 43
    url = app.get_oauth_url("http://127.0.0.1/back", state="s", code_verifier=verifier)
    token = app.get_access_token("http://127.0.0.1/back", code_from(url), verifier)
    assert app.refresh_access_token(token.refresh_token).access_token


@call("WebOAuthApp.get_access_token")
def _(coze: Any) -> None:
    app = WebOAuthApp("app", "secret", base_url=URL, www_base_url=URL)
    token = app.get_access_token("http://127.0.0.1/back", code_from(app.get_oauth_url("http://127.0.0.1/back", "s")))
    assert who(token)


def who(token: Any) -> Any:
    """Ask with a new token whose it is."""
    coze: Any = Coze(auth=TokenAuth(token.access_token), base_url=URL)
    return coze.users.me().user_id


def code_from(url: str) -> str:
    """Return the code with which the server sends a person back."""
    address = httpx.get(url, follow_redirects=False).headers["location"]
    return httpx.URL(address).params["code"]


def private_key() -> str:
    """Make a key."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


@call("AsyncCoze.chat.stream")
def _(coze: Any) -> None:
    async def run() -> list[Any]:
        question = [Message.build_user_question_text("Hi")]
        return [event async for event in aside().chat.stream(bot_id="quick", user_id="u", additional_messages=question)]

    events = asyncio.run(run())
    assert "".join(one.message.content for one in events if one.event == DELTA) == "Hello there."
    assert events[-1].chat.status == ChatStatus.COMPLETED


@call("AsyncCoze.chat.submit_tool_outputs_stream")
def _(coze: Any) -> None:
    async def run() -> list[Any]:
        question = [Message.build_user_question_text("What time is it?")]
        events = [
            event async for event in aside().chat.stream(bot_id="tools", user_id="u", additional_messages=question)
        ]
        waiting = events[-1].chat
        tool = waiting.required_action.submit_tool_outputs.tool_calls[0]
        answer = aside().chat.submit_tool_outputs_stream(
            conversation_id=waiting.conversation_id,
            chat_id=waiting.id,
            tool_outputs=[ToolOutput(tool_call_id=tool.id, output="12:00")],
        )
        return [event async for event in answer]

    assert "It is noon." in "".join(one.message.content for one in asyncio.run(run()) if one.event == DELTA)


@call("AsyncCoze.workflows.runs.stream")
def _(coze: Any) -> None:
    async def run() -> list[Any]:
        return [event async for event in aside().workflows.runs.stream(workflow_id="plain")]

    events = asyncio.run(run())
    assert [one.id for one in events] == list(range(len(events)))
    assert "".join(one.message.content for one in events) == 'Thinking about it.{"answer":42}'


@call("AsyncCoze.workflows.runs.resume")
def _(coze: Any) -> None:
    async def run() -> str:
        stopped = [event async for event in aside().workflows.runs.stream(workflow_id="asking")][-1].interrupt
        events = aside().workflows.runs.resume(
            workflow_id="asking",
            event_id=stopped.interrupt_data.event_id,
            resume_data="杭州",
            interrupt_type=stopped.interrupt_data.type,
        )
        return "".join([event.message.content async for event in events if event.message])

    assert "杭州" in asyncio.run(run())


@call("AsyncCoze.workflows.chat.stream")
def _(coze: Any) -> None:
    async def run() -> list[Any]:
        question = [Message.build_user_question_text("Hi")]
        events = aside().workflows.chat.stream(workflow_id="flow", bot_id="everything", additional_messages=question)
        return [event async for event in events]

    events = asyncio.run(run())
    assert any(one.event == DELTA for one in events) and events[-1].chat.status == ChatStatus.COMPLETED


def aside() -> Any:
    """Make a client of the asynchronous half."""
    return AsyncCoze(auth=AsyncTokenAuth("pat_x"), base_url=URL)


def methods(client: Any, path: tuple[str, ...] = ()) -> Iterator[str]:
    """Name every method that the SDK has; its WebSockets, which are more than methods, go by one name."""
    for name in dir(client):
        if name == "websockets":
            yield name
            continue
        if name.startswith("_"):
            continue
        found = inspect.getattr_static(client, name)
        if inspect.isfunction(found):
            yield ".".join((*path, name))
        elif isinstance(found, property):
            yield from methods(getattr(client, name), (*path, name))


URL = sys.argv[1] if __name__ == "__main__" else ""


def main() -> None:
    """Call everything, and say what happened."""
    # The SDK is taken at its word, not at its types: what counts is what comes back.
    coze: Any = Coze(auth=TokenAuth("pat_x"), base_url=URL)
    print(json.dumps({"version": cozepy.VERSION, "methods": list(methods(coze))}), flush=True)
    for name, function in CALLS.items():
        error = None
        try:
            function(coze)
        except Exception:  # noqa: BLE001 - whatever it is, it is told, and the next call follows
            error = traceback.format_exc(limit=-2)
        print(json.dumps({"call": name, "error": error}), flush=True)


if __name__ == "__main__":
    main()
