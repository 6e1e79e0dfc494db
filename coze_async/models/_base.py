"""The base of all models, and the tolerant reader that fills them."""

import json
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, ClassVar, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from coze_async.models._json import is_list, is_object

__all__ = ["CozeModel", "ResponseModel", "read_json", "read_object", "without_nulls"]

_log = logging.getLogger("coze_async")

M = TypeVar("M", bound="CozeModel")

_TOO_DEEP = "the JSON is nested too deeply"


class CozeModel(BaseModel):
    """Data as a server sent it: immutable, with every field that is not declared kept in `model_extra`."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="allow",
        frozen=True,
        # Ids are strings of digits; some servers write some of them as numbers.
        coerce_numbers_to_str=True,
        protected_namespaces=(),
        # What a server echoes may be a secret.
        hide_input_in_errors=True,
        # Built when first used: most programs touch few models.
        defer_build=True,
    )

    def __repr_args__(self) -> Iterable[tuple[str | None, Any]]:
        """Return what is known, each cut to a few words: a notebook shows it whenever it is the last line."""
        for name, value in self:
            if value not in (None, "", [], {}) and name not in _UNSHOWN:
                yield name, _Shown(value)


class ResponseModel(CozeModel):
    """Data that a call returns."""

    logid: str | None = Field(default=None, exclude=True, repr=False)
    """What Coze support asks for; None where no response stands behind it, as in the events of a stream."""

    def __eq__(self, other: object) -> bool:
        """Compare all but the log id, which is another one for each request."""
        if isinstance(other, ResponseModel) and other.logid != self.logid:
            other = other.model_copy(update={"logid": self.logid})
        return super().__eq__(other)

    def __hash__(self) -> int:
        fields = type(self).model_fields
        return hash((type(self), *(getattr(self, name) for name in fields if name != "logid")))


# In every answer, and of use to nobody who reads it.
_UNSHOWN = frozenset(("logid", "BaseResp"))
# As many characters of a text are shown.
_MOST_SHOWN = 60


class _Shown:
    """Shows a value in a few words."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def __repr__(self) -> str:
        value = self._value
        if isinstance(value, CozeModel):
            return f"{type(value).__name__}(…)"
        if is_list(value) and len(repr(value)) > _MOST_SHOWN:
            return f"[{len(value)} items]"
        if is_object(value) and len(repr(value)) > _MOST_SHOWN:
            return f"{{{len(value)} items}}"
        return cut(value) if isinstance(value, str) else repr(value)


def cut(text: str, most: int = _MOST_SHOWN) -> str:
    """Return a text in quotes, on one line and cut short."""
    return repr(text if len(text) <= most else f"{text[: most - 1].rstrip()}…")


def read_json(model: type[M], data: bytes) -> M:
    """Read one model from the bytes of a JSON text.

    Raises:
        ValueError: the text is no JSON, or an id is missing; a pydantic ValidationError is one.
    """
    try:
        return cast("M", model.__pydantic_validator__.validate_json(data))
    except ValidationError:
        # Either not JSON, or bytes that are not UTF-8 (the standard says: replace them), or a null where a text is due.
        try:
            value = json.loads(data.decode("utf-8", "replace"))
        except RecursionError:
            raise ValueError(_TOO_DEEP) from None
        return read_object(model, value)


def read_object(model: type[M], value: Any) -> M:
    """Read one model from a decoded JSON value, forgiving what is null or of another type, but not a missing id.

    Raises:
        ValueError: what is left does not make the model; a pydantic ValidationError is one.
    """
    try:
        return cast("M", model.__pydantic_validator__.validate_python(value))
    except ValidationError:
        remaining = without_nulls(value)
    # Each round takes out what the model refuses, one place at least; a field that was refused has its default.
    while True:
        try:
            return cast("M", model.__pydantic_validator__.validate_python(remaining))
        except ValidationError as error:
            refused = [
                # An empty object is as good as none; an id that is missing from one with something in it is an error.
                entry["loc"][:-1] if entry["type"] == "missing" else entry["loc"]
                for entry in error.errors(include_url=False)
                if entry["type"] != "missing" or entry["input"] == {}
            ]
            if not sum(_remove(remaining, location) for location in reversed(refused)):
                raise
            _log.debug("%s: left out what the model does not take: %s", model.__name__, refused)


def without_nulls(value: Any) -> Any:
    """Copy a JSON value without the keys and items that are null.

    Raises:
        ValueError: it is nested too deeply.
    """
    try:
        if is_object(value):
            return {key: without_nulls(item) for key, item in value.items() if item is not None}
        if is_list(value):
            return [without_nulls(item) for item in value if item is not None]
    except RecursionError:
        # What reads JSON has another limit than what walks through it.
        raise ValueError(_TOO_DEEP) from None
    return value


def _remove(value: Any, location: tuple[int | str, ...]) -> bool:
    """Take the value at a location out of its container; False if there is no such place."""
    if not location:
        return False
    try:
        for step in location[:-1]:
            value = value[step]
        del value[location[-1]]
    except (KeyError, IndexError, TypeError):
        return False
    return True


def as_datetime(seconds: int | str | None) -> datetime | None:
    """Return a Unix time in seconds as an aware datetime; None for one that is not set or is none."""
    if isinstance(seconds, str):
        seconds = int(seconds) if seconds.isdecimal() else 0
    try:
        return datetime.fromtimestamp(seconds, UTC) if seconds else None
    except (ValueError, OverflowError, OSError):
        # No time that a calendar knows, such as milliseconds.
        return None
