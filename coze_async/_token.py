"""What a token endpoint hands out: tokens, and the codes of a device; no representation shows them."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from pydantic import AliasChoices, Field

from coze_async.models._base import CozeModel, as_datetime

__all__ = ["DeviceCode", "OAuthToken"]


class OAuthToken(CozeModel):
    """An access token, when it ends, and what a new one is asked for with.

    Attributes:
        access_token: What shows who is asking.
        expires_at: When it ends, in Unix seconds; the wire calls it `expires_in`. 0 if nobody said.
        refresh_token: What a new token is asked for with; empty for a service account.
        token_type: "Bearer".
    """

    access_token: str = Field(min_length=1)
    expires_at: int = Field(0, validation_alias=AliasChoices("expires_at", "expires_in"))
    refresh_token: str = ""
    token_type: str = "Bearer"  # noqa: S105 - a kind, not a token

    @property
    def expires(self) -> datetime | None:
        """When it ends, None if nobody said."""
        return as_datetime(self.expires_at)

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show everything but the credentials, and what is not known may be one."""
        return [(None, "***"), ("expires_at", self.expires_at)]


class DeviceCode(CozeModel):
    """What a person needs to confirm a login on another screen.

    Attributes:
        device_code: What the login is polled with: a credential.
        user_code: What the person compares or types.
        verification_uri: The page where it is confirmed.
        interval: Seconds between two polls.
        expires_in: Seconds for which the codes hold.
    """

    device_code: str = Field(min_length=1)
    user_code: str = ""
    verification_uri: str = ""
    interval: float = 5.0
    expires_in: float = 300.0

    @property
    def verification_url(self) -> str:
        """The page, with the code filled in."""
        separator = "&" if "?" in self.verification_uri else "?"
        return f"{self.verification_uri}{separator}{urlencode({'user_code': self.user_code})}"

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Show what the person sees, not what the login is polled with."""
        return [("user_code", self.user_code), ("verification_uri", self.verification_uri)]
