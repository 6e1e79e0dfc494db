"""The config file of the official SDKs: every type of app, and what is missing in it."""

import json
from pathlib import Path
from typing import Any

import pytest
from logins import chatting, said, wall_clock
from test_jwt import emulator_with_app, pem

from coze_async import ConfigurationError, DeviceOAuth, JWTAuth, PKCEOAuth, WebOAuth, load_oauth_config

# The keys that cozepy 0.20 and coze-go f47b4f2 read.
COMMON = {"client_id": "app", "coze_api_base": "https://api.coze.com", "coze_www_base": "https://www.coze.com"}


def written(folder: Path, facts: Any) -> Path:
    path = folder / "coze_oauth_config.json"
    path.write_text(json.dumps(facts), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({"client_type": "web", "client_secret": "s3cret"}, WebOAuth),
        ({"client_type": "pkce"}, PKCEOAuth),
        ({"client_type": "device"}, DeviceOAuth),
    ],
)
def test_a_flow_is_made_from_the_file_or_from_what_is_in_it(
    more: dict[str, str], kind: type[WebOAuth | PKCEOAuth | DeviceOAuth], tmp_path: Path
) -> None:
    facts = {**COMMON, **more}
    for config in (written(tmp_path, facts), str(written(tmp_path, facts)), facts):
        app = load_oauth_config(config)
        assert type(app) is kind
        assert isinstance(app, kind)
        assert (app.client_id, app.base_url, app.www_base_url) == (
            "app", "https://api.coze.com", "https://www.coze.com",
        )  # fmt: skip


async def test_a_service_account_is_a_login_at_once(tmp_path: Path) -> None:
    emulator = emulator_with_app()
    facts = {
        "client_type": "jwt", "client_id": "app", "private_key": pem(), "public_key_id": "k-1",
        "coze_api_base": emulator.url,
    }  # fmt: skip
    auth = load_oauth_config(written(tmp_path, facts), transport=emulator.transport())
    assert isinstance(auth, JWTAuth)
    with wall_clock():
        async with chatting(auth, emulator) as coze:
            assert await said(coze)


def test_the_pages_are_found_from_the_api_where_the_file_does_not_say(tmp_path: Path) -> None:
    facts = {**COMMON, "client_type": "pkce", "coze_www_base": None}
    app = load_oauth_config(written(tmp_path, facts))
    assert isinstance(app, PKCEOAuth)
    assert app.www_base_url == "https://www.coze.com"


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "has no 'coze_api_base'"),
        ({**COMMON}, "has no 'client_type'"),
        ({**COMMON, "client_type": "implicit"}, "has client_type 'implicit': it must be one of web, pkce, device, jwt"),
        ({**COMMON, "client_type": "web"}, "has no 'client_secret'"),
        ({**COMMON, "client_type": "jwt"}, "has no 'private_key'"),
        ({**COMMON, "client_type": "jwt", "private_key": "x"}, "has no 'public_key_id'"),
        ({**COMMON, "client_type": "web", "client_secret": 5}, "a 'client_secret' that is a int, not a text"),
        ({**COMMON, "client_type": "pkce", "client_id": ""}, "has no 'client_id'"),
        (["s3cret"], "is no JSON object"),
    ],
)
def test_what_is_missing_is_named(facts: Any, says: str, tmp_path: Path) -> None:
    path = written(tmp_path, facts)
    with pytest.raises(ConfigurationError, match=says) as caught:
        load_oauth_config(path)
    assert "s3cret" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_that_cannot_be_read_is_told_without_its_content(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        load_oauth_config(tmp_path / "none.json")
    torn = tmp_path / "torn.json"
    torn.write_text('{"private_key": "s3cret', encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"is no JSON \(at character 16\)") as caught:
        load_oauth_config(torn)
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None
    torn.write_bytes(b"\xff\xfe\xff")
    with pytest.raises(ConfigurationError, match="is no JSON"):
        load_oauth_config(torn)
