"""What travels between who has questions and who answers them: questions one way, what became of them the other."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from coze_async import _errors
from coze_async._config import Polling
from coze_async._errors import ConfigurationError, CozeError
from coze_async._question import Question
from coze_async.models import Chat, ChatResult, Message, MessageObject
from coze_async.models._json import is_list, is_object

__all__ = ["Answer", "Parcel"]

# What errors know beyond their text; models travel as JSON objects.
_FIELDS = (
    "code", "msg", "status", "logid", "debug_url", "retry_after", "execute_id", "may_have_arrived", "body",
)  # fmt: skip
# Names the model that a JSON object is.
_MODEL = "$model"
_MODELS: Mapping[str, type[Chat] | type[ChatResult]] = {"chat": Chat, "partial": ChatResult}


@dataclass(frozen=True, slots=True)
class Parcel:
    """A question with all that a worker needs to ask it, but no credentials: those the worker has.

    Attributes:
        message: The question.
        bot_id: The bot.
        user_id: The end user.
        options: What `ChatOptions` names.
        polling: How to look for the answer; None streams it.
    """

    message: Question | None
    bot_id: str | None
    user_id: str | None
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    polling: Polling | None = None

    def to_json(self) -> str:
        """Return it as JSON, always the same for the same question.

        Raises:
            ConfigurationError: it holds what JSON cannot say.
        """
        parts = dataclasses.asdict(dataclasses.replace(self, message=None, options={}))
        try:
            return json.dumps(
                {**parts, "message": self.message, "options": dict(self.options)},
                default=_as_json,
                ensure_ascii=False,
                sort_keys=True,
            )
        except (TypeError, ValueError, RecursionError) as error:
            raise ConfigurationError(
                f"The question cannot be sent to a worker: {error}. Texts, numbers, lists, dicts, Message and "
                "MessageObject can."
            ) from error

    @classmethod
    def from_json(cls, text: str) -> "Parcel":
        """Read what `to_json` has written."""
        parts: dict[str, Any] = json.loads(text)
        polling = parts["polling"]
        return cls(
            message=_from_json(parts["message"]),
            bot_id=parts["bot_id"],
            user_id=parts["user_id"],
            options={name: _from_json(value) for name, value in parts["options"].items()},
            polling=None if polling is None else Polling(**polling),
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a question.

    Attributes:
        value: The answer; None if there is none.
        error: Why not; None if there is one.
        attempts: Requests that were sent for it, without those that only read.
        seconds: From the first of them to the end.
    """

    value: ChatResult | None
    error: Exception | None
    attempts: int = 0
    seconds: float = 0.0

    def to_json(self) -> bytes:
        """Return it as JSON."""
        facts = {
            "value": self.value,
            "error": None if self.error is None else _of_error(self.error),
            "attempts": self.attempts,
            "seconds": self.seconds,
        }
        return json.dumps(facts, default=_as_json, ensure_ascii=False).encode("utf-8", "surrogatepass")

    @classmethod
    def from_json(cls, data: bytes) -> "Answer":
        """Read what `to_json` has written."""
        facts: dict[str, Any] = json.loads(data.decode("utf-8", "surrogatepass"))
        error = facts["error"]
        return cls(
            _from_json(facts["value"]), None if error is None else _error(error), facts["attempts"], facts["seconds"]
        )


def _as_json(value: Any) -> Any:
    for kind in (Message, MessageObject, Chat, ChatResult):
        if isinstance(value, kind):
            # What was not given is not there, so that what is read is the same.
            return {_MODEL: kind.__name__, **value.model_dump(mode="json", exclude_unset=True)}
    if issubclass(type(value), Mapping):
        return dict(value)
    if issubclass(type(value), Sequence):
        return list(value)
    raise TypeError(f"{type(value).__name__} is none of JSON's types")


def _from_json(value: Any) -> Any:
    if is_list(value):
        return [_from_json(item) for item in value]
    if is_object(value) and _MODEL in value:
        parts = dict(value)
        kind = {kind.__name__: kind for kind in (Message, MessageObject, Chat, ChatResult)}[parts.pop(_MODEL)]
        return kind.model_validate(parts)
    return value


def _of_error(error: Exception) -> dict[str, Any]:
    text = str(error) if isinstance(error, CozeError) else f"{type(error).__name__}: {error}"
    known = {name: getattr(error, name, None) for name in (*_FIELDS, *_MODELS)}
    return {"class": type(error).__name__, "text": text, **{k: v for k, v in known.items() if v is not None}}


def _error(facts: Mapping[str, Any]) -> Exception:
    """Return the error that a worker met; one that is none of ours becomes a CozeError with its text."""
    kind = getattr(_errors, facts["class"], None)
    error = (kind if isinstance(kind, type) and issubclass(kind, CozeError) else CozeError)(facts["text"])
    for name in (*_FIELDS, *_MODELS):
        if name in facts:
            setattr(error, name, _from_json(facts[name]))
    return error
