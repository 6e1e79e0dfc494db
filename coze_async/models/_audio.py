"""Voices, voiceprints, rooms, live streams, speech and transcriptions."""

from datetime import datetime

from pydantic import AliasChoices, Field

from coze_async.models._base import CozeModel, ResponseModel, as_datetime

__all__ = [
    "FeatureScore",
    "LiveInfo",
    "RoomAudioConfig",
    "RoomConfig",
    "RoomCreated",
    "RoomTurnDetection",
    "RoomVideoConfig",
    "SpeakerIdentified",
    "StreamInfo",
    "Transcription",
    "TranslateConfig",
    "UserInfo",
    "Voice",
    "VoiceCloned",
    "VoiceEmotionInfo",
    "VoiceEmotionInfoInterval",
    "VoicePrintGroup",
    "VoicePrintGroupCreated",
    "VoicePrintGroupFeature",
    "VoicePrintGroupFeatureCreated",
]


class StreamInfo(CozeModel):
    """One stream of a live session."""

    stream_id: str = ""
    name: str = ""
    live_type: str = ""
    """Origin or translation; see `LiveType`."""


class LiveInfo(ResponseModel):
    """A live session and its streams."""

    app_id: str
    """RTC app id."""
    stream_infos: list[StreamInfo] = Field(default_factory=list[StreamInfo])


class RoomCreated(ResponseModel):
    """A room for a voice call, and the token to enter it."""

    token: str = ""
    """RTC join token."""
    uid: str = ""
    """The user to enter as."""
    room_id: str = ""
    """RTC room id."""
    app_id: str = ""
    """RTC app id."""


class RoomAudioConfig(CozeModel):
    """How a room handles sound."""

    codec: str | None = None
    """AACLC, G711A, OPUS (default) or G722."""


class RoomVideoConfig(CozeModel):
    """How a room handles pictures."""

    codec: str | None = None
    """H264 (default) or BYTEVC1."""
    stream_video_type: str | None = None
    """Main or screen."""
    video_frame_rate: int | None = None
    """Frames per second, default 1, 1-24."""
    video_frame_expire_duration: int | None = None
    """Frame lifetime in seconds, default 1, 1-10."""


class TranslateConfig(CozeModel):
    """From which language into which a room translates."""

    # `from` is a word of Python; give it as from_.
    from_: str | None = Field(default=None, validation_alias=AliasChoices("from_", "from"), serialization_alias="from")
    """Source language."""
    to: str | None = None
    """Target language."""


class RoomTurnDetection(CozeModel):
    """How a room notices that somebody has finished speaking."""

    type: str | None = None
    """How end of speech is detected; see `RoomTurnDetectionType`."""


class RoomConfig(CozeModel):
    """How a room behaves."""

    audio_config: RoomAudioConfig | None = None
    """Room audio options."""
    video_config: RoomVideoConfig | None = None
    """Room video options."""
    prologue_content: str | None = None
    """Custom opening speech text."""
    room_mode: str | None = None
    """One of `RoomMode`."""
    translate_config: TranslateConfig | None = None
    """Translation options."""
    prologue_delay_duration_ms: int | None = None
    """Delay before opening speech, default 500, 0-5000."""
    turn_detection: RoomTurnDetection | None = None
    """Turn detection options."""


class Transcription(ResponseModel):
    """The text of a recording."""

    text: str = ""
    """Recognized text."""


class VoicePrintGroupCreated(ResponseModel):
    """A new group of voiceprints."""

    id: str
    """Identifier."""


class UserInfo(CozeModel):
    """A user, in short."""

    id: str = ""
    """Identifier."""
    name: str = ""
    nickname: str = ""
    """Nick name."""
    avatar_url: str = ""
    """Avatar image URL."""


class VoicePrintGroup(ResponseModel):
    """A group of voiceprints."""

    id: str
    """Identifier."""
    name: str = ""
    desc: str = ""
    """Description."""
    created_at: int = 0
    """Creation time, Unix seconds."""
    updated_at: int = 0
    """Update time, Unix seconds."""
    icon_url: str = ""
    feature_count: int = 0
    """Number of features."""
    user_info: UserInfo | None = None

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.updated_at)


class FeatureScore(CozeModel):
    """How well a recording matches one voiceprint."""

    feature_id: str = ""
    """Voiceprint feature id."""
    feature_name: str = ""
    feature_desc: str = ""
    """Feature description."""
    score: float = 0.0
    """Similarity score."""


class SpeakerIdentified(ResponseModel):
    """Whose voice a recording may be."""

    feature_score_list: list[FeatureScore] = Field(default_factory=list[FeatureScore])
    """Matches with score."""


class VoicePrintGroupFeatureCreated(ResponseModel):
    """A new voiceprint."""

    id: str
    """Identifier."""


class VoicePrintGroupFeature(ResponseModel):
    """A voiceprint: the voice of one person."""

    id: str
    """Identifier."""
    group_id: str = ""
    """Voiceprint group id."""
    name: str = ""
    audio_url: str = ""
    """URL of the reference audio."""
    created_at: int = 0
    """Creation time, Unix seconds."""
    updated_at: int = 0
    """Update time, Unix seconds."""
    desc: str = ""
    """Description."""
    icon_url: str = ""
    user_info: UserInfo | None = None

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.created_at)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.updated_at)


class VoiceCloned(ResponseModel):
    """A voice made from a recording."""

    voice_id: str | None = None


class VoiceEmotionInfoInterval(CozeModel):
    """How strong an emotion may be."""

    default: float | None = None
    """Default value."""
    max: float | None = None
    """Maximum."""
    min: float | None = None
    """Minimum."""


class VoiceEmotionInfo(CozeModel):
    """An emotion that a voice can speak with."""

    display_name: str | None = None
    emotion: str | None = None
    """Emotion of the voice."""
    emotion_scale_interval: VoiceEmotionInfoInterval | None = None
    """Allowed range of emotion strength."""


class Voice(ResponseModel):
    """A voice to speak with."""

    voice_id: str
    name: str = ""
    is_system_voice: bool = False
    """Built-in voice."""
    language_code: str = ""
    language_name: str = ""
    preview_text: str = ""
    preview_audio: str = ""
    """Preview audio URL."""
    available_training_times: int = 0
    """Training attempts left."""
    create_time: int = 0
    """Creation time, Unix seconds."""
    update_time: int = 0
    """Update time, Unix seconds."""
    model_type: str = ""
    """Big or small voice model; see `VoiceModelType`."""
    state: str = ""
    """Voice state; see `VoiceState`."""
    support_emotions: list[VoiceEmotionInfo] = Field(default_factory=list[VoiceEmotionInfo])
    """Supported emotions."""
    speaker_id: str | None = None
    model_name: str | None = None

    @property
    def created(self) -> datetime | None:
        """When it was created."""
        return as_datetime(self.create_time)

    @property
    def updated(self) -> datetime | None:
        """When it was last changed."""
        return as_datetime(self.update_time)
