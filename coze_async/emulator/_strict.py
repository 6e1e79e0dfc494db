"""Strict mode: only what was made or granted exists."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from ._bots import has_bot
from ._voices import has_voice
from ._wire import Refusal
from ._workspaces import has_app, has_workspace
from ._world import RecordedRequest, World


def _never(world: World, row_id: str) -> bool:
    del world, row_id
    return False


_THINGS: Mapping[str, tuple[Callable[[World, str], bool], str]] = {
    "bot_id": (has_bot, "bot"),
    "workspace_id": (has_workspace, "workspace"),
    "space_id": (has_workspace, "workspace"),
    "to_workspace_id": (has_workspace, "workspace"),
    "workflow_id": (World.has_workflow, "workflow"),
    "voice_id": (has_voice, "voice"),
    # Nothing makes these through the API.
    "template_id": (_never, "template"),
    "enterprise_id": (_never, "enterprise"),
}
"""What a field names, and whether it is there."""


def check_strictly(world: World, request: RecordedRequest, names: Mapping[str, str]) -> None:
    """In strict mode, refuse a request that names something that nobody has made.

    What is not looked at here, such as conversations and files, exists in no mode before it is made.
    """
    if not world.strict:
        return
    body: Mapping[str, Any] = cast("Mapping[str, Any]", request.body) if isinstance(request.body, dict) else {}
    for given in (names, request.query, body):
        for field, (is_there, kind) in _THINGS.items():
            named = given.get(field)
            if named and not is_there(world, str(named)):
                raise Refusal(4200, f"The {kind} {named} does not exist.")
        app_id = given.get("app_id")
        if app_id and not request.path.startswith("/v1/api_apps") and not has_app(world, str(app_id)):
            raise Refusal(4200, f"The app {app_id} does not exist.")
