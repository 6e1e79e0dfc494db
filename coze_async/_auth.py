"""Who is asking: tokens for the API, cookies for the session routes of Coze Studio and Coze Plus."""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING

import anyio

from coze_async._checks import NotCopied
from coze_async._config import environment
from coze_async._errors import ConfigurationError, CozeError
from coze_async._logging import log
from coze_async._token import OAuthToken
from coze_async._token_endpoint import Granted, TokenEndpoint, token_endpoint

if TYPE_CHECKING:
    import httpx

__all__ = ["Auth", "RenewingAuth", "SessionAuth", "TokenAuth", "auth_for"]

# How long before its end a token is replaced, by its lifetime, in seconds (as coze-go f47b4f2 does).
_MARGINS = ((600.0, 30.0), (60.0, 10.0), (30.0, 5.0))
# How long a token that still holds is used on after it could not be replaced, before the next try, in seconds.
_PAUSE = 5.0
# How long a client that is being closed waits for a token that is being replaced, in seconds.
_LAST_WAIT = 5.0


class Auth(NotCopied, ABC):
    """A way to log in. Its representation never shows a credential."""

    instead = "Log in anew where it is needed, or share a token store; a copy would carry the credential along."

    kind: str = "token"
    """`token` for the API, `session` for the session routes."""

    @abstractmethod
    async def headers(self) -> dict[str, str]:
        """Return the headers that show who is asking; called before every attempt."""

    async def authorize(self, endpoint: TokenEndpoint) -> dict[str, str]:
        """Return the headers, with a server at hand that may be asked for a token; `headers` unless overridden.

        Args:
            endpoint: Reaches the client's server over the client's own connections.
        """
        del endpoint
        return await self.headers()

    async def renew(self, refused: Mapping[str, str], endpoint: TokenEndpoint) -> bool:
        """Look for other credentials after the server refused some; True if there are, so that asking again may help.

        Args:
            refused: The headers that were refused.
            endpoint: Reaches the client's server over the client's own connections.
        """
        del refused, endpoint
        return False

    async def settle(self) -> None:
        """Wait a moment for what must not break off; called before a client closes its connections."""

    @abstractmethod
    def secrets(self) -> tuple[str, ...]:
        """Return what must never be shown: it is taken out of every error and log line."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(***)"


class TokenAuth(Auth):
    """A token: a personal one ("pat_…", "Bearer pat_…" is accepted), or what an async callable returns.

    Args:
        token: The token, or an async callable that returns it and is asked before every attempt.
    """

    def __init__(self, token: str | Callable[[], Awaitable[str]]) -> None:
        self._ask = None if isinstance(token, str) else token
        self._token = _checked(token, "token") if isinstance(token, str) else ""

    async def headers(self) -> dict[str, str]:
        """Return the Authorization header."""
        if self._ask is not None:
            self._token = _checked(await self._ask(), "token that the callable returned")
        return {"Authorization": f"Bearer {self._token}"}

    def secrets(self) -> tuple[str, ...]:
        """Return the token that was used last."""
        return (self._token,) if self._token else ()


class SessionAuth(Auth):
    """The cookie of a signed-in browser, for the session routes of Coze Studio and Coze Plus.

    Args:
        session_key: The value of the cookie `session_key`.
    """

    kind = "session"

    def __init__(self, session_key: str) -> None:
        self._session_key = _checked(session_key.strip().removeprefix("session_key="), "session_key")

    async def headers(self) -> dict[str, str]:
        """Return the Cookie header."""
        return {"Cookie": f"session_key={self._session_key}"}

    def secrets(self) -> tuple[str, ...]:
        """Return the session key."""
        return (self._session_key,)


class _Renewal:
    """One replacement of a token, and how it ended for all who wait for it."""

    __slots__ = ("error", "is_over")

    def __init__(self) -> None:
        self.is_over = anyio.Event()
        self.error: CozeError | None = None


class RenewingAuth(Auth):
    """A login whose token is replaced before it ends: once, however many wait for it.

    A clock that goes wrong does no harm: the end of a token is reckoned by the server's own clock, where it tells.

    Args:
        base_url: For use without a client: None reads COZE_API_BASE, else takes api.coze.cn. A client asks its own.
        transport: For use without a client: your own httpx transport.
    """

    usual_lifetime: float = 900.0
    """How long a new token holds if its end cannot be true, in seconds (the official pages)."""

    def __init__(self, *, base_url: str | None = None, transport: "httpx.AsyncBaseTransport | None" = None) -> None:
        self._base_url = base_url
        self._transport = transport
        self._token: OAuthToken | None = None
        self._retired = ""
        self._skew = 0.0
        self._renewal: _Renewal | None = None
        self._renews_at = 0.0
        self._ends_at = 0.0

    @abstractmethod
    async def grant(self, endpoint: TokenEndpoint) -> Granted:
        """Ask for a token to take the place of the present one, or find one that somebody else asked for."""

    async def headers(self) -> dict[str, str]:
        """Return the header with a token that holds, asked for without a client if need be."""
        return _bearer(await self.token())

    async def authorize(self, endpoint: TokenEndpoint) -> dict[str, str]:
        """Return the header with a token that holds."""
        token = self._token
        if token is None or time.time() >= self._renews_at:
            token = await self._renewed(endpoint, None)
        return _bearer(token)

    async def renew(self, refused: Mapping[str, str], endpoint: TokenEndpoint) -> bool:
        """Replace the token that was refused, unless somebody did already."""
        token = refused.get("Authorization", "").partition(" ")[2]
        return (await self._renewed(endpoint, token)).access_token != token

    async def settle(self) -> None:
        """Wait a moment for a token that is being replaced: without the answer there may be no way to another one."""
        if (renewal := self._renewal) is not None:
            with anyio.move_on_after(_LAST_WAIT, shield=True):
                await renewal.is_over.wait()

    async def token(self) -> OAuthToken:
        """Return a token that holds, to be used elsewhere; asked for without a client if need be."""
        async with token_endpoint(self._base_url, self._transport) as endpoint:
            await self.authorize(endpoint)
        assert self._token is not None  # noqa: S101 - `authorize` has seen to it
        return self._token

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens that are, or a moment ago were, in use."""
        token = self._token
        known = (self._retired, token.access_token, token.refresh_token) if token else (self._retired,)
        return tuple(filter(None, known))

    async def _renewed(self, endpoint: TokenEndpoint, refused: str | None) -> OAuthToken:
        """Return a token that holds and was not refused; one task asks, the others wait for what it gets."""
        while True:
            token, now = self._token, time.time()
            is_usable = token is not None and token.access_token != refused
            if token is not None and is_usable and now < self._renews_at:
                return token
            renewal = self._renewal
            if renewal is None:
                return await self._ask(endpoint, token if is_usable and now < self._ends_at else None)
            if token is not None and is_usable and now < self._ends_at:
                # It still holds: no need to wait for the next one.
                return token
            await renewal.is_over.wait()
            if renewal.error is not None:
                # Each waiter raises a copy: a shared exception would collect every waiter's traceback.
                raise copy.copy(renewal.error) from renewal.error

    async def _ask(self, endpoint: TokenEndpoint, still_good: OAuthToken | None) -> OAuthToken:
        renewal = self._renewal = _Renewal()
        try:
            return self._take(await self.grant(endpoint))
        except CozeError as error:
            if still_good is not None:
                self._renews_at = min(time.time() + _PAUSE, self._ends_at)
                log.warning("The token could not be replaced ahead of its end; it is used until its end: %s", error)
                return still_good
            renewal.error = error
            raise
        finally:
            self._renewal = None
            renewal.is_over.set()

    def _left(self, token: OAuthToken) -> float:
        """Return for how many seconds a token holds; a token that does not say is taken for a new one."""
        return token.expires_at - self._skew - time.time() if token.expires_at else self.usual_lifetime

    def _take(self, granted: Granted) -> OAuthToken:
        """Begin to use a token."""
        token, now = granted.token, time.time()
        if self._token is not None and self._token.access_token != token.access_token:
            self._retired = self._token.access_token
        if granted.skew is not None:
            self._skew = granted.skew
        left = self._left(token)
        if left <= 0 and granted.is_new:
            # What was made a moment ago has not ended: the clocks differ, and the server did not say by how much.
            left = self.usual_lifetime
        self._ends_at = now + left
        self._renews_at = self._ends_at - _margin(left)
        self._token = token
        return token


def _margin(left: float) -> float:
    """Return how long before its end a token is replaced."""
    return next((margin for least, margin in _MARGINS if left >= least), 0.0)


def _bearer(token: OAuthToken) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.access_token}"}


def auth_for(auth: str | Auth | Callable[[], Awaitable[str]] | None) -> Auth:
    """Return the login that a user meant; None reads COZE_API_TOKEN.

    Raises:
        ConfigurationError: there is none, or it cannot be one.
    """
    if isinstance(auth, Auth):
        return auth
    if auth is None:
        auth = environment("COZE_API_TOKEN")
        if auth is None:
            raise ConfigurationError(
                "There is no token. Pass one, AsyncCoze('pat_…'), or set COZE_API_TOKEN. "
                "To try without one: AsyncCoze('any', transport=Emulator().transport())."
            )
    if isinstance(auth, str) or callable(auth):
        return TokenAuth(auth)
    raise ConfigurationError(f"auth is a {type(auth).__name__}: give a token, an Auth, or an async callable.")


def _checked(secret: object, name: str) -> str:
    """Return a credential without what people paste along with it; the error never shows it."""
    if not isinstance(secret, str):
        raise ConfigurationError(f"The {name} is a {type(secret).__name__}, not a text.")
    secret = secret.strip()
    scheme, _, rest = secret.partition(" ")
    if scheme.lower() == "bearer":
        secret = rest.strip()
    if not secret:
        raise ConfigurationError(f"The {name} is empty.")
    if not (secret.isascii() and secret.isprintable()) or " " in secret:
        raise ConfigurationError(
            f"The {name} has spaces, line ends or characters that no credential has: copy it again."
        )
    return secret
