"""Print a bot's answer while it is being written, then what came with it.

Run it as it is, or set COZE_API_TOKEN and COZE_BOT_ID to talk to a bot of yours.
"""

import os

import anyio

from coze_async import AsyncCoze
from coze_async.emulator import Emulator


def client() -> AsyncCoze:
    if os.environ.get("COZE_API_TOKEN"):
        return AsyncCoze()
    emulator = Emulator(pace=0.02)
    return AsyncCoze("any", base_url=emulator.url, transport=emulator.transport())


async def main() -> None:
    bot_id = os.environ.get("COZE_BOT_ID", "emulated")
    async with client() as coze:
        async with coze.chat.stream("What is green tea?", bot_id=bot_id, user_id="example") as stream:
            async for text in stream.text():
                print(text, end="", flush=True)
            result = await stream.result()
        print("\n\nAsk next:", *result.follow_ups, sep="\n- ")
        print("Tokens:", result.usage.token_count if result.usage else "not told")

        # The next question of the same conversation.
        again = await coze.chat.ask(
            "What did I ask?", bot_id=bot_id, user_id="example", conversation_id=result.conversation_id
        )
        print(again.text)


if __name__ == "__main__":
    anyio.run(main)
