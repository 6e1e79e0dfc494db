"""What kind of file bytes begin, as far as their first bytes say."""

from dataclasses import dataclass

__all__ = ["SNIFFED", "FileType", "contradicts", "file_type", "name_for"]

SNIFFED = 64
"""How many bytes of the beginning are looked at."""


@dataclass(frozen=True, slots=True)
class FileType:
    """A kind of file.

    Attributes:
        suffix: Its usual end of a name, without the dot.
        others: Ends of names that are as right.
    """

    suffix: str
    others: frozenset[str] = frozenset()

    @property
    def suffixes(self) -> frozenset[str]:
        """All ends of names that are right."""
        return self.others | {self.suffix}


def _type(suffix: str, others: str = "") -> FileType:
    return FileType(suffix, frozenset(others.split()))


_ZIP = _type("zip", "docx xlsx pptx numbers pages key odt ods odp epub jar apk xmind")
_MP4 = _type("mp4", "m4v m4a mov 3gp 3gpp")
_HEIC = _type("heic", "heif")
_BEGINNINGS: tuple[tuple[bytes, FileType], ...] = (
    (b"\x89PNG\r\n\x1a\n", _type("png")),
    (b"\xff\xd8\xff", _type("jpg", "jpeg jpe jfif")),
    (b"GIF87a", _type("gif")),
    (b"GIF89a", _type("gif")),
    (b"II*\0", _type("tiff", "tif")),
    (b"MM\0*", _type("tiff", "tif")),
    (b"\0\0\0\x0cjP  ", _type("jp2", "jpg2")),
    (b"%PDF-", _type("pdf")),
    (b"PK\x03\x04", _ZIP),
    (b"7z\xbc\xaf\x27\x1c", _type("7z")),
    (b"Rar!\x1a\x07", _type("rar")),
    (b"\x1f\x8b\x08", _type("gz", "gzip tgz")),
    (b"BZh", _type("bz2")),
    # A tag that stands before several kinds of sound.
    (b"ID3", _type("mp3", "aac flac m4a wav")),
    (b"\xff\xfb", _type("mp3")),
    (b"\xff\xf3", _type("mp3")),
    (b"\xff\xf2", _type("mp3")),
    (b"\xff\xf1", _type("aac")),
    (b"\xff\xf9", _type("aac")),
    (b"OggS", _type("ogg", "opus oga ogv spx")),
    (b"fLaC", _type("flac")),
    (b"#!AMR", _type("amr")),
    (b"MThd", _type("mid", "midi")),
    (b"FLV\x01", _type("flv")),
    (b"\x1aE\xdf\xa3", _type("mkv", "webm")),
    (b"0&\xb2u\x8ef\xcf\x11", _type("wmv", "wma asf")),
)
_RIFF = {b"WAVE": _type("wav"), b"WEBP": _type("webp"), b"AVI ": _type("avi")}
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"msf1")

# Ends of names that promise how the file begins. Texts, raw sound and the formats of office programs promise nothing.
_PROMISES = frozenset[str]().union(
    *(found.suffixes for _, found in _BEGINNINGS if found is not _ZIP),
    *(found.suffixes for found in _RIFF.values()),
    _MP4.suffixes,
    _HEIC.suffixes,
)


def file_type(beginning: bytes) -> FileType | None:
    """Return what a file is by its first bytes; None if they do not say."""
    if beginning[:4] == b"RIFF":
        return _RIFF.get(beginning[8:12])
    if beginning[4:8] == b"ftyp":
        return _HEIC if beginning[8:12] in _HEIC_BRANDS else _MP4
    return next((found for start, found in _BEGINNINGS if beginning.startswith(start)), None)


def contradicts(suffix: str, beginning: bytes) -> FileType | None:
    """Return what a file is, if the end of its name promises something else.

    Args:
        suffix: The end of the name, without the dot, in lower case.
        beginning: The first bytes.
    """
    found = file_type(beginning)
    return found if found is not None and suffix in _PROMISES - found.suffixes else None


def name_for(beginning: bytes) -> str:
    """Return a name for a file that has none."""
    found = file_type(beginning)
    if found is not None:
        return f"file.{found.suffix}"
    # The last character may be cut in two.
    text = beginning[:SNIFFED].decode("utf-8", "ignore")
    is_text = len(text.encode()) > len(beginning[:SNIFFED]) - 4 and all(c.isprintable() or c.isspace() for c in text)
    return "file.txt" if is_text and text else "file.bin"
