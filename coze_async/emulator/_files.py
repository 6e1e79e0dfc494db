"""The routes of files and speech: what is uploaded is looked at and forgotten, what is spoken is a tone."""

import re
from collections.abc import Iterator
from pathlib import PurePath
from typing import Any

from ._body import Body, EmulatedResponse, Step
from ._form import ReceivedFile, ReceivedForm
from ._sound import mp3, ogg_opus, pcm, pieces_of_sound, spoken, wav
from ._wire import Refusal
from ._world import RecordedRequest, World

MOST = 512 << 20
"""Bytes of a file (coze.cn page upload_files)."""
MOST_OF_STUDIO = 200 << 20
"""Bytes of a file on a server of one's own (Coze Studio source 4f786d6)."""
MOST_OF_A_RECORDING = 10 << 20
"""Bytes of a recording (coze.cn page audio_transcriptions)."""
TYPES = re.compile(
    "docx?|xlsx?|pptx?|pdf|numbers|csv|cpp|py|java|c|jpe?g|jpg2|png|gif|webp|hei[cf]|bmp|pcd|tiff?|wav|mp3|flac|m4a|aac|"
    "ogg|wma|midi?|mp4|avi|mov|3gpp?|flv|webm|wmv|rmvb|m4v|mkv|rar|zip|7z|gz|gzip|bz2"
)
"""What a file may be (coze.cn page upload_files)."""
RECORDINGS = re.compile("opus|ogg|mp3|wav|m4a|mp4|pcm|raw|spx|aac|amr")
"""What a recording may be (coze.cn page audio_transcriptions)."""
_SPOKEN = "mp3, wav, pcm, ogg_opus"
_SAMPLE_RATES = (8000, 16000, 22050, 24000, 32000, 44100, 48000)


async def upload(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/files/upload."""
    received = file_of(request, MOST, TYPES)
    written: dict[str, Any] = {"id": world.state.new_id(), "bytes": received.size, "file_name": received.name}
    written["created_at"] = world.state.unix_time()
    return world.wire.succeed(world.state.keep("file", written))


async def retrieve(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/files/retrieve."""
    file_id = request.query.get("file_id", "")
    return world.wire.succeed(world.find("file", file_id))


async def speak(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/audio/speech."""
    text, body = request.text("input"), request.fields()
    request.text("voice_id")
    if len(text.encode()) > 1024:
        raise Refusal(4000, "Request parameter error: input has more than 1024 bytes.")
    # Official SDKs write null for what was not given.
    rate, speed = body.get("sample_rate") or 24000, body.get("speed")
    speed = 1 if speed is None else speed
    if rate not in _SAMPLE_RATES:
        raise Refusal(4000, f"Request parameter error: sample_rate is none of {_SAMPLE_RATES}.")
    if not isinstance(speed, int | float) or not 0.2 <= speed <= 3:
        raise Refusal(4000, "Request parameter error: speed is not between 0.2 and 3.")
    match body.get("response_format") or "mp3":
        case "mp3":
            kind, sound = "audio/mpeg", mp3(text)
        case "wav":
            kind, sound = "audio/wav", wav(text, rate, speed=speed)
        case "pcm":
            kind, sound = "audio/pcm", pcm(text, rate, speed=speed)
        case "ogg_opus":
            kind, sound = "audio/ogg", ogg_opus(text)
        case other:
            raise Refusal(4000, f"Request parameter error: response_format {other!r} is none of {_SPOKEN}.")
    _, headers = world.wire.log_headers()
    headers |= {"content-type": kind, "content-length": str(len(sound))}
    return EmulatedResponse(200, headers, Body(_pieces(sound, world.pace), world.opened))


async def transcribe(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/audio/transcriptions."""
    received = file_of(request, MOST_OF_A_RECORDING, RECORDINGS)
    text = spoken(received.head)
    return world.wire.succeed({"text": f"You hear {received.name}." if text is None else text})


def _pieces(sound: bytes, pace: float) -> Iterator[Step]:
    for piece in pieces_of_sound(sound):
        yield pace, piece


def file_of(request: RecordedRequest, most: int, types: re.Pattern[str]) -> ReceivedFile:
    """The file of a form, if it is one that is taken."""
    form = request.body
    if not isinstance(form, ReceivedForm):
        raise Refusal(4000, "The request must be multipart/form-data.")
    files = [file for file in form.files if file.part == "file"]
    if not form.is_whole:
        raise Refusal(4304, "The file is broken: the form did not come to its end.")
    if not files:
        raise Refusal(4000, "Request parameter error: file is required.")
    if len(files) > 1:
        raise Refusal(4301, "Only one file can be uploaded at a time.")
    (file,) = files
    if not file.size:
        raise Refusal(4300, "The uploaded file is empty.")
    if file.size > most:
        raise Refusal(4302, f"The file exceeds {most} bytes.")
    if not types.fullmatch(PurePath(file.name).suffix[1:].lower()):
        raise Refusal(4303, f"The format of {file.name} is not supported.")
    return file
