"""The benchmark suite works, and nobody wins in it by not working. What it measures is no business of a test."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
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


KINDS_OF_WORK = {
    "framed": {"cpu", "wall"},
    "paced-tls": {"cpu", "wall"},
    "split": {"cpu", "wall"},
    "parse": {"cpu", "wall"},
    "retrieve": {"cpu", "wall"},
    "create": {"cpu", "wall"},
    "streams-10": {"cpu", "wall", "p99", "peak"},
    "polls-10": {"cpu", "wall", "p99", "peak"},
    "latency": {"median", "p99", "cpu"},
    "idle-tls": {"grown"},
    "start": {"total", "import", "construct", "enter", "first", "first_wall"},
    "limiter-1000": {"cpu", "held", "left"},
    "batch-16": {"cpu"},
}
OF_MEMORY = {"idle-tls", "limiter-1000"}


@pytest.mark.skipif(sys.platform != "linux", reason="some of it looks at the memory of a process in /proc")
def test_a_tiny_run_measures_every_kind_of_work_and_writes_the_documented_keys(tmp_path: Path) -> None:
    peers = ["coze_async", "aiohttp by hand", "floor"]
    chosen = [argument for name in peers for argument in ("--peer", name)]
    chosen += [argument for name in KINDS_OF_WORK for argument in ("--scenario", name)]
    results, table = tiny(tmp_path, *chosen)

    assert results.keys() == {
        "schema", "date", "mode", "complete", "rounds", "machine", "missing_peers", "scenarios",
    }  # fmt: skip
    assert results["machine"].keys() == {"python", "implementation", "system", "cpu", "cores", "versions"}
    assert results["machine"]["versions"].keys() >= {"coze_async", "httpx", "pydantic"}
    assert (results["schema"], results["mode"], results["rounds"]) == (2, "quick", 1)
    assert (results["complete"], results["missing_peers"]) == (True, {})
    assert list(results["scenarios"]) == list(KINDS_OF_WORK)
    for name, scenario in results["scenarios"].items():
        assert scenario.keys() == {
            "about", "kind", "tls", "at_once", "operation", "operations_per_round", "measures", "peers", "left_out",
            "ratios", "server_cpu",
        }  # fmt: skip
        assert scenario["tls"] == name.endswith("-tls")
        assert scenario["peers"].keys() | scenario["left_out"].keys() == set(peers)
        for peer in scenario["peers"].values():
            assert peer.keys() == scenario["measures"].keys() == KINDS_OF_WORK[name]
            for figure in peer.values():
                assert figure["rounds"] == [figure["median"]] == [figure["min"]] == [figure["max"]]
            assert name in {*OF_MEMORY, "batch-16"} or all(figure["median"] > 0 for figure in peer.values())
        assert f"| {name} " in table
    assert results["scenarios"]["framed"]["operations_per_round"] == 2 * (EVENTS + OTHER_EVENTS)
    assert results["scenarios"]["retrieve"]["operations_per_round"] == 2
    assert results["scenarios"]["streams-10"]["operations_per_round"] == 20
    assert list(results["scenarios"]["framed"]["ratios"]["cpu"]) == [
        "coze_async / aiohttp by hand",
        "coze_async / floor",
    ]
    assert "aiohttp by hand has no part in parse: " in table
    assert "limiter-1000: " in table


@pytest.mark.parametrize("peer", ["cozepy", "httpx by hand"])
def test_the_slow_peers_bring_what_was_sent_too(peer: str, tmp_path: Path) -> None:
    names = ("framed-tls", "parse", "retrieve", "create", "streams-10", "polls-10", "start")
    chosen = [argument for name in names for argument in ("--scenario", name)]
    results, _ = tiny(tmp_path, "--peer", peer, *chosen)

    assert all(scenario["peers"].keys() == {peer} for scenario in results["scenarios"].values())


def test_a_short_run_leaves_out_who_is_slow_at_a_thousand() -> None:
    from benchmarks import scenarios, suite

    quick = suite._left_out(scenarios.QUICK["streams-1000"], ["coze_async", "cozepy"])  # pyright: ignore[reportPrivateUsage]
    assert quick == {"cozepy": "slow at so many, so only in a full run"}
    assert not suite._left_out(scenarios.FULL["streams-1000"], ["coze_async", "cozepy"])  # pyright: ignore[reportPrivateUsage]
    assert scenarios.QUICK.keys() <= scenarios.FULL.keys()


def test_a_peer_that_is_not_installed_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import peers

    monkeypatch.setitem(peers.PEERS, "cozepy", peers.Entry("official", "a_module_that_nobody_has"))

    assert peers.missing_peers(["coze_async", "cozepy", "floor"]) == {"cozepy": "a_module_that_nobody_has"}


def test_nothing_is_measured_for_nobody(tmp_path: Path) -> None:
    refused = bench("--peer", "somebody", "--out", str(tmp_path / "result.json"))

    assert refused.returncode == 2
    assert "somebody" in refused.stderr
    assert not list(tmp_path.iterdir())


def tell_nobody(what: str, number: int, most: int) -> None:
    pass


class Lazy:
    """A peer that loses the last delta, and looks once too little."""

    name = "lazy"

    def __init__(self, base_url: str, memory: object = None) -> None:
        self.base_url = base_url

    async def stream(self, take: Callable[[str], object]) -> None:
        from benchmarks.wire import pieces

        for text in pieces(EVENTS)[:-1]:
            # Where the texts have to be stamps, they are: each later than the one before it.
            take(str(time.monotonic_ns()) if "stamped" in self.base_url else text)

    async def retrieve(self) -> tuple[str, str]:
        return "7440000000000000001", "in_progress"

    async def create(self) -> tuple[str, str]:
        return "7440000000000000001", "completed"

    async def poll(self) -> str:
        return "half of an ans"


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("stream", "4 deltas"),
        ("streams", "4 deltas"),
        ("retrieve", "in_progress"),
        ("create", "completed"),
        ("polls", "half of an ans"),
        ("active", "4 deltas"),
        ("latency", "4 deltas of 5"),
    ],
)
def test_a_peer_that_does_not_bring_what_was_sent_is_refused(kind: str, said: str) -> None:
    from benchmarks.worker import Worker

    worker = Worker(Lazy)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - the shape of a peer
    with pytest.raises(AssertionError, match=f"lazy did not bring what the server sent: .*{said}"):
        asyncio.run(worker.measure(kind, f"http://{kind}.test/stamped", EVENTS, 3, 1))


def test_a_failing_peer_ends_the_run_with_its_name_and_reason() -> None:
    from benchmarks.scenarios import Scenario
    from benchmarks.suite import BenchmarkError, run

    # No server has a stream of this shape: the peer gets a 404.
    square = Scenario("square", "streams", "", "square/5", EVENTS, at_once=2)
    with pytest.raises(BenchmarkError, match="square: coze_async: NotFoundError"):
        list(run([square], ["coze_async"], 1, tell_nobody))


def test_a_start_is_measured_with_bytecode_that_is_there_already(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import suite
    from benchmarks.scenarios import QUICK

    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    written: list[int] = []
    begin = suite.child

    @contextmanager
    def watched(name: str, module: str, *arguments: str, environment: Mapping[str, str]) -> Generator[suite.Child]:
        with begin(name, module, *arguments, environment=environment) as process:
            yield process
        if module == "benchmarks.startup":
            written.append(len([*Path(environment["PYTHONPYCACHEPREFIX"]).rglob("models/_chat.*.pyc")]))

    def child(name: str, module: str, *arguments: str, **more: Any) -> AbstractContextManager[suite.Child]:
        return watched(name, module, *arguments, **more) if "environment" in more else begin(name, module, *arguments)

    monkeypatch.setattr(suite, "child", child)
    (outcome,) = suite.run([QUICK["start"]], ["floor"], 2, tell_nobody)

    # One more than are told of, and that one has compiled.
    assert (len(outcome.figures["floor"]["total"]), written) == (2, [1, 1, 1])


def test_ratios_are_formed_round_by_round() -> None:
    from benchmarks.scenarios import QUICK
    from benchmarks.suite import Figure, Outcome

    cpu: dict[str, Sequence[float]] = {"cozepy": [30.0, 60.0, 10.0], "coze_async": [10.0, 20.0, 5.0]}
    outcome = Outcome(QUICK["framed"], {name: {"cpu": values} for name, values in cpu.items()}, {})

    assert outcome.ratio("cpu", "cozepy", "coze_async") == Figure(median=3.0, least=2.0, most=3.0)
    assert outcome.ratio("cpu", "cozepy", "floor") is None


def test_a_percentile_is_a_value_that_was_seen() -> None:
    from benchmarks.worker import percentile

    assert [percentile([4.0, 1.0, 3.0, 2.0], percent) for percent in (1, 50, 51, 99)] == [1.0, 2.0, 3.0, 4.0]
    assert percentile([float(number) for number in range(1, 201)], 99) == 198.0


@pytest.mark.parametrize("shape", ["framed", "packed", "large", "paced", "split"])
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
    assert len(sizes) - 1 == {"packed": -(-len(text) // 16384), "large": -(-len(text) // 65536)}.get(
        shape, 200 + OTHER_EVENTS
    )


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


def guard(*arguments: str, code: str = "") -> "subprocess.CompletedProcess[str]":
    # A program of its own: it takes the place of the one that measures coverage.
    program = (
        f"import sys; sys.argv[1:] = {list(arguments)}\n{code}\nfrom benchmarks.guard import main; sys.exit(main())"
    )
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env={**os.environ, "PYTHONHASHSEED": "0", "PYTHONIOENCODING": "utf-8"},
    )


def test_the_guard_counts_the_same_again_and_refuses_a_loop_for_each_event(tmp_path: Path) -> None:
    budget = tmp_path / "budget.json"
    first = guard("--budget", str(budget), "--update")
    assert first.returncode == 0, first.stderr
    (noted,) = json.loads(budget.read_text(encoding="utf-8")).values()
    again = guard("--budget", str(budget), "--update")
    assert again.returncode == 0, again.stderr
    (counted,) = json.loads(budget.read_text(encoding="utf-8")).values()
    assert counted == {what: pytest.approx(steps, rel=0.01) for what, steps in noted.items()}

    loop = """
import benchmarks.peers.ours as ours
stream = ours.PEER.stream
async def slow(self, take):
    def wasteful(text):
        for _ in range(20):
            pass
        take(text)
    await stream(self, wasteful)
ours.PEER.stream = slow
"""
    wasteful = guard("--budget", str(budget), code=loop)
    assert wasteful.returncode == 1, wasteful.stderr
    assert "event, 16 KiB in a piece: " in wasteful.stdout
    assert "TOO MUCH" in wasteful.stdout
    assert "--update raises the budget" in wasteful.stdout


def test_the_guard_refuses_nothing_where_it_has_no_budget(tmp_path: Path) -> None:
    unknown = guard("--budget", str(tmp_path / "none.json"))

    assert unknown.returncode == 0, unknown.stderr
    assert "There is no budget for Python 3." in unknown.stdout
    assert not list(tmp_path.iterdir())


def test_a_verdict_names_what_costs_more_and_what_costs_less() -> None:
    from benchmarks.guard import verdict

    budget = {"event": {"steps": 100.0}}
    assert verdict({"event": {"steps": 110.0}}, budget) == (["event: 110 steps of 100"], True)
    lines, within = verdict({"event": {"steps": 112.0}}, budget)
    assert (lines, within) == (["event: 112 steps, 12% over the budget of 100: TOO MUCH"], False)
    lines, within = verdict({"event": {"steps": 90.0}}, budget)
    assert within
    assert "scripts/guard --update" in lines[0]
    assert verdict({"call": {"steps": 1.0}}, budget) == (["call: 1 steps, for which there is no budget"], True)


def test_the_budget_in_the_repository_is_of_what_the_guard_counts() -> None:
    from benchmarks.guard import BUDGET

    for version, budget in json.loads(BUDGET.read_text(encoding="utf-8")).items():
        assert version.startswith("3.")
        assert budget.keys() == {
            "event, each in a piece of its own",
            "event, 16 KiB in a piece",
            "event, each a read of a socket",
            "stream of 8 events, one read of a socket",
            "call",
            "call over a socket",
        }


def test_pictures_and_pages_are_made_of_the_json_alone(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = tmp_path / "result.json"
    names = ("framed", "retrieve", "create", "streams-1", "streams-10")
    chosen = [argument for name in names for argument in ("--scenario", name)]
    measured = bench("--rounds", "1", "--events", "5", "--repeat", "1", "--peer", "coze_async", "--peer", "floor",
                     "--out", str(out), *chosen)  # fmt: skip
    assert measured.returncode == 0, measured.stderr
    from benchmarks.plot import BEGIN, END, publish

    front = tmp_path / "README.md"
    front.write_text(f"before\n{BEGIN}\nold figures\n{END}\nafter\n", encoding="utf-8")
    results = json.loads(out.read_text(encoding="utf-8"))
    for _ in range(2):
        written = publish(results, tmp_path)

        assert {path.name for path in written} == {
            "streams.svg", "fan-out.svg", "calls.svg", "results.json", "README.md",
        }  # fmt: skip
        text = front.read_text(encoding="utf-8")
        assert text.startswith(f"before\n{BEGIN}\n")
        assert text.endswith(f"{END}\nafter\n")
        assert "old figures" not in text
        assert "(docs/benchmarks/fan-out.svg)" in text
    page = (tmp_path / "docs" / "benchmarks" / "README.md").read_text(encoding="utf-8")
    assert "![CPU per call](calls.svg)" in page
    assert "| framed " in page
    front.write_text("no place", encoding="utf-8")
    with pytest.raises(ValueError, match=r"README\.md has no place for figures"):
        publish(results, tmp_path)


def test_a_file_that_cannot_be_drawn_is_refused(tmp_path: Path) -> None:
    old = tmp_path / "old.json"
    old.write_text('{"schema": 1}', encoding="utf-8")

    for file, said in ((old, "schema 1"), (tmp_path / "none.json", "No such file")):
        refused = bench("--plot", str(file))
        assert refused.returncode == 1
        assert said in refused.stderr
