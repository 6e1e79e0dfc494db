"""Declarations: every argument of every endpoint reaches the place that it was declared for, and no other."""

# pyright: reportPrivateUsage=false

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin
from urllib.parse import parse_qsl, unquote

import anyio
import httpx
import pytest
from answering import Answers, answer, refusal
from calling import call, method_of
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
    Polling,
    RequestTimeoutError,
    Retry,
    SessionAuth,
    Timeouts,
    models,
    resources,
)
from coze_async._download import Download
from coze_async._endpoint import ENDPOINTS, Endpoint, Resource, delete, get, post, put
from coze_async._limits import KINDS as LIMITED
from coze_async._pages import ByCursor, ByLastId, ByNumber, PageStyle
from coze_async._upload import Upload
from coze_async.models import BotOnboardingInfo, CozeModel, RoomConfig, TranslateConfig
from coze_async.resources import all_endpoints
from coze_async.resources.chat import ChatResource

DOCUMENTED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data/endpoints.json").read_text("utf-8"))[
    "endpoints"
]
ALL = all_endpoints()
BY_NAME = {endpoint.name: endpoint for endpoint in ALL}


class Reading(Answers):
    """Takes a request whole, also one that comes in pieces."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        return await super().handle_async_request(request)


def client(transport: httpx.AsyncBaseTransport, *, session: bool = False) -> AsyncCoze:
    auth = SessionAuth("k3y") if session else "pat_x"
    return AsyncCoze(auth, base_url="http://coze.test", transport=transport, retry=Retry.none(), limits=Limits.none())


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
    if Upload in arguments and NoneType not in arguments:
        # A type that every form takes.
        return st.builds(Upload, st.binary(min_size=1, max_size=50), name=st.just("a.wav"), check=st.just(False))
    if origin in (Union, UnionType):
        kinds = [kind for kind in arguments if kind is not NoneType]
        return st.none() | values_for(kinds[0] if len(kinds) == 1 else Union[tuple(kinds)])  # noqa: UP007 - of a list
    if origin is Mapping:
        return st.dictionaries(values_for(arguments[0]), values_for(arguments[1]), max_size=3)
    if origin is Sequence:
        return st.lists(values_for(arguments[0]), max_size=3)
    if origin is list:
        return st.lists(values_for(arguments[0]), max_size=2)
    if origin is dict:
        return st.dictionaries(values_for(arguments[0]), values_for(arguments[1]), max_size=2)
    if inspect.isclass(annotation) and issubclass(annotation, CozeModel):
        return models_of(annotation)
    simple: dict[Any, st.SearchStrategy[Any]] = {
        str: NAMES,
        bool: st.booleans(),
        int: st.integers(-(2**31), 2**63),
        float: st.floats(allow_nan=False, allow_infinity=False),
        Any: JSON,
    }
    return simple[annotation]


@st.composite
def models_of(draw: st.DrawFn, model: type[CozeModel]) -> CozeModel:
    """Models as a caller makes them: what they demand, and some of what they take."""
    fields = model.model_fields
    chosen = [name for name, field in fields.items() if field.is_required() or draw(st.booleans())]
    return model(**{name: draw(values_for(fields[name].annotation)) for name in chosen})


@st.composite
def calls(draw: st.DrawFn, endpoint: Endpoint) -> dict[str, Any]:
    """Arguments for an endpoint: all that it demands, and some of what it takes."""
    parameters = endpoint.signature.parameters
    chosen = [
        name for name in endpoint.places if name in endpoint.required or draw(st.booleans(), label=f"{name} is given")
    ]
    return {name: draw(values_for(parameters[name].annotation), label=name) for name in chosen}


def plain(value: Any) -> Any:
    """Return what a value is in JSON: of a model what was given, and the defaults that are not empty."""
    if isinstance(value, CozeModel):
        fields = type(value).model_fields
        given = {
            name: getattr(value, name) for name in fields if name in value.model_fields_set or getattr(value, name)
        }
        return {
            fields[name].serialization_alias or name: plain(item) for name, item in given.items() if item is not None
        }
    if isinstance(value, list | tuple):
        return [plain(item) for item in sequence(value)]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in mapping(value).items()}
    return value


def sequence(value: Any) -> Sequence[Any]:
    """Return what was found to be a sequence, of whatever."""
    found: Sequence[Any] = value
    return found


def mapping(value: Any) -> Mapping[str, Any]:
    """Return what was found to be a mapping, of whatever."""
    found: Mapping[str, Any] = value
    return found


def text_of(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def trimmed(ids: Any) -> Any:
    """Return an id, or a list of ids, as it has to be sent."""
    return ids.strip() if isinstance(ids, str) else [text.strip() for text in ids]


def expected_request(endpoint: Endpoint, arguments: Mapping[str, Any]) -> tuple[str, list[str], dict[str, str], Any]:
    """Return what must be sent: method, segments of the path, query, body. Written from the documented facts."""
    facts = DOCUMENTED[endpoint.name]
    defaults = {
        name: parameter.default
        for name, parameter in endpoint.signature.parameters.items()
        if parameter.default not in (None, inspect.Parameter.empty)
    }
    sent = {name: value for name, value in {**defaults, **arguments}.items() if value is not None}
    # An id is sent without the blanks around it.
    sent |= {name: trimmed(sent[name]) for name in endpoint._ids & sent.keys()}
    segments = [
        text_of(sent[segment[1:-1]]) if segment.startswith("{") else segment for segment in facts["route"].split("/")
    ]
    joined = {name: ",".join(sent[name]) for name in facts["joined"] if sent.get(name)}
    query = {name: joined.get(name) or text_of(sent[name]) for name in facts["query"] if sent.get(name, []) != []}
    if facts["form"]:
        return facts["method"], segments, query, {name: text_of(sent[name]) for name in facts["form"] if name in sent}
    body = {**facts["fixed"], **{name: plain(sent[name]) for name in facts["body"] if name in sent}}
    return facts["method"], segments, query, body if has_body(endpoint) else None


def has_body(endpoint: Endpoint) -> bool:
    return endpoint.method in ("POST", "PUT") or bool(DOCUMENTED[endpoint.name]["body"])


def body_of(request: httpx.Request) -> Any:
    """Return the body of a request: JSON, or the fields of a form; a file stands there under its `Upload`'s name."""
    kind, _, boundary = request.headers.get("content-type", "").partition("; boundary=")
    if kind != "multipart/form-data":
        return json.loads(request.content) if request.content else None
    fields: dict[str, str] = {}
    for part in request.content.split(b"--" + boundary.encode())[1:-1]:
        head, _, content = part[2:-2].decode("latin-1").partition("\r\n\r\n")
        (name,) = re.findall(r'; name="([^"]*)"', head)
        # The content of a file is for the tests of forms; here it is in its place.
        fields[name] = "Upload('a.wav')" if "filename" in head else content.encode("latin-1").decode()
    return fields


@pytest.mark.anyio
@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)
@settings(max_examples=10)
@given(st.data())
async def test_every_argument_lands_where_it_was_declared_and_nowhere_else(
    endpoint: Endpoint, data: st.DataObject
) -> None:
    arguments = data.draw(calls(endpoint))
    transport = Reading(refusal(4000))
    async with client(transport, session=endpoint.session) as coze:
        with pytest.raises(BadRequestError):
            await call(coze, endpoint, arguments)
    (request,) = transport.requests
    path, _, query = request.url.raw_path.decode().partition("?")
    assert (
        request.method,
        [unquote(segment) for segment in path.split("/")],
        dict(parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))),
        body_of(request),
    ) == expected_request(endpoint, arguments)
    assert request.url.fragment == ""
    assert ("content-type" in request.headers) == has_body(endpoint)
    assert request.headers.get("agw-js-conv") == DOCUMENTED[endpoint.name]["headers"].get("Agw-Js-Conv")
    accepted = (
        "text/event-stream" if endpoint.streams else "*/*" if endpoint.returns is Download else "application/json"
    )
    assert request.headers["accept"] == accepted
    assert ("cookie" in request.headers) == endpoint.session


# --- the declarations against the documented facts -------------------------------------------------------------------


def test_every_endpoint_is_documented_and_every_documented_one_declared() -> None:
    assert BY_NAME.keys() == DOCUMENTED.keys()
    assert len(BY_NAME) == len(ALL)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_declaration_agrees_with_the_documented_facts(name: str) -> None:
    endpoint, facts = BY_NAME[name], DOCUMENTED[name]
    assert (endpoint.method, endpoint.path) == (facts["method"], facts["route"])
    places = {parameter: place for place in ("path", "query", "body", "form") for parameter in facts[place]}
    assert {parameter: places.get(parameter) for parameter in endpoint.places} == endpoint.places
    assert set(facts["required"]) <= endpoint.required
    assert endpoint.fixed == facts["fixed"]
    assert endpoint.headers == facts["headers"]
    assert sorted(endpoint.joined) == facts["joined"]
    # What is not offered is left out by decision, and not by oversight.
    assert sorted(places.keys() - endpoint.places.keys()) == facts["left_out"]


def path_in(endpoint: Endpoint, key: str) -> str:
    """Return where in the answer something stands, as the facts write it."""
    return ".".join([*endpoint.payload, key])


@pytest.mark.parametrize("name", [name for name, facts in DOCUMENTED.items() if facts["pages"]])
def test_a_list_follows_its_pages_as_documented(name: str) -> None:
    endpoint, facts = BY_NAME[name], DOCUMENTED[name]["pages"]
    style: PageStyle | None = endpoint.pages
    assert style is not None
    assert path_in(endpoint, style.items) == facts["items"]
    if isinstance(style, ByNumber):
        assert (style.page, style.size) == (facts["page"], facts["size"])
        # What the facts do not name cannot be there, and is not looked for in vain.
        assert path_in(endpoint, style.total) == facts.get("total", path_in(endpoint, "total"))
        assert path_in(endpoint, style.has_more) == facts.get("has_more", path_in(endpoint, "has_more"))
        assert endpoint.defaults[style.page] == 1
        assert endpoint.defaults[style.size] > 0
    elif isinstance(style, ByCursor):
        assert (style.cursor, path_in(endpoint, style.next_cursor)) == (facts["token"], facts["next_token"])
        assert endpoint.defaults[style.cursor] is None
    else:
        assert isinstance(style, ByLastId)
        assert (style.after, path_in(endpoint, "last_id")) == (facts["after"], facts["last_id"])


def test_what_has_no_pages_by_the_facts_has_none_here() -> None:
    assert [e.name for e in ALL if e.pages] == [name for name in BY_NAME if DOCUMENTED[name]["pages"]]


# What may be sent twice, and which rate of `Limits` counts it: our own decisions, see the design. These POSTs read,
# stop, or set what is then as it was asked for, however often they arrive.
SAFE_POSTS = {
    "BotCollaborationModesResource.update",
    "BotsResource.update",
    "ChatResource.cancel",
    "ConversationMessagesResource.delete",
    "ConversationMessagesResource.update",
    "DatasetsResource.process",
    "DocumentsResource.delete",
    "DocumentsResource.update",
    "WorkflowsResource.update_collaboration_mode",
}
KINDS = {
    "AppCollaboratorsResource.create": "collaboration",
    "AppCollaboratorsResource.delete": "collaboration",
    "BotCollaboratorsResource.create": "collaboration",
    "BotCollaboratorsResource.delete": "collaboration",
    "BotVersionsResource.list": "bot_info",
    "BotsResource.create": "bot_management",
    "BotsResource.list": "bot_info",
    "BotsResource.list_v1": "bot_info",
    "BotsResource.publish": "bot_management",
    "BotsResource.retrieve": "bot_info",
    "BotsResource.retrieve_online": "bot_info",
    "BotsResource.unpublish": "bot_management",
    "BotsResource.update": "bot_management",
    "ChatMessagesResource.list": "chat_look",
    "ChatResource._create": "chat",
    "ChatResource._stream": "chat",
    "ChatResource.retrieve": "chat_look",
    "DraftBotsResource.create": "bot_management",
    "DraftBotsResource.publish": "bot_management",
    "DraftBotsResource.update_display_info": "bot_management",
    "ExecuteNodesResource.retrieve": "workflow_look",
    "FilesResource._upload": "upload",
    "RunHistoriesResource.get_run_history": "workflow_look",
    "RunHistoriesResource.retrieve": "workflow_look",
    "StudioResource._agent_run": "chat",
    "WorkflowCollaboratorsResource.create": "collaboration",
    "WorkflowCollaboratorsResource.delete": "collaboration",
    "WorkflowRunsResource.resume_sync": "workflow",
    "WorkflowsResource._chat": "chatflow",
    "WorkflowsResource.resume": "workflow",
    "WorkflowsResource.run": "workflow",
    "WorkflowsResource.stream": "workflow",
}


@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)
def test_only_what_reads_stops_or_sets_may_be_sent_twice(endpoint: Endpoint) -> None:
    reads = endpoint.method == "GET" or endpoint.pages is not None
    assert endpoint.safe == (reads or endpoint.method in ("PUT", "DELETE") or endpoint.name in SAFE_POSTS)
    assert endpoint.kind == KINDS.get(endpoint.name, "other")
    assert endpoint.kind in LIMITED
    assert endpoint.session == endpoint.path.startswith("/api/")


@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)
async def test_a_declared_method_looks_as_it_was_written_and_names_its_source(endpoint: Endpoint) -> None:
    async with client(Answers(refusal(4000))) as coze:
        declared = method_of(coze, endpoint)
    parameters = inspect.signature(declared).parameters.values()
    assert all(parameter.kind is inspect.Parameter.KEYWORD_ONLY for parameter in parameters)
    named = [*endpoint.places, "timeouts"]
    assert [parameter.name for parameter in parameters] == named
    text = inspect.getdoc(declared) or ""
    assert "Source: " in text
    # What it says of parameters, it says of those that there are.
    described = re.findall(r"^    (\w+): ", text.partition("Args:")[2].partition("Raises:")[0], re.MULTILINE)
    assert described in ([], named)
    assert getattr(declared, "endpoint", None) is endpoint


async def test_documents_are_called_by_their_older_name_too() -> None:
    transport = Answers(answer({"code": 0, "document_infos": [{"document_id": "5", "name": "a.txt"}]}))
    async with client(transport) as coze:
        pages = (coze.datasets.documents.list(dataset_id="7"), coze.knowledge.documents.list(dataset_id="7"))
        new, old = [await page.first() for page in pages]
        assert [one.name for one in old.items] == [one.name for one in new.items] == ["a.txt"]
        await coze.knowledge.documents.delete(document_ids=["5"])
        first, second, third = transport.requests
        assert (first.url, first.content) == (second.url, second.content)
        assert third.url.path == "/open_api/knowledge/document/delete"
        for method in ("create", "update", "delete", "list"):
            assert "Source: " in (inspect.getdoc(getattr(coze.knowledge.documents, method)) or "")


async def test_an_unknown_or_missing_argument_is_a_type_error_that_names_it() -> None:
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


# --- ids ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in ALL if endpoint._ids], ids=lambda one: one.name)
async def test_every_id_may_be_a_number_and_have_blanks_around_it(endpoint: Endpoint) -> None:
    sent: list[tuple[bytes, Any]] = []
    for one, several in ((7401, [7401, "7402"]), (" 7401\n", ("7401 ", 7402)), ("7401", ["7401", "7402"])):
        arguments: dict[str, Any] = {name: values_of(endpoint, name) for name in endpoint.required}
        for name in endpoint._ids:
            is_list = "Sequence" in str(endpoint.signature.parameters[name].annotation)
            arguments[name] = several if is_list else one
        request = endpoint.request(arguments)
        body: Any = json.loads(request.body) if isinstance(request.body, bytes) else None
        sent.append((f"{request.path}?{request.query}".encode(), body))
        assert request.user == ("7401" if endpoint.starts_chat and "user_id" in endpoint._ids else None)
    assert sent[0] == sent[1] == sent[2]
    assert endpoint.form or b"7401" in sent[0][0] or "'7401'" in str(sent[0][1])


def values_of(endpoint: Endpoint, name: str) -> Any:
    """Return some value for an argument that is no id."""
    annotation = str(endpoint.signature.parameters[name].annotation)
    if "Upload" in annotation:
        return Upload(b"RIFF", name="a.wav")
    return [] if "Sequence" in annotation else {} if "Mapping" in annotation else 1 if "int" in annotation else "x"


@pytest.mark.parametrize("endpoint", [endpoint for endpoint in ALL if endpoint._ids], ids=lambda one: one.name)
@pytest.mark.parametrize(
    ("value", "says"), [("", "is ''"), (" \t", "is ' "), (True, "is a bool"), (7.4e18, "is a float")]
)
async def test_what_is_no_id_is_refused_by_function_and_argument(endpoint: Endpoint, value: Any, says: str) -> None:
    for name in endpoint._ids:
        arguments: dict[str, Any] = {other: values_of(endpoint, other) for other in endpoint.required}
        is_list = "Sequence" in str(endpoint.signature.parameters[name].annotation)
        arguments[name] = [value] if is_list else value
        with pytest.raises(ConfigurationError, match=rf"{endpoint.function}\(\): {name} {says}"):
            endpoint.request(arguments)


async def test_a_number_and_its_text_are_one_user_and_one_conversation() -> None:
    transport = Answers(refusal(4000))
    users: list[str | None] = []
    coze = AsyncCoze("pat_x", transport=transport, observe=lambda exchange: users.append(exchange.user))
    for user, conversation in ((7, 9), ("7 ", " 9")):
        ids: Any = {"bot_id": 5, "user_id": user, "conversation_id": conversation}
        for ask in (coze.chat.ask, coze.chat.create, coze.chat.create_and_poll):
            with pytest.raises(BadRequestError):
                await ask("hi", **ids)
    assert users == ["7"] * 6
    assert {request.url.params["conversation_id"] for request in transport.requests} == {"9"}
    assert {(body_of(request)["bot_id"], body_of(request)["user_id"]) for request in transport.requests} == {("5", "7")}


# --- arguments that are not known, and time-outs for one call ---------------------------------------------------------


async def begun(called: Any, *message: str, **arguments: Any) -> None:
    """Call, and await what comes of it, as either may raise."""
    await called(*message, **arguments)


async def test_an_unknown_argument_names_the_function_and_what_to_do() -> None:
    coze: Any = AsyncCoze("pat_x", transport=Answers(refusal(4000)))
    who = {"bot_id": "5", "user_id": "u", "timeout": 3}
    advice = r"\.\s.*timeouts=Timeouts\(total=…\).*with_options"
    for name in ("stream", "ask", "create", "create_and_poll", "batch"):
        with pytest.raises(TypeError, match=rf"^chat\.{name}\(\) got an unexpected keyword argument 'timeout'{advice}"):
            await begun(getattr(coze.chat, name), "hi", **who)
    for called, named in (
        (coze.chat.messages.list, r"chat\.messages\.list"),
        (coze.conversations.messages.list, r"conversations\.messages\.list"),
        (coze.api_apps.events.delete, r"api_apps\.events\.delete"),
        (coze.workflows.run, r"workflows\.run"),
        (coze.workflows.stream, r"workflows\.stream"),
        (coze.audio.speech.create, r"audio\.speech\.create"),
    ):
        with pytest.raises(
            TypeError, match=rf"^{named}\(\) got an unexpected keyword argument 'request_timeout'{advice}"
        ):
            await begun(called, request_timeout=3)
    with pytest.raises(TypeError, match=r"'extra_headers'.*with_options.headers="):
        await coze.bots.retrieve(bot_id="5", extra_headers={})
    with pytest.raises(TypeError, match=r"'botid'. Did you mean 'bot_id'"):
        await coze.bots.retrieve(botid="5")


async def test_every_group_says_where_a_client_has_it() -> None:
    """A document has two places; its errors name the newer one."""
    coze = AsyncCoze("pat_x", transport=Answers(refusal(4000)))
    for endpoint in ALL:
        place, _, method = endpoint.function.rpartition(".")
        found: Any = coze
        for name in place.split("."):
            found = getattr(found, name)
        assert getattr(method_of(coze, endpoint), "endpoint", None) is endpoint
        assert type(found).__name__ == endpoint.name.partition(".")[0]
        assert endpoint.name.rpartition(".")[2].removeprefix("_") == method


class Never(httpx.AsyncBaseTransport):
    """Takes every request and never answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await anyio.sleep_forever()
        raise AssertionError


@pytest.mark.parametrize("endpoint", ALL, ids=lambda endpoint: endpoint.name)
async def test_every_call_takes_time_outs_of_its_own(endpoint: Endpoint) -> None:
    arguments: dict[str, Any] = {name: values_of(endpoint, name) for name in endpoint.required}
    async with client(Never(), session=endpoint.session) as coze:
        before = anyio.current_time()
        with pytest.raises(RequestTimeoutError, match=r"Timeouts\.total"):
            await call(coze, endpoint, {**arguments, "timeouts": Timeouts(total=7.0)})
        assert anyio.current_time() - before == pytest.approx(7)


async def test_the_methods_beside_the_declarations_take_time_outs_too() -> None:
    async with client(Never()) as coze:
        timeouts = Timeouts(total=7.0)
        who: Any = {"bot_id": "5", "user_id": "u"}

        async def batch(method: Any, items: Any, **more: Any) -> None:
            async with method(items, timeouts=timeouts, **more) as outcomes:
                async for outcome in outcomes:
                    outcome.unwrap()

        calls: list[Callable[[], Awaitable[Any]]] = [
            lambda: coze.chat.stream("hi", **who, timeouts=timeouts).result(),
            lambda: coze.chat.ask("hi", **who, timeouts=timeouts),
            lambda: coze.chat.create("hi", **who, timeouts=timeouts),
            lambda: coze.chat.create_and_poll("hi", **who, timeouts=timeouts),
            lambda: batch(coze.chat.batch, ["hi"], **who),
            lambda: batch(coze.chat.batch, ["hi"], **who, polling=Polling()),
            lambda: coze.workflows.chat("hi", workflow_id="1", bot_id="5", timeouts=timeouts).result(),
            lambda: coze.workflows.run_and_poll(workflow_id="1", timeouts=timeouts),
            lambda: batch(coze.workflows.batch, [{}], workflow_id="1"),
            lambda: coze.files.upload(b"x", name="a.pdf", timeouts=timeouts),
            lambda: coze.limits.learn(timeouts=timeouts),
        ]
        for one in calls:
            before = anyio.current_time()
            with pytest.raises(RequestTimeoutError, match=r"Timeouts\.total"):
                await one()
            assert anyio.current_time() - before == pytest.approx(7)
    async with client(Never(), session=True) as coze:
        runs: list[Callable[[], Awaitable[Any]]] = [
            lambda: coze.studio.agent_run("hi", bot_id="5", conversation_id="7", timeouts=timeouts),
            lambda: coze.studio.agent_run_stream("hi", bot_id="5", conversation_id="7", timeouts=timeouts).result(),
        ]
        for run in runs:
            with pytest.raises(RequestTimeoutError, match=r"Timeouts\.total"):
                await run()


async def test_time_outs_that_are_none_are_refused() -> None:
    async with client(Answers(refusal(4000))) as coze:
        seconds: Any = 3
        with pytest.raises(ConfigurationError, match=r"timeouts is 3: give Timeouts, such as Timeouts\(total=30.0\)"):
            await coze.bots.retrieve(bot_id="5", timeouts=seconds)
        with pytest.raises(ConfigurationError, match="timeouts is 3"):
            coze.chat.stream("hi", bot_id="5", user_id="u", timeouts=seconds)


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
        "message": {"role": "user", "type": "question", "content": "hi", "content_type": "text"},
        "object": {"type": "image", "file_id": "f"},
        "pair": [1, "two"],
        "set": ["only"],
        "mapping": {"one": 1},
        "mood": "good",
        "text": "你\u2028",
    }
    assert "你".encode() in transport.requests[0].content


async def test_of_a_model_only_what_was_given_is_sent_under_the_names_of_the_wire() -> None:
    transport = Answers(refusal(4000))
    async with client(transport) as coze:
        # An empty list of questions that nobody has given would take the bot's questions away.
        onboarding = BotOnboardingInfo(prologue="Hello!")
        for given in (onboarding, BotOnboardingInfo(prologue="", suggested_questions=[])):
            with pytest.raises(BadRequestError):
                await coze.bots.update(bot_id="5", onboarding_info=given)
        with pytest.raises(BadRequestError):
            await coze.conversations.create(messages=[Message(role="user", content="hi")])
        room = RoomConfig(room_mode="translate", translate_config=TranslateConfig(from_="zh", to="en"))
        with pytest.raises(BadRequestError):
            await coze.audio.rooms.create(bot_id="5", config=room)
    assert [transport.body(number) for number in range(4)] == [
        {"bot_id": "5", "onboarding_info": {"prologue": "Hello!"}},
        {"bot_id": "5", "onboarding_info": {"prologue": "", "suggested_questions": []}},
        {"messages": [{"role": "user", "content": "hi", "content_type": "text"}]},
        {"bot_id": "5", "config": {"room_mode": "translate", "translate_config": {"from": "zh", "to": "en"}}},
    ]


async def test_a_body_of_a_delete_and_lists_in_a_query_are_sent_as_the_pages_say() -> None:
    transport = Answers(answer({"code": 0, "data": {"removed_success_user_ids": ["1"]}}), answer({"code": 0}))
    async with client(transport) as coze:
        removed = await coze.workspaces.members.delete(workspace_id="7", user_ids=["1", "2"])
        assert await coze.variables.retrieve(connector_uid="u", keywords=["a", "b&c"]) == []
    assert removed.removed_success_user_ids == ["1"]
    assert (transport.requests[0].method, transport.body(0)) == ("DELETE", {"user_ids": ["1", "2"]})
    assert dict(transport.requests[1].url.params) == {"connector_uid": "u", "keywords": "a,b&c"}


def test_what_the_documentation_points_to_exists() -> None:
    sources = [path.read_text("utf-8") for path in Path(resources.__file__).parent.glob("*.py")]
    sources += [path.read_text("utf-8") for path in Path(models.__file__).parent.glob("*.py")]
    named = {name for source in sources for name in re.findall(r"(?:see|See|One of) `([A-Z]\w+)", source)}
    options = {"AgentRunOptions", "ChatOptions"}
    assert named - options <= set(models.__all__)


@pytest.mark.parametrize("value", ["", "  ", ".", "..", None])
async def test_a_part_of_the_path_that_would_name_another_route_is_refused(value: Any) -> None:
    transport = Answers(refusal(4000))
    async with client(transport) as coze:
        with pytest.raises(ConfigurationError, match=re.escape(f"bot_id is {value!r}")):
            await coze.bots.retrieve(bot_id=value)
    assert transport.requests == []


@pytest.mark.parametrize("value", [{"a": 1}, Circle(), b"x"])
async def test_a_query_takes_no_structures(value: Any) -> None:
    async with client(Answers(refusal(4000))) as coze:
        with pytest.raises(ConfigurationError, match=f"keyword is a {type(value).__name__}; a query takes texts"):
            await coze.datasets.images.list(dataset_id="7", keyword=value).first()


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
    assert [endpoint.name for endpoint in ALL if endpoint.streams] == [
        "ChatResource._stream",
        "ChatResource.submit_tool_outputs_stream",
        "StudioResource._agent_run",
        "WorkflowsResource._chat",
        "WorkflowsResource.resume",
        "WorkflowsResource.stream",
    ]
