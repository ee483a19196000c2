"""Which core does what: contenders take turns on one, everything that they all need shares the other."""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import psutil

AVAILABLE = sorted(os.sched_getaffinity(0))
SERVER, OTHERS = AVAILABLE[0], AVAILABLE[-1]


def pin(pid: int, core: int) -> None:
    """Keep every thread of a process on one core; what it starts later stays there too."""
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {core})


def tree(pid: int) -> list[int]:
    """Return a process and all that it has started."""
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


def snapshot(pids: Iterable[int]) -> dict[int, int]:
    """Return the nanoseconds of CPU that each process has used."""
    return {pid: _ran(pid) for pid in pids}


def used_since(before: Mapping[int, int], pids: Iterable[int]) -> float:
    """Return the seconds of CPU that processes have used since; what has ended meanwhile is not counted."""
    return sum(max(ran - before.get(pid, 0), 0) for pid, ran in snapshot(pids).items()) / 1e9


def _ran(pid: int) -> int:
    total = 0
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            total += int((thread / "schedstat").read_bytes().split()[0])
    return total
