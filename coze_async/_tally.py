"""How often a piece of work was sent: told by the core to whoever counts."""

from contextvars import ContextVar

__all__ = ["TALLY", "Tally"]


class Tally:
    """The requests of one piece of work that start or change something; what only reads is not counted.

    Attributes:
        attempts: How many were sent, repeats included.
        began: When the first of them left, by the clock of the event loop; None if none has.
    """

    __slots__ = ("attempts", "began")

    def __init__(self) -> None:
        self.attempts = 0
        self.began: float | None = None

    def sent(self, now: float) -> None:
        """Count a request."""
        self.attempts += 1
        if self.began is None:
            self.began = now


TALLY: ContextVar[Tally | None] = ContextVar("coze_async.tally", default=None)
"""The tally of the work that the present task does; None where nobody counts."""
