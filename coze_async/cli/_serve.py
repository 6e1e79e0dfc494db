"""`coze-async emulator`: a local Coze on a port, and what it is asked."""

import errno
import os
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path
from time import localtime, strftime

import anyio.abc

from coze_async import ConfigurationError
from coze_async.cli._connect import UsageError
from coze_async.cli._output import Output
from coze_async.cli._runner import started
from coze_async.emulator import Dialect, Emulator, ScriptError, Seen, parse_fault

__all__ = ["Announcement", "RequestLog", "serve"]

_EXTRAS = ("starlette", "uvicorn", "yaml")
_EVERYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - addresses that nobody can connect to by name
_ANY_TOKEN = "any"  # noqa: S105 - none is looked at
_STRICT_TOKEN = "pat_emulated"  # noqa: S105 - granted by a local emulator only
# So many requests are remembered; a server may run for days.
_KEPT = 1000


class Announcement(anyio.abc.TaskStatus[str]):
    """Says how to use the emulator as soon as it takes connections."""

    def __init__(self, output: Output, emulator: Emulator, token: str = _ANY_TOKEN) -> None:
        self._output = output
        self._dialect = emulator.dialect
        self._token = token

    def started(self, value: str | None = None) -> None:
        url = value or ""
        reachable = url
        for everywhere, here in _EVERYWHERE.items():
            reachable = reachable.replace(f"//{everywhere}:", f"//{here}:").replace(f"[{everywhere}]", f"[{here}]")
        self._output.write(
            f"An emulated Coze ({self._dialect}) listens at {url}; Ctrl-C stops it.\n"
            f"In a shell:   export COZE_API_BASE={reachable} COZE_API_TOKEN={self._token}\n"
            f'In Python:    coze = AsyncCoze("{self._token}", base_url="{reachable}")\n'
            f"In a browser: {reachable}/_/ shows what is going on, and breaks it on purpose\n\n"
        )


class RequestLog:
    """Writes a line for each request that is over.

    Args:
        output: Where the lines go.
        emulator: Whose requests they are.
    """

    def __init__(self, output: Output, emulator: Emulator) -> None:
        self._output = output
        self._journal = emulator.journal
        self._journal.on_end = self.write

    def write(self, seen: Seen) -> None:
        """Write the line of one request; with nobody reading any more, the emulator goes on without."""
        status, style = _verdict(seen)
        how_much = f"{seen.chunks} events" if seen.is_stream else ""
        try:
            self._output.line(
                (strftime("%H:%M:%S", localtime(seen.at)), "dim"),
                (f"{status:<10}", style),
                (f"{seen.method:<6}", "dim"),
                (f"{seen.path:<24}", ""),
                (f"{_took(seen.seconds or 0.0):>8}", "dim"),
                (f"{how_much:>10}", "dim"),
                (seen.user, "cyan"),
                (seen.fault, "yellow"),
                (seen.msg if style == "red" else "", "red"),
                (" ".join(seen.question.split()), ""),
            )
        except (OSError, SystemExit):
            # rich leaves the program when a pipe breaks; a server has more to do than to write lines.
            self._journal.on_end = None
            self._output.discard()


def _verdict(seen: Seen) -> tuple[str, str]:
    """What a request came to, and its colour."""
    endings = {"lost": ("lost", "red"), "left": ("left", "yellow"), "failed": ("failed", "red")}
    if seen.ending != "complete":
        return endings.get(seen.ending, ("no answer", "red"))
    if seen.has_failed:
        return f"{seen.status} failed", "red"
    if seen.code or (seen.status or 0) >= 400:
        return f"{seen.status} {seen.code or ''}".strip(), "red"
    return f"{seen.status}", "yellow" if seen.fault else "green"


def _took(seconds: float) -> str:
    if seconds < 0.001:
        return "< 1 ms"
    return f"{seconds * 1000:.0f} ms" if seconds < 0.1 else f"{seconds:.2f} s"


def serve(
    output: Output,
    *,
    host: str,
    port: int,
    dialect: Dialect,
    pace: float,
    script: Path | None = None,
    faults: Sequence[str] = (),
    seed: int | None = None,
    state: Path | None = None,
    strict: bool = False,
    allow_host: Sequence[str] = (),
    quiet: bool = False,
) -> int:
    """Serve an emulator until Ctrl-C; returns the exit code."""
    tokens = [_STRICT_TOKEN] if strict else None
    try:
        emulator = Emulator(dialect, pace=pace, tokens=tokens, state=state, keep=_KEPT, seed=seed, strict=strict)
    except ConfigurationError as error:
        output.fail(error)
        return 1
    except ValueError as error:
        raise UsageError(str(error)) from None
    with emulator:
        for fault in faults:
            try:
                emulator.switch(*parse_fault(fault))
            except ValueError as error:
                raise UsageError(str(error)) from None
        announcement = Announcement(output, emulator, _STRICT_TOKEN if strict else _ANY_TOKEN)
        serving = partial(emulator.serve, host, port, task_status=announcement)
        if allow_host:
            serving = partial(serving, hosts=allow_host)
        return _serve(output, emulator, host, port, script, serving, quiet=quiet)


def _serve(
    output: Output,
    emulator: Emulator,
    host: str,
    port: int,
    script: Path | None,
    serving: Callable[[], Awaitable[None]],
    *,
    quiet: bool,
) -> int:
    try:
        if script is not None:
            emulator.play(script)
        emulator.app()
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in _EXTRAS:
            raise
        wanted = "Scripts in YAML need" if missing == "yaml" else "The emulator on a port needs"
        output.fail(f"{wanted} {missing}, which is not installed: pip install 'coze_async[emulator]'")
        return 1
    except ScriptError as error:
        output.fail(error)
        return 1
    except OSError as error:
        output.fail(f"Cannot read {script}: {error.strerror}.")
        return 1
    if not quiet:
        RequestLog(output, emulator)
    with started() as runner:
        try:
            runner.run(serving)
        except OSError as error:
            number = error.errno or 0
            # Python adds the address to the system's words; here it is said already.
            reason = os.strerror(number) if number in errno.errorcode else error
            output.fail(
                f"Cannot listen at {host}, port {port}: {reason}. Choose another --host or --port; 0 takes a free one."
            )
            return 1
    return 0
