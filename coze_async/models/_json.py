"""Looking into JSON whose shape nobody promises."""

import json
from typing import Any, TypeGuard

__all__ = ["is_list", "is_object", "json_list", "json_object", "json_text"]


def is_object(value: Any) -> TypeGuard[dict[str, Any]]:
    """True for a JSON object."""
    return isinstance(value, dict)


def is_list(value: Any) -> TypeGuard[list[Any]]:
    """True for a JSON array."""
    return isinstance(value, list)


def json_object(value: Any) -> dict[str, Any]:
    """Return a JSON object, parsed if it comes as a text; an empty one for anything else."""
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if is_object(value) else {}


def json_list(value: Any) -> list[Any]:
    """Return a JSON array; an empty one for anything else."""
    return value if is_list(value) else []


def json_text(value: object) -> str | None:
    """Return a text that is not empty; None for anything else."""
    return value if isinstance(value, str) and value else None
