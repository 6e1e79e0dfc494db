"""The ASGI application around an emulator, and uvicorn in a thread to serve it on a port."""

import ipaddress
import logging
import socket
import struct
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import anyio.to_thread
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ._body import Body, ConnectionDropped, EmulatedResponse, Unreachable
from ._fields import joined
from ._form import is_form, read_form
from ._page import PLACE, Home, make_page

if TYPE_CHECKING:
    from ._emulator import Emulator, Started


_LOG = logging.getLogger("coze_async.emulator")


def make_app(emulator: "Emulator") -> Starlette:
    """An application whose every path goes to the emulator, but for the page that shows what it does."""
    emulated = _Endpoint(emulator)
    return Starlette(
        routes=[
            Mount(PLACE, make_page(emulator)),
            Route(PLACE, RedirectResponse(f"{PLACE}/")),
            Route("/", Home(emulated)),
            Route("/{path:path}", emulated),
        ]
    )


class _Endpoint:
    """The ASGI side of an emulator.

    A connection that a fault breaks is left without the end of its response: the server then closes the socket. ASGI
    knows no way to close it before the headers, or to reset it. `serve` brings one along; under another server the
    client gets the headers of a body that never comes.
    """

    def __init__(self, emulator: "Emulator") -> None:
        self._emulator = emulator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            kind = request.headers.get("content-type", "")
            content = await read_form(kind, request.stream()) if is_form(kind) else await request.body()
        except ClientDisconnect:
            return
        path: str = scope["path"]
        drop: _Drop | None = scope.get("extensions", {}).get(_DROP)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_disconnect, receive, tasks.cancel_scope)
            try:
                response = await self._emulator.handle(
                    request.method, path, joined(request.query_params.multi_items()), dict(request.headers), content
                )
            except (ConnectionDropped, Unreachable) as lost:
                if drop is None:
                    await send({"type": "http.response.start", "status": 200, "headers": []})
                else:
                    drop(_is_reset(lost))
                    # Until the server has seen it: it would answer for an application that says nothing.
                    await anyio.sleep_forever()
            except Exception:  # noqa: BLE001 - whatever a user's script raises is told and answered
                _LOG.exception("%s %s was not answered: a script or a fault raised.", request.method, path)
                # Not raised on: the server would close a connection that this answer leaves open for the next request.
                await PlainTextResponse("Internal Server Error", 500)(scope, receive, send)
            else:
                await _send(response, send, drop, f"{request.method} {path}")
            tasks.cancel_scope.cancel()


async def _cancel_on_disconnect(receive: Receive, scope: anyio.CancelScope) -> None:
    # The body was read: the only message that can still come is the disconnect.
    await receive()
    scope.cancel()


def _is_reset(lost: ConnectionDropped | Unreachable) -> bool:
    return isinstance(lost, ConnectionDropped) and lost.is_reset


async def _send(response: EmulatedResponse, send: Send, drop: "_Drop | None", asked: str) -> None:
    headers = [(name.encode(), value.encode()) for name, value in response.headers.items()]
    start: Message = {"type": "http.response.start", "status": response.status, "headers": headers}
    if not isinstance(response.body, Body):
        headers.append((b"content-length", str(len(response.body)).encode()))
        await send(start)
        await send({"type": "http.response.body", "body": response.body})
        return
    try:
        await send(start)
        async for chunk in response.body:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
    except ConnectionDropped as dropped:
        if drop is not None:
            drop(dropped.is_reset)
    except Exception:
        _LOG.exception("The answer to %s broke off: a script or a fault raised.", asked)
        raise
    finally:
        response.close()


_DROP = "coze_async.drop"
_Drop = Callable[[bool], None]


class _Droppable:
    """An application that can end its connections by an extension of the scope."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # In uvicorn `send` is a method of what holds the connection; in a version without it, ASGI's own way is left.
        transport = getattr(getattr(send, "__self__", None), "transport", None)
        if transport is not None:
            scope.setdefault("extensions", {})[_DROP] = partial(_drop, transport)
        await self._app(scope, receive, send)


def _drop(transport: Any, is_reset: bool) -> None:
    if is_reset:
        # Nothing may linger: then the system sends RST instead of FIN.
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    else:
        transport.close()


class _Guarded:
    """An application that answers under its own names only.

    A foreign page can make a name of its own point here and read the answers (DNS rebinding); its name then stands in
    the Host header. A request without one comes from no browser.
    """

    def __init__(self, app: ASGIApp, names: Collection[str]) -> None:
        self._app = app
        self._names = {_host_name(name) for name in names}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = Headers(scope=scope).get("host", "") if scope["type"] == "http" else ""
        if asked and not self._is_ours(_host_name(asked), scope.get("server")):
            complaint = (
                f"The emulator does not answer under the name {asked!r}: use its address or localhost, or allow the "
                "name with --allow-host or `Emulator.serve(hosts=…)`."
            )
            await PlainTextResponse(complaint, 403)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, name: str, server: Sequence[Any] | None) -> bool:
        if name in self._names or name == "localhost" or name.endswith(".localhost"):
            return True
        own = server[0] if server else None
        return name == own or (isinstance(own, str) and own.removeprefix("::ffff:") == name) or _is_loopback(name)


def _host_name(host: str) -> str:
    """The name in a Host header, without its port; an IPv6 address without brackets."""
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host
    name = name.partition(":")[0] if name.count(":") == 1 else name
    return name.lower().rstrip(".")


def _is_loopback(name: str) -> bool:
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


async def serve(app: Starlette, host: str, port: int, task_status: "Started", hosts: Collection[str] = ()) -> None:
    """Serve `app` in a thread until cancelled, and say its base URL when connections are taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # In a thread uvicorn leaves the signals alone; its log would call every broken connection an error.
    guarded = _Guarded(_Droppable(app), {host, *hosts})
    server = uvicorn.Server(uvicorn.Config(guarded, lifespan="off", log_level="critical", access_log=False))
    with socket.create_server((host, port), family=family) as listener:
        # asyncio sets this only for sockets it makes itself: without it an answer in two pieces takes 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bound: int = listener.getsockname()[1]
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_run_in_thread, partial(server.run, sockets=[listener]), tasks.cancel_scope)
            task_status.started(f"http://{f'[{host}]' if ':' in host else host}:{bound}")
            try:
                await anyio.sleep_forever()
            finally:
                server.should_exit = server.force_exit = True


async def _run_in_thread(run: partial[None], scope: anyio.CancelScope) -> None:
    await anyio.to_thread.run_sync(run)
    scope.cancel()
