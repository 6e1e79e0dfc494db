"""Questions from a file: JSON lines, CSV or plain text; a line that holds none is told apart, with the reason."""

import codecs
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, NoReturn, get_args

from coze_async import ChatItem
from coze_async.cli._batch_item import JSON_FIELDS, NoQuestionError, Origin, item_of
from coze_async.cli._connect import UsageError
from coze_async.models._json import is_object

__all__ = ["BadLine", "Format", "Questions", "format_of"]

Format = Literal["jsonl", "csv", "text"]
_SUFFIXES: dict[str, Format] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "text",
}
# The longer ones first: one begins like another.
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Where the question stands if nobody says.
_QUESTION = ("message", "question")
_LONGEST_CELL = 16 * 1024 * 1024

_Fields = tuple[Any, Mapping[str, Any]]
_Row = tuple[int, str, Any]


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that holds no question.

    Attributes:
        line: Its number, from 1.
        reason: Why it cannot be asked.
        text: What stands there.
    """

    line: int
    reason: str
    text: str

    def as_json(self) -> bytes:
        """Return it as a line of the file for such lines."""
        facts = {"line": self.line, "reason": self.reason, "text": self.text}
        return json.dumps(facts, ensure_ascii=False).encode("utf-8", "backslashreplace") + b"\n"


def format_of(path: str, given: Format | None) -> Format:
    """Return the format of a file by its name, if nobody says.

    Raises:
        UsageError: the name does not tell.
    """
    found = given or _SUFFIXES.get(Path(path).suffix.lower())
    if found is None:
        what = "Stdin" if path == "-" else f"The name {path!r}"
        raise UsageError(f"{what} does not tell what is in it: give --format {', '.join(get_args(Format))}.")
    return found


@dataclass(frozen=True)
class Questions:
    """The questions of a file, in its order; it may be read again and again.

    Attributes:
        path: The file.
        format: `jsonl`: an object or a text on each line; `csv`: with a header; `text`: a question on each line.
        encoding: What it is written in; a mark of Unicode at its beginning goes before.
        field: Where the question stands in JSON and CSV; None looks for `message` and `question`.
        title: The file as a reader knows it.
    """

    path: Path
    format: Format
    encoding: str = "utf-8"
    field: str | None = None
    title: str = "the file"

    def __iter__(self) -> Iterator[ChatItem | BadLine]:
        """Yield what each line holds; blank ones are passed over.

        Raises:
            UsageError: the file as a whole cannot be what it should be.
            OSError: it cannot be read.
        """
        return (found for found, _ in self._found())

    def rows(self) -> Iterator[tuple[Origin, Mapping[str, Any]]]:
        """Yield where each question stands, with all that stands there, by name."""
        return ((found.key, cells) for found, cells in self._found() if isinstance(found, ChatItem))

    @property
    def is_marked(self) -> bool:
        """True if the file says that it is Unicode, or is written in another way than UTF-8."""
        with self.path.open("rb") as file:
            start = file.read(4)
        is_utf_8 = codecs.lookup(self.encoding).name == "utf-8"
        return not is_utf_8 or any(start.startswith(bom) for bom, _ in _BOMS)

    @property
    def separator(self) -> str | None:
        """What stands between the cells of a table, None if the file is none."""
        if self.format != "csv":
            return None
        with self.path.open("rb") as file:
            lines, _ = self._opened(file)
            return _Table(self, lines).separator

    def _found(self) -> Iterator[tuple[ChatItem | BadLine, Mapping[str, Any]]]:
        """Yield what each line holds, and what stands there by name."""
        lines_of_ids: dict[str, int] = {}
        with self.path.open("rb") as file:
            lines, encoding = self._opened(file)
            try:
                reader = _READERS[self.format](self, lines)
                for line, text, raw in reader:
                    found = _checked(line, text, raw, reader, encoding)
                    if isinstance(found, ChatItem) and found.key.id is not None:
                        first = lines_of_ids.setdefault(found.key.id, line)
                        if first != line:
                            reason = f"the id {found.key.id!r} stands in line {first} already"
                            found = BadLine(line, reason, _shown(text))
                    yield found, reader.cells(raw) if isinstance(found, ChatItem) else {}
            except UnicodeError as error:
                raise UsageError(f"{self.title} is not written in {encoding}: {error}. Give its --encoding.") from None

    def _opened(self, file: BinaryIO) -> tuple[Iterator[str], str]:
        """Return the lines of the file, and what it is written in."""
        start = file.read(4)
        file.seek(0)
        encoding = next((name for bom, name in _BOMS if start.startswith(bom)), self.encoding)
        try:
            # Nothing but a line feed ends a line; what is no character becomes a surrogate, and spoils that line.
            return io.TextIOWrapper(file, encoding, errors="surrogateescape", newline="\n"), encoding
        except LookupError:
            raise UsageError(f"There is no encoding {encoding!r}: try utf-8, gb18030 or utf-16.") from None

    def place(self, names: Iterable[str]) -> str | None:
        """Return which of some names is that of the question, None if none is."""
        return next((name for name in self._places if name in names), None)

    def missing(self, names: Iterable[str]) -> str:
        """Return words for names of which none is that of the question."""
        return f"no {' or '.join(map(repr, self._places))}, only {', '.join(map(repr, names)) or 'nothing'}"

    @property
    def _places(self) -> tuple[str, ...]:
        return (self.field,) if self.field else _QUESTION


class _Lines:
    """A text on each line: the question itself."""

    def __init__(self, questions: Questions, lines: Iterator[str]) -> None:
        self._questions = questions
        self._lines = lines

    def __iter__(self) -> Iterator[_Row]:
        """Yield the number of each line that is not blank, its text, and what `fields` takes."""
        return ((number, text, text.strip()) for number, text in enumerate(self._lines, 1) if text.strip())

    def fields(self, raw: Any) -> _Fields:
        """Return the question, and all else that stands there."""
        return raw, {}

    def cells(self, raw: Any) -> Mapping[str, Any]:
        """Return what stands in a line that holds a question, by name."""
        return {"message": raw}


class _JsonLines(_Lines):
    """An object on each line, or a text in quotes."""

    def fields(self, raw: Any) -> _Fields:
        value = _parsed("it", raw)
        if isinstance(value, str):
            return value, {}
        if not is_object(value):
            raise NoQuestionError('it is neither an object nor a text: write {"message": "…"}')
        name = self._questions.place(value)
        if name is None and not value.get("additional_messages"):
            raise NoQuestionError(f"it has {self._questions.missing(value)}; --field names where the question stands")
        return (value.pop(name) if name else None), value

    def cells(self, raw: Any) -> Mapping[str, Any]:
        value = json.loads(raw)
        return value if is_object(value) else {"message": value}


class _Table(_Lines):
    """Comma-separated values with a header; semicolons and tabs separate them too."""

    def __init__(self, questions: Questions, lines: Iterator[str]) -> None:
        super().__init__(questions, lines)
        self._seen = _Seen(lines)
        head = next((line for line in self._seen if line.strip()), "")
        self.separator = "\t" if questions.path.suffix.lower() == ".tsv" else max(",;\t", key=head.count)
        try:
            self._header = [name.strip() for row in self._rows([head]) for name in row]
        except csv.Error as error:
            raise UsageError(f"The header of {questions.title} is no CSV: {error}.") from None
        name = questions.place(self._header)
        if name is None:
            raise UsageError(
                f"{questions.title} has {questions.missing(self._header)}. --field names the column of the questions."
            )
        if len(set(self._header)) < len(self._header):
            doubled = next(column for column in self._header if self._header.count(column) > 1)
            raise UsageError(f"{questions.title} has two columns {doubled!r}: rename one.")
        self._name = name

    def _rows(self, lines: Iterable[str]) -> Iterator[list[str]]:
        csv.field_size_limit(_LONGEST_CELL)
        return csv.reader(lines, delimiter=self.separator, strict=True)

    def __iter__(self) -> Iterator[_Row]:
        rows = self._rows(self._seen)
        while True:
            number = self._seen.begin()
            try:
                row = next(rows, None)
            except csv.Error as error:
                yield number, self._seen.text, error
                continue
            if row is None:
                return
            if any(cell.strip() for cell in row):
                yield number, self._seen.text, row

    def fields(self, raw: Any) -> _Fields:
        if isinstance(raw, csv.Error):
            raise NoQuestionError(f"it is no CSV: {raw}")
        if len(raw) != len(self._header):
            raise NoQuestionError(f"it has {len(raw)} columns, and the header {len(self._header)}")
        cells = {column: cell for column, cell in zip(self._header, raw, strict=True) if cell != ""}
        for column in cells.keys() & set(JSON_FIELDS):
            cells[column] = _parsed(column, cells[column])
        return cells.pop(self._name, None), cells

    def cells(self, raw: Any) -> Mapping[str, Any]:
        return dict(zip(self._header, raw, strict=True))


class _Seen:
    """Lines on their way into a reader, and the text of those that the present row is made of."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self._count = 0
        self._row: list[str] = []

    def __iter__(self) -> "_Seen":
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self._count += 1
        self._row.append(line)
        return line

    def begin(self) -> int:
        """Begin a row; returns the number of its first line."""
        self._row.clear()
        return self._count + 1

    @property
    def text(self) -> str:
        """The row, as it stands in the file."""
        return "".join(self._row)


_READERS: dict[Format, type[_Lines]] = {"jsonl": _JsonLines, "csv": _Table, "text": _Lines}


def _checked(line: int, text: str, raw: Any, reader: _Lines, encoding: str) -> ChatItem | BadLine:
    """Return the question of a line, or why it holds none."""
    try:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise NoQuestionError(
                f"it is not written in {encoding} (character {error.start + 1}); "
                "if all of the file is not, give its --encoding, such as gb18030"
            ) from None
        return item_of(line, *reader.fields(raw))
    except NoQuestionError as error:
        return BadLine(line, str(error), _shown(text))


def _parsed(what: str, text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise NoQuestionError(f"{what} is no JSON: {error.msg} at character {error.colno}") from None
    except (ValueError, RecursionError) as error:
        raise NoQuestionError(f"{what} is no JSON: {error}") from None


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(f"{name} is no value")


def _shown(text: str) -> str:
    """Return a text without its end of line; what was no character becomes the number of its byte."""
    return text.rstrip("\r\n").encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
