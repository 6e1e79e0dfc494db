"""What settings are checked for, and what must not be copied."""

import math
from collections.abc import Mapping
from typing import Any, ClassVar, SupportsIndex

from coze_async._errors import ConfigurationError

__all__ = ["NotCopied", "checked_headers", "is_number", "is_whole"]


class NotCopied:
    """Cannot be copied or pickled: it holds connections, places in limits, or a credential."""

    __slots__ = ()

    instead: ClassVar[str] = "Make one where it is needed."
    """What to do."""

    def __reduce_ex__(self, protocol: SupportsIndex, /) -> str | tuple[Any, ...]:
        """Refuse; `copy`, `deepcopy` and `pickle` all come here.

        Raises:
            TypeError: always.
        """
        raise TypeError(f"{type(self).__name__} cannot be copied or pickled. {self.instead}")


def is_number(value: Any) -> bool:
    """True for an int or float that is a number; False for a bool, a text, and NaN."""
    return isinstance(value, int | float) and not isinstance(value, bool) and not math.isnan(value)


def is_whole(value: Any) -> bool:
    """True for an int that is not a bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def checked_headers(headers: Any) -> dict[str, str]:
    """Return headers as a dict; an empty one for None.

    Raises:
        ConfigurationError: they are no mapping of texts, or one of them cannot be a header. The error shows no value.
    """
    if headers is None:
        return {}
    if not isinstance(headers, Mapping):
        raise ConfigurationError(f"headers is a {type(headers).__name__}: give a dict of texts.")
    found = _pairs(headers)
    for name, value in found.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise ConfigurationError(
                f"headers: {name!r} is a {type(name).__name__} with a {type(value).__name__}. Give texts for both."
            )
        if not name or not name.isascii() or not name.isprintable() or set(name) & set(" :"):
            raise ConfigurationError(f"headers: {name!r} is an invalid name. Give one like 'X-Request-Source'.")
        if not value.isascii() or not value.replace("\t", " ").isprintable():
            raise ConfigurationError(f"headers: the value of {name!r} has a character that no header can hold.")
    return found


def _pairs(headers: Any) -> dict[Any, Any]:
    """Return what was found to be a mapping, of whatever, as a dict."""
    return dict(headers)
