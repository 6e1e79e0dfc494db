"""What TLS says once it stands, and be it in the middle of an answer: tickets, new keys, questions, alarms."""

# pyright: reportPrivateUsage=false

import contextlib
import math
import os
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from raw_http import OK, Client, OtherSide, next_piece, receive, response_on, rest_of, unconnected

pytest.importorskip("cryptography")

from authority import LOCALHOST, Authority

from coze_async import TransportError
from coze_async._wire import WireResponse
from coze_async._wire._failures import Failure, WireError
from coze_async._wire._fast._connection import Connection
from coze_async._wire._fast._tls import Tls
from coze_async._wire._fast._wire import FastResponse

pytestmark = pytest.mark.usefixtures("parser")

HELLO = OK + b"Content-Length: 5\r\n\r\nhello"


class Secured:
    """A connection, and the server's end of its TLS, without a socket between them."""

    def __init__(self, server: ssl.SSLContext, trusting: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.kept: list[Connection] = []
        self.other = OtherSide()
        self.connection = unconnected(freed=self.kept.append, tls=Tls(trusting, "127.0.0.1"))
        self.connection.connection_made(self.other)

    def asked(self) -> "Secured":
        """Shake hands, and let the client ask for something."""
        while not self._is_done():
            receive(self.connection, self._outgoing.read())
        if self.server.version() == "TLSv1.2":
            # There the server speaks last.
            receive(self.connection, self._outgoing.read())
        self.connection.begin(b"GET", b"GET / HTTP/1.1\r\n\r\n")
        return self

    def _is_done(self) -> bool:
        self._take()
        try:
            self.server.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def _take(self) -> None:
        self._incoming.write(self.other.written)
        self.other.written = b""

    def heard(self) -> bytes:
        """Return what the client has sent since the last time."""
        self._take()
        with contextlib.suppress(ssl.SSLWantReadError):
            return self.server.read(65536)
        return b""

    def said(self, *answer: bytes, farewell: bool = False) -> bytes:
        """Return the packets of an answer, behind those that wait already."""
        for piece in answer:
            self.server.write(piece)
        if farewell:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.server.unwrap()
        return self._outgoing.read()

    def alarm(self) -> bytes:
        """Return the packet by which the server breaks off: it does when it does not understand its client."""
        self._incoming.write(b"this is no TLS, but long enough for the beginning of a record")
        with pytest.raises(ssl.SSLError):
            self.heard()
        return self._outgoing.read()

    async def answer(self) -> bytes:
        """Return the body of the answer."""
        await self.connection.answered(math.inf)
        response = response_on(self.connection)
        body = await rest_of(response)
        await response.aclose(reuse=True)
        return body


VERSIONS = pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])


def speaking(authority: Authority, version: ssl.TLSVersion) -> ssl.SSLContext:
    context = authority.server(LOCALHOST)
    context.minimum_version = context.maximum_version = version
    return context


@VERSIONS
async def test_packets_are_the_same_wherever_they_are_cut(authority: Authority, version: ssl.TLSVersion) -> None:
    """With TLS 1.3 two tickets come before the answer."""
    context, trusting = speaking(authority, version), authority.trusting()
    pieces = (OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"6\r\n wor", b"ld\r\n", b"0\r\n\r\n")
    length = len(Secured(context, trusting).asked().said(*pieces, farewell=True))
    assert length > (600 if version is ssl.TLSVersion.TLSv1_3 else 200)
    for step in (1, length, *range(2, length, 7)):
        secured = Secured(context, trusting).asked()
        packets = secured.said(*pieces, farewell=True)
        for begin in range(0, len(packets), step):
            receive(secured.connection, packets[begin : begin + step])
        assert await secured.answer() == b"hello world"
        # The farewell was heard.
        assert not secured.other.is_open


@VERSIONS
async def test_an_answer_keeps_its_connection_if_only_tickets_come_beside_it(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    secured = Secured(speaking(authority, version), authority.trusting()).asked()
    assert secured.heard() == b"GET / HTTP/1.1\r\n\r\n"
    for _ in range(3):
        receive(secured.connection, secured.said(HELLO))
        assert await secured.answer() == b"hello"
        secured.connection.begin(b"GET", b"GET /again HTTP/1.1\r\n\r\n")
        assert secured.heard() == b"GET /again HTTP/1.1\r\n\r\n"
    assert len(secured.kept) == 3


@pytest.mark.parametrize("has_certificate", [True, False])
async def test_a_server_may_ask_in_the_middle_of_its_answer_who_is_there(
    authority: Authority, has_certificate: bool
) -> None:
    """And sends new tickets then (RFC 8446, 4.6.2)."""
    context, trusting = speaking(authority, ssl.TLSVersion.TLSv1_3), authority.trusting()
    context.load_verify_locations(authority.file)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.post_handshake_auth = trusting.post_handshake_auth = True
    if has_certificate:
        trusting.load_cert_chain(authority.pair(LOCALHOST))
    secured = Secured(context, trusting).asked()
    connection = secured.connection
    receive(connection, secured.said(OK + b"Content-Length: 12\r\n\r\none "))
    secured.server.verify_client_post_handshake()
    receive(connection, secured.said(b"two "))
    assert secured.heard() == b"GET / HTTP/1.1\r\n\r\n"
    assert secured.heard() == b"", "the client's own answer is none of the request"
    assert bool(secured.server.getpeercert(binary_form=True)) == has_certificate
    receive(connection, secured.said(b"four"))
    assert await secured.answer() == b"one two four"
    assert secured.kept == [connection]


# --- alarms -----------------------------------------------------------------------------------------------------------


@VERSIONS
@pytest.mark.parametrize("is_late", [True, False], ids=["in a packet of its own", "with the answer"])
async def test_an_answer_is_whole_if_the_server_breaks_off_behind_it(
    authority: Authority, version: ssl.TLSVersion, is_late: bool
) -> None:
    secured = Secured(speaking(authority, version), authority.trusting()).asked()
    packets, alarm = secured.said(HELLO), secured.alarm()
    for packet in (packets, alarm) if is_late else (packets + alarm,):
        receive(secured.connection, packet)
    assert await secured.answer() == b"hello"
    assert not secured.kept
    assert not secured.other.is_open


@VERSIONS
@pytest.mark.parametrize("is_late", [True, False], ids=["in a packet of its own", "with the answer"])
async def test_what_came_before_the_server_broke_off_is_handed_out_before_the_error(
    authority: Authority, version: ssl.TLSVersion, is_late: bool
) -> None:
    secured = Secured(speaking(authority, version), authority.trusting()).asked()
    packets, alarm = secured.said(OK + b"Content-Length: 9\r\n\r\n", b"part"), secured.alarm()
    for packet in (packets, alarm) if is_late else (packets + alarm,):
        receive(secured.connection, packet)
    await secured.connection.answered(math.inf)
    response = response_on(secured.connection)
    assert await next_piece(response) == b"part"
    with pytest.raises(TransportError, match="alert"):
        await next_piece(response)
    assert not secured.other.is_open


@VERSIONS
async def test_a_server_that_breaks_off_while_nothing_is_asked_costs_the_connection_only(
    authority: Authority, version: ssl.TLSVersion
) -> None:
    secured = Secured(speaking(authority, version), authority.trusting()).asked()
    receive(secured.connection, secured.said(HELLO))
    assert await secured.answer() == b"hello"
    assert secured.kept == [secured.connection]
    receive(secured.connection, secured.alarm())
    assert not secured.connection.is_open
    assert secured.connection.error is None


async def test_a_server_that_wants_a_certificate_says_so_in_the_handshake_or_behind_it(authority: Authority) -> None:
    """With TLS 1.3 the client is done before the server has seen who it is."""
    for version, kind in ((ssl.TLSVersion.TLSv1_2, Failure.NO_CONNECTION), (ssl.TLSVersion.TLSv1_3, Failure.LOST)):
        context = speaking(authority, version)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authority.file)
        secured = Secured(context, authority.trusting())
        with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
            secured.asked()
        receive(secured.connection, secured.said())
        with pytest.raises(WireError, match="alert") as caught:
            await secured.connection.secured()
        assert caught.value.failure is kind
        assert not secured.other.is_open


# --- other keys -------------------------------------------------------------------------------------------------------

needs_openssl = pytest.mark.skipif(
    sys.platform == "win32" or shutil.which("openssl") is None, reason="it takes the program openssl to type at"
)


async def happens(condition: Callable[[], bool]) -> None:
    """Wait for what another process does, whose time is not virtual."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        await anyio.lowlevel.checkpoint()


class Typist:
    """A server of OpenSSL's own. What is typed it sends, but for single letters on a line, which are orders."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self.output = b""

    def _read(self) -> bool:
        assert self._process.stdout is not None
        try:
            read = os.read(self._process.stdout.fileno(), 65536)
        except BlockingIOError:
            return False
        self.output += read
        return bool(read)

    async def shown(self, words: bytes, times: int = 1) -> None:
        """Wait until it has written these words so many times."""
        await happens(lambda: not self._read() and self.output.count(words) >= times)

    async def type(self, data: bytes) -> None:
        """Type something, and wait until it was read: orders must come alone."""
        import fcntl
        import termios

        keyboard = self._process.stdin
        assert keyboard is not None
        keyboard.write(data)
        # It reads nothing as long as nobody takes what it writes.
        await happens(lambda: not self._read() and not any(fcntl.ioctl(keyboard.fileno(), termios.FIONREAD, bytes(4))))

    async def order(self, letter: bytes) -> None:
        """Have it do something else than send."""
        await self.type(letter + b"\n")

    async def quit(self) -> bytes:
        """Have it end, which it does only while somebody is connected; return all that it has written."""
        await self.order(b"Q")
        await happens(lambda: not self._read() and self._process.poll() is not None)
        return self.output


@contextlib.contextmanager
def typing(pair: Path, *options: str) -> Generator[tuple[Typist, str]]:
    command = ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(pair), *options]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0
    ) as process:
        try:
            assert process.stdout is not None
            place = next(line for line in process.stdout if line.startswith(b"ACCEPT "))
            os.set_blocking(process.stdout.fileno(), False)
            yield Typist(process), f"https://127.0.0.1:{int(place.rpartition(b':')[2])}"
        finally:
            process.kill()


def connection_of(response: WireResponse) -> Connection:
    assert isinstance(response, FastResponse)
    assert response._connection is not None
    return response._connection


NEW_KEYS = pytest.mark.parametrize(
    ("version", "order"),
    [("-tls1_3", b"k"), ("-tls1_3", b"K"), ("-tls1_2", b"r"), ("-tls1_2", b"R")],
    ids=["key update", "key update of both", "renegotiation", "renegotiation that asks for a certificate"],
)


@needs_openssl
@NEW_KEYS
async def test_keys_may_change_in_the_middle_of_an_answer(authority: Authority, version: str, order: bytes) -> None:
    with typing(authority.pair(LOCALHOST), version) as (typist, url):
        async with Client(url, context=authority.trusting) as http, anyio.create_task_group() as tasks:

            async def serve() -> None:
                await typist.shown(b"GET / ")
                await typist.type(OK + b"Content-Length: 12\r\n\r\none ")

            tasks.start_soon(serve)
            response = await http.send()
            assert await next_piece(response) == b"one "
            connection = connection_of(response)
            assert connection._tls is not None
            tls = connection._tls.object

            async def agreed(before: bytes | None) -> None:
                if version == "-tls1_2":
                    await happens(lambda: tls.get_channel_binding("tls-unique") != before)

            # The server goes on before the client has answered it, and after that.
            for piece, goes_on in ((b"two ", True), (b"four", False)):
                before = tls.get_channel_binding("tls-unique")
                await typist.order(order)
                if not goes_on:
                    await agreed(before)
                await typist.type(piece)
                assert await next_piece(response) == piece
                await agreed(before)
            assert await next_piece(response) == b""
            await response.aclose(reuse=True)

            async def serve_again() -> None:
                await typist.shown(b"GET /again ")
                await typist.type(HELLO)

            tasks.start_soon(serve_again)
            again = await http.send("GET", "/again")
            assert await rest_of(again) == b"hello"
            if version == "-tls1_3":
                # What comes on a free connection costs it, and the end of a handshake may.
                assert connection_of(again) is connection
            assert (await typist.quit()).count(b"SSL_do_handshake -> 1") == 2


@needs_openssl
@NEW_KEYS
async def test_keys_may_change_in_the_middle_of_an_upload(authority: Authority, version: str, order: bytes) -> None:
    with typing(authority.pair(LOCALHOST), version) as (typist, url):
        async with Client(url, context=authority.trusting) as http, anyio.create_task_group() as tasks:

            async def body() -> AsyncGenerator[bytes]:
                for number in range(1, 6):
                    # It has to be told apart from what else the server writes.
                    yield b"\2" * 100_000
                    if number == 1:
                        await typist.shown(b"\2")
                    await typist.order(order)

            async def serve() -> None:
                await typist.shown(b"\2", 500_000)
                await typist.type(HELLO)

            tasks.start_soon(serve)
            assert (await http.post(body(), size=500_000)).text == "hello"
