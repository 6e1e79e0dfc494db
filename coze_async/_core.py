"""One request in, one answer out: turn -> retry -> auth -> attempt."""

import functools
import logging
import platform
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

import anyio
import httpx

from coze_async._body import Body
from coze_async._config import Options
from coze_async._connection import OpenStream, Outgoing, within
from coze_async._encoding import query_string
from coze_async._envelope import content_type_of, logid_of, open_envelope
from coze_async._errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    DecodeError,
    RateLimitError,
    RequestTimeoutError,
    TransportError,
    api_error,
)
from coze_async._exchange import Exchange, Reply, Request
from coze_async._limits import Slot
from coze_async._logging import log, redact, shortened
from coze_async._retry import may_repeat, retry_after
from coze_async._session import Session
from coze_async._tally import TALLY
from coze_async._token_endpoint import TokenEndpoint
from coze_async._version import __version__

__all__ = ["Core"]

T = TypeVar("T")

# A byte order mark, and blanks.
_BEFORE_JSON = b"\xef\xbb\xbf \t\r\n"


class Core:
    """Sends requests with one set of options."""

    def __init__(self, session: Session, options: Options) -> None:
        self.session = session
        self.options = options
        self.endpoint: TokenEndpoint = TokenEndpoint(
            session.base_url, session.client, timeouts=options.timeouts, headers=options.headers
        )
        idle, first = options.timeouts.idle, options.timeouts.first_event
        self.transport_is_patient: bool = idle is not None and first is not None and first <= idle
        """True if a read time-out of `Timeouts.idle` cannot end the wait for a first event too early."""
        self.watches_idle: bool = idle is None or (session.watches_reading and self.transport_is_patient)
        """True if the transport sees to it that `Timeouts.idle` holds."""

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
        conversation = await self.conversation(request)
        taken = Slot()
        try:
            taken = await self.slot(slot)
            body, started = await self._repeated(request, self._stream)
        except BaseException:
            taken.release()
            conversation.release()
            raise
        logid = logid_of(body.headers)
        opened = OpenStream(body, taken, conversation, name=request.name, logid=logid, started=started)
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
        headers = body.headers
        opened = OpenStream(body, Slot(), Slot(), name=request.name, logid=logid_of(headers), started=started)
        await opened.prepare()
        return opened, headers

    def is_watched(self, answer: Body | OpenStream) -> bool:
        """True if `Timeouts.idle` holds without a timer for each piece of an answer: it costs more than the piece."""
        return self.watches_idle or (self.transport_is_patient and answer.is_watched)

    async def slot(self, user: str | None) -> Slot:
        """Wait until a user, and the account, may have one more chat in flight."""
        return await self.session.limiter.slot(user)

    async def conversation(self, request: Request) -> Slot:
        """Wait until a request may start a chat in its conversation."""
        return await self.session.limiter.conversation(request.conversation) if request.conversation else Slot()

    def polling(self, kind: str) -> AbstractContextManager[Callable[[float], float]]:
        """Count one more poller; inside, an interval becomes one that leaves room for new chats."""
        return self.session.limiter.polling(kind)

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
        busy_since: float | None = None
        while True:
            await session.limiter.turn(request.kind, request.user)
            attempt = _Attempt(number, anyio.current_time())
            if not request.safe and (tally := TALLY.get()) is not None:
                tally.sent(attempt.began)
            try:
                result = await run(request, attempt)
            except CozeError as error:
                wait = self._wait(number - renewals, error, safe=request.safe or attempt.credentials is None)
                if renewals == 0 and await self._is_renewed(request, attempt, error):
                    # Refused before working: asked again at once, whatever the policy for repeats.
                    renewals, wait = 1, 0.0
                if isinstance(error, ConversationBusyError):
                    now = anyio.current_time()
                    busy_since = now if busy_since is None else busy_since
                    wait = retry.wait_while_busy(error, now - busy_since)
                    # Refused because of somebody else: that is no attempt of ours.
                    number -= 1
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
        body = await self._sent(request, attempt, "application/json", "idle")
        try:
            content = await self._whole(body, request)
        finally:
            await body.aclose()
        return self._checked(request, attempt, body, content)

    async def _stream(self, request: Request, attempt: "_Attempt") -> tuple[Body, float]:
        """Make one attempt and return the open body."""
        body = await self._sent(request, attempt, "text/event-stream", "first_event")
        # Some gateways name no type, or text/plain; what then comes is looked at when it is read.
        kinds = ("text/event-stream", "text/plain", "")
        if body.status < 300 and content_type_of(body.headers) in kinds:
            return body, attempt.began
        raise await self._other_answer(request, attempt, body, "a stream")

    async def _file(self, request: Request, attempt: "_Attempt") -> tuple[Body, float]:
        """Make one attempt and return the open body of a file."""
        body = await self._sent(request, attempt, "*/*", "idle")
        kind = content_type_of(body.headers)
        if body.status < 300 and not (kind.startswith("text/") or kind.endswith("json")):
            return body, attempt.began
        raise await self._other_answer(request, attempt, body, "a file")

    async def _other_answer(self, request: Request, attempt: "_Attempt", body: Body, wanted: str) -> CozeError:
        """Read an answer that is not what was asked for, and return or raise the error that it is."""
        try:
            content = await self._whole(body, request)
        finally:
            await body.aclose()
        self._checked(request, attempt, body, content)
        kind = content_type_of(body.headers)
        return DecodeError(
            f"{request.name} was asked for {wanted} and answered with {kind or 'no content type'}: "
            f"{self.redacted(content.decode('utf-8', 'replace'))}",
            body=self.redacted(content.decode("utf-8", "replace")),
            logid=attempt.logid,
        )

    async def _sent(self, request: Request, attempt: "_Attempt", accept: str, limit: str) -> Body:
        """Send once and return the answer's body, unread."""
        if request.body is None or isinstance(request.body, bytes):
            return await self._exchanged(request, attempt, accept, limit, request.body)
        async with request.body.open() as reader:
            return await self._exchanged(request, attempt, accept, limit, Outgoing(reader), request.body.content_type)

    async def _exchanged(
        self,
        request: Request,
        attempt: "_Attempt",
        accept: str,
        limit: str,
        body: bytes | Outgoing | None,
        content_type: str = "application/json",
    ) -> Body:
        session, options = self.session, self.options
        if request.session and session.auth.kind != "session":
            raise ConfigurationError(
                f"{request.name} takes the cookie of a signed-in browser, not a token. "
                "Make the client with AsyncCoze(SessionAuth('…session_key…'), base_url=…)."
            )
        # Before anybody is asked for a token.
        session.check_open()
        headers = {"Accept": accept, "User-Agent": _user_agent(), **request.headers, **options.headers}
        attempt.credentials = await session.auth.authorize(self.endpoint)
        headers |= attempt.credentials
        if body is not None:
            headers["Content-Type"] = content_type
        outgoing = body if isinstance(body, Outgoing) else None
        if outgoing is not None and outgoing.reader.size is not None:
            headers["Content-Length"] = str(outgoing.reader.size)
        query = f"?{query_string(request.query)}" if request.query else ""
        timeouts = options.timeouts
        seconds = getattr(timeouts, limit)
        reading = timeouts.idle if self.transport_is_patient else None
        try:
            answer = await session.send(
                request.method,
                f"{request.path}{query}",
                headers,
                body,
                {"connect": timeouts.connect, "read": reading, "write": timeouts.write, "pool": timeouts.pool},
                None if limit == "idle" and self.watches_idle else seconds,
            )
        except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            if outgoing is not None and outgoing.has_failed:
                raise
            # What was not sent to its end cannot have started anything.
            is_whole = outgoing is None or outgoing.reader.is_over
            if isinstance(error, TimeoutError | httpx.ReadTimeout):
                raise self._timed_out(request, limit, seconds, is_whole=is_whole) from error
            raise self._failed(request, error, is_whole=is_whole) from error
        attempt.status = answer.status
        attempt.logid = logid_of(answer.headers)
        return answer

    async def _whole(self, body: Body, request: Request) -> bytes:
        pieces: list[bytes] = []
        idle = self.options.timeouts.idle
        is_watched = self.is_watched(body)
        try:
            while True:
                pieces.append(await (body.next() if is_watched else within(body.next(), idle)))
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
        # The sentence goes on after it, and some of these end with a full stop of their own.
        reason = redact(str(error), self.session.auth.secrets()).rstrip(".") or type(error).__name__
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

    def _checked(self, request: Request, attempt: "_Attempt", body: Body, content: bytes) -> Reply:
        """Return the answer if it is none of the forms of an error; those are raised."""
        status, kind = body.status, content_type_of(body.headers)
        if status < 300 and kind == "text/event-stream":
            if content.lstrip(_BEFORE_JSON)[:1] != b"{":
                return Reply(status, kind, content, None, attempt.logid)
            # No event begins so: it is a whole answer, most likely an error, whatever it is called.
            kind = "application/json"
        envelope = open_envelope(status, body.headers, content)
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
                retry_after=retry_after(body.headers),
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


class _Attempt:
    __slots__ = ("began", "credentials", "logid", "number", "status")

    def __init__(self, number: int, began: float) -> None:
        self.number = number
        self.began = began
        self.status: int | None = None
        self.logid: str | None = None
        # What showed who is asking; none yet if the attempt got no further than the login.
        self.credentials: dict[str, str] | None = None


@functools.cache
def _user_agent() -> str:
    return f"coze_async/{__version__} python/{platform.python_version()} httpx/{httpx.__version__}"
