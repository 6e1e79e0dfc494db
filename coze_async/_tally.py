"""How often a piece of work was sent, and how long it has waited: told by the core and the limits to whoever counts."""

from contextvars import ContextVar

__all__ = ["TALLY", "Tally"]


class Tally:
    """The requests of one piece of work that start or change something; what only reads is not counted.

    Attributes:
        attempts: How many were sent, repeats included.
        began: When the first of them left, by the clock of the event loop; None if none has.
        waited: How long it has waited for limits, in seconds.
    """

    __slots__ = ("attempts", "began", "waited")

    def __init__(self) -> None:
        self.attempts = 0
        self.began: float | None = None
        self.waited = 0.0

    def sent(self, now: float) -> None:
        """Count a request."""
        self.attempts += 1
        if self.began is None:
            self.began = now

    def step_aside(self) -> None:
        """Let other work go on in the place of this one, which waits for a limit that is its user's own."""

    async def step_in(self) -> bool:
        """Take a place again; True if that took time."""
        return False


TALLY: ContextVar[Tally | None] = ContextVar("coze_async.tally", default=None)
"""The tally of the work that the present task does; None where nobody counts."""
