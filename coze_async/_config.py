"""Settings: time-outs, polling, what a view of the client may change, and what the environment says."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from coze_async._checks import is_number
from coze_async._errors import ConfigurationError
from coze_async._retry import Retry

__all__ = ["COZE_CN_BASE_URL", "COZE_COM_BASE_URL", "Options", "Polling", "Timeouts", "checked_base_url", "environment"]

COZE_CN_BASE_URL = "https://api.coze.cn"
COZE_COM_BASE_URL = "https://api.coze.com"

_CLOUD_HOSTS = {"api.coze.cn": COZE_CN_BASE_URL, "api.coze.com": COZE_COM_BASE_URL}
# What people take from the address line of the browser.
_CONSOLE_HOSTS = {
    "coze.cn": COZE_CN_BASE_URL,
    "www.coze.cn": COZE_CN_BASE_URL,
    "coze.com": COZE_COM_BASE_URL,
    "www.coze.com": COZE_COM_BASE_URL,
}
# First parts of the paths that this library adds itself.
_OWN_PATHS = frozenset(("v1", "v2", "v3", "open_api", "api"))


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds; None waits for ever.

    Attributes:
        connect: For a connection, TLS included.
        first_event: From sending a request for a stream to its first event; keep-alives do not count.
        idle: Between two pieces of a stream, where keep-alives count as pieces, and for the whole of an answer that is
            not streamed. A bot that draws a picture is silent for minutes (the official web chat waits 210 s).
        workflow: Instead of `first_event` and `idle` for what runs a workflow: until its first sign of life, which may
            be a heart-beat, and between two pieces. Workflows may take 10 minutes (coze.cn page workflow_run).
        total: For a call with all its attempts, or a stream from its first step to its end.
        write: For the server to take a piece of the request.
        pool: For a free connection.
    """

    connect: float | None = 5.0
    first_event: float | None = 60.0
    idle: float | None = 210.0
    workflow: float | None = 600.0
    total: float | None = None
    write: float | None = 30.0
    pool: float | None = 30.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            seconds = getattr(self, name)
            if seconds is not None and not (is_number(seconds) and seconds > 0):
                raise ConfigurationError(f"Timeouts.{name} is {seconds!r}: give seconds above 0, or None for no limit.")


@dataclass(frozen=True, slots=True)
class Polling:
    """How often to look whether a chat or a run is over, in seconds.

    Attributes:
        interval: Before the first look. Coze asks for at most one look per second (coze.cn page chat_v3).
        factor: By how much each wait is longer than the one before.
        max_interval: The longest wait.
        timeout: For the whole; then PollTimeoutError.
    """

    interval: float = 1.0
    factor: float = 1.5
    max_interval: float = 5.0
    timeout: float | None = 600.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            given = getattr(self, name)
            if not (is_number(given) or (given is None and name == "timeout")):
                raise ConfigurationError(f"Polling.{name} is {given!r}: give a number.")
        if not self.interval > 0 or not self.max_interval > 0:
            raise ConfigurationError("Polling.interval and Polling.max_interval must be above 0 seconds.")
        if self.factor < 1:
            raise ConfigurationError(f"Polling.factor is {self.factor!r}: give 1 for a steady pace, more to slow down.")
        if self.timeout is not None and not self.timeout > 0:
            raise ConfigurationError("Polling.timeout must be above 0 seconds, or None for no limit.")


class Options(NamedTuple):
    """What a view of the client may change.

    Attributes:
        timeouts: How long to wait.
        retry: What to send again, and when.
        headers: Sent with every request.
        user: Whose limits hold for requests that name no user.
        inline_reasoning: True takes `<think>…</think>` at the start of an answer for reasoning.
    """

    timeouts: Timeouts = Timeouts()
    retry: Retry = Retry()
    headers: Mapping[str, str] = MappingProxyType({})
    user: str | None = None
    inline_reasoning: bool = False


def environment(name: str) -> str | None:
    """Return a setting from the environment, None if it is not set or blank."""
    return os.environ.get(name, "").strip() or None


def checked_base_url(base_url: str | None) -> str:
    """Return the base URL without its last slash; None reads COZE_API_BASE, else takes api.coze.cn.

    Raises:
        ConfigurationError: it is no http(s) URL, the console instead of the API, or carries a part of an API path.
    """
    named: Any = base_url if base_url is not None else environment("COZE_API_BASE") or COZE_CN_BASE_URL
    if not isinstance(named, str):
        raise ConfigurationError(f"base_url is a {type(named).__name__}: give a text like {COZE_CN_BASE_URL!r}.")
    shown = _without_secrets(named)
    try:
        parts = urlsplit(named.strip())
        host, _ = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigurationError(
            f"base_url {shown!r} is no URL: {error}. Use one like {COZE_CN_BASE_URL!r}."
        ) from error
    if parts.scheme not in ("http", "https") or not host:
        raise ConfigurationError(
            f"base_url {shown!r} must begin with https:// or http:// and name a host, like {COZE_CN_BASE_URL!r}."
        )
    if host in _CONSOLE_HOSTS:
        raise ConfigurationError(f"base_url {shown!r} is the console, not the API. Use {_CONSOLE_HOSTS[host]!r}.")
    if parts.query or parts.fragment or parts.username is not None:
        raise ConfigurationError(
            f"base_url {shown!r} has more than scheme, host, port and path. Leave a query, a "
            "fragment or a user name out; credentials belong into `auth`."
        )
    path = parts.path.strip("/")
    root = f"{parts.scheme}://{shown.partition('://')[2].partition('/')[0]}"
    if path and (host in _CLOUD_HOSTS or not _OWN_PATHS.isdisjoint(path.split("/"))):
        raise ConfigurationError(
            f"base_url {shown!r} has the path '/{path}', which this library adds by itself. "
            f"Use {_CLOUD_HOSTS.get(host, root)!r}."
        )
    return named.strip().rstrip("/")


def _without_secrets(url: str) -> str:
    """Return a URL for people: without what stands before an @."""
    scheme, separator, rest = url.partition("://") if "://" in url else ("", "", url)
    place, slash, path = rest.partition("/")
    return f"{scheme}{separator}{place.rpartition('@')[2]}{slash}{path}"
