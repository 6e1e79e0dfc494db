"""The format of recordings: what is written is read, torn files too, and ours are written in it."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from replaying import FOLDER, recordings

from coze_async import ConfigurationError
from coze_async._recording import Asked, Ending, Piece, Recording, block_of, read_recordings

SECONDS = st.floats(0, 1e6, allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)
PIECES = st.builds(
    Piece, SECONDS, st.binary(max_size=20) | st.text(max_size=9).map(lambda text: text.encode("utf-8", "replace"))
)
WITHHELD = st.integers(1, 9).map(lambda size: Piece(0.5, withheld=size))
RECORDINGS = st.builds(
    Recording,
    st.builds(
        Asked,
        st.sampled_from(["GET", "POST"]),
        st.text(),
        st.dictionaries(st.text(), st.text() | st.lists(st.text())),
        JSON,
        st.none() | st.integers(0, 99),
    ),
    st.integers(100, 599),
    st.dictionaries(st.text(), st.text(), max_size=3),
    st.lists(PIECES | WITHHELD, max_size=5).map(tuple),
    st.builds(Ending, st.sampled_from(["whole", "lost", "left", "silent"]), SECONDS, st.text(), st.text()),
    SECONDS,
    st.none() | st.lists(st.text(), max_size=2).map(tuple),
    st.text(),
    # All begun at the same time: they stay in their order.
    st.just("2026-11-21"),
    st.text(),
    st.text(),
)  # fmt: skip


@settings(max_examples=50)
@given(st.lists(RECORDINGS, min_size=1, max_size=3))
def test_what_is_written_is_read(tmp_path_factory: pytest.TempPathFactory, given: list[Recording]) -> None:
    path = tmp_path_factory.mktemp("written") / "x.jsonl"
    path.write_bytes(b"".join(map(block_of, given)))
    assert read_recordings(path) == given


@pytest.mark.parametrize("name", recordings())
def test_our_own_fixtures_are_in_this_format(name: str) -> None:
    path = FOLDER / f"{name}.jsonl"
    assert b"".join(map(block_of, read_recordings(path))) == path.read_bytes()


def exchange(date: str, *pieces: bytes) -> Recording:
    return Recording(
        Asked("POST", "/v3/chat"),
        200,
        {},
        tuple(Piece(float(at), piece) for at, piece in enumerate(pieces)),
        source="this test",
        date=date,
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.jsonl"


def test_exchanges_are_read_in_the_order_in_which_they_were_begun(path: Path) -> None:
    path.write_bytes(block_of(exchange("2026-11-21T02", b"ended first")) + block_of(exchange("2026-11-21T01", b"a")))
    assert [recording.body for recording in read_recordings(path)] == [b"a", b"ended first"]


def test_a_torn_end_costs_what_is_torn_and_nothing_else(path: Path) -> None:
    first, second = block_of(exchange("1", b"a", b"b")), block_of(exchange("2", b"c", b"d"))
    path.write_bytes(first)
    [whole] = read_recordings(path)
    found = [whole]
    request_ends = second.index(b"\n", second.index(b"\n") + 1)
    for size in range(1, len(second)):
        path.write_bytes(first + second[:size])
        found = read_recordings(path)
        assert found[0] == whole
        # As soon as its request is there, there is something to show; the last line feed is no loss.
        assert len(found) == (2 if size >= request_ends else 1), second[:size]
        if request_ends <= size < len(second) - 1:
            assert (found[1].ending.kind, found[1].ending.why) == ("lost", "the recording is torn here")
            assert b"cd".startswith(found[1].body)
    assert found[1] == exchange("2", b"c", b"d")


def test_what_a_later_run_adds_after_a_torn_end_is_read(path: Path) -> None:
    torn = block_of(exchange("1", b"a", b"b"))[:-30]
    path.write_bytes(torn + b"\n" + block_of(exchange("2", b"c")))
    assert [(found.body, found.ending.kind) for found in read_recordings(path)] == [(b"a", "lost"), (b"c", "whole")]


def test_an_exchange_without_an_answer_has_no_head(path: Path) -> None:
    lost = Recording(Asked("GET", "/v1/x"), None, {}, (), Ending("lost", 5.0, "ConnectError", "refused"), source="-")
    path.write_bytes(block_of(lost))
    assert read_recordings(path) == [lost]
    assert path.read_text(encoding="utf-8").count("\n") == 3


ABOUT, ASKED, HEAD = '{"source":"-","date":"-"}', '{"method":"GET","path":"/"}', '{"status":200,"headers":{}}'


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([], "holds no exchange: it is empty"),
        ([ABOUT], "holds no exchange: it is torn"),
        (['{"half'], "holds no exchange: it is torn"),
        (["hello", "world"], "line 2: it is no JSON"),
        (["[1]"], "line 1: it is no JSON object"),
        ([ABOUT, ASKED, "oops", HEAD], "line 3: it is no JSON"),
        ([ABOUT, ASKED, "oops", "oops"], "line 4: it is no JSON"),
        (['{"id":1}', "", ABOUT, ASKED, HEAD], "line 3: a recording begins with a line that has a `source`"),
        ([ABOUT, '{"method":"GET"}', HEAD], r"line 1: the exchange that begins here .* \('path' is missing\)"),
        ([ABOUT, ASKED, HEAD, '{"data":"x"}'], "'at' is missing"),
        ([ABOUT, ASKED, HEAD, '{"at":0,"base64":"ä"}'], "cannot be read"),
        ([ABOUT, ASKED, HEAD, '{"at":0,"data":"\\ud83d"}'], "surrogates not allowed"),
        ([ABOUT, ASKED, HEAD, '{"at":0,"end":"well"}'], "an exchange ends whole, lost, left, silent, not 'well'"),
        ([ABOUT, ASKED, '{"status":"fine","headers":{}}'], "invalid literal"),
    ],
)  # fmt: skip
def test_what_is_no_recording_is_said_with_its_line(path: Path, lines: list[str], message: str) -> None:
    path.write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(ConfigurationError, match=message) as caught:
        read_recordings(path)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    for path, why in ((tmp_path / "none.jsonl", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(ConfigurationError, match=f"{path} cannot be read: {why}"):
            read_recordings(path)


def test_half_a_surrogate_pair_is_written_as_json_writes_it(path: Path) -> None:
    body: Any = {"content": "\ud83d"}
    path.write_bytes(block_of(Recording(Asked("POST", "/", body=body), None, {}, (), Ending("left"), source="-")))
    assert b"\\ud83d" in path.read_bytes()
    assert read_recordings(path)[0].asked.body == body
