"""Endpoints are declarations: a decorated, typed, keyword-only signature whose parameter names are the wire names.

    @post("/v3/chat/cancel", safe=True)
    async def cancel(self, *, conversation_id: str, chat_id: str) -> Chat:
        \"\"\"Stop a chat that is still in progress.\"\"\"
        ...

Path parameters stand in the path. What is left goes into the query of a GET or DELETE, and into the JSON body of a POST
or PUT, except for the names in `query`. An argument that is None is not sent.
"""

import functools
import inspect
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, ParamSpec, Protocol, TypeVar, cast, get_args, get_origin
from urllib.parse import quote

from pydantic import BaseModel

from coze_async._core import Core
from coze_async._errors import ConfigurationError, DecodeError
from coze_async._exchange import Reply, Request
from coze_async._stream import EventStream
from coze_async.models import CozeModel
from coze_async.models._base import read_object
from coze_async.models._json import json_list, json_object

__all__ = ["ENDPOINTS", "Endpoint", "Resource", "delete", "get", "post", "put"]

P = ParamSpec("P")
T = TypeVar("T")

ENDPOINTS: "list[Endpoint]" = []
"""Every declared endpoint, in the order of declaration."""


class Resource:
    """A group of endpoints, bound to one client."""

    def __init__(self, core: Core) -> None:
        self._core = core


@dataclass(frozen=True)
class Endpoint:
    """One declared endpoint: everything that is needed to build its request and to read its answer.

    Attributes:
        name: Where it stands, such as "ChatResource.cancel".
        method: The HTTP verb.
        path: With `{name}` for each path parameter.
        places: Parameter name -> "path", "query" or "body".
        required: Names without a default.
        defaults: The other names with their defaults.
        fixed: Body fields that are always sent.
        returns: What the answer is read into; a stream class for a stream, None for nothing.
        payload: The keys under which servers put the answer; empty if it stands beside code and msg.
        safe: True if sending it twice does no more than sending it once.
        kind: Which rate of `Limits` counts it.
        session: True for the routes that take a cookie instead of a token.
    """

    name: str
    method: str
    path: str
    places: Mapping[str, str]
    required: frozenset[str]
    defaults: Mapping[str, Any]
    fixed: Mapping[str, Any]
    returns: Any
    payload: tuple[str, ...]
    safe: bool
    kind: str | None
    session: bool
    signature: inspect.Signature = field(repr=False)

    @property
    def streams(self) -> bool:
        """True if the answer is a stream of events."""
        return isinstance(self.returns, type) and issubclass(self.returns, EventStream)

    def user(self, arguments: Mapping[str, Any], core: Core) -> str | None:
        """Return whose limits hold: chats name their user, all else is the one that the view was made for."""
        return (arguments.get("user_id") if self.kind == "chat" else None) or core.options.user

    def request(self, arguments: Mapping[str, Any], *, user: str | None = None) -> Request:
        """Build the request for a set of arguments.

        Args:
            arguments: By wire name.
            user: Whose limits hold.

        Raises:
            TypeError: a name is missing or unknown.
            ConfigurationError: a value cannot be sent.
        """
        places = self.places
        if not (self.required <= arguments.keys() <= places.keys()):
            # For Python's own words.
            self.signature.bind(None, **arguments)
        path, query, body = self.path, list[tuple[str, str]](), dict(self.fixed)
        for name, place in places.items():
            value = arguments.get(name, self.defaults.get(name))
            if place == "path":
                path = path.replace(f"{{{name}}}", _segment(self.name, name, value))
            elif value is None:
                continue
            elif place == "query":
                query += [(name, text) for text in _query_texts(name, value)]
            else:
                body[name] = value
        has_body = self.method in ("POST", "PUT") or "body" in places.values()
        return Request(
            self.method,
            path,
            tuple(query),
            json_body(body) if has_body else None,
            kind=self.kind,
            user=user,
            safe=self.safe,
            session=self.session,
        )

    def read(self, core: Core, request: Request, reply: Reply) -> Any:
        """Read the answer into what the endpoint returns.

        Raises:
            DecodeError: it does not fit.
        """
        if self.returns is None:
            return None
        whole = json_object(reply.payload)
        found = [whole[key] for key in self.payload if whole.get(key) is not None] if self.payload else [reply.payload]
        value: Any = found[0] if found else None
        try:
            if get_origin(self.returns) is list:
                (item,) = get_args(self.returns)
                # A failed chat has no list at all, Coze Studio leaves an empty one out.
                if not isinstance(value, list | None):
                    raise TypeError(f"a {type(value).__name__} instead of a list")
                return [read_object(item, entry) for entry in json_list(value) if entry is not None]
            if not isinstance(value, dict):
                keys = " or ".join(repr(key) for key in self.payload)
                raise TypeError(f"no object under {keys}" if keys else "no JSON object")
            model = cast("type[CozeModel]", self.returns)
            facts = json_object(value)
            if "logid" in model.model_fields and reply.logid:
                facts = {"logid": reply.logid, **facts}
            return read_object(model, facts)
        except (ValueError, TypeError) as error:
            text = core.redacted(reply.body.decode("utf-8", "replace"))
            raise DecodeError(
                f"{request.name} answered HTTP {reply.status} with something else than expected: "
                f"{core.redacted(str(error))}. It was: {text}{f' [logid {reply.logid}]' if reply.logid else ''}",
                body=text,
                logid=reply.logid,
            ) from error


class _Decorator(Protocol):
    """Leaves the declared signature as it is."""

    def __call__(self, declaration: Callable[P, T], /) -> Callable[P, T]: ...


def _declares(method: str) -> Callable[..., _Decorator]:
    def decorator(
        path: str,
        *,
        query: Sequence[str] = (),
        fixed: Mapping[str, Any] | None = None,
        payload: Sequence[str] = ("data",),
        safe: bool | None = None,
        kind: str | None = None,
        session: bool = False,
    ) -> _Decorator:
        """Declare an endpoint.

        Args:
            path: With `{name}` for each path parameter.
            query: Parameters of a POST that go into the query.
            fixed: Body fields that are always sent.
            payload: The keys under which servers put the answer; empty if it stands beside code and msg.
            safe: True if sending it twice does no more than once; None says so of every GET.
            kind: Which rate of `Limits` counts it.
            session: True for the routes that take a cookie instead of a token.
        """

        def declare(declaration: Callable[..., Any]) -> Callable[..., Any]:
            endpoint = _endpoint(
                declaration,
                method,
                path,
                query,
                fixed or {},
                tuple(payload),
                method == "GET" if safe is None else safe,
                kind,
                session,
            )
            ENDPOINTS.append(endpoint)
            call = _streaming(endpoint) if endpoint.streams else _calling(endpoint)
            functools.update_wrapper(call, declaration)
            call.endpoint = endpoint  # type: ignore[attr-defined]
            return call

        return cast("_Decorator", declare)

    return decorator


get = _declares("GET")
post = _declares("POST")
put = _declares("PUT")
delete = _declares("DELETE")


def _endpoint(
    declaration: Callable[..., Any],
    method: str,
    path: str,
    query: Sequence[str],
    fixed: Mapping[str, Any],
    payload: tuple[str, ...],
    safe: bool,
    kind: str | None,
    session: bool,
) -> Endpoint:
    """Read a declaration; what does not fit together is a TypeError when the module is imported."""
    signature = inspect.signature(declaration)
    parameters = dict(signature.parameters)
    parameters.pop("self", None)
    name = declaration.__qualname__
    in_path = re.findall(r"{(\w+)}", path)
    for problem, names in (
        ("has no parameter for {…} in its path", set(in_path) - parameters.keys()),
        ("has no parameter for its query", set(query) - parameters.keys()),
        ("must be keyword-only in", {n for n, p in parameters.items() if p.kind is not inspect.Parameter.KEYWORD_ONLY}),
        ("sends a fixed field that is also a parameter", set(fixed) & parameters.keys()),
    ):
        if names:
            raise TypeError(f"{name} ({method} {path}) {problem}: {', '.join(sorted(names))}")
    rest = "query" if method in ("GET", "DELETE") else "body"
    places = {n: "path" if n in in_path else "query" if n in query else rest for n in parameters}
    defaults = {n: p.default for n, p in parameters.items() if p.default is not inspect.Parameter.empty}
    return Endpoint(
        name=name,
        method=method,
        path=path,
        places=places,
        required=frozenset(parameters.keys() - defaults.keys()),
        defaults=defaults,
        fixed=fixed,
        returns=signature.return_annotation,
        payload=payload,
        safe=safe,
        kind=kind,
        session=session,
        signature=signature,
    )


def _calling(endpoint: Endpoint) -> Callable[..., Any]:
    async def call(self: Resource, **arguments: Any) -> Any:
        core = self._core  # pyright: ignore[reportPrivateUsage] - this becomes a method of the resource
        request = endpoint.request(arguments, user=endpoint.user(arguments, core))
        return endpoint.read(core, request, await core.send(request))

    return call


def _streaming(endpoint: Endpoint) -> Callable[..., Any]:
    stream_class = cast("type[EventStream[Any, Any]]", endpoint.returns)

    def call(self: Resource, **arguments: Any) -> Any:
        core = self._core  # pyright: ignore[reportPrivateUsage] - this becomes a method of the resource
        user = endpoint.user(arguments, core)
        return stream_class(core, endpoint.request(arguments, user=user), slot=user)

    return call


def json_body(body: Mapping[str, Any]) -> bytes:
    """Return a JSON text.

    Raises:
        ConfigurationError: a value is none of JSON's; the text says which, and where it stands.
    """
    try:
        text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain_value)
        return text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        try:
            where, value = _culprit(body) or ("the body", body)
        except RecursionError:
            # It holds itself, or is too deep.
            where, value = "the body", body
        raise ConfigurationError(
            f"{where} is a {type(value).__name__}, which is no JSON value ({error}). "
            "Give texts, finite numbers, True, False, None, and lists and dicts of them with texts as keys."
        ) from error


def _plain_value(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True, by_alias=True)
    if isinstance(value, Mapping):
        return dict(_mapping(value))
    if isinstance(value, set | frozenset):
        return [*_items(value)]
    raise TypeError(f"no JSON for {type(value).__name__}")


def _mapping(value: Any) -> Mapping[Any, Any]:
    """Return what was found to be a mapping, of whatever."""
    found: Mapping[Any, Any] = value
    return found


def _items(value: Any) -> Iterable[Any]:
    """Return what was found to be a collection, of whatever."""
    found: Iterable[Any] = value
    return found


def _culprit(value: Any, where: str = "") -> tuple[str, Any] | None:
    """Return the place and the value that JSON cannot take."""
    if isinstance(value, Mapping):
        for key, item in _mapping(value).items():
            if not isinstance(key, str) or not _is_sendable(key):
                return f"A key of {where or 'the body'}", key
            if found := _culprit(item, f"{where}[{key!r}]" if where else key):
                return found
        return None
    if isinstance(value, list | tuple):
        return next((found for n, item in enumerate(_items(value)) if (found := _culprit(item, f"{where}[{n}]"))), None)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain_value).encode()
    except (TypeError, ValueError):
        return where, value
    return None


def _is_sendable(text: str) -> bool:
    """False for a text with half of a surrogate pair, which no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _segment(endpoint: str, name: str, value: Any) -> str:
    text = str(value.value if isinstance(value, Enum) else value)
    # An empty or dotted segment would be another route.
    if value is None or text.strip() in ("", ".", ".."):
        raise ConfigurationError(f"{endpoint}: {name} is {value!r}; it is a part of the path and must name something.")
    if not _is_sendable(text):
        raise ConfigurationError(f"{endpoint}: {name} holds half of a surrogate pair, which is no text.")
    return quote(text, safe="")


def _query_texts(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str) and not _is_sendable(value):
        raise ConfigurationError(f"{name} holds half of a surrogate pair, which is no text.")
    if isinstance(value, str | int | float):
        return [str(value)] if value != "" else []
    if isinstance(value, list | tuple):
        return [text for item in _items(value) for text in _query_texts(name, item)]
    raise ConfigurationError(f"{name} is a {type(value).__name__}; a query takes texts, numbers, and lists of them.")
