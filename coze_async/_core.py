"""One request in, one answer out: turn -> retry -> auth -> attempt."""

import functools
import logging
import math
import platform
import ssl
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode, urlsplit

import anyio
import httpx
from anyio.lowlevel import RunVar

from coze_async._auth import Auth
from coze_async._config import Options
from coze_async._envelope import content_type_of, logid_of, open_envelope
from coze_async._errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    CozeError,
    DecodeError,
    RateLimitError,
    RequestTimeoutError,
    TransportError,
    api_error,
)
from coze_async._exchange import BodyReader, Exchange, Reply, Request
from coze_async._limits import Limiter, Slot
from coze_async._logging import guard_httpx_log, log, redact, shortened
from coze_async._retry import Budget, may_repeat, retry_after
from coze_async._token_endpoint import TokenEndpoint
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
        self.response: httpx.Response = response
        # Set by who has read to the end: then there is nothing to wait for, and nothing to end from the inside.
        self.has_ended: bool = False
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


class _Outgoing(httpx.AsyncByteStream):
    """A body that is read while it is sent. The time for an answer runs only while the server has something to do."""

    def __init__(self, reader: BodyReader) -> None:
        self.reader = reader
        # Reading went wrong, and not the connection, whatever the class of the error.
        self.has_failed = False
        self._begun = False
        self._scope: anyio.CancelScope | None = None
        self._seconds = math.inf

    def watch(self, scope: anyio.CancelScope, seconds: float | None) -> None:
        """Let a scope end so many seconds after the last piece was read."""
        self._scope = scope
        self._seconds = math.inf if seconds is None else seconds

    def __aiter__(self) -> "_Outgoing":
        if self._begun:
            raise ConfigurationError(
                "The HTTP client asked for the uploaded file a second time, to follow a redirection or to log in. "
                "Set base_url to where the API really is, and leave the login to `auth`."
            )
        self._begun = True
        return self

    async def __anext__(self) -> bytes:
        if self._scope is not None:
            self._scope.deadline = math.inf
        try:
            piece = await self.reader.next()
        except Exception:
            self.has_failed = True
            raise
        if self._scope is not None:
            self._scope.deadline = anyio.current_time() + self._seconds
        if not piece:
            raise StopAsyncIteration
        return piece


class OpenStream:
    """A response whose body is still to be read, and all that must be given back afterwards."""

    __slots__ = ("__weakref__", "_body", "_closer", "_slot", "_waiting", "logid", "name", "started")

    def __init__(self, body: _Body, slot: Slot, *, name: str, logid: str | None, started: float) -> None:
        self._body = body
        self._slot = slot
        self._closer: AsyncGenerator[None, None] | None = _closing(body)
        self._waiting: anyio.CancelScope | None = None
        self.name: str = name
        self.logid: str | None = logid
        self.started: float = started

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


async def _within(awaitable: Awaitable[T], seconds: float | None, outgoing: _Outgoing | None = None) -> T:
    """Await something, but not longer than so many seconds, counted from the last piece sent; then TimeoutError."""
    with anyio.move_on_after(seconds) as scope:
        if outgoing is not None:
            outgoing.watch(scope, seconds)
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
        self.host: str = urlsplit(base_url).hostname or ""
        self.auth = auth
        self.limiter = limiter
        self.budget = budget
        self.observe = observe
        self._client = http_client
        self._is_ours = http_client is None
        self._transport = transport
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

    def client(self) -> httpx.AsyncClient:
        """Return the HTTP client; made at the first request, so that construction does no I/O."""
        if self._closed:
            raise RuntimeError("This AsyncCoze is closed. Make a new one, or keep it open with `async with`.")
        if not self._is_ours and self._client is not None:
            return self._client
        loop = _this_loop()
        if self._client is None or self._loop is not loop:
            # Connections belong to the event loop that made them; another `asyncio.run` gets new ones.
            self._loop = loop
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
        if self._client is not None and self._is_ours and self._loop is _this_loop():
            await self._client.aclose()


class Core:
    """Sends requests with one set of options."""

    def __init__(self, session: Session, options: Options) -> None:
        self.session = session
        self.options = options
        self.endpoint: TokenEndpoint = TokenEndpoint(
            session.base_url, session.client, timeouts=options.timeouts, headers=options.headers
        )

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

    async def fetch(self, request: Request) -> tuple[OpenStream, Mapping[str, str]]:
        """Send a request for a file and return it, with its headers, before its content is read.

        Raises:
            APIError: the server answered with an error instead of a file.
            TransportError: no answer came.
            DecodeError: the answer is no file.
        """
        body, started = await self._in_time(self._repeated(request, self._file), request)
        headers = body.response.headers
        opened = OpenStream(body, Slot(), name=request.name, logid=logid_of(headers), started=started)
        await opened.prepare()
        return opened, headers

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
        renewals = 0
        while True:
            await session.limiter.turn(request.kind, request.user)
            attempt = _Attempt(number, anyio.current_time())
            try:
                result = await run(request, attempt)
            except CozeError as error:
                wait = self._wait(number - renewals, error, safe=request.safe or attempt.credentials is None)
                if renewals == 0 and await self._is_renewed(request, attempt, error):
                    # Refused before working: asked again at once, whatever the policy for repeats.
                    renewals, wait = 1, 0.0
                if request.is_spent:
                    wait = None
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

    async def _is_renewed(self, request: Request, attempt: "_Attempt", error: CozeError) -> bool:
        """True if the server refused the credentials, and the login has others now."""
        # Only these say that nothing has begun; other codes of this class tell of a plug-in's login, met in the middle.
        is_refused = isinstance(error, AuthenticationError) and (error.status == 401 or error.code in (4100, 700012006))
        if not is_refused or not attempt.credentials:
            return False
        try:
            return await self.session.auth.renew(attempt.credentials, self.endpoint)
        except CozeError:
            self._observe(request, attempt, error, None)
            raise

    def _wait(self, attempt: int, error: CozeError, *, safe: bool) -> float | None:
        """Return how long to wait before the next attempt; None if there must be none.

        Args:
            attempt: The number of the attempt that failed, from 1.
            error: Why it failed.
            safe: True if sending again does no harm; so it is while the login itself has not come about.
        """
        retry = self.options.retry
        if attempt >= retry.attempts or not may_repeat(error, safe=safe):
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
        # Some gateways name no type, or text/plain; what then comes is looked at when it is read.
        kinds = ("text/event-stream", "text/plain", "")
        if response.status_code < 300 and content_type_of(response.headers) in kinds:
            return _Body(response), attempt.began
        raise await self._other_answer(request, attempt, response, "a stream")

    async def _file(self, request: Request, attempt: "_Attempt") -> tuple[_Body, float]:
        """Make one attempt and return the open body of a file."""
        response = await self._sent(request, attempt, "*/*", "idle")
        kind = content_type_of(response.headers)
        if response.status_code < 300 and not (kind.startswith("text/") or kind.endswith("json")):
            return _Body(response), attempt.began
        raise await self._other_answer(request, attempt, response, "a file")

    async def _other_answer(
        self, request: Request, attempt: "_Attempt", response: httpx.Response, wanted: str
    ) -> CozeError:
        """Read an answer that is not what was asked for, and return or raise the error that it is."""
        body = _Body(response)
        try:
            content = await self._whole(body, request)
        finally:
            await body.aclose()
        self._checked(request, attempt, response, content)
        kind = content_type_of(response.headers)
        return DecodeError(
            f"{request.name} was asked for {wanted} and answered with {kind or 'no content type'}: "
            f"{self.redacted(content.decode('utf-8', 'replace'))}",
            body=self.redacted(content.decode("utf-8", "replace")),
            logid=attempt.logid,
        )

    async def _sent(self, request: Request, attempt: "_Attempt", accept: str, limit: str) -> httpx.Response:
        """Send once and return the response with its body unread."""
        if request.body is None or isinstance(request.body, bytes):
            return await self._exchanged(request, attempt, accept, limit, request.body)
        async with request.body.open() as reader:
            return await self._exchanged(request, attempt, accept, limit, _Outgoing(reader), request.body.content_type)

    async def _exchanged(
        self,
        request: Request,
        attempt: "_Attempt",
        accept: str,
        limit: str,
        body: bytes | _Outgoing | None,
        content_type: str = "application/json",
    ) -> httpx.Response:
        session, options = self.session, self.options
        if request.session and session.auth.kind != "session":
            raise ConfigurationError(
                f"{request.name} takes the cookie of a signed-in browser, not a token. "
                "Make the client with AsyncCoze(SessionAuth('…session_key…'), base_url=…)."
            )
        client = session.client()
        headers = {"Accept": accept, "User-Agent": _user_agent(), **request.headers, **options.headers}
        attempt.credentials = await session.auth.authorize(self.endpoint)
        headers |= attempt.credentials
        if body is not None:
            headers["Content-Type"] = content_type
        outgoing = body if isinstance(body, _Outgoing) else None
        if outgoing is not None and outgoing.reader.size is not None:
            headers["Content-Length"] = str(outgoing.reader.size)
        query = f"?{urlencode(request.query)}" if request.query else ""
        timeouts = options.timeouts
        seconds = getattr(timeouts, limit)
        reading = timeouts.idle if session.watches_reading and self.transport_is_patient else None
        try:
            message = client.build_request(
                request.method,
                _url(f"{session.base_url}{request.path}{query}"),
                content=body,
                headers=headers,
                timeout=httpx.Timeout(connect=timeouts.connect, read=reading, write=timeouts.write, pool=timeouts.pool),
            )
            if outgoing is not None:
                # As it is, without the generator that httpx would put around it.
                message.stream = outgoing
            answer = client.send(message, stream=True)
            watched = limit == "idle" and self.watches_idle
            response = await (answer if watched else _within(answer, seconds, outgoing))
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            if outgoing is not None and outgoing.has_failed:
                raise
            # What was not sent to its end cannot have started anything.
            is_whole = outgoing is None or outgoing.reader.is_over
            if isinstance(error, TimeoutError | httpx.ReadTimeout):
                raise self._timed_out(request, limit, seconds, is_whole=is_whole) from error
            raise self._failed(request, error, is_whole=is_whole) from error
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

    def _timed_out(
        self, request: Request, limit: str, seconds: float | None, *, is_whole: bool = True
    ) -> RequestTimeoutError:
        """Return the error for a time-out; `is_whole` is False for a request that was not sent to its end."""
        started = _warning(request, is_whole=is_whole)
        if seconds is None:
            return RequestTimeoutError(
                f"{request.name}: no answer in time from {self.session.base_url} "
                f"(a limit of the transport; Timeouts.{limit} is None).{started}",
                may_have_arrived=is_whole,
            )
        return RequestTimeoutError(
            f"{request.name}: no answer within {seconds:g} s (Timeouts.{limit}) from {self.session.base_url}.{started} "
            f"Raise Timeouts.{limit} if the server needs longer.",
            may_have_arrived=is_whole,
        )

    def _failed(self, request: Request, error: Exception, *, is_whole: bool = True) -> CozeError:
        """Return our error for one of httpx; `is_whole` is False for a request that was not sent to its end."""
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
                "(Timeouts.write). Check the network.",
                may_have_arrived=is_whole,
            )
        if isinstance(error, httpx.ConnectError):
            return TransportError(
                f"{request.name}: no connection to {base_url}: {reason}. "
                "Check the base URL, the network, and a proxy if there is one.",
                may_have_arrived=False,
            )
        when = "the answer was complete" if is_whole else "all was sent"
        return TransportError(
            f"{request.name}: the connection to {base_url} was lost before {when}: {reason}."
            f"{_warning(request, is_whole=is_whole)}",
            may_have_arrived=is_whole,
        )

    def _checked(self, request: Request, attempt: "_Attempt", response: httpx.Response, content: bytes) -> Reply:
        """Return the answer if it is none of the forms of an error; those are raised."""
        status, kind = response.status_code, content_type_of(response.headers)
        if status < 300 and kind == "text/event-stream":
            return Reply(status, kind, content, None, attempt.logid)
        envelope = open_envelope(status, response.headers, content)
        attempt.logid = envelope.logid
        if envelope.is_error:
            # The login may have moved on to another token since; what this attempt has sent is hidden all the same.
            sent = [value.removeprefix("Bearer ") for value in (attempt.credentials or {}).values()]
            raise self.error(
                request.name,
                envelope.code,
                redact(envelope.msg, sent),
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


def _warning(request: Request, *, is_whole: bool) -> str:
    """Return what a caller has to know after a request without an answer."""
    if request.safe or not is_whole:
        return ""
    return " What it started may still be running, so it is not sent again."


@dataclass(slots=True)
class _Attempt:
    number: int
    began: float
    status: int | None = None
    logid: str | None = None
    # What showed who is asking; none yet if the attempt got no further than the login.
    credentials: dict[str, str] | None = None


# httpx looks at every character of an address, and a poll asks for the same one each time.
_url = functools.lru_cache(256)(httpx.URL)


@functools.cache
def _user_agent() -> str:
    return f"coze_async/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"


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
    return _certificates()
