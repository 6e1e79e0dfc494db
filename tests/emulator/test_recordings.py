"""The emulator's self-hosted dialects against real servers: every recorded request is answered as it was.

The recordings are of Coze Studio 4f786d6 and Coze Plus fb00b21, run on 2026-11-30 (tests/data/studio.json and
plus.json). They are replayed in order against one emulator each, with its ids for the recorded ones. Alike are status,
headers, framing, the chunks of streams, the order of events, codes, JSON keys and the types of their values; ids, times
and texts differ.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, cast

import anyio
import httpx
import pytest
from emulator.talk import stream_of

from coze_async.emulator import (
    Answer,
    Ask,
    ChatInput,
    Chunk,
    Dialect,
    Emulator,
    Failure,
    Node,
    Script,
    ToolUse,
    Usage,
    WorkflowInput,
    WorkflowScript,
)

Exchange: TypeAlias = dict[str, Any]

DATA = Path(__file__).parents[1] / "data"

NOT_EMULATED: Mapping[str, str] = {
    "ordinary_permission_user_list": "The accounts of the web page: no client of the API reads them.",
    "ordinary_corporation_list": "The companies of the web page: no client of the API reads them.",
    "disabled_user_login": "The emulator has no passwords, so nobody can be locked out.",
    "workflow_retrieve_io": "The emulator does not know which workflows are chatflows; it answers as for one.",
}
"""Exchanges that are not compared, and why."""

# The model of the recordings: what it writes, and what the words of a question make it do.
_TEXT = ["你好", "，我是", "自托管", "的助手。\n", "Second line ", 'with "quotes"', " and done."]
_USAGE = Usage(11, 7)
_MODEL_FAILED = Failure(103200002, "Internal Server Error")
_NODE_FAILED = "error, status code: 500, status: 500 Internal Server Error, message: boom"


def plain(given: ChatInput, *, thinks: bool = False, follow_ups: tuple[str, ...] = ("问一", "问二", "问三")) -> Script:
    """A bot on the model of the recordings."""
    question = given.question
    if question.startswith(("FAIL500", "FAIL401")):
        return Script(failure=_MODEL_FAILED, seconds=0.1)
    if question.startswith(("MIDFAIL", "MIDCUT")):
        return Script(Answer(pieces=[*_TEXT[:2], ""]), failure=_MODEL_FAILED, seconds=0.1)
    if question.startswith("EMPTY"):
        return Script(follow_ups=follow_ups, usage=_USAGE, seconds=0.1)
    pieces = _TEXT
    if question.startswith("SLOW"):
        pieces = [f"slow{number} " for number in range(30)]
    elif question.startswith("HIST"):
        pieces = [json.dumps([["user", text] for text in (*given.history, question)], ensure_ascii=False)]
    answer = Answer(pieces=pieces, reasoning="先想一" if thinks else "")
    return Script(answer, follow_ups=follow_ups, usage=_USAGE, seconds=12.0 if question.startswith("SLOW") else 0.1)


def thinking(given: ChatInput) -> Script:
    """A bot on a model that thinks first."""
    return plain(given, thinks=True)


def with_tool(given: ChatInput) -> Script:
    """A bot with a workflow as its plug-in."""
    spoken = plain(given)
    return Script(
        spoken.answers,
        tools=[ToolUse("ts_echo_echo", {"input": "x"}, '{"output":"x"}')],
        follow_ups=spoken.follow_ups,
        usage=_USAGE,
    )


def asking_tool(given: ChatInput) -> Script:
    """A bot whose plug-in workflow asks for a name."""
    if given.question == "Bob":
        spoken = plain(given)
        tool = ToolUse("ts_ask_ask", {"input": "x"}, '{"output":"Bob"}')
        return Script(spoken.answers, tools=[tool], follow_ups=spoken.follow_ups, usage=_USAGE)
    tool = ToolUse("ts_ask_ask", {"input": "x"}, "directly streaming reply")
    return Script(tools=[tool], asks="Your name, x?", usage=_USAGE)


def on_chatflow(given: ChatInput) -> Script:
    """A bot on a chatflow."""
    return Script([f"Hi {given.question}.", f"You said {given.question}"], chatflow=True)


def on_asking_chatflow(given: ChatInput) -> Script:
    """A bot on a chatflow that asks for a name."""
    if given.question == "Bob":
        return Script("Got Bob", chatflow=True)
    return Script(asks=f"Your name, {given.question}?", chatflow=True)


def knowing(given: ChatInput) -> Script:
    """A bot with a knowledge base, and no follow-ups."""
    del given
    found = Chunk("The ticket is 45 yuan & opens <b> at 8.", 1, "t.txt", dataset="")
    return Script(Answer(pieces=_TEXT), knowledge=[found], usage=_USAGE)


def echo(given: WorkflowInput) -> WorkflowScript:
    """A workflow that gives back what it was given."""
    value = given.parameters.get("input", "")
    return WorkflowScript({"output": value if isinstance(value, str) else json.dumps(value)}, seconds=0)


def message(given: WorkflowInput) -> WorkflowScript:
    """A workflow with a message, that ends with a text."""
    value = given.parameters.get("input", "")
    text = f"Hello {value}"
    return WorkflowScript(f"Bye {value}", nodes=[Node("Say", text, pieces=[text])], seconds=0)


def model(given: WorkflowInput) -> WorkflowScript:
    """A workflow around the model, whose text streams twice."""
    asked = str(given.parameters.get("input", ""))
    emitted, told = ["emitter: ", *_TEXT], ["pure_output_for_subworkflow exit: ", *_TEXT]
    if asked.startswith("FAIL500"):
        return WorkflowScript(failure=Failure(720701013, f"Workflow execution failure: {_NODE_FAILED}"), seconds=0)
    if asked.startswith("MIDFAIL"):
        nodes = [Node("输出", "", pieces=emitted[:2])]
        return WorkflowScript(
            nodes=nodes, failure=Failure(720701013, "Workflow execution failure: mid boom"), seconds=0
        )
    return WorkflowScript(
        "".join(told), pieces=told, nodes=[Node("输出", "".join(emitted), pieces=emitted)], usage=_USAGE, seconds=0
    )


def form(given: WorkflowInput) -> WorkflowScript:
    """A workflow with an input node."""
    del given
    schema = '[{"type":"string","name":"input","required":false}]'
    then = WorkflowScript({"field1": '["1"]', "input": "user input", "inputArr": None})
    return WorkflowScript(ask=Ask(schema, type=5, title="输入", then=then), seconds=0)


def asking(given: WorkflowInput) -> WorkflowScript:
    """A workflow that asks for a name."""
    return WorkflowScript(ask=Ask(f"Your name, {given.parameters.get('input', '')}?", title="问答"), seconds=0)


def chatflow(given: WorkflowInput) -> WorkflowScript:
    """A chatflow with two answers."""
    text = f"Hi {given.question}."
    return WorkflowScript(f"You said {given.question}", nodes=[Node("Say", text, pieces=[text])])


def asking_chatflow(given: WorkflowInput) -> WorkflowScript:
    """A chatflow that asks for a name."""
    asked = Ask(f"Your name, {given.question}?", then=lambda answer: WorkflowScript(f"Got {answer}"))
    return WorkflowScript(ask=asked)


_PUBLISHED = WorkflowScript(published=False)
_NO_MODEL = Script(
    failure=Failure(103100001, "get model by id failed: model 999 not found", before_run=True), seconds=0.1
)
_BOTS: Mapping[Dialect, Mapping[str, Any]] = {
    "studio": {
        "7713975273716187136": plain,
        "7713975273963651072": plain,
        "7713975274047537152": thinking,
        "7713975274097868800": None,
        "7713976326566182912": with_tool,
        "7713976326788481024": asking_tool,
        "7713976326834618368": thinking,
        "7713976326876561408": on_chatflow,
        "7713976326910115840": on_asking_chatflow,
        "7713977555958628352": knowing,
        "7713979255998119936": _NO_MODEL,
        "123456789": None,
        "98": None,
    },
    "plus": {
        "7714000006268583936": plain,
        "7714000006549602304": plain,
        "7714000006595739648": thinking,
        "7714000006629294080": None,
        "7714000044348669952": with_tool,
        "7714000044407390208": asking_tool,
        "7714000044470304768": on_chatflow,
        "7714000044499664896": on_asking_chatflow,
        "123456789": None,
        "98": None,
    },
}
_WORKFLOWS: Mapping[Dialect, Mapping[str, Any]] = {
    "studio": {
        "7713975274127228928": echo,
        "7713975274374692864": message,
        "7713975274441801728": model,
        "7713975274567630848": form,
        "7713975274622156800": asking,
        "7713975274680877056": _PUBLISHED,
        "7713975274714431488": chatflow,
        "7713975274764763136": asking_chatflow,
        "98": None,
    },
    "plus": {
        "7714000006654459904": echo,
        "7714000006910312448": message,
        "7714000006948061184": model,
        "7714000007019364352": form,
        "7714000007052918784": asking,
        "7714000007094861824": _PUBLISHED,
        "7714000007111639040": chatflow,
        "7714000007145193472": asking_chatflow,
        "98": None,
    },
}

# What a recording does not hold: requests that went before one, files that were uploaded, headers.
_UPLOADS: Mapping[str, Any] = {
    "file_upload": {"files": {"file": ("hällo 你好.txt", b"hello")}},
    "file_upload_empty": {"files": {"file": ("e.txt", b"")}},
    "file_upload_png": {"files": {"file": ("a.png", b"\x89PNG" + bytes(63))}},
    "file_upload_octet": {"content": b"hello", "headers": {"content-type": "application/octet-stream"}},
}
_HEADERS: Mapping[str, Mapping[str, str]] = {
    "route_api_bad_session": {"cookie": "session_key=bad"},
    "bearer_twice": {"authorization": "Bearer Bearer pat_main"},
}


def load(dialect: Dialect) -> dict[str, Exchange]:
    """The exchanges of a server by name, in the order in which they were recorded."""
    return cast("dict[str, Exchange]", json.loads((DATA / f"{dialect}.json").read_text(encoding="utf-8")))


_CHAT = ("POST", "/v3/chat")


def asked(text: str, bot_id: str, **more: Any) -> dict[str, Any]:
    """The body of a chat as the recordings have it."""
    said = {"role": "user", "content": text, "content_type": "text", "type": "question"}
    return {"bot_id": bot_id, "user_id": "u-1", "stream": True, "additional_messages": [said], **more}


@dataclass(frozen=True)
class Before:
    """A request that went before a recorded one and was not recorded, with the ids that its answer had."""

    method: str
    path: str
    body: Any
    learn: Mapping[str, str] = field(default_factory=dict[str, str])
    query: Mapping[str, str] = field(default_factory=dict[str, str])


_BOB = {"role": "user", "content": "Bob", "content_type": "text"}
_HELLO = {"role": "user", "content": "hello", "content_type": "text"}
_BEFORE: Mapping[Dialect, Mapping[str, list[Before]]] = {
    "studio": {
        "conversation_messages_list": [
            Before(*_CHAT, asked("HIST third", "7713975273716187136", ConversationID="7713977877829517312"))
        ],
        "conversation_list": [
            Before("POST", "/v1/conversation/create", {"bot_id": "7713975273716187136"}, {"id": "7713977895395262464"})
        ],
        "workflow_history_interrupted": [
            Before(
                "POST",
                "/v1/workflow/run",
                {"workflow_id": "7713975274622156800", "parameters": {"input": "x"}, "is_async": True},
                {"execute_id": "7713978001104306176"},
            )
        ],
        "messages_order_DESC": [
            Before(
                "POST",
                "/v1/workflows/chat",
                {
                    "workflow_id": "7713975274764763136",
                    "bot_id": "7713975273716187136",
                    "conversation_id": "7713977877829517312",
                    "additional_messages": [_BOB],
                },
            )
        ],
        "document_list_after": [
            Before(
                "POST",
                "/open_api/knowledge/document/create",
                {
                    "dataset_id": "7713977454586494976",
                    "document_bases": [{"name": "t.txt", "source_info": {"tos_uri": "FileBizType.Knowledge/1.txt"}}],
                },
                {"document_id": "7713977454632632320"},
            )
        ],
    },
    "plus": {
        # More conversations than a page holds.
        "chat_stream_first": [Before("POST", "/v1/conversation/create", {"bot_id": "7714000006268583936"})] * 20,
        "chat_stream_conv_in_body_ConversationID": [
            Before(
                *_CHAT, asked("HIST second", "7714000006268583936"), query={"conversation_id": "7714000045149782016"}
            )
        ],
        "chat_cancel_again": [
            Before(
                *_CHAT,
                asked("EMPTY", "7714000006268583936"),
                {"conversation_id": "7714000053244788736", "id": "7714000053248983040"},
            )
        ],
        "conversation_create_name": [
            Before(
                "POST",
                "/v1/conversation/create",
                {"bot_id": "7714000006268583936", "meta_data": {"a": "b"}},
                {"id": "7714000114104139776"},
            )
        ],
        "conversation_list_page2": [Before("POST", "/v1/conversation/create", {"bot_id": "7714000006268583936"})],
        "conversation_messages_list_after": [
            Before(
                "POST",
                "/v1/conversation/message/list",
                {},
                {"first_id": "7714000046257078272", "last_id": "7714000045162364928"},
                {"conversation_id": "7714000045149782016"},
            )
        ],
        "workflow_resume_again": [
            Before(
                "POST",
                "/v1/workflow/stream_resume",
                {
                    "workflow_id": "7714000007052918784",
                    "event_id": "7714000125751721984/7714000125755932672",
                    "interrupt_type": 2,
                    "resume_data": "Bob",
                },
            )
        ],
        "workflow_resume_input": [
            Before(
                "POST",
                "/v1/workflow/stream_run",
                {"workflow_id": "7714000007019364352", "parameters": {"input": "hi"}},
                {"event_id": "7714000126108237824/7714000126116642816"},
            )
        ],
        "chatflow_answer": [
            Before(
                "POST",
                "/v1/workflows/chat",
                {
                    "workflow_id": "7714000007145193472",
                    "bot_id": "7714000006268583936",
                    "conversation_id": "7714000045149782016",
                    "additional_messages": [_HELLO],
                },
            )
        ],
        "tool_conversation_messages": [
            Before(*_CHAT, asked("TOOL please", "7714000044348669952"), {"conversation_id": "7714000394354950144"})
        ],
        "asktool_answer": [
            Before(*_CHAT, asked("TOOL please", "7714000044407390208"), {"conversation_id": "7714000395265114112"})
        ],
        "workflow_history_sync": [
            Before(
                "POST",
                "/v1/workflow/run",
                {"workflow_id": "7714000006948061184", "parameters": {"input": "x"}},
                {"execute_id": "7714000425187278848"},
            )
        ],
    },
}


@dataclass(frozen=True)
class Answered:
    """What the emulator answered."""

    status: int
    headers: httpx.Headers
    body: str
    chunks: int


class Replay:
    """Plays the exchanges of one server against an emulator, and compares."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect: Dialect = dialect
        self.exchanges = load(dialect)
        self.emulator = Emulator(dialect)
        self.emulator.account("pat_other")
        self.emulator.account("other")
        self._ids: dict[str, str] = {}
        for bot_id, script in _BOTS[dialect].items():
            self.emulator.bot(bot_id, script)
        for workflow_id, script in _WORKFLOWS[dialect].items():
            self.emulator.workflow(workflow_id, script)

    async def differences(self) -> dict[str, list[str]]:
        """What differs, by the name of the exchange; those alike are left out."""
        start = anyio.current_time()
        found: dict[str, list[str]] = {}
        for name, exchange in self.exchanges.items():
            if exchange["at"] is not None:
                await anyio.sleep(max(0.0, start + exchange["at"] - anyio.current_time()))
            for before in _BEFORE[self.dialect].get(name, ()):
                await self._prepare(before)
            if name not in NOT_EMULATED:
                found[name] = await (
                    self._cancelled(exchange) if "cancel" in exchange else self._played(name, exchange)
                )
        return {name: told for name, told in found.items() if told}

    async def _prepare(self, before: Before) -> None:
        request = {"method": before.method, "path": before.path, "body": before.body, "query": dict(before.query)}
        answered = await self._send(self._request("", {**request, "auth": "token"}))
        given = [value for data in payloads(answered.body) for value in walk(data)]
        for key, recorded in before.learn.items():
            mine = next(value for name, value in given if name == key)
            self._learn_id(recorded, str(mine))

    async def _played(self, name: str, exchange: Exchange) -> list[str]:
        request = self._request(name, exchange["request"])
        if name == "early_leave":
            events = exchange["body"].count("event:")
            answered = await self._send(request, events=events - 1)
            exchange = {**exchange, "body": exchange["body"].rpartition("event:")[0], "pieces": 0}
        else:
            answered = await self._send(request)
        return list(self._compared(exchange, answered))

    async def _cancelled(self, exchange: Exchange) -> list[str]:
        """A chat that is cancelled while its stream is read."""
        response = await self.emulator.transport().handle_async_request(self._request("", exchange["request"]))
        read = aiter(stream_of(response))
        body = b""
        while body.count(b"message.delta") < 2 or not body.endswith(b"\n\n"):
            body += await anext(read)
        chat = json.loads(re.search(rb"data:(.*)", body)[1])  # type: ignore[index]  # pyright: ignore[reportOptionalSubscript]
        ids = {"conversation_id": chat["conversation_id"], "chat_id": chat["id"]}
        named = ids if exchange["cancel"]["status"] == 200 else {"conversation_id": ids["conversation_id"]}
        cancel = await self._send(self._request("", {"method": "POST", "path": "/v3/chat/cancel", "body": named}))
        found = [*self._bodies(exchange["cancel"]["body"], cancel.body)]
        if cancel.status != exchange["cancel"]["status"]:
            found.append(f"cancel: status {cancel.status}")
        retrieve = {"method": "GET", "path": "/v3/chat/retrieve", "query": ids}
        if "retrieve_after_cancel" in exchange:
            answered = await self._send(self._request("", retrieve))
            found += self._bodies(exchange["retrieve_after_cancel"], answered.body)
        body += b"".join([chunk async for chunk in stream_of(response)])
        await response.aclose()
        found += self._bodies(exchange["body"], body.decode())
        if "retrieve_at_the_end" in exchange:
            answered = await self._send(self._request("", retrieve))
            found += self._bodies(exchange["retrieve_at_the_end"], answered.body)
        return found

    def _request(self, name: str, recorded: Mapping[str, Any]) -> httpx.Request:
        """A recorded request with the emulator's ids, as this person or another."""
        is_other = name.startswith(("foreign_", "disabled_user_token", "ordinary_"))
        headers: dict[str, str] = {}
        match recorded.get("auth", "token"):
            case "token":
                headers["authorization"] = "Bearer pat_other" if is_other else "Bearer pat_main"
            case "session":
                headers["cookie"] = "session_key=main"
            case "session of an ordinary user":
                headers["cookie"] = "session_key=other"
            case "Bearer pat_wrong":
                headers["authorization"] = "Bearer bad_token"
            case str(given):
                headers["authorization"] = given
            case _:
                pass
        more: dict[str, Any] = dict(_UPLOADS.get(name, {}))
        if "body" in recorded:
            headers["content-type"] = "application/json"
            more["content"] = self._mine(json.dumps(recorded["body"])).encode()
        elif "raw_body" in recorded:
            more["content"] = self._mine(recorded["raw_body"]).encode()
        query = {key: self._mine(str(value)) for key, value in recorded.get("query", {}).items()}
        headers |= {**more.pop("headers", {}), **_HEADERS.get(name, {})}
        return httpx.Request(
            recorded["method"],
            f"{self.emulator.url}{self._mine(recorded['path'])}",
            params=query or None,
            headers=headers,
            **more,
        )

    async def _send(self, request: httpx.Request, *, events: int | None = None) -> Answered:
        response = await self.emulator.transport().handle_async_request(request)
        chunks: list[bytes] = []
        async for chunk in stream_of(response):
            chunks.append(chunk)
            if events is not None and b"".join(chunks).count(b"\n\n") == events:
                break
        await response.aclose()
        return Answered(response.status_code, response.headers, b"".join(chunks).decode(), len(chunks))

    def _mine(self, text: str) -> str:
        """A recorded text with the emulator's ids."""
        return re.sub(r"[0-9]{16,}", lambda found: self._ids.get(found[0], found[0]), text)

    def _learn_id(self, recorded: str, mine: str) -> None:
        for theirs, ours in zip(recorded.split("/"), mine.split("/"), strict=True):
            self._ids[theirs] = ours

    def _compared(self, exchange: Exchange, answered: Answered) -> Iterator[str]:
        if answered.status != exchange["status"]:
            yield f"status is {answered.status}, not {exchange['status']}: {answered.body[:200]}"
        headers = {
            name: value for name, value in answered.headers.items() if name not in ("x-log-id", "content-length")
        }
        recorded: dict[str, str] = exchange["headers"]
        if headers != recorded:
            yield f"headers are {headers}, not {recorded}"
        if ("x-log-id" in answered.headers) is not exchange["logged"]:
            yield "the log id"
        if exchange.get("pieces") and answered.chunks != exchange["pieces"]:
            yield f"{answered.chunks} chunks, not {exchange['pieces']}"
        yield from self._bodies(exchange["body"], answered.body)

    def _bodies(self, recorded: str, mine: str) -> Iterator[str]:
        if skeleton(recorded) != skeleton(mine):
            theirs, ours = skeleton(recorded).split("\n\n"), skeleton(mine).split("\n\n")
            place = next((at for at, pair in enumerate(zip(theirs, ours, strict=False)) if pair[0] != pair[1]), -1)
            yield f"framing at {place} is {ours[place:][:3]}, not {theirs[place:][:3]}: {mine[:300]}"
            return
        for theirs, ours in zip(payloads(recorded), payloads(mine), strict=True):
            yield from self._values(theirs, ours, "")

    def _values(self, theirs: Any, ours: Any, place: str) -> Iterator[str]:
        """How two JSON values differ; ids that differ are remembered as the same."""
        key = place.rpartition(".")[2]
        if re.fullmatch(r"\.data\.conversations\[\d+\]\.meta_data", place):
            # Which of them has some depends on requests that were not recorded.
            return
        if isinstance(theirs, str) and isinstance(ours, str):
            theirs, ours = decoded(theirs), decoded(ours)
        is_empty = type(theirs) in (dict, list) and not (theirs and ours)
        if is_empty and key in _SETTINGS:
            return
        if type(theirs) is not type(ours) or (is_empty and theirs != ours):
            yield f"{place}: {str(ours)[:200]}, not {str(theirs)[:200]}"
        elif type(theirs) is dict:
            if theirs.keys() != ours.keys():
                yield f"{place}: extra {ours.keys() - theirs.keys()}, missing {theirs.keys() - ours.keys()}"
            for name in theirs.keys() & ours.keys():
                yield from self._values(theirs[name], ours[name], f"{place}.{name}")
        elif type(theirs) is list:
            pairs = zip(cast("list[object]", theirs), cast("list[object]", ours), strict=False)
            for number, (their, our) in enumerate(pairs):
                yield from self._values(their, our, f"{place}[{number}]")
        elif isinstance(theirs, str) and re.fullmatch(r"[0-9]{16,}(/[0-9]{16,})?", theirs):
            if re.fullmatch(r"[0-9]+(/[0-9]+)?", ours) and place != ".msg":
                self._learn_id(theirs, ours)
        elif key in _SAME and theirs != ours:
            yield f"{place}: {ours!r}, not {theirs!r}"
        elif key in ("msg", "error_message") and isinstance(theirs, str) and meant(theirs) != meant(ours):
            yield f"{place}: {meant(ours)!r}, not {meant(theirs)!r}"


_SAME = {
    "code",
    "status",
    "type",
    "role",
    "msg_type",
    "content_type",
    "node_type",
    "node_is_finish",
    "is_finish",
    "execute_status",
    "error_code",
    "has_more",
}


_SETTINGS = {"onboarding_info", "workflow_info_list"}
"""What a bot may have or not; a bot with a script has the emulator's own."""


def meant(text: str) -> str:
    """What an error says: without its stack, its numbers, its node, and the piece of the body that it shows."""
    text = re.split(r"\n?stack[=:]|\n-+\n", text)[0].replace("[NodeRunError] failed to create chat completion: ", "")
    return re.sub(r"[0-9]+", "0", re.split(r'"?(?:at index|Syntax error at)', text)[0])


def decoded(text: str) -> Any:
    """The JSON in a text, if it is an object or a list."""
    if text[:1] not in ("{", "["):
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def skeleton(body: str) -> str:
    """The framing of a stream: everything but the data; of other bodies nothing."""
    return re.sub(r"(?m)^(data: ?).+$", r"\1{}", body) if is_stream(body) else ""


def is_stream(body: str) -> bool:
    """Whether a body is one of events."""
    return body.startswith(("event:", "id: "))


def payloads(body: str) -> list[Any]:
    """The JSON values in a body, or the text that it is."""
    if is_stream(body):
        return [json.loads(data) for data in re.findall(r"(?m)^data: ?(.+)$", body)]
    return [decoded(body)]


def walk(value: Any) -> Iterator[tuple[str, Any]]:
    """All pairs of key and value in a JSON value."""
    if isinstance(value, dict):
        for name, inner in cast("dict[str, Any]", value).items():
            yield name, inner
            yield from walk(inner)
    elif isinstance(value, list):
        for inner in cast("list[object]", value):
            yield from walk(inner)


@pytest.mark.parametrize("dialect", ["studio", "plus"])
async def test_every_recorded_request_is_answered_as_the_real_server_did(dialect: Dialect) -> None:
    assert await Replay(dialect).differences() == {}


def test_only_a_few_exchanges_are_not_compared() -> None:
    recorded = load("studio").keys() | load("plus").keys()
    assert NOT_EMULATED.keys() <= recorded
    assert len(NOT_EMULATED) <= 5
