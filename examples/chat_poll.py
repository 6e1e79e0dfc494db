"""Start a chat, look until it is over, and print the whole answer; for jobs in which nobody watches.

Run it as it is, or set COZE_API_TOKEN and COZE_BOT_ID to talk to a bot of yours.
"""

import os

import anyio

from coze_async import AsyncCoze, ChatFailedError, Polling, PollTimeoutError
from coze_async.emulator import Emulator


def client() -> AsyncCoze:
    if os.environ.get("COZE_API_TOKEN"):
        return AsyncCoze()
    emulator = Emulator()
    return AsyncCoze("any", base_url=emulator.url, transport=emulator.transport())


async def main() -> None:
    bot_id = os.environ.get("COZE_BOT_ID", "emulated")
    async with client() as coze:
        try:
            result = await coze.chat.create_and_poll(
                "请介绍一下杭州", bot_id=bot_id, user_id="example", polling=Polling(timeout=120)
            )
        except ChatFailedError as error:
            print("The bot failed:", error.code, error.msg)
        except PollTimeoutError as error:
            print("Too slow; the chat has been cancelled:", error)
        else:
            print(result.text)
            for chunk in result.knowledge:
                print("From", chunk.document.name if chunk.document else "its knowledge", chunk.url or "")


if __name__ == "__main__":
    anyio.run(main)
