"""What the tests of the command share."""

import signal
from collections.abc import Generator
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal

from coze_async.cli import _connect
from coze_async.emulator import Emulator


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings and no login of the machine reach a test."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in (
        "COZE_API_TOKEN",
        "COZE_API_BASE",
        "COZE_BOT_ID",
        "COZE_USER_ID",
        "COZE_BROKER",
        "COZE_QUEUE",
        "COZE_PREFIX",
        "FORCE_COLOR",
        "TTY_COMPATIBLE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")


@pytest.fixture(autouse=True)
def ctrl_c() -> Generator[None]:
    """Ctrl-C reaches a test and its children, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Emulator:
    """The emulator that the commands find built in."""
    built_in = Emulator()

    def made(pace: float) -> Emulator:
        return built_in

    monkeypatch.setattr(_connect, "Emulator", made)
    return built_in


@pytest.fixture
def server(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Generator[str]:
    """The base URL of the same emulator on a port, which the environment names with a token."""
    with start_blocking_portal() as portal:
        serving, url = portal.start_task(emulator.serve)
        monkeypatch.setenv("COZE_API_BASE", url)
        monkeypatch.setenv("COZE_API_TOKEN", "pat_of_a_test")
        yield url
        serving.cancel()
