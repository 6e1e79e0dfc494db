"""`coze-async replay`: recorded exchanges, shown event by event as they came."""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.text import Text

from coze_async._recording import Ending, Recording, read_recordings
from coze_async._sse import Event, EventReader
from coze_async.cli._output import Harmless, Output
from coze_async.models._json import json_object

__all__ = ["show"]

# A wait that somebody would notice, in seconds.
_GAP = 0.5
_LONGEST_TEXT = 400
_ENDS = {
    "whole": ("whole", "green"),
    "lost": ("LOST", "bold red"),
    "left": ("left by its reader", "yellow"),
    "silent": ("silence", "yellow"),
}


def show(output: Output, path: Path, *, speed: float | None, chunks: bool, only: int | None, as_json: bool) -> int:
    """Show the exchanges of a file; returns the exit code.

    Args:
        output: Where.
        path: The file.
        speed: 1.0 shows them as fast as they came; None or 0 at once.
        chunks: Show the edges of the chunks too.
        only: One of the exchanges, from 1.
        as_json: Write one JSON object per event instead.
    """
    found = read_recordings(path)
    if only is not None and not 1 <= only <= len(found):
        output.fail(f"{path} holds {len(found)} exchange{'s' if len(found) > 1 else ''}: there is no number {only}.")
        return 2
    for number, recording in enumerate(found, 1):
        if only is not None and only != number:
            continue
        view = _View(output, recording, number, len(found), _Clock(speed or 0.0), chunks=chunks)
        if as_json:
            view.write_json()
        else:
            view.write()
    return 0


@dataclass
class _Clock:
    """Waits as long as was recorded."""

    speed: float
    _began: float | None = None

    def until(self, at: float) -> None:
        if not self.speed:
            return
        if self._began is None:
            self._began = time.monotonic()
        time.sleep(max(0.0, self._began + at / self.speed - time.monotonic()))


@dataclass(frozen=True)
class _Moment:
    """Something that came: an event, or a piece of the body."""

    at: float
    event: Event | None
    size: int = 0


@dataclass
class _View:
    """One exchange, on its way to the terminal."""

    output: Output
    recording: Recording
    number: int
    count: int
    clock: _Clock
    chunks: bool

    def write_json(self) -> None:
        """Write one object per event, or the body, then one for the end."""
        recording, asked = self.recording, self.recording.asked
        self._line(
            at=0.0, request=asked.name, query=asked.query, body=asked.body, date=recording.date, server=recording.server
        )
        if recording.status is not None:
            self._line(at=recording.after, status=recording.status, headers=recording.headers)
        if self._is_stream:
            for moment in self._moments():
                if moment.event is not None:
                    name, data, _ = moment.event
                    self._line(at=self._total(moment.at), event=name.decode("utf-8", "replace"), data=_value(data))
        elif recording.pieces:
            self._line(at=self._total(recording.pieces[-1].at), data=self._data)
        ending = recording.ending
        said = {"error": ending.error} if ending.error else {}
        self._line(at=self._total(ending.at), end=ending.kind, **said, **({"why": ending.why} if ending.why else {}))

    def write(self) -> None:
        """Write it for people."""
        self._head()
        events, before = 0, 0.0
        if self._is_stream:
            for moment in self._moments():
                self.clock.until(self._total(moment.at))
                self._gap(moment.at - before)
                before = moment.at
                if moment.event is None:
                    self._print((_at(moment.at), "dim"), (f"  ── {_bytes(moment.size)}", "dim blue"))
                    continue
                events += 1
                self._event(moment.at, moment.event)
        elif self.recording.pieces:
            before = self.recording.pieces[-1].at
            self.clock.until(self._total(before))
            self._print((_at(before), "dim"), "  ", _short(self._text))
        self.clock.until(self._total(self.recording.ending.at))
        self._gap(self.recording.ending.at - before)
        self._end(self.recording.ending, events)

    @property
    def _is_stream(self) -> bool:
        return self.recording.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def _is_withheld(self) -> bool:
        return any(piece.withheld for piece in self.recording.pieces)

    @property
    def _data(self) -> Any:
        return None if self._is_withheld else _value(self.recording.body)

    @property
    def _text(self) -> str:
        return "(withheld)" if self._is_withheld else self.recording.body.decode("utf-8", "replace")

    def _total(self, at: float) -> float:
        """Return the seconds since the request."""
        return round(self.recording.after + at, 4)

    def _moments(self) -> Iterator[_Moment]:
        reader, at = EventReader(), 0.0
        for piece in self.recording.pieces:
            at = piece.at
            if self.chunks:
                yield _Moment(at, None, piece.size)
            for event in reader.feed(piece.content):
                yield _Moment(at, event)
        for event in reader.end():
            yield _Moment(at, event)
        if reader.stray:
            yield _Moment(at, (b"(no event)", reader.stray, b""))

    def _head(self) -> None:
        recording, asked = self.recording, self.recording.asked
        which = f"{self.number}/{self.count}  " if self.count > 1 else ""
        self._print((which, "dim"), (asked.name, "bold"), (f"  {recording.date[:19].replace('T', ' ')}", "dim"),
                    (f"  {recording.server}", "dim"))  # fmt: skip
        for name, value in asked.query.items():
            self._print((f"  {name}=", "dim"), str(value))
        if asked.body is not None:
            self._print(("  ", ""), _short(json.dumps(asked.body, ensure_ascii=False)))
        elif asked.size is not None:
            self._print((f"  {_bytes(asked.size)}", "dim"))
        if recording.status is not None:
            self.clock.until(recording.after)
            good = recording.status < 400
            kind = recording.headers.get("content-type", "").partition(";")[0]
            logid = recording.headers.get("x-tt-logid") or recording.headers.get("x-log-id")
            self._print(
                (str(recording.status), "bold green" if good else "bold red"),
                f" {kind}",
                (f"  after {recording.after:.3f} s" if recording.after else "", "dim"),
                (f"  logid {logid}" if logid else "", "dim"),
            )

    def _event(self, at: float, event: Event) -> None:
        raw_name, data, _ = event
        name = raw_name.decode("utf-8", "replace")
        facts = json_object(_value(data))
        style = _style(name, facts)
        self._print((_at(at), "dim"), "  ", (f"{name:<31}", style), " ", *_said(facts, data))

    def _gap(self, seconds: float) -> None:
        if seconds >= _GAP:
            self._print((f"{'':8}  … {seconds:.1f} s of silence", "dim yellow"))

    def _end(self, ending: Ending, events: int) -> None:
        words, style = _ENDS[ending.kind]
        pieces = self.recording.pieces
        came = f"{events} event{'' if events == 1 else 's'} in " if self._is_stream else ""
        many = f"{len(pieces)} piece{'' if len(pieces) == 1 else 's'}, {_bytes(sum(piece.size for piece in pieces))}"
        why = ": ".join(filter(None, (ending.error, ending.why)))
        self._print((_at(ending.at), "dim"), "  ", (words, style), f"  {why}" if why else "",
                    (f"  {came}{many}" if self.recording.status is not None else "", "dim"))  # fmt: skip
        self._print("")

    def _print(self, *parts: str | tuple[str, str]) -> None:
        self.output.table.print(Harmless(Text.assemble(*parts)), soft_wrap=True)

    def _line(self, **facts: Any) -> None:
        self.clock.until(facts["at"])
        self.output.write_json({"exchange": self.number, **facts})


def _value(data: bytes) -> Any:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace")


def _at(seconds: float) -> str:
    return f"{seconds:8.3f}"


def _bytes(size: int) -> str:
    return f"{size} byte{'' if size == 1 else 's'}" if size < 10_000 else f"{size / 1000:.1f} kB"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TEXT else f"{text[:_LONGEST_TEXT]}… ({len(text)} characters)"


def _style(name: str, facts: Mapping[str, Any]) -> str:
    lower = name.lower()
    if lower in ("error", "conversation.error") or lower.endswith("failed") or facts.get("code"):
        return "bold red"
    if lower.endswith("delta") or lower == "message":
        return "cyan"
    if "interrupt" in lower or lower.endswith(("requires_action", "cancelled", "canceled")):
        return "yellow"
    return "green" if lower.endswith(("completed", "done")) else "blue"


def _said(facts: Mapping[str, Any], data: bytes) -> Iterator[str | tuple[str, str]]:
    """Yield what an event says, most of all."""
    # Coze Plus wraps the message and the chat.
    facts = json_object(facts.get("message_item")) or json_object(facts.get("run_record_item")) or facts
    if "content" in facts or "reasoning_content" in facts:
        yield (f"{facts.get('type') or facts.get('node_title') or ''}  ".lstrip(), "dim")
        if thought := facts.get("reasoning_content"):
            yield (f"{json.dumps(thought, ensure_ascii=False)} ", "italic dim")
        if facts.get("content") or not thought:
            yield _short(json.dumps(facts.get("content"), ensure_ascii=False))
        return
    wrong = json_object(facts.get("last_error")) or facts
    if wrong.get("code") or wrong.get("error_code"):
        yield (
            f"{wrong.get('code') or wrong.get('error_code')} {wrong.get('msg') or wrong.get('error_message')}",
            "red",
        )
    elif tokens := json_object(facts.get("usage")).get("token_count"):
        usage = json_object(facts.get("usage"))
        yield f"{tokens} tokens ({usage.get('input_count')} in, {usage.get('output_count')} out)"
    elif "id" in facts and "conversation_id" in facts:
        yield (f"chat {facts['id']}  conversation {facts['conversation_id']}", "dim")
    else:
        yield (_short(data.decode("utf-8", "replace").strip()), "dim")
