"""Answers as a table: what goes in as CSV comes back as CSV, with its own columns."""

import csv
import json
from pathlib import Path

import pytest

from coze_async.cli import main
from coze_async.emulator import Code, Emulator, Script

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(autouse=True)
def bot(emulator: Emulator) -> None:
    emulator.bot("b-1", lambda given: Script(f"{given.question}, “yes”,\nand no.", follow_ups=["a", "b"], seconds=0.0))


def batch(*arguments: str) -> int:
    return main(["batch", *arguments, "--bot", "b-1"])


def rows(path: str, *, delimiter: str = ",", encoding: str = "utf-8") -> list[dict[str, str]]:
    with Path(path).open(encoding=encoding, newline="") as file:
        return [*csv.DictReader(file, delimiter=delimiter)]


def test_a_table_has_the_columns_of_the_questions_in_their_order(emulator: Emulator, capsys: Captured) -> None:
    Path("q.csv").write_text("note,question,id\nx,你好,1\n,茶,2\n", encoding="utf-8")
    assert batch("q.csv", "--out", "a.csv") == 0
    first, second = rows("a.csv")
    assert [*first][:4] == ["note", "question", "id", "answer"]
    assert (first["note"], first["question"], first["answer"], first["ok"]) == (
        "x",
        "你好",
        "你好, “yes”,\nand no.",
        "true",
    )
    assert (second["id"], second["error"], second["follow_ups"]) == ("2", "", "a\nb")
    assert "  answers    a.csv\n" in capsys.readouterr().out
    # Nothing is asked again, and the table stays.
    assert batch("q.csv", "--out", "a.csv") == 0
    assert len(emulator.chats) == 2
    assert rows("a.csv") == [first, second]


def test_failures_stand_in_their_rows_until_they_are_asked_again(emulator: Emulator) -> None:
    Path("q.csv").write_text("message\na\nb\n", encoding="utf-8")
    emulator.fail(Code(4015, "not published"))
    assert batch("q.csv", "--out", "a.csv", "--limit", "1") == 1
    assert [(row["ok"], row["error_code"]) for row in rows("a.csv")] == [("false", "4015"), ("true", "")]
    assert "code 4015" in rows("a.csv")[0]["error"]
    assert batch("q.csv", "--out", "a.csv") == 0
    assert [row["ok"] for row in rows("a.csv")] == ["true", "true"]


def test_a_column_of_the_same_name_stays_what_it_was() -> None:
    Path("q.csv").write_text("question,answer\na,expected\n", encoding="utf-8")
    assert batch("q.csv", "--out", "a.csv") == 0
    (row,) = rows("a.csv")
    assert (row["answer"], row["bot_answer"]) == ("expected", "a, “yes”,\nand no.")


def test_a_table_can_be_asked_for_by_its_name() -> None:
    lines = [{"id": "q-1", "message": "a", "tags": ["x"]}, "b"]
    Path("q.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    assert batch("q.jsonl", "--out", "a.tsv") == 0
    first, second = rows("a.tsv", delimiter="\t")
    assert (first["id"], first["message"], first["tags"]) == ("q-1", "a", '["x"]')
    assert (second["id"], second["message"], second["answer"]) == ("", "b", "b, “yes”,\nand no.")


def test_a_table_is_written_as_the_spreadsheet_writes_it() -> None:
    Path("q.csv").write_text("id;message\n1;你好\n", encoding="utf-8-sig")
    assert batch("q.csv", "--out", "a.csv") == 0
    assert Path("a.csv").read_bytes().startswith(b"\xef\xbb\xbfid;message;answer;")
    Path("gb.csv").write_text("message\n你好\n", encoding="gb18030")
    assert batch("gb.csv", "--out", "b.csv", "--encoding", "gb18030") == 0
    assert rows("b.csv", encoding="utf-8-sig")[0]["message"] == "你好"


def test_csv_in_and_json_lines_out_are_as_before() -> None:
    Path("q.csv").write_text("message\na\n", encoding="utf-8")
    assert batch("q.csv", "--out", "a.jsonl") == 0
    assert json.loads(Path("a.jsonl").read_text(encoding="utf-8"))["text"] == "a, “yes”,\nand no."
    assert sorted(path.name for path in Path().iterdir() if path.name[0] == "a") == ["a.jsonl"]


def test_a_table_whose_journal_is_gone_is_not_overwritten(emulator: Emulator, capsys: Captured) -> None:
    Path("q.csv").write_text("message\na\n", encoding="utf-8")
    Path("a.csv").write_text("mine\n", encoding="utf-8")
    assert batch("q.csv", "--out", "a.csv") == 2
    assert "a.csv exists, but not a.csv.jsonl, from which the batch would go on" in capsys.readouterr().err
    assert emulator.requests == []
    assert batch("q.csv", "--out", "a.csv", "--no-resume") == 0
    assert Path("a.csv.1").read_text(encoding="utf-8") == "mine\n"
    assert rows("a.csv")[0]["ok"] == "true"


def test_a_table_that_cannot_be_written_is_told_with_where_the_answers_are(
    capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("q.csv").write_text("message\na\n", encoding="utf-8")
    Path("a.csv.new").mkdir()
    assert batch("q.csv", "--out", "a.csv") == 1
    assert (
        "error: a.csv cannot be written: Is a directory. The answers are in a.csv.jsonl.\n" in capsys.readouterr().err
    )


def test_the_questions_are_never_overwritten(capsys: Captured) -> None:
    Path("q.csv").write_text("message\na\n", encoding="utf-8")
    assert batch("q.csv", "--out", "q.csv") == 2
    assert "q.csv holds the questions" in capsys.readouterr().err
    assert Path("q.csv").read_text(encoding="utf-8") == "message\na\n"
