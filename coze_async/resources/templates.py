"""Templates."""

from coze_async._config import Timeouts
from coze_async._endpoint import Resource, post
from coze_async.models import TemplateDuplicated

__all__ = ["TemplatesResource"]


class TemplatesResource(Resource):
    """Templates."""

    @post("/v1/templates/{template_id}/duplicate")
    async def duplicate(
        self, *, template_id: str, workspace_id: str, name: str | None = None, timeouts: Timeouts | None = None
    ) -> TemplateDuplicated:
        """Copy a template into a workspace.

        Args:
            template_id: The template.
            workspace_id: The workspace.
            name: The name of the copy; None keeps the template's.
            timeouts: For this call, instead of the client's.

        Source: cozepy 0.20, coze-js cabc1ec.
        """
        ...
