"""Lists in pages: every item once, in order, for as many requests as that takes; time is virtual."""

# pyright: reportPrivateUsage=false

from collections.abc import AsyncIterator, Callable, Mapping
from math import ceil
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from answering import Answers, answer, refusal
from hypothesis import given, settings
from hypothesis import strategies as st

from coze_async import AsyncCoze, BadRequestError, ConfigurationError, DecodeError, Limits, Rate, Retry, ServerError
from coze_async._pages import ByCursor, ByLastId, ByNumber, Fetched, Page, Pages, PageStyle, as_count

# How each style of server is asked, and how it answers; the keys are those of bots.list_v1, workflows.versions.list and
# conversations.messages.list.
Asked = Mapping[str, Any]


class Server:
    """Hands out `total` numbers in pages, and counts what it was asked for.

    Args:
        style: As an endpoint declares it.
        total: How many there are.
        most: It never sends more at once, whatever is asked for.
        says: What a server with numbered pages says of what follows: "total", "text" (the total as a text),
            "has_more", or "nothing".
        seconds: How long an answer takes.
    """

    def __init__(
        self, style: PageStyle, total: int, *, most: int = 1000, says: str = "total", seconds: float = 0.0
    ) -> None:
        self._style = style
        self._total = total
        self._most = most
        self._says = says
        self._seconds = seconds
        self.asked: list[dict[str, Any]] = []
        self.fail_on: dict[int, Exception] = {}

    def pages(self, **arguments: Any) -> Pages[int]:
        """Return the list as an endpoint does."""
        return Pages(self.fetch, {"page_size": 10, **arguments})

    async def fetch(self, arguments: Asked, before: Fetched) -> Page[int]:
        """Answer one request."""
        self.asked.append(dict(arguments))
        await anyio.lowlevel.checkpoint()
        await anyio.sleep(self._seconds)
        if failure := self.fail_on.pop(len(self.asked), None):
            raise failure
        items, answer_ = self._answer(arguments)
        following = self._style.following(arguments, answer_, len(items), before)
        return Page(items, self._total, following is not None, following, None)

    def _answer(self, arguments: Asked) -> tuple[list[int], dict[str, Any]]:
        size = min(arguments["page_size"], self._most)
        if isinstance(self._style, ByNumber):
            begin = (arguments.get("page_num", 1) - 1) * size
        elif isinstance(self._style, ByCursor):
            begin = int((arguments.get("page_token") or "to-0").removeprefix("to-"))
        else:
            begin = int(arguments.get("after_id") or -1) + 1
        items = [*range(begin, min(begin + size, self._total))]
        more = begin + len(items) < self._total
        if isinstance(self._style, ByNumber):
            said = {"total": self._total, "text": str(self._total), "has_more": more}
            key = "total" if self._says == "text" else self._says
            return items, {key: said[self._says]} if self._says in said else {}
        if isinstance(self._style, ByCursor):
            return items, {"has_more": more, "next_page_token": f"to-{begin + len(items)}" if more else ""}
        return items, {"has_more": more, "last_id": str(items[-1]) if items else ""}


STYLES = [ByNumber(), ByCursor(), ByLastId()]


def styled(style: PageStyle) -> str:
    return type(style).__name__


async def taken(items: AsyncIterator[int], most: int) -> list[int]:
    """Return at most so many items, and leave."""
    found: list[int] = []
    while len(found) < most:
        try:
            found.append(await anext(items))
        except StopAsyncIteration:
            break
    return found


# --- every item once, for as many requests as that takes -------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("style", STYLES, ids=styled)
@settings(max_examples=60)
@given(total=st.integers(0, 60), size=st.integers(1, 25), most=st.integers(1, 25))
async def test_every_item_comes_once_and_in_order_for_no_request_too_many(
    style: PageStyle, total: int, size: int, most: int
) -> None:
    server = Server(style, total, most=most)
    assert [item async for item in server.pages(page_size=size)] == [*range(total)]
    assert len(server.asked) == max(1, ceil(total / min(size, most)))


@pytest.mark.anyio
@pytest.mark.parametrize("style", STYLES, ids=styled)
@settings(max_examples=60)
@given(total=st.integers(0, 60), size=st.integers(1, 25), wanted=st.integers(0, 70))
async def test_who_leaves_after_some_items_has_asked_for_their_pages_only(
    style: PageStyle, total: int, size: int, wanted: int
) -> None:
    server = Server(style, total)
    found = await taken(aiter(server.pages(page_size=size)), wanted)
    assert found == [*range(min(total, wanted))]
    pages_of_found = ceil(len(found) / size)
    # Who wants more than there is has to be told so; an empty list takes a request to be known as one.
    assert len(server.asked) == (max(1, pages_of_found) if wanted else 0)


@pytest.mark.anyio
@pytest.mark.parametrize("says", ["total", "text", "has_more", "nothing"])
@settings(max_examples=40)
@given(total=st.integers(0, 60), size=st.integers(1, 25))
async def test_numbered_pages_end_whatever_the_server_says_of_them(says: str, total: int, size: int) -> None:
    server = Server(ByNumber(), total, says=says)
    assert [item async for item in server.pages(page_size=size)] == [*range(total)]
    # Who is told nothing learns from a page that is not full that it was the last.
    needed = total // size + 1 if says == "nothing" else max(1, ceil(total / size))
    assert len(server.asked) == needed
    assert [asked.get("page_num", 1) for asked in server.asked] == [*range(1, needed + 1)]


@pytest.mark.anyio
@settings(max_examples=40)
@given(total=st.integers(0, 60), size=st.integers(1, 25), start=st.integers(1, 8))
async def test_who_begins_at_a_later_page_gets_the_rest(total: int, size: int, start: int) -> None:
    server = Server(ByNumber(), total)
    found = [item async for item in server.pages(page_size=size, page_num=start)]
    assert found == [*range(total)][(start - 1) * size :]
    assert len(server.asked) == max(1, ceil(len(found) / size))


async def test_a_size_that_was_left_to_the_server_loses_nothing() -> None:
    style = ByNumber()
    assert style.following({"page_size": None}, {}, 7, Fetched()) == {"page_num": 2}
    assert style.following({"page_num": 2}, {"total": 7}, 0, Fetched(1, 7)) is None
    assert style.following({}, {"total": 20}, 7, Fetched()) == {"page_num": 2}


async def test_a_list_that_is_iterated_twice_is_fetched_twice() -> None:
    server = Server(ByNumber(), 15)
    pages = server.pages()
    assert server.asked == []
    for _ in range(2):
        assert len([item async for item in pages]) == 15
    assert [asked.get("page_num", 1) for asked in server.asked] == [1, 2, 1, 2]


@pytest.mark.parametrize("style", STYLES, ids=styled)
async def test_the_first_page_is_one_request_and_says_how_many_there_are(style: PageStyle) -> None:
    server = Server(style, 25)
    page = await server.pages().first()
    assert (page.items, page.total, page.has_more) == ([*range(10)], 25, True)
    assert len(server.asked) == 1
    page = await Server(style, 3).pages().first()
    assert (page.items, page.has_more, page.following) == ([0, 1, 2], False, None)


@pytest.mark.parametrize("style", STYLES, ids=styled)
async def test_pages_come_one_by_one(style: PageStyle) -> None:
    server = Server(style, 25)
    sizes: list[tuple[int, int]] = []
    async for page in server.pages().pages():
        sizes.append((len(page.items), len(server.asked)))
    assert sizes == [(10, 1), (10, 2), (5, 3)]


# --- servers that are odd --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("style", "promise"),
    [
        (ByNumber(), {"has_more": True, "total": 1000}),
        (ByNumber(), {"total": 1000}),
        (ByCursor(), {"has_more": True, "next_page_token": "x"}),
        (ByLastId(), {"has_more": True, "last_id": "x"}),
    ],
    ids=str,
)
async def test_a_server_that_promises_more_and_sends_nothing_is_not_asked_for_ever(
    style: PageStyle, promise: dict[str, Any]
) -> None:
    asked = 0

    async def fetch(arguments: Asked, before: Fetched) -> Page[int]:
        nonlocal asked
        await anyio.lowlevel.checkpoint()
        asked += 1
        # Each promise is a new one.
        said = {key: f"x{asked}" if value == "x" else value for key, value in promise.items()}
        items = [7] if asked == 1 else []
        following = style.following(arguments, said, len(items), before)
        return Page(items, None, following is not None, following, None)

    with anyio.fail_after(5):
        assert [item async for item in Pages(fetch, {"page_size": 1})] == [7]
    assert asked == 2


@pytest.mark.parametrize(
    ("style", "arguments", "said"),
    [
        (ByCursor(), {"page_token": "x"}, {"has_more": True, "next_page_token": "x"}),
        (ByCursor(), {}, {"has_more": True, "next_page_token": ""}),
        (ByCursor(), {}, {"has_more": True, "next_page_token": None}),
        (ByCursor(), {}, {"has_more": False, "next_page_token": "x"}),
        (ByLastId(), {"after_id": "x"}, {"has_more": True, "last_id": "x"}),
        (ByLastId(), {}, {"has_more": True}),
        (ByLastId(), {}, {"has_more": False, "last_id": "x"}),
        (ByLastId(), {}, {"last_id": "x"}),
    ],
    ids=str,
)
def test_a_next_page_that_is_the_same_or_none_is_not_asked_for(style: PageStyle, arguments: Asked, said: Asked) -> None:
    assert style.following(arguments, said, 1, Fetched()) is None


def test_a_cursor_alone_says_that_there_is_more() -> None:
    assert ByCursor().following({}, {"next_page_token": "x"}, 1, Fetched()) == {"page_token": "x"}
    # Benefit limitations name the next page as they name the present one.
    style = ByCursor(next_cursor="page_token")
    assert style.following({}, {"page_token": "x"}, 1, Fetched()) == {"page_token": "x"}


@pytest.mark.parametrize(
    ("value", "count"),
    [(7, 7), ("7", 7), (0, 0), ("0", 0), (None, None), (True, None), ("", None), ("-", None), (1.5, None), ([], None)],
)
def test_a_total_is_a_number_or_the_text_of_one(value: Any, count: int | None) -> None:
    assert as_count(value) == count


async def test_an_error_is_raised_at_its_page_and_the_next_step_asks_for_that_page_again() -> None:
    server = Server(ByNumber(), 25)
    server.fail_on[2] = ServerError("broken", code=5000, msg="broken", status=500)
    items = aiter(server.pages())
    assert await taken(items, 10) == [*range(10)]
    with pytest.raises(ServerError):
        await anext(items)
    assert await taken(items, 100) == [*range(10, 25)]
    assert [asked.get("page_num", 1) for asked in server.asked] == [1, 2, 2, 3]


# --- fetching ahead --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("style", STYLES, ids=styled)
@settings(max_examples=30)
@given(total=st.integers(0, 60), size=st.integers(1, 25))
async def test_fetching_ahead_brings_the_same_items_for_the_same_requests(
    style: PageStyle, total: int, size: int
) -> None:
    server = Server(style, total)
    async with server.pages(page_size=size).prefetched() as items:
        assert [item async for item in items] == [*range(total)]
    assert len(server.asked) == max(1, ceil(total / size))


async def test_fetching_ahead_is_never_more_than_one_page_ahead() -> None:
    server = Server(ByNumber(), 50, seconds=1.0)
    ahead: list[int] = []
    async with server.pages().prefetched() as items:
        async for item in items:
            # Time enough for all pages.
            await anyio.sleep(20)
            ahead.append(len(server.asked) - (item // 10 + 1))
    assert set(ahead[:40]) == {1}
    assert set(ahead[40:]) == {0}


async def test_fetching_ahead_saves_the_time_that_the_next_page_takes() -> None:
    async def timed(use: Callable[[Pages[int]], Any]) -> float:
        begun = anyio.current_time()
        await use(Server(ByNumber(), 30, seconds=10.0).pages())
        return anyio.current_time() - begun

    async def plainly(pages: Pages[int]) -> None:
        async for _ in pages:
            await anyio.sleep(1)

    async def ahead(pages: Pages[int]) -> None:
        async with pages.prefetched() as items:
            async for _ in items:
                await anyio.sleep(1)

    # Three pages of ten seconds each, ten items of one second on each.
    assert await timed(plainly) == pytest.approx(60)
    assert await timed(ahead) == pytest.approx(40)


@pytest.mark.parametrize(
    "failure", [ServerError("broken", code=5000, msg="broken", status=500), RuntimeError("closed")]
)
async def test_an_error_of_a_later_page_is_raised_at_its_place_and_not_as_a_group(failure: Exception) -> None:
    server = Server(ByNumber(), 30)
    server.fail_on[2] = failure
    found: list[int] = []

    async def consume() -> None:
        async with server.pages().prefetched() as items:
            async for item in items:
                await anyio.sleep(1)
                found.append(item)

    with pytest.raises(type(failure)) as caught:
        await consume()
    assert caught.value is failure
    assert found == [*range(10)]
    assert len(server.asked) == 2


async def test_an_error_that_is_caught_at_its_place_ends_the_items() -> None:
    server = Server(ByNumber(), 30)
    server.fail_on[2] = ServerError("broken", code=5000, msg="broken", status=500)
    async with server.pages().prefetched() as items:
        assert await taken(items, 10) == [*range(10)]
        with pytest.raises(ServerError):
            await anext(items)
        assert await taken(items, 100) == []


async def test_an_error_of_the_caller_comes_out_as_it_is() -> None:
    server = Server(ByNumber(), 30, seconds=5.0)
    failure = KeyError("mine")

    async def consume() -> None:
        async with server.pages().prefetched() as items:
            await anext(items)
            raise failure

    with pytest.raises(KeyError) as caught:
        await consume()
    assert caught.value is failure


async def test_leaving_early_stops_the_fetching() -> None:
    server = Server(ByNumber(), 1000, seconds=5.0)
    async with server.pages().prefetched() as items:
        await anext(items)
    # The second page was under way and is given up: leaving takes no time.
    assert anyio.current_time() == pytest.approx(5.0)
    await anyio.sleep(1000)
    assert len(server.asked) <= 2


async def test_being_cancelled_stops_the_fetching() -> None:
    server = Server(ByNumber(), 1000, seconds=5.0)
    with anyio.move_on_after(12) as scope:
        async with server.pages().prefetched() as items:
            async for _ in items:
                await anyio.sleep(0.1)
    assert scope.cancelled_caught
    asked = len(server.asked)
    await anyio.sleep(1000)
    assert len(server.asked) == asked


# --- over a client ---------------------------------------------------------------------------------------------------


def coze_with(*answers: httpx.Response | Exception, **options: Any) -> tuple[AsyncCoze, Answers]:
    transport = Answers(*answers)
    return AsyncCoze("pat_x", base_url="http://coze.test", transport=transport, **options), transport


def bots(*ids: int, **around: Any) -> httpx.Response:
    return answer({"code": 0, "data": {"items": [{"id": str(number)} for number in ids], **around}})


async def test_a_numbered_list_asks_for_one_number_after_the_other() -> None:
    coze, transport = coze_with(bots(1, 2, total=3), bots(3, total=3))
    async with coze:
        found = [bot.id async for bot in coze.bots.list(workspace_id="7", page_size=2)]
    assert found == ["1", "2", "3"]
    assert [dict(request.url.params) for request in transport.requests] == [
        {"workspace_id": "7", "page_size": "2", "page_num": "1"},
        {"workspace_id": "7", "page_size": "2", "page_num": "2"},
    ]


async def test_a_list_with_cursors_hands_each_cursor_back() -> None:
    coze, transport = coze_with(
        answer({"data": {"items": [{"id": "1"}], "has_more": True, "next_page_token": "a b"}}),
        answer({"data": {"items": [{"id": "2"}], "has_more": False, "next_page_token": ""}}),
    )
    async with coze:
        assert [app.id async for app in coze.api_apps.list(page_size=1)] == ["1", "2"]
    assert [request.url.params.get("page_token") for request in transport.requests] == [None, "a b"]


async def test_messages_go_on_after_the_last_id_with_the_conversation_in_the_query() -> None:
    coze, transport = coze_with(
        answer({"data": [{"id": "9"}, {"id": "8"}], "first_id": "9", "last_id": "8", "has_more": True}),
        answer({"data": [{"id": "7"}], "first_id": "7", "last_id": "7", "has_more": False}),
    )
    async with coze:
        assert [m.id async for m in coze.conversations.messages.list(conversation_id="5", limit=2)] == ["9", "8", "7"]
    assert [dict(request.url.params) for request in transport.requests] == [{"conversation_id": "5"}] * 2
    assert [transport.body(0), transport.body(1)] == [{"limit": 2}, {"limit": 2, "after_id": "8"}]


async def test_documents_turn_pages_in_the_body() -> None:
    coze, transport = coze_with(
        answer({"code": 0, "document_infos": [{"document_id": 1}], "total": 2}),
        answer({"code": 0, "document_infos": [{"document_id": 2}], "total": 2}),
    )
    async with coze:
        found = [document.document_id async for document in coze.datasets.documents.list(dataset_id="5", size=1)]
    assert found == ["1", "2"]
    assert [transport.body(n) for n in (0, 1)] == [{"dataset_id": "5", "page": n, "size": 1} for n in (1, 2)]


@pytest.mark.parametrize(
    ("around", "total"), [({"total": 40}, 40), ({"total": "40"}, 40), ({"total_count": 40}, 40), ({}, None)]
)
async def test_a_page_says_what_the_server_says_of_it(around: dict[str, Any], total: int | None) -> None:
    reply = answer({"data": {"items": [{"id": "1"}, None, {"id": 2}], **around}}, headers={"x-tt-logid": "log-1"})
    coze, _ = coze_with(reply)
    async with coze:
        page = await coze.bots.list(workspace_id="7", page_size=3).first()
    assert [bot.id for bot in page.items] == ["1", "2"]
    assert (page.total, page.has_more, page.logid) == (total, True, "log-1")
    assert page.following == {"page_num": 2}


@pytest.mark.parametrize(
    ("payload", "ids"),
    [
        ({"code": 0}, []),
        ({"code": 0, "data": None}, []),
        ({"code": 0, "data": {}}, []),
        ({"code": 0, "data": {"items": None, "total": 0}}, []),
        # Not what the page says, but as plain.
        ({"code": 0, "data": [{"id": "1"}]}, ["1"]),
    ],
)
async def test_a_list_that_is_missing_is_empty_and_one_without_its_object_is_read(payload: Any, ids: list[str]) -> None:
    coze, transport = coze_with(answer(payload))
    async with coze:
        assert [bot.id async for bot in coze.bots.list(workspace_id="7")] == ids
    assert len(transport.requests) == 1


@pytest.mark.parametrize("listed", [{"id": "1"}, "1", [{"name": "no id"}], [[]]])
async def test_a_page_that_holds_something_else_is_a_decode_error(listed: Any) -> None:
    coze, _ = coze_with(answer({"data": {"items": listed}}, headers={"x-tt-logid": "log-1"}))
    async with coze:
        with pytest.raises(DecodeError, match=r"(?s)GET /v1/bots answered HTTP 200 .*\[logid log-1\]"):
            await coze.bots.list(workspace_id="7").first()


async def test_a_mistake_shows_where_the_list_is_made_and_not_at_its_first_step() -> None:
    coze, transport = coze_with(refusal(4000))
    async with coze:
        with pytest.raises(TypeError, match="workspace_id"):
            coze.bots.list()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
        with pytest.raises(ConfigurationError, match="workflow_id"):
            coze.workflows.versions.list(workflow_id="")
        coze.bots.list(workspace_id="7")
        assert transport.requests == []
        with pytest.raises(BadRequestError):
            await coze.bots.list(workspace_id="7").first()


async def test_a_page_that_was_lost_is_asked_for_again() -> None:
    lost = httpx.ReadError("lost")
    coze, transport = coze_with(bots(1, total=2), lost, bots(2, total=2))
    async with coze:
        assert [bot.id async for bot in coze.bots.list(workspace_id="7", page_size=1)] == ["1", "2"]
    assert [request.url.params["page_num"] for request in transport.requests] == ["1", "2", "2"]


async def test_each_page_waits_for_its_turn() -> None:
    limits = Limits(bot_info=Rate(1, 60.0, guard=0.0))
    coze, transport = coze_with(bots(1, total=3), bots(2, total=3), bots(3, total=3), limits=limits, retry=Retry.none())
    async with coze:
        view = coze.with_options(user="u")
        assert len([bot async for bot in view.bots.list(workspace_id="7", page_size=1)]) == 3
    assert transport.gaps == pytest.approx([60.0, 60.0])
