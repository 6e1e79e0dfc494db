"""What self-hosted servers answer, to whom, and what they say of what they do not have.

Source: the route tables of Coze Studio 4f786d6 and Coze Plus fb00b21.
"""

from collections.abc import Callable
from http.cookies import SimpleCookie
from typing import Any, cast

from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._limits import Bucket, Kind
from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import RecordedRequest, World

from . import _bots, _chats, _conversations, _datasets, _files, _sessions, _workflows
from ._wire import StudioWire

_BOTH = "studio plus plus-page"
_Row = tuple[str, str, str, str, Callable[..., Any], Bucket | None, Kind | None]

ROWS: list[_Row] = [
    (_BOTH, "POST", "/v3/chat", "chat", _chats.create, "chat", "chat"),
    ("studio", "GET", "/v3/chat/retrieve", "getChat", _chats.retrieve, "chat", None),
    ("studio", "GET", "/v3/chat/message/list", "chat listMessage", _chats.list_messages, "chat", None),
    (_BOTH, "POST", "/v3/chat/cancel", "cancelChat", _chats.cancel, None, None),
    (_BOTH, "POST", "/v1/workflow/run", "run", _workflows.run, "workflow", None),
    (_BOTH, "POST", "/v1/workflow/stream_run", "run", _workflows.stream_run, "workflow", None),
    (_BOTH, "POST", "/v1/workflow/stream_resume", "run", _workflows.stream_resume, None, None),
    (_BOTH, "GET", "/v1/workflow/get_run_history", "listRunHistory", _workflows.history, "workflow", None),
    (_BOTH, "POST", "/v1/workflow/conversation/create", "run", _workflows.create_conversation, None, None),
    (_BOTH, "POST", "/v1/workflows/chat", "run", _workflows.chatflow, "workflow", "chat"),
    (_BOTH, "GET", "/v1/workflows/{workflow_id}", "getMetaData", _workflows.retrieve, None, None),
    (_BOTH, "POST", "/v1/conversation/create", "createConversation", _conversations.create, None, None),
    ("studio", "GET", "/v1/conversation/retrieve", "retrieveConversation", _conversations.retrieve, None, None),
    (_BOTH, "GET", "/v1/conversations", "listConversation", _conversations.listing, None, None),
    (_BOTH, "PUT", "/v1/conversations/{conversation_id}", "editConversation", _conversations.update, None, None),
    (_BOTH, "DELETE", "/v1/conversations/{conversation_id}", "editConversation", _conversations.delete, None, None),
    (_BOTH, "POST", "/v1/conversations/{conversation_id}/clear", "editConversation", _conversations.clear, None, None),
    (_BOTH, "POST", "/v1/conversation/message/list", "listMessage", _conversations.list_messages, None, None),
    (_BOTH, "GET", "/v1/bots/{bot_id}", "getMetadata", _bots.retrieve, None, "bot_info"),
    (_BOTH, "GET", "/v1/bot/get_online_info", "getMetadata", _bots.retrieve_online, None, "bot_info"),
    (_BOTH, "GET", "/v1/apps/{app_id}", "listApp", _bots.retrieve_app, None, None),
    (_BOTH, "POST", "/v1/files/upload", "uploadFile", _files.upload, "upload", None),
    ("studio", "POST", "/v1/datasets", "createKnowledge", _datasets.create, None, None),
    ("studio", "GET", "/v1/datasets", "listKnowledge", _datasets.listing, None, None),
    ("studio", "PUT", "/v1/datasets/{dataset_id}", "update", _datasets.update, None, None),
    ("studio", "DELETE", "/v1/datasets/{dataset_id}", "delete", _datasets.delete, None, None),
    ("studio", "POST", "/v1/datasets/{dataset_id}/process", "readDocumentProgress", _datasets.process, None, None),
    ("studio", "GET", "/v1/datasets/{dataset_id}/images", "listPhoto", _datasets.list_images, None, None),
    (
        "studio",
        "POST",
        "/open_api/knowledge/document/create",
        "createDocument",
        _datasets.create_documents,
        None,
        None,
    ),
    ("studio", "POST", "/open_api/knowledge/document/update", "updateDocument", _datasets.update_document, None, None),
    ("studio", "POST", "/open_api/knowledge/document/delete", "deleteDocument", _datasets.delete_documents, None, None),
    ("studio", "POST", "/open_api/knowledge/document/list", "listDocument", _datasets.list_documents, None, None),
    # A session instead of a token.
    (_BOTH, "POST", "/api/passport/web/email/login/", "", _sessions.login, None, None),
    (_BOTH, "POST", "/api/playground_api/space/list", "", _sessions.list_spaces, None, None),
    (_BOTH, "POST", "/api/draftbot/create", "", _sessions.create_draft, None, "bot_management"),
    (_BOTH, "POST", "/api/draftbot/update_display_info", "", _sessions.update_draft, None, "bot_management"),
    (_BOTH, "POST", "/api/draftbot/publish", "", _sessions.publish_draft, None, "bot_management"),
    (_BOTH, "POST", "/api/conversation/chat", "", _sessions.web_chat, None, "chat"),
]
"""Dialects, method, path, permission, handler, and how a route is counted."""


def check_token(request: RecordedRequest) -> str:
    """The token of a request; these servers look for the word "Bearer", written so and only once."""
    given = request.headers.get("authorization", "")
    if not given:
        raise Refusal(700012006, "authentication failed: missing authorization in header")
    parts = given.split("Bearer ")
    if len(parts) != 2:
        raise Refusal(700012006, "authentication failed: missing api_key in request")
    return parts[1].strip()


def check_session(request: RecordedRequest) -> None:
    """Refuse a request without the cookie of a session."""
    session = SimpleCookie(request.headers.get("cookie", "")).get("session_key")
    if session is None or not session.value:
        raise Refusal(401, "missing session_key in cookie", status=401)
    if session.value.startswith("bad"):
        raise Refusal(700012006, "authentication failed: access denied")


def missing(world: World, request: RecordedRequest, has_route: Callable[[str, str], bool]) -> EmulatedResponse:
    """What is answered where there is no route: who has no session hears of that, whatever the token."""
    wire, path = cast("StudioWire", world.wire), request.path
    if path.endswith("/") and has_route(request.method, path[:-1]):
        return EmulatedResponse(307, {"location": path[:-1]})
    methods = [method for method in ("GET", "POST", "PUT", "DELETE") if has_route(method, path)]
    if methods and not path.startswith("/api/"):
        world.permissions_of(check_token(request))
    else:
        check_session(request)
    found = wire.json(404, {"code": 404, "msg": "not found"})
    return EmulatedResponse(404, found.headers) if request.method == "HEAD" else found
