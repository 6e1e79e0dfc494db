"""The official Python SDK, unmodified, believes the emulator."""

import sys

import pytest
from interop.peers import HERE, Outcome, judge, judge_completeness, need_modules, run
from interop.sdks import COZEPY


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """What the program said that calls every method of the SDK."""
    need_modules("cozepy", "cryptography", "starlette", "uvicorn")
    return run([sys.executable, str(HERE / COZEPY.program)])


@pytest.mark.parametrize("call", COZEPY.calls)
def test_a_call_of_the_sdk_is_answered_as_by_the_service(outcome: Outcome, call: str) -> None:
    judge(COZEPY, outcome, call)


def test_every_method_of_the_sdk_is_called(outcome: Outcome) -> None:
    judge_completeness(COZEPY, outcome)
