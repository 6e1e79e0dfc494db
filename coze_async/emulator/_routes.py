"""The route table: which dialect answers which method and path, and by whom."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

from . import _catalog, _chats, _files, _workflows
from ._body import EmulatedResponse
from ._oauth import answer as oauth_answer
from ._wire import Refusal
from ._world import RecordedRequest, World

_Handler = Callable[..., Awaitable[EmulatedResponse]]

_EVERYWHERE = "cloud studio plus"
_SELF_HOSTED = "studio plus"
_ROUTES: list[tuple[str, str, str, _Handler]] = [
    (_EVERYWHERE, "POST", "/v3/chat", _chats.create),
    # The real cloud takes both; GET is the documented one.
    ("cloud studio", "GET", "/v3/chat/retrieve", _chats.retrieve),
    ("cloud", "POST", "/v3/chat/retrieve", _chats.retrieve),
    ("cloud studio", "GET", "/v3/chat/message/list", _chats.list_messages),
    ("cloud", "POST", "/v3/chat/message/list", _chats.list_messages),
    (_EVERYWHERE, "POST", "/v3/chat/cancel", _chats.cancel),
    ("cloud", "POST", "/v3/chat/submit_tool_outputs", _chats.submit_tool_outputs),
    (_EVERYWHERE, "POST", "/v1/workflow/run", _workflows.run),
    (_EVERYWHERE, "POST", "/v1/workflow/stream_run", _workflows.stream_run),
    (_EVERYWHERE, "POST", "/v1/workflow/stream_resume", _workflows.stream_resume),
    ("cloud", "POST", "/v1/workflows/resume", _workflows.resume),
    ("cloud", "GET", "/v1/workflows/{workflow_id}/run_histories/{execute_id}", _workflows.history),
    (_SELF_HOSTED, "GET", "/v1/workflow/get_run_history", _workflows.studio_history),
    (_EVERYWHERE, "POST", "/v1/workflows/chat", _workflows.chatflow),
    (_EVERYWHERE, "POST", "/v1/conversation/create", _catalog.create_conversation),
    (_EVERYWHERE, "GET", "/v1/bots/{bot_id}", _catalog.bot),
    (_EVERYWHERE, "GET", "/v1/bot/get_online_info", _catalog.online_bot),
    (_EVERYWHERE, "POST", "/v1/files/upload", _files.upload),
    ("cloud", "GET", "/v1/files/retrieve", _files.retrieve),
    ("cloud", "POST", "/v1/audio/speech", _files.speak),
    ("cloud", "POST", "/v1/audio/transcriptions", _files.transcribe),
    (_EVERYWHERE, "GET", "/v1/workspaces", _catalog.workspaces),
    (_EVERYWHERE, "GET", "/v1/users/me", _catalog.me),
    (_SELF_HOSTED, "POST", "/api/draftbot/create", _catalog.create_draft),
    (_SELF_HOSTED, "POST", "/api/draftbot/update_display_info", _catalog.update_draft),
    (_SELF_HOSTED, "POST", "/api/draftbot/publish", _catalog.publish_draft),
    (_SELF_HOSTED, "POST", "/api/conversation/chat", _catalog.web_chat),
]
_PATTERNS = [
    (dialects.split(), method, re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)), handler)
    for dialects, method, path, handler in _ROUTES
]


async def answer(world: World, request: RecordedRequest, is_valid: Callable[[str], bool]) -> EmulatedResponse:
    """Do what `request` asks for; what is refused becomes the dialect's error envelope."""
    if world.wire.dialect == "cloud":
        granted = oauth_answer(
            world.oauth, world.wire, request.method, request.path, request.query, request.headers, request.body
        )
        if granted is not None:
            return granted
    found = _find(world, request)
    if found is None:
        return EmulatedResponse(404, {"content-type": "text/plain; charset=utf-8"}, b"404 page not found")
    handler, names = found
    try:
        if request.path.startswith("/api/"):
            _catalog.check_session(request)
        else:
            scheme, _, token = request.headers.get("authorization", "").partition(" ")
            # A token that this server has made is good until its end.
            verdict = world.oauth.judge(token.strip())
            if scheme.lower() != "bearer" or not (is_valid(token.strip()) if verdict is None else verdict):
                raise world.wire.unauthorized()
        return await handler(world, request, **names)
    except Refusal as refusal:
        return world.wire.refuse(refusal)


def _find(world: World, request: RecordedRequest) -> tuple[_Handler, dict[str, Any]] | None:
    for dialects, method, pattern, handler in _PATTERNS:
        match = pattern.fullmatch(request.path)
        if match and method == request.method and world.wire.dialect in dialects:
            return handler, match.groupdict()
    return None
