"""`coze-async login`: what it asks of the person, what it keeps, and what the other commands make of it."""

import json
import os
import socket
import stat
import threading
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import httpx
import pytest

from coze_async.cli import _login, main
from coze_async.cli._output import Output
from coze_async.emulator import Emulator, OAuthApp

Captured = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def no_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COZE_DEVICE_OAUTH_CLIENT_ID", "COZE_PKCE_OAUTH_CLIENT_ID", "COZE_PKCE_OAUTH_REDIRECT_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def cloud(server: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> str:
    """A server on a port, and nobody logged in; a device is confirmed as soon as it asks."""
    monkeypatch.delenv("COZE_API_TOKEN")
    emulator.oauth.interval = 0.02
    begin = emulator.oauth.device

    def confirmed(client_id: str, origin: str) -> dict[str, Any]:
        answer = begin(client_id, origin)
        emulator.oauth.approve(answer["user_code"])
        return answer

    monkeypatch.setattr(emulator.oauth, "device", confirmed)
    return server


def files(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "config" / "coze_async"
    return folder / "oauth.json", folder / "token.json"


def test_a_device_is_confirmed_and_the_token_kept_for_the_owner(
    cloud: str, emulator: Emulator, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["login", "--client-id", "app", "--workspace", "71"]) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert f"Open {cloud}/oauth/device?user_code=EMU-" in err
    assert f"You are logged in at {cloud}" in err
    assert emulator.requests[0].path == "/api/permission/oauth2/workspace_id/71/device/code"
    app, token = files(tmp_path)
    assert json.loads(app.read_text(encoding="utf-8")) == {
        "client_type": "device", "client_id": "app", "coze_api_base": cloud, "coze_www_base": cloud,
    }  # fmt: skip
    kept = json.loads(token.read_text(encoding="utf-8"))
    assert emulator.oauth.judge(kept["access_token"])
    if os.name == "posix":
        assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert not [secret for secret in (kept["access_token"], kept["refresh_token"]) if secret in err]


def test_the_other_commands_use_the_login_and_renew_it(
    cloud: str, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("COZE_DEVICE_OAUTH_CLIENT_ID", "app")
    assert main(["login"]) == 0
    _, token = files(tmp_path)
    first = json.loads(token.read_text(encoding="utf-8"))["access_token"]
    # The login knows its server.
    monkeypatch.delenv("COZE_API_BASE")
    emulator.oauth.revoke()
    capsys.readouterr()
    assert main(["chat", "--bot", "b-1", "hello"]) == 0
    out, err = capsys.readouterr()
    assert out
    assert "emulator" not in err
    second = json.loads(token.read_text(encoding="utf-8"))["access_token"]
    assert second != first
    assert emulator.requests[-1].headers["authorization"] == f"Bearer {second}"
    assert main(["doctor"]) == 0
    out = capsys.readouterr().out
    assert f"{cloud} (the login's)" in out
    assert "from coze-async login (" in out


def test_a_login_for_another_server_is_not_used(cloud: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    assert main(["login", "--client-id", "app"]) == 0
    monkeypatch.setenv("COZE_API_BASE", "https://api.coze.com")
    assert main(["chat", "hello"]) == 0
    assert "talking to the built-in emulator" in capsys.readouterr().err


def test_a_token_of_the_environment_wins(cloud: str, emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert main(["login", "--client-id", "app"]) == 0
    monkeypatch.setenv("COZE_API_TOKEN", "pat_own")
    assert main(["chat", "--bot", "b-1", "hello"]) == 0
    assert emulator.requests[-1].headers["authorization"] == "Bearer pat_own"


def test_the_second_login_needs_no_client_id(cloud: str, emulator: Emulator, tmp_path: Path) -> None:
    assert main(["login", "--client-id", "app"]) == 0
    assert main(["login"]) == 0
    assert [request.body["client_id"] for request in emulator.requests] == ["app"] * 4


def test_a_config_file_names_the_app_and_the_server(
    cloud: str, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.delenv("COZE_API_BASE")
    config = tmp_path / "coze_oauth_config.json"
    config.write_text(json.dumps({"client_type": "device", "client_id": "mine", "coze_api_base": cloud}))
    assert main(["login", "--config", str(config)]) == 0
    assert emulator.requests[0].body == {"client_id": "mine"}
    facts = {"client_type": "web", "client_id": "a", "client_secret": "s3cret", "coze_api_base": cloud}
    config.write_text(json.dumps(facts))
    capsys.readouterr()
    assert main(["login", "--config", str(config)]) == 1
    err = capsys.readouterr().err
    assert "describes a WebOAuth: the terminal takes client_type device or pkce" in err
    assert "s3cret" not in err


@pytest.mark.parametrize(("more", "name"), [([], "DEVICE"), (["--pkce"], "PKCE")])
def test_without_an_app_it_says_how_to_name_one(more: list[str], name: str, capsys: Captured) -> None:
    assert main(["login", *more]) == 1
    err = capsys.readouterr().err
    assert f"set COZE_{name}_OAUTH_CLIENT_ID" in err


def test_a_refusal_is_one_message_and_changes_nothing(
    cloud: str, emulator: Emulator, tmp_path: Path, capsys: Captured
) -> None:
    emulator.oauth.register(OAuthApp("another"))
    assert main(["login", "--client-id", "app"]) == 1
    assert "error: POST /api/permission/oauth2/device/code was refused (HTTP 401): invalid_client" in (
        capsys.readouterr().err
    )
    assert not any(path.exists() for path in files(tmp_path))


def test_a_torn_token_file_is_told_by_the_commands(cloud: str, tmp_path: Path, capsys: Captured) -> None:
    assert main(["login", "--client-id", "app"]) == 0
    _, token = files(tmp_path)
    token.write_text('{"access_token": "czu_')
    capsys.readouterr()
    assert main(["chat", "--bot", "b", "hi"]) == 1
    err = capsys.readouterr().err
    assert "only a part of one. Delete it and log in again (coze-async login)" in err
    assert "czu_" not in err


def test_a_saved_app_of_another_kind_is_no_login(tmp_path: Path, capsys: Captured) -> None:
    app, token = files(tmp_path)
    app.parent.mkdir(parents=True)
    app.write_text(
        json.dumps(
            {"client_type": "web", "client_id": "a", "client_secret": "s", "coze_api_base": "http://127.0.0.1:9"}
        )
    )
    token.write_text("{}")
    assert main(["chat", "hi"]) == 0
    assert "built-in emulator" in capsys.readouterr().err


def test_logins_are_kept_in_the_home_folder_where_nothing_else_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert _login.folder() == tmp_path / ".config" / "coze_async"


# --- with a browser ---------------------------------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


Browser = Callable[[str], Any]


@pytest.fixture
def browsers(monkeypatch: pytest.MonkeyPatch) -> Generator[list[Browser]]:
    """What happens, each in a thread of its own, when the command names a page to open."""
    waiting: list[Browser] = []
    running: list[threading.Thread] = []
    errors: list[BaseException] = []
    tell = Output.tell

    def browse(open_page: Browser, url: str) -> None:
        try:
            open_page(url)
        except BaseException as error:  # noqa: BLE001 - told at the end of the test
            errors.append(error)

    def told(self: Output, text: str) -> None:
        tell(self, text)
        if text.startswith("Open ") and waiting:
            running.append(threading.Thread(target=browse, args=[waiting.pop(0), text.partition(" ")[2]]))
            running[-1].start()

    monkeypatch.setattr(Output, "tell", told)
    yield waiting
    for thread in running:
        thread.join(10)
    assert errors == []


def opened(url: str) -> httpx.Response:
    return httpx.get(url, follow_redirects=True, timeout=10, trust_env=False)


def test_the_browser_comes_back_with_the_code(
    cloud: str, emulator: Emulator, browsers: list[Browser], tmp_path: Path, capsys: Captured
) -> None:
    pages: list[httpx.Response] = []
    browsers.append(lambda url: pages.append(opened(url)))
    back = f"http://127.0.0.1:{free_port()}/callback"
    assert main(["login", "--pkce", "--client-id", "app", "--redirect-uri", back]) == 0
    assert "go back to the terminal" in pages[0].text
    assert pages[0].status_code == 200
    verifier = emulator.requests[-1].body["code_verifier"]
    assert verifier not in capsys.readouterr().err
    assert emulator.requests[0].query["code_challenge_method"] == "S256"
    app, token = files(tmp_path)
    assert json.loads(app.read_text(encoding="utf-8"))["client_type"] == "pkce"
    assert emulator.oauth.judge(json.loads(token.read_text(encoding="utf-8"))["access_token"])


def test_who_is_not_the_browser_of_this_login_is_turned_away(
    cloud: str, browsers: list[Browser], monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    answers: list[Any] = []

    def attack(url: str) -> None:
        here = f"http://127.0.0.1:{port}"
        answers.append(opened(f"{here}/callback?code=evil&state=guessed").status_code)
        answers.append(opened(f"{here}/favicon.ico").status_code)
        answers.append(httpx.post(f"{here}/callback", trust_env=False).status_code)
        with socket.create_connection(("127.0.0.1", port)) as silent:
            silent.sendall(b"GET")
        with socket.create_connection(("127.0.0.1", port)) as talkative:
            talkative.sendall(b"x" * 20_000)
            answers.append(talkative.recv(12))
        answers.append(opened(url).status_code)

    browsers.append(attack)
    monkeypatch.setenv("COZE_PKCE_OAUTH_REDIRECT_URI", f"http://127.0.0.1:{port}/callback")
    assert main(["login", "--pkce", "--client-id", "app"]) == 0
    assert answers == [404, 404, 404, b"HTTP/1.1 404", 200]


def test_a_user_who_says_no_ends_the_login(
    cloud: str, emulator: Emulator, browsers: list[Browser], capsys: Captured
) -> None:
    emulator.oauth.consents = False
    browsers.append(opened)
    back = f"http://localhost:{free_port()}"
    assert main(["login", "--pkce", "--client-id", "app", "--redirect-uri", back]) == 1
    assert "error: The login was refused: access_denied." in capsys.readouterr().err


def test_a_login_with_a_device_may_become_one_with_a_browser(cloud: str, browsers: list[Browser]) -> None:
    assert main(["login", "--client-id", "app"]) == 0
    browsers.append(opened)
    assert main(["login", "--pkce", "--redirect-uri", f"http://127.0.0.1:{free_port()}/"]) == 0
    browsers.append(opened)
    # From then on it is the usual one.
    assert main(["login", "--redirect-uri", f"http://127.0.0.1:{free_port()}/"]) == 0


def test_a_port_that_is_taken_is_told(cloud: str, capsys: Captured) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        back = f"http://127.0.0.1:{port}/callback"
        assert main(["login", "--pkce", "--client-id", "app", "--redirect-uri", back]) == 1
    assert f"Cannot listen at 127.0.0.1, port {port}: " in capsys.readouterr().err


def test_nobody_is_waited_for_for_ever(cloud: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setattr(_login, "_PATIENCE", 0.05)
    back = f"http://127.0.0.1:{free_port()}/callback"
    assert main(["login", "--pkce", "--client-id", "app", "--redirect-uri", back]) == 1
    assert "Nobody answered within" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pasted", "says"),
    [
        ("{address}", ""),
        ("{address}x", "belongs to another login"),
        ("", "belongs to another login"),
        (None, "There is no address, and so no login"),
    ],
)
def test_on_another_machine_the_address_is_pasted(
    pasted: str | None,
    says: str,
    cloud: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    told: list[str] = []
    tell = Output.tell

    def kept(self: Output, text: str) -> None:
        told.append(text)
        tell(self, text)

    def paste(output: Output, prompt: str) -> str:
        response = httpx.get(told[-1].partition(" ")[2], trust_env=False)
        if pasted is None:
            raise EOFError
        # The state stands last.
        return f" {pasted.format(address=response.headers['location'])} "

    monkeypatch.setattr(Output, "tell", kept)
    monkeypatch.setattr(_login, "read_line", paste)
    back = "https://app.example/callback"
    code = main(["login", "--pkce", "--client-id", "app", "--redirect-uri", back])
    assert code == (1 if says else 0)
    assert says in capsys.readouterr().err


# --- what a login says, and how it ends -------------------------------------------------------------------------------


def test_a_login_is_told_in_sentences(cloud: str, capsys: Captured) -> None:
    assert main(["login", "--client-id", "app"]) == 0
    err = capsys.readouterr().err
    assert f"You are logged in at {cloud}. The token lasts until " in err
    assert " UTC and is renewed by itself.\n" in err


def test_logging_out_deletes_the_token_and_keeps_the_app(
    cloud: str, emulator: Emulator, tmp_path: Path, capsys: Captured
) -> None:
    assert main(["login", "--client-id", "app"]) == 0
    app, token = files(tmp_path)
    capsys.readouterr()
    assert main(["logout"]) == 0
    assert capsys.readouterr().err.startswith(f"You are logged out: the token in {token} is deleted.\n")
    assert (app.exists(), token.exists()) == (True, False)
    assert main(["chat", "hello"]) == 0
    assert "talking to the built-in emulator" in capsys.readouterr().err
    assert main(["login"]) == 0


def test_who_is_not_logged_in_cannot_log_out(monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("COZE_API_TOKEN", "pat_x")
    assert main(["logout"]) == 0
    assert capsys.readouterr().err == (
        "You are not logged in.\n"
        "COZE_API_TOKEN is set: the commands use that token, whether you are logged in or not.\n"
    )
