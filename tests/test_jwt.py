"""The login of a service account: what is signed, what is asked for, and what is told when it goes wrong."""

# pyright: reportPrivateUsage=false

import base64
import json
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import anyio
import pytest
from answering import Answers, answer, chat
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from logins import EPOCH, TOKEN, Dated, WallClock, chatting, paths, said, wall_clock

from coze_async import AsyncCoze, AuthenticationError, BadRequestError, ConfigurationError, JWTAuth
from coze_async.emulator import Emulator, OAuthApp, Refuse, Stall, Unreachable

SCOPE = {
    "account_permission": {"permission_list": ["Connector.botChat"]},
    "attribute_constraint": {"connector_bot_chat_attribute": {"bot_id_list": ["7001"]}},
}


@pytest.fixture(autouse=True)
def clock() -> Iterator[WallClock]:
    with wall_clock() as virtual:
        yield virtual


@cache
def key(number: int = 0) -> rsa.RSAPrivateKey:
    """A key of these tests; making one takes a moment."""
    del number
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(private: Any = None, form: Any = serialization.PrivateFormat.PKCS8, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return (private or key()).private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def public_pem(private: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def emulator_with_app() -> Emulator:
    emulator = Emulator()
    emulator.oauth.register(OAuthApp("app", public_keys={"k-1": public_pem(key())}))
    return emulator


def auth_with(**options: Any) -> JWTAuth:
    return JWTAuth("app", pem(), "k-1", **options)


def parts(authorization: str) -> list[dict[str, Any]]:
    """The header and the claims of an assertion, after its signature was checked."""
    scheme, assertion = authorization.split(" ")
    assert scheme == "Bearer"
    signed, _, signature = assertion.rpartition(".")
    key().public_key().verify(decoded(signature), signed.encode(), padding.PKCS1v15(), SHA256())
    return [json.loads(decoded(part)) for part in signed.split(".")]


def decoded(part: str) -> bytes:
    assert "=" not in part
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def test_the_assertion_says_what_the_documentation_asks_for() -> None:
    emulator = emulator_with_app()
    context = {"device_info": {"device_id": "d-1", "custom_consumer": "c"}}
    auth = auth_with(ttl=1200, session_name="u-1", session_context=context, scope=SCOPE)
    async with chatting(auth, emulator) as coze:
        assert await said(coze)
    request = emulator.requests[0]
    assert f"{request.method} {request.path}" == TOKEN
    assert request.body == {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "duration_seconds": 1200, "scope": SCOPE,
    }  # fmt: skip
    header, claims = parts(request.headers["authorization"])
    assert header == {"alg": "RS256", "typ": "JWT", "kid": "k-1"}
    assert len(claims.pop("jti")) > 32
    assert claims.pop("iat") == pytest.approx(EPOCH, abs=10)
    assert claims.pop("exp") == pytest.approx(EPOCH + 3600, abs=10)
    assert claims == {"iss": "app", "aud": "coze.emulator", "session_name": "u-1", "session_context": context}
    assert emulator.requests[1].headers["authorization"].startswith("Bearer czs_")


async def test_each_assertion_has_an_id_of_its_own() -> None:
    emulator = emulator_with_app()
    for _ in range(3):
        async with chatting(auth_with(), emulator) as coze:
            await said(coze)
    asked = [request for request in emulator.requests if request.path.endswith("token")]
    assert len({parts(request.headers["authorization"])[1]["jti"] for request in asked}) == 3


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "/api/permission/oauth2/token"),
        ({"account_id": "81"}, "/api/permission/oauth2/account/81/token"),
        ({"enterprise_id": "9/1"}, "/api/permission/oauth2/enterprise_id/9%2F1/token"),
    ],
)
async def test_accounts_and_enterprises_have_paths_of_their_own(options: dict[str, str], path: str) -> None:
    transport = Answers(answer({"access_token": "czs_x", "expires_in": int(EPOCH) + 900}), chat())
    async with AsyncCoze(auth_with(**options), base_url="http://coze.example:8080", transport=transport) as coze:
        await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert transport.requests[0].url.raw_path.decode() == path
    assert parts(transport.requests[0].headers["authorization"])[1]["aud"] == "coze.example:8080"


@pytest.mark.parametrize("options", [{"account_id": "81"}, {"enterprise_id": "91"}])
async def test_the_emulator_takes_assertions_at_every_path(options: dict[str, str]) -> None:
    emulator = emulator_with_app()
    async with chatting(auth_with(**options, audience="coze.emulator"), emulator) as coze:
        assert await said(coze)


async def test_a_token_is_replaced_by_a_new_assertion_ahead_of_its_end() -> None:
    emulator = emulator_with_app()
    async with chatting(auth_with(ttl=60), emulator) as coze:
        await said(coze)
        await anyio.sleep(45)
        await said(coze)
        await anyio.sleep(6)
        await said(coze)
    assert paths(emulator) == ["token", "chat", "chat", "token", "chat"]


@pytest.mark.parametrize(("ttl", "margin"), [(86399, 30), (600, 30), (599, 10), (59, 5), (29, 0)])
async def test_how_far_ahead_depends_on_how_long_a_token_holds(ttl: int, margin: int) -> None:
    emulator = emulator_with_app()
    async with chatting(auth_with(ttl=ttl), emulator) as coze:
        await said(coze)
        await anyio.sleep(ttl - margin - 1.1)
        await said(coze)
        assert paths(emulator).count("token") == 1
        await anyio.sleep(1.2)
        await said(coze)
    assert paths(emulator) == ["token", "chat", "chat", "token", "chat"]


async def test_a_hundred_that_wait_cost_one_signature_and_one_request() -> None:
    emulator = emulator_with_app()
    emulator.fail(Stall(2), on=TOKEN)
    async with chatting(auth_with(), emulator) as coze, anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(said, coze)
    assert paths(emulator).count("token") == 1


async def test_who_waits_goes_on_when_who_asked_gave_up() -> None:
    emulator = emulator_with_app()
    emulator.fail(Stall(), on=TOKEN)
    answers: list[str] = []
    async with chatting(auth_with(), emulator) as coze:

        async def impatient() -> None:
            with anyio.move_on_after(1):
                await said(coze)

        async def patient() -> None:
            await anyio.sleep(0.5)
            answers.append(await said(coze))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(impatient)
            tasks.start_soon(patient)
    # An assertion can be made again, so nobody is held by it.
    assert anyio.current_time() == pytest.approx(1)
    assert paths(emulator) == ["token", "token", "chat"]
    assert len(answers) == 1


async def test_a_revoked_token_is_replaced_in_the_middle_of_a_stream_request() -> None:
    emulator = emulator_with_app()
    async with chatting(auth_with(), emulator) as coze:
        await said(coze)
        emulator.oauth.revoke()
        assert [text async for text in coze.chat.stream("Hi", bot_id="b", user_id="u").text()]
    assert paths(emulator) == ["token", "chat", "chat", "token", "chat"]


@pytest.mark.parametrize("ahead", [900.0, -7200.0])
async def test_a_wrong_clock_is_put_right_after_one_refusal(ahead: float, clock: WallClock) -> None:
    emulator = emulator_with_app()
    transport = Dated(emulator)
    clock.ahead = ahead
    async with chatting(auth_with(), emulator, transport=transport) as coze:
        for _ in range(10):
            await said(coze)
            await anyio.sleep(100)
    # One refusal, one token; the next one, ahead of its end, is asked for with the right time at once.
    assert paths(emulator).count("token") == 3
    assert paths(emulator)[:3] == ["token", "token", "chat"]


async def test_a_wrong_clock_may_be_refused_as_a_bad_request_too(clock: WallClock) -> None:
    emulator = emulator_with_app()
    transport = Dated(emulator)
    clock.ahead = 900.0
    emulator.fail(Refuse(400, 4000, "iat lies in the future"), on=TOKEN)
    async with chatting(auth_with(), emulator, transport=transport) as coze:
        assert await said(coze)
    assert paths(emulator) == ["token", "token", "chat"]


async def test_a_refusal_that_is_not_about_the_clock_is_not_asked_again() -> None:
    emulator = Emulator()
    emulator.oauth.register(OAuthApp("app", public_keys={"k-1": public_pem(key(1))}))
    transport = Dated(emulator)
    async with chatting(auth_with(), emulator, transport=transport) as coze:
        with pytest.raises(AuthenticationError, match=r"invalid_client: the signature is wrong\. Check client_id"):
            await said(coze)
    assert paths(emulator) == ["token"]


async def test_the_end_of_a_token_is_its_ttl_if_the_server_names_an_impossible_one() -> None:
    past = answer({"access_token": "czs_x", "expires_in": int(EPOCH) - 5})
    transport = Answers(past, chat())
    async with AsyncCoze(auth_with(ttl=120), base_url="http://coze.example", transport=transport) as coze:
        for _ in range(3):
            await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert len(transport.requests) == 4


async def test_trouble_at_the_token_endpoint_is_tried_again_before_a_chat_is_lost() -> None:
    emulator = emulator_with_app()
    emulator.fail(Unreachable(), on=TOKEN)
    emulator.fail(Refuse(500, 5000, "busy"), on=TOKEN)
    async with chatting(auth_with(), emulator) as coze:
        await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert paths(emulator) == ["token", "token", "token", "chat"]


async def test_a_scope_that_is_refused_is_told() -> None:
    emulator = emulator_with_app()
    refused = Refuse(400, 4000, "scope is wrong")
    emulator.fail(refused, on=TOKEN)
    async with chatting(auth_with(scope={"x": 1}), emulator) as coze:
        with pytest.raises(BadRequestError, match=r"oauth2/token was refused .*scope is wrong"):
            await said(coze)


async def test_every_end_user_has_tokens_of_ones_own_and_all_share_one_key() -> None:
    emulator = emulator_with_app()
    service = auth_with(ttl=300)
    for name in ("u-1", "u-2"):
        auth = service.for_session(name, {"device_info": {"device_id": name}})
        assert auth._key is service._key
        async with chatting(auth, emulator) as coze:
            await said(coze)
            await said(coze)
    asked = [request for request in emulator.requests if request.path.endswith("token")]
    claims = [parts(request.headers["authorization"])[1] for request in asked]
    assert [claim["session_name"] for claim in claims] == ["u-1", "u-2"]
    assert claims[0]["session_context"] == {"device_info": {"device_id": "u-1"}}
    assert {request.body["duration_seconds"] for request in asked} == {300}
    assert service.secrets() == ()


async def test_a_token_can_be_had_without_a_client_for_a_page_that_talks_to_coze_itself() -> None:
    emulator = emulator_with_app()
    auth = auth_with(base_url=emulator.url, transport=emulator.transport())
    token = await auth.token()
    assert (await auth.token()).access_token == token.access_token
    assert token.refresh_token == ""
    assert token.expires_at == pytest.approx(EPOCH + 900, abs=2)


# --- the key ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form",
    [
        pem,
        lambda: pem().encode(),
        lambda: pem(form=serialization.PrivateFormat.TraditionalOpenSSL),
        lambda: pem().replace("\n", "\\n"),
        lambda: "\n  " + pem().replace("\n", "\r\n"),
    ],
)
async def test_a_key_is_taken_in_the_forms_in_which_it_is_kept(form: Any) -> None:
    emulator = emulator_with_app()
    async with chatting(JWTAuth("app", form(), "k-1"), emulator) as coze:
        assert await said(coze)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("key.pem", "no PEM text"),
        ("", "no PEM text"),
        ("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----", "cannot be read"),
        (lambda: pem(ec.generate_private_key(ec.SECP256R1())), "is of another kind: Coze takes RSA"),
        (lambda: pem(password=b"pw"), "is encrypted"),
    ],
)
def test_what_is_no_usable_key_is_refused_at_once_and_not_shown(text: Any, says: str) -> None:
    text = text if isinstance(text, str) else text()
    with pytest.raises(ConfigurationError, match=says) as caught:
        JWTAuth("app", text, "k-1")
    assert "c2VjcmV0" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"ttl": 0}, "ttl is 0: a token holds 1-86399 seconds"),
        ({"ttl": 86400}, "ttl is 86400"),
        ({"account_id": "1", "enterprise_id": "2"}, "account_id or enterprise_id, not both"),
        ({"client_id": " "}, "client_id is empty"),
        ({"public_key_id": ""}, "public_key_id is empty"),
    ],
)
def test_a_setting_that_cannot_be_right_is_refused(options: dict[str, Any], says: str) -> None:
    settings: dict[str, Any] = {"client_id": "app", "private_key": pem(), "public_key_id": "k-1", **options}
    with pytest.raises(ConfigurationError, match=says):
        JWTAuth(**settings)


def test_without_the_extra_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("cryptography.hazmat.primitives.asymmetric")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.rsa", None)
    text = "-----BEGIN PRIVATE KEY-----"
    with pytest.raises(ConfigurationError, match=r"pip install 'coze_async\[jwt\]'"):
        JWTAuth("app", text, "k-1")


async def test_neither_key_nor_assertion_nor_token_is_shown() -> None:
    emulator = emulator_with_app()
    auth = auth_with()
    emulator.fail(Refuse(401, 4100, "no"), on=TOKEN)
    async with chatting(auth, emulator) as coze:
        with pytest.raises(AuthenticationError) as caught:
            await said(coze)
        await said(coze)
        assertion = emulator.requests[0].headers["authorization"].partition(" ")[2]
        token = emulator.requests[-1].headers["authorization"].partition(" ")[2]
        text = f"{auth!r} {coze!r} {caught.value!r} {caught.value}"
    assert not [secret for secret in (assertion, token, pem().splitlines()[1]) if secret in text]
    assert token in auth.secrets()


async def test_an_assertion_that_the_server_echoes_is_taken_out() -> None:
    class Echo(Answers):
        """Repeats what it was sent, as careless gateways do."""

        async def handle_async_request(self, request: Any) -> Any:
            await super().handle_async_request(request)
            said = request.headers["authorization"].partition(" ")[2]
            return answer({"error_code": "invalid_client", "error_message": f"bad JWT {said}"}, status=401)

    transport = Echo(chat())
    async with AsyncCoze(auth_with(), base_url="http://coze.example", transport=transport) as coze:
        with pytest.raises(AuthenticationError, match=r"bad JWT \*\*\*") as caught:
            await coze.chat.create("Hi", bot_id="b", user_id="u")
    assert transport.requests[0].headers["authorization"].partition(" ")[2] not in str(caught.value)
