"""`coze-async workflow run`: parameters in, the result out, and the questions in between."""

import json
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

from coze_async import WorkflowMessage, WorkflowRun, WorkflowStream
from coze_async.cli._ask import has_person, read_line
from coze_async.cli._connect import Connection, UsageError
from coze_async.cli._output import Output, whole_characters
from coze_async.models import InterruptData

__all__ = ["Workflow", "parsed_parameters"]


def parsed_parameters(pairs: Sequence[str]) -> dict[str, Any]:
    """Return the parameters that `key=value` words name; a value is JSON if it reads so, else text.

    Raises:
        UsageError: a word is no such pair, or names a key again.
    """
    parameters: dict[str, Any] = {}
    for pair in map(whole_characters, pairs):
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"{pair!r} is no parameter: write key=value, such as city=Paris or 'days=[1, 2]'.")
        if key in parameters:
            raise UsageError(f'The parameter {key!r} is given twice. For a list write \'{key}=["a", "b"]\'.')
        parameters[key] = _value(value)
    return parameters


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return text


def _no_constant(name: str) -> NoReturn:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError(name)


@dataclass(frozen=True)
class Workflow:
    """A workflow, and where its words go.

    Attributes:
        connection: Who runs it.
        output: Where its result goes.
        workflow_id: The workflow.
        as_json: Write JSON instead of text.
    """

    connection: Connection
    output: Output
    workflow_id: str
    as_json: bool = False

    def run(self, parameters: dict[str, Any]) -> int:
        """Run it and write its result; returns the exit code."""
        self.output.wait()
        return self._followed(self.connection.runner.run(partial(self._run, parameters)), streamed=False)

    def stream(self, parameters: dict[str, Any]) -> int:
        """Run it and write what its nodes say, as they say it; returns the exit code."""
        stream = partial(self.connection.coze.workflows.stream, workflow_id=self.workflow_id, parameters=parameters)
        return self._followed(self._told(stream), streamed=True)

    def resume(self, event_id: str, answer: str, interrupt_type: int) -> int:
        """Go on with a run that waits, and write what its nodes say; returns the exit code."""
        return self._followed(self._resumed(event_id, answer, interrupt_type), streamed=True)

    async def _run(self, parameters: dict[str, Any]) -> WorkflowRun:
        run = await self.connection.coze.workflows.run(workflow_id=self.workflow_id, parameters=parameters)
        if self.as_json:
            self.output.write_json({"result": run.json(), **run.model_dump(mode="json", exclude_none=True)})
        else:
            self.output.write(run.data)
        return run

    def _resumed(self, event_id: str, answer: str, interrupt_type: int) -> WorkflowRun:
        resume = self.connection.coze.workflows.resume
        return self._told(
            partial(
                resume,
                workflow_id=self.workflow_id,
                event_id=event_id,
                interrupt_type=interrupt_type,
                resume_data=answer,
            )
        )

    def _told(self, stream: partial[WorkflowStream]) -> WorkflowRun:
        return self.connection.runner.run(lambda: self._write(stream()))

    async def _write(self, stream: WorkflowStream) -> WorkflowRun:
        async with stream:
            if self.as_json:
                async for event in stream:
                    self.output.write_json(event.model_dump(mode="json", exclude_none=True))
            else:
                await self._write_messages(stream)
            return await stream.result()

    async def _write_messages(self, stream: WorkflowStream) -> None:
        output, node = self.output, ""
        with ExitStack() as shown:
            write = shown.enter_context(output.answer())
            async for event in stream:
                if not isinstance(event, WorkflowMessage):
                    continue
                if node and event.node_title != node:
                    # What another node says is another answer.
                    shown.close()
                    output.end_line()
                    write = shown.enter_context(output.answer())
                node = event.node_title
                write(event.content)
                if event.node_is_finish:
                    shown.close()
                    output.end_line()
                    write = shown.enter_context(output.answer())

    def _followed(self, run: WorkflowRun, *, streamed: bool) -> int:
        """Answer the questions of a run until it is over."""
        while True:
            self.output.end_line()
            waiting = run.interrupt_data
            if waiting is None:
                self._notes(run)
                return 0
            if waiting.data and not streamed:
                self.output.tell(waiting.data)
            answer = self._answer() if has_person() else None
            if not answer:
                self.output.tell(self._how_to_resume(waiting))
                return 1
            run, streamed = self._resumed(waiting.event_id, answer, waiting.type), True

    def _answer(self) -> str | None:
        try:
            return read_line(self.output)
        except EOFError:
            self.output.clear_line()
            return None

    def _how_to_resume(self, waiting: InterruptData) -> str:
        if self.connection.is_emulated:
            return (
                "The workflow waits for an answer; answer at a terminal. The built-in emulator forgets the run when "
                "this command ends: one that stays is `coze-async emulator`."
            )
        words = ["coze-async", "workflow", "resume", self.workflow_id, waiting.event_id, "ANSWER"]
        return f"The workflow waits for an answer. Go on with:\n  {shlex.join(words)} --type {waiting.type}"

    def _notes(self, run: WorkflowRun) -> None:
        if self.as_json:
            return
        if usage := run.usage:
            self.output.note(f"  {usage.token_count} tokens ({usage.input_count} in, {usage.output_count} out)")
        if run.debug_url:
            self.output.note(f"  {run.debug_url}")
