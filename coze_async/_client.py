"""The client: construction, lifetime, views with other options, and the resources."""

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from inspect import iscoroutine, iscoroutinefunction
from types import FunctionType, MethodType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from coze_async._auth import Auth, auth_for
from coze_async._checks import NotCopied, checked_headers
from coze_async._config import Options, Timeouts, checked_base_url
from coze_async._core import Core
from coze_async._encoding import json_body, query_texts
from coze_async._errors import ConfigurationError
from coze_async._exchange import Exchange, RawResponse, Request
from coze_async._limits import Limiter, Limits, LocalLimiter
from coze_async._retry import Budget, Retry
from coze_async._session import Session

if TYPE_CHECKING:
    import httpx

    from coze_async.resources.api_apps import APIAppsResource
    from coze_async.resources.apps import AppsResource
    from coze_async.resources.audio import AudioResource
    from coze_async.resources.benefits import BenefitLimitationsResource, BenefitsResource, BillTasksResource
    from coze_async.resources.bots import BotsResource
    from coze_async.resources.chat import ChatResource
    from coze_async.resources.connectors import ConnectorsResource
    from coze_async.resources.conversations import ConversationsResource
    from coze_async.resources.datasets import DatasetsResource, KnowledgeResource
    from coze_async.resources.enterprises import EnterprisesResource, OrganizationsResource
    from coze_async.resources.entities import EntitiesResource
    from coze_async.resources.files import FilesResource
    from coze_async.resources.folders import FoldersResource
    from coze_async.resources.limits import LimitsResource
    from coze_async.resources.plugins import PluginsResource
    from coze_async.resources.stores import StoresResource
    from coze_async.resources.studio import StudioResource
    from coze_async.resources.templates import TemplatesResource
    from coze_async.resources.users import UsersResource
    from coze_async.resources.variables import VariablesResource
    from coze_async.resources.workflows import WorkflowsResource
    from coze_async.resources.workspaces import WorkspacesResource

__all__ = ["AsyncCoze"]


class AsyncCoze(NotCopied):
    """A client for one Coze server: api.coze.cn, api.coze.com, a self-hosted Coze Studio, or Coze Plus.

    Construction does no I/O. Use it with `async with`, which also loads what a first chat would have to wait for, or
    `await coze.aclose()` at the end; one client serves any number of tasks.

    Args:
        auth: A token ("pat_…"; "Bearer pat_…" is accepted), an `Auth`, or an async callable that returns a token.
            None reads COZE_API_TOKEN.
        base_url: None reads COZE_API_BASE, else https://api.coze.cn.
        timeouts: How long to wait, in seconds.
        retry: What to send again, and when.
        limits: What each user may do; `Limits.none()` holds nothing back.
        limiter: Shares limits with other clients; then `limits` is not used.
        http_client: Your own client of httpx or httpx2; you close it.
        transport: Your own httpx transport, such as `Emulator().transport()`.
        headers: Sent with every request.
        observe: Called after every attempt with what happened; it must be quick and not raise.
        inline_reasoning: True takes `<think>…</think>` at the start of an answer for reasoning, in streams and results.
        max_body: Bytes that a whole answer, or one event of a stream, may have; more is an error. Files that are
            downloaded are not limited.

    Raises:
        ConfigurationError: there is no token, or the base URL cannot be right.
    """

    instead = "Make one client in each process and give it to all tasks; with_options(…) returns a view of it."

    def __init__(
        self,
        auth: str | Auth | Callable[[], Awaitable[str]] | None = None,
        *,
        base_url: str | None = None,
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - immutable
        retry: Retry = Retry(),  # noqa: B008 - immutable
        limits: Limits = Limits(),  # noqa: B008 - immutable
        limiter: Limiter | None = None,
        http_client: "httpx.AsyncClient | Any" = None,
        transport: "httpx.AsyncBaseTransport | None" = None,
        headers: Mapping[str, str] | None = None,
        observe: Callable[[Exchange], None] | None = None,
        inline_reasoning: bool = False,
        max_body: int = 16 << 20,
    ) -> None:
        for name, given, kind in (
            ("timeouts", timeouts, Timeouts),
            ("retry", retry, Retry),
            ("limits", limits, Limits),
            ("limiter", limiter or LocalLimiter(), Limiter),
        ):
            if not isinstance(given, kind):
                raise ConfigurationError(f"{name} is a {type(given).__name__}: give a {kind.__name__}.")
        _check_parts(auth, http_client, transport, observe)
        if http_client is not None and transport is not None:
            raise ConfigurationError("Give http_client or transport, not both: a client has a transport of its own.")
        if isinstance(max_body, bool) or not isinstance(max_body, int) or max_body < 1:
            raise ConfigurationError(f"max_body is {max_body!r}: give a number of bytes, such as 16 << 20.")
        self._session = Session(
            base_url=checked_base_url(base_url),
            auth=auth_for(auth),
            limiter=limiter if limiter is not None else LocalLimiter(limits),
            budget=Budget(retry.budget),
            http_client=http_client,
            transport=transport,
            observe=observe,
            max_body=max_body,
        )
        self._use(
            Options(timeouts=timeouts, retry=retry, headers=checked_headers(headers), inline_reasoning=inline_reasoning)
        )

    def _use(self, options: Options) -> None:
        self._core = Core(self._session, options)

    # Each is loaded when it is first touched: few programs need more than two or three.

    @cached_property
    def api_apps(self) -> "APIAppsResource":
        """API apps: they receive events of bots."""
        from coze_async.resources.api_apps import APIAppsResource

        return APIAppsResource(self._core)

    @cached_property
    def apps(self) -> "AppsResource":
        """Apps (projects) of a workspace."""
        from coze_async.resources.apps import AppsResource

        return AppsResource(self._core)

    @cached_property
    def audio(self) -> "AudioResource":
        """Voices, voiceprints, rooms, live sessions."""
        from coze_async.resources.audio import AudioResource

        return AudioResource(self._core)

    @cached_property
    def benefits(self) -> "BenefitsResource":
        """What the account may use."""
        from coze_async.resources.benefits import BenefitsResource

        return BenefitsResource(self._core)

    @cached_property
    def benefit_limitations(self) -> "BenefitLimitationsResource":
        """Limits on benefits."""
        from coze_async.resources.benefits import BenefitLimitationsResource

        return BenefitLimitationsResource(self._core)

    @cached_property
    def bill_tasks(self) -> "BillTasksResource":
        """Exports of bills."""
        from coze_async.resources.benefits import BillTasksResource

        return BillTasksResource(self._core)

    @cached_property
    def bots(self) -> "BotsResource":
        """Bots: make, change, publish, read."""
        from coze_async.resources.bots import BotsResource

        return BotsResource(self._core)

    @cached_property
    def chat(self) -> "ChatResource":
        """Talk to bots."""
        from coze_async.resources.chat import ChatResource

        return ChatResource(self._core)

    @cached_property
    def connectors(self) -> "ConnectorsResource":
        """Channels."""
        from coze_async.resources.connectors import ConnectorsResource

        return ConnectorsResource(self._core)

    @cached_property
    def conversations(self) -> "ConversationsResource":
        """Conversations and their messages."""
        from coze_async.resources.conversations import ConversationsResource

        return ConversationsResource(self._core)

    @cached_property
    def datasets(self) -> "DatasetsResource":
        """Knowledge bases, their documents and images."""
        from coze_async.resources.datasets import DatasetsResource

        return DatasetsResource(self._core)

    @cached_property
    def enterprises(self) -> "EnterprisesResource":
        """Enterprises, their members and organizations."""
        from coze_async.resources.enterprises import EnterprisesResource

        return EnterprisesResource(self._core)

    @cached_property
    def entities(self) -> "EntitiesResource":
        """Copy bots and workflows into other workspaces."""
        from coze_async.resources.entities import EntitiesResource

        return EntitiesResource(self._core)

    @cached_property
    def files(self) -> "FilesResource":
        """Uploaded files."""
        from coze_async.resources.files import FilesResource

        return FilesResource(self._core)

    @cached_property
    def folders(self) -> "FoldersResource":
        """The folders of a workspace."""
        from coze_async.resources.folders import FoldersResource

        return FoldersResource(self._core)

    @cached_property
    def knowledge(self) -> "KnowledgeResource":
        """Documents under their older names; see `datasets`."""
        from coze_async.resources.datasets import KnowledgeResource

        return KnowledgeResource(self._core)

    @cached_property
    def limits(self) -> "LimitsResource":
        """The limits that this client keeps to: learn them from the server, and see what waits."""
        from coze_async.resources.limits import LimitsResource

        return LimitsResource(self._core)

    @cached_property
    def organizations(self) -> "OrganizationsResource":
        """Organizations and their members."""
        from coze_async.resources.enterprises import OrganizationsResource

        return OrganizationsResource(self._core)

    @cached_property
    def plugins(self) -> "PluginsResource":
        """Plug-ins and their tools."""
        from coze_async.resources.plugins import PluginsResource

        return PluginsResource(self._core)

    @cached_property
    def stores(self) -> "StoresResource":
        """The store of plug-ins."""
        from coze_async.resources.stores import StoresResource

        return StoresResource(self._core)

    @cached_property
    def studio(self) -> "StudioResource":
        """The session routes of Coze Studio and Coze Plus."""
        from coze_async.resources.studio import StudioResource

        return StudioResource(self._core)

    @cached_property
    def templates(self) -> "TemplatesResource":
        """Templates."""
        from coze_async.resources.templates import TemplatesResource

        return TemplatesResource(self._core)

    @cached_property
    def users(self) -> "UsersResource":
        """Who the token belongs to."""
        from coze_async.resources.users import UsersResource

        return UsersResource(self._core)

    @cached_property
    def variables(self) -> "VariablesResource":
        """Variables of users."""
        from coze_async.resources.variables import VariablesResource

        return VariablesResource(self._core)

    @cached_property
    def workflows(self) -> "WorkflowsResource":
        """Run workflows and chatflows."""
        from coze_async.resources.workflows import WorkflowsResource

        return WorkflowsResource(self._core)

    @cached_property
    def workspaces(self) -> "WorkspacesResource":
        """Workspaces and their members."""
        from coze_async.resources.workspaces import WorkspacesResource

        return WorkspacesResource(self._core)

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
        for name, given, kind in (("timeouts", timeouts, Timeouts), ("retry", retry, Retry), ("user", user, str)):
            if given is not None and not isinstance(given, kind):
                raise ConfigurationError(f"{name} is a {type(given).__name__}: give a {kind.__name__}.")
        options = self._core.options
        view = object.__new__(type(self))
        view._session = self._session
        view._use(
            Options(
                timeouts=timeouts or options.timeouts,
                retry=retry or options.retry,
                headers={**options.headers, **checked_headers(headers)},
                user=user if user is not None else options.user,
                inline_reasoning=options.inline_reasoning,
            )
        )
        return view

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Any] | None = None,
        json: Any = None,
        safe: bool = False,
        timeouts: Timeouts | None = None,
    ) -> RawResponse:
        """Call an endpoint that this library does not know, with its login, limits, time-outs, repeats and errors.

        Args:
            method: The HTTP verb.
            path: Below the base URL, such as "/v1/something"; quote what stands in it.
            params: For the query; lists give several pairs, None is left out.
            json: The body.
            safe: True if sending it twice does no more than sending it once; so it is for GET and HEAD.
            timeouts: Instead of the client's.

        Raises:
            APIError: the server answered with an error, as a status or as a code.
            TransportError: no answer came.
        """
        if not path.startswith("/"):
            raise ConfigurationError(f"path is {path!r}: it must begin with a slash, below {self.base_url}.")
        verb = method.upper()
        request = Request(
            verb,
            path,
            tuple(
                (name, text)
                for name, value in (params or {}).items()
                if value is not None
                for text in query_texts(name, value)
            ),
            None if json is None else json_body(json),
            user=self._core.options.user,
            safe=safe or verb in ("GET", "HEAD"),
            is_raw=True,
        )
        view = self if timeouts is None else self.with_options(timeouts=timeouts)
        reply = await view._core.send(request)  # noqa: SLF001 - a view of this client
        return RawResponse(reply.status, reply.headers, reply.body, reply.logid)

    async def __aenter__(self) -> Self:
        """Load what a first chat needs: tens of milliseconds that it would have to wait for."""
        await self._session.wire.load()
        _ = self.chat
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, for all views; streams that are still open break off."""
        await self._session.auth.settle()
        await self._session.wire.aclose()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._session.auth!r}, base_url={self.base_url!r})"


def _check_parts(auth: Any, http_client: Any, transport: Any, observe: Any) -> None:
    """Refuse what cannot do its work, before anything depends on it.

    Raises:
        ConfigurationError: it names the argument.
    """
    for name, given, method, wanted in (
        ("http_client", http_client, "aclose", "an AsyncClient of httpx or httpx2"),
        ("transport", transport, "handle_async_request", "an asynchronous transport of httpx"),
    ):
        if given is not None and (isinstance(given, type) or not callable(getattr(given, method, None))):
            raise ConfigurationError(f"{name} is a {type(given).__name__}: give {wanted}.")
    if observe is not None and not callable(observe):
        raise ConfigurationError(f"observe is a {type(observe).__name__}: give a function that takes an Exchange.")
    if isinstance(auth, FunctionType | MethodType) and not iscoroutinefunction(auth):
        try:
            returned = auth()
        except Exception:  # noqa: BLE001 - it may need what is not there yet; the first call tells
            return
        if iscoroutine(returned):
            # A lambda around an async function. It is asked again for each token, and this one is never begun.
            returned.close()
        elif isinstance(returned, str):
            raise ConfigurationError("auth is a function that returns a text: make it `async def`, or give the text.")
