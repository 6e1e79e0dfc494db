"""Voices, voiceprints, rooms, live streams, speech and transcriptions."""

from coze_async._config import Timeouts
from coze_async._core import Core
from coze_async._download import Download
from coze_async._endpoint import Resource, delete, get, post, put
from coze_async._pages import ByNumber, Pages
from coze_async._upload import RECORDINGS, VOICE_SAMPLES, VOICEPRINTS, FileSource
from coze_async.models import (
    LiveInfo,
    RoomConfig,
    RoomCreated,
    SpeakerIdentified,
    Transcription,
    Voice,
    VoiceCloned,
    VoicePrintGroup,
    VoicePrintGroupCreated,
    VoicePrintGroupFeature,
    VoicePrintGroupFeatureCreated,
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


class VoiceprintFeaturesResource(Resource, place="audio.voiceprint_groups.features"):
    """The voiceprints of a group."""

    @post("/v1/audio/voiceprint_groups/{group_id}/features", form=VOICEPRINTS)
    async def create(
        self,
        *,
        group_id: str,
        name: str,
        file: FileSource,
        desc: str | None = None,
        sample_rate: int | None = None,
        channel: int | None = None,
        timeouts: Timeouts | None = None,
    ) -> VoicePrintGroupFeatureCreated:
        """Add the voice of one person to a group, 10 at most.

        Args:
            group_id: Voiceprint group id.
            name: Whose voice it is.
            file: A recording, wav or pcm (16 kHz, mono, 16 bit), up to 4 MB.
            desc: Description.
            sample_rate: Of a pcm recording, in Hz; 16000 if not given.
            channel: Of a pcm recording, 1 mono or 2 stereo; mono if not given.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_voiceprint.
        """
        ...

    @put("/v1/audio/voiceprint_groups/{group_id}/features/{feature_id}", form=VOICEPRINTS, safe=True)
    async def update(
        self,
        *,
        group_id: str,
        feature_id: str,
        name: str | None = None,
        desc: str | None = None,
        file: FileSource | None = None,
        sample_rate: int | None = None,
        channel: int | None = None,
        timeouts: Timeouts | None = None,
    ) -> None:
        """Change a voiceprint: what is not given stays as it is.

        Args:
            group_id: Voiceprint group id.
            feature_id: Voiceprint feature id.
            name: Whose voice it is.
            desc: Description; an empty text takes it away.
            file: Another recording, wav or pcm (16 kHz, mono, 16 bit), up to 4 MB.
            sample_rate: Of a pcm recording, in Hz; 16000 if not given.
            channel: Of a pcm recording, 1 mono or 2 stereo; mono if not given.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_voiceprint.
        """
        ...

    @delete("/v1/audio/voiceprint_groups/{group_id}/features/{feature_id}", safe=True)
    async def delete(self, *, group_id: str, feature_id: str, timeouts: Timeouts | None = None) -> None:
        """Delete a voiceprint.

        Args:
            group_id: Voiceprint group id.
            feature_id: Voiceprint feature id.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page delete_voiceprint.
        """
        ...

    @get("/v1/audio/voiceprint_groups/{group_id}/features", pages=ByNumber())
    def list(
        self, *, group_id: str, page_num: int = 1, page_size: int = 10, timeouts: Timeouts | None = None
    ) -> Pages[VoicePrintGroupFeature]:
        """List voiceprints of a group.

        Args:
            group_id: Voiceprint group id.
            page_num: Page number, from 1.
            page_size: Items per page.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_voiceprint.
        """
        ...


class LiveResource(Resource, place="audio.live"):
    """Live sessions."""

    @get("/v1/audio/live/{live_id}")
    async def retrieve(self, *, live_id: str, timeouts: Timeouts | None = None) -> LiveInfo:
        """Read live stream information.

        Args:
            live_id: Live id.
            timeouts: For this call, instead of the client's.

        Source: cozepy 0.20, coze-js cabc1ec.
        """
        ...


class RoomsResource(Resource, place="audio.rooms"):
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
        timeouts: Timeouts | None = None,
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
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_room.
        """
        ...


class SpeechResource(Resource, place="audio.speech"):
    """Text to speech."""

    @post("/v1/audio/speech")
    async def create(
        self,
        *,
        input: str,  # noqa: A002 - the wire's name
        voice_id: str,
        response_format: str = "mp3",
        speed: float = 1,
        sample_rate: int = 24000,
        loudness_rate: int | None = None,
        emotion: str | None = None,
        emotion_scale: float | None = None,
        context_texts: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> Download:
        """Turn a text into speech; the sound is iterated, read or saved as it comes.

            async with await coze.audio.speech.create(input="你好", voice_id="…") as speech:
                await speech.save("hello.mp3")

        Args:
            input: Up to 1024 bytes of UTF-8, about 340 Chinese characters.
            voice_id: Who speaks; see `coze.audio.voices.list()`.
            response_format: mp3, wav, pcm or ogg_opus; see `AudioFormat`.
            speed: 0.5 to 2 for the voices of large models, 0.2 to 3 for others.
            sample_rate: In Hz: 8000, 16000, 22050, 24000, 32000, 44100 or 48000.
            loudness_rate: Per cent louder, -50 to 100.
            emotion: Such as happy, sad or neutral, for a voice that supports it.
            emotion_scale: How strong the emotion is, 1 to 5; 4 if not given.
            context_texts: How it shall be spoken, in words, for voices of Doubao speech 2.0.
            timeouts: For this call, instead of the client's.

        Raises:
            APIError: the server refused; it answers with JSON then, and not with sound.

        Source: coze.cn page text_to_speech.
        """
        ...


class TranscriptionsResource(Resource, place="audio.transcriptions"):
    """Speech to text."""

    @post("/v1/audio/transcriptions", form=RECORDINGS)
    async def create(self, *, file: FileSource, timeouts: Timeouts | None = None) -> Transcription:
        """Write down what is said in a recording.

        Args:
            file: Up to 10 MB and less than 30 minutes. Every model takes ogg, mp3, wav, m4a and mp4; large ones take
                opus, pcm, raw, spx, aac and amr too.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page audio_transcriptions.
        """
        ...


class VoiceprintGroupsResource(Resource, place="audio.voiceprint_groups"):
    """Groups of voiceprints."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.features: VoiceprintFeaturesResource = VoiceprintFeaturesResource(core)

    @post("/v1/audio/voiceprint_groups/{group_id}/speaker_identify", form=VOICEPRINTS)
    async def speaker_identify(
        self,
        *,
        group_id: str,
        file: FileSource,
        top_k: int | None = None,
        sample_rate: int | None = None,
        channel: int | None = None,
        timeouts: Timeouts | None = None,
    ) -> SpeakerIdentified:
        """Find which voiceprint of a group speaks in a recording; each score is 0 to 100.

        Args:
            group_id: Voiceprint group id.
            file: A recording, wav or pcm (16 kHz, mono, 16 bit), up to 4 MB.
            top_k: How many of the best matches to return; None returns all.
            sample_rate: Of a pcm recording, in Hz; 16000 if not given.
            channel: Of a pcm recording, 1 mono or 2 stereo; mono if not given.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page identify_voiceprint.
        """
        ...

    @post("/v1/audio/voiceprint_groups")
    async def create(
        self,
        *,
        name: str,
        desc: str | None = None,
        coze_account_id: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> VoicePrintGroupCreated:
        """Create a voiceprint group.

        Args:
            name: Name.
            desc: Description.
            coze_account_id: Enterprise or organization account id.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page create_voiceprint_group.
        """
        ...

    @put("/v1/audio/voiceprint_groups/{group_id}", safe=True)
    async def update(
        self, *, group_id: str, name: str | None = None, desc: str | None = None, timeouts: Timeouts | None = None
    ) -> None:
        """Change a voiceprint group.

        Args:
            group_id: Voiceprint group id.
            name: Name.
            desc: Description.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page update_voiceprint_group.
        """
        ...

    @delete("/v1/audio/voiceprint_groups/{group_id}", safe=True)
    async def delete(self, *, group_id: str, timeouts: Timeouts | None = None) -> None:
        """Delete a voiceprint group.

        Args:
            group_id: Voiceprint group id.
            timeouts: For this call, instead of the client's.

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
        timeouts: Timeouts | None = None,
    ) -> Pages[VoicePrintGroup]:
        """List voiceprint groups.

        Args:
            name: Name.
            group_id: Voiceprint group id.
            user_id: User id.
            page_num: Page number, from 1.
            page_size: Items per page.
            coze_account_id: Enterprise or organization account id.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_voiceprint_group.
        """
        ...


class VoicesResource(Resource, place="audio.voices"):
    """Voices to speak with."""

    @post("/v1/audio/voices/clone", form=VOICE_SAMPLES)
    async def clone(
        self,
        *,
        voice_name: str,
        file: FileSource,
        audio_format: str,
        language: str | None = None,
        voice_id: str | None = None,
        preview_text: str | None = None,
        text: str | None = None,
        space_id: str | None = None,
        description: str | None = None,
        timeouts: Timeouts | None = None,
    ) -> VoiceCloned:
        """Make a voice from a recording of one person; it counts against the voices that were bought.

        Args:
            voice_name: Up to 128 bytes of UTF-8.
            file: A recording, wav, mp3, ogg, m4a, aac or pcm (24 kHz, mono), up to 10 MB, best 10 to 30 s.
            audio_format: The format of the recording; see `AudioFormat`.
            language: zh, en, ja, es, id or pt.
            voice_id: Train this voice again instead of making one; each can be trained 10 times.
            preview_text: What the new voice says in its preview.
            text: What is said in the recording; if it differs too much, code 1109.
            space_id: Workspace that keeps the voice; None is the personal one.
            description: Description.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page clone_voices.
        """
        ...

    @get("/v1/audio/voices", pages=ByNumber(items="voice_list", key="voice_id"))
    def list(
        self,
        *,
        filter_system_voice: bool | None = None,
        voice_state: str | None = None,
        model_type: str | None = None,
        page_num: int = 1,
        page_size: int = 100,
        timeouts: Timeouts | None = None,
    ) -> Pages[Voice]:
        """List system and cloned voices.

        Args:
            filter_system_voice: Hide built-in voices.
            voice_state: Voice state filter, see `VoiceState`.
            model_type: Big or small voice model, see `VoiceModelType`.
            page_num: Page number, from 1.
            page_size: Items per page.
            timeouts: For this call, instead of the client's.

        Source: coze.cn page list_voices.
        """
        ...


class AudioResource(Resource):
    """Voices, speech, rooms."""

    def __init__(self, core: Core) -> None:
        super().__init__(core)
        self.live: LiveResource = LiveResource(core)
        self.rooms: RoomsResource = RoomsResource(core)
        self.speech: SpeechResource = SpeechResource(core)
        self.transcriptions: TranscriptionsResource = TranscriptionsResource(core)
        self.voiceprint_groups: VoiceprintGroupsResource = VoiceprintGroupsResource(core)
        self.voices: VoicesResource = VoicesResource(core)
