"""The events of a workflow run, and what they add up to."""

from collections.abc import AsyncIterator
from typing import Self

from coze_async._core import Core
from coze_async._envelope import code_of, message_of
from coze_async._errors import (
    APIError,
    AuthenticationError,
    ConversationBusyError,
    RateLimitError,
    WorkflowError,
    class_of,
    explain,
    unwrapped,
)
from coze_async._exchange import Request
from coze_async._sse import Event
from coze_async._stream import EventStream, State
from coze_async.models import UnknownEvent, WorkflowDone, WorkflowEvent, WorkflowInterrupt, WorkflowMessage, WorkflowRun
from coze_async.models._base import read_json, read_object
from coze_async.models._json import json_object, json_text

__all__ = ["WorkflowStream"]

_REFUSALS = (RateLimitError, ConversationBusyError, AuthenticationError)


class WorkflowStream(EventStream[WorkflowEvent, WorkflowRun]):
    """The events of one workflow run.

    It ends with `WorkflowDone`, or with `WorkflowInterrupt`, which says how to resume. An error raises WorkflowError.
    """

    def __init__(self, core: Core, request: Request, *, slot: str | None = None) -> None:
        super().__init__(core, request, slot=slot)
        self._messages: list[WorkflowMessage] = []
        self._last: WorkflowDone | WorkflowInterrupt | None = None

    def text(self) -> AsyncIterator[str]:
        """Return what the nodes say, piece by piece as it is written."""
        return _WorkflowText(self)

    def _decoded(self, event: Event) -> WorkflowEvent | None:
        # A release of Coze Studio sent the names in lower case (issue 2007 there).
        given_name, data, _ = event
        name = given_name.lower()
        try:
            if name == b"message":
                message = read_json(WorkflowMessage, _numbered(event))
                self._messages.append(message)
                return message
            if name == b"interrupt":
                return self._ended_with(read_json(WorkflowInterrupt, _numbered(event)))
            if name == b"done":
                facts = json_object(_numbered(event).decode("utf-8", "replace"))
                return self._ended_with(read_object(WorkflowDone, facts))
        except ValueError as error:
            raise self._unreadable(event, error) from error
        if name == b"ping":
            return None
        text = data.decode("utf-8", "replace")
        if name == b"error":
            raise self._run_failed(text)
        return UnknownEvent(event=given_name.decode("utf-8", "replace"), data=text)

    def _run_failed(self, text: str) -> WorkflowError | APIError:
        """Return the error of an event: JSON on the clouds, plain text from a failure inside Coze Studio."""
        facts = json_object(text)
        code = code_of(facts)
        if self._state is State.OPENING and issubclass(class_of(code, None), _REFUSALS):
            # Nothing has run: it was refused as by a JSON answer, and waits and repeats like one.
            return self._refused(facts, text)
        inner, msg = unwrapped(code, self._core.redacted(message_of(facts) or ("" if facts else text.strip())))
        debug_url = json_text(facts.get("debug_url"))
        numbered = f" (code {code})" if code else ""
        see = f" See {debug_url}" if debug_url else ""
        return WorkflowError(
            f"{self._request.name}: the run failed{numbered}: {explain(inner, msg)}{see}{self._traced()}",
            code=code,
            msg=msg,
            debug_url=debug_url,
            logid=self.logid,
        )

    def _ended_with(self, last: WorkflowDone | WorkflowInterrupt) -> WorkflowDone | WorkflowInterrupt:
        self._end()
        self._last = last
        return last

    def _is_in_step(self) -> bool:
        # An end without anything before it may be the surplus of another answer.
        return bool(self._messages) or isinstance(self._last, WorkflowInterrupt)

    def _counts_heartbeats(self) -> bool:
        # They come while a node works.
        return True

    def _collected(self) -> WorkflowRun:
        last = self._last
        return WorkflowRun(
            data=_last_words(self._messages),
            messages=self._messages,
            debug_url=last.debug_url if isinstance(last, WorkflowDone) else None,
            interrupt_data=last.interrupt_data if isinstance(last, WorkflowInterrupt) else None,
            usage=next((message.usage for message in reversed(self._messages) if message.usage), None),
            logid=self.logid,
        )


class _WorkflowText:
    """Hands out the texts of a workflow as they come."""

    __slots__ = ("_stream",)

    def __init__(self, stream: WorkflowStream) -> None:
        self._stream = stream

    def __aiter__(self) -> Self:
        aiter(self._stream)
        return self

    async def __anext__(self) -> str:
        while True:
            event = await anext(self._stream)
            if isinstance(event, WorkflowMessage) and event.content:
                return event.content


def _numbered(event: Event) -> bytes:
    """Return an event's data with the number that stands in its `id:` line."""
    # The writer of Coze Studio leaves out what is empty.
    _, given_data, number = event
    data = given_data.strip() or b"{}"
    if not number.isdigit() or not data.startswith(b"{"):
        return data
    rest = data[1:].lstrip()
    return b'{"id":%d%b%b' % (int(number), b"" if rest.startswith(b"}") else b",", rest)


def _last_words(messages: list[WorkflowMessage]) -> str:
    """Return what the last node to finish said: its pieces together, whatever came between them."""
    pieces: dict[_Node, list[str]] = {}
    finished: list[str] | None = None
    for message in messages:
        said = pieces.setdefault(_node(message), [])
        said.append(message.content)
        if message.node_is_finish:
            finished = said
            # In a loop the node begins anew.
            del pieces[_node(message)]
    if finished is None:
        finished = pieces[_node(messages[-1])] if messages else []
    return "".join(finished)


_Node = tuple[str, str | None, str | None]


def _node(message: WorkflowMessage) -> _Node:
    return message.node_title, message.node_id, message.node_execute_uuid
