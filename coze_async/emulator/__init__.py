"""A local Coze that speaks the true wire: for tests, for the demo, for work without a token.

    emulator = Emulator(pace=0.03)
    emulator.bot("7001", Script("Hello! How can I help?", follow_ups=["What can you do?"]))
    emulator.fail(Cut(after=5), on="POST /v3/chat")
    async with httpx.AsyncClient(transport=emulator.transport(), base_url=emulator.url) as http:
        body = {"bot_id": "7001", "user_id": "u", "stream": True, "additional_messages": [...]}
        async with http.stream("POST", "/v3/chat", json=body, headers={"Authorization": "Bearer pat_x"}) as response:
            ...

What is made through the API can be read back, changed and deleted, in memory or in a file (`Emulator(state=…)`); bots,
workflows and workspaces that nobody has made answer by themselves.

In the process it needs nothing but the library's own dependencies. `Emulator.serve` opens a port, for other programs
and languages, and needs the extra `emulator`.
"""

from ._body import ConnectionDropped, EmulatedResponse
from ._emulator import Emulator
from ._fault_kinds import FAULT_KINDS, FaultKind, parse_fault
from ._faults import (
    Break,
    Code,
    Cut,
    Duplicate,
    ErrorEvent,
    Fault,
    Html,
    Refuse,
    Reorder,
    Slow,
    Stall,
    Text,
    TruncatedJson,
    Unreachable,
    WrongContentType,
)
from ._form import ReceivedFile, ReceivedForm
from ._journal import Journal, Seen
from ._limits import EmulatorLimits, Quota
from ._oauth import OAuthApp, OAuthServer
from ._script_file import ScriptError
from ._scripts import (
    Answer,
    Ask,
    ChatInput,
    Chunk,
    Failure,
    Node,
    Script,
    ToolCall,
    ToolUse,
    Usage,
    Verbose,
    WorkflowInput,
    WorkflowScript,
    default_bot,
    default_workflow,
)
from ._state import ChatState, RunState
from ._wire import Dialect
from ._world import RecordedRequest

__all__ = [
    "FAULT_KINDS",
    "Answer",
    "Ask",
    "Break",
    "ChatInput",
    "ChatState",
    "Chunk",
    "Code",
    "ConnectionDropped",
    "Cut",
    "Dialect",
    "Duplicate",
    "EmulatedResponse",
    "Emulator",
    "EmulatorLimits",
    "ErrorEvent",
    "Failure",
    "Fault",
    "FaultKind",
    "Html",
    "Journal",
    "Node",
    "OAuthApp",
    "OAuthServer",
    "Quota",
    "ReceivedFile",
    "ReceivedForm",
    "RecordedRequest",
    "Refuse",
    "Reorder",
    "RunState",
    "Script",
    "ScriptError",
    "Seen",
    "Slow",
    "Stall",
    "Text",
    "ToolCall",
    "ToolUse",
    "TruncatedJson",
    "Unreachable",
    "Usage",
    "Verbose",
    "WorkflowInput",
    "WorkflowScript",
    "WrongContentType",
    "default_bot",
    "default_workflow",
    "parse_fault",
]
