"""Requests to one server past httpx's client, whose every request costs more than the server's answer."""

from collections.abc import AsyncIterable, Mapping

import httpx

from coze_async._body import Body, plain_headers
from coze_async._fast._answer import Answer
from coze_async._fast._head import header_lines, request_line
from coze_async._fast._transport import FastTransport, is_client_pristine, response_of

__all__ = ["Shortcut"]


class Shortcut:
    """Sends what httpx's client would send, byte for byte, while it would add nothing: no cookies, no log, no tracer.

    Args:
        client: Whose headers and cookies hold.
        transport: The client's own.
        base_url: The server.
    """

    def __init__(self, client: httpx.AsyncClient, transport: FastTransport, base_url: str) -> None:
        self._client = client
        self._transport = transport
        url = httpx.URL(base_url)
        scheme, host = url.scheme, url.raw_host.decode("ascii")
        self._origin = (scheme, host, url.port or (443 if scheme == "https" else 80), host)
        self._prefix = url.raw_path.rstrip(b"/")
        self._own = {"Host": url.netloc.decode("ascii")} | {
            name: client.headers[name] for name in ("Accept-Encoding", "Connection")
        }
        self._last: Mapping[str, str] = {}
        self._lines = b""

    @property
    def is_open(self) -> bool:
        """True if nobody would see a difference."""
        return not self._client.cookies and is_client_pristine()

    @property
    def is_connected(self) -> bool:
        """True if there is a connection that is free."""
        return self._transport.is_connected(self._origin)

    async def load(self) -> None:
        """Read the certificates, if the server is reached by TLS.

        Raises:
            OSError: they cannot be read.
            ValueError: they are none.
        """
        if self._origin[0] == "https":
            await self._transport.certificates()

    async def send(
        self,
        method: str,
        target: str,
        headers: Mapping[str, str],
        body: bytes | AsyncIterable[bytes] | None,
        timeouts: Mapping[str, float | None],
    ) -> Body:
        """Send a request and return the answer as soon as its head is there.

        Args:
            method: The HTTP verb.
            target: Path and query below the base URL, quoted.
            headers: All but those of the connection and of the body's length.
            body: With its length in the headers, unless it is bytes or sent in chunks.
            timeouts: As httpx has them in the extensions of a request; and `first`, if the head of the answer has
                another limit than what comes after it.
        """
        verb = method.encode("ascii")
        # One call is like the one before, most of all where there are many.
        if headers != self._last:
            self._lines = self._header_lines(headers)
            self._last = headers
        head = request_line(verb, self._prefix + target.encode("ascii")) + self._lines
        length: int | None = None
        stream: AsyncIterable[bytes] | None = None
        content = b""
        if isinstance(body, bytes):
            content = body
            head += b"Content-Length: %d\r\n" % len(body)
        elif body is not None:
            stream = body
            announced = headers.get("Content-Length")
            if announced is None:
                head += b"Transfer-Encoding: chunked\r\n"
            else:
                length = int(announced)
        elif method in ("POST", "PUT", "PATCH"):
            head += b"Content-Length: 0\r\n"
        connection = await self._transport.exchange(
            self._origin, verb, head + b"\r\n", content, stream, length, timeouts
        )
        answer, read = plain_headers(connection.headers), timeouts.get("read")
        if "set-cookie" in answer or "content-encoding" in answer:
            response = response_of(connection, read)
            url = f"{self._origin[0]}://{self._own['Host']}{self._prefix.decode('ascii')}{target}"
            response.request = httpx.Request(method, url)
            self._client.cookies.extract_cookies(response)
            return Body.of(response)
        pieces = Answer(connection, read)
        return Body(connection.status, answer, pieces, pieces.aclose)

    def _header_lines(self, headers: Mapping[str, str]) -> bytes:
        given = {name.lower() for name in headers}
        own = [(name, value) for name, value in self._own.items() if name.lower() not in given]
        return header_lines([(name.encode("ascii"), value.encode("ascii")) for name, value in (*own, *headers.items())])
