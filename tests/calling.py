"""Calls any endpoint by its declaration, as a user would."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Any

from coze_async import AsyncCoze, ChatStream, WorkflowStream
from coze_async._endpoint import Endpoint, Resource

__all__ = ["call", "method_of"]


def _within(resource: Resource) -> Iterator[Resource]:
    yield resource
    for inner in vars(resource).values():
        if isinstance(inner, Resource):
            yield from _within(inner)


def method_of(coze: AsyncCoze, endpoint: Endpoint) -> Callable[..., Any]:
    """Return the method of a client that calls an endpoint."""
    group, _, method = endpoint.name.partition(".")
    names = [name for name, value in vars(AsyncCoze).items() if isinstance(value, cached_property)]
    resources = (resource for name in names for resource in _within(getattr(coze, name)))
    found: Callable[..., Any] = getattr(next(r for r in resources if type(r).__name__ == group), method)
    return found


async def call(coze: AsyncCoze, endpoint: Endpoint, arguments: Mapping[str, Any]) -> Any:
    """Call an endpoint: a stream is read to its end, of a list one page is fetched."""
    called = method_of(coze, endpoint)(**arguments)
    if isinstance(called, ChatStream | WorkflowStream):
        return await called.result()
    # A list in pages is not awaited, its first page is.
    return await (called.first() if endpoint.pages else called)
