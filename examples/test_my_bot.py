"""Test a bot without a token: what your code makes of answers, tools, broken streams and refusals.

Run it with `pytest examples/test_my_bot.py`; coze_async brings the fixtures `coze` and `coze_emulator`.
"""

import pytest

from coze_async import AsyncCoze, Polling, RateLimitError, StreamInterruptedError, ToolOutput
from coze_async.emulator import ChatInput, Cut, Emulator, Refuse, Script, ToolCall

# --- the program ------------------------------------------------------------------------------------------------------

BOT = "weather-bot"


async def forecast(coze: AsyncCoze, city: str) -> str:
    """Ask the weather bot; what it wants to know, it is told."""
    try:
        result = await coze.chat.ask(f"How is the weather in {city}?", bot_id=BOT, user_id="u-1")
        if result.tool_calls:
            outputs = [ToolOutput(tool_call_id=call.id, output="24 degrees") for call in result.tool_calls]
            stream = coze.chat.submit_tool_outputs_stream(
                conversation_id=result.conversation_id or "", chat_id=result.chat_id or "", tool_outputs=outputs
            )
            result = await stream.result()
        return result.text
    except RateLimitError:
        return "Too many questions. Come back in a minute."
    except StreamInterruptedError as error:
        return f"{error.partial.text if error.partial else ''}… (the line broke)"


# --- its tests --------------------------------------------------------------------------------------------------------

# anyio runs them; with pytest-asyncio write `pytest.mark.asyncio` instead, or nothing in its auto mode.
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_answer_of_the_bot_is_what_users_see(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    coze_emulator.bot(BOT, "Sunny, 24 degrees.")
    assert await forecast(coze, "Hangzhou") == "Sunny, 24 degrees."


async def test_the_city_reaches_the_bot(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    def script(given: ChatInput) -> str:
        return "Foggy." if "London" in given.question else "Sunny."

    coze_emulator.bot(BOT, script)
    assert (await forecast(coze, "London"), await forecast(coze, "Hangzhou")) == ("Foggy.", "Sunny.")
    assert [request.body["user_id"] for request in coze_emulator.requests] == ["u-1", "u-1"]


async def test_a_tool_is_called_for_the_bot(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    call = ToolCall("thermometer", {"city": "Hangzhou"})
    coze_emulator.bot(BOT, Script(requires=[call], then=lambda outputs: f"It is {', '.join(outputs.values())}."))
    assert await forecast(coze, "Hangzhou") == "It is 24 degrees."


@pytest.mark.parametrize("coze_dialect", ["cloud", "studio", "plus"])
async def test_a_stream_that_breaks_leaves_what_came(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    coze_emulator.bot(BOT, "Sunny, and warm, and then some more.")
    coze_emulator.fail(Cut(after=4), on="POST /v3/chat")
    assert (await forecast(coze, "Hangzhou")).endswith("… (the line broke)")


async def test_a_server_that_is_busy_is_said_to_be(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    coze_emulator.fail(Refuse(429, 4013), on="POST /v3/chat", times=None)
    assert await forecast(coze, "Hangzhou") == "Too many questions. Come back in a minute."


async def test_a_polled_chat_takes_no_seconds(coze: AsyncCoze, coze_emulator: Emulator) -> None:
    coze_emulator.bot(BOT, Script("Sunny.", seconds=0.0))
    fast = Polling(interval=0.01)
    assert (await coze.chat.create_and_poll("Well?", bot_id=BOT, user_id="u-1", polling=fast)).text == "Sunny."
