"""Templates."""

from coze_async.models._base import CozeModel

__all__ = [
    "TemplateDuplicated",
]


class TemplateDuplicated(CozeModel):
    """A copy of a template."""

    entity_id: str
    entity_type: str = ""
    """Kind of entity; see `TemplateEntityType`."""
