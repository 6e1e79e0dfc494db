"""Sounds: spoken, written down, cloned and recognized."""

import io
import wave
from pathlib import Path
from typing import Any

import httpx
import pytest
from answering import Answers, answer

from coze_async import AsyncCoze, BadRequestError, ConfigurationError, Limits, Upload
from coze_async.emulator import Emulator
from coze_async.emulator._form import ReceivedForm, read_form


def client(emulator: Emulator) -> AsyncCoze:
    return AsyncCoze("pat_x", base_url=emulator.url, transport=emulator.transport(), limits=Limits.none())


class Recorder(Answers):
    """Reads the form of every request."""

    def __init__(self, *answers: httpx.Response) -> None:
        super().__init__(*answers)
        self.forms: list[ReceivedForm] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.AsyncByteStream)
        self.forms.append(await read_form(request.headers["content-type"], request.stream))
        return await super().handle_async_request(request)


def with_answer(data: Any) -> tuple[AsyncCoze, Recorder]:
    transport = Recorder(answer({"code": 0, "msg": "", "data": data}))
    return AsyncCoze("pat_x", base_url="http://coze.test", transport=transport), transport


# --- speech and back --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["wav", "mp3"])
async def test_what_is_spoken_can_be_heard_again(tmp_path: Path, kind: str) -> None:
    async with client(Emulator()) as coze:
        async with await coze.audio.speech.create(input="你好，杭州", voice_id="7", response_format=kind) as speech:
            path = await speech.save(tmp_path / f"hello.{kind}")
        assert (await coze.audio.transcriptions.create(file=path)).text == "你好，杭州"


async def test_speech_is_a_sound_that_can_be_played() -> None:
    emulator = Emulator()
    async with client(emulator) as coze:
        speech = await coze.audio.speech.create(
            input="Hello", voice_id="7", response_format="wav", sample_rate=16000, speed=0.5
        )
        with wave.open(io.BytesIO(await speech.read())) as sound:
            assert (sound.getframerate(), sound.getnchannels(), sound.getsampwidth()) == (16000, 1, 2)
            assert sound.getnframes() == int(16000 * 0.45 / 0.5)
            assert any(sound.readframes(1000))
    assert speech.content_type == "audio/wav"
    assert emulator.requests[0].body == {
        "input": "Hello",
        "voice_id": "7",
        "response_format": "wav",
        "sample_rate": 16000,
        "speed": 0.5,
    }


async def test_a_text_that_cannot_be_spoken_is_refused() -> None:
    async with client(Emulator()) as coze:
        with pytest.raises(BadRequestError, match="input has more than 1024 bytes"):
            await coze.audio.speech.create(input="你" * 400, voice_id="7")


async def test_a_recording_that_nobody_made_here_has_a_text_too() -> None:
    async with client(Emulator()) as coze:
        assert (await coze.audio.transcriptions.create(file=Upload(b"x" * 20, name="a.ogg"))).text


@pytest.mark.parametrize(
    ("content", "name", "match"),
    [
        (b"ID3", "a.wma", r"a.wma is named .wma and begins like .mp3"),
        (b"x" * (10 * (1 << 20) + 1), "a.wav", "10 MB are the most"),
    ],
)
async def test_what_is_no_recording_is_refused_before_it_is_sent(content: bytes, name: str, match: str) -> None:
    emulator = Emulator()
    async with client(emulator) as coze:
        with pytest.raises(ConfigurationError, match=match):
            await coze.audio.transcriptions.create(file=Upload(content, name=name))
    assert emulator.requests == []


# --- voices and voiceprints: the form, and what comes back ------------------------------------------------------------

RECORDING = Upload(b"RIFF", name="mum.wav")


async def test_a_voice_is_cloned_from_a_recording() -> None:
    coze, transport = with_answer({"voice_id": "734"})
    async with coze:
        cloned = await coze.audio.voices.clone(
            voice_name="妈妈", file=RECORDING, audio_format="wav", text="你好", language="zh"
        )
    assert cloned.voice_id == "734"
    (form,) = transport.forms
    assert form.texts == {"voice_name": "妈妈", "audio_format": "wav", "language": "zh", "text": "你好"}
    assert [(file.part, file.name, file.head) for file in form.files] == [("file", "mum.wav", b"RIFF")]


async def test_a_voiceprint_is_added_with_its_numbers_as_texts() -> None:
    coze, transport = with_answer({"id": "751"})
    async with coze:
        created = await coze.audio.voiceprint_groups.features.create(
            group_id="7/5", name="Mum", file=RECORDING, sample_rate=16000, channel=1
        )
    assert created.id == "751"
    assert transport.requests[0].url.raw_path == b"/v1/audio/voiceprint_groups/7%2F5/features"
    assert transport.forms[0].texts == {"name": "Mum", "sample_rate": "16000", "channel": "1"}


async def test_a_voiceprint_is_changed_with_or_without_a_recording_and_a_text_can_be_emptied() -> None:
    coze, transport = with_answer(None)
    async with coze:
        features = coze.audio.voiceprint_groups.features
        await features.update(group_id="7", feature_id="8", desc="")
        await features.update(group_id="7", feature_id="8", file=RECORDING)
    assert [request.method for request in transport.requests] == ["PUT", "PUT"]
    assert [(form.texts, len(form.files), form.is_whole) for form in transport.forms] == [
        ({"desc": ""}, 0, True),
        ({}, 1, True),
    ]


async def test_a_speaker_is_identified_with_scores() -> None:
    scores = {"feature_score_list": [{"score": 23.1, "feature_id": "751", "feature_name": "Mum"}]}
    coze, transport = with_answer(scores)
    async with coze:
        found = await coze.audio.voiceprint_groups.speaker_identify(group_id="7", file=RECORDING, top_k=3)
    assert [(score.feature_name, score.score) for score in found.feature_score_list] == [("Mum", 23.1)]
    assert transport.forms[0].texts == {"top_k": "3"}


async def test_a_voiceprint_takes_less_than_other_recordings() -> None:
    coze, _ = with_answer(None)
    async with coze:
        with pytest.raises(ConfigurationError, match="4 MB are the most"):
            await coze.audio.voiceprint_groups.features.create(
                group_id="7", name="Mum", file=Upload(bytes((4 << 20) + 1), name="a.wav")
            )
