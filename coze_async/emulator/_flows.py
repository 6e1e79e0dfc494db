"""The routes of workflows as things: lists, what is known of one, versions, and how it is edited."""

from ._fields import Fields, by_number, by_token
from ._state import Row
from ._world import DEMO_WORKFLOW, OWNER, RecordedRequest, World

_CREATOR = {"id": OWNER["user_id"], "name": OWNER["user_name"]}
_STATUSES = ("all", "published_online", "published_draft", "unpublished_draft")
_INPUT = {"parameters": {"input": {"type": "string", "description": "What to work on.", "required": False}}}
_OUTPUT = {"terminate_plan": "return_variables", "parameters": {"output": {"type": "string"}}}
_VERSION = "v0.0.1"


def listing(world: World, request: RecordedRequest) -> Row:
    """GET /v1/workflows: those with a script and those that were copied, latest first."""
    asked = request.asked()
    workspace_id, app_id = asked.maybe_text("workspace_id"), asked.maybe_text("app_id")
    asked.maybe_one_of("workflow_mode", ("workflow", "chatflow"), "workflow")
    status = asked.maybe_one_of("publish_status", _STATUSES, "published_online")
    copies = [] if status == "published_online" else list(world.state.rows["workflow"].values())
    scripted = [flow for flow, script in world.flows.items() if script is not None]
    # Programs list the workflows, take one and run it.
    scripted += [DEMO_WORKFLOW] if world.has_demo_workflow else []
    found = [*copies[::-1], *(world.workflow(flow) for flow in scripted if flow not in world.state.rows["workflow"])]
    if status in ("unpublished_draft", "published_draft"):
        found = copies[::-1] if status == "unpublished_draft" else []
    # No workflow here belongs to an app.
    found = [flow for flow in found if not app_id and workspace_id in (None, "", flow["space_id"])]
    # The page says 30 at most; cozepy 0.20 asks for 100.
    page = by_number(found, asked, most=100, default=10, total=None, has_more="has_more")
    items = [_basic(flow) | _schemas(asked) for flow in page["items"]]
    return {**page, "items": items}


def retrieve(world: World, request: RecordedRequest, workflow_id: str) -> Row:
    """GET /v1/workflows/{workflow_id}: any one that was not taken away."""
    asked = request.asked()
    flow = world.workflow(workflow_id)
    role = {"role": _role(flow, asked.maybe_text("connector_id") or "1024")}
    told: Row = {"workflow_detail": _basic(flow)}
    return told | (role if asked.flag("include_chatflow_role") else {}) | _schemas(asked)


def versions(world: World, request: RecordedRequest, workflow_id: str) -> Row:
    """GET /v1/workflows/{workflow_id}/versions: one, if it is published."""
    asked = request.asked()
    status = asked.maybe_one_of("publish_status", _STATUSES, "all")
    flow = world.workflow(workflow_id)
    is_copy = workflow_id in world.state.rows["workflow"]
    version = {
        "version": _VERSION,
        "description": "",
        "created_at": str(flow["updated_at"]),
        "updated_at": str(flow["updated_at"]),
        "workflow_id": workflow_id,
        "creator": _CREATOR,
        **_schemas(asked),
    }
    found = [] if is_copy or status not in ("all", "published_online") else [version]
    return by_token(found, asked, most=30, default=10)


def set_mode(world: World, request: RecordedRequest, workflow_id: str) -> None:
    """POST /v1/workflows/{workflow_id}/collaboration_mode."""
    mode = request.given().maybe_one_of("collaboration_mode", ("single", "collaboration"), "single")
    world.workflow(workflow_id)
    world.state.keep("workflow_mode", {"id": workflow_id, "collaboration_mode": mode})


def _basic(flow: Row) -> Row:
    return {
        "workflow_id": flow["id"],
        "workflow_name": flow["name"],
        "description": "",
        "icon_url": "https://example.com/workflow.png",
        "app_id": "0",
        "created_at": flow["updated_at"],
        "updated_at": flow["updated_at"],
        "creator": _CREATOR,
    }


def _role(flow: Row, connector_id: str) -> Row:
    return {
        "id": f"{flow['id']}0",
        "workflow_id": flow["id"],
        "connector_id": connector_id,
        "name": flow["name"],
        "description": "",
        "avatar": {"image_uri": "", "image_url": "https://example.com/workflow.png"},
        "onboarding_info": {
            "prologue": "Hello! What shall we work on?",
            "suggested_questions": [],
            "display_all_suggestions": False,
        },
        "suggest_reply_info": {"suggest_reply_mode": 0, "customized_suggest_prompt": ""},
        "audio_config": {"voice_config_map": {}, "is_text_to_voice_enable": False, "agent_message_type": 1},
        "user_input_config": {"default_input_mode": 1, "send_voice_mode": 1},
        "project_version": "",
    }


def _schemas(asked: Fields) -> Row:
    return {"input": _INPUT, "output": _OUTPUT} if asked.flag("include_input_output") else {}
