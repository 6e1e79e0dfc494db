"""The short way to a chat's event ends where the long way does."""

# pyright: reportPrivateUsage=false

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from coze_async import AsyncCoze, ChatCreated
from coze_async._chat_stream import ChatStream
from coze_async._exchange import Request
from coze_async._sse import Event

NAMES = [f"conversation.chat.{state}" for state in ("created", "in_progress", "completed", "failed", "canceled")]
VALUES: dict[str, list[Any]] = {
    "id": ["9", "", 9, None],
    "conversation_id": ["7", "", 7, None],
    "status": ["created", "completed", "compleated", None],
    "last_error": [{"code": 0, "msg": ""}, {"code": 4000, "msg": "no"}, None, ""],
    "usage": [{"token_count": 3}, {"token_count": 3, "unheard_of": None}, None, 7],
    "code": [4000, "4000", None],
    "msg": ["no", "null"],
    "run_record_item": [{"id": "8", "conversation_id": "6"}, None, "{}"],
    "meta_data": [{}, {"a": "b"}, None],
    "unheard_of": [1, None, [None]],
}
FACTS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})
BEFORE = (b"conversation.chat.created", b'{"id":"5","conversation_id":"4","status":"created"}', b"")


def told(event: Event) -> object:
    """Return what a stream makes of an event, and what it remembers."""
    stream = ChatStream(AsyncCoze("pat_x")._core, Request("POST", "/v3/chat"))
    stream._inbox[:] = [BEFORE, event]
    events = [*iter(stream._advance, None)]
    assert type(events[0]) is ChatCreated
    failures = str(stream._error)
    return [(type(each), each.model_dump()) for each in events], stream._collected().model_dump(), failures


@given(st.sampled_from(NAMES), FACTS)
@example(NAMES[0], {"id": "9", "conversation_id": "7", "status": "created"})
@example(NAMES[3], {"id": "9", "conversation_id": "7", "status": "failed", "last_error": {"code": 4000, "msg": "no"}})
@example(NAMES[2], {"id": "9", "conversation_id": "7", "status": "x", "run_record_item": {"id": "8"}})
@example(NAMES[2], {"id": "9", "conversation_id": "7", "status": "x", "usage": None})
@example(NAMES[2], {"id": "9", "conversation_id": "7", "status": "x", "usage": {"unheard_of": None}})
@example(NAMES[2], {"id": "9", "conversation_id": "7"})
def test_both_ways_to_a_chat_end_in_the_same_event(name: str, facts: dict[str, Any]) -> None:
    event = (name.encode(), json.dumps(facts).encode(), b"")
    short = told(event)

    def no_short_way(_data: bytes) -> None: ...

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coze_async._chat_stream._whole_chat", no_short_way)
        assert short == told(event)


def test_a_chat_as_the_cloud_sends_it_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def long_way(*_arguments: object) -> object:
        raise AssertionError

    monkeypatch.setattr(ChatStream, "_chat", long_way)
    assert told((b"conversation.chat.completed", b'{"id":"9","conversation_id":"7","status":"completed"}', b""))
