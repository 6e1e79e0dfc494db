"""See the library at work: a streamed chat, a polled chat, a workflow run.

Without COZE_API_TOKEN and COZE_BOT_ID the built-in emulator answers. Only the core dependencies are needed.
"""

import io
import os
import shutil
import sys
from dataclasses import replace
from typing import Any, cast

import anyio

from coze_async import AsyncCoze, CozeError, Polling
from coze_async.emulator import Emulator, default_bot, default_workflow

IS_REAL = bool(os.environ.get("COZE_API_TOKEN") and os.environ.get("COZE_BOT_ID"))
IS_WATCHED = sys.stdout.isatty()
BOT, USER = os.environ.get("COZE_BOT_ID") or "emulated", "demo"
WORKFLOW = os.environ.get("COZE_WORKFLOW_ID", "") if IS_REAL else "emulated"


def show(text: str, style: str = "") -> None:
    """Print a line, in colour if rich is there."""
    try:
        from rich.console import Console
    except ImportError:
        print(text)
    else:
        Console(highlight=False, markup=False, soft_wrap=True).print(text, style=style or None)


def heading(title: str, code: str) -> None:
    show(f"\n{title}", "bold cyan")
    for line in code.strip("\n").splitlines():
        show(f"  {line}", "dim")
    print(flush=True)


def client() -> AsyncCoze:
    if IS_REAL:
        return AsyncCoze()
    emulator = Emulator(pace=0.03 if IS_WATCHED else 0.0)
    if not IS_WATCHED:
        emulator.bot(BOT, lambda given: replace(default_bot(given), seconds=0.0))
        emulator.workflow(WORKFLOW, lambda given: replace(default_workflow(given), seconds=0.0))
    return AsyncCoze("any", base_url=emulator.url, transport=emulator.transport())


async def streamed(coze: AsyncCoze) -> None:
    heading("1. A chat, streamed", """
async for text in coze.chat.stream(question, bot_id=bot, user_id=user).text():
    print(text, end="", flush=True)
""")  # fmt: skip
    for question in ("请介绍一下西湖龙井茶", "What is green tea?"):
        show(f"> {question}", "bold")
        async for text in coze.chat.stream(question, bot_id=BOT, user_id=USER).text():
            print(text, end="", flush=True)
        print()


async def polled(coze: AsyncCoze) -> None:
    heading("2. A chat, polled: for jobs in which nobody watches", """
result = await coze.chat.create_and_poll(question, bot_id=bot, user_id=user)
print(result.text, result.follow_ups, result.usage)
""")  # fmt: skip
    question = "What is the right water temperature?"
    show(f"> {question}", "bold")
    polling = Polling() if IS_REAL or IS_WATCHED else Polling(interval=0.01)
    result = await coze.chat.create_and_poll(question, bot_id=BOT, user_id=USER, polling=polling)
    print(result.text)
    for follow_up in result.follow_ups:
        show(f"  ? {follow_up}", "dim")
    if result.usage:
        show(f"  {result.usage.token_count} tokens", "dim")


async def workflow(coze: AsyncCoze) -> None:
    heading("3. A workflow", """
run = await coze.workflows.run(workflow_id=workflow, parameters={"city": "杭州"})
print(run.json())
""")  # fmt: skip
    if not WORKFLOW:
        print("Left out: set COZE_WORKFLOW_ID to run one of yours.")
        return
    parameters: dict[str, Any] = {"city": "杭州"}
    run = await coze.workflows.run(workflow_id=WORKFLOW, parameters=parameters)
    print(run.json())


def what_next() -> None:
    here = os.path.relpath(sys.executable)
    python = "python" if shutil.which("python") == sys.executable else sys.executable if here.startswith("..") else here
    if not IS_REAL:
        show("\nThat was the built-in emulator. To talk to a bot of yours, set", "bold")
        print("  COZE_API_TOKEN  a personal access token, pat_…")
        print("  COZE_API_BASE   https://api.coze.cn (the default), https://api.coze.com, or your own")
        print("  COZE_BOT_ID     a bot that is published to the API channel")
    show("\nNext", "bold")
    for command in ("-m coze_async doctor", '-m coze_async chat "你好"', "examples/chat_stream.py"):
        print(f"  {python} {command}")


async def main() -> int:
    try:
        async with client() as coze:
            show(f"coze_async talks to {coze.base_url if IS_REAL else 'its built-in emulator; no token is needed'}.")
            await streamed(coze)
            await polled(coze)
            await workflow(coze)
    except CozeError as error:
        show(f"\n{error}", "red")
        return 1
    what_next()
    return 0


if __name__ == "__main__":
    # Where Chinese cannot be printed, its numbers can.
    cast("io.TextIOWrapper", sys.stdout).reconfigure(errors="backslashreplace")
    try:
        sys.exit(anyio.run(main))
    except KeyboardInterrupt:
        sys.exit(130)
