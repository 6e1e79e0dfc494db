"""Logins whose refresh tokens can be used once only: shared by programs, and renewed while everything is cancelled."""

# pyright: reportPrivateUsage=false

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from conftest import VirtualLoop
from emulator.test_server import served
from logins import TOKEN, WallClock, chatting, paths, said, wall_clock

from coze_async import (
    AsyncCoze,
    AuthenticationError,
    CozeError,
    FileTokenStore,
    MemoryTokenStore,
    OAuthAuth,
    OAuthToken,
    StorageError,
    TokenStore,
)
from coze_async.emulator import Emulator, Refuse, Stall

PROGRAM = Path(__file__).with_name("sharing_program.py")


def issued(emulator: Emulator, **options: Any) -> OAuthToken:
    # Outside of an event loop the emulator's clock stands at 1970.
    emulator.oauth.refresh_seconds = 10**10
    return OAuthToken.model_validate(emulator.oauth.issue("app", **options))


def write(path: Path, token: OAuthToken) -> None:
    path.write_text(json.dumps(token.model_dump(mode="json")), encoding="utf-8")
    path.chmod(0o600)


def kept(path: Path) -> OAuthToken:
    return OAuthToken.model_validate_json(path.read_bytes())


def can_renew(emulator: Emulator, path: Path) -> bool:
    """True if the refresh token in a file is one that the server still takes, and not the first."""
    known = emulator.oauth._refresh
    return kept(path).refresh_token in known and kept(path).refresh_token != "czr_emulated000001"


class Slow(httpx.AsyncBaseTransport):
    """Brings the answers of the token endpoint late: the server has made the token by then.

    Args:
        emulator: The server.
        seconds: How late.
    """

    def __init__(self, emulator: Emulator, seconds: float = 2.0) -> None:
        self._inner = emulator.transport()
        self._seconds = seconds

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        if request.url.path.endswith("/token"):
            await anyio.sleep(self._seconds)
        return response


class Unlocked(MemoryTokenStore):
    """A store of one's own, which knows nothing of locks."""

    lock: Any = property(lambda self: (_ for _ in ()).throw(AttributeError()))


@pytest.fixture
def clock() -> Iterator[WallClock]:
    with wall_clock() as virtual:
        yield virtual


# --- several programs -------------------------------------------------------------------------------------------------


def programs(emulator: Emulator, path: Path, count: int, seconds: float) -> list[dict[str, Any]]:
    """Let programs share a login for a while, and return what each of them says."""
    with served(emulator) as url:
        running = [
            subprocess.Popen(
                [
                    sys.executable,
                    str(PROGRAM),
                    json.dumps(
                        {"url": url, "path": str(path), "seconds": seconds, "backend": ["asyncio", "trio"][number % 2]}
                    ),
                ],
                stdout=subprocess.PIPE,
                text=True,
            )
            for number in range(count)
        ]
        return [json.loads(program.communicate(timeout=60)[0]) for program in running]


def test_four_programs_share_a_login_whose_refresh_tokens_can_be_used_once(tmp_path: Path) -> None:
    emulator = Emulator()
    path = tmp_path / "token.json"
    write(path, issued(emulator, seconds=-1))
    # Each token ends within a second or two, so that all of them have to renew again and again.
    emulator.oauth.access_seconds = 2
    said = programs(emulator, path, count=4, seconds=5)
    assert [one["errors"] for one in said] == [[]] * 4
    assert all(one["answered"] > 5 for one in said)
    renewals = [request for request in emulator.requests if request.path.endswith("/token")]
    assert len({request.body["refresh_token"] for request in renewals}) == len(renewals) >= 2
    assert can_renew(emulator, path)


class Program:
    """One client with a login of its own, as another program on the same machine would have it."""

    def __init__(self, emulator: Emulator, store: TokenStore, token: OAuthToken | None = None) -> None:
        self.auth = OAuthAuth("app", token, store=store)
        self.transport = Slow(emulator, 0.3)
        self.url = emulator.url
        self.errors: list[CozeError] = []

    async def run(self, seconds: float) -> None:
        async with AsyncCoze(self.auth, base_url=self.url, transport=self.transport) as coze:
            end = anyio.current_time() + seconds
            while anyio.current_time() < end:
                try:
                    await coze.chat.create("Hi", bot_id="b", user_id="u")
                except CozeError as error:
                    self.errors.append(error)
                await anyio.sleep(20)


@pytest.mark.parametrize("kind", ["one file", "a file each", "memory", "unlocked"])
async def test_clients_that_share_a_store_renew_once_for_all(kind: str, tmp_path: Path, clock: WallClock) -> None:
    emulator = Emulator()
    first = issued(emulator, seconds=-1)
    write(tmp_path / "token.json", first)
    one: TokenStore = {"memory": MemoryTokenStore, "unlocked": Unlocked}.get(kind, MemoryTokenStore)(first)
    if kind == "one file":
        one = FileTokenStore(tmp_path / "token.json")
    stores = [FileTokenStore(tmp_path / "token.json") if kind == "a file each" else one for _ in range(3)]
    running = [Program(emulator, store) for store in stores]
    async with anyio.create_task_group() as tasks:
        for program in running:
            tasks.start_soon(program.run, 3000)
    assert [program.errors for program in running] == [[], [], []]
    used = [request.body["refresh_token"] for request in emulator.requests if request.path.endswith("/token")]
    assert len(set(used)) == 4
    if kind != "unlocked":
        assert len(used) == 4


async def test_programs_that_were_given_the_same_token_do_not_put_it_back(tmp_path: Path, clock: WallClock) -> None:
    emulator = Emulator()
    first = issued(emulator, seconds=-1)
    store = FileTokenStore(tmp_path / "token.json")
    for _ in range(3):
        program = Program(emulator, store, first)
        await program.run(10)
        assert program.errors == []
    assert paths(emulator).count("token") == 1
    assert can_renew(emulator, store.path)


async def test_a_refresh_token_that_another_program_used_is_looked_for_in_the_store_again(clock: WallClock) -> None:
    """The other one has got its answer, and has yet to save it."""
    emulator = Emulator()
    old = issued(emulator, seconds=-1)
    store = Unlocked(old)
    emulator.oauth.revoke(old.refresh_token)

    async def save_late() -> None:
        await anyio.sleep(1)
        await store.save(issued(emulator))

    async with chatting(OAuthAuth("app", store=store), emulator) as coze, anyio.create_task_group() as tasks:
        tasks.start_soon(save_late)
        assert await said(coze)


async def test_a_refresh_token_that_nobody_has_replaced_means_to_log_in_again(clock: WallClock) -> None:
    emulator = Emulator()
    old = issued(emulator, seconds=-1)
    emulator.oauth.revoke(old.refresh_token)
    for store in (MemoryTokenStore(old), Unlocked(old)):
        async with chatting(OAuthAuth("app", store=store), emulator) as coze:
            with pytest.raises(AuthenticationError, match=r"invalid_grant.* Log in again"):
                await said(coze)


async def test_a_token_that_holds_is_used_on_when_its_renewal_is_refused(clock: WallClock) -> None:
    emulator = Emulator()
    first = issued(emulator)
    emulator.oauth.revoke(first.refresh_token)
    async with chatting(OAuthAuth("app", first), emulator) as coze:
        await anyio.sleep(875)
        for _ in range(4):
            assert await said(coze)
            await anyio.sleep(7)
        with pytest.raises(AuthenticationError, match="invalid_grant"):
            await said(coze)


async def test_a_lock_that_another_program_never_gives_back_is_waited_for_a_minute(
    tmp_path: Path, clock: WallClock
) -> None:
    emulator = Emulator()
    stores = [FileTokenStore(tmp_path / "token.json") for _ in range(2)]
    await stores[0].save(issued(emulator, seconds=-1))
    async with stores[0].lock():
        async with chatting(OAuthAuth("app", store=stores[1]), emulator) as coze:
            with pytest.raises(
                StorageError, match=r"was locked by another renewal for more than 60 s\. End the program"
            ):
                await said(coze)
        assert anyio.current_time() == pytest.approx(60, abs=1)
    assert paths(emulator) == []
    async with chatting(OAuthAuth("app", store=stores[1]), emulator) as coze:
        assert await said(coze)


async def test_a_program_that_holds_a_token_goes_on_while_the_store_is_broken(
    tmp_path: Path, clock: WallClock, caplog: pytest.LogCaptureFixture
) -> None:
    emulator = Emulator()
    store = FileTokenStore(tmp_path / "token.json")
    await store.save(issued(emulator))
    async with chatting(OAuthAuth("app", store=store), emulator) as coze:
        assert await said(coze)
        store.path.write_bytes(b"{")
        await anyio.sleep(880)
        assert await said(coze)
        assert "only a part of one" in caplog.text
        await anyio.sleep(30)
        with pytest.raises(StorageError, match="only a part of one"):
            await said(coze)
    assert paths(emulator).count("token") == 0


async def test_nothing_is_asked_for_that_could_not_be_kept(tmp_path: Path, clock: WallClock) -> None:
    emulator = Emulator()
    store = FileTokenStore(tmp_path / "token.json")
    await store.save(issued(emulator, seconds=-1))
    (tmp_path / ".token.json.lock").mkdir()
    async with chatting(OAuthAuth("app", store=store), emulator) as coze:
        with pytest.raises(StorageError, match=r"cannot be locked: Is a directory\. No new token was asked for"):
            await said(coze)
    assert paths(emulator) == []


async def test_a_torn_file_is_replaced_by_a_token_that_is_given(tmp_path: Path, clock: WallClock) -> None:
    emulator = Emulator()
    store = FileTokenStore(tmp_path / "token.json")
    store.path.write_bytes(b"{")
    token = issued(emulator)
    async with chatting(OAuthAuth("app", token, store=store), emulator) as coze:
        assert await said(coze)
    assert await store.load() == token


async def test_a_store_of_ones_own_that_is_away_is_a_storage_error(clock: WallClock) -> None:
    class Away(MemoryTokenStore):
        async def load(self) -> OAuthToken | None:
            raise ConnectionRefusedError(111, "Connection refused")

    emulator = Emulator()
    async with chatting(OAuthAuth("app", store=Away()), emulator) as coze:
        with pytest.raises(StorageError, match=r"token store MemoryTokenStore\(\) failed: Connection refused"):
            await said(coze)


async def test_a_file_system_without_locks_is_told_and_used(
    tmp_path: Path, clock: WallClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int) -> bool:
        raise OSError(37, "No locks available")

    monkeypatch.setattr("coze_async._token_store.try_lock", refuse)
    emulator = Emulator()
    store = FileTokenStore(tmp_path / "token.json")
    await store.save(issued(emulator, seconds=-1))
    async with chatting(OAuthAuth("app", store=store), emulator) as coze:
        assert await said(coze)
    assert "cannot be locked (No locks available)" in caplog.text


# --- everything is cancelled ------------------------------------------------------------------------------------------


@asynccontextmanager
async def renewing(emulator: Emulator, path: Path, seconds: float = 2.0) -> AsyncGenerator[AsyncCoze]:
    """A client whose first question needs a new token, which comes late."""
    auth = OAuthAuth("app", store=FileTokenStore(path))
    async with chatting(auth, emulator, transport=Slow(emulator, seconds)) as coze:
        yield coze


@pytest.fixture
def ended(tmp_path: Path, clock: WallClock) -> tuple[Emulator, Path]:
    """A server, and the file of a login whose token has ended."""
    emulator = Emulator()
    path = tmp_path / "token.json"
    write(path, issued(emulator, seconds=-1))
    return emulator, path


async def begun(emulator: Emulator) -> None:
    """Wait until a token was asked for; threads live in another time than this loop."""
    while not emulator.requests:  # noqa: ASYNC110 - others fill it
        await anyio.sleep(0.01)


def run(main: Callable[[], Any]) -> None:
    """Run as `asyncio.run` does, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(main())


def test_a_task_that_is_cancelled_by_itself_saves_the_pair_that_it_asked_for(ended: tuple[Emulator, Path]) -> None:
    emulator, path = ended

    async def main() -> None:
        async with renewing(emulator, path) as coze:
            asking = asyncio.create_task(said(coze))
            await begun(emulator)
            # Some cancel until it helps.
            while not asking.done():
                asking.cancel()
                await asyncio.sleep(0.1)
            assert asking.cancelled()
            assert can_renew(emulator, path)
            assert await said(coze)

    run(main)
    assert paths(emulator) == ["token", "chat"]


def test_a_time_out_of_asyncio_saves_the_pair_that_was_asked_for(ended: tuple[Emulator, Path]) -> None:
    emulator, path = ended

    async def end_soon(limit: asyncio.Timeout) -> None:
        await begun(emulator)
        limit.reschedule(0)

    async def main() -> None:
        async with renewing(emulator, path) as coze:
            with pytest.raises(TimeoutError):  # noqa: PT012
                async with asyncio.timeout(None) as limit:
                    asyncio.get_running_loop().create_task(end_soon(limit))
                    await said(coze)

    run(main)
    assert can_renew(emulator, path)


def test_the_end_of_asyncio_run_saves_the_pair_that_was_asked_for(ended: tuple[Emulator, Path]) -> None:
    emulator, path = ended
    tasks: list[asyncio.Task[str]] = []

    async def main() -> None:
        coze = await contextlib.AsyncExitStack().enter_async_context(renewing(emulator, path))
        tasks.append(asyncio.create_task(said(coze)))
        await begun(emulator)

    run(main)
    assert tasks[0].cancelled()
    assert can_renew(emulator, path)


def test_a_client_that_is_closed_waits_for_the_pair_that_was_asked_for(ended: tuple[Emulator, Path]) -> None:
    emulator, path = ended

    async def main() -> None:
        async with renewing(emulator, path) as coze:
            task = asyncio.create_task(said(coze))
            await begun(emulator)
        await asyncio.wait({task})

    run(main)
    assert can_renew(emulator, path)


def test_all_tasks_may_be_cancelled_at_once(ended: tuple[Emulator, Path]) -> None:
    emulator, path = ended

    async def main() -> None:
        async with renewing(emulator, path) as coze:
            tasks = [asyncio.create_task(said(coze)) for _ in range(5)]
            await begun(emulator)
            for task in asyncio.all_tasks():
                task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.sleep(10)
            await asyncio.wait(tasks)
            assert all(task.cancelled() for task in tasks)

    run(main)
    assert can_renew(emulator, path)
    assert paths(emulator) == ["token"]


def test_a_renewal_without_an_answer_is_given_up_after_five_seconds(ended: tuple[Emulator, Path]) -> None:
    emulator, path = ended

    async def main() -> None:
        emulator.fail(Stall(1000), on=TOKEN)
        async with renewing(emulator, path) as coze:
            task = asyncio.create_task(said(coze))
            await begun(emulator)
            before = asyncio.get_running_loop().time()
            task.cancel()
            await asyncio.wait({task})
            assert task.cancelled()
            async with FileTokenStore(path).lock():
                assert asyncio.get_running_loop().time() - before == pytest.approx(5, abs=0.5)

    run(main)


def test_a_refusal_that_nobody_waits_for_any_more_is_no_noise(
    ended: tuple[Emulator, Path], caplog: pytest.LogCaptureFixture
) -> None:
    emulator, path = ended

    async def main() -> None:
        emulator.fail(Refuse(400, 4000, "no"), on=TOKEN)
        async with renewing(emulator, path) as coze:
            task = asyncio.create_task(said(coze))
            await begun(emulator)
            task.cancel()
            await asyncio.wait({task})

    run(main)
    assert caplog.records == []


async def test_a_cancelled_scope_saves_the_pair_that_was_asked_for(ended: tuple[Emulator, Path]) -> None:
    emulator, path = ended
    async with renewing(emulator, path) as coze:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(said, coze)
            await begun(emulator)
            tasks.cancel_scope.cancel()
        assert can_renew(emulator, path)
        assert await said(coze)
    assert paths(emulator) == ["token", "chat"]


async def test_whoever_is_cancelled_while_the_store_is_locked_begins_no_renewal(ended: tuple[Emulator, Path]) -> None:
    emulator, path = ended
    async with FileTokenStore(path).lock(), renewing(emulator, path) as coze:
        with anyio.move_on_after(1):
            await said(coze)
        # At once, not after the five seconds of a renewal.
        assert anyio.current_time() == pytest.approx(1, abs=0.1)
    assert paths(emulator) == []


@pytest.mark.skipif(os.name != "posix", reason="signals are a matter of POSIX")
@pytest.mark.parametrize("how", ["Ctrl-C", "main ends", "all are cancelled", "cancelled again and again"])
def test_a_program_that_ends_during_a_renewal_leaves_a_login_that_works(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    emulator = Emulator()
    path = tmp_path / "token.json"
    old = issued(emulator, seconds=-1)
    write(path, old)
    issue = emulator.oauth.issue
    is_asked: list[bool] = []

    def slowly(*arguments: Any, **options: Any) -> dict[str, Any]:
        # The token is made, and comes late.
        answer = issue(*arguments, **options)
        is_asked.append(True)
        time.sleep(1)
        return answer

    monkeypatch.setattr(emulator.oauth, "issue", slowly)
    with served(emulator) as url:
        task = {"url": url, "path": str(path), "how": how, "seconds": 0.5}
        program = subprocess.Popen([sys.executable, str(PROGRAM), json.dumps(task)], stderr=subprocess.PIPE)
        if how == "Ctrl-C":
            while not is_asked and program.poll() is None:
                time.sleep(0.02)
            time.sleep(0.2)
            program.send_signal(signal.SIGINT)
        program.communicate(timeout=30)
    assert is_asked
    assert kept(path).refresh_token != old.refresh_token
    assert can_renew(emulator, path)
