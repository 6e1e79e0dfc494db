"""Who the commands talk to: the server that the environment names, or the built-in emulator."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from coze_async import AsyncCoze, Limiter, Limits, Polling
from coze_async.cli._login import Login, saved_login
from coze_async.cli._output import Output
from coze_async.cli._record import recorded
from coze_async.cli._runner import Runner, started
from coze_async.emulator import ChatInput, Emulator, Script, default_bot

__all__ = ["Connection", "UsageError", "bot_or_usage_error", "connected"]

EMULATED_BOT = "emulator"
# Seconds between two pieces of an answer, so that somebody can watch it being written.
_PACE = 0.03


class UsageError(Exception):
    """The command was given what it cannot work with."""


@dataclass(frozen=True)
class Connection:
    """A client, the loop that it lives in, and what comes with them.

    Attributes:
        coze: The client.
        runner: Runs work in the client's event loop.
        polling: How often to look at a chat.
        is_emulated: True if nothing leaves this process.
        login: Where the token comes from if it was got by `coze-async login`.
    """

    coze: AsyncCoze
    runner: Runner
    polling: Polling
    is_emulated: bool
    login: Login | None = None


@contextmanager
def connected(
    output: Output,
    limits: Limits | None = None,
    limits_of_emulator: Limits | None = None,
    *,
    limiter: Limiter | None = None,
) -> Generator[Connection]:
    """Open a client for one command and close it afterwards; without token or login it talks to the built-in emulator.

    Args:
        output: Where the words go.
        limits: What each user may do; None for the usual.
        limits_of_emulator: The same, if the emulator answers.
        limiter: Keeps the limits instead, and together with others.

    Raises:
        ConfigurationError: COZE_API_BASE, COZE_API_TOKEN or the login cannot be right.
    """
    has_token = bool(os.environ.get("COZE_API_TOKEN", "").strip())
    login = None if has_token else saved_login()
    is_emulated = not has_token and login is None
    if is_emulated:
        coze, polling = _emulated(output, limits_of_emulator or Limits(), limiter)
    else:
        limits, transport = limits or Limits(), recorded()
        make = login.client if login else AsyncCoze
        coze = make(transport=transport, limits=limits, limiter=limiter)
        polling = Polling()
    with started() as runner:
        try:
            yield Connection(coze, runner, polling, is_emulated, login)
        finally:
            runner.run(coze.aclose)


def _emulated(output: Output, limits: Limits, limiter: Limiter | None) -> tuple[AsyncCoze, Polling]:
    unused = "; COZE_API_BASE is not used" if os.environ.get("COZE_API_BASE", "").strip() else ""
    output.note(f"COZE_API_TOKEN is not set: talking to the built-in emulator, whose answers are made up{unused}.")
    watched = output.is_terminal
    emulator = Emulator(pace=_PACE if watched else 0.0)
    if watched:
        polling = Polling()
    else:
        emulator.bot(EMULATED_BOT, _at_once)
        polling = Polling(interval=0.01)
    transport = recorded(emulator.transport())
    coze = AsyncCoze("emulated", base_url=emulator.url, transport=transport, limits=limits, limiter=limiter)
    return coze, polling


def _at_once(given: ChatInput) -> Script:
    return replace(default_bot(given), seconds=0.0)


def bot_or_usage_error(connection: Connection, bot_id: str | None) -> str:
    """Return the bot to talk to; the emulator needs none.

    Raises:
        UsageError: a real server needs one, and none was named.
    """
    if bot_id and bot_id.strip():
        return bot_id.strip()
    if connection.is_emulated:
        return EMULATED_BOT
    raise UsageError(
        "Which bot? Give --bot ID, or set COZE_BOT_ID. The id stands at the end of the bot's address in the console."
    )
