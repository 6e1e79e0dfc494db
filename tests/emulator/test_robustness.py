"""Whatever is sent to a route, the answer is an envelope: no exception, no error of the server's own."""

import json
import re
from typing import Any, cast

import anyio
import pytest
from emulator.talk import HEADERS
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async.emulator import Dialect, EmulatedResponse, Emulator, Script, ToolCall
from coze_async.emulator._body import Body
from coze_async.emulator._routes import ROUTES, Route

# The names that routes look at, so that what is random gets past the first check.
NAMES = sorted(
    {name for route in ROUTES for name in re.findall(r"\{(\w+)\}", route.path)}
    | {
        "additional_messages", "after_id", "app_type", "arguments", "audio_format", "audit_status", "benefit_info",
        "benefit_type", "benefit_type_list", "bot_id", "chat_id", "collaboration_mode", "collaborators", "configs",
        "connector_ids", "connector_uid", "content", "content_type", "conversation_id", "custom_variables", "data",
        "dataset_id", "description", "document_bases", "document_id", "document_ids", "entity_id", "entity_type",
        "event_id", "event_types", "feedback_type", "folder_type", "format_type", "has_caption", "ids", "input",
        "interrupt_type", "is_async", "is_published", "keywords", "knowledge", "limit", "meta_data", "messages",
        "model_info_config", "name", "onboarding_info", "order", "organization_people", "organization_role_type",
        "page", "page_index", "page_num", "page_size", "page_token", "parameters", "plugin_id_list", "prompt_info",
        "publish_status", "receiver_user_id", "resource_id", "response_format", "resume_data", "role", "sample_rate",
        "size", "sort_field", "space_id", "speed", "stream", "super_admin_user_id", "table_meta", "tool_name",
        "tool_outputs", "update_rule", "user_id", "user_ids", "users", "voice_id", "voice_ids", "workflow_id",
        "workflow_id_list", "workspace_id", "query", "connectors", "source_info", "file_base64", "enums",
    }
)  # fmt: skip
WORDS = ["1", "0", "-1", "text", "user", "single", "bot", "true", "1e9", "\ud800", "a,b"]
# The emulator counts its ids; these are among those that `prepared` makes.
IDS = [str(7_500_000_000_000_000_000 + number * 1_048_583) for number in range(1, 16)]
TEXTS = st.text(max_size=8) | st.sampled_from(WORDS) | st.sampled_from(IDS)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=8)
QUERIES = st.dictionaries(st.sampled_from(NAMES), TEXTS.filter(str.isprintable), max_size=6)
DIALECTS = ("cloud", "studio", "plus", "plus-page")
ROUTES_OF = [(dialect, route) for dialect in DIALECTS for route in ROUTES if dialect in route.dialects.split()]
SOME = {"space_id": "1", "name": "x", "format_type": 2, "bot_id": IDS[0], "description": "", "workflow_id": "ask"}
MADE: list[tuple[str, dict[str, Any]]] = [
    ("/v1/bot/create", SOME),
    ("/v1/conversation/create", {"messages": [{"role": "user", "content": "Hi", "content_type": "text"}]}),
    ("/v1/datasets", SOME),
    ("/v1/workspaces", SOME),
    ("/v1/api_apps", {**SOME, "app_type": "normal"}),
    ("/v1/audio/voiceprint_groups", SOME),
    ("/v1/audio/rooms", SOME),
    ("/v1/enterprises/1/organizations", {**SOME, "super_admin_user_id": "1"}),
    ("/v1/workflow/run", {**SOME, "is_async": True}),
    ("/v3/chat", {"bot_id": "b", "user_id": "u", "additional_messages": [{"role": "user", "content": "Hi"}]}),
]


async def prepared(dialect: str) -> Emulator:
    """An emulator in which something of most kinds is there already."""
    emulator = Emulator(cast("Dialect", dialect))
    emulator.bot("b", Script(requires=[ToolCall("x")]))
    for path, body in MADE:
        await answered(emulator, "POST", path, {}, json.dumps(body).encode())
    return emulator


async def answered(emulator: Emulator, method: str, path: str, query: dict[str, str], body: bytes) -> EmulatedResponse:
    """The answer, and a stream read to its end."""
    headers = {**HEADERS, "cookie": "session_key=x", "content-type": "application/json"}
    response = await emulator.handle(method, path, query, headers, body)
    if isinstance(response.body, Body):
        async for chunk in response.body:
            assert isinstance(chunk, bytes)
    return response


@pytest.mark.parametrize(("dialect", "route"), ROUTES_OF, ids=lambda value: str(getattr(value, "path", value)))
@settings(max_examples=4)
@given(data=st.data())
def test_random_requests_get_an_envelope(dialect: str, route: Route, data: st.DataObject) -> None:
    """Two random requests to each route; the second meets what the first has left behind."""

    async def main() -> None:
        emulator = await prepared(dialect)
        for _ in range(2):
            path = re.sub(r"\{\w+\}", lambda _: data.draw(st.sampled_from(["1", *IDS])), route.path)
            body = json.dumps(data.draw(OBJECTS | VALUES)).encode() if data.draw(st.booleans()) else b""
            response = await answered(emulator, route.method, path, data.draw(QUERIES), body)
            # Coze Studio answers what it does not find with HTTP 500 by itself.
            assert response.status < 500 or (dialect != "cloud" and response.status == 500)
            if isinstance(response.body, bytes) and "json" in response.headers["content-type"]:
                # These servers answer null for an app that they do not know.
                is_null = dialect != "cloud" and route.path == "/v1/apps/{app_id}"
                assert isinstance(json.loads(response.body), dict) or is_null

    anyio.run(main)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"1",
        b'"x"',
        b"null",
        b"{",
        b"\xff",
        b"[" * 100_000,
        b'{"bot_id":' * 50_000,
        b'{"a":NaN}',
        b'{"a":1e999}',
    ],
)
async def test_a_body_of_another_kind_is_refused(body: bytes) -> None:
    emulator = Emulator()
    for route in ROUTES:
        if "cloud" in route.dialects and route.method in ("POST", "PUT"):
            path = re.sub(r"\{\w+\}", "1", route.path)
            response = await answered(emulator, route.method, path, {}, body)
            assert response.status in (200, 400)
            assert isinstance(response.body, bytes)
            assert isinstance(json.loads(response.body), dict)


async def test_half_a_character_is_kept_as_a_question_mark() -> None:
    """A lone surrogate can be sent as JSON, and cannot be written as UTF-8."""
    emulator = Emulator()
    body = b'{"name": "a\\ud800b \\ud83d\\ude00"}'
    response = await answered(emulator, "POST", "/v1/conversation/create", {}, body)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["data"]["name"] == "a?b \U0001f600"


DEEP = "[" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": "\xed\xa0\x80"}',
        '{"name": "x"}'.encode("utf-16"),
        b"{",
        b'{"messages": ' + b"[" * 250 + b"]" * 250 + b"}",
        b'{"meta_data": ' + b'{"a":' * 250 + b"1" + b"}" * 251,
        json.dumps({"messages": [{"role": "user", "content": DEEP, "content_type": "object_string"}]}).encode(),
    ],
)
async def test_what_cannot_be_read_or_written_is_refused(body: bytes) -> None:
    response = await answered(Emulator(), "POST", "/v1/conversation/create", {}, body)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["code"] == 4000


async def test_a_body_may_be_nested_and_wide() -> None:
    emulator = Emulator()
    nested: list[Any] = []
    for _ in range(150):
        nested = [nested, []]
    body = json.dumps({"workflow_id": "w", "parameters": {"input": nested}}).encode()
    response = await answered(emulator, "POST", "/v1/workflow/run", {}, body)
    assert isinstance(response.body, bytes)
    assert json.loads(response.body)["code"] == 0


@pytest.mark.parametrize("inner", [DEEP, '[{"type": "text", "text": "\\ud800"}, {"type": "image", "file_id": "1"}]'])
async def test_json_inside_a_text_is_as_safe(inner: str) -> None:
    """Half a character in an object_string becomes the question of a chat, which is written down."""
    message = {"role": "user", "content": inner, "content_type": "object_string"}
    plain = {"role": "user", "content": "Hi", "content_type": "text"}
    chat = {"bot_id": "1", "user_id": "u", "additional_messages": [plain, message]}
    emulator = Emulator()
    for body, path in (
        (chat, "/v3/chat"),
        ({"workflow_id": "w", "parameters": inner}, "/v1/workflow/run"),
        ({**chat, "stream": True}, "/v3/chat"),
    ):
        response = await answered(emulator, "POST", path, {}, json.dumps(body).encode())
        assert response.status == 200
    assert all(chat.question == "?" for chat in emulator.chats.values())
