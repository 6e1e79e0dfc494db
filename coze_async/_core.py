"""One request in, one answer out: turn -> retry -> auth -> attempt."""

import functools
import logging
import platform
import ssl
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import anyio
import httpx

from coze_async._auth import Auth
from coze_async._config import Options
from coze_async._envelope import content_type_of, logid_of, open_envelope
from coze_async._errors import (
    APIError,
    ConfigurationError,
    CozeError,
    DecodeError,
    RateLimitError,
    RequestTimeoutError,
    TransportError,
    api_error,
)
from coze_async._exchange import Exchange, Reply, Request
from coze_async._limits import Limiter, Slot
from coze_async._logging import guard_httpx_log, log, redact, shortened
from coze_async._retry import Budget, may_repeat, retry_after
from coze_async._version import __version__

__all__ = ["Core", "OpenStream", "Session"]

T = TypeVar("T")

# How long closing may wait for a peer, in seconds.
_CLOSING = 2.0
# How long the rest of a finished stream may take, in seconds; longer, and the connection is thrown away.
_DRAINING = 1.0


class _Body:
    """The body of a response in pieces. Closing it early throws the connection away; reading on keeps it."""

    __slots__ = ("_pieces", "has_ended", "response")

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        # Set by who has read to the end: then there is nothing to wait for, and nothing to end from the inside.
        self.has_ended = False
        # Without compression the stream itself is read: the layers of `aiter_raw` cost more than the event in a piece.
        stream = response.stream
        encoded = "content-encoding" in response.headers or not isinstance(stream, httpx.AsyncByteStream)
        self._pieces: AsyncIterator[bytes] = response.aiter_bytes() if encoded else aiter(stream)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]

    def next(self) -> Awaitable[bytes]:
        """Return the next piece when awaited; StopAsyncIteration at the end."""
        return anext(self._pieces)

    async def aclose(self) -> None:
        if self.has_ended:
            await self.response.aclose()
            return
        with anyio.move_on_after(_CLOSING, shield=True):
            await self.response.aclose()
            # httpx reads through generators within generators. Left as they are, trio would warn of each; reading on
            # from what is now closed ends them from the inside.
            for _ in range(4096):
                try:
                    await anext(self._pieces)
                except (StopAsyncIteration, httpx.HTTPError, anyio.ClosedResourceError, RuntimeError):
                    # RuntimeError: httpx knows that it is closed, or another task still reads and ends them itself.
                    break


class OpenStream:
    """A response whose body is still to be read, and all that must be given back afterwards."""

    __slots__ = ("__weakref__", "_body", "_closer", "_slot", "_waiting", "logid", "name", "started")

    def __init__(self, body: _Body, slot: Slot, *, name: str, logid: str | None, started: float) -> None:
        self._body = body
        self._slot = slot
        self._closer: AsyncGenerator[None, None] | None = _closing(body)
        self._waiting: anyio.CancelScope | None = None
        self.name = name
        self.logid = logid
        self.started = started

    async def prepare(self) -> None:
        """Start what closes the connection even if nobody does."""
        if self._closer is not None:
            await anext(self._closer)

    async def next(self, seconds: float | None) -> bytes:
        """Return the next piece; StopAsyncIteration at the end.

        Args:
            seconds: How long it may take; None leaves it to the transport, which watches `Timeouts.idle`.

        Raises:
            TimeoutError: it took longer.
            TransportError: the connection was lost.
        """
        piece: bytes | None = None
        try:
            if seconds is None:
                piece = await self._body.next()
            else:
                with anyio.move_on_after(seconds) as self._waiting:
                    piece = await self._body.next()
        except httpx.ReadTimeout as error:
            raise TimeoutError from error
        except httpx.HTTPError as error:
            raise TransportError(f"the connection was lost ({str(error) or type(error).__name__})") from error
        if self._closer is None:
            # Another task has closed this meanwhile, and could not end what was being read here.
            await self._body.aclose()
            raise StopAsyncIteration
        if piece is None:
            raise TimeoutError
        return piece

    async def drain(self) -> None:
        """Read what is left, for a second at most, so that the connection can be used again; then close."""
        try:
            with anyio.move_on_after(_DRAINING):
                while True:
                    await self._body.next()
        except (StopAsyncIteration, httpx.HTTPError):
            # What was wanted has been read; how the rest ends does not matter.
            pass
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Free the connection and the user's slot, and wake who waits in `next`; more than once does no harm."""
        self._slot.release()
        if self._waiting is not None:
            self._waiting.cancel()
        closer, self._closer = self._closer, None
        if closer is not None:
            await closer.aclose()

    def abandon(self) -> None:
        """Do the same when the last reference is gone: the backend's own hook for generators closes, very soon."""
        self._slot.release()
        if self._closer is None:
            return
        import warnings

        with warnings.catch_warnings():
            # trio tells of generators that were left. This one is there to be left.
            warnings.simplefilter("ignore", ResourceWarning)
            self._closer = None


async def _within(awaitable: Awaitable[T], seconds: float | None) -> T:
    """Await something, but not longer than so many seconds; then TimeoutError."""
    with anyio.move_on_after(seconds):
        return await awaitable
    raise TimeoutError


async def _closing(body: _Body) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        await body.aclose()


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
        self.host = urlsplit(base_url).hostname or ""
        self.auth = auth
        self.limiter = limiter
        self.budget = budget
        self.observe = observe
        self._client = http_client
        self._is_ours = http_client is None
        self._transport = transport
        self._closed = False
        guard_httpx_log(self.host)

    @property
    def watches_reading(self) -> bool:
        """True if the transport is httpx's own, which keeps to a read time-out; others may know of none.

        A timer for every piece of a stream would cost more than the piece.
        """
        return self._is_ours and self._transport is None

    def client(self) -> httpx.AsyncClient:
        """Return the HTTP client; made at the first request, so that construction does no I/O."""
        if self._closed:
            raise RuntimeError("This AsyncCoze is closed. Make a new one, or keep it open with `async with`.")
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=self._transport,
                verify=True if self._transport else _ssl_context(self.base_url),
                # How many at once is the limiter's business.
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=100, keepalive_expiry=30.0),
            )
        return self._client

    async def aclose(self) -> None:
        """Close the connections; a client that the user brought stays open."""
        self._closed = True
        if self._client is not None and self._is_ours:
            await self._client.aclose()


class Core:
    """Sends requests with one set of options."""

    def __init__(self, session: Session, options: Options) -> None:
        self.session = session
        self.options = options

    async def send(self, request: Request) -> Reply:
        """Send a request, again if that is allowed and helps, and return the whole answer.

        Raises:
            APIError: the server answered with an error.
            TransportError: no answer came.
            DecodeError: the answer is neither JSON nor an event stream.
        """
        return await self._in_time(self._repeated(request, self._answer), request)

    async def open(self, request: Request, *, slot: str | None) -> OpenStream:
        """Send a request for a stream and return it as soon as its headers are there.

        Args:
            request: What to send.
            slot: The user who gets one more chat in flight until the stream is closed; None for no limit.

        Raises:
            APIError: the server answered with an error instead of a stream.
            TransportError: no answer came.
            DecodeError: the answer is a whole one, not a stream.
        """
        taken = await self.slot(slot)
        try:
            body, started = await self._repeated(request, self._stream)
        except BaseException:
            taken.release()
            raise
        opened = OpenStream(body, taken, name=request.name, logid=logid_of(body.response.headers), started=started)
        await opened.prepare()
        return opened

    @property
    def transport_is_patient(self) -> bool:
        """True if a read time-out of `Timeouts.idle` cannot end the wait for a first event too early."""
        timeouts = self.options.timeouts
        return timeouts.idle is not None and timeouts.first_event is not None and timeouts.first_event <= timeouts.idle

    @property
    def watches_idle(self) -> bool:
        """True if the transport sees to it that `Timeouts.idle` holds."""
        return self.options.timeouts.idle is None or (self.session.watches_reading and self.transport_is_patient)

    async def slot(self, user: str | None) -> Slot:
        """Wait until a user may have one more chat in flight."""
        return Slot() if user is None else await self.session.limiter.slot(user)

    def error(self, what: str, code: int | None, msg: str, **more: Any) -> APIError:
        """Build the error for what a server said, without secrets."""
        session = self.session
        msg = self.redacted(msg)
        return api_error(what, code=code, msg=msg, host=session.host, base_url=session.base_url, **more)

    def redacted(self, text: str) -> str:
        """Return a text without credentials, shortened."""
        return shortened(redact(text, self.session.auth.secrets()))

    async def _in_time(self, call: Awaitable[T], request: Request) -> T:
        total = self.options.timeouts.total
        if total is None:
            return await call
        with anyio.move_on_after(total):
            return await call
        raise self._timed_out(request, "total", total)

    async def _repeated(self, request: Request, run: Callable[[Request, "_Attempt"], Awaitable[T]]) -> T:
        """Run attempts until one succeeds or the next one is not allowed."""
        session, retry = self.session, self.options.retry
        number = 1
        while True:
            await session.limiter.turn(request.kind, request.user)
            attempt = _Attempt(number, anyio.current_time())
            try:
                result = await run(request, attempt)
            except CozeError as error:
                wait = self._wait(request, number, error)
                self._observe(request, attempt, error, wait)
                if isinstance(error, RateLimitError):
                    pause = (error.retry_after or retry.initial) if wait is None else wait
                    # Who asks next gets the error again rather than a call that hangs for an hour.
                    session.limiter.push_back(request.kind, request.user, min(pause, retry.max_retry_after))
                if wait is None:
                    raise
                await anyio.sleep(wait)
                number += 1
            else:
                session.budget.answered()
                self._observe(request, attempt, None, None)
                return result

    def _wait(self, request: Request, attempt: int, error: CozeError) -> float | None:
        """Return how long to wait before the next attempt; None if there must be none."""
        retry = self.options.retry
        if attempt >= retry.attempts or not may_repeat(error, safe=request.safe):
            return None
        if isinstance(error, APIError) and (error.retry_after or 0.0) > retry.max_retry_after:
            return None
        # A refusal for the rate is an answer of a server that works; what fails draws on the budget.
        if not isinstance(error, RateLimitError) and not self.session.budget.spend():
            return None
        return retry.wait(attempt, error)

    def _observe(self, request: Request, attempt: "_Attempt", error: CozeError | None, wait: float | None) -> None:
        if self.session.observe is None and not log.isEnabledFor(logging.DEBUG):
            return
        seconds = anyio.current_time() - attempt.began
        exchange = Exchange(
            method=request.method,
            path=request.path,
            attempt=attempt.number,
            seconds=seconds,
            status=attempt.status,
            code=getattr(error, "code", None),
            logid=attempt.logid,
            error=error,
            retry_in=wait,
            user=request.user,
        )
        log.debug(
            "%s: attempt %d, HTTP %s, %s, %.3f s, logid %s%s",
            request.name,
            exchange.attempt,
            exchange.status,
            type(error).__name__ if error else "answered",
            seconds,
            exchange.logid,
            "" if wait is None else f", again in {wait:.2f} s",
        )
        if self.session.observe is not None:
            try:
                self.session.observe(exchange)
            except Exception:  # noqa: BLE001 - who watches must not break what is watched
                log.exception("`observe` failed on %s", request.name)

    async def _answer(self, request: Request, attempt: "_Attempt") -> Reply:
        """Make one attempt and read the whole answer."""
        response = await self._sent(request, attempt, "application/json", "idle")
        body = _Body(response)
        try:
            content = await self._whole(body, request)
        finally:
            await body.aclose()
        return self._checked(request, attempt, response, content)

    async def _stream(self, request: Request, attempt: "_Attempt") -> tuple[_Body, float]:
        """Make one attempt and return the open body."""
        response = await self._sent(request, attempt, "text/event-stream", "first_event")
        body = _Body(response)
        kind = content_type_of(response.headers)
        # Some gateways name no type, or text/plain; what then comes is looked at when it is read.
        if response.status_code < 300 and kind in ("text/event-stream", "text/plain", ""):
            return body, attempt.began
        try:
            content = await self._whole(body, request)
        finally:
            await body.aclose()
        self._checked(request, attempt, response, content)
        raise DecodeError(
            f"{request.name} was asked for a stream and answered with {kind or 'no content type'}: "
            f"{self.redacted(content.decode('utf-8', 'replace'))}",
            body=self.redacted(content.decode("utf-8", "replace")),
            logid=attempt.logid,
        )

    async def _sent(self, request: Request, attempt: "_Attempt", accept: str, limit: str) -> httpx.Response:
        """Send once and return the response with its body unread."""
        session, options = self.session, self.options
        if request.session and session.auth.kind != "session":
            raise ConfigurationError(
                f"{request.name} takes the cookie of a signed-in browser, not a token. "
                "Make the client with AsyncCoze(SessionAuth('…session_key…'), base_url=…)."
            )
        client = session.client()
        headers = {"Accept": accept, "User-Agent": _user_agent(), **request.headers, **options.headers}
        headers |= await session.auth.headers()
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        query = f"?{urlencode(request.query)}" if request.query else ""
        timeouts = options.timeouts
        seconds = getattr(timeouts, limit)
        reading = timeouts.idle if session.watches_reading and self.transport_is_patient else None
        try:
            message = client.build_request(
                request.method,
                _url(f"{session.base_url}{request.path}{query}"),
                content=request.body,
                headers=headers,
                timeout=httpx.Timeout(connect=timeouts.connect, read=reading, write=timeouts.write, pool=timeouts.pool),
            )
            answer = client.send(message, stream=True)
            response = await (answer if limit == "idle" and self.watches_idle else _within(answer, seconds))
        except (TimeoutError, httpx.ReadTimeout) as error:
            raise self._timed_out(request, limit, seconds) from error
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise self._failed(request, error) from error
        attempt.status = response.status_code
        attempt.logid = logid_of(response.headers)
        return response

    async def _whole(self, body: _Body, request: Request) -> bytes:
        pieces: list[bytes] = []
        idle = self.options.timeouts.idle
        try:
            while True:
                pieces.append(await (body.next() if self.watches_idle else _within(body.next(), idle)))
        except StopAsyncIteration:
            body.has_ended = True
            return b"".join(pieces)
        except (TimeoutError, httpx.ReadTimeout) as error:
            raise self._timed_out(request, "idle", idle) from error
        except httpx.HTTPError as error:
            raise self._failed(request, error) from error

    def _timed_out(self, request: Request, limit: str, seconds: float | None) -> RequestTimeoutError:
        started = "" if request.safe else " What it started may still be running, so it is not sent again."
        if seconds is None:
            return RequestTimeoutError(
                f"{request.name}: no answer in time from {self.session.base_url} "
                f"(a limit of the transport; Timeouts.{limit} is None).{started}"
            )
        return RequestTimeoutError(
            f"{request.name}: no answer within {seconds:g} s (Timeouts.{limit}) from {self.session.base_url}.{started} "
            f"Raise Timeouts.{limit} if the server needs longer."
        )

    def _failed(self, request: Request, error: Exception) -> CozeError:
        """Return our error for one of httpx."""
        base_url = self.session.base_url
        reason = redact(str(error), self.session.auth.secrets()) or type(error).__name__
        if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | httpx.LocalProtocolError | UnicodeError):
            return ConfigurationError(
                f"{request.name} cannot be sent: {reason}. Check base_url ({base_url}), headers and ids."
            )
        timeouts = self.options.timeouts
        if isinstance(error, httpx.ConnectTimeout):
            return RequestTimeoutError(
                f"{request.name}: no connection to {base_url} within {timeouts.connect} s (Timeouts.connect). "
                "Check the network and the base URL.",
                may_have_arrived=False,
            )
        if isinstance(error, httpx.PoolTimeout):
            return RequestTimeoutError(
                f"{request.name}: no free connection within {timeouts.pool} s (Timeouts.pool). "
                "Run fewer requests at a time, or allow the HTTP client more connections.",
                may_have_arrived=False,
            )
        if isinstance(error, httpx.TimeoutException):
            return RequestTimeoutError(
                f"{request.name}: {base_url} took no more of the request within {timeouts.write} s "
                "(Timeouts.write). Check the network."
            )
        if isinstance(error, httpx.ConnectError):
            return TransportError(
                f"{request.name}: no connection to {base_url}: {reason}. "
                "Check the base URL, the network, and a proxy if there is one.",
                may_have_arrived=False,
            )
        return TransportError(
            f"{request.name}: the connection to {base_url} was lost before the answer was complete: {reason}."
            f"{'' if request.safe else ' What it started may still be running, so it is not sent again.'}"
        )

    def _checked(self, request: Request, attempt: "_Attempt", response: httpx.Response, content: bytes) -> Reply:
        """Return the answer if it is none of the forms of an error; those are raised."""
        status, kind = response.status_code, content_type_of(response.headers)
        if status < 300 and kind == "text/event-stream":
            return Reply(status, kind, content, None, attempt.logid)
        envelope = open_envelope(status, response.headers, content)
        attempt.logid = envelope.logid
        if envelope.is_error:
            raise self.error(
                request.name,
                envelope.code,
                envelope.msg,
                status=status,
                logid=envelope.logid,
                debug_url=envelope.debug_url,
                retry_after=retry_after(response.headers),
            )
        if not envelope.is_json:
            raise DecodeError(
                f"{request.name} answered HTTP {status} with {kind or 'no content type'} instead of JSON: "
                f"{self.redacted(envelope.msg) or 'nothing'}. Is base_url ({self.session.base_url}) a Coze API?",
                body=self.redacted(content.decode("utf-8", "replace")),
                logid=envelope.logid,
            )
        return Reply(status, kind, content, envelope.payload, envelope.logid)


@dataclass(slots=True)
class _Attempt:
    number: int
    began: float
    status: int | None = None
    logid: str | None = None


# httpx looks at every character of an address, and a poll asks for the same one each time.
_url = functools.lru_cache(256)(httpx.URL)


@functools.cache
def _user_agent() -> str:
    return f"coze_async/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"


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
    return _certificates()
