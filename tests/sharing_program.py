"""One of several programs that share a login: `python sharing_program.py '{"url": …}'`; it answers in lines of JSON."""

import asyncio
import json
import sys
import time
from typing import Any

import anyio

from coze_async import AsyncCoze, CozeError, DeviceOAuth, FileTokenStore, Limits


async def ask_for_a_while(task: dict[str, Any]) -> None:
    """Ask again and again, and say how many questions were answered and what went wrong."""
    auth = DeviceOAuth("app", base_url=task["url"]).auth(store=FileTokenStore(task["path"]))
    answered, errors, end = 0, list[str](), time.monotonic() + task["seconds"]
    async with AsyncCoze(auth, base_url=task["url"], limits=Limits.none()) as coze:
        while time.monotonic() < end:
            try:
                await coze.chat.create("Hi", bot_id="b", user_id="u")
                answered += 1
            except CozeError as error:
                errors.append(f"{type(error).__name__}: {error}")
            await anyio.sleep(0.02)
    print(json.dumps({"answered": answered, "errors": errors}), flush=True)


async def wait_for_a_renewal(task: dict[str, Any]) -> None:
    """Ask in a task beside the main one, and stay until somebody ends this."""
    auth = DeviceOAuth("app", base_url=task["url"]).auth(store=FileTokenStore(task["path"]))
    async with AsyncCoze(auth, base_url=task["url"], limits=Limits.none()) as coze:
        asking = asyncio.create_task(coze.chat.create("Hi", bot_id="b", user_id="u"))
        if task["how"] == "main ends":
            await anyio.sleep(task["seconds"])
        elif task["how"] == "all are cancelled":
            await anyio.sleep(task["seconds"])
            for one in asyncio.all_tasks():
                one.cancel()
            await anyio.sleep(60)
        elif task["how"] == "cancelled again and again":
            for _ in range(5):
                await anyio.sleep(task["seconds"] / 5)
                asking.cancel()
        else:
            # Ctrl-C.
            await anyio.sleep(60)


if __name__ == "__main__":
    TASK = json.loads(sys.argv[1])
    if "how" in TASK:
        asyncio.run(wait_for_a_renewal(TASK))
    else:
        anyio.run(ask_for_a_while, TASK, backend=TASK["backend"])
