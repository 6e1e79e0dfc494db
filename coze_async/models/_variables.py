"""Variables of users."""

from datetime import datetime

from pydantic import AliasChoices, Field

from coze_async.models._base import ResponseModel, as_datetime

__all__ = [
    "VariableValue",
]


class VariableValue(ResponseModel):
    """A variable and its value for one user."""

    keyword: str = ""
    """Variable name."""
    value: str = ""
    create_time: int | None = None
    """First set time; 0 when default."""
    update_time: int | None = None
    """Update time, Unix seconds."""
    is_system: bool | None = None
    """System variable flag."""
    prompt_disabled: bool | None = None
    """Not usable in prompts."""
    value_schema: str | None = Field(default=None, validation_alias=AliasChoices("value_schema", "schema"))
    """Value schema as JSON."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.create_time)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.update_time)
