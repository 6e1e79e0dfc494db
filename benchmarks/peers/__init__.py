"""Who is measured: every peer streams, looks up, starts and polls chats, its own usual way.

A peer gives the text of every delta away and returns the facts of a chat, so that nobody wins by leaving work out;
the worker compares them with what was sent. Each stands in a module of its own, so that nobody pays for what another
one imports.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from importlib.util import find_spec

from benchmarks.peers.base import Peer

__all__ = ["PEERS", "Entry", "Peer", "load", "missing_peers"]


@dataclass(frozen=True)
class Entry:
    """Where a peer is to be found.

    Attributes:
        module: In this package.
        needs: What must be importable.
        cannot: Kinds of scenarios that it has nothing for, with the reason.
    """

    module: str
    needs: str
    cannot: Mapping[str, str] = field(default_factory=dict[str, str])


PEERS: dict[str, Entry] = {
    "coze_async": Entry("ours", "coze_async"),
    "cozepy": Entry("official", "cozepy"),
    "httpx by hand": Entry("httpx_by_hand", "httpx_sse"),
    "aiohttp by hand": Entry(
        "aiohttp_by_hand", "aiohttp", {"parse": "its transport cannot be replaced by one in memory"}
    ),
    "floor": Entry("floor", "coze_async.models"),
}
"""By name, in the order in which they take their turns."""


def load(name: str) -> type[Peer]:
    """Import a peer."""
    peer: type[Peer] = import_module(f"benchmarks.peers.{PEERS[name].module}").PEER
    return peer


def missing_peers(names: Sequence[str]) -> dict[str, str]:
    """Return the peers that cannot be measured here, with the module that each of them lacks."""
    return {name: PEERS[name].needs for name in names if find_spec(PEERS[name].needs) is None}
