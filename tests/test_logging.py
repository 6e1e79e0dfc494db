"""What never reaches a log or an error: credentials, queries, the text of messages."""

import logging

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coze_async._logging import guard_httpx_log, log, redact, shortened


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("token pat_abcDEF-1.2_3 is bad", "token *** is bad"),
        ("czu_1 czs_2 cztei_3 sat_4 czr_5", "*** *** *** *** ***"),
        ("Authorization: Bearer abc.def", "Authorization: ***"),
        ('{"authorization":"bearer abc"}', '{"authorization":"***"}'),
        ("Cookie: session_key=abc; other=1", "Cookie: ***; other=1"),
        # Words that only look a little like one.
        ("compat_mode and sat_", "compat_mode and sat_"),
        ("a bearer of news", "a *** news"),
    ],
)
def test_what_looks_like_a_credential_is_hidden(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@given(st.text(max_size=40), st.text("abcXYZ012+/=-", min_size=4, max_size=12), st.text(max_size=40))
def test_no_secret_that_is_known_survives(before: str, secret: str, after: str) -> None:
    assert secret not in redact(before + secret + after, [secret])


def test_a_secret_of_three_characters_would_blank_ordinary_words() -> None:
    assert redact("abc is a word, abcd a secret", ["abc", "abcd"]) == "abc is a word, *** a secret"


def test_a_secret_that_holds_another_is_hidden_whole() -> None:
    assert "tail" not in redact("prefix-tail", ["prefix", "prefix-tail"])


def test_long_texts_are_shortened_with_a_count_of_what_is_missing() -> None:
    assert shortened("x" * 500) == "x" * 500
    assert shortened("x" * 503) == "x" * 500 + "… (3 more characters)"
    assert shortened("abcdef", 2) == "ab… (4 more characters)"


def test_without_a_handler_of_the_program_the_logger_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in log.handlers)
    assert log.name == "coze_async"
    log.warning("nobody listens")
    assert capsys.readouterr().err == ""


def logged(*arguments: object) -> str:
    """Return what the httpx logger writes for a message with these arguments."""
    written: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            written.append(record.getMessage())

    logger, handler = logging.getLogger("httpx"), Keep()
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        logger.info(" ".join(["%s"] * len(arguments)), *arguments)
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    return written[0]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://guarded.test/v3/chat", "https://guarded.test/v3/chat"),
        ("https://guarded.test/v3/chat?conversation_id=7&x=%3F", "https://guarded.test/v3/chat?***"),
        ("https://guarded.test:8888/a#fragment", "https://guarded.test:8888/a"),
        ("https://guarded.test/a?b=1#c", "https://guarded.test/a?***"),
        ("https://user:pass@guarded.test/a", "https://guarded.test/a"),
        # Other clients of the program are none of our business.
        ("https://other.test/a?b=1", "https://other.test/a?b=1"),
    ],
)
def test_httpx_logs_no_query_of_our_requests(url: str, shown: str) -> None:
    guard_httpx_log("guarded.test")
    assert logged("GET", httpx.URL(url), 200) == f"GET {shown} 200"


def test_a_message_without_arguments_passes_the_guard() -> None:
    guard_httpx_log("guarded.test")
    logging.getLogger("httpx").handle(logging.LogRecord("httpx", logging.INFO, "", 0, "plain", None, None))
    assert logged("plain") == "plain"


def test_the_guard_stands_in_the_logger_once() -> None:
    for host in ("one.test", "two.test", "one.test"):
        guard_httpx_log(host)
    filters = logging.getLogger("httpx").filters
    assert sum(type(entry).__name__ == "_UrlGuard" for entry in filters) == 1
