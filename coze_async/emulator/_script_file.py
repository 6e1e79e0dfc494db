"""Scripts of bots and workflows in a YAML or TOML file; its keys are the fields of the scripts. See docs/scripts.md."""

import math
import re
import tomllib
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeAlias, cast

from ._scripts import (
    Answer,
    Ask,
    BotScript,
    ChatInput,
    Chunk,
    Failure,
    FlowScript,
    Node,
    Script,
    ToolCall,
    ToolUse,
    Usage,
    Verbose,
    WorkflowInput,
    WorkflowScript,
    default_bot,
    topic_of,
)
from ._sound import SAMPLE_RATE, pcm, pieces_of_sound
from ._wire import to_json

_Read: TypeAlias = Callable[[Any, str], Any]
"""Makes a value of what stands at a place, or says what is wrong with it."""

_WORD = re.compile(r"\{(\w+)\}")


class ScriptError(ValueError):
    """A file of scripts cannot be played: which file, where in it, what is wrong, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Scripts:
    """What a file holds, ready to be played."""

    bots: Mapping[str, BotScript | None]
    workflows: Mapping[str, FlowScript | None]


def read_scripts(path: Path) -> Scripts:
    """The scripts in a file.

    Raises:
        ScriptError: it says something that no script can do.
        OSError: it cannot be read.
    """
    try:
        return _Reader(path).scripts(_parsed(path))
    except _WrongError as wrong:
        raise ScriptError(f"{path}: {wrong}") from None
    except RecursionError:
        raise ScriptError(f"{path}: lists and tables are nested too deeply in it.") from None


class _WrongError(Exception):
    """Something is wrong at a place of the file."""


def _parsed(path: Path) -> Any:
    """The plain values in a file."""
    kind = path.suffix.lower()
    if kind not in {".toml", ".yaml", ".yml"}:
        raise _WrongError(f"a file of scripts ends in .yaml, .yml or .toml, not in {kind or 'nothing'}.")
    try:
        text = path.read_text(encoding="utf-8-sig")
        return tomllib.loads(text) if kind == ".toml" else _parsed_yaml(text)
    except UnicodeDecodeError as error:
        raise _WrongError(f"the file is not UTF-8 (byte {error.start}): save it as UTF-8.") from None
    except tomllib.TOMLDecodeError as error:
        raise _WrongError(f"this is no TOML: {error}.") from None


def _parsed_yaml(text: str) -> Any:
    try:
        import yaml
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            "Scripts in YAML need PyYAML, which is not installed: pip install 'coze_async[emulator]', or write TOML.",
            name="yaml",
        ) from None

    class Loader(yaml.SafeLoader):
        """The safe loader, which would let the second of two equal keys win, and what holds itself pass."""

        def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
            if self.check_event(yaml.AliasEvent):
                event: object = self.peek_event()  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType] - its stub
                alias = cast("yaml.AliasEvent", event)
                meant = self.anchors.get(alias.anchor)
                # What an alias stands for has no end yet as long as the alias stands inside of it.
                if meant is not None and meant.end_mark is None:
                    raise _WrongError(f"{_where(alias.start_mark)}: the alias *{alias.anchor} stands inside of itself.")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
            seen: list[Any] = []
            for name, _ in node.value:
                if name.tag == "tag:yaml.org,2002:merge":
                    continue
                key: Any = self.construct_object(name, deep=True)  # pyright: ignore[reportUnknownMemberType] - its stub
                if key in seen:
                    raise yaml.MarkedYAMLError(
                        problem=f"the key {key!r} stands there twice", problem_mark=name.start_mark
                    )
                if name.tag == "tag:yaml.org,2002:int" and str(key) != name.value:
                    where = _where(name.start_mark)
                    raise _WrongError(f"{where}: the key {name.value} is the number {key} in YAML: put it in quotes.")
                seen.append(key)
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(text, Loader)  # noqa: S506 - it is a safe loader
    except yaml.MarkedYAMLError as error:
        where = f" at {_where(error.problem_mark)}" if error.problem_mark else ""
        raise _WrongError(f"this is no YAML{where}: {error.problem}.") from None
    except yaml.YAMLError as error:
        raise _WrongError(f"this is no YAML: {error}.") from None


def _where(mark: Any) -> str:
    return f"line {mark.line + 1}, column {mark.column + 1}"


def _shown(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case bool():
            return f"{str(value).lower()} (a text of that name needs quotes)"
        case str():
            return f"the text {value[:40]!r}"
        case int() | float():
            return f"the number {value}"
        case list():
            return "a list"
        case dict():
            return "a table of keys"
        case _:
            return f"{value} (a text that looks so needs quotes)"


def _text(value: Any, place: str) -> str:
    if not isinstance(value, str):
        raise _WrongError(f"{place} is a text, not {_shown(value)}.")
    return value


def _truth(value: Any, place: str) -> bool:
    if not isinstance(value, bool):
        raise _WrongError(f"{place} is true or false, not {_shown(value)}.")
    return value


def _whole(value: Any, place: str) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _WrongError(f"{place} is a whole number, not {_shown(value)}.")
    return value


def _count(value: Any, place: str) -> int:
    if _whole(value, place) < 0:
        raise _WrongError(f"{place} is a whole number from 0, not {value}.")
    return cast("int", value)


def _seconds(value: Any, place: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < math.inf:
        raise _WrongError(f"{place} is a number of seconds from 0, not {_shown(value)}.")
    return value


def _score(value: Any, place: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise _WrongError(f"{place} is a number, not {_shown(value)}.")
    return value


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError(f"{place} is a table of keys, not {_shown(value)}.")
    for key in cast("dict[object, Any]", value):
        if not isinstance(key, str):
            raise _WrongError(f"{place} has {_shown(key)} for a key: put it in quotes.")
    return cast("dict[str, Any]", value)


def _text_or_json(value: Any, place: str) -> str:
    return to_json(_mapping(value, place)) if isinstance(value, dict) else _text(value, place)


def _bytes(value: Any, place: str) -> bytes:
    return _text(value, place).encode()


def _list(read: _Read, *, or_one: bool = False) -> _Read:
    """Reads a list, or the one thing that would stand in it."""

    def read_all(value: Any, place: str) -> list[Any]:
        if isinstance(value, list):
            items = cast("list[object]", value)
            return [read(item, f"{place}[{number}]") for number, item in enumerate(items)]
        if or_one:
            return [read(value, place)]
        raise _WrongError(f"{place} is a list, not {_shown(value)}.")

    return read_all


def _keys(value: Any, place: str, keys: Mapping[str, _Read]) -> dict[str, Any]:
    """What stands under each key of a table; a key that is not known is an error."""
    table = _mapping(value, place)
    for key in table:
        if key not in keys:
            near = get_close_matches(key, keys, 1)
            guess = f" Did you mean {near[0]!r}?" if near else ""
            raise _WrongError(f"{place} has no key {key!r}.{guess} Allowed are {', '.join(keys)}.")
    return {key: keys[key](content, f"{place}.{key}") for key, content in table.items()}


class _Table:
    """Reads one of the classes of the scripts: its fields under their names.

    Args:
        kind: The class.
        keys: How each field is read.
        short: The field that stands for the whole if there is no table.
    """

    def __init__(self, kind: Callable[..., Any], keys: Mapping[str, _Read], short: str | None = None) -> None:
        self.keys = keys
        self._kind = kind
        self._short = short
        self._needed = [
            field.name
            for field in fields(cast("Any", kind))
            if field.default is MISSING and field.default_factory is MISSING and field.name in keys
        ]

    def __call__(self, value: Any, place: str) -> Any:
        if self._short is not None and not isinstance(value, dict):
            return self._kind(**{self._short: self.keys[self._short](value, place)})
        given = _keys(value, place, self.keys)
        for name in self._needed:
            if name not in given:
                raise _WrongError(f"{place} needs the key {name!r}.")
        return self._kind(**given)


@dataclass(frozen=True, slots=True)
class _Rule:
    """What a bot does when the question is of a kind."""

    words: Sequence[str]
    pattern: re.Pattern[str] | None
    script: Script

    def groups(self, question: str) -> dict[str, str] | None:
        """What the parts of the pattern found, by number and by name; None if the rule is not meant."""
        if self.words and not any(word.casefold() in question.casefold() for word in self.words):
            return None
        if self.pattern is None:
            return {}
        found = self.pattern.search(question)
        if found is None:
            return None
        numbered = {str(number): group for number, group in enumerate((found[0], *found.groups()))}
        return {name: group or "" for name, group in {**numbered, **found.groupdict()}.items()}


@dataclass(frozen=True, slots=True)
class _Bot:
    """A bot of a file: the first rule that is meant, else its own script, else a pleasant answer."""

    script: Script
    rules: Sequence[_Rule]

    def __call__(self, given: ChatInput) -> Script:
        previous = given.history[-1] if given.history else ""
        words = {
            "question": given.question,
            "topic": topic_of(given.question),
            "previous": previous,
            "user_id": given.user_id,
            "bot_id": given.bot_id,
        }
        for rule in self.rules:
            groups = rule.groups(given.question)
            if groups is not None:
                return self._played(rule.script, {**words, **groups}, given)
        return self._played(self.script, words, given)

    @staticmethod
    def _played(script: Script, words: Mapping[str, str], given: ChatInput) -> Script:
        if not (script.answers or script.asks or script.requires or script.failure or script.raw is not None):
            pleasant = default_bot(given)
            script = replace(script, answers=pleasant.answers, follow_ups=script.follow_ups or pleasant.follow_ups)
        return cast("Script", _filled(script, words))


@dataclass(frozen=True, slots=True)
class _Flow:
    """A workflow of a file."""

    script: WorkflowScript

    def __call__(self, given: WorkflowInput) -> WorkflowScript:
        words = {name: value if isinstance(value, str) else to_json(value) for name, value in given.parameters.items()}
        return cast("WorkflowScript", _filled(self.script, {"question": given.question, **words}))


def _filled(value: Any, words: Mapping[str, str]) -> Any:
    """`value` with `{name}` replaced in every text in it, if there is such a word; what comes later, later."""
    match value:
        case str():
            return _WORD.sub(lambda found: words.get(found[1], found[0]), value)
        case list():
            return [_filled(item, words) for item in cast("list[object]", value)]
        case dict():
            return {key: _filled(item, words) for key, item in cast("dict[str, Any]", value).items()}
        case Script(then=Script() as then):

            def following(outputs: Mapping[str, str]) -> Script:
                return cast("Script", _filled(then, {**words, "output": "; ".join(outputs.values())}))

            return replace(cast("Script", _filled(replace(value, then=None), words)), then=following)
        case Ask(then=WorkflowScript() as rest):

            def resumed(answer: str) -> WorkflowScript:
                return cast("WorkflowScript", _filled(rest, {**words, "answer": answer}))

            return replace(cast("Ask", _filled(replace(value, then=None), words)), then=resumed)
        case _ if is_dataclass(value) and not isinstance(value, type):
            return replace(value, **{field.name: _filled(getattr(value, field.name), words) for field in fields(value)})
        case _:
            return value


class _Reader:
    """Reads the plain values of one file.

    Args:
        path: Where the file lies; the files that it names lie beside it.
    """

    def __init__(self, path: Path) -> None:
        self._folder = path.parent
        usage = _Table(Usage, {"input_count": _count, "output_count": _count})
        failure = _Table(Failure, {"code": _whole, "msg": _text, "bare": _truth, "before_run": _truth}, "code")
        chunk = {"document": _text, "title": _text, "url": _text, "dataset": _text}
        call = {"name": _text, "arguments": _mapping, "id": _text, "type": _text}
        playing: dict[str, _Read] = {
            "failure": failure,
            "usage": usage,
            "seconds": _seconds,
            "pace": _seconds,
            "keep_alive": _count,
            "raw": _list(_bytes, or_one=True),
        }
        self._script = _Table(
            Script,
            {
                "answers": _list(self._answer, or_one=True),
                "knowledge": _list(_Table(Chunk, {"text": _text, "score": _score, **chunk}, "text")),
                "tools": _list(_Table(ToolUse, {"name": _text, "arguments": _mapping, "response": _text_or_json})),
                "requires": _list(_Table(ToolCall, call)),
                "then": self._then,
                "verbose": _list(_Table(Verbose, {"msg_type": _text, "data": _text_or_json})),
                "follow_ups": _list(_text, or_one=True),
                "asks": _text,
                "chatflow": _truth,
                **playing,
            },
            "answers",
        )
        texts = {"title": _text, "text": _text, "node_type": _text, "content_type": _text}
        node = _Table(Node, {**texts, "pieces": _list(_text)})
        self._workflow = _Table(
            WorkflowScript,
            {
                "output": lambda value, place: value if isinstance(value, str) else _mapping(value, place),
                "pieces": _list(_text),
                "nodes": _list(node),
                "ask": _Table(
                    Ask,
                    {
                        "question": _text,
                        "type": _whole,
                        "title": _text,
                        "then": self._rest,
                    },
                    "question",
                ),
                **playing,
            },
            "output",
        )

    def scripts(self, value: Any) -> Scripts:
        """The scripts among the values."""
        keys: dict[str, _Read] = {
            "bots": lambda bots, _: _by_id(bots, "bots", self._bot),
            "workflows": lambda workflows, _: _by_id(workflows, "workflows", self._flow),
        }
        given = _keys({} if value is None else value, "the file", keys)
        if not any(given.values()):
            raise _WrongError("there are neither bots nor workflows in it.")
        return Scripts(given.get("bots", {}), given.get("workflows", {}))

    def _bot(self, value: Any, place: str) -> BotScript | None:
        if not isinstance(value, dict):
            return _Bot(self._script(value, place), ())
        table = _mapping(value, place)
        shared = {name: content for name, content in table.items() if name in {"seconds", "pace", "keep_alive"}}
        rules = _list(lambda rule, where: self._rule(rule, where, shared))
        given = _keys(table, place, {**self._script.keys, "when": rules, "published": _truth})
        if not _published(given, place):
            return None
        when = given.pop("when", [])
        return _Bot(_played(given, place), when)

    def _rule(self, value: Any, place: str, shared: Mapping[str, Any]) -> _Rule:
        keys = {"contains": _list(_text, or_one=True), "regex": _pattern, **self._script.keys}
        given = _keys(value, place, keys)
        words, pattern = given.pop("contains", []), given.pop("regex", None)
        if not any(words) and pattern is None:
            raise _WrongError(f"{place} needs 'contains' (a text, or several) or 'regex', else it is never meant.")
        return _Rule(words, pattern, _played({**shared, **given}, place))

    def _flow(self, value: Any, place: str) -> FlowScript | None:
        if not isinstance(value, dict):
            return _Flow(self._workflow(value, place))
        given = _keys(value, place, {**self._workflow.keys, "published": _truth})
        return _Flow(WorkflowScript(**given)) if _published(given, place) else WorkflowScript(published=False)

    def _then(self, value: Any, place: str) -> Script:
        if isinstance(value, dict):
            return _played(_keys(value, place, self._script.keys), place)
        return cast("Script", self._script(value, place))

    def _rest(self, value: Any, place: str) -> WorkflowScript:
        return cast("WorkflowScript", self._workflow(value, place))

    def _answer(self, value: Any, place: str) -> Answer:
        if not isinstance(value, dict):
            return Answer(_text(value, place))
        given = _keys(
            value,
            place,
            {
                "text": _text,
                "reasoning": _text,
                "pieces": _list(_text),
                "content_type": _text,
                "audio": self._audio,
                "card": lambda card, where: to_json(_mapping(card, where)),
            },
        )
        if "card" in given:
            if given.keys() & {"text", "pieces", "content_type"}:
                raise _WrongError(f"{place} is a card or a text, not both: give one of them its own answer.")
            return Answer(given.pop("card"), content_type="card", **given)
        return Answer(**given)

    def _audio(self, value: Any, place: str) -> Sequence[bytes]:
        """A text is spoken as a tone of its length; a file is sent as it is."""
        if not isinstance(value, dict):
            sound = pcm(_text(value, place), SAMPLE_RATE)
        else:
            named = self._folder / _keys(value, place, {"file": _text}).get("file", "")
            try:
                sound = named.read_bytes()
            except OSError as error:
                raise _WrongError(f"{place}.file cannot be read: {named}: {error.strerror}.") from None
        return pieces_of_sound(sound)


def _by_id(value: Any, place: str, read: _Read) -> dict[str, Any]:
    """What stands under ids, which YAML may take for numbers."""
    if not isinstance(value, dict):
        raise _WrongError(f"{place} is a table by id, not {_shown(value)}.")
    found: dict[str, Any] = {}
    for key, content in cast("dict[object, Any]", value).items():
        if not isinstance(key, str | int) or isinstance(key, bool):
            raise _WrongError(f"{place} has {_shown(key)} for an id: put it in quotes.")
        if str(key) in found:
            raise _WrongError(f"{place} has the id {str(key)!r} twice.")
        found[str(key)] = read(content, f"{place}.{key}")
    return found


def _played(given: Mapping[str, Any], place: str) -> Script:
    """What a bot says in one turn, from keys that go together."""
    if "raw" in given:
        beside = [name for name in given if name not in {"raw", "seconds", "pace", "keep_alive"}]
        if beside:
            raise _WrongError(f"{place} has 'raw', which is all that is sent: take out {', '.join(beside)}, or 'raw'.")
    if "then" in given and not given.get("requires"):
        raise _WrongError(
            f"{place} has 'then', which goes on after the outputs of tools, but no 'requires' that asks for any."
        )
    return Script(**given)


def _published(given: dict[str, Any], place: str) -> bool:
    """Whether a bot or a workflow is published; the key is taken out."""
    if given.pop("published", True):
        return True
    if given:
        raise _WrongError(f"{place} is not published, so it does nothing: take out {', '.join(given)}.")
    return False


def _pattern(value: Any, place: str) -> re.Pattern[str]:
    try:
        return re.compile(_text(value, place))
    except re.error as error:
        raise _WrongError(f"{place} is no regular expression: {error}.") from None
