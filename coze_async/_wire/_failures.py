"""Why a request got no response -> the error for it, the same words for both wires."""

from enum import Enum, auto

from coze_async._config import Timeouts
from coze_async._errors import ConfigurationError, CozeError, RequestTimeoutError, TransportError
from coze_async._logging import redact
from coze_async._wire._protocol import WireRequest

__all__ = ["Failure", "WireError", "error_for", "timed_out"]


class Failure(Enum):
    """The kinds of failures; what the caller can do about them differs."""

    UNSENDABLE = auto()
    NO_CONNECTION = auto()
    CONNECT_TIMEOUT = auto()
    POOL_TIMEOUT = auto()
    WRITE_TIMEOUT = auto()
    EXPIRED = auto()
    LOST = auto()


class WireError(Exception):
    """A failure beneath a wire, which knows neither the request nor its time-outs.

    Attributes:
        failure: Its kind.
    """

    def __init__(self, failure: Failure, reason: str = "") -> None:
        super().__init__(reason)
        self.failure = failure


def error_for(
    failure: Failure, reason: str, request: WireRequest, timeouts: Timeouts, base_url: str, *, is_whole: bool = True
) -> CozeError:
    """Return the error for a failure other than EXPIRED.

    Args:
        failure: Its kind.
        reason: What the lower layer says, possibly with secrets.
        request: What was sent.
        timeouts: As they were given to the wire.
        base_url: The server.
        is_whole: False for a request that was not sent to its end, so that it cannot have started anything.
    """
    name = request.name
    # The sentence goes on after it, and some of these end with a full stop of their own.
    said = redact(reason, request.secrets()).rstrip(".") or failure.name.lower().replace("_", " ")
    if failure is Failure.UNSENDABLE:
        return ConfigurationError(f"{name} cannot be sent: {said}. Check base_url ({base_url}), headers and ids.")
    if failure is Failure.CONNECT_TIMEOUT:
        return RequestTimeoutError(
            f"{name}: no connection to {base_url} within {timeouts.connect} s (Timeouts.connect). "
            "Check the network and the base URL.",
            may_have_arrived=False,
            timeout="connect",
        )
    if failure is Failure.POOL_TIMEOUT:
        return RequestTimeoutError(
            f"{name}: no free connection within {timeouts.pool} s (Timeouts.pool). "
            "Run fewer requests at a time, or allow the HTTP client more connections.",
            may_have_arrived=False,
            timeout="pool",
        )
    if failure is Failure.WRITE_TIMEOUT:
        return RequestTimeoutError(
            f"{name}: {base_url} took no more of the request within {timeouts.write} s (Timeouts.write). "
            "Check the network.",
            may_have_arrived=is_whole,
            timeout="write",
        )
    if failure is Failure.NO_CONNECTION:
        return TransportError(
            f"{name}: no connection to {base_url}: {said}. "
            "Check the base URL, the network, and a proxy if there is one.",
            may_have_arrived=False,
        )
    when = "the answer was complete" if is_whole else "all was sent"
    return TransportError(
        f"{name}: the connection to {base_url} was lost before {when}: {said}.{_warning(request, is_whole=is_whole)}",
        may_have_arrived=is_whole,
        reason=said,
    )


def timed_out(
    name: str, seconds: float | None, request: WireRequest, base_url: str, *, is_whole: bool = True
) -> RequestTimeoutError:
    """Return the error for a deadline that has passed before the response was complete.

    Args:
        name: The field of `Timeouts` that set it.
        seconds: Its value; None if the transport has a limit of its own.
        request: What was sent.
        base_url: The server.
        is_whole: False for a request that was not sent to its end.
    """
    warning = _warning(request, is_whole=is_whole)
    if seconds is None:
        text = f"no answer in time from {base_url} (a limit of the transport; Timeouts.{name} is None).{warning}"
    else:
        text = (
            f"no answer within {seconds:g} s (Timeouts.{name}) from {base_url}.{warning} "
            f"Raise Timeouts.{name} if the server needs longer."
        )
    return RequestTimeoutError(f"{request.name}: {text}", may_have_arrived=is_whole, timeout=name)


def _warning(request: WireRequest, *, is_whole: bool) -> str:
    """Return what a caller has to know after a request without a response."""
    if request.is_safe or not is_whole:
        return ""
    return " What it started may still be running, so it is not sent again."
