"""Bots, read."""

from coze_async._endpoint import Resource, get
from coze_async.models import Bot

__all__ = ["BotsResource"]


class BotsResource(Resource):
    """What a bot is made of."""

    @get("/v1/bots/{bot_id}", kind="bot_info")
    async def retrieve(self, *, bot_id: str, is_published: bool | None = None, connector_id: str | None = None) -> Bot:
        """Return a bot, as it is published or as it is being edited.

        Args:
            bot_id: The bot.
            is_published: False for the draft; None and True for the published one.
            connector_id: The channel whose version is meant.

        Source: coze.cn page get_metadata_draft_published.
        """

    @get("/v1/bot/get_online_info", kind="bot_info")
    async def retrieve_online(self, *, bot_id: str) -> Bot:
        """Return a bot as it is published to the API channel.

        Source: coze.cn page get_metadata.
        """
