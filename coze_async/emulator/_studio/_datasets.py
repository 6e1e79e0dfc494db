"""The routes of knowledge bases on Coze Studio; Coze Plus has none."""

from typing import Any, cast

from coze_async.emulator._body import EmulatedResponse
from coze_async.emulator._fields import Fields
from coze_async.emulator._state import Row
from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import OWNER, RecordedRequest, World

from ._binding import asked_id, bound, unbound
from ._wire import StudioWire

_ICON = "default_icon/text_kn_default_icon.png"
_STRATEGY = {
    "separator": "\n",
    "max_tokens": 800,
    "remove_extra_spaces": False,
    "remove_urls_emails": False,
    "chunk_type": 0,
    "overlap": 10,
    "max_level": 0,
    "save_title": False,
}
"""How a document is cut, whatever was asked for."""


def create(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /v1/datasets."""
    given = Fields(bound(request, {"name": "text", "space_id": "id"}, "name", "space_id", "format_type"))
    now = world.state.unix_time()
    row = world.state.keep(
        "dataset",
        {
            "id": world.state.new_id(),
            "name": given.text("name"),
            "space_id": given.text("space_id"),
            "description": given.maybe_text("description") or "",
            "format_type": given.number("format_type", 0, least=0),
            "create_time": now,
            "update_time": now,
        },
    )
    return _done(world, {"dataset_id": row["id"]})


def _done(world: World, data: Any = None) -> EmulatedResponse:
    told = {} if data is None else {"data": data}
    return world.wire.json(200, {**told, "code": 0, "msg": "success", **world.wire.base_resp})


def _find(world: World, dataset_id: str) -> Row:
    row = world.state.rows["dataset"].get(dataset_id)
    if row is None:
        raise Refusal(105000011, "knowledge not exist: knowledge not found")
    return row


def listing(world: World, request: RecordedRequest) -> EmulatedResponse:
    """GET /v1/datasets, newest first."""
    space_id, asked = asked_id(request, "space_id"), request.asked()
    name = asked.maybe_text("name") or ""
    found = [row for row in reversed(world.state.all("dataset", space_id=space_id)) if name in row["name"]]
    number, size = asked.number("page_num", 1), asked.number("page_size", 10)
    page = [_told(world, row) for row in found[(number - 1) * size : number * size]]
    return _done(world, {"dataset_list": page, "total_count": len(found)})


def _told(world: World, row: Row) -> Row:
    documents = world.state.all("document", dataset_id=row["id"])
    names = [document["name"] for document in documents] or None
    processing = [document for document in documents if not document["tos_uri"]]
    return {
        "dataset_id": row["id"],
        "name": row["name"],
        "file_list": names,
        "all_file_size": "0",
        "bot_used_count": 0,
        "status": 1,
        "processing_file_list": [document["name"] for document in processing] or None,
        "update_time": row["update_time"],
        "icon_url": f"http://storage.emulator/{_ICON}?X-Amz-Signature=emulated",
        "description": row["description"],
        "icon_uri": _ICON,
        "can_edit": True,
        "create_time": row["create_time"],
        "creator_id": OWNER["user_id"],
        "space_id": row["space_id"],
        "failed_file_list": None,
        "format_type": row["format_type"],
        "slice_count": 0,
        "hit_count": 0,
        "doc_count": len(documents),
        "chunk_strategy": _STRATEGY if documents else None,
        "processing_file_id_list": [document["id"] for document in processing] or None,
        "project_id": "0",
    }


def update(world: World, request: RecordedRequest, dataset_id: str) -> EmulatedResponse:
    """PUT /v1/datasets/{dataset_id}."""
    given = Fields(bound(request, {"name": "text"}, "name"))
    changes = {"name": given.text("name"), "description": given.maybe_text("description") or ""}
    world.state.keep("dataset", _find(world, dataset_id) | changes | {"update_time": world.state.unix_time()})
    return _done(world)


def delete(world: World, request: RecordedRequest, dataset_id: str) -> EmulatedResponse:
    """DELETE /v1/datasets/{dataset_id}, with its documents."""
    del request
    _find(world, dataset_id)
    for document in world.state.all("document", dataset_id=dataset_id):
        world.state.drop("document", document["id"])
    world.state.drop("dataset", dataset_id)
    return _done(world)


def process(world: World, request: RecordedRequest, dataset_id: str) -> EmulatedResponse:
    """POST /v1/datasets/{dataset_id}/process: the ids are numbers, and no document is ever done."""
    del dataset_id
    given: Any = bound(request, {}, "document_ids")["document_ids"]
    ids = cast("list[object]", given) if isinstance(given, list) else [given]
    if not all(isinstance(document_id, int) for document_id in ids):
        where = '"at index 17: mismatched type with value\\n\\n\\t\\"document_ids\\"\\n"'
        raise unbound(f"Mismatch type int64 with value string {where}")
    documents = [world.state.rows["document"].get(str(document_id)) for document_id in ids]
    data = {"data": [_progress(document) for document in documents if document is not None]}
    return world.wire.json(200, {"data": data, "code": 0, "msg": "success"})


def _progress(document: Row) -> Row:
    return {
        "document_id": document["id"],
        "progress": 0,
        "status": 0,
        "status_descript": "上传中",
        "document_name": document["name"],
        "remaining_time": 300,
        "size": 0,
        "type": document["type"] or "0",
        "url": "",
    }


def create_documents(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /open_api/knowledge/document/create: reads `tos_uri` and `custom_content`, and no base64."""
    given = Fields(bound(request, {}, "dataset_id", "document_bases"))
    dataset = _find(world, given.text("dataset_id"))
    made = [_document(world, dataset, base) for base in given.objects("document_bases")]
    for document in made:
        world.state.keep("document", document)
    told = [
        _document_told(document) | {"create_time": 0, "update_time": 0, "type": document["type"]} for document in made
    ]
    return world.wire.json(200, {"document_infos": told, "code": 0, "msg": "", **world.wire.base_resp})


def _document(world: World, dataset: Row, base: Fields) -> Row:
    uri = base.inner("source_info").maybe_text("tos_uri") or ""
    return {
        "id": world.state.new_id(),
        "dataset_id": dataset["id"],
        "name": base.text("name"),
        "tos_uri": uri,
        "type": uri.rpartition(".")[2] if uri else "",
        "format_type": dataset["format_type"],
        "space_id": dataset["space_id"],
        "at": world.state.unix_time(),
    }


def _document_told(document: Row) -> Row:
    uri = document["tos_uri"]
    url = f"http://storage.emulator/{uri}?X-Amz-Signature=emulated" if uri else ""
    return {
        "name": document["name"],
        "document_id": document["id"],
        "tos_uri": uri,
        "create_time": document["at"],
        "update_time": document["at"],
        "creator_id": OWNER["user_id"],
        "slice_count": 0,
        "type": document["type"] or "0",
        "size": 0,
        "char_count": 0,
        "status": 0,
        "hit_count": 0,
        "source_type": 2,
        "format_type": document["format_type"],
        "web_url": url,
        "status_descript": "",
        "space_id": document["space_id"],
        "chunk_strategy": _STRATEGY,
        "preview_tos_url": url,
    }


def list_documents(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /open_api/knowledge/document/list: pages are counted from 0; what cannot be read is told in plain text."""
    body = bound(request, {})
    if not isinstance(body.get("dataset_id"), str):
        shown = 'bind body failed, err="Syntax error at index 34: invalid char\n"'
        return cast("StudioWire", world.wire).text(400, shown)
    given = Fields(body)
    found = world.state.all("document", dataset_id=body["dataset_id"])
    number, size = given.number("page", 0, least=0), given.number("size", 10)
    page = [_document_told(document) for document in found[number * size : (number + 1) * size]]
    told = {"document_infos": page, "total": len(found), "code": 0, "msg": ""}
    return world.wire.json(200, {**told, **world.wire.base_resp})


def update_document(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /open_api/knowledge/document/update: the name."""
    given = Fields(bound(request, {}, "document_id"))
    document = world.state.rows["document"].get(given.text("document_id"))
    if document is None:
        raise Refusal(105000011, "knowledge not exist: document not found")
    name = given.maybe_text("document_name") or document["name"]
    world.state.keep("document", document | {"name": name, "at": world.state.unix_time()})
    return world.wire.json(200, {"code": 0, "msg": ""})


def delete_documents(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /open_api/knowledge/document/delete."""
    for document_id in Fields(bound(request, {}, "document_ids")).texts("document_ids"):
        if document_id in world.state.rows["document"]:
            world.state.drop("document", document_id)
    return world.wire.json(200, {"code": 0, "msg": ""})


def list_images(world: World, request: RecordedRequest, dataset_id: str) -> EmulatedResponse:
    """GET /v1/datasets/{dataset_id}/images: none, as no image is ever read."""
    del request
    _find(world, dataset_id)
    return _done(world, {"photo_infos": [], "total_count": 0})
