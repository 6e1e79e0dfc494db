"""Logins to which a person says yes, and the token that keeps itself alive, against the emulator's token endpoint."""

# pyright: reportPrivateUsage=false

import logging
import math
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest
from answering import Answers, answer, chat
from logins import TOKEN, Dated, WallClock, chatting, paths, said, wall_clock

from coze_async import (
    APIError,
    AsyncCoze,
    AuthenticationError,
    BadRequestError,
    ConfigurationError,
    CozeError,
    DecodeError,
    DeviceCode,
    DeviceOAuth,
    Exchange,
    MemoryTokenStore,
    OAuthAuth,
    OAuthToken,
    PKCEOAuth,
    RateLimitError,
    RequestTimeoutError,
    Retry,
    ServerError,
    Timeouts,
    TransportError,
    WebOAuth,
)
from coze_async.emulator import Break, Code, Emulator, Html, OAuthApp, Refuse, Stall, Text, Unreachable

BACK = "https://app.example/callback"
SECRET = "s3cret-of-the-app"
# RFC 7636, appendix B.
VERIFIER, CHALLENGE = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


@pytest.fixture(autouse=True)
def clock() -> Iterator[WallClock]:
    with wall_clock() as virtual:
        yield virtual


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COZE_API_BASE", raising=False)
    monkeypatch.delenv("COZE_API_TOKEN", raising=False)


def at(emulator: Emulator) -> dict[str, Any]:
    return {"base_url": emulator.url, "transport": emulator.transport()}


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query, keep_blank_values=True).items()}


async def consent(url: str, emulator: Emulator) -> dict[str, str]:
    """Open the page that the flow names, as a browser would, and return the query with which it comes back."""
    async with httpx.AsyncClient(transport=emulator.transport()) as browser:
        response = await browser.get(url)
    assert response.status_code == 302, response.text
    assert response.headers["location"].startswith(BACK)
    return query_of(response.headers["location"])


def issued(emulator: Emulator, client_id: str = "app", **options: Any) -> OAuthToken:
    return OAuthToken.model_validate(emulator.oauth.issue(client_id, **options))


# --- the page ---------------------------------------------------------------------------------------------------------


def test_the_page_of_the_web_flow_is_asked_with_the_documented_query() -> None:
    url = WebOAuth("app", SECRET).authorize_url(BACK, state="st&te")
    assert url.partition("?")[0] == "https://www.coze.cn/api/permission/oauth2/authorize"
    assert query_of(url) == {"response_type": "code", "client_id": "app", "redirect_uri": BACK, "state": "st&te"}


def test_one_workspace_has_a_page_of_its_own() -> None:
    url = PKCEOAuth("app").authorize_url(BACK, state="s", code_verifier=VERIFIER, workspace_id="7/1")
    assert urlsplit(url).path == "/api/permission/oauth2/workspace_id/7%2F1/authorize"


@pytest.mark.parametrize(
    ("base_url", "www"),
    [
        ("https://api.coze.cn", "https://www.coze.cn"),
        ("https://api.coze.com", "https://www.coze.com"),
        ("https://api-eu.coze.example", "https://www-eu.coze.example"),
        ("http://localhost:8888/coze", "http://localhost:8888/coze"),
    ],
)
def test_the_pages_are_beside_the_api(base_url: str, www: str) -> None:
    assert DeviceOAuth("app", base_url=base_url).www_base_url == www
    assert (
        DeviceOAuth("app", base_url=base_url, www_base_url="https://own.example/").www_base_url == "https://own.example"
    )


def test_the_challenge_is_the_digest_of_the_verifier_or_the_verifier_itself() -> None:
    app = PKCEOAuth("app")
    digest = query_of(app.authorize_url(BACK, state="s", code_verifier=VERIFIER))
    assert (digest["code_challenge"], digest["code_challenge_method"]) == (CHALLENGE, "S256")
    plain = query_of(app.authorize_url(BACK, state="s", code_verifier=VERIFIER, method="plain"))
    assert (plain["code_challenge"], plain["code_challenge_method"]) == (VERIFIER, "plain")


def test_every_verifier_is_new_and_as_long_as_the_standard_wants() -> None:
    made = {PKCEOAuth.new_verifier() for _ in range(20)}
    assert len(made) == 20
    assert all(43 <= len(verifier) <= 128 for verifier in made)


def test_what_cannot_be_right_is_refused_before_anything_is_sent() -> None:
    app = PKCEOAuth("app")
    with pytest.raises(ConfigurationError, match="has 5 characters, not 43-128"):
        app.authorize_url(BACK, state="s", code_verifier="short")
    wrong: Any = "md5"
    with pytest.raises(ConfigurationError, match="method is 'md5'"):
        app.authorize_url(BACK, state="s", code_verifier=VERIFIER, method=wrong)
    with pytest.raises(ConfigurationError, match="state is empty"):
        app.authorize_url(BACK, state=" ", code_verifier=VERIFIER)
    with pytest.raises(ConfigurationError, match="client_id is empty"):
        DeviceOAuth(" ")
    with pytest.raises(ConfigurationError, match="client_secret is empty"):
        WebOAuth("app", "")
    with pytest.raises(ConfigurationError, match="client_secret is empty or has characters"):
        WebOAuth("app", "s3cr\net")
    with pytest.raises(ConfigurationError, match="needs a token, or a store"):
        OAuthAuth("app")


# --- a code for a token -----------------------------------------------------------------------------------------------


async def test_the_web_flow_swaps_the_code_and_the_secret_for_tokens() -> None:
    emulator = Emulator()
    emulator.oauth.register(OAuthApp("app", secret=SECRET, redirect_uris=(BACK,)))
    app = WebOAuth("app", SECRET, **at(emulator))
    came_back = await consent(app.authorize_url(BACK, state="st"), emulator)
    assert came_back["state"] == "st"
    token = await app.exchange(came_back["code"], redirect_uri=BACK)
    assert token.access_token.startswith("czu_")
    assert token.refresh_token
    assert token.expires_at == pytest.approx(1_800_000_900, abs=1)
    assert token.expires is not None
    assert (token.expires.year, token.token_type) == (2027, "Bearer")
    request = emulator.requests[-1]
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    assert request.body == {
        "grant_type": "authorization_code", "client_id": "app", "code": came_back["code"], "redirect_uri": BACK,
    }  # fmt: skip
    async with chatting(app.auth(token), emulator) as coze:
        assert await said(coze)
    again = await app.refresh(token)
    assert again.access_token != token.access_token
    assert emulator.requests[-1].headers["authorization"] == f"Bearer {SECRET}"
    with pytest.raises(AuthenticationError, match="invalid_grant"):
        await app.refresh(token.refresh_token)


async def test_a_wrong_secret_is_told_and_not_shown() -> None:
    emulator = Emulator()
    emulator.oauth.register(OAuthApp("app", secret="another"))
    app = WebOAuth("app", SECRET, **at(emulator))
    came_back = await consent(app.authorize_url(BACK, state="st"), emulator)
    with pytest.raises(AuthenticationError, match=r"refused \(HTTP 401\): invalid_client: .*Check client_id") as caught:
        await app.exchange(came_back["code"], redirect_uri=BACK)
    assert SECRET not in str(caught.value)
    assert caught.value.logid
    assert caught.value.msg.startswith("invalid_client: ")


@pytest.mark.parametrize("method", ["S256", "plain"])
async def test_pkce_proves_that_who_swaps_the_code_has_begun_the_login(method: Any) -> None:
    emulator = Emulator()
    app = PKCEOAuth("app", **at(emulator))
    url = app.authorize_url(BACK, state="st", code_verifier=VERIFIER, method=method)
    came_back = await consent(url, emulator)
    with pytest.raises(AuthenticationError, match="code_verifier does not match"):
        await app.exchange(came_back["code"], redirect_uri=BACK, code_verifier=VERIFIER + "x")
    came_back = await consent(url, emulator)
    token = await app.exchange(came_back["code"], redirect_uri=BACK, code_verifier=VERIFIER)
    assert "authorization" not in emulator.requests[-1].headers
    await app.refresh(token)
    assert "authorization" not in emulator.requests[-1].headers
    assert emulator.requests[-1].body == {
        "grant_type": "refresh_token", "client_id": "app", "refresh_token": token.refresh_token,
    }  # fmt: skip


# --- a device ---------------------------------------------------------------------------------------------------------


async def test_a_device_asks_at_the_interval_until_the_user_has_confirmed() -> None:
    emulator = Emulator()
    emulator.oauth.interval = 7
    app = DeviceOAuth("app", **at(emulator))
    code = await app.start()
    assert code.verification_url == f"{code.verification_uri}?user_code={code.user_code}"
    tokens: list[OAuthToken] = []

    async def wait() -> None:
        tokens.append(await app.wait(code))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(wait)
        await anyio.sleep(20)
        emulator.oauth.approve(code.user_code)
    assert [round(request.at) for request in emulator.requests] == [0, 7, 14, 21]
    assert tokens[0].refresh_token
    assert emulator.requests[-1].body == {
        "grant_type": "urn:ietf:params:oauth:grant-type:device_code",
        "client_id": "app",
        "device_code": code.device_code,
    }


async def test_a_device_of_one_workspace_asks_there() -> None:
    emulator = Emulator()
    assert (await DeviceOAuth("app", **at(emulator)).start(workspace_id="71")).user_code
    assert emulator.requests[0].path == "/api/permission/oauth2/workspace_id/71/device/code"
    transport = Answers(answer({"device_code": "d"}))
    await DeviceOAuth("app", base_url="http://coze.example", transport=transport).start(workspace_id="7/1")
    assert transport.requests[0].url.raw_path == b"/api/permission/oauth2/workspace_id/7%2F1/device/code"


async def test_a_device_that_is_told_to_slow_down_asks_less_often_but_not_ever_less() -> None:
    slow, granted = answer({"error": "slow_down"}), answer({"access_token": "czu_x", "expires_in": 1_900_000_000})
    transport = Answers(*[slow] * 7, granted)
    app = DeviceOAuth("app", base_url="http://coze.example", transport=transport)
    await app.wait(DeviceCode(device_code="d", user_code="U", interval=5, expires_in=900))
    assert [round(gap) for gap in transport.gaps] == [10, 15, 20, 25, 30, 30, 30]


async def test_an_interval_longer_than_usual_is_kept_when_slowing_down() -> None:
    pending = {"error_code": "slow_down", "error_message": "slowly"}
    transport = Answers(answer(pending, status=400), answer({"access_token": "czu_x"}))
    app = DeviceOAuth("app", base_url="http://coze.example", transport=transport)
    await app.wait(DeviceCode(device_code="d", interval=60, expires_in=900))
    assert [round(time) for time in transport.times] == [60, 120]


async def test_the_emulator_and_the_device_agree_on_slowing_down() -> None:
    emulator = Emulator()
    app = DeviceOAuth("app", **at(emulator))
    code = await app.start()
    hasty = code.model_copy(update={"interval": 2.0})
    with anyio.move_on_after(60):
        await app.wait(hasty)
    # The first poll is taken, the second comes too soon: 2 + 5 seconds later it asks again, and so on.
    assert [round(request.at) for request in emulator.requests][:4] == [0, 2, 4, 11]


@pytest.mark.parametrize("trouble", [Unreachable(), Html(502), Refuse(), Break(after=None)])
async def test_trouble_on_the_way_does_not_end_the_wait_of_a_device(trouble: Any) -> None:
    emulator = Emulator()
    app = DeviceOAuth("app", **at(emulator))
    code = await app.start()
    emulator.fail(trouble, on=TOKEN)
    emulator.oauth.approve()
    if isinstance(trouble, Break):
        # The answer was lost after the code had been swapped: nothing can bring it back.
        with pytest.raises(AuthenticationError, match="used up"):
            await app.wait(code)
    else:
        assert (await app.wait(code)).access_token
        assert [round(request.at) for request in emulator.requests] == [0, 5, 15]


async def test_a_user_who_refuses_ends_the_wait() -> None:
    emulator = Emulator()
    app = DeviceOAuth("app", **at(emulator))
    code = await app.start()
    emulator.oauth.deny(code.user_code)
    with pytest.raises(AuthenticationError, match=r"access_denied: the user refused\. The user refused, or"):
        await app.wait(code)


async def test_a_code_that_nobody_confirms_ends_on_both_sides() -> None:
    emulator = Emulator()
    app = DeviceOAuth("app", **at(emulator))
    code = await app.start()
    with pytest.raises(AuthenticationError, match=f"The code {code.user_code} was not confirmed within 300 s"):
        await app.wait(code)
    assert anyio.current_time() <= 300
    with pytest.raises(AuthenticationError, match=r"expired_token.*Start again"):
        await app.wait(code.model_copy(update={"expires_in": 600}))


async def test_a_server_that_names_no_interval_is_asked_every_five_seconds() -> None:
    transport = Answers(answer({"error": "authorization_pending"}), answer({"access_token": "czu_x"}))
    app = DeviceOAuth("app", base_url="http://coze.example", transport=transport)
    await app.wait(DeviceCode(device_code="d", interval=0))
    assert [round(time) for time in transport.times] == [5, 10]


async def test_the_word_of_a_refusal_decides_whatever_else_is_said() -> None:
    pending = answer({"error": "authorization_pending", "error_description": "authorization_pending: not yet"})
    both = answer({"error_code": "authorization_pending", "error_message": "authorization_pending for the user"})
    transport = Answers(pending, both, answer({"access_token": "czu_x"}))
    app = DeviceOAuth("app", base_url="http://coze.example", transport=transport)
    assert (await app.wait(DeviceCode(device_code="d"))).access_token == "czu_x"


async def test_codes_are_read_however_sparsely_they_come() -> None:
    transport = Answers(answer({"device_code": "d3vice", "user_code": 1234, "interval": None}))
    code = await DeviceOAuth("app", base_url="http://coze.example", transport=transport).start()
    assert (code.user_code, code.interval, code.expires_in) == ("1234", 5, 300)
    assert "d3vice" not in f"{code!r} {code}"
    assert DeviceCode(device_code="d", verification_uri="https://x?a=1", user_code="U").verification_url == (
        "https://x?a=1&user_code=U"
    )


# --- what a token endpoint may answer ---------------------------------------------------------------------------------


async def refreshed_from(*answers: Any) -> OAuthToken:
    app = DeviceOAuth("app", base_url="http://coze.example", transport=Answers(*answers))
    return await app.refresh("czr_last-one")


@pytest.mark.parametrize(
    ("refusal", "kind", "msg"),
    [
        (answer({"error": "invalid_grant"}), AuthenticationError, "invalid_grant"),
        (
            answer({"error": "invalid_grant", "error_description": "used"}, status=400),
            AuthenticationError,
            "invalid_grant: used",
        ),
        (answer({"error_code": "access_deny", "error_message": "off"}), AuthenticationError, "access_deny: off"),
        (answer({"error_code": "invalid_request", "error_message": "off"}), BadRequestError, "invalid_request: off"),
        (answer({"error_code": "internal_error"}, status=500), ServerError, "internal_error"),
        (answer({"error_code": "unsupported_grant_type"}, status=400), BadRequestError, "unsupported_grant_type"),
        (answer({"error_code": "new_word", "error_message": "hm"}, status=401), AuthenticationError, "new_word: hm"),
        (answer({"error_code": "4100", "error_message": "hm"}), AuthenticationError, "hm"),
        (answer({"code": 4013, "msg": "slowly"}, headers={"retry-after": "9"}), RateLimitError, "slowly"),
        (answer(content=b"<title>Bad Gateway</title>", status=502), ServerError, "Bad Gateway"),
    ],
)
async def test_a_refusal_is_understood_wherever_it_stands(
    refusal: httpx.Response, kind: type[APIError], msg: str
) -> None:
    with pytest.raises(kind) as caught:
        await refreshed_from(refusal)
    assert caught.value.msg == msg
    assert "http://coze.example" in str(caught.value) or kind not in (AuthenticationError, BadRequestError)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html>hello</html>", "without a JSON object"),
        (b"[]", "without a JSON object"),
        (b"{}", "without a JSON object"),
        (b'{"token":"czu_s3cret"}', r"no OAuthToken \(but with: token\)"),
        (b'{"access_token":""}', r"no OAuthToken"),
    ],
)
async def test_an_answer_without_a_token_is_no_token_and_is_not_shown(content: bytes, says: str) -> None:
    with pytest.raises(DecodeError, match=says) as caught:
        await refreshed_from(answer(content=content))
    assert "s3cret" not in f"{caught.value} {caught.value.body}"
    assert caught.value.__cause__ is None


async def test_a_token_inside_an_envelope_is_found_too() -> None:
    """Coze Studio wraps the token of its web pages so (source 4f786d6, impersonate_coze_user)."""
    token = await refreshed_from(answer({"code": 0, "data": {"access_token": "czu_x", "expires_in": 1_900_000_000}}))
    assert (token.access_token, token.expires_at) == ("czu_x", 1_900_000_000)


async def test_an_end_that_can_only_be_a_duration_is_taken_for_one() -> None:
    token = await refreshed_from(answer({"access_token": "czu_x", "expires_in": 900}))
    assert token.expires_at == pytest.approx(1_800_000_900, abs=1)


@pytest.mark.parametrize(
    ("error", "kind", "may_have_arrived"),
    [
        (httpx.ConnectError("no route"), TransportError, False),
        (httpx.ReadError("lost"), TransportError, True),
        (httpx.ConnectTimeout("slow"), RequestTimeoutError, False),
        (httpx.ReadTimeout("slow"), RequestTimeoutError, True),
    ],
)
async def test_no_answer_is_told_as_everywhere(error: Exception, kind: type, may_have_arrived: bool) -> None:
    with pytest.raises(TransportError, match=r"http://coze\.example") as caught:
        await refreshed_from(error)
    assert type(caught.value) is kind
    assert caught.value.may_have_arrived is may_have_arrived


async def test_what_cannot_be_sent_is_a_mistake_of_configuration_and_shows_no_secret() -> None:
    with pytest.raises(ConfigurationError, match="cannot be sent") as caught:
        await refreshed_from(httpx.LocalProtocolError("Illegal header value b'Bearer czr_last-one'"))
    assert "last-one" not in str(caught.value)
    assert caught.value.__cause__ is None


async def test_an_endpoint_that_is_silent_is_not_waited_for_for_ever() -> None:
    class Silent(httpx.AsyncBaseTransport):
        """Keeps to no time-out of its own."""

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await anyio.sleep_forever()
            raise AssertionError

    with pytest.raises(RequestTimeoutError, match=r"no answer within 210 s \(Timeouts.idle\)"):
        await DeviceOAuth("app", base_url="http://coze.example", transport=Silent()).refresh("czr_x")
    assert anyio.current_time() == pytest.approx(210)


async def test_a_secret_that_is_echoed_is_taken_out() -> None:
    echo = answer({"error_code": "invalid_request", "error_message": "bad token czr_last-one here"}, status=400)
    with pytest.raises(BadRequestError, match=r"bad token \*\*\* here") as caught:
        await refreshed_from(echo)
    assert "last-one" not in caught.value.msg


# --- a token that keeps itself alive ----------------------------------------------------------------------------------


async def test_a_token_is_replaced_shortly_before_its_end_and_not_earlier() -> None:
    emulator = Emulator()
    first = issued(emulator)
    async with chatting(OAuthAuth("app", first), emulator) as coze:
        await said(coze)
        await anyio.sleep(860)
        await said(coze)
        assert paths(emulator) == ["chat", "chat"]
        await anyio.sleep(12)
        await said(coze)
        await said(coze)
    assert paths(emulator) == ["chat", "chat", "token", "chat", "chat"]
    sent = [request.headers["authorization"] for request in emulator.requests if request.path == "/v3/chat"]
    assert sent[:2] == [f"Bearer {first.access_token}"] * 2
    assert sent[2] == sent[3] != sent[0]


async def test_a_hundred_that_wait_for_a_token_cost_one_request() -> None:
    emulator = Emulator()
    first = issued(emulator, seconds=60)
    async with chatting(OAuthAuth("app", first), emulator) as coze:
        await anyio.sleep(61)
        emulator.fail(Stall(2), on=TOKEN)
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(said, coze)
    assert paths(emulator).count("token") == 1
    assert paths(emulator) == ["token", *["chat"] * 100]
    assert len({request.headers["authorization"] for request in emulator.requests[1:]}) == 1


async def test_while_one_looks_for_the_next_token_the_others_go_on_with_one_that_holds() -> None:
    emulator = Emulator()
    first = issued(emulator)
    began: list[float] = []
    async with chatting(OAuthAuth("app", first), emulator) as coze:
        await said(coze)
        await anyio.sleep(880)
        emulator.fail(Stall(3), on=TOKEN)

        async def ask(after: float) -> None:
            await anyio.sleep(after)
            await said(coze)
            began.append(anyio.current_time())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask, 0)
            tasks.start_soon(ask, 1)
    assert [round(time) for time in began] == [881, 883]


async def test_a_hundred_that_wait_share_a_failure_each_with_an_error_of_its_own() -> None:
    emulator = Emulator()
    first = issued(emulator, seconds=60)
    errors: list[CozeError] = []
    async with chatting(OAuthAuth("app", first), emulator) as coze:
        await anyio.sleep(61)
        emulator.oauth.register(OAuthApp("another"))

        async def fail() -> None:
            with pytest.raises(AuthenticationError, match="invalid_client") as caught:
                await said(coze)
            errors.append(caught.value)

        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(fail)
    assert len({id(error) for error in errors}) == 100
    assert len({(str(error), error.msg) for error in errors if isinstance(error, APIError)}) == 1
    assert paths(emulator) == ["token"]


async def test_a_token_that_cannot_be_replaced_early_is_used_on_and_the_next_try_waits_a_little() -> None:
    emulator = Emulator()
    async with chatting(OAuthAuth("app", issued(emulator)), emulator, retry=Retry.none()) as coze:
        await said(coze)
        await anyio.sleep(875)
        emulator.fail(Unreachable(), on=TOKEN, times=None)
        for _ in range(3):
            await said(coze)
        assert paths(emulator) == ["chat", "token", *["chat"] * 3]
        await anyio.sleep(6)
        await said(coze)
        assert paths(emulator)[-2:] == ["token", "chat"]
        await anyio.sleep(30)
        with pytest.raises(TransportError, match="oauth2/token: no connection"):
            await said(coze)
        assert paths(emulator)[-1] == "token"
        emulator.heal()
        assert await said(coze)


async def test_a_token_that_still_holds_is_used_on_after_a_refusal_which_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A batch must not end before its token does."""
    emulator = Emulator()
    async with chatting(OAuthAuth("app", issued(emulator)), emulator) as coze:
        await said(coze)
        await anyio.sleep(875)
        emulator.fail(Refuse(400, 4000, "no"), on=TOKEN, times=None)
        assert await said(coze)
        assert "it is used until its end: POST /api/permission/oauth2/token was refused" in caplog.text
        await anyio.sleep(30)
        with pytest.raises(BadRequestError):
            await said(coze)


async def test_who_gives_up_does_not_take_the_token_from_the_others() -> None:
    emulator = Emulator()
    first = issued(emulator, seconds=60)
    auth = OAuthAuth("app", first)
    answers: list[str] = []
    async with chatting(auth, emulator) as coze:
        await anyio.sleep(61)
        emulator.fail(Stall(3), on=TOKEN)

        async def impatient() -> None:
            with anyio.move_on_after(1):
                await said(coze)

        async def patient() -> None:
            await anyio.sleep(0.5)
            answers.append(await said(coze))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(impatient)
            tasks.start_soon(patient)
    # A second request with the same refresh token would have been refused.
    assert paths(emulator) == ["token", "chat"]
    assert len(answers) == 1


async def test_who_gives_up_is_not_held_for_ever() -> None:
    emulator = Emulator()
    auth = OAuthAuth("app", issued(emulator, seconds=60))
    async with chatting(auth, emulator) as coze:
        await anyio.sleep(61)
        emulator.fail(Stall(math.inf), on=TOKEN)
        with anyio.move_on_after(1):
            await said(coze)
        assert anyio.current_time() == pytest.approx(61 + 1 + 5)


async def test_a_mistake_in_a_store_comes_out_as_it_is() -> None:
    class Broken(MemoryTokenStore):
        async def save(self, token: OAuthToken) -> None:
            raise LookupError("no such table")

    emulator = Emulator()
    async with chatting(OAuthAuth("app", store=Broken(issued(emulator, seconds=-1))), emulator) as coze:
        with pytest.raises(LookupError, match="no such table"):
            await said(coze)


async def test_a_token_that_could_not_be_saved_is_not_lost() -> None:
    class Moody(MemoryTokenStore):
        """Refuses once."""

        saved = 0

        async def save(self, token: OAuthToken) -> None:
            self.saved += 1
            if self.saved == 1:
                raise ConfigurationError("the disk is full")
            await super().save(token)

    emulator = Emulator()
    store = Moody(issued(emulator, seconds=-1))
    async with chatting(OAuthAuth("app", store=store), emulator) as coze:
        with pytest.raises(ConfigurationError, match="the disk is full"):
            await said(coze)
        assert await said(coze)
    assert paths(emulator) == ["token", "chat"]
    stored = await store.load()
    assert stored is not None
    assert emulator.oauth.judge(stored.access_token)


# --- a refusal in the middle ------------------------------------------------------------------------------------------


async def create(coze: AsyncCoze) -> Any:
    return await coze.chat.create("Hi", bot_id="b", user_id="u")


async def retrieve(coze: AsyncCoze) -> Any:
    return await coze.bots.retrieve(bot_id="b")


@pytest.mark.parametrize("call", [said, create, retrieve])
@pytest.mark.parametrize("refuse", [None, Code(4100, "authentication is invalid"), Refuse(401, 700012006, "no")])
async def test_a_refused_token_is_replaced_once_and_the_request_repeated(call: Any, refuse: Any) -> None:
    emulator = Emulator()
    told: list[Exchange] = []
    first = issued(emulator)
    async with chatting(OAuthAuth("app", first), emulator, retry=Retry.none(), observe=told.append) as coze:
        if refuse is None:
            emulator.oauth.revoke()
        else:
            emulator.fail(refuse)
        await call(coze)
    assert len(emulator.requests) == 3
    assert emulator.requests[1].path == "/api/permission/oauth2/token"
    before, after = emulator.requests[0], emulator.requests[2]
    assert (before.method, before.path, before.body) == (after.method, after.path, after.body)
    assert before.headers["authorization"] == f"Bearer {first.access_token}" != after.headers["authorization"]
    assert [(exchange.attempt, exchange.retry_in) for exchange in told] == [(1, 0.0), (2, None)]


async def test_a_server_that_takes_no_token_at_all_is_asked_twice_and_no_more() -> None:
    emulator = Emulator()
    async with chatting(OAuthAuth("app", issued(emulator)), emulator) as coze:
        emulator.fail(Code(4100), on="/v3/chat", times=None)
        with pytest.raises(AuthenticationError, match="code 4100"):
            await said(coze)
    assert paths(emulator) == ["chat", "token", "chat"]


async def test_the_repeat_after_a_refused_token_leaves_the_other_repeats_untouched() -> None:
    emulator = Emulator()
    async with chatting(OAuthAuth("app", issued(emulator)), emulator, retry=Retry(attempts=2)) as coze:
        emulator.fail(Code(4100), on="/v3/chat")
        emulator.fail(Refuse(), on="/v3/chat")
        assert await said(coze)
    assert paths(emulator) == ["chat", "token", "chat", "chat"]


async def test_a_hundred_requests_that_are_refused_together_cost_one_new_token() -> None:
    emulator = Emulator()
    async with chatting(OAuthAuth("app", issued(emulator)), emulator) as coze:
        emulator.oauth.revoke()
        async with anyio.create_task_group() as tasks:
            for _ in range(100):
                tasks.start_soon(said, coze)
    assert paths(emulator).count("token") == 1


async def test_when_no_new_token_is_granted_that_is_what_is_told() -> None:
    emulator = Emulator()
    told: list[Exchange] = []
    token = issued(emulator)
    async with chatting(OAuthAuth("app", token), emulator, observe=told.append) as coze:
        emulator.oauth.revoke()
        emulator.oauth.revoke(token.refresh_token)
        with pytest.raises(AuthenticationError, match=r"invalid_grant.*Log in again") as caught:
            await said(coze)
    assert isinstance(caught.value.__context__, AuthenticationError)
    assert caught.value.__context__.code == 4100
    assert paths(emulator) == ["chat", "token"]
    assert [(exchange.path, exchange.retry_in) for exchange in told] == [("/v3/chat", None)]


async def test_a_static_token_is_not_asked_to_change() -> None:
    transport = Answers(answer({"code": 4100, "msg": "no"}, status=401))
    async with AsyncCoze("pat_x", transport=transport) as coze:
        with pytest.raises(AuthenticationError):
            await create(coze)
    assert len(transport.requests) == 1


@pytest.mark.parametrize("trouble", [Unreachable(), Break(after=None), Text(503)])
async def test_a_chat_is_sent_though_the_token_took_two_tries(trouble: Any) -> None:
    """A chat is not repeated after a lost answer, but here it had never been sent."""
    emulator = Emulator()
    emulator.oauth.rotates = False
    async with chatting(OAuthAuth("app", issued(emulator, seconds=-1)), emulator) as coze:
        emulator.fail(trouble, on=TOKEN)
        await create(coze)
    assert paths(emulator) == ["token", "token", "chat"]


async def test_the_time_limit_of_a_call_holds_for_its_login_too() -> None:
    emulator = Emulator()
    emulator.fail(Stall(), on=TOKEN)
    timeouts = Timeouts(total=3)
    async with chatting(OAuthAuth("app", issued(emulator, seconds=-1)), emulator, timeouts=timeouts) as coze:
        with pytest.raises(RequestTimeoutError, match=r"Timeouts\.total"):
            await create(coze)


async def test_own_headers_reach_the_token_endpoint_but_no_credential_among_them() -> None:
    emulator = Emulator()
    headers = {"X-Gateway": "blue", "Authorization": "Bearer other"}
    async with chatting(OAuthAuth("app", issued(emulator, seconds=-1)), emulator, headers=headers) as coze:
        await create(coze)
    sent = emulator.requests[0].headers
    assert sent["x-gateway"] == "blue"
    assert "authorization" not in sent


# --- clocks -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead", [1800.0, -1800.0])
async def test_a_wrong_clock_does_no_harm_where_the_server_names_its_time(ahead: float, clock: WallClock) -> None:
    emulator = Emulator()
    transport = Dated(emulator)
    token = issued(emulator)
    clock.ahead = ahead
    async with chatting(OAuthAuth("app", token), emulator, transport=transport) as coze:
        if ahead < 0:
            emulator.oauth.revoke()
        await said(coze)
        # By now the true time is known: no more than one token in its lifetime.
        count = paths(emulator).count("token")
        assert count == 1
        for _ in range(8):
            await anyio.sleep(100)
            await said(coze)
        assert paths(emulator).count("token") == count
        await anyio.sleep(80)
        await said(coze)
    assert paths(emulator).count("token") == count + 1
    # Never was a token sent that had ended.
    assert paths(emulator).count("chat") == (11 if ahead < 0 else 10)


async def test_a_clock_that_is_ahead_does_no_harm_where_the_server_does_not_tell(clock: WallClock) -> None:
    emulator = Emulator()
    assert emulator.chats == {}
    clock.ahead = 86400.0
    async with chatting(OAuthAuth("app", issued(emulator)), emulator) as coze:
        for _ in range(8):
            await said(coze)
            await anyio.sleep(100)
    assert paths(emulator).count("token") == 1


async def test_a_clock_that_is_behind_costs_one_refusal(clock: WallClock) -> None:
    emulator = Emulator()
    assert emulator.chats == {}
    token = issued(emulator)
    clock.ahead = -3600.0
    async with chatting(OAuthAuth("app", token), emulator) as coze:
        await said(coze)
        await anyio.sleep(1000)
        await said(coze)
    assert paths(emulator) == ["chat", "chat", "token", "chat"]


async def test_a_token_without_an_end_is_used_and_replaced_when_it_is_refused() -> None:
    emulator = Emulator()
    endless = issued(emulator).model_copy(update={"expires_at": 0})
    async with chatting(OAuthAuth("app", endless), emulator) as coze:
        await said(coze)
        emulator.oauth.revoke()
        await said(coze)
    assert paths(emulator) == ["chat", "chat", "token", "chat"]


async def test_a_date_that_is_none_is_passed_over() -> None:
    token = await refreshed_from(answer({"access_token": "czu_x", "expires_in": 900}, headers={"date": "yesterday"}))
    assert token.expires_at == pytest.approx(1_800_000_900, abs=1)


# --- the store --------------------------------------------------------------------------------------------------------


async def test_every_new_token_is_kept() -> None:
    emulator = Emulator()
    store = MemoryTokenStore()
    first = issued(emulator)
    app = DeviceOAuth("app", **at(emulator))
    async with chatting(app.auth(first, store=store), emulator) as coze:
        await said(coze)
        assert await store.load() == first
        await anyio.sleep(880)
        await said(coze)
    second = await store.load()
    assert second is not None
    assert second.access_token != first.access_token
    # The next run of the program begins with it.
    async with chatting(app.auth(store=store), emulator) as coze:
        await said(coze)
    assert paths(emulator) == ["chat", "token", "chat", "chat"]


async def test_what_another_program_has_put_into_the_store_is_used() -> None:
    emulator = Emulator()
    store = MemoryTokenStore(issued(emulator))
    async with chatting(OAuthAuth("app", store=store), emulator) as coze:
        await said(coze)
        await anyio.sleep(880)
        await store.save(issued(emulator))
        await said(coze)
    assert paths(emulator) == ["chat", "chat"]


async def test_another_program_may_have_been_quicker() -> None:
    emulator = Emulator()

    class Shared(MemoryTokenStore):
        """Another program takes the refresh token between our look and our request."""

        looks = 0

        async def load(self) -> OAuthToken | None:
            self.looks += 1
            token = await super().load()
            if self.looks == 1:
                assert token is not None
                await self.save(await DeviceOAuth("app", **at(emulator)).refresh(token))
            return token

    async with chatting(OAuthAuth("app", store=Shared(issued(emulator, seconds=-1))), emulator) as coze:
        assert await said(coze)
    assert paths(emulator) == ["token", "token", "chat"]


async def test_a_server_that_sends_no_new_refresh_token_means_the_old_one() -> None:
    granted = answer({"access_token": "czu_new", "expires_in": 1_800_000_900})
    store = MemoryTokenStore(OAuthToken(access_token="czu_old", expires_at=1, refresh_token="czr_old"))
    async with AsyncCoze(OAuthAuth("app", store=store), transport=Answers(granted, chat())) as coze:
        await create(coze)
    stored = await store.load()
    assert stored is not None
    assert (stored.access_token, stored.refresh_token) == ("czu_new", "czr_old")


async def test_without_a_token_or_a_refresh_token_the_error_says_to_log_in() -> None:
    for store, says in (
        (MemoryTokenStore(), r"There is no token in MemoryTokenStore\(\): log in first"),
        (MemoryTokenStore(OAuthToken(access_token="czu_x", expires_at=1)), "there is no refresh token"),
    ):
        transport = Answers(chat())
        async with AsyncCoze(OAuthAuth("app", store=store), transport=transport) as coze:
            with pytest.raises(AuthenticationError, match=says):
                await create(coze)
        assert transport.requests == []


# --- without a client -------------------------------------------------------------------------------------------------


async def test_a_login_gives_its_token_without_a_client() -> None:
    emulator = Emulator()
    auth = OAuthAuth("app", issued(emulator, seconds=-1), **at(emulator))
    token = await auth.token()
    assert emulator.oauth.judge(token.access_token)
    assert await auth.headers() == {"Authorization": f"Bearer {token.access_token}"}
    assert paths(emulator) == ["token"]


# --- secrets ----------------------------------------------------------------------------------------------------------


async def test_no_secret_is_in_a_representation_a_log_line_or_an_error(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    emulator = Emulator()
    shown: list[str] = []
    app = WebOAuth("app", SECRET, **at(emulator))
    device = DeviceOAuth("app", **at(emulator))
    came_back = await consent(app.authorize_url(BACK, state="st"), emulator)
    token = await app.exchange(came_back["code"], redirect_uri=BACK)
    store = MemoryTokenStore(token)
    auth = app.auth(token, store=store)
    code = await device.start()
    emulator.oauth.approve()
    await device.wait(code)
    async with chatting(auth, emulator) as coze:
        await said(coze)
        emulator.oauth.revoke()
        await said(coze)
        newer = await auth.token()
        emulator.oauth.revoke()
        emulator.oauth.revoke(newer.refresh_token)
        with pytest.raises(AuthenticationError) as caught:
            await said(coze)
        shown += [repr(coze), str(caught.value), repr(caught.value), caught.value.msg]
    shown += [repr(item) for item in (app, device, auth, token, store, code)]
    shown += [str(token), str(code), *map(str, caplog.records), *(record.getMessage() for record in caplog.records)]
    assert caplog.records
    hidden = (
        SECRET,
        token.access_token,
        token.refresh_token,
        newer.access_token,
        newer.refresh_token,
        code.device_code,
    )
    text = "\n".join(shown)
    assert not [secret for secret in (*hidden, came_back["code"]) if secret in text]
    assert {SECRET, newer.access_token, newer.refresh_token, token.access_token} <= set(auth.secrets())


def test_a_token_shows_when_it_ends_and_nothing_else() -> None:
    token = OAuthToken.model_validate({"access_token": "czu_1", "expires_in": 9, "refresh_token": "czr_1", "id": "x7y"})
    assert repr(token) == "OAuthToken('***', expires_at=9)"
    assert not {"czu_1", "czr_1", "x7y"} & set(str(token).replace("'", " ").split())
    assert token.model_extra == {"id": "x7y"}
