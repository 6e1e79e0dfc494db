"""Who is asking: what is sent, what is refused, and what is never shown."""

from collections.abc import Callable

import pytest
from answering import Answers, chat, refusal

from coze_async import AsyncCoze, Auth, ConfigurationError, Limits, Retry, SessionAuth, TokenAuth
from coze_async._auth import auth_for


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COZE_API_TOKEN", raising=False)
    monkeypatch.delenv("COZE_API_BASE", raising=False)


@pytest.mark.parametrize("given_token", ["pat_x", " pat_x\n", "Bearer pat_x", "bearer  pat_x ", "BEARER pat_x"])
async def test_a_token_is_sent_as_bearer_however_it_was_pasted(given_token: str) -> None:
    transport = Answers(chat())
    async with AsyncCoze(given_token, transport=transport) as coze:
        await coze.chat.retrieve(conversation_id="7", chat_id="9")
    assert transport.requests[0].headers["authorization"] == "Bearer pat_x"


async def test_the_environment_gives_the_token_if_nobody_else_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COZE_API_TOKEN", "pat_env")
    assert await auth_for(None).headers() == {"Authorization": "Bearer pat_env"}
    assert await auth_for("pat_own").headers() == {"Authorization": "Bearer pat_own"}


def test_without_any_token_the_error_says_how_to_give_one_and_how_to_do_without() -> None:
    with pytest.raises(ConfigurationError, match=r"set COZE_API_TOKEN\. To try without one: .*Emulator") as caught:
        AsyncCoze()
    assert isinstance(caught.value, ValueError)


async def test_a_callable_is_asked_before_every_attempt() -> None:
    tokens = iter(["pat_1", "Bearer pat_2", "pat_3"])

    async def token() -> str:
        return next(tokens)

    transport = Answers(refusal(4013), chat())
    async with AsyncCoze(token, transport=transport, retry=Retry(initial=0.0), limits=Limits.none()) as coze:
        await coze.chat.create("hi", bot_id="5", user_id="u")
        await coze.chat.retrieve(conversation_id="7", chat_id="9")
    sent = [request.headers["authorization"] for request in transport.requests]
    assert sent == ["Bearer pat_1", "Bearer pat_2", "Bearer pat_3"]


async def test_a_callable_that_returns_no_token_is_named_in_the_error() -> None:
    async def nothing() -> str:
        return "  "

    async with AsyncCoze(nothing, transport=Answers(chat())) as coze:
        with pytest.raises(ConfigurationError, match="The token that the callable returned is empty"):
            await coze.chat.retrieve(conversation_id="7", chat_id="9")


async def test_an_auth_of_ones_own_is_asked_too() -> None:
    class Signed(Auth):
        """Signs requests in a way that only this program knows."""

        async def headers(self) -> dict[str, str]:
            return {"X-Signature": "s1gnature"}

        def secrets(self) -> tuple[str, ...]:
            return ("s1gnature",)

    transport = Answers(chat())
    auth = Signed()
    async with AsyncCoze(auth, transport=transport) as coze:
        await coze.chat.retrieve(conversation_id="7", chat_id="9")
    assert transport.requests[0].headers["x-signature"] == "s1gnature"
    assert "authorization" not in transport.requests[0].headers
    assert auth_for(auth) is auth


@pytest.mark.parametrize("given_key", ["k3y", " k3y ", "session_key=k3y"])
async def test_a_session_is_the_cookie_of_that_name(given_key: str) -> None:
    auth = SessionAuth(given_key)
    assert auth.kind == "session"
    assert await auth.headers() == {"Cookie": "session_key=k3y"}
    assert auth.secrets() == ("k3y",)


async def test_a_session_route_takes_no_token_and_says_what_it_takes() -> None:
    transport = Answers(chat())
    async with AsyncCoze("pat_x", base_url="http://studio.test", transport=transport) as coze:
        with pytest.raises(ConfigurationError, match=r"takes the cookie of a signed-in browser.*SessionAuth"):
            await coze.studio.draft_bots.create(space_id="1")
    assert transport.requests == []


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("", "is empty"),
        ("Bearer ", "is empty"),
        ("pat_a b", "has spaces, line ends or characters that no credential has"),
        ("pat_a\nX-Evil: 1", "has spaces, line ends"),
        ("pat_“x”", "has spaces, line ends"),
        ("pat_\x00", "has spaces, line ends"),
    ],
)
@pytest.mark.parametrize("kind", [TokenAuth, SessionAuth])
def test_what_cannot_be_a_credential_is_refused_and_not_repeated(
    kind: Callable[[str], Auth], secret: str, says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        kind(secret)
    assert says in str(caught.value)
    assert "pat_" not in str(caught.value)


def test_what_is_no_text_is_refused_by_its_type() -> None:
    with pytest.raises(ConfigurationError, match=r"auth is a int: give a token, an Auth, or an async callable\."):
        AsyncCoze(42)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the mistake is the test


async def test_a_callable_that_returns_no_text_is_refused_by_its_type() -> None:
    async def number() -> str:
        return 42  # type: ignore[return-value]  # pyright: ignore[reportReturnType] - the mistake is the test

    with pytest.raises(ConfigurationError, match="The token that the callable returned is a int, not a text"):
        await TokenAuth(number).headers()


async def test_no_representation_shows_a_credential() -> None:
    async def token() -> str:
        return "pat_s3cret"

    for auth in (TokenAuth("pat_s3cret"), SessionAuth("s3cret-key"), TokenAuth(token)):
        await auth.headers()
        assert repr(auth) == f"{type(auth).__name__}(***)"
    assert repr(AsyncCoze("pat_s3cret")) == "AsyncCoze(TokenAuth(***), base_url='https://api.coze.cn')"


async def test_a_callables_token_is_known_as_a_secret_once_it_was_used() -> None:
    async def token() -> str:
        return "tok3n"

    auth = TokenAuth(token)
    assert auth.secrets() == ()
    await auth.headers()
    assert auth.secrets() == ("tok3n",)
