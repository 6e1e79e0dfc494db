"""Forms as bytes: what goes in comes out, as Python's own reader of mails and as the emulator read it."""

import re
from email import policy
from email.message import EmailMessage
from email.parser import BytesParser
from typing import Any, cast

from hypothesis import example, given
from hypothesis import strategies as st

from coze_async._multipart import form_frame, new_boundary
from coze_async.emulator._form import FormParser, ReceivedForm

# Texts that would break out of their place if they were not escaped; UTF-8 has no half pairs.
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ['a"b', "a\r\nb", "--", "\r\n\r\n", 'x"; filename="y', "%22", "你好"]
)
NAMES = TEXTS.filter(lambda name: "%" not in name)
CONTENTS = st.binary(max_size=40) | st.sampled_from([b"\r\n", b"--", b"\r\n--", b"\n\r\r\n--\r\n", b"\r", b"-" * 40])


def form(boundary: str, fields: list[tuple[str, str]], file_name: str, content: bytes) -> bytes:
    head, tail = form_frame(boundary, fields, ("file", file_name, "audio/wav"))
    return head + content + tail


def parsed(body: bytes, sizes: list[int], boundary: str) -> ReceivedForm:
    """Return what the emulator reads from a body that comes in pieces of these sizes."""
    parser = FormParser(boundary.encode())
    position = 0
    for size in sizes:
        parser.feed(body[position : position + size])
        position += size
    parser.feed(body[position:])
    return parser.result()


@given(st.lists(st.tuples(NAMES, TEXTS), max_size=3), NAMES, CONTENTS, st.lists(st.integers(1, 30)))
@example([("name", "")], "a.wav", b"\r\n--0\r\n", [1] * 200)
def test_a_form_is_read_as_it_was_written_however_it_is_cut(
    fields: list[tuple[str, str]], file_name: str, content: bytes, sizes: list[int]
) -> None:
    boundary = new_boundary()
    received = parsed(form(boundary, fields, file_name, content), sizes, boundary)
    assert received.is_whole
    assert received.texts == dict(fields)
    (file,) = received.files
    assert (file.part, file.name, file.content_type) == ("file", file_name, "audio/wav")
    assert (file.head, file.size) == (content, len(content))


def part_named(part: EmailMessage) -> tuple[str, str | None]:
    """Return the two names in a part's disposition, as they stand there."""
    disposition = str(part["content-disposition"])
    names = dict(re.findall(r'(name|filename)="([^"]*)"', disposition))
    return names["name"], names.get("filename")


@given(st.lists(st.tuples(st.sampled_from(["name", "top_k", "desc"]), TEXTS), max_size=3), CONTENTS)
def test_pythons_own_reader_of_mails_finds_the_same_parts(fields: list[tuple[str, str]], content: bytes) -> None:
    boundary = new_boundary()
    mail = f'Content-Type: multipart/form-data; boundary="{boundary}"\r\n\r\n'.encode()
    # `compat32` leaves the bytes of a content alone.
    read = BytesParser(policy=policy.compat32).parsebytes(mail + form(boundary, fields, "a.wav", content))
    parts = cast("list[Any]", read.get_payload())
    assert [part_named(part) for part in parts] == [*((name, None) for name, _ in fields), ("file", "a.wav")]
    assert [part.get_payload(decode=True) for part in parts] == [*(text.encode() for _, text in fields), content]
    assert parts[-1].get_content_type() == "audio/wav"


def test_a_form_without_a_file_is_whole_without_a_content() -> None:
    head, tail = form_frame("b", [("name", "x"), ("desc", "")])
    assert head + tail == (
        b'--b\r\nContent-Disposition: form-data; name="name"\r\n\r\nx\r\n'
        b'--b\r\nContent-Disposition: form-data; name="desc"\r\n\r\n\r\n'
        b"--b--\r\n"
    )


def test_a_name_cannot_end_its_own_quotes_or_its_line() -> None:
    head, _ = form_frame("b", [], ("file", 'a"\r\nX-Evil: 1.wav', "audio/wav"))
    assert b'filename="a%22%0D%0AX-Evil: 1.wav"\r\n' in head
    assert head.count(b"\r\n") == 4


def test_nobody_can_guess_a_boundary() -> None:
    assert len({new_boundary() for _ in range(100)}) == 100
    assert all(re.fullmatch("[0-9a-f]{32}", new_boundary()) for _ in range(10))
