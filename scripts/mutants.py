"""Put random faults into modules, one at a time, and see whether the tests notice: `python scripts/mutants.py --help`.

Each mutant is one small change of the syntax tree: a comparison, a constant, an operator, a condition, a statement left
out. It is tried in a copy of the checkout, so that the checkout itself is never changed. What survives is printed: each
is a test that is missing, or a line that changes nothing.
"""

import argparse
import ast
import concurrent.futures
import copy
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# The wire, and what reads streams and decides on retries.
MODULES = (
    "_core.py",
    "_open_response.py",
    "_retry.py",
    "_sse.py",
    "_stream.py",
    "_chat_stream.py",
    "_workflow_stream.py",
    "_download.py",
    "_token_endpoint.py",
    "_wire",
)
# The quickest and nearest first: the first failure ends a run.
TESTS = (
    "tests/test_sse.py",
    "tests/test_chat_stream.py",
    "tests/test_retry.py",
    "tests/test_core.py",
    "tests/fast",
    "tests/test_wires.py",
    "tests/test_stream.py",
    "tests/test_refused_streams.py",
    "tests/test_download.py",
    "tests/test_busy_conversations.py",
    "tests/test_client.py",
    "tests/test_oauth.py",
    "tests/test_upload.py",
    "tests/test_errors.py",
    "tests/resources",
)
# Where the tests of a module are, if not in a file of its name.
NEAREST = {
    "_wire/_fast": ("tests/fast/test_connection.py", "tests/fast"),
    "_wire/": ("tests/test_wires.py", "tests/test_core.py"),
    "_token_endpoint": ("tests/test_oauth.py",),
    "_open_response": ("tests/test_stream.py",),
    "_chat_stream": ("tests/test_chat_stream.py", "tests/test_stream.py"),
    "_limits_gates": ("tests/test_limits_gates.py", "tests/test_limits.py"),
    "_limits": ("tests/test_limits.py", "tests/test_waits.py"),
    "_batch": ("tests/test_batch.py", "tests/resources/test_batches.py"),
    "_workflow_stream": ("tests/test_stream.py", "tests/resources/test_workflows.py"),
}
_COMPARISONS: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_OPERATORS: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.RShift: ast.LShift,
}


def _mutant(tree: ast.Module, number: int, kind: int) -> ast.Module | None:
    """Return the tree with one kind of fault in one of its nodes; None if that cannot be."""
    changed = copy.deepcopy(tree)
    node = [*ast.walk(changed)][number]
    return ast.fix_missing_locations(changed) if _change(node, kind) else None


def _change(node: ast.AST, kind: int) -> bool:
    """Put a fault into a node; False if this kind of fault does not exist for it."""
    if kind == 1:
        return _leave_out(node)
    match node:
        case ast.Compare(ops=[operator]) if type(operator) in _COMPARISONS:
            node.ops = [_COMPARISONS[type(operator)]()]
        case ast.BoolOp(op=operator):
            node.op = ast.And() if isinstance(operator, ast.Or) else ast.Or()
        case ast.BinOp(op=operator) if type(operator) in _OPERATORS:
            node.op = _OPERATORS[type(operator)]()
        case ast.Constant(value=bool()):
            node.value = not node.value
        case ast.Constant(value=int() | float()):
            node.value = node.value + 1
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            node.op, node.operand = ast.Not(), ast.UnaryOp(ast.Not(), operand)
        case ast.If(test=test) | ast.While(test=test):
            node.test = ast.UnaryOp(ast.Not(), test)
        case _:
            return False
    return True


def _leave_out(node: ast.AST) -> bool:
    """Leave the first statement of a block out that does something and is no definition."""
    body = getattr(node, "body", None)
    if not isinstance(body, list) or isinstance(node, ast.Module | ast.ClassDef):
        return False
    for number, statement in enumerate(body):
        does_nothing = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not does_nothing and isinstance(statement, ast.Expr | ast.Assign | ast.AugAssign | ast.Return | ast.Raise):
            body[number] = ast.Pass()
            return True
        if not does_nothing:
            return False
    return False


def _pick(count: int, seed: int, names: list[str]) -> list[tuple[Path, str, int]]:
    """Return random mutants: the file, its new text and the line of the fault."""
    files: list[Path] = []
    for name in names:
        place = ROOT / "coze_async" / name
        files += sorted(place.rglob("*.py")) if place.is_dir() else [place]
    trees = {file: ast.parse(file.read_text(encoding="utf-8")) for file in files}
    places = [
        (file, number, kind)
        for file, tree in trees.items()
        for number, _ in enumerate(ast.walk(tree))
        for kind in range(2)
    ]
    random.Random(seed).shuffle(places)
    found: list[tuple[Path, str, int]] = []
    for file, number, kind in places:
        tree = trees[file]
        mutant = _mutant(tree, number, kind)
        text = "" if mutant is None else ast.unparse(mutant)
        if text and text != ast.unparse(tree):
            line = getattr([*ast.walk(tree)][number], "lineno", 0)
            found.append((file.relative_to(ROOT), text, line))
        if len(found) == count:
            break
    return found


def _tests_for(file: Path) -> list[str]:
    """Return the tests in the order in which they are likely to notice a fault in a file."""
    own = f"tests/test{file.stem}.py"
    near = next((tests for name, tests in NEAREST.items() if f"coze_async/{name}" in file.as_posix()), (own,))
    return [*dict.fromkeys([*near, *TESTS])]


def _try(place: Path, mutant: tuple[Path, str, int], limit: float) -> str:
    """Return "killed" or "survived"; a run that takes too long has noticed the fault by hanging."""
    file, text, _ = mutant
    target = place / file
    before = target.read_text(encoding="utf-8")
    target.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *_tests_for(file)]
    try:
        done = subprocess.run(command, cwd=place, capture_output=True, timeout=limit, check=False)
    except subprocess.TimeoutExpired:
        return "killed"
    finally:
        target.write_text(before, encoding="utf-8")
    return "killed" if done.returncode else "survived"


def main() -> int:
    """Try the mutants; 1 if too many survive."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("modules", nargs="*", default=[*MODULES], help="files or folders below coze_async/")
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--skip", type=int, default=0, help="so many of them were tried before")
    parser.add_argument("--at-once", type=int, default=2)
    parser.add_argument("--limit", type=float, default=150.0, help="seconds for one mutant")
    parser.add_argument("--goal", type=float, default=0.95, help="the part that has to be killed")
    arguments = parser.parse_args()
    mutants = _pick(arguments.count, arguments.seed, arguments.modules)[arguments.skip :]
    began, killed = time.monotonic(), 0
    with tempfile.TemporaryDirectory() as folder:
        places = [Path(folder) / str(number) for number in range(arguments.at_once)]
        for place in places:
            shutil.copytree(ROOT, place, ignore=shutil.ignore_patterns(".git", ".venv", "__pycache__", "results"))
        free = [*places]

        def attempt(mutant: tuple[Path, str, int]) -> tuple[tuple[Path, str, int], str]:
            place = free.pop()
            try:
                return mutant, _try(place, mutant, arguments.limit)
            finally:
                free.append(place)

        with concurrent.futures.ThreadPoolExecutor(arguments.at_once) as threads:
            for number, (mutant, outcome) in enumerate(threads.map(attempt, mutants), 1 + arguments.skip):
                killed += outcome == "killed"
                minutes = (time.monotonic() - began) / 60
                print(
                    f"{number}/{len(mutants) + arguments.skip} {outcome} {mutant[0]}:{mutant[2]} ({minutes:.1f} min)",
                    flush=True,
                )
                if outcome == "survived":
                    before = ast.unparse(ast.parse((ROOT / mutant[0]).read_text(encoding="utf-8"))).splitlines()
                    changed = [(a, b) for a, b in zip(before, mutant[1].splitlines(), strict=False) if a != b]
                    for a, b in changed[:1]:
                        print(f"    - {a.strip()}\n    + {b.strip()}", flush=True)
    print(f"{killed} of {len(mutants)} killed: {killed / len(mutants):.1%}")
    return 0 if killed >= arguments.goal * len(mutants) else 1


if __name__ == "__main__":
    sys.exit(main())
