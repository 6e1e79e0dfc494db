"""Workflows: run, stream, resume, and chatflows."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

import anyio

from coze_async._chat_stream import ChatStream
from coze_async._config import Polling, Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, core_within, get, post
from coze_async._errors import (
    STOP_ON,
    ConfigurationError,
    CozeError,
    DecodeError,
    NotFoundError,
    PollTimeoutError,
    WorkflowError,
    explain,
    is_route_missing,
)
from coze_async._pages import ByNumber, Pages
from coze_async._polling import poll
from coze_async._question import Question, messages_for
from coze_async._workflow_stream import WorkflowStream
from coze_async.models import Message, WorkflowBasic, WorkflowInfo, WorkflowRun, WorkflowRunHistory
from coze_async.resources.workflow_parts import (
    RunHistoriesResource,
    WorkflowCollaboratorsResource,
    WorkflowVersionsResource,
)

if TYPE_CHECKING:
    from coze_async._batch import FanOut, Items

__all__ = ["WorkflowRunsResource", "WorkflowsResource"]

P = TypeVar("P", bound=Mapping[str, Any])


class WorkflowsResource(Resource):
    """Run workflows and chatflows that are published."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        # Until a self-hosted server says otherwise.
        self._has_cloud_route = True
        self.runs: WorkflowRunsResource = WorkflowRunsResource(core)
        self.versions: WorkflowVersionsResource = WorkflowVersionsResource(core)
        self.collaborators: WorkflowCollaboratorsResource = WorkflowCollaboratorsResource(core)

    @post("/v1/workflow/run", payload=(), kind="workflow")
    async def run(
        self,
        *,
        workflow_id: str,
        parameters: Mapping[str, Any] | None = None,
        bot_id: str | None = None,
        app_id: str | None = None,
        is_async: bool | None = None,
        ext: Mapping[str, Any] | None = None,
        workflow_version: str | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> WorkflowRun:
        """Run a workflow and return what it answered; with is_async=True only `execute_id`, at once.

        The gateway cuts a synchronous run after 90 s, while the workflow goes on: use `stream` or `run_and_poll`
        for longer ones.

        Args:
            workflow_id: A published workflow.
            parameters: Inputs by name, any JSON values; a file is the text `{"file_id":"…"}` or an address.
            bot_id: A bot whose variables and databases the workflow uses.
            app_id: The app that the workflow belongs to; not together with bot_id.
            is_async: True runs it in the background; needs a paid plan (code 6003).
            ext: `latitude`, `longitude`, `user_id`.
            workflow_version: A version other than the published one.
            connector_id: The channel: 1024 is the API.
            timeouts: For this call, instead of the client's.

        Raises:
            ConfigurationError: a parameter is no JSON value.
            NotFoundError: no such workflow, or it was never published (4200, 6031).

        Source: coze.cn page workflow_run. `/v3/workflows/run`, which some articles name, does not exist.
        """
        ...

    @post("/v1/workflow/stream_run", kind="workflow")
    def stream(
        self,
        *,
        workflow_id: str,
        parameters: Mapping[str, Any] | None = None,
        bot_id: str | None = None,
        app_id: str | None = None,
        ext: Mapping[str, Any] | None = None,
        workflow_version: str | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> WorkflowStream:
        """Run a workflow and return its events as they come; an interrupt ends them, see `resume`.

        Source: coze.cn page workflow_stream_run.
        """
        ...

    @post("/v1/workflow/stream_resume", kind="workflow")
    def resume(
        self,
        *,
        workflow_id: str,
        event_id: str,
        interrupt_type: int,
        resume_data: str,
        ext: Mapping[str, str] | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> WorkflowStream:
        """Go on with a workflow that was interrupted; it may be interrupted again, three times in all.

        Args:
            workflow_id: The workflow.
            event_id: `WorkflowInterrupt.event_id`, whole.
            interrupt_type: `WorkflowInterrupt.interrupt_type`.
            resume_data: What the workflow asked for.
            ext: `latitude`, `longitude`, `user_id`.
            connector_id: The channel: 1024 is the API.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page workflow_resume.
        """
        ...

    def chat(
        self,
        message: Question | None = None,
        *,
        workflow_id: str,
        bot_id: str | None = None,
        app_id: str | None = None,
        conversation_id: str | None = None,
        additional_messages: Sequence[Message] = (),
        parameters: Mapping[str, Any] | None = None,
        ext: Mapping[str, str] | None = None,
        workflow_version: str | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> ChatStream:
        """Run a chatflow and return its events as they come.

        A chatflow that asks something ends its stream; answer by calling this again with the same conversation_id.

        Args:
            message: A text or a Message; files go through `parameters`.
            workflow_id: A published chatflow.
            bot_id: The bot that it belongs to; exactly one of bot_id and app_id.
            app_id: The app that it belongs to.
            conversation_id: Go on with this conversation.
            additional_messages: Context before the message, 50 at most with it.
            parameters: Inputs by name, any JSON values.
            ext: `latitude`, `longitude`, `user_id`.
            workflow_version: A version other than the published one.
            connector_id: The channel: 1024 is the API.
            timeouts: For this call, instead of the client's.

        Raises:
            ConfigurationError: not exactly one of bot_id and app_id, or a message that cannot be answered.

        Source: coze.cn page workflow_chat.
        """
        if bool(bot_id) == bool(app_id):
            raise ConfigurationError(
                "A chatflow takes exactly one of bot_id and app_id (both together are error 4000)."
            )
        messages = messages_for(message, additional_messages, conversation_id=conversation_id, most=50)
        return self._chat(
            workflow_id=workflow_id,
            additional_messages=messages,
            bot_id=bot_id,
            app_id=app_id,
            conversation_id=conversation_id,
            parameters=parameters,
            ext=ext,
            workflow_version=workflow_version,
            connector_id=connector_id,
            timeouts=timeouts,
        )

    async def run_and_poll(
        self,
        *,
        workflow_id: str,
        parameters: Mapping[str, Any] | None = None,
        polling: Polling | None = None,
        bot_id: str | None = None,
        app_id: str | None = None,
        ext: Mapping[str, Any] | None = None,
        workflow_version: str | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> WorkflowRun:
        """Run a workflow in the background, look until it is over, and return what it answered.

        A run that waits for somebody returns with `.interrupt_data`. Up to 24 hours; needs a paid plan.

        Args:
            workflow_id: A published workflow.
            parameters: Inputs by name, any JSON values.
            polling: How often to look, and for how long.
            bot_id: See `run`.
            app_id: See `run`.
            ext: See `run`.
            workflow_version: See `run`.
            connector_id: See `run`.
            timeouts: For each of its calls, instead of the client's.

        Raises:
            WorkflowError: the run failed.
            PollTimeoutError: it was not over in time; `.execute_id` names it, and it goes on.
        """
        polling = polling or Polling()
        execute_id: str | None = None
        waited: list[str] = []
        core, name = core_within(self._core, timeouts), "POST /v1/workflow/run"
        with anyio.move_on_after(polling.timeout):
            try:
                slot = await core.slot(core.options.user, core.deadline(), name)
            except anyio.get_cancelled_exc_class() as error:
                waited += ["Nothing was sent.", *getattr(error, "__notes__", ())]
                raise
            try:
                run = await self.run(
                    workflow_id=workflow_id,
                    parameters=parameters,
                    bot_id=bot_id,
                    app_id=app_id,
                    is_async=True,
                    ext=ext,
                    workflow_version=workflow_version,
                    connector_id=connector_id,
                    timeouts=timeouts,
                )
                execute_id = run.execute_id
                if not execute_id:
                    # A server that does not know is_async has run it by now.
                    return run
                return _finished(run, await self._last_history(workflow_id, execute_id, polling, timeouts))
            finally:
                slot.release()
        fate = " ".join(waited) or ("It goes on." if execute_id else "Whether it was started is not known.")
        raise PollTimeoutError(
            f"{name}: the run {execute_id or '(not yet started)'} was not over within {polling.timeout:g} s "
            f"(Polling.timeout). {fate} Raise Polling.timeout to wait longer.",
            execute_id=execute_id,
        )

    def batch(
        self,
        items: "Items[P]",
        *,
        workflow_id: str,
        limit: int = 100,
        ordered: bool = False,
        polling: Polling | None = None,
        stop_on: type[Exception] | tuple[type[Exception], ...] = STOP_ON,
        bot_id: str | None = None,
        app_id: str | None = None,
        ext: Mapping[str, Any] | None = None,
        workflow_version: str | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> "FanOut[P, WorkflowRun]":
        """Run a workflow with every item as its parameters, so many at a time; see `fan_out`.

        A run that waits for somebody is an outcome with `.interrupt_data` in its value. Leaving the block early stops
        waiting for the runs that were started; they go on.

        Args:
            items: The parameters of each run.
            workflow_id: A published workflow.
            limit: How many at a time.
            ordered: Hand the outcomes out in the order of the items.
            polling: Run in the background and look, so often and so long, instead of streaming; needs a paid plan.
            stop_on: Errors that end the batch.
            bot_id: See `run`.
            app_id: See `run`.
            ext: See `run`.
            workflow_version: See `run`.
            connector_id: See `run`.
            timeouts: For each call, instead of the client's.

        Raises:
            ConfigurationError: an argument cannot be right. An item that cannot be is an outcome with this error.
        """
        from coze_async._batch import fan_out

        how: dict[str, Any] = {
            "workflow_id": workflow_id,
            "bot_id": bot_id,
            "app_id": app_id,
            "ext": ext,
            "workflow_version": workflow_version,
            "connector_id": connector_id,
            "timeouts": timeouts,
        }

        async def run(item: P) -> WorkflowRun:
            if not isinstance(item, Mapping):
                raise ConfigurationError(
                    f"The item is a {type(item).__name__}: give the parameters of a run, such as {{'city': '杭州'}}."
                )
            if polling is None:
                return await self.stream(parameters=item, **how).result()
            return await self.run_and_poll(parameters=item, polling=polling, **how)

        return fan_out(run, items, limit=limit, ordered=ordered, stop_on=stop_on)

    @post("/v1/workflows/chat", kind="chatflow")
    def _chat(
        self,
        *,
        workflow_id: str,
        additional_messages: Sequence[Mapping[str, Any]] | None = None,
        bot_id: str | None = None,
        app_id: str | None = None,
        conversation_id: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        ext: Mapping[str, str] | None = None,
        workflow_version: str | None = None,
        connector_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> ChatStream:
        """Run a chatflow. Source: coze.cn page workflow_chat."""
        ...

    async def _last_history(
        self, workflow_id: str, execute_id: str, polling: Polling, timeouts: Timeouts | None
    ) -> WorkflowRunHistory:
        """Look at a run until it is over."""
        ids = {"workflow_id": workflow_id, "execute_id": execute_id}
        try:
            with self._core.polling(_LOOK.kind) as paced:
                return await poll(lambda: self._history(ids, timeouts), _is_over, polling, paced=paced)
        except CozeError as error:
            # Its answer can still be fetched; without the id it would be lost.
            error.execute_id = execute_id
            error.add_note(f"The run {execute_id} was started and may go on.")
            raise

    async def _history(self, ids: Mapping[str, str], timeouts: Timeouts | None) -> WorkflowRunHistory:
        """Look at a run, on whichever route the server has."""
        histories = None
        if self._has_cloud_route:
            try:
                histories = await self.runs.run_histories.retrieve(**ids, timeouts=timeouts)
            except NotFoundError as error:
                if not is_route_missing(error):
                    raise
                self._has_cloud_route = False
        if histories is None:
            histories = await self.runs.run_histories.get_run_history(**ids, timeouts=timeouts)
        if not histories:
            raise DecodeError(f"The server has no history of the run {ids['execute_id']}.")
        return histories[0]

    @get("/v1/workflows/{workflow_id}", blank=True)
    async def retrieve(
        self,
        *,
        workflow_id: str,
        connector_id: str | None = None,
        is_debug: bool | None = None,
        caller: str | None = None,
        include_chatflow_role: bool | None = None,
        include_input_output: bool | None = None,
        timeouts: Timeouts | None = None,
    ) -> WorkflowInfo:
        """Read a workflow; Coze Studio fills in `role` only, or nothing.

        Args:
            workflow_id: The workflow.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            is_debug: For internal use of the service.
            caller: For internal use of the service.
            include_chatflow_role: True fills in `role`.
            include_input_output: True fills in `input` and `output`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_workflow_info.
        """
        ...

    @get("/v1/workflows", pages=ByNumber(key="workflow_id"))
    def list(
        self,
        *,
        workspace_id: str | None = None,
        workflow_mode: str | None = None,
        app_id: str | None = None,
        publish_status: str | None = None,
        page_num: int = 1,
        page_size: int = 10,
        folder_id: str | None = None,
        include_input_output: bool | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[WorkflowBasic]:
        """List workflows.

        Args:
            workspace_id: The workspace.
            workflow_mode: `workflow` or `chatflow`, see `WorkflowMode`.
            app_id: The app.
            publish_status: Only those in this state, see `PublishStatus`.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 30 at most.
            folder_id: The folder.
            include_input_output: True fills in `input` and `output`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_workflow_list.
        """
        ...

    @post("/v1/workflows/{workflow_id}/collaboration_mode", safe=True)
    async def update_collaboration_mode(
        self, *, workflow_id: str, collaboration_mode: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        """Let one person or several edit a workflow.

        Args:
            workflow_id: The workflow.
            collaboration_mode: `single` or `collaboration`, see `BotCollaborationMode`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page switch_workflow_develop_mode.
        """
        ...


class WorkflowRunsResource(Resource, place="workflows.runs"):
    """Runs, under the names of the official SDK."""

    create: Final = WorkflowsResource.run
    stream: Final = WorkflowsResource.stream
    resume: Final = WorkflowsResource.resume

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.run_histories: RunHistoriesResource = RunHistoriesResource(core)

    @post("/v1/workflows/resume", payload=(), kind="workflow")
    async def resume_sync(
        self,
        *,
        event_id: str,
        interrupt_type: int,
        resume_data: str,
        workflow_id: str,
        timeouts: Timeouts | None = None,
    ) -> WorkflowRun:
        """Go on with an interrupted workflow, without a stream, in the mode in which it was begun.

        Args:
            event_id: The id in the interrupt, whole.
            interrupt_type: The type in the interrupt.
            resume_data: What the workflow asked for.
            workflow_id: The workflow.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page resume_workflow.
        """
        ...


# `Fail` is documented; the others are what a server would say that means the same.
_FAILED = frozenset(("fail", "failed", "cancel", "canceled", "cancelled", "timeout"))


def _is_over(history: WorkflowRunHistory) -> bool:
    status = history.execute_status.lower()
    waits = history.interrupt_data is not None and bool(history.interrupt_data.event_id)
    return status == "success" or status in _FAILED or waits


def _finished(run: WorkflowRun, history: WorkflowRunHistory) -> WorkflowRun:
    """Return a run with what its history says; raise if it failed."""
    debug_url = history.debug_url or run.debug_url
    if history.execute_status.lower() in _FAILED:
        code = history.error_code or None
        numbered = f" (code {code})" if code else ""
        traced = f"{f' See {debug_url}' if debug_url else ''}{f' [logid {history.logid}]' if history.logid else ''}"
        raise WorkflowError(
            f"The run {run.execute_id} failed{numbered}: {explain(code, history.error_message)}{traced}",
            code=code,
            msg=history.error_message,
            debug_url=debug_url,
            execute_id=run.execute_id,
            logid=history.logid,
        )
    return run.model_copy(
        update={
            "data": history.result,
            "outputs": history.outputs,
            "debug_url": debug_url,
            "usage": history.usage or run.usage,
            "interrupt_data": history.interrupt_data
            if history.interrupt_data and history.interrupt_data.event_id
            else None,
            "history": history,
        }
    )


_LOOK = RunHistoriesResource.retrieve.endpoint  # type: ignore[attr-defined]
