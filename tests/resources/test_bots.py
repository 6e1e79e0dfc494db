"""Bots, read: as drafts, as published, as the API channel knows them."""

from typing import Any

import httpx
import pytest
from answering import Answers, answer, refusal

from coze_async import AsyncCoze, ConfigurationError, DecodeError, Limits, PermissionDeniedError, Rate
from coze_async.emulator import Emulator

URL = "http://coze.example"


def coze_with(*answers: httpx.Response | Exception, **options: Any) -> tuple[AsyncCoze, Answers]:
    transport = Answers(*answers)
    return AsyncCoze("pat_x", base_url=URL, transport=transport, **options), transport


async def test_a_bot_is_read_with_all_its_settings() -> None:
    facts = {
        "bot_id": "5001",
        "name": "Clerk",
        "create_time": 1760000000,
        "update_time": 0,
        "prompt_info": {"prompt": "Be kind."},
        "onboarding_info": {"prologue": "Hello!", "suggested_questions": ["What can you do?"]},
        "plugin_info_list": [{"plugin_id": 7300, "api_info_list": [{"api_id": 7301, "api_name": "weather"}]}],
        "variables": [{"key": "city", "default_value": "Oslo"}],
        "knowledge": None,
        "shiny": True,
    }
    coze, transport = coze_with(answer({"code": 0, "data": facts}))
    bot = await coze.bots.retrieve(bot_id="5001", is_published=False, connector_id="1024")
    assert (bot.bot_id, bot.name) == ("5001", "Clerk")
    assert bot.created is not None
    assert (bot.created.year, bot.updated) == (2025, None)
    assert bot.onboarding_info is not None
    assert bot.onboarding_info.suggested_questions == ["What can you do?"]
    assert (bot.plugin_info_list[0].plugin_id, bot.plugin_info_list[0].api_info_list[0].name) == ("7300", "weather")
    assert bot.variables[0].keyword == "city"
    assert bot.model_extra == {"shiny": True}
    assert transport.requests[0].url.path == "/v1/bots/5001"
    assert dict(transport.requests[0].url.params) == {"is_published": "false", "connector_id": "1024"}


async def test_a_published_bot_is_read_on_its_own_route() -> None:
    coze, transport = coze_with(answer({"code": 0, "data": {"id": "5001", "name": "Clerk"}}))
    assert (await coze.bots.retrieve_online(bot_id="5001")).bot_id == "5001"
    assert transport.requests[0].url.path == "/v1/bot/get_online_info"
    assert dict(transport.requests[0].url.params) == {"bot_id": "5001", "connector_id": "1024"}


async def test_a_self_hosted_server_hands_a_published_bot_out_without_an_envelope() -> None:
    """Recording `bot_online_connector` of Coze Studio 4f786d6; without a channel it answers HTTP 500."""
    coze, _ = coze_with(answer({"bot_id": "7713976326566182912", "name": "Tool", "description": "d"}))
    bot = await coze.bots.retrieve_online(bot_id="7713976326566182912")
    assert (bot.bot_id, bot.name) == ("7713976326566182912", "Tool")


async def test_bots_of_a_server_can_be_read() -> None:
    for dialect in ("cloud", "studio", "plus"):
        emulator = Emulator(dialect)
        async with AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport()) as coze:
            assert (await coze.bots.retrieve(bot_id="5001")).bot_id == "5001"
            assert (await coze.bots.retrieve_online(bot_id="5001")).bot_id == "5001"


@pytest.mark.parametrize("bot_id", ["", " ", ".", "..", None])
async def test_an_id_that_would_lead_to_another_route_is_refused(bot_id: Any) -> None:
    coze, transport = coze_with(answer({"code": 0, "data": {}}))
    with pytest.raises(ConfigurationError, match="bot_id is"):
        await coze.bots.retrieve(bot_id=bot_id)
    assert transport.requests == []


async def test_an_id_cannot_leave_its_place_in_the_path() -> None:
    coze, transport = coze_with(answer({"code": 0, "data": {"bot_id": "x"}}))
    await coze.bots.retrieve(bot_id="../workspaces?a=1#b")
    assert transport.requests[0].url.raw_path == b"/v1/bots/..%2Fworkspaces%3Fa%3D1%23b"


async def test_a_bot_without_an_id_is_no_bot() -> None:
    coze, _ = coze_with(answer({"code": 0, "data": {"name": "Clerk"}}))
    with pytest.raises(DecodeError, match="something else than expected"):
        await coze.bots.retrieve(bot_id="5001")


async def test_a_missing_permission_says_what_to_do() -> None:
    coze, _ = coze_with(refusal(4101))
    with pytest.raises(PermissionDeniedError, match="Give the token this permission"):
        await coze.bots.retrieve(bot_id="5001")


async def test_reading_bots_keeps_to_its_own_rate() -> None:
    coze, transport = coze_with(
        answer({"code": 0, "data": {"bot_id": "1"}}), limits=Limits(bot_info=Rate(2, 10.0, guard=0.0))
    )
    for _ in range(3):
        await coze.bots.retrieve(bot_id="1")
    assert transport.gaps == pytest.approx([0.0, 10.0], abs=0.001)
