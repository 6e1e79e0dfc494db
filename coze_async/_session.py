"""What all views of one client share."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from coze_async._auth import Auth
from coze_async._exchange import Exchange
from coze_async._limits import Limiter
from coze_async._retry import Budget
from coze_async._wire import MAX_BODY, AutoWire

__all__ = ["Session"]


class Session:
    """The connections, the login, the limits, and the budget of repeats."""

    def __init__(
        self,
        *,
        base_url: str,
        auth: Auth,
        limiter: Limiter,
        budget: Budget,
        http_client: Any = None,
        transport: Any = None,
        observe: Callable[[Exchange], None] | None = None,
        max_body: int = MAX_BODY,
    ) -> None:
        self.base_url = base_url
        self.host: str = urlsplit(base_url).hostname or ""
        self.auth = auth
        self.limiter = limiter
        self.budget = budget
        self.observe = observe
        self.max_body = max_body
        self.wire: AutoWire = AutoWire(base_url, http_client=http_client, transport=transport)
