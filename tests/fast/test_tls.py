"""TLS: the right server, whole answers, and little memory."""

# pyright: reportPrivateUsage=false

import contextlib
import dataclasses
import ssl
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.streams.tls
import pytest
from raw_http import FOREVER, OK, Client, Visitor, closed, next_piece, rest_of, saying, serving

pytest.importorskip("cryptography")

from authority import LOCALHOST, Authority
from cryptography import x509

from coze_async import RequestTimeoutError, TransportError
from coze_async._wire._fast._tls import Tls

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


def encrypted(context: ssl.SSLContext, *, polite: bool = True) -> Callable[[Any], Awaitable[Any]]:
    async def wrap(stream: anyio.abc.SocketStream) -> anyio.streams.tls.TLSStream | None:
        try:
            return await anyio.streams.tls.TLSStream.wrap(
                stream, server_side=True, ssl_context=context, standard_compatible=polite
            )
        except (ssl.SSLError, anyio.BrokenResourceError, anyio.EndOfStream):
            # The client has not trusted it.
            return None

    return wrap


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_requests_share_one_encrypted_connection(authority: Authority, version: ssl.TLSVersion) -> None:
    context = authority.server(LOCALHOST)
    context.minimum_version = context.maximum_version = version
    large = OK + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000
    spoken: list[str] = []

    async def script(visitor: Visitor) -> None:
        spoken.append(visitor.stream.extra(anyio.streams.tls.TLSAttribute.tls_version))
        await saying(HELLO, large, HELLO)(visitor)

    async with (
        serving(script, encrypted(context)) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        answers = [
            await http.get(),
            await http.post(b"y" * 300_000),
            await http.get(),
        ]
    assert [len(answer.content) for answer in answers] == [5, 1_000_000, 5]
    assert server.connections == 1
    assert spoken == [version.name.replace("TLSv1_", "TLSv1.")]


@pytest.mark.parametrize(
    ("names", "days", "words"),
    [
        ([x509.DNSName("elsewhere.example")], 1, "IP address mismatch"),
        ([LOCALHOST], -1, "certificate has expired"),
    ],
    ids=["another name", "expired"],
)
async def test_a_server_that_is_not_who_it_should_be_gets_nothing(
    authority: Authority, names: list[x509.GeneralName], days: int, words: str
) -> None:
    async with (
        serving(saying(HELLO), encrypted(authority.server(*names, days=days))) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        with pytest.raises(TransportError, match=words):
            await http.get()


async def test_a_server_whose_authority_is_unknown_gets_nothing(authority: Authority) -> None:
    async with (
        serving(saying(HELLO), encrypted(authority.server(LOCALHOST))) as server,
        Client(server.url, context=ssl.create_default_context) as http,
    ):
        with pytest.raises(TransportError, match="certificate verify failed"):
            await http.get()


async def test_a_server_without_tls_and_one_that_hangs_up_are_connect_errors(authority: Authority) -> None:
    async def plain(visitor: Visitor) -> None:
        await visitor.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await visitor.gone()

    async def silent(visitor: Visitor) -> None:
        pass

    for script, words in ((plain, "SSL"), (silent, "during the TLS handshake")):
        async with (
            serving(script) as server,
            Client(server.url.replace("http:", "https:"), context=authority.trusting) as http,
        ):
            with pytest.raises(TransportError, match=words) as caught:
                await http.get()
            assert not caught.value.may_have_arrived


async def test_a_handshake_that_hangs_is_a_connect_time_out(authority: Authority) -> None:
    context = authority.trusting()

    async def hanging(visitor: Visitor) -> None:
        await visitor.gone()

    async with (
        serving(hanging) as server,
        Client(server.url.replace("http:", "https:"), context=lambda: context) as http,
    ):
        await http.wire.load()
        with pytest.raises(RequestTimeoutError, match=r"Timeouts\.connect"):
            await http.get(timeouts=dataclasses.replace(FOREVER, connect=3600.0))
        await closed(server, 1)


@pytest.mark.parametrize("rounds", range(24))
async def test_who_leaves_during_the_handshake_leaves_no_connection_behind(authority: Authority, rounds: int) -> None:
    certificates = authority.trusting()
    async with (
        serving(saying(*[HELLO] * 3), encrypted(authority.server(LOCALHOST))) as server,
        Client(server.url, context=lambda: certificates) as http,
    ):
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def leave() -> None:
                    for _ in range(rounds):
                        await anyio.lowlevel.checkpoint()
                    scope.cancel()

                tasks.start_soon(leave)
                await http.get()
        # Without a limit: the certificates come from a thread, which a virtual clock may overtake.
        assert (await http.get()).text == "hello"
        assert len(http.wire._pool._connections) == 1
        await closed(server, server.connections - 1)


@pytest.mark.parametrize("is_encrypted", [False, True], ids=["plain", "encrypted"])
async def test_an_answer_that_is_read_slowly_waits_with_the_server(authority: Authority, is_encrypted: bool) -> None:
    sent = 0

    async def script(visitor: Visitor) -> None:
        nonlocal sent
        await visitor.request()
        await visitor.send(OK + b"Content-Length: 32000000\r\n\r\n")
        for _ in range(500):
            await visitor.send(b"x" * 64_000)
            sent += 64_000
        await visitor.gone()

    async with (
        serving(script, encrypted(authority.server(LOCALHOST)) if is_encrypted else None) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        response = await http.send()
        before = -1
        while sent != before:
            before = sent
            for _ in range(100):
                await anyio.lowlevel.checkpoint()
        # What is under way is a matter of the kernel's buffers, not of the answer.
        assert sent < 16_000_000
        assert len(await rest_of(response)) == 32_000_000


@pytest.mark.parametrize("polite", [True, False], ids=["close_notify", "none"])
async def test_an_answer_without_a_length_is_whole_only_if_the_server_says_so(
    authority: Authority, polite: bool
) -> None:
    """Anybody on the way may close a connection: RFC 9112, 9.8."""

    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK + b"\r\nall of it")

    async with (
        serving(script, encrypted(authority.server(LOCALHOST), polite=polite)) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        if polite:
            assert (await http.get()).text == "all of it"
            return
        response = await http.send()
        assert await next_piece(response) == b"all of it"
        with pytest.raises(TransportError, match="without close_notify"):
            await next_piece(response)


@pytest.mark.parametrize(
    "framing", [b"Content-Length: 5\r\n\r\nhello", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"]
)
async def test_an_answer_that_says_where_it_ends_needs_no_farewell(authority: Authority, framing: bytes) -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK + b"Connection: close\r\n" + framing)

    async with (
        serving(script, encrypted(authority.server(LOCALHOST), polite=False)) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        for _ in range(2):
            assert (await http.get()).text == "hello"
        assert server.connections == 2


@pytest.mark.parametrize("polite", [True, False], ids=["close_notify", "none"])
async def test_an_answer_that_breaks_off_is_no_answer(authority: Authority, polite: bool) -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK + b"Content-Length: 9\r\n\r\npart")

    async with (
        serving(script, encrypted(authority.server(LOCALHOST), polite=polite)) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        with pytest.raises(TransportError, match="expected 9 bytes"):
            await http.get()


async def test_what_is_no_tls_in_the_middle_of_an_answer_is_a_read_error(authority: Authority) -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK + b"Content-Length: 9\r\n\r\npart")
        assert isinstance(visitor.stream, anyio.streams.tls.TLSStream)
        await visitor.stream.transport_stream.send(b"not encrypted")
        await visitor.gone()

    async with (
        serving(script, encrypted(authority.server(LOCALHOST))) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        with pytest.raises(TransportError, match="was lost before the answer was complete: "):
            await http.get()


async def test_a_server_that_closes_an_idle_connection_is_noticed(authority: Authority) -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(HELLO)

    async with (
        serving(script, encrypted(authority.server(LOCALHOST))) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        for number in range(1, 4):
            assert (await http.get()).text == "hello"
            await closed(server, number)
    assert server.connections == 3


async def test_an_end_that_only_tls_tells_of_is_an_end(authority: Authority) -> None:
    async def script(visitor: Visitor) -> None:
        await visitor.request()
        await visitor.send(OK + b"\r\nall of it")
        assert isinstance(visitor.stream, anyio.streams.tls.TLSStream)
        # It waits for the client's own farewell, with the socket still open.
        await visitor.stream.unwrap()

    async with (
        serving(script, encrypted(authority.server(LOCALHOST))) as server,
        Client(server.url, context=authority.trusting) as http,
    ):
        assert (await http.get()).text == "all of it"


def test_what_comes_with_the_last_of_the_handshake_is_not_left_lying(authority: Authority) -> None:
    """With TLS 1.2 the server speaks last in the handshake, and may go on in the same packet."""
    context = authority.server(LOCALHOST)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    server = context.wrap_bio(incoming, outgoing, server_side=True)
    tls = Tls(authority.trusting(), "127.0.0.1")
    data = b""
    while not tls.handshake(data):
        incoming.write(tls.outgoing())
        with contextlib.suppress(ssl.SSLWantReadError):
            server.do_handshake()
            server.write(b"early")
        data = outgoing.read()
    assert tls.decrypt(b"") == b"early"
