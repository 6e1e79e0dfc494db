"""Runs a program that calls every method of an official SDK against the emulator on a port, and keeps what it says."""

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


class Disagreement(NamedTuple):
    """A call that fails because the SDK wants something else than the documented service gives."""

    failure: str
    """What the call says when it fails; failing otherwise, or not at all, is news."""
    reason: str


@dataclass(frozen=True)
class Peer:
    """An official SDK, and the program that calls it."""

    name: str
    version: str
    program: str
    disagreements: dict[str, Disagreement]
    left_out: dict[str, str] = field(default_factory=dict[str, str])
    """Methods that are not called, and why."""

    @property
    def calls(self) -> list[str]:
        """The names of the calls that the program makes, in their order."""
        return re.findall(r"^@?call\([\"'](.+?)[\"']", (HERE / self.program).read_text("utf-8"), re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """What a program said."""

    version: str
    methods: frozenset[str]
    errors: dict[str, str | None]


@contextmanager
def server() -> Generator[str]:
    """The emulator in a process of its own, by its URL."""
    command = [sys.executable, str(HERE / "server.py")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=_environment(PYTHONPATH=str(ROOT))
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            try:
                assert process.wait(30) == 0
            finally:
                process.kill()


def run(command: Sequence[str], **environment: str) -> Outcome:
    """Run a program until it ends; the URL of the emulator is its last argument."""
    with server() as url:
        # The limit is for a program that hangs: each takes seconds.
        ended = subprocess.run(
            [*command, url], env=_environment(**environment), capture_output=True, encoding="utf-8", timeout=300,
            check=False,
        )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    first, *calls = map(json.loads, ended.stdout.splitlines())
    return Outcome(first["version"], frozenset(first["methods"]), {one["call"]: one["error"] for one in calls})


def _environment(**more: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith("COZE_")}
    # Nothing between the program and the port.
    proxies = {"NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}
    return {**kept, **proxies, "PYTHONIOENCODING": "utf-8", **more}


def missing(what: str, how: str) -> None:
    """Skip the tests that need `what`; in CI, where it has to be there, they fail."""
    told = f"{what} is not here. {how}"
    if os.environ.get("CI"):
        pytest.fail(told)
    pytest.skip(told)


def need_modules(*names: str) -> None:
    """See that modules are here, without importing them: what the SDK imports must not show in other tests."""
    for name in names:
        if importlib.util.find_spec(name) is None:
            missing(
                f"The package {name!r}", "`scripts/test` installs it; so does `pip install cozepy starlette uvicorn`."
            )


def judge(peer: Peer, outcome: Outcome, call: str) -> None:
    """See that a call went well, or that it failed in the one way that is known."""
    error = outcome.errors[call]
    known = peer.disagreements.get(call)
    if known is None:
        assert error is None, f"{call}: {error}"
        return
    assert error is not None, f"{call} is fine now: take it out of the disagreements of {peer.name}."
    assert known.failure in error, f"{call} fails, but not as it did ({known.reason}): {error}"


def judge_completeness(peer: Peer, outcome: Outcome) -> None:
    """See that the program knows every method of the SDK, and that no entry speaks of something that is not there."""
    assert outcome.version == peer.version
    assert outcome.methods - set(peer.calls) == set(peer.left_out)
    assert list(outcome.errors) == peer.calls
    assert set(peer.disagreements) <= set(peer.calls)
