"""`coze-async batch`: questions from a file, answers into a file, however often it is stopped in between."""

import shutil
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from coze_async import ChatItem, Limits, Polling, Rate
from coze_async._redis import PREFIX
from coze_async.cli._answers import Answers, LocalAnswers
from coze_async.cli._batch_input import BadLine, Format, Questions, format_of
from coze_async.cli._collect import Collector
from coze_async.cli._connect import EMULATED_BOT, UsageError, connected
from coze_async.cli._journal import Journal, set_aside
from coze_async.cli._output import Output
from coze_async.cli._progress import Watch, shown
from coze_async.cli._queue import QUEUE, QueuedAnswers, Run, needs_extra
from coze_async.cli._report import Facts, write_page
from coze_async.cli._resume import Earlier, Survey
from coze_async.cli._runner import Runner, started
from coze_async.cli._summary import Summary, quantile
from coze_async.cli._table import is_table, write_table
from coze_async.cli._words import counted, often, spent

__all__ = ["Settings", "answer_file"]

# Chats at once, and questions in a queue, if nobody says.
_AT_ONCE, _IN_QUEUE = 16, 1000
# How long the end may take after Ctrl-C, in seconds: chats are cancelled, and what has come is written.
_ENDING = 10.0


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What the command line says.

    Attributes:
        source: The file of questions; `-` for stdin.
        out: The file of answers; a table if its name ends in .csv or .tsv, else JSON lines.
        format: What is in the file of questions; None goes by its name.
        encoding: What it is written in.
        field: Where the question stands in it.
        bot: The bot of every question that names none.
        user: Who asks, for every question that does not say.
        limit: Chats at once, questions in the queue; None for as many as usual.
        rate: Chats a minute for each user; 0 for no limit, None for the usual.
        poll: Look for the answers instead of streaming them.
        ordered: Write the answers in the order of the questions.
        resume: Go on with a file of answers that exists.
        retry_started: Ask those again, too, that may have been started.
        report: Where a page about it goes.
        broker: Where Redis is, if workers shall ask; None asks here.
        queue: The queue there.
    """

    source: str
    out: Path
    format: Format | None = None
    encoding: str = "utf-8"
    field: str | None = None
    bot: str | None = None
    user: str = "cli"
    limit: int | None = None
    rate: int | None = None
    poll: bool = False
    ordered: bool = False
    resume: bool = True
    retry_started: bool = False
    report: Path | None = None
    broker: str | None = None
    queue: str = QUEUE
    prefix: str = PREFIX

    @property
    def bad(self) -> Path:
        """Where the lines go that hold no question."""
        return self.out.parent / f"{self.out.name}.bad.jsonl"

    @property
    def journal(self) -> Path:
        """Where each answer goes as soon as it has come: a table is made of it at the end."""
        return self.out.with_name(f"{self.out.name}.jsonl") if is_table(self.out) else self.out

    @property
    def written(self) -> list[Path]:
        """All files that are written or removed."""
        return [self.out, self.journal, self.bad, *([self.report] if self.report else [])]

    def limits(self, usual: Rate | None) -> Limits:
        """Return the limits of each user, with a rate for those who have not chosen one."""
        chosen = usual if self.rate is None else Rate(self.rate, 60.0) if self.rate else None
        return Limits(chat=chosen, chats_at_once=self.at_once)

    @property
    def at_once(self) -> int:
        """How many questions may be on their way."""
        return self.limit or (_AT_ONCE if self.broker is None else _IN_QUEUE)


def answer_file(output: Output, settings: Settings) -> int:
    """Answer the questions of a file; returns the exit code."""
    report = settings.report
    others = {path.resolve() for path in (settings.out, settings.journal, settings.bad)}
    if report is not None and report.resolve() in others:
        raise UsageError(f"{report} is written with something else: give the report a name of its own.")
    if settings.broker is not None:
        needs_extra()
        if settings.rate is not None:
            raise UsageError("With --broker the workers keep the limits: give --rate to coze-async worker.")
    with _opened(settings) as questions:
        if not settings.resume:
            for path in dict.fromkeys((settings.journal, settings.out)):
                if old := set_aside(path):
                    output.note(f"The answers that were in {path} are in {old} now.")
        if settings.out.exists() and not settings.journal.exists():
            raise UsageError(
                f"{settings.out} exists, but not {settings.journal}, from which the batch would go on. "
                "Give another --out, or --no-resume to begin anew."
            )
        with Journal(settings.journal) as journal:
            summary = Summary()
            earlier = Earlier(journal.answers(), summary, retry_started=settings.retry_started)
            survey = _surveyed(settings, questions, earlier)
            with _asking(output, settings, earlier) as asking:
                return _Batch(output, settings, questions, asking, journal, summary, earlier, survey).answer()


@dataclass(frozen=True)
class _Asking:
    """Who asks the questions.

    Attributes:
        runner: Runs what waits for the answers.
        bot: The bot of every question that names none, None if there is none.
        answers: Has questions asked of a bot.
        end: Is told that nothing is left to ask.
    """

    runner: Runner
    bot: str | None
    answers: Callable[[Iterator[ChatItem], str | None], Answers]
    end: Callable[[], None]


@contextmanager
def _asking(output: Output, settings: Settings, earlier: Earlier) -> Generator[_Asking]:
    """Have questions asked here, or by workers."""
    if settings.broker is not None:
        run = Run(settings.out)
        far = partial(
            QueuedAnswers,
            url=settings.broker,
            queue=settings.queue,
            prefix=settings.prefix,
            again=earlier.again,
            user_id=settings.user,
            limit=settings.at_once,
            ordered=settings.ordered,
            polling=Polling() if settings.poll else None,
            tell=output.tell,
        )
        with started() as runner:

            def asked_far_away(found: Iterator[ChatItem], bot: str | None) -> Answers:
                return far(questions=found, bot_id=bot, run=run.name(resume=settings.resume))

            yield _Asking(runner, settings.bot, asked_far_away, run.forget)
        return
    with connected(output, settings.limits(Limits().chat), settings.limits(None)) as connection:

        def asked_here(found: Iterator[ChatItem], bot: str | None) -> Answers:
            batch = connection.coze.chat.batch(
                found,
                bot_id=bot,
                user_id=settings.user,
                limit=settings.at_once,
                ordered=settings.ordered,
                polling=connection.polling if settings.poll else None,
            )
            return LocalAnswers(batch, bot_id=bot, user_id=settings.user)

        emulated = EMULATED_BOT if connection.is_emulated else None
        yield _Asking(connection.runner, settings.bot or emulated, asked_here, lambda: None)


@contextmanager
def _opened(settings: Settings) -> Generator[Questions]:
    """Find the questions; those of stdin are read to their end first, because a file of answers goes with all of them.

    Raises:
        UsageError: there is no such file, or it cannot be told what is in it.
    """
    kind = format_of(settings.source, settings.format)
    if settings.source != "-":
        path = Path(settings.source)
        if not path.is_file():
            raise UsageError(f"There is no file {settings.source}.")
        for written in settings.written:
            if written.exists() and written.samefile(path):
                raise UsageError(f"{written} holds the questions: give another name for what is written.")
        yield Questions(path, kind, settings.encoding, settings.field, title=settings.source)
        return
    with TemporaryDirectory() as folder:
        path = Path(folder) / "stdin"
        with path.open("wb") as file:
            if sys.stdin is None:
                raise UsageError("There is no stdin to read questions from.")
            shutil.copyfileobj(sys.stdin.buffer, file)
        yield Questions(path, kind, settings.encoding, settings.field, title="stdin")


def _surveyed(settings: Settings, questions: Questions, earlier: Earlier) -> Survey:
    """Read all questions once; the lines that hold none are put aside."""
    beside = settings.bad.with_name(f"{settings.bad.name}.new")
    try:
        with beside.open("wb") as file:

            def put_aside(line: BadLine) -> None:
                file.write(line.as_json())

            survey = earlier.survey(questions, str(settings.journal), put_aside)
        if survey.bad:
            beside.replace(settings.bad)
        else:
            # Those of an earlier run have been put right.
            settings.bad.unlink(missing_ok=True)
    finally:
        beside.unlink(missing_ok=True)
    return survey


@dataclass(frozen=True)
class _Batch:
    """Questions, who answers them, and what has become of them."""

    output: Output
    settings: Settings
    questions: Questions
    asking: _Asking
    journal: Journal
    summary: Summary
    earlier: Earlier
    survey: Survey

    def answer(self) -> int:
        """Have the questions answered that are not yet; returns the exit code."""
        bot = self.asking.bot
        if bot is None and self.survey.without_bot is not None:
            raise UsageError(
                f"Which bot? {self.survey.without_bot.name} of {self.questions.title} names none. Give --bot ID, set "
                "COZE_BOT_ID, or give each question a bot_id."
            )
        self._announce(bot)
        with shown(self.output, self.summary, self.survey.questions) as watch:
            collector = Collector(self.journal, self.summary, watch)
            answers = self.asking.answers(self.earlier.pending(self.questions), bot)
            is_stopped = self._stopped(partial(collector.collect, answers), collector)
            watch.close()
        return self._end(collector, watch, is_stopped=is_stopped)

    def _stopped(self, work: Callable[[], Awaitable[None]], collector: Collector) -> bool:
        """Do the work; True if somebody has stopped it."""
        try:
            with _terminated_like_ctrl_c():
                self.asking.runner.run(work)
        except KeyboardInterrupt:
            # Chats are being cancelled, and what had come is being written.
            collector.has_ended.wait(_ENDING)
            return True
        return False

    def _announce(self, bot: str | None) -> None:
        survey, out = self.survey, self.settings.out
        words = f"{counted(survey.questions, 'question')}, {survey.pending:,} to ask"
        if again := len(self.earlier.again):
            words += f", {again:,} of them again"
        if survey.bad:
            words += f"; {counted(survey.bad, 'line')} without a question: see {self.settings.bad}"
        self.output.note(f"{words}.")
        others = self.earlier.bots - {bot, ""}
        if bot and survey.without_bot and others and bot not in self.earlier.bots:
            self.output.tell(f"{out} has answers of bot {min(others)}; what is asked now is asked of bot {bot}.")

    def _end(self, collector: Collector, watch: Watch, *, is_stopped: bool) -> int:
        """Say what has become of it all; returns the exit code."""
        settings, summary, output = self.settings, self.summary, self.output
        is_whole = not is_stopped and collector.failure is None
        if is_whole and self.earlier.again:
            try:
                self.journal.without_earlier(self.earlier.again)
            except OSError as error:
                output.tell(
                    f"{settings.journal} still has the lines of failures that were asked again: {error.strerror}."
                )
        is_tabled = settings.out == settings.journal or self._tabled()
        output.write_lines(self._results(watch))
        is_reported = settings.report is None or self._reported(settings.report, collector)
        left = self.survey.questions - summary.count
        if not left:
            self.asking.end()
        if collector.failure is not None:
            lost = counted(collector.unwritten, "answer")
            output.fail(
                f"{collector.failure}" + (f" {lost} that had come found no room." if collector.unwritten else "")
            )
        elif collector.stopped_by is not None:
            output.fail(f"Nothing more is asked: {collector.stopped_by}")
        if is_stopped:
            output.note("Stopped.")
        self._advise(left)
        if is_stopped:
            return 130
        return (
            0
            if is_whole and is_tabled and is_reported and not left and not summary.failed and not self.survey.bad
            else 1
        )

    def _results(self, watch: Watch) -> str:
        """Return the numbers, for people."""
        settings, summary = self.settings, self.summary
        latencies = summary.latencies
        lines = [f"{summary.answered:,} of {counted(self.survey.questions, 'question')} answered."]
        if summary.failed:
            kinds = ", ".join(f"{name} {count:,}" for name, count in summary.failed.most_common())
            lines.append(f"  failed     {sum(summary.failed.values()):,}: {kinds}")
        if self.survey.bad:
            lines.append(f"  bad lines  {self.survey.bad:,}, see {settings.bad}")
        if latencies:
            middle, high = spent(quantile(latencies, 0.5)), spent(quantile(latencies, 0.95))
            lines.append(f"  latency    p50 {middle}, p95 {high}, longest {spent(latencies[-1])}")
        if sum(summary.tokens):
            given, written = summary.tokens
            lines.append(f"  tokens     {given + written:,} ({given:,} in, {written:,} out)")
        if watch.done:
            lines.append(f"  time       {spent(watch.elapsed)}, {often(watch.rate)}")
        lines.append(f"  answers    {settings.out}")
        if settings.journal != settings.out:
            lines.append(
                f"  journal    {settings.journal}, with which the batch goes on; keep it until all is answered"
            )
        return "\n".join(lines)

    def _tabled(self) -> bool:
        """Write the table; False if it cannot be written."""
        settings = self.settings
        if not settings.journal.stat().st_size:
            # An empty journal is not kept, and nothing stands in the table that is not in the questions.
            return True
        try:
            write_table(settings.out, self.questions, settings.journal)
        except OSError as error:
            self.output.fail(
                f"{settings.out} cannot be written: {error.strerror}. The answers are in {settings.journal}."
            )
            return False
        return True

    def _reported(self, path: Path, collector: Collector) -> bool:
        """Write the page; False if it cannot be written."""
        settings = self.settings
        reason = collector.stopped_by or (str(collector.failure) if collector.failure else None)
        bots = sorted({*self.earlier.bots, settings.bot or ""} - {""})
        facts = Facts(settings.source, str(settings.out), self.survey.questions, self.survey.bad, bots, reason)
        try:
            write_page(path, self.summary, facts)
        except OSError as error:
            self.output.fail(f"{path} cannot be written: {error.strerror}.")
            return False
        self.output.write_lines(f"  report     {path}")
        return True

    def _advise(self, left: int) -> None:
        """Say how to go on."""
        summary = self.summary
        again = sum(summary.failed.values()) - summary.may_have_cost
        same = "the same command" if self.settings.resume else "the command without --no-resume"
        if left or again:
            self.output.note(f"Run {same} again: it asks what has no answer yet ({left + again:,}), and nothing else.")
        if summary.may_have_cost:
            what = "it" if summary.may_have_cost == 1 else "they"
            self.output.note(
                f"{summary.may_have_cost:,} failed after {what} may have been started, and cost; "
                "--retry-started asks again."
            )


@contextmanager
def _terminated_like_ctrl_c() -> Generator[None]:
    """Let the usual way to end a service end this as cleanly as a person does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
