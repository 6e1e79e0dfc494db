"""The route table: which dialect answers which method and path, by whom, with which permission, counted how."""

import re
from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches
from inspect import isawaitable
from typing import Any, NamedTuple, TypeAlias

from . import (
    _account,
    _bots,
    _chats,
    _conversations,
    _datasets,
    _files,
    _flows,
    _plugins,
    _voices,
    _workflows,
    _workspaces,
)
from ._body import EmulatedResponse
from ._faults import overlaps
from ._limits import Bucket, Kind
from ._oauth import CONFIRM
from ._oauth import PREFIX as OAUTH
from ._oauth import answer as oauth_answer
from ._state import Event
from ._strict import check_strictly
from ._studio._routes import ROWS as OWN_ROUTES
from ._studio._routes import check_session, check_token, missing
from ._wire import Refusal
from ._world import RecordedRequest, World

Answer: TypeAlias = EmulatedResponse | Mapping[str, Any] | list[Any] | None
Handler: TypeAlias = Callable[..., Answer | Awaitable[EmulatedResponse]]
"""Answers a request: with a response, or with the data of the usual envelope."""


class Route(NamedTuple):
    """One route."""

    dialects: str
    method: str
    path: str
    permission: str
    """What a token must be allowed to do (the pages' names), with blanks between several."""
    handler: Handler
    bucket: Bucket | None = None
    kind: Kind | None = None


ROUTES: list[Route] = [
    Route("cloud", "POST", "/v3/chat", "chat", _chats.create, "chat", "chat"),
    # The real cloud takes both; GET is the documented one.
    Route("cloud", "GET", "/v3/chat/retrieve", "getChat", _chats.retrieve, "chat"),
    Route("cloud", "POST", "/v3/chat/retrieve", "getChat", _chats.retrieve, "chat"),
    Route("cloud", "GET", "/v3/chat/message/list", "chat listMessage", _chats.list_messages, "chat"),
    Route("cloud", "POST", "/v3/chat/message/list", "chat listMessage", _chats.list_messages, "chat"),
    Route("cloud", "POST", "/v3/chat/cancel", "cancelChat", _chats.cancel),
    Route("cloud", "POST", "/v3/chat/submit_tool_outputs", "submitToolChat", _chats.submit_tool_outputs),
    Route("cloud", "POST", "/v1/workflow/run", "run", _workflows.run, "workflow"),
    Route("cloud", "POST", "/v1/workflow/stream_run", "run", _workflows.stream_run, "workflow"),
    Route("cloud", "POST", "/v1/workflow/stream_resume", "run", _workflows.stream_resume),
    Route("cloud", "POST", "/v1/workflows/resume", "run", _workflows.resume),
    Route(
        "cloud",
        "GET",
        "/v1/workflows/{workflow_id}/run_histories/{execute_id}",
        "listRunHistory",
        _workflows.history,
        "workflow",
    ),
    Route(
        "cloud",
        "GET",
        "/v1/workflows/{workflow_id}/run_histories/{execute_id}/execute_nodes/{node_execute_uuid}",
        "listRunHistory",
        _workflows.node_output,
        "workflow",
    ),
    Route("cloud", "POST", "/v1/workflows/chat", "run", _workflows.chatflow, "workflow", "chat"),
    Route("cloud", "POST", "/v1/conversation/create", "createConversation", _conversations.create),
    Route("cloud", "GET", "/v1/conversation/retrieve", "retrieveConversation", _conversations.retrieve),
    Route("cloud", "GET", "/v1/conversations", "listConversation", _conversations.listing),
    Route("cloud", "PUT", "/v1/conversations/{conversation_id}", "editConversation", _conversations.update),
    Route("cloud", "DELETE", "/v1/conversations/{conversation_id}", "editConversation", _conversations.delete),
    Route("cloud", "POST", "/v1/conversations/{conversation_id}/clear", "editConversation", _conversations.clear),
    Route("cloud", "POST", "/v1/conversation/message/create", "createMessage", _conversations.create_message),
    Route("cloud", "GET", "/v1/conversation/message/retrieve", "retrieveMessage", _conversations.retrieve_message),
    # The official SDK for Java writes POST here, and GET is the documented one.
    Route("cloud", "POST", "/v1/conversation/message/retrieve", "retrieveMessage", _conversations.retrieve_message),
    Route("cloud", "POST", "/v1/conversation/message/modify", "modifyMessage", _conversations.modify_message),
    Route("cloud", "POST", "/v1/conversation/message/delete", "deleteMessage", _conversations.delete_message),
    Route("cloud", "POST", "/v1/conversation/message/list", "chat listMessage", _conversations.list_messages),
    Route(
        "cloud",
        "POST",
        "/v1/conversations/{conversation_id}/messages/{message_id}/feedback",
        "feedback",
        _conversations.create_feedback,
    ),
    Route(
        "cloud",
        "DELETE",
        "/v1/conversations/{conversation_id}/messages/{message_id}/feedback",
        "feedback",
        _conversations.delete_feedback,
    ),
    Route("cloud", "POST", "/v1/bot/create", "createBot", _bots.create, None, "bot_management"),
    Route("cloud", "POST", "/v1/bot/update", "edit", _bots.update, None, "bot_management"),
    Route("cloud", "POST", "/v1/bot/publish", "publish", _bots.publish, None, "bot_management"),
    Route("cloud", "POST", "/v1/bots/{bot_id}/unpublish", "disconnectBot", _bots.unpublish, None, "bot_management"),
    Route("cloud", "GET", "/v1/bots/{bot_id}", "getMetadata", _bots.retrieve, None, "bot_info"),
    Route("cloud", "GET", "/v1/bot/get_online_info", "getMetadata", _bots.retrieve_online, None, "bot_info"),
    Route("cloud", "GET", "/v1/bots", "listBot", _bots.listing, None, "bot_info"),
    Route("cloud", "GET", "/v1/space/published_bots_list", "getPublishedBot", _bots.listing_v1, None, "bot_info"),
    Route("cloud", "GET", "/v1/bots/{bot_id}/versions", "Bot.listVersion", _bots.versions, None, "bot_info"),
    Route("cloud", "POST", "/v1/bots/{bot_id}/collaboration_mode", "Bot.switchDevelopMode", _bots.set_mode),
    Route("cloud", "POST", "/v1/files/upload", "uploadFile", _files.upload, "upload"),
    Route("cloud", "GET", "/v1/files/retrieve", "retrieveFile", _files.retrieve),
    Route("cloud", "POST", "/v1/audio/speech", "createSpeech", _files.speak),
    Route("cloud", "POST", "/v1/audio/transcriptions", "createTranscription", _files.transcribe),
    Route("cloud", "GET", "/v1/workspaces", "listWorkspace", _workspaces.listing),
    Route("cloud", "POST", "/v1/workspaces", "createWorkspace", _workspaces.create),
    Route("cloud", "PUT", "/v1/workspaces/{workspace_id}", "Workspace.update", _workspaces.update),
    Route("cloud", "POST", "/v1/workspaces/{workspace_id}/members", "addMember", _workspaces.add_members),
    Route("cloud", "DELETE", "/v1/workspaces/{workspace_id}/members", "removeMember", _workspaces.remove_members),
    Route("cloud", "GET", "/v1/workspaces/{workspace_id}/members", "readMember", _workspaces.list_members),
    Route("cloud", "GET", "/v1/folders", "listFolder", _workspaces.list_folders),
    Route("cloud", "GET", "/v1/folders/{folder_id}", "readFolder", _workspaces.retrieve_folder),
    Route("cloud", "GET", "/v1/apps", "listApp", _workspaces.list_apps),
    Route("cloud", "POST", "/v1/templates/{template_id}/duplicate", "", _workspaces.duplicate_template),
    Route("cloud", "POST", "/v1/entities/copy_tasks", "", _workspaces.create_copy_task),
    Route("cloud", "GET", "/v1/entities/copy_tasks/{task_id}", "", _workspaces.retrieve_copy_task),
    Route("cloud", "POST", "/v1/bots/{bot_id}/collaborators", "Bot.addCollaborator", _workspaces.add_bot_collaborator),
    Route(
        "cloud",
        "DELETE",
        "/v1/bots/{bot_id}/collaborators/{user_id}",
        "Bot.removeCollaborator",
        _workspaces.remove_bot_collaborator,
    ),
    Route(
        "cloud", "POST", "/v1/apps/{app_id}/collaborators", "Project.addCollaborator", _workspaces.add_app_collaborator
    ),
    Route(
        "cloud",
        "DELETE",
        "/v1/apps/{app_id}/collaborators/{user_id}",
        "Project.removeCollaborator",
        _workspaces.remove_app_collaborator,
    ),
    Route(
        "cloud",
        "POST",
        "/v1/workflows/{workflow_id}/collaborators",
        "Workflow.addCollaborator",
        _workspaces.add_workflow_collaborator,
    ),
    Route(
        "cloud",
        "DELETE",
        "/v1/workflows/{workflow_id}/collaborators/{user_id}",
        "Workflow.removeCollaborator",
        _workspaces.remove_workflow_collaborator,
    ),
    Route("cloud", "GET", "/v1/workflows", "listWorkflow", _flows.listing),
    Route("cloud", "GET", "/v1/workflows/{workflow_id}", "getMetaData", _flows.retrieve),
    Route("cloud", "GET", "/v1/workflows/{workflow_id}/versions", "listVersion", _flows.versions),
    Route(
        "cloud", "POST", "/v1/workflows/{workflow_id}/collaboration_mode", "Workflow.switchDevelopMode", _flows.set_mode
    ),
    Route("cloud", "POST", "/v1/datasets", "createKnowledge", _datasets.create),
    Route("cloud", "GET", "/v1/datasets", "listKnowledge", _datasets.listing),
    Route("cloud", "PUT", "/v1/datasets/{dataset_id}", "update", _datasets.update),
    Route("cloud", "DELETE", "/v1/datasets/{dataset_id}", "delete", _datasets.delete),
    Route("cloud", "POST", "/v1/datasets/{dataset_id}/process", "readDocumentProgress", _datasets.process),
    Route("cloud", "GET", "/v1/datasets/{dataset_id}/images", "listPhoto", _datasets.list_images),
    Route("cloud", "PUT", "/v1/datasets/{dataset_id}/images/{document_id}", "updatePhoto", _datasets.update_image),
    Route("cloud", "POST", "/open_api/knowledge/document/create", "createDocument", _datasets.create_documents),
    Route("cloud", "POST", "/open_api/knowledge/document/update", "updateDocument", _datasets.update_document),
    Route("cloud", "POST", "/open_api/knowledge/document/delete", "deleteDocument", _datasets.delete_documents),
    Route("cloud", "POST", "/open_api/knowledge/document/list", "listDocument", _datasets.list_documents),
    # The official SDK for JavaScript has an older method that writes GET here.
    Route("cloud", "GET", "/open_api/knowledge/document/list", "listDocument", _datasets.list_documents),
    Route("cloud", "GET", "/v1/variables", "readVariable", _account.read_variables),
    Route("cloud", "PUT", "/v1/variables", "updateVariable", _account.set_variables),
    Route("cloud", "GET", "/v1/users/me", "", _account.me),
    Route("cloud", "GET", "/v1/commerce/benefit/benefits/get", "getBenefit", _account.benefits),
    Route("cloud", "POST", "/v1/commerce/benefit/limitations", "createBenefitLimitation", _account.create_limitation),
    Route("cloud", "GET", "/v1/commerce/benefit/limitations", "listBenefitLimitation", _account.list_limitations),
    Route(
        "cloud",
        "PUT",
        "/v1/commerce/benefit/limitations/{benefit_id}",
        "updateBenefitLimitation",
        _account.update_limitation,
    ),
    Route("cloud", "POST", "/v1/commerce/benefit/bill_tasks", "createBillDownloadTask", _account.create_bill_task),
    Route("cloud", "GET", "/v1/commerce/benefit/bill_tasks", "listBillDownloadTask", _account.list_bill_tasks),
    Route("cloud", "POST", "/v1/api_apps", "createApiApp", _account.create_api_app),
    Route("cloud", "PUT", "/v1/api_apps/{app_id}", "updateApiApp", _account.update_api_app),
    Route("cloud", "DELETE", "/v1/api_apps/{app_id}", "deleteApiApp", _account.delete_api_app),
    Route("cloud", "GET", "/v1/api_apps", "listApiApp", _account.list_api_apps),
    Route("cloud", "POST", "/v1/api_apps/{api_app_id}/events", "subscribeApiAppEvent", _account.subscribe),
    Route("cloud", "DELETE", "/v1/api_apps/{api_app_id}/events", "unsubscribeApiAppEvent", _account.unsubscribe),
    Route("cloud", "GET", "/v1/api_apps/{api_app_id}/events", "listApiApp", _account.list_events),
    Route("cloud", "POST", "/v1/connectors/{connector_id}/install", "installConnector", _account.install_connector),
    Route(
        "cloud", "POST", "/v1/connectors/{connector_id}/user_configs", "bindConnectorConfig", _account.bind_connector
    ),
    Route(
        "cloud", "PUT", "/v1/connectors/{connector_id}/bots/{bot_id}", "Connector.botUpdateProfile", _account.review_bot
    ),
    Route(
        "cloud",
        "POST",
        "/v1/enterprises/{enterprise_id}/members",
        "Enterprise.batchAddPeople",
        _account.add_enterprise_member,
    ),
    Route(
        "cloud",
        "PUT",
        "/v1/enterprises/{enterprise_id}/members/{user_id}",
        "Enterprise.updatePeople",
        _account.update_enterprise_member,
    ),
    Route(
        "cloud",
        "DELETE",
        "/v1/enterprises/{enterprise_id}/members/{user_id}",
        "Enterprise.removePeople",
        _account.remove_enterprise_member,
    ),
    Route(
        "cloud",
        "POST",
        "/v1/enterprises/{enterprise_id}/organizations",
        "Enterprise.createOrganization",
        _account.create_organization,
    ),
    Route(
        "cloud",
        "GET",
        "/v1/enterprises/{enterprise_id}/organizations",
        "Enterprise.listOrganization",
        _account.list_organizations,
    ),
    Route(
        "cloud",
        "PUT",
        "/v1/organizations/{organization_id}",
        "Account.updateOrganization",
        _account.update_organization,
    ),
    Route(
        "cloud",
        "POST",
        "/v1/organizations/{organization_id}/members",
        "batchAddOrganizationPeople",
        _account.add_organization_members,
    ),
    Route(
        "cloud",
        "GET",
        "/v1/organizations/{organization_id}/members",
        "Account.listOrganizationPeople",
        _account.list_organization_members,
    ),
    Route(
        "cloud",
        "PUT",
        "/v1/organizations/{organization_id}/members/{user_id}",
        "updateOrganizationPeople",
        _account.update_organization_member,
    ),
    Route(
        "cloud",
        "DELETE",
        "/v1/organizations/{organization_id}/members/{user_id}",
        "Account.removeOrganizationPeople",
        _account.remove_organization_member,
    ),
    Route("cloud", "POST", "/v1/audio/voices/clone", "createVoice", _voices.clone),
    Route("cloud", "GET", "/v1/audio/voices", "listVoice", _voices.list_voices),
    Route("cloud", "POST", "/v1/audio/voiceprint_groups", "createVoiceprintGroup", _voices.create_group),
    Route("cloud", "GET", "/v1/audio/voiceprint_groups", "listVoiceprintGroup", _voices.list_groups),
    Route("cloud", "PUT", "/v1/audio/voiceprint_groups/{group_id}", "updateVoiceprintGroup", _voices.update_group),
    Route("cloud", "DELETE", "/v1/audio/voiceprint_groups/{group_id}", "deleteVoiceprintGroup", _voices.delete_group),
    Route(
        "cloud",
        "POST",
        "/v1/audio/voiceprint_groups/{group_id}/speaker_identify",
        "identifyInVoiceprintGroup",
        _voices.identify,
    ),
    Route(
        "cloud",
        "POST",
        "/v1/audio/voiceprint_groups/{group_id}/features",
        "createVoiceprintFeature",
        _voices.create_voiceprint,
    ),
    Route(
        "cloud",
        "GET",
        "/v1/audio/voiceprint_groups/{group_id}/features",
        "listVoiceprintFeature",
        _voices.list_voiceprints,
    ),
    Route(
        "cloud",
        "PUT",
        "/v1/audio/voiceprint_groups/{group_id}/features/{feature_id}",
        "updateVoiceprintFeature",
        _voices.update_voiceprint,
    ),
    Route(
        "cloud",
        "DELETE",
        "/v1/audio/voiceprint_groups/{group_id}/features/{feature_id}",
        "deleteVoiceprintFeature",
        _voices.delete_voiceprint,
    ),
    Route("cloud", "POST", "/v1/audio/rooms", "createRoom", _voices.create_room),
    Route("cloud", "GET", "/v1/audio/live/{live_id}", "", _voices.retrieve_live),
    Route("cloud", "GET", "/v1/stores/plugins", "", _plugins.list_plugins),
    Route("cloud", "GET", "/v1/stores/categories", "", _plugins.list_categories),
    Route("cloud", "GET", "/v1/plugins/mget", "Plugin.getPlugin", _plugins.retrieve_several, "plugin"),
    Route("cloud", "GET", "/v1/plugins/{plugin_id}", "Plugin.getPlugin", _plugins.retrieve, "plugin"),
    Route("cloud", "POST", "/v1/plugins/{plugin_id}/tools/call", "Plugin.callTool", _plugins.call_tool, "plugin"),
    *(Route(*row) for row in OWN_ROUTES),
]
_EXACT = {
    (dialect, route.method, route.path): route
    for route in ROUTES
    for dialect in route.dialects.split()
    if "{" not in route.path
}
_PATTERNS: dict[tuple[str, str, int], list[tuple[re.Pattern[str], Route]]] = {}
for _route in ROUTES:
    for _dialect in _route.dialects.split() if "{" in _route.path else ():
        _pattern = re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", _route.path))
        _PATTERNS.setdefault((_dialect, _route.method, _route.path.count("/")), []).append((_pattern, _route))


async def answer(world: World, request: RecordedRequest, fault: Refusal | None = None) -> EmulatedResponse:
    """Do what `request` asks for; what is refused becomes the dialect's error envelope.

    With a `fault` nothing is done: it is the first event of a stream, or the envelope where no stream was asked for.
    """
    try:
        return await _answer(world, request, fault)
    finally:
        world.save()


def is_known(on: str) -> bool:
    """Whether a pattern of a fault, "METHOD /path" or "/path" with `*`, can meet a request at all."""
    return any(overlaps(on, one) for one in _known_requests())


def nearest(on: str) -> str:
    """The request that comes closest to a pattern of a fault; empty if none is near."""
    known = _known_requests() if " " in on else [one.partition(" ")[2] for one in _known_requests()]
    method, blank, path = on.rpartition(" ")
    return (get_close_matches(f"{method.upper()}{blank}{path}", known, 1, 0.7) or [""])[0]


def _known_requests() -> list[str]:
    routes = [f"{route.method} {route.path}" for route in ROUTES]
    logins = [f"POST {OAUTH}{place}" for place in ("token", "device/code", "account/{id}/token")]
    return [*routes, *logins, f"GET {OAUTH}authorize", f"GET {CONFIRM}"]


async def _answer(world: World, request: RecordedRequest, fault: Refusal | None) -> EmulatedResponse:
    if world.is_cloud:
        granted = oauth_answer(
            world.oauth, world.wire, request.method, request.path, request.query, request.headers, request.body
        )
        if granted is not None:
            return granted
    found = _find(world, request.method, request.path)
    if found is None and world.is_cloud:
        _, headers = world.wire.log_headers()
        return EmulatedResponse(404, {**headers, "content-type": "text/plain; charset=utf-8"}, b"404 page not found")
    try:
        if found is None:
            return missing(world, request, lambda method, path: _find(world, method, path) is not None)
        route, names = found
        _admit(world, request, route)
        if fault is not None:
            raise fault
        check_strictly(world, request, names)
        made = route.handler(world, request, **names)
        if isawaitable(made):
            made = await made
        return made if isinstance(made, EmulatedResponse) else world.wire.succeed(made)
    except Refusal as refusal:
        is_event = refusal is fault or (world.occupied == "event" and refusal.code == 4016)
        told = _told_in_stream(world, request, found[0], refusal) if is_event and found else None
        return told or world.wire.refuse(refusal)


def _told_in_stream(world: World, request: RecordedRequest, route: Route, refusal: Refusal) -> EmulatedResponse | None:
    """A refusal as the first event of the stream that was asked for; None where none was."""
    wire, error = world.wire, Event("error", {"code": refusal.code, "msg": refusal.msg})
    if route.handler is _workflows.chatflow:
        return world.stream([error], wire.chatflow_events())
    if route.handler in (_workflows.stream_run, _workflows.stream_resume):
        told = {"error_code": refusal.code, "error_message": refusal.msg}
        return world.stream([Event("Error", told)], wire.workflow_events())
    if route.path in ("/v3/chat", "/v3/chat/submit_tool_outputs"):
        asked = request.fields().get("stream")
        if wire.stream_by_default if asked is None else asked:
            return world.stream([error], wire.chat_events())
    return None


def _admit(world: World, request: RecordedRequest, route: Route) -> None:
    """Refuse who may not do this, and what comes too often."""
    token = request.headers.get("authorization", "")
    if request.path.startswith("/api/"):
        if not request.path.startswith("/api/passport/"):
            check_session(request)
        token = request.headers.get("cookie", "")
    else:
        if world.is_cloud:
            scheme, _, secret = token.partition(" ")
            secret = secret.strip() if scheme.lower() == "bearer" else ""
        else:
            secret = check_token(request)
        allowed = world.permissions_of(secret)
        missing = [] if allowed is None else [name for name in route.permission.split() if name not in allowed]
        if missing:
            raise Refusal(4101, f"The token lacks the permission {' and '.join(missing)}.", status=403)
    limit = None if route.bucket is None else world.limits.of(route.bucket)
    if limit is not None and not world.windows.admit(("account", str(route.bucket)), world.state.now(), limit, 1.0):
        raise Refusal(4013, f"The API request rate exceeds {limit} requests per second.", status=429)
    most = world.per_user.get(route.kind or "")
    if most is not None:
        user = _user_of(request) if route.kind == "chat" else token
        if not world.windows.admit((str(route.kind), user), world.state.now(), most, 60.0):
            raise Refusal(429, f"Too many requests: {most} a minute for one user.", status=429)


def _user_of(request: RecordedRequest) -> str:
    """Whom a chat is for."""
    return str(request.body.get("user_id")) if isinstance(request.body, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType] - JSON


def _find(world: World, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
    key = (world.wire.dialect, method)
    exact = _EXACT.get((*key, path))
    if exact is not None:
        return exact, {}
    for pattern, route in _PATTERNS.get((*key, path.count("/")), ()):
        match = pattern.fullmatch(path)
        if match:
            return route, match.groupdict()
    return None
