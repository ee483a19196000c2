"""What benchmarks have in common: Salescycle started as `make run` does, a client that costs little, and figures."""

import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

ROOT = Path(__file__).resolve().parent.parent
STARTED = re.compile(r"GraphQL at (http://\S+)/graphql")
OUTSIDE = ("DATABASE_URL", "DATABASE_DIRECT_URL", "REDIS_URL", "DATA_DIR")


@dataclass(frozen=True)
class House:
    """A running Salescycle."""

    address: str
    process: "subprocess.Popen[str]"
    folder: Path

    def cpu(self) -> dict[str, float]:
        """Return the seconds of CPU that each part has used: api, relay, worker, postgres, valkey."""
        used: dict[str, float] = {}
        for process in psutil.Process(self.process.pid).children(recursive=True):
            with suppress(psutil.Error):
                part, times = _part(process), process.cpu_times()
                used[part] = used.get(part, 0.0) + times.user + times.system
        return used


def _part(process: psutil.Process) -> str:
    line = process.cmdline()
    name = next((part for part in ("serve", "relay", "worker") if part in line), "")
    named = {"serve": "api", "": "valkey" if "valkey" in process.name() else "postgres"}
    return named.get(name, name)


def environment() -> dict[str, str]:
    """Return the environment of a house on servers of its own."""
    return {name: value for name, value in os.environ.items() if name not in OUTSIDE} | {"LOG_LEVEL": "ERROR"}


def command(*arguments: str | Path) -> list[str]:
    """Return a command line of salescycle."""
    return [sys.executable, str(ROOT / "cli.py"), *map(str, arguments)]


def start(folder: Path) -> "subprocess.Popen[str]":
    """Start `salescycle up` on a free port."""
    return subprocess.Popen(
        command("up", "--port", "0", "--data-dir", folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment(),
    )


def address(process: "subprocess.Popen[str]") -> str:
    """Wait until `up` says where it answers."""
    assert process.stdout
    said = []
    for line in process.stdout:
        said.append(line)
        if found := STARTED.search(line):
            return found[1]
    raise SystemExit(f"Salescycle did not start:\n{''.join(said)}")


def stop(process: "subprocess.Popen[str]") -> None:
    """End `up` and everything that it started."""
    process.terminate()
    try:
        process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextmanager
def house(folder: Path) -> Iterator[House]:
    """Give a Salescycle that runs on a folder, ended afterwards."""
    process = start(folder)
    try:
        yield House(address(process), process, folder)
    finally:
        stop(process)


@contextmanager
def some_folder(given: Path | None) -> Iterator[Path]:
    """Give the data folder asked for, or one that is gone afterwards."""
    if given is not None:
        given.mkdir(parents=True, exist_ok=True)
        given.chmod(0o711)
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="sc-bench-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o711)
        yield Path(name)


class Client:
    """One connection that is kept alive; the least of an HTTP client, so that its cost is not the server's."""

    def __init__(self, address: str, token: str = "") -> None:
        parts = urlsplit(address)
        assert parts.hostname and parts.port
        self._host, self._port = parts.hostname, parts.port
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        self._head = (
            f"POST /graphql HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Type: application/json\r\n"
            f"Accept: application/json\r\n{authorization}Content-Length: "
        )
        self._reader: asyncio.StreamReader | None = None

    async def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        """Send an operation; return its data. Raises AssertionError with the errors."""
        if self._reader is None:
            self._reader, self._writer = await asyncio.open_connection(self._host, self._port)
        body = json.dumps({"query": query, "variables": variables}).encode()
        self._writer.write(f"{self._head}{len(body)}\r\n\r\n".encode() + body)
        head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.split(b"content-length:", 1)[1].split(b"\r\n", 1)[0])
        answer = json.loads(await self._reader.readexactly(size))
        assert "errors" not in answer, answer["errors"]
        return answer["data"]  # type: ignore[no-any-return]

    def close(self) -> None:
        if self._reader is not None:
            self._writer.close()


def told(name: str, figure: float | int, unit: str) -> None:
    """Print a figure."""
    shown = f"{figure:,.0f}".replace(",", "") if isinstance(figure, int) or figure >= 1000 else f"{figure:.3g}"
    print(f"{name} {shown} {unit}", flush=True)


def told_times(name: str, seconds: Sequence[float]) -> None:
    """Print the median and the 99th percentile of times."""
    ordered = sorted(seconds)
    told(f"{name}_median", statistics.median(ordered) * 1000, "ms")
    told(f"{name}_p99", ordered[min(int(len(ordered) * 0.99), len(ordered) - 1)] * 1000, "ms")
