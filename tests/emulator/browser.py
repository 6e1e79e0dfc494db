"""A headless Chromium, driven over its own pipe: nothing but the browser is needed."""

import json
import os
import select
import shutil
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_LONGEST = 60.0
_PLACED = """
import fcntl, os, sys
there, back = (int(number) for number in sys.argv[1:3])
kept = fcntl.fcntl(back, fcntl.F_DUPFD, 10)
os.dup2(there, 3)
os.dup2(kept, 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


def find_browser() -> str | None:
    """Where a Chromium is, if there is one."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Page:
    """One page of a browser. Source of the commands: the DevTools protocol, domains Target, Page, Runtime."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading = reading
        self._writing = writing
        self._number = 0
        self._rest = b""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self._session: str = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]

    def send(self, method: str, **parameters: Any) -> Any:
        """Send a command and wait for its result."""
        self._number += 1
        command: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if hasattr(self, "_session"):
            command["sessionId"] = self._session
        os.write(self._writing, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") == self._number:
                assert "result" in message, message
                return message["result"]

    def _next(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._reading], [], [], _LONGEST)
            assert ready, "The browser says nothing."
            piece = os.read(self._reading, 1 << 20)
            assert piece, "The browser has ended."
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(message)
        return answer

    def open(self, url: str) -> None:
        """Go there."""
        self.send("Page.navigate", url=url)

    def value(self, expression: str) -> Any:
        """What a piece of JavaScript comes to."""
        result = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """What a piece of JavaScript comes to, as soon as that is true."""
        ends_at = time.monotonic() + _LONGEST
        while time.monotonic() < ends_at:
            if value := self.value(f"(() => {{ try {{ return {expression} }} catch {{ return null }} }})()"):
                return value
            time.sleep(0.05)
        raise AssertionError(f"This never came true: {expression}")

    def picture(self, path: Path) -> None:
        """Write what the page looks like."""
        path.write_bytes(b64decode(self.send("Page.captureScreenshot")["data"]))


@contextmanager
def browser(folder: Path, *, width: int = 1400, height: int = 1000) -> Generator[Page]:
    """A page of a browser whose settings lie in `folder`."""
    program = find_browser()
    assert program is not None
    (there, writing), (reading, back) = os.pipe(), os.pipe()
    # It wants its pipe at 3 and 4.
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", _PLACED, str(there), str(back), program),
            *("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe", "--no-first-run"),
            *("--disable-dev-shm-usage", "--disable-background-networking", "--disable-component-update"),
            *("--disable-extensions", f"--user-data-dir={folder}", f"--window-size={width},{height}"),
        ],
        pass_fds=(there, back),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(there)
    os.close(back)
    try:
        page = Page(reading, writing)
        page.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        yield page
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(writing)
        os.close(reading)
