"""The documented values of fields and parameters that stay plain texts and numbers: servers may send others."""

from enum import IntEnum, StrEnum

__all__ = [
    "AppType",
    "AudioFormat",
    "AuditStatus",
    "BotCollaborationMode",
    "BotMode",
    "ChatFlowInputMode",
    "ChatFlowSendVoiceMode",
    "ChatFlowSuggestReplyMode",
    "CopyEntityType",
    "CopyTaskStatus",
    "DatasetStatus",
    "DatasetStorageLocation",
    "DatasetType",
    "DocumentContentSchema",
    "DocumentFormatType",
    "DocumentParsingType",
    "DocumentSourceType",
    "DocumentStatus",
    "DocumentTableColumnType",
    "DocumentUpdateType",
    "EnterpriseMemberRole",
    "FeedbackType",
    "FolderType",
    "LiveType",
    "MessageOrder",
    "ModelCacheType",
    "ModelResponseFormat",
    "OnboardingMode",
    "OrganizationPeopleType",
    "OrganizationRoleType",
    "PhotoStatus",
    "PublishStatus",
    "RoomMode",
    "RoomTurnDetectionType",
    "SuggestReplyMode",
    "SuggestedQuestionsShowMode",
    "TemplateEntityType",
    "UserInputType",
    "VariableChannel",
    "VariableType",
    "VoiceModelType",
    "VoiceState",
    "VolcanoParamSource",
    "VolcanoTabType",
    "WorkflowMode",
    "WorkspaceRoleType",
    "WorkspaceType",
]


class AppType(StrEnum):
    """Kinds of API app."""

    NORMAL = "normal"
    CONNECTOR = "connector"


class AudioFormat(StrEnum):
    """Formats of sound."""

    WAV = "wav"
    PCM = "pcm"
    OGG_OPUS = "ogg_opus"
    MP3 = "mp3"
    M4A = "m4a"
    """Clone input only."""
    AAC = "aac"
    """Clone input only."""
    OGG = "ogg"
    """Clone input; also named for speech output."""
    OPUS = "opus"
    """Speech output per coze-js."""


class AuditStatus(IntEnum):
    """States of a review."""

    PENDING = 1
    APPROVED = 2
    REJECTED = 3
    UNKNOWN = 0


class BotCollaborationMode(StrEnum):
    """Whether one or several people edit."""

    SINGLE = "single"
    COLLABORATION = "collaboration"


class BotMode(IntEnum):
    """How a bot works."""

    SINGLE_AGENT = 0
    MULTI_AGENT = 1
    SINGLE_AGENT_WORKFLOW = 2


class ChatFlowInputMode(IntEnum):
    """How users talk to a chatflow."""

    TEXT = 1
    AUDIO = 2


class ChatFlowSendVoiceMode(IntEnum):
    """How voice is sent to a chatflow."""

    TEXT = 1
    AUDIO = 2


class ChatFlowSuggestReplyMode(IntEnum):
    """Whether a chatflow suggests replies."""

    DISABLE = 0
    SYSTEM = 1
    CUSTOM = 2


class CopyEntityType(StrEnum):
    """What can be copied."""

    APP = "app"
    BOT = "bot"
    WORKFLOW = "workflow"


class CopyTaskStatus(StrEnum):
    """How far a copy is."""

    IN_PROGRESS = "in_progress"
    SUCCESSFUL = "successful"
    FAILED = "failed"


class DatasetStatus(IntEnum):
    """States of a knowledge base."""

    ENABLED = 1
    DISABLED = 3
    DATASET_PROCESSING = 0
    DATASET_DELETED = 2
    DATASET_FAILED = 9


class DatasetStorageLocation(IntEnum):
    """Where a knowledge base is stored."""

    DEFAULT = 0
    OPEN_SEARCH = 1
    DOUYIN = 2


class DatasetType(IntEnum):
    """Who hosts a knowledge base."""

    COZE = 0
    VOLCANO = 1


class DocumentContentSchema(IntEnum):
    """Layouts of content."""

    DEFAULT_SCHEMA = 0
    LINK_READER_SCHEMA = 1


class DocumentFormatType(IntEnum):
    """Kinds of document."""

    DOCUMENT = 0
    SPREADSHEET = 1
    IMAGE = 2
    DATABASE = 3
    VOLCANO_STRUCTURED = 4
    VOLCANO_UNSTRUCTURED = 5
    VOLCANO_DATABASE = 6


class DocumentParsingType(IntEnum):
    """How thoroughly files are read."""

    FAST_PARSING = 0
    ACCURATE_PARSING = 1


class DocumentSourceType(IntEnum):
    """Where documents come from."""

    LOCAL_FILE = 0
    ONLINE_WEB = 1
    CUSTOM = 2
    THIRD_PARTY = 3
    FRONT_CRAWL = 4
    UPLOAD_FILE_ID = 5
    NOTION = 101
    GOOGLE_DRIVE = 102
    FEISHU_WEB = 103
    LARK_WEB = 104
    WE_CHAT = 109


class DocumentStatus(IntEnum):
    """How far a document is."""

    PROCESSING = 0
    COMPLETED = 1
    FAILED = 9
    DISABLE = 2
    DELETED = 3
    RESEGMENT = 4
    REFRESHING = 5
    AUDIT_FAILED = 1000


class DocumentTableColumnType(IntEnum):
    """Types of table columns."""

    UNKNOWN = 0
    TEXT = 1
    NUMBER = 2
    DATE = 3
    FLOAT = 4
    BOOLEAN = 5
    IMAGE = 6


class DocumentUpdateType(IntEnum):
    """Whether a web page is read again."""

    NO_AUTO_UPDATE = 0
    AUTO_UPDATE = 1
    APPEND = 2


class EnterpriseMemberRole(StrEnum):
    """Roles in an enterprise."""

    ENTERPRISE_ADMIN = "enterprise_admin"
    ENTERPRISE_MEMBER = "enterprise_member"


class FeedbackType(StrEnum):
    """Kinds of feedback."""

    LIKE = "like"
    UNLIKE = "unlike"


class FolderType(StrEnum):
    """Kinds of folder."""

    DEVELOPMENT = "development"
    LIBRARY = "library"


class LiveType(StrEnum):
    """Kinds of live session."""

    ORIGIN = "origin"
    TRANSLATION = "translation"


class MessageOrder(StrEnum):
    """Orders of messages."""

    DESC = "desc"
    ASC = "asc"


class ModelCacheType(StrEnum):
    """Prefix caches of models."""

    CLOSED = "closed"
    PREFIX = "prefix"


class ModelResponseFormat(StrEnum):
    """Formats of a model's answer."""

    JSON = "json"
    TEXT = "text"
    MARKDOWN = "markdown"


class OnboardingMode(IntEnum):
    """How the opening text is made."""

    NO_NEED = 1
    USE_MANUAL = 2
    USE_LLM = 3


class OrganizationPeopleType(StrEnum):
    """How people belong to an organization."""

    EMPLOYEE = "employee"
    GUEST = "guest"


class OrganizationRoleType(StrEnum):
    """Roles in an organization."""

    ORGANIZATION_SUPER_ADMIN = "organization_super_admin"
    ORGANIZATION_ADMIN = "organization_admin"
    ORGANIZATION_MEMBER = "organization_member"
    ORGANIZATION_GUEST = "organization_guest"


class PhotoStatus(IntEnum):
    """How far an image is."""

    IN_PROCESSING = 0
    COMPLETED = 1
    PROCESSING_FAILED = 9


class PublishStatus(StrEnum):
    """States of publication."""

    ALL = "all"
    PUBLISHED_ONLINE = "published_online"
    PUBLISHED_DRAFT = "published_draft"
    UNPUBLISHED_DRAFT = "unpublished_draft"


class RoomMode(StrEnum):
    """Kinds of room."""

    DEFAULT = "default"
    S2_S = "s2s"
    PODCAST = "podcast"
    TRANSLATE = "translate"


class RoomTurnDetectionType(StrEnum):
    """Who notices the end of a turn."""

    SERVER_VAD = "server_vad"
    CLIENT_VAD = "client_vad"
    CLIENT_INTERRUPT = "client_interrupt"


class SuggestReplyMode(StrEnum):
    """Whether a bot suggests replies."""

    DISABLE = "disable"
    ENABLE = "enable"
    CUSTOMIZED = "customized"


class SuggestedQuestionsShowMode(IntEnum):
    """Which suggested questions are shown."""

    RANDOM = 0
    ALL = 1


class TemplateEntityType(StrEnum):
    """What a template makes."""

    AGENT = "agent"


class UserInputType(StrEnum):
    """How users talk to a bot."""

    TEXT = "text"
    CALL = "call"
    VOICE = "voice"


class VariableChannel(StrEnum):
    """Where a variable comes from."""

    VARIABLE_CHANNEL_CUSTOM = "custom"
    VARIABLE_CHANNEL_SYSTEM = "system"
    VARIABLE_CHANNEL_LOCATION = "location"
    VARIABLE_CHANNEL_FEISHU = "feishu"
    VARIABLE_CHANNEL_APP = "app"


class VariableType(StrEnum):
    """Kinds of variable."""

    KVVARIABLE = "KVVariable"
    LIST_VARIABLE = "ListVariable"


class VoiceModelType(StrEnum):
    """Kinds of voice model."""

    BIG = "big"
    SMALL = "small"


class VoiceState(StrEnum):
    """States of a voice."""

    INIT = "init"
    CLONED = "cloned"
    ALL = "all"


class VolcanoParamSource(IntEnum):
    """Where a Volcano value comes from."""

    INPUT = 0
    VARIABLE = 1


class VolcanoTabType(IntEnum):
    """Kinds of Volcano tab."""

    LIST_STRING = 1
    STRING = 2
    INTEGER = 3
    FLOAT = 4
    BOOLEAN = 5


class WorkflowMode(StrEnum):
    """Workflow or chatflow."""

    WORKFLOW = "workflow"
    CHATFLOW = "chatflow"


class WorkspaceRoleType(StrEnum):
    """Roles in a workspace."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"


class WorkspaceType(StrEnum):
    """Kinds of workspace."""

    PERSONAL = "personal"
    TEAM = "team"
