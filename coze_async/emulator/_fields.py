"""The fields of a request, looked at one by one: what is missing, of another type or too long is refused in words."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

from ._wire import Refusal

T = TypeVar("T")


class Fields:
    """The fields of a body, of a query, or of an object inside.

    Every method takes the name of a field and gives its value, or raises a `Refusal` with the code 4000. A field that
    is null counts as missing, and so does an empty text.

    Args:
        given: The values by name.
        inside: The name of the object, for the words of a refusal.
    """

    def __init__(self, given: Mapping[str, Any], inside: str = "") -> None:
        self._given = given
        self._inside = inside

    def __contains__(self, name: str) -> bool:
        return self._given.get(name) not in (None, "")

    def text(self, name: str, *, most: int | None = None) -> str:
        """Text that has to be there, of so many characters at most."""
        value = self.maybe_text(name, most=most)
        if not value:
            raise self._refusal(name, "is required")
        return value

    def maybe_text(self, name: str, *, most: int | None = None) -> str | None:
        """Text that may be missing: then None. An empty text stays one."""
        value = self._given.get(name)
        if value is None:
            return None
        if isinstance(value, bool | list | dict):
            raise self._refusal(name, "is not a text")
        # Some clients write ids as numbers.
        text = str(value)
        if most is not None and len(text) > most:
            raise self._refusal(name, f"has more than {most} characters")
        return text

    def string(self, name: str) -> str:
        """Text that has to be there and may be empty; nothing else counts as text."""
        value = self._given.get(name)
        if not isinstance(value, str):
            raise self._refusal(name, "is required" if value is None else "is not a text")
        return value

    def one_of(self, name: str, choices: Collection[str]) -> str:
        """One of some texts; has to be there."""
        value = self.text(name)
        if value not in choices:
            raise self._refusal(name, f"is none of {', '.join(choices)}")
        return value

    def maybe_one_of(self, name: str, choices: Collection[str], default: str) -> str:
        """One of some texts, or the default."""
        return self.one_of(name, choices) if name in self else default

    def number(self, name: str, default: int, *, least: int = 1, most: int | None = None) -> int:
        """Give a whole number within bounds; in a query it is written as a text."""
        value = self._given.get(name)
        if value is None or value == "":
            return default
        try:
            number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
        except ValueError:
            number = None
        if number is None or number < least or (most is not None and number > most):
            raise self._refusal(name, f"is not a number from {least}{'' if most is None else f' to {most}'}")
        return number

    def flag(self, name: str) -> bool | None:
        """Yes or no, None if missing; in a query it is written as a text."""
        value = self._given.get(name)
        if value is None or value == "":
            return None
        if isinstance(value, bool):
            return value
        if str(value).lower() not in {"true", "false"}:
            raise self._refusal(name, "is neither true nor false")
        return str(value).lower() == "true"

    def texts(self, name: str, *, most: int | None = None) -> list[str]:
        """Texts, at least one; in a query they stand in one text with commas."""
        value = self._given.get(name)
        texts = value.split(",") if isinstance(value, str) else value
        found = [str(item) for item in self._list(name, texts, most) if isinstance(item, str | int) and item != ""]
        if not found:
            raise self._refusal(name, "is required")
        return found

    def maybe_texts(self, name: str) -> list[str]:
        """Texts, or none at all."""
        return self.texts(name) if self._given.get(name) not in (None, "", []) else []

    def objects(self, name: str, *, most: int | None = None) -> "list[Fields]":
        """Objects, at least one."""
        found = self._list(name, self._given.get(name), most)
        if not found:
            raise self._refusal(name, "is required")
        if not all(isinstance(item, dict) for item in found):
            raise self._refusal(name, "is not a list of objects")
        return [Fields(cast("dict[str, Any]", item), f"{self._inside}{name}.") for item in found]

    def maybe_objects(self, name: str, *, most: int | None = None) -> "list[Fields]":
        """Objects, or none at all."""
        return self.objects(name, most=most) if self._given.get(name) not in (None, []) else []

    def object(self, name: str) -> dict[str, Any]:
        """Give an object as it is; an empty one if it is missing."""
        value = self._given.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise self._refusal(name, "is not an object")
        return cast("dict[str, Any]", value)

    def inner(self, name: str) -> "Fields":
        """Give the fields of an object inside; none if it is missing."""
        return Fields(self.object(name), f"{self._inside}{name}.")

    def meta_data(self, name: str = "meta_data") -> dict[str, str]:
        """Pairs of texts: 16 at most, keys of 1-64 and values of 1-512 characters (coze.cn page chat_v3)."""
        pairs = self.object(name)
        if len(pairs) > 16 or not all(0 < len(key) <= 64 and _is_value(value) for key, value in pairs.items()):
            raise Refusal(4003, f"{name} takes 16 pairs, keys of 64 and values of 512 characters.")
        return cast("dict[str, str]", dict(pairs))

    def only(self, *names: str) -> dict[str, Any]:
        """The fields of these names that are there, as they are."""
        return {name: self._given[name] for name in names if self._given.get(name) is not None}

    def _list(self, name: str, value: Any, most: int | None) -> Sequence[Any]:
        if value is None:
            return []
        if not isinstance(value, list):
            raise self._refusal(name, "is not a list")
        found = cast("Sequence[Any]", value)
        if most is not None and len(found) > most:
            raise self._refusal(name, f"holds more than {most}")
        return found

    def _refusal(self, name: str, complaint: str) -> Refusal:
        return Refusal(4000, f"Request parameter error: {self._inside}{name} {complaint}.")


def joined(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """A query by name; a name that comes again adds to its text, after a comma."""
    found: dict[str, str] = {}
    for name, text in pairs:
        found[name] = f"{found[name]},{text}" if name in found else text
    return found


def _is_value(value: Any) -> bool:
    return isinstance(value, str) and 0 < len(value) <= 512


def by_number(
    found: Sequence[T],
    given: Fields,
    *,
    most: int,
    default: int = 20,
    items: str = "items",
    page: str = "page_num",
    size: str = "page_size",
    total: str | None = "total",
    has_more: str | None = None,
) -> dict[str, Any]:
    """One page of what was found, counted from 1, with the keys that an endpoint has."""
    # cozepy 0.20 counts in page_index where the pages say page_num; without it its loop would get page 1 for ever.
    page = page if page in given else "page_index"
    number, length = given.number(page, 1), given.number(size, default, most=most)
    chunk = found[(number - 1) * length : number * length]
    told: dict[str, Any] = {items: list(chunk)}
    if total:
        told[total] = len(found)
    if has_more:
        told[has_more] = number * length < len(found)
    return told


def by_token(
    found: Sequence[T],
    given: Fields,
    *,
    most: int,
    default: int,
    items: str = "items",
    next_token: str = "next_page_token",  # noqa: S107 - where the next page begins
) -> dict[str, Any]:
    """One page of what was found, each naming the next one."""
    length = given.number("page_size", default, most=most)
    start = given.number("page_token", 0, least=0)
    more = start + length < len(found)
    return {
        items: list(found[start : start + length]),
        next_token: str(start + length) if more else "",
        "has_more": more,
    }
