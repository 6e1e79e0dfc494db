"""Headers on their way out and back."""

import functools
import platform
from collections.abc import Iterable, Mapping

from coze_async._version import __version__
from coze_async._wire._failures import Failure, WireError

__all__ = ["ACCEPT_ENCODING", "check_framing", "own_headers", "plain_headers"]

ACCEPT_ENCODING = "gzip, deflate"
"""What can be unpacked in bounded steps on every supported Python: what zlib does."""

_FRAMING = frozenset(("content-length", "transfer-encoding"))


def own_headers(given: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that every request has, without those that are given."""
    names = {name.lower() for name in given}
    own = {"Accept-Encoding": ACCEPT_ENCODING, "Connection": "keep-alive", "User-Agent": _user_agent()}
    return {name: value for name, value in own.items() if name.lower() not in names}


def check_framing(names: Iterable[str]) -> None:
    """Refuse headers that say where the body ends: with a second one, a server could see two requests.

    Raises:
        WireError: there is one.
    """
    for name in names:
        if name.lower() in _FRAMING:
            raise WireError(Failure.UNSENDABLE, f"the header {name!r} frames the body, and is set by the client")


def plain_headers(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Return headers with names in lower case; they are looked at several times, and httpx scans its list each time."""
    plain: dict[str, str] = {}
    for raw_name, raw_value in raw:
        name, value = raw_name.lower().decode("latin-1"), raw_value.decode("utf-8", "replace")
        plain[name] = f"{plain[name]}, {value}" if name in plain else value
    return plain


@functools.cache
def _user_agent() -> str:
    return f"coze_async/{__version__} python/{platform.python_version()}"
