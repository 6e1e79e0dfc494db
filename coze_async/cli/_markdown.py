"""An answer in Markdown at a terminal: complete blocks stay, the one that is being written is drawn as it grows."""

import re
import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from types import TracebackType
from typing import ClassVar, Self

from markdown_it import MarkdownIt
from markdown_it.token import Token
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.markdown import CodeBlock, Heading, Markdown
from rich.segment import Segment
from rich.syntax import Syntax
from rich.text import Text

from coze_async.cli._output import Harmless
from coze_async.cli._visible import breakable, visible

__all__ = ["MarkdownWriter", "render"]

# Bots write `vector<int>` and `<div>` without meaning HTML.
_PARSER = MarkdownIt("commonmark", {"html": False}).enable(["strikethrough", "table"]).disable("reference")
_BLOCKS = MarkdownIt("commonmark", {"html": False}).enable("table").disable(["reference", "inline"])
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
# How often what is being written is drawn, in a second, and up to how many characters its Markdown is looked at for it.
_DRAWN = 12
_LONGEST_PREVIEW = 10_000
# An answer for programs: Markdown would eat its backslashes and stars.
_DATA = ("{", "[{", '["')


def render(text: str) -> Harmless:
    """Return what shows a text in Markdown."""
    return Harmless(_Rendered(visible(text)))


class _Heading(Heading):
    """A heading at the left, whatever its level."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text


class _CodeBlock(CodeBlock):
    """Code without empty lines around it."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Syntax(str(self.text).rstrip(), self.lexer_name, theme=self.theme, word_wrap=True, padding=(0, 1))


class _Rendered(Markdown):
    """Markdown as bots write it: lines end where they end, addresses can be read, and nothing is left out."""

    elements: ClassVar = {**Markdown.elements, "heading_open": _Heading, "fence": _CodeBlock, "code_block": _CodeBlock}

    def __init__(self, markup: str) -> None:
        super().__init__("", code_theme="ansi_dark", hyperlinks=False)
        self.parsed = _PARSER.parse(markup)
        for token in self.parsed:
            if token.children:
                token.children = list(_put_right(token.children))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # Lists and tables have empty lines around them, which stand between blocks already.
        lines = console.render_lines(_Inner(super().__rich_console__(console, options)), options, pad=False)
        while lines and not _plain(lines[0]):
            del lines[0]
        while lines and not _plain(lines[-1]):
            del lines[-1]
        for line in lines:
            yield from _without_end(line)
            yield Segment.line()


class _Inner:
    """What something consists of."""

    def __init__(self, content: RenderResult) -> None:
        self._content = content

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        return self._content


def _plain(line: list[Segment]) -> str:
    return "".join(segment.text for segment in line).strip()


def _without_end(line: list[Segment]) -> list[Segment]:
    """Return a line without the spaces that fill it up, which would be copied with it."""
    while line and not line[-1].text.strip():
        line = line[:-1]
    return [*line[:-1], Segment(line[-1].text.rstrip(" "), line[-1].style)] if line else []


def _put_right(tokens: list[Token]) -> Iterable[Token]:
    for number, token in enumerate(tokens):
        match token.type:
            case "softbreak":
                yield Token("hardbreak", "br", 0)
            case "text":
                yield Token("text", "", 0, content=breakable(_BREAK.sub("\n", token.content)))
            case "image":
                source = str(token.attrs.get("src", ""))
                yield Token("text", "", 0, content=f"{token.content} ({source})" if token.content else source)
            case "link_open" if _is_plain(tokens[number : number + 3]):
                continue
            case "link_close" if _is_plain(tokens[max(0, number - 2) : number + 1]):
                continue
            case _:
                yield token


def _is_plain(tokens: list[Token]) -> bool:
    """True for a link that shows its own address."""
    match tokens:
        case [Token(type="link_open") as link, Token(type="text") as shown, Token(type="link_close")]:
            return str(link.attrs.get("href", "")) in (shown.content, f"mailto:{shown.content}")
        case _:
            return False


class MarkdownWriter:
    """Shows an answer at a terminal while it is being written; entered, and left when it is over.

    Args:
        console: The terminal.
        write: Writes what is no Markdown.
    """

    def __init__(self, console: Console, write: Callable[[str], None]) -> None:
        self._console = console
        self._write = write
        # The end of the answer, of which nothing stands fast yet.
        self._rest = ""
        self._is_data: bool | None = None
        self._is_first = True
        self._live: Live | None = None
        if console.is_terminal and not console.is_dumb_terminal:
            self._live = Live(
                get_renderable=lambda: _Preview(self._rest, is_first=self._is_first),
                console=console,
                refresh_per_second=_DRAWN,
                transient=True,
                redirect_stderr=sys.stderr.isatty(),
                vertical_overflow="visible",
            )

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        rest, self._rest = self._rest, ""
        self._stop()
        if self._is_data is None and rest.strip():
            self._is_data = rest.lstrip().startswith(_DATA)
        if self._is_data:
            self._write(rest)
        else:
            self._show(rest)

    def write(self, piece: str) -> None:
        """Add a piece of the answer."""
        self._rest += piece
        if self._is_data is None:
            start = self._rest.lstrip()[:2]
            if len(start) < 2:
                return
            self._is_data = start.startswith(_DATA)
            if self._is_data:
                self._stop()
        if self._is_data:
            text, self._rest = self._rest, ""
            self._write(text)
        elif "\n" in piece:
            self._show_complete()

    def _stop(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _show_complete(self) -> None:
        """Show the blocks after which another one has begun; only whole lines say that one has."""
        whole, end, begun = self._rest.rpartition("\n")
        *complete, last = _blocks(whole)
        if complete:
            self._rest = last + end + begun
            self._show("\n".join(complete))

    def _show(self, text: str) -> None:
        for block in _blocks(text):
            if not block.strip():
                continue
            if not self._is_first:
                self._console.print()
            self._is_first = False
            self._console.print(render(block))


def _blocks(text: str) -> list[str]:
    """Return the blocks of a text in Markdown: paragraphs, lists, tables."""
    lines = text.replace("\r", "").split("\n")
    begins = [token.map[0] for token in _BLOCKS.parse("\n".join(lines)) if token.map and not token.level]
    edges = [0, *begins[1:], len(lines)]
    return ["\n".join(lines[begin:end]) for begin, end in pairwise(edges)]


class _Preview:
    """As much of the end of a text as the terminal has room for."""

    def __init__(self, text: str, *, is_first: bool) -> None:
        self._text = text
        self._is_first = is_first

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self._text
        if not text.strip():
            return
        content = render(text) if len(text) < _LONGEST_PREVIEW else Harmless(Text(visible(text[-_LONGEST_PREVIEW:])))
        lines = console.render_lines(content, options, pad=False)
        if not self._is_first:
            lines.insert(0, [])
        for line in lines[-max(1, options.size.height - 2) :]:
            yield from line
            yield Segment.line()
