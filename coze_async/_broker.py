"""`ChatBroker`: a queue of chats in Redis, for taskiq."""

import os
import socket
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import anyio
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    ClusterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from taskiq import AckableMessage
from taskiq.message import BrokerMessage
from taskiq_redis import RedisStreamBroker

from coze_async._errors import ConfigurationError, CozeError, TransportError
from coze_async._logging import log
from coze_async._queue import Delivery, Put, Queue, Rules, stream_of
from coze_async._redis import PREFIX, place_of, usable_url

__all__ = ["LEAVING", "TASK", "ChatBroker", "plain"]

T = TypeVar("T")

TASK = "coze_async:answer"
"""What the workers do, by the name that it has in messages."""

LEAVING = 5.0
"""How long storing and giving back may take when somebody leaves and Redis is away, in seconds."""

# Between two attempts while Redis is away, in seconds.
_SHORTEST, _LONGEST = 0.1, 2.0
# How long Redis may be silent, in seconds.
_SILENT = 5.0
# Between two attempts to put something into a queue that is full, in seconds.
_FULL = 0.2
# Answers of Redis that pass: it moves, or is full. redis-py makes classes out of some, and takes the word away.
_PASSING = (OutOfMemoryError, ReadOnlyError, ClusterDownError, TryAgainError)
_PASSING_WORDS = ("BUSY", "MISCONF", "NOREPLICAS", "UNBLOCKED")
_OLDEST = (6, 2)
_CLOSED = (AuthenticationError, AuthorizationError, NoPermissionError)


class ChatBroker(RedisStreamBroker):
    """A queue of chats in Redis, for taskiq.

    taskiq-redis reads a stream as if Redis were always there, takes over what a lost worker had only after something
    new has come, and looks no further than the oldest entries when it does. Here:

    - what a silent worker had is looked for every `Rules.pulse`, whatever comes, and all of it;
    - a worker shows itself for every item that it holds, so that a slow chat is no lost one;
    - an entry leaves the stream with its answer, and `Rules.maxlen` lets producers wait instead of cutting the stream;
    - nobody holds a lock that could outlive them: every change is one script;
    - while Redis is away everybody waits, and says so once.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        queue: Separates the queues of one account.
        prefix: Separates accounts in one Redis, or staging from production; give the RedisLimiter of the workers the
            same.
        rules: What all producers and workers of one queue have in common.
        tell: Is told in words when Redis goes away and comes back; None writes to the log.
    """

    def __init__(
        self,
        url: str,
        *,
        queue: str = "coze",
        prefix: str = PREFIX,
        rules: Rules | None = None,
        tell: Callable[[str], None] | None = None,
    ) -> None:
        rules = rules if rules is not None else Rules()
        self.url: str = place_of(url)
        shared = "" if prefix == PREFIX else f", prefix {prefix}"
        self.place: str = f"{self.url}, queue {queue}{shared}"
        self.rules: Rules = rules
        self.tell: Callable[[str], object] = tell if tell is not None else log.warning
        stream = stream_of(prefix, queue)
        consumer = f"{socket.gethostname()}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        try:
            super().__init__(
                usable_url(url),
                queue_name=stream,
                consumer_group_name=Queue.group,
                consumer_name=consumer,
                # From the first: producers may come before workers.
                consumer_id="0",
                maxlen=rules.maxlen,
                idle_timeout=round(rules.idle_timeout * 1000),
                # What a worker has no place for is better with another one.
                xread_count=1,
                unacknowledged_batch_size=1,
                unacknowledged_lock_timeout=rules.idle_timeout,
                max_connection_pool_size=32,
                # With one redis-py sends by `asyncio.wait_for`, which loses a cancellation now and then in Python 3.11.
                socket_timeout=None,
                socket_connect_timeout=2.0,
                retry=Retry(NoBackoff(), 1),
            )
        except ValueError as error:
            raise ConfigurationError(
                f"{self.url!r} is no address of a Redis: {error}. Give one like redis://localhost:6379."
            ) from error
        client = Redis(connection_pool=self.connection_pool)
        self.queue: Queue = Queue(client, prefix=prefix, name=queue, consumer=consumer, rules=rules)
        self._handed: dict[str, Delivery] = {}
        self._putting = anyio.Lock()
        self._away_since: float | None = None
        self._outages = 0

    async def look(self) -> None:
        """Look whether there is a Redis that can be used.

        Raises:
            ConfigurationError: what is there is no Redis that can be used.
            TransportError: nothing is there.
        """
        client: Any = Redis(connection_pool=self.connection_pool)
        try:
            with anyio.fail_after(_SILENT):
                version = str((await client.info("server"))["redis_version"])
                await self.queue.declare()
        except (RedisError, OSError) as error:
            await self.connection_pool.disconnect()
            raise self._refused(error) from error
        except RuntimeError as error:
            raise ConfigurationError(
                f"A queue needs asyncio, which taskiq and redis-py run on, and here is none ({error}). "
                "With anyio: anyio.run(main, backend='asyncio')."
            ) from error
        if tuple(int(part) for part in version.split(".")[:2]) < _OLDEST:
            await self.connection_pool.disconnect()
            raise ConfigurationError(f"Redis at {self.url} is version {version}; a queue needs 6.2 or newer.")

    async def startup(self) -> None:
        """Look whether Redis is there, and begin; see `look`."""
        await self.look()
        await super().startup()

    def _refused(self, error: Exception) -> CozeError:
        """Return the error for a Redis that cannot be begun with."""
        reason = str(error).rstrip(".") or "it is silent"
        # A connection that is not let in has failed, to redis-py.
        if isinstance(error, _CLOSED) or isinstance(error.__cause__, _CLOSED):
            return ConfigurationError(
                f"Redis at {self.url} lets nobody in like this: {reason}. Give user and password in the address, as in "
                "redis://user:password@host:6379."
            )
        if isinstance(error, ResponseError):
            return ConfigurationError(f"What answers at {self.url} cannot be used as a queue: {reason}.")
        return TransportError(
            f"No Redis answers at {self.url}: {reason}. Check the address, and that Redis runs and can be reached "
            "from here.",
            may_have_arrived=False,
        )

    async def kick(self, message: BrokerMessage) -> None:
        """Bring an item; what is known already is not brought again. Waits while the queue is full."""
        put = partial(self.queue.put, message.task_id, message.message)
        if await self.insist(put) is not Put.FULL:
            return
        # One asks for all that wait.
        async with self._putting:
            while await self.insist(put) is Put.FULL:  # noqa: ASYNC110 - the place is made by another process
                await anyio.sleep(_FULL)

    async def listen(self) -> AsyncGenerator[AckableMessage, None]:
        """Hand out what is new and what was lost, one by one."""
        rules = self.rules
        # Whoever lives gets the time to show it: perhaps Redis has been away.
        look_at = anyio.current_time() + rules.idle_timeout
        while True:
            outages = self._outages
            delivery: Delivery | None = None
            if anyio.current_time() >= look_at:
                delivery = await self.insist(self.queue.take_over)
                if delivery is None:
                    look_at = anyio.current_time() + rules.pulse
            if delivery is None:
                wait = min(rules.pulse, max(0.001, look_at - anyio.current_time()))
                delivery = await self.insist(partial(self.queue.next, wait))
            if self._outages != outages:
                look_at = anyio.current_time() + rules.idle_timeout
            if delivery is not None:
                self._handed[delivery.key] = delivery
                yield AckableMessage(data=delivery.data, ack=partial(self._acknowledged, delivery))

    async def _acknowledged(self, delivery: Delivery) -> None:
        """Take out what is no question but another task of this broker."""
        self._handed.pop(delivery.key, None)
        await self.insist(partial(self.queue.drop, delivery))

    def handed(self, key: str) -> Delivery:
        """Return how an item came, and forget it."""
        return self._handed.pop(key)

    async def insist(self, call: Callable[[], Awaitable[T]]) -> T:
        """Return what a call to Redis returns, however long Redis is away.

        Raises:
            ConfigurationError: Redis will never do what it was asked for.
        """
        pause = _SHORTEST
        while True:
            try:
                # A worker waits a pulse long for something new.
                with anyio.fail_after(self.rules.pulse + _SILENT):
                    answer = await call()
            except ResponseError as error:
                if str(error).startswith("NOGROUP"):
                    # It has lost everything, or somebody has emptied it.
                    self._outages += 1
                    try:
                        await self.queue.declare()
                        continue
                    except (RedisError, OSError) as refusal:
                        self._away(refusal)
                elif not isinstance(error, _PASSING) and not str(error).startswith(_PASSING_WORDS):
                    raise ConfigurationError(
                        f"Redis at {self.url} refuses what a queue needs: {error}. Is something else kept under "
                        f"{self.queue_name!r}, or may this user not use streams and scripts?"
                    ) from error
                else:
                    self._away(error)
            except (RedisError, OSError) as error:
                self._away(error)
            else:
                self._back()
                return answer
            await anyio.sleep(pause)
            pause = min(_LONGEST, 2 * pause)

    def _away(self, error: Exception) -> None:
        if self._away_since is None:
            self._away_since = anyio.current_time()
            self._outages += 1
            reason = str(error).rstrip(".") or "it is silent"
            self.tell(f"Redis at {self.url} does not answer: {reason}. Waiting until it does; nothing is lost.")

    def _back(self) -> None:
        if self._away_since is not None:
            seconds = anyio.current_time() - self._away_since
            self._away_since = None
            self.tell(f"Redis at {self.url} answers again, after {seconds:.1f} s.")


def plain(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the error of ours that a group is about; the group itself if there is none."""
    found: BaseException | None = group.subgroup(CozeError)
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return group if found is None else found
