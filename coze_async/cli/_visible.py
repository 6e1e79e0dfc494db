"""Text of a server or a file for a terminal: nothing in it moves the cursor, changes colours or turns lines."""

import json
import re
from typing import Any

__all__ = ["SEAM", "as_json", "breakable", "visible"]

SEAM = "\x1f"
"""Marks where a line may break inside a word; it has no width, and is taken out before anything is shown."""

# Controls but for tab and line feed, marks and overrides of direction, other ends of line, and annotations.
_HIDDEN = "\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u206f\\ufff9-\\ufffb"
_HIDDEN_IN_TEXT = re.compile(f"[{_HIDDEN}]")
_HIDDEN_IN_LINE = re.compile(f"[\\t\\n{_HIDDEN}]")
_SHORT = {"\t": "\\t", "\n": "\\n", "\r": "\\r"}

_WIDE = "\\u3040-\\u30ff\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\U00020000-\\U0003ffff"
_OPENING = "（「『《【〈“‘"
_CLOSING = "）」』》】〉”’，。、；：？！…"
# Chinese and Japanese put no spaces between words: a line may end after most characters, but not before a full stop.
_SEAMS = re.compile(f"(?<=[{_WIDE}{_CLOSING}])(?=[\\w{_OPENING}])|(?<=\\w)(?=[{_WIDE}{_OPENING}])")


def visible(text: str, *, one_line: bool = False) -> str:
    """Return a text whose control characters can be seen and do nothing.

    Args:
        text: The text; its line feeds and tabs stay, its carriage returns go.
        one_line: Show line feeds and tabs as well instead of obeying them.
    """
    if one_line:
        return _HIDDEN_IN_LINE.sub(lambda found: _SHORT.get(found[0]) or _escaped(found[0]), text)
    return _HIDDEN_IN_TEXT.sub(lambda found: _escaped(found[0]), text.replace("\r", ""))


def as_json(value: Any, *, ensure_ascii: bool = False) -> str:
    """Return a value as JSON on one line; what a terminal would obey is escaped as JSON escapes it."""
    text = json.dumps(value, ensure_ascii=ensure_ascii, default=str)
    return _HIDDEN_IN_TEXT.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def breakable(text: str) -> str:
    """Return a text with a seam wherever a line may break without a space."""
    return _SEAMS.sub(SEAM, text)


def _escaped(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
