"""Bots, and the answers of the session routes."""

import pytest

from coze_async.models import Bot, BotPluginAPIInfo, BotPluginInfo, BotVariable, DraftBotCreated, DraftBotPublished
from coze_async.models._base import read_object


def test_a_bot_is_read_with_all_that_is_null_in_it() -> None:
    bot = read_object(
        Bot,
        {
            "bot_id": 5001,
            "name": "天气",
            "description": None,
            "create_time": 1760000000,
            "update_time": 0,
            "prompt_info": {"prompt": "be kind"},
            "onboarding_info": {"prologue": None, "suggested_questions": ["a", None]},
            "knowledge": {"knowledge_infos": [{"id": 1, "name": "k"}]},
            "plugin_info_list": None,
            "model_info": {"model_id": 1, "temperature": "0.5", "top_k": None},
            "workflow_info_list": [{"id": "w"}],
            "variables": None,
            "voice_info_list": [],
            "bot_mode": 0,
        },
    )
    assert (bot.bot_id, bot.name, bot.description, bot.bot_mode) == ("5001", "天气", "", 0)
    assert bot.created is not None
    assert bot.created.timestamp() == 1760000000
    assert bot.updated is None
    assert bot.prompt_info is not None
    assert bot.prompt_info.prompt == "be kind"
    assert bot.onboarding_info is not None
    assert bot.onboarding_info.suggested_questions == ["a"]
    assert bot.knowledge is not None
    assert bot.knowledge.knowledge_infos[0].id == "1"
    assert bot.model_info is not None
    assert bot.model_info.temperature == 0.5
    assert (bot.plugin_info_list, bot.variables, bot.workflow_info_list[0].id) == ([], [], "w")


def test_a_bot_of_coze_studio_has_other_names() -> None:
    wire = {
        "id": "5001",
        "plugin_info_list": [{"plugin_id": "p", "api_info_list": [{"api_id": "a", "api_name": "look"}]}],
        "variables": [{"key": "city", "default_value": "北京"}],
    }
    bot = read_object(Bot, wire)
    assert bot.bot_id == "5001"
    assert bot.plugin_info_list == [
        BotPluginInfo(plugin_id="p", api_info_list=[BotPluginAPIInfo(api_id="a", name="look")])
    ]
    assert bot.variables == [BotVariable(keyword="city", default_value="北京")]


def test_a_bot_without_an_id_is_none() -> None:
    with pytest.raises(ValueError, match="bot_id"):
        read_object(Bot, {"name": "nobody"})


def test_a_draft_bot_says_whether_the_review_refused_it() -> None:
    created = read_object(DraftBotCreated, {"bot_id": 5, "check_not_pass": None})
    assert (created.bot_id, created.check_not_pass) == ("5", False)
    refused = read_object(DraftBotCreated, {"bot_id": "5", "check_not_pass": True, "check_not_pass_msg": "words"})
    assert (refused.check_not_pass, refused.check_not_pass_msg) == (True, "words")


def test_publishing_says_how_it_went_by_channel() -> None:
    published = read_object(
        DraftBotPublished,
        {"publish_result": {"1024": {"code": 0, "publish_result_status": 1, "connector": {"id": "1024"}}, "999": None}},
    )
    assert published.publish_result["1024"].publish_result_status == 1
    assert "999" not in published.publish_result
    assert read_object(DraftBotPublished, {}).publish_result == {}
