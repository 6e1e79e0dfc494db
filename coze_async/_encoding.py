"""Values of Python -> what stands in a path, a query or a JSON body; what cannot stand there is named."""

import json
from collections.abc import Iterable, Mapping, Sequence
from enum import Enum
from typing import Any
from urllib.parse import quote, urlencode

from pydantic import BaseModel

from coze_async._errors import ConfigurationError
from coze_async.models import CozeModel

__all__ = ["id_text", "json_body", "path_segment", "query_string", "query_texts"]


def json_body(body: Mapping[str, Any]) -> bytes:
    """Return a JSON text.

    Raises:
        ConfigurationError: a value is none of JSON's; the text says which, and where it stands.
    """
    try:
        return _encode(body).encode()
    except (TypeError, ValueError, RecursionError) as error:
        try:
            where, value = _culprit(body) or ("the body", body)
        except RecursionError:
            # It holds itself, or is too deep.
            where, value = "the body", body
        reason = "it holds half of a surrogate pair" if isinstance(value, str) else error
        raise ConfigurationError(
            f"{where} is a {type(value).__name__}, which is no JSON value ({reason}). "
            "Give texts, finite numbers, True, False, None, and lists and dicts of them with texts as keys."
        ) from error


def _plain_value(value: Any) -> Any:
    if isinstance(value, CozeModel):
        return _given(value)
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True, by_alias=True)
    if isinstance(value, Mapping):
        return dict(_mapping(value))
    if isinstance(value, set | frozenset):
        return [*_items(value)]
    raise TypeError(f"no JSON for {type(value).__name__}")


# `json.dumps` would make an encoder for each body.
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"), default=_plain_value).encode


def _given(model: CozeModel) -> dict[str, Any]:
    """Return what was put into a model, and the defaults that say something.

    An empty text or list that nobody has given stays here: the server would take it as an order to empty the field.
    """
    aliases = {name: field.serialization_alias for name, field in type(model).model_fields.items()}
    return {
        aliases.get(name) or name: value
        for name, value in model
        if value is not None and (value or name in model.model_fields_set)
    }


def _mapping(value: Any) -> Mapping[Any, Any]:
    """Return what was found to be a mapping, of whatever."""
    found: Mapping[Any, Any] = value
    return found


def _items(value: Any) -> Iterable[Any]:
    """Return what was found to be a collection, of whatever."""
    found: Iterable[Any] = value
    return found


def _culprit(value: Any, where: str = "") -> tuple[str, Any] | None:
    """Return the place and the value that JSON cannot take."""
    if isinstance(value, Mapping):
        for key, item in _mapping(value).items():
            if not isinstance(key, str) or not _is_sendable(key):
                return f"A key of {where or 'the body'}", key
            if found := _culprit(item, f"{where}[{key!r}]" if where else key):
                return found
        return None
    if isinstance(value, list | tuple):
        return next((found for n, item in enumerate(_items(value)) if (found := _culprit(item, f"{where}[{n}]"))), None)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False, default=_plain_value).encode()
    except (TypeError, ValueError):
        return where, value
    return None


def _is_sendable(text: str) -> bool:
    """False for a text with half of a surrogate pair, which no UTF-8 can hold."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def id_text(function: str, name: str, value: Any) -> str:
    """Return an id as it is sent: a text without blanks around it.

    Args:
        function: Who takes it, for errors.
        name: The argument.
        value: A text or a whole number.

    Raises:
        ConfigurationError: it is empty, or neither a text nor a whole number.
    """
    if isinstance(value, Enum):
        value = value.value
    # A float has lost digits of an id by now, and a bool is an int to Python only.
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ConfigurationError(
            f"{function}(): {name} is a {type(value).__name__}. Give an id as a text or a whole number, like '7401…'."
        )
    text = "" if value is None else str(value).strip()
    if not text:
        raise ConfigurationError(f"{function}(): {name} is {value!r}. Give an id that is not empty.")
    if not _is_sendable(text):
        raise ConfigurationError(f"{function}(): {name} holds half of a surrogate pair, which is no text.")
    return text


def path_segment(endpoint: str, name: str, value: Any) -> str:
    """Return a value as one segment of a path.

    Raises:
        ConfigurationError: it is empty or dots, which would be another route.
    """
    text = str(value.value if isinstance(value, Enum) else value)
    # An empty or dotted segment would be another route.
    if value is None or text.strip() in ("", ".", ".."):
        raise ConfigurationError(f"{endpoint}: {name} is {value!r}; it is a part of the path and must name something.")
    if not _is_sendable(text):
        raise ConfigurationError(f"{endpoint}: {name} holds half of a surrogate pair, which is no text.")
    return quote(text, safe="")


def query_texts(name: str, value: Any) -> list[str]:
    """Return a value as the texts of one name in a query: none for an empty text, several for a list.

    Raises:
        ConfigurationError: it is neither a text nor a number, nor a list of them.
    """
    if isinstance(value, bool):
        return ["true" if value else "false"]
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, str) and not _is_sendable(value):
        raise ConfigurationError(f"{name} holds half of a surrogate pair, which is no text.")
    if isinstance(value, str | int | float):
        return [str(value)] if value != "" else []
    if isinstance(value, list | tuple):
        return [text for item in _items(value) for text in query_texts(name, item)]
    raise ConfigurationError(f"{name} is a {type(value).__name__}; a query takes texts, numbers, and lists of them.")


def query_string(pairs: Sequence[tuple[str, str]]) -> str:
    """Return the query of an address."""
    # Most values are ids, in which nothing is to be quoted.
    if all(text.isascii() and text.isalnum() for _, text in pairs):
        return "&".join([f"{name}={text}" for name, text in pairs])
    return urlencode(pairs)
