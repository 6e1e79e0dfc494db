"""The forms in which servers wrap an answer or an error, read without any I/O."""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from coze_async.models._json import json_object, json_text

__all__ = [
    "Envelope",
    "code_of",
    "content_type_of",
    "length_of",
    "logid_of",
    "message_of",
    "open_envelope",
    "plain_text",
    "redirect_of",
]

# A page that explains an error is short; more than this is not looked at, for a search in it may take quadratic time.
# Each stops where another tag begins: pages of nothing but beginnings take linear time.
_TITLE = re.compile(r"<title[^<>]*>([^<]*)</title", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_MOST_OF_A_PAGE = 4096


class Envelope(NamedTuple):
    """What stands around an answer.

    Attributes:
        is_error: True if the answer is an error, whatever its HTTP status.
        is_json: True if it is JSON.
        payload: The decoded JSON.
        code: Coze's number, None if there is none.
        msg: The server's own words, or what a person would read of its error page.
        logid: What Coze support asks for.
        debug_url: A page that shows the run of a workflow.
    """

    is_error: bool
    is_json: bool
    payload: Any
    code: int | None
    msg: str
    logid: str | None
    debug_url: str | None


def open_envelope(status: int, headers: Mapping[str, str], content: bytes) -> Envelope:
    """Read the envelope of a whole answer.

    Args:
        status: The HTTP status.
        headers: With names in lower case, or a mapping that does not mind.
        content: The body, decompressed.
    """
    is_json, payload = True, None
    try:
        payload = json.loads(content)
    except (ValueError, RecursionError):
        is_json = False
    facts: dict[str, Any] = json_object(payload)
    code = code_of(facts)
    # Most errors come with HTTP 200; OAuth errors have an error_code that is a word.
    is_error = (
        status >= 300 or bool(code) or bool(facts.get("error_code")) or (code is None and bool(facts.get("code")))
    )
    return Envelope(
        is_error=is_error,
        is_json=is_json,
        payload=payload,
        code=code,
        # Nobody asks what a server says that reports success.
        msg=""
        if code == 0 and not is_error
        else message_of(facts) or ("" if is_json and not is_error else _page(status, headers, content)),
        logid=logid_of(headers, facts),
        debug_url=json_text(facts.get("debug_url")),
    )


def _page(status: int, headers: Mapping[str, str], content: bytes) -> str:
    """Return what an answer without a message says to a person."""
    if 300 <= status < 400:
        target = _without_user(headers.get("location", "nowhere"))
        return f"redirected to {target}; set base_url to where the API really is"
    return plain_text(content[:_MOST_OF_A_PAGE].decode("utf-8", "replace"))


def redirect_of(status: int, headers: Mapping[str, str], base_url: str) -> str | None:
    """Return the other server to which an answer redirects; None if it does not, or stays at its server."""
    if not 300 <= status < 400:
        return None
    try:
        target, here = urlsplit(urljoin(base_url, headers.get("location", ""))), urlsplit(base_url)
        same = _origin(target) == _origin(here)
    except ValueError:
        return "an invalid URL"
    return None if same else f"{target.scheme}://{target.netloc.rpartition('@')[2]}"


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or {"http": 80, "https": 443}.get(url.scheme)


def _without_user(url: str) -> str:
    """Return a URL without the user name and password before an @."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    place, slash, path = rest.partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}"


def code_of(facts: Mapping[str, Any]) -> int | None:
    """Return Coze's number out of an error object, in which it may be an int or a text; None if it has none."""
    for key in ("code", "error_code"):
        try:
            return int(facts[key])
        except (KeyError, TypeError, ValueError, OverflowError):
            continue
    return None


def message_of(facts: Mapping[str, Any]) -> str:
    """Return the server's words out of an error object of any of its forms."""
    for key in ("msg", "error_message", "message", "error", "error_code"):
        if text := json_text(facts.get(key)):
            return text
    return ""


def content_type_of(headers: Mapping[str, str]) -> str:
    """Return the content type without its parameters, in lower case."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def length_of(headers: Mapping[str, str]) -> int | None:
    """Return the announced length of a body in bytes; None if there is none, or nonsense."""
    length = headers.get("content-length", "").strip().lstrip("0") or "0"
    # More digits than any file has: Python refuses to read thousands of them.
    return (
        int(length)
        if "content-length" in headers and length.isascii() and length.isdecimal() and len(length) <= 18
        else None
    )


def logid_of(headers: Mapping[str, str], facts: Mapping[str, Any] | None = None) -> str | None:
    """Return the server's name for an exchange: `x-tt-logid` (clouds), `X-Log-ID` (Coze Studio), or from the body."""
    named = headers.get("x-tt-logid") or headers.get("x-log-id")
    if not named and facts:
        named = json_object(facts.get("detail")).get("logid") or json_object(facts.get("error")).get("logid")
    return str(named) if named else None


def plain_text(text: str) -> str:
    """Return what a person would read of an error page: its title, or the text without its tags."""
    title = _TITLE.search(text)
    return " ".join((title[1] if title else _TAG.sub(" ", text)).split())
