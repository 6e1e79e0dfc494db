"""Going on: what is done, what is asked again, and whether the questions are those of before."""

from collections.abc import Callable
from pathlib import Path

import pytest

from coze_async import ChatItem
from coze_async.cli._answer import Answer, Failure
from coze_async.cli._batch_input import BadLine, Questions
from coze_async.cli._connect import UsageError
from coze_async.cli._resume import Earlier, Survey
from coze_async.cli._summary import Summary

FAILED = Failure("RateLimitError", "Too many.", 4013)
STARTED = Failure("ServerError", "It fell over.", 5000, started=True)
LINES = ['{"id": "a", "message": "1"}', '{"message": "2"}', '{"message": "3"}', "bad", '{"id": "e", "message": "5"}']

Made = Callable[..., Questions]


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Make a file of questions from lines."""

    def make(*lines: str) -> Questions:
        path = tmp_path / "questions.jsonl"
        path.write_text("\n".join(lines), encoding="utf-8")
        return Questions(path, "jsonl", title="questions.jsonl")

    return make


def answers_to(questions: Questions, failures: dict[int, Failure | None]) -> list[Answer]:
    """Return an answer to the question of each line that is named."""
    origins = {item.key.line: item.key for item in questions if isinstance(item, ChatItem)}
    return [Answer(origin=origins[line], failure=failure, bot_id="b") for line, failure in failures.items()]


def pending(earlier: Earlier, questions: Questions) -> list[int]:
    return [item.key.line for item in earlier.pending(questions)]


def surveyed(earlier: Earlier, questions: Questions) -> tuple[Survey, list[int]]:
    bad: list[BadLine] = []
    return earlier.survey(questions, "answers.jsonl", bad.append), [line.line for line in bad]


def test_at_first_everything_is_asked(made: Made) -> None:
    questions = made(*LINES)
    earlier = Earlier([], Summary(), retry_started=False)
    survey, bad = surveyed(earlier, questions)
    assert (survey.questions, survey.pending, survey.bad, bad) == (4, 4, 1, [4])
    assert pending(earlier, questions) == [1, 2, 3, 5]


@pytest.mark.parametrize(("retry_started", "expected"), [(False, [3, 5]), (True, [2, 3, 5])])
def test_what_failed_is_asked_again_unless_it_may_have_cost(
    made: Made, retry_started: bool, expected: list[int]
) -> None:
    questions, summary = made(*LINES), Summary()
    before = answers_to(questions, {1: None, 2: STARTED, 3: FAILED})
    earlier = Earlier(before, summary, retry_started=retry_started)
    survey, _ = surveyed(earlier, questions)
    assert pending(earlier, questions) == expected
    assert survey.pending == len(expected)
    assert earlier.again.keys() == {*expected} - {5}
    # What is asked again is counted when it is.
    assert summary.answered == 1
    assert summary.failed == ({} if retry_started else {"ServerError 5000": 1})


def test_the_last_answer_to_a_question_counts(made: Made) -> None:
    questions, summary = made(*LINES), Summary()
    before = [
        *answers_to(questions, {1: FAILED, 2: FAILED, 3: STARTED, 5: None}),
        *answers_to(questions, {1: None, 2: STARTED, 3: FAILED, 5: FAILED}),
        *answers_to(questions, {1: None}),
    ]
    earlier = Earlier(before, summary, retry_started=False)
    assert pending(earlier, questions) == [3]
    assert (summary.answered, summary.failed) == (2, {"ServerError 5000": 1})


def test_questions_may_be_added_and_those_with_ids_may_move(made: Made) -> None:
    before = answers_to(made('{"id": "a", "message": "1"}', '{"message": "2"}'), {1: None, 2: None})
    questions = made(
        '{"id": "new", "message": "0"}', '{"message": "2"}', '{"message": "3"}', '{"id":"a","message":"1"}'
    )
    earlier = Earlier(before, Summary(), retry_started=False)
    assert surveyed(earlier, questions)[0].pending == 2
    assert pending(earlier, questions) == [1, 3]


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (['{"id": "a", "message": "one"}', *LINES[1:]], "'a' (line 1) is not what was asked then"),
        ([LINES[0], '{"message": "two"}', *LINES[2:]], "line 2 is not what was asked then"),
        ([LINES[2], *LINES[:2]], "line 2 was asked then and is missing now."),
        (LINES[:1], "line 2 was asked then and is missing now"),
        ([LINES[0], "no longer JSON", *LINES[2:]], "line 2 was asked then and is missing now."),
        (['{"id": "x", "message": "other"}'], "line 2 was asked then and is missing now, and 1 more"),
        (['{"id": "x", "message": "other"}', LINES[1]], "'a' was asked then and is missing now."),
        ([], "is missing now, and 1 more"),
    ],
)
@pytest.mark.parametrize("failure", [None, FAILED])
def test_other_questions_are_refused(made: Made, lines: list[str], reason: str, failure: Failure | None) -> None:
    before = answers_to(made(*LINES), {1: None, 2: failure})
    earlier = Earlier(before, Summary(), retry_started=False)
    with pytest.raises(UsageError) as caught:
        surveyed(earlier, made(*lines))
    assert str(caught.value).startswith("answers.jsonl holds the answers to other questions than those in questions")
    assert reason in str(caught.value)
    assert "Give another --out, or --no-resume, which sets answers.jsonl aside" in str(caught.value)


def test_a_question_to_be_asked_without_a_bot_is_named(made: Made) -> None:
    questions = made('{"message": "1"}', '{"message": "2", "bot_id": "b"}', '{"message": "3"}')
    survey, _ = surveyed(Earlier([], Summary(), retry_started=False), questions)
    assert survey.without_bot is not None
    assert survey.without_bot.line == 1
    earlier = Earlier(answers_to(questions, {1: None, 3: None}), Summary(), retry_started=False)
    assert surveyed(earlier, questions)[0].without_bot is None
    assert earlier.bots == {"b"}
