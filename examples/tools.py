"""Run the tools that a bot asks for, submit what they say, and print the answer made from it.

Run it as it is, or set COZE_API_TOKEN and COZE_BOT_ID to talk to a bot of yours with a local plug-in.
"""

import json
import os

import anyio

from coze_async import AsyncCoze, ToolCall, ToolOutput, emulator


def client() -> AsyncCoze:
    if os.environ.get("COZE_API_TOKEN"):
        return AsyncCoze()
    server = emulator.Emulator()
    wanted = [emulator.ToolCall("get_weather", {"city": "Hangzhou"})]
    server.bot(
        "emulated", emulator.Script(requires=wanted, then=lambda outputs: f"I asked: {next(iter(outputs.values()))}.")
    )
    return AsyncCoze("any", base_url=server.url, transport=server.transport())


def run(call: ToolCall) -> str:
    arguments: dict[str, str] = json.loads(call.function.arguments) if call.function else {}
    return f"22 degrees and a light wind in {arguments.get('city', 'an unnamed city')}"


async def main() -> None:
    bot_id = os.environ.get("COZE_BOT_ID", "emulated")
    async with client() as coze:
        stream = coze.chat.stream("What is the weather in Hangzhou?", bot_id=bot_id, user_id="example")
        while True:
            async for text in stream.text():
                print(text, end="", flush=True)
            result = await stream.result()
            if not result.tool_calls:
                break
            outputs = [ToolOutput(tool_call_id=call.id, output=run(call)) for call in result.tool_calls]
            print("The bot used:", *(call.function.name for call in result.tool_calls if call.function))
            stream = coze.chat.submit_tool_outputs_stream(
                conversation_id=result.conversation_id, chat_id=result.chat_id, tool_outputs=outputs
            )
        print()


if __name__ == "__main__":
    anyio.run(main)
