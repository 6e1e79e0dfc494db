"""Copies of bots and workflows."""

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, get, post
from coze_async.models import CopyTask, CopyTaskCreated

__all__ = ["CopyTasksResource", "EntitiesResource"]


class CopyTasksResource(Resource, place="entities.copy_tasks"):
    """Copies into another workspace."""

    @post("/v1/entities/copy_tasks")
    async def create(
        self,
        *,
        entity_id: str | None = None,
        entity_type: str | None = None,
        to_workspace_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> CopyTaskCreated:
        """Copy a bot, an app or a workflow; a bot within its workspace is copied at once, all else in the background.

        Args:
            entity_id: What to copy.
            entity_type: What it is: `app`, `bot` or `workflow`, see `CopyEntityType`.
            to_workspace_id: Where the copy goes; None means the same workspace.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page copy_resource_task.
        """
        ...

    @get("/v1/entities/copy_tasks/{task_id}")
    async def retrieve(self, *, task_id: str, timeouts: Timeouts | None = None) -> CopyTask:
        """Read how far a copy is.

        Args:
            task_id: The task.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page query_resource_copy_execution_result.
        """
        ...


class EntitiesResource(Resource):
    """Bots and workflows as things to copy."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.copy_tasks: CopyTasksResource = CopyTasksResource(core)
