"""Every endpoint reads the answers that servers may give: small, whole, full of nulls, with what nobody knows yet."""

# pyright: reportPrivateUsage=false

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Union, get_args, get_origin

import pytest
from answering import Answers, answer
from calling import call
from sampling import EXTRAS, FULL, MINIMAL, NULLS, NUMBERS, Sample, aliases_of, around, sample

from coze_async import AsyncCoze, DecodeError, Limits, Retry, SessionAuth
from coze_async._download import Download
from coze_async._endpoint import Endpoint
from coze_async._upload import Upload
from coze_async.models import BotOnboardingInfo, BotPromptInfo, CozeModel
from coze_async.resources import all_endpoints

ANSWERED = [e for e in all_endpoints() if e.returns is not None and not e.streams and e.returns is not Download]
SILENT = [e for e in all_endpoints() if e.returns is None]


def name_of(value: Any) -> str | None:
    """Return how pytest shows an endpoint."""
    return getattr(value, "name", None)


NAMES: Any = {"ids": name_of}


def item_of(endpoint: Endpoint) -> type[CozeModel]:
    """Return the model that is answered, or the one of each item of a list."""
    model: type[CozeModel] = get_args(endpoint.returns)[0] if is_listed(endpoint) else endpoint.returns
    return model


def is_listed(endpoint: Endpoint) -> bool:
    """True for a list, in pages or not."""
    return endpoint.pages is not None or get_origin(endpoint.returns) is list


def arguments_for(endpoint: Endpoint) -> dict[str, Any]:
    """Return what an endpoint demands."""
    parameters = endpoint.signature.parameters
    return {name: value_for(parameters[name].annotation) for name in endpoint.required}


def value_for(annotation: Any) -> Any:
    if Upload in get_args(annotation):
        return Upload(b"sound", name="a.wav")
    if get_origin(annotation) is Union:
        return value_for(get_args(annotation)[0])
    if get_origin(annotation) is Mapping:
        return {}
    if get_origin(annotation) is Sequence:
        return [value_for(get_args(annotation)[0])]
    if isinstance(annotation, type) and issubclass(annotation, CozeModel):
        return annotation.model_validate(sample(annotation, MINIMAL))
    return {str: "1", int: 1, float: 1.0, bool: True}[annotation]


async def answered(endpoint: Endpoint, payload: Any) -> Any:
    """Call an endpoint of a server that gives this answer."""
    transport = Answers(answer(payload, headers={"x-tt-logid": "log-1"}))
    auth = SessionAuth("k3y") if endpoint.session else "pat_x"
    async with AsyncCoze(
        auth, base_url="http://coze.test", transport=transport, retry=Retry.none(), limits=Limits.none()
    ) as coze:
        return await call(coze, endpoint, arguments_for(endpoint))


def items_in(endpoint: Endpoint, result: Any) -> list[CozeModel]:
    """Return the models that were answered."""
    found: list[CozeModel] = listed(getattr(result, "items", result)) if is_listed(endpoint) else [result]
    assert found
    assert all(type(item) is item_of(endpoint) for item in found)
    return found


def value_of(endpoint: Endpoint, like: Sample) -> Any:
    """Return the object that is answered, or the list."""
    made = sample(item_of(endpoint), like)
    return [made, made] if is_listed(endpoint) else made


def unread(came: Any, went: Any, where: str = "") -> list[str]:
    """Return what of an answer did not arrive as it was sent; a number may have become its text."""
    if isinstance(came, CozeModel):
        keys = {name: aliases_of(type(came), name)[0] for name in type(came).model_fields}
        pairs = [(getattr(came, name), went[key], f".{name}") for name, key in keys.items() if key in went]
    elif isinstance(came, list):
        pairs = [(*both, f"[{n}]") for n, both in enumerate(zip(listed(came), listed(went), strict=True))]
    elif isinstance(came, dict):
        pairs = [(mapped(came).get(key), value, f"[{key!r}]") for key, value in mapped(went).items()]
    else:
        return [] if str(came) == str(went) else [f"{where}: {came!r} for {went!r}"]
    return [lost for inner, outer, step in pairs for lost in unread(inner, outer, where + step)]


def models_in(value: Any) -> Iterator[CozeModel]:
    """Return a model, all that are in it, and all in those."""
    if isinstance(value, CozeModel):
        yield value
    inner: Iterable[Any] = ()
    if isinstance(value, CozeModel):
        inner = [getattr(value, name) for name in type(value).model_fields]
    elif isinstance(value, list):
        inner = listed(value)
    elif isinstance(value, dict):
        inner = mapped(value).values()
    for piece in inner:
        yield from models_in(piece)


def listed(value: Any) -> list[Any]:
    """Return what was found to be a list, of whatever."""
    found: list[Any] = value
    return found


def mapped(value: Any) -> dict[str, Any]:
    """Return what was found to be an object, with whatever."""
    found: dict[str, Any] = value
    return found


def each(sent: Any) -> Any:
    """Return one of the objects that were sent."""
    return listed(sent)[0] if isinstance(sent, list) else sent


# --- every endpoint, every kind of answer ----------------------------------------------------------------------------


@pytest.mark.parametrize("endpoint", ANSWERED, **NAMES)
async def test_a_whole_answer_arrives_typed_and_with_every_field(endpoint: Endpoint) -> None:
    sent = value_of(endpoint, FULL)
    for item in items_in(endpoint, await answered(endpoint, around(endpoint, sent))):
        assert unread(item, each(sent)) == []


@pytest.mark.parametrize("like", [MINIMAL, NULLS], ids=["minimal", "nulls"])
@pytest.mark.parametrize("endpoint", ANSWERED, **NAMES)
async def test_an_answer_with_nothing_but_ids_arrives_with_defaults(endpoint: Endpoint, like: Sample) -> None:
    sent = value_of(endpoint, like)
    if not sent and endpoint.optional:
        # Nothing at all is None there.
        sent = {"zzz_new": 1}
    for item in items_in(endpoint, await answered(endpoint, around(endpoint, sent))):
        for name, field in type(item).model_fields.items():
            # The id of the exchange comes in a header.
            if not field.is_required() and name != "logid":
                assert getattr(item, name) == field.get_default(call_default_factory=True), name
        for name in dir(type(item)):
            # Whatever is reckoned from fields that are not there is reckoned without an error.
            if isinstance(getattr(type(item), name, None), property) and not name.startswith(("_", "model_")):
                getattr(item, name)


@pytest.mark.parametrize("endpoint", ANSWERED, **NAMES)
async def test_ids_that_are_numbers_arrive_as_texts_with_all_their_digits(endpoint: Endpoint) -> None:
    sent = value_of(endpoint, NUMBERS)
    for item in items_in(endpoint, await answered(endpoint, around(endpoint, sent))):
        assert unread(item, each(sent)) == []
        ids = [name for name, field in type(item).model_fields.items() if field.annotation is str]
        assert all(getattr(item, name) == "7300000000000000001" for name in ids)


@pytest.mark.parametrize("endpoint", ANSWERED, **NAMES)
async def test_what_no_model_knows_is_kept_at_every_depth(endpoint: Endpoint) -> None:
    for item in items_in(endpoint, await answered(endpoint, around(endpoint, value_of(endpoint, EXTRAS)))):
        assert all((model.model_extra or {}).get("zzz_new") == {"deep": [1]} for model in models_in(item))


@pytest.mark.parametrize("endpoint", ANSWERED, **NAMES)
async def test_fields_of_another_type_cost_those_fields_and_no_more(endpoint: Endpoint) -> None:
    model, sent = item_of(endpoint), value_of(endpoint, FULL)
    optional = {name: field for name, field in model.model_fields.items() if not field.is_required()}
    # An object for a list, and a list for all else.
    odd = {name: {"?": 1} if "list" in str(field.annotation) else [["?"]] for name, field in optional.items()}
    refused = [name for name in optional if not accepts(model, name, odd[name])]
    broken = {aliases_of(model, name)[0]: odd[name] for name in refused}
    sent = [{**item, **broken} for item in listed(sent)] if isinstance(sent, list) else {**sent, **broken}
    for item in items_in(endpoint, await answered(endpoint, around(endpoint, sent))):
        assert [getattr(item, name) for name in refused if name != "logid"] == [
            optional[name].get_default(call_default_factory=True) for name in refused if name != "logid"
        ]
        required = {
            aliases_of(model, name)[0]: each(sent)[aliases_of(model, name)[0]]
            for name in model.model_fields
            if name not in optional
        }
        assert unread(item, required) == []


def accepts(model: type[CozeModel], name: str, value: Any) -> bool:
    """True if a field takes this value as it is."""
    try:
        model.model_validate({**sample(model, MINIMAL), aliases_of(model, name)[0]: value})
    except ValueError:
        return False
    return True


# --- where an answer stands ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("endpoint", "key"),
    [(e, key) for e in ANSWERED for key in e.payload[1:]],
    ids=name_of,
)
async def test_an_answer_is_found_under_every_key_that_a_server_uses(endpoint: Endpoint, key: str) -> None:
    payload = around(endpoint, value_of(endpoint, FULL), key)
    assert items_in(endpoint, await answered(endpoint, payload))
    # Coze Studio writes neither code nor msg beside its own keys.
    del payload["code"], payload["msg"]
    assert items_in(endpoint, await answered(endpoint, payload))


def test_the_keys_of_coze_studio_are_among_them() -> None:
    keys = {endpoint.name: endpoint.payload for endpoint in all_endpoints()}
    assert keys["ConversationsResource.retrieve"] == ("data", "ConversationData")
    assert keys["ChatMessagesResource.list"] == ("data", "Messages")
    assert keys["ChatResource.retrieve"] == ("data",)
    assert keys["ChatResource.cancel"] == ("data", "ChatV3ChatDetail")


@pytest.mark.parametrize("endpoint", [e for e in ANSWERED if not is_listed(e)], **NAMES)
async def test_an_object_that_is_missing_is_a_decode_error_unless_some_servers_leave_it_out(endpoint: Endpoint) -> None:
    payloads: list[Any] = [{"code": 0, "msg": ""}, {"code": 0, "data": None}]
    for payload in payloads:
        if endpoint.optional:
            assert await answered(endpoint, payload) is None
        elif "" in endpoint.payload or endpoint.blank:
            # Some servers answer with the object itself.
            with contextlib.suppress(DecodeError):
                given = await answered(endpoint, payload)
                assert type(given) is item_of(endpoint)
                assert not given.model_dump(exclude_defaults=True, exclude={"code", "msg", "data"})
        elif endpoint.payload:
            with pytest.raises(DecodeError, match=r"no object under '.*\[logid log-1\]"):
                await answered(endpoint, payload)
        else:
            # The whole answer is the object; it has no id that could be missing.
            assert type(await answered(endpoint, payload)) is item_of(endpoint)


def test_only_changes_may_be_answered_with_nothing() -> None:
    assert [endpoint.name for endpoint in all_endpoints() if endpoint.optional] == [
        "BenefitLimitationsResource.update",
        "DocumentsResource.update",
    ]


@pytest.mark.parametrize("endpoint", [e for e in ANSWERED if is_listed(e)], **NAMES)
async def test_a_list_that_is_missing_null_or_empty_is_an_empty_list(endpoint: Endpoint) -> None:
    payloads: list[Any] = [
        {"code": 0, "msg": ""},
        {"code": 0, "data": None},
        around(endpoint, None),
        around(endpoint, []),
    ]
    for payload in payloads:
        result = await answered(endpoint, payload)
        assert getattr(result, "items", result) == []
        assert getattr(result, "has_more", False) is False


@pytest.mark.parametrize("endpoint", SILENT, **NAMES)
async def test_what_answers_nothing_returns_none_whatever_the_answer_holds(endpoint: Endpoint) -> None:
    payloads: list[Any] = [{"code": 0, "msg": ""}, {"code": 0, "data": {}}, {"code": 0, "data": None}, {"data": [1]}]
    for payload in payloads:
        assert await answered(endpoint, payload) is None


# --- single facts ----------------------------------------------------------------------------------------------------


async def one(payload: Any) -> tuple[AsyncCoze, Answers]:
    transport = Answers(answer(payload))
    return AsyncCoze("pat_x", base_url="http://coze.test", transport=transport), transport


async def test_a_limit_is_read_flat_or_within_its_block() -> None:
    # The page create_device_quotas shows it flat, the interface description under benefit_info.
    for payload in ({"data": {"benefit_id": 7}}, {"data": {"benefit_info": {"benefit_id": "7"}}}):
        coze, _ = await one(payload)
        async with coze:
            assert (await coze.benefit_limitations.update(benefit_id="7", limit="5")) is not None
            changed = await coze.benefit_limitations.update(benefit_id="7", limit="5")
        assert changed is not None
        assert changed.benefit_id == "7"


async def test_a_changed_message_is_read_from_its_own_key() -> None:
    coze, _ = await one({"code": 0, "message": {"id": "8", "content": "new"}})
    async with coze:
        message = await coze.conversations.messages.update(conversation_id="7", message_id="8", content="new")
    assert message.content == "new"


async def test_the_progress_of_documents_lies_twice_under_data() -> None:
    coze, _ = await one({"code": 0, "data": {"data": [{"document_id": 5, "progress": "70", "size": "12"}]}})
    async with coze:
        (progress,) = await coze.datasets.process(dataset_id="1", document_ids=["5"])
    assert (progress.document_id, progress.progress, progress.size) == ("5", 70, 12)


async def test_times_are_read_as_sent_and_as_a_person_reads_them() -> None:
    payload = {"data": {"items": [{"version": "1", "created_at": 1760000000}], "has_more": False}}
    coze, _ = await one(payload)
    async with coze:
        (version,) = (await coze.bots.versions.list(bot_id="5").first()).items
    assert version.created_at == "1760000000"
    assert version.created is not None
    assert version.created.year == 2025
    for odd in ("", "soon", 0, 1760000000000):
        assert version.model_copy(update={"created_at": odd}).created is None


def test_only_the_thing_itself_needs_its_id_and_not_what_is_in_it() -> None:
    outer = {item_of(endpoint) for endpoint in ANSWERED}
    inner = {type(found) for model in outer for found in models_in(model.model_validate(sample(model, FULL)))} - outer
    demanding = {model.__name__ for model in inner if any(field.is_required() for field in model.model_fields.values())}
    # Without the id of a tool call or of an interrupt nobody can answer it.
    assert demanding == {"InterruptData", "ToolCall"}


async def test_a_workflow_whose_creator_has_no_id_costs_no_list() -> None:
    sent: list[Any] = [{"workflow_id": "1", "creator": {"name": "gone"}}, {"workflow_id": "2", "creator": {}}]
    coze, _ = await one({"data": {"items": sent, "has_more": False}})
    async with coze:
        found = [workflow async for workflow in coze.workflows.list(workspace_id="7")]
    assert [workflow.workflow_id for workflow in found] == ["1", "2"]
    assert found[0].creator is not None
    assert (found[0].creator.id, found[0].creator.name) == ("", "gone")


async def test_what_a_tool_answers_is_kept_whatever_it_is() -> None:
    for result in ({"a": 1}, [1], "text", None):
        coze, _ = await one({"data": {"result": result}})
        async with coze:
            called = await coze.plugins.call_tool(plugin_id="1", tool_name="t", arguments={})
        assert called.result == result


async def test_a_bot_is_published_to_the_api_unless_something_else_is_said() -> None:
    coze, transport = await one({"data": {"bot_id": "5", "version": "2"}})
    async with coze:
        await coze.bots.publish(bot_id="5")
        await coze.bots.publish(bot_id="5", connector_ids=["999"])
    assert [transport.body(n)["connector_ids"] for n in (0, 1)] == [["1024"], ["999"]]


async def test_a_bot_that_was_read_can_be_sent_back_as_it_was() -> None:
    facts = {"prompt": "Be kind.", "prompt_mode": "standard", "new_field": {"a": 1}}
    bot = {"data": {"bot_id": "5", "prompt_info": facts, "onboarding_info": {"prologue": "Hello!"}}}
    transport = Answers(answer(bot), answer({"code": 0}))
    async with AsyncCoze("pat_x", base_url="http://coze.test", transport=transport) as coze:
        read = await coze.bots.retrieve(bot_id="5")
        await coze.bots.update(bot_id="5", prompt_info=read.prompt_info, onboarding_info=read.onboarding_info)
        await coze.bots.update(
            bot_id="5", prompt_info=BotPromptInfo(prompt=""), onboarding_info=BotOnboardingInfo(prologue="Hi")
        )
    assert transport.body(1) == {"bot_id": "5", "prompt_info": facts, "onboarding_info": {"prologue": "Hello!"}}
    assert transport.body(2) == {"bot_id": "5", "prompt_info": {"prompt": ""}, "onboarding_info": {"prologue": "Hi"}}
