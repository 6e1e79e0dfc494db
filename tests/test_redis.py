"""Where a Redis is, for people and for its clients: no part of a password is ever shown, whatever it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coze_async import ConfigurationError, RedisLimiter
from coze_async._redis import place_of, usable_url

PASSWORD = "S3cret Redis/Pw"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (f"redis://:{PASSWORD}@127.0.0.1:1", "redis://127.0.0.1:1"),
        ("redis://me:S3cret?x#y@host:1/0", "redis://host:1/0"),
        ("redis://me:12/S3cret@host", "redis://host"),
        ("redis://me:12?S3cret@host", "redis://host"),
        ("redis://:S3cret@more@host/2", "redis://host/2"),
        ("redis://:[S3cret]@[::1]:6379", "redis://[::1]:6379"),
        ("redis://host/0?password=a@S3cret", "redis://host/0"),
        ("unix://me:S3cret@/run/redis.sock?db=1", "unix:///run/redis.sock"),
        ("rediss://host:6379/0", "rediss://host:6379/0"),
    ],
)
def test_a_place_holds_no_credentials(url: str, place: str) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize("url", [PASSWORD, f"redis://:{PASSWORD}", "redis://me:S3cret", "redis:S3cret@host"])
def test_what_is_no_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError, match="This is no URL of a Redis server") as refused:
        RedisLimiter(url)
    assert "S3cret" not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None


@given(st.text())
def test_whatever_a_password_holds_it_is_hidden(more: str) -> None:
    try:
        place = place_of(f"redis://:S3cret{more}@host:1/2")
    except ConfigurationError as error:
        place = str(error)
    assert "S3cret" not in place


@pytest.mark.parametrize(
    ("url", "usable"),
    [
        (f"redis://:{PASSWORD}@127.0.0.1:1", "redis://:S3cret%20Redis%2FPw@127.0.0.1:1"),
        ("redis://:a%2Fb@host", "redis://:a%2Fb@host"),
        ("redis://host/0?client_name=me@here", "redis://host/0?client_name=me@here"),
        ("redis://me:a/b%20c@host", "redis://me:a%2Fb%20c@host"),
    ],
)
def test_a_password_that_breaks_a_url_is_quoted_for_the_client(url: str, usable: str) -> None:
    assert usable_url(url) == usable
