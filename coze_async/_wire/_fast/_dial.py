"""A name and a port -> a connected socket, over the address that answers first."""

import asyncio
import ipaddress
import itertools
import socket

import anyio

__all__ = ["connected_socket"]

# As RFC 8305 proposes, in seconds: so long an address has before the next one is tried beside it.
_HEAD_START = 0.25

_Address = tuple[int, tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]]


async def connected_socket(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Connect to a server.

    asyncio does the same in `create_connection(happy_eyeballs_delay=…)`, but loses a socket when it is cancelled in the
    wrong moment (seen on CPython 3.11), and uvloop knows no such option.

    Raises:
        OSError: no address of the server can be reached, or the name has none.
    """
    addresses = await _addresses(loop, host, port)
    if len(addresses) == 1:
        return await _connected(loop, addresses[0])
    winners: list[socket.socket] = []
    errors: list[OSError] = []

    async def attempt(address: _Address, failed: anyio.Event) -> None:
        try:
            winners.append(await _connected(loop, address))
        except OSError as error:
            errors.append(error)
            failed.set()
        else:
            tasks.cancel_scope.cancel()

    try:
        async with anyio.create_task_group() as tasks:
            for address in addresses:
                failed = anyio.Event()
                tasks.start_soon(attempt, address, failed)
                with anyio.move_on_after(_HEAD_START):
                    await failed.wait()
    except BaseException:
        for winner in winners:
            winner.close()
        raise
    if not winners:
        raise OSError("; ".join(dict.fromkeys(map(str, errors))))
    for late in winners[1:]:
        late.close()
    return winners[0]


async def _connected(loop: asyncio.AbstractEventLoop, address: _Address) -> socket.socket:
    family, place = address
    connecting = socket.socket(family, socket.SOCK_STREAM)
    try:
        connecting.setblocking(False)
        await loop.sock_connect(connecting, place)
    except BaseException:
        connecting.close()
        raise
    return connecting


async def _addresses(loop: asyncio.AbstractEventLoop, host: str, port: int) -> list[_Address]:
    """Return the addresses of a server in the order in which they are tried: the families take turns."""
    try:
        version = ipaddress.ip_address(host).version
    except ValueError:
        pass
    else:
        # No thread is needed for what is an address already.
        return [(socket.AF_INET if version == 4 else socket.AF_INET6, (host, port))]
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    by_family: dict[int, list[_Address]] = {}
    for family, _, _, _, place in found:
        by_family.setdefault(family, []).append((family, place))
    return [address for turn in itertools.zip_longest(*by_family.values()) for address in turn if address is not None]
