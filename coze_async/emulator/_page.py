"""The local page that shows what an emulator is doing: its files, its stream of news, and its switches.

It is for the machine that the emulator runs on. Other sites can neither read it nor set its switches: there is no CORS,
a switch wants JSON from the page itself, and a name that could be made to point here is not answered.
"""

import ipaddress
import json
import math
import re
import time
from collections.abc import AsyncGenerator
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._checks import read_json
from ._fault_kinds import FAULT_KINDS
from ._journal import Mark, Seen

if TYPE_CHECKING:
    from ._emulator import Emulator

PLACE = "/_"
"""Where the page lies; Coze has nothing there."""

_FILES = {
    "": ("page.html", "text/html"),
    "page.css": ("page.css", "text/css"),
    "page.js": ("page.js", "text/javascript"),
}
_PAUSE = 0.2
_HEART_BEAT = 15.0
_HEADERS = {
    b"content-security-policy": b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    b"img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    b"cross-origin-resource-policy": b"same-origin",
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
}

_NAME = re.compile(rb"^event: ?(.*?)\r?$", re.MULTILINE)
_DATA = re.compile(rb"^data: ?(.*?)\r?$", re.MULTILINE)
_FIELD = {
    name: re.compile(rf'"{name}":"((?:[^"\\]|\\.)*)'.encode())
    for name in ("type", "content", "content_type", "reasoning_content", "msg", "error_message", "status")
}
_KINDS = {
    # By the end of an event's name, in lower case.
    "message.delta": "delta",
    "message": "delta",
    "audio.delta": "audio",
    "chat.failed": "error",
    "error": "error",
    "requires_action": "action",
    "interrupt": "action",
    "done": "done",
}
_KINDS_OF_MESSAGES = {
    "answer": "answer",
    "function_call": "tool",
    "tool_response": "tool",
    "tool_output": "tool",
    "follow_up": "follow-up",
    "knowledge": "recall",
}


def make_page(emulator: "Emulator") -> ASGIApp:
    """The application of the page, to be mounted at `PLACE`."""
    return _Guarded(_Page(emulator).routes())


class _Page:
    def __init__(self, emulator: "Emulator") -> None:
        self._emulator = emulator
        self._journal = emulator.journal

    def routes(self) -> ASGIApp:
        return Router(
            [
                Route("/events", self._events),
                Route("/state", self._state),
                Route("/faults", self._switch, methods=["POST"]),
                Route("/heal", self._heal, methods=["POST"]),
                Route("/{name}", self._file),
                Route("/", self._file),
            ]
        )

    async def _file(self, request: Request) -> Response:
        name: str = request.path_params.get("name", "")
        if name not in _FILES:
            return PlainTextResponse("The page has nothing of that name.", 404)
        file, kind = _FILES[name]
        return Response((files("coze_async.emulator") / "page" / file).read_bytes(), media_type=kind)

    async def _state(self, request: Request) -> Response:
        del request
        return JSONResponse(News(self._emulator).next())

    async def _events(self, request: Request) -> Response:
        del request
        return StreamingResponse(self._told(), media_type="text/event-stream")

    async def _told(self) -> AsyncGenerator[bytes]:
        news, silence = News(self._emulator), 0.0
        while True:
            told = news.next()
            if told:
                silence = 0.0
                told["now"] = round(time.time(), 3)
                yield b"data: " + json.dumps(told, ensure_ascii=False).encode() + b"\n\n"
            elif silence >= _HEART_BEAT:
                silence = 0.0
                yield b": still here\n\n"
            await anyio.sleep(_PAUSE)
            silence += _PAUSE

    async def _switch(self, request: Request) -> Response:
        try:
            wanted = read_json((await request.body()).decode())
            kind, probability = wanted["kind"], float(wanted["probability"])
            self._emulator.switch(kind, probability)
        except (KeyError, TypeError, ValueError) as error:
            return JSONResponse({"error": f"This is no switch: {error}"}, 400)
        return JSONResponse(faults_of(self._emulator))

    async def _heal(self, request: Request) -> Response:
        del request
        self._emulator.heal()
        return JSONResponse(faults_of(self._emulator))


class News:
    """What one viewer has not been told yet.

    Attributes:
        marks: By request: how often its marks were thinned, and how many of them were told.
    """

    def __init__(self, emulator: "Emulator") -> None:
        self._emulator = emulator
        self._version = -1
        self._told: dict[str, Any] = {}
        self.marks: dict[int, tuple[int, int]] = {}

    def next(self) -> dict[str, Any]:
        """Everything the first time, afterwards what has changed; empty if nothing has."""
        emulator, journal = self._emulator, self._emulator.journal
        news: dict[str, Any] = {}
        if self._version < 0:
            # A list: to JavaScript "429" is a number, and numbers come first.
            kinds = [[name, kind.family, kind.about] for name, kind in FAULT_KINDS.items()]
            news |= {"dialect": emulator.dialect, "kinds": kinds}
        version = journal.version
        changed = [self._request(seen) for seen in journal.changed_since(self._version)]
        kept = {seen.number for seen in journal.requests}
        self._version, self.marks = version, {number: at for number, at in self.marks.items() if number in kept}
        if changed:
            news["requests"] = changed
        pieces = {
            "total": journal.total,
            "open": emulator.open_streams,
            "faults": faults_of(emulator),
            "rates": journal.rates(),
            "limits": {
                "chat": emulator.limits.chat_qps,
                "workflow": emulator.limits.workflow_qps,
                "upload": emulator.limits.upload_qps,
            },
        }
        news |= {name: piece for name, piece in pieces.items() if self._told.get(name) != piece}
        self._told = pieces
        return news

    def _request(self, seen: Seen) -> dict[str, Any]:
        thinned, told = self.marks.get(seen.number, (0, 0))
        if thinned != seen.thinned:
            told = 0
        self.marks[seen.number] = seen.thinned, len(seen.marks)
        return {
            "n": seen.number,
            "method": seen.method,
            "path": seen.path,
            "at": round(seen.at, 3),
            "user": seen.user,
            "subject": seen.subject,
            "question": seen.question,
            "body": seen.body,
            "fault": seen.fault,
            "status": seen.status,
            "code": seen.code,
            "msg": seen.msg,
            "logid": seen.logid,
            "answer": seen.answer,
            "stream": seen.is_stream,
            "lane": seen.lane,
            "chunks": seen.chunks,
            "seconds": None if seen.seconds is None else round(seen.seconds, 4),
            "ending": seen.ending,
            "told": told,
            "marks": [_mark(mark) for mark in seen.marks[told:]],
        }


def faults_of(emulator: "Emulator") -> dict[str, Any]:
    """The switches that are on, and what else is planned."""
    faults = emulator.faults
    return {
        "on": {kind: fault.probability for (kind, _), fault in faults.switched.items()},
        "planned": [
            {
                "fault": repr(fault.fault),
                "on": fault.on,
                "left": None if fault.left == math.inf else fault.left,
                "probability": fault.probability,
            }
            for fault in list(faults.planned)[:20]
        ],
    }


def _mark(mark: Mark) -> list[Any]:
    """A mark as the page draws it: milliseconds, kind, name, text."""
    named, data = _NAME.search(mark.head), _DATA.search(mark.head)
    name = named[1].decode("utf-8", "replace") if named else f"{mark.size} bytes"
    content = data[1] if data else mark.head
    kind, text = _said(name.lower() if named else "", content)
    return [round(mark.seconds * 1000, 1), kind, name, text[:300]]


def _said(name: str, data: bytes) -> tuple[str, str]:
    """The kind of an event, and what it says in a few words."""
    kind = next((kind for end, kind in _KINDS.items() if name.endswith(end)), "chat" if "chat." in name else "bytes")
    if name.endswith("message.completed"):
        kind = _KINDS_OF_MESSAGES.get(_value("type", data), "verbose")
        if kind == "verbose" and b"knowledge_recall" in data:
            kind = "recall"
    if kind in {"bytes", "done"}:
        return kind, data.decode("utf-8", "replace")
    # Real servers send an empty one with every piece.
    if kind == "delta" and (thought := _value("reasoning_content", data)):
        return "reasoning", thought
    if kind == "error":
        return kind, _value("msg", data) or _value("error_message", data)
    return kind, _value("status", data) if kind == "chat" else _value("content", data)


def _value(field: str, data: bytes) -> str:
    """The text of a field in JSON that may have lost its end."""
    found = _FIELD[field].search(data)
    if found is None:
        return ""
    text = found[1].decode("utf-8", "ignore")
    try:
        return str(json.loads(f'"{text}"'))
    except ValueError:
        return text


class Home:
    """What lies at `/`: for a browser the way to the page, for all others what the emulator says."""

    def __init__(self, emulated: ASGIApp) -> None:
        self._emulated = emulated

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wants_html = "text/html" in Request(scope).headers.get("accept", "")
        app = RedirectResponse(f"{PLACE}/") if wants_html and scope["method"] == "GET" else self._emulated
        await app(scope, receive, send)


class _Guarded:
    """Keeps other sites away from the page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message["headers"], *_HEADERS.items()]}
            await send(message)

        complaint = _complaint(Request(scope))
        app = PlainTextResponse(complaint, 403) if complaint else self._app
        await app(scope, receive, send_guarded)


def _complaint(request: Request) -> str:
    host = request.headers.get("host", "")
    if not _is_here(host):
        return f"The page is not shown under the name {host!r}: use an address, or localhost."
    if request.method == "POST":
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return "Only the page itself sets its switches."
        # A form or a script of another site cannot send this type without being asked first, and nobody answers that.
        if not request.headers.get("content-type", "").startswith("application/json"):
            return "A switch is set with JSON."
    return ""


def _is_here(host: str) -> bool:
    """Whether a host is an address or a local name: a public name may have been made to point here."""
    name = host.rpartition("]")[0].lstrip("[") or host.partition(":")[0]
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or name.endswith(".localhost") or bool(re.fullmatch(r"[A-Za-z0-9_-]+", name))
    return True
