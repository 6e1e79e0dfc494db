"""What goes out, what comes back, and what is told of it: values without behaviour."""

import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

from coze_async._errors import CozeError, DecodeError
from coze_async._wire import OutgoingBody
from coze_async.models._json import is_object, json_list, json_object

__all__ = ["Exchange", "RawResponse", "Reply", "Request", "StreamedBody"]


class StreamedBody(Protocol):
    """A body that is read while it is sent.

    Attributes:
        content_type: With its parameters.
    """

    content_type: str

    @property
    def is_spent(self) -> bool:
        """True if it was begun, and cannot be read again."""
        ...

    def open(self) -> AbstractAsyncContextManager[OutgoingBody]:
        """Begin to read it; what it holds is closed when the block is left."""
        ...


# Of these there is one for each call: named tuples are made in a third of the time.


class Request(NamedTuple):
    """What is to be sent, complete but for the credentials.

    Attributes:
        method: The HTTP verb.
        path: Below the base URL, with its parameters filled in.
        query: Pairs, in order.
        body: A JSON text, a body that is read while it is sent, or None for no body.
        headers: Beyond those of every request.
        kind: How `Limits` count it: one of `KINDS`.
        user: Whose limits hold.
        conversation: Where it starts a chat, one at a time; None for a new conversation, and for all else.
        safe: True if sending it twice does no more than sending it once.
        session: True for the routes that take a cookie instead of a token.
        chat: The chat that it asks about, if it does.
        is_raw: True if the answer may be anything, not only JSON.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | StreamedBody | None = None
    headers: Mapping[str, str] = MappingProxyType({})
    kind: str = "other"
    user: str | None = None
    conversation: str | None = None
    safe: bool = False
    session: bool = False
    chat: str | None = None
    is_raw: bool = False

    @property
    def runs_workflow(self) -> bool:
        """True if the answer comes when a workflow has done its work, which may take minutes."""
        return not self.safe and self.kind in ("workflow", "chatflow")

    def other_chat(self, payload: Any) -> str | None:
        """Return the chat that an answer is about, if it is another one than was asked about."""
        data = payload.get("data") if is_object(payload) else None
        if is_object(data):
            named = [data.get("id")] if "status" in data else []
        else:
            named = [json_object(item).get("chat_id") for item in json_list(data)]
        return next((str(name) for name in named if self.is_other_chat(name)), None)

    def is_other_chat(self, chat: Any) -> bool:
        """True for the id of another chat than the one asked about, as far as both are ids of real servers."""
        # What a mock or a sample names says nothing.
        return chat != self.chat and _is_real(str(chat)) and _is_real(self.chat or "")

    @property
    def name(self) -> str:
        """The request as a reader knows it."""
        return f"{self.method} {self.path}".strip()

    @property
    def is_spent(self) -> bool:
        """True if the body was begun, and cannot be read again."""
        return self.body is not None and not isinstance(self.body, bytes) and self.body.is_spent


def _is_real(chat: str) -> bool:
    """True for an id as servers make them: a number of 19 digits."""
    return len(chat) >= 16 and chat.isdecimal()


class Reply(NamedTuple):
    """A whole answer that is no error.

    Attributes:
        status: The HTTP status.
        content_type: Without parameters, in lower case.
        body: The bytes, decompressed.
        payload: The decoded JSON; None if the answer is no JSON.
        logid: What Coze support asks for.
        headers: With names in lower case.
    """

    status: int
    content_type: str
    body: bytes
    payload: Any
    logid: str | None
    headers: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RawResponse:
    """The answer to `AsyncCoze.request`.

    Attributes:
        status: The HTTP status.
        headers: With names in lower case.
        content: The body, decompressed.
        logid: What Coze support asks for, None if the server named none.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    logid: str | None

    def json(self) -> Any:
        """Return the decoded JSON.

        Raises:
            DecodeError: the content is not JSON.
        """
        try:
            return json.loads(self.content)
        except (ValueError, RecursionError) as error:
            raise DecodeError(
                f"The answer (HTTP {self.status}, {self.headers.get('content-type', 'no content type')}) is not JSON: "
                f"{error}. Look at `.content`.",
                logid=self.logid,
            ) from None

    def __repr__(self) -> str:
        return f"RawResponse(status={self.status}, {len(self.content)} bytes, logid={self.logid!r})"


@dataclass(frozen=True, slots=True)
class Exchange:
    """One attempt, as `observe` is told of it: never a credential, never the text of a message.

    Attributes:
        method: The HTTP verb.
        path: Below the base URL.
        attempt: From 1.
        seconds: From sending until the answer was read; for a stream until its first event.
        status: The HTTP status, None if no answer came.
        code: Coze's number of an error, None if there was none.
        logid: What Coze support asks for.
        error: How the attempt failed, None if it did not.
        retry_in: Seconds until the next attempt, None if there is none.
        user: Whose limits held.
        waited: Seconds that it has waited for limits before: for its turn, and the first attempt also for its
            conversation and its slot.
    """

    method: str
    path: str
    attempt: int
    seconds: float
    status: int | None = None
    code: int | None = None
    logid: str | None = None
    error: CozeError | None = None
    retry_in: float | None = None
    user: str | None = None
    waited: float = 0.0
