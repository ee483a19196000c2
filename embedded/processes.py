"""Start, find and end operating system processes without ever touching somebody else's.

A process is ours when its command line names our folder; psutil then compares pid and start time before it
sends a signal, so a pid that the system has given to another program is never hit.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import psutil

from embedded.accounts import Account

POLL_SECONDS = 0.02
LOG_BYTES = 10_000_000
PR_SET_PDEATHSIG = 1

Matcher = Callable[[Sequence[str]], bool]


def spawn(
    argv: Sequence[str | Path],
    *,
    log: Path | None = None,
    account: Account | None = None,
    env: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    dies_with_parent: signal.Signals | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that Ctrl-C in the terminal does not reach it.

    `log` takes its output, else it goes where ours goes. `dies_with_parent` is the signal that the kernel
    sends it when this process ends in whatever way (Linux only).
    """
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600) if log else None
    try:
        return subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=env,
            pass_fds=tuple(pass_fds),
            start_new_session=True,
            preexec_fn=_death_signal(dies_with_parent) if dies_with_parent else None,
            **(account.popen_arguments() if account else {}),
        )
    finally:
        if output is not None:
            os.close(output)


def find(matches: Matcher) -> list[psutil.Process]:
    """Return the living processes whose command line `matches`."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        argv = process.info["cmdline"]
        if argv and process.pid != os.getpid() and matches(argv):
            found.append(process)
    return found


def working_in(folder: Path, *, name: str) -> list[psutil.Process]:
    """Return the living processes of a program that stand in `folder`."""
    found = []
    for process in psutil.process_iter(["name", "cwd"]):
        if process.info["name"] == name and process.info["cwd"] == str(folder):
            found.append(process)
    return found


async def end(
    processes: Iterable[psutil.Process], *, steps: Sequence[tuple[signal.Signals, float]]
) -> list[psutil.Process]:
    """Send each signal in turn, waiting its number of seconds, until none lives; return who still does."""
    alive = list(processes)
    for number, seconds in steps:
        for process in alive:
            _send(process, number)
        deadline = time.monotonic() + seconds
        while (alive := [process for process in alive if _lives(process)]) and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        if not alive:
            break
    return alive


async def end_child(child: subprocess.Popen[bytes], *, steps: Sequence[tuple[signal.Signals, float]]) -> None:
    """End a child of this process by the signals in turn, and reap it."""
    for number, seconds in steps:
        if child.poll() is not None:
            return
        _send(psutil.Process(child.pid), number)
        deadline = time.monotonic() + seconds
        while child.poll() is None and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)


async def exited(child: subprocess.Popen[bytes]) -> int:
    """Wait until a child ends and return its exit code; a negative one is the signal that killed it."""
    if not hasattr(os, "pidfd_open"):
        while (code := child.poll()) is None:
            await asyncio.sleep(POLL_SECONDS)
        return code
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    descriptor = os.pidfd_open(child.pid)
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return child.wait()


def tail(log: Path, *, lines: int = 3) -> str:
    """Return the last lines of a log on one line, for a message."""
    try:
        text = log.read_text(errors="replace")
    except OSError:
        return ""
    return " | ".join(line.strip() for line in text.splitlines()[-lines:])


def shorten(log: Path) -> None:
    """Begin a log anew once it is large, keeping the one before."""
    if log.exists() and log.stat().st_size > LOG_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))


def _send(process: psutil.Process, number: signal.Signals) -> None:
    """Send a signal, and wake a process that was suspended, for it would not hear it."""
    try:
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
    except psutil.Error:
        return


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _death_signal(number: signal.Signals) -> Callable[[], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    prctl, parent = ctypes.CDLL(None, use_errno=True).prctl, os.getpid()

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(number))
        if os.getppid() != parent:
            os._exit(1)

    return ask_kernel
