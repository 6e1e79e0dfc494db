"""The commands: what they are called, what they take, and what becomes of their errors."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from coze_async import CozeError, __version__
from coze_async._redis import PREFIX, checked_prefix
from coze_async.cli import _batch, _doctor, _login, _record, _replay, _serve, _worker
from coze_async.cli._ask import has_person, piped
from coze_async.cli._batch_input import Format
from coze_async.cli._chat import Conversation
from coze_async.cli._connect import UsageError, bot_or_usage_error, connected
from coze_async.cli._output import Output, whole_characters
from coze_async.cli._queue import QUEUE
from coze_async.cli._workflow import Workflow, parsed_parameters
from coze_async.emulator import Dialect

__all__ = ["app", "run"]

app = App(
    name="coze-async",
    help="""Talk to Coze (扣子) from a terminal.

COZE_API_TOKEN is the token; without one the login holds, else the built-in emulator answers.
COZE_API_BASE is the server; https://api.coze.cn if it is not set.

Exit codes: 0 done, 1 failed or not complete, 2 wrong usage, 130 Ctrl-C.""",
    version=__version__,
    help_format="plaintext",
)
workflow_app = App(name="workflow", help="Run workflows.", help_format="plaintext")
app.command(workflow_app)

# What talks to a server, and ends by itself.
_RECORDABLE = ("chat", "workflow", "doctor")

Flag = Annotated[bool, Parameter(negative=(), show_default=False)]
Several = Parameter(negative=(), show_default=False)
Json = Annotated[bool, Parameter(name="--json", negative=(), show_default=False)]
Bot = Annotated[str | None, Parameter(env_var="COZE_BOT_ID")]
User = Annotated[str, Parameter(env_var="COZE_USER_ID")]
Port = Annotated[int, Parameter(validator=Number(gte=0, lte=65535))]
Speed = Annotated[float | None, Parameter(validator=Number(gte=0))]
Pace = Annotated[float, Parameter(validator=Number(gte=0))]
Count = Annotated[int, Parameter(validator=Number(gte=1))]
Seconds = Annotated[float, Parameter(validator=Number(gte=0))]
Broker = Annotated[str | None, Parameter(env_var="COZE_BROKER")]
Queue = Annotated[str, Parameter(env_var="COZE_QUEUE")]


def _is_prefix(_: type, prefix: str) -> None:
    checked_prefix(prefix)


Prefix = Annotated[str, Parameter(env_var="COZE_PREFIX", validator=_is_prefix)]


def _no_option(_: type, source: str) -> None:
    if source.startswith("-") and source != "-":
        raise ValueError(f"Unknown option: {source.partition('=')[0]}.")


# "-" is stdin.
Source = Annotated[str, Parameter(allow_leading_hyphen=True, validator=_no_option)]
# Not from the command line: `run` gives it.
Out = Annotated[Output, Parameter(parse=False)]


@app.command
def chat(
    *message: str,
    bot: Bot = None,
    user: User = "cli",
    conversation: str | None = None,
    poll: Flag = False,
    as_json: Json = False,
    debug: Flag = False,
    output: Out,
) -> int:
    """Ask a bot and watch its answer being written.

    The answer goes to stdout, all that is said about it to stderr.
    Without a message the question is read from stdin; at a terminal a conversation begins.

    Args:
        message: The question; put -- before one that begins with a hyphen.
        bot: The bot, published to the API channel.
        user: Who asks: any name; it separates memory and limits.
        conversation: Go on with this conversation.
        poll: Wait for the whole answer instead of streaming it.
        as_json: Write JSON, one object per line.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    question = whole_characters(" ".join(message))
    is_session = not message and has_person()
    if not message and not is_session:
        question = piped()
    if not is_session and not question.strip():
        raise UsageError("There is no question: coze-async chat '你好', or pipe one in.")
    with connected(output) as connection:
        talk = Conversation(
            connection,
            output,
            bot_id=bot_or_usage_error(connection, bot),
            user_id=user.strip() or "cli",
            conversation_id=conversation or None,
            poll=poll,
            as_json=as_json,
        )
        return talk.session(debug=debug) if is_session else talk.once(question)


@workflow_app.command(name="run")
def run_workflow(
    workflow_id: str,
    /,
    *parameters: str,
    stream: Flag = False,
    as_json: Json = False,
    debug: Flag = False,
    output: Out,
) -> int:
    """Run a workflow and write its result.

    If it asks something in between, it is answered at the terminal.

    Args:
        workflow_id: A published workflow.
        parameters: Its inputs as key=value; a value is JSON if it reads so, else text.
        stream: Write what the nodes say, as they say it.
        as_json: Write JSON, one object per line.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    values = parsed_parameters(parameters)
    with connected(output) as connection:
        workflow = Workflow(connection, output, workflow_id, as_json=as_json)
        return workflow.stream(values) if stream else workflow.run(values)


@workflow_app.command(name="resume")
def resume_workflow(
    workflow_id: str,
    event_id: str,
    answer: str,
    /,
    *,
    interrupt_type: Annotated[int, Parameter(name="--type")] = 2,
    as_json: Json = False,
    debug: Flag = False,
    output: Out,
) -> int:
    """Go on with a run that waits for an answer.

    Args:
        workflow_id: The workflow.
        event_id: Where it waits, as the run said.
        answer: What it waits for.
        interrupt_type: What it waits for: 2 an answer, 5 inputs.
        as_json: Write JSON, one object per line.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    with connected(output) as connection:
        workflow = Workflow(connection, output, workflow_id, as_json=as_json)
        return workflow.resume(event_id, whole_characters(answer), interrupt_type)


@app.command
def batch(
    questions: Source,
    /,
    *,
    out: Path,
    bot: Bot = None,
    user: User = "cli",
    limit: Count | None = None,
    rate: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    poll: Flag = False,
    ordered: Flag = False,
    resume: Annotated[bool, Parameter(negative="--no-resume", show_default=False)] = True,
    retry_started: Flag = False,
    report: Path | None = None,
    file_format: Annotated[Format | None, Parameter(name="--format")] = None,
    field: str | None = None,
    encoding: str = "utf-8",
    broker: Broker = None,
    queue: Queue = QUEUE,
    prefix: Prefix = PREFIX,
    debug: Flag = False,
    output: Out,
) -> int:
    """Ask a bot every question of a file, and write the answers into another.

    The file holds a question on each line, JSON such as {"id": "q-1", "message": "你好"}, or CSV.
    A question may have a bot_id, user_id, conversation_id and custom_variables of its own.
    Stop it whenever you like: the same command again asks what has no answer yet.

    Args:
        questions: The file of questions; - reads stdin.
        out: The file of answers: a JSON object on each line, or a table if its name ends in .csv or .tsv.
        bot: The bot of every question that names none.
        user: Who asks, for every question that does not say.
        limit: Chats at once, 16 if not given; with --broker questions in the queue, 1000 if not given.
        rate: Chats a minute for each user, 0 for no limit; as many as the service is known to allow, if not given.
        poll: Wait for each whole answer instead of streaming it.
        ordered: Write the answers in the order of the questions.
        resume: Go on with a file of answers that exists, as is usual, or set it aside and begin anew.
        retry_started: Ask again what failed after it may have been started, and cost.
        report: Write a page with the plots.
        file_format: What is in the file of questions, if its name does not tell.
        field: The field or column that holds the question; message or question, if not given.
        encoding: What the file of questions is written in.
        broker: Have workers ask, by way of this Redis, such as redis://queue:6379; see coze-async worker.
        queue: Which queue there.
        prefix: Separates accounts there, or staging from production; give batch and workers the same.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    settings = _batch.Settings(
        source=questions,
        out=out,
        format=file_format,
        encoding=encoding,
        field=field,
        bot=(bot or "").strip() or None,
        user=user.strip() or "cli",
        limit=limit,
        rate=rate,
        poll=poll,
        ordered=ordered,
        resume=resume,
        retry_started=retry_started,
        report=report,
        broker=broker,
        queue=queue,
        prefix=prefix,
    )
    return _batch.answer_file(output, settings)


@app.command
def worker(
    *,
    broker: Annotated[str, Parameter(env_var="COZE_BROKER")],
    queue: Queue = QUEUE,
    prefix: Prefix = PREFIX,
    at_once: Count = 16,
    rate: Annotated[int | None, Parameter(validator=Number(gte=0))] = None,
    account_rate: Count | None = None,
    account_at_once: Count | None = None,
    idle_timeout: Annotated[float, Parameter(validator=Number(gt=0))] = 30.0,
    grace: Seconds = 20.0,
    debug: Flag = False,
    output: Out,
) -> int:
    """Answer what coze-async batch --broker puts into a queue, on this machine.

    Start as many as you like, wherever Redis can be reached, before the batch or while it runs.
    One that is lost, or stopped, loses nothing: the others take over what it had.
    Each asks with the token or login of its own machine. Limits are those of all workers together: give all the same.
    Stopped with Ctrl-C or a signal, it is gone 10 seconds after its grace at most, whatever Redis does.
    Exit code 1: it had to leave with answers that Redis did not take; it says which chats those are.
    Needs an extra: pip install 'coze_async[taskiq]'

    Args:
        broker: The Redis that all can reach, such as redis://queue:6379.
        queue: Which queue there.
        prefix: Separates accounts there, or staging from production; give batch and workers the same.
        at_once: Chats at once, of this worker.
        rate: Chats a minute for each user, 0 for no limit; as many as the service is known to allow, if not given.
        account_rate: Requests a second for the whole account.
        account_at_once: Chats at once for the whole account.
        idle_timeout: Seconds after which the others take over from a worker that is not heard of.
        grace: Seconds that chats may take to their end when the worker is stopped, before others ask again.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    settings = _worker.Settings(
        broker=broker,
        queue=queue,
        prefix=prefix,
        at_once=at_once,
        rate=rate,
        account_rate=account_rate,
        account_at_once=account_at_once,
        idle_timeout=idle_timeout,
        grace=grace,
    )
    return _worker.work(output, settings)


@app.command
def emulator(
    *,
    port: Port = 8000,
    host: str = "127.0.0.1",
    dialect: Dialect = "cloud",
    pace: Pace = 0.03,
    script: Path | None = None,
    fault: Annotated[tuple[str, ...], Several] = (),
    seed: int | None = None,
    quiet: Flag = False,
    state: Path | None = None,
    strict: Flag = False,
    allow_host: Annotated[tuple[str, ...], Several] = (),
    debug: Flag = False,
    output: Out,
) -> int:
    """Serve a local Coze on a port, with a page at /_/ that shows what is going on.

    For tests and for work without a token, in any language.
    Needs an extra: pip install 'coze_async[emulator]'

    Args:
        port: Where to listen; 0 takes a free one.
        host: The address to listen at.
        dialect: Which server it is like.
        pace: Seconds between two pieces of an answer.
        script: Bots and workflows in a YAML or TOML file.
        fault: What goes wrong, and how often: cut:0.05, 429:5%@/v3/chat; can be given again.
        seed: With the same one the same requests meet the faults.
        quiet: Write no line for each request.
        state: A file to keep in what is made, and to find it in again; without one it is forgotten at the end.
        strict: Refuse tokens, bots, workflows and workspaces that nobody made.
        allow_host: Another name under which it may be asked, such as that of a container; can be given again.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    return _serve.serve(
        output,
        host=host,
        port=port,
        dialect=dialect,
        pace=pace,
        script=script,
        faults=fault,
        seed=seed,
        state=state,
        strict=strict,
        allow_host=allow_host,
        quiet=quiet,
    )


@app.command
def login(
    *,
    client_id: str | None = None,
    pkce: Flag = False,
    workspace: str | None = None,
    redirect_uri: str | None = None,
    config: Path | None = None,
    debug: Flag = False,
    output: Out,
) -> int:
    """Log in with a browser; the other commands then use the token.

    You confirm a code on a page of Coze, on this or any other device.
    The app is remembered: the next time `coze-async login` is enough.

    Args:
        client_id: The OAuth app; else COZE_DEVICE_OAUTH_CLIENT_ID.
        pkce: The browser comes back to this machine instead.
        workspace: Ask for one workspace only.
        redirect_uri: Where the browser comes back to, as registered.
        config: A coze-oauth config file that names the app.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    return _login.log_in(
        output, pkce=pkce, client_id=client_id, workspace_id=workspace, redirect_uri=redirect_uri, config=config
    )


@app.command
def logout(*, debug: Flag = False, output: Out) -> int:
    """Forget the login on this machine.

    The OAuth app stays known: `coze-async login` is enough to log in again.

    Args:
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    return _login.log_out(output)


@app.command
def doctor(*, bot: Bot = None, debug: Flag = False, output: Out) -> int:
    """Look for what is wrong with the settings.

    Which server is used? Does it accept the token? How long does an answer take?
    Is the bot published? Exit code 0 if all is well, 1 if something is not or cannot be found out.

    Args:
        bot: A bot to look for.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    with connected(output) as connection:
        return _doctor.report(connection, output, bot or None, debug=debug)


@app.command
def record(
    *command: str,
    out: Path | None = None,
    keep: Annotated[tuple[Literal["content", "users"], ...], Several] = (),
    debug: Flag = False,
    output: Out,
) -> int:
    """Run a command and record what goes over the wire.

    coze-async record -- chat '你好' --bot ID
    Credentials are never written; texts and users are masked, so that the file can be shown to others.

    Args:
        command: Another command of this program, after --.
        out: The file; added to if it exists. Else a new one in this folder.
        keep: Do not mask these: content, users. Can be given twice.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    if not command or command[0] not in _RECORDABLE:
        what = f"{command[0]!r} cannot be recorded" if command else "There is nothing to record"
        raise UsageError(f"{what}: give one of {', '.join(_RECORDABLE)}, as in: coze-async record -- chat '你好'")
    tape = _record.Tape(out or _record.new_name(), keep)
    return _record.run_recorded(output, command, tape, lambda arguments: _called(arguments, output))


@app.command
def replay(
    file: Path,
    /,
    *,
    speed: Speed = None,
    chunks: Flag = False,
    only: int | None = None,
    as_json: Json = False,
    debug: Flag = False,
    output: Out,
) -> int:
    """Show recorded exchanges, event by event as they came.

    Args:
        file: What `record` or a Recorder wrote.
        speed: 1 as fast as it was, 10 ten times as fast, 0 at once; at a terminal 1, else 0.
        chunks: Show the edges of the chunks too.
        only: Show this one of the exchanges, from 1.
        as_json: Write JSON, one object per line.
        debug: Show the traceback of an error.
        output: Where the words go.
    """
    del debug
    shown = speed if speed is not None else float(output.is_terminal)
    return _replay.show(output, file, speed=shown, chunks=chunks, only=only, as_json=as_json)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; whatever is no mistake in Python ends as one message."""
    output = Output()
    debug = "--debug" in arguments
    try:
        try:
            with output.logged():
                code = _called(arguments, output)
            output.end_line()
        except (CycloptsError, UsageError) as error:
            output.fail(error)
            return 2
        except CozeError as error:
            output.end_line()
            output.fail(error, debug=debug)
            return 1
    except KeyboardInterrupt:
        output.clear_line()
        output.note("Stopped.")
        return 130
    except BrokenPipeError:
        # Whoever read the output has seen enough.
        output.discard()
        return 141
    except OSError as error:
        output.discard()
        output.fail(error, debug=debug)
        return 1
    except Exception:
        # A mistake of ours, which Python shows; the words in it may be a server's.
        sys.excepthook = output.uncaught
        raise
    return code


def _called(arguments: Sequence[str], output: Output) -> int:
    command, bound, given = app.parse_args(list(arguments), exit_on_error=False, print_error=False)
    more = {"output": output} if "output" in given else {}
    code: int | None = command(*bound.args, **bound.kwargs, **more)
    return code or 0
