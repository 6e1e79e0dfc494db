"""Benefits, limits on them, and bills."""

from datetime import datetime

from pydantic import Field

from coze_async.models._base import CozeModel, ResponseModel, as_datetime

__all__ = [
    "BenefitBasicInfo",
    "BenefitBillTask",
    "BenefitData",
    "BenefitInfo",
    "BenefitItemInfo",
    "BenefitLimitation",
    "BenefitStatusInfo",
]


class BenefitBasicInfo(CozeModel):
    """The plan of an account."""

    user_level: str | None = None
    """Plan level."""


class BenefitItemInfo(CozeModel):
    """How much of a benefit there is and was used."""

    end_at: int | None = None
    """End time, Unix seconds."""
    start_at: int | None = None
    """Start time, Unix seconds."""
    strategy: str | None = None
    """Usage strategy."""
    total: float | None = None
    """Upper limit when strategy is by quota."""
    used: float | None = None
    """Used amount when strategy is by quota."""


class BenefitStatusInfo(CozeModel):
    """Whether a benefit is in force."""

    item_info: BenefitItemInfo | None = None
    """Quota details."""
    status: str | None = None
    """Whether the benefit is usable."""


class BenefitInfo(CozeModel):
    """One benefit of an account."""

    basic: BenefitStatusInfo | None = None
    """Base value of the benefit."""
    benefit_type: str | None = None
    """Kind of benefit."""
    effective: BenefitStatusInfo | None = None
    """Value in force."""
    extra: list[BenefitStatusInfo] = Field(default_factory=list[BenefitStatusInfo])
    """Additional part."""
    resource_id: str | None = None
    """API kind: plugin, chat, workflow."""


class BenefitData(ResponseModel):
    """The benefits of an account."""

    basic_info: BenefitBasicInfo | None = None
    """Plan level information."""
    benefit_info: list[BenefitInfo] = Field(default_factory=list[BenefitInfo])
    """The benefits."""


class BenefitLimitation(ResponseModel):
    """A limit on a benefit, for devices or users."""

    benefit_id: str | None = None
    """Limitation rule id."""
    benefit_type: str | None = None
    """Kind of benefit."""
    active_mode: str | None = None
    """Whether the times are absolute or relative."""
    started_at: str | None = None
    """Start time, Unix seconds."""
    ended_at: str | None = None
    """End time, Unix seconds."""
    duration: float | None = None
    """Length of the period."""
    limit: str | None = None
    """Allowed amount."""
    status: str | None = None
    """Rule status."""
    entity_type: str | None = None
    """Kind of entity."""
    entity_id: str | None = None
    trigger_unit: str | None = None
    """Trigger unit of the period."""
    trigger_time: str | None = None
    """Trigger time of the period."""


class BenefitBillTask(ResponseModel):
    """A task that exports a bill."""

    created_at: int | None = None
    """Creation time, Unix seconds."""
    ended_at: int | None = None
    """End time, Unix seconds."""
    expires_at: int | None = None
    """Expiry time, Unix seconds."""
    file_urls: list[str] = Field(default_factory=list[str])
    """Download URLs."""
    started_at: int | None = None
    """Start time, Unix seconds."""
    status: str | None = None
    """Task status."""
    task_id: str | None = None

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)
