"""Whatever is sent to the emulator's port, an HTTP answer comes back: the connection is never just dropped."""

import http.client
import itertools
import re
from collections.abc import Generator, Mapping
from urllib.parse import urlsplit

import pytest
from interop.peers import need_modules, server

from coze_async.emulator._routes import ROUTES

PART = b"--b\r\nContent-Disposition: form-data"
BODIES = [
    b"",
    b"\xff",
    b"{}",
    b'{"bot_id":"quick","user_id":"\\ud800","stream":true,"additional_messages":[{"role":"user","content":"\\udfff"}]}',
    b"--b",
    b"--b--",
    b"--b\r\n\r\n--b--",
    PART + b"\r\n\r\nx\r\n--b--",
    PART + b'; name="file"; filename="\xff\xfe.wav"\r\n\r\nx\r\n--b--',
    PART + b'; name="top_k"\r\n\r\n\xff\r\n' + PART + b'; name="file"; filename="a.wav"\r\n\r\nx\r\n--b--',
    PART + b'; name="file"; filename="a.csv"\r\nA: ' + b"x" * 200_000 + b"\r\n\r\n\r\n--b--",
]
KINDS = ["application/json", "multipart/form-data; boundary=b", 'multipart/form-data; boundary="', "", "\xff"]
QUERIES = ["", "?%ff=%ff", "?a", "?&&&=", "?page_num=%ff&page_size=9e9", "?conversation_id=%00&chat_id=%0d%0a"]
IDS = ["1", "%ff", "%2e%2e", "a%00b", "%0d%0aA:1", "%E6%9D%AD", "plain"]
PATHS = sorted({(route.method, route.path) for route in ROUTES})


@pytest.fixture(scope="module")
def host() -> Generator[str]:
    """Where the emulator listens."""
    need_modules("starlette", "uvicorn")
    with server() as url:
        yield urlsplit(url).netloc


def status_of(host: str, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None) -> int:
    """The status of the whole answer."""
    connection = http.client.HTTPConnection(host, timeout=60)
    try:
        connection.putrequest(method, path)
        for name, value in {"Authorization": "Bearer pat_x", **(headers or {})}.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(body)))
        connection.endheaders(body)
        with connection.getresponse() as response:
            response.read()
            return response.status
    finally:
        connection.close()


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_odd_bytes_get_an_answer(host: str, method: str, path: str) -> None:
    ids, queries, kinds = itertools.cycle(IDS), itertools.cycle(QUERIES), itertools.cycle(KINDS)
    for body in BODIES:
        place = re.sub(r"\{\w+\}", lambda _: next(ids), path) + next(queries)
        assert status_of(host, method, place, body, {"Content-Type": next(kinds)}) < 500


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [
        ("FOO", "/v3/chat", {}),
        ("HEAD", "/v1/users/me", {}),
        ("GET", "//", {}),
        ("GET", "/%ff", {}),
        ("GET", "/_/%ff", {}),
        ("GET", "/_/../v3/chat", {}),
        ("GET", "/v1/users/me", {"Authorization": "\xff"}),
        ("GET", "/v1/users/me", {"Cookie": "\xff=\xff"}),
        ("GET", "/v1/users/me", {"X-Forwarded-Proto": "\xff"}),
    ],
)
def test_odd_requests_get_an_answer(host: str, method: str, path: str, headers: dict[str, str]) -> None:
    assert status_of(host, method, path, headers=headers) < 500


@pytest.mark.parametrize("address", ["http://x%0d%0aA:b", "http://x/%0a", "http://x/%00"])
def test_an_address_to_go_back_to_adds_no_header(host: str, address: str) -> None:
    path = f"/api/permission/oauth2/authorize?response_type=code&client_id=a&state=%0d%0a&redirect_uri={address}"
    assert status_of(host, "GET", path) == 400
    assert status_of(host, "GET", path.replace(address, "http://x/%E6%9D%AD")) == 302
