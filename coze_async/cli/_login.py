"""`coze-async login`: a person says yes in a browser, and the token is kept for the other commands."""

import hmac
import json
import os
import secrets
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import anyio
from anyio.abc import SocketStream

from coze_async import (
    AsyncCoze,
    AuthenticationError,
    ConfigurationError,
    DeviceOAuth,
    FileTokenStore,
    Limiter,
    Limits,
    OAuthToken,
    PKCEOAuth,
    load_oauth_config,
)
from coze_async.cli._ask import read_line
from coze_async.cli._output import Output
from coze_async.cli._runner import Runner, started

if TYPE_CHECKING:
    import httpx

__all__ = ["Login", "folder", "log_in", "log_out", "saved_login"]

# The port is ours to choose; the address has to be registered with the OAuth app.
_REDIRECT_URI = "http://127.0.0.1:8914/callback"
_HERE = ("127.0.0.1", "localhost", "::1")
# As long as a code of the cloud holds, in seconds.
_PATIENCE = 600.0
_MOST_OF_A_REQUEST = 16_384
_DEVICE_ID = "COZE_DEVICE_OAUTH_CLIENT_ID"
_PKCE_ID = "COZE_PKCE_OAUTH_CLIENT_ID"


@dataclass(frozen=True)
class Login:
    """A login that was made earlier.

    Attributes:
        app: The OAuth app that it belongs to.
        store: Where its token is.
    """

    app: DeviceOAuth | PKCEOAuth
    store: FileTokenStore

    def client(
        self, *, transport: "httpx.AsyncBaseTransport | None", limits: Limits, limiter: Limiter | None
    ) -> AsyncCoze:
        """Return a client that asks as who logged in; None for a transport is httpx's own."""
        auth, base_url = self.app.auth(store=self.store), self.app.base_url
        return AsyncCoze(auth, base_url=base_url, transport=transport, limits=limits, limiter=limiter)


def folder() -> Path:
    """Return where logins are kept."""
    home = os.environ.get("XDG_CONFIG_HOME", "").strip()
    return (Path(home) if home else Path.home() / ".config") / "coze_async"


def saved_login() -> Login | None:
    """Return the login that was made last, None if there is none, or if it is for another server than COZE_API_BASE.

    Raises:
        ConfigurationError: the files cannot be read.
    """
    store = FileTokenStore(folder() / "token.json")
    if not _app_file().is_file() or not store.path.is_file():
        return None
    app = load_oauth_config(_app_file())
    wanted = os.environ.get("COZE_API_BASE", "").strip().rstrip("/")
    if not isinstance(app, DeviceOAuth | PKCEOAuth) or (wanted and wanted != app.base_url):
        return None
    return Login(app, store)


def log_in(
    output: Output,
    *,
    pkce: bool,
    client_id: str | None,
    workspace_id: str | None,
    redirect_uri: str | None,
    config: Path | None,
) -> int:
    """Log in and keep the token; returns the exit code."""
    app = _chosen(pkce=pkce, client_id=client_id, config=config)
    with started() as runner:
        if isinstance(app, DeviceOAuth):
            token = runner.run(partial(_by_device, app, output, workspace_id))
        else:
            address = redirect_uri or os.environ.get("COZE_PKCE_OAUTH_REDIRECT_URI", "").strip() or _REDIRECT_URI
            token = _by_browser(runner, app, output, address, workspace_id)
        store = FileTokenStore(folder() / "token.json")
        runner.run(partial(_keep, store, token))
    _save(app)
    renewed = (
        f" The token lasts until {token.expires:%Y-%m-%d %H:%M} UTC and is renewed by itself." if token.expires else ""
    )
    output.tell(f"You are logged in at {app.base_url}.{renewed}")
    output.note(f"The token is in {store.path}, which only you can read. Next: coze-async chat '你好' --bot ID")
    _warn_of_other_token(output)
    return 0


def log_out(output: Output) -> int:
    """Forget the token of a login; the app stays known. Returns the exit code."""
    store = FileTokenStore(folder() / "token.json")
    if not store.path.exists():
        output.tell("You are not logged in.")
    else:
        with started() as runner:
            runner.run(partial(_forget, store))
        output.tell(f"You are logged out: the token in {store.path} is deleted.")
        output.note("Coze takes it until it expires. To log in again: coze-async login")
    _warn_of_other_token(output)
    return 0


def _warn_of_other_token(output: Output) -> None:
    if os.environ.get("COZE_API_TOKEN", "").strip():
        output.tell("COZE_API_TOKEN is set: the commands use that token, whether you are logged in or not.")


def _app_file() -> Path:
    return folder() / "oauth.json"


def _chosen(*, pkce: bool, client_id: str | None, config: Path | None) -> DeviceOAuth | PKCEOAuth:
    """Return the app to log in with: the one that was named, or the one of the last time."""
    name = _PKCE_ID if pkce else _DEVICE_ID
    client_id = client_id or os.environ.get(name, "").strip()
    if client_id and config is None:
        return PKCEOAuth(client_id) if pkce else DeviceOAuth(client_id)
    file = config or _app_file()
    if config is None and not file.is_file():
        raise ConfigurationError(
            f"Which OAuth app? Give --client-id ID, set {name}, or give --config FILE. An app is made in the console, "
            f"under API & SDK; its type must be {'PC, mobile or single page' if pkce else 'TV and limited input'}."
        )
    app = load_oauth_config(file)
    if not isinstance(app, DeviceOAuth | PKCEOAuth):
        raise ConfigurationError(
            f"{str(file)!r} describes a {type(app).__name__}: the terminal takes client_type device or pkce."
        )
    if isinstance(app, DeviceOAuth) and pkce:
        return PKCEOAuth(app.client_id, base_url=app.base_url, www_base_url=app.www_base_url)
    return app


def _save(app: DeviceOAuth | PKCEOAuth) -> None:
    """Keep what is no secret, in the form of a coze-oauth config file."""
    facts = {
        "client_type": "pkce" if isinstance(app, PKCEOAuth) else "device",
        "client_id": app.client_id,
        "coze_api_base": app.base_url,
        "coze_www_base": app.www_base_url,
    }
    _app_file().write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


async def _keep(store: FileTokenStore, token: OAuthToken) -> None:
    # A program that renews the login before would else put its own token in the place of this one.
    async with store.lock():
        await store.save(token)


async def _forget(store: FileTokenStore) -> None:
    # A program that renews the login meanwhile would else put it back.
    async with store.lock():
        store.path.unlink(missing_ok=True)


async def _by_device(app: DeviceOAuth, output: Output, workspace_id: str | None) -> OAuthToken:
    code = await app.start(workspace_id=workspace_id)
    output.tell(f"Open {code.verification_url}\nand confirm the code {code.user_code}.")
    output.note(f"Waiting, for {code.expires_in:.0f} seconds at most ...")
    return await app.wait(code)


def _by_browser(
    runner: Runner, app: PKCEOAuth, output: Output, redirect_uri: str, workspace_id: str | None
) -> OAuthToken:
    state, verifier = secrets.token_urlsafe(24), app.new_verifier()
    # The address is told, not opened: a browser would be started with it as an argument that others can see.
    url = app.authorize_url(redirect_uri, state=state, code_verifier=verifier, workspace_id=workspace_id)
    if urlsplit(redirect_uri).hostname in _HERE:
        address = runner.run(partial(_awaited, redirect_uri, state, partial(output.tell, f"Open {url}")))
    else:
        output.tell(f"Open {url}")
        try:
            address = read_line(output, "The address at which the browser ended: ").strip()
        except EOFError:
            raise ConfigurationError("There is no address, and so no login.") from None
    code = _code_in(address, state)
    return runner.run(partial(app.exchange, code, redirect_uri=redirect_uri, code_verifier=verifier))


def _code_in(address: str, state: str) -> str:
    """Return the code in the address to which Coze has sent the browser."""
    query = parse_qs(urlsplit(address).query)
    if not hmac.compare_digest(query.get("state", [""])[0].encode(), state.encode()):
        raise AuthenticationError("The answer belongs to another login (its state differs). Start again.", msg="state")
    if "code" not in query:
        word = query.get("error", ["no code came back"])[0]
        raise AuthenticationError(f"The login was refused: {word}.", msg=word)
    return query["code"][0]


async def _awaited(redirect_uri: str, state: str, announce: Any) -> str:
    """Listen where the browser will come back to, and return the address with which it came."""
    parts = urlsplit(redirect_uri)
    answers: list[str] = []
    is_over = anyio.Event()

    async def answer(stream: SocketStream) -> None:
        async with stream:
            target = await _target_of(stream)
            asked = urlsplit(target)
            known = parse_qs(asked.query).get("state", [""])[0]
            if asked.path != (parts.path or "/") or not hmac.compare_digest(known.encode(), state.encode()):
                # Browsers ask for an icon too, and anybody may ask anything.
                await stream.send(_page("404 Not Found", "This is not what the login waits for."))
                return
            await stream.send(_page("200 OK", "You can close this page and go back to the terminal."))
            answers.append(target)
            is_over.set()

    port = parts.port or 80
    try:
        listener = await anyio.create_tcp_listener(local_host=parts.hostname, local_port=port)
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen at {parts.hostname}, port {port}: {error.strerror or error}. Register another redirect "
            "address with the app, and give it with --redirect-uri."
        ) from error
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, answer)
        announce()
        with anyio.move_on_after(_PATIENCE):
            await is_over.wait()
        tasks.cancel_scope.cancel()
    if not answers:
        raise AuthenticationError(f"Nobody answered within {_PATIENCE:.0f} s. Start again.", msg="expired")
    return answers[0]


async def _target_of(stream: SocketStream) -> str:
    """Return what a request asks for; an empty text if it is none."""
    received = b""
    try:
        with anyio.move_on_after(10):
            while b"\r\n\r\n" not in received and len(received) < _MOST_OF_A_REQUEST:
                received += await stream.receive()
    except (anyio.EndOfStream, anyio.BrokenResourceError):
        return ""
    words = received.partition(b"\r\n")[0].decode("latin-1").split(" ")
    return words[1] if len(words) == 3 and words[0] == "GET" else ""


def _page(status: str, said: str) -> bytes:
    body = f"<!doctype html><title>coze-async</title><p>{said}</p>".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {len(body)}\r\n"
    return f"{head}Connection: close\r\n\r\n".encode() + body
