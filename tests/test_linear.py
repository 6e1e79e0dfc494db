"""No text that a server sends keeps a program busy: every regular expression of the library takes linear time."""

# pyright: reportPrivateUsage=false

import ast
import importlib
import itertools
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from answering import Answers, answer

import coze_async
from coze_async import APIError, AsyncCoze, Limits, Retry
from coze_async._envelope import plain_text
from coze_async.models._chat import _repaired

ROOT = Path(coze_async.__file__).parent
METHODS = ("search", "match", "fullmatch", "sub", "split", "findall", "finditer")
SIZE = 200_000
# Seconds of work for a text; what takes quadratic time needs minutes. All attacks are tried with a small text first,
# and those that cost most with a large one.
ALLOWED = 1.0
SMALL, WORST = 20_000, 4
# What the pattern itself is made of is looked for too.
FRAGMENTS = (" ", "\n", "\t", "a", "_", "0", "<", "@", ".", "\\", "-", '"', "a_", "a.", "=", "\r", "，", "\0")


class Used:
    """A regular expression of the library, and one method that it is used by.

    Args:
        name: Where it stands.
        pattern: The expression.
        method: Of the pattern.
    """

    def __init__(self, name: str, pattern: re.Pattern[Any], method: str) -> None:
        self.name = name
        self.pattern = pattern
        self.method = method

    def __repr__(self) -> str:
        return f"{self.name}.{self.method}"

    def seconds(self, text: str) -> float:
        """Return how long the processor works for a text."""
        given: Any = text.encode() if isinstance(self.pattern.pattern, bytes) else text
        run: Callable[..., Any] = getattr(self.pattern, self.method)
        begun = time.process_time()
        if self.method == "sub":
            run(given[:0], given)
        elif self.method == "finditer":
            for _ in run(given):
                pass
        else:
            run(given)
        return time.process_time() - begun

    def fragments(self) -> list[str]:
        """Return the words and signs that the expression is made of."""
        source: Any = self.pattern.pattern
        source = source.decode("latin-1") if isinstance(source, bytes) else source
        words = re.findall(r"[A-Za-z0-9_]{2,}|[^\w\s]", re.sub(r"\\[a-zA-Z]", " ", source))
        return list(dict.fromkeys(words))


def uses() -> Iterator[Used]:
    """Find every compiled pattern of a module, wherever it is used, and every pattern that is written in a call."""
    trees = {
        path.relative_to(ROOT).with_suffix("").as_posix().replace("/", "."): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
        if "emulator" not in path.relative_to(ROOT).parts
    }
    called: dict[str, set[str]] = {}
    for tree in trees.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in METHODS and isinstance(node.value, ast.Name):
                called.setdefault(node.value.id, set()).add(node.attr)
    for name, tree in trees.items():
        compiled = [
            target.id
            for node in tree.body
            if isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func) == "re.compile"
            for target in node.targets
            if isinstance(target, ast.Name)
        ]
        module = importlib.import_module(f"coze_async.{name}".removesuffix(".__init__")) if compiled else None
        for variable in compiled:
            for method in sorted(called.get(variable, METHODS)):
                yield Used(f"{name}.{variable}", getattr(module, variable), method)
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and (function := ast.unparse(node.func)).startswith("re."):
                given = node.args[0] if node.args else None
                if function[3:] in METHODS and isinstance(given, ast.Constant) and isinstance(given.value, str):
                    yield Used(f"{name}, line {node.lineno}", re.compile(given.value), function[3:])


USES = list(uses())


def test_the_regular_expressions_are_found() -> None:
    names = {use.name for use in USES}
    assert {"_sse._COMMON", "_envelope._TAG", "models._chat._LOST_AMPERSAND", "_logging.TOKEN"} <= names


def attacks(use: Used) -> Iterator[tuple[str, str, str]]:
    """Yield texts that make an expression begin again and again, or go back and forth: begin, what is repeated, end."""
    fragments = list(dict.fromkeys([*use.fragments(), *FRAGMENTS]))
    for fragment in fragments:
        yield "", fragment, ""
        # What was right so far ends wrong.
        yield "", fragment, "\0"
        yield "\0", fragment, ""
    for first, second in itertools.permutations(fragments[:12], 2):
        yield first, second, ""
        yield "", first + second, ""


def slowest(use: Used) -> tuple[float, str]:
    """Return the longest that an expression works for one of the attacks, and the beginning of the text."""

    def seconds(attack: tuple[str, str, str], size: int) -> tuple[float, str]:
        begin, repeated, end = attack
        text = begin + repeated * (size // len(repeated)) + end
        return use.seconds(text), f"{len(text)} times {text[:40]!r}"

    tried: list[tuple[float, tuple[str, str, str]]] = []
    for attack in attacks(use):
        took, text = seconds(attack, SMALL)
        if (expected := took * SIZE / SMALL) > ALLOWED:
            return expected, text
        tried.append((took, attack))
    return max(seconds(attack, SIZE) for _, attack in sorted(tried, reverse=True)[:WORST])


@pytest.mark.parametrize("use", USES, ids=repr)
def test_every_regular_expression_takes_linear_time(use: Used) -> None:
    took, text = slowest(use)
    assert took < ALLOWED, f"{took:.1f} s for {text}"


@pytest.mark.parametrize(
    ("pattern", "method"),
    [
        (r"<[^>]*>", "sub"),
        (r"\\?u0026(?=[\w.%~-]+=)", "sub"),
        (r"\s*For further", "sub"),
    ],
)
def test_an_expression_that_takes_quadratic_time_is_found(pattern: str, method: str) -> None:
    """These were in use once."""
    took, _ = slowest(Used("once", re.compile(pattern), method))
    assert took > ALLOWED


# --- what is made of them ---------------------------------------------------------------------------------------------

PAGES = ["<a", "<title", "<title>", "<title>a", "<", ">", "</title>", "<!--"]


@pytest.mark.parametrize("part", PAGES)
def test_a_page_of_nothing_but_beginnings_is_read_at_once(part: str) -> None:
    begun = time.process_time()
    plain_text(part * (SIZE // len(part)))
    assert time.process_time() - begun < 1


def test_an_address_whose_ampersands_are_lost_is_repaired_at_once() -> None:
    assert _repaired(r"https://a.example/?x=1u0026y=2\u0026z=3&nou0026") == "https://a.example/?x=1&y=2&z=3&nou0026"
    begun = time.process_time()
    _repaired("u0026" * (SIZE // 5))
    assert time.process_time() - begun < 1


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("<html><title>502 Bad Gateway</title><body>nginx</body>", "502 Bad Gateway"),
        ("<TITLE lang='en'>\n Not\n Found </TITLE>", "Not Found"),
        ("<p>Service <b>Unavailable</b></p>", "Service Unavailable"),
        ("plain", "plain"),
        ("<title>torn", "torn"),
    ],
)
def test_a_page_is_its_title_or_its_text(page: str, text: str) -> None:
    assert plain_text(page) == text


@pytest.mark.parametrize("part", PAGES)
async def test_an_error_page_of_a_megabyte_is_an_error_at_once(part: str) -> None:
    content = (part * ((1 << 20) // len(part))).encode()
    page = answer(content=content, status=502, headers={"content-type": "text/html"})
    async with AsyncCoze("pat_x", transport=Answers(page), limits=Limits.none(), retry=Retry.none()) as coze:
        begun = time.process_time()
        with pytest.raises(APIError) as caught:
            await coze.bots.retrieve(bot_id="b")
        assert time.process_time() - begun < 1
    assert len(str(caught.value)) < 5000
