"""Makes answers out of the models that they are read into: minimal, full, null, with numbers for ids, with extras.

The values are our own; the shapes are those of the models, whose fields come from the documented facts.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import AliasChoices

from coze_async._endpoint import Endpoint
from coze_async.models import CozeModel

__all__ = ["EXTRAS", "FULL", "MINIMAL", "NULLS", "NUMBERS", "Sample", "aliases_of", "around", "sample"]


@dataclass(frozen=True)
class Sample:
    """What an answer is like.

    Attributes:
        full: Every field is there; else only what a model demands.
        nulls: What a model does not demand is null.
        ids: What is put where a text is due.
        extras: Each object has a field that no model knows.
    """

    full: bool = True
    nulls: bool = False
    ids: Any = "12"
    extras: bool = False


FULL = Sample()
MINIMAL = Sample(full=False)
NULLS = Sample(nulls=True)
# Ids of 19 digits, which no float can hold.
NUMBERS = Sample(ids=7_300_000_000_000_000_001)
EXTRAS = Sample(extras=True)


def aliases_of(model: type[CozeModel], name: str) -> list[str]:
    """Return the keys under which servers write a field; the first is the usual one."""
    alias = model.model_fields[name].validation_alias
    if isinstance(alias, AliasChoices):
        return [choice for choice in alias.choices if isinstance(choice, str)]
    return [alias if isinstance(alias, str) else name]


def sample(annotation: Any, like: Sample, depth: int = 0) -> Any:
    """Return a JSON value of a type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return sample(arguments[0], like, depth)
    if origin in (Union, UnionType):
        return sample(next(kind for kind in arguments if kind is not NoneType), like, depth)
    if origin is list:
        return [sample(arguments[0], like, depth), sample(arguments[0], like, depth)]
    if origin is dict:
        return {"key": sample(arguments[1], like, depth)}
    if isinstance(annotation, type) and issubclass(annotation, CozeModel):
        return _object(annotation, like, depth)
    return {str: like.ids, int: 3, float: 0.5, bool: True, Any: {"any": ["thing", None]}}[annotation]


def _object(model: type[CozeModel], like: Sample, depth: int) -> dict[str, Any]:
    found: dict[str, Any] = {"zzz_new": {"deep": [1]}} if like.extras else {}
    for name, field in model.model_fields.items():
        key, needed = aliases_of(model, name)[0], field.is_required()
        # Some models hold themselves.
        if needed or (like.full and not like.nulls and depth < 6):
            found[key] = sample(field.annotation, like, depth + 1)
        elif like.nulls:
            found[key] = None
    return found


def around(endpoint: Endpoint, value: Any, key: str | None = None) -> dict[str, Any]:
    """Return an answer with a value where an endpoint looks for it.

    Args:
        endpoint: Which one.
        value: What it is to find; for a list in pages the list.
        key: One of its payload keys, None for the first.
    """
    path = key if key is not None else endpoint.payload[0] if endpoint.payload else ""
    if endpoint.pages is not None:
        path = f"{path}.{endpoint.pages.items}".lstrip(".")
    answer: Any = value
    for step in reversed(path.split(".") if path else []):
        answer = {step: answer}
    return {"code": 0, "msg": "", **_mapping(answer)}


def _mapping(value: Any) -> Mapping[str, Any]:
    found: Mapping[str, Any] = value
    return found
