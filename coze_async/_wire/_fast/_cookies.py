"""Cookies that a server gives, and gives back: the standard library's jar, without a request of httpx around it."""

import contextlib
import urllib.request
from collections.abc import Iterable
from email.message import Message
from http.client import HTTPResponse
from http.cookiejar import CookieJar
from typing import cast

__all__ = ["Cookies"]


class Cookies:
    """The cookies of one client."""

    def __init__(self) -> None:
        self._jar = CookieJar()

    def take(self, url: str, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Keep the cookies of a response to a request for a URL; those that could not be sent back are passed over."""
        request = urllib.request.Request(url)  # noqa: S310 - nothing is opened
        for name, value in headers:
            if name.lower() == b"set-cookie" and value.isascii():
                # One by one, so that an invalid one does not hide the others.
                with contextlib.suppress(ValueError):
                    self._jar.extract_cookies(cast("HTTPResponse", _Response(value)), request)

    def header(self, url: str) -> str:
        """Return the header for a request; empty if no cookie is for it, or if one cannot be sent."""
        request = urllib.request.Request(url)  # noqa: S310 - nothing is opened
        self._jar.add_cookie_header(request)
        value = request.get_header("Cookie") or ""
        return value if value.isascii() and value.isprintable() else ""


class _Response:
    """What the jar asks of a response."""

    def __init__(self, cookie: bytes) -> None:
        self._message = Message()
        self._message["Set-Cookie"] = cookie.decode("ascii")

    def info(self) -> Message:
        return self._message
