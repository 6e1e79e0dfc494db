"""The official JavaScript SDK, unmodified, believes the emulator."""

import shutil
import sys
from pathlib import Path

import pytest
from interop.peers import HERE, Outcome, judge, judge_completeness, missing, need_modules, run
from interop.sdks import COZE_JS

# Beside what `pip` has installed: `scripts/test` puts it there.
NODE_MODULES = Path(sys.prefix, "node")


@pytest.fixture(scope="module")
def outcome() -> Outcome:
    """What the program said that calls every method of the SDK."""
    need_modules("starlette", "uvicorn")
    node = shutil.which("node")
    if node is None:
        missing("Node", "Install Node 18 or newer with npm, and run `scripts/test`.")
    if not (NODE_MODULES / "node_modules" / "@coze" / "api").is_dir():
        missing("The package '@coze/api'", f"`scripts/test` installs it to {NODE_MODULES} where npm is.")
    return run([str(node), str(HERE / COZE_JS.program), str(NODE_MODULES)])


@pytest.mark.parametrize("call", COZE_JS.calls)
def test_a_call_of_the_sdk_is_answered_as_by_the_service(outcome: Outcome, call: str) -> None:
    judge(COZE_JS, outcome, call)


def test_every_method_of_the_sdk_is_called(outcome: Outcome) -> None:
    judge_completeness(COZE_JS, outcome)
