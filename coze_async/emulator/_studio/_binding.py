"""How self-hosted servers read a request, and what they say of one that they cannot read."""

import json
import re
from collections.abc import Mapping
from typing import Any, cast

from coze_async.emulator._wire import Refusal
from coze_async.emulator._world import RecordedRequest

from ._wire import bad_request, required

Types = Mapping[str, str]
"""What the fields of a body hold: "id" or "text of digits", "text", "number", "object", "objects", or "texts" in an
object."""


def bound(request: RecordedRequest, types: Types, *needed: str) -> dict[str, Any]:
    """The fields of a JSON body, null ones left out; a body of another content type is not read at all.

    Args:
        request: The request.
        types: What fields may hold, if they are there.
        needed: The fields that have to be there.
    """
    body: dict[str, Any] = {}
    if is_json(request) and request.body is not None:
        if not isinstance(request.body, dict):
            raise unbound('"Syntax error at index 0: invalid char"')
        body = {name: value for name, value in cast("dict[str, Any]", request.body).items() if value is not None}
    for name, kind in types.items():
        if name in body:
            _check(name, body[name], kind)
    for name in needed:
        if name not in body:
            raise required(name)
    return body


def is_json(request: RecordedRequest) -> bool:
    """Whether the body is said to be JSON."""
    return request.headers.get("content-type", "").startswith("application/json")


def unbound(problem: str) -> Refusal:
    """A body whose fields are of other types."""
    return bad_request(f"bind body failed, err={problem}")


def _check(name: str, value: Any, kind: str) -> None:
    shown = json.dumps({name: value}, ensure_ascii=False)[1:-1]
    match kind:
        case "id":
            if not isinstance(value, str) or not re.search("[0-9]", value):
                raise unbound(f'"Syntax error at index {len(name) + 4}: invalid char\\n\\n\\t{shown}\\n"')
        case "text of digits":
            if not isinstance(value, str):
                raise _mismatch("string", value, shown)
            if not re.search("[0-9]", value):
                raise _mismatch("int64", value, shown)
        case "objects":
            items = cast("list[object]", value) if isinstance(value, list) else [None]
            if not all(isinstance(item, dict) for item in items):
                raise _mismatch("[]*run.EnterMessage", value, shown)
        case "text":
            if not isinstance(value, str):
                raise _mismatch("string", value, shown)
        case "number":
            if not isinstance(value, int) or isinstance(value, bool):
                raise _mismatch("int64", value, shown)
        case "texts":
            for inner in cast("Mapping[str, Any]", value).values() if isinstance(value, dict) else [value]:
                if not isinstance(inner, str):
                    raise _mismatch("string", inner, shown)
        case _:
            if not isinstance(value, dict):
                raise bad_request(f"{name} field should be an object, not a {_kind_of(value)}")


def _mismatch(wanted: str, value: Any, shown: str) -> Refusal:
    where = f'"at index 1: mismatched type with value\\n\\n\\t{shown}\\n"'
    return unbound(f"Mismatch type {wanted} with value {_kind_of(value)} {where}")


def _kind_of(value: Any) -> str:
    match value:
        case bool():
            return "bool"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"


def asked_id(request: RecordedRequest, name: str, label: str = "") -> str:
    """An id in the query, which has to be there; `label` is its name in the server's own code."""
    value = request.query.get(name)
    if value is None:
        raise required(label or name)
    return decoded(value)


def decoded(value: str) -> str:
    """An id in the query or the path; one without digits cannot be a number."""
    if not re.search("[0-9]", value):
        raise bad_request(f"unable to decode '{value}' as int64: strconv.ParseInt: parsing \"{value}\": invalid syntax")
    return value
