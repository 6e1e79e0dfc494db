"""The emulator that the official SDKs are set against: `python tests/interop/server.py` prints its URL and serves it.

It ends when its standard input does.
"""

import sys

import anyio
import anyio.to_thread

from coze_async.emulator import (
    Answer,
    Ask,
    Chunk,
    Emulator,
    Failure,
    Node,
    Script,
    ToolCall,
    ToolUse,
    WorkflowScript,
)


def scripted() -> Emulator:
    """Make an emulator with a bot for everything that a chat can hold."""
    emulator = Emulator()
    emulator.bot("everything", Script(
        [Answer("Sunny. 晴，24°C。", reasoning="They ask for the weather."), "Bring a hat."],
        knowledge=[Chunk("It is sunny in 杭州.", url="https://example.com/?a=1&b=2")],
        tools=[ToolUse("weather-get", {"city": "杭州"}, '{"sky": "clear"}')],
        follow_ups=["And tomorrow?"],
    ))  # fmt: skip
    emulator.bot("quick", Script("Hello there.", seconds=0.2))
    emulator.bot("kept alive", Script("Hello there.", keep_alive=1))
    emulator.bot("slow", Script("Never told.", seconds=3600.0))
    emulator.bot("tools", Script(requires=[ToolCall("clock", {"zone": "UTC"})], then="It is noon.", seconds=0.2))
    emulator.bot("failing", Script("Half of", failure=Failure(5000, "event interval error"), seconds=0.2))
    emulator.bot("unpublished", None)
    emulator.bot("voice", Script("Hello there.", seconds=0.2))
    emulator.workflow("plain", WorkflowScript({"answer": 42}, nodes=[Node("Think", "Thinking about it.")], seconds=0.2))
    emulator.workflow("kept alive", WorkflowScript({"answer": 42}, nodes=[Node("Think", "Thinking.")], keep_alive=1))
    emulator.workflow("long", WorkflowScript({"answer": 42}, seconds=3600.0))
    emulator.workflow(
        "asking", WorkflowScript(ask=Ask("Which city?", then=lambda city: WorkflowScript({"city": city})))
    )
    emulator.workflow("failing", WorkflowScript(failure=Failure(720702204, "node failed"), seconds=0.2))
    return emulator


async def main() -> None:
    """Serve until nobody holds the other end of standard input."""
    emulator = scripted()
    # A device asks again after the time that it is told, and nobody here wants to wait for the usual five seconds.
    emulator.oauth.interval = 1
    async with anyio.create_task_group() as group:
        print(await group.start(emulator.serve), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)
        group.cancel_scope.cancel()


if __name__ == "__main__":
    anyio.run(main)
