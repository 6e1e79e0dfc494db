"""`coze-async emulator`: a local Coze on a port."""

import errno
import os
from functools import partial
from pathlib import Path

import anyio.abc

from coze_async import ConfigurationError
from coze_async.cli._output import Output
from coze_async.cli._runner import started
from coze_async.emulator import Dialect, Emulator

__all__ = ["Announcement", "serve"]

_EXTRAS = ("starlette", "uvicorn")
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses that nobody can connect to by name


class Announcement(anyio.abc.TaskStatus[str]):
    """Says how to use the emulator as soon as it takes connections."""

    def __init__(self, output: Output, emulator: Emulator) -> None:
        self._output = output
        self._dialect = emulator.dialect

    def started(self, value: str | None = None) -> None:
        url = value or ""
        reachable = url
        for everywhere, here in _EVERYWHERE.items():
            reachable = reachable.replace(f"//{everywhere}:", f"//{here}:").replace(f"[{everywhere}]", f"[{here}]")
        self._output.write(
            f"An emulated Coze ({self._dialect}) listens at {url}; Ctrl-C stops it.\n"
            f"In a shell:   export COZE_API_BASE={reachable} COZE_API_TOKEN=any\n"
            f'In Python:    coze = AsyncCoze("any", base_url="{reachable}")\n'
        )


def serve(output: Output, *, host: str, port: int, dialect: Dialect, pace: float, state: Path | None) -> int:
    """Serve an emulator until Ctrl-C; returns the exit code."""
    try:
        emulator = Emulator(dialect, pace=pace, state=state)
    except ConfigurationError as error:
        output.fail(error)
        return 1
    with emulator:
        return _serve(output, emulator, host, port)


def _serve(output: Output, emulator: Emulator, host: str, port: int) -> int:
    try:
        emulator.app()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        output.fail(
            f"The emulator on a port needs {missing}, which is not installed: pip install 'coze_async[emulator]'"
        )
        return 1
    with started() as runner:
        try:
            runner.run(partial(emulator.serve, host, port, task_status=Announcement(output, emulator)))
        except OSError as error:
            number = error.errno or 0
            # Python adds the address to the system's words; here it is said already.
            reason = os.strerror(number) if number in errno.errorcode else error
            output.fail(
                f"Cannot listen at {host}, port {port}: {reason}. Choose another --host or --port; 0 takes a free one."
            )
            return 1
    return 0
