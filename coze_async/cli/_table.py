"""The answers as a table: the columns of the questions, and beside them what became of each."""

import csv
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coze_async.cli._answer import Answer
from coze_async.cli._batch_input import Questions

__all__ = ["is_table", "write_table"]

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def is_table(path: Path) -> bool:
    """True if a file of this name is a table."""
    return path.suffix.lower() in _SEPARATORS


def write_table(path: Path, questions: Questions, journal: Path) -> None:
    """Write a row for each question, in their order; what has no answer yet has empty cells.

    Args:
        path: The table; whoever reads meanwhile sees the old one or the new one.
        questions: What was asked.
        journal: The answers, a JSON object on each line.

    Raises:
        OSError: it cannot be written.
    """
    own = list(dict.fromkeys(name for _, cells in questions.rows() for name in cells))
    answered = {name: f"bot_{name}" if name in own else name for name in _cells(None)}
    separator = _SEPARATORS[path.suffix.lower()]
    if separator == "," and questions.separator == ";":
        # As spreadsheets in half of Europe want it.
        separator = ";"
    places = dict(_places(journal))
    beside = path.with_name(f"{path.name}.new")
    try:
        # A spreadsheet takes UTF-8 for what it is only with a mark at the beginning.
        encoding = "utf-8-sig" if questions.is_marked else "utf-8"
        with beside.open("w", encoding=encoding, newline="") as file, journal.open("rb") as lines:
            table = csv.DictWriter(file, [*own, *answered.values()], "", delimiter=separator, lineterminator="\n")
            table.writeheader()
            for origin, cells in questions.rows():
                answer = None
                if origin.key in places:
                    lines.seek(places[origin.key])
                    answer = Answer.read(lines.readline())
                row = {name: _text(value) for name, value in cells.items()}
                table.writerow(row | {answered[name]: _text(value) for name, value in _cells(answer).items()})
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)


def _places(journal: Path) -> Iterator[tuple[str | int, int]]:
    """Yield where the answers begin, by the keys of their questions; the last one to a question counts."""
    begin = 0
    with journal.open("rb") as lines:
        for line in lines:
            yield Answer.read(line).origin.key, begin
            begin += len(line)


def _cells(answer: Answer | None) -> Mapping[str, Any]:
    """Return what became of a question, by column."""
    facts: dict[str, Any] = json.loads(answer.line()) if answer is not None else {}
    failure: dict[str, Any] = facts.get("error", {})
    tokens: dict[str, Any] = facts.get("tokens", {})
    return {
        "answer": facts.get("text"),
        "ok": facts.get("ok"),
        "error": f"{failure['type']}: {failure['message']}" if failure else None,
        "error_code": failure.get("code"),
        "follow_ups": "\n".join(facts.get("follow_ups", ())),
        "reasoning": facts.get("reasoning"),
        "tokens_in": tokens.get("in"),
        "tokens_out": tokens.get("out"),
        "seconds": facts.get("seconds"),
        "at": facts.get("at"),
        "conversation_id": facts.get("conversation_id"),
        "chat_id": facts.get("chat_id"),
        "logid": facts.get("logid"),
    }


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
