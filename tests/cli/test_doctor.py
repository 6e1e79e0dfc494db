"""`coze-async doctor`: what it finds in good and in bad answers."""

import json
import sys

import pytest
from cli.command import Terminal

from coze_async import AsyncCoze
from coze_async.cli import main
from coze_async.cli._doctor import Check, examine
from coze_async.emulator import Code, Emulator, Fault, Html, Refuse, Text, Unreachable

Captured = pytest.CaptureFixture[str]
ROUTES = "GET /v1/users/me"


async def found(emulator: Emulator, bot_id: str | None = None, token: str = "any") -> dict[str, Check]:
    async with AsyncCoze(token, base_url=emulator.url, transport=emulator.transport()) as coze:
        return {check.name: check for check in await examine(coze, bot_id)}


async def test_a_good_server_is_asked_a_few_times() -> None:
    emulator = Emulator()
    checks = await found(emulator)
    assert {name: check.is_good for name, check in checks.items()} == {
        "Server": True,
        "Round trip": True,
        "Accepted": True,
    }
    assert checks["Round trip"].finding == "0.0 ms with the connection, then 0.0, 0.0, 0.0 ms"
    assert [f"{request.method} {request.path}" for request in emulator.requests] == [ROUTES] * 4


async def test_a_refused_token_is_told_with_what_the_server_said() -> None:
    checks = await found(Emulator(), token="bad_token")
    assert checks["Server"].is_good is True
    assert checks["Accepted"].is_good is False
    assert "code 4100" in str(checks["Accepted"].error)


@pytest.mark.parametrize(
    ("fault", "finding"),
    [
        (Unreachable(), "cannot be reached"),
        (Html(502), "answers, but not as it should"),
        (Text(200, "<html>hello</html>", "text/html"), "answers, but not as it should"),
        (Refuse(500, 5000, "down"), "answers, but not as it should"),
    ],
)
async def test_a_server_that_is_not_well_is_asked_once_and_nothing_is_said_of_the_token(
    fault: Fault, finding: str
) -> None:
    emulator = Emulator()
    emulator.fail(fault, times=None)
    checks = await found(emulator, "b-1")
    assert list(checks) == ["Server"]
    assert (checks["Server"].is_good, checks["Server"].finding) == (False, finding)
    assert checks["Server"].error is not None
    assert len(emulator.requests) == 1


@pytest.mark.parametrize(
    ("fault", "is_good", "finding"),
    [
        (Code(4101, "no scope"), True, "yes, though it may not read whose it is"),
        # Coze Studio and Coze Plus, as recorded: the route is missing, and another one shows it.
        (Refuse(401, 401, "missing session_key in cookie"), True, "yes"),
        (Text(404, "404 page not found"), True, "yes"),
        (Refuse(429, 4013, "slowly"), None, "not known: the answer was an error"),
    ],
)
async def test_an_error_may_still_show_something_about_the_token(
    fault: Fault, is_good: bool | None, finding: str
) -> None:
    emulator = Emulator()
    emulator.fail(fault, on=ROUTES, times=None)
    checks = await found(emulator)
    assert checks["Server"].is_good is True
    assert checks["Accepted"].is_good is is_good
    assert checks["Accepted"].finding.startswith(finding)


async def test_a_bot_that_can_be_read_is_published_and_proves_the_token() -> None:
    emulator = Emulator()
    emulator.fail(Text(404, "404 page not found"), on=ROUTES, times=None)
    checks = await found(emulator, "b-1")
    assert checks["Bot"].finding.endswith(" is published")
    assert (checks["Accepted"].is_good, checks["Accepted"].finding) == (True, "yes")


@pytest.mark.parametrize(("fault", "is_good"), [(Code(4015, "not published"), False), (Code(4101, "no scope"), None)])
async def test_a_bot_that_cannot_be_read_is_told_apart_from_one_that_may_not_be(
    fault: Fault, is_good: bool | None
) -> None:
    emulator = Emulator()
    emulator.fail(fault, on="GET /v1/bot/get_online_info")
    checks = await found(emulator, "b-1")
    assert checks["Bot"].is_good is is_good
    assert checks["Bot"].error is not None
    assert checks["Accepted"].is_good is True


def test_without_a_token_the_emulator_is_examined(capsys: Captured) -> None:
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    assert "http://coze.emulator (built in)" in out
    assert "not needed here" in out
    assert err.endswith("Nothing stands in the way. Next: coze-async chat '你好'\n")


def test_the_settings_are_shown_and_the_token_is_not(server: str, capsys: Captured) -> None:
    assert main(["doctor", "--bot", "b-1"]) == 0
    out, _ = capsys.readouterr()
    assert f"{server} (COZE_API_BASE)" in out
    assert "from COZE_API_TOKEN (pat_…, 13 characters)" in out
    assert "pat_of_a_test" not in out
    assert out.startswith("ok ")


def test_one_bad_answer_is_a_diagnosis_and_exit_code_1(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("COZE_API_TOKEN", "bad_token")
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert "(9 characters)" in out
    assert "the server refuses the token" in out
    assert err.startswith("error: GET /v1/users/me was refused (code 4100")
    assert main(["doctor", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_what_could_not_be_found_out_is_said_with_exit_code_1(
    server: str, emulator: Emulator, capsys: Captured
) -> None:
    emulator.fail(Refuse(429, 4013, "slowly"), on=ROUTES, times=None)
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert "?   Accepted" in out
    assert "code 4013" in err
    assert "error:" not in err
    assert err.endswith("Could not find out whether the token is accepted.\n")


def test_a_server_without_any_route_of_coze_is_no_good_one(server: str, emulator: Emulator, capsys: Captured) -> None:
    emulator.fail(Text(404, "404 page not found"), times=None)
    assert main(["doctor", "--bot", "b-1"]) == 1
    out, err = capsys.readouterr()
    assert "answers, but has none of the routes of Coze that were tried" in out
    assert "?   Accepted" in out
    assert "Could not find out whether the token is accepted" in err
    assert "Nothing stands in the way" not in err


async def test_a_missing_route_says_nothing_of_the_token() -> None:
    """Coze Studio and Coze Plus answer like this for every route that they do not have (recorded)."""
    emulator = Emulator()
    emulator.fail(Refuse(401, 401, "missing session_key in cookie"), times=None)
    checks = await found(emulator)
    assert (checks["Server"].is_good, checks["Accepted"].is_good) == (False, None)


async def test_where_the_usual_route_is_missing_another_one_shows_that_the_token_is_refused() -> None:
    """What Coze Studio says to a token that it does not know (recorded)."""
    emulator = Emulator()
    emulator.fail(Refuse(401, 401, "missing session_key in cookie"), on=ROUTES, times=None)
    emulator.fail(Code(700012006, "authentication failed: CheckPermission failed"), on="GET /v1/conversations")
    checks = await found(emulator)
    assert (checks["Server"].is_good, checks["Accepted"].is_good) == (True, False)


def test_the_name_of_a_bot_cannot_write_lines_of_its_own(
    server: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = {"code": 0, "data": {"bot_id": "b-1", "name": "\x1b[2J\x9b1m\u202e\nok   Token"}}
    emulator.fail(Text(200, json.dumps(answer), "application/json"), on="GET /v1/bot/get_online_info")
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "dumb")
    assert main(["doctor", "--bot", "b-1"]) == 0
    assert r"\x1b[2J\x9b1m\u202e\nok   Token is published" in out.shown


def test_the_default_server_is_named_when_nothing_can_be_reached(
    monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    # Port 9 of this machine: nobody listens there, and nothing leaves the machine.
    monkeypatch.setattr("coze_async._config.COZE_CN_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("COZE_API_TOKEN", "pat_x")
    assert main(["doctor"]) == 1
    out, err = capsys.readouterr()
    assert "http://127.0.0.1:9 (the default; COZE_API_BASE is not set)" in out
    assert "cannot be reached" in out
    assert "no connection to http://127.0.0.1:9" in err


def test_a_base_url_that_cannot_be_right_is_said_at_once(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("COZE_API_BASE", "https://www.coze.cn")
    monkeypatch.setenv("COZE_API_TOKEN", "pat_x")
    assert main(["doctor"]) == 1
    assert "is the console, not the API" in capsys.readouterr().err


def test_the_table_has_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert main(["doctor"]) == 0
    assert "\x1b[32mok" in out.shown
