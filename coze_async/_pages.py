"""Lists that come in pages, behind one face: by number, by token, by the last id.

async for bot in coze.bots.list(workspace_id="…"):          every item, a request when a page is used up
async for page in coze.bots.list(workspace_id="…").pages(): page by page
page = await coze.bots.list(workspace_id="…").first()       one request
async with coze.bots.list(workspace_id="…").prefetched() as bots: ...   the next page is fetched meanwhile
"""

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Self, TypeVar

import anyio
from anyio.abc import ObjectReceiveStream

from coze_async.models._json import json_object

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
        begun: The arguments of the first page.
    """

    pages: int = 0
    items: int = 0
    begun: Arguments = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class PageStyle(ABC):
    """How an endpoint hands out its pages.

    Attributes:
        items: The key of the list in the object around it.
        key: What tells an item from all others, with dots where it lies deeper.
    """

    items: str = "items"
    key: str = "id"

    def identity(self, entry: Any) -> str | None:
        """Return what tells an item from all others; None if the server does not say."""
        for step in self.key.split("."):
            entry = json_object(entry).get(step)
        return str(entry) if isinstance(entry, str | int) and entry not in (0, "", "0") else None

    def moved(self, arguments: Arguments, answer: Arguments, count: int) -> dict[str, Any] | None:  # noqa: ARG002
        """Return the arguments with which the first page has to be asked for once more; None if it is right."""
        return None

    def wanted(self, entries: Sequence[Any], before: Fetched) -> Sequence[Any]:  # noqa: ARG002
        """Return the items of a page that were asked for."""
        return entries

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
    """Pages are counted from 1; by Coze Studio, in one list, from 0."""

    page: str = "page_num"
    size: str = "page_size"
    total: str = "total"
    has_more: str = "has_more"
    may_begin_at_0: bool = False

    def moved(self, arguments: Arguments, answer: Arguments, count: int) -> dict[str, Any] | None:
        """Return the number of the first page where pages are counted from 0."""
        number, total = as_count(arguments.get(self.page)) or 0, as_count(answer.get(self.total)) or 0
        # Self-hosted servers alone send BaseResp. What is empty of something, is so because it lies behind the end.
        counts_from_0 = "BaseResp" in answer or (number == 1 and total and not count)
        return {self.page: number - 1} if self.may_begin_at_0 and number and counts_from_0 else None

    def _following(self, arguments: Arguments, answer: Arguments, count: int, before: Fetched) -> dict[str, Any] | None:
        given = arguments.get(self.page)
        number, size = 1 if given is None else int(given), int(arguments.get(self.size) or 0)
        more, total = answer.get(self.has_more), as_count(answer.get(self.total))
        if isinstance(more, bool):
            goes_on = more
        elif total is not None:
            # Counted, and not reckoned from the size: a server may send fewer than were asked for. Only what a caller
            # has skipped, by starting at a later page, can but be reckoned.
            skipped = max(0, number - 1 - before.pages) * size
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
    """The next page begins behind the last id of this one, or ends before its first one.

    The clouds list in one order, and a page before an id is the one that ends there. Coze Studio turns that page round,
    and looks at one of the two ids only. So a page is never asked for with both, and where the list has to end is
    looked at here.
    """

    after: str = "after_id"
    before: str = "before_id"

    def wanted(self, entries: Sequence[Any], before: Fetched) -> Sequence[Any]:
        """Return the items up to the end of a range, which only the first request names whole."""
        ends = _id(before.begun.get(self.after)), _id(before.begun.get(self.before))
        if all(ends):
            for place, entry in enumerate(entries):
                if self.identity(entry) in ends:
                    return entries[:place]
        return entries

    def _following(self, arguments: Arguments, answer: Arguments, count: int, before: Fetched) -> dict[str, Any] | None:  # noqa: ARG002
        first, last = (str(answer.get(name) or "") or None for name in ("first_id", "last_id"))
        if not answer.get("has_more"):
            return None
        after, end = _id(arguments.get(self.after)), _id(arguments.get(self.before))
        if end is None or (after is not None and not _is_turned(first, last, after, end)):
            return {self.after: last, **({self.before: None} if end else {})} if last and last != after else None
        # Whichever end of the page is further from where it was asked for.
        numbers = _numbers(first, last, end)
        far = last if numbers and abs(numbers[1] - numbers[2]) > abs(numbers[0] - numbers[2]) else first
        return {self.before: far, **({self.after: None} if after else {})} if far and far != end else None


def _id(value: Any) -> str | None:
    """Return a given id as text; None if there is none (0 and '' count as none)."""
    return str(value).strip() if value not in (None, "", 0, "0") else None


def _numbers(*ids: str | None) -> list[int]:
    """Return ids as numbers, which grow with time; nothing if one of them is none."""
    numbers = [int(found) for found in ids if found is not None and found.isdecimal()]
    return numbers if len(numbers) == len(ids) else []


def _is_turned(first: str | None, last: str | None, after: str, end: str) -> bool:
    """True if a page between two ids runs from the second one to the first."""
    if not (numbers := _numbers(first, last, after, end)):
        return False
    a, b, start, stop = numbers
    if a == b:
        return abs(a - stop) < abs(a - start)
    return (a < b) != (start < stop)


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """One page.

    Attributes:
        items: In the order of the server.
        total: How many there are on all pages, None if the server does not say.
        has_more: True if there is a next page.
        following: The arguments that change for it, None if there is none.
        logid: What Coze support asks for.
        keys: What tells each item from all others, None where the server does not say.
    """

    items: list[T]
    total: int | None
    has_more: bool
    following: Mapping[str, Any] | None
    logid: str | None
    keys: Sequence[str | None] = field(default=(), repr=False, compare=False)

    def __repr__(self) -> str:
        more = ", has_more=True" if self.has_more else ""
        return f"Page({len(self.items)} items, total={self.total}{more})"


Fetch = Callable[[Arguments, Fetched], Awaitable[Page[T]]]


class Pages(Generic[T]):
    """A list that is fetched page by page while it is iterated; nothing is sent before the first step.

    Each iteration begins at the first page again. After an error the next step asks for the same page once more.
    """

    def __init__(self, fetch: Fetch[T], arguments: Arguments) -> None:
        self._fetch = fetch
        self._arguments = arguments

    def __repr__(self) -> str:
        return f"Pages({', '.join(f'{name}={value!r}' for name, value in self._arguments.items())})"

    def __aiter__(self) -> AsyncIterator[T]:
        return _Items(self.pages())

    def pages(self) -> AsyncIterator[Page[T]]:
        """Return the pages one by one."""
        return _PageByPage(self._fetch, self._arguments)

    async def first(self) -> Page[T]:
        """Return the first page: one request."""
        return await self._fetch(self._arguments, Fetched(begun=self._arguments))

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
        self._before = Fetched(begun=arguments)
        self._seen: set[str] = set()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Page[T]:
        if self._arguments is None:
            raise StopAsyncIteration
        page = await self._fetch(self._arguments, self._before)
        before = self._before
        self._before = Fetched(before.pages + 1, before.items + len(page.items), before.begun)
        self._arguments = None if page.following is None else {**self._arguments, **page.following}
        if not page.keys:
            return page
        fresh = self._fresh(page)
        if page.items and not fresh:
            # A list that stands still, or goes round, would be read for ever.
            self._arguments = None
            raise StopAsyncIteration
        return page if len(fresh) == len(page.items) else replace(page, items=fresh)

    def _fresh(self, page: Page[T]) -> list[T]:
        """Return the items that no page before had: lists grow, and pages move, while they are read."""
        seen, fresh = self._seen, list[T]()
        for item, key in zip(page.items, page.keys, strict=True):
            if key not in seen:
                fresh.append(item)
            if key is not None:
                seen.add(key)
        return fresh


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
