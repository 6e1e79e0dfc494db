"""Forms with files, read as they come: a file is counted and hashed, and only its beginning is kept."""

import hashlib
import re
from collections.abc import AsyncIterable
from dataclasses import dataclass, field

_HEAD = 1 << 16
"""How much of a file is kept, and how long a text or the headers of a part may be."""


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that was uploaded: what is known of it without keeping it."""

    part: str
    """The name of the field."""
    name: str
    content_type: str
    size: int
    sha256: str
    head: bytes = field(repr=False)
    """Its first 64 KB."""


@dataclass(frozen=True, slots=True)
class ReceivedForm:
    """A form that was sent: its texts by name, its files in order, and whether it came to its end."""

    texts: dict[str, str]
    files: list[ReceivedFile]
    is_whole: bool


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form with parts."""
    return content_type.lower().startswith("multipart/form-data")


async def read_form(content_type: str, body: AsyncIterable[bytes]) -> ReceivedForm:
    """Read a form to its end; one that is broken is read too, and is not whole."""
    named = re.search(r'boundary="?([^";]+)', content_type)
    parser = FormParser(named[1].encode() if named else None)
    async for piece in body:
        parser.feed(piece)
    return parser.result()


class FormParser:
    """Takes a form in any pieces (RFC 7578, RFC 2046 part 5.1).

    Args:
        boundary: Stands between the parts; without one nothing is found.
    """

    def __init__(self, boundary: bytes | None) -> None:
        self._delimiter = b"\r\n--" + (boundary or b"")
        # The first boundary needs no line before it.
        self._buffer = bytearray(b"\r\n")
        self._step = self._preamble if boundary else self._epilogue
        self._texts: dict[str, str] = {}
        self._files: list[ReceivedFile] = []
        self._part = _Part("")
        self._is_whole = False

    def feed(self, piece: bytes) -> None:
        """Take the next piece."""
        self._buffer += piece
        while self._step():
            pass

    def result(self) -> ReceivedForm:
        """What came until now."""
        return ReceivedForm(self._texts, self._files, self._is_whole)

    def _preamble(self) -> bool:
        found = self._take_until_delimiter() is not None
        if found:
            self._step = self._after_delimiter
        return found

    def _content(self) -> bool:
        content = self._take_until_delimiter()
        if content is None:
            # What may be the beginning of a delimiter has to wait.
            sure = max(0, len(self._buffer) - len(self._delimiter) + 1)
            self._part.add(bytes(self._buffer[:sure]))
            del self._buffer[:sure]
            return False
        self._part.add(content)
        self._part.end(self._texts, self._files)
        self._step = self._after_delimiter
        return True

    def _after_delimiter(self) -> bool:
        if len(self._buffer) < 2:
            return False
        mark = bytes(self._buffer[:2])
        del self._buffer[:2]
        self._is_whole = mark == b"--"
        self._step = self._headers if mark == b"\r\n" else self._epilogue
        return True

    def _headers(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _HEAD:
                self._step = self._epilogue
            return False
        self._part = _Part(self._buffer[:end].decode("utf-8", "replace"))
        del self._buffer[: end + 4]
        self._step = self._content
        return True

    def _epilogue(self) -> bool:
        self._buffer.clear()
        return False

    def _take_until_delimiter(self) -> bytes | None:
        found = self._buffer.find(self._delimiter)
        if found < 0:
            return None
        content = bytes(self._buffer[:found])
        del self._buffer[: found + len(self._delimiter)]
        return content


class _Part:
    def __init__(self, headers: str) -> None:
        names = dict(re.findall(r'\b(name|filename)="([^"]*)"', headers))
        self._field = _unescaped(names.get("name", ""))
        self._file_name = _unescaped(names["filename"]) if "filename" in names else None
        typed = re.search(r"^content-type:\s*(\S+)", headers, re.IGNORECASE | re.MULTILINE)
        self._content_type = typed[1] if typed else "text/plain"
        self._head = bytearray()
        self._size = 0
        self._hash = hashlib.sha256()

    def add(self, content: bytes) -> None:
        self._size += len(content)
        self._head += content[: max(0, _HEAD - len(self._head))]
        if self._file_name is not None:
            self._hash.update(content)

    def end(self, texts: dict[str, str], files: list[ReceivedFile]) -> None:
        if self._file_name is None:
            texts[self._field] = self._head.decode("utf-8", "replace")
            return
        files.append(
            ReceivedFile(
                self._field, self._file_name, self._content_type, self._size, self._hash.hexdigest(), bytes(self._head)
            )
        )


def _unescaped(name: str) -> str:
    return name.replace("%0D", "\r").replace("%0A", "\n").replace("%22", '"')
