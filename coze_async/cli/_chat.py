"""`coze-async chat`: one question, or a session of them."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import anyio

from coze_async import APIError, ChatResult, ChatStream, CozeError
from coze_async.cli._ask import read_line
from coze_async.cli._connect import Connection
from coze_async.cli._output import Output

__all__ = ["Conversation"]

# How long cancelling a chat that nobody waits for any more may take, in seconds.
_CANCELLING = 2.0
# What the server answers when there is nothing left to cancel.
_OVER = 4104
_ENDINGS = ("/exit", "/quit")


@dataclass
class Conversation:
    """A bot, and what was said so far.

    Attributes:
        connection: Who answers.
        output: Where the answers go.
        bot_id: The bot.
        user_id: Who asks.
        conversation_id: What to go on with; None until the first answer of a new conversation.
        poll: Look for the answer until it is complete instead of streaming it.
        as_json: Write JSON instead of text.
    """

    connection: Connection
    output: Output
    bot_id: str
    user_id: str
    conversation_id: str | None = None
    poll: bool = False
    as_json: bool = False

    def once(self, question: str) -> int:
        """Ask one question and return the exit code."""
        work = self.polled if self.poll else self.streamed
        if self.poll:
            self.output.wait()
        result = self.connection.runner.run(partial(work, question))
        return 0 if self._said(result) else 1

    def session(self, *, debug: bool = False) -> int:
        """Ask a person for one question after the other; what fails or is stopped does not end it."""
        output = self.output
        where = "" if self.connection.is_emulated else f" with bot {self.bot_id} at {self.connection.coze.base_url}"
        output.note(f"A conversation{where}. One line is one question; /exit or Ctrl-D ends.")
        while True:
            try:
                question = read_line(output)
            except EOFError:
                output.clear_line()
                return 0
            if question.strip().lower() in _ENDINGS:
                return 0
            if not question.strip():
                continue
            try:
                self.once(question)
            except KeyboardInterrupt:
                output.clear_line()
                output.note("Stopped.")
            except CozeError as error:
                output.end_line()
                output.fail(error, debug=debug)

    async def streamed(self, question: str) -> ChatResult:
        """Write the answer as it comes."""
        stream = self.connection.coze.chat.stream(question, **self._names())
        async with stream:
            try:
                await self._write(stream)
                result = await stream.result()
            except (anyio.get_cancelled_exc_class(), BrokenPipeError):
                # Nobody reads the answer any more, but it would be written on, and billed.
                await self._cancel(stream)
                raise
            finally:
                self.conversation_id = stream.conversation_id or self.conversation_id
        return result

    async def polled(self, question: str) -> ChatResult:
        """Write the answer when it is complete; a chat that is not waited for is cancelled by the library."""
        result = await self.connection.coze.chat.create_and_poll(
            question, polling=self.connection.polling, **self._names()
        )
        self.conversation_id = result.conversation_id or self.conversation_id
        if self.as_json:
            self.output.write_json({"text": result.text, **result.model_dump(mode="json", exclude_none=True)})
        else:
            with self.output.answer() as write:
                write(result.text)
        return result

    def _names(self) -> dict[str, Any]:
        return {"bot_id": self.bot_id, "user_id": self.user_id, "conversation_id": self.conversation_id}

    async def _write(self, stream: ChatStream) -> None:
        if self.as_json:
            async for event in stream:
                self.output.write_json(event.model_dump(mode="json", exclude_none=True))
        else:
            with self.output.answer() as write:
                async for text in stream.text():
                    write(text)

    async def _cancel(self, stream: ChatStream) -> None:
        if not stream.chat_id:
            return
        with anyio.move_on_after(_CANCELLING, shield=True):
            try:
                await self.connection.coze.chat.cancel(conversation_id=stream.conversation_id, chat_id=stream.chat_id)
            except CozeError as error:
                if not isinstance(error, APIError) or error.code != _OVER:
                    self.output.end_line()
                    self.output.note(f"The chat may go on: {error}")

    def _said(self, result: ChatResult) -> bool:
        """Say what came with the answer; False if the answer is not complete."""
        output = self.output
        output.end_line()
        waiting = [
            f"{call.function.name}({call.function.arguments})" if call.function else call.type
            for call in result.tool_calls
        ]
        if waiting:
            output.tell(
                f"The bot waits for the output of {', '.join(waiting)}. Giving it takes a program: "
                "`coze.chat.submit_tool_outputs_stream(...)`."
            )
        elif result.status == "canceled":
            output.tell("The chat was cancelled before its answer was complete.")
        if not self.as_json:
            self._notes(result)
        return not waiting and result.status != "canceled"

    def _notes(self, result: ChatResult) -> None:
        for follow_up in result.follow_ups:
            self.output.note(f"  ? {follow_up}")
        # The built-in emulator ends with the command, and its conversations with it.
        is_kept = bool(result.conversation_id) and not self.connection.is_emulated
        facts = [f"conversation {result.conversation_id}"] if is_kept else []
        if usage := result.usage:
            facts.append(f"{usage.token_count} tokens ({usage.input_count} in, {usage.output_count} out)")
        if facts:
            self.output.note(f"  {', '.join(facts)}")
