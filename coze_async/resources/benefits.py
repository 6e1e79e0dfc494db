"""Benefits, limits on them, and bills."""

from collections.abc import Sequence

from coze_async._endpoint import Resource, get, post, put
from coze_async._pages import ByCursor, ByNumber, Pages
from coze_async.models import BenefitBillTask, BenefitData, BenefitLimitation

__all__ = ["BenefitLimitationsResource", "BenefitsResource", "BillTasksResource"]


class BenefitLimitationsResource(Resource):
    """Limits on benefits."""

    @post("/v1/commerce/benefit/limitations", payload=("data.benefit_info", "data"))
    async def create(
        self, *, entity_type: str, benefit_info: BenefitLimitation, entity_id: str | None = None
    ) -> BenefitLimitation:
        """Create a usage limit for devices or users.

        Args:
            entity_type: Kind of entity.
            benefit_info: Benefit block.
            entity_id: Entity id.

        Source: coze.cn page create_device_quotas.
        """
        ...

    @get("/v1/commerce/benefit/limitations", pages=ByCursor(items="benefit_infos", next_cursor="page_token"))
    def list(
        self,
        *,
        entity_type: str,
        benefit_type: str,
        entity_id: str | None = None,
        status: str | None = None,
        page_token: str | None = None,
        page_size: int = 20,
    ) -> Pages[BenefitLimitation]:
        """List usage limits.

        Args:
            entity_type: Kind of entity.
            benefit_type: Kind of benefit.
            entity_id: Entity id.
            status: Status.
            page_token: Token of the page to fetch.
            page_size: Items per page.

        Source: coze.cn page get_device_quotas.
        """
        ...

    @put("/v1/commerce/benefit/limitations/{benefit_id}", safe=True)
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
    ) -> None:
        """Change a usage limit.

        Args:
            benefit_id: Limitation rule id.
            active_mode: How the limit becomes active (absolute or relative time).
            started_at: Start time, Unix seconds.
            ended_at: End time, Unix seconds.
            duration: Length of the period.
            limit: Allowed amount.
            status: Rule status.
            trigger_unit: Trigger unit of the period.
            trigger_time: Trigger time of the period.

        Source: coze.cn page update_device_quotas.
        """
        ...


class BenefitsResource(Resource):
    """What the account may use; needs the permission getBenefit."""

    @get("/v1/commerce/benefit/benefits/get", joined=("benefit_type_list",))
    async def retrieve(
        self, *, benefit_type_list: Sequence[str] | None = None, resource_id: str | None = None
    ) -> BenefitData:
        """Read plan benefits and usage.

        Args:
            benefit_type_list: Api_run_qps, call_tool_limit; comma separated.
            resource_id: Needed for api_run_qps: plugin, chat or workflow.

        Source: coze.cn page get_benefit.
        """
        ...


class BillTasksResource(Resource):
    """Exports of bills."""

    @get("/v1/commerce/benefit/bill_tasks", pages=ByNumber(items="task_infos"), joined=("task_ids",))
    def list(
        self, *, task_ids: Sequence[str] | None = None, page_num: int = 1, page_size: int = 20
    ) -> Pages[BenefitBillTask]:
        """List bill export tasks.

        Args:
            task_ids: Task ids, comma separated.
            page_num: Page number, from 1.
            page_size: Items per page.

        Source: coze.cn page billing_file.
        """
        ...

    @post("/v1/commerce/benefit/bill_tasks")
    async def create(self, *, started_at: str | None = None, ended_at: str | None = None) -> BenefitBillTask:
        """Start a bill export task.

        Args:
            started_at: Start time, Unix seconds.
            ended_at: End time, Unix seconds.

        Source: coze.cn page create_bill_task.
        """
        ...
