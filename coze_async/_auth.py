"""Who is asking: tokens for the API, cookies for the session routes of Coze Studio and Coze Plus."""

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable

from coze_async._config import environment
from coze_async._errors import ConfigurationError

__all__ = ["Auth", "SessionAuth", "TokenAuth", "auth_for"]


class Auth(ABC):
    """A way to log in. Its representation never shows a credential."""

    kind: str = "token"
    """`token` for the API, `session` for the session routes."""

    @abstractmethod
    async def headers(self) -> dict[str, str]:
        """Return the headers that show who is asking; called before every attempt."""

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
