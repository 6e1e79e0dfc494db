"""What an account may do: permissions, calls a second, calls of a user, and a quota."""

from typing import Any

import anyio
import httpx
import pytest
from emulator.client import client
from emulator.talk import Talk, names, question, talking
from hypothesis import given
from hypothesis import strategies as st

from coze_async import AuthenticationError, ChatFailedError, PermissionDeniedError, QuotaError, RateLimitError
from coze_async.emulator import Dialect, Emulator, EmulatorLimits, Quota, Script
from coze_async.emulator._limits import Windows
from coze_async.emulator._routes import ROUTES


async def refused(response: httpx.Response) -> bool:
    if response.status_code == 200:
        return False
    assert (response.status_code, response.json()["code"]) == (429, 4013)
    assert response.json()["detail"]["logid"] == response.headers["x-tt-logid"]
    return True


async def test_a_token_does_what_it_is_allowed_to() -> None:
    emulator = Emulator(tokens={"pat_x": {"chat", "getChat"}, "pat_none": ()})
    async with client(emulator, "pat_x") as coze:
        chat = await coze.chat.create("Hi", bot_id="7", user_id="u")
        ids: dict[str, Any] = {"conversation_id": chat.conversation_id, "chat_id": chat.id}
        assert (await coze.chat.retrieve(**ids)).id == chat.id
        with pytest.raises(PermissionDeniedError, match="listMessage") as caught:
            await coze.chat.messages.list(**ids)
        assert (caught.value.code, caught.value.status) == (4101, 403)
        assert caught.value.logid
        with pytest.raises(PermissionDeniedError, match="cancelChat"):
            await coze.chat.cancel(**ids)
        # Whose the token is may always be asked.
        assert (await coze.users.me()).user_id
    async with client(emulator, "pat_none") as coze:
        with pytest.raises(PermissionDeniedError):
            await coze.bots.list(workspace_id="1").first()
        assert (await coze.users.me()).user_id
    async with client(emulator, "pat_y") as coze:
        with pytest.raises(AuthenticationError) as unknown:
            await coze.users.me()
        assert unknown.value.code == 4100
    # A list of tokens is a list of those that may do everything.
    async with client(Emulator(tokens=["pat_y"]), "pat_y") as coze:
        await coze.bots.list(workspace_id="1").first()


def test_every_route_of_the_cloud_says_what_a_token_needs() -> None:
    """Sessions are no tokens; all others have a page that names a permission, but for these."""
    unnamed = {route.path for route in ROUTES if not route.permission and not route.path.startswith("/api/")}
    assert unnamed == {
        "/v1/users/me",
        "/v1/audio/live/{live_id}",
        "/v1/templates/{template_id}/duplicate",
        "/v1/entities/copy_tasks",
        "/v1/entities/copy_tasks/{task_id}",
        "/v1/stores/plugins",
        "/v1/stores/categories",
    }


async def everything_of_a_chat(talk: Talk) -> None:
    """Five calls of the bucket "chat"."""
    first = await talk.http.post("/v3/chat", json=question(stream=False))
    data = first.json()["data"]
    ids: dict[str, Any] = {"conversation_id": data["conversation_id"], "chat_id": data["id"]}
    for path in ("/v3/chat/retrieve", "/v3/chat/message/list"):
        assert not await refused(await talk.http.get(path, params=ids))
        assert not await refused(await talk.http.post(path, params=ids))


async def test_chat_create_retrieve_and_message_list_share_a_bucket() -> None:
    """coze.cn page get_benefit."""
    emulator = Emulator(limits=EmulatorLimits(chat_qps=5))
    async with talking(emulator) as talk:
        await everything_of_a_chat(talk)
        for _ in range(3):
            assert await refused(await talk.http.post("/v3/chat", json=question()))
        # What is refused is not counted, and other calls are not in the bucket.
        assert not await refused(await talk.http.post("/v1/conversation/create"))
        assert not await refused(await talk.http.post("/v1/workflow/run", json={"workflow_id": "1", "is_async": True}))
        await anyio.sleep(1.001)
        await everything_of_a_chat(talk)
        assert await refused(await talk.http.post("/v3/chat", json=question()))
        assert len(emulator.chats) == 2


async def test_the_calls_of_workflows_share_a_bucket() -> None:
    emulator = Emulator(limits=EmulatorLimits(workflow_qps=5))
    async with talking(emulator) as talk:
        run = {"workflow_id": "1"}
        started = (await talk.post("/v1/workflow/run", {**run, "is_async": True}))["execute_id"]
        await talk.http.post("/v1/workflow/stream_run", json=run)
        await talk.http.post("/v1/workflows/chat", json={**run, "bot_id": "7", **question()})
        path = f"/v1/workflows/1/run_histories/{started}"
        assert not await refused(await talk.http.get(path))
        assert not await refused(await talk.http.get(f"{path}/execute_nodes/1"))
        assert await refused(await talk.http.get(path))
        assert not await refused(await talk.http.post("/v3/chat", json=question()))


async def test_uploads_are_counted_for_themselves() -> None:
    async with client(Emulator(limits=EmulatorLimits(upload_qps=10))) as coze:
        for _ in range(10):
            await coze.files.upload(b"x", name="a.csv")
        with pytest.raises(RateLimitError) as caught:
            await coze.files.upload(b"x", name="a.csv")
        assert (caught.value.code, caught.value.status) == (4013, 429)


@pytest.mark.parametrize("bucket", ["chat", "workflow", "plugin"])
async def test_the_benefits_tell_the_limits(bucket: str) -> None:
    """coze.cn page get_benefit: unlimit goes with a total of 1."""
    limits = EmulatorLimits(chat_qps=11, workflow_qps=12, plugin_qps=13)
    wanted = {"chat": 11, "workflow": 12, "plugin": 13}[bucket]
    for emulator, strategy, total in ((Emulator(limits=limits), "by_quota", wanted), (Emulator(), "unlimit", 1)):
        async with client(emulator) as coze:
            told = await coze.benefits.retrieve(benefit_type_list=["api_run_qps"], resource_id=bucket)
        (benefit,) = told.benefit_info
        assert (benefit.benefit_type, benefit.resource_id) == ("api_run_qps", bucket)
        assert benefit.effective is not None
        assert benefit.effective.item_info is not None
        assert (benefit.effective.item_info.strategy, benefit.effective.item_info.total) == (strategy, total)


@given(
    st.lists(st.floats(0, 3, allow_nan=False), max_size=60),
    st.integers(1, 6),
    st.sampled_from([0.5, 1.0]),
)
def test_no_window_lets_more_through_and_none_less(gaps: list[float], limit: int, seconds: float) -> None:
    """Against the plain definition: a call gets through if fewer than the limit did in the seconds before it."""
    windows, now, passed = Windows(), 0.0, list[float]()
    for gap in gaps:
        now += gap / 4
        may = sum(now - seconds < then for then in passed) < limit
        assert windows.admit(("account", "chat"), now, limit, seconds) is may
        if may:
            passed.append(now)


def test_a_call_counts_for_a_whole_window_and_no_longer() -> None:
    windows = Windows()
    admitted = [windows.admit(("account", "chat"), now, 1, 1.0) for now in (0.0, 0.999, 1.0, 1.5, 2.0)]
    assert admitted == [True, False, True, False, True]


def test_who_has_not_called_for_a_while_is_forgotten_and_nobody_else() -> None:
    windows = Windows()
    for now in range(1000):
        assert windows.admit(("chat", f"u-{now}"), now, 1, 60.0)
        assert windows.admit(("account", "chat"), now, 1, 1.0)
        assert not windows.admit(("chat", "refused"), now, 0, 60.0)
        assert not windows.admit(("chat", f"u-{max(0, now - 59)}"), now, 1, 60.0)
        assert len(windows._calls) <= 121  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize("dialect", ["cloud", "plus-page"])
async def test_what_one_user_may_do_in_a_minute(dialect: Dialect) -> None:
    """The table of Coze Plus's page: chats by user, bots by token."""
    limits = EmulatorLimits(per_user={"chat": 2, "bot_management": 1, "bot_info": 3}) if dialect == "cloud" else None
    emulator = Emulator(dialect, limits=limits)
    emulator.bot("b-1", Script("ok"))
    chats, infos = (2, 3) if dialect == "cloud" else (60, 100)

    async def passed(talk: Talk, method: str, path: str, json: Any = None) -> int:
        count = 0
        while (response := await talk.http.request(method, path, json=json)).status_code == 200:
            count += 1
        assert (response.status_code, response.json()["code"]) == (429, 429)
        return count

    async with talking(emulator) as talk:
        assert await passed(talk, "POST", "/v3/chat", question()) == chats
        assert (await talk.http.post("/v3/chat", json=question(user_id="other"))).status_code == 200
        assert await passed(talk, "GET", "/v1/bots/7") == infos
        assert (await talk.http.get("/v1/bot/get_online_info", params={"bot_id": "7"})).status_code == 429
        talk.http.headers["authorization"] = "Bearer pat_other"
        assert await passed(talk, "GET", "/v1/bots/7") == infos
        await anyio.sleep(60.001)
        assert await passed(talk, "POST", "/v3/chat", question()) == chats
        if dialect == "plus-page":
            talk.http.headers["cookie"] = "session_key=x"
            assert await passed(talk, "POST", "/api/draftbot/create", {"space_id": "1", "icon_uri": "icon.png"}) == 30


async def test_beyond_the_quota_a_chat_is_made_and_fails() -> None:
    """Code 4028 stands in a chat that was created (coze-py issue 425)."""
    emulator = Emulator(quota=1)
    async with client(emulator) as coze, talking(emulator) as talk:
        assert (await coze.chat.ask("Hi", bot_id="7", user_id="u")).text
        with pytest.raises(ChatFailedError) as caught:
            await coze.chat.ask("Hi", bot_id="7", user_id="u")
        assert caught.value.code == 4028
        assert caught.value.chat is not None
        chat = await talk.finished(await talk.create())
        assert (chat["status"], chat["last_error"]["code"]) == ("failed", 4028)
        assert names(await talk.chat())[-2:] == ["conversation.chat.failed", "done"]


@pytest.mark.parametrize("code", [4008, 4011])
async def test_other_quotas_are_used_up_before_a_chat(code: int) -> None:
    emulator = Emulator(quota=Quota(tokens=1, code=code))
    async with client(emulator) as coze:
        await coze.chat.ask("Hi", bot_id="7", user_id="u")
        with pytest.raises(QuotaError) as caught:
            await coze.chat.ask("Hi", bot_id="7", user_id="u")
        assert caught.value.code == code
        assert len(emulator.chats) == 1


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda: EmulatorLimits(chat_qps=0), "chat_qps is 0"),
        (lambda: EmulatorLimits(upload_qps=-1), "upload_qps is -1"),
        (lambda: EmulatorLimits(per_user={"chats": 1}), "not chats"),
        (lambda: Quota(chats=1, code=4013), "not 4013"),
    ],
)
def test_limits_that_mean_nothing_are_refused(wrong: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        wrong()


def test_a_text_is_no_list_of_tokens() -> None:
    """A text can be iterated, letter by letter."""
    with pytest.raises(TypeError, match="give a list of tokens"):
        Emulator(tokens="pat_x")
    with pytest.raises(TypeError, match="a set of names, not a text"):
        Emulator(tokens={"pat_x": "chat"})
