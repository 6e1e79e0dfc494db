"""Endpoints are declarations: a decorated, typed, keyword-only signature whose parameter names are the wire names.

    @post("/v3/chat/cancel", safe=True)
    async def cancel(self, *, conversation_id: str, chat_id: str) -> Chat:
        \"\"\"Stop a chat that is still in progress.\"\"\"
        ...

Path parameters stand in the path. What is left goes into the query of a GET or DELETE, and into the JSON body of a POST
or PUT, except for the names in `query` and `body`; with `form` the body is a form, in which `file` is a file. An
argument that is None is not sent.

A list that comes in pages is declared as an ordinary method that returns `Pages`, with its style in `pages`.
"""

import functools
import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, TypeVar, cast, get_args, get_origin

from coze_async._core import Core
from coze_async._download import Download
from coze_async._encoding import json_body, path_segment, query_texts
from coze_async._errors import DecodeError
from coze_async._exchange import Reply, Request, StreamedBody
from coze_async._stream import EventStream
from coze_async.models import CozeModel
from coze_async.models._base import read_object
from coze_async.models._json import is_list, json_list, json_object

if TYPE_CHECKING:
    # A resource that has lists or forms has loaded these; a program that only chats never needs them.
    from coze_async._pages import Fetched, Page, PageStyle
    from coze_async._upload import FileRules

__all__ = ["ENDPOINTS", "Endpoint", "Resource", "delete", "get", "post", "put"]

P = ParamSpec("P")
T = TypeVar("T")

# pydantic's pages say nothing of what a server should have sent.
_ADVERTISED = re.compile(r"\s*For further information visit \S+")

ENDPOINTS: "list[Endpoint]" = []
"""Every declared endpoint, in the order of declaration."""


class Resource:
    """A group of endpoints, bound to one client."""

    def __init__(self, core: Core) -> None:
        self._core = core


@dataclass(eq=False)
class Endpoint:
    """One declared endpoint: everything that is needed to build its request and to read its answer.

    Attributes:
        name: Where it stands, such as "ChatResource.cancel".
        method: The HTTP verb.
        path: With `{name}` for each path parameter.
        places: Parameter name -> "path", "query", "body" or "form".
        required: Names without a default.
        defaults: The other names with their defaults.
        fixed: Body fields that are always sent.
        returns: What the answer is read into; a stream class for a stream, `Download` for a file, None for nothing.
        optional: True if some servers answer without what is returned.
        payload: The keys under which servers put the answer; empty if it stands beside code and msg.
        safe: True if sending it twice does no more than sending it once.
        kind: How `Limits` count it: one of `KINDS`.
        session: True for the routes that take a cookie instead of a token.
        headers: Sent with every request.
        joined: Lists in the query that are sent as one text with commas.
        pages: How the pages follow each other, None for what comes at once.
        form: What the parameter `file` has to keep to, if the body is a form; None for a JSON body.
    """

    name: str
    method: str
    path: str
    places: Mapping[str, str]
    required: frozenset[str]
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any]
    returns: Any
    optional: bool
    payload: tuple[str, ...]
    safe: bool
    kind: str
    session: bool
    headers: Mapping[str, str]
    joined: frozenset[str]
    pages: "PageStyle | None"
    form: "FileRules | None"
    signature: inspect.Signature = field(repr=False)

    @property
    def streams(self) -> bool:
        """True if the answer is a stream of events."""
        return isinstance(self.returns, type) and issubclass(self.returns, EventStream)

    @property
    def starts_chat(self) -> bool:
        """True if a chat begins with it."""
        return self.kind in ("chat", "chatflow")

    def user(self, arguments: Mapping[str, Any], core: Core) -> str | None:
        """Return whose limits hold: chats name their user, all else is the one that the view was made for."""
        if self.starts_chat:
            # A chatflow names its user in `ext`.
            ext: Mapping[str, Any] = arguments.get("ext") or {}
            named = arguments.get("user_id") or ext.get("user_id")
            return named or core.options.user
        return core.options.user

    def request(self, arguments: Mapping[str, Any], *, user: str | None = None) -> Request:
        """Build the request for a set of arguments.

        Args:
            arguments: By wire name.
            user: Whose limits hold.

        Raises:
            TypeError: a name is missing or unknown.
            ConfigurationError: a value cannot be sent.
        """
        if not (self.required <= arguments.keys() <= self.places.keys()):
            # For Python's own words.
            self.signature.bind(None, **arguments)
        in_path, in_query, blank, has_body = self._plan
        values = {**blank, **arguments}
        path = self.path
        for name in in_path:
            path = path.replace(f"{{{name}}}", path_segment(self.name, name, values.pop(name)))
        query: list[tuple[str, str]] = []
        for name in in_query:
            if (value := values.pop(name)) is not None:
                texts = query_texts(name, value)
                query += [(name, text) for text in ([",".join(texts)] if name in self.joined and texts else texts)]
        content: bytes | StreamedBody | None = None
        if self.form:
            content = _form_body(values, self.form)
        elif has_body:
            rest = {name: value for name, value in values.items() if value is not None}
            content = json_body({**self.fixed, **rest})
        return Request(
            self.method,
            path,
            tuple(query),
            content,
            self.headers,
            kind=self.kind,
            user=user,
            conversation=arguments.get("conversation_id") if self.starts_chat else None,
            safe=self.safe,
            session=self.session,
            chat=arguments["chat_id"] if "chat_id" in self.required else None,
        )

    @functools.cached_property
    def _plan(self) -> tuple[tuple[str, ...], tuple[str, ...], Mapping[str, Any], bool]:
        """The names in the path, those in the query, all names with what stands in for them, and if there is a body."""
        places = self.places
        in_path, in_query = (tuple(n for n, place in places.items() if place == which) for which in ("path", "query"))
        blank = {name: self.defaults.get(name) for name in places}
        return in_path, in_query, blank, self.method in ("POST", "PUT") or "body" in places.values()

    @functools.cached_property
    def _reading(self) -> "tuple[type[CozeModel] | None, bool]":
        """The model of an item if a list is returned, and whether what is returned has a place for the log id."""
        if get_origin(self.returns) is list:
            (item,) = get_args(self.returns)
            return item, False
        return None, "logid" in self.returns.model_fields

    def page(
        self, core: Core, request: Request, reply: Reply, arguments: Mapping[str, Any], before: "Fetched"
    ) -> "Page[Any]":
        """Read one page of a list.

        Args:
            core: Takes secrets out of what is shown.
            request: What was sent.
            reply: What came.
            arguments: Those of this page.
            before: What was fetched before this page.

        Raises:
            DecodeError: it does not fit.
        """
        from coze_async._pages import Page, as_count

        style = cast("PageStyle", self.pages)
        value = self._payload(reply)
        around = json_object(value)
        (item,) = get_args(self.returns)
        listed = value if is_list(value) else around.get(style.items)
        try:
            if not is_list(listed or []):
                raise TypeError(f"no list under {style.items!r}")
            items = [read_object(item, entry) for entry in json_list(listed) if entry is not None]
        except (ValueError, TypeError) as error:
            raise self._unexpected(core, request, reply, error) from error
        total = as_count(around.get("total", around.get("total_count")))
        following = style.following({**self.defaults, **arguments}, around, len(json_list(listed)), before)
        return Page(items, total, following is not None, following, reply.logid)

    def _payload(self, reply: Reply) -> Any:
        """Return what stands under the first key that the server has used; dots lead deeper."""
        if not self.payload:
            return reply.payload
        for path in self.payload:
            value: Any = reply.payload
            for key in path.split("."):
                value = json_object(value).get(key)
            if value is not None:
                return value
        return None

    def _unexpected(self, core: Core, request: Request, reply: Reply, error: Exception) -> DecodeError:
        text, problem = core.redacted(reply.body.decode("utf-8", "replace")), _ADVERTISED.sub("", str(error))
        return DecodeError(
            f"{request.name} answered HTTP {reply.status} with something else than expected: "
            f"{core.redacted(problem)}. It was: {text}{f' [logid {reply.logid}]' if reply.logid else ''}",
            body=text,
            logid=reply.logid,
        )

    def read(self, core: Core, request: Request, reply: Reply) -> Any:
        """Read the answer into what the endpoint returns.

        Raises:
            DecodeError: it does not fit.
        """
        if self.returns is None:
            return None
        value = self._payload(reply)
        if self.optional and not value:
            return None
        try:
            item, takes_logid = self._reading
            if item is not None:
                # A failed chat has no list at all, Coze Studio leaves an empty one out.
                if not isinstance(value, list | None):
                    raise TypeError(f"a {type(value).__name__} instead of a list")
                return [read_object(item, entry) for entry in json_list(value) if entry is not None]
            if not isinstance(value, dict):
                keys = " or ".join(repr(key) for key in self.payload)
                raise TypeError(f"no object under {keys}" if keys else "no JSON object")
            facts = json_object(value)
            if takes_logid and reply.logid:
                facts = {"logid": reply.logid, **facts}
            return read_object(cast("type[CozeModel]", self.returns), facts)
        except (ValueError, TypeError) as error:
            raise self._unexpected(core, request, reply, error) from error


def _form_body(values: Mapping[str, Any], rules: "FileRules") -> StreamedBody:
    """Return a form: texts, and the file if there is one, which is checked."""
    from coze_async._upload import FormBody, as_upload

    file = values.get("file")
    fields = [
        (name, text)
        for name, value in values.items()
        if value is not None and name != "file"
        for text in ([""] if value == "" else query_texts(name, value))
    ]
    return FormBody(fields, None if file is None else as_upload(file), rules)


class _Decorator(Protocol):
    """Leaves the declared signature as it is."""

    def __call__(self, declaration: Callable[P, T], /) -> Callable[P, T]: ...


def _declares(method: str) -> Callable[..., _Decorator]:
    def decorator(
        path: str,
        *,
        query: Sequence[str] = (),
        body: Sequence[str] = (),
        fixed: Mapping[str, Any] | None = None,
        payload: Sequence[str] = ("data",),
        safe: bool | None = None,
        kind: str = "other",
        session: bool = False,
        headers: Mapping[str, str] | None = None,
        joined: Sequence[str] = (),
        pages: "PageStyle | None" = None,
        form: "FileRules | None" = None,
    ) -> _Decorator:
        """Declare an endpoint.

        Args:
            path: With `{name}` for each path parameter.
            query: Parameters of a POST that go into the query.
            body: Parameters of a DELETE that go into the body.
            fixed: Body fields that are always sent.
            payload: The keys under which servers put the answer, with dots where it lies deeper; empty if it stands
                beside code and msg.
            safe: True if sending it twice does no more than once; None says so of every GET, and of every list.
            kind: How `Limits` count it: one of `KINDS`.
            session: True for the routes that take a cookie instead of a token.
            headers: Sent with every request.
            joined: Lists in the query that are sent as one text with commas.
            pages: How the pages of a list follow each other.
            form: What the parameter `file` has to keep to; all that is not in the path or the query is then sent as
                a form.
        """

        def declare(declaration: Callable[..., Any]) -> Callable[..., Any]:
            signature = inspect.signature(declaration)
            returns, optional = _without_none(signature.return_annotation)
            endpoint = Endpoint(
                name=declaration.__qualname__,
                method=method,
                path=path,
                places=_places(declaration.__qualname__, signature, method, path, query, body, fixed or {}, form),
                required=frozenset(n for n, p in signature.parameters.items() if p.default is p.empty) - {"self"},
                defaults={n: p.default for n, p in signature.parameters.items() if p.default is not p.empty},
                fixed=fixed or {},
                returns=returns,
                optional=optional,
                payload=tuple(payload),
                safe=(method == "GET" or pages is not None) if safe is None else safe,
                kind=kind,
                session=session,
                headers=headers or {},
                joined=frozenset(joined),
                pages=pages,
                form=form,
                signature=signature,
            )
            ENDPOINTS.append(endpoint)
            call = _caller(endpoint)(endpoint)
            functools.update_wrapper(call, declaration)
            call.endpoint = endpoint  # type: ignore[attr-defined]
            return call

        return cast("_Decorator", declare)

    return decorator


get = _declares("GET")
post = _declares("POST")
put = _declares("PUT")
delete = _declares("DELETE")


def _without_none(annotation: Any) -> tuple[Any, bool]:
    """Return what is returned if anything is, and whether it may be None."""
    kinds = get_args(annotation) if get_origin(annotation) is UnionType else ()
    given = [kind for kind in kinds if kind is not NoneType]
    return (given[0], True) if len(given) == 1 else (annotation, False)


def _places(
    name: str,
    signature: inspect.Signature,
    method: str,
    path: str,
    query: Sequence[str],
    body: Sequence[str],
    fixed: Mapping[str, Any],
    form: "FileRules | None",
) -> dict[str, str]:
    """Return where each parameter goes; what does not fit together is a TypeError when the module is imported."""
    parameters = dict(signature.parameters)
    parameters.pop("self", None)
    in_path = re.findall(r"{(\w+)}", path)
    for problem, names in (
        ("has no parameter for {…} in its path", set(in_path) - parameters.keys()),
        ("has no parameter for its query", set(query) - parameters.keys()),
        ("has no parameter for its body", set(body) - parameters.keys()),
        ("must be keyword-only in", {n for n, p in parameters.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY}),
        ("has no parameter for the file of its form", {"file"} - parameters.keys() if form else set[str]()),
        ("sends a fixed field that is also a parameter", set(fixed) & parameters.keys()),
    ):
        if names:
            raise TypeError(f"{name} ({method} {path}) {problem}: {', '.join(sorted(names))}")
    named = {**dict.fromkeys(query, "query"), **dict.fromkeys(body, "body"), **dict.fromkeys(in_path, "path")}
    rest = "form" if form else "query" if method in ("GET", "DELETE") else "body"
    return {n: named.get(n, rest) for n in parameters}


def _caller(endpoint: Endpoint) -> Callable[[Endpoint], Callable[..., Any]]:
    """Return what makes the method of an endpoint."""
    if endpoint.streams:
        return _streaming
    if endpoint.pages is not None:
        return _paging
    return _downloading if endpoint.returns is Download else _calling


def _calling(endpoint: Endpoint) -> Callable[..., Any]:
    async def call(self: Resource, **arguments: Any) -> Any:
        core = self._core  # pyright: ignore[reportPrivateUsage] - this becomes a method of the resource
        request = endpoint.request(arguments, user=endpoint.user(arguments, core))
        return endpoint.read(core, request, await core.send(request))

    return call


def _paging(endpoint: Endpoint) -> Callable[..., Any]:
    from coze_async._pages import Pages

    def call(self: Resource, **arguments: Any) -> Any:
        core = self._core  # pyright: ignore[reportPrivateUsage] - this becomes a method of the resource

        async def fetch(changed: Mapping[str, Any], before: "Fetched") -> "Page[Any]":
            request = endpoint.request(changed, user=core.options.user)
            return endpoint.page(core, request, await core.send(request), changed, before)

        # A mistake shows here, not at the first step.
        endpoint.request(arguments)
        return Pages(fetch, arguments)

    return call


def _downloading(endpoint: Endpoint) -> Callable[..., Any]:
    async def call(self: Resource, **arguments: Any) -> Any:
        core = self._core  # pyright: ignore[reportPrivateUsage] - this becomes a method of the resource
        request = endpoint.request(arguments, user=endpoint.user(arguments, core))
        return Download(core, request, await core.fetch(request))

    return call


def _streaming(endpoint: Endpoint) -> Callable[..., Any]:
    stream_class = cast("type[EventStream[Any, Any]]", endpoint.returns)

    def call(self: Resource, **arguments: Any) -> Any:
        core = self._core  # pyright: ignore[reportPrivateUsage] - this becomes a method of the resource
        user = endpoint.user(arguments, core)
        return stream_class(core, endpoint.request(arguments, user=user), slot=user)

    return call
