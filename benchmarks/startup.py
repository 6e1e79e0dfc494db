"""`python -m benchmarks.startup PEER URL`: what it costs a new process to get to the first text of a stream.

Prints the seconds as a line of JSON. Before the first import of the peer nothing is loaded but the library of Python.
"""

import itertools
import json
import sys
import time
import warnings

from benchmarks.wire import pieces

__all__ = ["main"]

DELTAS = 50
"""How many deltas the stream has."""


def main() -> None:
    """Measure the peer that the command line names."""
    _, name, base_url = sys.argv
    marks = [time.process_time()]

    import asyncio

    from benchmarks.peers import load

    with warnings.catch_warnings(record=True):
        peer = load(name)
    marks.append(time.process_time())

    async def begin() -> tuple[float, list[str]]:
        client = peer(base_url)
        marks.append(time.process_time())
        await client.enter()
        marks.append(time.process_time())
        begun, first = time.perf_counter(), 0.0
        texts: list[str] = []

        def take(text: str) -> None:
            nonlocal first
            if not texts:
                first = time.perf_counter() - begun
                marks.append(time.process_time())
            texts.append(text)

        await client.stream(take)
        await client.aclose()
        return first, texts

    wall, texts = asyncio.run(begin())
    if texts != pieces(DELTAS):
        print(json.dumps({"error": f"{name} did not bring what the server sent: {len(texts)} deltas"}), flush=True)
        return
    spent = (after - before for before, after in itertools.pairwise(marks))
    costs = dict(zip(("import", "construct", "enter", "first"), spent, strict=True))
    print(json.dumps({**costs, "total": marks[-1] - marks[0], "first_wall": wall}), flush=True)


if __name__ == "__main__":
    main()
