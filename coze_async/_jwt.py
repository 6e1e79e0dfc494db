"""The login of a service account: a signed JWT is swapped for a token; needs the extra `jwt`."""

import base64
import json
import secrets
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from coze_async._auth import RenewingAuth
from coze_async._errors import AuthenticationError, BadRequestError, ConfigurationError
from coze_async._token_endpoint import TOKEN_PATH, Granted, TokenEndpoint, path_of

if TYPE_CHECKING:
    import httpx
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["JWTAuth"]

_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ACCOUNT_PATH = "/api/permission/oauth2/account/{account_id}/token"
_ENTERPRISE_PATH = "/api/permission/oauth2/enterprise_id/{enterprise_id}/token"
# How long the assertion itself holds, in seconds (as cozepy 0.20 and coze-js make it).
_ASSERTION = 3600
# The assertion is dated back a little: a clock that is a moment ahead would be refused.
_DATED_BACK = 5
# A refusal from a server whose clock differs from ours by more than this may be about the clock.
_NOTICEABLE = 2.0
_LONGEST = 86399


class JWTAuth(RenewingAuth):
    """The login of a service account: no person, no refresh token; each new token costs one signature.

    Args:
        client_id: The OAuth app.
        private_key: The app's RSA key, as PEM (PKCS#8 or PKCS#1). It is parsed here, once.
        public_key_id: The id that the console shows beside the public key.
        ttl: How long a token holds, in seconds, 1-86399.
        session_name: Keeps conversations and memory of this end user apart from those of others.
        session_context: More about the end user, such as {"device_info": {"device_id": "…"}}; enterprise plans only.
        scope: Limits of the token, such as {"account_permission": {"permission_list": ["Connector.botChat"]},
            "attribute_constraint": {"connector_bot_chat_attribute": {"bot_id_list": ["…"]}}}.
        account_id: The organization, in an enterprise with several.
        enterprise_id: The enterprise, for an app with enterprise privileges.
        audience: The host that the JWT is made for; None takes it from the base URL.
        base_url: For use without a client: None reads COZE_API_BASE, else takes api.coze.cn.
        transport: For use without a client: your own httpx transport.

    Raises:
        ConfigurationError: the extra is missing, the key is none, or a setting cannot be right.

    Source: https://www.coze.cn/docs/developer_guides/oauth_jwt
    """

    def __init__(
        self,
        client_id: str,
        private_key: str | bytes,
        public_key_id: str,
        *,
        ttl: int = 900,
        session_name: str | None = None,
        session_context: Mapping[str, Any] | None = None,
        scope: Mapping[str, Any] | None = None,
        account_id: str | None = None,
        enterprise_id: str | None = None,
        audience: str | None = None,
        base_url: str | None = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        super().__init__(base_url=base_url, transport=transport)
        for name, text in (("client_id", client_id), ("public_key_id", public_key_id)):
            if not text.strip():
                raise ConfigurationError(f"{name} is empty.")
        if not 1 <= ttl <= _LONGEST:
            raise ConfigurationError(f"ttl is {ttl!r}: a token holds 1-{_LONGEST} seconds.")
        if account_id and enterprise_id:
            raise ConfigurationError("Give account_id or enterprise_id, not both: each has a path of its own.")
        self.usual_lifetime: float = float(ttl)
        self._client_id = client_id.strip()
        self._public_key_id = public_key_id.strip()
        self._key = _parsed(private_key)
        self._session = _session(session_name, session_context)
        self._audience = audience
        self._path = TOKEN_PATH
        if account_id:
            self._path = path_of(_ACCOUNT_PATH, account_id=account_id)
        elif enterprise_id:
            self._path = path_of(_ENTERPRISE_PATH, enterprise_id=enterprise_id)
        self._body: dict[str, Any] = {"grant_type": _GRANT, "duration_seconds": ttl}
        if scope:
            self._body["scope"] = dict(scope)

    def for_session(self, session_name: str, session_context: Mapping[str, Any] | None = None) -> "JWTAuth":
        """Return the same login for one end user, with tokens of its own; the key is not parsed again.

        Args:
            session_name: Keeps conversations and memory of this end user apart from those of others.
            session_context: More about the end user; enterprise plans only.
        """
        # Not `copy`: that refuses what holds a credential.
        other = object.__new__(type(self))
        vars(other).update(vars(self))
        RenewingAuth.__init__(other, base_url=self._base_url, transport=self._transport)
        other._session = _session(session_name, session_context)
        return other

    async def grant(self, endpoint: TokenEndpoint) -> Granted:
        """Sign a JWT and swap it for a token; once more with the server's time if ours was wrong."""
        supposed = self._skew
        try:
            return await self._swapped(endpoint)
        except (AuthenticationError, BadRequestError):
            if endpoint.skew is None or abs(endpoint.skew - supposed) < _NOTICEABLE:
                raise
            self._skew = endpoint.skew
            return await self._swapped(endpoint)

    async def _swapped(self, endpoint: TokenEndpoint) -> Granted:
        issued = int(time.time() + self._skew) - _DATED_BACK
        claims = {
            "iss": self._client_id,
            "aud": self._audience or endpoint.authority,
            "iat": issued,
            "exp": issued + _ASSERTION,
            # Never used twice; more than 32 bytes are advised.
            "jti": secrets.token_urlsafe(36),
            **self._session,
        }
        return await endpoint.token(self._path, self._body, bearer=self._signed(claims))

    def _signed(self, claims: Mapping[str, Any]) -> str:
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        header = {"alg": "RS256", "typ": "JWT", "kid": self._public_key_id}
        signed = b".".join(_encoded(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
        return b".".join((signed, _encoded(self._key.sign(signed, PKCS1v15(), SHA256())))).decode()


def _session(session_name: str | None, session_context: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the claims that name an end user; what is empty names nobody."""
    claims = {"session_name": session_name, "session_context": session_context}
    return {name: value for name, value in claims.items() if value}


def _encoded(data: bytes) -> bytes:
    """Return base64url without padding, as JWTs want it."""
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def _parsed(private_key: str | bytes) -> "RSAPrivateKey":
    """Return the key in a PEM text; an error shows nothing of it."""
    try:
        from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
        from cryptography.hazmat.primitives.serialization import load_pem_private_key
    except ImportError as error:
        raise ConfigurationError("JWTAuth needs cryptography: pip install 'coze_async[jwt]'.") from error
    pem = private_key.encode() if isinstance(private_key, str) else private_key
    # Environments that take one line only have the line ends spelled out.
    pem = pem.replace(b"\\r", b"").replace(b"\\n", b"\n").strip()
    if not pem.startswith(b"-----BEGIN"):
        raise ConfigurationError(
            "private_key is no PEM text: it begins with '-----BEGIN PRIVATE KEY-----'. Give the content of the file, "
            "not its path."
        )
    try:
        key: object = load_pem_private_key(pem, password=None)
    except TypeError:
        reason = "is encrypted: take the password off first (openssl pkey)"
    except Exception:  # noqa: BLE001 - the library names several, and none may show what it read
        reason = "cannot be read: copy the whole file again"
    else:
        if isinstance(key, RSAPrivateKey):
            return key
        reason = "is of another kind: Coze takes RSA"
    raise ConfigurationError(f"private_key {reason}.")
