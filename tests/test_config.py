"""Settings: what is refused before anything is sent, and what the environment says."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest
from answering import Answers, chat
from hypothesis import given
from hypothesis import strategies as st

from coze_async import (
    COZE_CN_BASE_URL,
    COZE_COM_BASE_URL,
    AsyncCoze,
    ConfigurationError,
    Limits,
    Polling,
    Rate,
    Retry,
    Timeouts,
)
from coze_async._config import Options, checked_base_url, environment


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COZE_API_BASE", "COZE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)


# --- the base URL ----------------------------------------------------------------------------------------------------


def test_without_a_base_url_it_is_the_chinese_cloud() -> None:
    assert checked_base_url(None) == COZE_CN_BASE_URL == "https://api.coze.cn"


def test_the_environment_names_the_base_url_only_if_the_caller_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COZE_API_BASE", " https://api.coze.com/ ")
    assert checked_base_url(None) == COZE_COM_BASE_URL
    assert checked_base_url("http://localhost:8888") == "http://localhost:8888"
    assert AsyncCoze("pat_x").base_url == COZE_COM_BASE_URL


@pytest.mark.parametrize("blank", ["", "   "])
def test_a_blank_setting_is_no_setting(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COZE_API_BASE", blank)
    assert environment("COZE_API_BASE") is None
    assert checked_base_url(None) == COZE_CN_BASE_URL


@pytest.mark.parametrize(
    ("given_url", "used"),
    [
        ("https://api.coze.com/", "https://api.coze.com"),
        ("  https://api.coze.com//  ", "https://api.coze.com"),
        ("http://10.0.0.7:8888", "http://10.0.0.7:8888"),
        ("http://[::1]:8888/", "http://[::1]:8888"),
        # A proxy may serve the API below a path of its own.
        ("https://proxy.test/coze/", "https://proxy.test/coze"),
    ],
)
def test_a_base_url_loses_its_last_slash_and_the_blanks_around_it(given_url: str, used: str) -> None:
    assert checked_base_url(given_url) == used


@pytest.mark.parametrize(
    ("given_url", "says"),
    [
        ("", "must begin with https:// or http://"),
        ("api.coze.cn", "must begin with https:// or http://"),
        ("ftp://api.coze.cn", "must begin with https:// or http://"),
        ("https://", "and name a host"),
        ("https://host:port", "is no URL"),
        ("https://host:99999", "is no URL"),
        ("https://[::1", "is no URL"),
        ("https://www.coze.cn", "is the console, not the API. Use 'https://api.coze.cn'"),
        ("https://coze.com/space/1/bot/2", "is the console, not the API. Use 'https://api.coze.com'"),
        ("https://api.coze.cn/v3", "has the path '/v3', which this library adds by itself. Use 'https://api.coze.cn'"),
        ("https://api.coze.com/v3/chat/", "Use 'https://api.coze.com'"),
        ("https://api.coze.cn/anything", "which this library adds by itself"),
        ("http://10.0.0.7:8888/v3/chat", "Use 'http://10.0.0.7:8888'"),
        ("https://proxy.test/coze/open_api", "Use 'https://proxy.test'"),
        ("https://api.coze.cn?x=1", "Leave a query"),
        ("https://api.coze.cn/#top", "Leave a query"),
        ("https://user@api.coze.cn", "credentials belong into `auth`"),
    ],
)
def test_a_base_url_that_cannot_be_right_is_refused_with_a_better_one(given_url: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        AsyncCoze("pat_x", base_url=given_url)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    "url", ["https://user:s3cret@api.coze.cn", "https://user:s3cret@host:port/x", "user:s3cret@host"]
)
def test_a_password_in_a_base_url_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        checked_base_url(url)
    assert "s3cret" not in str(caught.value)


@given(st.text(max_size=20), st.sampled_from(["", "http://", "https://", "https://api.coze.cn/", "http://host:"]))
def test_no_text_breaks_the_check_in_any_other_way(text: str, scheme: str) -> None:
    try:
        used = checked_base_url(scheme + text)
    except ConfigurationError:
        return
    assert used.startswith(("http://", "https://", "HTTP", "hTTP", "Http"))
    assert not used.endswith("/")


# --- time-outs and polling -------------------------------------------------------------------------------------------


def test_the_time_outs_are_those_of_the_contract() -> None:
    assert Timeouts() == Timeouts(
        connect=5.0, first_event=60.0, idle=210.0, workflow=600.0, total=None, write=30.0, pool=30.0
    )


@pytest.mark.parametrize("name", ["connect", "first_event", "idle", "total", "write", "pool"])
@pytest.mark.parametrize("seconds", [0, -1.0, float("nan")])
def test_a_time_out_of_no_time_is_refused_by_name(name: str, seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"Timeouts\.{name} is {seconds!r}: give seconds above 0, or None"):
        Timeouts(**{name: seconds})
    assert getattr(Timeouts(**{name: None}), name) is None


def test_polling_is_never_faster_than_once_a_second_by_default() -> None:
    assert Polling() == Polling(interval=1.0, factor=1.5, max_interval=5.0, timeout=600.0)


@pytest.mark.parametrize(
    ("polling", "says"),
    [
        ({"interval": 0.0}, "must be above 0 seconds"),
        ({"max_interval": -1.0}, "must be above 0 seconds"),
        ({"factor": 0.9}, r"Polling\.factor is 0.9: give 1 for a steady pace"),
        ({"timeout": 0.0}, r"Polling\.timeout must be above 0 seconds, or None"),
    ],
)
def test_polling_that_cannot_go_on_is_refused(polling: dict[str, float], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Polling(**polling)


def test_polling_may_go_on_for_ever() -> None:
    assert Polling(timeout=None).timeout is None


# --- views -----------------------------------------------------------------------------------------------------------


def test_options_are_the_defaults_of_the_contract() -> None:
    options = Options()
    assert (options.timeouts, options.retry, dict(options.headers), options.user) == (Timeouts(), Retry(), {}, None)


def test_the_signature_of_the_client_shows_the_defaults() -> None:
    defaults = {name: parameter.default for name, parameter in inspect.signature(AsyncCoze).parameters.items()}
    assert list(defaults) == [
        "auth", "base_url", "timeouts", "retry", "limits", "limiter", "http_client", "transport", "headers", "observe",
        "inline_reasoning", "max_body",
    ]  # fmt: skip
    assert (defaults["timeouts"], defaults["retry"], defaults["limits"]) == (Timeouts(), Retry(), Limits())


async def test_a_view_adds_its_headers_and_changes_nothing_for_others() -> None:
    transport = Answers(chat())
    async with AsyncCoze("pat_x", transport=transport, headers={"x-env": "boe", "x-both": "1"}) as coze:
        view = coze.with_options(headers={"x-both": "2", "x-own": "3"})
        further = view.with_options(timeouts=Timeouts(total=9.0))
        for client in (coze, view, further):
            await client.chat.retrieve(conversation_id="7", chat_id="9")
    sent = [
        {name: request.headers.get(name) for name in ("x-env", "x-both", "x-own")} for request in transport.requests
    ]
    assert sent == [
        {"x-env": "boe", "x-both": "1", "x-own": None},
        {"x-env": "boe", "x-both": "2", "x-own": "3"},
        {"x-env": "boe", "x-both": "2", "x-own": "3"},
    ]


async def test_no_header_of_the_caller_replaces_the_credential_or_the_content_type() -> None:
    transport = Answers(chat())
    headers = {"Authorization": "Bearer other", "Content-Type": "text/plain"}
    async with AsyncCoze("pat_x", transport=transport, headers=headers) as coze:
        await coze.chat.create("hi", bot_id="5", user_id="u")
    assert transport.requests[0].headers["authorization"] == "Bearer pat_x"
    assert transport.requests[0].headers["content-type"] == "application/json"


def test_a_client_takes_a_transport_or_a_client_of_httpx_and_not_both() -> None:
    import httpx

    with pytest.raises(ConfigurationError, match="Give http_client or transport, not both"):
        AsyncCoze("pat_x", transport=Answers(chat()), http_client=httpx.AsyncClient())


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Timeouts(connect=wrong("5")), "Timeouts.connect is '5'"),
        (lambda: Timeouts(total=True), "Timeouts.total is True"),
        (lambda: Timeouts(idle=float("nan")), "Timeouts.idle is nan"),
        (lambda: Polling(interval=wrong("1")), "Polling.interval is '1': give a number"),
        (lambda: Polling(timeout=wrong("1")), "Polling.timeout is '1': give a number"),
        (lambda: Polling(factor=wrong(None)), "Polling.factor is None: give a number"),
        (lambda: Retry(attempts=wrong("3")), "Retry.attempts is '3': give a whole number"),
        (lambda: Retry(attempts=wrong(1.5)), "Retry.attempts is 1.5: give a whole number"),
        (lambda: Retry(initial=wrong(None)), "Retry.initial is None: give a number"),
        (lambda: Rate(wrong("1"), 2), r"Rate\(limit='1'"),
        (lambda: Rate(1, wrong("2")), r"Rate\(limit=1, period='2'"),
        (lambda: Rate(1, 2, guard=wrong("2")), "guard='2'"),
        (lambda: Rate(True, 2), r"Rate\(limit=True"),
        (lambda: Limits(chat=wrong(60)), "Limits.chat is 60: give a Rate"),
        (lambda: Limits(account=True), "Limits.account is True"),
        (lambda: Limits(chats_at_once=wrong("3")), "Limits.chats_at_once is '3'"),
    ],
)
def test_a_setting_of_a_wrong_type_is_refused_by_its_name(make: Callable[[], object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make()


def wrong(value: Any) -> Any:
    return value
