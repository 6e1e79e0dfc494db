"""Benefits, limits on them, and bills."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._endpoint import Resource, get, post, put
from coze_async._pages import ByCursor, ByNumber, Pages
from coze_async.models import BenefitBillTask, BenefitData, BenefitLimitation

__all__ = ["BenefitLimitationsResource", "BenefitsResource", "BillTasksResource"]


class BenefitLimitationsResource(Resource):
    """Limits on benefits."""

    @post("/v1/commerce/benefit/limitations", payload=("data.benefit_info", "data"))
    async def create(
        self,
        *,
        entity_type: str,
        benefit_info: BenefitLimitation,
        entity_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> BenefitLimitation:
        """Limit what devices or users may use of a benefit.

        Args:
            entity_type: Devices or users.
            benefit_info: The limit.
            entity_id: The device or user.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_device_quotas.
        """
        ...

    @get(
        "/v1/commerce/benefit/limitations",
        pages=ByCursor(items="benefit_infos", key="benefit_id", next_cursor="page_token"),
    )
    def list(
        self,
        *,
        entity_type: str,
        benefit_type: str,
        entity_id: str | None = None,
        status: str | None = None,
        page_token: str | None = None,
        page_size: int = 20,
        timeouts: Timeouts | None = None,
    ) -> Pages[BenefitLimitation]:
        """List limits on a benefit.

        Args:
            entity_type: Devices or users.
            benefit_type: The kind of benefit.
            entity_id: The device or user.
            status: Only limits with this status.
            page_token: The page to begin with, None for the first.
            page_size: Items per page, 200 at most.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_device_quotas.
        """
        ...

    @put("/v1/commerce/benefit/limitations/{benefit_id}", safe=True, payload=("data.benefit_info", "data"))
    async def update(
        self,
        *,
        benefit_id: str,
        active_mode: str | None = None,
        started_at: str | None = None,
        ended_at: str | None = None,
        duration: float | None = None,
        limit: str | None = None,
        status: str | None = None,
        trigger_unit: str | None = None,
        trigger_time: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> BenefitLimitation | None:
        """Change a limit on a benefit; None if the server does not return it.

        Args:
            benefit_id: The limit.
            active_mode: Whether the times are absolute or relative.
            started_at: When it begins, Unix seconds.
            ended_at: When it ends, Unix seconds.
            duration: How long the limit holds.
            limit: How much is allowed.
            status: Whether the limit is in force.
            trigger_unit: The unit of the period.
            trigger_time: The trigger time of the period.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_device_quotas.
        """
        ...


class BenefitsResource(Resource):
    """What the account may use; needs the permission getBenefit."""

    @get("/v1/commerce/benefit/benefits/get", joined=("benefit_type_list",))
    async def retrieve(
        self,
        *,
        benefit_type_list: Sequence[str] | None = None,
        resource_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> BenefitData:
        """Read what the plan allows, and how much of it was used.

        Args:
            benefit_type_list: Such as `api_run_qps` or `call_tool_limit`.
            resource_id: `plugin`, `chat` or `workflow`; needed for `api_run_qps`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page get_benefit.
        """
        ...


class BillTasksResource(Resource):
    """Exports of bills."""

    @get("/v1/commerce/benefit/bill_tasks", pages=ByNumber(items="task_infos", key="task_id"), joined=("task_ids",))
    def list(
        self,
        *,
        task_ids: Sequence[str] | None = None,
        page_num: int = 1,
        page_size: int = 20,
        timeouts: Timeouts | None = None,
    ) -> Pages[BenefitBillTask]:
        """List bill export tasks.

        Args:
            task_ids: Only these tasks.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 200 at most.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page billing_file.
        """
        ...

    @post("/v1/commerce/benefit/bill_tasks")
    async def create(
        self, *, started_at: str | None = None, ended_at: str | None = None, timeouts: Timeouts | None = None
    ) -> BenefitBillTask:
        """Start a bill export task.

        Args:
            started_at: When it begins, Unix seconds.
            ended_at: When it ends, Unix seconds.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_bill_task.
        """
        ...
