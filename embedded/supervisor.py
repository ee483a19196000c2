"""Children that are started again when they end, until we end them."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedded import processes
from embedded.errors import StartFailed

PROGRAM = Path(__file__).resolve().parent.parent / "cli.py"
CHILD_OF = "--child-of"
STOP = ((signal.SIGTERM, 20.0), (signal.SIGKILL, 5.0))
STEADY_SECONDS = 10.0
LONGEST_PAUSE = 5.0

Say = Callable[[str], None]
Start = Callable[[], Awaitable[subprocess.Popen[bytes]]]


@dataclass
class Kept:
    """A child that is started again whenever it ends."""

    name: str
    start: Start
    steps: Sequence[tuple[signal.Signals, float]]
    say: Say
    child: subprocess.Popen[bytes] | None = None
    failures: int = 0
    _keeper: asyncio.Task[None] | None = field(default=None, repr=False)

    async def begin(self) -> None:
        """Start the child; what its first start raises is the caller's."""
        self.child = await self.start()
        self._keeper = asyncio.create_task(self._keep())

    async def stop(self) -> None:
        """End the child and start it no more."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self.child:
            await processes.end_child(self.child, steps=self.steps)

    async def _keep(self) -> None:
        while True:
            assert self.child
            began = time.monotonic()
            code = await processes.exited(self.child)
            self.failures = 1 if time.monotonic() - began > STEADY_SECONDS else self.failures + 1
            self.say(f"The {self.name} {how_it_ended(code)}; starting it again.")
            await self._start_again()

    async def _start_again(self) -> None:
        while True:
            await asyncio.sleep(pause_before_start(self.failures))
            try:
                self.child = await self.start()
            except Exception as error:
                self.failures += 1
                self.say(f"The {self.name} does not start: {error}")
            else:
                return


async def stop_together(children: Sequence[Kept]) -> None:
    """End children at the same time."""
    await asyncio.gather(*(kept.stop() for kept in children))


def pause_before_start(failures: int) -> float:
    """Return the seconds to wait: none after a first end, then longer each time."""
    return 0.0 if failures <= 1 else min(LONGEST_PAUSE, 0.1 * 2.0 ** (failures - 1))


def how_it_ended(code: int) -> str:
    """Say in words what an exit code of subprocess means."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"


def command(name: str, *options: str, owner: Path) -> list[str]:
    """Return the command line of a child; `owner` is the data folder by which an orphan is known."""
    return [sys.executable, str(PROGRAM), name, *options, CHILD_OF, str(owner)]


def spawn(argv: Sequence[str], *, env: dict[str, str], pass_fds: Sequence[int] = ()) -> subprocess.Popen[bytes]:
    """Start one of our own commands, which ends when we do."""
    return processes.spawn(argv, env=env, pass_fds=pass_fds, dies_with_parent=signal.SIGTERM)


async def end_orphans(owner: Path, *, say: Say) -> None:
    """End children of a killed `up` on the same data folder."""
    orphans = processes.find(lambda argv: is_child_of(argv, owner))
    if not orphans:
        return
    say("Ending what is left of an earlier run.")
    if left := await processes.end(orphans, steps=STOP):
        raise StartFailed(f"A process of an earlier run ({left[0].pid}) does not end; end it and try again.")


def is_child_of(argv: Sequence[str], owner: Path) -> bool:
    """Tell whether a command line is one that `command` made for this data folder."""
    program = argv[1] if len(argv) > 1 else ""
    return Path(program).name == PROGRAM.name and list(argv[-2:]) == [CHILD_OF, str(owner)]
