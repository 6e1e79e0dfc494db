"""The routes of an account: who it is, its variables, what it may use, its enterprises, and who hears of it."""

import hashlib

from ._fields import Fields, by_number, by_token
from ._state import Row
from ._wire import Refusal, to_json
from ._world import OWNER, RecordedRequest, World

_BILL_SECONDS = 60  # "about a minute" (coze.cn page create_bill_task)
_KEPT_SECONDS = 7 * 86400


def me(world: World, request: RecordedRequest) -> Row:
    """GET /v1/users/me."""
    del world, request
    return dict(OWNER)


# Variables


def read_variables(world: World, request: RecordedRequest) -> Row:
    """GET /v1/variables: those that are named, or all; a name that is unknown is left out."""
    asked = request.asked()
    keywords = asked.maybe_texts("keywords")
    found = world.state.all("variable", scope=_scope(asked))
    names = ("keyword", "value", "create_time", "update_time")
    return {
        "items": [
            {name: variable[name] for name in names}
            for variable in found
            if not keywords or variable["keyword"] in keywords
        ]
    }


def set_variables(world: World, request: RecordedRequest) -> None:
    """PUT /v1/variables."""
    given = request.given()
    scope, now = _scope(given), world.state.unix_time()
    pairs = [(pair.text("keyword"), pair.maybe_text("value") or "") for pair in given.objects("data")]
    for keyword, value in pairs:
        row_id = to_json([scope, keyword])
        known = world.state.rows["variable"].get(row_id, {"create_time": now})
        row = {"id": row_id, "scope": scope, "keyword": keyword, "value": value, "update_time": now}
        world.state.keep("variable", {**known, **row})


def _scope(given: Fields) -> str:
    """Whose variables: of a bot or an app, on a channel, for a user (coze.cn page read_variable)."""
    bot_id, app_id = given.maybe_text("bot_id"), given.maybe_text("app_id")
    if bool(bot_id) == bool(app_id):
        raise Refusal(4000, "Exactly one of bot_id and app_id must be given.")
    owner = ("bot", bot_id) if bot_id else ("app", app_id)
    # A list: no text that parts the names could not be a part of one.
    return to_json([*owner, given.maybe_text("connector_id") or "1024", given.text("connector_uid")])


# Benefits


def benefits(world: World, request: RecordedRequest) -> Row:
    """GET /v1/commerce/benefit/benefits/get: the plan, and the limits of the account that are asked for."""
    asked = request.asked()
    kinds = asked.maybe_texts("benefit_type_list")
    plan = {"basic_info": {"user_level": "enterprise"}}
    if not kinds:
        return plan
    found: list[Row] = []
    for kind in kinds:
        if kind not in {"api_run_qps", "call_tool_limit"}:
            raise Refusal(4000, f"benefit_type_list holds {kind}: it is neither api_run_qps nor call_tool_limit.")
        resource = asked.one_of("resource_id", ("plugin", "chat", "workflow")) if kind == "api_run_qps" else ""
        limit = {
            "plugin": world.limits.plugin_qps,
            "chat": world.limits.chat_qps,
            "workflow": world.limits.workflow_qps,
        }.get(resource)
        counter = {"used": 0, "total": limit or 1, "start_at": 0, "end_at": 0}
        told = {"item_info": {**counter, "strategy": "by_quota" if limit else "unlimit"}, "status": "valid"}
        found.append({"resource_id": resource, "benefit_type": kind, "basic": told, "extra": [], "effective": told})
    return {**plan, "benefit_info": found}


_ENTITIES = (
    "enterprise_all_devices",
    "enterprise_all_custom_consumers",
    "single_device",
    "single_custom_consumer",
)
_LIMIT_FIELDS = ("active_mode", "started_at", "ended_at", "duration", "limit", "status", "trigger_unit", "trigger_time")
_LIMIT_NUMBERS = ("started_at", "ended_at", "limit", "trigger_time")


def create_limitation(world: World, request: RecordedRequest) -> Row:
    """POST /v1/commerce/benefit/limitations; the page's table has the rule in `benefit_info`, its sample is flat."""
    given = request.given()
    entity_type, benefit = given.one_of("entity_type", _ENTITIES), given.inner("benefit_info")
    row = {
        "entity_type": entity_type,
        "entity_id": given.text("entity_id") if entity_type.startswith("single") else "",
        "benefit_type": benefit.text("benefit_type"),
        "status": "valid",
        "trigger_unit": "never",
        **_limit(benefit),
    }
    return {"benefit_info": _limitation(world.state.keep("limitation", {"id": world.state.new_id(), **row}))}


def list_limitations(world: World, request: RecordedRequest) -> Row:
    """GET /v1/commerce/benefit/limitations."""
    asked = request.asked()
    kind, benefit_type = asked.one_of("entity_type", _ENTITIES), asked.text("benefit_type")
    entity_id, status = asked.maybe_text("entity_id"), asked.maybe_text("status")
    found = [
        _limitation(row)
        for row in world.state.all("limitation", entity_type=kind, benefit_type=benefit_type)
        if entity_id in (None, "", row["entity_id"]) and status in (None, "", row["status"])
    ]
    return by_token(found, asked, most=200, default=20, items="benefit_infos", next_token="page_token")  # noqa: S106


def update_limitation(world: World, request: RecordedRequest, benefit_id: str) -> Row:
    """PUT /v1/commerce/benefit/limitations/{benefit_id}: nobody says what the answer holds; it is as for POST."""
    changes = _limit(request.given())
    return {"benefit_info": _limitation(world.state.keep("limitation", world.find("limitation", benefit_id) | changes))}


def _limit(given: Fields) -> Row:
    """What of a rule is given; its numbers may come as texts, and are numbers when they are read back."""
    for name in _LIMIT_FIELDS:
        given.maybe_text(name)
    numbers = {name: given.number(name, 0, least=0) for name in _LIMIT_NUMBERS if name in given}
    return given.only(*_LIMIT_FIELDS) | numbers


def _limitation(row: Row) -> Row:
    return {"benefit_id": row["id"], **{name: value for name, value in row.items() if name != "id"}}


def create_bill_task(world: World, request: RecordedRequest) -> Row:
    """POST /v1/commerce/benefit/bill_tasks: takes a minute."""
    given = request.given()
    now = world.state.unix_time()
    row = {
        "id": world.state.new_id(),
        "started_at": given.number("started_at", now - 86400, least=0),
        "ended_at": given.number("ended_at", now - 1, least=0),
        "created_at": now,
        "expires_at": now + _KEPT_SECONDS,
    }
    return _bill_task(world, world.state.keep("bill_task", row))


def list_bill_tasks(world: World, request: RecordedRequest) -> Row:
    """GET /v1/commerce/benefit/bill_tasks."""
    asked = request.asked()
    ids = asked.maybe_texts("task_ids")
    found = [_bill_task(world, row) for row in world.state.all("bill_task") if not ids or row["id"] in ids]
    return by_number(found[::-1], asked, most=200, items="task_infos")


def _bill_task(world: World, row: Row) -> Row:
    is_ready = world.state.unix_time() >= row["created_at"] + _BILL_SECONDS
    told = {name: row[name] for name in ("started_at", "ended_at", "created_at", "expires_at")}
    files = [f"https://example.com/bill_{row['id']}.csv"] if is_ready else []
    return {"task_id": row["id"], **told, "file_urls": files, "status": "succeed" if is_ready else "running"}


# API apps


def create_api_app(world: World, request: RecordedRequest) -> Row:
    """POST /v1/api_apps: a normal one has a name, one of a channel the channel."""
    given = request.given()
    kind = given.one_of("app_type", ("normal", "connector"))
    app_id = world.state.new_id()
    row: Row = {
        "id": app_id,
        "app_type": kind,
        "name": given.text("name") if kind == "normal" else given.maybe_text("name") or "",
        "connector_id": given.text("connector_id") if kind == "connector" else "",
        "verify_token": hashlib.sha256(app_id.encode()).hexdigest()[:32],
        "callback_url": "",
        "events": [],
    }
    return _api_app(world.state.keep("api_app", row))


def update_api_app(world: World, request: RecordedRequest, app_id: str) -> None:
    """PUT /v1/api_apps/{app_id}."""
    given = request.given()
    names = ("name", "callback_url")
    changes = {name: text for name in names if (text := given.maybe_text(name)) is not None}
    world.state.keep("api_app", world.find("api_app", app_id) | changes)


def delete_api_app(world: World, request: RecordedRequest, app_id: str) -> None:
    """DELETE /v1/api_apps/{app_id}."""
    del request
    world.state.drop("api_app", world.find("api_app", app_id)["id"])


def list_api_apps(world: World, request: RecordedRequest) -> Row:
    """GET /v1/api_apps."""
    asked = request.asked()
    kind = asked.maybe_one_of("app_type", ("normal", "connector"), "")
    found = [_api_app(row) for row in world.state.all("api_app") if kind in ("", row["app_type"])]
    return by_token(found, asked, most=50, default=50)


def _api_app(row: Row) -> Row:
    return {name: value for name, value in row.items() if name != "events"}


def subscribe(world: World, request: RecordedRequest, api_app_id: str) -> None:
    """POST /v1/api_apps/{api_app_id}/events."""
    kinds = request.given().texts("event_types")
    row = world.find("api_app", api_app_id)
    world.state.keep("api_app", row | {"events": [*dict.fromkeys([*row["events"], *kinds])]})


def unsubscribe(world: World, request: RecordedRequest, api_app_id: str) -> None:
    """DELETE /v1/api_apps/{api_app_id}/events."""
    kinds = request.given().texts("event_types")
    row = world.find("api_app", api_app_id)
    world.state.keep("api_app", row | {"events": [kind for kind in row["events"] if kind not in kinds]})


def list_events(world: World, request: RecordedRequest, api_app_id: str) -> Row:
    """GET /v1/api_apps/{api_app_id}/events."""
    row = world.find("api_app", api_app_id)
    found = [
        {"api_app_id": api_app_id, "name": kind, "description": f"The event {kind}.", "event_type": kind}
        for kind in row["events"]
    ]
    return by_token(found, request.asked(), most=50, default=50)


# Channels


def install_connector(world: World, request: RecordedRequest, connector_id: str) -> None:
    """POST /v1/connectors/{connector_id}/install."""
    workspace_id = request.given().text("workspace_id")
    row = {"id": f"{connector_id}/{workspace_id}", "connector_id": connector_id, "workspace_id": workspace_id}
    world.state.keep("installed_connector", row)


def bind_connector(world: World, request: RecordedRequest, connector_id: str) -> None:
    """POST /v1/connectors/{connector_id}/user_configs."""
    given = request.given()
    user_id = given.maybe_text("user_id") or OWNER["user_id"]
    configs = [
        {
            "key": config.text("key"),
            "enums": [
                {"label": choice.text("label"), "value": choice.text("value")} for choice in config.objects("enums")
            ],
        }
        for config in given.objects("configs")
    ]
    world.state.keep("connector_config", {"id": f"{connector_id}/{user_id}", "configs": configs})


def review_bot(world: World, request: RecordedRequest, connector_id: str, bot_id: str) -> None:
    """PUT /v1/connectors/{connector_id}/bots/{bot_id}: a bot that is refused leaves the channel."""
    given = request.given()
    status = given.number("audit_status", 1, least=1, most=3)
    reason = given.text("reason") if status == 3 else given.maybe_text("reason") or ""
    bot = world.find("bot", bot_id)
    bot["audits"] = {**bot["audits"], connector_id: {"audit_status": status, "reason": reason}}
    if status == 3:
        bot["published"] = {
            channel: version for channel, version in bot["published"].items() if channel != connector_id
        }
    world.state.keep("bot", bot)


# Enterprises and organizations

_ENTERPRISE_ROLES = ("enterprise_admin", "enterprise_member")
_SUPER_ADMIN = "organization_super_admin"
_ROLES = (_SUPER_ADMIN, "organization_admin", "organization_member", "organization_guest")


def add_enterprise_member(world: World, request: RecordedRequest, enterprise_id: str) -> None:
    """POST /v1/enterprises/{enterprise_id}/members: one at a time."""
    (user,) = request.given().objects("users", most=1)
    row = {"user_id": user.text("user_id"), "role": user.one_of("role", _ENTERPRISE_ROLES)}
    _join(world, "enterprise_member", enterprise_id, row)


def update_enterprise_member(world: World, request: RecordedRequest, enterprise_id: str, user_id: str) -> None:
    """PUT /v1/enterprises/{enterprise_id}/members/{user_id}."""
    role = request.given().one_of("role", _ENTERPRISE_ROLES)
    row = world.find("enterprise_member", f"{enterprise_id}/{user_id}")
    world.state.keep("enterprise_member", row | {"role": role})


def remove_enterprise_member(world: World, request: RecordedRequest, enterprise_id: str, user_id: str) -> None:
    """DELETE /v1/enterprises/{enterprise_id}/members/{user_id}."""
    request.given().text("receiver_user_id")
    world.state.drop("enterprise_member", world.find("enterprise_member", f"{enterprise_id}/{user_id}")["id"])


def create_organization(world: World, request: RecordedRequest, enterprise_id: str) -> Row:
    """POST /v1/enterprises/{enterprise_id}/organizations: 20 at most."""
    given = request.given()
    name, admin = given.text("name"), given.text("super_admin_user_id")
    description = given.maybe_text("description") or ""
    if len(world.state.all("organization", enterprise_id=enterprise_id)) >= 20:
        raise Refusal(4000, "An enterprise has 20 organizations at most.")
    row = {"id": world.state.new_id(), "enterprise_id": enterprise_id, "name": name, "description": description}
    made = world.state.keep("organization", row)
    _join(world, "organization_member", made["id"], {"user_id": admin, "organization_role_type": _SUPER_ADMIN})
    return {"organization_id": made["id"]}


def list_organizations(world: World, request: RecordedRequest, enterprise_id: str) -> Row:
    """GET /v1/enterprises/{enterprise_id}/organizations."""
    found = [
        {
            "organization_id": row["id"],
            "organization_name": row["name"],
            "organization_icon_url": "https://example.com/organization.png",
            "is_default_organization": False,
        }
        for row in world.state.all("organization", enterprise_id=enterprise_id)
    ]
    return by_number(found, request.asked(), most=20, total="total_count")


def update_organization(world: World, request: RecordedRequest, organization_id: str) -> Row:
    """PUT /v1/organizations/{organization_id}."""
    given = request.given()
    names = ("name", "description")
    changes = {name: text for name in names if (text := given.maybe_text(name)) is not None}
    world.state.keep("organization", world.find("organization", organization_id) | changes)
    return {}


def add_organization_members(world: World, request: RecordedRequest, organization_id: str) -> None:
    """POST /v1/organizations/{organization_id}/members."""
    people = [
        {"user_id": one.text("user_id"), "organization_role_type": one.one_of("organization_role_type", _ROLES)}
        for one in request.given().objects("organization_people")
    ]
    world.find("organization", organization_id)
    for person in people:
        _join(world, "organization_member", organization_id, person)


def list_organization_members(world: World, request: RecordedRequest, organization_id: str) -> Row:
    """GET /v1/organizations/{organization_id}/members."""
    world.find("organization", organization_id)
    found = [
        {
            "user_id": row["user_id"],
            "organization_role_type": row["organization_role_type"],
            "created_at": row["created_at"],
            "is_valid": True,
            "people_type": "guest" if row["organization_role_type"].endswith("guest") else "employee",
            "user_nickname": f"User {row['user_id']}",
            "user_unique_name": f"user{row['user_id']}",
            "avatar_url": OWNER["avatar_url"],
        }
        for row in world.state.all("organization_member", of=organization_id)
    ]
    return by_number(found, request.asked(), most=50, total="total_count")


def update_organization_member(world: World, request: RecordedRequest, organization_id: str, user_id: str) -> None:
    """PUT /v1/organizations/{organization_id}/members/{user_id}."""
    role = request.given().one_of("organization_role_type", _ROLES)
    row = world.find("organization_member", f"{organization_id}/{user_id}")
    world.state.keep("organization_member", row | {"organization_role_type": role})


def remove_organization_member(world: World, request: RecordedRequest, organization_id: str, user_id: str) -> None:
    """DELETE /v1/organizations/{organization_id}/members/{user_id}; the last super admin stays."""
    request.given().text("receiver_user_id")
    row = world.find("organization_member", f"{organization_id}/{user_id}")
    governing = world.state.all("organization_member", of=organization_id, organization_role_type=_SUPER_ADMIN)
    if governing == [row]:
        raise Refusal(777074044, "The last super admin of an organization cannot be removed.")
    world.state.drop("organization_member", row["id"])


def _join(world: World, kind: str, of: str, row: Row) -> None:
    row_id = f"{of}/{row['user_id']}"
    if row_id in world.state.rows[kind]:
        raise Refusal(4000, f"The user {row['user_id']} is a member already.")
    world.state.keep(kind, {"id": row_id, "of": of, "created_at": world.state.unix_time(), **row})
