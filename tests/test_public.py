"""The public face: the names and signatures that other programs are written against."""

import ast
import inspect
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import coze_async
from coze_async import (
    AsyncCoze,
    ChatResult,
    ChatStream,
    CozeError,
    Exchange,
    KnowledgeChunk,
    Limits,
    Message,
    MessageObject,
    Polling,
    Rate,
    Retry,
    Timeouts,
    WorkflowRun,
    WorkflowStream,
    models,
)
from coze_async.models import CozeModel


@pytest.mark.parametrize("module", [coze_async, models])
def test_the_public_names_exist_once_and_are_sorted(module: Any) -> None:
    names = module.__all__
    assert len(set(names)) == len(names)
    assert all(hasattr(module, name) for name in names)
    # As ruff sorts them: constants, classes, the rest.
    kinds = [(not name.isupper(), not name[0].isupper(), name) for name in names]
    assert kinds == sorted(kinds)


def test_what_is_public_twice_is_the_same_thing() -> None:
    shared = set(coze_async.__all__) & set(models.__all__)
    assert {"Chat", "Message", "ChatResult", "MessageDelta", "WorkflowRun"} <= shared
    assert all(getattr(coze_async, name) is getattr(models, name) for name in shared)


def test_every_public_class_and_function_says_what_it_is_for() -> None:
    for name in coze_async.__all__:
        thing = getattr(coze_async, name)
        if inspect.isclass(thing) or inspect.isfunction(thing):
            assert inspect.getdoc(thing), name


def test_every_event_and_error_of_the_contract_is_public() -> None:
    # The words of the design, "The public face".
    events = """ChatCreated ChatInProgress ChatCompleted ChatFailed ChatRequiresAction ChatCanceled MessageDelta
        MessageCompleted AudioDelta StreamDone UnknownEvent WorkflowMessage WorkflowInterrupt WorkflowDone"""
    errors = """ConfigurationError TransportError RequestTimeoutError APIError BadRequestError AuthenticationError
        PermissionDeniedError NotFoundError ConversationBusyError RateLimitError QuotaError ServerError DecodeError
        ClosedError StreamError StreamInterruptedError StreamProtocolError ChatFailedError WorkflowError
        PollTimeoutError StorageError"""
    assert set(events.split()) | set(errors.split()) <= set(coze_async.__all__)
    assert all(issubclass(getattr(coze_async, name), CozeError) for name in errors.split())
    assert all("event" in getattr(coze_async, name).model_fields for name in events.split())


def parameters(function: Any) -> list[str]:
    return [name for name in inspect.signature(function).parameters if name != "self"]


def test_the_ways_to_ask_take_what_the_contract_says() -> None:
    coze = AsyncCoze("pat_x")
    start = ["message", "bot_id", "user_id"]
    assert parameters(coze.chat.stream) == [*start, "options"]
    assert parameters(coze.chat.ask) == [*start, "options"]
    assert parameters(coze.chat.create) == [*start, "options"]
    assert parameters(coze.chat.create_and_poll) == [*start, "polling", "options"]
    for look in (coze.chat.retrieve, coze.chat.cancel, coze.chat.messages.list):
        assert parameters(look) == ["conversation_id", "chat_id", "timeouts"]
    assert parameters(coze.chat.submit_tool_outputs)[:3] == ["conversation_id", "chat_id", "tool_outputs"]
    assert parameters(coze.workflows.run)[:2] == ["workflow_id", "parameters"]
    assert parameters(coze.workflows.resume)[:4] == ["workflow_id", "event_id", "interrupt_type", "resume_data"]
    assert parameters(coze.with_options) == ["timeouts", "retry", "headers", "user"]
    assert {"is_async"} <= {*parameters(coze.workflows.run)}


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        (
            ChatResult,
            "text reasoning answers follow_ups knowledge tool_calls usage chat messages chat_id conversation_id logid",
        ),
        (KnowledgeChunk, "text score document url"),
        (WorkflowRun, "data json execute_id debug_url usage"),
        (ChatStream, "text result aclose chat_id conversation_id logid __aiter__ __anext__ __aenter__ __aexit__"),
        (WorkflowStream, "text result aclose logid __aiter__ __anext__ __aenter__ __aexit__"),
        (AsyncCoze, "chat workflows bots studio with_options aclose base_url __aenter__ __aexit__"),
        (Message, "user assistant objects"),
        (MessageObject, "of_text of_image of_file of_audio"),
        (Timeouts, "connect first_event idle total write pool"),
        (Polling, "interval factor max_interval timeout"),
        (Retry, "attempts none"),
        (Rate, "limit period"),
        (Limits, "chat bot_management bot_info chats_at_once account none"),
        (Exchange, "method path attempt seconds status code logid error retry_in user waited"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_class_has_what_the_contract_says(kind: type, names: str) -> None:
    known = {*dir(kind), *getattr(kind, "__annotations__", {})}
    if issubclass(kind, CozeModel):
        known |= kind.model_fields.keys()
    assert set(names.split()) <= known


@pytest.mark.parametrize("kind", [Timeouts, Polling, Retry, Limits])
def test_settings_are_values(kind: type[Any]) -> None:
    assert kind() == kind()
    assert hash(kind()) == hash(kind())
    with pytest.raises(AttributeError):
        setattr(kind(), next(iter(kind.__slots__)), 1)


def test_the_version_is_one_of_the_usual_form() -> None:
    major, minor, patch = coze_async.__version__.split(".")
    assert (major + minor + patch[:1]).isdigit()


def test_type_checkers_are_told_that_the_package_is_typed() -> None:
    assert (Path(coze_async.__file__).parent / "py.typed").is_file()


def test_every_public_name_has_its_line_for_the_type_checkers() -> None:
    tree = ast.parse((Path(__file__).parent / "typing/api.py").read_text(encoding="utf-8"))
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == "coze_async"
        for alias in node.names
    }
    assert imported == set(coze_async.__all__)


def test_importing_the_package_brings_in_no_extra() -> None:
    program = "import sys, coze_async; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    extras = {"starlette", "uvicorn", "cyclopts", "cryptography", "trio", "cozepy"}
    extras |= {"coze_async.emulator", "coze_async.cli", "coze_async.taskiq", "taskiq", "redis"}
    assert "coze_async" in loaded
    assert not extras & set(loaded)


async def test_making_a_client_does_no_input_or_output_and_closing_it_twice_is_fine() -> None:
    coze = AsyncCoze("pat_x", base_url="https://nowhere.invalid")
    async with coze as entered:
        assert entered is coze
    await coze.aclose()
    with pytest.raises(RuntimeError, match="This AsyncCoze is closed"):
        await coze.chat.retrieve(conversation_id="7", chat_id="9")
