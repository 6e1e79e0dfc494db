"""`coze-async emulator`: a port, and how to use it."""

import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest
from cli.command import process

from coze_async.cli import _serve, main
from coze_async.cli._output import Output
from coze_async.emulator import Emulator

Captured = pytest.CaptureFixture[str]


def test_it_says_its_url_and_serves_there_until_ctrl_c() -> None:
    with process(["emulator", "--port", "0", "--dialect", "studio", "--pace", "0"]) as command:
        assert command.stdout is not None
        first, shell, python = [command.stdout.readline().decode() for _ in range(3)]
        url = first.split(" at ")[1].partition(";")[0]
        assert first == f"An emulated Coze (studio) listens at {url}; Ctrl-C stops it.\n"
        assert shell == f"In a shell:   export COZE_API_BASE={url} COZE_API_TOKEN=any\n"
        assert python == f'In Python:    coze = AsyncCoze("any", base_url="{url}")\n'
        assert httpx.get(f"{url}/v1/bots/7", headers={"authorization": "Bearer any"}).json()["data"]["bot_id"] == "7"
        command.send_signal(signal.SIGINT)
        out, err = command.communicate(timeout=20)
    assert (command.returncode, out, err) == (130, b"", b"Stopped.\n")


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
