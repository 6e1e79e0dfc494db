"""Sounds for the emulated speech: a tone, or silence, that carries the spoken text so that it can be heard again."""

import io
import math
import struct
import wave
from collections.abc import Iterator

# MPEG-1 layer III, 128 kbit/s, 44.1 kHz, mono, with nothing in it: 26 ms of silence.
_SILENT_FRAME = b"\xff\xfb\x90\xc0" + bytes(413)


def wav(text: str, sample_rate: int, *, speed: float = 1.0) -> bytes:
    """A WAV file with a tone, and with the text as its comment."""
    target = io.BytesIO()
    with wave.open(target, "wb") as writer:
        writer.setnchannels(1)
        writer.setsampwidth(2)
        writer.setframerate(sample_rate)
        writer.writeframes(pcm(text, sample_rate, speed=speed))
    plain = target.getvalue()
    comment = text.encode() + b"\0"
    comment += b"\0" * (len(comment) % 2)
    info = b"INFO" + b"ICMT" + struct.pack("<I", len(comment)) + comment
    listed = b"LIST" + struct.pack("<I", len(info)) + info
    # The data stand after the 12 bytes of the file's header and the 24 of its format.
    return b"RIFF" + struct.pack("<I", len(plain) - 8 + len(listed)) + plain[8:36] + listed + plain[36:]


def pcm(text: str, sample_rate: int, *, speed: float = 1.0) -> bytes:
    """Samples of 16 bits, mono: a tone that is as long as the text, three seconds at most."""
    seconds = min(3.0, 0.2 + 0.05 * len(text)) / speed
    count = int(seconds * sample_rate)
    step = 2 * math.pi * 440 / sample_rate
    # It begins and ends softly, or it would click.
    return b"".join(
        struct.pack("<h", int(8000 * math.sin(number * step) * math.sin(math.pi * number / count)))
        for number in range(count)
    )


def mp3(text: str) -> bytes:
    """An MP3 file with silence, and with the text as its title."""
    title = b"\x01" + text.encode("utf-16")
    tag = b"TIT2" + struct.pack(">IH", len(title), 0) + title
    length = bytes((len(tag) >> shift) & 0x7F for shift in (21, 14, 7, 0))
    return b"ID3\x03\0\0" + length + tag + _SILENT_FRAME * (8 + 2 * len(text))


def spoken(head: bytes) -> str | None:
    """The text in the beginning of a file that was made here; None for any other file."""
    if head.startswith(b"RIFF"):
        return next((content.rstrip(b"\0").decode("utf-8", "replace") for content in _comments(head)), None)
    if head.startswith(b"ID3\x03") and head[10:14] == b"TIT2":
        (length,) = struct.unpack(">I", head[14:18])
        return head[21 : 20 + length].decode("utf-16", "replace")
    return None


def _comments(head: bytes) -> Iterator[bytes]:
    position = 12
    while position + 8 <= len(head):
        name, (length,) = head[position : position + 4], struct.unpack("<I", head[position + 4 : position + 8])
        if name == b"LIST" and head[position + 12 : position + 16] == b"ICMT":
            (inner,) = struct.unpack("<I", head[position + 16 : position + 20])
            yield head[position + 20 : position + 20 + inner]
        position += 8 + length
