"""Events: one class for each name on the wire."""

from typing import Any, get_args

import pytest

from coze_async import models
from coze_async.models import (
    Chat,
    ChatCompleted,
    ChatEvent,
    CozeModel,
    InterruptData,
    Message,
    MessageDelta,
    UnknownEvent,
    WorkflowDone,
    WorkflowEvent,
    WorkflowInterrupt,
    WorkflowMessage,
)
from coze_async.models._base import read_object

CHAT, MESSAGE = Chat(id="9", conversation_id="7"), Message(id="8")
NAMES = {
    "ChatCreated": "conversation.chat.created",
    "ChatInProgress": "conversation.chat.in_progress",
    "ChatCompleted": "conversation.chat.completed",
    "ChatFailed": "conversation.chat.failed",
    "ChatRequiresAction": "conversation.chat.requires_action",
    "ChatCanceled": "conversation.chat.canceled",
    "MessageDelta": "conversation.message.delta",
    "MessageCompleted": "conversation.message.completed",
    "AudioDelta": "conversation.audio.delta",
    "StreamDone": "done",
    "WorkflowMessage": "Message",
    "WorkflowInterrupt": "Interrupt",
    "WorkflowDone": "Done",
}


def test_every_event_has_the_name_that_it_has_on_the_wire() -> None:
    kinds: list[type[CozeModel]] = [*get_args(ChatEvent), *get_args(WorkflowEvent)]
    names = {kind.__name__: kind.model_fields["event"].default for kind in kinds if kind is not UnknownEvent}
    assert names == NAMES
    assert set(names) <= set(models.__all__)


def test_events_are_matched_by_their_class() -> None:
    def said(event: ChatEvent) -> str:
        match event:
            case MessageDelta(message=message):
                return message.content
            case ChatCompleted():
                return "over"
            case UnknownEvent(event=name, data=data):
                return f"{name}: {data}"
            case _:
                return ""

    assert said(MessageDelta(message=Message(content="hi"))) == "hi"
    assert said(ChatCompleted(chat=CHAT)) == "over"
    assert said(UnknownEvent(event="new", data="{}")) == "new: {}"


@pytest.mark.parametrize(
    ("wire", "event"),
    [
        (
            {"content": "Hi", "node_title": "", "node_seq_id": "0", "node_is_finish": True, "token": 3},
            WorkflowMessage(content="Hi", node_seq_id="0", node_is_finish=True, token=3),  # pyright: ignore[reportCallIssue] - what is not declared is kept
        ),
        ({"node_seq_id": 4, "node_id": 100001}, WorkflowMessage(node_seq_id="4", node_id="100001")),
        ({"content": None, "ext": None, "usage": None}, WorkflowMessage()),
    ],
)
def test_a_piece_of_a_node_is_read_in_every_form(wire: dict[str, Any], event: WorkflowMessage) -> None:
    assert read_object(WorkflowMessage, wire) == event


def test_an_interrupt_holds_what_resume_takes() -> None:
    wire: dict[str, Any] = {
        "interrupt_data": {"event_id": "74/27", "type": 5, "data": "", "required_parameters": {"a": {}}}
    }
    interrupt = read_object(WorkflowInterrupt, wire)
    assert (interrupt.event_id, interrupt.interrupt_type, interrupt.node_title) == ("74/27", 5, "")
    assert interrupt.interrupt_data == InterruptData(event_id="74/27", type=5, required_parameters={"a": {}})


def test_an_interrupt_without_its_event_id_cannot_be_resumed_and_is_no_interrupt() -> None:
    with pytest.raises(ValueError, match="event_id"):
        read_object(WorkflowInterrupt, {"interrupt_data": {"type": 2}})


def test_the_end_of_a_workflow_may_say_nothing() -> None:
    assert read_object(WorkflowDone, {}) == WorkflowDone()
    assert read_object(WorkflowDone, {"debug_url": "https://x.test"}).debug_url == "https://x.test"
