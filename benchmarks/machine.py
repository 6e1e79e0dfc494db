"""What the machine is, and what a process takes of it."""

import importlib.metadata
import os
import platform
from pathlib import Path
from typing import Any

__all__ = ["cpu_name", "describe", "has_memory_figures", "open_many_files", "peak", "reset_peak", "resident", "version"]

_PACKAGES = (
    "coze_async",
    "cozepy",
    "httpx",
    "httpcore",
    "h11",
    "httpx-sse",
    "httptools",
    "aiohttp",
    "anyio",
    "pydantic",
    "pydantic-core",
)
_STATUS = Path("/proc/self/status")


def describe() -> dict[str, Any]:
    """Return what the numbers depend on beyond the code."""
    return {
        "python": platform.python_version(),
        "implementation": platform.python_implementation(),
        "system": platform.platform(),
        "cpu": cpu_name(),
        "cores": os.cpu_count(),
        "versions": {name: found for name in _PACKAGES if (found := version(name))},
    }


def cpu_name() -> str:
    """Return what the processor calls itself."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def version(name: str) -> str | None:
    """Return the version of a package, None if it is not here."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        if name != "coze_async":
            return None
        from coze_async import __version__

        return __version__


def open_many_files() -> None:
    """Let this process have as many connections as the system allows it: the usual limit is 1024 or 256."""
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        most = 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, most), hard))


def has_memory_figures() -> bool:
    """True where a process can see what memory it has, and what it had at most: on Linux."""
    return _STATUS.exists()


def resident() -> int:
    """Return the memory of this process that is in RAM, in bytes."""
    return _status("VmRSS")


def peak() -> int:
    """Return the most that it was since the start, or since `reset_peak`, in bytes."""
    return _status("VmHWM")


def reset_peak() -> None:
    """Begin anew to look for the peak, where the system has that."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        # Then the peak of the process counts: turns of the same scenario follow each other, and it is the same.
        return


def _status(name: str) -> int:
    for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key == name:
            return int(value.split()[0]) * 1024
    raise LookupError(f"{_STATUS} has no {name}")
