"""Events out of bytes: every dialect, every chunking, against the words of the standard and against httpx-sse."""

# pyright: reportPrivateUsage=false

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import httpx
import pytest
from httpx_sse import EventSource
from hypothesis import example, given
from hypothesis import strategies as st

from coze_async._sse import Event, EventReader

BOM = b"\xef\xbb\xbf"

# What `str.splitlines` takes for the end of a line, and what needs several bytes.
TEXTS = st.text(st.sampled_from('ab:{}" \u2028\u2029\x85\x0b\x0c\x1c\t\0你é😀\ufeff'), max_size=8)
NAMES = st.sampled_from(["conversation.message.delta", "done", "Message", "error", "x"])
LINE_ENDS = st.sampled_from([b"\n", b"\r", b"\r\n"])
CUTS = st.lists(st.integers(0, 400), max_size=12)


class Plain(NamedTuple):
    """An event as a reader of text sees it."""

    name: str
    data: str
    id: str


def plain(events: Iterable[Event]) -> list[Plain]:
    return [Plain(*(part.decode("utf-8", "replace") for part in event)) for event in events]


def chunks_of(stream: bytes, cuts: Sequence[int]) -> list[bytes]:
    """Cut a stream at some places; places may coincide, so that chunks may be empty."""
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    return [stream[begin:end] for begin, end in itertools.pairwise(places)]


def read(chunks: Iterable[bytes]) -> list[Plain]:
    reader = EventReader()
    events = [event for chunk in chunks for event in reader.feed(chunk)]
    return plain([*events, *reader.end()])


# --- what was written is what is read --------------------------------------------------------------------------------


def followed(stream: bytes, more: bytes) -> bytes:
    """Put bytes behind a stream so that a CR at its end and a LF do not become one line end."""
    return stream + (b"\r" + more[1:] if stream.endswith(b"\r") and more.startswith(b"\n") else more)


@st.composite
def written_streams(draw: st.DrawFn) -> tuple[list[Plain], bytes]:
    """A list of events, and one of the many ways in which servers and proxies write it."""
    events: list[Plain] = []
    stream = draw(st.sampled_from([b"", BOM]))
    event_id, may_run_on = "", False
    for _ in range(draw(st.integers(0, 5))):
        name = draw(NAMES | st.just(""))
        data = draw(st.lists(TEXTS, min_size=1, max_size=3))
        line_end = draw(LINE_ENDS)
        fields = [("data", line) for line in data]
        if name:
            fields.insert(0, ("event", name))
        # A common writer leaves no blank line between two events of a chat: then the next must begin with its name.
        runs_on = may_run_on and bool(name) and draw(st.booleans())
        if not runs_on:
            if events:
                stream = followed(stream, line_end)
            if draw(st.booleans()):
                event_id = draw(st.sampled_from(["0", "17", "a b", "\u2028"]))
                fields.insert(0, ("id", event_id))
            between = draw(st.sampled_from([b"", b"\n", b"\r\n", b": keep-alive\n\n", b":\r\r", b"retry: 50\r\n\r\n"]))
            stream = followed(stream, between)
            fields += draw(st.sampled_from([[], [("retry", "3000")], [("", " ping")], [("unknown", "1")]]))
        for field, value in fields:
            # One blank after the colon belongs to the format; a second one would belong to the value.
            space = draw(st.sampled_from([" "] if value.startswith(" ") else ["", " "]))
            stream += f"{field}:{space}{value}".encode() + line_end
        events.append(Plain(name or "message", "\n".join(data), event_id))
        may_run_on = bool(name)
    ends_well = draw(st.booleans())
    if events and ends_well:
        # Without it the last event lacks its blank line.
        stream = followed(stream, draw(LINE_ENDS))
    return events, stream


@given(written_streams(), CUTS)
def test_every_event_list_survives_every_chunking_of_its_bytes(
    written: tuple[list[Plain], bytes], cuts: list[int]
) -> None:
    events, stream = written
    assert read(chunks_of(stream, cuts)) == events


@given(written_streams())
def test_every_event_list_survives_coming_byte_by_byte(written: tuple[list[Plain], bytes]) -> None:
    events, stream = written
    assert read(bytes((byte,)) for byte in stream) == events


@given(written_streams(), CUTS)
def test_no_event_is_held_back_that_its_blank_line_has_ended(
    written: tuple[list[Plain], bytes], cuts: list[int]
) -> None:
    events, stream = written
    reader = EventReader()
    seen = [event for chunk in chunks_of(stream + b"\n\n", cuts) for event in reader.feed(chunk)]
    assert plain(seen) == events
    assert reader.end() == []


# --- against the standard --------------------------------------------------------------------------------------------


def by_the_standard(stream: bytes) -> list[Plain]:
    """Read a whole stream as the standard says (html.spec.whatwg.org, 9.2.6), with the departures of this library.

    They are marked; see the docstring of `coze_async._sse`.
    """
    lines = re.split(rb"\r\n|\r|\n", stream.removeprefix(BOM))
    events: list[Plain] = []
    name, data, event_id = b"", list[bytes](), b""
    was_named = False
    # Departure: what the end of the body leaves unfinished is an event too.
    for line in [*lines, b""]:
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        # Departure: a name after a named event's data begins the next event.
        runs_on = line.startswith(b"event:") and was_named and bool(data)
        if not line or runs_on:
            # Departure: a name without data is an event with empty data.
            if data or name:
                parts = (name or b"message", b"\n".join(data), event_id)
                events.append(Plain(*(part.decode("utf-8", "replace") for part in parts)))
            name, data, was_named = b"", [], False
        if field == b"event":
            name, was_named = value, was_named or line.startswith(b"event:")
        elif field == b"data":
            data.append(value)
        elif field == b"id" and b"\0" not in value:
            event_id = value
    return events


LINES = st.tuples(
    st.sampled_from([b"event", b"event", b"data", b"data", b"data", b"id", b"retry", b"", b"dat", b"{"]),
    st.sampled_from([b":", b": ", b":  ", b""]),
    st.sampled_from([b"", b"a", b"12", b"\0", b" b", b"\xff\xe4\xbd", "你\u2028\x85".encode(), b"event: x", BOM]),
    st.sampled_from([b"\n", b"\n", b"\r", b"\r\n", b"\n\n", b"\r\n\r\n", b"\r\r", b"\n\r"]),
).map(b"".join)
STREAMS = st.tuples(
    st.sampled_from([b"", b"", BOM, b"\n", b"\r\n"]),
    st.lists(LINES, max_size=12).map(b"".join),
    st.sampled_from([b"", b"data: last", b"event: last", b":", b"data: \xe4\xbd"]),
).map(b"".join)


# Where an `event` line without its colon stands, the short cut and the standard could go apart.
@example(b"event:a\ndata:1\nevent\ndata:2\n\n", [])
@example(b"event:\ndata:1\nevent:b\ndata:2\n\n", [])
@example(b"id:\0\nevent:a\ndata:\n\nevent:b\ndata:\n\n", [])
# A name that is empty is none, also in a block that looks common.
@example(b"event:\ndata:x\n\n", [])
@example(b"event: \ndata: x\n\n", [])
@example(b"id: 1\n\nevent:a\ndata:\n\n", [6])
# A byte order mark is one at the very beginning only, also where the first piece is cut at once.
@example(b"event:a\ndata:1\n\n" + BOM + b"event:b\ndata:2\n\n", [16])
@given(STREAMS, CUTS)
def test_any_bytes_are_read_as_the_standard_says_but_for_the_departures(stream: bytes, cuts: list[int]) -> None:
    # An id in the middle of events that run on belongs to the block as a whole; a plain reader cannot say to which.
    assert read(chunks_of(stream, cuts)) == by_the_standard(stream)


@given(st.binary(max_size=300), CUTS)
def test_no_bytes_break_the_reader_and_no_chunking_changes_what_it_reads(stream: bytes, cuts: list[int]) -> None:
    assert read(chunks_of(stream, cuts)) == read([stream]) == by_the_standard(stream)


# --- against httpx-sse -----------------------------------------------------------------------------------------------


def by_httpx_sse(stream: bytes) -> list[Plain]:
    response = httpx.Response(200, headers={"content-type": "text/event-stream; charset=utf-8"}, content=stream)
    return [Plain(event.event, event.data, event.id) for event in EventSource(response).iter_sse()]


@st.composite
def undisputed_streams(draw: st.DrawFn) -> bytes:
    """A stream of which httpx-sse and this library must think the same: none of `DEPARTURES` is in it."""
    stream = b""
    for _ in range(draw(st.integers(0, 6))):
        fields = [("data", line) for line in draw(st.lists(TEXTS, min_size=1, max_size=3))]
        # At most one name, before the data; an id only where the next blank line ends an event.
        fields[:0] = draw(
            st.sampled_from([[], [("event", "Message")], [("id", "3")], [("id", "4"), ("event", "Done")]])
        )
        fields += draw(st.sampled_from([[], [("retry", "12")], [("retry", "soon")], [("", " ping")], [("other", "x")]]))
        line_end = draw(LINE_ENDS)
        space = draw(st.sampled_from([":", ": "]))
        stream += b"".join(f"{field}{space}{value}".encode() + line_end for field, value in fields) + line_end
    return stream


@given(undisputed_streams(), CUTS)
def test_what_httpx_sse_covers_is_read_as_it_reads_it(stream: bytes, cuts: list[int]) -> None:
    assert read(chunks_of(stream, cuts)) == by_httpx_sse(stream)


MESSAGE = Plain("Message", "{}", "")
DEPARTURES: dict[str, tuple[bytes, list[Plain], list[Plain]]] = {
    "a byte order mark hides no event": (
        BOM + b"event: Message\ndata: {}\n\n",
        [MESSAGE],
        [Plain("message", "{}", "")],
    ),
    "a keep-alive after an id is no event": (
        b"id: 1\nevent: Message\ndata: {}\n\n: ping\n\n",
        [Plain("Message", "{}", "1")],
        [Plain("Message", "{}", "1"), Plain("message", "", "1")],
    ),
    "an id alone is no event, and is remembered": (
        b"id: 1\n\nevent: Message\ndata: {}\n\n",
        [Plain("Message", "{}", "1")],
        [Plain("message", "", "1"), Plain("Message", "{}", "1")],
    ),
    "a retry alone is no event": (b"retry: 100\n\n", [], [Plain("message", "", "")]),
    "a name after data begins the next event": (
        b"event:a\ndata:1\nevent:b\ndata:2\n\n",
        [Plain("a", "1", ""), Plain("b", "2", "")],
        [Plain("b", "1\n2", "")],
    ),
    "the last event needs no blank line": (b"event: Message\ndata: {}\n", [MESSAGE], []),
    "the last event needs not even the end of its line": (b"event: Message\ndata: {}", [MESSAGE], []),
}


@pytest.mark.parametrize(("stream", "ours", "theirs"), DEPARTURES.values(), ids=DEPARTURES.keys())
def test_it_departs_from_httpx_sse_only_where_it_says_so(stream: bytes, ours: list[Plain], theirs: list[Plain]) -> None:
    assert read([stream]) == ours
    assert by_httpx_sse(stream) == theirs


def test_the_charset_is_utf_8_whatever_a_header_would_say() -> None:
    # The reader sees bytes only; what httpx would make of a latin-1 header never reaches it.
    assert read(["event: Message\n: unusual\ndata: 你好\n\n".encode()]) == [Plain("Message", "你好", "")]


def test_a_name_without_data_is_an_event_with_empty_data() -> None:
    # Coze Studio's writer for workflows leaves an empty field out (wire facts c.2); the standard would drop the event.
    assert read([b"event: Done\n\n"]) == [Plain("Done", "", "")]


# --- what is no event stream -----------------------------------------------------------------------------------------


def test_json_instead_of_events_is_kept_for_the_caller() -> None:
    body = b'{"code": 4100,\n\n "msg": "authentication is invalid"}'
    for chunks in ([body], [bytes((byte,)) for byte in body]):
        reader = EventReader()
        assert [event for chunk in chunks for event in reader.feed(chunk)] == []
        assert reader.end() == []
        assert reader.seen
        assert b"".join(reader.stray.split()) == b"".join(body.split())


def test_no_more_than_64_kib_of_a_page_are_kept() -> None:
    reader = EventReader()
    for _ in range(40):
        reader.feed(b"<p>" + b"x" * 4000 + b"</p>\n\n")
    assert len(reader.stray) == 65536


def test_comments_and_events_are_not_taken_for_a_page() -> None:
    reader = EventReader()
    reader.feed(b": ping\n\nid: 1\n\nretry: 1\n\nevent: a\nother: b\ndata: c\n\n")
    assert reader.stray == b""


def test_an_empty_body_has_no_event_and_was_not_seen() -> None:
    reader = EventReader()
    assert reader.feed(b"") == []
    assert reader.end() == []
    assert not reader.seen


# --- how long it takes -----------------------------------------------------------------------------------------------


class CountingReader(EventReader):
    """Counts the bytes that are joined or read line by line: what would grow with the square of a bad design."""

    __slots__ = ("bytes_touched",)

    def __init__(self) -> None:
        super().__init__()
        self.bytes_touched = 0

    def _taken(self, chunk: bytes) -> bytes:
        taken = super()._taken(chunk)
        self.bytes_touched += len(taken)
        return taken

    def _unusual(self, block: bytes) -> list[Event]:
        self.bytes_touched += len(block)
        return super()._unusual(block)


@pytest.mark.parametrize(
    "stream",
    [
        b"event: Message\ndata: " + b"x" * 200_000 + b"\n\n",
        b"event: Message\n" + b"data: x\n" * 25_000 + b"\n",
        b": " + b"ping\n" * 40_000 + b"\n",
        b"event: a\ndata: b\n\n" * 10_000,
    ],
    ids=["one long line", "many lines", "many comments", "many events"],
)
@pytest.mark.parametrize("size", [1, 7, 1000, 1 << 20])
def test_the_work_grows_with_the_bytes_and_not_with_their_square(stream: bytes, size: int) -> None:
    reader = CountingReader()
    for begin in range(0, len(stream), size):
        reader.feed(stream[begin : begin + size])
    reader.end()
    assert reader.bytes_touched <= 3 * len(stream)


@pytest.mark.parametrize(
    "stream",
    [b"\n" * 400_000, b"event:a\n" * 50_000, b"event:a\ndata\n" * 30_000],
    ids=["blank lines", "names without data", "names with data without a colon"],
)
def test_a_flood_of_odd_lines_does_not_hold_the_loop_up(stream: bytes) -> None:
    # With quadratic work each of these took minutes, and the faulthandler would end the run.
    reader = EventReader()
    reader.feed(stream)
    assert len(reader.end()) <= 1


@pytest.mark.parametrize("line", [b"event:", b"id:", b"event:a\n", b"event:a\ndata:b\n", b"\n", b"a\n\nevent:b\n\n"])
def test_no_flood_takes_more_than_linear_time(line: bytes) -> None:
    """Counted in what the reader hands out, not in seconds: a search that starts over would not come to its end."""
    flood = line * (1 << 15)
    reader = EventReader()
    events = [*reader.feed(flood), *reader.feed(b"\n\nevent:last\ndata:x\n\n"), *reader.end()]
    assert events[-1][:2] == (b"last", b"x")


def test_a_chunk_that_looks_like_a_whole_event_ends_or_goes_on_with_what_came_before() -> None:
    whole = b"event:b\ndata:2\n\n"
    for begun in (b"event:a\ndata:1\n", b"event:a\n", b"data:1\n", b"id:7\n", b":", b"event:a\ndata:1"):
        for chunk in (b"\n" + whole, whole):
            reader, at_once = EventReader(), EventReader()
            apart = [*reader.feed(b"event:c\ndata:0\n\n"), *reader.feed(begun), *reader.feed(chunk), *reader.end()]
            assert apart == [*at_once.feed(b"event:c\ndata:0\n\n" + begun + chunk), *at_once.end()]


def test_what_is_held_is_of_the_event_that_is_not_whole_yet() -> None:
    reader = EventReader()
    held = [
        (len(reader.feed(chunk)), reader.held)
        for chunk in (b"event:a\nda", b"ta:1", b"\n\nevent:b\nda", b"ta:", b"2\n", b"\n", b"event:c\ndata:3\n\n")
    ]
    assert held == [(0, 10), (0, 14), (1, 10), (0, 13), (0, 15), (1, 0), (1, 0)]


def test_a_common_block_inside_another_block_is_a_part_of_it() -> None:
    reader = EventReader()
    inside = b"retry:1\nevent:a\ndata:1\n\n"
    events = reader.feed(inside + b"event:b\ndata:2\n\n:note\nevent:c\ndata:3\ndata:4\n\n\n\nevent:d\ndata:5\n\n")
    assert [(name, data) for name, data, _ in events] == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3\n4"), (b"d", b"5")]
