"""The file in which the official SDKs keep an OAuth app: JSON with client_type and what that type needs."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from coze_async._errors import ConfigurationError
from coze_async._jwt import JWTAuth
from coze_async._oauth import DeviceOAuth, PKCEOAuth, WebOAuth
from coze_async.models._json import is_object

if TYPE_CHECKING:
    import httpx

__all__ = ["load_oauth_config"]

OAuthApp = WebOAuth | PKCEOAuth | DeviceOAuth | JWTAuth


def load_oauth_config(
    config: str | os.PathLike[str] | Mapping[str, Any],
    *,
    transport: "httpx.AsyncBaseTransport | None" = None,
) -> OAuthApp:
    """Return the OAuth app that a coze-oauth config file describes: a flow, or for `jwt` the login itself.

    Args:
        config: The file (coze_oauth_config.json), or what is in it. Keys: client_type (web, pkce, device or jwt),
            client_id, coze_api_base, coze_www_base; client_secret for web; private_key and public_key_id for jwt.
        transport: Your own httpx transport.

    Raises:
        ConfigurationError: the file cannot be read, or a key is missing.
    """
    facts, source = (config, "The OAuth config") if isinstance(config, Mapping) else _read(Path(config))
    www: dict[str, Any] = {"www_base_url": _text(facts, source, "coze_www_base", needed=False) or None}
    common: dict[str, Any] = {"base_url": _text(facts, source, "coze_api_base"), "transport": transport}

    def need(name: str) -> str:
        return _text(facts, source, name)

    makers: dict[str, Callable[[], OAuthApp]] = {
        "web": lambda: WebOAuth(need("client_id"), need("client_secret"), **common, **www),
        "pkce": lambda: PKCEOAuth(need("client_id"), **common, **www),
        "device": lambda: DeviceOAuth(need("client_id"), **common, **www),
        "jwt": lambda: JWTAuth(need("client_id"), need("private_key"), need("public_key_id"), **common),
    }
    kind = need("client_type")
    if kind not in makers:
        raise ConfigurationError(f"{source} has client_type {kind!r}: it must be one of {', '.join(makers)}.")
    return makers[kind]()


def _read(path: Path) -> tuple[Mapping[str, Any], str]:
    source = f"The OAuth config {str(path)!r}"
    try:
        content = path.expanduser().read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{source} cannot be read: {error.strerror or error}.") from error
    facts: Any = None
    try:
        facts = json.loads(content)
    except ValueError as error:
        # Not chained, and without the text: the file may hold a key.
        reason = f"is no JSON (at character {getattr(error, 'pos', 0)})"
    else:
        if is_object(facts):
            return facts, source
        reason = "is no JSON object"
    raise ConfigurationError(f"{source} {reason}.")


def _text(facts: Mapping[str, Any], source: str, name: str, *, needed: bool = True) -> str:
    value = facts.get(name)
    if value is None or value == "":
        if needed:
            raise ConfigurationError(f"{source} has no {name!r}.")
        return ""
    if not isinstance(value, str):
        raise ConfigurationError(f"{source} has a {name!r} that is a {type(value).__name__}, not a text.")
    return value
