"""A Redis server of the tests' own, and other processes that share it."""

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis

HERE = Path(__file__).parent
BINARY = shutil.which("redis-server")


def free_port() -> int:
    """Return a port that is free, and so is the one for the bus of a cluster, ten thousand above."""
    while True:
        port = random.randint(20_000, 50_000)
        with suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10_000))
            return port


class RedisServer:
    """A server on a socket of its own that keeps nothing; it can be stopped and started again.

    Attributes:
        port: Where a cluster of this one server listens; None if it is none.
    """

    def __init__(self, *, is_cluster: bool = False) -> None:
        self.port = free_port() if is_cluster else None
        # The path of a socket must be short.
        self._folder = tempfile.mkdtemp(prefix="coze-redis-")
        self.socket = f"{self._folder}/socket"
        self.url = f"unix://{self.socket}"
        self.client: Any = redis.Redis(unix_socket_path=self.socket)
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert BINARY is not None, "redis-server is not installed."
        options = ["--port", str(self.port or 0), "--bind", "127.0.0.1", "--unixsocket", self.socket]
        options += ["--save", "", "--appendonly", "no", "--dir", self._folder]
        if self.port:
            options += ["--cluster-enabled", "yes"]
        self._process = subprocess.Popen([BINARY, *options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if "eady to accept connections" in line:
                if self.port:
                    self._found_cluster()
                return
        raise AssertionError("redis-server did not start.")

    def _found_cluster(self) -> None:
        self.client.execute_command("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while b"cluster_state:ok" not in self.client.execute_command("CLUSTER", "INFO"):
            time.sleep(0.01)

    def stop(self) -> None:
        """End it; what it had counted is gone."""
        process, self._process = self._process, None
        if process is not None and process.stdout is not None:
            process.kill()
            process.wait()
            process.stdout.close()

    def pause(self) -> None:
        """Let it hang: connections stay, answers do not come."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGCONT)

    def close(self) -> None:
        """End it and remove its traces."""
        self.client.close()
        self.stop()
        shutil.rmtree(self._folder)


class Worker:
    """Another process that uses a limiter; see `redis_worker.py` for what it can do."""

    def __init__(self, job: str, **options: Any) -> None:
        command = [sys.executable, str(HERE / "redis_worker.py"), json.dumps({"job": job, **options})]
        environment = {**os.environ, "PYTHONPATH": str(HERE.parent)}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def hear(self) -> Any:
        """Return what it says next."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"The worker ended with {self.process.wait()}."
        return json.loads(line)

    def go(self) -> None:
        """Let it begin."""
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()


@contextmanager
def workers(number: int, job: str, **options: Any) -> Generator[list[Worker]]:
    """Start so many processes that are ready to begin together; end them in any case."""
    started = [Worker(job, number=each, **options) for each in range(number)]
    try:
        for worker in started:
            assert worker.hear() == "ready"
        for worker in started:
            worker.go()
        yield started
    finally:
        for worker in started:
            worker.process.kill()
            worker.process.wait()
            for stream in (worker.process.stdin, worker.process.stdout):
                if stream is not None:
                    stream.close()
