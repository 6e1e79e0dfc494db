"""The routes of voices: clones, voiceprints, and rooms to talk in."""

import hashlib
import re

from ._fields import Fields, by_number
from ._files import file_of
from ._form import ReceivedFile, ReceivedForm
from ._state import Row
from ._wire import Refusal
from ._world import OWNER, RecordedRequest, World

_MOST_OF_A_SAMPLE = 10 << 20
_SAMPLES = re.compile("wav|mp3|ogg|m4a|aac|pcm")
_MOST_OF_A_VOICEPRINT = 4 << 20
_VOICEPRINTS = re.compile("wav|pcm")
_TRAININGS = 10
_USER = {
    "id": OWNER["user_id"],
    "name": OWNER["user_name"],
    "nickname": OWNER["nick_name"],
    "avatar_url": OWNER["avatar_url"],
}
_EMOTION = {"emotion": "happy", "display_name": "Happy", "emotion_scale_interval": {"min": 1, "max": 5, "default": 4}}
_SYSTEM: list[Row] = [
    {
        "id": f"74000000000000000{30 + number}",
        "name": name,
        "is_system_voice": True,
        "language_code": code,
        "language_name": language,
        "preview_text": text,
        "available_training_times": 0,
        "create_time": 1760000000,
        "update_time": 1760000000,
        "model_type": model,
        "state": "init",
        "support_emotions": [_EMOTION] if model == "big" else [],
    }
    for number, (name, code, language, text, model) in enumerate(
        [
            ("Shuang", "zh", "中文", "你好，很高兴见到你。", "big"),
            ("Amy", "en", "English", "Hello, nice to meet you.", "big"),
            ("Ken", "en", "English", "Hello, nice to meet you.", "small"),
        ]
    )
]


def has_voice(world: World, voice_id: str) -> bool:
    """Whether there is a voice: one of the system, or a clone."""
    return voice_id in world.state.rows["voice"] or any(voice["id"] == voice_id for voice in _SYSTEM)


def clone(world: World, request: RecordedRequest) -> Row:
    """POST /v1/audio/voices/clone: a new voice, or another training of one."""
    given = _texts(request)
    name, kind = given.text("voice_name"), given.one_of("audio_format", ("wav", "mp3", "ogg", "m4a", "aac", "pcm"))
    if len(name.encode()) > 128:
        raise Refusal(4000, "Request parameter error: voice_name has more than 128 bytes.")
    language = given.maybe_one_of("language", ("zh", "en", "ja", "es", "id", "pt"), "zh")
    received = file_of(request, _MOST_OF_A_SAMPLE, _SAMPLES)
    now, voice_id = world.state.unix_time(), given.maybe_text("voice_id")
    new: Row = {"id": world.state.new_id(), "create_time": now, "available_training_times": _TRAININGS}
    known = world.find("voice", voice_id) if voice_id else new
    left = known["available_training_times"]
    if not left:
        raise Refusal(4000, f"The voice {voice_id} was trained {_TRAININGS} times, it cannot be trained again.")
    row: Row = {
        "name": name,
        "is_system_voice": False,
        "language_code": language,
        "language_name": language,
        "preview_text": given.maybe_text("preview_text") or "",
        "available_training_times": left - 1,
        "update_time": now,
        "model_type": "big",
        "state": "cloned",
        "support_emotions": [],
        "description": given.maybe_text("description") or "",
        "sample": {"format": kind, "sha256": received.sha256},
    }
    return {"voice_id": world.state.keep("voice", {**known, **row})["id"]}


def list_voices(world: World, request: RecordedRequest) -> Row:
    """GET /v1/audio/voices: those of the system, then clones."""
    asked = request.asked()
    hidden = asked.flag("filter_system_voice")
    state = asked.maybe_one_of("voice_state", ("init", "cloned", "all"), "all")
    model = asked.maybe_one_of("model_type", ("big", "small"), "")
    found = [
        voice
        for voice in (*_SYSTEM, *world.state.rows["voice"].values())
        if not (hidden and voice["is_system_voice"])
        and state in ("all", voice["state"])
        and model in ("", voice["model_type"])
    ]
    page = by_number(found, asked, most=100, default=100, items="voice_list", total=None, has_more="has_more")
    return {**page, "voice_list": [_voice(voice) for voice in page["voice_list"]]}


def _voice(voice: Row) -> Row:
    told = {name: value for name, value in voice.items() if name not in ("id", "sample")}
    return {"voice_id": voice["id"], "preview_audio": f"https://example.com/{voice['id']}.mp3", **told}


# Voiceprints


def create_group(world: World, request: RecordedRequest) -> Row:
    """POST /v1/audio/voiceprint_groups."""
    given, now = request.given(), world.state.unix_time()
    row = {"name": given.text("name"), "desc": given.maybe_text("desc") or "", "created_at": now, "updated_at": now}
    return {"id": world.state.keep("voiceprint_group", {"id": world.state.new_id(), **row})["id"]}


def update_group(world: World, request: RecordedRequest, group_id: str) -> Row:
    """PUT /v1/audio/voiceprint_groups/{group_id}."""
    changes = _changes(world, request.given())
    world.state.keep("voiceprint_group", world.find("voiceprint_group", group_id) | changes)
    return {}


def delete_group(world: World, request: RecordedRequest, group_id: str) -> None:
    """DELETE /v1/audio/voiceprint_groups/{group_id}, with its voiceprints."""
    del request
    world.find("voiceprint_group", group_id)
    for voiceprint in world.state.all("voiceprint", group_id=group_id):
        world.state.drop("voiceprint", voiceprint["id"])
    world.state.drop("voiceprint_group", group_id)


def list_groups(world: World, request: RecordedRequest) -> Row:
    """GET /v1/audio/voiceprint_groups, newest first."""
    asked = request.asked()
    name, group_id = asked.maybe_text("name") or "", asked.maybe_text("group_id")
    user_id = asked.maybe_text("user_id")
    found = [
        group
        for group in reversed(world.state.all("voiceprint_group"))
        if name in group["name"] and group_id in (None, "", group["id"]) and user_id in (None, "", _USER["id"])
    ]
    page = by_number(found, asked, most=200, default=10)
    told = [
        {
            **group,
            "icon_url": "https://example.com/group.png",
            "feature_count": len(world.state.all("voiceprint", group_id=group["id"])),
            "user_info": _USER,
        }
        for group in page["items"]
    ]
    return {**page, "items": told}


def create_voiceprint(world: World, request: RecordedRequest, group_id: str) -> Row:
    """POST /v1/audio/voiceprint_groups/{group_id}/features: 10 in a group."""
    given = _texts(request)
    name, desc = given.text("name"), given.maybe_text("desc") or ""
    received = _voiceprint_of(request, given)
    world.find("voiceprint_group", group_id)
    if len(world.state.all("voiceprint", group_id=group_id)) >= 10:
        raise Refusal(4000, f"The group {group_id} holds 10 voiceprints, which is the most.")
    now = world.state.unix_time()
    row = {"id": world.state.new_id(), "group_id": group_id, "name": name, "desc": desc, "created_at": now}
    return {"id": world.state.keep("voiceprint", {**row, "updated_at": now, "sha256": received.sha256})["id"]}


def update_voiceprint(world: World, request: RecordedRequest, group_id: str, feature_id: str) -> Row:
    """PUT /v1/audio/voiceprint_groups/{group_id}/features/{feature_id}: a form, or JSON when there is no file."""
    form = request.body
    given = Fields(form.texts) if isinstance(form, ReceivedForm) else request.given()
    changes = _changes(world, given)
    if isinstance(form, ReceivedForm) and form.files:
        changes["sha256"] = _voiceprint_of(request, given).sha256
    world.state.keep("voiceprint", world.find("voiceprint", feature_id, group_id=group_id) | changes)
    return {}


def delete_voiceprint(world: World, request: RecordedRequest, group_id: str, feature_id: str) -> None:
    """DELETE /v1/audio/voiceprint_groups/{group_id}/features/{feature_id}."""
    del request
    world.state.drop("voiceprint", world.find("voiceprint", feature_id, group_id=group_id)["id"])


def list_voiceprints(world: World, request: RecordedRequest, group_id: str) -> Row:
    """GET /v1/audio/voiceprint_groups/{group_id}/features, newest first."""
    world.find("voiceprint_group", group_id)
    found = world.state.all("voiceprint", group_id=group_id)[::-1]
    page = by_number(found, request.asked(), most=200, default=10)
    told = [
        {
            **{name: value for name, value in voiceprint.items() if name != "sha256"},
            "audio_url": f"https://example.com/{voiceprint['id']}.wav",
            "icon_url": "https://example.com/voiceprint.png",
            "user_info": _USER,
        }
        for voiceprint in page["items"]
    ]
    return {**page, "items": told}


def identify(world: World, request: RecordedRequest, group_id: str) -> Row:
    """POST /v1/audio/voiceprint_groups/{group_id}/speaker_identify: the same recording is the same voice."""
    given = _texts(request)
    received, most = _voiceprint_of(request, given), given.number("top_k", 10, most=100)
    world.find("voiceprint_group", group_id)
    scores = [
        {
            "feature_id": voiceprint["id"],
            "feature_name": voiceprint["name"],
            "feature_desc": voiceprint["desc"],
            "score": _likeness(voiceprint["sha256"], received.sha256),
        }
        for voiceprint in world.state.all("voiceprint", group_id=group_id)
    ]
    scores.sort(key=lambda score: score["score"], reverse=True)
    return {"feature_score_list": scores[:most]}


def _likeness(one: str, other: str) -> float:
    """How alike two recordings are, 0-100; those that differ are 50 at most, always the same for the same two."""
    if one == other:
        return 99.5
    return hashlib.sha256(f"{one}{other}".encode()).digest()[0] / 255 * 50


def _changes(world: World, given: Fields) -> Row:
    changes: Row = {"updated_at": world.state.unix_time()}
    name, desc = given.maybe_text("name"), given.maybe_text("desc")
    return changes | ({"name": name} if name else {}) | ({} if desc is None else {"desc": desc})


def _voiceprint_of(request: RecordedRequest, given: Fields) -> ReceivedFile:
    given.number("sample_rate", 16000)
    given.number("channel", 1, most=2)
    return file_of(request, _MOST_OF_A_VOICEPRINT, _VOICEPRINTS)


def _texts(request: RecordedRequest) -> Fields:
    if not isinstance(request.body, ReceivedForm):
        raise Refusal(4000, "The request must be multipart/form-data.")
    return Fields(request.body.texts)


# Rooms


def create_room(world: World, request: RecordedRequest) -> Row:
    """POST /v1/audio/rooms: a room that nobody can enter, since no media server stands behind it."""
    given = request.given()
    given.text("bot_id")
    config, uid = given.inner("config"), given.maybe_text("uid") or world.state.new_id()
    mode = config.maybe_one_of("room_mode", ("default", "s2s", "podcast", "translate"), "default")
    room = world.state.keep("room", {"id": world.state.new_id(), "room_mode": mode})
    token = hashlib.sha256(room["id"].encode()).hexdigest()
    return {"token": token, "uid": uid, "room_id": room["id"], "app_id": _RTC_APP}


def retrieve_live(world: World, request: RecordedRequest, live_id: str) -> Row:
    """GET /v1/audio/live/{live_id}: a room goes by its own id here; one that translates has a second stream."""
    del request
    room = world.find("room", live_id)
    kinds = ["origin", "translation"] if room["room_mode"] == "translate" else ["origin"]
    streams = [{"stream_id": f"{live_id}-{kind}", "name": kind.title(), "live_type": kind} for kind in kinds]
    return {"app_id": _RTC_APP, "stream_infos": streams}


_RTC_APP = "emulated-rtc-app"
