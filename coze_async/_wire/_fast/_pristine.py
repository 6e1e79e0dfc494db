"""Whether httpx's own functions are in place: what tests and tracers put there instead must see every request."""

import sys
from pathlib import Path
from types import FunctionType
from typing import Any

__all__ = ["is_pristine"]

# Each is looked at once it is imported: importing takes long, and nobody can have replaced anything in it before.
_WATCHED = (
    ("httpx", "AsyncHTTPTransport", "handle_async_request"),
    ("httpx", "AsyncClient", "send"),
    ("httpcore", "AsyncConnectionPool", "handle_async_request"),
)
_known: list[Any] = [None, None, None]
_modules: dict[str, Any] = sys.modules


def is_pristine() -> bool:
    """True if nobody has replaced httpx's functions: respx and the like do, and tracers wrap them."""
    httpx = _modules.get("httpx")
    if httpx is None:
        return True
    httpcore = _modules.get("httpcore")
    if (
        httpx.AsyncHTTPTransport.handle_async_request is _known[0]
        and httpx.AsyncClient.send is _known[1]
        and (httpcore is None or httpcore.AsyncConnectionPool.handle_async_request is _known[2])
    ):
        return True
    return _looked_at_again()


def _looked_at_again() -> bool:
    now: list[Any] = []
    for package, owner, name in _WATCHED:
        function = getattr(getattr(_modules.get(package), owner, None), name, None)
        if function is not None and not _is_of(function, package):
            return False
        now.append(function)
    _known[:] = now
    return True


def _is_of(function: Any, package: str) -> bool:
    """True for a function that is written in a package, whatever name somebody gave to another one."""
    home = Path(_modules[package].__file__ or "").parent
    return isinstance(function, FunctionType) and Path(function.__code__.co_filename).is_relative_to(home)
