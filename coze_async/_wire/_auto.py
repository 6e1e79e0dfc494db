"""The wire of a client: it chooses, for each request, between our own transport and an HTTP client."""

import contextlib
import functools
import ssl
import sys
import urllib.request
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from coze_async._config import Timeouts, environment
from coze_async._errors import ClosedError, ConfigurationError
from coze_async._logging import guard_httpx_log, log
from coze_async._wire._failures import WireError, error_for
from coze_async._wire._headers import own_headers
from coze_async._wire._httpx import HttpxWire
from coze_async._wire._loops import Loop, this_loop
from coze_async._wire._protocol import Deadline, Wire, WireRequest, WireResponse

if TYPE_CHECKING:
    import httpx

    from coze_async._wire._fast import FastWire

__all__ = ["AutoWire"]


class AutoWire:
    """Sends over `FastWire` on asyncio, and over an HTTP client on trio, through proxies, and where somebody watches.

    Connections belong to the event loop that made them: another loop gets new ones, once the first is over.

    Args:
        base_url: The server.
        http_client: The user's own client of httpx or httpx2, which stays open.
        transport: The user's own transport.
        is_lent: True if the transport stays open.
    """

    def __init__(
        self,
        base_url: str,
        *,
        http_client: Any = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
        is_lent: bool = False,
    ) -> None:
        self._base_url = base_url
        self._transport = transport
        self._is_lent = is_lent
        self._has_client = http_client is not None
        self._slow: HttpxWire | None = None if http_client is None else HttpxWire(http_client, base_url, is_ours=False)
        self._fast: FastWire | None = None
        self._loop: Loop | None = None
        self._told: str = ""
        self._is_closed = False
        guard_httpx_log(urlsplit(base_url).hostname or "")

    @property
    def is_closed(self) -> bool:
        """True after `aclose`."""
        return self._is_closed

    def check(self) -> None:
        """Refuse a closed wire, and one that another event loop uses.

        Raises:
            ClosedError: it is closed.
            RuntimeError: another event loop uses it.
        """
        if self._is_closed:
            raise ClosedError("This AsyncCoze is closed. Make a new one, or keep it open with `async with`.")
        fast = self._fast
        if fast is not None and fast.is_here():
            return
        loop = this_loop()
        if loop is self._loop:
            return
        if self._loop is not None:
            self._loop.check_over("AsyncCoze")
        # Connections of a loop that is over cannot be used, nor closed, any more.
        self._loop, self._fast = loop, None
        if not self._has_client:
            self._slow = None

    async def load(self) -> None:
        """Do what the first request would wait for, and what needs no network."""
        self.check()
        if self._has_client or self._transport is not None:
            return
        # What is wrong is said by the first request: not every client makes one.
        with contextlib.suppress(ConfigurationError, WireError):
            wire = self._chosen()
            if self._fast is not None and wire is self._fast:
                await self._fast.load()

    def send(
        self, request: WireRequest, timeouts: Timeouts, head: Deadline | None, total: Deadline | None
    ) -> Awaitable[WireResponse]:
        """See `Wire.send`; call `check` before.

        Raises:
            ClosedError: the client is closed.
        """
        if self._is_closed:
            self.check()
        try:
            wire = self._chosen()
        except WireError as error:
            raise error_for(error.failure, str(error), request, timeouts, self._base_url) from None
        return wire.send(request, timeouts, head, total)

    def _chosen(self) -> Wire:
        fast = self._fast
        if fast is not None and fast.can_serve():
            return fast
        reason = self._why_not_fast()
        if not reason:
            from coze_async._wire._fast import FastWire

            if self._fast is None:
                self._fast = FastWire(self._base_url, functools.partial(_ssl_context, self._base_url))
            self._tell("its own transport", "asyncio runs, and no proxy stands between")
            return self._fast
        self._tell("an HTTP client", reason)
        if self._slow is None:
            client = _http_client(self._base_url, self._transport)
            self._slow = HttpxWire(client, self._base_url, is_ours=not self._is_lent)
        return self._slow

    def _why_not_fast(self) -> str:
        """Return why an HTTP client has to be used; empty if it need not."""
        if self._has_client:
            return "http_client was given"
        if self._transport is not None:
            return "transport was given"
        if "asyncio" not in sys.modules:
            return "asyncio is not in use"
        if _has_proxy(self._base_url):
            return "the environment names a proxy"
        from coze_async._wire._fast import is_pristine, runs_here

        if not runs_here():
            return "this task is not one of asyncio"
        return "" if is_pristine() else "something has replaced functions of httpx"

    def _tell(self, road: str, reason: str) -> None:
        if road != self._told:
            self._told = road
            log.debug("requests to %s go over %s: %s", self._base_url, road, reason)

    async def aclose(self) -> None:
        """Close the connections; a client that the user brought stays open."""
        self._is_closed = True
        if self._loop is not None and self._loop is not this_loop():
            return
        try:
            if self._fast is not None:
                await self._fast.aclose()
        finally:
            if self._slow is not None:
                await self._slow.aclose()


@functools.cache
def _certificates() -> ssl.SSLContext:
    """Return the context of all clients of the process: parsing the store takes tens of milliseconds.

    It trusts what httpx trusts by default: SSL_CERT_FILE, SSL_CERT_DIR, else the certificates of certifi.
    """
    if file := environment("SSL_CERT_FILE"):
        return ssl.create_default_context(cafile=file)
    if folder := environment("SSL_CERT_DIR"):
        return ssl.create_default_context(capath=folder)
    import certifi

    return ssl.create_default_context(cafile=certifi.where())


def _ssl_context(base_url: str) -> ssl.SSLContext:
    """Return the context for a server; the first one for https parses the certificates, once per process."""
    if base_url.startswith("http:") and not urllib.request.getproxies():
        # Nothing will be encrypted; a context without certificates costs nothing, and would refuse if it were used.
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        return _certificates()
    except (OSError, ValueError) as error:
        raise _unusable(base_url, str(error)) from error


def _http_client(base_url: str, transport: "httpx.AsyncBaseTransport | None") -> "httpx.AsyncClient":
    """Return an HTTP client over a transport; None takes httpx's own.

    Raises:
        ConfigurationError: the environment names a proxy or certificates that cannot be used.
    """
    import httpx

    verify = True if transport is not None else _ssl_context(base_url)
    # How many at once is the limiter's business.
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0)
    try:
        return httpx.AsyncClient(transport=transport, verify=verify, limits=limits, headers=own_headers({}))
    except (ValueError, ImportError) as error:
        raise _unusable(base_url, str(error)) from error
    except httpx.InvalidURL:
        pass
    # Not chained: an invalid URL is quoted in it, and may be a part of a password.
    raise _unusable(base_url, "an address in the environment is an invalid URL (in a password `/` is written as `%2F`)")


def _unusable(base_url: str, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"No HTTP client can be made for {base_url}: {reason.rstrip('.')}. Check the environment: HTTP_PROXY, "
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY, SSL_CERT_FILE, SSL_CERT_DIR."
    )


def _has_proxy(base_url: str) -> bool:
    """True if the environment names a proxy for a server, and does not except the server."""
    parts, proxies = urlsplit(base_url), urllib.request.getproxies()
    return bool(proxies.get(parts.scheme) or proxies.get("all")) and not urllib.request.proxy_bypass(parts.netloc)
