r"""Bytes of a server-sent event stream -> events, for every dialect, in one pass.

The block that all Coze servers write, `id:` (workflows only), `event:` and one `data:` line, is cut straight from the
bytes. Every other block is read line by line, as the standard says; httpx-sse is the reference that the tests hold this
reader to. It is not used itself: a response of httpx for each block would stop the loop for a second if a server sends
nothing but such blocks. What httpx-sse does not cover:

* a byte order mark before the stream would hide the first event;
* after an `id:` every blank line yields an empty event: here a block without data of its own and a name is none;
* two events of a chat may follow each other without a blank line between them (`event:` after `data:`);
* the charset: the standard says UTF-8, whatever the header says;
* JSON instead of events is kept, so that the caller can say what it says (`stray`).

One more departure from the standard, on purpose: a block with a name and no data is an event with empty data
(Coze Studio's writer leaves empty fields out).
"""

import re

from coze_async._errors import StreamProtocolError

__all__ = ["Event", "EventReader"]

_BOM = b"\xef\xbb\xbf"
# One block as Coze writes it, with its blank line. Blank lines before it are passed over.
_COMMON = re.compile(rb"\n*(?:id: ?([^\n\0]*)\n)?event: ?+(.+)\ndata: ?(.*)\n\n")
_KEPT_STRAY = 65536
# Lines of one event; reading so many takes a twentieth of a second.
_MOST_LINES = 100_000
_FIELDS = frozenset((b"event", b"data", b"id", b"retry", b""))


# Not a named one: making that takes longer than finding the event.
Event = tuple[bytes, bytes, bytes]
"""One event as it came: name (`message` if it has none, as the standard says), data and id."""


class EventReader:
    """Takes the bytes of a response in chunks of any size, gives whole events back.

    Attributes:
        stray: The first lines that are no field of an event stream, up to 64 KiB: usually a JSON error or a page.
        seen: True once any byte came.
        is_cut: True if the body has ended without the blank line of its last event.
    """

    __slots__ = ("_id", "_pending", "_skip_lf", "_started", "is_cut", "seen", "stray")

    def __init__(self) -> None:
        # One buffer: an event that comes byte by byte would take fifty times its size in pieces.
        self._pending = bytearray()
        self._id = b""
        self._skip_lf = False
        self._started = False
        self.seen = False
        self.is_cut = False
        self.stray = b""

    @property
    def held(self) -> int:
        """Bytes of an event that is not whole yet."""
        return len(self._pending)

    def feed(self, chunk: bytes) -> list[Event]:
        """Return the events that are whole with this chunk; none is held back that its blank line has ended."""
        if not chunk:
            return []
        self.seen = True
        if b"\r" in chunk or self._skip_lf:
            chunk = self._with_plain_line_ends(chunk)
        pending = self._pending
        if self._started and not pending and (whole := _COMMON.fullmatch(chunk)) is not None:
            # One event and nothing else: so they come while a model writes.
            event_id, name, data = whole.groups()
            if event_id is not None:
                self._id = event_id
            return [(name, data, self._id)]
        if b"\n\n" not in chunk and not (chunk.startswith(b"\n") and pending.endswith(b"\n")):
            pending += chunk
            return []
        buffer = self._taken(chunk) if pending or not self._started else chunk
        events: list[Event] = []
        position, size, last_id = 0, len(buffer), self._id
        match, add = _COMMON.match, events.append
        while position < size:
            found = match(buffer, position)
            if found is not None:
                event_id, name, data = found.groups()
                if event_id is not None:
                    last_id = self._id = event_id
                add((name, data, last_id))
                position = found.end()
                continue
            # Blank lines alone are nothing; passed over one by one, so that a flood of them takes linear time.
            while buffer.startswith(b"\n", position):
                position += 1
            end = buffer.find(b"\n\n", position)
            if end < 0:
                pending += buffer[position:]
                break
            events += self._unusual(buffer[position : end + 2])
            last_id = self._id
            position = end + 2
        return events

    def drop(self) -> None:
        """Forget what has come of an event that is not whole yet."""
        self._pending.clear()

    def end(self) -> list[Event]:
        """Return the last event if its blank line never came."""
        rest = self._taken(b"").strip(b"\n")
        self.is_cut = bool(rest)
        return self._unusual(rest + b"\n\n") if rest else []

    def _taken(self, chunk: bytes) -> bytes:
        """Return all that is pending and a chunk as one, without the byte order mark of the stream."""
        self._pending += chunk
        taken = bytes(self._pending)
        self._pending.clear()
        if not self._started:
            self._started = True
            taken = taken.removeprefix(_BOM)
        return taken

    def _with_plain_line_ends(self, chunk: bytes) -> bytes:
        """Turn CR and CRLF into LF; a CR at the end of a chunk ends its line at once, a LF after it is passed over."""
        if self._skip_lf and chunk.startswith(b"\n"):
            chunk = chunk[1:]
        self._skip_lf = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _unusual(self, block: bytes) -> list[Event]:
        """Read a block that is not of the common form.

        Raises:
            StreamProtocolError: its lines are so many that reading them would stop the program.
        """
        if block.count(b"\n") > _MOST_LINES:
            raise StreamProtocolError(f"An event has more than {_MOST_LINES} lines. Is base_url a Coze API?")
        events: list[Event] = []
        for part in _parts(block):
            name, data, has_fields = b"", list[bytes](), False
            for line in part:
                field, _, value = line.partition(b":")
                value = value.removeprefix(b" ")
                has_fields = has_fields or field in _FIELDS
                if field == b"data":
                    data.append(value)
                elif field == b"event":
                    name = value
                elif field == b"id" and b"\0" not in value:
                    self._id = value
            if not has_fields and len(self.stray) < _KEPT_STRAY:
                self.stray = b"\n".join([self.stray, *part, b""]).lstrip(b"\n")[:_KEPT_STRAY]
            if data or name:
                # Bytes that are not UTF-8 are replaced, as the standard says.
                text = b"\n".join(data).decode("utf-8", "replace").encode()
                events.append((name.decode("utf-8", "replace").encode() or b"message", text, self._id))
        return events


def _parts(block: bytes) -> list[list[bytes]]:
    """Return the lines of a block, cut before each `event:` line that follows a named event's data."""
    parts: list[list[bytes]] = [[]]
    has_name = has_data = False
    for line in block.strip(b"\n").split(b"\n"):
        if line.startswith(b"event:"):
            if has_name and has_data:
                parts.append([])
                has_data = False
            has_name = True
        elif line.startswith(b"data:"):
            has_data = True
        parts[-1].append(line)
    return parts
