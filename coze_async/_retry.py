"""When to send a request again, and when never: chats and runs cost money and have no idempotency key."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from coze_async._checks import is_number, is_whole
from coze_async._errors import (
    APIError,
    ChatFailedError,
    ClosedError,
    ConfigurationError,
    ConversationBusyError,
    CozeError,
    QuotaError,
    RateLimitError,
    ServerError,
    TransportError,
    WorkflowError,
    class_of,
)

__all__ = ["Budget", "Retry", "Step", "may_have_started", "may_repeat", "next_step", "retry_after"]


@dataclass(frozen=True, slots=True)
class Retry:
    """How often and how soon a request is sent again.

    A request that may have started something is repeated only if the server surely did not see it (no connection)
    or refused it before working (HTTP 429, codes 4009, 4013, 4020). What only reads is also repeated after a lost
    answer and after a failure of the server.

    Attributes:
        attempts: In all, the first included; 1 never repeats.
        initial: The longest wait before the second attempt, in seconds. Waits are drawn from 0 up to the
            bound ("full jitter"), so that clients that failed together do not come back together.
        factor: By how much the bound grows.
        max_wait: The bound's own bound.
        max_retry_after: A server that asks for a longer wait than this gets no further attempt.
        budget: Attempts after failures that the whole client may have in store. Each takes one, each answered
            request gives a tenth back: a server that is down is not asked three times by everybody.
        busy_timeout: Seconds to wait for a chat of somebody else that runs in the same conversation (code 4016); it is
            asked for again, as a poll would, whatever `attempts` says. 0 raises ConversationBusyError at once.
    """

    attempts: int = 3
    initial: float = 0.5
    factor: float = 2.0
    max_wait: float = 8.0
    max_retry_after: float = 60.0
    budget: float = 10.0
    busy_timeout: float = 60.0

    def __post_init__(self) -> None:
        for name in self.__slots__:
            given = getattr(self, name)
            if not (is_whole(given) if name == "attempts" else is_number(given)):
                whole = " whole" if name == "attempts" else ""
                raise ConfigurationError(f"Retry.{name} is {given!r}: give a{whole} number.")
        if self.attempts < 1:
            raise ConfigurationError(f"Retry.attempts is {self.attempts!r}: 1 sends once and never again.")
        seconds = (self.initial, self.max_wait, self.max_retry_after, self.busy_timeout)
        if min(*seconds, self.budget) < 0 or self.factor < 1:
            raise ConfigurationError("Retry takes no negative seconds or budget, and a factor of 1 or more.")

    @classmethod
    def none(cls) -> "Retry":
        """Return a policy that sends everything once."""
        return cls(attempts=1, busy_timeout=0.0)

    def wait(self, attempt: int, error: CozeError) -> float:
        """Return how long to wait after an attempt, in seconds.

        Args:
            attempt: The number of the attempt that failed, from 1.
            error: Why it failed; what its server asked for is kept to.
        """
        bound = min(self.max_wait, self.initial * self.factor ** (attempt - 1))
        asked = error.retry_after if isinstance(error, APIError) else None
        # Jitter needs no secrecy. After Retry-After it is added, never taken off.
        return (asked or 0.0) + random.uniform(0.0, bound)  # noqa: S311


# The first and the longest wait for another chat of the same conversation, in seconds.
_BUSY_FIRST, _BUSY_MOST = 1.0, 5.0


class Budget:
    """How many repeats a client has in store."""

    __slots__ = ("_left", "_most")

    def __init__(self, most: float) -> None:
        self._left = self._most = most

    @property
    def has_any(self) -> bool:
        """True if there is a repeat in store."""
        return self._left >= 1

    def spend(self) -> None:
        """Take one repeat."""
        self._left -= 1

    def answered(self) -> None:
        """Put a tenth of a repeat back, for a request that was answered."""
        self._left = min(self._most, self._left + 0.1)


class Step(NamedTuple):
    """How a call goes on after an attempt has failed.

    Attributes:
        wait: Seconds until the next attempt; None if there is none.
        counts: True if the failure is one of `Retry.attempts`.
        spends: True if the next attempt takes one from the budget.
    """

    wait: float | None
    counts: bool = True
    spends: bool = False


_STOP = Step(None)


def next_step(
    policy: Retry,
    error: CozeError,
    *,
    failures: int,
    renewed: bool = False,
    busy_for: float = 0.0,
    safe: bool = False,
    is_spent: bool = False,
    has_budget: bool = True,
) -> Step:
    """Decide how a call goes on after an attempt has failed.

    Args:
        policy: The user's.
        error: Why it failed.
        failures: How many attempts have failed, this one included, but without those that do not count.
        renewed: True if the credentials were refused and there are others now.
        busy_for: Seconds since the conversation was first found busy.
        safe: True if sending again does no harm; so it is while the login itself has not come about.
        is_spent: True if the body cannot be read again.
        has_budget: True if the client has repeats in store.
    """
    if is_spent:
        return _STOP
    if renewed:
        # Refused before working: sent again at once, whatever the policy for repeats.
        return Step(0.0, counts=False)
    if isinstance(error, ConversationBusyError):
        # Another chat was in the way: this does not count as an attempt.
        return Step(_busy_wait(policy, error, busy_for), counts=False)
    if failures >= policy.attempts or not may_repeat(error, safe=safe):
        return _STOP
    if isinstance(error, APIError) and (error.retry_after or 0.0) > policy.max_retry_after:
        return _STOP
    # A refusal for the rate comes from a server that works; a failure draws on the budget.
    spends = not isinstance(error, RateLimitError)
    return Step(policy.wait(failures, error), spends=spends) if has_budget or not spends else _STOP


def _busy_wait(policy: Retry, error: ConversationBusyError, waited: float) -> float | None:
    """Return how long to wait before asking again; None if the time is up."""
    if waited >= policy.busy_timeout:
        return None
    # As slow as polls get; the last look is at the end of the time.
    asked = error.retry_after or min(_BUSY_MOST, _BUSY_FIRST + waited / 2)
    return min(asked, policy.busy_timeout - waited)


def may_repeat(error: CozeError, *, safe: bool) -> bool:
    """Decide whether a request may be sent again after an error.

    Args:
        error: How the attempt ended.
        safe: True for a request that changes nothing, or nothing more the second time.
    """
    if isinstance(error, RateLimitError):
        return True
    if isinstance(error, TransportError):
        return safe or not error.may_have_arrived
    return safe and isinstance(error, ServerError)


def may_have_started(error: Exception) -> bool:
    """Decide whether what was sent may have begun, and cost, although it ended in an error."""
    if isinstance(error, ChatFailedError | WorkflowError):
        # The clouds create a chat even when there is nothing left to pay it with (code 4028, coze-py issue 425).
        return class_of(error.code, None) is not QuotaError
    # Then what was refused, or did not arrive, may have been no more than a look at it.
    is_named = isinstance(error, CozeError) and (error.chat is not None or error.execute_id is not None)
    if isinstance(error, QuotaError):
        return is_named and error.partial is None
    if is_named or isinstance(error, ConfigurationError | ClosedError):
        return is_named
    if isinstance(error, APIError):
        # A gateway that gave up, or a server that fell over, may have passed it on.
        return (error.partial is not None and error.partial.chat is not None) or isinstance(error, ServerError)
    return error.may_have_arrived if isinstance(error, TransportError) else True


def retry_after(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Read how long the server asks to wait, in seconds from now; None if it does not say, or nonsense.

    No source documents this header for Coze, but gateways send it: as seconds or as a date.
    """
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = parsedate_to_datetime(text)
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
            seconds = (moment - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError, OverflowError):
            # Zones may be absurd, and years out of range.
            return None
    # `nan` and `inf` are floats too.
    return max(0.0, seconds) if seconds < float("inf") else None
