"""Chats on many machines: producers put questions into Redis, workers answer them (extra `taskiq`).

On every machine that shall answer:

    broker = ChatBroker("redis://queue:6379")
    await Worker(broker, coze, at_once=50).run()

On the one that asks, and anywhere else too:

    async with Producer(ChatBroker("redis://queue:6379")) as producer:
        async with producer.batch(questions, bot_id="…", user_id="…") as outcomes:
            async for outcome in outcomes: ...

`coze-async worker` and `coze-async batch --broker` do this on the command line. taskiq runs on asyncio only.
"""

from coze_async._broker import ChatBroker
from coze_async._producer import NotAskedError, Producer
from coze_async._queue import Rules
from coze_async._worker import Worker

__all__ = ["ChatBroker", "NotAskedError", "Producer", "Rules", "Worker"]
