"""Declarations: every argument of every endpoint reaches the place that it was declared for, and no other."""

# pyright: reportPrivateUsage=false

import inspect
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin
from urllib.parse import parse_qsl, unquote

import httpx
import pytest
from answering import Answers, answer, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async import (
    AsyncCoze,
    BadRequestError,
    ChatStream,
    ConfigurationError,
    DecodeError,
    Exchange,
    Limits,
    Message,
    MessageObject,
    Retry,
    SessionAuth,
    ToolOutput,
    WorkflowStream,
)
from coze_async._endpoint import ENDPOINTS, Endpoint, Resource, delete, get, post, put
from coze_async.models import CozeModel
from coze_async.models._json import is_list
from coze_async.resources.chat import ChatResource

DOCUMENTED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data/endpoints.json").read_text("utf-8"))[
    "endpoints"
]
BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def client(transport: httpx.AsyncBaseTransport, *, session: bool = False) -> AsyncCoze:
    auth = SessionAuth("k3y") if session else "pat_x"
    return AsyncCoze(auth, base_url="http://coze.test", transport=transport, retry=Retry.none(), limits=Limits.none())


def resource_of(coze: AsyncCoze, name: str) -> Resource:
    resources = (coze.chat, coze.chat.messages, coze.workflows, coze.bots, coze.studio, coze.studio.draft_bots)
    return {type(resource).__name__: resource for resource in resources}[name]


async def call(coze: AsyncCoze, endpoint: Endpoint, arguments: Mapping[str, Any]) -> Any:
    """Call an endpoint as a user would; a stream is read to its end."""
    group, _, method = endpoint.name.partition(".")
    called = getattr(resource_of(coze, group), method)(**arguments)
    if isinstance(called, ChatStream | WorkflowStream):
        return await called.result()
    return await called


# --- the one test over all of them -----------------------------------------------------------------------------------

NUMBERS = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
# What would break out of its place if it were not quoted.
HOSTILE = st.sampled_from(
    ["a/b", "../c", "a?b=c", "a#b", "%2e%2e", "a b+c", "&x=1", "{bot_id}", "你好", "\u2028", "'\""]
)
NAMES = (st.text(min_size=1, max_size=8) | HOSTILE).filter(lambda text: text.strip() not in ("", ".", ".."))


def values_for(annotation: Any) -> st.SearchStrategy[Any]:
    """Return values of the type that a parameter is declared with."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        kinds = [kind for kind in arguments if kind is not NoneType]
        assert len(kinds) == 1
        return st.none() | values_for(kinds[0])
    if origin is Mapping:
        return st.dictionaries(values_for(arguments[0]), values_for(arguments[1]), max_size=3)
    if origin is Sequence:
        return st.lists(values_for(arguments[0]), max_size=3)
    if annotation is ToolOutput:
        return st.builds(ToolOutput, tool_call_id=st.text(max_size=5), output=st.text(max_size=5))
    return {str: NAMES, bool: st.booleans(), int: st.integers(-(2**31), 2**63), Any: JSON}[annotation]


@st.composite
def calls(draw: st.DrawFn, endpoint: Endpoint) -> dict[str, Any]:
    """Arguments for an endpoint: all that it demands, and some of what it takes."""
    parameters = endpoint.signature.parameters
    chosen = [
        name for name in endpoint.places if name in endpoint.required or draw(st.booleans(), label=f"{name} is given")
    ]
    return {name: draw(values_for(parameters[name].annotation), label=name) for name in chosen}


def plain(value: Any) -> Any:
    """Return what a value is in JSON."""
    if isinstance(value, CozeModel):
        return value.model_dump(exclude_none=True)
    if is_list(value):
        return [plain(item) for item in value]
    return value


def text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def expected_request(endpoint: Endpoint, arguments: Mapping[str, Any]) -> tuple[str, list[str], dict[str, str], Any]:
    """Return what must be sent: method, segments of the path, query, body. Written from the documented facts."""
    facts = DOCUMENTED[endpoint.name]
    defaults = {
        name: parameter.default
        for name, parameter in endpoint.signature.parameters.items()
        if parameter.default not in (None, inspect.Parameter.empty)
    }
    sent = {name: value for name, value in {**defaults, **arguments}.items() if value is not None}
    segments = [
        text_of(sent[segment[1:-1]]) if segment.startswith("{") else segment for segment in facts["route"].split("/")
    ]
    query = {name: text_of(sent[name]) for name in facts["query"] if name in sent}
    body = {**facts["fixed"], **{name: plain(sent[name]) for name in facts["body"] if name in sent}}
    return facts["method"], segments, query, body if facts["method"] == "POST" else None


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
@settings(max_examples=25)
@given(st.data())
async def test_every_argument_lands_where_it_was_declared_and_nowhere_else(
    endpoint: Endpoint, data: st.DataObject
) -> None:
    arguments = data.draw(calls(endpoint))
    transport = Answers(refusal(4000))
    async with client(transport, session=endpoint.session) as coze:
        with pytest.raises(BadRequestError):
            await call(coze, endpoint, arguments)
    (request,) = transport.requests
    path, _, query = request.url.raw_path.decode().partition("?")
    assert (
        request.method,
        [unquote(segment) for segment in path.split("/")],
        dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))),
        json.loads(request.content) if request.content else None,
    ) == expected_request(endpoint, arguments)
    assert request.url.fragment == ""
    assert ("content-type" in request.headers) == (request.method == "POST")
    assert request.headers["accept"] == ("text/event-stream" if endpoint.streams else "application/json")
    assert ("cookie" in request.headers) == endpoint.session


# --- the declarations against the documented facts -------------------------------------------------------------------


def test_every_endpoint_is_documented_and_every_documented_one_declared() -> None:
    assert BY_NAME.keys() == DOCUMENTED.keys()
    assert len(BY_NAME) == len(ENDPOINTS)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_declaration_agrees_with_the_documented_facts(name: str) -> None:
    endpoint, facts = BY_NAME[name], DOCUMENTED[name]
    assert (endpoint.method, endpoint.path) == (facts["method"], facts["route"])
    places = {parameter: place for place in ("path", "query", "body") for parameter in facts[place]}
    assert {parameter: places.get(parameter) for parameter in endpoint.places} == endpoint.places
    assert set(facts["required"]) <= endpoint.required
    assert endpoint.fixed == facts["fixed"]
    # What is not offered is left out by decision, and not by oversight.
    assert sorted(places.keys() - endpoint.places.keys()) == facts["left_out"]


# What may be sent twice, and which rate of `Limits` counts it: our own decisions, see the design.
SAFE_POSTS = {"ChatResource.cancel"}
KINDS = {
    "ChatResource._stream": "chat",
    "ChatResource._create": "chat",
    "BotsResource.retrieve": "bot_info",
    "BotsResource.retrieve_online": "bot_info",
    "DraftBotsResource.create": "bot_management",
    "DraftBotsResource.update_display_info": "bot_management",
    "DraftBotsResource.publish": "bot_management",
}


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
def test_only_what_reads_or_stops_may_be_sent_twice(endpoint: Endpoint) -> None:
    assert endpoint.safe == (endpoint.method == "GET" or endpoint.name in SAFE_POSTS)
    assert endpoint.kind == KINDS.get(endpoint.name)
    assert endpoint.session == endpoint.path.startswith("/api/")


@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint.name)
async def test_a_declared_method_looks_as_it_was_written_and_names_its_source(endpoint: Endpoint) -> None:
    async with client(Answers(refusal(4000))) as coze:
        group, _, method = endpoint.name.partition(".")
        declared = getattr(resource_of(coze, group), method)
    parameters = inspect.signature(declared).parameters.values()
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    assert [parameter.name for parameter in parameters] == list(endpoint.places)
    assert "Source: " in (inspect.getdoc(declared) or "")
    assert declared.endpoint is endpoint


async def test_an_unknown_or_missing_argument_is_a_type_error_in_pythons_own_words() -> None:
    async with client(Answers(refusal(4000))) as coze:
        with pytest.raises(TypeError, match=r"missing a required .*'chat_id'"):
            await coze.chat.retrieve(conversation_id="7")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        with pytest.raises(TypeError, match="unexpected keyword argument 'chat'"):
            await coze.chat.retrieve(conversation_id="7", chat_id="9", chat="9")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        with pytest.raises(TypeError, match="unexpected keyword argument 'workflow'"):
            coze.workflows.stream(workflow_id="1", workflow="1")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]


async def test_the_limits_of_a_chat_are_its_users_and_of_all_else_those_of_the_view() -> None:
    seen: list[tuple[str, str | None]] = []

    def note(exchange: Exchange) -> None:
        seen.append((exchange.path, exchange.user))

    async with AsyncCoze("pat_x", transport=Answers(refusal(4000)), observe=note) as coze:
        view = coze.with_options(user="view")
        for client_ in (coze, view):
            with pytest.raises(BadRequestError):
                await client_.chat.ask("hi", bot_id="5", user_id="end user")
            with pytest.raises(BadRequestError):
                await client_.bots.retrieve(bot_id="5")
    assert seen == [
        ("/v3/chat", "end user"),
        ("/v1/bots/5", None),
        ("/v3/chat", "end user"),
        ("/v1/bots/5", "view"),
    ]


# --- declarations of ones own ----------------------------------------------------------------------------------------


@pytest.fixture
def scratch() -> Iterator[None]:
    """Take back what a test declares."""
    before = len(ENDPOINTS)
    yield
    del ENDPOINTS[before:]


class Word(CozeModel):
    """An answer with an id."""

    id: str
    logid: str | None = None


class Colour(Enum):
    RED = "red"


class Size(IntEnum):
    BIG = 3


class Mood(StrEnum):
    GOOD = "good"


@pytest.mark.usefixtures("scratch")
async def test_every_verb_puts_its_arguments_where_http_expects_them() -> None:
    class Words(Resource):
        @get("/words/{word}")
        async def look(self, *, word: str, page: int = 1, tags: Sequence[str] | None = None) -> Word: ...

        @put("/words/{word}")
        async def change(self, *, word: str, mood: Any = None) -> None: ...

        @delete("/words/{word}")
        async def drop(self, *, word: Any, force: bool | None = None) -> None: ...

        @post("/words", query=("dry",), fixed={"kind": "noun"}, payload=("word", "Word"))
        async def make(self, *, name: str, dry: bool | None = None) -> Word: ...

        @post("/words/all", payload=())
        async def raw(self) -> Word: ...

    transport = Answers(
        answer({"code": 0, "data": {"id": 1}}),
        answer({"code": 0}),
        answer({"code": 0}),
        answer({"code": 0, "word": None, "Word": {"id": "2"}}, headers={"x-tt-logid": "log-1"}),
        answer({"id": "3", "logid": "its own"}, headers={"x-tt-logid": "log-2"}),
        answer({"code": 0}),
    )
    async with client(transport) as coze:
        words = Words(coze._core)
        assert await words.look(word="a/b", tags=["x", "y&z", "", Mood.GOOD]) == Word(id="1")
        await words.change(word="a", mood={"m": Mood.GOOD})
        await words.drop(word=Colour.RED, force=False)
        assert await words.make(name="", dry=True) == Word(id="2", logid="log-1")
        assert await words.raw() == Word(id="3", logid="its own")
        await words.drop(word=Size.BIG)
    sent = [(request.method, str(request.url.raw_path, "ascii"), request.content) for request in transport.requests]
    assert sent == [
        ("GET", "/words/a%2Fb?page=1&tags=x&tags=y%26z&tags=good", b""),
        ("PUT", "/words/a", b'{"mood":{"m":"good"}}'),
        ("DELETE", "/words/red?force=false", b""),
        ("POST", "/words?dry=true", b'{"kind":"noun","name":""}'),
        ("POST", "/words/all", b"{}"),
        ("DELETE", "/words/3", b""),
    ]


def test_a_path_without_its_parameter_is_a_type_error_when_it_is_declared() -> None:
    with pytest.raises(TypeError, match=r"look \(GET /words/\{word\}/\{page\}\) has no parameter .* path: page, word"):

        @get("/words/{word}/{page}")
        async def look(self: Resource, *, wrod: str) -> Word: ...


def test_a_query_without_its_parameter_is_a_type_error_when_it_is_declared() -> None:
    with pytest.raises(TypeError, match=r"make .* has no parameter for its query: dry"):

        @post("/words", query=("dry",))
        async def make(self: Resource, *, name: str) -> Word: ...


def test_a_positional_parameter_is_a_type_error_when_it_is_declared() -> None:
    with pytest.raises(TypeError, match=r"make .* must be keyword-only in: name"):

        @post("/words")
        async def make(self: Resource, name: str) -> Word: ...


def test_a_fixed_field_that_is_also_a_parameter_is_a_type_error_when_it_is_declared() -> None:
    with pytest.raises(TypeError, match=r"make .* sends a fixed field that is also a parameter: name"):

        @post("/words", fixed={"name": "x"})
        async def make(self: Resource, *, name: str) -> Word: ...


def test_what_was_refused_is_not_in_the_list_of_endpoints() -> None:
    before = [*ENDPOINTS]
    with pytest.raises(TypeError):
        get("/{nothing}")(ChatResource.cancel)
    assert before == ENDPOINTS


# --- what cannot be sent ---------------------------------------------------------------------------------------------


class Circle:
    """No JSON value."""


ITSELF: list[Any] = []
ITSELF.append(ITSELF)


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "parameters['when'] is a datetime"),
        ({"fine": {"a": 1}, "list": [1, "x"], "when": Circle()}, "parameters['when'] is a Circle"),
        ({"file": b"bytes"}, "parameters['file'] is a bytes"),
        ({"a": [1, {"b": Circle()}]}, "parameters['a'][1]['b'] is a Circle"),
        ({"a": (1, Circle())}, "parameters['a'][1] is a Circle"),
        ({"a": {"b": Colour.RED}}, "parameters['a']['b'] is a Colour"),
        ({"ratio": float("nan")}, "parameters['ratio'] is a float"),
        ({"ratio": [1.0, float("-inf")]}, "parameters['ratio'][1] is a float"),
        ({"text": "half of a pair: \ud83d"}, "parameters['text'] is a str"),
        ({"tags": {Circle()}}, "parameters['tags'] is a set"),
        ({("a", 1): 2}, "A key of parameters is a tuple"),
        ({"a": {b"k": 2}}, "A key of parameters['a'] is a bytes"),
        ({"half \ud83d": 1}, "A key of parameters is a str"),
        ({"loop": ITSELF}, "the body is a dict"),
        (Circle(), "parameters is a Circle"),
    ],
)
async def test_what_is_no_json_is_refused_by_its_place_before_anything_is_sent(parameters: Any, says: str) -> None:
    transport = Answers(refusal(4000))
    async with client(transport) as coze:
        for call_ in (coze.workflows.run, coze.workflows.stream):
            with pytest.raises(ConfigurationError) as caught:
                await call_(workflow_id="1", parameters=parameters)  # type: ignore[misc]  # pyright: ignore[reportGeneralTypeIssues]
            assert f"{says}, which is no JSON value" in str(caught.value)
            assert "Give texts, finite numbers" in str(caught.value)
            # It can be written to any log.
            str(caught.value).encode()
    assert transport.requests == []


async def test_models_tuples_sets_and_mappings_are_sent_as_the_json_that_they_mean() -> None:
    class Frozen(Mapping[str, int]):
        """A mapping that is no dict."""

        def __getitem__(self, key: str) -> int:
            return {"one": 1}[key]

        def __iter__(self) -> Iterator[str]:
            return iter(["one"])

        def __len__(self) -> int:
            return 1

    parameters = {
        "message": Message.user("hi"),
        "object": MessageObject.of_image(file_id="f"),
        "pair": (1, "two"),
        "set": {"only"},
        "mapping": Frozen(),
        "mood": Mood.GOOD,
        "text": "你\u2028",
    }
    transport = Answers(refusal(4000))
    async with client(transport) as coze:
        with pytest.raises(BadRequestError):
            await coze.workflows.run(workflow_id="1", parameters=parameters)
    assert transport.body()["parameters"] == {
        "message": {"id": "", "role": "user", "type": "question", "content": "hi", "content_type": "text"},
        "object": {"type": "image", "file_id": "f"},
        "pair": [1, "two"],
        "set": ["only"],
        "mapping": {"one": 1},
        "mood": "good",
        "text": "你\u2028",
    }
    assert "你".encode() in transport.requests[0].content


@pytest.mark.parametrize("value", ["", "  ", ".", "..", None])
async def test_a_part_of_the_path_that_would_name_another_route_is_refused(value: Any) -> None:
    transport = Answers(refusal(4000))
    async with client(transport) as coze:
        with pytest.raises(ConfigurationError, match=re.escape(f"BotsResource.retrieve: bot_id is {value!r}")):
            await coze.bots.retrieve(bot_id=value)
    assert transport.requests == []


@pytest.mark.parametrize("value", [{"a": 1}, Circle(), b"x"])
async def test_a_query_takes_no_structures(value: Any) -> None:
    async with client(Answers(refusal(4000))) as coze:
        with pytest.raises(ConfigurationError, match=f"chat_id is a {type(value).__name__}; a query takes texts"):
            await coze.chat.retrieve(conversation_id="7", chat_id=value)


async def test_half_of_a_surrogate_pair_in_path_or_query_is_refused_by_its_place() -> None:
    transport = Answers(refusal(4000))
    async with client(transport) as coze:
        with pytest.raises(ConfigurationError, match="bot_id"):
            await coze.bots.retrieve(bot_id="\ud83d")
        with pytest.raises(ConfigurationError, match="chat_id"):
            await coze.chat.retrieve(conversation_id="7", chat_id="\ud83d")
    assert transport.requests == []


# --- what comes back -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        {"code": 0, "data": [{"id": "1"}, None, {"id": 2}]},
        {"Messages": [{"id": "1"}, {"id": "2"}]},
        {"code": 0, "data": None, "Messages": [{"id": "1"}, {"id": "2"}]},
    ],
)
async def test_a_list_is_read_from_under_the_key_of_any_server(payload: Any) -> None:
    async with client(Answers(answer(payload))) as coze:
        messages = await coze.chat.messages.list(conversation_id="7", chat_id="9")
    assert [message.id for message in messages] == ["1", "2"]


@pytest.mark.parametrize("payload", [{"code": 0}, {"code": 0, "data": None}, {"code": 0, "data": []}, {}])
async def test_a_list_that_is_missing_is_empty(payload: Any) -> None:
    async with client(Answers(answer(payload))) as coze:
        assert await coze.chat.messages.list(conversation_id="7", chat_id="9") == []


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"code": 0, "data": {"id": "1"}}, "a dict instead of a list"),
        ({"code": 0, "data": "nothing"}, "a str instead of a list"),
        ({"code": 0, "data": ["text"]}, "Message"),
    ],
)
async def test_a_list_that_is_none_is_a_decode_error(payload: Any, says: str) -> None:
    async with client(Answers(answer(payload, headers={"x-tt-logid": "log-1"}))) as coze:
        with pytest.raises(DecodeError) as caught:
            await coze.chat.messages.list(conversation_id="7", chat_id="9")
    assert "GET /v3/chat/message/list answered HTTP 200 with something else than expected" in str(caught.value)
    assert says in str(caught.value)
    assert "[logid log-1]" in str(caught.value)
    assert caught.value.logid == "log-1"
    assert json.loads(caught.value.body) == payload


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        ({"code": 0}, "no object under 'data'"),
        ({"code": 0, "data": [1]}, "no object under 'data'"),
        ({"code": 0, "data": {"conversation_id": "7"}}, "id"),
        ([], "no object under 'data'"),
    ],
)
async def test_an_object_that_is_missing_or_has_no_id_is_a_decode_error(payload: Any, says: str) -> None:
    async with client(Answers(answer(payload))) as coze:
        with pytest.raises(DecodeError) as caught:
            await coze.chat.retrieve(conversation_id="7", chat_id="9")
    assert says in str(caught.value)
    assert "[logid" not in str(caught.value)


async def test_an_answer_that_is_no_object_where_the_whole_is_meant_is_a_decode_error() -> None:
    async with client(Answers(answer([1, 2]))) as coze:
        with pytest.raises(DecodeError, match="no JSON object"):
            await coze.workflows.run(workflow_id="1")


async def test_a_long_body_is_shortened_in_the_error() -> None:
    async with client(Answers(answer({"code": 0, "data": "x" * 5000}))) as coze:
        with pytest.raises(DecodeError) as caught:
            await coze.chat.retrieve(conversation_id="7", chat_id="9")
    assert len(caught.value.body) < 600
    assert len(str(caught.value)) < 1000


async def test_a_stream_is_declared_by_what_it_returns() -> None:
    async with client(Answers(refusal(4000))) as coze:
        stream = coze.chat.submit_tool_outputs_stream(conversation_id="7", chat_id="9", tool_outputs=[])
        assert isinstance(stream, ChatStream)
        await stream.aclose()
    assert [endpoint.name for endpoint in ENDPOINTS if endpoint.streams] == [
        "ChatResource.submit_tool_outputs_stream",
        "ChatResource._stream",
        "StudioResource._agent_run",
        "WorkflowsResource.stream",
        "WorkflowsResource.resume",
        "WorkflowsResource._chat",
    ]
