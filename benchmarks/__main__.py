"""`python -m benchmarks`: measure, print the table, write the JSON."""

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.peers import PEERS
from benchmarks.progress import progress
from benchmarks.report import as_json, as_table
from benchmarks.suite import FULL, QUICK, SCENARIOS, BenchmarkError, missing_peers, run

_RESULTS = Path(__file__).resolve().parent / "results"
_ROUNDS = {"quick": 9, "full": 31}


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too few: give 1 or more")
    return number


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="CPU per streamed event and per call of this library, of its peers, and of the floor.",
        epilog="The table goes to stdout, the JSON to a file in benchmarks/results, or where --out says.",
    )
    parser.add_argument("--full", action="store_true", help="more and longer rounds: minutes instead of seconds")
    parser.add_argument("--rounds", type=_positive, help="turns of each peer in each scenario (9, with --full 31)")
    parser.add_argument("--events", type=_positive, help="deltas of each stream, instead of the scenario's own")
    parser.add_argument("--repeat", type=_positive, help="streams or calls in each turn, instead of the scenario's own")
    parser.add_argument("--scenario", choices=SCENARIOS, action="append", help="only this one; may be repeated")
    parser.add_argument("--peer", choices=PEERS, action="append", help="only this one; may be repeated")
    parser.add_argument("--out", type=Path, help="the JSON file to write")
    return parser.parse_args()


def main() -> int:
    """Run the suite; 0 if every peer brought what the server sent."""
    arguments = _arguments()
    mode = "full" if arguments.full else "quick"
    plan = FULL if arguments.full else QUICK
    rounds: int = arguments.rounds or _ROUNDS[mode]
    scenarios = [plan[name] for name in arguments.scenario or SCENARIOS]
    if arguments.events:
        scenarios = [replace(s, deltas=arguments.events) if s.deltas else s for s in scenarios]
    if arguments.repeat:
        scenarios = [replace(s, repeat=arguments.repeat) for s in scenarios]
    wanted = [name for name in PEERS if not arguments.peer or name in arguments.peer]
    missing = missing_peers(wanted)
    for name, module in missing.items():
        print(f"{name} is left out: there is no module {module!r} here.", file=sys.stderr)
    peers = [name for name in wanted if name not in missing]
    if not peers:
        print("There is nobody left to measure.", file=sys.stderr)
        return 1
    try:
        with progress() as tell:
            outcomes = run(scenarios, peers, rounds, tell)
    except BenchmarkError as error:
        print(f"The benchmark failed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    results = as_json(outcomes, mode=mode, rounds=rounds, missing=missing)
    out: Path = arguments.out or _RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{mode}.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(results, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
    print(as_table(results))
    print(f"\nAll of it: {out}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
