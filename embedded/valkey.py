"""Valkey 9 from its wheel, on a unix socket, in a folder of ours."""

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from embedded import processes
from embedded.errors import StartFailed
from embedded.homes import Home
from embedded.programs import Programs

STOP = ((signal.SIGTERM, 30.0), (signal.SIGKILL, 5.0))
START_SECONDS = 60.0
RETRY_SECONDS = 0.02

Say = Callable[[str], None]


@dataclass(frozen=True)
class Valkey:
    """One server; `durable` is off only for tests."""

    home: Home
    programs: Programs
    durable: bool = True
    databases: int = 16

    @property
    def folder(self) -> Path:
        return self.home.folder / "valkey"

    @property
    def log(self) -> Path:
        return self.home.folder / "valkey.log"

    @property
    def socket(self) -> Path:
        return self.home.sockets() / "valkey.sock"

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket))}"

    async def start(self, *, say: Say, dies_with_us: bool = True) -> subprocess.Popen[bytes]:
        """Start the server and return once it answers; a file it cannot read is put aside.

        Nothing that may not be lost is in it, so a damaged file never keeps Salescycle from starting.
        """
        await self.end_orphans(say=say)
        try:
            return await self._start(dies_with_us=dies_with_us)
        except StartFailed:
            if not any(self.folder.glob("appendonlydir/*")):
                raise
            damaged = self.folder.with_name(f"valkey.damaged-{time.time_ns()}")
            self.folder.rename(damaged)
            say(f"Valkey could not read its files; they lie in {damaged}, and it starts empty.")
            return await self._start(dies_with_us=dies_with_us)

    async def end_orphans(self, *, say: Say) -> None:
        """End a server of this folder that outlived whoever started it."""
        orphans = processes.find(self._is_server)
        if not orphans:
            return
        say("Ending an earlier Valkey.")
        if left := await processes.end(orphans, steps=STOP):
            raise StartFailed(f"An earlier Valkey (process {left[0].pid}) does not end; try again later.")

    def _is_server(self, argv: Sequence[str]) -> bool:
        return Path(argv[0]).name == "valkey-server" and list(argv[1:2]) == [str(self._config)]

    @property
    def _config(self) -> Path:
        return self.folder / "valkey.conf"

    async def _start(self, *, dies_with_us: bool) -> subprocess.Popen[bytes]:
        self.home.subfolder("valkey")
        lines = [f"{name} {value}" for name, value in self._settings().items()]
        self._config.write_text("\n".join([*lines, ""]))
        self.home.give(self._config)
        self.socket.unlink(missing_ok=True)
        processes.shorten(self.log)
        child = processes.spawn(
            [self.programs.valkey, self._config],
            log=self.log,
            account=self.home.account,
            dies_with_parent=signal.SIGTERM if dies_with_us else None,
        )
        try:
            await self._answer(child)
        except BaseException:
            await processes.end_child(child, steps=STOP)
            raise
        return child

    def _settings(self) -> dict[str, str]:
        return {
            "port": "0",
            "unixsocket": _quoted(self.socket),
            "unixsocketperm": "700",
            "dir": _quoted(self.folder),
            "databases": str(self.databases),
            "save": '""',
            "appendonly": "yes" if self.durable else "no",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            # Its command line stays what we started, by which an orphan of ours is known.
            "set-proc-title": "no",
            "daemonize": "no",
        }

    async def _answer(self, child: subprocess.Popen[bytes]) -> None:
        """Wait for an answer: without end while it loads its file, else for a minute."""
        began = time.monotonic()
        while child.poll() is None:
            answer = await self._ping()
            if answer.startswith(b"+PONG"):
                return
            if not answer and time.monotonic() - began > START_SECONDS:
                raise StartFailed(f"Valkey does not answer; see {self.log}.")
            await asyncio.sleep(RETRY_SECONDS)
        raise StartFailed(f"Valkey ended at its start: {processes.tail(self.log)} (see {self.log}).")

    async def _ping(self) -> bytes:
        try:
            reader, writer = await asyncio.open_unix_connection(str(self.socket))
        except OSError:
            return b""
        try:
            writer.write(b"PING\r\n")
            return await asyncio.wait_for(reader.readline(), timeout=5)
        except (OSError, TimeoutError):
            return b""
        finally:
            writer.close()


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
