"""Templates."""

from coze_async.models._base import ResponseModel

__all__ = [
    "TemplateDuplicated",
]


class TemplateDuplicated(ResponseModel):
    """A copy of a template."""

    entity_id: str
    entity_type: str = ""
    """Kind of entity; see `TemplateEntityType`."""
