"""What separates accounts in one Redis; and a script there, run by redis.asyncio or coredis, whichever is given."""

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from types import ModuleType
from typing import Any
from urllib.parse import SplitResult, quote, urlsplit

import anyio

from coze_async._errors import ConfigurationError, CozeError, TransportError

__all__ = ["PREFIX", "RedisScript", "checked_prefix", "place_of", "usable_url"]

PREFIX = "coze"
"""What the keys in Redis begin with, in braces, if nobody gives another."""

_SCHEMES = ("redis", "rediss", "unix")
_CREDENTIALS_IN_QUERY = re.compile(r"[?&](?:username|password)=")


class RedisScript:
    """A script that a Redis server keeps and runs.

    Args:
        redis: The URL of a server, or a client of redis.asyncio or coredis, which stays yours to close.
        script: Its source, in Lua.
        timeout: How long one run may take, with all that it needs, in seconds.

    Raises:
        ConfigurationError: it is neither.
    """

    def __init__(self, redis: Any, script: str, *, timeout: float) -> None:
        self._url = redis if isinstance(redis, str) else None
        self._library = "redis" if self._url is not None else _library_of(redis)
        self._client: Any = None if self._url is not None else redis
        self._script = script
        self._digest = hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
        self._timeout = timeout
        self._errors: tuple[type[Exception], ...] = ()
        self.place: str = place_of(self._url) if self._url is not None else f"a {self._library} client"

    def open(self) -> None:
        """Make the client, without connecting it.

        Raises:
            ConfigurationError: it cannot work here.
        """
        exceptions: ModuleType
        # What anyio makes comes from the backend that runs.
        if self._library == "redis" and "asyncio" not in type(anyio.Event()).__module__:
            raise ConfigurationError(
                "redis.asyncio runs on asyncio only, and this is another event loop. "
                "Give RedisLimiter a coredis client (6 or newer), which runs on trio too."
            )
        if self._library == "coredis":
            from coredis import exceptions
        else:
            try:
                from redis import exceptions
            except ImportError as error:
                raise ConfigurationError("RedisLimiter needs redis: pip install 'coze_async[redis]'.") from error
        broken = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)
        self._errors = (exceptions.RedisError, OSError, TimeoutError, EOFError, *broken)
        if self._url is not None:
            from redis import asyncio as library
            from redis.asyncio.retry import Retry
            from redis.backoff import NoBackoff

            # Its functions are typed in part only.
            untyped: Any = library
            seconds = {"socket_timeout": self._timeout, "socket_connect_timeout": self._timeout}
            self._client = untyped.from_url(usable_url(self._url), retry=Retry(NoBackoff(), 0), **seconds)

    async def aclose(self) -> None:
        """Close the client if it was made here."""
        if self._url is not None and self._client is not None:
            await self._client.aclose()

    async def run(self, keys: Sequence[str], arguments: Sequence[str | int]) -> list[int]:
        """Run the script and return its answer.

        Raises:
            TransportError: the server does not answer, or refuses; its text says why, and no more.
            ConfigurationError: the client cannot work here.
        """
        try:
            with anyio.fail_after(self._timeout):
                try:
                    return await self._evaluated(keys, arguments)
                except self._errors as error:
                    if isinstance(error, TimeoutError) or _is_refusal(error):
                        raise
                # A connection that lay idle may have been closed by the server; now there is a new one.
                return await self._evaluated(keys, arguments)
        except RuntimeError as error:
            raise self._misused(error) from error
        except Exception as error:
            # Whatever the client raises: RedisClusterException, for one, is no RedisError.
            raise self._failed(error) from error

    async def _evaluated(self, keys: Sequence[str], arguments: Sequence[str | int]) -> list[int]:
        try:
            return await self._called(self._client.evalsha, self._digest, keys, arguments)
        except self._errors as error:
            if type(error).__name__ != "NoScriptError":
                raise
        # A server that was restarted, or whose scripts were flushed, learns it again by running it.
        return await self._called(self._client.eval, self._script, keys, arguments)

    def _called(
        self,
        command: Callable[..., Awaitable[list[int]]],
        script: str,
        keys: Sequence[str],
        arguments: Sequence[str | int],
    ) -> Awaitable[list[int]]:
        # A user may be called anything, half a surrogate pair included.
        names = [key.encode("utf-8", "surrogatepass") for key in keys]
        if self._library == "coredis":
            return command(script, keys=names, args=arguments)
        return command(script, len(names), *names, *arguments)

    def _failed(self, error: Exception) -> TransportError:
        reason = str(error).strip().rstrip(".") or f"no answer within {self._timeout:g} s"
        return TransportError(f"{type(error).__name__}: {reason}", may_have_arrived=False)

    def _misused(self, error: RuntimeError) -> CozeError:
        """Return the error for a client that cannot work here, or not any more."""
        if self._library == "coredis" and "pool" in str(error):
            return ConfigurationError(
                "The coredis client is not open. Enter it before the limiter: "
                "`async with client, RedisLimiter(client) as limiter:`."
            )
        return self._failed(error)


def checked_prefix(prefix: str) -> str:
    """Return a prefix that can be one.

    Raises:
        ConfigurationError: it cannot. What nobody sees, as the end of a line, would separate those who belong together.
    """
    is_name = isinstance(prefix, str) and prefix.strip() == prefix != "" and prefix.isprintable()
    if not is_name or set(prefix) & set("{}"):
        raise ConfigurationError(
            f"prefix is {prefix!r}: give a name without braces, line ends or spaces around it, such as 'staging'."
        )
    return prefix


def _library_of(client: object) -> str:
    for base in type(client).__mro__:
        if base.__module__.startswith("redis.asyncio"):
            return "redis"
        if base.__module__.partition(".")[0] == "coredis":
            return "coredis"
        if base.__module__.partition(".")[0] == "redis":
            raise ConfigurationError(
                f"This {type(client).__name__} of redis blocks the event loop: "
                "give redis.asyncio.Redis, a coredis client, or the URL."
            )
    raise ConfigurationError(
        f"RedisLimiter was given a {type(client).__name__}: give a URL, such as 'redis://localhost:6379', "
        "or a client of redis.asyncio or coredis."
    )


def place_of(url: str) -> str:
    """Return where a URL points to, without the credentials in it, whatever they hold.

    Raises:
        ConfigurationError: it is no URL of a Redis server; nothing of it is repeated.
    """
    parts = _read(usable_url(url))
    if parts is None or "://" not in url or parts.scheme not in _SCHEMES or not (parts.hostname or parts.path):
        raise ConfigurationError(
            "This is no URL of a Redis server: it begins with redis://, rediss:// or unix://, "
            "such as 'redis://localhost:6379/0'."
        )
    # What stands before an `@` may be a password, wherever the `@` is; what stands after one in a query, too.
    scheme, _, rest = _CREDENTIALS_IN_QUERY.split(url, maxsplit=1)[0].partition("://")
    return f"{scheme}://{re.split('[?#]', rest.rpartition('@')[2], maxsplit=1)[0]}"


def usable_url(url: str) -> str:
    """Return a URL that Redis clients can read: a password with `/`, `?`, `#` or a space in it stands quoted there."""
    scheme, separator, rest = url.partition("://")
    credentials, at, place = rest.rpartition("@")
    if not (separator and at) or _is_regular(_read(url)):
        return url
    quoted = quote(credentials, safe=":%!$&'()*+,;=")
    return f"{scheme}://{quoted}@{place}"


def _is_regular(parts: SplitResult | None) -> bool:
    """True unless a password has been taken for a port, a path or a query."""
    if parts is None or not parts.hostname or "@" in parts.path + parts.fragment:
        return False
    return "@" not in parts.query or "=" in parts.query


def _read(url: str) -> SplitResult | None:
    """Return the parts of a URL, None if it has no such parts."""
    try:
        parts = urlsplit(url)
        # Reading the port is what checks it.
        _ = parts.port
    except ValueError:
        return None
    return parts


def _is_refusal(error: Exception) -> bool:
    """True if the server answered, and the answer is an error."""
    return any(base.__name__ == "ResponseError" for base in type(error).__mro__)
