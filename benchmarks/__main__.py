"""`python -m benchmarks`: measure, print the tables, write the JSON; or draw a JSON that is there."""

import argparse
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.peers import PEERS, missing_peers
from benchmarks.progress import progress
from benchmarks.report import as_json, as_table
from benchmarks.scenarios import FULL, QUICK, SCENARIOS, Scenario
from benchmarks.suite import BenchmarkError, Outcome, run

_ROOT = Path(__file__).resolve().parent.parent
_RESULTS = _ROOT / "benchmarks" / "results"
_ROUNDS = {"quick": 3, "full": 15}


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few: give 1 or more")
    return number


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="What a streamed event, a call, a thousand chats at once, and starting cost: CPU, time and memory "
        "of this library, of its peers, and of the floor.",
        epilog="The tables go to stdout, the JSON to a file in benchmarks/results, or where --out says.",
    )
    parser.add_argument("--full", action="store_true", help="everything, with more and longer rounds")
    parser.add_argument("--rounds", type=_positive, help="turns of each peer in each scenario (3, with --full 15)")
    parser.add_argument("--events", type=_positive, help="deltas of each stream, instead of the scenario's own")
    parser.add_argument("--repeat", type=_positive, help="streams or calls in each turn, instead of the scenario's own")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", metavar="NAME", help="only this one; may be "
                        f"repeated: {', '.join(SCENARIOS)}")  # fmt: skip
    parser.add_argument("--peer", choices=PEERS, action="append", help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="measure nothing: draw this JSON into "
                        "docs/benchmarks, with its tables, and put them into README.md")  # fmt: skip
    return parser.parse_args()


def _chosen(arguments: argparse.Namespace) -> list[Scenario]:
    plan = FULL if arguments.full else QUICK
    # Who names a scenario wants it, also if a quick run leaves it out.
    scenarios = [plan.get(name) or FULL[name] for name in arguments.scenario or plan]
    if arguments.events:
        scenarios = [_with_deltas(scenario, arguments.events) for scenario in scenarios]
    if arguments.repeat:
        scenarios = [replace(scenario, repeat=arguments.repeat) for scenario in scenarios]
    return scenarios


def _with_deltas(scenario: Scenario, deltas: int) -> Scenario:
    if not scenario.deltas or scenario.kind == "start":
        return scenario
    return replace(scenario, deltas=deltas, path=f"{scenario.path.partition('/')[0]}/{deltas}")


def _draw(file: Path) -> int:
    from benchmarks.plot import publish

    try:
        results: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        if results.get("schema") != 2:
            raise ValueError(f"it has the schema {results.get('schema')!r}, and this is for 2: measure again")
        written = publish(results, _ROOT)
    except (OSError, ValueError, ImportError) as error:
        print(f"{file} cannot be drawn: {error}", file=sys.stderr)
        return 1
    print(*(path.relative_to(_ROOT) for path in written), sep="\n")
    return 0


def main() -> int:
    """Run the suite; 0 if every peer brought what the server sent."""
    arguments = _arguments()
    if arguments.plot:
        return _draw(arguments.plot)
    mode = "full" if arguments.full else "quick"
    rounds: int = arguments.rounds or _ROUNDS[mode]
    scenarios = _chosen(arguments)
    wanted = [name for name in PEERS if not arguments.peer or name in arguments.peer]
    missing = missing_peers(wanted)
    for name, module in missing.items():
        print(f"{name} is left out: there is no module {module!r} here.", file=sys.stderr)
    peers = [name for name in wanted if name not in missing]
    if not peers:
        print("There is nobody left to measure.", file=sys.stderr)
        return 1
    begun = time.monotonic()
    outcomes: list[Outcome] = []
    status = 0
    try:
        with progress() as tell:
            outcomes.extend(run(scenarios, peers, rounds, tell))
    except BenchmarkError as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        status = 1
    except KeyboardInterrupt:
        status = 130
    if not outcomes:
        return status
    # What was measured before something went wrong may have taken half an hour.
    results = as_json(outcomes, mode=mode, rounds=rounds, missing=missing, complete=not status)
    out: Path = arguments.out or _RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{mode}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(as_table(results))
    left = [name for name in SCENARIOS if name not in QUICK]
    if not arguments.full and not arguments.scenario and not status:
        print(f"\nA quick run leaves out, and does the rest more briefly: {', '.join(left)}.")
        print("scripts/bench --full measures everything.")
    print(f"\nIt took {(time.monotonic() - begun) / 60:.1f} minutes. All of it: {out}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
