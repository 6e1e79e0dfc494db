"""Nothing is left of thousands of requests; `python -m benchmarks.leaks` tries a hundred thousand."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="what a process holds is read from /proc")
@pytest.mark.parametrize("options", [[], ["--tls"]], ids=["plain", "tls"])
def test_no_task_no_socket_and_no_object_is_left_of_four_thousand_requests(options: list[str]) -> None:
    if options:
        pytest.importorskip("cryptography")
    command = [sys.executable, "-m", "benchmarks.leaks", "--requests", "4000", *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
