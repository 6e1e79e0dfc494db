"""Answers of the session routes of Coze Studio and Coze Plus."""

from typing import Any

from pydantic import Field

from coze_async.models._base import CozeModel, ResponseModel

__all__ = ["ConnectorBindResult", "DraftBotCreated", "DraftBotPublished"]


class DraftBotCreated(ResponseModel):
    """A draft bot that was made."""

    bot_id: str
    check_not_pass: bool = False
    """True if the content review refused it."""
    check_not_pass_msg: str | None = None


class ConnectorBindResult(CozeModel):
    """How publishing to one channel went."""

    connector: dict[str, Any] | None = None
    code: int = 0
    msg: str | None = None
    publish_result_status: int | None = None


class DraftBotPublished(ResponseModel):
    """How publishing went, by channel."""

    publish_result: dict[str, ConnectorBindResult] = Field(default_factory=dict[str, ConnectorBindResult])
    check_not_pass: bool = False
    """True if the content review refused it."""
    not_pass_reason: list[str] | None = None
    hit_manual_check: bool | None = None
