"""The OAuth side of the emulator: what it grants, what it refuses, and where it says so."""

import base64
import json
import sys
from typing import Any

import anyio
import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from emulator.talk import talking
from test_jwt import key, public_pem

from coze_async.emulator import Emulator, OAuthApp

TOKEN = "/api/permission/oauth2/token"
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


async def asked(emulator: Emulator, body: Any, bearer: str = "", path: str = TOKEN) -> httpx.Response:
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    async with httpx.AsyncClient(transport=emulator.transport(), base_url=emulator.url) as http:
        return await http.post(path, json=body, headers=headers)


async def refusal(emulator: Emulator, body: Any, bearer: str = "", path: str = TOKEN) -> str:
    """The word with which a request is refused, which stands at two places."""
    response = await asked(emulator, body, bearer, path)
    told = response.json()
    assert response.status_code == (401 if told["error"] == "invalid_client" else 400)
    assert told["error"] == told["error_code"]
    assert told["error_message"]
    return str(told["error"])


def encoded(part: Any) -> str:
    data = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def assertion(emulator: Emulator, header: dict[str, Any] | None = None, sign: Any = None, **claims: Any) -> str:
    """A JWT as it should be, but for what is given."""
    now = emulator._world.state.unix_time()  # pyright: ignore[reportPrivateUsage]
    full = {"iss": "app", "aud": "coze.emulator", "iat": now, "exp": now + 3600, "jti": f"j-{id(claims)}", **claims}
    signed = f"{encoded(header or {'alg': 'RS256', 'typ': 'JWT', 'kid': 'k-1'})}.{encoded(full)}"
    signature = (sign or key()).sign(signed.encode(), PKCS1v15(), SHA256())
    return f"{signed}.{encoded(signature)}"


def jwt_emulator(**public_keys: str) -> Emulator:
    emulator = Emulator()
    emulator.oauth.register(OAuthApp("app", public_keys=public_keys or {"k-1": public_pem(key())}))
    return emulator


# --- tokens -----------------------------------------------------------------------------------------------------------


async def test_a_token_of_its_own_is_taken_until_its_end_and_then_refused() -> None:
    emulator = Emulator(tokens={"pat_only"})
    token = emulator.oauth.issue("app", seconds=60)["access_token"]
    async with talking(emulator, headers={"Authorization": f"Bearer {token}"}) as coze:
        assert (await coze.get("/v1/users/me"))["code"] == 0
        await anyio.sleep(61)
        assert (await coze.get("/v1/users/me"))["code"] == 4100
    async with talking(emulator, headers={"Authorization": "Bearer pat_only"}) as coze:
        assert (await coze.get("/v1/users/me"))["code"] == 0
    async with talking(emulator, headers={"Authorization": "Bearer other"}) as coze:
        assert (await coze.get("/v1/users/me"))["code"] == 4100


async def test_a_revoked_token_is_refused_and_the_others_are_not() -> None:
    emulator = Emulator()
    one, two = (emulator.oauth.issue("app") for _ in range(2))
    emulator.oauth.revoke(one["access_token"])
    assert emulator.oauth.judge(one["access_token"]) is False
    assert emulator.oauth.judge(two["access_token"]) is True
    assert emulator.oauth.judge("pat_other") is None
    emulator.oauth.revoke()
    assert emulator.oauth.judge(two["access_token"]) is False


async def test_a_refresh_token_is_good_once_for_its_app_and_thirty_days() -> None:
    emulator = Emulator()
    first, second = (emulator.oauth.issue("app") for _ in range(2))
    body = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": first["refresh_token"]}
    assert await refusal(emulator, {**body, "client_id": "other"}) == "invalid_grant"
    assert (await asked(emulator, body)).json()["access_token"] != first["access_token"]
    assert await refusal(emulator, body) == "invalid_grant"
    emulator.oauth.rotates = False
    body["refresh_token"] = second["refresh_token"]
    assert (await asked(emulator, body)).status_code == (await asked(emulator, body)).status_code == 200
    await anyio.sleep(30 * 86400 + 1)
    assert await refusal(emulator, body) == "invalid_grant"


async def test_the_end_of_a_token_is_a_time_and_not_a_duration() -> None:
    emulator = Emulator()
    told = emulator.oauth.issue("app", seconds=100)
    now = emulator._world.state.unix_time()  # pyright: ignore[reportPrivateUsage]
    assert told["expires_in"] == pytest.approx(now + 100, abs=1)
    assert "refresh_token" not in emulator.oauth.issue("app", refreshable=False)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        (None, "invalid_request"),
        ({}, "invalid_request"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": "refresh_token"}, "invalid_request"),
        ({"grant_type": "refresh_token", "client_id": "stranger", "refresh_token": "r"}, "invalid_client"),
        ({"grant_type": "authorization_code", "client_id": "app", "code": "c"}, "invalid_grant"),
        ({"grant_type": DEVICE_GRANT, "client_id": "app", "device_code": "d"}, "invalid_grant"),
        ({"grant_type": JWT_GRANT}, "invalid_client"),
    ],
)
async def test_what_is_wrong_is_refused_with_its_word(body: Any, word: str) -> None:
    emulator = Emulator()
    emulator.oauth.register(OAuthApp("app"))
    assert await refusal(emulator, body) == word


@pytest.mark.parametrize(
    "path", ["/api/permission/oauth2/account/8/token", "/api/permission/oauth2/enterprise_id/9/token"]
)
async def test_the_paths_of_organizations_take_assertions_only(path: str) -> None:
    emulator = jwt_emulator()
    body = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": "r"}
    assert await refusal(emulator, body, path=path) == "unsupported_grant_type"
    assert (await asked(emulator, {"grant_type": JWT_GRANT}, assertion(emulator), path)).status_code == 200


async def test_a_self_hosted_server_has_no_such_routes_and_the_cloud_no_others() -> None:
    assert (await asked(Emulator("studio"), {"grant_type": "refresh_token"})).status_code in (401, 404)
    assert (await asked(Emulator(), {}, path="/api/permission/oauth2/other")).status_code == 404


# --- the page ---------------------------------------------------------------------------------------------------------


async def opened(emulator: Emulator, path: str = "authorize", **query: str) -> httpx.Response:
    full = {"response_type": "code", "client_id": "app", "redirect_uri": "https://a.example/?x=1", **query}
    async with httpx.AsyncClient(transport=emulator.transport(), base_url=emulator.url) as http:
        return await http.get(f"/api/permission/oauth2/{path}", params=full)


async def test_the_page_sends_the_browser_back_with_a_code_or_a_no() -> None:
    emulator = Emulator()
    response = await opened(emulator, "workspace_id/7/authorize", state="s&t")
    assert response.status_code == 302
    location = httpx.URL(response.headers["location"])
    assert (location.params["x"], location.params["state"]) == ("1", "s&t")
    emulator.oauth.consents = False
    location = httpx.URL((await opened(emulator)).headers["location"])
    assert dict(location.params) == {"x": "1", "error": "access_denied"}


@pytest.mark.parametrize(
    "query",
    [
        {"redirect_uri": ""},
        {"redirect_uri": "https://evil.example"},
        {"response_type": "token"},
        {"code_challenge": "c", "code_challenge_method": "md5"},
    ],
)
async def test_the_page_refuses_what_is_not_registered_or_not_known(query: dict[str, str]) -> None:
    emulator = Emulator()
    emulator.oauth.register(OAuthApp("app", redirect_uris=("https://a.example/?x=1",)))
    assert (await opened(emulator)).status_code == 302
    response = await opened(emulator, **query)
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize("end", ["\r\nset-cookie: a=b", "\n", "\0"])
async def test_an_address_that_would_write_another_header_is_refused(end: str) -> None:
    response = await opened(Emulator(), redirect_uri=f"https://a.example/{end}")
    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_a_code_is_good_once_for_ten_minutes_at_its_address_and_with_the_secret() -> None:
    emulator = Emulator()
    emulator.oauth.register(OAuthApp("app", secret="s"))

    async def body() -> dict[str, str]:
        code = httpx.URL((await opened(emulator)).headers["location"]).params["code"]
        uri = "https://a.example/?x=1"
        return {"grant_type": "authorization_code", "client_id": "app", "code": code, "redirect_uri": uri}

    assert await refusal(emulator, await body()) == "invalid_client"
    assert await refusal(emulator, await body(), "wrong") == "invalid_client"
    assert await refusal(emulator, {**await body(), "redirect_uri": "https://b.example"}, "s") == "invalid_request"
    good = await body()
    granted = (await asked(emulator, good, "s")).json()
    assert await refusal(emulator, good, "s") == "invalid_grant"
    refresh = {"grant_type": "refresh_token", "client_id": "app", "refresh_token": granted["refresh_token"]}
    assert await refusal(emulator, refresh) == "invalid_client"
    assert (await asked(emulator, refresh, "s")).status_code == 200
    late = await body()
    await anyio.sleep(601)
    assert await refusal(emulator, late, "s") == "invalid_grant"


# --- devices ----------------------------------------------------------------------------------------------------------


async def test_a_person_confirms_or_refuses_a_device_on_its_page() -> None:
    emulator = Emulator()
    path = "/api/permission/oauth2/device/code"
    codes = [(await asked(emulator, {"client_id": "app"}, path=path)).json() for _ in range(2)]
    async with httpx.AsyncClient(transport=emulator.transport()) as browser:
        page = codes[0]["verification_uri"]
        yes = await browser.get(page, params={"user_code": codes[0]["user_code"]})
        no = await browser.get(page, params={"user_code": codes[1]["user_code"], "deny": "1"})
        unknown = await browser.get(page, params={"user_code": "<b>"})
    assert (yes.status_code, "Confirmed" in yes.text) == (200, True)
    assert (no.status_code, "Refused" in no.text) == (200, True)
    assert (unknown.status_code, "<b>" in unknown.text) == (404, False)
    bodies = [{"grant_type": DEVICE_GRANT, "client_id": "app", "device_code": code["device_code"]} for code in codes]
    assert (await asked(emulator, bodies[0])).status_code == 200
    assert await refusal(emulator, bodies[0]) == "invalid_grant"
    assert await refusal(emulator, bodies[1]) == "access_denied"


async def test_who_polls_too_fast_is_told_to_slow_down_and_must_wait_longer() -> None:
    emulator = Emulator()
    code = emulator.oauth.device("app", "http://x")
    body = {"grant_type": DEVICE_GRANT, "client_id": "app", "device_code": code["device_code"]}
    words: list[str] = []
    for pause in (5, 5, 3, 6, 15):
        await anyio.sleep(pause)
        words.append(await refusal(emulator, body))
    pending, slow = "authorization_pending", "slow_down"
    assert words == [pending, pending, slow, slow, pending]
    emulator.oauth.approve()
    # What was confirmed cannot be refused any more.
    emulator.oauth.deny()
    await anyio.sleep(20)
    assert (await asked(emulator, body)).status_code == 200


async def test_a_device_code_ends() -> None:
    emulator = Emulator()
    emulator.oauth.device_seconds = 30
    code = emulator.oauth.device("app", "http://x")
    assert code["expires_in"] == 30
    await anyio.sleep(31)
    body = {"grant_type": DEVICE_GRANT, "client_id": "app", "device_code": code["device_code"]}
    assert await refusal(emulator, body) == "expired_token"
    # Others that begin since do not make it unknown at once.
    await anyio.sleep(60)
    emulator.oauth.device("app", "http://x")
    assert await refusal(emulator, body) == "expired_token"


# --- assertions -------------------------------------------------------------------------------------------------------


async def test_a_good_assertion_is_taken_once() -> None:
    emulator = jwt_emulator()
    bearer = assertion(emulator)
    granted = await asked(emulator, {"grant_type": JWT_GRANT, "duration_seconds": 60}, bearer)
    assert granted.status_code == 200
    assert "refresh_token" not in granted.json()
    assert await refusal(emulator, {"grant_type": JWT_GRANT}, bearer) == "invalid_client"
    seconds = {"grant_type": JWT_GRANT, "duration_seconds": 86400}
    assert await refusal(emulator, seconds, assertion(emulator, jti="j2")) == "invalid_request"


async def test_an_assertion_for_the_address_on_the_page_is_taken() -> None:
    """Programs for the cloud write `aud: "api.coze.cn"`, as the page says (coze.cn page oauth_jwt)."""
    emulator = jwt_emulator()
    body = {"grant_type": JWT_GRANT, "duration_seconds": None}
    assert (await asked(emulator, body, assertion(emulator, aud="api.coze.cn"))).json()["access_token"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "stranger"},
        {"aud": "api.coze.com"},
        {"iat": 9_999_999_999},
        {"exp": 1},
        {"exp": "soon"},
        {"jti": ""},
        {"header": {"alg": "none", "kid": "k-1"}},
        {"header": {"alg": "RS256"}},
        {"header": {"alg": "RS256", "kid": "k-2"}},
        {"sign": key(1)},
    ],
)
async def test_a_wrong_assertion_is_refused(wrong: dict[str, Any]) -> None:
    emulator = jwt_emulator()
    assert await refusal(emulator, {"grant_type": JWT_GRANT}, assertion(emulator, **wrong)) == "invalid_client"


@pytest.mark.parametrize("bearer", ["pat_x", "a.b.c", f"{encoded([1])}.{encoded({})}.c", "é.b.c"])
async def test_what_is_no_jwt_is_refused(bearer: str) -> None:
    response = await jwt_emulator().handle(
        "POST", TOKEN, {}, {"authorization": f"Bearer {bearer}"}, json.dumps({"grant_type": JWT_GRANT}).encode()
    )
    assert response.status == 401


async def test_without_registered_keys_or_without_cryptography_no_signature_is_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    emulator = Emulator()
    stranger = assertion(emulator, sign=key(1))
    assert (await asked(emulator, {"grant_type": JWT_GRANT}, stranger)).status_code == 200
    emulator = jwt_emulator()
    stranger = assertion(emulator, sign=key(1))
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    assert (await asked(emulator, {"grant_type": JWT_GRANT}, stranger)).status_code == 200


async def test_a_public_key_of_another_kind_checks_nothing() -> None:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    emulator = jwt_emulator(**{"k-1": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()})
    assert await refusal(emulator, {"grant_type": JWT_GRANT}, assertion(emulator)) == "invalid_client"


async def test_an_app_does_not_show_its_secret() -> None:
    assert "s3cret" not in repr(OAuthApp("app", secret="s3cret"))
