"""`salescycle` as a person runs it: real processes on a folder of their own."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import psutil

from embedded import processes
from embedded.homes import home_for
from embedded.postgres import Postgres
from embedded.programs import programs_for

ROOT = Path(__file__).resolve().parent.parent.parent
SECONDS = 120.0
GIVEN = ("DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "SECRET_KEY", "DATA_DIR", "PUBLIC_URL")
ADDRESS = re.compile(r" at (http://\S+)/graphql")


def salescycle(*arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """Start a command with nothing of our own settings in its environment."""
    clean = {name: value for name, value in os.environ.items() if name not in GIVEN}
    return subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *arguments],
        env=clean | (env or {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd="/",
    )


def refused(*arguments: str, env: dict[str, str] | None = None) -> str:
    """Return the one sentence of a command that must not work."""
    process = salescycle(*arguments, env=env)
    output, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 1, output
    assert "Traceback" not in output, output
    last = output.strip().splitlines()[-1]
    assert last.startswith("salescycle: "), output
    return last


@dataclass
class Up:
    """A running `salescycle up`."""

    folder: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        self.lines.extend(line.rstrip("\n") for line in iter(self.process.stdout.readline, ""))

    @property
    def output(self) -> str:
        return "\n".join(self.lines)

    @property
    def address(self) -> str:
        match = ADDRESS.search(self.output)
        assert match, self.output
        return match.group(1)

    def ready(self) -> "Up":
        """Wait until it says where it answers."""
        until(lambda: ADDRESS.search(self.output) or self.process.poll() is not None, self)
        assert self.process.poll() is None, self.output
        return self

    def says(self, text: str) -> None:
        until(lambda: text in self.output, self)

    def answers(self) -> bool:
        """Tell whether the API, PostgreSQL and Redis answer."""
        try:
            with urllib.request.urlopen(f"{self.address}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def graphql(self, document: str) -> Any:
        request = urllib.request.Request(
            f"{self.address}/graphql",
            data=json.dumps({"query": document}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def child(self, name: str) -> psutil.Process:
        """Return the one process of a kind: postgres, valkey-server, serve, relay or worker."""
        found = [process for process in mine(self.folder) if name in kind(process)]
        assert len(found) == 1, (name, found, self.output)
        return found[0]

    def kill(self, name: str) -> psutil.Process:
        process = self.child(name)
        process.kill()
        return process

    def replaced(self, old: psutil.Process, name: str) -> psutil.Process:
        """Wait until another process of this kind runs."""

        def others() -> list[psutil.Process]:
            return [process for process in mine(self.folder) if name in kind(process) and process != old]

        until(lambda: len(others()) == 1, self)
        return others()[0]

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code once all it said has been read."""
        self.process.send_signal(number)
        code = self.process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    async def fetch(self, sql: str) -> object:
        """Ask the embedded database directly."""
        connection = await asyncpg.connect(database_of(self.folder))
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()


def until(condition: Callable[[], object], running: Up) -> None:
    """Wait for something to become true, for long enough on a busy machine."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, running.output
        time.sleep(0.05)


def mine(folder: Path) -> list[psutil.Process]:
    """Return all processes, other than `up` itself, that belong to a folder."""
    return processes.find(lambda argv: any(part.startswith(str(folder)) for part in argv) and "up" not in argv)


def kind(process: psutil.Process) -> list[str]:
    try:
        return [Path(part).name for part in process.cmdline()]
    except psutil.NoSuchProcess:
        return []


def database_of(folder: Path) -> str:
    home = home_for(folder)
    return Postgres(home, programs_for(home.account)).url
