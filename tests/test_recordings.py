"""The client against the answers of real servers: each is a typed result, or an error that says what it is.

The recordings are of Coze Studio 4f786d6 and Coze Plus fb00b21, run on 2026-11-30 (tests/data/studio.json and
plus.json). Each answer is given to the endpoint's method that sends such a request; what stands in the request does
not matter.
"""

import json
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias, cast

import httpx
import pytest

from coze_async import (
    APIError,
    AsyncCoze,
    AuthenticationError,
    BadRequestError,
    ChatFailedError,
    CozeError,
    Limits,
    NotFoundError,
    Page,
    PermissionDeniedError,
    RawResponse,
    Retry,
    ServerError,
    SessionAuth,
    StreamError,
    StreamInterruptedError,
    WorkflowError,
)
from coze_async.models import ChatResult, CozeModel

Exchange: TypeAlias = dict[str, Any]
Call: TypeAlias = Callable[[AsyncCoze], Awaitable[Any]]

DATA = Path(__file__).parent / "data"
EXCHANGES: dict[str, Exchange] = {
    f"{server}-{name}": exchange
    for server in ("studio", "plus")
    for name, exchange in json.loads((DATA / f"{server}.json").read_text(encoding="utf-8")).items()
}
_ASKED: dict[str, Any] = {"bot_id": "1", "user_id": "u"}
_IDS: dict[str, Any] = {"conversation_id": "1", "chat_id": "2"}
_AGENT: dict[str, Any] = {"bot_id": "1", "conversation_id": "1"}
_FLOW: dict[str, Any] = {"workflow_id": "1"}
_OUTPUTS: list[Any] = [{"tool_call_id": "1", "output": "x"}]
_BASES: list[Any] = [{"name": "a.txt", "source_info": {"file_base64": "aGk=", "file_type": "txt"}}]

CALLS: Mapping[tuple[str, str], Call] = {
    ("POST", "/v3/chat/?"): lambda coze: coze.chat.ask("Hi", **_ASKED),
    ("GET", "/v3/chat/retrieve"): lambda coze: coze.chat.retrieve(**_IDS),
    ("GET", "/v3/chat/message/list"): lambda coze: coze.chat.messages.list(**_IDS),
    ("POST", "/v3/chat/cancel"): lambda coze: coze.chat.cancel(**_IDS),
    ("POST", "/v3/chat/submit_tool_outputs"): lambda coze: coze.chat.submit_tool_outputs(**_IDS, tool_outputs=_OUTPUTS),
    ("POST", "/v1/conversation/create"): lambda coze: coze.conversations.create(),
    ("GET", "/v1/conversation/retrieve"): lambda coze: coze.conversations.retrieve(conversation_id="1"),
    ("GET", "/v1/conversations"): lambda coze: coze.conversations.list(bot_id="1").first(),
    ("PUT", "/v1/conversations/1"): lambda coze: coze.conversations.update(conversation_id="1", name="x"),
    ("DELETE", "/v1/conversations/1"): lambda coze: coze.conversations.delete(conversation_id="1"),
    ("POST", "/v1/conversations/1/clear"): lambda coze: coze.conversations.clear(conversation_id="1"),
    ("POST", "/v1/conversation/message/list"): lambda coze: coze.conversations.messages.list(
        conversation_id="1"
    ).first(),
    ("POST", "/v1/conversation/message/create"): lambda coze: coze.conversations.messages.create(
        conversation_id="1", role="user", content="x", content_type="text"
    ),
    ("GET", "/v1/conversation/message/retrieve"): lambda coze: coze.conversations.messages.retrieve(
        conversation_id="1", message_id="2"
    ),
    ("POST", "/v1/conversation/message/modify"): lambda coze: coze.conversations.messages.update(
        conversation_id="1", message_id="2", content="x"
    ),
    ("POST", "/v1/conversation/message/delete"): lambda coze: coze.conversations.messages.delete(
        conversation_id="1", message_id="2"
    ),
    ("GET", "/v1/bots/1"): lambda coze: coze.bots.retrieve(bot_id="1"),
    ("GET", "/v1/bot/get_online_info"): lambda coze: coze.bots.retrieve_online(bot_id="1"),
    ("GET", "/v1/bots"): lambda coze: coze.bots.list(workspace_id="1").first(),
    ("GET", "/v1/space/published_bots_list"): lambda coze: coze.bots.list_v1(space_id="1").first(),
    ("GET", "/v1/bots/1/versions"): lambda coze: coze.bots.versions.list(bot_id="1").first(),
    ("POST", "/v1/bot/create"): lambda coze: coze.bots.create(space_id="1", name="x"),
    ("POST", "/v1/files/upload"): lambda coze: coze.files.upload(b"\x89PNG\r\n\x1a\n", name="a.png"),
    ("GET", "/v1/files/retrieve"): lambda coze: coze.files.retrieve(file_id="1"),
    ("POST", "/v1/workflow/run"): lambda coze: coze.workflows.run(**_FLOW),
    ("POST", "/v1/workflow/stream_run"): lambda coze: coze.workflows.stream(**_FLOW).result(),
    ("POST", "/v1/workflow/stream_resume"): lambda coze: coze.workflows.resume(
        **_FLOW, event_id="1/2", resume_data="x", interrupt_type=2
    ).result(),
    ("GET", "/v1/workflow/get_run_history"): lambda coze: coze.workflows.runs.run_histories.get_run_history(
        **_FLOW, execute_id="1"
    ),
    ("GET", "/v1/workflows/1/run_histories/1"): lambda coze: coze.workflows.runs.run_histories.retrieve(
        **_FLOW, execute_id="1"
    ),
    ("GET", "/v1/workflows/1"): lambda coze: coze.workflows.retrieve(**_FLOW),
    ("GET", "/v1/workflows"): lambda coze: coze.workflows.list(workspace_id="1").first(),
    ("POST", "/v1/workflows/chat"): lambda coze: coze.workflows.chat("Hi", **_FLOW, bot_id="1").result(),
    ("POST", "/v1/datasets"): lambda coze: coze.datasets.create(name="x", space_id="1", format_type=0),
    ("GET", "/v1/datasets"): lambda coze: coze.datasets.list(space_id="1").first(),
    ("PUT", "/v1/datasets/1"): lambda coze: coze.datasets.update(dataset_id="1", name="x"),
    ("DELETE", "/v1/datasets/1"): lambda coze: coze.datasets.delete(dataset_id="1"),
    ("POST", "/v1/datasets/1/process"): lambda coze: coze.datasets.process(dataset_id="1", document_ids=["1"]),
    ("GET", "/v1/datasets/1/images"): lambda coze: coze.datasets.images.list(dataset_id="1").first(),
    ("POST", "/open_api/knowledge/document/create"): lambda coze: coze.datasets.documents.create(
        dataset_id="1", document_bases=_BASES
    ),
    ("POST", "/open_api/knowledge/document/list"): lambda coze: coze.datasets.documents.list(dataset_id="1").first(),
    ("POST", "/open_api/knowledge/document/update"): lambda coze: coze.datasets.documents.update(
        document_id="1", document_name="x"
    ),
    ("POST", "/open_api/knowledge/document/delete"): lambda coze: coze.datasets.documents.delete(document_ids=["1"]),
    ("GET", "/v1/variables"): lambda coze: coze.variables.retrieve(bot_id="1", connector_uid="u", keywords=["a"]),
    ("GET", "/v1/users/me"): lambda coze: coze.users.me(),
    ("GET", "/v1/workspaces"): lambda coze: coze.workspaces.list().first(),
    ("POST", "/api/draftbot/create"): lambda coze: coze.studio.draft_bots.create(space_id="1", name="x"),
    ("POST", "/api/draftbot/update_display_info"): lambda coze: coze.studio.draft_bots.update_display_info(bot_id="1"),
    ("POST", "/api/draftbot/publish"): lambda coze: coze.studio.draft_bots.publish(
        space_id="1", bot_id="1", connectors={"1024": {}}
    ),
    ("POST", "/api/conversation/chat"): lambda coze: coze.studio.agent_run("Hi", **_AGENT),
}


def call_of(exchange: Exchange) -> Call:
    """The call that sends such a request; what no endpoint sends goes out as it is."""
    request = exchange["request"]
    path = re.sub(r"(?<=/)[0-9]+(?=/|$)", "1", request["path"])
    if path == "/v3/chat" and not is_stream(exchange) and request.get("body", {}).get("stream") is False:
        return lambda coze: coze.chat.create("Hi", **_ASKED)
    for (method, pattern), call in CALLS.items():
        if method == request["method"] and re.fullmatch(pattern, path):
            return call
    return lambda coze: coze.request(request["method"], "/" + request["path"].lstrip("/"))


def is_stream(exchange: Exchange) -> bool:
    """Whether a stream of events came."""
    return str(exchange["headers"].get("content-type")).startswith("text/event-stream")


def failed(exchange: Exchange) -> bool:
    """Whether the server told a failure, in whatever way."""
    body: str = exchange["body"]
    if is_stream(exchange):
        return not body or re.search("^event: ?(error|Error)$|Something error:", body, re.MULTILINE) is not None
    if exchange["status"] >= 300:
        return True
    told = json.loads(body) if body else None
    return isinstance(told, dict) and cast("dict[str, Any]", told).get("code", 0) != 0


async def outcome(exchange: Exchange) -> Any:
    """What the call returns, or the error that it raises."""

    def answered(request: httpx.Request) -> httpx.Response:
        headers = dict(exchange["headers"])
        del request
        return httpx.Response(exchange["status"], headers=headers, content=exchange["body"].encode())

    path = exchange["request"]["path"]
    auth = SessionAuth("key") if path.startswith("/api/") else "pat_x"
    async with AsyncCoze(
        auth,
        base_url="http://studio.example",
        transport=httpx.MockTransport(answered),
        limits=Limits.none(),
        retry=Retry(attempts=1),
    ) as coze:
        try:
            return await call_of(exchange)(coze)
        except CozeError as error:
            return error


REASONS: list[tuple[str, type[CozeError] | tuple[type[CozeError], ...]]] = [
    (r"^$", StreamError),
    # One code for all that a run may die of: 720701013.
    ("Workflow execution failure", (APIError, WorkflowError)),
    ("get model by id failed", ServerError),
    ("Something error:", ChatFailedError),
    ("event: Error", WorkflowError),
    ("authentication failed", AuthenticationError),
    ("agent not own|unauthorized access : (user|permission|agent not own|.msg)", PermissionDeniedError),
    ("not found|not exist|not published|NotPublished", (NotFoundError, BadRequestError)),
    ("field is a 'required'|bind body failed|unable to decode|should be an object|is nil|unmarshal", BadRequestError),
    ("can not be cancelled|only support|is required", BadRequestError),
    ("conversation name is requried|not interrupted, status|do not support interruption", BadRequestError),
    ("Internal Server Error|internal server error", ServerError),
]
"""What the bodies of failures say, and the class that this is; what nobody has to tell apart is any APIError."""


def sensible(exchange: Exchange) -> type[CozeError] | tuple[type[CozeError], ...]:
    """The class of the error that an exchange is."""
    body, path = exchange["body"], exchange["request"]["path"]
    if exchange["status"] == 404 or (exchange["status"] == 401 and not path.startswith("/api/")):
        return NotFoundError
    if exchange["status"] == 401:
        return AuthenticationError
    if exchange["status"] == 307:
        return APIError
    return next((kind for words, kind in REASONS if re.search(words, body)), APIError)


@pytest.mark.parametrize("name", EXCHANGES)
async def test_a_real_answer_is_a_typed_result_or_says_what_it_is(name: str) -> None:
    exchange = EXCHANGES[name]
    told = await outcome(exchange)
    if name == "studio-early_leave":
        # Its recording ends in the middle of an event.
        assert isinstance(told, StreamInterruptedError)
        assert told.partial is not None
    elif failed(exchange):
        assert isinstance(told, sensible(exchange)), repr(told)
        # The cause stands in the text, the server's insides do not.
        assert re.search(r"stack[=:]|goroutine|\.go:|/app/|github\.com", str(told)) is None
    elif exchange["request"]["method"] == "DELETE" or exchange["body"] in DONE:
        assert told is None
    else:
        items = cast("list[object]", told) if isinstance(told, list) else [told]
        assert all(isinstance(item, CozeModel | Page | RawResponse) for item in items), items
        if isinstance(told, ChatResult):
            # Without a message of the bot at all; an answer without a text has its finishing message.
            assert told.is_empty is not bool(re.search(r"event: ?(conversation[.])?message", exchange["body"]))


DONE = ('{"code":0,"msg":""}', '{"code":0,"msg":"success"}')
"""What a call that returns nothing is answered."""
