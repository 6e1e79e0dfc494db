"""What an emulator saw lately, for those who look on: requests, what left as their answers, and how many there were.

Nothing is kept without a journal, and of everything only the last is kept.
"""

import json
import re
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple, cast

import anyio

from ._body import Body, ConnectionDropped, EmulatedResponse, Unreachable
from ._checks import question_of
from ._faults import Fault
from ._form import ReceivedForm
from ._oauth import PREFIX as OAUTH
from ._wire import Refusal
from ._world import RecordedRequest, World

_MOST_REQUESTS = 400
_MOST_MARKS = 300
_HEAD = 600  # bytes of a chunk, characters of a body
_LARGEST = 1 << 16  # bytes of an answer that is looked into
_SECONDS = 60
_MOST_USERS = 100  # of one second
_CHAT_ID = re.compile(rb'"id":"(\w+)"')
_RUN_ID = re.compile(rb'execute_id=(\w+)|"event_id":"(\w+)/')
_ERROR = re.compile(rb"(id:.*\n)?event: ?(conversation\.)?(error|chat\.failed)\b", re.IGNORECASE)
_RUN_OF_PATH = re.compile(r"/run_histories/(\w+)")
_BUCKETS = (
    # Which calls share a rate (coze.cn docs, get_benefit).
    ("chat", re.compile(r"/v3/chat(/retrieve|/message/list)?")),
    ("workflow", re.compile(r"/v1/workflow/(run|stream_run|get_run_history)|/v1/workflows/(chat|.*/run_histories/.*)")),
    ("upload", re.compile(r"/v1/files/upload")),
)
_REFUSED = {429, 4009, 4013, 4020}


class Mark(NamedTuple):
    """A chunk of a streamed answer."""

    seconds: float
    """Since the request came."""
    size: int
    head: bytes
    """Its beginning."""


@dataclass(slots=True, eq=False)
class Seen:
    """A request and what became of it."""

    number: int
    method: str
    path: str
    at: float
    """Unix time."""
    begun: float
    """Time of the event loop."""
    user: str = ""
    subject: str = ""
    """The bot or the workflow."""
    question: str = ""
    body: str = ""
    """What was sent, shortened."""
    fault: str = ""
    """The name of the fault that it met."""
    status: int | None = None
    """None before the headers, and for ever if there are none."""
    code: int | None = None
    """Coze's number, where the answer has one."""
    msg: str = ""
    logid: str = ""
    answer: str = ""
    """What was answered at once, shortened."""
    is_stream: bool = False
    has_failed: bool = False
    """Whether its stream told an error."""
    lane: str = ""
    """The chat or the run that it belongs to."""
    marks: list[Mark] = field(default_factory=list[Mark])
    chunks: int = 0
    """How many there were; of many, not every mark is kept."""
    thinned: int = 0
    """How often marks were left out."""
    seconds: float | None = None
    """How long it took; None while it goes on."""
    ending: str = ""
    """"complete", "lost", "left" (by the client), "failed" (a script raised) or "unreachable"."""
    version: int = 0
    """The journal's, when it changed last."""


@dataclass(slots=True)
class _Second:
    at: int
    buckets: Counter[str] = field(default_factory=Counter[str])
    users: Counter[str] = field(default_factory=Counter[str])
    refused: int = 0


class Journal:
    """The last requests of an emulator, oldest first, and counts of the last minute.

    Attributes:
        on_end: Is called with each request that is over, in the thread that serves.
    """

    def __init__(self) -> None:
        self.requests: deque[Seen] = deque(maxlen=_MOST_REQUESTS)
        self.total: int = 0
        self.version: int = 0
        self.on_end: Callable[[Seen], None] | None = None
        self._minute: deque[_Second] = deque(maxlen=_SECONDS)
        self._refused = 0
        self._rates: tuple[tuple[int, int, int], dict[str, Any]] = ((0, 0, 0), {})

    async def follow(
        self,
        request: RecordedRequest,
        fault: Fault | None,
        answer: Callable[[], Awaitable[EmulatedResponse]],
        world: World,
    ) -> EmulatedResponse:
        """Answer a request, with its fault, and write down what becomes of it."""
        seen = self._begin(request, fault)
        try:
            response = await (answer() if fault is None else fault.meet(answer, world))
        except (ConnectionDropped, Unreachable) as lost:
            self.end(seen, "lost" if isinstance(lost, ConnectionDropped) else "unreachable")
            raise
        except Exception:
            self.end(seen, "failed")
            raise
        except BaseException:
            self.end(seen, "left")
            raise
        seen.status = response.status
        seen.logid = response.headers.get("x-tt-logid") or response.headers.get("x-log-id") or ""
        if isinstance(response.body, Body):
            seen.is_stream = response.body.error is not None
            response.body.watch = _Watch(self, seen)
            self.touch(seen)
        else:
            _look_into(seen, response.body)
            self.end(seen, "complete")
        return response

    def changed_since(self, version: int) -> list[Seen]:
        """The requests that changed after this version of the journal, oldest first."""
        return [seen for seen in self.requests if seen.version > version]

    def rates(self) -> dict[str, Any]:
        """How many requests the last 60 seconds saw: by second and kind of call, by user, and those refused."""
        now = int(time.time())
        # For all who look on, once: they look five times a second.
        seen = now, self.total, self._refused
        if self._rates[0] != seen:
            self._rates = seen, self._counted(now)
        return self._rates[1]

    def _counted(self, now: int) -> dict[str, Any]:
        minute = [second for second in self._minute if second.at > now - _SECONDS]
        by_second = {second.at: second.buckets for second in minute}
        names = [name for name, _ in _BUCKETS] + ["other"]
        seconds = range(now - _SECONDS + 1, now + 1)
        users: Counter[str] = sum((second.users for second in minute), Counter[str]())
        return {
            "buckets": {name: [by_second.get(at, Counter[str]())[name] for at in seconds] for name in names},
            "users": users.most_common(12),
            "refused": sum(second.refused for second in minute),
        }

    def touch(self, seen: Seen) -> None:
        """Note that a request has changed."""
        self.version += 1
        seen.version = self.version

    def _begin(self, request: RecordedRequest, fault: Fault | None) -> Seen:
        self.total += 1
        fields = cast("dict[str, Any]", request.body) if isinstance(request.body, dict) else dict[str, Any]()
        seen = Seen(self.total, request.method, request.path, time.time(), anyio.current_time())
        seen.user = _short(fields.get("user_id") or request.query.get("user_id"))
        seen.subject = _short(fields.get("bot_id") or fields.get("workflow_id") or request.query.get("bot_id"))
        seen.question = _question(fields)
        # What logs in has secrets in it.
        seen.body = "" if request.path.startswith(OAUTH) else _glimpse(cast("object", request.body))
        seen.fault = "" if fault is None else type(fault).__name__
        run = _RUN_OF_PATH.search(request.path)
        event = str(fields.get("event_id") or "").partition("/")[0]
        seen.lane = _short(request.query.get("chat_id") or fields.get("chat_id") or (run[1] if run else event))
        self.requests.append(seen)
        self._count(seen)
        self.touch(seen)
        return seen

    def _count(self, seen: Seen) -> None:
        at = int(seen.at)
        if not self._minute or self._minute[-1].at != at:
            self._minute.append(_Second(at))
        second = self._minute[-1]
        second.buckets[next((name for name, paths in _BUCKETS if paths.fullmatch(seen.path)), "other")] += 1
        if seen.user and (seen.user in second.users or len(second.users) < _MOST_USERS):
            second.users[seen.user] += 1

    def end(self, seen: Seen, how: str) -> None:
        """Note that a request is over."""
        seen.seconds, seen.ending = anyio.current_time() - seen.begun, how
        if self._minute and (seen.status in _REFUSED or seen.code in _REFUSED):
            self._minute[-1].refused += 1
            self._refused += 1
        self.touch(seen)
        if self.on_end is not None:
            self.on_end(seen)


class _Watch:
    """Writes down what leaves as the streamed answer of one request."""

    def __init__(self, journal: Journal, seen: Seen) -> None:
        self._journal = journal
        self._seen = seen

    def sent(self, chunk: bytes) -> None:
        seen = self._seen
        seen.chunks += 1
        if seen.is_stream:
            seen.lane = seen.lane or _lane_in(seen, chunk)
            seen.has_failed = seen.has_failed or _ERROR.match(chunk) is not None
            seen.marks.append(Mark(anyio.current_time() - seen.begun, len(chunk), chunk[:_HEAD]))
            if len(seen.marks) > _MOST_MARKS:
                # The first and the last ones tell most; between them every second one will do.
                middle = seen.marks[20:-20:2]
                seen.marks[20:-20] = middle
                seen.thinned += 1
        self._journal.touch(seen)

    def ended(self, how: str) -> None:
        self._journal.end(self._seen, how)


def _lane_in(seen: Seen, chunk: bytes) -> str:
    if seen.path.startswith("/v1/workflow/"):
        found = _RUN_ID.search(chunk)
        return (found[1] or found[2]).decode() if found else ""
    named = _CHAT_ID.search(chunk)
    return named[1].decode() if named and b"conversation.chat." in chunk else ""


def _look_into(seen: Seen, content: bytes) -> None:
    if not seen.path.startswith(OAUTH):
        seen.answer = content[:_HEAD].decode("utf-8", "replace")
    if len(content) > _LARGEST:
        return
    try:
        answer = json.loads(content)
    except ValueError:
        return
    if not isinstance(answer, dict):
        return
    told = cast("dict[str, Any]", answer)
    code, data = told.get("code"), told.get("data")
    seen.code = code if isinstance(code, int) else None
    seen.msg = _short(told.get("msg") or told.get("error_message"))
    if seen.path == "/v3/chat" and isinstance(data, dict):
        seen.lane = _short(cast("dict[str, Any]", data).get("id"))
    elif "execute_id" in told:
        seen.lane = _short(told["execute_id"])


def _question(fields: dict[str, Any]) -> str:
    messages = fields.get("additional_messages")
    if isinstance(messages, list):
        items = [cast("dict[str, Any]", item) for item in cast("list[object]", messages) if isinstance(item, dict)]
        try:
            return _short(question_of(items))
        except Refusal:
            return ""
    return _short(fields.get("query") or fields.get("input"))


def _short(value: Any, most: int = 200) -> str:
    text = value if isinstance(value, str) else "" if value is None else str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def _glimpse(body: object) -> str:
    """What a body says, in a few hundred characters, however large it is."""
    if body is None:
        return ""
    if isinstance(body, ReceivedForm):
        files = [f"{file.part}: {file.name} ({file.content_type}, {file.size} bytes)" for file in body.files[:10]]
        return _short("; ".join([*(f"{name}: {_short(text)}" for name, text in body.texts.items()), *files]), _HEAD)
    return _short(json.dumps(_shallow(body, 6), ensure_ascii=False), 2 * _HEAD)


def _shallow(value: object, depth: int) -> Any:
    if isinstance(value, dict | list):
        if not depth:
            return "…"
        items = cast("dict[str, Any] | list[Any]", value)
        if isinstance(items, dict):
            return {_short(key): _shallow(item, depth - 1) for key, item in _first(items.items())}
        return [_shallow(item, depth - 1) for item in _first(items)]
    return _short(value) if isinstance(value, str) else value


def _first(items: Any) -> Iterator[Any]:
    for count, item in enumerate(items):
        if count == 20:
            return
        yield item
