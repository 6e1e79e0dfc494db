"""Sounds for the emulated speech: a tone, or silence, that carries the spoken text so that it can be heard again."""

import io
import math
import re
import struct
import wave
from collections.abc import Iterator, Sequence

# MPEG-1 layer III, 128 kbit/s, 44.1 kHz, mono, with nothing in it: 26 ms of silence.
_SILENT_FRAME = b"\xff\xfb\x90\xc0" + bytes(413)


SAMPLE_RATE = 24000
"""Of audio deltas (coze.cn docs, chat_v3)."""
_PIECE = 4096
# Opus: 20 ms of silence mono, full band.
_SILENT_PACKET = b"\xf8\xff\xfe"
_SAMPLES_OF_A_PACKET = 960
"""20 ms; Opus always counts at 48 kHz."""


def pieces_of_sound(sound: bytes) -> list[bytes]:
    """A sound in the pieces in which it is sent."""
    return [sound[start : start + _PIECE] for start in range(0, len(sound), _PIECE)]


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


def ogg_opus(text: str) -> bytes:
    """An Ogg file with silence in Opus (RFC 7845), and with the text as its title."""
    packets = 10 + 2 * len(text)
    head = b"OpusHead\x01\x01" + struct.pack("<HIhB", 0, 48000, 0, 0)
    vendor, title = b"emulator", b"TITLE=" + text.encode()
    tags = b"OpusTags" + struct.pack("<I", len(vendor)) + vendor + struct.pack("<II", 1, len(title)) + title
    pages = [_ogg_page([head], number=0, samples=0, kind=_FIRST), _ogg_page([tags], number=1, samples=0)]
    for start in range(0, packets, _PACKETS_OF_A_PAGE):
        count = min(_PACKETS_OF_A_PAGE, packets - start)
        is_last = start + count == packets
        samples = (start + count) * _SAMPLES_OF_A_PACKET
        silence = [_SILENT_PACKET] * count
        pages.append(_ogg_page(silence, number=len(pages), samples=samples, kind=_LAST if is_last else 0))
    return b"".join(pages)


_FIRST, _LAST = 2, 4
_PACKETS_OF_A_PAGE = 50


def _ogg_page(packets: Sequence[bytes], *, number: int, samples: int, kind: int = 0) -> bytes:
    """One page of an Ogg file: its packets with their lengths, and a checksum over all of it (RFC 3533)."""
    lengths = b"".join(b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255]) for packet in packets)
    start = b"OggS\0" + struct.pack("<BqII", kind, samples, 1, number)
    rest = bytes([len(lengths)]) + lengths + b"".join(packets)
    return start + struct.pack("<I", _crc(start + bytes(4) + rest)) + rest


def _crc(page: bytes) -> int:
    """The checksum of Ogg: as zlib's, but the high bit first and without a final turn."""
    crc = 0
    for byte in page:
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def spoken(head: bytes) -> str | None:
    """The text in the beginning of a file that was made here; None for any other file."""
    if head.startswith(b"RIFF"):
        return next((content.rstrip(b"\0").decode("utf-8", "replace") for content in _comments(head)), None)
    if head.startswith(b"ID3\x03") and head[10:14] == b"TIT2":
        (length,) = struct.unpack(">I", head[14:18])
        return head[21 : 20 + length].decode("utf-16", "replace")
    if head.startswith(b"OggS"):
        return _title(head)
    return None


def _title(head: bytes) -> str | None:
    """The title in the second page of an Ogg file."""
    found = re.search(rb"OpusTags.{4}emulator\x01\0\0\0(....)TITLE=", head, re.DOTALL)
    if found is None:
        return None
    (length,) = struct.unpack("<I", found[1])
    return head[found.end() : found.end() + length - len("TITLE=")].decode("utf-8", "replace")


def _comments(head: bytes) -> Iterator[bytes]:
    position = 12
    while position + 8 <= len(head):
        name, (length,) = head[position : position + 4], struct.unpack("<I", head[position + 4 : position + 8])
        if name == b"LIST" and head[position + 12 : position + 16] == b"ICMT":
            (inner,) = struct.unpack("<I", head[position + 16 : position + 20])
            yield head[position + 20 : position + 20 + inner]
        position += 8 + length
