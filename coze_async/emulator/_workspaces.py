"""The routes of workspaces: members, folders, apps, templates, copies, and who works on what."""

from . import _bots
from ._fields import by_number
from ._state import Row
from ._wire import Refusal
from ._world import OWNER, PERSONAL, RecordedRequest, World

COPYING_SECONDS = 2
"""How long the emulator takes to copy what is not copied at once."""

_ICON = "https://example.com/workspace.png"
_PERSONAL: Row = {
    "id": PERSONAL,
    "name": "Personal",
    "description": "",
    "workspace_type": "personal",
    "owner_uid": OWNER["user_id"],
    "icon_url": _ICON,
}
_FOLDERS: list[Row] = [
    {
        "id": f"740000000000000001{number}",
        "name": name,
        "description": "",
        "workspace_id": PERSONAL,
        "creator_user_id": OWNER["user_id"],
        "folder_type": kind,
        "parent_folder_id": parent,
        "children_count": children,
    }
    for number, (kind, name, parent, children) in enumerate(
        [
            ("development", "Projects", "", 1),
            ("development", "Drafts", "7400000000000000010", 0),
            ("library", "Resources", "", 0),
        ]
    )
]
_APP: Row = {"id": "7400000000000000020", "space_id": PERSONAL, "name": "Emulated app", "updated_at": 1760000000}


def has_workspace(world: World, workspace_id: str) -> bool:
    """Whether there is a workspace: the personal one, or one that was made."""
    return workspace_id == PERSONAL or workspace_id in world.state.rows["workspace"]


def has_app(world: World, app_id: str) -> bool:
    """Whether there is an app: the one that is always there, or a copy."""
    return app_id == _APP["id"] or app_id in world.state.rows["app"]


def listing(world: World, request: RecordedRequest) -> Row:
    """GET /v1/workspaces: the personal one and those that were made."""
    asked = request.asked()
    enterprise_id = asked.maybe_text("enterprise_id")
    found = [_PERSONAL, *world.state.rows["workspace"].values()]
    told = [
        {
            **workspace,
            "role_type": "owner",
            "enterprise_id": "",
            "joined_status": "joined",
            "admin_uids": [
                row["user_id"] for row in world.state.all("workspace_member", of=workspace["id"], role_type="admin")
            ],
        }
        for workspace in found
    ]
    # All of them belong to a person.
    return by_number([] if enterprise_id else told, asked, most=50, items="workspaces", total="total_count")


def create(world: World, request: RecordedRequest) -> Row:
    """POST /v1/workspaces."""
    given = request.given()
    icon = given.maybe_text("icon_file_id")
    row = {
        "id": world.state.new_id(),
        "name": given.text("name"),
        "description": given.text("description"),
        "workspace_type": "team",
        "owner_uid": given.maybe_text("owner_uid") or OWNER["user_id"],
        "icon_url": f"https://example.com/{world.find('file', icon)['id']}" if icon else _ICON,
    }
    return {"id": world.state.keep("workspace", row)["id"]}


def update(world: World, request: RecordedRequest, workspace_id: str) -> None:
    """PUT /v1/workspaces/{workspace_id}."""
    given = request.given()
    changes = {name: text for name in ("name", "description") if (text := given.maybe_text(name)) is not None}
    if workspace_id == PERSONAL:
        raise Refusal(4000, "A personal workspace cannot be changed.")
    world.state.keep("workspace", world.find("workspace", workspace_id) | changes)


def add_members(world: World, request: RecordedRequest, workspace_id: str) -> Row:
    """POST /v1/workspaces/{workspace_id}/members: 20 at a time."""
    users = [
        (user.text("user_id"), user.maybe_one_of("role_type", ("owner", "admin", "member"), "member"))
        for user in request.given().objects("users", most=20)
    ]
    owner = _owner_of(world, workspace_id)
    told: dict[str, list[str]] = {
        f"{how}_user_ids": []
        for how in ("added_success", "invited_success", "not_exist", "already_joined", "already_invited")
    }
    for user_id, role in users:
        row_id = f"{workspace_id}/{user_id}"
        if user_id == owner or row_id in world.state.rows["workspace_member"]:
            told["already_joined_user_ids"].append(user_id)
            continue
        world.state.keep("workspace_member", {"id": row_id, "of": workspace_id, "user_id": user_id, "role_type": role})
        told["added_success_user_ids"].append(user_id)
    return told


def remove_members(world: World, request: RecordedRequest, workspace_id: str) -> Row:
    """DELETE /v1/workspaces/{workspace_id}/members: 5 at a time; the page's sample says `not_in_space_user_ids`."""
    ids = request.given().texts("user_ids", most=5)
    owner = _owner_of(world, workspace_id)
    told: dict[str, list[str]] = {
        "removed_success_user_ids": [],
        "not_in_workspace_user_ids": [],
        "owner_not_support_remove_user_ids": [],
    }
    for user_id in ids:
        if user_id == owner:
            told["owner_not_support_remove_user_ids"].append(user_id)
        elif f"{workspace_id}/{user_id}" in world.state.rows["workspace_member"]:
            world.state.drop("workspace_member", f"{workspace_id}/{user_id}")
            told["removed_success_user_ids"].append(user_id)
        else:
            told["not_in_workspace_user_ids"].append(user_id)
    return told


def list_members(world: World, request: RecordedRequest, workspace_id: str) -> Row:
    """GET /v1/workspaces/{workspace_id}/members, the owner first."""
    owner: Row = {"user_id": _owner_of(world, workspace_id), "role_type": "owner"}
    found = [
        {
            "user_id": member["user_id"],
            "role_type": member["role_type"],
            "user_nickname": f"User {member['user_id']}",
            "user_unique_name": f"user{member['user_id']}",
            "avatar_url": OWNER["avatar_url"],
        }
        for member in (owner, *world.state.all("workspace_member", of=workspace_id))
    ]
    return by_number(found, request.asked(), most=50, total="total_count")


def _owner_of(world: World, workspace_id: str) -> str:
    workspace = _PERSONAL if workspace_id == PERSONAL else world.find("workspace", workspace_id)
    return str(workspace["owner_uid"])


# Folders and apps: nothing makes one through the API, so the personal workspace comes with some.


def list_folders(world: World, request: RecordedRequest) -> Row:
    """GET /v1/folders."""
    del world
    asked = request.asked()
    workspace_id, kind = asked.text("workspace_id"), asked.one_of("folder_type", ("development", "library"))
    parent = asked.maybe_text("parent_folder_id") or ""
    wanted = (workspace_id, kind, parent)
    keys = ("workspace_id", "folder_type", "parent_folder_id")
    found = [folder for folder in _FOLDERS if tuple(folder[key] for key in keys) == wanted]
    return by_number(found, asked, most=50, total="total_count", has_more="has_more")


def retrieve_folder(world: World, request: RecordedRequest, folder_id: str) -> Row:
    """GET /v1/folders/{folder_id}."""
    del world, request
    for folder in _FOLDERS:
        if folder["id"] == folder_id:
            return folder
    raise Refusal(4200, f"The folder {folder_id} does not exist.")


def list_apps(world: World, request: RecordedRequest) -> Row:
    """GET /v1/apps: the one that is there is published, copies are drafts."""
    asked = request.asked()
    workspace_id, connector_id = asked.text("workspace_id"), asked.maybe_text("connector_id")
    statuses = ("all", "published_online", "published_draft", "unpublished_draft")
    status = asked.maybe_one_of("publish_status", statuses, "published_online")
    found: list[Row] = []
    if status != "unpublished_draft" and status != "published_draft" and connector_id in (None, "", _bots.API):
        found += [{**_APP, "is_published": True, "published_at": _APP["updated_at"]}]
    if status in ("all", "unpublished_draft"):
        found += [{**row, "is_published": False} for row in world.state.rows["app"].values()]
    told = [
        {
            **{name: value for name, value in app.items() if name != "space_id"},
            "description": "",
            "icon_url": "https://example.com/app.png",
            "owner_user_id": OWNER["user_id"],
        }
        for app in found
        if app["space_id"] == workspace_id
    ]
    return by_number(told, asked, most=100)


# Copies


def duplicate_template(world: World, request: RecordedRequest, template_id: str) -> Row:
    """POST /v1/templates/{template_id}/duplicate: a draft bot; any template is taken."""
    given = request.given()
    workspace_id, name = given.text("workspace_id"), given.maybe_text("name") or f"Template {template_id}"
    bot = _bots.new_bot(world, workspace_id, {**_bots.DEFAULTS, "name": name})
    return {"entity_id": bot["id"], "entity_type": "agent"}


def create_copy_task(world: World, request: RecordedRequest) -> Row:
    """POST /v1/entities/copy_tasks: a bot inside its workspace is copied at once, all else takes a moment."""
    given = request.given()
    entity_id, kind = given.text("entity_id"), given.one_of("entity_type", ("app", "bot", "workflow"))
    source = _entity(world, kind, entity_id)
    target = given.maybe_text("to_workspace_id") or source["space_id"]
    copied = _copy(world, kind, source, target)
    if kind == "bot" and target == source["space_id"]:
        return {"copied_entity_id": copied}
    task = {
        "id": world.state.new_id(),
        "entity_type": kind,
        "source_entity_id": entity_id,
        "target_entity_id": copied,
        "target_workspace_id": target,
        "ready_at": world.state.clock() + COPYING_SECONDS,
    }
    return {"task_id": world.state.keep("copy_task", task)["id"]}


def retrieve_copy_task(world: World, request: RecordedRequest, task_id: str) -> Row:
    """GET /v1/entities/copy_tasks/{task_id}."""
    del request
    task = world.find("copy_task", task_id)
    is_ready = world.state.clock() >= task["ready_at"]
    told = {name: value for name, value in task.items() if name not in ("id", "ready_at")}
    if not is_ready:
        told["target_entity_id"] = ""
    status = "successful" if is_ready else "in_progress"
    return {"task_id": task_id, **told, "task_status": status, "failed_reasons": []}


def _copy(world: World, kind: str, source: Row, space_id: str) -> str:
    if kind == "bot":
        return str(_bots.new_bot(world, space_id, source["draft"])["id"])
    row = {"id": world.state.new_id(), "space_id": space_id, "name": source["name"]}
    return str(world.state.keep(kind, {**row, "updated_at": world.state.unix_time()})["id"])


def _entity(world: World, kind: str, entity_id: str) -> Row:
    """What is copied or worked on; a workflow that nobody made answers by itself, so it is there."""
    if kind == "app" and entity_id == _APP["id"]:
        return _APP
    if kind == "workflow":
        return world.workflow(entity_id)
    return world.find(kind, entity_id)


# Who works on a bot, an app or a workflow.


def add_bot_collaborator(world: World, request: RecordedRequest, bot_id: str) -> None:
    """POST /v1/bots/{bot_id}/collaborators."""
    _add_collaborator(world, request, "bot", bot_id)


def remove_bot_collaborator(world: World, request: RecordedRequest, bot_id: str, user_id: str) -> None:
    """DELETE /v1/bots/{bot_id}/collaborators/{user_id}."""
    del request
    _remove_collaborator(world, "bot", bot_id, user_id)


def add_app_collaborator(world: World, request: RecordedRequest, app_id: str) -> None:
    """POST /v1/apps/{app_id}/collaborators."""
    _add_collaborator(world, request, "app", app_id)


def remove_app_collaborator(world: World, request: RecordedRequest, app_id: str, user_id: str) -> None:
    """DELETE /v1/apps/{app_id}/collaborators/{user_id}."""
    del request
    _remove_collaborator(world, "app", app_id, user_id)


def add_workflow_collaborator(world: World, request: RecordedRequest, workflow_id: str) -> None:
    """POST /v1/workflows/{workflow_id}/collaborators."""
    _add_collaborator(world, request, "workflow", workflow_id)


def remove_workflow_collaborator(world: World, request: RecordedRequest, workflow_id: str, user_id: str) -> None:
    """DELETE /v1/workflows/{workflow_id}/collaborators/{user_id}."""
    del request
    _remove_collaborator(world, "workflow", workflow_id, user_id)


def _add_collaborator(world: World, request: RecordedRequest, kind: str, entity_id: str) -> None:
    (user,) = request.given().objects("collaborators", most=1)
    user_id = user.text("user_id")
    _entity(world, kind, entity_id)
    row_id = f"{kind}/{entity_id}/{user_id}"
    if row_id in world.state.rows["collaborator"]:
        raise Refusal(4000, f"The user {user_id} works on this {kind} already.")
    world.state.keep("collaborator", {"id": row_id, "of": f"{kind}/{entity_id}", "user_id": user_id})


def _remove_collaborator(world: World, kind: str, entity_id: str, user_id: str) -> None:
    _entity(world, kind, entity_id)
    world.state.drop("collaborator", world.find("collaborator", f"{kind}/{entity_id}/{user_id}")["id"])
