"""The arguments of scripts and faults: taken as a file of scripts takes them, or refused at once."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields
from difflib import get_close_matches
from typing import Any, NoReturn, TypeAlias, cast

from coze_async._errors import ConfigurationError

Read: TypeAlias = Callable[[Any, str], Any]
"""Takes the value that stands at a place, or refuses it."""


class WrongTypeError(ConfigurationError, TypeError):
    """A value of a type that nobody can play."""


def take(thing: Any, **reads: Read) -> None:
    """Take the fields of a frozen dataclass, each as its reader wants it.

    Raises:
        ConfigurationError: a field has a value that nobody can play.
    """
    for name, read in reads.items():
        value = getattr(thing, name)
        taken = read(value, f"{type(thing).__name__}.{name}")
        if taken is not value:
            object.__setattr__(thing, name, taken)


def refuse(place: str, wanted: str, value: object) -> NoReturn:
    """Refuse the value at a place."""
    shown = repr(value)
    raise WrongTypeError(f"{place} must be {wanted}, not {shown if len(shown) <= 60 else f'{shown[:59]}…'}.")


def text(value: Any, place: str) -> Any:
    """A text."""
    return value if isinstance(value, str) else refuse(place, "a text", value)


def truth(value: Any, place: str) -> Any:
    """True or False."""
    return value if isinstance(value, bool) else refuse(place, "True or False", value)


def whole(value: Any, place: str) -> Any:
    """A whole number."""
    return value if isinstance(value, int) and not isinstance(value, bool) else refuse(place, "a whole number", value)


def count(value: Any, place: str) -> Any:
    """A whole number from 0."""
    return value if whole(value, place) >= 0 else refuse(place, "a whole number from 0", value)


def number(value: Any, place: str) -> Any:
    """A number; whoever asks looks at its bounds."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number else refuse(place, "a number", value)


def finite(value: Any, place: str) -> Any:
    """A number that has an end, so that JSON can hold it."""
    return value if math.isfinite(number(value, place)) else refuse(place, "a finite number", value)


def seconds(value: Any, place: str) -> Any:
    """Seconds from 0."""
    return value if number(value, place) >= 0 else refuse(place, "a number of seconds from 0", value)


def table(value: Any, place: str) -> Any:
    """A mapping with texts for keys."""
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in cast("Mapping[object, Any]", value)):
        refuse(place, "a mapping with texts for keys", cast("object", value))
    return cast("Mapping[str, Any]", value)


def text_or_table(value: Any, place: str) -> Any:
    """A text, or a mapping that is sent as JSON."""
    return table(value, place) if isinstance(value, Mapping) else text(value, place)


def maybe(read: Read) -> Read:
    """None, or what `read` takes."""
    return lambda value, place: None if value is None else read(value, place)


def several(read: Read, *, or_one: bool = False) -> Read:
    """A list of what `read` takes; with `or_one`, what would stand in it alone too."""

    def read_all(value: Any, place: str) -> Any:
        known: object = value
        if isinstance(known, str | bytes | Mapping) or not isinstance(known, Iterable):
            return (read(value, place),) if or_one else refuse(place, "a list", value)
        items: Sequence[Any] = value if isinstance(known, Sequence) else tuple(value)
        taken = tuple(read(item, f"{place}[{index}]") for index, item in enumerate(items))
        is_same = all(one is item for one, item in zip(taken, items, strict=True))
        return items if is_same else taken

    return read_all


def one_of(kind: Callable[..., Any], short: str | None = None, *types: type) -> Read:
    """One of the classes of scripts: itself, a mapping of its fields, or the value of its field `short`."""
    known = {field.name: field for field in fields(cast("Any", kind)) if not field.name.startswith("_")}
    needed = [name for name, field in known.items() if field.default is MISSING and field.default_factory is MISSING]

    def read(value: Any, place: str) -> Any:
        if isinstance(value, cast("type", kind)):
            return value
        if isinstance(value, types) and not isinstance(value, bool):
            return kind(**{cast("str", short): value})
        if not isinstance(value, Mapping):
            names = {str: "a text", int: "a whole number", list: "a list"}
            shorter = "".join(f", {names[one]}" for one in types if one in names)
            refuse(place, f"{_article(kind.__name__)}{shorter} or a mapping of its fields", value)
        given: dict[str, Any] = dict(table(value, place))
        for key in given:
            if key not in known:
                near = get_close_matches(key, list(known), 1)
                guess = f" Did you mean {near[0]!r}?" if near else ""
                raise ConfigurationError(f"{place} has no key {key!r}.{guess} Allowed are {', '.join(known)}.")
        for name in needed:
            if name not in given:
                raise ConfigurationError(f"{place} needs the key {name!r}.")
        return kind(**given)

    return read


def raw_chunks(value: Any, place: str) -> Any:
    """The bytes of a body, whole or in chunks; texts are encoded."""
    if isinstance(value, str | bytes):
        return value.encode() if isinstance(value, str) else value
    return several(_chunk)(value, place)


def _chunk(value: Any, place: str) -> Any:
    if isinstance(value, str):
        return value.encode()
    return value if isinstance(value, bytes) else refuse(place, "bytes or a text", value)


def identifier(value: Any, what: str) -> str:
    """An id: a text that is not empty; a whole number is written as one."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str) or not value.strip():
        refuse(what, "a text", value)
    return value.strip()


def _article(name: str) -> str:
    return f"{'an' if name[0] in 'AEIO' else 'a'} {name}"
