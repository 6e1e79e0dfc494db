"""A request -> the bytes before its body; what could smuggle a second request in is refused."""

import re
from collections.abc import Iterable

import httpx

__all__ = ["body_length", "header_lines", "request_line"]

# As RFC 9110 has it, with what h11 lets through: a value neither begins nor ends with white space.
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(rb"(?:[^\0\s](?:[^\0\n\r\v\f]*[^\0\s])?)?")
_TARGET = re.compile(rb"[\x21-\x7e]+")


def request_line(method: bytes, target: bytes) -> bytes:
    """Return the first line of a request.

    Raises:
        httpx.LocalProtocolError: it would be none.
    """
    if _NAME.fullmatch(method) is None or _TARGET.fullmatch(target) is None:
        raise httpx.LocalProtocolError(f"{method!r} {target!r} is no request line")
    return b"%b %b HTTP/1.1\r\n" % (method, target)


def header_lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return headers as they are sent.

    Raises:
        httpx.LocalProtocolError: a name or a value holds what must not stand there.
    """
    lines: list[bytes] = []
    for name, value in headers:
        if _NAME.fullmatch(name) is None:
            raise httpx.LocalProtocolError(f"the header name {name!r} is none: use letters, digits and -")
        if _VALUE.fullmatch(value) is None:
            # It may be a credential, and is not shown.
            raise httpx.LocalProtocolError(
                f"the value of the header {name.decode('ascii')!r} holds a line break or NUL, or space around it"
            )
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


def body_length(headers: Iterable[tuple[bytes, bytes]]) -> int | None:
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
