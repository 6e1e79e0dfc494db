"""One line of a file of answers: what became of one question."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from coze_async import ChatItem, ChatResult, Message, Outcome
from coze_async.cli._batch_item import Origin

__all__ = ["Answer", "Failure", "answer_of"]

_MORE = ("user_id", "reasoning", "follow_ups", "conversation_id", "chat_id", "logid")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no answer.

    Attributes:
        kind: The class of the error; `requires_action` or `canceled` for a chat that ended so.
        text: What happened, why, and what to do.
        code: Coze's number, None if there was none.
        started: True if the chat may have begun, and cost.
    """

    kind: str
    text: str
    code: int | None = None
    started: bool = False

    @property
    def name(self) -> str:
        """The kind with its code, for counting."""
        return f"{self.kind} {self.code}" if self.code is not None else self.kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What became of one question.

    Attributes:
        origin: Where the question stood.
        message: The question, if it is a text.
        text: The answer; of one that failed, what had come until then.
        failure: Why there is no answer, None if there is one.
        at: When it was over, in Unix seconds.
        seconds: From its first request to its end.
        waited: Before that, in seconds: for the limits.
        attempts: How many requests were sent to start it.
        tokens_in: Tokens of the question, 0 if they are not known.
        tokens_out: Tokens of the answer, 0 if they are not known.
        bot_id: Who was asked.
        more: What else is worth keeping: ids, follow-ups, reasoning; what is not there may be None or empty.
    """

    origin: Origin
    message: str = ""
    text: str = ""
    failure: Failure | None = None
    at: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0
    attempts: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    bot_id: str = ""
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def line(self) -> bytes:
        """Return the line, with its end."""
        origin, failure = self.origin, self.failure
        facts: dict[str, Any] = {
            "id": origin.id,
            "line": origin.line,
            "ok": failure is None,
            "message": self.message,
            "text": self.text,
            **self.more,
            "bot_id": self.bot_id,
            "tokens": {"in": self.tokens_in, "out": self.tokens_out},
            "seconds": round(self.seconds, 3),
            "waited": round(self.waited, 3),
            "attempts": self.attempts,
            "at": datetime.fromtimestamp(self.at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "extra": dict(origin.extra),
            "digest": origin.digest,
        }
        if failure is not None:
            facts["error"] = {
                "type": failure.kind,
                "code": failure.code,
                "message": failure.text,
                "started": failure.started,
            }
        kept = {name: value for name, value in facts.items() if value not in (None, "", {}, []) or name == "text"}
        # A lone half of a character, which a server may send in JSON, has no bytes of its own.
        return json.dumps(kept, ensure_ascii=False).encode("utf-8", "replace") + b"\n"

    @classmethod
    def read(cls, line: bytes) -> "Answer":
        """Read a line that was written before.

        Raises:
            ValueError: it is none.
        """
        facts = json.loads(line)
        try:
            origin = Origin(facts["line"], facts.get("id"), facts["digest"], facts.get("extra", {}))
            failure, tokens = facts.get("error"), facts.get("tokens", {})
            return cls(
                origin=origin,
                message=facts.get("message", ""),
                text=facts["text"],
                failure=None
                if facts["ok"]
                else Failure(failure["type"], failure["message"], failure.get("code"), failure["started"]),
                at=datetime.fromisoformat(facts["at"]).timestamp(),
                seconds=float(facts["seconds"]),
                waited=float(facts["waited"]),
                attempts=int(facts["attempts"]),
                tokens_in=int(tokens["in"]),
                tokens_out=int(tokens["out"]),
                bot_id=facts.get("bot_id", ""),
                more={name: facts[name] for name in _MORE if name in facts},
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no answer: {error!r}") from error


def answer_of(outcome: Outcome[ChatItem, ChatResult], *, bot_id: str | None, user_id: str | None, now: float) -> Answer:
    """Return what became of a question.

    Args:
        outcome: Its item comes from a file of questions.
        bot_id: The bot of every item that names none.
        user_id: Who asks, for every item that does not say.
        now: The time, in Unix seconds.
    """
    item, usage = outcome.item, outcome.usage
    result: Any = outcome.value if outcome.is_ok else getattr(outcome.error, "partial", None)
    more: dict[str, Any] = {"user_id": item.user_id or user_id}
    if isinstance(result, ChatResult):
        more |= {
            "reasoning": result.reasoning,
            "follow_ups": result.follow_ups,
            "conversation_id": result.conversation_id,
            "chat_id": result.chat_id,
        }
    chat = getattr(outcome.error, "chat", None)
    if chat is not None:
        more |= {"conversation_id": chat.conversation_id, "chat_id": chat.id}
    more["logid"] = getattr(outcome.error or outcome.value, "logid", None)
    return Answer(
        origin=item.key,
        message=_as_text(item.message),
        text=result.text if isinstance(result, ChatResult) else "",
        failure=_failure(outcome),
        at=now,
        seconds=outcome.seconds,
        waited=outcome.waited,
        attempts=outcome.attempts,
        tokens_in=usage.input_count if usage else 0,
        tokens_out=usage.output_count if usage else 0,
        bot_id=item.bot_id or bot_id or "",
        more=more,
    )


def _failure(outcome: Outcome[Any, ChatResult]) -> Failure | None:
    if not outcome.is_ok:
        error = outcome.error
        text, code = str(error) or type(error).__name__, getattr(error, "code", None)
        return Failure(type(error).__name__, text, code, outcome.may_have_started)
    result = outcome.value
    if result.tool_calls:
        names = ", ".join(call.function.name if call.function else call.type for call in result.tool_calls)
        return Failure(
            "requires_action", f"The bot waits for the output of {names}: a program has to give it.", None, True
        )
    if result.status == "canceled":
        return Failure("canceled", "The chat was cancelled before its answer was complete.", None, True)
    return None


def _as_text(message: Any) -> str:
    if isinstance(message, Message):
        return message.content
    return message if isinstance(message, str) else ""
