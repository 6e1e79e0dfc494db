"""What was asked before: which questions are done, which are asked again, and whether they are the same ones."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from coze_async import ChatItem
from coze_async.cli._answer import Answer
from coze_async.cli._batch_input import BadLine, Questions
from coze_async.cli._batch_item import Origin
from coze_async.cli._connect import UsageError
from coze_async.cli._summary import Summary

__all__ = ["Earlier", "Survey"]


@dataclass(slots=True)
class Survey:
    """What a file of questions holds.

    Attributes:
        questions: How many questions.
        pending: How many of them are to be asked.
        bad: How many lines hold none.
        without_bot: A question to be asked that names no bot of its own, None if each does.
    """

    questions: int = 0
    pending: int = 0
    bad: int = 0
    without_bot: Origin | None = None


class Earlier:
    """What a file of answers says was asked before.

    Attributes:
        again: The questions that failed and are asked again, by key: when they did, in Unix seconds.
        bots: The bots that were asked.
    """

    def __init__(self, answers: Iterable[Answer], summary: Summary, *, retry_started: bool) -> None:
        """Read the answers, and add those that stand to a summary.

        Args:
            answers: In the order of writing; the last one to a question counts.
            summary: Is told of what was answered, and of what failed and is not asked again.
            retry_started: Ask those again, too, whose chat may have been started.
        """
        self.bots: set[str] = set()
        self._digests: dict[str | int, str] = {}
        failed: dict[str | int, Answer] = {}
        for answer in answers:
            key = answer.origin.key
            if key in self._digests and key not in failed:
                # It has its answer.
                continue
            self.bots.add(answer.bot_id)
            self._digests[key] = answer.origin.digest
            if answer.failure is not None:
                failed[key] = answer
            else:
                failed.pop(key, None)
                summary.add(answer)
        self.again: dict[str | int, float] = {}
        for key, answer in failed.items():
            if answer.failure is not None and answer.failure.started and not retry_started:
                summary.add(answer)
            else:
                self.again[key] = answer.at

    def survey(self, questions: Questions, title: str, on_bad: Callable[[BadLine], None]) -> Survey:
        """Read all questions once, and see whether those that were asked before are among them.

        Args:
            questions: The questions.
            title: The file of answers as a reader knows it.
            on_bad: Is told of the lines that hold no question.

        Raises:
            UsageError: they are other questions.
        """
        survey, unseen = Survey(), set(self._digests)
        for found in questions:
            if isinstance(found, BadLine):
                survey.bad += 1
                on_bad(found)
                continue
            origin: Origin = found.key
            survey.questions += 1
            unseen.discard(origin.key)
            if self._digests.get(origin.key, origin.digest) != origin.digest:
                raise _other_questions(title, questions, f"{origin.name} is not what was asked then")
            if not self._is_done(origin):
                survey.pending += 1
                if found.bot_id is None:
                    survey.without_bot = survey.without_bot or origin
        if unseen:
            example = min(unseen, key=str)
            named = f"line {example}" if isinstance(example, int) else repr(example)
            more = f", and {len(unseen) - 1:,} more" if len(unseen) > 1 else ""
            raise _other_questions(title, questions, f"{named} was asked then and is missing now{more}")
        return survey

    def pending(self, questions: Questions) -> Iterator[ChatItem]:
        """Yield the questions that are to be asked."""
        return (found for found in questions if isinstance(found, ChatItem) and not self._is_done(found.key))

    def _is_done(self, origin: Origin) -> bool:
        return origin.key in self._digests and origin.key not in self.again


def _other_questions(title: str, questions: Questions, reason: str) -> UsageError:
    return UsageError(
        f"{title} holds the answers to other questions than those in {questions.title}: {reason}. "
        f"Give another --out, or --no-resume, which sets {title} aside and begins anew."
    )
