"""A request -> the bytes before its body; whatever could smuggle in a second request is refused."""

import re
from collections.abc import Iterable

from coze_async._wire._failures import Failure, WireError
from coze_async._wire._headers import check_framing

__all__ = ["header_lines", "request_line"]

# As in RFC 9110, with what h11 accepts: a value neither begins nor ends with white space.
_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VALUE = re.compile(r"(?:[^\0\s](?:[^\0\n\r\v\f]*[^\0\s])?)?", re.ASCII)
_TARGET = re.compile(r"[\x21-\x7e]+")


def request_line(method: str, target: str) -> bytes:
    """Return the first line of a request.

    Raises:
        WireError: it would not be a single line.
    """
    if _NAME.fullmatch(method) is None or _TARGET.fullmatch(target) is None:
        raise WireError(Failure.UNSENDABLE, f"{method!r} {target!r} is an invalid request line")
    return f"{method} {target} HTTP/1.1\r\n".encode("ascii")


def header_lines(headers: Iterable[tuple[str, str]]) -> bytes:
    """Return headers as they are sent.

    Raises:
        WireError: a name or a value holds what must not stand there.
    """
    lines: list[bytes] = []
    headers = [*headers]
    check_framing(name for name, _ in headers)
    for name, value in headers:
        if _NAME.fullmatch(name) is None:
            raise WireError(Failure.UNSENDABLE, f"invalid header name {name!r}: use letters, digits and -")
        # The value may be a credential; it is never shown.
        if _VALUE.fullmatch(value) is None:
            raise WireError(
                Failure.UNSENDABLE, f"the value of the header {name!r} holds a line break or NUL, or space around it"
            )
        if not value.isascii():
            raise WireError(Failure.UNSENDABLE, f"the value of the header {name!r} has letters outside ASCII")
        lines.append(f"{name}: {value}\r\n".encode("ascii"))
    return b"".join(lines)
