"""Voices, voiceprints, rooms, live streams, speech and transcriptions."""

from coze_async._core import Core
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByNumber, Pages
from coze_async.models import (
    LiveInfo,
    RoomConfig,
    RoomCreated,
    Voice,
    VoicePrintGroup,
    VoicePrintGroupCreated,
    VoicePrintGroupFeature,
)

__all__ = [
    "AudioResource",
    "LiveResource",
    "RoomsResource",
    "SpeechResource",
    "TranscriptionsResource",
    "VoiceprintFeaturesResource",
    "VoiceprintGroupsResource",
    "VoicesResource",
]


class VoiceprintFeaturesResource(Resource):
    """The voiceprints of a group."""

    @delete("/v1/audio/voiceprint_groups/{group_id}/features/{feature_id}", safe=True)
    async def delete(self, *, group_id: str, feature_id: str) -> None:
        """Delete a voiceprint.

        Args:
            group_id: Voiceprint group id.
            feature_id: Voiceprint feature id.

        Source: coze.cn page delete_voiceprint.
        """
        ...

    @get("/v1/audio/voiceprint_groups/{group_id}/features", pages=ByNumber())
    def list(self, *, group_id: str, page_num: int = 1, page_size: int = 10) -> Pages[VoicePrintGroupFeature]:
        """List voiceprints of a group.

        Args:
            group_id: Voiceprint group id.
            page_num: Page number, from 1.
            page_size: Items per page.

        Source: coze.cn page list_voiceprint.
        """
        ...


class LiveResource(Resource):
    """Live sessions."""

    @get("/v1/audio/live/{live_id}")
    async def retrieve(self, *, live_id: str) -> LiveInfo:
        """Read live stream information.

        Args:
            live_id: Live id.

        Source: cozepy 0.20, coze-js cabc1ec.
        """
        ...


class RoomsResource(Resource):
    """Rooms for voice calls."""

    @post("/v1/audio/rooms")
    async def create(
        self,
        *,
        bot_id: str,
        voice_id: str | None = None,
        conversation_id: str | None = None,
        uid: str | None = None,
        workflow_id: str | None = None,
        config: RoomConfig | None = None,
        connector_id: str | None = None,
    ) -> RoomCreated:
        """Create an RTC room and bind a bot to it.

        Args:
            bot_id: Bot (agent) id.
            voice_id: Voice id.
            conversation_id: Conversation id.
            uid: End user id for isolation.
            workflow_id: Workflow id.
            config: Room options.
            connector_id: Publish channel id; 1024 API, 999 Chat SDK.

        Source: coze.cn page create_room.
        """
        ...


class SpeechResource(Resource):
    """Text to speech."""


class TranscriptionsResource(Resource):
    """Speech to text."""


class VoiceprintGroupsResource(Resource):
    """Groups of voiceprints."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.features = VoiceprintFeaturesResource(core)

    @post("/v1/audio/voiceprint_groups")
    async def create(
        self, *, name: str, desc: str | None = None, coze_account_id: str | None = None
    ) -> VoicePrintGroupCreated:
        """Create a voiceprint group.

        Args:
            name: Name.
            desc: Description.
            coze_account_id: Enterprise or organization account id.

        Source: coze.cn page create_voiceprint_group.
        """
        ...

    @put("/v1/audio/voiceprint_groups/{group_id}", safe=True)
    async def update(self, *, group_id: str, name: str | None = None, desc: str | None = None) -> None:
        """Change a voiceprint group.

        Args:
            group_id: Voiceprint group id.
            name: Name.
            desc: Description.

        Source: coze.cn page update_voiceprint_group.
        """
        ...

    @delete("/v1/audio/voiceprint_groups/{group_id}", safe=True)
    async def delete(self, *, group_id: str) -> None:
        """Delete a voiceprint group.

        Args:
            group_id: Voiceprint group id.

        Source: coze.cn page delete_voiceprint_group.
        """
        ...

    @get("/v1/audio/voiceprint_groups", pages=ByNumber())
    def list(
        self,
        *,
        name: str | None = None,
        group_id: str | None = None,
        user_id: str | None = None,
        page_num: int = 1,
        page_size: int = 10,
        coze_account_id: str | None = None,
    ) -> Pages[VoicePrintGroup]:
        """List voiceprint groups.

        Args:
            name: Name.
            group_id: Voiceprint group id.
            user_id: User id.
            page_num: Page number, from 1.
            page_size: Items per page.
            coze_account_id: Enterprise or organization account id.

        Source: coze.cn page list_voiceprint_group.
        """
        ...


class VoicesResource(Resource):
    """Voices to speak with."""

    @get("/v1/audio/voices", pages=ByNumber(items="voice_list"))
    def list(
        self,
        *,
        filter_system_voice: bool | None = None,
        voice_state: str | None = None,
        model_type: str | None = None,
        page_num: int = 1,
        page_size: int = 100,
    ) -> Pages[Voice]:
        """List system and cloned voices.

        Args:
            filter_system_voice: Hide built-in voices.
            voice_state: Voice state filter, see `VoiceState`.
            model_type: Big or small voice model, see `VoiceModelType`.
            page_num: Page number, from 1.
            page_size: Items per page.

        Source: coze.cn page list_voices.
        """
        ...


class AudioResource(Resource):
    """Voices, speech, rooms."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.live = LiveResource(core)
        self.rooms = RoomsResource(core)
        self.speech = SpeechResource(core)
        self.transcriptions = TranscriptionsResource(core)
        self.voiceprint_groups = VoiceprintGroupsResource(core)
        self.voices = VoicesResource(core)
