"""An asyncio-first client for Coze (扣子): streamed and polled chats, workflows, limits, and a local emulator.

async with AsyncCoze("pat_…") as coze:
    async for text in coze.chat.stream("你好", bot_id="…", user_id="…").text():
        print(text, end="")
"""

from coze_async._auth import Auth, SessionAuth, TokenAuth
from coze_async._chat_stream import ChatStream
from coze_async._client import AsyncCoze
from coze_async._config import COZE_CN_BASE_URL, COZE_COM_BASE_URL, Polling, Timeouts
from coze_async._download import Download
from coze_async._errors import (
    APIError,
    AuthenticationError,
    BadRequestError,
    ChatFailedError,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    PollTimeoutError,
    QuotaError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StreamError,
    StreamInterruptedError,
    StreamProtocolError,
    TransportError,
    WorkflowError,
)
from coze_async._exchange import Exchange
from coze_async._jwt import JWTAuth
from coze_async._limits import Limiter, Limits, LocalLimiter, Rate, Slot
from coze_async._oauth import DeviceOAuth, OAuthAuth, PKCEOAuth, WebOAuth
from coze_async._oauth_config import load_oauth_config
from coze_async._pages import Page, Pages
from coze_async._retry import Retry
from coze_async._stream import EventStream
from coze_async._token import DeviceCode, OAuthToken
from coze_async._token_store import FileTokenStore, MemoryTokenStore, TokenStore
from coze_async._upload import Upload
from coze_async._upload_cache import MemoryUploadCache, UploadCache
from coze_async._version import __version__
from coze_async._workflow_stream import WorkflowStream
from coze_async.models import (
    AudioDelta,
    Bot,
    Chat,
    ChatCanceled,
    ChatCompleted,
    ChatCreated,
    ChatEvent,
    ChatFailed,
    ChatInProgress,
    ChatRequiresAction,
    ChatResult,
    ChatStatus,
    KnowledgeChunk,
    Message,
    MessageCompleted,
    MessageDelta,
    MessageObject,
    MessageType,
    StreamDone,
    ToolCall,
    ToolOutput,
    UnknownEvent,
    Usage,
    WorkflowDone,
    WorkflowEvent,
    WorkflowInterrupt,
    WorkflowMessage,
    WorkflowRun,
)

__all__ = [
    "COZE_CN_BASE_URL",
    "COZE_COM_BASE_URL",
    "APIError",
    "AsyncCoze",
    "AudioDelta",
    "Auth",
    "AuthenticationError",
    "BadRequestError",
    "Bot",
    "Chat",
    "ChatCanceled",
    "ChatCompleted",
    "ChatCreated",
    "ChatEvent",
    "ChatFailed",
    "ChatFailedError",
    "ChatInProgress",
    "ChatRequiresAction",
    "ChatResult",
    "ChatStatus",
    "ChatStream",
    "ConfigurationError",
    "ConversationBusyError",
    "CozeError",
    "DecodeError",
    "DeviceCode",
    "DeviceOAuth",
    "Download",
    "EventStream",
    "Exchange",
    "FileTokenStore",
    "JWTAuth",
    "KnowledgeChunk",
    "Limiter",
    "Limits",
    "LocalLimiter",
    "MemoryTokenStore",
    "MemoryUploadCache",
    "Message",
    "MessageCompleted",
    "MessageDelta",
    "MessageObject",
    "MessageType",
    "NotFoundError",
    "OAuthAuth",
    "OAuthToken",
    "PKCEOAuth",
    "Page",
    "Pages",
    "PermissionDeniedError",
    "PollTimeoutError",
    "Polling",
    "QuotaError",
    "Rate",
    "RateLimitError",
    "RequestTimeoutError",
    "Retry",
    "ServerError",
    "SessionAuth",
    "Slot",
    "StreamDone",
    "StreamError",
    "StreamInterruptedError",
    "StreamProtocolError",
    "Timeouts",
    "TokenAuth",
    "TokenStore",
    "ToolCall",
    "ToolOutput",
    "TransportError",
    "UnknownEvent",
    "Upload",
    "UploadCache",
    "Usage",
    "WebOAuth",
    "WorkflowDone",
    "WorkflowError",
    "WorkflowEvent",
    "WorkflowInterrupt",
    "WorkflowMessage",
    "WorkflowRun",
    "WorkflowStream",
    "__version__",
    "load_oauth_config",
]
