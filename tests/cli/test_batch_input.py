"""Questions from files, as people really have them: with marks, gaps, other encodings, and lines that are none."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coze_async import ChatItem, Message, MessageObject
from coze_async.cli._batch_input import BadLine, Format, Questions, format_of
from coze_async.cli._batch_item import Origin
from coze_async.cli._connect import UsageError


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "questions"


def read(file: Path, content: bytes | str, format: Format, **more: Any) -> list[ChatItem | BadLine]:  # noqa: A002
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return [*Questions(file, format, **more)]


def questions(found: list[ChatItem | BadLine]) -> list[tuple[int, Any]]:
    """Return the questions with their lines; there must be no bad line."""
    items = [item for item in found if isinstance(item, ChatItem)]
    assert len(items) == len(found), found
    return [(item.key.line, item.message) for item in items]


def reasons(found: list[ChatItem | BadLine]) -> list[tuple[int, str]]:
    return [(line.line, line.reason) for line in found if isinstance(line, BadLine)]


# --- which format -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.jsonl", "jsonl"), ("a.NDJSON", "jsonl"), ("b.a.csv", "csv"), ("a.tsv", "csv"), ("a.txt", "text")],
)
def test_the_name_tells_the_format_unless_somebody_does(name: str, expected: str) -> None:
    assert format_of(name, None) == expected
    assert format_of(name, "text") == "text"


@pytest.mark.parametrize(
    ("name", "what"), [("-", "Stdin"), ("questions", "The name 'questions'"), ("a.json", "a.json")]
)
def test_a_name_that_tells_nothing_is_asked_about(name: str, what: str) -> None:
    with pytest.raises(UsageError, match=rf"{what}.*does not tell what is in it: give --format jsonl, csv, text\."):
        format_of(name, None)


# --- each format ------------------------------------------------------------------------------------------------------


def test_text_is_a_question_on_each_line(file: Path) -> None:
    content = "  What is tea? \n\n\t\n你好\r\nlast"
    assert questions(read(file, content, "text")) == [(1, "What is tea?"), (4, "你好"), (5, "last")]


def test_json_lines_are_objects_or_texts(file: Path) -> None:
    content = '{"message": "a"}\n"b"\n\n{"question": "c\\nd", "id": 7}\r\n{"message": "e", "id": " x ", "other": [1]}'
    found = read(file, content, "jsonl")
    assert questions(found) == [(1, "a"), (2, "b"), (4, "c\nd"), (5, "e")]
    origins = [item.key for item in found if isinstance(item, ChatItem)]
    assert [origin.id for origin in origins] == [None, None, "7", "x"]
    assert [origin.key for origin in origins] == [1, 2, "7", "x"]
    assert [origin.extra for origin in origins] == [{}, {}, {}, {"other": [1]}]


def test_all_that_a_chat_takes_can_stand_in_json(file: Path) -> None:
    facts = {
        "message": [{"type": "text", "text": "What is this?"}, {"type": "image", "file_id": "66"}],
        "bot_id": 7300000000000000001,
        "user_id": "u-1",
        "conversation_id": "c-1",
        "additional_messages": [{"role": "user", "content": "One?"}, {"role": "assistant", "content": "Two."}],
        "custom_variables": {"name": "Ann", "age": 7, "vip": True},
        "meta_data": {"k": "v"},
        "parameters": {"any": [1, None]},
    }
    (item,) = read(file, json.dumps(facts), "jsonl")
    assert isinstance(item, ChatItem)
    assert item.message == [MessageObject.of_text("What is this?"), MessageObject.of_image(file_id="66")]
    assert (item.bot_id, item.user_id, item.conversation_id) == ("7300000000000000001", "u-1", "c-1")
    assert item.additional_messages == [Message.user("One?"), Message.assistant("Two.")]
    assert item.custom_variables == {"name": "Ann", "age": "7", "vip": "true"}
    assert (item.meta_data, item.parameters) == ({"k": "v"}, {"any": [1, None]})


def test_a_conversation_may_stand_for_the_question(file: Path) -> None:
    pieces = [{"type": "image", "file_url": "http://x"}, {"type": "text", "text": "?"}]
    (item,) = read(file, json.dumps({"additional_messages": [{"role": "user", "content": pieces}]}), "jsonl")
    assert isinstance(item, ChatItem)
    assert item.message is None
    assert item.additional_messages is not None
    assert [piece.type for piece in item.additional_messages[0].objects] == ["image", "text"]


def test_csv_has_a_header_and_quotes(file: Path) -> None:
    content = (
        "\n id , question,user_id,parameters,topic\r\n"
        'q1,"one, two\r\nthree",u-1,"{""n"": 1}",tea\r\n'
        ",,,,\r\n"
        "\r\n"
        'q2,"a ""quoted"" word",,,\r\n'
    )
    found = read(file, content, "csv")
    assert questions(found) == [(3, "one, two\r\nthree"), (7, 'a "quoted" word')]
    first, second = (item for item in found if isinstance(item, ChatItem))
    assert (first.user_id, first.parameters, first.key.id, first.key.extra) == ("u-1", {"n": 1}, "q1", {"topic": "tea"})
    assert (second.user_id, second.parameters, second.key.id, second.key.extra) == (None, None, "q2", {})


@pytest.mark.parametrize(("name", "separator"), [("a.csv", ";"), ("a.csv", "\t"), ("a.tsv", "\t")])
def test_other_separators_are_seen_in_the_header(name: str, separator: str, tmp_path: Path) -> None:
    found = read(tmp_path / name, f"id{separator}message\n1{separator}a, b\n", "csv")
    assert questions(found) == [(2, "a, b")]


def test_the_place_of_the_question_can_be_named(file: Path) -> None:
    assert questions(read(file, "编号,问题,message\n1,什么是茶？,x\n", "csv", field="问题")) == [(2, "什么是茶？")]
    (item,) = read(file, '{"prompt": "a", "message": "b"}', "jsonl", field="prompt")
    assert isinstance(item, ChatItem)
    assert (item.message, item.key.extra) == ("a", {"message": "b"})


# --- encodings --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be"])
def test_a_mark_of_unicode_says_how_a_file_is_written(encoding: str, file: Path) -> None:
    text = '{"message": "茶"}\n{"message": "tea"}\n'
    marked = text if encoding in ("utf-8-sig", "utf-16", "utf-32") else f"\ufeff{text}"
    assert questions(read(file, marked.encode(encoding), "jsonl", encoding="gb18030")) == [(1, "茶"), (2, "tea")]


def test_the_encoding_of_a_file_without_a_mark_can_be_named(file: Path) -> None:
    content = "id,message\r\nrow,什么是龙井？\r\n".encode("gb18030")
    assert questions(read(file, content, "csv", encoding="gb18030")) == [(2, "什么是龙井？")]
    ((line, reason),) = reasons(read(file, content, "csv"))
    assert line == 2
    assert re.match(r"it is not written in utf-8 \(character \d\); if all of the file is not, give its --enc", reason)


@pytest.mark.parametrize("format", ["jsonl", "text"])
def test_one_line_that_is_no_text_spoils_no_other(format: Format, file: Path) -> None:  # noqa: A002
    found = read(file, b'"one"\n"caf\xe9"\n"three"\n', format)
    assert [item.key.line for item in found if isinstance(item, ChatItem)] == [1, 3]
    (bad,) = [item for item in found if isinstance(item, BadLine)]
    assert (bad.line, bad.text) == (2, '"caf\\xe9"')
    assert json.loads(bad.as_json()) == {"line": 2, "reason": bad.reason, "text": '"caf\\xe9"'}


def test_only_a_line_feed_ends_a_line(file: Path) -> None:
    found = read(file, '{"message": "a\u2028b\u0085c"}\n"d\x0ce"\n', "jsonl")
    assert found[0] == ChatItem("a\u2028b\u0085c", key=found[0].key if isinstance(found[0], ChatItem) else None)
    # A form feed may not stand in JSON, and is no end of line either.
    assert [line for line, _ in reasons(found)] == [2]


def test_a_byte_that_an_encoding_does_not_have_spoils_its_line(file: Path) -> None:
    ((line, reason),) = reasons(read(file, b"one\na\xe9", "text", encoding="ascii"))
    assert (line, "not written in ascii (character 2)" in reason) == (2, True)


@pytest.mark.parametrize(
    ("content", "encoding", "words"),
    [
        (b"abc", "utf-42", "There is no encoding 'utf-42': try utf-8, gb18030 or utf-16"),
        (b"\xff\xfea\x00b", "utf-8", "the file is not written in utf-16"),
    ],
)
def test_a_file_in_another_encoding_is_refused(content: bytes, encoding: str, words: str, file: Path) -> None:
    with pytest.raises(UsageError, match=words):
        read(file, content, "text", encoding=encoding)


# --- lines that hold no question --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"message": "a"', "it is no JSON: Expecting ',' delimiter at character 16"),
        ("tea?", "it is no JSON: Expecting value at character 1"),
        ('{"message": "a", "parameters": {"x": NaN}}', "it is no JSON: NaN is no value"),
        ("[" * 100_000, "it is no JSON: maximum recursion depth"),
        ("9" * 5_000, "it is no JSON: Exceeds the limit"),
        ("[1]", 'it is neither an object nor a text: write {"message": "…"}'),
        ("7", "it is neither an object nor a text"),
        ("null", "it is neither an object nor a text"),
        ('{"text": "a", "id": 1}', "it has no 'message' or 'question', only 'text', 'id'; --field names where"),
        ("{}", "it has no 'message' or 'question', only nothing"),
        ('{"message": ""}', "the question is empty"),
        ('" \\n"', "the question is empty"),
        ('{"message": null}', "the question is empty"),
        ('{"message": []}', "the question is empty"),
        ('{"message": "", "additional_messages": []}', "the question is empty"),
        ('{"message": 7}', "the question is 7: it must be a text, or a list of pieces"),
        ('{"message": ["a"]}', 'a piece of the question is "a": write {"type": "image"'),
        ('{"message": [{"text": "a"}]}', 'a piece of the question is {"text": "a"}'),
        ('{"message": "a", "id": 7.5}', "id is 7.5: it must be a text"),
        ('{"message": "a", "id": true}', "id is true: it must be a text"),
        ('{"message": "a", "bot_id": ["b"]}', 'bot_id is ["b"]: it must be a text'),
        ('{"message": "a", "user_id": " "}', 'user_id is " ": it must be a text'),
        ('{"message": "a", "meta_data": "x"}', 'meta_data is "x": it must be an object such as {"city": "杭州"}'),
        ('{"message": "a", "parameters": [1]}', "parameters is [1]: it must be an object"),
        ('{"message": "a", "additional_messages": ["b"]}', 'additional_messages holds "b": write {"role": "user"'),
        ('{"message": "a", "additional_messages": {"role": "system", "content": "b"}}', "additional_messages holds"),
        ('{"message": "\\ud800"}', "it holds half a character"),
        ('{"message": "a", "id": "\\ud800"}', "id holds half a character"),
        ('{"message": [{"kind": "' + "x" * 90 + '"}]}', "…: write"),
    ],
)
def test_a_line_that_holds_no_question_says_why(line: str, reason: str, file: Path) -> None:
    found = read(file, f'"before"\n{line}\n"after"\n', "jsonl")
    ((number, said),) = reasons(found)
    assert number == 2
    assert reason in said
    assert len(said) < 200
    assert [item.message for item in found if isinstance(item, ChatItem)] == ["before", "after"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("1,a,{},x", "it has 4 columns, and the header 3"),
        ("1", "it has 1 columns, and the header 3"),
        ("1,,{}", "the question is empty"),
        ("1,a,{no}", "parameters is no JSON: Expecting property name"),
        ('1,"a"b,{}', "it is no CSV: ',' expected after '\"'"),
        ("1,a,7", "parameters is 7: it must be an object"),
    ],
)
def test_a_row_that_holds_no_question_says_why(row: str, reason: str, file: Path) -> None:
    found = read(file, f"id,message,parameters\n0,before,\n{row}\n2,after,\n", "csv")
    ((number, said),) = reasons(found)
    assert number == 3
    assert reason in said
    assert [item.message for item in found if isinstance(item, ChatItem)] == ["before", "after"]
    (bad,) = [line for line in found if isinstance(line, BadLine)]
    assert bad.text == row


def test_a_quote_that_never_ends_is_one_bad_row(file: Path) -> None:
    found = read(file, 'message\nbefore\n"never\nends\n', "csv")
    assert reasons(found) == [(3, "it is no CSV: unexpected end of data")]
    assert [line.text for line in found if isinstance(line, BadLine)] == ['"never\nends']


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("text,id\na,1\n", "the file has no 'message' or 'question', only 'text', 'id'. --field names the column"),
        ("", "only nothing"),
        ("message,id,id\na,1,2\n", "the file has two columns 'id': rename one."),
        ('message,"id\n', "The header of the file is no CSV"),
    ],
)
def test_a_table_without_a_header_that_helps_is_refused_as_a_whole(content: str, words: str, file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        read(file, content, "csv")
    assert words in str(caught.value)


def test_an_id_stands_once(file: Path) -> None:
    content = '{"id": "a", "message": "1"}\n{"id": "b", "message": "2"}\n{"id": "a", "message": "3"}\n'
    found = read(file, content, "jsonl")
    assert reasons(found) == [(3, "the id 'a' stands in line 1 already")]
    assert isinstance(found[2], BadLine)
    assert found[2].text == '{"id": "a", "message": "3"}'


# --- how questions are known again ------------------------------------------------------------------------------------


def origin_of(file: Path, line: str) -> Origin:
    (item,) = read(file, line, "jsonl")
    assert isinstance(item, ChatItem)
    origin: Origin = item.key
    return origin


@pytest.mark.parametrize(
    ("first", "second", "is_same"),
    [
        ('{"message": "a", "user_id": "u"}', '{ "user_id":"u","message":"a" }', True),
        ('{"message": "a"}', '{"question": "a", "note": "new"}', True),
        ('{"message": "a"}', '{"message": "a", "id": "x"}', True),
        ('{"message": "a"}', '{"message": "a", "user_id": ""}', True),
        ('{"message": "a"}', '{"message": "a "}', False),
        ('{"message": "a"}', '{"message": "a", "user_id": "u"}', False),
        ('{"message": "a", "parameters": {"x": 1}}', '{"message": "a", "parameters": {"x": 2}}', False),
    ],
)
def test_a_question_is_the_same_if_the_same_is_asked(first: str, second: str, is_same: bool, file: Path) -> None:
    assert (origin_of(file, first).digest == origin_of(file, second).digest) is is_same


def test_a_question_is_named_as_a_reader_finds_it(file: Path) -> None:
    assert origin_of(file, '{"message": "a"}').name == "line 1"
    assert origin_of(file, '{"message": "a", "id": "x"}').name == "'x' (line 1)"


# --- everything that can be written can be read -----------------------------------------------------------------------

TEXTS = st.lists(st.text(min_size=1).filter(str.strip), max_size=8)


@given(TEXTS, st.sampled_from([",", ";", "\t"]), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_every_text_survives_a_table(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], separator: str, end: str, has_mark: bool
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=separator, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["note", "message", "id"])
    writer.writerows(["", text, number] for number, text in enumerate(texts))
    content = written.getvalue().encode("utf-8-sig" if has_mark else "utf-8")
    found = read(tmp_path_factory.getbasetemp() / "table", content, "csv")
    assert [item.message for item in found if isinstance(item, ChatItem)] == texts
    assert [item.key.id for item in found if isinstance(item, ChatItem)] == [*map(str, range(len(texts)))]


@given(TEXTS, st.booleans())
def test_every_text_survives_json_lines(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str], ascii_only: bool
) -> None:
    content = "\n".join(json.dumps({"message": text}, ensure_ascii=ascii_only) for text in texts)
    found = read(tmp_path_factory.getbasetemp() / "lines", content, "jsonl")
    assert questions(found) == [*enumerate(texts, 1)]
