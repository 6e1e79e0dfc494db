"""Enterprises and organizations."""

from datetime import datetime

from coze_async.models._base import CozeModel, ResponseModel, as_datetime

__all__ = [
    "EnterpriseMember",
    "Organization",
    "OrganizationCreated",
    "OrganizationMember",
    "OrganizationMemberInput",
]


class EnterpriseMember(CozeModel):
    """A member of an enterprise."""

    user_id: str
    role: str
    """Role in the enterprise; see `EnterpriseMemberRole`."""


class OrganizationCreated(ResponseModel):
    """A new organization."""

    organization_id: str


class Organization(ResponseModel):
    """An organization of an enterprise."""

    organization_id: str | None = None
    organization_name: str | None = None
    organization_icon_url: str | None = None
    is_default_organization: bool | None = None
    """Default organization flag."""


class OrganizationMemberInput(CozeModel):
    """Who is to join an organization."""

    user_id: str
    organization_role_type: str
    """One of `OrganizationRoleType`."""


class OrganizationMember(ResponseModel):
    """A member of an organization."""

    user_id: str | None = None
    is_valid: bool | None = None
    """Account is usable."""
    avatar_url: str | None = None
    """Avatar image URL."""
    created_at: int | None = None
    """Join time, Unix seconds."""
    people_type: str | None = None
    """Employee or guest; see `OrganizationPeopleType`."""
    user_nickname: str | None = None
    """Nick name."""
    user_unique_name: str | None = None
    organization_role_type: str | None = None
    """One of `OrganizationRoleType`."""

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)
