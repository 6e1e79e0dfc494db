"""Enterprises and organizations."""

from collections.abc import Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByNumber, Pages
from coze_async.models import (
    EnterpriseMember,
    Organization,
    OrganizationCreated,
    OrganizationMember,
    OrganizationMemberInput,
)

__all__ = [
    "EnterpriseMembersResource",
    "EnterpriseOrganizationsResource",
    "EnterprisesResource",
    "OrganizationMembersResource",
    "OrganizationsResource",
]


class EnterpriseMembersResource(Resource, place="enterprises.members"):
    """The members of an enterprise."""

    @post("/v1/enterprises/{enterprise_id}/members")
    async def create(
        self, *, enterprise_id: str, users: Sequence[EnterpriseMember], timeouts: Timeouts | None = None
    ) -> None:
        """Add a member to an enterprise; the service takes no two such calls at once.

        Args:
            enterprise_id: The enterprise.
            users: One at a time.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page add_enterprise_member.
        """
        ...

    @put("/v1/enterprises/{enterprise_id}/members/{user_id}", safe=True)
    async def update(self, *, enterprise_id: str, user_id: str, role: str, timeouts: Timeouts | None = None) -> None:
        """Change role of an enterprise member.

        Args:
            enterprise_id: The enterprise.
            user_id: The user.
            role: `enterprise_admin` or `enterprise_member`, see `EnterpriseMemberRole`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_enterprise_people.
        """
        ...

    @delete("/v1/enterprises/{enterprise_id}/members/{user_id}", body=("receiver_user_id",), safe=True)
    async def delete(
        self, *, enterprise_id: str, user_id: str, receiver_user_id: str, timeouts: Timeouts | None = None
    ) -> None:
        """Remove a member of an enterprise and hand over what was theirs.

        Args:
            enterprise_id: The enterprise.
            user_id: The user.
            receiver_user_id: The member who gets what was theirs.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page remove_enterprise_member.
        """
        ...


class EnterpriseOrganizationsResource(Resource, place="enterprises.organizations"):
    """The organizations of an enterprise."""

    @post("/v1/enterprises/{enterprise_id}/organizations")
    async def create(
        self,
        *,
        enterprise_id: str,
        name: str,
        super_admin_user_id: str,
        description: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> OrganizationCreated:
        """Make an organization in an enterprise, 20 at most, and return its id.

        Args:
            enterprise_id: The enterprise.
            name: The name.
            super_admin_user_id: The user who governs it.
            description: What it is for.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_organization.
        """
        ...

    @get("/v1/enterprises/{enterprise_id}/organizations", pages=ByNumber(key="organization_id", total="total_count"))
    def list(
        self, *, enterprise_id: str, page_num: int = 1, page_size: int = 20, timeouts: Timeouts | None = None
    ) -> Pages[Organization]:
        """List organizations of an enterprise.

        Args:
            enterprise_id: The enterprise.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 20 at most.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_organization.
        """
        ...


class OrganizationMembersResource(Resource, place="organizations.members"):
    """The members of an organization."""

    @post("/v1/organizations/{organization_id}/members")
    async def create(
        self,
        *,
        organization_id: str,
        organization_people: Sequence[OrganizationMemberInput],
        timeouts: Timeouts | None = None,
    ) -> None:
        """Add members to an organization.

        Args:
            organization_id: The organization.
            organization_people: Who is added.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page add_organization_people.
        """
        ...

    @get("/v1/organizations/{organization_id}/members", pages=ByNumber(key="user_id", total="total_count"))
    def list(
        self, *, organization_id: str, page_num: int = 1, page_size: int = 20, timeouts: Timeouts | None = None
    ) -> Pages[OrganizationMember]:
        """List members of an organization.

        Args:
            organization_id: The organization.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 50 at most.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_organization_people.
        """
        ...

    @put("/v1/organizations/{organization_id}/members/{user_id}", safe=True)
    async def update(
        self, *, organization_id: str, user_id: str, organization_role_type: str, timeouts: Timeouts | None = None
    ) -> None:
        """Change role of an organization member.

        Args:
            organization_id: The organization.
            user_id: The user.
            organization_role_type: One of `OrganizationRoleType`.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_organization_people.
        """
        ...

    @delete("/v1/organizations/{organization_id}/members/{user_id}", body=("receiver_user_id",), safe=True)
    async def delete(
        self, *, organization_id: str, user_id: str, receiver_user_id: str, timeouts: Timeouts | None = None
    ) -> None:
        """Remove a member of an organization and hand over what was theirs.

        Args:
            organization_id: The organization.
            user_id: The user.
            receiver_user_id: The member who gets what was theirs.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page remove_organization_member.
        """
        ...


class EnterprisesResource(Resource):
    """Enterprises."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.members: EnterpriseMembersResource = EnterpriseMembersResource(core)
        self.organizations: EnterpriseOrganizationsResource = EnterpriseOrganizationsResource(core)


class OrganizationsResource(Resource):
    """Organizations."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.members: OrganizationMembersResource = OrganizationMembersResource(core)

    @put("/v1/organizations/{organization_id}", safe=True)
    async def update(
        self,
        *,
        organization_id: str,
        description: str | None = None,
        name: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Change name or description of an organization.

        Args:
            organization_id: The organization.
            description: What it is for.
            name: The name.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_organization_info.
        """
        ...
