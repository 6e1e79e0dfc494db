"""`coze-async doctor`: which server, is the token accepted, how long does an answer take."""

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import anyio
from rich.table import Table
from rich.text import Text

from coze_async import (
    APIError,
    AsyncCoze,
    AuthenticationError,
    CozeError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    Retry,
    ServerError,
    Timeouts,
    TransportError,
)
from coze_async._exchange import Request
from coze_async.cli._connect import Connection
from coze_async.cli._output import Output

__all__ = ["Check", "examine", "report"]

_CALLS = 4
# Whose token it is: reads one line, costs nothing, and both clouds have it.
_WHO_AM_I = Request("GET", "/v1/users/me", safe=True)
# What a self-hosted server says on a route that takes no token: it looks for a browser's cookie.
_NO_SUCH_ROUTE_FOR_TOKENS = 700012006
_TOKEN_KINDS = ("pat_", "sat_", "czu_", "czs_", "cztei_")
_MARKS = {True: ("ok", "green"), False: ("no", "bold red"), None: ("?", "yellow")}


@dataclass(frozen=True)
class Check:
    """One finding.

    Attributes:
        name: What was looked at.
        finding: What was found, in a few words.
        is_good: None if it could not be seen.
        error: The whole story of what is not good.
    """

    name: str
    finding: str
    is_good: bool | None = True
    error: CozeError | None = field(default=None, compare=False)


def report(connection: Connection, output: Output, bot_id: str | None, *, debug: bool) -> int:
    """Look, show what was found as a table, and return the exit code: 0 if nothing stands in the way."""
    settings = [_base_url(connection), _token(connection)]
    checks = settings + connection.runner.run(lambda: examine(connection.coze, bot_id))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for check in checks:
        mark, style = _MARKS[check.is_good]
        table.add_row(Text(mark, style=style), Text(check.name, style="bold"), Text(check.finding))
    output.table.print(table)
    for check in checks:
        if check.error is not None:
            if check.is_good is None:
                output.note(str(check.error))
            else:
                output.fail(check.error, debug=debug)
    is_well = all(check.is_good is not False for check in checks)
    if is_well:
        output.note("Nothing stands in the way. Next: coze-async chat '你好'")
    return 0 if is_well else 1


def _base_url(connection: Connection) -> Check:
    source = "COZE_API_BASE" if os.environ.get("COZE_API_BASE", "").strip() else "the default; COZE_API_BASE is not set"
    source = "the login's" if connection.login else source
    return Check("Base URL", f"{connection.coze.base_url} ({'built in' if connection.is_emulated else source})")


def _token(connection: Connection) -> Check:
    if connection.login:
        return Check("Token", f"from coze-async login ({connection.login.store.path})")
    if connection.is_emulated:
        return Check("Token", "not needed here; a real server takes it from COZE_API_TOKEN")
    token = os.environ["COZE_API_TOKEN"].strip()
    kind = next((f"{kind}…, " for kind in _TOKEN_KINDS if token.startswith(kind)), "")
    return Check("Token", f"from COZE_API_TOKEN ({kind}{len(token)} characters)")


async def examine(coze: AsyncCoze, bot_id: str | None) -> list[Check]:
    """Make a few calls that change nothing, and say what they show."""
    coze = coze.with_options(timeouts=Timeouts(connect=5.0, idle=15.0), retry=Retry.none())
    core = coze._core  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - no resource of the library reads users yet
    error, seconds = await _timed(lambda: core.send(_WHO_AM_I))
    server, accepted = _judged(error)
    checks = [server]
    if server.is_good:
        laps = [(await _timed(lambda: core.send(_WHO_AM_I)))[1] for _ in range(_CALLS - 1)]
        told = ", ".join(map(_milliseconds, laps))
        checks.append(Check("Round trip", f"{_milliseconds(seconds)} ms with the connection, then {told} ms"))
        # A token that was refused would be refused for the bot too.
        bot = await _bot(coze, bot_id) if bot_id and accepted.is_good is not False else None
        if bot and bot.is_good and accepted.is_good is None:
            # Reading the bot took the token.
            accepted = Check(accepted.name, "yes")
        checks += [accepted, bot] if bot else [accepted]
    return checks


async def _timed(call: Callable[[], Awaitable[object]]) -> tuple[CozeError | None, float]:
    began = anyio.current_time()
    try:
        await call()
    except CozeError as error:
        return error, anyio.current_time() - began
    return None, anyio.current_time() - began


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= 0.01 else f"{seconds * 1000:.1f}"


def _judged(error: CozeError | None) -> tuple[Check, Check]:
    """Return what one answer says about the server, and about the token."""
    server, token = Check("Server", "answers"), Check("Accepted", "yes")
    match error:
        case None:
            return server, token
        case PermissionDeniedError():
            return server, replace(token, finding="yes, though it may not read whose it is")
        case APIError(code=code) if code == _NO_SUCH_ROUTE_FOR_TOKENS:
            return server, _unseen(token)
        case NotFoundError():
            return server, _unseen(token)
        case AuthenticationError():
            return server, replace(token, finding="the server refuses the token", is_good=False, error=error)
        case TransportError():
            return replace(server, finding="cannot be reached", is_good=False, error=error), token
        case ServerError() | DecodeError():
            return replace(server, finding="answers, but not as it should", is_good=False, error=error), token
        case _:
            return server, replace(token, finding="not known: the answer was an error", is_good=None, error=error)


def _unseen(token: Check) -> Check:
    finding = "not known: this server has no route that shows it; --bot ID tells (Coze Studio, Coze Plus)"
    return replace(token, finding=finding, is_good=None)


async def _bot(coze: AsyncCoze, bot_id: str) -> Check:
    check = Check("Bot", bot_id)
    try:
        bot = await coze.bots.retrieve_online(bot_id=bot_id)
    except (PermissionDeniedError, TransportError) as error:
        return replace(check, finding=f"{bot_id} cannot be read with this token", is_good=None, error=error)
    except CozeError as error:
        return replace(check, finding=f"{bot_id} cannot be used", is_good=False, error=error)
    return replace(check, finding=f"{bot.name or bot_id} is published")
