"""Copies of bots and workflows."""

from pydantic import Field

from coze_async.models._base import CozeModel, ResponseModel

__all__ = [
    "CopyTask",
    "CopyTaskCreated",
    "CopyTaskFailedReason",
]


class CopyTaskCreated(ResponseModel):
    """A copy that was begun, or done at once."""

    task_id: str | None = None
    """Set when the copy runs in the background."""
    copied_entity_id: str | None = None
    """Id of the copy, for synchronous copies."""


class CopyTaskFailedReason(CozeModel):
    """Why a part could not be copied."""

    entity_id: str | None = None
    entity_name: str | None = None
    entity_type: str | None = None
    """App, bot, workflow, plugin, ui, knowledge, database and others."""
    failed_reason: str | None = None
    """Failure text."""


class CopyTask(ResponseModel):
    """A copy of a bot or a workflow into another workspace."""

    task_id: str | None = None
    entity_type: str | None = None
    """Kind of entity; see `CopyEntityType`."""
    task_status: str | None = None
    """Copy task state; see `CopyTaskStatus`."""
    failed_reasons: list[CopyTaskFailedReason] = Field(default_factory=list[CopyTaskFailedReason])
    """Why entities could not be copied."""
    source_entity_id: str | None = None
    """Copied entity id."""
    target_entity_id: str | None = None
    """New entity id."""
    target_workspace_id: str | None = None
    """Workspace of the copy."""
