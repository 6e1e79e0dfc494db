"""`Emulator`: one local server, with its scripts, its faults and what it saw."""

import math
from collections.abc import Collection, Iterable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, cast, overload

import anyio

from coze_async._errors import ConfigurationError

from . import _routes
from ._body import EmulatedResponse
from ._checks import read_json
from ._disk import Disk
from ._fault_kinds import kind_of_fault
from ._faults import Fault, Faults
from ._form import ReceivedForm
from ._given import WrongTypeError, identifier, number, text, truth, whole
from ._journal import Journal
from ._limits import EmulatorLimits, Quota
from ._memory import Memory
from ._oauth import OAuthServer
from ._scripts import Answer, BotScript, FlowScript, Script, WorkflowScript, as_script
from ._state import ChatState, RunState, State
from ._studio._turns import StudioTurn
from ._studio._wire import WIRES
from ._turns import Turn, make_up
from ._wire import Dialect
from ._world import RecordedRequest, World

if TYPE_CHECKING:
    import httpx
    from starlette.applications import Starlette


class Started(Protocol):
    """Is told the URL when the port is open; what `task_group.start` hands in."""

    @overload
    def started(self) -> None: ...
    @overload
    def started(self, value: str) -> None: ...
    def started(self, value: str = "") -> None:
        """Take the URL."""


class Emulator:
    """A local Coze that speaks the true wire, without a network or a token.

    Args:
        dialect: Which server it is: "cloud" (coze.cn, coze.com), "studio" (Coze Studio), "plus" (Coze Plus) or
            "plus-page" (Coze Plus as its documentation page shows it).
        pace: Seconds between two pieces of a streamed text. With 0 they come as fast as they are read.
        tokens: The bearer tokens that are accepted, or for each of them the permissions it has, under the names of the
            console, such as `{"pat_x": {"chat", "getChat"}}`: what it lacks is refused with 4101. None accepts every
            token that does not start with "bad".
        limits: How many calls are taken; None takes them all, but for the rates of Coze Plus.
        quota: What the account has left: so many chats, or a `Quota`. None is no end.
        state: A file in which all that is made is kept, and found again when the next emulator is started with it; it
            is made if it is not there. None keeps it in memory. What was still going on at the end has failed then;
            scripts and faults are not kept. The file forgets what `chats` and `runs` forget. End it with `close`, or
            with `with Emulator(state=…) as emulator`.
        keep: How many of the last `requests` are kept at least; None keeps all.
        seed: Makes faults with a probability meet the same requests each time. None is another choice each time.
        strict: Only what was made or granted exists. Tokens that are neither in `tokens` nor from a registered OAuth
            app are refused with 4100; bots, workflows, workspaces and voices that nobody made with 4200.
        occupied: How a streamed chat is refused while another one runs in its conversation (4016): with JSON, or with
            an error event as the first of its stream. Clients meet both on the cloud.

    Raises:
        ConfigurationError: there is no such dialect, a number is out of bounds, tokens is a text or holds one where
            names are due, or the file of the state cannot be used; the text says why.
    """

    url = "http://coze.emulator"
    """A base URL for the in-process transport, which serves any host."""

    def __init__(
        self,
        dialect: Dialect = "cloud",
        *,
        pace: float = 0.0,
        tokens: Iterable[str] | Mapping[str, Collection[str]] | None = None,
        limits: EmulatorLimits | None = None,
        quota: int | Quota | None = None,
        state: str | PathLike[str] | None = None,
        keep: int | None = None,
        seed: int | None = None,
        strict: bool = False,
        occupied: Literal["json", "event"] = "json",
    ) -> None:
        if occupied not in ("json", "event"):
            raise ConfigurationError(f"occupied is {occupied!r}: choose 'json' or 'event'.")
        if dialect not in WIRES:
            raise ConfigurationError(f"There is no dialect {dialect!r}: choose one of {', '.join(map(repr, WIRES))}.")
        if not 0 <= number(pace, "pace") < math.inf:
            raise ConfigurationError(f"pace is {pace}: give seconds, 0 or more.")
        if keep is not None and whole(keep, "keep") < 0:
            raise ConfigurationError(f"keep is {keep}: give how many requests to keep, 0 or more, or None for all.")
        self.requests: list[RecordedRequest] = []
        """Every request in the order of arrival, refused ones too."""
        kept = State()
        memory = None if state is None else Memory(Disk(state), kept)
        self._world = World(
            WIRES[dialect](),
            pace,
            kept,
            memory=memory,
            tokens=_permissions(tokens),
            limits=limits or EmulatorLimits(),
            strict=truth(strict, "strict"),
            occupied=occupied,
            quota=Quota(chats=quota) if isinstance(quota, int) else quota or Quota(),
        )
        make_up(self._world, Turn if dialect == "cloud" else StudioTurn)
        self._keep = keep
        self._faults = Faults(seed)
        self._journal: Journal | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Write the rest of the state to its file and close it; without a file there is nothing to do."""
        if self._world.memory is not None:
            self._world.state.settled()
            self._world.memory.close()

    @property
    def dialect(self) -> Dialect:
        """The family of servers that is emulated."""
        return self._world.wire.dialect

    @property
    def chats(self) -> Mapping[str, ChatState]:
        """The chats by id, each as it stands at this moment; of those that are over the newest 10,000 at least.

        Older ones are forgotten with what was said in them, and with their conversation if nothing else is in it.
        """
        return self._world.state.settled()

    @property
    def runs(self) -> Mapping[str, RunState]:
        """The workflow runs by execute id; of those that are over the newest 10,000 at least."""
        return self._world.state.runs

    @property
    def oauth(self) -> OAuthServer:
        """The OAuth side of the cloud: apps, tokens, and what the person says."""
        return self._world.oauth

    @property
    def open_streams(self) -> int:
        """How many streamed bodies were handed out and are neither finished nor closed."""
        return len(self._world.opened)

    @property
    def journal(self) -> Journal:
        """What the emulator saw lately, for those who look on; kept from the first look, or from `app` on."""
        if self._journal is None:
            self._journal = Journal()
        return self._journal

    @property
    def limits(self) -> EmulatorLimits:
        """How many calls are taken."""
        return self._world.limits

    @property
    def faults(self) -> Faults:
        """The faults that are planned and switched on."""
        return self._faults

    def bot(self, bot_id: str | int, script: BotScript | Mapping[str, Any] | list[str | Answer] | None) -> None:
        """Let a bot do what `script` says, in every turn; bots without a script answer by themselves.

        Args:
            bot_id: Any text; there is no need to create a bot.
            script: A script, or what a file of scripts has for one: a text to answer, several, or a mapping of the
                fields of `Script`; or a function (async or not) that makes one from a `ChatInput`. None: the bot is
                not published, code 4015.

        Raises:
            ConfigurationError: nobody can play this.
        """
        if not (script is None or isinstance(script, str | Script | list | Mapping) or callable(script)):
            raise WrongTypeError(f"A bot's script is a Script, a text or a function, not {script!r}.")
        name = identifier(bot_id, "bot_id")
        is_listed = isinstance(script, list | Mapping)
        self._world.bots[name] = as_script(script, f"The script of bot {name!r}") if is_listed else cast("Any", script)

    def workflow(self, workflow_id: str | int, script: FlowScript | None) -> None:
        """Let a workflow do what `script` says, in every run; workflows without a script answer by themselves.

        Args:
            workflow_id: Any text. Without a script an id that ends in "ask" asks a question first.
            script: A script, or a function (async or not) that makes one from a `WorkflowInput`. None: there is no
                such workflow, code 4200.

        Raises:
            ConfigurationError: nobody can play this.
        """
        if not (script is None or isinstance(script, WorkflowScript) or callable(script)):
            raise WrongTypeError(
                f"A workflow's script is a WorkflowScript or a function, not {script!r}: write WorkflowScript(output)."
            )
        self._world.flows[identifier(workflow_id, "workflow_id")] = script

    def account(self, secret: str, user_id: str = "7400000000000000003") -> None:
        """Let a token, or the key of a session, belong to another person, on Coze Studio and Coze Plus.

        What others made is then not theirs: conversations are not found, and workflows may not be run.

        Args:
            secret: The token without "Bearer", or the value of the cookie `session_key`.
            user_id: Whose it is.
        """
        self._world.accounts[secret] = user_id

    @classmethod
    def load(cls, path: str | PathLike[str], dialect: Dialect = "cloud", **options: Any) -> "Emulator":
        """An emulator whose bots and workflows do what a YAML or TOML file says; docs/scripts.md shows all of it.

        Args:
            path: The file. YAML needs the extra `emulator`.
            dialect: As for `Emulator`.
            options: As for `Emulator`.

        Raises:
            ScriptError: no script can do what it says; the message names the place.
        """
        emulator = cls(dialect, **options)
        emulator.play(path)
        return emulator

    def play(self, path: str | PathLike[str]) -> None:
        """Let the bots and workflows of a YAML or TOML file do what it says, as `load`."""
        from ._script_file import read_scripts

        scripts = read_scripts(Path(path))
        for bot_id, bot in scripts.bots.items():
            self.bot(bot_id, bot)
        for workflow_id, flow in scripts.workflows.items():
            self.workflow(workflow_id, flow)

    def fail(self, fault: Fault, on: str | None = None, times: int | None = 1, *, probability: float = 1.0) -> None:
        """Let the next requests meet a fault; faults are met in the order in which they were planned.

        Args:
            fault: What goes wrong.
            on: "METHOD /path" or "/path", where `*` stands for anything; None is any request.
            times: How many requests meet it; None means all from now on.
            probability: Which share of these requests meets it, 0 to 1. The others go on to the next planned fault.

        Raises:
            ConfigurationError: it is no fault, a number is out of bounds, or no request is ever met.
        """
        if not isinstance(fault, Fault):
            raise WrongTypeError(f"A fault is one of coze_async.emulator's, such as Cut(after=3), not {fault!r}.")
        _check_pattern(on)
        self._faults.plan(fault, on, math.inf if times is None else times, probability)

    def switch(self, kind: str, probability: float = 1.0, on: str | None = None) -> None:
        """Let a share of all requests meet a kind of fault, until it is switched off.

        Args:
            kind: One of `FAULT_KINDS`, such as "cut" or "429".
            probability: Which share of the requests meets it, 0 to 1; 0 switches it off.
            on: As in `fail`. A kind can be on for several, with a share for each.

        Raises:
            ConfigurationError: there is no such kind, the share is out of bounds, or no request is ever met.
        """
        _check_pattern(on)
        self._faults.switch(kind, kind_of_fault(kind).fault, on, probability)

    def heal(self) -> None:
        """Forget all planned faults, and switch off the others."""
        self._faults.clear()

    async def handle(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | ReceivedForm,
    ) -> EmulatedResponse:
        """Answer one request; the transport and the ASGI application both come here.

        Raises:
            ConnectionDropped, Unreachable: a fault wants the connection to fail; the caller makes it so.
        """
        self._world.state.arrive()
        request = RecordedRequest(
            method.upper(),
            path,
            dict(query),
            {name.lower(): value for name, value in headers.items()},
            body if isinstance(body, ReceivedForm) else _parsed(body),
            self._world.state.now(),
        )
        self.requests.append(request)
        if self._keep is not None and len(self.requests) > 2 * self._keep:
            # Not at every request: what is at the front of a list costs all that is behind it.
            del self.requests[: -self._keep or None]

        fault = self._faults.take(request.method, path)

        async def answer() -> EmulatedResponse:
            return await _routes.answer(self._world, request, None if fault is None else fault.at_once())

        if self._journal is not None:
            return await self._journal.follow(request, fault, answer, self._world)
        return await answer() if fault is None else await fault.meet(answer, self._world)

    def transport(self) -> "httpx.AsyncBaseTransport":
        """An httpx transport that serves this emulator in the process, chunk by chunk."""
        from ._transport import EmulatorTransport

        return EmulatorTransport(self)

    def app(self) -> "Starlette":
        """An ASGI application that serves this emulator, for uvicorn and the like (extra `emulator`).

        At `/_/` it shows what is going on.
        """
        from ._server import make_app

        return make_app(self)

    async def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 0,
        *,
        hosts: Collection[str] = (),
        task_status: Started = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Serve this emulator on a port until cancelled (extra `emulator`).

        Start it with `url = await task_group.start(emulator.serve)`. The server lives in a thread with an event loop
        of its own, so it works under asyncio and trio; async scripts run there.

        Args:
            host: Address to listen at.
            port: 0 takes a free port.
            hosts: Names under which it may be asked, such as that of a container. It answers to `localhost`, loopback
                addresses and its own address anyway, and refuses all others: a foreign page can make a name of its
                own point here (DNS rebinding).
            task_status: Is told the base URL as soon as requests can be sent.
        """
        from ._server import serve

        await serve(self.app(), host, port, task_status, hosts)


def _check_pattern(on: str | None) -> None:
    """Refuse a pattern of requests that no request can match."""
    if on is None or _routes.is_known(text(on, "on")):
        return
    near = _routes.nearest(on)
    guess = f" Did you mean {near!r}?" if near else ""
    raise ConfigurationError(
        f"No request of the emulator matches {on!r}.{guess} Give 'METHOD /path' or '/path'; * stands for anything."
    )


def _permissions(
    tokens: Iterable[str] | Mapping[str, Collection[str]] | None,
) -> Mapping[str, frozenset[str] | None] | None:
    """The permissions of each token; None for all of them, and None alone if every token is accepted."""
    if isinstance(tokens, str):
        raise WrongTypeError('tokens is a text: give a list of tokens, or {"pat_…": {"chat", "getChat"}}.')
    if isinstance(tokens, Mapping):
        named = cast("Mapping[str, Collection[str]]", tokens)
        if any(isinstance(names, str) for names in named.values()):
            raise WrongTypeError("The permissions of a token are a set of names, not a text.")
        return {token: frozenset(names) for token, names in named.items()}
    return None if tokens is None else dict.fromkeys(tokens)


def _parsed(body: bytes) -> Any:
    """The JSON of a body; None if there is no body, and one that is no JSON as the text that it is."""
    try:
        # json would read bytes as UTF-16 too, and let halves of characters pass.
        return read_json(body.decode()) if body else None
    except ValueError:
        return body.decode("utf-8", "replace")
