"""Conversations and their sections."""

from collections.abc import Mapping, Sequence

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByLastId, ByNumber, Pages
from coze_async.models import Conversation, Message, Section

__all__ = ["ConversationMessagesResource", "ConversationsResource", "MessageFeedbackResource"]


class MessageFeedbackResource(Resource, place="conversations.messages.feedback"):
    """Thumbs up or down for an answer."""

    @post("/v1/conversations/{conversation_id}/messages/{message_id}/feedback")
    async def create(
        self,
        *,
        conversation_id: str,
        message_id: str,
        feedback_type: str,
        reason_types: Sequence[str] | None = None,
        comment: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Rate a message.

        Args:
            conversation_id: The conversation.
            message_id: The message.
            feedback_type: `like` or `unlike`, see `FeedbackType`.
            reason_types: Names of reasons.
            comment: Any text.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page message_feedback.
        """
        ...

    @delete("/v1/conversations/{conversation_id}/messages/{message_id}/feedback", safe=True)
    async def delete(self, *, conversation_id: str, message_id: str, timeouts: Timeouts | None = None) -> None:
        """Remove the rating of a message.

        Args:
            conversation_id: The conversation.
            message_id: The message.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page delete_message_feedback.
        """
        ...


class ConversationMessagesResource(Resource, place="conversations.messages"):
    """The messages of a conversation; they are kept 180 days."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.feedback: MessageFeedbackResource = MessageFeedbackResource(core)

    @post("/v1/conversation/message/create", query=("conversation_id",))
    async def create(
        self,
        *,
        conversation_id: str,
        role: str,
        content: str,
        content_type: str,
        meta_data: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> Message:
        """Add a message to a conversation.

        Args:
            conversation_id: The conversation.
            role: `user` or `assistant`.
            content: A text; JSON for `object_string`, see `Message`.
            content_type: `text` or `object_string`.
            meta_data: 16 pairs at most, keys of 1-64 and values of 1-512 characters.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_message.
        """
        ...

    @get("/v1/conversation/message/retrieve")
    async def retrieve(self, *, conversation_id: str, message_id: str, timeouts: Timeouts | None = None) -> Message:
        """Read one message.

        Args:
            conversation_id: The conversation.
            message_id: The message.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page retrieve_message.
        """
        ...

    @post(
        "/v1/conversation/message/modify",
        query=("conversation_id", "message_id"),
        payload=("message", "data"),
        safe=True,
    )
    async def update(
        self,
        *,
        conversation_id: str,
        message_id: str,
        content: str | None = None,
        content_type: str | None = None,
        meta_data: Mapping[str, str] | None = None,
        timeouts: Timeouts | None = None,
    ) -> Message:
        """Change a message and return it.

        Args:
            conversation_id: The conversation.
            message_id: The message.
            content: A text; JSON for `object_string`, see `Message`.
            content_type: `text` or `object_string`.
            meta_data: 16 pairs at most, keys of 1-64 and values of 1-512 characters.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page modify_message.
        """
        ...

    @post("/v1/conversation/message/delete", query=("conversation_id", "message_id"), safe=True)
    async def delete(self, *, conversation_id: str, message_id: str, timeouts: Timeouts | None = None) -> Message:
        """Delete a message and return it.

        Args:
            conversation_id: The conversation.
            message_id: The message.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page delete_message.
        """
        ...

    @post("/v1/conversation/message/list", query=("conversation_id",), payload=(), pages=ByLastId(items="data"))
    def list(
        self,
        *,
        conversation_id: str,
        order: str | None = None,
        chat_id: str | None = None,
        before_id: str | None = None,
        after_id: str | None = None,
        limit: int = 50,
        bot_id: str | None = None,
        include_middle_message: bool | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[Message]:
        """List messages of a conversation, newest first.

        Args:
            conversation_id: The conversation.
            order: `desc`, as None, for the newest first, or `asc`; see `MessageOrder`.
            chat_id: Only the messages of this chat.
            before_id: End before this message.
            after_id: Begin after this message.
            limit: Items per page, 1 to 50.
            bot_id: The bot.
            include_middle_message: True includes what stands between question and answer.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_message.
        """
        ...


class ConversationsResource(Resource):
    """Conversations: what bots remember."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.messages: ConversationMessagesResource = ConversationMessagesResource(core)

    @post("/v1/conversation/create")
    async def create(
        self,
        *,
        messages: Sequence[Message] | None = None,
        meta_data: Mapping[str, str] | None = None,
        bot_id: str | None = None,
        name: str | None = None,
        connector_id: str | None = None,
        app_id: str | None = None,
        conversation_name: str | None = None,
        get_or_create: bool | None = None,
        draft_mode: bool | None = None,
        workflow_id: str | None = None,
        user_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Conversation:
        """Begin a conversation; Coze Studio ignores `messages`.

        Args:
            messages: What it begins with, 16 at most.
            meta_data: 16 pairs at most, keys of 1-64 and values of 1-512 characters.
            bot_id: The bot.
            name: A name, 100 characters at most.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            app_id: The app that the chatflow belongs to.
            conversation_name: The name of a conversation of a chatflow.
            get_or_create: True returns the one that has this name, if there is one.
            draft_mode: True for the draft of the chatflow.
            workflow_id: The chatflow.
            user_id: The end user; Coze Studio looks at it.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_conversation.
        """
        ...

    @get("/v1/conversation/retrieve", payload=("data", "ConversationData"))
    async def retrieve(self, *, conversation_id: str, timeouts: Timeouts | None = None) -> Conversation:
        """Read one conversation.

        Args:
            conversation_id: The conversation.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page retrieve_conversation.
        """
        ...

    @put("/v1/conversations/{conversation_id}", safe=True)
    async def update(
        self, *, conversation_id: str, name: str | None = None, timeouts: Timeouts | None = None
    ) -> Conversation:
        """Rename a conversation.

        Args:
            conversation_id: The conversation.
            name: A name, 100 characters at most.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page edit_conversation.
        """
        ...

    @delete("/v1/conversations/{conversation_id}", safe=True)
    async def delete(self, *, conversation_id: str, timeouts: Timeouts | None = None) -> None:
        """Delete a conversation.

        Args:
            conversation_id: The conversation.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page delete_conversation.
        """
        ...

    @get("/v1/conversations", pages=ByNumber(items="conversations"))
    def list(
        self,
        *,
        bot_id: str,
        page_num: int = 1,
        page_size: int = 50,
        sort_order: str | None = None,
        sort_field: str | None = None,
        connector_id: str | None = None,
        user_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Pages[Conversation]:
        """List conversations of a bot.

        Args:
            bot_id: The bot.
            page_num: The page to begin with, from 1.
            page_size: Items per page, 50 at most.
            sort_order: `ASC`, or `DESC` as None.
            sort_field: Such as `created_at`.
            connector_id: The channel: 1024 is the API, 999 the Chat SDK.
            user_id: The end user; Coze Studio looks at it.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_conversations.
        """
        ...

    @post("/v1/conversations/{conversation_id}/clear")
    async def clear(self, *, conversation_id: str, timeouts: Timeouts | None = None) -> Section:
        """Begin a new section: the bot forgets what was said, the messages are kept.

        Args:
            conversation_id: The conversation.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page clear_conversation_context.
        """
        ...
