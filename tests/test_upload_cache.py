"""What was uploaded before: found again in time, forgotten after it."""

from coze_async import MemoryUploadCache, UploadCache
from coze_async.models import File


async def test_a_file_is_found_until_its_time_is_over_and_then_forgotten() -> None:
    now = [1000.0]
    cache: UploadCache = MemoryUploadCache(clock=lambda: now[0])
    assert await cache.get("a") is None
    await cache.set("a", File(id="1"), 60.0)
    now[0] += 59.9
    assert await cache.get("a") == File(id="1")
    now[0] += 0.1
    assert await cache.get("a") is None
    now[0] -= 60
    assert await cache.get("a") is None


async def test_what_was_used_longest_ago_goes_first_when_there_are_too_many() -> None:
    cache = MemoryUploadCache(2)
    await cache.set("a", File(id="1"), 60.0)
    await cache.set("b", File(id="2"), 60.0)
    await cache.get("a")
    await cache.set("c", File(id="3"), 60.0)
    assert [key for key in "abc" if await cache.get(key)] == ["a", "c"]
    await cache.set("a", File(id="4"), 60.0)
    assert len(cache) == 2
    assert await cache.get("a") == File(id="4")
