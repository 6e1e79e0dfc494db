"""An asyncio-first client for Coze (扣子): streamed and polled chats, workflows, limits, and a local emulator.

async with AsyncCoze("pat_…") as coze:
    async for text in coze.chat.stream("你好", bot_id="…", user_id="…").text():
        print(text, end="")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from coze_async._version import __version__

if TYPE_CHECKING:
    from coze_async._auth import (
        Auth,
        SessionAuth,
        TokenAuth,
    )
    from coze_async._batch import (
        FanOut,
        Outcome,
        fan_out,
    )
    from coze_async._chat_stream import (
        ChatStream,
    )
    from coze_async._client import (
        AsyncCoze,
    )
    from coze_async._config import (
        COZE_CN_BASE_URL,
        COZE_COM_BASE_URL,
        Polling,
        Timeouts,
    )
    from coze_async._download import (
        Download,
    )
    from coze_async._errors import (
        APIError,
        AuthenticationError,
        BadRequestError,
        ChatFailedError,
        ClosedError,
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
        StorageError,
        StreamError,
        StreamInterruptedError,
        StreamProtocolError,
        TransportError,
        WorkflowError,
    )
    from coze_async._exchange import (
        Exchange,
        RawResponse,
    )
    from coze_async._jwt import (
        JWTAuth,
    )
    from coze_async._limits import (
        Limiter,
        Limits,
        LimitStatistics,
        LocalLimiter,
        Rate,
        Slot,
    )
    from coze_async._limits_redis import (
        RedisLimiter,
    )
    from coze_async._oauth import (
        DeviceOAuth,
        OAuthAuth,
        PKCEOAuth,
        WebOAuth,
    )
    from coze_async._oauth_config import (
        load_oauth_config,
    )
    from coze_async._pages import (
        Page,
        Pages,
    )
    from coze_async._question import (
        ChatItem,
    )
    from coze_async._recorder import (
        Recorder,
    )
    from coze_async._replay import (
        Replay,
        replay,
    )
    from coze_async._retry import (
        Retry,
    )
    from coze_async._stream import (
        EventStream,
    )
    from coze_async._token import (
        DeviceCode,
        OAuthToken,
    )
    from coze_async._token_store import (
        FileTokenStore,
        MemoryTokenStore,
        TokenStore,
    )
    from coze_async._upload import (
        Upload,
    )
    from coze_async._upload_cache import (
        MemoryUploadCache,
        UploadCache,
    )
    from coze_async._workflow_stream import (
        WorkflowStream,
    )
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

# Loaded when first touched: `import coze_async` costs next to nothing, and a program pays for what it uses.
_NAMES = {
    "coze_async._auth": (
        "Auth",
        "SessionAuth",
        "TokenAuth",
    ),
    "coze_async._batch": (
        "FanOut",
        "Outcome",
        "fan_out",
    ),
    "coze_async._chat_stream": ("ChatStream",),
    "coze_async._client": ("AsyncCoze",),
    "coze_async._config": (
        "COZE_CN_BASE_URL",
        "COZE_COM_BASE_URL",
        "Polling",
        "Timeouts",
    ),
    "coze_async._download": ("Download",),
    "coze_async._errors": (
        "APIError",
        "AuthenticationError",
        "BadRequestError",
        "ChatFailedError",
        "ClosedError",
        "ConfigurationError",
        "ConversationBusyError",
        "CozeError",
        "DecodeError",
        "NotFoundError",
        "PermissionDeniedError",
        "PollTimeoutError",
        "QuotaError",
        "RateLimitError",
        "RequestTimeoutError",
        "ServerError",
        "StorageError",
        "StreamError",
        "StreamInterruptedError",
        "StreamProtocolError",
        "TransportError",
        "WorkflowError",
    ),
    "coze_async._exchange": (
        "Exchange",
        "RawResponse",
    ),
    "coze_async._jwt": ("JWTAuth",),
    "coze_async._limits": (
        "Limiter",
        "LimitStatistics",
        "Limits",
        "LocalLimiter",
        "Rate",
        "Slot",
    ),
    "coze_async._limits_redis": ("RedisLimiter",),
    "coze_async._oauth": (
        "DeviceOAuth",
        "OAuthAuth",
        "PKCEOAuth",
        "WebOAuth",
    ),
    "coze_async._oauth_config": ("load_oauth_config",),
    "coze_async._pages": (
        "Page",
        "Pages",
    ),
    "coze_async._question": ("ChatItem",),
    "coze_async._recorder": ("Recorder",),
    "coze_async._replay": (
        "Replay",
        "replay",
    ),
    "coze_async._retry": ("Retry",),
    "coze_async._stream": ("EventStream",),
    "coze_async._token": (
        "DeviceCode",
        "OAuthToken",
    ),
    "coze_async._token_store": (
        "FileTokenStore",
        "MemoryTokenStore",
        "TokenStore",
    ),
    "coze_async._upload": ("Upload",),
    "coze_async._upload_cache": (
        "MemoryUploadCache",
        "UploadCache",
    ),
    "coze_async._workflow_stream": ("WorkflowStream",),
    "coze_async.models": (
        "AudioDelta",
        "Bot",
        "Chat",
        "ChatCanceled",
        "ChatCompleted",
        "ChatCreated",
        "ChatEvent",
        "ChatFailed",
        "ChatInProgress",
        "ChatRequiresAction",
        "ChatResult",
        "ChatStatus",
        "KnowledgeChunk",
        "Message",
        "MessageCompleted",
        "MessageDelta",
        "MessageObject",
        "MessageType",
        "StreamDone",
        "ToolCall",
        "ToolOutput",
        "UnknownEvent",
        "Usage",
        "WorkflowDone",
        "WorkflowEvent",
        "WorkflowInterrupt",
        "WorkflowMessage",
        "WorkflowRun",
    ),
}
_HOMES = {name: module for module, names in _NAMES.items() for name in names}


def __getattr__(name: str) -> Any:
    module = _HOMES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(module), name)
    if isinstance(value, type) and module != "coze_async.models":
        # Shown by the name that it is imported by. A model finds the types of its fields by its own module.
        value.__module__ = __name__
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})


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
    "ChatItem",
    "ChatRequiresAction",
    "ChatResult",
    "ChatStatus",
    "ChatStream",
    "ClosedError",
    "ConfigurationError",
    "ConversationBusyError",
    "CozeError",
    "DecodeError",
    "DeviceCode",
    "DeviceOAuth",
    "Download",
    "EventStream",
    "Exchange",
    "FanOut",
    "FileTokenStore",
    "JWTAuth",
    "KnowledgeChunk",
    "LimitStatistics",
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
    "Outcome",
    "PKCEOAuth",
    "Page",
    "Pages",
    "PermissionDeniedError",
    "PollTimeoutError",
    "Polling",
    "QuotaError",
    "Rate",
    "RateLimitError",
    "RawResponse",
    "Recorder",
    "RedisLimiter",
    "Replay",
    "RequestTimeoutError",
    "Retry",
    "ServerError",
    "SessionAuth",
    "Slot",
    "StorageError",
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
    "fan_out",
    "load_oauth_config",
    "replay",
]
