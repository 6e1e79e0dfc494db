"""What became of many questions, in numbers."""

from array import array
from collections import Counter

from coze_async.cli._answer import Answer

__all__ = ["Summary", "quantile"]

# So many failures are shown one by one; all are counted.
_SHOWN = 500


class Summary:
    """What became of the questions so far; a few bytes are kept of each.

    Attributes:
        answered: How many have an answer.
        failed: How many have none, by kind.
        may_have_cost: How many of those may have been started all the same.
        shown: The first of the failures.
        ends: When each was over, in Unix seconds.
        seconds: How long each took, without what it waited for the limits.
        is_answered: 1 for each that has an answer, 0 for the others.
        tokens_in: Tokens of each question.
        tokens_out: Tokens of each answer.
        tokens: All of them, in and out.
    """

    def __init__(self) -> None:
        self.answered = 0
        self.failed: Counter[str] = Counter()
        self.may_have_cost = 0
        self.shown: list[Answer] = []
        self.ends = array("d")
        self.seconds = array("d")
        self.is_answered = array("b")
        self.tokens_in = array("q")
        self.tokens_out = array("q")
        self.tokens = (0, 0)

    def add(self, answer: Answer) -> None:
        """Count an answer."""
        failure = answer.failure
        if failure is None:
            self.answered += 1
        else:
            self.failed[failure.name] += 1
            self.may_have_cost += failure.started
            if len(self.shown) < _SHOWN:
                self.shown.append(answer)
        self.ends.append(answer.at)
        self.seconds.append(answer.seconds)
        self.is_answered.append(failure is None)
        self.tokens_in.append(answer.tokens_in)
        self.tokens_out.append(answer.tokens_out)
        self.tokens = (self.tokens[0] + answer.tokens_in, self.tokens[1] + answer.tokens_out)

    @property
    def count(self) -> int:
        """How many questions are done, one way or the other."""
        return len(self.ends)

    @property
    def latencies(self) -> list[float]:
        """How long each answer took, the shortest first."""
        return sorted(
            seconds for seconds, is_answered in zip(self.seconds, self.is_answered, strict=True) if is_answered
        )


def quantile(values: list[float], share: float) -> float:
    """Return the value that a share of sorted values does not exceed; 0 of none."""
    if not values:
        return 0.0
    # The nearest rank: a value that was measured, never one in between.
    return values[max(0, -(-len(values) * round(share * 1000) // 1000) - 1)]
