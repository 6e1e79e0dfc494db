"""Bytes to a server and back: one protocol, its two implementations, and the bounded decoder above them."""

from coze_async._wire._auto import AutoWire
from coze_async._wire._bodies import MAX_BODY, WholeBody, read_whole, readable
from coze_async._wire._protocol import Deadline, OutgoingBody, Wire, WireRequest, WireResponse, earliest, silence
from coze_async._wire._unbroken import unbroken

__all__ = [
    "MAX_BODY",
    "AutoWire",
    "Deadline",
    "OutgoingBody",
    "WholeBody",
    "Wire",
    "WireRequest",
    "WireResponse",
    "earliest",
    "read_whole",
    "readable",
    "silence",
    "unbroken",
]
