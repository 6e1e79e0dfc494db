"""What can be uploaded, checked before it is sent and read while it is sent: never whole in memory, never on the loop.

The limits are what coze.cn publishes (pages upload_files, audio_transcriptions, clone_voices, create_voiceprint);
a self-hosted server may have others, which nobody can ask for. What can surely not be is refused here; whether a type
that no page names is taken, the server says.
"""

import functools
import hashlib
import io
import math
import mimetypes
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import IO, Any, Self, TypeAlias, cast

import anyio

from coze_async._errors import ConfigurationError
from coze_async._file_types import SNIFFED, contradicts, name_for
from coze_async._logging import log
from coze_async._multipart import form_frame, new_boundary
from coze_async._threads import in_thread

__all__ = [
    "FILES",
    "RECORDINGS",
    "VOICEPRINTS",
    "VOICE_SAMPLES",
    "FileRules",
    "FileSource",
    "FormBody",
    "Progress",
    "Upload",
    "as_upload",
]

MB = 1 << 20
# How much is read and sent at a time.
_PIECE = 1 << 18
_ANY_TYPE = "application/octet-stream"
# How long the end of a caller's own iterator may take, in seconds.
_CLOSING = 2.0

Progress: TypeAlias = Callable[[int, int | None], object]
"""Is told how many bytes have gone, and how many there are in all, None if that is not known."""

Content: TypeAlias = bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes] | AsyncIterable[bytes]


@dataclass(frozen=True, slots=True)
class FileRules:
    """What a file of one kind may be.

    Attributes:
        most: Bytes.
        types: The ends of names, without the dot, in lower case.
    """

    most: int
    types: frozenset[str]


def _types(text: str) -> frozenset[str]:
    return frozenset(text.split())


# `jpeg` stands in the samples of the page, `tif` and `mid` are other spellings of what stands in its table.
FILES = FileRules(
    512 * MB,
    _types(
        "doc docx xls xlsx ppt pptx pdf numbers csv cpp py java c "
        "jpg jpeg jpg2 png gif webp heic heif bmp pcd tiff tif wav mp3 flac m4a aac ogg wma midi mid "
        "mp4 avi mov 3gp 3gpp flv webm wmv rmvb m4v mkv rar zip 7z gz gzip bz2"
    ),
)
"""Files for messages and workflows (page upload_files)."""

RECORDINGS = FileRules(10 * MB, _types("opus ogg mp3 wav m4a mp4 pcm raw spx aac amr"))
"""Speech to be written down (page audio_transcriptions)."""

VOICE_SAMPLES = FileRules(10 * MB, _types("wav mp3 ogg m4a aac pcm"))
"""A voice to be cloned (page clone_voices)."""

VOICEPRINTS = FileRules(4 * MB, _types("wav pcm"))
"""A voice to be recognized (pages create_voiceprint, identify_voiceprint)."""


@functools.cache
def _content_types() -> dict[str, str]:
    """Return the types that Python itself knows, the same on every machine and whoever has asked before."""
    return mimetypes.MimeTypes().types_map[True]


class Upload:
    """A file to be sent, with what its content alone does not say.

    Bytes and paths may be sent any number of times. A file object is read from where it stands, and stays open. An
    iterator, or a file object that cannot be rewound, is sent once and never again, not even after a lost connection.

    Args:
        content: Bytes, a path (`str` or `Path`), a file object opened with "rb", or an async iterator of bytes.
        name: The name of the file with its type, such as "report.pdf"; None takes it from the path. What has no name
            gets one by its first bytes.
        content_type: Sent with the file; None takes what the name says.
        progress: Called with the bytes that the transport has taken and with all bytes, None if that is not known;
            after each piece, from the start again if the request is repeated. It must be quick.
        check: False sends anything: empty, of any size, under any name. The limits are those of the clouds; a
            self-hosted server may take more, or less.

    Raises:
        ConfigurationError: it is none of these, or its name is empty.
    """

    def __init__(
        self,
        content: Content,
        *,
        name: str | None = None,
        content_type: str | None = None,
        progress: Progress | None = None,
        check: bool = True,
    ) -> None:
        self._content: Any = _checked_content(content)
        if content_type is not None and not (content_type.isascii() and content_type.isprintable()):
            raise ConfigurationError(f"invalid content_type {content_type!r}. Give one like 'application/pdf'.")
        self._content_type = content_type
        found = _name_of(self._content, name)
        if found is None and isinstance(self._content, memoryview):
            found = name_for(bytes(cast("memoryview[int]", self._content[:SNIFFED])))
        # What is read first and has no name gets one then.
        self._is_named = found is not None
        self.name: str = found or "file"
        self.progress = progress
        self.check = check
        self._begun = False
        # Where a file object stood when it was first read.
        self._start: int | None = None

    @property
    def content_type(self) -> str:
        """Sent with the file."""
        return self._content_type or _content_types().get(PurePath(self.name).suffix.lower(), _ANY_TYPE)

    @property
    def can_be_read_again(self) -> bool:
        """True for bytes, paths, and file objects that can be rewound."""
        content = self._content
        if isinstance(content, memoryview | Path):
            return True
        return not isinstance(content, AsyncIterable) and _is_seekable(content)

    @property
    def is_spent(self) -> bool:
        """True if it was read, and cannot be read again."""
        return self._begun and not self.can_be_read_again

    def __repr__(self) -> str:
        return f"Upload({self.name!r})"

    @asynccontextmanager
    async def open(self, rules: FileRules | None = None) -> "AsyncGenerator[Reader]":
        """Check the file, and read it; it is closed when the block is left.

        Args:
            rules: What it has to keep to; None asks for nothing.

        Raises:
            ConfigurationError: it is missing, empty, too large, of another type than its name says, or was read
                before.
        """
        if self.is_spent:
            raise ConfigurationError(
                f"{self.name}: its content was already read, and cannot be read twice. Give bytes, a path, or a "
                "fresh iterator."
            )
        rules = rules if self.check else None
        self._begun = True
        reader = await self._begin()
        try:
            reader.most = math.inf if rules is None else rules.most
            await reader.prepare(may_be_empty=not self.check)
            if not self._is_named:
                self._is_named, self.name = True, name_for(reader.beginning)
            if rules is not None:
                self._check_type(rules, reader.beginning)
            yield reader
        finally:
            await reader.aclose()

    async def digest(self, rules: FileRules | None = None) -> str:
        """Return the SHA-256 of the content, read like everything else.

        Args:
            rules: What it has to keep to.

        Raises:
            ConfigurationError: it can be read only once, or not at all, or does not keep to the rules.
        """
        if not self.can_be_read_again:
            raise ConfigurationError(
                f"{self.name}: dedupe has to read the content before it is sent, and this can be read only once. "
                "Give bytes, a path, or a file that can be rewound."
            )
        found = hashlib.sha256()
        async with self.open(rules) as reader:
            while piece := await reader.next():
                await in_thread(found.update, piece)
        return found.hexdigest()

    async def _begin(self) -> "Reader":
        content = self._content
        if isinstance(content, memoryview):
            return _BytesReader(self.name, cast("memoryview[int]", content))
        if isinstance(content, AsyncIterable):
            return _IteratorReader(self.name, cast("AsyncIterable[bytes]", content))
        if isinstance(content, Path):
            return await self._begin_path(content)
        return await in_thread(self._taken, content)

    async def _begin_path(self, path: Path) -> "_FileReader":
        opened: list[_FileReader] = []
        try:
            await in_thread(lambda: opened.append(_opened(self.name, path)))
        except BaseException:
            # Cancelled while a thread opened it.
            for reader in opened:
                reader.close()
            raise
        return opened[0]

    def _taken(self, file: IO[bytes]) -> "_FileReader":
        """Go to where a file object stood at first, and look how much there is from there; called in a thread."""
        try:
            if not _is_seekable(file):
                return _FileReader(self.name, file, None)
            if self._start is None:
                self._start = file.tell()
            size = file.seek(0, os.SEEK_END) - self._start
            file.seek(self._start)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{self.name} cannot be read: {error}. Give a file that is open.") from error
        return _FileReader(self.name, file, max(0, size))

    def _check_type(self, rules: FileRules, beginning: bytes) -> None:
        kind = PurePath(self.name).suffix[1:].lower()
        if (found := contradicts(kind, beginning)) is not None:
            raise ConfigurationError(
                f"{self.name} is named .{kind} and begins like .{found.suffix}, which is refused (code 4000). Name it "
                f"what it is: Upload(…, name='….{found.suffix}'). To send it as it is: Upload(…, check=False)."
            )
        if kind not in rules.types and kind not in _WARNED:
            _WARNED.add(kind)
            what = f"of the type {kind!r}" if kind else "without a type at the end of its name"
            log.warning(
                "a file %s is uploaded; no page of the service names that, and it may be refused (code 4303). "
                "Named are: %s",
                what,
                ", ".join(sorted(rules.types)),
            )


# Types that were warned of: once is enough.
_WARNED: set[str] = set()

FileSource: TypeAlias = Upload | Content
"""What is taken as a file: an `Upload`, or what it is made of."""


def as_upload(source: FileSource) -> Upload:
    """Return an `Upload` for anything that is taken as a file."""
    return source if isinstance(source, Upload) else Upload(source)


def _checked_content(content: Any) -> Any:
    """Return bytes as a view, a path as a Path, the rest as it is."""
    if isinstance(content, bytes | bytearray | memoryview):
        return memoryview(cast("bytes", content)).cast("B")
    if isinstance(content, str | os.PathLike):
        return Path(cast("str | os.PathLike[str]", content))
    if isinstance(content, io.TextIOBase):
        raise ConfigurationError("The file was opened as text, which may change its bytes. Open it with mode 'rb'.")
    if isinstance(content, AsyncIterable) or callable(getattr(content, "read", None)):
        return cast("Any", content)
    hint = " One upload takes one file (code 4301): call it once for each." if isinstance(content, list | tuple) else ""
    kind = type(cast("Any", content)).__name__
    raise ConfigurationError(
        f"A file cannot be made of a {kind}: give bytes, a path, a file opened with 'rb', or an "
        f"async iterator of bytes.{hint}"
    )


def _name_of(content: Any, name: str | None) -> str | None:
    """Return the name that was given, or that of the path or file; None if there is none."""
    given = name if name is not None else content if isinstance(content, Path) else getattr(content, "name", None)
    found = PurePath(given).name if isinstance(given, str | PurePath) else ""
    if not found:
        if name is None and not isinstance(content, Path):
            return None
        raise ConfigurationError(f"The name of the file is {name!r}. Give one: Upload(…, name='report.pdf').")
    try:
        found.encode()
    except UnicodeEncodeError as error:
        raise ConfigurationError(
            f"The name {found!r} is no text. Give another: Upload(…, name='report.pdf')."
        ) from error
    return found


def _is_seekable(file: Any) -> bool:
    seekable = getattr(file, "seekable", None)
    try:
        return bool(seekable()) if callable(seekable) else False
    except ValueError:
        # It is closed; reading says so.
        return False


def _opened(name: str, path: Path) -> "_FileReader":
    """Open a path; called in a thread."""
    try:
        # Looked at before it is opened: opening a pipe would wait for somebody to write.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ConfigurationError(f"{path} is no file. Give the path of a file.")
        file = path.open("rb", buffering=0)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ConfigurationError(f"{path} cannot be read: {reason}. Check the path and its permissions.") from error
    state = _state(file)
    return _FileReader(name, file, state.st_size, state)


def _state(file: IO[bytes]) -> os.stat_result:
    return os.fstat(file.fileno())


class Reader(ABC):
    """A file that is being read, from its start to its end.

    Attributes:
        size: All its bytes; None if that is not known.
        most: How many it may have.
        position: How many were handed out.
    """

    hint = ""

    def __init__(self, name: str, size: int | None) -> None:
        self.name = name
        self.size = size
        self.most: float = math.inf
        self.position = 0
        self._first: bytes | None = None

    @property
    def beginning(self) -> bytes:
        """The first bytes, once it is prepared and until the first piece is taken."""
        return (self._first or b"")[:SNIFFED]

    async def prepare(self, *, may_be_empty: bool = False) -> None:
        """Find out before anything is sent whether it is empty or too large, and how it begins.

        Args:
            may_be_empty: False refuses an empty one.

        Raises:
            ConfigurationError: it is empty or too large.
        """
        self._check_size(self.size or 0)
        self._first = await self._following()
        if not self._first and not may_be_empty:
            raise ConfigurationError(
                f"{self.name} is empty, and the clouds take no empty file (code 4300). Give one with a "
                f"content{self.hint}. If your server takes it: Upload(…, check=False)."
            )

    async def next(self) -> bytes:
        """Return the next piece; empty at the end.

        Raises:
            ConfigurationError: it is no longer what it was, or has become too large.
        """
        piece, self._first = self._first, None
        if piece is None:
            piece = await self._following()
        self.position += len(piece)
        self._check_size(self.position)
        return piece

    @abstractmethod
    async def _following(self) -> bytes:
        """Read the next piece; empty at the end."""

    @abstractmethod
    async def aclose(self) -> None:
        """Close what was opened for reading."""

    def _check_size(self, size: int) -> None:
        if size > self.most:
            has = f"has {size / MB:.1f} MB" if self.size is not None else "has more"
            raise ConfigurationError(
                f"{self.name} {has}, and {self.most / MB:g} MB are the most that is taken here (code 4302). Compress "
                "or divide it. If your server takes more: Upload(…, check=False)."
            )


class _BytesReader(Reader):
    def __init__(self, name: str, content: "memoryview[int]") -> None:
        super().__init__(name, len(content))
        self._content = content

    async def _following(self) -> bytes:
        return bytes(self._content[self.position : self.position + _PIECE])

    async def aclose(self) -> None:
        """There is nothing to close."""


class _FileReader(Reader):
    """Reads a file in threads.

    Args:
        name: For errors.
        file: What is read.
        size: What is left of it; None if that is not known.
        state: What the system says of a file that was opened here, and is closed here.
    """

    def __init__(self, name: str, file: IO[bytes], size: int | None, state: os.stat_result | None = None) -> None:
        super().__init__(name, size)
        self._file = file
        self._state = state
        self.hint = "" if state else ", or rewind the file first: file.seek(0)"

    async def _following(self) -> bytes:
        # Not abandoned when cancelled: the thread would go on with a file that is closed by then.
        return await in_thread(self._from_file)

    def _from_file(self) -> bytes:
        left = _PIECE if self.size is None else self.size - self.position
        try:
            if self._state is not None and not left:
                self._check_unchanged(self._state, _state(self._file))
            # Nothing is asked of a file that has given all: it may have grown, and what was announced was its size.
            piece: Any = self._file.read(min(left, _PIECE)) if left else b""
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"{self.name} cannot be read (code 4304): {error}. Nothing was uploaded."
            ) from error
        if not isinstance(piece, bytes):
            raise ConfigurationError(
                f"{self.name} gave {type(piece).__name__} instead of bytes. Open it with mode 'rb'."
            )
        if left and not piece and self.size is not None:
            raise self._changed(f"{self.position} of {self.size} bytes were left")
        return piece

    def _check_unchanged(self, before: os.stat_result, now: os.stat_result) -> None:
        if (before.st_size, before.st_mtime_ns) != (now.st_size, now.st_mtime_ns):
            raise self._changed(f"it has {now.st_size} bytes now, and had {before.st_size}")

    def _changed(self, how: str) -> ConfigurationError:
        return ConfigurationError(
            f"{self.name} was changed while it was read (code 4304): {how}. Nothing was uploaded. "
            "Upload a copy, or wait until nobody writes it."
        )

    async def aclose(self) -> None:
        self.close()

    def close(self) -> None:
        """Close what was opened here; for what was only read that takes no time."""
        if self._state is not None:
            self._file.close()


class _IteratorReader(Reader):
    def __init__(self, name: str, content: AsyncIterable[bytes]) -> None:
        super().__init__(name, None)
        self._iterator = aiter(content)

    async def _following(self) -> bytes:
        piece = b""
        while not piece:
            try:
                piece = self._checked(await anext(self._iterator))
            except StopAsyncIteration:
                break
        return piece

    def _checked(self, piece: Any) -> bytes:
        if not isinstance(piece, bytes | bytearray | memoryview):
            kind = type(piece).__name__
            raise ConfigurationError(f"{self.name}: its iterator gave a {kind} instead of bytes. Encode texts first.")
        return bytes(cast("bytes", piece))

    async def aclose(self) -> None:
        # A generator left as it stands would keep open what it has opened, and trio would warn of it. Other iterators
        # are their owner's.
        if isinstance(self._iterator, AsyncGenerator):
            generator = cast("AsyncGenerator[bytes]", self._iterator)
            with anyio.move_on_after(_CLOSING, shield=True):
                await generator.aclose()


class FormBody:
    """A form that is read while it is sent: texts, and a file if there is one.

    Args:
        fields: Names and texts, in order.
        upload: What goes under the name `file`, the last part.
        rules: What it has to keep to.
    """

    def __init__(self, fields: Sequence[tuple[str, str]], upload: Upload | None, rules: FileRules) -> None:
        self._fields = fields
        self._upload = upload
        self._rules = rules
        self._boundary = new_boundary()
        self.content_type = f"multipart/form-data; boundary={self._boundary}"

    @property
    def is_spent(self) -> bool:
        """True if it was begun, and cannot be read again."""
        return self._upload is not None and self._upload.is_spent

    @asynccontextmanager
    async def open(self) -> "AsyncGenerator[FormReader]":
        """Check the file, and read the form; the file is closed when the block is left.

        Raises:
            ConfigurationError: the file cannot be sent.
        """
        upload = self._upload
        if upload is None:
            yield FormReader(*form_frame(self._boundary, self._fields))
            return
        async with upload.open(self._rules) as reader:
            # By now what had no name has one.
            frame = form_frame(self._boundary, self._fields, ("file", upload.name, upload.content_type))
            yield FormReader(*frame, reader, upload.progress)


class FormReader:
    """A form that is being read.

    Attributes:
        size: All its bytes; None if that is not known.
    """

    def __init__(self, head: bytes, tail: bytes, file: Reader | None = None, progress: Progress | None = None) -> None:
        around = len(head) + len(tail)
        self.size = around if file is None else None if file.size is None else around + file.size
        self._file = file
        self._progress = progress
        self._around = [tail, head]

    @property
    def is_over(self) -> bool:
        """True if the last piece was handed out: before that nothing can be made of the form."""
        return not self._around

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        """Return the next piece.

        Raises:
            ConfigurationError: the file is no longer what it was, or has become too large.
        """
        if len(self._around) == 1 and self._file is not None:
            # Asking for more means that what there was before has been taken.
            if self._progress is not None and self._file.position:
                self._progress(self._file.position, self._file.size)
            if piece := await self._file.next():
                return piece
        if not self._around:
            raise StopAsyncIteration
        return self._around.pop()
