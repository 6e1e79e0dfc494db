"""The routes of knowledge bases: documents that take a moment to be read, and images with captions."""

import base64
import binascii
from pathlib import PurePath
from typing import Any

from ._body import EmulatedResponse
from ._fields import Fields, by_number
from ._state import Row
from ._wire import Refusal
from ._world import OWNER, RecordedRequest, World

PROCESSING_SECONDS = 2
"""How long the emulator takes to read a document."""

_TEXT, _TABLE, _IMAGE = 0, 1, 2
_STRATEGIES = ("chunk_strategy", "parsing_strategy", "index_strategy", "filter_strategy")
_ICON = "https://example.com/dataset.png"
_SEGMENT = 800


def create(world: World, request: RecordedRequest) -> Row:
    """POST /v1/datasets."""
    given = request.given()
    now = world.state.unix_time()
    row = {
        "name": given.text("name", most=100),
        "space_id": given.text("space_id"),
        "format_type": _format(given),
        "description": given.maybe_text("description") or "",
        "project_id": given.maybe_text("project_id") or "0",
        "icon_url": _icon(world, given),
        "create_time": now,
        "update_time": now,
    }
    return {"dataset_id": world.state.keep("dataset", {"id": world.state.new_id(), **row})["id"]}


def listing(world: World, request: RecordedRequest) -> Row:
    """GET /v1/datasets, newest first."""
    asked = request.asked()
    found = world.state.all("dataset", space_id=asked.text("space_id"))
    name, project_id = asked.maybe_text("name"), asked.maybe_text("project_id")
    kind = _format(asked) if "format_type" in asked else None
    found = [
        dataset
        for dataset in reversed(found)
        if (name or "") in dataset["name"]
        and kind in (None, dataset["format_type"])
        and project_id in (None, "", dataset["project_id"])
    ]
    page = by_number(found, asked, most=300, default=10, items="dataset_list", total="total_count")
    return {**page, "dataset_list": [_told(world, dataset) for dataset in page["dataset_list"]]}


def update(world: World, request: RecordedRequest, dataset_id: str) -> None:
    """PUT /v1/datasets/{dataset_id}: what is not given takes its default again."""
    given = request.given()
    name, description = given.text("name", most=100), given.maybe_text("description") or ""
    changes: Row = {"name": name, "description": description, "icon_url": _icon(world, given)}
    now = world.state.unix_time()
    world.state.keep("dataset", world.find("dataset", dataset_id) | changes | {"update_time": now})


def delete(world: World, request: RecordedRequest, dataset_id: str) -> None:
    """DELETE /v1/datasets/{dataset_id}, with its documents."""
    del request
    world.find("dataset", dataset_id)
    for document in world.state.all("document", dataset_id=dataset_id):
        world.state.drop("document", document["id"])
    world.state.drop("dataset", dataset_id)


def process(world: World, request: RecordedRequest, dataset_id: str) -> Row:
    """POST /v1/datasets/{dataset_id}/process: how far documents are."""
    ids = request.given().texts("document_ids")
    world.find("dataset", dataset_id)
    documents = [world.find("document", document_id, dataset_id=dataset_id) for document_id in ids]
    return {"data": [_progress(world, document) for document in documents]}


def _progress(world: World, document: Row) -> Row:
    left = _seconds_left(world, document)
    return {
        "document_id": document["id"],
        "document_name": document["name"],
        "url": document["web_url"],
        "size": document["size"],
        "type": document["type"],
        "status": 0 if left else 1,
        "progress": round(100 - 100 * left / PROCESSING_SECONDS),
        "update_type": document["update_type"],
        "update_interval": document["update_interval"],
        "remaining_time": round(left),
        "status_descript": "",
    }


# Documents


def create_documents(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /open_api/knowledge/document/create: 10 at a time."""
    given = request.given()
    dataset = world.find("dataset", given.text("dataset_id"))
    bases = given.objects("document_bases", most=10)
    for name in _STRATEGIES:
        given.object(name)
    kind = _format(given) if "format_type" in given else dataset["format_type"]
    if kind != dataset["format_type"]:
        raise Refusal(4000, f"The documents have format_type {kind}, but the dataset has {dataset['format_type']}.")
    segment = given.inner("chunk_strategy").number("max_tokens", _SEGMENT, least=100, most=2000)
    made = [_document(world, base, segment) for base in bases]
    common = {"dataset_id": dataset["id"], "format_type": kind, **given.only(*_STRATEGIES)}
    kept = [world.state.keep("document", {**document, **common}) for document in made]
    return _answer(world, document_infos=[_document_told(world, document) for document in kept])


def update_document(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /open_api/knowledge/document/update: the name, and how often a page is read again."""
    given = request.given()
    document = world.find("document", given.text("document_id"))
    changes: Row = {"update_time": world.state.unix_time()}
    name = given.maybe_text("document_name")
    if name:
        changes["name"] = name
    if "update_rule" in given:
        changes |= _rule(given.inner("update_rule"))
    if "table_meta" in given:
        given.objects("table_meta")
        changes |= given.only("table_meta")
    kept = world.state.keep("document", document | changes)
    return _answer(world, document_info=_document_told(world, kept))


def delete_documents(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST /open_api/knowledge/document/delete: 100 at a time, all or none."""
    ids = request.given().texts("document_ids", most=100)
    for document in [world.find("document", document_id) for document_id in dict.fromkeys(ids)]:
        world.state.drop("document", document["id"])
    return _answer(world)


def list_documents(world: World, request: RecordedRequest) -> EmulatedResponse:
    """POST (on the cloud also GET) /open_api/knowledge/document/list, newest first."""
    given = request.asked() if request.method == "GET" else request.given()
    dataset = world.find("dataset", given.text("dataset_id"))
    ids, keyword = given.maybe_texts("document_ids"), given.maybe_text("keyword") or ""
    found = [
        document
        for document in reversed(world.state.all("document", dataset_id=dataset["id"]))
        if keyword in document["name"] and (not ids or document["id"] in ids)
    ]
    # coze-js cabc1ec writes page_size.
    size = "size" if "size" in given else "page_size"
    page = by_number(found, given, most=100, default=10, items="document_infos", page="page", size=size)
    infos = [_document_told(world, document) for document in page["document_infos"]]
    return _answer(world, **{**page, "document_infos": infos})


def _document(world: World, base: Fields, segment: int) -> Row:
    source, now = base.inner("source_info"), world.state.unix_time()
    size, characters, kind = _content(world, source, base.text("name"))
    return {
        "id": world.state.new_id(),
        "name": base.text("name"),
        "size": size,
        "char_count": characters,
        "slice_count": -(-characters // segment),
        "type": kind,
        "source_type": source.number("document_source", 0, least=0),
        "source_file_id": source.maybe_text("source_file_id") or "",
        "web_url": source.maybe_text("web_url") or "",
        "caption": base.maybe_text("caption") or "",
        "create_time": now,
        "update_time": now,
        "ready_at": world.state.clock() + PROCESSING_SECONDS,
        **_rule(base.inner("update_rule")),
    }


def _content(world: World, source: Fields, name: str) -> tuple[int, int, str]:
    """The bytes, the characters and the type of what a document is made of."""
    if "file_base64" in source:
        try:
            content = base64.b64decode(source.text("file_base64"), validate=True)
        except (binascii.Error, ValueError):
            raise Refusal(4000, f"The content of {name} is no base64.") from None
        return len(content), len(content.decode("utf-8", "replace")), source.text("file_type")
    if "source_file_id" in source:
        file = world.find("file", source.text("source_file_id"))
        return file["bytes"], file["bytes"], PurePath(file["file_name"]).suffix[1:]
    if "web_url" in source:
        page = source.text("web_url")
        if not page.startswith(("http://", "https://")):
            raise Refusal(4000, f"The web_url of {name} does not begin with http.")
        return 20_000, 8_000, "html"
    text = source.maybe_text("custom_content")
    if text is None:
        raise Refusal(4000, f"source_info of {name} holds no file_base64, source_file_id or web_url.")
    return len(text.encode()), len(text), "txt"


def _rule(rule: Fields) -> Row:
    update = rule.number("update_type", 0, least=0, most=2)
    return {"update_type": update, "update_interval": rule.number("update_interval", 24, least=24) if update else 0}


def _document_told(world: World, document: Row) -> Row:
    left = _seconds_left(world, document)
    hidden = ("id", "dataset_id", "ready_at", "caption")
    return {
        "document_id": document["id"],
        **{name: value for name, value in document.items() if name not in hidden},
        "status": 0 if left else 1,
        "hit_count": 0,
        "bot_used_count": 0,
        "creator_id": OWNER["user_id"],
        "document_id_new": document["id"],
        "table_meta": document.get("table_meta", []),
    }


# Images


def list_images(world: World, request: RecordedRequest, dataset_id: str) -> Row:
    """GET /v1/datasets/{dataset_id}/images."""
    asked = request.asked()
    world.find("dataset", dataset_id)
    keyword, has_caption = asked.maybe_text("keyword") or "", asked.flag("has_caption")
    found = [
        image
        for image in reversed(world.state.all("document", dataset_id=dataset_id, format_type=_IMAGE))
        if keyword in image["caption"] and has_caption in (None, bool(image["caption"]))
    ]
    page = by_number(found, asked, most=299, default=10, items="photo_infos", total="total_count")
    return {**page, "photo_infos": [_image_told(world, image) for image in page["photo_infos"]]}


def update_image(world: World, request: RecordedRequest, dataset_id: str, document_id: str) -> None:
    """PUT /v1/datasets/{dataset_id}/images/{document_id}: the caption."""
    caption = request.given().text("caption")
    image = world.find("document", document_id, dataset_id=dataset_id, format_type=_IMAGE)
    world.state.keep("document", image | {"caption": caption, "update_time": world.state.unix_time()})


def _image_told(world: World, image: Row) -> Row:
    same = ("name", "size", "type", "caption", "source_type", "create_time", "update_time")
    return {
        "document_id": image["id"],
        "url": f"https://example.com/{image['id']}.{image['type']}",
        **{name: image[name] for name in same},
        "status": 0 if _seconds_left(world, image) else 1,
        "creator_id": OWNER["user_id"],
    }


def _told(world: World, dataset: Row) -> Row:
    documents = world.state.all("document", dataset_id=dataset["id"])
    processing = [document for document in documents if _seconds_left(world, document)]
    bots = [bot for bot in world.state.rows["bot"].values() if dataset["id"] in _bases_of(bot)]
    return {
        "dataset_id": dataset["id"],
        **{name: value for name, value in dataset.items() if name != "id"},
        "status": 1,
        "can_edit": True,
        "doc_count": len(documents),
        "file_list": [document["name"] for document in documents],
        "hit_count": 0,
        "bot_used_count": len(bots),
        "slice_count": sum(document["slice_count"] for document in documents),
        "all_file_size": str(sum(document["size"] for document in documents)),
        "chunk_strategy": documents[-1].get("chunk_strategy") if documents else None,
        "failed_file_list": [],
        "processing_file_list": [document["name"] for document in processing],
        "processing_file_id_list": [document["id"] for document in processing],
        "avatar_url": OWNER["avatar_url"],
        "creator_id": OWNER["user_id"],
        "creator_name": OWNER["user_name"],
        "dataset_type": 0,
    }


def _bases_of(bot: Row) -> list[str]:
    return [info["id"] for info in bot["draft"]["knowledge"]["knowledge_infos"]]


def _seconds_left(world: World, document: Row) -> float:
    left: float = document["ready_at"] - world.state.clock()
    return max(0.0, left)


def _format(given: Fields) -> int:
    given.text("format_type")
    return given.number("format_type", _TEXT, least=_TEXT, most=_IMAGE)


def _icon(world: World, given: Fields) -> str:
    file_id = given.maybe_text("file_id")
    return f"https://example.com/{world.find('file', file_id)['id']}" if file_id else _ICON


def _answer(world: World, **told: Any) -> EmulatedResponse:
    """What stands beside code and msg, as these routes have it."""
    return world.wire.json(200, {"code": 0, "msg": "", **told})
