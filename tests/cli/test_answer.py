"""The lines of a file of answers: what stands in them, and that they can be read again."""

import json
from dataclasses import replace
from typing import Any

import pytest

from coze_async import (
    Chat,
    ChatFailedError,
    ChatItem,
    ChatResult,
    ConfigurationError,
    Message,
    MessageObject,
    Outcome,
    PollTimeoutError,
    RateLimitError,
    StreamInterruptedError,
    ToolCall,
    Usage,
)
from coze_async._batch import Failed, Succeeded
from coze_async.cli._answer import Answer, Failure, answer_of
from coze_async.cli._batch_item import Origin
from coze_async.models import RequiredAction, SubmitToolOutputs, ToolCallFunction

ORIGIN = Origin(3, "q-3", "abc", {"topic": "tea"})
CHAT = Chat(
    id="9",
    conversation_id="7",
    status="completed",
    usage=Usage(token_count=42, input_count=12, output_count=30),
)
SAID = [
    Message(id="1", role="assistant", type="answer", content="It is green.", reasoning_content="Hm."),
    Message(id="2", role="assistant", type="follow_up", content="And black tea?"),
]
RESULT = ChatResult(chat=CHAT, messages=SAID, logid="log-1")


def outcome(
    value: ChatResult | None = None, error: Exception | None = None, attempts: int = 1, **item: Any
) -> Outcome[ChatItem, ChatResult]:
    given: dict[str, Any] = {"message": "What is tea?", "key": ORIGIN, **item}
    if error is not None:
        return Failed(2, ChatItem(**given), None, error, attempts, 1.5, 0.25)
    assert value is not None
    return Succeeded(2, ChatItem(**given), value, None, attempts, 1.5, 0.25)


def facts_of(of: Outcome[ChatItem, ChatResult]) -> dict[str, Any]:
    answer = answer_of(of, bot_id="b", user_id="u", now=1_790_000_000.1234)
    line = answer.line()
    assert line.endswith(b"}\n")
    # It can be sent on to where it is written, or read again.
    there = {name: value for name, value in answer.more.items() if value}
    assert Answer.read(line) == replace(answer, more=there, at=1_790_000_000.123)
    assert Answer.read(line).line() == line
    facts: dict[str, Any] = json.loads(line)
    return facts


def test_an_answer_has_all_that_is_worth_keeping() -> None:
    assert facts_of(outcome(RESULT)) == {
        "id": "q-3",
        "line": 3,
        "ok": True,
        "message": "What is tea?",
        "text": "It is green.",
        "user_id": "u",
        "reasoning": "Hm.",
        "follow_ups": ["And black tea?"],
        "conversation_id": "7",
        "chat_id": "9",
        "logid": "log-1",
        "bot_id": "b",
        "tokens": {"in": 12, "out": 30},
        "seconds": 1.5,
        "waited": 0.25,
        "attempts": 1,
        "at": "2026-09-21T14:13:20.123Z",
        "extra": {"topic": "tea"},
        "digest": "abc",
    }


def test_what_is_not_there_takes_no_room() -> None:
    bare = outcome(ChatResult(), key=Origin(3, None, "abc"), message=[MessageObject.of_image(file_id="1")])
    names = ["line", "ok", "text", "user_id", "bot_id", "tokens", "seconds", "waited", "attempts", "at", "digest"]
    facts = facts_of(bare)
    assert [*facts] == names
    assert facts["text"] == ""


def test_the_bot_and_the_user_are_those_that_were_asked_and_asked() -> None:
    facts = facts_of(outcome(RESULT, bot_id="own", user_id="own-u", message=Message.user("Own?")))
    assert (facts["bot_id"], facts["user_id"], facts["message"]) == ("own", "own-u", "Own?")


@pytest.mark.parametrize(
    ("error", "attempts", "expected"),
    [
        (
            RateLimitError("Too many.", code=4013, logid="log-2"),
            3,
            {"type": "RateLimitError", "code": 4013, "message": "Too many.", "started": False},
        ),
        (ConfigurationError("Empty."), 0, {"type": "ConfigurationError", "message": "Empty.", "started": False}),
        (ValueError(), 1, {"type": "ValueError", "message": "ValueError", "started": True}),
    ],
)
def test_a_failure_says_why_and_whether_it_may_have_cost(
    error: Exception, attempts: int, expected: dict[str, Any]
) -> None:
    facts = facts_of(outcome(error=error, attempts=attempts))
    assert facts["ok"] is False
    assert {name: value for name, value in facts["error"].items() if value is not None} == expected
    assert facts.get("logid") == getattr(error, "logid", None)
    assert facts["text"] == ""


def test_what_came_before_a_failure_is_kept() -> None:
    facts = facts_of(outcome(error=StreamInterruptedError("Broken.", partial=RESULT)))
    assert (facts["ok"], facts["text"], facts["chat_id"], facts["tokens"]["out"]) == (False, "It is green.", "9", 30)
    failed = ChatFailedError("No.", chat=Chat(id="10", conversation_id="8"), code=5000, partial=RESULT)
    facts = facts_of(outcome(error=failed))
    assert (facts["chat_id"], facts["conversation_id"]) == ("10", "8")
    facts = facts_of(outcome(error=PollTimeoutError("Late.", chat=CHAT)))
    assert (facts["chat_id"], facts["text"], facts["tokens"]) == ("9", "", {"in": 12, "out": 30})


def test_a_chat_that_waits_or_was_cancelled_has_no_answer() -> None:
    calls = [ToolCall(id="1", function=ToolCallFunction(name="door")), ToolCall(id="2", type="reply_message")]
    action = RequiredAction(type="submit_tool_outputs", submit_tool_outputs=SubmitToolOutputs(tool_calls=calls))
    waiting = CHAT.model_copy(update={"status": "requires_action", "required_action": action})
    facts = facts_of(outcome(ChatResult(chat=waiting)))
    assert (facts["ok"], facts["error"]["type"], facts["error"]["started"]) == (False, "requires_action", True)
    assert "the output of door, reply_message" in facts["error"]["message"]
    facts = facts_of(outcome(ChatResult(chat=CHAT.model_copy(update={"status": "canceled"}))))
    assert (facts["ok"], facts["error"]["type"], facts["error"]["started"]) == (False, "canceled", True)


def test_half_a_character_does_not_break_the_file() -> None:
    line = Answer(origin=ORIGIN, text="\ud83d half", message="茶").line()
    assert json.loads(line)["text"] == "? half"
    assert "茶".encode() in line


def test_failures_are_counted_by_kind_and_code() -> None:
    assert Failure("ServerError", "x", 5000).name == "ServerError 5000"
    assert Failure("TransportError", "x").name == "TransportError"


WHOLE = json.loads(Answer(origin=ORIGIN, failure=Failure("ServerError", "x", 5000)).line())


@pytest.mark.parametrize(
    "broken",
    [
        None,
        [],
        7,
        {},
        *[{name: value for name, value in WHOLE.items() if name != missing}
          for missing in ("line", "ok", "digest", "text", "seconds", "waited", "attempts", "at", "error", "tokens")],
        {**WHOLE, "error": "x"},
        {**WHOLE, "error": {}},
        {**WHOLE, "at": "noon"},
        {**WHOLE, "at": 7},
        {**WHOLE, "tokens": []},
    ],
)  # fmt: skip
def test_what_is_no_answer_is_told_apart(broken: Any) -> None:
    with pytest.raises(ValueError):
        Answer.read(json.dumps(broken).encode())
