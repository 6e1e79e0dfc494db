"""A request -> the bytes before its body; what could smuggle a second request in is refused."""

import re
from collections.abc import Sequence

import httpx

__all__ = ["body_length", "request_head"]

# As RFC 9110 has it, with what h11 lets through: a value neither begins nor ends with white space.
_HEAD = re.compile(
    rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e]+ HTTP/1\.1\r\n"
    rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: (?:[^\0\s](?:[^\0\n\r\v\f]*[^\0\s])?)?\r\n)*\r\n"
)


def request_head(method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the request line and the headers.

    Raises:
        httpx.LocalProtocolError: a name or a value holds what must not stand there.
    """
    lines = b"".join([b"%b: %b\r\n" % header for header in headers])
    head = b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, lines)
    if _HEAD.fullmatch(head) is None:
        raise httpx.LocalProtocolError(_illegal(method, target, headers))
    return head


def _illegal(method: bytes, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> str:
    """Say what is wrong, without the value: it may be a credential."""
    for name, value in headers:
        if _HEAD.fullmatch(b"GET / HTTP/1.1\r\n%b: %b\r\n\r\n" % (name, b"x")) is None:
            return f"the header name {name!r} is none: use letters, digits and -"
        if _HEAD.fullmatch(b"GET / HTTP/1.1\r\nx: %b\r\n\r\n" % value) is None:
            return f"the value of the header {name.decode('ascii')!r} holds a line break, a NUL, or white space around"
    return f"{method!r} {target!r} is no request line"


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
