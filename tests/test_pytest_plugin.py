"""The fixtures for tests of users: what they give, what they cost, and under which plug-ins they work."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

import anyio
import pytest

from coze_async import AsyncCoze, Polling, RateLimitError, Retry
from coze_async.emulator import Emulator, Refuse, Script

# As pytest finds them where the package is installed.
from coze_async.pytest_plugin import coze, coze_dialect, coze_emulator

__all__ = ["coze", "coze_dialect", "coze_emulator"]

ROOT = Path(__file__).parents[1]
closed: list[AsyncCoze] = []


async def test_the_client_talks_to_the_emulator_of_its_test(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    coze_emulator.bot("b-1", "Sunny.")
    assert (await coze.chat.ask("Hi", bot_id="b-1", user_id="u-1")).text == "Sunny."
    assert coze_emulator.dialect == "cloud"
    assert len(coze_emulator.requests) == 1


async def test_the_next_test_has_another_emulator(coze_emulator: Emulator) -> None:
    assert coze_emulator.requests == []


async def test_nothing_is_waited_for(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    coze_emulator.bot("b-1", Script("Sunny.", seconds=0.0))
    coze_emulator.fail(Refuse(429, 4013), times=2)
    began = anyio.current_time()
    for number in range(100):
        assert (await coze.chat.ask("Hi", bot_id="b-1", user_id="u-1")).text == "Sunny.", number
    await coze.chat.create_and_poll("Hi", bot_id="b-1", user_id="u-1", polling=Polling(interval=0.01))
    assert anyio.current_time() - began == pytest.approx(0.01)
    # A server that asks to be left alone is not waited for either.
    coze_emulator.fail(Refuse(429, 4013, retry_after="30"))
    with pytest.raises(RateLimitError):
        await coze.users.me()
    assert anyio.current_time() - began == pytest.approx(0.01)


async def test_a_test_may_have_its_own_options(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    coze_emulator.fail(Refuse(429, 4013), times=None)
    with pytest.raises(RateLimitError):
        await coze.with_options(retry=Retry.none()).users.me()
    assert len(coze_emulator.requests) == 1


@pytest.mark.parametrize("coze_dialect", ["cloud", "studio", "plus"])
def test_a_test_can_run_against_every_dialect(coze_emulator: Emulator, coze_dialect: str) -> None:
    assert coze_emulator.dialect == coze_dialect


@pytest.fixture
def watched(request: pytest.FixtureRequest) -> AsyncCoze:
    """The client, when the fixture itself is over."""
    client: AsyncCoze = request.getfixturevalue("coze")
    closed.append(client)
    return client


def test_a_client_is_handed_to_the_next_test(watched: AsyncCoze) -> None:
    async def ask() -> None:
        await watched.users.me()

    # Without any plug-in: the test runs its own event loop.
    anyio.run(ask)


async def test_and_has_been_closed_by_then() -> None:
    [client] = closed
    with pytest.raises(RuntimeError, match="This AsyncCoze is closed"):
        await client.users.me()


def pytest_run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run pytest as a process of its own, with our plug-in, that of anyio, and nothing else."""
    return subprocess.run(
        [
            sys.executable, "-m", "pytest", "-p", "anyio", "-p", "coze_async.pytest_plugin", "-p", "no:cacheprovider",
            "-c", os.devnull, "--rootdir", str(folder), "-W", "error", "-q", *arguments,
        ],
        cwd=folder, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, encoding="utf-8", timeout=60, check=False,
    )  # fmt: skip


def test_the_worked_example_passes() -> None:
    ended = pytest_run("examples/test_my_bot.py")
    assert ended.returncode == 0, ended.stdout
    assert "8 passed" in ended.stdout


def test_a_test_runs_on_both_backends_and_without_a_plug_in(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import asyncio, pytest\n"
        "@pytest.mark.anyio\n"
        "async def test_async(coze):\n"
        "    async for text in coze.chat.stream('Hi', bot_id='b', user_id='u').text():\n"
        "        break\n"
        "def test_plain(coze):\n"
        "    asyncio.run(coze.users.me())\n",
        encoding="utf-8",
    )
    ended = pytest_run("test_mine.py", folder=tmp_path)
    assert ended.returncode == 0, ended.stdout
    # asyncio, trio, and the plain one.
    assert "3 passed" in ended.stdout


def test_a_run_that_does_not_use_it_does_not_pay_for_it(tmp_path: Path) -> None:
    (tmp_path / "test_mine.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    ours = {name for name in sys.modules if name.startswith('coze_async')}\n"
        "    assert ours == {'coze_async', 'coze_async._version', 'coze_async.pytest_plugin'}\n"
        "    assert not {'httpx', 'pydantic'} & set(sys.modules)\n",
        encoding="utf-8",
    )
    ended = pytest_run("test_mine.py", folder=tmp_path)
    assert ended.returncode == 0, ended.stdout


def test_pytest_is_told_where_the_fixtures_are() -> None:
    facts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert facts["project"]["entry-points"]["pytest11"] == {"coze_async": "coze_async.pytest_plugin"}
