"""One turn of a bot, or of a chatflow, as self-hosted servers tell it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from coze_async.emulator._scripts import Answer, Ask, Chunk, ToolCall, ToolUse, pieces_of
from coze_async.emulator._state import Event, Row
from coze_async.emulator._turns import Turn

from ._wire import StudioWire, go_json

NO_TIME = "0.0"
"""Seconds that something took, as these servers tell them."""
_NOTHING = {"input_count": 0, "output_count": 0}
_FINISHED = go_json({"finish_reason": 0, "fin_data": ""})


@dataclass
class StudioTurn(Turn):
    """One turn of a bot.

    Args:
        has_answer: Whether the bot answers at all: it does not without a text from the user.
        extra: The extra parameters of the request, which come back with the answers.
    """

    has_answer: bool = True
    extra: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def studio(self) -> StudioWire:
        """The wire of a self-hosted server."""
        return cast("StudioWire", self.world.wire)

    def _events(self) -> Iterator[Event]:
        script, failure = self.script, self.script.failure
        if script.raw is not None:
            self._end("completed")
            return
        yield self._chat_event("created")
        self.chat.become("in_progress")
        yield self._chat_event("in_progress")
        if failure is not None and failure.before_run:
            # The body ends here; only who asks for the chat learns that it has failed.
            self.chat.last_error = failure
            self._end("failed")
            yield Event("error", {"code": failure.code, "msg": failure.msg})
            return
        if self.has_answer:
            yield from self._preparations()
            yield from self._answers()
            if failure is not None:
                # A failed model: the chat is completed all the same.
                self.chat.last_error = failure
                yield Event("error", {"code": failure.code, "msg": failure.msg})
            else:
                yield from self._ending()
                self._count()
        self._end("completed")
        yield self._chat_event("completed")
        yield self._done()

    def _end(self, status: str) -> None:
        """Take the last status, which also takes the place of "canceled"."""
        if not self.world.wire.canceled_ends_stream:
            self.chat.status = status
        self.chat.become(status)
        at = self.world.state.unix_time()
        self.chat.completed_at, self.chat.failed_at = (0, at) if status == "failed" else (at, 0)
        self._touch()

    def _preparations(self) -> Iterator[Event]:
        if self.script.knowledge:
            yield self._complete("knowledge", _recall(self.script.knowledge), {"time_cost": NO_TIME})
        for number, tool in enumerate(self.script.tools, 1):
            yield self._call(f"call_{number}", tool.name, tool.arguments)
            yield self._complete("tool_response", tool.response, {"time_cost": NO_TIME})
        for number, call in enumerate(self.script.requires, 1):
            yield self._call(call.id or f"call_{number}", call.name, call.arguments)

    def _call(self, call_id: str, name: str, arguments: Mapping[str, Any]) -> Event:
        function = {"name": name, "arguments": go_json(dict(arguments))}
        content = go_json({"index": 0, "id": call_id, "type": "function", "function": function})
        return self._complete("function_call", content, {"plugin": name, "time_cost": NO_TIME, "tool_name": name})

    def _answers(self) -> Iterator[Event]:
        script = self.script
        spoken = [answer for answer in script.spoken() if answer.content or answer.reasoning]
        usage = _NOTHING if script.chatflow else self._usage()
        tokens = {
            "input_tokens": str(usage["input_count"]),
            "output_tokens": str(usage["output_count"]),
            "time_cost": NO_TIME,
            "token": str(sum(usage.values())),
        }
        for number, answer in enumerate(spoken, 1):
            is_last, is_question = number == len(spoken), number == len(spoken) and bool(script.asks)
            message = self._message("answer", "")
            message["meta_data"] |= self.extra
            if is_question:
                message["created_at"] = 0
                del message["reasoning_content"]
            yield from self._deltas(message, answer, whole=is_question)
            if script.failure is not None:
                continue
            message["content"] = answer.content
            has_tokens = is_last
            if script.chatflow:
                has_tokens = is_last and not is_question and (self.studio.tells_tokens_twice or len(spoken) == 1)
            message["meta_data"] = {**message["meta_data"], **(tokens if has_tokens else {"time_cost": NO_TIME})}
            yield self._completed_message(message)
            if script.chatflow and is_last and not is_question:
                # The chatflow tells its answer as complete, and then the bot does.
                message["meta_data"] = {**message["meta_data"], **tokens}
                yield self._told(message)

    def _count(self) -> None:
        """Note what the turn has cost; a chatflow's cost is not told."""
        if not self.script.chatflow:
            self.chat.usage = self._usage()
            self.world.state.used["tokens"] += sum(self.chat.usage.values())

    def _deltas(self, message: Row, answer: Answer, *, whole: bool = False) -> Iterator[Event]:
        for piece in pieces_of(answer.reasoning):
            yield self._delta({**message, "reasoning_content": piece})
        for piece in [answer.content] if whole or self.script.chatflow else answer.deltas():
            yield self._delta({**message, "content": piece})

    def _delta(self, message: Row) -> Event:
        return Event("conversation.message.delta", self.studio.message(message), wait=True)

    def _ending(self) -> Iterator[Event]:
        """What comes after the answers: verbose messages, follow-ups, and the one that ends them."""
        for told in self.script.verbose:
            data = told.data if isinstance(told.data, str) else go_json(dict(told.data))
            yield self._complete("verbose", _verbose(told.msg_type, data))
        if self.script.asks or self.script.requires:
            yield self._complete("verbose", _verbose("interrupt", ""), self._interrupt())
        else:
            for line in self.script.follow_ups:
                yield self._complete("follow_up", line)
        yield self._complete("verbose", _verbose("generate_answer_finish", _FINISHED))

    def _interrupt(self) -> dict[str, str]:
        """What tells that the bot waits: for an answer in the same conversation."""
        state = self.world.state
        calls: list[ToolUse | ToolCall] = [*self.script.tools, *self.script.requires]
        event = {
            "id": int(state.new_id()),
            "node_key": "180001",
            "interrupt_data": question_json(self.script.asks),
            "node_type": "QuestionAnswer",
            "node_title": "问答",
            "node_icon": "default_icon/workflow_icon/icon-question.jpg",
            "event_type": 2,
            "node_path": ["180001"],
        }
        execute_id, call_id = int(state.new_id()), f"call_{len(calls)}" if calls else ""
        waiting = {"ToolCallID": call_id, "ToolName": calls[-1].name if calls else "", "ExecuteID": execute_id, **event}
        flow = {"ExecuteID": execute_id, "EventID": 0, "SpaceID": 0, "Status": 5, "Usage": None, "LastError": None}
        info = {
            "AllToolInterruptData": {} if calls else None,
            "AllWfInterruptData": {call_id: waiting} if calls else None,
            "ToolCallID": call_id,
            "InterruptType": 2,
            "InterruptID": state.new_id(),
            "ChatflowInterrupt": None if calls else {**flow, "InterruptEvent": event},
        }
        action = {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": None}}
        return {"requires_action": go_json(action), "resume_info": go_json(info), "tool_calls_ids": call_id}

    def _message(self, kind: str, content: str, **more: Any) -> Row:
        chat = self.chat
        state = {"bot_id": chat.bot_id, "agent_name": "", "agent_id": chat.bot_id, "awaiting": chat.bot_id}
        return {
            "id": self.world.state.new_id(),
            "conversation_id": chat.conversation_id,
            "bot_id": chat.bot_id,
            "role": "assistant",
            "type": kind,
            "content": content,
            "content_type": "text",
            "meta_data": {"bot_state": go_json(state)},
            "chat_id": chat.id,
            "section_id": chat.section_id,
            "created_at": self.world.state.unix_time(),
            "reasoning_content": "",
            **more,
        }

    def _complete(self, kind: str, content: str, meta_data: Mapping[str, str] | None = None) -> Event:
        message = self._message(kind, content)
        message["meta_data"] |= meta_data or {}
        return self._completed_message(message)

    def _completed_message(self, message: Row) -> Event:
        message["updated_at"] = self.world.state.unix_time()
        self.chat.messages.append(message)
        self.world.state.put(self.conversation, message)
        return self._told(message)

    def _told(self, message: Row) -> Event:
        return Event("conversation.message.completed", self.studio.message(message))


@dataclass
class FlowTurn(StudioTurn):
    """One turn of a chatflow: no message but its answers, each in pieces and whole."""

    execute_id: str = field(default="")

    def __post_init__(self) -> None:
        self.execute_id = self.world.state.new_id()

    def _events(self) -> Iterator[Event]:
        chat, script, state = self.chat, self.script, self.world.state
        if script.raw is not None:
            self._end("completed")
            return
        yield self._chat_event("created")
        chat.become("in_progress")
        yield self._chat_event("in_progress")
        for answer in script.spoken():
            message = self._message("answer", "")
            for piece in answer.deltas() or [answer.content]:
                yield self._delta({**message, "content": piece})
            if script.failure is None:
                yield self._completed_message({**message, "content": answer.content})
        if script.failure is not None:
            chat.last_error = script.failure
            self._end("failed")
            error = {"code": str(script.failure.code), "msg": script.failure.msg}
            yield Event("error", {**error, "debug_url": debug_url("0", "0", space_id="0")})
            return
        if self.ask is not None:
            self.conversation.waiting, self.conversation.waiting_in = self.ask, self.workflow_id
            state.touch("conversation", self.conversation.id)
            chat.become("requires_action")
            self._touch()
            yield self._chat_event("requires_action")
        else:
            usage = script.usage
            chat.usage = {
                "output_count": usage.output_count if usage else 0,
                "input_count": usage.input_count if usage else 0,
            }
            self._end("completed")
            yield self._chat_event("completed")
        yield Event("done", {"debug_url": debug_url(self.execute_id, self.workflow_id)})

    def _chat_event(self, status: str) -> Event:
        self._touch()
        chat = self.chat
        told: Row = {"id": chat.id, "conversation_id": chat.conversation_id}
        if status == "completed":
            told["bot_id"] = chat.bot_id
        told["status"] = status
        if status == "completed" and chat.usage is not None:
            # These servers count what was written twice, and what was read not at all.
            told["usage"] = {"token_count": 2 * chat.usage["output_count"], **chat.usage}
        return Event(
            f"conversation.chat.{status}", {**told, "execute_id": self.execute_id, "section_id": chat.section_id}
        )

    def _delta(self, message: Row) -> Event:
        return Event("conversation.message.delta", _of_flow(message), wait=True)

    def _completed_message(self, message: Row) -> Event:
        super()._completed_message(message | {"meta_data": None})
        return Event("conversation.message.completed", _of_flow(message))


def _of_flow(message: Row) -> Row:
    left_out = {"meta_data", "created_at", "updated_at", "reasoning_content"}
    return {name: value for name, value in message.items() if name not in left_out}


def debug_url(execute_id: str, workflow_id: str, *, space_id: str = "1") -> str:
    """Where a person would look at a run."""
    return (
        f"http://coze.emulator/work_flow?execute_id={execute_id}&space_id={space_id}&workflow_id={workflow_id}"
        "&execute_mode=2"
    )


def question_json(question: str, node_id: str = "180001") -> str:
    """A question of a workflow, as it stands in messages and interrupts."""
    asked = {"type": "question", "content_type": "text", "content": question, "id": f"{node_id}_0"}
    return go_json({"messages": [asked]})


def asked_json(ask: Ask) -> str:
    """What a workflow wants to know: an answer to a question, or a form to be filled in."""
    return (
        go_json({"content": ask.question, "content_type": "form_schema"})
        if ask.type == 5
        else question_json(ask.question)
    )


def _verbose(msg_type: str, data: str) -> str:
    return go_json({"msg_type": msg_type, "data": data, "from_unit": ""})


def _recall(chunks: Sequence[Chunk]) -> str:
    found = [
        {
            "slice": chunk.text,
            "score": chunk.score,
            "meta": {
                "dataset": {"id": str(6000 + number), "name": chunk.dataset},
                "document": {"id": str(6100 + number), "name": chunk.document, "format_type": 0, "source_type": 0},
                "link": {"title": chunk.title, "url": chunk.url},
                "card": {"title": "", "con": "", "index": ""},
            },
        }
        for number, chunk in enumerate(chunks)
    ]
    data = go_json({"chunks": found, "ori_req": "", "status_code": 0})
    return go_json({"msg_type": "knowledge_recall", "data": data})
