"""The client: construction, lifetime, views with other options, and the resources."""

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Self

from coze_async._auth import Auth, auth_for
from coze_async._config import Options, Timeouts, checked_base_url
from coze_async._core import Core, Session
from coze_async._errors import ConfigurationError
from coze_async._exchange import Exchange
from coze_async._limits import Limiter, Limits, LocalLimiter
from coze_async._retry import Budget, Retry
from coze_async.resources.bots import BotsResource
from coze_async.resources.chat import ChatResource
from coze_async.resources.studio import StudioResource
from coze_async.resources.workflows import WorkflowsResource

if TYPE_CHECKING:
    import httpx

__all__ = ["AsyncCoze"]


class AsyncCoze:
    """A client for one Coze server: api.coze.cn, api.coze.com, a self-hosted Coze Studio, or Coze Plus.

    Construction does no I/O. Use it with `async with`, or `await coze.aclose()` at the end; one client serves any
    number of tasks.

    Args:
        auth: A token ("pat_…"; "Bearer pat_…" is accepted), an `Auth`, or an async callable that returns a token.
            None reads COZE_API_TOKEN.
        base_url: None reads COZE_API_BASE, else https://api.coze.cn.
        timeouts: How long to wait, in seconds.
        retry: What to send again, and when.
        limits: What each user may do; `Limits.none()` holds nothing back.
        limiter: Shares limits with other clients; then `limits` is not used.
        http_client: Your own httpx client; you close it.
        transport: Your own httpx transport, such as `Emulator().transport()`.
        headers: Sent with every request.
        observe: Called after every attempt with what happened; it must be quick and not raise.

    Raises:
        ConfigurationError: there is no token, or the base URL cannot be right.
    """

    chat: ChatResource
    workflows: WorkflowsResource
    bots: BotsResource
    studio: StudioResource

    def __init__(
        self,
        auth: str | Auth | Callable[[], Awaitable[str]] | None = None,
        *,
        base_url: str | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - immutable
        retry: Retry = Retry(),  # noqa: B008 - immutable
        limits: Limits = Limits(),  # noqa: B008 - immutable
        limiter: Limiter | None = None,
        http_client: "httpx.AsyncClient | None" = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
        headers: Mapping[str, str] | None = None,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        if http_client is not None and transport is not None:
            raise ConfigurationError("Give http_client or transport, not both: a client has a transport of its own.")
        self._session = Session(
            base_url=checked_base_url(base_url),
            auth=auth_for(auth),
            limiter=limiter if limiter is not None else LocalLimiter(limits),
            budget=Budget(retry.budget),
            http_client=http_client,
            transport=transport,
            observe=observe,
        )
        self._use(Options(timeouts=timeouts, retry=retry, headers=dict(headers or {})))

    def _use(self, options: Options) -> None:
        self._core = Core(self._session, options)
        self.chat = ChatResource(self._core)
        self.workflows = WorkflowsResource(self._core)
        self.bots = BotsResource(self._core)
        self.studio = StudioResource(self._core)

    @property
    def base_url(self) -> str:
        """The server that this client talks to."""
        return self._session.base_url

    def with_options(
        self,
        *,
        timeouts: Timeouts | None = None,
        retry: Retry | None = None,
        headers: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> "AsyncCoze":
        """Return a view of this client with other options; it shares the connections and the limits.

        Args:
            timeouts: Instead of the client's.
            retry: Instead of the client's; the budget stays shared.
            headers: Added to the client's.
            user: Whose limits hold for requests that name no user.
        """
        options = self._core.options
        view = object.__new__(type(self))
        view._session = self._session
        view._use(
            Options(
                timeouts=timeouts or options.timeouts,
                retry=retry or options.retry,
                headers={**options.headers, **(headers or {})},
                user=user if user is not None else options.user,
            )
        )
        return view

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, for all views; streams that are still open break off."""
        await self._session.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session.auth!r}, base_url={self.base_url!r})"
