"""What all views of one client share, and the connections among it."""

import contextlib
import functools
import ssl
import sys
import urllib.request
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx
from anyio.lowlevel import RunVar

from coze_async._auth import Auth
from coze_async._body import Body
from coze_async._connection import Outgoing, within
from coze_async._errors import ConfigurationError
from coze_async._exchange import Exchange
from coze_async._limits import Limiter
from coze_async._logging import guard_httpx_log
from coze_async._retry import Budget

if TYPE_CHECKING:
    from coze_async._fast import FastTransport, Shortcut

__all__ = ["Session"]

# So much of a body goes out without the server's help.
_SHORT = 65536
# httpx looks at every character of an address, and a poll asks for the same one each time.
_url = functools.lru_cache(256)(httpx.URL)

_LOOP: RunVar[object] = RunVar("coze_async.loop")


def _this_loop() -> object:
    """Return something that is the same object as long as the same event loop runs."""
    loop = _LOOP.get(None)
    if loop is None:
        loop = object()
        _LOOP.set(loop)
    return loop


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the context of all clients of the process: parsing the store takes tens of milliseconds.

    It is done on the event loop: a thread's work is no event, and a virtual clock would run past it.
    """
    return httpx.create_ssl_context()


def _ssl_context(base_url: str) -> ssl.SSLContext:
    """Return the context for a server; the first one for https parses the certificates, once per process."""
    if base_url.startswith("http:") and not urllib.request.getproxies():
        # Nothing will be encrypted; a context without certificates costs nothing, and would refuse if it were used.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return _certificates()
    except (OSError, ValueError) as error:
        raise _unusable(base_url, str(error)) from error


def _http_client(base_url: str, transport: httpx.AsyncBaseTransport | None) -> httpx.AsyncClient:
    """Return an HTTP client over a transport; None takes httpx's own."""
    verify = True if transport else _ssl_context(base_url)
    # How many at once is the limiter's business.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
    try:
        return httpx.AsyncClient(transport=transport, verify=verify, limits=limits)
    except (ValueError, ImportError) as error:
        raise _unusable(base_url, str(error)) from error
    except httpx.InvalidURL:
        pass
    # Not chained: what is no URL is quoted in it, and may be a part of a password.
    raise _unusable(base_url, "an address in the environment is no URL (in a password `/` is written as `%2F`)")


def _unusable(base_url: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"No HTTP client can be made for {base_url}: {reason.rstrip('.')}. Check the environment: HTTP_PROXY, "
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR."
    )


def _has_proxy(base_url: str) -> bool:
    """True if the environment names a proxy for a server, and does not except the server."""
    parts, proxies = urlsplit(base_url), urllib.request.getproxies()
    return bool(proxies.get(parts.scheme) or proxies.get("all")) and not urllib.request.proxy_bypass(parts.netloc)


def _is_short(body: bytes | Outgoing | None) -> bool:
    return body is None or (isinstance(body, bytes) and len(body) <= _SHORT)


class Session:
    """What all views of one client share: the connections, the login, the limits, the budget of repeats."""

    def __init__(
        self,
        *,
        base_url: str,
        auth: Auth,
        limiter: Limiter,
        budget: Budget,
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.base_url = base_url
        self.host: str = urlsplit(base_url).hostname or ""
        self.auth = auth
        self.limiter = limiter
        self.budget = budget
        self.observe = observe
        self._client = http_client
        self._is_ours = http_client is None
        self._transport = transport
        self._shortcut: Shortcut | None = None
        self._loop: object = None
        self._closed = False
        guard_httpx_log(self.host)

    @property
    def is_closed(self) -> bool:
        """True after `aclose`."""
        return self._closed

    @property
    def watches_reading(self) -> bool:
        """True if the transport is httpx's own, which keeps to a read time-out; others may know of none.

        A timer for every piece of a stream would cost more than the piece.
        """
        return self._is_ours and self._transport is None

    def check_open(self) -> None:
        """Raise RuntimeError after `aclose`."""
        if self._closed:
            raise RuntimeError("This AsyncCoze is closed. Make a new one, or keep it open with `async with`.")

    async def load(self) -> None:
        """Do what the first request would wait for, and what needs no network."""
        self.check_open()
        _this_loop()
        if self.watches_reading:
            # What is wrong is said by the first request: not every client makes one.
            with contextlib.suppress(ConfigurationError, httpx.InvalidURL):
                self.client()
                if self._shortcut is not None:
                    await self._shortcut.load()

    def client(self) -> httpx.AsyncClient:
        """Return the HTTP client; made at the first request, so that construction does no I/O.

        Raises:
            ConfigurationError: the environment names a proxy or certificates that cannot be used.
        """
        self.check_open()
        if not self._is_ours and self._client is not None:
            return self._client
        loop = _this_loop()
        if self._client is None or self._loop is not loop:
            # Connections belong to the event loop that made them; another `asyncio.run` gets new ones.
            fast = None if self._transport else self._fast_transport()
            client = _http_client(self.base_url, self._transport or fast)
            self._shortcut = self._shortcut_past(client, fast)
            # Last: what has gone wrong before must not leave the client of another loop.
            self._client, self._loop = client, loop
        return self._client

    def send(
        self,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | Outgoing | None,
        timeouts: dict[str, float | None],
        first: float | None,
    ) -> Awaitable[Body]:
        """Send a request, and return when awaited the answer with its body unread.

        Args:
            method: The HTTP verb.
            target: Path and query below the base URL, quoted.
            headers: All that are to be sent, but those of the connection.
            body: A stream has its length in the headers, or is sent in chunks.
            timeouts: As httpx has them in the extensions of a request.
            first: Seconds until the head of the answer has to be there, from the last piece that is sent; None if the
                transport sees to that. It ends the wait by a TimeoutError, or an httpx.ReadTimeout.
        """
        client = self.client()
        shortcut = self._shortcut
        if shortcut is None or not shortcut.is_open:
            answer = self._sent_by(client, method, target, headers, body, timeouts)
        else:
            if first is not None and shortcut.is_connected and _is_short(body):
                # Nothing else takes time, so that it needs no timer of its own.
                timeouts["first"], first = first, None
            answer = shortcut.send(method, target, headers, body, timeouts)
        return answer if first is None else within(answer, first, body if isinstance(body, Outgoing) else None)

    async def _sent_by(
        self,
        client: httpx.AsyncClient,
        method: str,
        target: str,
        headers: dict[str, str],
        body: bytes | Outgoing | None,
        timeouts: dict[str, float | None],
    ) -> Body:
        message = client.build_request(
            method,
            _url(f"{self.base_url}{target}"),
            content=body,
            headers=headers,
            extensions={"timeout": timeouts},
        )
        if isinstance(body, Outgoing):
            # As it is, without the generator that httpx would put around it.
            message.stream = body
        return Body.of(await client.send(message, stream=True))

    def _shortcut_past(self, client: httpx.AsyncClient, fast: "FastTransport | None") -> "Shortcut | None":
        if fast is None:
            return None
        from coze_async._fast import Shortcut

        return Shortcut(client, fast, self.base_url)

    def _fast_transport(self) -> "FastTransport | None":
        """Return our own transport, None where it cannot serve: on trio, and where a proxy stands between."""
        if "asyncio" not in sys.modules or _has_proxy(self.base_url):
            return None
        from coze_async._fast import FastTransport, runs_here

        if not runs_here():
            return None
        # A connection that is free costs little, and is closed soon.
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None, keepalive_expiry=30.0)
        return FastTransport(limits, functools.partial(_ssl_context, self.base_url))

    async def aclose(self) -> None:
        """Close the connections; a client that the user brought stays open."""
        self._closed = True
        if self._client is not None and self._is_ours and self._loop is _this_loop():
            await self._client.aclose()
