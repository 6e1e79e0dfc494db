"""What a chat's events become, by the short way and the long one, as all servers send them."""

# pyright: reportPrivateUsage=false

import json
from typing import Any

import pytest
from answering import Answers, answer, event_stream
from hypothesis import example, given
from hypothesis import strategies as st

from coze_async import AsyncCoze, ChatCreated, ChatFailedError, SessionAuth, StreamInterruptedError
from coze_async._chat_stream import ChatStream
from coze_async._exchange import Request
from coze_async._sse import Event

NAMES = [f"conversation.chat.{state}" for state in ("created", "in_progress", "completed", "failed", "canceled")]
VALUES: dict[str, list[Any]] = {
    "id": ["9", "", 9, None],
    "conversation_id": ["7", "", 7, None],
    "status": ["created", "completed", "compleated", None],
    "last_error": [{"code": 0, "msg": ""}, {"code": 4000, "msg": "no"}, None, ""],
    "usage": [{"token_count": 3}, {"token_count": 3, "unheard_of": None}, None, 7],
    "code": [4000, "4000", None],
    "msg": ["no", "null"],
    "run_record_item": [{"id": "8", "conversation_id": "6"}, None, "{}"],
    "meta_data": [{}, {"a": "b"}, None],
    "unheard_of": [1, None, [None]],
}
FACTS = st.fixed_dictionaries({}, optional={name: st.sampled_from(values) for name, values in VALUES.items()})
BEFORE = (b"conversation.chat.created", b'{"id":"5","conversation_id":"4","status":"created"}', b"")


def told(event: Event) -> object:
    """Return what a stream makes of an event, and what it remembers."""
    stream = ChatStream(AsyncCoze("pat_x")._core, Request("POST", "/v3/chat"))
    stream._inbox[:] = [BEFORE, event]
    events = [*iter(stream._advance, None)]
    assert type(events[0]) is ChatCreated
    failures = str(stream._error)
    return [(type(each), each.model_dump()) for each in events], stream._collected().model_dump(), failures


@given(st.sampled_from(NAMES), FACTS)
@example(NAMES[0], {"id": "9", "conversation_id": "7", "status": "created"})
@example(NAMES[3], {"id": "9", "conversation_id": "7", "status": "failed", "last_error": {"code": 4000, "msg": "no"}})
@example(NAMES[2], {"id": "9", "conversation_id": "7", "status": "x", "run_record_item": {"id": "8"}})
@example(NAMES[2], {"id": "9", "conversation_id": "7", "status": "x", "usage": None})
@example(NAMES[2], {"id": "9", "conversation_id": "7", "status": "x", "usage": {"unheard_of": None}})
@example(NAMES[2], {"id": "9", "conversation_id": "7"})
def test_both_ways_to_a_chat_end_in_the_same_event(name: str, facts: dict[str, Any]) -> None:
    event = (name.encode(), json.dumps(facts).encode(), b"")
    short = told(event)

    def no_short_way(_data: bytes) -> None: ...

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("coze_async._chat_stream._whole_chat", no_short_way)
        assert short == told(event)


def test_a_chat_as_the_cloud_sends_it_takes_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def long_way(*_arguments: object) -> object:
        raise AssertionError

    monkeypatch.setattr(ChatStream, "_chat", long_way)
    assert told((b"conversation.chat.completed", b'{"id":"9","conversation_id":"7","status":"completed"}', b""))


# --- what real servers send -------------------------------------------------------------------------------------------


def sent(name: str, **facts: Any) -> str:
    return f"event:conversation.{name}\ndata:{json.dumps(facts)}\n\n"


def said(name: str, content: str, message_id: str = "m", kind: str = "answer", **more: Any) -> str:
    return sent(f"message.{name}", id=message_id, type=kind, role="assistant", content=content, **more)


OVER = sent("chat.completed", id="9", conversation_id="7", status="completed") + "event:done\ndata:\n\n"


def stream_over(*events: str) -> ChatStream:
    transport = Answers(event_stream("".join(events) + OVER))
    return AsyncCoze("pat_x", transport=transport).chat.stream("Hi", bot_id="b", user_id="u")


@pytest.mark.parametrize(
    "events",
    [
        [said("delta", "Hel"), said("delta", "lo"), said("completed", "Hello"), said("completed", "Hello")],
        [said("completed", "Hello"), said("completed", "Hello")],
        [said("completed", "Hello"), said("delta", "Hello"), said("completed", "Hello")],
    ],
)
async def test_an_answer_that_comes_whole_twice_is_written_once(events: list[str]) -> None:
    """Case A9: Coze Studio does so for bots on a chatflow."""
    stream = stream_over(*events)
    assert "".join([text async for text in stream.text()]) == "Hello"
    assert (await stream.result()).text == "Hello"


async def test_two_answers_with_ids_of_their_own_stay_two_paragraphs() -> None:
    stream = stream_over(said("delta", "One", "m1"), said("completed", "One", "m1"), said("completed", "Two", "m2"))
    assert "".join([text async for text in stream.text()]) == "One\n\nTwo"
    assert (await stream.result()).text == "One\n\nTwo"


async def test_messages_of_two_types_with_one_id_are_both_kept() -> None:
    """Case A10."""
    data = json.dumps({"chunks": [{"slice": "text", "score": 0.5}]})
    recall = json.dumps({"msg_type": "knowledge_recall", "data": data})
    finish = json.dumps({"msg_type": "generate_answer_finish", "data": ""})
    result = await stream_over(
        said("delta", "An"),
        said("completed", recall, "m", "verbose"),
        said("delta", "swer"),
        said("completed", "Answer"),
        said("completed", finish, "m", "verbose"),
    ).result()
    assert result.text == "Answer"
    result = await stream_over(
        said("completed", recall, "m", "knowledge"), said("completed", finish, "m", "verbose"), said("completed", "Hi")
    ).result()
    assert [chunk.text for chunk in result.knowledge] == ["text"]
    assert result.text == "Hi"
    assert len(result.messages) == 3


async def test_tokens_stand_in_the_answers_of_coze_studio() -> None:
    """Case A14."""
    tokens = {"input_tokens": "7", "output_tokens": "11", "token": "18"}
    result = await stream_over(said("completed", "Hi", meta_data=tokens)).result()
    assert result.usage is not None
    assert (result.usage.input_count, result.usage.output_count, result.usage.token_count) == (7, 11, 18)
    for odd in ({"output_tokens": "many"}, {"output_tokens": "9" * 5000}, {"output_tokens": "\u00b2"}):
        strange = await stream_over(said("completed", "Hi", meta_data=odd)).result()
        assert strange.usage is not None
        assert strange.usage.token_count == 0
    assert (await stream_over(said("completed", "Hi", meta_data={"a": "b"})).result()).usage is None


async def test_a_chat_of_the_first_coze_studio_is_read() -> None:
    """Case A22."""
    facts: dict[str, Any] = {"id": "9", "conversation_id": "7"}
    transport = Answers(
        event_stream(
            sent("run.created", **facts, status="created")
            + sent("run.in_progress", **facts)
            + said("completed", "Hi")
            + sent("run.completed", **facts, status="completed", usage={"token_count": 3})
            + "event:done\ndata:\n\n"
        )
    )
    result = await AsyncCoze("pat_x", transport=transport).chat.ask("Hi", bot_id="b", user_id="u")
    assert (result.text, result.status, result.chat_id) == ("Hi", "completed", "9")
    assert result.usage is not None
    assert result.usage.token_count == 3


async def test_a_stream_without_a_message_of_the_bot_is_empty() -> None:
    assert (await stream_over().result()).is_empty
    assert not (await stream_over(said("completed", "", "m", "verbose")).result()).is_empty


# --- the session route ------------------------------------------------------------------------------------------------


def of_page(content: str, *, last: bool = True, role: str = "assistant", kind: str = "answer", **more: Any) -> str:
    """An event of `/api/conversation/chat`, as Coze Studio 4f786d6 and Coze Plus fb00b21 sent them."""
    extra = {"input_tokens": "", "output_tokens": "", "token": "", **more}
    inner = {"role": role, "type": kind, "content": content, "message_id": f"m-{kind}", "reply_id": "9"}
    facts = {"message": {**inner, "extra_info": extra}, "is_finish": last, "conversation_id": "7"}
    return f"event:message\ndata:{json.dumps(facts)}\n\n"


ACK = of_page("Hi", role="user", kind="ack")


def page_over(*events: str) -> ChatStream:
    transport = Answers(event_stream("".join(events)))
    coze = AsyncCoze(SessionAuth("s3ssion"), base_url="http://studio.example", transport=transport)
    return coze.studio.agent_run_stream("Hi", bot_id="1", conversation_id="7")


async def test_a_failed_model_is_no_answer_of_the_web_page() -> None:
    """Case A29."""
    stream = page_over(ACK, of_page("Something error:Internal Server Error"), "event:done\ndata:\n\n")
    with pytest.raises(ChatFailedError, match=r"model of the agent failed: Internal Server Error\.") as caught:
        await stream.result()
    assert caught.value.msg == "Internal Server Error"
    assert caught.value.chat is not None
    assert caught.value.chat.id == "9"


async def test_an_empty_stream_of_the_web_page_says_what_to_try() -> None:
    with pytest.raises(StreamInterruptedError, match=r"not published: try draft_mode=True"):
        await page_over().result()
    transport = Answers(event_stream(""))
    with pytest.raises(StreamInterruptedError, match=r"fails before the run begins"):
        await AsyncCoze("pat_x", transport=transport).chat.ask("Hi", bot_id="b", user_id="u")


async def test_tokens_of_the_web_page_are_counted() -> None:
    result = await page_over(
        ACK, of_page("Hello", input_tokens="7", output_tokens="11", token="18"), "event:done\ndata:\n\n"
    ).result()
    assert (result.text, result.status) == ("Hello", "completed")
    assert result.usage is not None
    assert (result.usage.input_count, result.usage.output_count) == (7, 11)


# --- reasoning within answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [True, False])
async def test_reasoning_within_an_answer_is_moved_if_one_asks_for_it(inline: bool) -> None:
    """Case A24: tags may be cut between pieces."""
    pieces = ["<th", "ink>hm", "m</", "think>\n\nHel", "lo"]
    whole = "".join(pieces)
    events = [*(said("delta", piece) for piece in pieces), said("completed", whole), said("completed", "More", "m2")]
    transport = Answers(event_stream("".join(events) + OVER))
    coze = AsyncCoze("pat_x", transport=transport, inline_reasoning=inline)
    stream = coze.with_options(user="u").chat.stream("Hi", bot_id="b", user_id="u")
    texts = [text async for text in stream.text()]
    result = await stream.result()
    if inline:
        assert "".join(texts) == result.text == "Hello\n\nMore"
        assert result.reasoning == "hmm"
        assert texts[0] == "Hel"
    else:
        assert "".join(texts) == result.text == f"{whole}\n\nMore"
        assert result.reasoning == ""


async def test_reasoning_of_a_polled_answer_is_moved_too() -> None:
    listed = [{"id": "1", "role": "assistant", "type": "answer", "content": "<think>hm</think>Hi"}]
    transport = Answers(
        answer({"code": 0, "data": {"id": "9", "conversation_id": "7", "status": "completed"}}),
        answer({"code": 0, "data": listed}),
    )
    coze = AsyncCoze("pat_x", transport=transport, inline_reasoning=True)
    result = await coze.chat.create_and_poll("Hi", bot_id="b", user_id="u")
    assert (result.text, result.reasoning) == ("Hi", "hm")


@pytest.mark.parametrize(("client", "call", "moved"), [(True, False, False), (False, True, True), (True, None, True)])
async def test_one_chat_may_be_read_otherwise_than_the_client_says(
    client: bool, call: bool | None, moved: bool
) -> None:
    events = said("delta", "<think>hm</think>Hi") + OVER
    listed = [{"id": "1", "role": "assistant", "type": "answer", "content": "<think>hm</think>Hi"}]
    over = answer({"code": 0, "data": {"id": "9", "conversation_id": "7", "status": "completed"}})
    transport = Answers(event_stream(events), event_stream(events), over, answer({"code": 0, "data": listed}))
    coze = AsyncCoze("pat_x", transport=transport, inline_reasoning=client)
    given: Any = {"bot_id": "b", "user_id": "u", "inline_reasoning": call}
    results = [
        await coze.chat.stream("Hi", **given).result(),
        await coze.chat.ask("Hi", **given),
        await coze.chat.create_and_poll("Hi", **given),
    ]
    assert [(result.text, result.reasoning) for result in results] == [
        ("Hi", "hm") if moved else ("<think>hm</think>Hi", "")
    ] * 3
    assert all(b"inline" not in request.content for request in transport.requests)


async def test_an_event_that_is_cut_is_the_end_of_a_connection_not_of_a_protocol() -> None:
    whole = said("delta", "Hello")
    cut = said("delta", "World")[:-12]
    coze = AsyncCoze("pat_x", transport=Answers(event_stream(whole + cut)))
    with pytest.raises(StreamInterruptedError, match="the body ended without its last event") as caught:
        await coze.chat.ask("Hi", bot_id="b", user_id="u")
    assert caught.value.partial is not None
    assert caught.value.partial.text == "Hello"
