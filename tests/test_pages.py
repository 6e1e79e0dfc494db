"""Lists in pages: every item once, in order, for as many requests as that takes; time is virtual."""

# pyright: reportPrivateUsage=false

import json
from collections.abc import AsyncIterator, Callable, Mapping
from math import ceil
from typing import Any, get_args

import anyio
import anyio.lowlevel
import httpx
import pytest
from answering import Answers, answer, refusal
from calling import method_of
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from coze_async import AsyncCoze, BadRequestError, ConfigurationError, DecodeError, Limits, Rate, Retry, ServerError
from coze_async._endpoint import Endpoint
from coze_async._pages import ByCursor, ByLastId, ByNumber, Fetched, Page, Pages, PageStyle, as_count
from coze_async.resources import all_endpoints

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


# --- messages: two servers, either id, either order -------------------------------------------------------------------


class Messages(httpx.AsyncBaseTransport):
    """Lists messages, each later than the one before, as a cloud does or as Coze Studio.

    The clouds list in one order, and a page before an id is the one that ends there (coze.cn page list_message). Coze
    Studio knows no order, hands a page before an id out oldest first, and looks at `after_id` only without `before_id`
    (recordings of 4f786d6 and of Coze Plus fb00b21, which does the same).

    Args:
        ids: Of all messages, the oldest first.
        is_studio: Which of the two.
    """

    def __init__(self, ids: list[str], *, is_studio: bool) -> None:
        self._ids = ids
        self._is_studio = is_studio
        self.asked: list[dict[str, Any]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        self.asked.append(asked)
        page, more = self._studio(**asked) if self._is_studio else self._cloud(**asked)
        ends = (page[0], page[-1]) if page else ("0", "0")
        data = [{"id": found, "role": "user"} for found in page]
        whole = {"code": 0, "msg": "", "data": data, "has_more": more, "first_id": ends[0], "last_id": ends[1]}
        return httpx.Response(200, json=whole)

    def _cloud(
        self, limit: int, order: str = "desc", before_id: str | None = None, after_id: str | None = None
    ) -> tuple[list[str], bool]:
        listed = self._ids if order == "asc" else self._ids[::-1]
        start = listed.index(after_id) + 1 if after_id else 0
        end = listed.index(before_id) if before_id else len(listed)
        if before_id and not after_id:
            return listed[max(0, end - limit) : end], end > limit
        return listed[start:end][:limit], end - start > limit

    def _studio(
        self, limit: int, order: str = "desc", before_id: str | None = None, after_id: str | None = None
    ) -> tuple[list[str], bool]:
        del order
        if before_id:
            rest = self._ids[self._ids.index(before_id) + 1 :]
        else:
            rest = self._ids[: self._ids.index(after_id) if after_id else None][::-1]
        return rest[:limit], len(rest) > limit


@st.composite
def ids_of_messages(draw: st.DrawFn) -> list[str]:
    """Ids that grow, as the services make them, or small ones as people write them in a test."""
    steps = draw(st.lists(st.integers(1, 10**6) | st.just(1), max_size=25))
    first = draw(st.sampled_from([0, 7_713_977_877_829_517_312]))
    return [str(first + sum(steps[: n + 1])) for n in range(len(steps))]


@settings(max_examples=150)
@given(
    ids=ids_of_messages(),
    is_studio=st.booleans(),
    order=st.sampled_from([None, "asc", "desc"]),
    limit=st.integers(1, 8),
    data=st.data(),
)
async def test_every_message_comes_once_and_no_page_after_the_first_has_both_ids(
    ids: list[str], is_studio: bool, order: str | None, limit: int, data: st.DataObject
) -> None:
    transport = Messages(ids, is_studio=is_studio)
    chosen = st.none() | st.sampled_from(ids) if ids else st.none()
    before, after = data.draw(chosen, label="before"), data.draw(chosen, label="after")
    descending = is_studio or order != "asc"
    listed = ids[::-1] if descending else ids
    start = listed.index(after) + 1 if after else 0
    end = listed.index(before) if before else len(ids)
    assume(start <= end)
    # One message says nothing of where a page goes on.
    assume(limit > 1 or not (is_studio and before and after))
    async with AsyncCoze("pat_x", transport=transport, limits=Limits.none()) as coze:
        pages = coze.conversations.messages.list(
            conversation_id="7", order=order, before_id=before, after_id=after, limit=limit
        )
        found = [message.id async for message in pages]
        again = [message.id async for message in pages]
    assert found == again
    assert len(found) == len(set(found))
    assert set(found) == set(listed[start:end])
    if before is None:
        assert found == listed[start:end]
    for asked in transport.asked:
        if asked != transport.asked[0]:
            assert not {"before_id", "after_id"} <= asked.keys()


async def test_messages_before_one_are_not_asked_for_again_and_again() -> None:
    """The case of a report: 12 messages, before the third, five at a time."""
    for is_studio in (False, True):
        transport = Messages([str(number) for number in range(1, 13)], is_studio=is_studio)
        async with AsyncCoze("pat_x", transport=transport) as coze:
            pages = coze.conversations.messages.list(conversation_id="7", before_id="3", limit=5)
            found = [int(message.id) async for message in pages]
        assert sorted(found) == [*range(4, 13)]
        assert [asked["before_id"] for asked in transport.asked] == ["3", "8"]
        assert not any("after_id" in asked for asked in transport.asked)


# --- lists that stand still, move or go round -------------------------------------------------------------------------


@pytest.mark.parametrize("cursor", ["p1", "p2"])
async def test_a_list_that_goes_round_ends_where_nothing_new_comes(cursor: str) -> None:
    pages = [
        {"items": [{"id": n, "name": n} for n in "ab"], "has_more": True, "next_page_token": token}
        for token in (cursor, "p2", "p1")
    ]
    transport = Answers(*[answer({"code": 0, "data": page}) for page in pages])
    async with AsyncCoze("pat_x", transport=transport) as coze:
        assert [app.id async for app in coze.api_apps.list()] == ["a", "b"]
    assert len(transport.requests) == 2


async def test_an_item_that_moves_to_the_next_page_is_handed_out_once() -> None:
    """While the second page is asked for, somebody makes a bot: all others move on by one place."""
    first = {"items": [{"id": "3"}, {"id": "2"}], "total": 3}
    second = {"items": [{"id": "2"}, {"id": "1"}], "total": 4}
    transport = Answers(*[answer({"code": 0, "data": page}) for page in (first, second)])
    async with AsyncCoze("pat_x", transport=transport) as coze:
        pages = coze.bots.list(workspace_id="5", page_size=2)
        assert [bot.id async for bot in pages] == ["3", "2", "1"]


@pytest.mark.parametrize("endpoint", [one for one in all_endpoints() if one.pages], ids=lambda one: one.name)
async def test_every_list_knows_what_tells_its_items_apart(endpoint: Endpoint) -> None:
    """A server that answers every page with the same items is asked twice, and hands each out once."""
    style = endpoint.pages
    assert style is not None
    names = style.key.split(".")
    rows: list[Any] = ["a", "b"]
    for name in reversed(names):
        rows = [{name: row} for row in rows]
    (item,) = get_args(endpoint.returns)
    required = {name for name, field in item.model_fields.items() if field.is_required()} - {names[0]}
    page = {style.items: [{**dict.fromkeys(required, "x"), **row} for row in rows], "has_more": True, "total": 9}
    page |= {"next_page_token": "t", "page_token": "t", "last_id": "b", "first_id": "a"}
    transport = Answers(
        answer({"code": 0, "data": page} if endpoint.payload else {"code": 0, **page, "data": page.get("data")})
    )
    async with AsyncCoze("pat_x", transport=transport, limits=Limits.none()) as coze:
        pages = await method_of_pages(coze, endpoint)
        assert len([one async for one in pages]) == 2
    assert 1 <= len(transport.requests) <= 2


async def method_of_pages(coze: AsyncCoze, endpoint: Endpoint) -> Any:
    required = dict.fromkeys(endpoint.required, "x")
    return method_of(coze, endpoint)(**required)


# --- a server that counts pages from 0 --------------------------------------------------------------------------------


class Documents(httpx.AsyncBaseTransport):
    """Lists documents; Coze Studio counts the pages from 0 (recordings `document_list*` of 4f786d6)."""

    def __init__(self, total: int, *, is_studio: bool) -> None:
        self._total = total
        self._is_studio = is_studio
        self.asked: list[int] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        asked = json.loads(request.content)
        self.asked.append(asked["page"])
        begin = (asked["page"] - (0 if self._is_studio else 1)) * asked["size"]
        assert begin >= 0
        ids = range(self._total)[begin : begin + asked["size"]]
        rows = [{"document_id": str(1000 + number), "name": "a"} for number in ids]
        body = {"document_infos": rows, "total": self._total, "code": 0, "msg": ""}
        return httpx.Response(200, json={**body, "BaseResp": None} if self._is_studio else body)


@settings(max_examples=60)
@given(total=st.integers(0, 30), size=st.integers(1, 12), is_studio=st.booleans(), start=st.integers(1, 4))
async def test_documents_come_from_the_first_page_on_whatever_its_number(
    total: int, size: int, is_studio: bool, start: int
) -> None:
    transport = Documents(total, is_studio=is_studio)
    async with AsyncCoze("pat_x", transport=transport, limits=Limits.none()) as coze:
        pages = coze.datasets.documents.list(dataset_id="5", size=size, page=start)
        found = [int(document.document_id) - 1000 async for document in pages]
        first = await pages.first()
    assert found == [*range(total)][(start - 1) * size :]
    assert [int(document.document_id) - 1000 for document in first.items] == found[:size]


async def test_the_ids_of_documents_are_sent_as_numbers_to_a_server_that_demands_it() -> None:
    """Recordings `dataset_process_texts` and `dataset_process_numbers` of Coze Studio 4f786d6."""
    says = 'bind body failed, err=Mismatch type int64 with value string "at index 17: mismatched type with value"'
    bodies: list[Any] = []

    def process(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content)["document_ids"])
        if isinstance(bodies[-1][0], str):
            return httpx.Response(400, json={"code": 400, "msg": says})
        return httpx.Response(200, json={"data": {"data": [{"document_id": str(bodies[-1][0])}]}, "code": 0, "msg": ""})

    async with AsyncCoze("pat_x", transport=httpx.MockTransport(process), limits=Limits.none()) as coze:
        for _ in range(2):
            (found,) = await coze.datasets.process(dataset_id="5", document_ids=["7713977988043243520"])
            assert found.document_id == "7713977988043243520"
        with pytest.raises(BadRequestError, match="Mismatch"):
            await coze.datasets.process(dataset_id="5", document_ids=["a"])
    assert bodies == [["7713977988043243520"], [7713977988043243520], [7713977988043243520], ["a"]]
