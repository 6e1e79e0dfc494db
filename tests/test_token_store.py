"""Where tokens are kept: only for the owner, whole or not at all, and what is told when they cannot be read."""

import json
import logging
import os
import stat
import sys
import types
from pathlib import Path
from typing import Any

import anyio
import pytest

from coze_async import FileTokenStore, MemoryTokenStore, OAuthToken, StorageError, TokenStore

TOKEN = OAuthToken(access_token="czu_1", expires_at=1_800_000_000, refresh_token="czr_1")
POSIX = pytest.mark.skipif(os.name != "posix", reason="modes of files are a matter of POSIX")


@pytest.fixture
def store(tmp_path: Path) -> FileTokenStore:
    return FileTokenStore(tmp_path / "deep" / "er" / "token.json")


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_what_was_saved_last_is_loaded(kind: str, store: FileTokenStore) -> None:
    kept: TokenStore = store if kind == "file" else MemoryTokenStore()
    assert await kept.load() is None
    await kept.save(TOKEN.model_copy(update={"access_token": "czu_0"}))
    await kept.save(TOKEN)
    assert await kept.load() == TOKEN


async def test_another_store_finds_the_file_with_everything_that_the_server_said(store: FileTokenStore) -> None:
    await store.save(OAuthToken.model_validate({"access_token": "czu_1", "expires_in": 7, "scope": ["a"]}))
    loaded = await FileTokenStore(str(store.path)).load()
    assert loaded is not None
    assert (loaded.expires_at, loaded.model_extra) == (7, {"scope": ["a"]})


async def test_a_home_folder_may_be_written_short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    await FileTokenStore("~/token.json").save(TOKEN)
    assert (tmp_path / "token.json").is_file()


@POSIX
async def test_only_the_owner_can_read_the_file_and_its_folder(store: FileTokenStore) -> None:
    earlier = os.umask(0)
    try:
        await store.save(TOKEN)
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
        assert stat.S_IMODE(store.path.parent.stat().st_mode) == 0o700
        store.path.chmod(0o644)
        await store.save(TOKEN)
        assert stat.S_IMODE(store.path.stat().st_mode) == 0o600
    finally:
        os.umask(earlier)


@POSIX
async def test_a_file_that_others_can_read_is_used_with_a_warning(
    store: FileTokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    await store.save(TOKEN)
    with caplog.at_level(logging.WARNING):
        await store.load()
        assert caplog.records == []
        store.path.chmod(0o640)
        assert await store.load() == TOKEN
    assert "chmod 600" in caplog.text
    assert "czu_1" not in caplog.text


async def test_a_file_is_replaced_whole_and_nothing_else_is_left(store: FileTokenStore) -> None:
    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(store.save, TOKEN.model_copy(update={"access_token": f"czu_{number}"}))
        for _ in range(20):
            # Never a part of one, never none once there was one.
            await store.load()
    assert [path.name for path in store.path.parent.iterdir()] == ["token.json"]
    assert await store.load() is not None


async def test_a_save_that_fails_leaves_the_old_token_and_no_rubbish(
    store: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.save(TOKEN)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="cannot be written: No space left on device"):
        await store.save(TOKEN.model_copy(update={"access_token": "czu_2"}))
    assert await store.load() == TOKEN
    assert [path.name for path in store.path.parent.iterdir()] == ["token.json"]


WHOLE = json.dumps(TOKEN.model_dump())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (WHOLE[:30].encode(), "holds no token, or only a part of one"),
        (WHOLE[:-1].encode(), "only a part of one"),
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"czu_s3cret", "holds no token"),
        (b'{"access_token":""}', "holds no token"),
        (b"[1]", "holds no token"),
        (b"\xff\xfe", "holds no token"),
    ],
)
async def test_a_torn_file_is_an_error_that_says_what_to_do_and_shows_nothing(
    content: bytes, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "token.json"
    path.write_bytes(content)
    with pytest.raises(StorageError, match=says) as caught:
        await FileTokenStore(path).load()
    text = str(caught.value)
    assert str(path) in text
    assert "log in again" in text
    assert "czu_" not in text
    assert caught.value.__cause__ is None


async def test_a_folder_in_the_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="cannot be read"):
        await FileTokenStore(tmp_path).load()
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot be written"):
        await FileTokenStore(tmp_path / "file" / "token.json").save(TOKEN)


@pytest.mark.parametrize("kept", [MemoryTokenStore(TOKEN), MemoryTokenStore()])
def test_no_store_shows_its_token(kept: Any) -> None:
    assert repr(kept) in ("MemoryTokenStore(***)", "MemoryTokenStore()")
    assert repr(FileTokenStore("a/b")) == f"FileTokenStore({str(Path('a/b'))!r})"


# --- locks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["memory", "file"])
async def test_one_holds_the_lock_at_a_time(kind: str, store: FileTokenStore) -> None:
    memory = MemoryTokenStore()
    inside: list[int] = []

    async def hold(number: int) -> None:
        async with memory.lock() if kind == "memory" else FileTokenStore(store.path).lock():
            inside.append(number)
            await anyio.sleep(10)
            assert inside.pop() == number
            assert not inside

    async with anyio.create_task_group() as tasks:
        for number in range(4):
            tasks.start_soon(hold, number)


async def test_a_lock_is_given_back_after_an_error_and_after_cancellation(store: FileTokenStore) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.lock():
            raise ZeroDivisionError
    with anyio.move_on_after(1):
        async with store.lock():
            await anyio.sleep(10)
    with anyio.fail_after(1):
        async with store.lock():
            pass


@POSIX
async def test_the_lock_is_a_file_of_the_owner_beside_the_token(store: FileTokenStore) -> None:
    async with store.lock():
        lock = store.path.with_name(".token.json.lock")
        assert stat.S_IMODE(lock.stat().st_mode) == 0o600
        assert not store.path.exists()


async def test_where_there_is_no_fcntl_the_lock_is_one_of_msvcrt(
    store: FileTokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the documentation of Python describes `msvcrt.locking`."""
    held: set[int] = set()

    def locking(descriptor: int, mode: int, count: int) -> None:
        place = os.fstat(descriptor).st_ino
        assert (os.lseek(descriptor, 0, os.SEEK_CUR), count) == (0, 1)
        if mode == 0:
            held.discard(place)
        elif place in held:
            raise PermissionError(13, "Permission denied")
        else:
            held.add(place)

    windows = types.SimpleNamespace(locking=locking, LK_NBLCK=2, LK_UNLCK=0)
    monkeypatch.setitem(sys.modules, "msvcrt", windows)
    monkeypatch.setattr("coze_async._file_lock.sys", types.SimpleNamespace(platform="win32"))
    async with store.lock():
        assert held
        with pytest.raises(StorageError, match="was locked by another renewal"):
            async with store.lock():
                pass
    assert not held
