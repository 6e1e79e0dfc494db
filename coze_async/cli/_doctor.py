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
    BadRequestError,
    CozeError,
    DecodeError,
    NotFoundError,
    PermissionDeniedError,
    Retry,
    ServerError,
    Timeouts,
    TransportError,
)
from coze_async._errors import is_route_missing
from coze_async._exchange import Request
from coze_async.cli._connect import Connection
from coze_async.cli._output import Harmless, Output
from coze_async.cli._visible import breakable, visible

__all__ = ["Check", "examine", "report"]

_CALLS = 4
# Whose token it is: reads one line, costs nothing, and both clouds have it.
_WHO_AM_I = Request("GET", "/v1/users/me", safe=True)
# What Coze Studio and Coze Plus have instead, whoever's bot it is.
_CONVERSATIONS = Request(
    "GET", "/v1/conversations", (("bot_id", "1"), ("page_num", "1"), ("page_size", "1")), safe=True
)
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
        question: What stays unknown if it could not be seen.
    """

    name: str
    finding: str
    is_good: bool | None = True
    error: CozeError | None = field(default=None, compare=False)
    question: str = ""


def report(connection: Connection, output: Output, bot_id: str | None, *, debug: bool) -> int:
    """Look, show what was found as a table, and return the exit code: 0 if all of it is well."""
    settings = [_base_url(connection), _token(connection)]
    checks = settings + connection.runner.run(lambda: examine(connection.coze, bot_id))
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for check in checks:
        mark, style = _MARKS[check.is_good]
        name, finding = (visible(text, one_line=True) for text in (check.name, check.finding))
        table.add_row(Text(mark, style=style), Text(name, style="bold"), Text(breakable(finding)))
    output.table.print(Harmless(table))
    for check in checks:
        if check.error is not None:
            if check.is_good is None:
                output.note(str(check.error))
            else:
                output.fail(check.error, debug=debug)
    unknown = [check.question for check in checks if check.is_good is None and check.question]
    if unknown:
        output.tell(f"Could not find out {' and '.join(unknown)}.")
    if any(not check.is_good for check in checks):
        return 1
    output.note("Nothing stands in the way. Next: coze-async chat '你好'")
    return 0


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
    asked = _WHO_AM_I
    error, seconds = await _timed(lambda: core.send(asked))
    if _has_no_route(error):
        asked = _CONVERSATIONS
        error, seconds = await _timed(lambda: core.send(asked))
    server, accepted = _judged(error, asked)
    checks = [server]
    if server.is_good:
        laps = [(await _timed(lambda: core.send(asked)))[1] for _ in range(_CALLS - 1)]
        told = ", ".join(map(_milliseconds, laps))
        checks.append(Check("Round trip", f"{_milliseconds(seconds)} ms with the connection, then {told} ms"))
    if server.error is not None and not _has_no_route(server.error):
        return checks
    # A token that was refused would be refused for the bot too.
    bot = await _bot(coze, bot_id) if bot_id and accepted.is_good is not False else None
    if bot and bot.is_good and accepted.is_good is None:
        # Reading the bot took the token, and a route.
        checks[0], accepted = Check(server.name, "answers"), Check(accepted.name, "yes")
    return [*checks, accepted, bot] if bot else [*checks, accepted]


async def _timed(call: Callable[[], Awaitable[object]]) -> tuple[CozeError | None, float]:
    began = anyio.current_time()
    try:
        await call()
    except CozeError as error:
        return error, anyio.current_time() - began
    return None, anyio.current_time() - began


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.0f}" if seconds >= 0.01 else f"{seconds * 1000:.1f}"


def _has_no_route(error: CozeError | None) -> bool:
    return isinstance(error, APIError) and is_route_missing(error)


def _judged(error: CozeError | None, asked: Request) -> tuple[Check, Check]:
    """Return what one answer says about the server, and about the token."""
    server, token = Check("Server", "answers"), Check("Accepted", "yes", question="whether the token is accepted")
    unseen = replace(token, finding="not known", is_good=None)
    match error:
        case None:
            return server, token
        case _ if _has_no_route(error):
            finding = "answers, but has none of the routes of Coze that were tried"
            return replace(server, finding=finding, is_good=False, error=error), unseen
        case PermissionDeniedError():
            return server, replace(token, finding="yes, though it may not read whose it is")
        case AuthenticationError():
            return server, replace(token, finding="the server refuses the token", is_good=False, error=error)
        case TransportError():
            return replace(server, finding="cannot be reached", is_good=False, error=error), token
        case ServerError() | DecodeError():
            return replace(server, finding="answers, but not as it should", is_good=False, error=error), token
        case BadRequestError() | NotFoundError() if asked is _CONVERSATIONS:
            # Such a bot is not looked for before the token is.
            return server, token
        case _:
            return server, replace(unseen, finding="not known: the answer was an error", error=error)


async def _bot(coze: AsyncCoze, bot_id: str) -> Check:
    check = Check("Bot", bot_id, question=f"whether bot {bot_id} is published")
    try:
        bot = await coze.bots.retrieve_online(bot_id=bot_id)
    except (PermissionDeniedError, TransportError) as error:
        return replace(check, finding=f"{bot_id} cannot be read with this token", is_good=None, error=error)
    except CozeError as error:
        return replace(check, finding=f"{bot_id} cannot be used", is_good=False, error=error)
    return replace(check, finding=f"{bot.name or bot_id} is published")
