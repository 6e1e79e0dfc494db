"""The judge of the SDKs' calls: it lets nothing pass that is not known, and nothing known that is no longer so."""

import pytest
from interop.peers import Disagreement, Outcome, Peer, judge, judge_completeness, need_modules
from interop.sdks import PAGE, page

KNOWN = Disagreement("ValueError: odd", "It wants something even.")
NAMES = ["a.b", "a.c (with d)"]


class _Peer(Peer):
    calls = NAMES  # pyright: ignore[reportAssignmentType, reportIncompatibleMethodOverride] - no program to read


PEER = _Peer("sdk", "1.0", "", {"a.c (with d)": KNOWN}, {"a.ws": "No HTTP."})


def _outcome(**changed: str | None) -> Outcome:
    return Outcome("1.0", frozenset({"a.b", "a.ws"}), {"a.b": None, "a.c (with d)": "ValueError: odd", **changed})


def test_what_is_fine_and_what_is_known_passes() -> None:
    for name in NAMES:
        judge(PEER, _outcome(), name)
    judge_completeness(PEER, _outcome())


def test_a_failure_that_is_not_known_fails() -> None:
    with pytest.raises(AssertionError, match="KeyError"):
        judge(PEER, _outcome(**{"a.b": "KeyError"}), "a.b")


def test_a_disagreement_that_is_over_or_another_one_fails() -> None:
    with pytest.raises(AssertionError, match="is fine now: take it out"):
        judge(PEER, _outcome(**{"a.c (with d)": None}), "a.c (with d)")
    with pytest.raises(AssertionError, match="not as it did"):
        judge(PEER, _outcome(**{"a.c (with d)": "KeyError"}), "a.c (with d)")


def test_methods_that_nobody_calls_and_other_versions_fail() -> None:
    for outcome in (
        Outcome("1.1", _outcome().methods, _outcome().errors),
        Outcome("1.0", _outcome().methods | {"a.new"}, _outcome().errors),
        Outcome("1.0", frozenset({"a.b"}), _outcome().errors),
        Outcome("1.0", _outcome().methods, {"a.b": None}),
    ):
        with pytest.raises(AssertionError):
            judge_completeness(PEER, outcome)
    with pytest.raises(AssertionError):
        judge_completeness(_Peer("sdk", "1.0", "", {"a.gone": KNOWN}, PEER.left_out), _outcome())


def test_what_is_missing_skips_here_and_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"'no_such_module' is not here\. `scripts/test` installs it"):
        need_modules("pytest", "no_such_module")
    monkeypatch.setenv("CI", "1")
    with pytest.raises(pytest.fail.Exception, match="no_such_module"):
        need_modules("no_such_module")
    need_modules("pytest")


def test_the_page_tells_what_is_known() -> None:
    assert PAGE.read_text("utf-8") == page(), "Run: PYTHONPATH=tests python -m interop.sdks"
