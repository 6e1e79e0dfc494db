"""Lists that come in pages, behind one face: by number, by token, by the last id.

async for bot in coze.bots.list(workspace_id="…"):          every item, a request when a page is used up
async for page in coze.bots.list(workspace_id="…").pages(): page by page
page = await coze.bots.list(workspace_id="…").first()       one request
async with coze.bots.list(workspace_id="…").prefetched() as bots: ...   the next page is fetched meanwhile
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Generic, Self, TypeVar

import anyio
from anyio.abc import ObjectReceiveStream

__all__ = ["ByCursor", "ByLastId", "ByNumber", "Fetched", "Page", "PageStyle", "Pages", "as_count"]

T = TypeVar("T")

Arguments = Mapping[str, Any]


def as_count(value: Any) -> int | None:
    """Return a number of items, which some servers write as a text; None if it is none."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    return int(value) if isinstance(value, str) and value.isdecimal() else None


@dataclass(frozen=True, slots=True)
class Fetched:
    """How much of a list was fetched before a page.

    Attributes:
        pages: The number of pages.
        items: The number of items on them.
    """

    pages: int = 0
    items: int = 0


@dataclass(frozen=True, slots=True)
class PageStyle(ABC):
    """How an endpoint hands out its pages.

    Attributes:
        items: The key of the list in the object around it.
    """

    items: str = "items"

    def following(self, arguments: Arguments, answer: Arguments, count: int, before: Fetched) -> dict[str, Any] | None:
        """Return the arguments that change for the next page; None if this was the last.

        Args:
            arguments: Those of this page.
            answer: The object around the list.
            count: How many items this page has.
            before: What was fetched before this page.
        """
        # A server that promises more and sends nothing would be asked for ever.
        return self._following(arguments, answer, count, before) if count else None

    @abstractmethod
    def _following(self, arguments: Arguments, answer: Arguments, count: int, before: Fetched) -> dict[str, Any] | None:
        """Do what `following` says, for a page with items."""


@dataclass(frozen=True, slots=True)
class ByNumber(PageStyle):
    """Pages are counted from 1."""

    page: str = "page_num"
    size: str = "page_size"
    total: str = "total"
    has_more: str = "has_more"

    def _following(self, arguments: Arguments, answer: Arguments, count: int, before: Fetched) -> dict[str, Any] | None:
        number, size = int(arguments.get(self.page) or 1), int(arguments.get(self.size) or 0)
        more, total = answer.get(self.has_more), as_count(answer.get(self.total))
        if isinstance(more, bool):
            goes_on = more
        elif total is not None:
            # Counted, and not reckoned from the size: a server may send fewer than were asked for. Only what a caller
            # has skipped, by starting at a later page, can but be reckoned.
            skipped = (number - 1 - before.pages) * size
            goes_on = skipped + before.items + count < total
        else:
            goes_on = count >= size
        return {self.page: number + 1} if goes_on else None


@dataclass(frozen=True, slots=True)
class ByCursor(PageStyle):
    """Each page names the next one, with a text that means nothing to anybody else (`page_token`)."""

    cursor: str = "page_token"
    next_cursor: str = "next_page_token"

    def _following(self, arguments: Arguments, answer: Arguments, count: int, before: Fetched) -> dict[str, Any] | None:  # noqa: ARG002
        cursor = answer.get(self.next_cursor)
        goes_on = answer.get("has_more") is not False and cursor and cursor != arguments.get(self.cursor)
        return {self.cursor: cursor} if goes_on else None


@dataclass(frozen=True, slots=True)
class ByLastId(PageStyle):
    """The next page begins after the last id of this one."""

    after: str = "after_id"

    def _following(self, arguments: Arguments, answer: Arguments, count: int, before: Fetched) -> dict[str, Any] | None:  # noqa: ARG002
        last = answer.get("last_id")
        goes_on = answer.get("has_more") and last and last != arguments.get(self.after)
        return {self.after: last} if goes_on else None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page.

    Attributes:
        items: In the order of the server.
        total: How many there are on all pages, None if the server does not say.
        has_more: True if there is a next page.
        following: The arguments that change for it, None if there is none.
        logid: What Coze support asks for.
    """

    items: list[T]
    total: int | None
    has_more: bool
    following: Mapping[str, Any] | None
    logid: str | None


Fetch = Callable[[Arguments, Fetched], Awaitable[Page[T]]]


class Pages(Generic[T]):
    """A list that is fetched page by page while it is iterated; nothing is sent before the first step.

    Each iteration begins at the first page again. After an error the next step asks for the same page once more.
    """

    def __init__(self, fetch: Fetch[T], arguments: Arguments) -> None:
        self._fetch = fetch
        self._arguments = arguments

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self.pages())

    def pages(self) -> AsyncIterator[Page[T]]:
        """Return the pages one by one."""
        return _PageByPage(self._fetch, self._arguments)

    async def first(self) -> Page[T]:
        """Return the first page: one request."""
        return await self._fetch(self._arguments, Fetched())

    @asynccontextmanager
    async def prefetched(self) -> AsyncGenerator[AsyncIterator[T]]:
        """Iterate the items while the next page is already being fetched; never more than one page ahead.

        An error of a later page is raised when the items before it are used up. Leaving the block stops the fetching.
        """
        send, receive = anyio.create_memory_object_stream[Page[T] | Exception](0)

        async def read_ahead() -> None:
            async with send:
                try:
                    async for page in self.pages():
                        await send.send(page)
                except Exception as error:  # noqa: BLE001 - raised again where the page would have come
                    await send.send(error)

        failure: Exception | None = None
        async with receive, anyio.create_task_group() as group:
            group.start_soon(read_ahead)
            try:
                yield _Items(_Received(receive))
            except Exception as error:  # noqa: BLE001 - raised again below, outside the group that would wrap it
                failure = error
            group.cancel_scope.cancel()
        if failure is not None:
            raise failure


class _PageByPage(Generic[T]):
    """Fetches a page at each step."""

    def __init__(self, fetch: Fetch[T], arguments: Arguments) -> None:
        self._fetch = fetch
        self._arguments: Arguments | None = arguments
        self._before = Fetched()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T]:
        if self._arguments is None:
            raise StopAsyncIteration
        page = await self._fetch(self._arguments, self._before)
        self._before = Fetched(self._before.pages + 1, self._before.items + len(page.items))
        self._arguments = None if page.following is None else {**self._arguments, **page.following}
        return page


class _Received(Generic[T]):
    """Takes pages that another task fetches."""

    def __init__(self, receive: ObjectReceiveStream[Page[T] | Exception]) -> None:
        self._receive = receive

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T]:
        try:
            page = await self._receive.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None
        if isinstance(page, Exception):
            raise page
        return page


class _Items(Generic[T]):
    """Hands out the items of pages."""

    def __init__(self, pages: AsyncIterator[Page[T]]) -> None:
        self._pages = pages
        self._items: list[T] = []
        self._position = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> T:
        while self._position >= len(self._items):
            self._items, self._position = (await anext(self._pages)).items, 0
        self._position += 1
        return self._items[self._position - 1]
