"""Run a workflow: once for its result, once to watch its nodes, and answer what it asks on the way.

Run it as it is, or set COZE_API_TOKEN and COZE_WORKFLOW_ID to run a workflow of yours.
"""

import os

import anyio

from coze_async import AsyncCoze, WorkflowMessage
from coze_async.emulator import Emulator


def client() -> AsyncCoze:
    if os.environ.get("COZE_API_TOKEN"):
        return AsyncCoze()
    emulator = Emulator()
    return AsyncCoze("any", base_url=emulator.url, transport=emulator.transport())


async def main() -> None:
    # In the emulator a workflow whose id ends in "ask" asks a question first.
    workflow_id = os.environ.get("COZE_WORKFLOW_ID", "weather-ask")
    async with client() as coze:
        run = await coze.workflows.run(workflow_id=workflow_id, parameters={"days": 3})
        print("Result:", run.json() or "none yet: it waits for an answer")

        stream = coze.workflows.stream(workflow_id=workflow_id, parameters={"days": 3})
        while True:
            async for event in stream:
                if isinstance(event, WorkflowMessage):
                    print(event.content, end="\n" if event.node_is_finish else "", flush=True)
            waiting = (await stream.result()).interrupt_data
            if waiting is None:
                break
            stream = coze.workflows.resume(
                workflow_id=workflow_id, event_id=waiting.event_id, interrupt_type=waiting.type, resume_data="Paris"
            )


if __name__ == "__main__":
    anyio.run(main)
