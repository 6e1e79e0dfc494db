"""Conversations and their sections."""

from collections.abc import Mapping, Sequence

from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByLastId, ByNumber, Pages
from coze_async.models import Conversation, Message, Section

__all__ = ["ConversationMessagesResource", "ConversationsResource", "MessageFeedbackResource"]


class MessageFeedbackResource(Resource):
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
    ) -> None:
        """Rate a message.

        Args:
            conversation_id: Conversation id.
            message_id: Message id.
            feedback_type: Like or unlike, see `FeedbackType`.
            reason_types: Reason labels.
            comment: Free text feedback.

        Source: coze.cn page message_feedback.
        """
        ...

    @delete("/v1/conversations/{conversation_id}/messages/{message_id}/feedback", safe=True)
    async def delete(self, *, conversation_id: str, message_id: str) -> None:
        """Remove the rating of a message.

        Args:
            conversation_id: Conversation id.
            message_id: Message id.

        Source: coze.cn page delete_message_feedback.
        """
        ...


class ConversationMessagesResource(Resource):
    """The messages of a conversation; they are kept 180 days."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.feedback = MessageFeedbackResource(core)

    @post("/v1/conversation/message/create", query=("conversation_id",))
    async def create(
        self,
        *,
        conversation_id: str,
        role: str,
        content: str,
        content_type: str,
        meta_data: Mapping[str, str] | None = None,
    ) -> Message:
        """Add a message to a conversation.

        Args:
            conversation_id: Conversation id.
            role: User or assistant, see `MessageRole`.
            content: Content text.
            content_type: Type of content, see `MessageContentType`.
            meta_data: Custom map: 16 pairs, key 1-64, value 1-512 chars.

        Source: coze.cn page create_message.
        """
        ...

    @get("/v1/conversation/message/retrieve")
    async def retrieve(self, *, conversation_id: str, message_id: str) -> Message:
        """Read one message.

        Args:
            conversation_id: Conversation id.
            message_id: Message id.

        Source: coze.cn page retrieve_message.
        """
        ...

    @post(
        "/v1/conversation/message/modify",
        query=(
            "conversation_id",
            "message_id",
        ),
        payload=("message", "data"),
    )
    async def update(
        self,
        *,
        conversation_id: str,
        message_id: str,
        content: str | None = None,
        content_type: str | None = None,
        meta_data: Mapping[str, str] | None = None,
    ) -> Message:
        """Change a message.

        Args:
            conversation_id: Conversation id.
            message_id: Message id.
            content: Content text.
            content_type: Type of content, see `MessageContentType`.
            meta_data: Custom map: 16 pairs, key 1-64, value 1-512 chars.

        Source: coze.cn page modify_message.
        """
        ...

    @post(
        "/v1/conversation/message/delete",
        query=(
            "conversation_id",
            "message_id",
        ),
    )
    async def delete(self, *, conversation_id: str, message_id: str) -> Message:
        """Delete a message.

        Args:
            conversation_id: Conversation id.
            message_id: Message id.

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
    ) -> Pages[Message]:
        """List messages of a conversation.

        Args:
            conversation_id: Conversation id.
            order: Sort order: desc (default) or asc, see `MessageOrder`.
            chat_id: Chat id (one run inside a conversation).
            before_id: Return messages before this message id.
            after_id: Return messages after this message id.
            limit: Items per page, 1 to 50.
            bot_id: Bot (agent) id.
            include_middle_message: Include intermediate messages.

        Source: coze.cn page list_message.
        """
        ...


class ConversationsResource(Resource):
    """Conversations: what bots remember."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.messages = ConversationMessagesResource(core)

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
    ) -> Conversation:
        """Create a conversation.

        Args:
            messages: Initial messages, up to 16.
            meta_data: Custom map: 16 pairs, key 1-64, value 1-512 chars.
            bot_id: Bot (agent) id.
            name: Name.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.
            app_id: Coze app (project) id.
            conversation_name: Conversation name (workflow conversations).
            get_or_create: Return existing conversation with that name.
            draft_mode: Use the draft version.
            workflow_id: Workflow id.
            user_id: User id.

        Source: coze.cn page create_conversation.
        """
        ...

    @get("/v1/conversation/retrieve", payload=("data", "ConversationData"))
    async def retrieve(self, *, conversation_id: str) -> Conversation:
        """Read one conversation.

        Args:
            conversation_id: Conversation id.

        Source: coze.cn page retrieve_conversation.
        """
        ...

    @put("/v1/conversations/{conversation_id}", safe=True)
    async def update(self, *, conversation_id: str, name: str | None = None) -> Conversation:
        """Rename a conversation.

        Args:
            conversation_id: Conversation id.
            name: Name.

        Source: coze.cn page edit_conversation.
        """
        ...

    @delete("/v1/conversations/{conversation_id}", safe=True)
    async def delete(self, *, conversation_id: str) -> None:
        """Delete a conversation.

        Args:
            conversation_id: Conversation id.

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
    ) -> Pages[Conversation]:
        """List conversations of a bot.

        Args:
            bot_id: Bot (agent) id.
            page_num: Page number, from 1.
            page_size: Items per page.
            sort_order: ASC or DESC (default).
            sort_field: Field to sort by, e.g. created_at.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.
            user_id: User id.

        Source: coze.cn page list_conversations.
        """
        ...

    @post("/v1/conversations/{conversation_id}/clear")
    async def clear(self, *, conversation_id: str) -> Section:
        """Start a new context section; old messages stay stored.

        Args:
            conversation_id: Conversation id.

        Source: coze.cn page clear_conversation_context.
        """
        ...
