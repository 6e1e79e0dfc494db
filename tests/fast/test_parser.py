"""Which parser is used; what they make of bytes stands in test_connection.py."""

import runpy
import sys
from types import SimpleNamespace

import pytest

from coze_async._wire._fast import _parser


@pytest.mark.parametrize(
    ("version", "is_used"),
    [("0.5.0", False), ("0.6.2", False), ("0.6.3", True), ("0.7.1", True), ("0.10.0rc1", True), ("1.0", True)],
)
def test_an_old_httptools_is_not_used(version: str, is_used: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 0.6.2 the tests of the wire fail: its llhttp reads a body behind a 204."""
    fake = SimpleNamespace(
        HttpParserError=KeyError, HttpParserUpgrade=IndexError, HttpResponseParser=object, __version__=version
    )
    monkeypatch.setitem(sys.modules, "httptools", fake)
    names = runpy.run_path(_parser.__file__)
    assert (names["parser_for"] is object) == is_used
    assert (names["parser_for"] is names["by_h11"]) != is_used
    assert (KeyError in names["parse_errors"]) == is_used


def test_without_httptools_h11_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httptools", None)
    names = runpy.run_path(_parser.__file__)
    assert names["parser_for"] is names["by_h11"]
