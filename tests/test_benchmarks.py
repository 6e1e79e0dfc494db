"""The benchmark suite works, and nobody wins in it by not working. What it measures is no business of a test."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent
EVENTS = 5
# Two chats, two states of the chat, and an end; see `stream_parts`.
OTHER_EVENTS = 6


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:  # pyright: ignore[reportUnusedFunction] - a fixture
    monkeypatch.syspath_prepend(str(ROOT))  # pyright: ignore[reportUnknownMemberType] - pytest leaves it untyped


def bench(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "benchmarks", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
    )


def tiny(tmp_path: Path, *arguments: str) -> tuple[dict[str, Any], str]:
    out = tmp_path / "new" / "result.json"
    finished = bench("--rounds", "1", "--events", str(EVENTS), "--repeat", "2", "--out", str(out), *arguments)
    assert finished.returncode == 0, finished.stderr
    return json.loads(out.read_text(encoding="utf-8")), finished.stdout


def test_a_tiny_run_measures_every_scenario_and_writes_the_documented_keys(tmp_path: Path) -> None:
    peers = ["coze_async", "httpx by hand", "floor"]
    results, table = tiny(tmp_path, *(argument for name in peers for argument in ("--peer", name)))

    assert results.keys() == {"schema", "date", "mode", "rounds", "machine", "missing_peers", "scenarios"}
    assert results["machine"].keys() == {"python", "implementation", "system", "cpu", "cores", "versions"}
    assert results["machine"]["versions"].keys() >= {"coze_async", "httpx", "pydantic"}
    assert (results["schema"], results["mode"], results["rounds"], results["missing_peers"]) == (1, "quick", 1, {})
    assert list(results["scenarios"]) == ["framed", "packed", "paced", "call", "parse"]
    for name, scenario in results["scenarios"].items():
        assert scenario.keys() == {"about", "unit", "operations_per_round", "peers", "ratios"}
        assert scenario["unit"] == ("µs/call" if name == "call" else "µs/event")
        assert scenario["operations_per_round"] == (2 if name == "call" else 2 * (EVENTS + OTHER_EVENTS))
        assert list(scenario["peers"]) == peers
        for peer in scenario["peers"].values():
            assert peer["cpu"].keys() == {"median", "min", "max", "rounds"}
            assert peer["wall"].keys() == {"median", "min", "max"}
            assert peer["cpu"]["median"] == peer["cpu"]["rounds"][0] > 0
        assert list(scenario["ratios"]) == ["httpx by hand / coze_async", "coze_async / floor"]
        assert f"| {name} " in table


def test_a_peer_that_is_not_installed_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import peers, suite

    monkeypatch.setattr(peers.Official, "module", "a_module_that_nobody_has")

    assert suite.missing_peers(["coze_async", "cozepy", "floor"]) == {"cozepy": "a_module_that_nobody_has"}


def test_nothing_is_measured_for_nobody(tmp_path: Path) -> None:
    refused = bench("--peer", "somebody", "--out", str(tmp_path / "result.json"))

    assert refused.returncode == 2
    assert "somebody" in refused.stderr
    assert not list(tmp_path.iterdir())


def tell_nobody(what: str, number: int, most: int) -> None:
    pass


class Lazy:
    """A peer that loses its last delta."""

    name = "lazy"

    def __init__(self, base_url: str, memory: object) -> None:
        self.closed = False

    async def stream(self) -> list[str]:
        from benchmarks.wire import pieces

        return pieces(EVENTS)[:-1]

    async def call(self) -> tuple[str, str]:
        return "7440000000000000001", "in_progress"

    async def aclose(self) -> None:
        self.closed = True


@pytest.mark.parametrize(("scenario", "said"), [("framed", "4 deltas"), ("call", "in_progress")])
def test_a_peer_that_does_not_bring_what_was_sent_is_refused(scenario: str, said: str) -> None:
    from benchmarks.worker import Worker

    worker = Worker(Lazy)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the shape of a peer
    with pytest.raises(AssertionError, match=f"lazy did not bring what the server sent: .*{said}"):
        asyncio.run(worker.measure(scenario, "http://nowhere.test", EVENTS, 1))


def test_a_failing_peer_ends_the_run_with_its_name_and_reason() -> None:
    from benchmarks.suite import BenchmarkError, Scenario, run

    # No server has a stream of this shape: the peer gets a 404.
    with pytest.raises(BenchmarkError, match="square: coze_async: NotFoundError"):
        run([Scenario("square", "event", "", EVENTS, 1)], ["coze_async"], 1, tell_nobody)


def test_ratios_are_formed_round_by_round() -> None:
    from benchmarks.suite import QUICK, Figure, Outcome

    cpu: dict[str, Sequence[float]] = {"cozepy": [30.0, 60.0, 10.0], "coze_async": [10.0, 20.0, 5.0]}
    outcome = Outcome(QUICK["framed"], cpu, cpu)

    assert outcome.ratio("cozepy", "coze_async") == Figure(median=3.0, least=2.0, most=3.0)
    assert outcome.ratio("cozepy", "floor") is None


@pytest.mark.parametrize("shape", ["framed", "packed", "paced"])
def test_every_shape_of_a_stream_is_the_same_text_in_http_chunks(shape: str) -> None:
    from benchmarks.wire import stream_body, stream_parts

    body, text = b"".join(stream_body(shape, 200)), b""
    sizes: list[int] = []
    while not sizes or sizes[-1]:
        line, _, body = body.partition(b"\r\n")
        sizes.append(int(line, 16))
        text += body[: sizes[-1]]
        assert body[sizes[-1] :].startswith(b"\r\n")
        body = body[sizes[-1] + 2 :]

    assert text == b"".join(stream_parts(200)) == b"".join(stream_body("parse", 200))
    assert not body
    assert len(sizes) - 1 == (-(-len(text) // 16384) if shape == "packed" else 200 + OTHER_EVENTS)


def test_the_server_answers_requests_that_come_in_pieces_and_ends_with_its_input() -> None:
    from benchmarks.suite import child

    with child("the server", "benchmarks.server") as server:
        url = f"http://127.0.0.1:{int(server.line())}"

        def body() -> Any:
            yield b'{"stream":'
            yield b"true}"

        with httpx.Client(base_url=url, trust_env=False) as client:
            for _ in range(2):
                streamed = client.post("/framed/3/v3/chat", content=body(), headers={"content-length": "15"})
                assert streamed.text.count("event:conversation.message.delta\n") == 3
            assert client.post("/any/v3/chat/retrieve").json()["data"]["status"] == "completed"
            assert client.get("/else").status_code == 404


def test_the_cost_of_starting_is_measured_above_an_empty_python() -> None:
    from benchmarks.startup import PROGRAMS, measure, table

    figures = measure(1)
    assert {"import httpx, pydantic", "import coze_async", "a coze_async client"} <= figures.keys() <= PROGRAMS.keys()
    assert all(len(values) == 1 and values[0] > 0 for values in figures.values())
    assert "| import coze_async |" in table(figures)
