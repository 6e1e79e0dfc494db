"""The kinds of faults by name, for those who switch them on by hand: the command line and the page."""

from collections.abc import Mapping
from difflib import get_close_matches
from types import MappingProxyType
from typing import NamedTuple

from ._faults import (
    Break,
    Code,
    Cut,
    Duplicate,
    ErrorEvent,
    Fault,
    Html,
    Refuse,
    Reorder,
    Slow,
    Stall,
    Text,
    TruncatedJson,
    Unreachable,
    WrongContentType,
)


class FaultKind(NamedTuple):
    """A fault with the settings that are usual for it."""

    fault: Fault
    about: str
    """What the client meets, in a few words."""
    family: str = "answer"
    """What goes wrong: "refusal", "connection" or "answer"."""


_REFUSALS = {
    "429": (Refuse(), "too many requests, nothing said about when to come back"),
    "429-retry-after": (Refuse(retry_after="2"), "too many requests, come back in 2 s"),
    "503": (Refuse(503, 5000, "service unavailable"), "a server error as JSON"),
    "500-text": (Text(), "a server error as plain text"),
    "502-html": (Html(), "the page of a gateway"),
    "504-html": (Html(504), "the page of a gateway that waited too long"),
    "code": (Code(4009, "Too many users at the moment."), "code 4009 in HTTP 200"),
    "code-as-stream": (
        Code(5000, "internal server error", "text/event-stream"),
        "code 5000 as JSON under the type of a stream",
    ),
}
_CONNECTIONS = {
    "break": (Break(), "the connection is closed after 3 events"),
    "reset": (Break(reset=True), "the connection is reset after 3 events"),
    "no-answer": (Break(after=None), "the work was begun, and no answer comes"),
    "unreachable": (Unreachable(), "no connection comes about"),
    "stall": (Stall(after=2), "silence for ever after 2 events"),
    "hang": (Stall(30), "30 s of silence before the answer"),
    "slow": (Slow(), "32 bytes every 20 ms"),
}
_ANSWERS = {
    "error-event": (ErrorEvent(), "an error event after 2 events"),
    "cut": (Cut(), "the body ends after 3 events, properly"),
    "cut-bytes": (Cut(after_bytes=400), "the body ends after 400 bytes, in the middle of an event"),
    "duplicate": (Duplicate(), "the third event comes twice"),
    "reorder": (Reorder(), "the third and the fourth event change places"),
    "truncated-json": (TruncatedJson(), "the JSON of the third event breaks off"),
    "wrong-type": (WrongContentType(), "the true answer as text/plain"),
}
FAULT_KINDS: Mapping[str, FaultKind] = MappingProxyType(
    {
        name: FaultKind(fault, about, family)
        for family, kinds in (("refusal", _REFUSALS), ("connection", _CONNECTIONS), ("answer", _ANSWERS))
        for name, (fault, about) in kinds.items()
    }
)
"""What `Emulator.switch`, `coze-async emulator --fault` and the page know by name."""


def kind_of_fault(name: str) -> FaultKind:
    """The kind of this name.

    Raises:
        ValueError: there is none.
    """
    if name not in FAULT_KINDS:
        near = get_close_matches(name, FAULT_KINDS, 1)
        guess = f" Did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"There is no kind of fault {name!r}.{guess} There are: {', '.join(FAULT_KINDS)}.")
    return FAULT_KINDS[name]


def parse_fault(text: str) -> tuple[str, float, str | None]:
    """Read `KIND[:PROBABILITY][@REQUESTS]`, such as `cut:0.05` or `429:5%@POST /v3/chat`, for `Emulator.switch`.

    Raises:
        ValueError: it says no such thing.
    """
    said, _, on = text.partition("@")
    name, _, share = said.partition(":")
    name, share = name.strip(), share.strip()
    kind_of_fault(name)
    try:
        probability = 1.0 if not share else float(share.removesuffix("%")) / (100 if share.endswith("%") else 1)
    except ValueError:
        probability = -1.0
    if not 0 <= probability <= 1:
        raise ValueError(f"In {text!r}, {share!r} is no probability: write 0.05 or 5%.")
    return name, probability, on.strip() or None
