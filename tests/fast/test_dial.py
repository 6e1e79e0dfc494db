"""Connecting: the address that answers first wins, and no socket is left of the others."""

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from coze_async._wire._fast import _dial

V6, V4 = socket.AF_INET6, socket.AF_INET


class Sockets:
    """Stands in for the sockets: each address answers after so many seconds, or fails (below 0)."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: float) -> None:
        self.answers = answers
        self.tried: list[tuple[str, float]] = []
        self.open: set[str] = set()
        self.opened: Callable[[], object] = lambda: None
        monkeypatch.setattr(_dial, "_connected", self.connected)
        monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", self.resolved)

    async def resolved(self, host: str, port: int, **_options: Any) -> list[Any]:
        return [(V4 if name.startswith("v4") else V6, 0, 0, "", (name, port)) for name in self.answers]

    async def connected(self, _loop: object, address: tuple[int, tuple[str, int]]) -> Any:
        name = address[1][0]
        self.tried.append((name, round(anyio.current_time() - self.began, 2)))
        await anyio.sleep(abs(self.answers[name]))
        if self.answers[name] < 0:
            raise OSError(f"{name} refused")
        self.open.add(name)
        self.opened()
        sockets = self

        class Open:
            def close(self) -> None:
                sockets.open.discard(name)

        return Open()

    async def dial(self) -> Any:
        self.began = anyio.current_time()
        return await _dial.connected_socket(asyncio.get_running_loop(), "a.example", 80)


async def test_the_families_take_turns_and_each_address_has_a_head_start(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch, v6_1=60.0, v6_2=60.0, v4_1=60.0, v4_2=0.1)
    await sockets.dial()
    assert sockets.tried == [("v6_1", 0.0), ("v4_1", 0.25), ("v6_2", 0.5), ("v4_2", 0.75)]
    assert sockets.open == {"v4_2"}


async def test_the_next_address_does_not_wait_for_one_that_has_failed(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch, v6_1=-0.01, v4_1=0.01)
    await sockets.dial()
    assert sockets.tried == [("v6_1", 0.0), ("v4_1", 0.01)]


async def test_of_two_that_answer_in_the_same_moment_one_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch, v6_1=0.5, v4_1=0.25)
    await sockets.dial()
    assert len(sockets.open) == 1


async def test_where_no_address_answers_the_error_names_every_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch, v6_1=-0.01, v4_1=-0.01)
    with pytest.raises(OSError, match="v6_1 refused; v4_1 refused"):
        await sockets.dial()


@pytest.mark.parametrize("moment", [0.1, 0.25, 0.5, 0.51])
async def test_who_gives_up_leaves_no_socket(monkeypatch: pytest.MonkeyPatch, moment: float) -> None:
    sockets = Sockets(monkeypatch, v6_1=0.5, v4_1=0.26)
    held: list[Any] = []
    with anyio.move_on_after(moment):
        held.append(await sockets.dial())
    assert len(sockets.open) == len(held)


async def test_who_gives_up_in_the_moment_of_success_leaves_no_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    sockets = Sockets(monkeypatch, v6_1=0.1, v4_1=0.1)
    with anyio.CancelScope() as scope:
        sockets.opened = scope.cancel
        await sockets.dial()
    assert scope.cancelled_caught
    assert sockets.open == set()


async def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    async def refused(*_arguments: object, **_options: object) -> Any:
        raise AssertionError

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", refused)
    connected = await _dial.connected_socket(asyncio.get_running_loop(), "127.0.0.1", listener.getsockname()[1])
    assert connected.getpeername() == listener.getsockname()
    connected.close()
    listener.close()
