"""Ask for many users at once: one call, an outcome for each, and the client keeps every user within the limits.

Run it as it is, or set COZE_API_TOKEN and COZE_BOT_ID to talk to a bot of yours.
"""

import os

import anyio

from coze_async import AsyncCoze, ChatItem, Limits, Rate
from coze_async.emulator import Emulator


def client() -> AsyncCoze:
    limits = Limits(chat=Rate(60, 60.0), chats_at_once=4, account=100)
    if os.environ.get("COZE_API_TOKEN"):
        return AsyncCoze(limits=limits)
    emulator = Emulator(pace=0.005)
    return AsyncCoze("any", base_url=emulator.url, transport=emulator.transport(), limits=limits)


async def main() -> None:
    bot_id = os.environ.get("COZE_BOT_ID", "emulated")
    # One of them asks nothing: it fails, and the others do not notice.
    topics = ["tea", "paper fans", "", *(f"gifts for user-{number}" for number in range(3, 20))]
    items = [ChatItem(topic and f"Tell me about {topic}.", user_id=f"user-{n}") for n, topic in enumerate(topics)]
    answers: dict[str | None, str] = {}
    tokens = 0

    began = anyio.current_time()
    async with client() as coze, coze.chat.batch(items, bot_id=bot_id, limit=10) as outcomes:
        async for outcome in outcomes:
            if outcome.error is not None:
                print(f"{outcome.item.user_id}: {outcome.error}")
                continue
            answers[outcome.item.user_id] = outcome.value.text
            tokens += outcome.usage.token_count if outcome.usage else 0
    print(f"{len(answers)} answers in {anyio.current_time() - began:.1f} s, {tokens} tokens")
    print(f"One of them: {answers.get('user-7', '')}")


if __name__ == "__main__":
    anyio.run(main)
