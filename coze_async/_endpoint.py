"""Endpoints are declarations: a decorated, typed, keyword-only signature whose parameter names are the wire names.

    @post("/v3/chat/cancel", safe=True)
    async def cancel(self, *, conversation_id: str, chat_id: str) -> Chat:
        \"\"\"Stop a chat that is still in progress.\"\"\"
        ...

Path parameters stand in the path. What is left goes into the query of a GET or DELETE, and into the JSON body of a POST
or PUT, except for the names in `query` and `body`; with `form` the body is a form, in which `file` is a file. An
argument that is None is not sent. An id may be a text or a whole number: it is sent as a text without blanks around it.

Every call also takes `timeouts`, which holds for it alone and is not sent.

A list that comes in pages is declared as an ordinary method that returns `Pages`, with its style in `pages`.
"""

import difflib
import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, ParamSpec, Protocol, Self, TypeVar, cast, get_args, get_origin
from weakref import WeakSet

from coze_async._checks import NotCopied
from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._download import Download
from coze_async._encoding import id_text, json_body, path_segment, query_texts
from coze_async._errors import BadRequestError, ConfigurationError, DecodeError
from coze_async._exchange import Reply, Request, StreamedBody
from coze_async._session import Session
from coze_async._stream import EventStream
from coze_async.models import CozeModel
from coze_async.models._base import read_object
from coze_async.models._json import is_list, is_object, json_list, json_object

if TYPE_CHECKING:
    # A resource that has lists or forms has loaded these; a program that only chats never needs them.
    from coze_async._pages import Fetched, Page, PageStyle
    from coze_async._upload import FileRules

__all__ = ["ENDPOINTS", "Endpoint", "Resource", "core_within", "delete", "get", "post", "put", "unexpected_argument"]

P = ParamSpec("P")
T = TypeVar("T")

# pydantic's pages say nothing of what a server should have sent.
_ADVERTISED = re.compile(r"(?<!\s)\s*For further information visit \S+")

# What names something of the service or of the caller, if it is declared as a text or a list of texts.
_IDS = re.compile(r"(?:.*_)?(?:id|uid|uuid)s?(?:_new)?")
# What other clients take for one call, and a view of the client takes here.
_OF_A_VIEW = {"headers": "headers", "extra_headers": "headers", "retry": "retry", "max_retries": "retry"}

ENDPOINTS: "list[Endpoint]" = []
"""Every declared endpoint, in the order of declaration."""

_PLACES: dict[str, str] = {}
"""Class of a resource -> where a client has it, such as "chat.messages"."""


class Resource(NotCopied):
    """A group of endpoints, bound to one client."""

    instead = "Make one client in each process, and give the client to all tasks."

    def __init_subclass__(cls, place: str | None = None) -> None:
        """Note where a client has this group.

        Args:
            place: Such as "chat.messages"; None takes the name of the class.
        """
        name = cls.__name__.removesuffix("Resource")
        _PLACES[cls.__qualname__] = (
            place or re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z]{2})", "_", name).lower()
        )

    def __init__(self, core: Core) -> None:
        self._core = core

    def __repr__(self) -> str:
        return f"{type(self).__name__}(base_url={self._core.session.base_url!r})"

    def _within(self, timeouts: Timeouts | None) -> Self:
        """Return this group with other time-outs; itself for None."""
        return self if timeouts is None else type(self)(core_within(self._core, timeouts))


def core_within(core: Core, timeouts: Timeouts | None) -> Core:
    """Return what sends requests with other time-outs; the same for None.

    Raises:
        ConfigurationError: they are none.
    """
    if timeouts is None:
        return core
    if not isinstance(timeouts, Timeouts):
        given: Any = timeouts
        raise ConfigurationError(f"timeouts is {given!r}: give Timeouts, such as Timeouts(total=30.0).")
    return Core(core.session, core.options._replace(timeouts=timeouts))


def unexpected_argument(function: str, name: str, known: Iterable[str]) -> TypeError:
    """Return the error for an argument that a function does not take.

    Args:
        function: As a caller writes it, such as "chat.ask".
        name: The argument.
        known: What the function takes.
    """
    close = difflib.get_close_matches(name, known, 1)
    hint = ""
    if "timeout" in name or "deadline" in name:
        hint = " Give timeouts=Timeouts(total=…) in seconds: to this call, to coze.with_options(…), or to the client."
    elif name in _OF_A_VIEW:
        hint = f" Give it to a view of the client: coze.with_options({_OF_A_VIEW[name]}=…)."
    elif close:
        hint = f" Did you mean {close[0]!r}?"
    return TypeError(f"{function}() got an unexpected keyword argument {name!r}.{hint}")


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
        optional: True if some servers answer without what is returned; then it is None.
        blank: True if some servers answer without what is returned; then it is a model without anything in it.
        numbers: Lists of ids that self-hosted servers take as numbers only.
        payload: The keys under which servers put the answer; empty, or an empty key, if it stands beside code and msg.
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
    blank: bool
    numbers: frozenset[str]
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

    @functools.cached_property
    def starts_chat(self) -> bool:
        """True if a chat begins with it."""
        return self.kind in ("chat", "chatflow")

    @property
    def function(self) -> str:
        """How a caller writes it, such as "chat.messages.list"."""
        group, _, method = self.name.rpartition(".")
        return f"{_PLACES.get(group, group)}.{method.removeprefix('_')}"

    def _user(self, arguments: Mapping[str, Any]) -> str | None:
        """Return who a chat is for; a chatflow names its user in `ext`."""
        ext: Mapping[str, Any] = arguments.get("ext") or {}
        return arguments.get("user_id") or ext.get("user_id")

    def request(self, arguments: Mapping[str, Any], *, user: str | None = None) -> Request:
        """Build the request for a set of arguments.

        Args:
            arguments: By wire name.
            user: Whose limits hold, unless a chat names its user.

        Raises:
            TypeError: a name is missing or unknown.
            ConfigurationError: a value cannot be sent.
        """
        if not (self.required <= arguments.keys() <= self.places.keys()):
            raise self._misnamed(arguments)
        ids = self._ids
        for name, value in arguments.items():
            # Nearly every id is right as it is given.
            if name in ids and not (type(value) is str and value and value.strip() == value):
                arguments = self._with_texts(arguments)
                break
        in_path, in_query, blank, has_body = self._plan
        values = {**blank, **arguments}
        path = self.path
        for name in in_path:
            path = path.replace(f"{{{name}}}", path_segment(self.name, name, values.pop(name)))
        query: list[tuple[str, str]] = []
        for name in in_query:
            value = values.pop(name)
            if type(value) is str and value.isalnum():
                query.append((name, value))
            elif value is not None:
                texts = query_texts(name, value)
                query += [(name, text) for text in ([",".join(texts)] if name in self.joined and texts else texts)]
        content: bytes | StreamedBody | None = None
        if self.form:
            content = _form_body(values, self.form)
        elif has_body:
            rest = {name: value for name, value in values.items() if value is not None}
            content = json_body({**self.fixed, **rest})
        starts_chat = self.starts_chat
        return Request(
            self.method,
            path,
            tuple(query),
            content,
            self.headers,
            kind=self.kind,
            user=(self._user(arguments) or user) if starts_chat else user,
            conversation=arguments.get("conversation_id") if starts_chat else None,
            safe=self.safe,
            session=self.session,
            chat=arguments["chat_id"] if "chat_id" in self.required else None,
        )

    def _misnamed(self, arguments: Mapping[str, Any]) -> TypeError:
        for name in arguments:
            if name not in self.places:
                return unexpected_argument(self.function, name, (*self.places, "timeouts"))
        missing = ", ".join(repr(name) for name in self.places if name in self.required and name not in arguments)
        return TypeError(f"{self.function}() is missing a required keyword argument: {missing}.")

    @functools.cached_property
    def _ids(self) -> frozenset[str]:
        """The arguments that are ids, or lists of ids."""
        parameters = self.signature.parameters
        return frozenset(name for name in self.places if _IDS.fullmatch(name) and _is_text(parameters[name].annotation))

    def _with_texts(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments with ids as they are sent.

        Raises:
            ConfigurationError: an id is empty, or neither a text nor a whole number.
        """
        found = dict(arguments)
        for name in self._ids & arguments.keys():
            value = arguments[name]
            if isinstance(value, list | tuple | set | frozenset):
                found[name] = [id_text(self.function, name, item) for item in cast("Iterable[Any]", value)]
            elif value is not None or name in self.required:
                found[name] = id_text(self.function, name, value)
        return found

    def with_numbers(self, request: Request) -> Request | None:
        """Return a request whose lists in `numbers` hold numbers; None if they are no lists of numbers."""
        body: dict[str, Any] = json.loads(cast("bytes", request.body))
        lists = {name: json_list(body[name]) for name in self.numbers & body.keys()}
        if not any(lists.values()) or not all(str(item).isdecimal() for found in lists.values() for item in found):
            return None
        return request._replace(body=json_body({**body, **{n: [int(item) for item in lists[n]] for n in lists}}))

    def moved(self, reply: Reply, arguments: Mapping[str, Any], before: "Fetched") -> dict[str, Any] | None:
        """Return the arguments with which the first page has to be asked for once more; None if it is right."""
        style = cast("PageStyle", self.pages)
        around = json_object(self._payload(reply))
        if before.pages:
            return None
        return style.moved({**self.defaults, **arguments}, around, len(json_list(around.get(style.items))))

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
            return item, "logid" in item.model_fields
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
            found = [entry for entry in json_list(listed) if entry is not None]
            entries = style.wanted(found, before)
            items = [read_object(item, entry) for entry in entries]
        except (ValueError, TypeError) as error:
            raise self._unexpected(core, request, reply, error) from error
        total = as_count(around.get("total", around.get("total_count")))
        keys = [style.identity(entry) for entry in entries]
        following = None
        if len(entries) == len(found):
            following = style.following({**self.defaults, **arguments}, around, len(json_list(listed)), before)
        return Page(items, total, following is not None, following, reply.logid, keys)

    def _payload(self, reply: Reply) -> Any:
        """Return what stands under the first key that the server has used; dots lead deeper."""
        if not self.payload:
            return reply.payload
        for path in self.payload:
            value: Any = reply.payload
            for key in path.split(".") if path else ():
                value = json_object(value).get(key)
            if value is not None:
                return value
        return {} if self.blank else None

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
                entries = [entry for entry in json_list(value) if entry is not None]
                if takes_logid and reply.logid:
                    entries = [{"logid": reply.logid, **entry} if is_object(entry) else entry for entry in entries]
                return [read_object(item, entry) for entry in entries]
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
        blank: bool = False,
        numbers: Sequence[str] = (),
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
                beside code and msg, and an empty key if it does so on some servers.
            blank: True if some servers answer without it: then it is a model without anything in it.
            numbers: Lists of ids that self-hosted servers take as numbers only.
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
            places = _places(declaration.__qualname__, signature, method, path, query, body, fixed or {}, form)
            returns, optional = _without_none(signature.return_annotation)
            endpoint = Endpoint(
                name=declaration.__qualname__,
                method=method,
                path=path,
                places=places,
                required=frozenset(n for n in places if signature.parameters[n].default is inspect.Parameter.empty),
                defaults={
                    n: p.default for n, p in signature.parameters.items() if n in places and p.default is not p.empty
                },
                fixed=fixed or {},
                returns=returns,
                optional=optional,
                blank=blank,
                numbers=frozenset(numbers),
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


def _is_text(annotation: Any) -> bool:
    """True for a text or a list of texts, whether it may be None or not."""
    return annotation is str or str in get_args(_without_none(annotation)[0]) or _without_none(annotation)[0] is str


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
    for name_of_ours in ("self", "timeouts"):
        parameters.pop(name_of_ours, None)
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
    if endpoint.numbers:
        return _calling_with_numbers
    return _downloading if endpoint.returns is Download else _calling


# `_core` and `_within` belong to the resource whose methods these become.


def _calling(endpoint: Endpoint) -> Callable[..., Any]:
    async def call(self: Resource, *, timeouts: Timeouts | None = None, **arguments: Any) -> Any:
        core = self._core if timeouts is None else core_within(self._core, timeouts)  # pyright: ignore[reportPrivateUsage]
        request = endpoint.request(arguments, user=core.options.user)
        return await core.send(request, functools.partial(endpoint.read, core, request))

    return call


def _calling_with_numbers(endpoint: Endpoint) -> Callable[..., Any]:
    """Send ids as texts; where they are refused, once more as the numbers that they are, and so from then on."""
    takes_numbers: WeakSet[Session] = WeakSet()

    async def call(self: Resource, *, timeouts: Timeouts | None = None, **arguments: Any) -> Any:
        core = core_within(self._core, timeouts)  # pyright: ignore[reportPrivateUsage]
        request = endpoint.request(arguments, user=core.options.user)
        other = endpoint.with_numbers(request)
        if other is not None and core.session in takes_numbers:
            request, other = other, None
        try:
            reply = await core.send(request)
        except BadRequestError as error:
            if other is None or "mismatch" not in error.msg.lower():
                raise
            reply = await core.send(other)
            takes_numbers.add(core.session)
        return endpoint.read(core, request, reply)

    return call


def _paging(endpoint: Endpoint) -> Callable[..., Any]:
    from coze_async._pages import Pages

    def call(self: Resource, *, timeouts: Timeouts | None = None, **arguments: Any) -> Any:
        core = core_within(self._core, timeouts)  # pyright: ignore[reportPrivateUsage]

        async def fetch(changed: Mapping[str, Any], before: "Fetched") -> "Page[Any]":
            request = endpoint.request(changed, user=core.options.user)
            reply = await core.send(request)
            if (other := endpoint.moved(reply, changed, before)) is not None:
                changed = {**changed, **other}
                request = endpoint.request(changed, user=core.options.user)
                reply = await core.send(request)
            return endpoint.page(core, request, reply, changed, before)

        # A mistake shows here, not at the first step.
        endpoint.request(arguments)
        return Pages(fetch, arguments)

    return call


def _downloading(endpoint: Endpoint) -> Callable[..., Any]:
    async def call(self: Resource, *, timeouts: Timeouts | None = None, **arguments: Any) -> Any:
        core = core_within(self._core, timeouts)  # pyright: ignore[reportPrivateUsage]
        request = endpoint.request(arguments, user=core.options.user)
        return Download(core, request, await core.fetch(request))

    return call


def _streaming(endpoint: Endpoint) -> Callable[..., Any]:
    stream_class = cast("type[EventStream[Any, Any]]", endpoint.returns)

    def call(self: Resource, *, timeouts: Timeouts | None = None, **arguments: Any) -> Any:
        core = self._core if timeouts is None else core_within(self._core, timeouts)  # pyright: ignore[reportPrivateUsage]
        request = endpoint.request(arguments, user=core.options.user)
        return stream_class(core, request, slot=request.user)

    return call
