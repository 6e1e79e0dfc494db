"""Ask for many users at once: one task each, and the client keeps every user within the limits.

Run it as it is, or set COZE_API_TOKEN and COZE_BOT_ID to talk to a bot of yours.
"""

import os

import anyio

from coze_async import AsyncCoze, CozeError, Limits, Rate
from coze_async.emulator import Emulator


def client() -> AsyncCoze:
    limits = Limits(chat=Rate(60, 60.0), chats_at_once=4, account=100)
    if os.environ.get("COZE_API_TOKEN"):
        return AsyncCoze(limits=limits)
    emulator = Emulator(pace=0.005)
    return AsyncCoze("any", base_url=emulator.url, transport=emulator.transport(), limits=limits)


async def main() -> None:
    bot_id = os.environ.get("COZE_BOT_ID", "emulated")
    answers: dict[str, str] = {}

    async def ask(coze: AsyncCoze, user: str) -> None:
        try:
            result = await coze.chat.ask(f"Tell me about gifts for {user}.", bot_id=bot_id, user_id=user)
        except CozeError as error:
            # One that fails must not cancel the others.
            print(f"{user}: {error}")
        else:
            answers[user] = result.text

    began = anyio.current_time()
    async with client() as coze, anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(ask, coze, f"user-{number}")
    print(f"{len(answers)} answers in {anyio.current_time() - began:.1f} s; one of them: {answers.get('user-7', '')}")


if __name__ == "__main__":
    anyio.run(main)
