"""What holds requests back, and what the account may do."""

from coze_async._config import Timeouts
from coze_async._endpoint import Resource
from coze_async._errors import DecodeError
from coze_async._limits import Limits, LimitStatistics
from coze_async.resources.benefits import BenefitsResource

__all__ = ["LimitsResource"]

# The buckets that the service names, and the field of `Limits` for each.
_BUCKETS = {"chat": "account_chat", "workflow": "account_workflow"}


class LimitsResource(Resource):
    """The limits that this client keeps to, for all its views."""

    async def learn(self, *, timeouts: Timeouts | None = None) -> Limits:
        """Ask the server what the account may do per second, keep to it from now on, and return the limits in force.

        A limit of your own that is lower stays. Call it once after the client was made; polls slow down by it before
        they keep new chats waiting. Needs the permission getBenefit; only the clouds know it.

        Args:
            timeouts: For each of its calls, instead of the client's.

        Raises:
            PermissionDeniedError: the token lacks getBenefit.
            NotFoundError: the server knows no benefits, as Coze Studio and Coze Plus.
            DecodeError: the answer names no number for any bucket.

        Source: coze.cn page get_benefit.
        """
        benefits = BenefitsResource(self._core)
        rates: dict[str, int] = {}
        for bucket, name in _BUCKETS.items():
            data = await benefits.retrieve(benefit_type_list=["api_run_qps"], resource_id=bucket, timeouts=timeouts)
            for benefit in data.benefit_info:
                item = benefit.effective.item_info if benefit.effective else None
                is_meant = benefit.benefit_type in (None, "api_run_qps") and benefit.resource_id in (None, "", bucket)
                if is_meant and item is not None and (item.total or 0) >= 1:
                    rates[name] = int(item.total or 0)
        if not rates:
            raise DecodeError(
                "GET /v1/commerce/benefit/benefits/get names no requests per second for chats or workflows. "
                "Set Limits.account_chat and Limits.account_workflow by hand."
            )
        return self._core.session.limiter.learn(rates)

    def statistics(self) -> LimitStatistics:
        """Return what was let through so far, and what waits at this moment."""
        return self._core.session.limiter.statistics()
