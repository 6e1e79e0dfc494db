"""The logger, and what never reaches it: credentials and the text of messages."""

import logging
import re
from collections.abc import Iterable

__all__ = ["TOKEN", "guard_httpx_log", "log", "redact", "shortened"]

log = logging.getLogger("coze_async")
log.addHandler(logging.NullHandler())

_HIDDEN = "***"
# Personal, OAuth and service tokens of Coze (auth flows of cozepy 0.20), and whatever stands after Bearer.
TOKEN = re.compile(
    r"\b(?:pat|czu|czs|cztei|sat|czr)_[A-Za-z0-9_\-.]+|(?i:\bbearer\s+)[^\s\"',;]+|(?i:\bsession_key=)[^\s\"',;]+"
)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without credentials: those given, and all that look like one."""
    # The longest first: one may be a part of another.
    for secret in sorted(secrets, key=len, reverse=True):
        # A very short secret would blank ordinary words.
        if len(secret) >= 4:
            text = text.replace(secret, _HIDDEN)
    return TOKEN.sub(_HIDDEN, text)


def shortened(text: str, limit: int = 500, *, whole: int = 0) -> str:
    """Return the beginning of a text, and how much was left out.

    Args:
        text: All of it, or its beginning.
        limit: At most this many characters.
        whole: How many the whole text has, if `text` is only its beginning.
    """
    left = max(len(text), whole) - limit
    return text if left <= 0 else f"{text[:limit]}… ({left} more characters)"


class _UrlGuard(logging.Filter):
    """Keeps queries and user names out of the URLs that httpx logs, for the hosts of this library's clients."""

    def __init__(self) -> None:
        super().__init__()
        self.hosts: set[str] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(self._guarded(argument) for argument in record.args)
        return True

    def _guarded(self, argument: object) -> object:
        # httpx logs a URL object; looking at its public parts spares an import here.
        if getattr(argument, "host", None) not in self.hosts:
            return argument
        scheme, separator, rest = str(argument).partition("://")
        place, slash, path = rest.partition("/")
        path = path.partition("#")[0]
        path, question, _ = path.partition("?")
        return f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}{question}{_HIDDEN if question else ''}"


_guard = _UrlGuard()


def guard_httpx_log(host: str) -> None:
    """Keep the query and the user name out of what httpx and httpx2 log about a host."""
    _guard.hosts.add(host)
    for name in ("httpx", "httpx2"):
        logger = logging.getLogger(name)
        if _guard not in logger.filters:
            logger.addFilter(_guard)
