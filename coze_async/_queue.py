"""Items that wait in Redis for a worker: each is claimed by one at a time, and what became of it is kept.

    {queue:NAME}:items        the stream; who has answered an item takes it out, so what is in it is not answered yet
    {queue:NAME}:queued:KEY   the item's entry in the stream
    {queue:NAME}:claim:KEY    who answers the item; gone if that one has not been heard of for a lease
    {queue:NAME}:outcome:KEY  what became of it
    {queue:NAME}:stop:RUN     why a run has ended before its items had

Before each stands {PREFIX}, as before the keys of the limits, unless it is the usual one: two accounts share nothing.

Every change is one script, so it happens as a whole or not at all, and doing it once more changes nothing: whoever
does not know whether Redis has heard them says it again.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from coze_async._errors import ConfigurationError
from coze_async._redis import PREFIX, checked_prefix

if TYPE_CHECKING:
    from redis.asyncio import Redis

__all__ = ["Claim", "Delivery", "Put", "Queue", "Rules", "stream_of"]

# An entry that is done with leaves the group and the stream; its item may be put in again.
_DONE = """
local function done(entry)
    redis.call('XACK', KEYS[1], ARGV[1], entry)
    redis.call('XDEL', KEYS[1], entry)
    if redis.call('GET', KEYS[2]) == entry then redis.call('DEL', KEYS[2]) end
end
"""
# Who holds an entry shows it, or others take it over. JUSTID: that is no further delivery.
_HOLD = """
local function hold(entry)
    redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, entry, 'JUSTID')
end
"""

# KEYS items queued claim outcome; ARGV data key maxlen keep look
_PUT = """
if redis.call('EXISTS', KEYS[4]) == 1 then return 'answered' end
if redis.call('EXISTS', KEYS[3]) == 1 then return 'known' end
local entry = redis.call('GET', KEYS[2])
if entry and #redis.call('XRANGE', KEYS[1], entry, entry) == 1 then return 'known' end
if ARGV[5] == '1' then return 'unknown' end
if redis.call('XLEN', KEYS[1]) >= tonumber(ARGV[3]) then return 'full' end
entry = redis.call('XADD', KEYS[1], '*', 'data', ARGV[1], 'key', ARGV[2])
redis.call('SET', KEYS[2], entry, 'PX', ARGV[4])
return 'put'
"""

# KEYS items queued claim outcome stop; ARGV group entry consumer owner lease
_CLAIM = f"""
{_DONE}{_HOLD}
if redis.call('EXISTS', KEYS[4]) == 1 or redis.call('EXISTS', KEYS[5]) == 1
    or #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then
    done(ARGV[2])
    return {{'over', 0}}
end
hold(ARGV[2])
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[4] then return {{'taken', redis.call('PTTL', KEYS[3])}} end
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
return {{'mine', 0}}
"""

# KEYS items queued claim; ARGV group entry consumer owner lease
_RENEW = f"""
{_HOLD}
local holder = redis.call('GET', KEYS[3])
if holder and holder ~= ARGV[4] then return 0 end
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
hold(ARGV[2])
return 1
"""

# The item goes first: a Redis that is full refuses a script that begins with what takes room, and only that. So each
# answer takes the place of its question, and no question comes meanwhile.
# KEYS items queued claim outcome stop; ARGV group entry owner keep outcome reason
_SETTLE = f"""
{_DONE}
done(ARGV[2])
redis.call('SET', KEYS[4], ARGV[5], 'NX', 'PX', ARGV[4])
if ARGV[6] ~= '' then redis.call('SET', KEYS[5], ARGV[6], 'NX', 'PX', ARGV[4]) end
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
return 1
"""

# KEYS items queued claim; ARGV group entry owner keep
_GIVE_BACK = f"""
{_DONE}
local found = redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2])
done(ARGV[2])
if redis.call('GET', KEYS[3]) == ARGV[3] then redis.call('DEL', KEYS[3]) end
if #found == 0 then return 0 end
local entry = redis.call('XADD', KEYS[1], '*', unpack(found[1][2]))
redis.call('SET', KEYS[2], entry, 'PX', ARGV[4])
return 1
"""

# KEYS items queued; ARGV group entry
_DROP = f"{_DONE} done(ARGV[2])"

# KEYS items queued claim outcome; ARGV group
_WITHDRAW = f"""
{_DONE}
if redis.call('EXISTS', KEYS[4]) == 1 or redis.call('EXISTS', KEYS[3]) == 1 then return 0 end
local entry = redis.call('GET', KEYS[2])
if entry then done(entry) end
return 1
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """What keeps the items of a queue from being lost, asked twice, or piling up.

    Attributes:
        maxlen: Items that may wait or be at work, of all runs together; who brings more waits. None is ever dropped.
        idle_timeout: How long a worker may be silent before others take over what it had, in seconds. A worker shows
            itself for as long as it holds an item, so this need not be longer than a turn and a chat may take.
        heartbeat: How often a worker shows itself and looks for what others have lost, in seconds, also if nothing new
            comes; None is a third of `idle_timeout`.
        keep: How long an outcome is kept for whoever asks for it, in seconds.
        deliveries: An item whose worker has died so often has failed: it may be what kills them.
    """

    maxlen: int = 10_000
    idle_timeout: float = 30.0
    heartbeat: float | None = None
    keep: float = 7 * 86_400.0
    deliveries: int = 5

    def __post_init__(self) -> None:
        for name in ("maxlen", "deliveries"):
            if getattr(self, name) < 1:
                raise ConfigurationError(f"Rules.{name} is {getattr(self, name)!r}: give 1 or more.")
        if not all(0 < seconds < math.inf for seconds in (self.idle_timeout, self.pulse, self.keep)):
            raise ConfigurationError(
                "Rules.idle_timeout, Rules.heartbeat and Rules.keep must be above 0 seconds, and have an end."
            )
        if self.idle_timeout < 2 * self.pulse:
            raise ConfigurationError(
                f"Rules.idle_timeout is {self.idle_timeout:g} s with a heartbeat every {self.pulse:g} s: one that came "
                f"late would let an item be asked twice. Give {2 * self.pulse:g} s or more; three heartbeats are usual."
            )
        if self.keep < self.idle_timeout:
            raise ConfigurationError(
                f"Rules.keep is {self.keep:g} s, less than idle_timeout ({self.idle_timeout:g} s): outcomes would be "
                "forgotten while the items may still be given to another worker, and be asked again."
            )

    @property
    def pulse(self) -> float:
        """Seconds between two heartbeats."""
        return self.idle_timeout / 3 if self.heartbeat is None else self.heartbeat


class Put(StrEnum):
    """What became of an item that was brought."""

    PUT = "put"
    KNOWN = "known"
    """It waits or is at work already."""
    ANSWERED = "answered"
    """Its outcome is there already."""
    FULL = "full"
    UNKNOWN = "unknown"
    """It was only looked for, and is not there."""


class Claim(StrEnum):
    """What came of the wish to answer an item."""

    MINE = "mine"
    TAKEN = "taken"
    """Another one answers it, and is alive."""
    OVER = "over"
    """It has its outcome, was withdrawn, or belongs to a run that has been stopped."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """An item that was handed to a worker.

    Attributes:
        key: What the item is known by.
        entry: Where it stands in the stream.
        data: What was brought.
        count: How often it has been handed out, this time included.
    """

    key: str
    entry: bytes
    data: bytes
    count: int


class Queue:
    """One queue in Redis, as producers and workers see it.

    Args:
        client: A client whose answers are bytes.
        prefix: Separates accounts in one Redis.
        name: Separates the queues of one account.
        consumer: The name of this process.
        rules: What producers and workers of one queue have in common.
    """

    group = "workers"

    def __init__(self, client: "Redis", *, prefix: str, name: str, consumer: str, rules: Rules) -> None:
        self.rules: Rules = rules
        self.consumer: str = consumer
        self._start = _start_of(prefix, name)
        self.items: str = stream_of(prefix, name)
        self._client = client
        self._scripts = {
            text: client.register_script(text) for text in (_PUT, _CLAIM, _RENEW, _SETTLE, _GIVE_BACK, _DROP, _WITHDRAW)
        }
        self._lease = _milliseconds(rules.idle_timeout)
        self._keep = _milliseconds(rules.keep)

    async def declare(self) -> None:
        """Let the workers' group begin with the first item, also of those that were brought before any worker came."""
        from redis.exceptions import ResponseError

        try:
            await self._client.xgroup_create(self.items, self.group, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def put(self, key: str, data: bytes) -> Put:
        """Bring an item, unless it is there, at work, or answered already."""
        keys = [self.items, *self._keys("queued", "claim", "outcome", key=key)]
        said = await self._call(_PUT, keys, [data, key, self.rules.maxlen, self._keep, ""])
        return Put(said.decode())

    async def next(self, wait: float) -> Delivery | None:
        """Return an item that nobody has had; None if none came within so many seconds."""
        found: Any = await self._client.xreadgroup(
            self.group, self.consumer, {self.items: ">"}, count=1, block=_milliseconds(wait)
        )
        for _, entries in found or ():
            for entry, fields in entries:
                return _delivery(entry, fields, 1)
        return None

    async def take_over(self) -> Delivery | None:
        """Return an item whose worker is silent, None if there is none; it counts as delivered once more."""
        silent: Any = await self._client.xpending_range(
            self.items, self.group, min="-", max="+", count=1, idle=self._lease
        )
        for row in silent:
            entry = row["message_id"]
            claimed: Any = await self._client.xclaim(
                self.items, self.group, self.consumer, min_idle_time=self._lease, message_ids=[entry]
            )
            for found, fields in claimed:
                return _delivery(found, fields, row["times_delivered"] + 1)
        return None

    async def claim(self, delivery: Delivery, owner: str, run: str) -> tuple[Claim, float]:
        """Ask to be the one who answers an item.

        Returns:
            What came of it, and for how long another one's claim holds if nothing is heard of them, in seconds.
        """
        keys = [*self._of(delivery), *self._keys("outcome", key=delivery.key), *self._keys("stop", key=run)]
        said, left = await self._call(_CLAIM, keys, [self.group, delivery.entry, self.consumer, owner, self._lease])
        return Claim(said.decode()), max(0, int(left)) / 1000

    async def renew(self, delivery: Delivery, owner: str) -> bool:
        """Show that an item is being answered; False if another one does so meanwhile."""
        arguments = [self.group, delivery.entry, self.consumer, owner, self._lease]
        return bool(await self._call(_RENEW, self._of(delivery), arguments))

    async def settle(self, delivery: Delivery, owner: str, run: str, outcome: bytes, *, stop: str = "") -> None:
        """Keep what became of an item, and take it out.

        Args:
            delivery: The item.
            owner: Who has claimed it.
            run: The run that it belongs to.
            outcome: What became of it; if there is an outcome already, that one stays.
            stop: Why its run ends with it; empty if it goes on.
        """
        keys = [*self._of(delivery), *self._keys("outcome", key=delivery.key), *self._keys("stop", key=run)]
        await self._call(_SETTLE, keys, [self.group, delivery.entry, owner, self._keep, outcome, stop])

    async def give_back(self, delivery: Delivery, owner: str) -> None:
        """Let another one answer an item, at once."""
        await self._call(_GIVE_BACK, self._of(delivery), [self.group, delivery.entry, owner, self._keep])

    async def drop(self, delivery: Delivery) -> None:
        """Take out an item without an outcome."""
        await self._call(_DROP, self._of(delivery), [self.group, delivery.entry])

    async def withdraw(self, keys: Sequence[str]) -> list[bool]:
        """Take out the items that nobody has begun with; False for those that somebody has."""
        each = [[self.items, *self._keys("queued", "claim", "outcome", key=key)] for key in keys]
        return [bool(said) for said in await self._call_all(_WITHDRAW, each, [self.group])]

    async def unknown(self, keys: Sequence[str]) -> list[str]:
        """Return the items that are neither there nor at work nor answered: Redis has lost them."""
        each = [[self.items, *self._keys("queued", "claim", "outcome", key=key)] for key in keys]
        said = await self._call_all(_PUT, each, ["", "", 0, 1, "1"])
        return [key for key, one in zip(keys, said, strict=True) if one.decode() == Put.UNKNOWN]

    async def outcomes(self, keys: Sequence[str], run: str) -> tuple[list[bytes | None], str | None]:
        """Return what became of these items, None where nothing is known yet, and why the run was stopped."""
        names = [name for key in keys for name in self._keys("outcome", key=key)]
        found: Any = await self._client.mget([*names, *self._keys("stop", key=run)])
        *outcomes, stop = found
        return outcomes, None if stop is None else stop.decode()

    async def forget(self, key: str) -> None:
        """Forget what became of an item, so that it is asked again when it is brought again."""
        await self._client.delete(*self._keys("outcome", key=key))

    async def resume(self, run: str) -> None:
        """Let a run that was stopped go on."""
        await self._client.delete(*self._keys("stop", key=run))

    async def leave(self) -> int:
        """Give back what this process was handed and has not begun with, and be no worker any more.

        Returns:
            How many items it was.
        """
        number = 0
        while True:
            rows: Any = await self._client.xpending_range(
                self.items, self.group, min="-", max="+", count=100, consumername=self.consumer
            )
            if not rows:
                break
            for row in rows:
                found: Any = await self._client.xrange(self.items, row["message_id"], row["message_id"])
                fields: Mapping[bytes, bytes] = found[0][1] if found else {}
                await self.give_back(_delivery(row["message_id"], fields, 0), "")
                number += 1
        await self._client.xgroup_delconsumer(self.items, self.group, self.consumer)
        return number

    async def workers(self) -> int:
        """Return how many workers have shown themselves lately."""
        rows: Any = await self._client.xinfo_consumers(self.items, self.group)
        return sum(row["idle"] < self._lease for row in rows)

    def _of(self, delivery: Delivery) -> list[str]:
        return [self.items, *self._keys("queued", "claim", key=delivery.key)]

    def _keys(self, *kinds: str, key: str) -> list[str]:
        return [f"{self._start}:{kind}:{key}" for kind in kinds]

    async def _call(self, script: str, keys: list[str], arguments: list[Any]) -> Any:
        return await self._scripts[script](keys=keys, args=arguments)

    async def _call_all(self, script: str, keys: list[list[str]], arguments: list[Any]) -> list[Any]:
        """Call a script for many items in one exchange."""
        if not keys:
            return []
        async with self._client.pipeline(transaction=False) as pipeline:
            for each in keys:
                await self._scripts[script](keys=each, args=arguments, client=pipeline)
            # By itself it would put the command before the words of an error, by which it is known.
            said: list[Any] = await pipeline.execute(raise_on_error=False)
        for one in said:
            if isinstance(one, Exception):
                raise one
        return said


def _delivery(entry: bytes, fields: Mapping[bytes, bytes], count: int) -> Delivery:
    """Return what stands in an entry; what somebody else has put there has no key and is no question."""
    return Delivery(fields.get(b"key", b"").decode("utf-8", "replace"), entry, fields.get(b"data", b""), count)


def stream_of(prefix: str, name: str) -> str:
    """Return the name of a queue's stream in Redis.

    Raises:
        ConfigurationError: the prefix cannot be one.
    """
    return f"{_start_of(prefix, name)}:items"


def _start_of(prefix: str, name: str) -> str:
    # What stands in the first braces decides on which node of a cluster a key lives: all of a queue are on one.
    # Queues without a prefix were there before those with one.
    account = "" if checked_prefix(prefix) == PREFIX else f"{{{prefix}}}"
    return f"{account}{{queue:{name}}}"


def _milliseconds(seconds: float) -> int:
    return max(1, round(seconds * 1000))
