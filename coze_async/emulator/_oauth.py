"""The OAuth side of the emulated server: codes, devices, signed assertions, tokens that end.

Source: coze.cn page oauth_jwt, the flows of cozepy 0.20 and coze-js cabc1ec; errors where coze-go f47b4f2 looks for
them.
"""

import base64
import hashlib
import hmac
import html
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import urlencode

from ._body import EmulatedResponse
from ._checks import read_json
from ._state import State
from ._wire import CloudWire

PREFIX = "/api/permission/oauth2/"
CONFIRM = "/oauth/device"

_LONGEST = 86399
_AUDIENCE = "api.coze.cn"
"""What the page tells programs to write (coze.cn page oauth_jwt)."""
_CODE_SECONDS = 600
# A token of this server tells its end: it is refused also when the server remembers it no more.
_OWN = re.compile(r"cz[us]_emulated[0-9]+_([0-9]+)")
_SWEEP_SECONDS = 60


class OAuthRefusal(Exception):  # noqa: N818 - an answer, not a mistake
    """The token endpoint does not do what was asked.

    Args:
        word: The error code, such as "invalid_client".
        msg: What is wrong.
    """

    def __init__(self, word: str, msg: str) -> None:
        super().__init__(msg)
        self.word = word
        self.msg = msg


@dataclass(frozen=True, slots=True)
class OAuthApp:
    """An app as the console would have it registered.

    Attributes:
        client_id: Its id.
        secret: What the web flow must show; None takes any.
        public_keys: PEM texts by key id, for the JWT flow; none takes any signature.
        redirect_uris: Where a code may be sent; none allows all.
    """

    client_id: str
    secret: str | None = field(default=None, repr=False)
    public_keys: Mapping[str, str] = field(default_factory=dict[str, str])
    redirect_uris: tuple[str, ...] = ()


@dataclass(slots=True)
class _Device:
    client_id: str
    user_code: str
    ends_at: float
    interval: float
    status: str = "pending"
    polled_at: float = 0.0


@dataclass(frozen=True, slots=True)
class _Code:
    client_id: str
    redirect_uri: str
    challenge: str
    method: str
    ends_at: float


class OAuthServer:
    """What the emulated server knows of apps and tokens. Without registered apps every client id is taken.

    In strict mode only registered ones are.

    Attributes:
        access_seconds: How long an access token holds.
        refresh_seconds: How long a refresh token holds.
        device_seconds: How long a device code holds.
        interval: Seconds between two polls of a device.
        consents: What a person says at the authorize page: True sends a code, False refuses.
        rotates: True if a refresh token can be used once only.
    """

    def __init__(self, state: State, *, strict: bool = False) -> None:
        self.access_seconds = 900
        self.refresh_seconds = 30 * 86400
        self.device_seconds = 300
        self.interval: float = 5
        self.consents = True
        self.rotates = True
        self._state = state
        self._is_strict = strict
        self._apps: dict[str, OAuthApp] = {}
        # Tokens may have been kept from an earlier run.
        self._access, self._refresh = state.rows["access_token"], state.rows["refresh_token"]
        self._codes: dict[str, _Code] = {}
        self._devices: dict[str, _Device] = {}
        self._seen: dict[str, int] = {}
        """Assertions that were taken, and until when they would hold."""
        self._sweep_at = 0

    def register(self, app: OAuthApp) -> None:
        """Know an app; from then on only registered client ids are taken."""
        self._apps[app.client_id] = app

    def approve(self, user_code: str | None = None) -> None:
        """Let the person confirm a device; None means every device that waits."""
        self._decide(user_code, "approved")

    def deny(self, user_code: str | None = None) -> None:
        """Let the person refuse a device; None means every device that waits."""
        self._decide(user_code, "denied")

    def revoke(self, token: str | None = None) -> None:
        """Take a token back before its end; None means all access tokens."""
        for known in [token] if token is not None else list(self._access):
            self._state.keep("access_token", {"id": known, "ends_at": 0})
            if known in self._refresh:
                self._state.drop("refresh_token", known)

    def judge(self, token: str) -> bool | None:
        """Whether an access token is good; None if this server has not made it."""
        known, own = self._access.get(token), _OWN.fullmatch(token)
        if known is None:
            return False if own and int(own[1]) <= self._state.unix_time() else None
        return bool(self._state.unix_time() < known["ends_at"])

    def issue(self, client_id: str, *, seconds: int | None = None, refreshable: bool = True) -> dict[str, Any]:
        """Make a token, as the token endpoint answers it."""
        self._sweep()
        now, number = self._state.unix_time(), self._state.next_number()
        # An absolute time, whatever the name says (coze.cn page oauth_jwt).
        ends_at = now + (self.access_seconds if seconds is None else seconds)
        access = f"{'czu' if refreshable else 'czs'}_emulated{number:06d}_{ends_at}"
        self._state.keep("access_token", {"id": access, "ends_at": ends_at})
        answer: dict[str, Any] = {"access_token": access, "expires_in": ends_at, "token_type": "Bearer"}
        if refreshable:
            refresh = answer["refresh_token"] = f"czr_emulated{number:06d}"
            row = {"id": refresh, "client_id": client_id, "ends_at": now + self.refresh_seconds}
            self._state.keep("refresh_token", row)
        return answer

    def authorize(self, query: Mapping[str, str]) -> str:
        """Return where the browser is sent after the person has answered."""
        client_id, redirect_uri = query.get("client_id", ""), query.get("redirect_uri", "")
        app = self._app(client_id)
        if not redirect_uri.isprintable():
            # It becomes a header of the answer, and a new line there would be another one.
            raise OAuthRefusal("invalid_request", "redirect_uri holds characters that no address has")
        if not redirect_uri or (app.redirect_uris and redirect_uri not in app.redirect_uris):
            raise OAuthRefusal("invalid_request", "redirect_uri is not registered")
        if query.get("response_type") != "code":
            raise OAuthRefusal("invalid_request", "response_type must be code")
        challenge, method = query.get("code_challenge", ""), query.get("code_challenge_method", "plain")
        if challenge and method not in {"plain", "S256"}:
            raise OAuthRefusal("invalid_request", "code_challenge_method must be plain or S256")
        self._sweep()
        answer = {"error": "access_denied"}
        if self.consents:
            code = f"code_emulated{self._state.next_number():06d}"
            ends_at = self._state.unix_time() + _CODE_SECONDS
            self._codes[code] = _Code(client_id, redirect_uri, challenge, method, ends_at)
            answer = {"code": code}
        if "state" in query:
            answer["state"] = query["state"]
        return f"{redirect_uri}{'&' if '?' in redirect_uri else '?'}{urlencode(answer)}"

    def device(self, client_id: str, origin: str) -> dict[str, Any]:
        """Begin the login of a device."""
        self._app(client_id)
        self._sweep()
        number = self._state.next_number()
        device_code, user_code = f"device_emulated{number:06d}", f"EMU-{number:04d}"
        ends_at = self._state.now() + self.device_seconds
        self._devices[device_code] = _Device(client_id, user_code, ends_at, self.interval)
        return {
            "device_code": device_code,
            "user_code": user_code,
            "verification_uri": f"{origin}{CONFIRM}",
            "interval": self.interval,
            "expires_in": self.device_seconds,
        }

    def grant(self, body: Mapping[str, Any], bearer: str, host: str, *, jwt_only: bool) -> dict[str, Any]:
        """Swap what a client has for a token."""
        grants: dict[str, Callable[[], dict[str, Any]]] = {
            "urn:ietf:params:oauth:grant-type:jwt-bearer": lambda: self._by_assertion(body, bearer, host),
        }
        if not jwt_only:
            grants |= {
                "authorization_code": lambda: self._by_code(body, bearer),
                "urn:ietf:params:oauth:grant-type:device_code": lambda: self._by_device(body),
                "refresh_token": lambda: self._by_refresh(body, bearer),
            }
        kind = _text(body, "grant_type")
        if kind not in grants:
            raise OAuthRefusal("unsupported_grant_type", f"grant_type {kind} is not supported")
        return grants[kind]()

    def _by_code(self, body: Mapping[str, Any], bearer: str) -> dict[str, Any]:
        client_id = _text(body, "client_id")
        app = self._app(client_id)
        code = self._codes.pop(_text(body, "code"), None)
        if code is None or code.client_id != client_id or self._state.unix_time() >= code.ends_at:
            raise OAuthRefusal("invalid_grant", "the code is wrong or used up")
        if code.redirect_uri != _text(body, "redirect_uri"):
            raise OAuthRefusal("invalid_request", "redirect_uri differs from the one of the authorization")
        if code.challenge:
            verifier = _text(body, "code_verifier")
            shown = _unpadded(hashlib.sha256(verifier.encode()).digest()) if code.method == "S256" else verifier
            if not hmac.compare_digest(shown.encode(), code.challenge.encode()):
                raise OAuthRefusal("invalid_grant", "code_verifier does not match")
        else:
            self._check_secret(app, bearer)
        return self.issue(client_id)

    def _by_device(self, body: Mapping[str, Any]) -> dict[str, Any]:
        client_id, device_code = _text(body, "client_id"), _text(body, "device_code")
        device, now = self._devices.get(device_code), self._state.now()
        if device is None or device.client_id != client_id:
            raise OAuthRefusal("invalid_grant", "the device_code is wrong or used up")
        if now >= device.ends_at:
            raise OAuthRefusal("expired_token", "the device_code has ended")
        # A clock that counts in fractions may wake a moment early.
        is_hasty, device.polled_at = device.polled_at and now - device.polled_at < device.interval - 0.01, now
        if is_hasty:
            device.interval += 5
            raise OAuthRefusal("slow_down", "polling too fast")
        if device.status == "denied":
            raise OAuthRefusal("access_denied", "the user refused")
        if device.status == "pending":
            raise OAuthRefusal("authorization_pending", "the user has not answered yet")
        del self._devices[device_code]
        return self.issue(client_id)

    def _by_refresh(self, body: Mapping[str, Any], bearer: str) -> dict[str, Any]:
        client_id, refresh_token = _text(body, "client_id"), _text(body, "refresh_token")
        app = self._app(client_id)
        if app.secret is not None:
            self._check_secret(app, bearer)
        known = self._refresh.get(refresh_token)
        if known is None or known["client_id"] != client_id or self._state.unix_time() >= known["ends_at"]:
            raise OAuthRefusal("invalid_grant", "the refresh token is wrong, used up or ended")
        if self.rotates:
            self._state.drop("refresh_token", refresh_token)
        return self.issue(client_id)

    def _by_assertion(self, body: Mapping[str, Any], bearer: str, host: str) -> dict[str, Any]:
        header, claims, signed, signature = _parts(bearer)
        client_id, now = str(claims.get("iss") or ""), self._state.unix_time()
        app = self._app(client_id)
        if header.get("alg") != "RS256" or not header.get("kid"):
            raise OAuthRefusal("invalid_client", "the JWT needs alg RS256 and a kid")
        if claims.get("aud") not in {host, host.partition(":")[0], _AUDIENCE}:
            raise OAuthRefusal("invalid_client", "aud is not this server")
        issued, ends_at = claims.get("iat"), claims.get("exp")
        if not isinstance(issued, int) or not isinstance(ends_at, int) or not issued <= now < ends_at:
            raise OAuthRefusal("invalid_client", "the JWT does not hold at this time")
        if app.public_keys:
            _check_signature(app.public_keys.get(str(header["kid"])), signed, signature)
        jti = str(claims.get("jti") or "")
        if not jti or jti in self._seen:
            raise OAuthRefusal("invalid_client", "jti is missing or was used before")
        self._seen[jti] = ends_at
        given = body.get("duration_seconds")
        seconds = self.access_seconds if given is None else given
        if not isinstance(seconds, int) or not 1 <= seconds <= _LONGEST:
            raise OAuthRefusal("invalid_request", f"duration_seconds must be 1-{_LONGEST}")
        return self.issue(client_id, seconds=seconds, refreshable=False)

    def _sweep(self) -> None:
        """Forget what has ended, now and then: a server may run for days."""
        now = self._state.unix_time()
        if now < self._sweep_at:
            return
        self._sweep_at = now + _SWEEP_SECONDS
        # One that came from elsewhere and was taken back stays so.
        for token in [token for token in self._access if (own := _OWN.fullmatch(token)) and int(own[1]) <= now]:
            self._state.drop("access_token", token)
        for token in [token for token, known in self._refresh.items() if known["ends_at"] <= now]:
            self._state.drop("refresh_token", token)
        self._codes = {code: known for code, known in self._codes.items() if now < known.ends_at}
        self._seen = {jti: ends_at for jti, ends_at in self._seen.items() if now < ends_at}
        # Who polls on is told for a while that the code has ended, and not that it is wrong.
        since = self._state.now() - _CODE_SECONDS
        self._devices = {code: device for code, device in self._devices.items() if since < device.ends_at}

    def _app(self, client_id: str) -> OAuthApp:
        if not client_id or ((self._apps or self._is_strict) and client_id not in self._apps):
            raise OAuthRefusal("invalid_client", "there is no such client_id")
        return self._apps.get(client_id) or OAuthApp(client_id)

    def _check_secret(self, app: OAuthApp, bearer: str) -> None:
        if not bearer or (app.secret is not None and not hmac.compare_digest(bearer.encode(), app.secret.encode())):
            raise OAuthRefusal("invalid_client", "the client secret is wrong")

    def _decide(self, user_code: str | None, status: str) -> None:
        found = [device for device in self._devices.values() if user_code in (None, device.user_code)]
        if user_code is not None and not found:
            raise OAuthRefusal("invalid_request", f"no device waits with the code {user_code}")
        for device in found:
            if device.status == "pending":
                device.status = status


def answer(
    server: OAuthServer, wire: CloudWire, method: str, path: str, query: Mapping[str, str], headers: Mapping[str, str],
    body: Any,
) -> EmulatedResponse | None:  # fmt: skip
    """Answer a request to the OAuth side; None if it is none."""
    if path == CONFIRM and method == "GET":
        return _confirm(server, query)
    if not path.startswith(PREFIX):
        return None
    place = path.removeprefix(PREFIX).split("/")
    bearer = headers.get("authorization", "").partition(" ")[2].strip()
    host = headers.get("host", "")
    fields = cast("dict[str, Any]", body) if isinstance(body, dict) else {}
    try:
        match method, place:
            case "GET", ["authorize"] | ["workspace_id", _, "authorize"]:
                return EmulatedResponse(302, {"location": server.authorize(query)})
            case "POST", ["device", "code"] | ["workspace_id", _, "device", "code"]:
                origin = f"{headers.get('x-forwarded-proto', 'http')}://{host}"
                return wire.json(200, server.device(_text(fields, "client_id"), origin))
            case "POST", ["token"]:
                return wire.json(200, server.grant(fields, bearer, host, jwt_only=False))
            case "POST", ["account" | "enterprise_id", _, "token"]:
                return wire.json(200, server.grant(fields, bearer, host, jwt_only=True))
            case _:
                return None
    except OAuthRefusal as refusal:
        status = 401 if refusal.word == "invalid_client" else 400
        said = {"error": refusal.word, "error_code": refusal.word, "error_message": refusal.msg}
        return wire.json(status, said)


def _confirm(server: OAuthServer, query: Mapping[str, str]) -> EmulatedResponse:
    """The page that a person opens: opening it is a yes, `deny=1` is a no."""
    user_code = query.get("user_code", "")
    try:
        (server.deny if query.get("deny") else server.approve)(user_code)
        status, said = 200, f"{'Refused' if query.get('deny') else 'Confirmed'}: {user_code}"
    except OAuthRefusal as refusal:
        status, said = 404, refusal.msg
    page = f"<!doctype html><title>Emulated Coze</title><p>{html.escape(said)}</p>"
    return EmulatedResponse(status, {"content-type": "text/html; charset=utf-8"}, page.encode())


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise OAuthRefusal("invalid_request", f"{name} is required")
    return value


def _unpadded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _parts(assertion: str) -> tuple[dict[str, Any], dict[str, Any], bytes, bytes]:
    """The header, the claims, what was signed, and the signature of a JWT."""
    try:
        header, claims, signature = assertion.split(".")
        objects: list[Any] = [read_json(_decoded(part).decode()) for part in (header, claims)]
        if all(isinstance(item, dict) for item in objects):
            return objects[0], objects[1], f"{header}.{claims}".encode(), _decoded(signature)
    except ValueError:
        pass
    raise OAuthRefusal("invalid_client", "the Authorization header holds no JWT")


def _check_signature(public_key: str | None, signed: bytes, signature: bytes) -> None:
    """Refuse what the key did not sign; without the package cryptography nothing can be said."""
    if public_key is None:
        raise OAuthRefusal("invalid_client", "there is no public key of this kid")
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
        from cryptography.hazmat.primitives.hashes import SHA256
        from cryptography.hazmat.primitives.serialization import load_pem_public_key
    except ImportError:
        return
    key: object = load_pem_public_key(public_key.encode())
    if not isinstance(key, RSAPublicKey):
        raise OAuthRefusal("invalid_client", "the public key is no RSA key")
    try:
        key.verify(signature, signed, PKCS1v15(), SHA256())
    except InvalidSignature:
        raise OAuthRefusal("invalid_client", "the signature is wrong") from None
