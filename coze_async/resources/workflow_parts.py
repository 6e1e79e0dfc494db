"""The records of runs, the versions of workflows, and who works on them."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post
from coze_async._pages import ByCursor, Pages
from coze_async.models import BotCollaborator, WorkflowNodeExecuteHistory, WorkflowRunHistory, WorkflowVersionInfo

__all__ = ["ExecuteNodesResource", "RunHistoriesResource", "WorkflowCollaboratorsResource", "WorkflowVersionsResource"]


class ExecuteNodesResource(Resource, place="workflows.runs.run_histories.execute_nodes"):
    """What single nodes put out."""

    @get(
        "/v1/workflows/{workflow_id}/run_histories/{execute_id}/execute_nodes/{node_execute_uuid}", kind="workflow_look"
    )
    async def retrieve(
        self, *, workflow_id: str, execute_id: str, node_execute_uuid: str, timeouts: Timeouts | None = None
    ) -> WorkflowNodeExecuteHistory:
        """Read what one node of an asynchronous run put out.

        Args:
            workflow_id: The workflow.
            execute_id: The run, `WorkflowRun.execute_id`.
            node_execute_uuid: One run of a node, from `WorkflowRunHistory.node_execute_status`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_node_execute_history_response.
        """
        ...


class RunHistoriesResource(Resource, place="workflows.runs.run_histories"):
    """The records of asynchronous runs."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.execute_nodes: ExecuteNodesResource = ExecuteNodesResource(core)

    @get("/v1/workflows/{workflow_id}/run_histories/{execute_id}", kind="workflow_look")
    async def retrieve(
        self, *, workflow_id: str, execute_id: str, timeouts: Timeouts | None = None
    ) -> list[WorkflowRunHistory]:
        """Read the record of an asynchronous run: a list of one.

        Args:
            workflow_id: The workflow.
            execute_id: The run, `WorkflowRun.execute_id`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page workflow_history.
        """
        ...

    @get("/v1/workflow/get_run_history", kind="workflow_look")
    async def get_run_history(
        self, *, workflow_id: str, execute_id: str | None = None, timeouts: Timeouts | None = None
    ) -> list[WorkflowRunHistory]:
        """Read runs on Coze Studio and Coze Plus, which lack the route of `retrieve`.

        Args:
            workflow_id: The workflow.
            execute_id: The run, `WorkflowRun.execute_id`.
            timeouts: For this call, instead of the client's.

        Source: Coze Studio 4f786d6, Coze Plus fb00b21.
        """
        ...


class WorkflowCollaboratorsResource(Resource, place="workflows.collaborators"):
    """Who works on a workflow."""

    @delete("/v1/workflows/{workflow_id}/collaborators/{user_id}", safe=True, kind="collaboration")
    async def delete(self, *, workflow_id: str, user_id: str, timeouts: Timeouts | None = None) -> None:
        """Remove a collaborator from a workflow.

        Args:
            workflow_id: The workflow.
            user_id: The user.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page remove_workflow_collaborator.
        """
        ...

    @post("/v1/workflows/{workflow_id}/collaborators", kind="collaboration")
    async def create(
        self, *, workflow_id: str, collaborators: Sequence[BotCollaborator], timeouts: Timeouts | None = None
    ) -> None:
        """Add collaborators to a workflow.

        Args:
            workflow_id: The workflow.
            collaborators: Who is added, one at a time.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page add_workflow_collaborator.
        """
        ...


class WorkflowVersionsResource(Resource, place="workflows.versions"):
    """The versions of a workflow."""

    @get("/v1/workflows/{workflow_id}/versions", pages=ByCursor(key="version"))
    def list(
        self,
        *,
        workflow_id: str,
        publish_status: str | None = None,
        page_size: int = 10,
        page_token: str | None = None,
        include_input_output: bool | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[WorkflowVersionInfo]:
        """List versions of a workflow.

        Args:
            workflow_id: The workflow.
            publish_status: Only those in this state, see `PublishStatus`.
            page_size: Items per page, 30 at most.
            page_token: The page to begin with, None for the first.
            include_input_output: True fills in `input` and `output`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_workflow_version.
        """
        ...
