"""Workflow runs and their histories."""

import json
from datetime import datetime
from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from coze_async.models._base import CozeModel, as_datetime
from coze_async.models._chat import Usage
from coze_async.models._events import InterruptData, WorkflowMessage
from coze_async.models._json import is_object, json_object

__all__ = ["WorkflowRun", "WorkflowRunHistory"]


def _code(value: Any) -> Any:
    """An error code of a history is a text, empty when all is well."""
    return value or 0


def _as_text(value: Any) -> Any:
    """A result is a text; one that was not put into a text is worth keeping too."""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | bool) else value


class WorkflowRunHistory(CozeModel):
    """The record of an asynchronous run. Times are Unix seconds."""

    execute_id: str = ""
    execute_status: str = ""
    """`Success`, `Running` or `Fail`."""
    run_mode: int | None = None
    """0 synchronous, 1 streamed, 2 asynchronous."""
    output: str = ""
    """A JSON text: key `Output` for the end node, one key per output node."""
    error_code: Annotated[int, BeforeValidator(_code)] = 0
    # Coze Studio writes error_msg and log_id.
    error_message: str = Field(default="", validation_alias=AliasChoices("error_message", "error_msg"))
    logid: str | None = Field(default=None, validation_alias=AliasChoices("logid", "log_id"))
    bot_id: str | None = None
    connector_id: str | None = None
    connector_uid: str | None = None
    create_time: int | None = None
    update_time: int | None = None
    debug_url: str | None = None
    usage: Usage | None = None
    is_output_trimmed: bool = False
    interrupt_data: InterruptData | None = None
    """What the run waits for; an interrupted asynchronous run shows only here."""
    node_execute_status: dict[str, Any] | None = None

    @property
    def outputs(self) -> dict[str, Any]:
        """What each output node said, by name; the end node's is `Output`."""
        return json_object(self.output)

    @property
    def result(self) -> str:
        """What the end node said, as the text that a synchronous run would have answered."""
        named = self.outputs.get("Output")
        if named is None:
            return self.output
        return named if isinstance(named, str) else json.dumps(named, ensure_ascii=False)

    @property
    def created(self) -> datetime | None:
        """When the run began."""
        return as_datetime(self.create_time)


class WorkflowRun(CozeModel):
    """What a workflow answered."""

    data: Annotated[str, BeforeValidator(_as_text)] = ""
    """The result as text: usually JSON, sometimes plain; empty for a run that was only started."""
    execute_id: str | None = None
    """Names an asynchronous run."""
    debug_url: str | None = None
    """A page that shows the run, kept 7 days."""
    usage: Usage | None = None
    interrupt_data: InterruptData | None = None
    """What the run waits for, None if it is over."""
    outputs: dict[str, Any] = Field(default_factory=dict[str, Any])
    """What the output nodes said, by name; filled after `run_and_poll`."""
    messages: list[WorkflowMessage] = Field(default_factory=list[WorkflowMessage])
    """What the nodes said, in order; filled after a stream."""
    history: WorkflowRunHistory | None = None
    """The record of the run; filled after `run_and_poll`."""
    logid: str | None = None
    """What Coze support asks for."""

    # pydantic's own method of this name is deprecated; the name here is the contract's, and httpx's.
    def json(self) -> Any:  # type: ignore[override]  # pyright: ignore[reportIncompatibleMethodOverride]
        """Return the result parsed, through the forms in which a node wraps JSON in JSON; plain text as it is.

        Source: coze.cn page workflow_run: `{"content_type":1,"data":"…","type_for_model":2}`.
        """
        return _unwrapped(self.data)


def _unwrapped(text: str) -> Any:
    try:
        value: Any = json.loads(text)
    except ValueError:
        return text
    if is_object(value) and isinstance(value.get("data"), str) and "type_for_model" in value:
        return _unwrapped(value["data"])
    return value
