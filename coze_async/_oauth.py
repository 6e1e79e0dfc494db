"""OAuth: the three flows in which a person says yes, and the login that keeps itself alive afterwards."""

import base64
import hashlib
import secrets
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import quote, urlencode, urlsplit

import anyio

from coze_async._auth import RenewingAuth
from coze_async._config import checked_base_url
from coze_async._errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    CozeError,
    RateLimitError,
    ServerError,
    StorageError,
    TransportError,
)
from coze_async._token import DeviceCode, OAuthToken
from coze_async._token_endpoint import TOKEN_PATH, Granted, TokenEndpoint, path_of, token_endpoint
from coze_async._token_store import MemoryTokenStore, TokenStore
from coze_async._wire import unbroken

if TYPE_CHECKING:
    import httpx

__all__ = ["DeviceOAuth", "OAuthAuth", "PKCEOAuth", "WebOAuth"]

_OAUTH = "/api/permission/oauth2"
_DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
# Longer waits between two polls are for nobody's good (cozepy 0.20 stops here too), in seconds.
_SLOWEST_POLL = 30.0
_SLOWER = 5.0
# How long a renewal goes on when its caller was cancelled, in seconds: the server may have made the old pair void.
_LAST_WAIT = 5.0
# When a store is looked at again after a refusal: who was quicker has yet to save what came, in seconds.
_SECOND_LOOKS = (0.0, 0.1, 0.4, 1.5)


class _App:
    """An OAuth app, and the server that it is registered at."""

    def __init__(
        self,
        client_id: str,
        *,
        base_url: str | None = None,
        www_base_url: str | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        self.client_id: str = _given(client_id, "client_id")
        self.base_url: str = checked_base_url(base_url)
        self.www_base_url: str = (www_base_url or _www(self.base_url)).rstrip("/")
        self._client_secret: str | None = None
        self._transport = transport

    async def refresh(self, token: OAuthToken | str) -> OAuthToken:
        """Return a new pair of tokens; keep it, for the old one may be void now.

        Args:
            token: The last pair, or its refresh token.

        Raises:
            AuthenticationError: the refresh token is used up or has ended (30 days): log in again.
        """
        refresh_token = token if isinstance(token, str) else token.refresh_token
        async with self._endpoint() as endpoint:
            return (await _refreshed(endpoint, self.client_id, self._client_secret, refresh_token)).token

    def auth(self, token: OAuthToken | None = None, *, store: TokenStore | None = None) -> "OAuthAuth":
        """Return the login for `AsyncCoze(...)` that a token of this app makes; it renews itself.

        Args:
            token: What the flow returned; None takes it from the store.
            store: Where the token is kept, so that the login outlives the program.
        """
        return OAuthAuth(
            self.client_id,
            token,
            store=store,
            client_secret=self._client_secret,
            base_url=self.base_url,
            transport=self._transport,
        )

    @asynccontextmanager
    async def _endpoint(self) -> AsyncGenerator[TokenEndpoint]:
        async with token_endpoint(self.base_url, self._transport) as endpoint:
            yield endpoint

    async def _token(self, **body: Any) -> OAuthToken:
        async with self._endpoint() as endpoint:
            granted = await endpoint.token(
                TOKEN_PATH, {**body, "client_id": self.client_id}, bearer=self._client_secret
            )
            return granted.token

    def _authorize_url(self, redirect_uri: str, state: str, workspace_id: str | None, **more: str) -> str:
        place = f"/workspace_id/{quote(workspace_id, safe='')}" if workspace_id else ""
        query = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": redirect_uri,
            "state": _given(state, "state"),
            **more,
        }
        return f"{self.www_base_url}{_OAUTH}{place}/authorize?{urlencode(query)}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.client_id!r}, base_url={self.base_url!r})"


class WebOAuth(_App):
    """The flow of a web server that keeps a secret: the user says yes on a page of Coze and comes back with a code.

    Args:
        client_id: The OAuth app.
        client_secret: The app's secret.
        base_url: The API; None reads COZE_API_BASE, else takes https://api.coze.cn.
        www_base_url: The pages; None finds them from `base_url`: api.coze.cn has www.coze.cn.
        transport: Your own httpx transport.

    Source: the flows of cozepy 0.20, coze-js cabc1ec and coze-go f47b4f2.
    """

    def __init__(
        self,
        client_id: str,
        client_secret: str,
        *,
        base_url: str | None = None,
        www_base_url: str | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        super().__init__(client_id, base_url=base_url, www_base_url=www_base_url, transport=transport)
        self._client_secret = _given(client_secret, "client_secret")

    def authorize_url(self, redirect_uri: str, *, state: str, workspace_id: str | None = None) -> str:
        """Return the page to send the user to.

        Args:
            redirect_uri: Where the user comes back to; registered with the app.
            state: A random text that must come back with the code: it shows that the answer belongs to the question.
            workspace_id: Ask for one workspace only.
        """
        return self._authorize_url(redirect_uri, state, workspace_id)

    async def exchange(self, code: str, *, redirect_uri: str) -> OAuthToken:
        """Return the tokens for the code that the user came back with.

        Raises:
            AuthenticationError: the code or the secret is wrong.
        """
        return await self._token(grant_type="authorization_code", code=code, redirect_uri=redirect_uri)


class PKCEOAuth(_App):
    """The flow of a program that can keep no secret: a verifier made for this login proves that it began it.

    Args:
        client_id: The OAuth app.
        base_url: The API; None reads COZE_API_BASE, else takes https://api.coze.cn.
        www_base_url: The pages; None finds them from `base_url`: api.coze.cn has www.coze.cn.
        transport: Your own httpx transport.

    Source: the flows of cozepy 0.20, coze-js cabc1ec and coze-go f47b4f2.
    """

    @staticmethod
    def new_verifier() -> str:
        """Return a verifier for one login; keep it until the exchange."""
        return secrets.token_urlsafe(48)

    def authorize_url(
        self,
        redirect_uri: str,
        *,
        state: str,
        code_verifier: str,
        method: Literal["S256", "plain"] = "S256",
        workspace_id: str | None = None,
    ) -> str:
        """Return the page to send the user to.

        Args:
            redirect_uri: Where the user comes back to; registered with the app.
            state: A random text that must come back with the code: it shows that the answer belongs to the question.
            code_verifier: What `new_verifier` returned, 43-128 characters.
            method: `S256` sends a digest of the verifier; `plain` sends the verifier itself, for servers without it.
            workspace_id: Ask for one workspace only.
        """
        if not 43 <= len(code_verifier) <= 128:
            raise ConfigurationError(
                f"The code_verifier has {len(code_verifier)} characters, not 43-128: take PKCEOAuth.new_verifier()."
            )
        if method not in ("S256", "plain"):
            raise ConfigurationError(f"method is {method!r}: choose 'S256' or 'plain'.")
        challenge = _digest(code_verifier) if method == "S256" else code_verifier
        return self._authorize_url(
            redirect_uri, state, workspace_id, code_challenge=challenge, code_challenge_method=method
        )

    async def exchange(self, code: str, *, redirect_uri: str, code_verifier: str) -> OAuthToken:
        """Return the tokens for the code that the user came back with.

        Raises:
            AuthenticationError: the code or the verifier is wrong.
        """
        return await self._token(
            grant_type="authorization_code", code=code, redirect_uri=redirect_uri, code_verifier=code_verifier
        )


class DeviceOAuth(_App):
    """The flow of a program without a browser: the user confirms a short code on another screen.

    Args:
        client_id: The OAuth app.
        base_url: The API; None reads COZE_API_BASE, else takes https://api.coze.cn.
        www_base_url: Not needed: the server names its page.
        transport: Your own httpx transport.

    Source: the flows of cozepy 0.20, coze-js cabc1ec and coze-go f47b4f2.
    """

    async def start(self, *, workspace_id: str | None = None) -> DeviceCode:
        """Return what to show to the user; then `wait`.

        Args:
            workspace_id: Ask for one workspace only.
        """
        path = f"{_OAUTH}/device/code"
        if workspace_id:
            path = path_of(f"{_OAUTH}/workspace_id/{{workspace_id}}/device/code", workspace_id=workspace_id)
        async with self._endpoint() as endpoint:
            return endpoint.read(DeviceCode, path, await endpoint.post(path, {"client_id": self.client_id}))

    async def wait(self, code: DeviceCode) -> OAuthToken:
        """Ask until the user has confirmed, no faster than the server wants, and return the tokens.

        Raises:
            AuthenticationError: the user refused, or did not confirm in time.
        """
        body = {"grant_type": _DEVICE_GRANT, "client_id": self.client_id, "device_code": code.device_code}
        interval = code.interval if code.interval > 0 else _SLOWER
        deadline = anyio.current_time() + code.expires_in
        async with self._endpoint() as endpoint:
            while True:
                if anyio.current_time() + interval >= deadline:
                    raise AuthenticationError(
                        f"The code {code.user_code} was not confirmed within {code.expires_in:g} s. Start again.",
                        msg="expired_token",
                    )
                await anyio.sleep(interval)
                try:
                    return (await endpoint.token(TOKEN_PATH, body)).token
                except (TransportError, ServerError, RateLimitError):
                    # The user may be confirming just now: go on, more slowly.
                    interval = _slower(interval)
                except APIError as error:
                    word = error.msg.partition(":")[0]
                    if word == "slow_down":
                        interval = _slower(interval)
                    elif word != "authorization_pending":
                        raise


class OAuthAuth(RenewingAuth):
    """A login by a token that a person granted; it renews itself with its refresh token.

    Programs that share a store share the token too: the store is locked for a renewal if it can be, and asked before
    it, and again if the server says that the refresh token was used. A renewal that has begun is brought to its end,
    and its pair saved, also when all tasks are cancelled; it takes up to 5 seconds then.

    Args:
        client_id: The OAuth app that the token was granted to.
        token: What the flow returned; None takes it from the store.
        store: Where each new token is kept; None keeps it in memory.
        client_secret: The app's secret, in the web flow only.
        base_url: For use without a client.
        transport: For use without a client.
    """

    def __init__(
        self,
        client_id: str,
        token: OAuthToken | None = None,
        *,
        store: TokenStore | None = None,
        client_secret: str | None = None,
        base_url: str | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        if token is None and store is None:
            raise ConfigurationError("OAuthAuth needs a token, or a store that has one.")
        super().__init__(base_url=base_url, transport=transport)
        self._client_id = _given(client_id, "client_id")
        self._client_secret = client_secret
        self._last = token
        self._unsaved = token
        self._store = store if store is not None else MemoryTokenStore(token)

    def secrets(self) -> tuple[str, ...]:
        """Return the tokens and the client secret."""
        last = self._last
        more = (self._client_secret, *((last.access_token, last.refresh_token) if last else ()))
        return (*super().secrets(), *filter(None, more))

    async def grant(self, endpoint: TokenEndpoint) -> Granted:
        """Take what the store has, if it holds, else ask for a new token and keep it.

        Raises:
            AuthenticationError: the refresh token was refused, and the store has no newer one.
            StorageError: the store cannot be read, written or locked.
        """
        async with self._locked():
            last = await self._stored()
            while True:
                if self._is_good(last):
                    return Granted(last, is_new=False)
                if not last.refresh_token:
                    raise AuthenticationError(
                        "The token has ended or was refused, and there is no refresh token for a new one. "
                        "Log in again.",
                        msg="no refresh token",
                    )
                try:
                    return await unbroken(partial(self._renewed_pair, endpoint, last), _LAST_WAIT)
                except AuthenticationError:
                    # Another program that shares the store may have been quicker.
                    newer = await self._newer(last)
                    if newer is None:
                        raise
                    last = newer

    async def _renewed_pair(self, endpoint: TokenEndpoint, last: OAuthToken) -> Granted:
        """Swap a refresh token, which may be possible once only, and keep what comes."""
        granted = await _refreshed(endpoint, self._client_id, self._client_secret, last.refresh_token)
        token = granted.token
        if not token.refresh_token:
            token = token.model_copy(update={"refresh_token": last.refresh_token})
        self._last = self._unsaved = token
        await self._save(token)
        return Granted(token, granted.skew)

    async def _newer(self, last: OAuthToken) -> OAuthToken | None:
        """Return what somebody else has put into the store meanwhile, None if nobody has."""
        # Under a lock nobody else is about to save anything.
        for pause in _SECOND_LOOKS[: 1 if hasattr(self._store, "lock") else None]:
            await anyio.sleep(pause)
            newer = await self._load()
            if newer is not None and newer.refresh_token != last.refresh_token:
                self._last = newer
                return newer
        return None

    async def _stored(self) -> OAuthToken:
        """Return the newest token that is known."""
        if (unsaved := self._unsaved) is not None:
            if await self._is_newest(unsaved):
                # Should saving fail, it is tried again the next time.
                await self._save(unsaved)
                return unsaved
            self._unsaved = None
        stored = await self._load() or self._last
        if stored is None:
            raise AuthenticationError(
                f"There is no token in {self._store!r}: log in first, for instance with coze-async login.",
                msg="no token",
            )
        self._last = stored
        return stored

    async def _is_newest(self, token: OAuthToken) -> bool:
        """Return False if the store has a later token: another program was given the same one, and has renewed it."""
        try:
            stored = await self._load()
        except StorageError:
            # What cannot be read is no better.
            return True
        return stored is None or not token.expires_at or stored.expires_at <= token.expires_at

    def _locked(self) -> AbstractAsyncContextManager[Any]:
        """Return the lock of the store, one without effect if the store has none."""
        lock: Any = getattr(self._store, "lock", None)
        return nullcontext() if lock is None else lock()

    async def _load(self) -> OAuthToken | None:
        with _storage(self._store):
            return await self._store.load()

    async def _save(self, token: OAuthToken) -> None:
        with _storage(self._store):
            await self._store.save(token)
        self._unsaved = None

    def _is_good(self, token: OAuthToken) -> bool:
        """True for a token that holds, and is not the one that is to be replaced ahead of its end."""
        held = self._token
        return self._left(token) > 0 and (held is None or token.access_token != held.access_token)


@contextmanager
def _storage(store: TokenStore) -> Generator[None]:
    """Say which store it was that failed."""
    try:
        yield
    except CozeError:
        raise
    except OSError as error:
        raise StorageError(f"The token store {store!r} failed: {error.strerror or error}. Try again later.") from error


async def _refreshed(endpoint: TokenEndpoint, client_id: str, client_secret: str | None, refresh_token: str) -> Granted:
    body = {"grant_type": "refresh_token", "client_id": client_id, "refresh_token": refresh_token}
    return await endpoint.token(TOKEN_PATH, body, bearer=client_secret)


def _given(text: str, name: str) -> str:
    """Return a setting that must not be empty; the error does not show it."""
    text = text.strip()
    if not text or not text.isprintable():
        raise ConfigurationError(f"{name} is empty or has characters that it cannot have.")
    return text


def _slower(interval: float) -> float:
    """Return a longer interval, unless the server itself asked for a longer one still."""
    return max(interval, min(interval + _SLOWER, _SLOWEST_POLL))


def _digest(verifier: str) -> str:
    """Return the S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _www(base_url: str) -> str:
    """Return where the pages of a server are: beside an API at api.…, else at the same place."""
    parts = urlsplit(base_url)
    for sign in ("api.", "api-"):
        if parts.netloc.startswith(sign):
            return f"{parts.scheme}://www{sign[-1]}{parts.netloc.removeprefix(sign)}{parts.path}"
    return base_url
