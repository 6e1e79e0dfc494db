"""A request -> the bytes before its body; what could smuggle a second request in is refused."""

import re
from collections.abc import Sequence

import httpx

__all__ = ["body_length", "header_lines", "request_line"]

# As RFC 9110 has it, with what h11 lets through: a value neither begins nor ends with white space.
_HEADERS = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: (?:[^\0\s](?:[^\0\n\r\v\f]*[^\0\s])?)?\r\n)*")
_LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP/1\.1\r\n")


def request_line(method: bytes, target: bytes) -> bytes:
    """Return the first line of a request.

    Raises:
        httpx.LocalProtocolError: it would be none.
    """
    line = b"%b %b HTTP/1.1\r\n" % (method, target)
    if _LINE.fullmatch(line) is None:
        raise httpx.LocalProtocolError(f"{method!r} {target!r} is no request line")
    return line


def header_lines(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return headers as they are sent.

    Raises:
        httpx.LocalProtocolError: a name or a value holds what must not stand there.
    """
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    # Counted too: a value with a line break in it could look like two headers.
    if _HEADERS.fullmatch(lines) is None or lines.count(b"\r\n") != len(headers):
        raise httpx.LocalProtocolError(_illegal(headers))
    return lines


def _illegal(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Say what is wrong, without the value: it may be a credential."""
    for name, _ in headers:
        if b":" in name or _HEADERS.fullmatch(b"%b: x\r\n" % name) is None:
            return f"the header name {name!r} is none: use letters, digits and -"
    named = next(
        name.decode("ascii")
        for name, value in headers
        if b"\n" in value or _HEADERS.fullmatch(b"x: %b\r\n" % value) is None
    )
    return f"the value of the header {named!r} holds a line break or a NUL, or has white space around it"


def body_length(headers: Sequence[tuple[bytes, bytes]]) -> int | None:
    """Return the announced length of a body, 0 if there is none, and None for one that is sent in chunks.

    Raises:
        httpx.LocalProtocolError: the length is no number.
    """
    length = 0
    for name, value in headers:
        match name.lower():
            case b"transfer-encoding":
                return None
            case b"content-length":
                if not value.isdigit():
                    raise httpx.LocalProtocolError(f"the header 'Content-Length' is {value!r}, which is no number")
                length = int(value)
            case _:
                pass
    return length
