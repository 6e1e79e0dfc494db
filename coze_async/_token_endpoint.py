"""Where tokens are made: POST of JSON to a server, over a client's own connections or over new ones."""

import json
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import quote, urlsplit

import anyio

from coze_async._config import Timeouts, checked_base_url
from coze_async._envelope import Envelope, logid_of, open_envelope
from coze_async._errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    DecodeError,
    ServerError,
    api_error,
)
from coze_async._logging import redact, shortened
from coze_async._retry import retry_after
from coze_async._token import OAuthToken
from coze_async._wire import MAX_BODY, AutoWire, Deadline, WireRequest, WireResponse, read_whole, readable
from coze_async.models._base import CozeModel, read_object
from coze_async.models._json import is_object, json_object, json_text

if TYPE_CHECKING:
    import httpx

__all__ = ["TOKEN_PATH", "Granted", "TokenEndpoint", "oauth_word", "path_of", "token_endpoint"]

M = TypeVar("M", bound=CozeModel)

TOKEN_PATH = "/api/permission/oauth2/token"  # noqa: S105 - a path

# A server that sends a number below this cannot mean a time of its own: then it is a duration (RFC 6749).
_FIRST_UNIX_TIME = 1_000_000_000

# Of a server's words no more characters are looked at.
_SHOWN = 4096

_LOG_IN_AGAIN = "Log in again."
# The words of the coze.cn page oauth_jwt and of the official SDKs, and those of RFC 6749 and RFC 8628.
_REFUSALS: dict[str, tuple[type[APIError], str]] = {
    "invalid_client": (
        AuthenticationError,
        "Check client_id and the secret or the key; for a JWT also public key id, base_url, and this machine's clock.",
    ),
    "invalid_grant": (AuthenticationError, _LOG_IN_AGAIN),
    "access_deny": (AuthenticationError, "The app is deactivated or of another type, or the login has expired."),
    "access_denied": (
        AuthenticationError,
        "The user refused, or the app may not do this. Ask the user, then start again.",
    ),
    "expired_token": (AuthenticationError, "The code was not confirmed in time. Start again."),
    "invalid_request": (BadRequestError, "Check the parameters of the login."),
    "unsupported_grant_type": (BadRequestError, "Check the type of the OAuth app in the console."),
    "internal_error": (ServerError, "Try again later."),
}


class Granted(NamedTuple):
    """A new token.

    Attributes:
        token: As it is kept: `expires_at` is by the server's clock.
        skew: How many seconds the server's clock is ahead of this machine's; None if the server did not say.
        is_new: False for a token that was made earlier, by somebody else or in an earlier run.
    """

    token: OAuthToken
    skew: float | None = None
    is_new: bool = True


class TokenEndpoint:
    """Asks one server for tokens.

    Args:
        base_url: The server.
        wire: Sends the requests.
        timeouts: How long to wait.
        headers: Sent with every request; a credential among them is not.
    """

    def __init__(
        self,
        base_url: str,
        wire: AutoWire,
        *,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - immutable
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.base_url = base_url
        parts = urlsplit(base_url)
        self.host: str = parts.hostname or ""
        self.authority: str = parts.netloc
        self.skew: float | None = None
        """How far the server's clock is ahead of ours, by its last answer; None if it did not say."""
        self._wire = wire
        self._timeouts = timeouts
        self._headers = {name: value for name, value in (headers or {}).items() if name.lower() != "authorization"}

    async def token(self, path: str, body: Mapping[str, Any], *, bearer: str | None = None) -> Granted:
        """Return a new token.

        Raises:
            APIError: the server refused; `msg` begins with its word for why, such as "invalid_client".
            TransportError: no answer came.
            DecodeError: what came holds no token.
        """
        payload = await self.post(path, body, bearer=bearer)
        if "expires_in" in payload:
            payload = {**payload, "expires_in": self._expires_at(payload["expires_in"])}
        return Granted(self.read(OAuthToken, path, payload), self.skew)

    def _expires_at(self, said: Any) -> int:
        """Return when a token ends, in Unix seconds; 0 if the server says nothing sensible.

        A token must not be lost for that: the one before may be void already.
        """
        try:
            seconds = int(said)
        except (ValueError, TypeError, OverflowError):
            return 0
        return int(time.time() + (self.skew or 0.0)) + seconds if 0 < seconds < _FIRST_UNIX_TIME else max(0, seconds)

    def read(self, model: type[M], path: str, payload: Mapping[str, Any]) -> M:
        """Return an answer as a model; the error shows nothing of it, for it may hold credentials."""
        try:
            return read_object(model, dict(payload))
        except ValueError:
            names = ", ".join(sorted(payload)) or "nothing"
        raise DecodeError(
            f"POST {path} answered with no {model.__name__} (but with: {names}). "
            f"Is base_url ({self.base_url}) a Coze API?"
        )

    async def post(self, path: str, body: Mapping[str, Any], *, bearer: str | None = None) -> dict[str, Any]:
        """Send a request and return the answer if it is none of the forms of a refusal.

        Args:
            path: Below the base URL.
            body: What is sent as JSON.
            bearer: A client secret or a signed assertion.

        Raises:
            APIError: the server refused.
            TransportError: no answer came.
            DecodeError: the answer is no JSON object.
        """
        headers = {"Accept": "application/json", "Content-Type": "application/json", **self._headers}
        if bearer is not None:
            headers["Authorization"] = f"Bearer {bearer}"
        hidden = [text for text in (bearer, *map(json_text, body.values())) if text]
        response, content = await self._sent(path, body, headers, hidden)
        self.skew = _skew_of(response.headers)
        envelope = open_envelope(response.status, response.headers, content)
        facts = json_object(envelope.payload)
        word = oauth_word(facts)
        # Some servers send a refusal with HTTP 200 and `error` alone (coze-js cabc1ec, auth).
        if envelope.is_error or word:
            raise self._refused(path, envelope, word, response, hidden)
        inner = facts.get("data")
        answer = inner if is_object(inner) else facts
        if not answer:
            raise DecodeError(
                f"POST {path} answered HTTP {response.status} without a JSON object. "
                f"Is base_url ({self.base_url}) a Coze API?",
                logid=logid_of(response.headers, facts),
            )
        return answer

    async def _sent(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str], hidden: list[str]
    ) -> tuple[WireResponse, bytes]:
        self._wire.check()
        idle = self._timeouts.idle
        content = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        request = WireRequest(f"POST {path}", "POST", path, headers, content, is_safe=True, secrets=lambda: hidden)
        head = None if idle is None else Deadline(anyio.current_time() + idle, "idle")
        response = await self._wire.send(request, self._timeouts, head, None)
        try:
            whole = await read_whole(readable(response, request.name), MAX_BODY)
        except BaseException:
            await response.aclose()
            raise
        await response.aclose(reuse=whole.is_whole and response.status < 300)
        return response, whole.content

    def _refused(self, path: str, envelope: Envelope, word: str, response: WireResponse, hidden: list[str]) -> APIError:
        status, wait = response.status, retry_after(response.headers)
        said = shortened(redact(envelope.msg[:_SHOWN], hidden), whole=len(envelope.msg))
        known = _REFUSALS.get(word)
        if known is None:
            return api_error(
                f"POST {path}",
                code=envelope.code,
                msg=_joined(redact(word, hidden), said),
                status=status,
                logid=envelope.logid,
                retry_after=wait,
                host=self.host,
                base_url=self.base_url,
            )
        kind, advice = known
        described = json_text(json_object(envelope.payload).get("error_description"))
        msg = _joined(word, redact(described, hidden) if described and said == word else said)
        logid = f" [logid {envelope.logid}]" if envelope.logid else ""
        shown = f" (HTTP {status})" if status != 200 else ""
        text = f"POST {path} was refused{shown}: {msg.rstrip('.')}. {advice} The base URL was {self.base_url}.{logid}"
        return kind(text, msg=msg, status=status, logid=envelope.logid, retry_after=wait)


def oauth_word(facts: Mapping[str, Any]) -> str:
    """Return the word with which an answer is refused, such as "slow_down"; an empty text if there is none."""
    for key in ("error_code", "error"):
        word = json_text(facts.get(key))
        # Coze's own numbers may come as texts too.
        if word and not word.lstrip("-").isdigit():
            return word
    return ""


def path_of(template: str, **ids: str) -> str:
    """Return a path with ids filled in."""
    return template.format(**{name: quote(value, safe="") for name, value in ids.items()})


@asynccontextmanager
async def token_endpoint(
    base_url: str | None, transport: "httpx.AsyncBaseTransport | None"
) -> AsyncGenerator[TokenEndpoint]:
    """Reach a token endpoint without a client: connections are made when needed, and closed at the end.

    Args:
        base_url: None reads COZE_API_BASE, else takes api.coze.cn.
        transport: Your own httpx transport; it stays open.
    """
    named = checked_base_url(base_url)
    wire = AutoWire(named, transport=transport, is_lent=True)
    try:
        yield TokenEndpoint(named, wire)
    finally:
        with anyio.CancelScope(shield=True):
            await wire.aclose()


def _skew_of(headers: Mapping[str, str]) -> float | None:
    """Return how many seconds the server's clock is ahead of this machine's, by the header Date."""
    try:
        return parsedate_to_datetime(headers.get("date", "")).timestamp() - time.time()
    except (ValueError, TypeError, OverflowError, OSError):
        # Zones may be absurd, and years out of range.
        return None


def _joined(word: str, said: str) -> str:
    """Return the word and what was said, each once."""
    if not word or said == word:
        return said
    return f"{word}: {said}" if said else word
