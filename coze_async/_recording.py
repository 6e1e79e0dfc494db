r"""Recorded exchanges: one format for `Recorder`, `replay` and this library's own fixtures.

A recording is a file of JSON lines (UTF-8, LF). Each exchange is a block of them, whole and never mixed with another:

    {"source":"Recorder of coze_async 0.1.0","date":"2026-11-21T10:42:36.120000+00:00","kept":[]}
    {"method":"POST","path":"/v3/chat","query":{"conversation_id":"7001"},"body":{"bot_id":"5001",…}}
    {"status":200,"headers":{"content-type":"text/event-stream"},"after":0.31}
    {"at":0.2,"data":"event:conversation.chat.created\ndata:{\"id\":\"9001\",…}\n\n"}
    {"at":0.25,"data":"event:conversation.mess"}
    {"at":0.4,"end":"whole"}

1. Where it comes from: `source`, `date`, maybe `trust` and `server`. `kept` says that personal data were masked, and
   which of them were not; without it nothing was masked.
2. The request. A body that is not JSON has only its `size` in bytes.
3. The head of the response; `after` is the seconds from the request to it. There is none if no answer came.
4. Each piece of the body as it came off the wire: `at`, the seconds after the head, and its bytes as `data`, or as
   `base64` where a piece is no UTF-8 text of its own, or only its `size` if its content was withheld. Compression is
   undone; masks are as long as what they hide, so that an edge inside a text, or inside a character, stays there.
5. How it ended, `at` so many seconds after the head (after the request, if there is no head): `whole`; `lost`, with the
   class of the httpx `error` and `why`; `left`, by who was reading; or `silent`, which only people write: nothing more
   comes, and no end.

A block that a crash has torn counts as lost there.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn, get_args

from coze_async._errors import ConfigurationError
from coze_async.models._json import json_object

__all__ = ["Asked", "End", "Ending", "Piece", "Recording", "block_of", "read_recordings"]

End = Literal["whole", "lost", "left", "silent"]
_TORN = "the recording is torn here"


@dataclass(frozen=True)
class Asked:
    """The request of an exchange.

    Attributes:
        query: A name that is given several times has a list.
        body: What its JSON says.
        size: How many bytes a body has that is not JSON.
    """

    method: str
    path: str
    query: Mapping[str, str | list[str]] = field(default_factory=dict[str, str | list[str]])
    body: Any = None
    size: int | None = None

    @property
    def name(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True)
class Piece:
    """Some bytes of a body, and the seconds after the head at which they came.

    Attributes:
        withheld: How many bytes there were if they are not known.
    """

    at: float
    data: bytes = b""
    withheld: int = 0

    @property
    def size(self) -> int:
        """How many bytes there were."""
        return self.withheld or len(self.data)

    @property
    def content(self) -> bytes:
        """Its bytes, or zeros in the place of those that are not known."""
        return self.data or bytes(self.withheld)


@dataclass(frozen=True)
class Ending:
    """How an exchange ended.

    Attributes:
        error: The class of the error that ended a lost one, by its name in httpx.
        why: Its words.
    """

    kind: End
    at: float = 0.0
    error: str = ""
    why: str = ""


@dataclass(frozen=True)
class Recording:
    """One request and its answer, with the edges of the chunks in which it came.

    Attributes:
        status: None if no answer came.
        after: Seconds from the request to the head of the answer.
        kept: Which personal data were not masked; None if nothing was.
        source: Where it comes from.
        trust: How sure that is, in fixtures.
        server: Who was asked.
    """

    asked: Asked
    status: int | None
    headers: Mapping[str, str]
    pieces: tuple[Piece, ...]
    ending: Ending = Ending("whole")
    after: float = 0.0
    kept: tuple[str, ...] | None = None
    source: str = ""
    date: str = ""
    trust: str = ""
    server: str = ""

    @property
    def body(self) -> bytes:
        """All bytes of the body."""
        return b"".join(piece.content for piece in self.pieces)


def block_of(recording: Recording) -> bytes:
    """Return the lines of an exchange."""
    about: dict[str, Any] = {"source": recording.source}
    about |= {"trust": recording.trust} if recording.trust else {}
    about |= {"date": recording.date}
    about |= {"server": recording.server} if recording.server else {}
    about |= {} if recording.kept is None else {"kept": recording.kept}
    asked = recording.asked
    request = {"method": asked.method, "path": asked.path, "query": asked.query, "body": asked.body}
    request |= {} if asked.size is None else {"size": asked.size}
    lines = [about, request]
    if recording.status is not None:
        after = {"after": recording.after} if recording.after else {}
        lines.append({"status": recording.status, "headers": dict(recording.headers), **after})
    lines += map(_line_of, recording.pieces)
    ending = recording.ending
    said = {key: value for key, value in (("error", ending.error), ("why", ending.why)) if value}
    lines.append({"at": ending.at, "end": ending.kind, **said})
    return b"".join(map(_encoded, lines))


def _line_of(piece: Piece) -> dict[str, Any]:
    if piece.withheld:
        return {"at": piece.at, "size": piece.withheld}
    try:
        return {"at": piece.at, "data": piece.data.decode()}
    except UnicodeDecodeError:
        return {"at": piece.at, "base64": base64.b64encode(piece.data).decode()}


def _encoded(line: Mapping[str, Any]) -> bytes:
    try:
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":")).encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair, which JSON can say and UTF-8 cannot.
        text = json.dumps(line, separators=(",", ":")).encode()
    return text + b"\n"


def read_recordings(path: Path) -> list[Recording]:
    """Read the exchanges of a file, in the order in which they were begun.

    Raises:
        ConfigurationError: the file cannot be read, or is no recording.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"The recording {path} cannot be read: {error.strerror or error}.") from error
    reader = _Reader(path)
    for number, line in enumerate(content.split(b"\n"), 1):
        if line.strip():
            reader.take(number, line)
    reader.close()
    if not reader.found:
        raise ConfigurationError(f"{path} holds no exchange: it is {'torn' if content.strip() else 'empty'}.")
    # Written when they end, played in the order in which they were begun.
    return sorted(reader.found, key=lambda recording: recording.date)


class _Reader:
    """Takes lines, and puts blocks together."""

    def __init__(self, path: Path) -> None:
        self.found: list[Recording] = []
        self._path = path
        self._lines: list[dict[str, Any]] = []
        self._number = 0
        self._first = 0
        self._torn_at: int | None = None

    def take(self, number: int, line: bytes) -> None:
        self._number = number
        try:
            facts: Any = json.loads(line)
        except (ValueError, RecursionError):
            # What a crash has torn stands at the end of the file, or before what a later run has added.
            if self._torn_at is not None:
                self._fail("it is no JSON")
            self._torn_at = number
            return
        if not isinstance(facts, dict):
            self._fail("it is no JSON object")
        self._add(number, json_object(facts))

    def _add(self, number: int, facts: dict[str, Any]) -> None:
        if "source" in facts or not self._lines:
            self.close()
            self._first = number
        elif self._torn_at is not None:
            self._number = self._torn_at
            self._fail("it is no JSON")
        self._lines.append(facts)
        if "end" in facts:
            self.close()

    def close(self) -> None:
        """Put together what is there of a block."""
        lines, self._lines = self._lines, []
        self._torn_at = None
        if len(lines) < 2:
            # Torn before it said what was asked; a line that is no beginning is none of ours.
            if lines and "source" not in lines[0]:
                self._fail("a recording begins with a line that has a `source`")
            return
        about, asked, *rest = lines
        try:
            self.found.append(_recording(about, asked, rest))
        except (KeyError, TypeError, ValueError) as error:
            self._number = self._first
            what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            self._fail(f"the exchange that begins here cannot be read ({what})")

    def _fail(self, why: str) -> NoReturn:
        raise ConfigurationError(
            f"{self._path}, line {self._number}: {why}. "
            "A recording is what `coze_async.Recorder` writes, or `coze-async record`."
        )


def _recording(about: Mapping[str, Any], asked: Mapping[str, Any], rest: list[dict[str, Any]]) -> Recording:
    head = rest.pop(0) if rest and "status" in rest[0] else None
    ending = rest.pop() if rest and "end" in rest[-1] else None
    pieces = tuple(map(_piece, rest))
    kept = about.get("kept")
    return Recording(
        Asked(
            str(asked["method"]), str(asked["path"]), dict(asked.get("query", {})), asked.get("body"), asked.get("size")
        ),
        None if head is None else int(head["status"]),
        {} if head is None else dict(head["headers"]),
        pieces,
        _ending(ending) if ending else Ending("lost", pieces[-1].at if pieces else 0.0, "ReadError", _TORN),
        0.0 if head is None else float(head.get("after", 0.0)),
        None if kept is None else tuple(_texts(kept)),
        str(about.get("source", "")),
        str(about.get("date", "")),
        str(about.get("trust", "")),
        str(about.get("server", "")),
    )


def _texts(values: Iterable[Any]) -> list[str]:
    return [str(value) for value in values]


def _piece(line: Mapping[str, Any]) -> Piece:
    at = float(line["at"])
    if "size" in line:
        return Piece(at, withheld=int(line["size"]))
    if "base64" in line:
        return Piece(at, base64.b64decode(line["base64"], validate=True))
    return Piece(at, str(line["data"]).encode())


def _ending(line: Mapping[str, Any]) -> Ending:
    kind = line["end"]
    if kind not in get_args(End):
        raise ValueError(f"an exchange ends {', '.join(get_args(End))}, not {kind!r}")
    return Ending(kind, float(line["at"]), str(line.get("error", "")), str(line.get("why", "")))
