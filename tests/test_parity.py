"""The table of what the official SDK has against what we have: written by a script, up to date, and without a hole."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coze_async.resources import all_endpoints

ROOT = Path(__file__).parent.parent
FACTS: dict[str, Any] = json.loads((ROOT / "scripts/parity.json").read_text("utf-8"))


def parity(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script that stands in a root."""
    command = [sys.executable, str(root / "scripts/parity.py"), *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The script and its facts in a root of their own."""
    (tmp_path / "scripts").mkdir()
    for name in ("parity.py", "parity.json"):
        (tmp_path / "scripts" / name).write_bytes((ROOT / "scripts" / name).read_bytes())
    return tmp_path


def test_the_table_is_up_to_date_and_has_no_hole() -> None:
    done = parity(ROOT, "--check")
    assert (done.returncode, done.stderr) == (0, "")


def test_the_table_has_a_row_for_every_endpoint_in_scope() -> None:
    text = (ROOT / "docs/parity.md").read_text("utf-8")
    rows = re.findall(r"^\| (`.*`|–) \| `coze\.([\w.]+)` \| `(\w+ \S+)` \|$", text, re.MULTILINE)
    # 129 methods in the SDKs, the pages and the seeds, and the history of runs on Coze Studio.
    assert len(rows) == len(FACTS["endpoints"]) == 130
    assert {route for *_, route in rows} == {f"{e.method} {e.path}" for e in all_endpoints()}
    assert len({ours for _, ours, _ in rows}) == 130


def test_every_method_of_the_official_sdk_is_in_the_table() -> None:
    official = {method for facts in FACTS["endpoints"].values() for method in facts["cozepy"]}
    text = (ROOT / "docs/parity.md").read_text("utf-8")
    assert len(official) == 102
    assert all(f"`{method}`" in text for method in official)


def test_a_method_that_we_lack_is_named(copy: Path) -> None:
    facts = json.loads((copy / "scripts/parity.json").read_text("utf-8"))
    facts["endpoints"]["bots.teach"] = {"http": "POST /v1/bots/teach", "cozepy": []}
    # Our method is there and calls something else.
    facts["endpoints"]["bots.retrieve"]["http"] = "GET /v9/bots/{bot_id}"
    (copy / "scripts/parity.json").write_text(json.dumps(facts))
    done = parity(copy)
    assert done.returncode == 1
    assert "Not in coze_async: bots.retrieve, bots.teach" in done.stderr


def test_a_table_that_is_old_is_found_out_and_written_anew(copy: Path) -> None:
    assert "run python scripts/parity.py" in parity(copy, "--check").stderr
    assert parity(copy).returncode == 0
    assert parity(copy, "--check").returncode == 0
    assert (copy / "docs/parity.md").read_bytes() == (ROOT / "docs/parity.md").read_bytes()
