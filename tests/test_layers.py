"""The package's own rules, checked in its source: imports point down, and others' private parts are left alone."""

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import coze_async

ROOT = Path(coze_async.__file__).parent

# From the bottom up. A unit imports from the rows beneath its own only; a folder is one unit.
ROWS: list[set[str]] = [
    {"_codes", "_version"},
    {"_errors", "models", "_logging", "_tally"},
    {"_checks"},
    {
        "_sse",
        "_retry",
        "_limits",
        "_envelope",
        "_encoding",
        "_multipart",
        "_file_types",
        "_pages",
        "_inline_reasoning",
        "_upload_cache",
        "_threads",
        "_file_lock",
    },
    {"_limits_gates", "_redis"},
    {"_limits_redis", "_queue"},
    {"_config", "_token", "_recording", "_masking"},
    {"_wire"},
    {"_exchange", "_open_response", "_token_endpoint", "_token_store", "_recorder"},
    {"_auth", "_replay"},
    {"_oauth", "_jwt", "_session", "_upload"},
    {"_core"},
    {"_oauth_config"},
    {"_stream"},
    {"_chat_stream", "_workflow_stream", "_download"},
    {"_endpoint", "_question", "_polling", "_replies", "_batch"},
    {"resources", "_parcels"},
    {"_client", "_broker"},
    {"_worker", "_producer"},
    {"taskiq"},
    {"__init__"},
    {"cli", "pytest_plugin"},
    {"__main__"},
]
ROW_OF = {unit: number for number, row in enumerate(ROWS) for unit in row}

# Beside the rows: a server of its own, which shares the data and the errors with the client and nothing else.
EMULATOR_USES = {"emulator", "models", "_errors"}

MAY_USE_HTTPX = {"_wire", "_recorder", "_replay"}
# The one place that stands on asyncio itself, and on what httpx's own transport is made of.
THE_FAST_WIRE = "_wire/_fast/"
# Values and plain functions: what has no time and no tasks cannot wait (design, principle 3).
WITHOUT_IO = {
    "_codes",
    "_version",
    "_errors",
    "models",
    "_sse",
    "_retry",
    "_logging",
    "_envelope",
    "_exchange",
    "_config",
    "_multipart",
    "_file_types",
    "_upload_cache",
    "_recording",
    "_masking",
    "_tally",
}


@dataclass(frozen=True)
class Import:
    """One import: the module, the names that are taken out of it, and whether only type checkers see it."""

    module: str
    names: tuple[str, ...]
    for_types: bool


class Source:
    """One module of the package, parsed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.tree = ast.parse(path.read_text(encoding="utf-8"))

    @property
    def name(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def unit(self) -> str:
        """The folder, or the module itself if it lies at the top."""
        return self.path.relative_to(ROOT).with_suffix("").parts[0]

    @cached_property
    def imports(self) -> list[Import]:
        """All imports, also those inside functions."""
        for_types = {
            inner
            for node in ast.walk(self.tree)
            if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
            for statement in node.body
            for inner in ast.walk(statement)
        }
        found: list[Import] = []
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found += [Import(alias.name, (), node in for_types) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = tuple(alias.name for alias in node.names)
                module = ".".join([*self._package(node.level), *([node.module] if node.module else [])])
                found.append(Import(module, names, node in for_types))
        return found

    def _package(self, level: int) -> list[str]:
        """Return the package that so many dots mean; no dots are none."""
        if not level:
            return []
        folder = ["coze_async", *self.path.relative_to(ROOT).parent.parts]
        return folder[: len(folder) - level + 1]

    @property
    def used_units(self) -> set[str]:
        """The units of the package that are really imported."""
        used: set[str] = set()
        for entry in self.imports:
            package, _, rest = entry.module.partition(".")
            if package != "coze_async" or entry.for_types:
                continue
            if rest:
                used.add(rest.partition(".")[0])
            else:
                # `from coze_async import emulator` takes a module, `from coze_async import AsyncCoze` the face.
                used |= {name if name in ROW_OF or name == "emulator" else "__init__" for name in entry.names}
        return used


SOURCES = [Source(path) for path in sorted(ROOT.rglob("*.py"))]
ALL = pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)


def test_every_module_has_its_place_in_the_rows() -> None:
    assert {source.unit for source in SOURCES} == {*ROW_OF, "emulator"} & {source.unit for source in SOURCES}
    assert len(ROW_OF) == sum(map(len, ROWS))


@ALL
def test_imports_point_down(source: Source) -> None:
    if source.unit == "emulator":
        assert source.used_units <= EMULATOR_USES
        return
    # The command line and the fixtures offer the emulator; nothing else knows it.
    used = source.used_units - ({"emulator"} if source.unit in ("cli", "pytest_plugin") else set())
    own = {source.unit} if source.unit in ("models", "resources", "cli", "_wire") else set[str]()
    upwards = {unit for unit in used - own if ROW_OF[unit] >= ROW_OF[source.unit]}
    assert not upwards, f"{source.name} imports {upwards} from its own row or from above"


@ALL
def test_only_anyio_is_used_for_what_waits(source: Source) -> None:
    modules = {entry.module.partition(".")[0] for entry in source.imports}
    assert not modules & (
        {"asyncio", "trio", "sniffio"} - ({"asyncio"} if source.name.startswith(THE_FAST_WIRE) else set())
    )
    if source.unit in WITHOUT_IO:
        assert "anyio" not in modules


@ALL
def test_httpx_is_known_only_where_bytes_leave_and_arrive(source: Source) -> None:
    modules = {entry.module.partition(".")[0] for entry in source.imports if not entry.for_types}
    if source.unit not in MAY_USE_HTTPX and source.path.name != "_transport.py":
        assert "httpx" not in modules
    assert "httpx_sse" not in modules
    if not source.name.startswith(THE_FAST_WIRE):
        assert not modules & {"httpcore", "h11", "httptools"}


@ALL
def test_no_private_module_of_others_is_imported(source: Source) -> None:
    for entry in source.imports:
        if not entry.module.startswith(("coze_async", "__future__")):
            assert not any(part.startswith("_") for part in (*entry.module.split("."), *entry.names)), entry


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def private_names_of(tree: ast.Module) -> Iterator[str]:
    """Yield the private names that a module gives to its own things."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id == "self":
                yield node.attr
        elif isinstance(node, ast.alias):
            yield node.asname or node.name


OWN_PRIVATE_NAMES = {name for source in SOURCES for name in private_names_of(source.tree) if is_private(name)}


@ALL
def test_every_private_attribute_that_is_used_is_our_own(source: Source) -> None:
    """What begins with an underscore in httpx or anyio may change with any release."""
    used = {node.attr for node in ast.walk(source.tree) if isinstance(node, ast.Attribute) and is_private(node.attr)}
    # The underscore of `_replace` keeps it apart from the fields of a named tuple; it is public.
    assert used <= OWN_PRIVATE_NAMES | {"_replace"}


def public_definitions(
    body: list[ast.stmt], prefix: str = ""
) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef]]:
    """Yield the public classes, functions and methods, with their full names."""
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield f"{prefix}{node.name}", node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{prefix}{node.name}.")


def overrides(source: Source, name: str) -> bool:
    """True for a method that a class above declares too."""
    kind, _, method = name.partition(".")
    module = importlib.import_module(f"coze_async.{source.name.removesuffix('.py').replace('/', '.')}")
    return bool(method) and any(method in vars(base) for base in getattr(module, kind).__mro__[1:])


def is_overload(node: ast.AST) -> bool:
    """True for one of several signatures; the definition after them is the one that is described."""
    return any(isinstance(name, ast.Name) and name.id == "overload" for name in getattr(node, "decorator_list", []))


@ALL
def test_everything_that_is_public_says_what_it_is_for(source: Source) -> None:
    assert ast.get_docstring(source.tree), "the module"
    for name, node in public_definitions(source.tree.body):
        docstring = ast.get_docstring(node)
        if docstring is None and (overrides(source, name) or is_overload(node)):
            # It is described where it was declared.
            continue
        assert docstring, f"{name} says nothing"
        assert docstring.partition("\n")[0].endswith((".", ":", "…")), f"{name} has no sentence in its first line"


@ALL
def test_no_workplace_is_left_in_the_source(source: Source) -> None:
    """Only what every reader can look up is named."""
    text = source.path.read_text(encoding="utf-8")
    assert "TODO" not in text
    assert "NotImplementedError" not in text


def test_the_rules_see_what_they_are_for(tmp_path: Path) -> None:
    """A test that reads source is worth what it finds: here it must find everything."""
    path = tmp_path / "bad.py"
    path.write_text(
        "import coze_async.resources.chat\n"
        "from coze_async import AsyncCoze, emulator\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import httpx\n    from coze_async._client import AsyncCoze\n"
        "def late():\n    from coze_async._core import Core\n    return response._transport_stream\n",
        encoding="utf-8",
    )
    source = Source(path)
    assert source.used_units == {"resources", "__init__", "emulator", "_core"}
    assert [entry.module for entry in source.imports if entry.for_types] == ["httpx", "coze_async._client"]
    assert [name for name, node in public_definitions(source.tree.body) if not ast.get_docstring(node)] == ["late"]
    assert "_transport_stream" not in OWN_PRIVATE_NAMES
