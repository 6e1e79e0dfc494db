"""Many chats and many runs: what is asked for each item, and what becomes of those that nobody waits for any more."""

import itertools
import math
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import anyio
import pytest
from answering import Answers, chat

from coze_async import (
    AsyncCoze,
    ChatFailedError,
    ChatItem,
    ConfigurationError,
    Limits,
    Message,
    MessageObject,
    Polling,
    QuotaError,
    Rate,
    RequestTimeoutError,
    ServerError,
    StreamInterruptedError,
    StreamProtocolError,
    Timeouts,
    TransportError,
    WorkflowError,
    fan_out,
)
from coze_async.emulator import (
    Ask,
    ChatInput,
    Code,
    Cut,
    Emulator,
    Failure,
    Node,
    Script,
    Stall,
    TruncatedJson,
    Unreachable,
    Usage,
    WorkflowInput,
    WorkflowScript,
)

FREE = Limits.none()
NOTHING: dict[str, Any] = {}


def coze_at(emulator: Emulator, limits: Limits = FREE) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), limits=limits)


def echo(given: ChatInput) -> Script:
    return Script(f"You said: {given.question}", seconds=2.0)


@pytest.fixture
def emulator() -> Emulator:
    emulator = Emulator()
    emulator.bot("b", echo)
    return emulator


def asked(emulator: Emulator) -> list[dict[str, Any]]:
    """Return the bodies of the requests that started something, in the order of their questions."""
    bodies = [request.body for request in emulator.requests if request.path in ("/v3/chat", "/v1/workflow/stream_run")]
    return sorted(bodies, key=str)


# --- chats ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("polling", [None, Polling()])
async def test_every_item_is_asked_and_answered(emulator: Emulator, polling: Polling | None) -> None:
    questions = [f"question {number}" for number in range(7)]
    async with coze_at(emulator) as coze:
        batch = coze.chat.batch(questions, bot_id="b", user_id="u", limit=3, polling=polling)
        outcomes = await batch.collect()
    assert [outcome.item for outcome in outcomes] == questions
    assert [outcome.unwrap().text for outcome in outcomes] == [f"You said: {question}" for question in questions]
    assert [outcome.attempts for outcome in outcomes] == [1] * 7
    assert all(outcome.usage is not None and outcome.usage.token_count > 0 for outcome in outcomes)
    assert {body["stream"] for body in asked(emulator)} == {polling is None}
    assert {(body["bot_id"], body["user_id"]) for body in asked(emulator)} == {("b", "u")}


async def test_an_item_may_be_anything_that_a_bot_answers(emulator: Emulator) -> None:
    pieces = [MessageObject.of_text("What is this?"), MessageObject.of_image(file_id="6601")]
    items: list[Any] = [
        "a text",
        Message.user("a message"),
        pieces,
        ChatItem("an item"),
        ChatItem(Message.user("another")),
    ]
    async with coze_at(emulator) as coze:
        outcomes = await coze.chat.batch(items, bot_id="b", user_id="u").collect()
    assert all(outcome.is_ok for outcome in outcomes)
    assert [outcome.item for outcome in outcomes] == items
    sent = {body["additional_messages"][-1]["content_type"] for body in asked(emulator)}
    assert sent == {"text", "object_string"}


async def test_what_an_item_says_of_itself_goes_before_what_holds_for_all(emulator: Emulator) -> None:
    emulator.bot("c", echo)
    context = [Message.user("One?"), Message.assistant("Two.")]
    async with coze_at(emulator) as coze:
        first = await coze.chat.ask("Hi", bot_id="b", user_id="u-1")
        emulator.requests.clear()
        own = ChatItem(
            "1 own", "c", "u-1", first.conversation_id, context, {"a": "own"}, {"m": "own"}, {"p": ["own"]}, key="row 1"
        )
        batch = coze.chat.batch(
            [own, ChatItem("2 shared", key=2)],
            bot_id="b", user_id="u", custom_variables={"a": "all"}, meta_data={"m": "all"}, connector_id="1024",
        )  # fmt: skip
        outcomes = await batch.collect()
    assert [outcome.item.key for outcome in outcomes] == ["row 1", 2]
    requests = sorted(emulator.requests, key=lambda request: request.body["bot_id"], reverse=True)
    assert [request.query.get("conversation_id") for request in requests] == [first.conversation_id, None]
    first_body, second_body = (request.body for request in requests)
    assert [message["content"] for message in first_body["additional_messages"]] == ["One?", "Two.", "1 own"]
    names = ("bot_id", "user_id", "custom_variables", "meta_data", "parameters", "connector_id")
    assert [first_body.get(name) for name in names] == ["c", "u-1", {"a": "own"}, {"m": "own"}, {"p": ["own"]}, "1024"]
    assert [second_body.get(name) for name in names] == ["b", "u", {"a": "all"}, {"m": "all"}, None, "1024"]
    assert "key" not in first_body


@pytest.mark.parametrize("polling", [None, Polling()])
async def test_an_item_that_cannot_be_asked_stops_nothing(emulator: Emulator, polling: Polling | None) -> None:
    items: list[Any] = ["good", "", ChatItem("no bot", bot_id=" "), ChatItem(), 7, "good too"]
    async with coze_at(emulator) as coze:
        batch = coze.chat.batch(items, bot_id="b", user_id="u", polling=polling)
        outcomes = await batch.collect()
    assert [outcome.is_ok for outcome in outcomes] == [True, False, False, False, False, True]
    for outcome, words in zip(
        outcomes[1:5], ("message is empty", "bot_id is ' '", "nothing to answer", "message is a int"), strict=True
    ):
        assert isinstance(outcome.error, ConfigurationError)
        assert words in str(outcome.error)
        assert (outcome.attempts, outcome.may_have_started) == (0, False)
    assert len(asked(emulator)) == 2


async def test_bot_and_user_may_be_named_by_every_item(emulator: Emulator) -> None:
    items = [ChatItem("a", bot_id="b", user_id=f"u-{number}") for number in range(3)]
    async with coze_at(emulator) as coze:
        assert all(outcome.is_ok for outcome in await coze.chat.batch(items).collect())
        (nameless,) = await coze.chat.batch(["a"], bot_id="b").collect()
    assert "user_id is None" in str(nameless.error)


async def test_the_limits_of_each_user_hold(emulator: Emulator) -> None:
    items = [ChatItem(f"{number}", user_id=f"u-{number % 2}") for number in range(12)]
    limits = Limits(chat=Rate(3, 60.0, guard=0.0), chats_at_once=2)
    async with coze_at(emulator, limits) as coze:
        began = anyio.current_time()
        outcomes = await coze.chat.batch(items, bot_id="b", limit=12).collect()
    assert all(outcome.is_ok for outcome in outcomes)
    # Two users, six chats each, three a minute.
    assert anyio.current_time() - began == pytest.approx(60.0, abs=0.1)
    assert max(outcome.waited for outcome in outcomes) == pytest.approx(60.0, abs=0.1)
    assert max(outcome.seconds for outcome in outcomes) < 1.0


@pytest.mark.parametrize("polling", [None, Polling()])
async def test_chats_that_nobody_waits_for_any_more_are_cancelled_on_the_server(
    emulator: Emulator, polling: Polling | None
) -> None:
    emulator.bot("slow", Script("one two three four", seconds=300.0, pace=100.0))
    async with coze_at(emulator) as coze, coze.chat.batch(itertools.repeat("Hi"), bot_id="slow", user_id="u", limit=5,
                                                        polling=polling):  # fmt: skip
        await anyio.sleep(5.0)
    assert [found.status for found in emulator.chats.values()] == ["canceled"] * 5
    assert emulator.open_streams == 0


@pytest.mark.parametrize("cancels", [True, False])
async def test_a_chat_whose_time_is_up_is_cancelled_on_the_server_too(emulator: Emulator, *, cancels: bool) -> None:
    emulator.bot("slow", Script("one two three four", pace=100.0))
    if not cancels:
        emulator.fail(Code(5000), on="POST /v3/chat/cancel", times=None)
    async with coze_at(emulator) as coze:
        hasty = coze.with_options(timeouts=Timeouts(idle=5.0))
        (outcome,) = await hasty.chat.batch(["Hi"], bot_id="slow", user_id="u").collect()
    assert isinstance(outcome.error, RequestTimeoutError)
    ((chat_id, found),) = emulator.chats.items()
    assert (found.status == "canceled") is cancels
    assert outcome.error.chat is not None
    assert outcome.error.chat.id == chat_id
    assert ("has been asked to cancel" if cancels else "may go on: look again") in outcome.error.__notes__[0]


async def test_a_chat_that_could_not_be_read_is_named_and_can_be_fetched(emulator: Emulator) -> None:
    """What it wrote is paid for, and cancelling it would lose it."""
    emulator.fail(TruncatedJson(after=4), on="POST /v3/chat")
    async with coze_at(emulator) as coze:
        (outcome,) = await coze.chat.batch(["Hi"], bot_id="b", user_id="u").collect()
        assert isinstance(outcome.error, StreamProtocolError)
        assert outcome.may_have_started
        chat = outcome.error.chat
        assert chat is not None
        assert f"The chat {chat.id} of the conversation {chat.conversation_id}" in outcome.error.__notes__[0]
        # Of what the script takes, 2 s, all have passed.
        await anyio.sleep(3.0)
        assert (await coze.chat.retrieve(conversation_id=chat.conversation_id, chat_id=chat.id)).is_over
        said = await coze.chat.messages.list(conversation_id=chat.conversation_id, chat_id=chat.id)
    assert "You said: Hi" in [message.content for message in said]


async def test_a_chat_that_cannot_be_looked_at_any_more_has_started_all_the_same(emulator: Emulator) -> None:
    """Nothing of the last request arrived; asking the question again would pay for it twice."""
    emulator.fail(Unreachable(), on="GET /v3/chat/retrieve", times=None)
    async with coze_at(emulator) as coze:
        (outcome,) = await coze.chat.batch(["Hi"], bot_id="b", user_id="u", polling=Polling()).collect()
    assert isinstance(outcome.error, TransportError)
    assert not outcome.error.may_have_arrived
    assert outcome.error.chat is not None
    assert outcome.may_have_started


async def test_a_chat_that_is_not_known_yet_cannot_be_cancelled(emulator: Emulator) -> None:
    emulator.fail(Stall(), on="POST /v3/chat", times=None)
    async with coze_at(emulator) as coze, coze.chat.batch(["Hi"], bot_id="b", user_id="u"):
        await anyio.sleep(5.0)
    assert [request.path for request in emulator.requests] == ["/v3/chat"]


@pytest.mark.parametrize("fault", [Code(5000), Stall()])
async def test_a_server_that_does_not_cancel_holds_nobody_up(emulator: Emulator, fault: Code | Stall) -> None:
    emulator.bot("slow", Script("one two", pace=100.0))
    emulator.fail(fault, on="POST /v3/chat/cancel", times=None)
    async with coze_at(emulator) as coze:
        began = anyio.current_time()
        async with coze.chat.batch(["Hi"] * 9, bot_id="slow", user_id="u"):
            await anyio.sleep(5.0)
        assert anyio.current_time() - began <= 7.1


async def test_failed_chats_are_outcomes_and_a_used_up_quota_ends_the_batch(emulator: Emulator) -> None:
    def script(given: ChatInput) -> Script:
        if given.question == "7":
            return Script("Half an", failure=Failure(4028, "no credits"), usage=Usage(5, 1))
        return Script("Half an", failure=Failure(5000)) if int(given.question) % 2 else Script("All of it")

    emulator.bot("b", script)
    async with coze_at(emulator) as coze:
        numbers = map(str, range(50))
        batch = coze.chat.batch(numbers, bot_id="b", user_id="u", limit=1)
        outcomes = await batch.collect()
    assert len(outcomes) == 8
    assert [outcome.is_ok for outcome in outcomes[:4]] == [True, False, True, False]
    failed = outcomes[1].error
    assert isinstance(failed, ChatFailedError)
    assert (failed.code, failed.partial and failed.partial.text) == (5000, "Half an")
    assert (outcomes[1].may_have_started, outcomes[7].may_have_started) == (True, False)
    assert batch.stopped_by is outcomes[7].error
    # Nothing was taken that was not asked.
    assert next(numbers) == "8"


async def test_a_refused_quota_ends_the_batch_unless_it_may_not(emulator: Emulator) -> None:
    emulator.fail(Code(4011, "no tokens left"), on="POST /v3/chat", times=3)
    async with coze_at(emulator) as coze:
        batch = coze.chat.batch(["Hi"] * 5, bot_id="b", user_id="u", limit=1)
        (only,) = await batch.collect()
        assert isinstance(only.error, QuotaError)
        goes_on = coze.chat.batch(["Hi"] * 5, bot_id="b", user_id="u", limit=1, stop_on=())
        assert [outcome.is_ok for outcome in await goes_on.collect()] == [False, False, True, True, True]


async def test_an_answer_that_broke_off_is_an_outcome_that_may_have_cost(emulator: Emulator) -> None:
    emulator.fail(Cut(after=4), on="POST /v3/chat")
    async with coze_at(emulator) as coze:
        broken, good = await coze.chat.batch(["Hi", "Ho"], bot_id="b", user_id="u", limit=1).collect()
    assert isinstance(broken.error, StreamInterruptedError)
    assert broken.may_have_started
    assert good.is_ok


@pytest.mark.parametrize(("ordered", "expected"), [(True, ["slow", "fast"]), (False, ["fast", "slow"])])
async def test_outcomes_of_chats_come_as_they_finish_or_in_order(
    emulator: Emulator, ordered: bool, expected: list[str]
) -> None:
    emulator.bot("b", lambda given: Script("one two", pace=9.0 if given.question == "slow" else 0.0))
    coze = coze_at(emulator)
    async with coze, coze.chat.batch(["slow", "fast"], bot_id="b", user_id="u", ordered=ordered) as outcomes:
        assert [outcome.item async for outcome in outcomes] == expected


async def test_mistakes_that_every_item_would_meet_are_raised_at_once() -> None:
    transport = Answers(chat())
    coze = AsyncCoze("pat_x", base_url="http://coze.test", transport=transport)
    mistaken: Any = coze.chat.batch
    with pytest.raises(TypeError, match=r"chat.batch\(\) got an unexpected keyword argument 'bot'"):
        mistaken(["Hi"], bot="b", user_id="u", temperature=1)
    with pytest.raises(ConfigurationError, match="auto_save_history=False"):
        mistaken(["Hi"], bot_id="b", user_id="u", polling=Polling(), auto_save_history=False)
    with pytest.raises(ConfigurationError, match="items is a str"):
        mistaken("Hi", bot_id="b", user_id="u")
    assert transport.requests == []


# --- workflow runs ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("polling", [None, Polling()])
async def test_a_workflow_runs_with_every_item(emulator: Emulator, polling: Polling | None) -> None:
    emulator.workflow("w", lambda given: WorkflowScript({"said": given.parameters["city"]}, usage=Usage(3, 4)))

    async def cities() -> AsyncIterator[dict[str, str]]:
        for city in ("杭州", "Paris", "Rome"):
            yield {"city": city}

    async with coze_at(emulator) as coze:
        batch = coze.workflows.batch(cities(), workflow_id="w", limit=2, ordered=True, polling=polling)
        async with batch as outcomes:
            runs = [outcome async for outcome in outcomes]
    assert [run.unwrap().json() for run in runs] == [{"said": "杭州"}, {"said": "Paris"}, {"said": "Rome"}]
    assert [run.item["city"] for run in runs] == ["杭州", "Paris", "Rome"]
    assert [run.attempts for run in runs] == [1, 1, 1]
    assert [run.usage and run.usage.token_count for run in runs] == [7, 7, 7]
    path = "/v1/workflow/stream_run" if polling is None else "/v1/workflow/run"
    assert [request.path for request in emulator.requests if request.method == "POST"] == [path] * 3


@pytest.mark.parametrize("polling", [None, Polling()])
async def test_how_a_workflow_runs_is_the_same_for_all(emulator: Emulator, polling: Polling | None) -> None:
    async with coze_at(emulator) as coze:
        how: dict[str, Any] = {"bot_id": "b", "ext": {"user_id": "u"}, "workflow_version": "v1", "connector_id": "1024"}
        batch = coze.workflows.batch([NOTHING], workflow_id="w", polling=polling, **how)
        assert (await batch.collect())[0].is_ok
        await coze.workflows.batch([NOTHING], workflow_id="w", app_id="a", polling=polling).collect()
    first, second = (request.body for request in emulator.requests if request.method == "POST")
    assert {name: first.get(name) for name in how} == how
    assert (second["app_id"], second.get("bot_id")) == ("a", None)


@pytest.mark.parametrize(("ordered", "expected"), [(True, ["slow", "fast"]), (False, ["fast", "slow"])])
async def test_outcomes_of_runs_come_as_they_finish_or_in_order(
    emulator: Emulator, ordered: bool, expected: list[str]
) -> None:
    def script(given: WorkflowInput) -> WorkflowScript:
        return WorkflowScript(
            "one two", nodes=[Node("n", "one two")], pace=9.0 if given.parameters["n"] == "slow" else 0
        )

    emulator.workflow("w", script)
    async with coze_at(emulator) as coze:
        items = [{"n": "slow"}, {"n": "fast"}]
        async with coze.workflows.batch(items, workflow_id="w", ordered=ordered) as outcomes:
            assert [outcome.item["n"] async for outcome in outcomes] == expected
        began = anyio.current_time()
        await coze.workflows.batch(items[:1] * 4, workflow_id="w", limit=2).collect()
        alone = anyio.current_time()
        await coze.workflows.batch(items[:1], workflow_id="w").collect()
    # Four, two at a time, take twice as long as one.
    assert alone - began == pytest.approx(2 * (anyio.current_time() - alone), abs=0.01)


@pytest.mark.parametrize(("how", "expected"), [({}, 1), ({"stop_on": ()}, 4)])
async def test_a_used_up_quota_ends_a_batch_of_runs(emulator: Emulator, how: dict[str, Any], expected: int) -> None:
    emulator.fail(Code(4011, "no tokens left"), on="POST /v1/workflow/stream_run", times=None)
    async with coze_at(emulator) as coze:
        batch = coze.workflows.batch([NOTHING] * 4, workflow_id="w", limit=1, **how)
        assert len(await batch.collect()) == expected


async def test_failed_and_waiting_runs_are_outcomes(emulator: Emulator) -> None:
    emulator.workflow("fails", WorkflowScript(failure=Failure(5000)))
    emulator.workflow("asks", WorkflowScript(ask=Ask("Which city?")))
    async with coze_at(emulator) as coze:
        (failed,) = await coze.workflows.batch([NOTHING], workflow_id="fails").collect()
        (waiting,) = await coze.workflows.batch([NOTHING], workflow_id="asks").collect()
        wrong: Any = ["Paris", {"when": math.nan}]
        text, no_json = await coze.workflows.batch(wrong, workflow_id="asks").collect()
    assert isinstance(failed.error, WorkflowError | ServerError)
    assert waiting.unwrap().interrupt_data is not None
    assert "The item is a str: give the parameters of a run" in str(text.error)
    assert isinstance(no_json.error, ConfigurationError)


# --- places go to users who may ask -----------------------------------------------------------------------------------


def of_users(users: int, chats: int) -> list[ChatItem]:
    """Return so many questions of each user, sorted by user."""
    return [ChatItem("q", user_id=f"user {user}", key=number) for user in range(users) for number in range(chats)]


def mixed(items: list[ChatItem], users: int) -> list[ChatItem]:
    """Return the same questions, one of each user after the other."""
    chats = len(items) // users
    return [items[user * chats + number] for number in range(chats) for user in range(users)]


async def seconds_of(items: list[ChatItem], limits: Limits, *, limit: int, ordered: bool = False) -> float:
    """Return how long a batch takes, every chat a second, and check that no more than may are at work."""
    emulator = Emulator()
    emulator.bot("b", lambda _: Script("Hi", seconds=1.0))
    began = anyio.current_time()
    async with coze_at(emulator, limits) as coze:
        batch = coze.chat.batch(items, bot_id="b", limit=limit, ordered=ordered, polling=Polling(timeout=999))
        outcomes: list[Any] = []
        async with batch:
            async for outcome in batch:
                outcomes.append(outcome)
                places = batch._places  # pyright: ignore[reportPrivateUsage]
                assert 0 <= places.at_work <= limit
        limiter: Any = coze._session.limiter  # pyright: ignore[reportPrivateUsage]
        assert not limiter._places
    assert [outcome.error for outcome in outcomes if not outcome.is_ok] == []
    assert sorted(outcome.index for outcome in outcomes) == [*range(len(items))]
    if ordered:
        assert [outcome.index for outcome in outcomes] == [*range(len(items))]
    return anyio.current_time() - began


@pytest.mark.parametrize(
    "limits",
    [
        replace(FREE, chats_at_once=4),
        replace(FREE, chat=Rate(10, 10.0)),
        replace(FREE, chats_at_once=4, chat=Rate(10, 10.0), account_at_once=30, account_chat=100),
    ],
    ids=["at once", "rate", "all"],
)
async def test_questions_sorted_by_user_take_no_longer_than_mixed_ones(limits: Limits) -> None:
    items = of_users(10, 30)
    by_turns = await seconds_of(mixed(items, 10), limits, limit=40)
    assert await seconds_of(items, limits, limit=40) <= 1.05 * by_turns


async def test_questions_sorted_by_conversation_take_no_longer_than_mixed_ones(emulator: Emulator) -> None:
    async with coze_at(emulator, Limits(chat=None)) as coze:
        conversations = [(await coze.conversations.create()).id for _ in range(5)]
        items = [ChatItem("q", user_id="u", conversation_id=name) for name in conversations for _ in range(8)]
        began = anyio.current_time()
        batch = coze.chat.batch(items, bot_id="b", limit=5, polling=Polling(interval=0.5, max_interval=0.5))
        assert all(outcome.is_ok for outcome in await batch.collect())
    # Five at a time, each some two seconds, and eight in each conversation.
    assert anyio.current_time() - began < 25.0


@pytest.mark.parametrize("limit", [1, 3])
async def test_in_order_the_questions_of_a_user_who_waits_hold_nobody_for_ever(limit: int) -> None:
    await seconds_of(of_users(3, 6), replace(FREE, chats_at_once=1, chat=Rate(2, 5.0)), limit=limit, ordered=True)


async def test_only_so_many_items_wait_for_the_limits_of_their_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coze_async._batch._MOST_ASIDE", 20)
    taken = itertools.count()
    emulator = Emulator()
    emulator.bot("b", lambda _: Script("Hi", seconds=1.0))
    items = (ChatItem("q", user_id="u", key=next(taken)) for _ in itertools.count())
    async with (
        coze_at(emulator, replace(FREE, chat=Rate(1, 100.0))) as coze,
        coze.chat.batch(items, bot_id="b", limit=5) as outcomes,
    ):
        assert (await anext(outcomes)).index == 0
        await anyio.sleep(50.0)
        # One was answered; of those that wait, 20 have given up their places.
        assert next(taken) in range(21, 27)


async def test_a_function_of_ones_own_never_has_more_calls_at_a_time_than_the_limit() -> None:
    emulator = Emulator()
    emulator.bot("b", lambda _: Script("Hi", seconds=1.0))
    at_once: list[int] = []
    running = 0
    async with coze_at(emulator, replace(FREE, chats_at_once=1)) as coze:

        async def ask(user: str) -> str:
            nonlocal running
            running += 1
            at_once.append(running)
            try:
                return (await coze.chat.create_and_poll("q", bot_id="b", user_id=user)).text
            finally:
                running -= 1

        outcomes = await fan_out(ask, ["a"] * 5 + ["b"] * 5, limit=3).collect()
    assert [outcome.value for outcome in outcomes] == ["Hi"] * 10
    assert max(at_once) == 3


async def test_what_waits_for_a_limit_when_the_batch_ends_is_not_asked() -> None:
    emulator = Emulator()
    emulator.bot("b", Script("Half an", failure=Failure(4028, "no credits"), seconds=1.0))
    items = [ChatItem("q", user_id="poor") for _ in range(9)]
    async with coze_at(emulator, replace(FREE, chats_at_once=2)) as coze:
        batch = coze.chat.batch(items, bot_id="b", limit=4, polling=Polling())
        outcomes = await batch.collect()
    assert isinstance(batch.stopped_by, ChatFailedError | QuotaError)
    unasked = [outcome for outcome in outcomes if not outcome.attempts]
    assert unasked
    assert all("Nothing was sent for this item: the batch had ended by then" in str(each.error) for each in unasked)
    assert not any(outcome.may_have_started for outcome in unasked)
    assert len(emulator.requests) < 3 * len(items)


async def test_a_batch_counts_the_wait_for_a_limit_whose_time_is_up() -> None:
    emulator = Emulator()
    emulator.bot("b", echo)
    items = [ChatItem("q", user_id="u") for _ in range(2)]
    async with coze_at(emulator, replace(FREE, chat=Rate(1, 60.0))) as coze:
        timed = coze.with_options(timeouts=Timeouts(total=2))
        first, second = await timed.chat.batch(items, bot_id="b").collect()
    late = first if second.is_ok else second
    assert isinstance(late.error, RequestTimeoutError)
    assert late.attempts == 0
    assert (late.waited, late.seconds) == pytest.approx((2.0, 0.0), abs=0.01)
    assert not late.may_have_started


async def test_an_item_that_comes_when_its_place_is_taken_again_waits_for_one() -> None:
    emulator = Emulator()
    emulator.bot("b", lambda _: Script("Hi", seconds=20.0))
    began = anyio.current_time()

    async def items() -> AsyncIterator[ChatItem]:
        yield ChatItem("q", user_id="a")
        await anyio.sleep(10.0)
        yield ChatItem("q", user_id="b")

    async with coze_at(emulator, replace(FREE, chat=Rate(1, 5.0, guard=0.0))) as coze:
        limiter: Any = coze._session.limiter  # pyright: ignore[reportPrivateUsage]
        await limiter.turn("chat", "a")
        batch = coze.chat.batch(items(), bot_id="b", limit=1, polling=Polling(interval=1.0, max_interval=1.0))
        first, second = await batch.collect()
    # The first has its turn after 5 s and its answer after 25 s; the second came meanwhile.
    assert (first.waited, second.waited) == pytest.approx((5.0, 15.0), abs=1.5)
    assert anyio.current_time() - began == pytest.approx(45.0, abs=2.0)
    assert (batch._places.at_work, batch._places.aside) == (0, 0)  # pyright: ignore[reportPrivateUsage]


async def test_who_takes_outcomes_slowly_slows_down_those_too_who_have_waited() -> None:
    emulator = Emulator()
    emulator.bot("b", lambda _: Script("Hi", seconds=1.0))
    most = 0
    async with coze_at(emulator, replace(FREE, chat=Rate(9, 1.0))) as coze:
        limiter: Any = coze._session.limiter  # pyright: ignore[reportPrivateUsage]
        limiter.push_back("chat", "user 0", 20.0)
        batch = coze.chat.batch(of_users(2, 9), bot_id="b", limit=4, polling=Polling())
        async with batch:
            async for _ in batch:
                await anyio.sleep(25.0)
                untaken = len(batch._ready)  # pyright: ignore[reportPrivateUsage]
                most = max(most, batch._places.at_work + untaken)  # pyright: ignore[reportPrivateUsage]
    assert most == 4
