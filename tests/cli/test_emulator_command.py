"""`coze-async emulator`: a port, and how to use it."""

import os
import re
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from cli.command import Terminal, process
from rich.cells import cell_len

from coze_async.cli import _serve, main
from coze_async.cli._output import Output
from coze_async.emulator import Emulator, Seen

Captured = pytest.CaptureFixture[str]


def test_it_says_its_url_and_serves_there_until_ctrl_c() -> None:
    with process(["emulator", "--port", "0", "--dialect", "studio", "--pace", "0"]) as command:
        assert command.stdout is not None
        first, shell, python, browser, empty = [command.stdout.readline().decode() for _ in range(5)]
        url = first.split(" at ")[1].partition(";")[0]
        assert first == f"An emulated Coze (studio) listens at {url}; Ctrl-C stops it.\n"
        assert shell == f"In a shell:   export COZE_API_BASE={url} COZE_API_TOKEN=any\n"
        assert python == f'In Python:    coze = AsyncCoze("any", base_url="{url}")\n'
        assert browser == f"In a browser: {url}/_/ shows what is going on, and breaks it on purpose\n"
        assert empty == "\n"
        assert httpx.get(f"{url}/", headers={"accept": "text/html"}, follow_redirects=True).text.startswith("<!doctype")
        assert httpx.get(f"{url}/v1/bots/7", headers={"authorization": "Bearer any"}).json()["data"]["bot_id"] == "7"
        line = command.stdout.readline().decode()
        assert re.fullmatch(r"\d\d:\d\d:\d\d +200 +GET +/v1/bots/7 +(< 1|\d+) ms +\n", line), line
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=20)
    assert (command.returncode, out, err) == (130, b"", b"Stopped.\n")


def test_scripts_and_faults_come_from_the_command_line(tmp_path: Path) -> None:
    script = tmp_path / "bots.toml"
    script.write_text('bots.b = "你好，{user_id}"', encoding="utf-8")
    settings = ["--port", "0", "--pace", "0", "--script", str(script), "--fault", "503:1@*/bots/*", "--seed", "7"]
    body = {"bot_id": "b", "user_id": "u-7", "stream": True, "additional_messages": [{"role": "user", "content": "嗨"}]}
    with process(["emulator", *settings]) as command:
        assert command.stdout is not None
        url = command.stdout.readline().decode().split(" at ")[1].partition(";")[0]
        headers = {"authorization": "Bearer any"}
        assert httpx.get(f"{url}/v1/bots/7", headers=headers).status_code == 503
        assert "你好，u-7" in httpx.post(f"{url}/v3/chat", json=body, headers=headers).text
        refused, answered = [command.stdout.readline().decode() for _ in range(6)][-2:]
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=20)
    assert re.search(r"503 5000 +GET +/v1/bots/7 +\S.* Refuse  service unavailable$", refused)
    assert re.search(r"200 +POST +/v3/chat +\S.*9 events  u-7  嗨$", answered)


def test_a_strict_emulator_grants_one_token_and_says_which() -> None:
    with process(["emulator", "--port", "0", "--pace", "0", "--strict", "--allow-host", "coze.test"]) as command:
        assert command.stdout is not None
        lines = [command.stdout.readline().decode() for _ in range(4)]
        url, token = lines[0].split(" at ")[1].partition(";")[0], lines[1].rpartition("COZE_API_TOKEN=")[2].strip()
        ask = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"})
        with ask:
            assert ask.get("/v1/users/me").json()["code"] == 0
            assert ask.get("/v1/users/me", headers={"authorization": "Bearer any"}).json()["code"] == 4100
            assert ask.get("/v1/bots/7").json()["code"] == 4200
            assert ask.get("/v1/users/me", headers={"host": "coze.test"}).status_code == 200
            assert ask.get("/v1/users/me", headers={"host": "other.test"}).status_code == 403
        command.send_signal(signal.SIGINT)
        command.communicate(timeout=20)


@pytest.mark.parametrize(
    ("content", "arguments", "code", "said"),
    [
        ("", ["--fault", "ctu"], 2, "error: There is no kind of fault 'ctu'. Did you mean 'cut'?"),
        ("", ["--fault", "cut@/v3/chta"], 2, "error: No request of the emulator matches '/v3/chta'. Did you mean"),
        ("", ["--fault", "cut:2"], 2, "error: In 'cut:2', '2' is no probability: write 0.05 or 5%."),
        ("bots.b = 5", ["--script", "{path}"], 1, "error: {path}: bots.b is a text, not the number 5."),
        ("", ["--script", "{path}x"], 1, "error: {path}x: a file of scripts ends in"),
        ("", ["--script", "none.toml"], 1, "error: Cannot read none.toml: No such file or directory."),
    ],
)
def test_what_cannot_be_played_is_told(
    content: str, arguments: list[str], code: int, said: str, tmp_path: Path, capsys: Captured
) -> None:
    path = tmp_path / "bots.toml"
    path.write_text(content, encoding="utf-8")
    assert main(["emulator", "--port", "0", *(argument.format(path=path) for argument in arguments)]) == code
    assert capsys.readouterr().err.startswith(said.format(path=path))


def test_yaml_without_its_extra_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Captured
) -> None:
    monkeypatch.setitem(sys.modules, "yaml", None)
    (tmp_path / "bots.yaml").write_text("bots: {b: x}", encoding="utf-8")
    assert main(["emulator", "--port", "0", "--script", str(tmp_path / "bots.yaml")]) == 1
    assert capsys.readouterr().err == (
        "error: Scripts in YAML need yaml, which is not installed: pip install 'coze_async[emulator]'\n"
    )


def seen(**facts: Any) -> Seen:
    return replace(Seen(1, "POST", "/v3/chat", 0.0, 0.0, status=200, ending="complete", seconds=0.01), **facts)


@pytest.mark.parametrize(
    ("facts", "verdict", "rest"),
    [
        ({}, "200", "10 ms"),
        ({"seconds": 0.0001}, "200", "< 1 ms"),
        ({"seconds": 2.5, "is_stream": True, "chunks": 7, "user": "u"}, "200", "2.50 s    7 events  u"),
        ({"code": 4016, "msg": "occupied"}, "200 4016", "10 ms              occupied"),
        ({"status": 429, "code": 4013}, "429 4013", "10 ms"),
        ({"status": 502}, "502", "10 ms"),
        ({"has_failed": True}, "200 failed", "10 ms"),
        ({"ending": "lost", "fault": "Break"}, "lost", "10 ms              Break"),
        ({"ending": "left", "status": None}, "left", "10 ms"),
        ({"ending": "unreachable", "status": None, "seconds": None}, "no answer", "< 1 ms"),
        ({"question": "a\n  b\x1b[31m"}, "200", "10 ms              a b\x1b[31m"),
    ],
)
def test_a_line_says_what_became_of_a_request(facts: dict[str, Any], verdict: str, rest: str, capsys: Captured) -> None:
    emulator = Emulator()
    _serve.RequestLog(Output(), emulator)
    assert emulator.journal.on_end is not None
    emulator.journal.on_end(seen(**facts))
    (line,) = capsys.readouterr().out.splitlines()
    at, shown = line[:8], line[10:].rstrip()
    assert re.fullmatch(r"\d\d:\d\d:\d\d", at)
    assert shown.startswith(f"{verdict:<10}  POST    /v3/chat ")
    assert shown.endswith("  " + rest.replace("\x1b", r"\x1b"))


def test_a_terminal_shows_the_line_in_colours_and_cut_at_its_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "90")
    monkeypatch.delenv("NO_COLOR", raising=False)
    log = _serve.RequestLog(Output(), Emulator())
    log.write(seen(question="杭州" * 50, code=4000, msg="bad"))
    log.write(seen())
    first, second, _ = terminal.shown.split("\n")
    assert "\x1b[31m200 4000" in first
    assert "\x1b[32m200" in second
    plain = re.sub(r"\x1b\[[\d;]*m", "", first)
    assert plain.rstrip().endswith("…")
    assert "  bad  杭州" in plain
    assert cell_len(plain) <= 90


def test_with_nobody_reading_its_lines_the_emulator_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    discarded: list[bool] = []

    def discard() -> None:
        discarded.append(True)

    def broken(self: Output, *pieces: tuple[str, str]) -> None:
        raise BrokenPipeError

    monkeypatch.setattr(Output, "line", broken)
    monkeypatch.setattr(Output, "discard", staticmethod(discard))
    emulator = Emulator()
    _serve.RequestLog(Output(), emulator).write(seen())
    assert emulator.journal.on_end is None
    assert discarded == [True]


def test_a_quiet_emulator_writes_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Emulator] = []

    async def ended(self: Emulator, host: str, port: int, *, task_status: object) -> None:
        made.append(self)

    monkeypatch.setattr(Emulator, "serve", ended)
    assert main(["emulator", "--port", "0", "--quiet"]) == 0
    assert main(["emulator", "--port", "0"]) == 0
    assert [emulator.journal.on_end is None for emulator in made] == [True, False]


def test_a_served_emulator_has_its_seed_and_forgets_old_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    dice: list[float] = []

    async def ended(self: Emulator, host: str, port: int, *, task_status: object) -> None:
        dice.append(self.faults.switched["cut", "/v3/chat"].chance.random())
        for _ in range(2500):
            await self.handle("GET", "/none", {}, {}, b"")
        assert 1000 <= len(self.requests) <= 2000

    monkeypatch.setattr(Emulator, "serve", ended)
    for seed in ("7", "7", "8"):
        assert main(["emulator", "--port", "0", "--quiet", "--fault", "cut:0.5@/v3/chat", "--seed", seed]) == 0
    assert dice[0] == dice[1] != dice[2]


def test_ctrl_c_in_the_same_process_stops_it_too(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    written: list[str] = []

    def write(self: Output, text: str) -> None:
        written.append(text)
        os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Output, "write", write)
    assert main(["emulator", "--port", "0"]) == 130
    assert "An emulated Coze (cloud) listens at http://127.0.0.1:" in written[0]


@pytest.mark.parametrize(
    ("listening", "reachable"),
    [
        ("http://0.0.0.0:8000", "http://127.0.0.1:8000"),
        ("http://[::]:8000", "http://[::1]:8000"),
        ("http://10.0.0.7:8000", "http://10.0.0.7:8000"),
    ],
)
def test_who_listens_everywhere_is_reached_here(listening: str, reachable: str, capsys: Captured) -> None:
    _serve.Announcement(Output(), Emulator()).started(listening)
    out = capsys.readouterr().out
    assert f"listens at {listening};" in out
    assert f"COZE_API_BASE={reachable} " in out
    assert f'base_url="{reachable}"' in out


def test_a_port_that_is_taken_is_one_message(capsys: Captured) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["emulator", "--port", port]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"error: Cannot listen at 127.0.0.1, port {port}: Address already in use. Choose another")


def test_a_host_that_is_none_of_this_machine_is_one_message(capsys: Captured) -> None:
    assert main(["emulator", "--port", "0", "--host", "no.such.host.invalid"]) == 1
    assert capsys.readouterr().err.startswith("error: Cannot listen at no.such.host.invalid, port 0: ")


@pytest.mark.parametrize("missing", ["uvicorn", "starlette"])
def test_without_its_extra_it_says_what_to_install(
    missing: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == missing]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.delitem(sys.modules, "coze_async.emulator._server", raising=False)
    assert main(["emulator", "--port", "0"]) == 1
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    assert missing in err
    assert "pip install 'coze_async[emulator]'" in err


def test_another_module_that_is_missing_is_no_question_of_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(self: Emulator) -> None:
        raise ModuleNotFoundError("No module named 'zlib'", name="zlib")

    monkeypatch.setattr(Emulator, "app", broken)
    with pytest.raises(ModuleNotFoundError, match="zlib"):
        main(["emulator", "--port", "0"])


def test_a_server_that_ends_by_itself_ends_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ended(self: Emulator, host: str, port: int, *, task_status: object) -> None:
        assert (host, port) == ("127.0.0.1", 0)

    monkeypatch.setattr(Emulator, "serve", ended)
    assert main(["emulator", "--port", "0"]) == 0


@pytest.mark.parametrize("wrong", [["--port", "70000"], ["--port", "-1"], ["--pace", "-1"], ["--dialect", "v2"]])
def test_what_cannot_be_served_is_wrong_usage(wrong: list[str], capsys: Captured) -> None:
    assert main(["emulator", *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def test_the_state_is_there_again_after_a_restart(tmp_path: Path) -> None:
    arguments = ["emulator", "--port", "0", "--state", str(tmp_path / "coze.sqlite")]
    headers, made = {"authorization": "Bearer any"}, ""
    for _ in range(2):
        with process(arguments) as command:
            assert command.stdout is not None
            url = command.stdout.readline().decode().split(" at ")[1].partition(";")[0]
            path = f"{url}/v1/conversation"
            made = made or httpx.post(f"{path}/create", json={"name": "x"}, headers=headers).json()["data"]["id"]
            found = httpx.get(f"{path}/retrieve", params={"conversation_id": made}, headers=headers).json()
            assert found["data"]["name"] == "x"
            command.send_signal(signal.SIGINT)
            command.communicate(timeout=20)


def test_a_state_that_cannot_be_used_is_one_message(tmp_path: Path, capsys: Captured) -> None:
    (tmp_path / "x").write_text("Dear diary", encoding="utf-8")
    assert main(["emulator", "--port", "0", "--state", str(tmp_path / "x")]) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: The state ")
    assert "delete this one to begin anew" in " ".join(err.split())
