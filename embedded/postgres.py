"""PostgreSQL 18 from its wheel, on a unix socket, in a folder of ours."""

import asyncio
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psutil

from embedded import processes
from embedded.errors import StartFailed
from embedded.homes import Home
from embedded.programs import Programs

NAME = "salescycle"
MAJOR = "18"
STOP = ((signal.SIGINT, 60.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
START_SECONDS = 60.0
PATIENCE_SECONDS = 2.0
RETRY_SECONDS = 0.02

Say = Callable[[str], None]

NOT_YET = (asyncpg.CannotConnectNowError, ConnectionError, FileNotFoundError)


@dataclass(frozen=True)
class Postgres:
    """One cluster; `durable` is off only for tests."""

    home: Home
    programs: Programs
    durable: bool = True

    @property
    def cluster(self) -> Path:
        return self.home.folder / "postgres"

    @property
    def log(self) -> Path:
        return self.home.folder / "postgres.log"

    @property
    def url(self) -> str:
        return self.url_of(NAME)

    def url_of(self, database: str) -> str:
        """Return the address of one of the cluster's databases."""
        return f"postgresql://{NAME}@/{database}?host={quote(str(self.home.sockets()))}"

    async def start(self, *, say: Say, dies_with_us: bool = True) -> subprocess.Popen[bytes]:
        """Start the server, whatever the last one left behind, and return once it answers a query."""
        await self.end_orphans(say=say)
        self._check_major()
        if not self.cluster.exists():
            say("Preparing a PostgreSQL database (once).")
            await asyncio.to_thread(self._initialise)
        self._remove_stale_files()
        self._write_settings()
        processes.shorten(self.log)
        child = processes.spawn(
            [self.programs.postgres, "-D", self.cluster],
            log=self.log,
            account=self.home.account,
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            dies_with_parent=signal.SIGINT if dies_with_us else None,
        )
        try:
            await self._answer(child, say=say)
        except BaseException:
            await processes.end_child(child, steps=STOP)
            raise
        return child

    async def end_orphans(self, *, say: Say) -> None:
        """End a server of this cluster that outlived whoever started it."""
        orphans = processes.find(self._is_postmaster)
        if not orphans and not processes.working_in(self.cluster, name="postgres"):
            return
        say("Ending what is left of an earlier PostgreSQL.")
        await processes.end(orphans, steps=STOP)
        backends = processes.working_in(self.cluster, name="postgres")
        left = await processes.end(backends, steps=((signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)))
        if left:
            raise StartFailed(f"An earlier PostgreSQL (process {left[0].pid}) does not end; try again later.")

    def _is_postmaster(self, argv: Sequence[str]) -> bool:
        return Path(argv[0]).name == "postgres" and list(argv[1:3]) == ["-D", str(self.cluster)]

    def _check_major(self) -> None:
        version = self.cluster / "PG_VERSION"
        if version.exists() and (major := version.read_text().strip()) != MAJOR:
            raise StartFailed(
                f"The database in {self.cluster} was made by PostgreSQL {major} and this Salescycle brings "
                f"PostgreSQL {MAJOR}; move the data with pg_dump or name a server in DATABASE_URL."
            )

    def _initialise(self) -> None:
        """Make the cluster beside its place and rename it, so that a kill leaves no half of one."""
        unfinished = self.cluster.with_name("postgres.unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.home.subfolder(unfinished.name)
        result = subprocess.run(
            [
                *(str(self.programs.initdb), "-D", str(unfinished), "-U", NAME, "--auth=trust"),
                *("--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"),
                *(() if self.durable else ("--no-sync",)),
            ],
            cwd="/",
            env={"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"},
            capture_output=True,
            check=False,
            **(self.home.account.popen_arguments() if self.home.account else {}),
        )
        if result.returncode:
            reason = " | ".join(result.stderr.decode(errors="replace").split("\n")[-4:]).strip(" |")
            raise StartFailed(f"PostgreSQL could not prepare a database in {self.cluster}: {reason}.")
        unfinished.rename(self.cluster)

    def _remove_stale_files(self) -> None:
        """Remove what a killed server left; nobody of ours lives, so a pid in them is a stranger's."""
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)
        for path in self.home.sockets().glob(".s.PGSQL.*"):
            path.unlink(missing_ok=True)

    def _write_settings(self) -> None:
        lines = [f"{name} = '{value}'" for name, value in self._settings().items()]
        lines.append("include_if_exists = 'local.conf'")
        path = self.cluster / "postgresql.conf"
        path.write_text("\n".join(["# Written at every start; your own settings go into local.conf.", *lines, ""]))
        self.home.give(path)

    def _settings(self) -> dict[str, str]:
        memory = psutil.virtual_memory().total // 2**20
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.home.sockets()).replace("'", "''"),
            "unix_socket_permissions": "0700",
            "max_connections": "200",
            "shared_buffers": f"{min(max(memory // 16, 128), 1024)}MB",
            "effective_cache_size": f"{max(memory // 4, 256)}MB",
            "work_mem": "16MB",
            "maintenance_work_mem": "128MB",
            "max_wal_size": "2GB",
            "wal_compression": "on",
            "random_page_cost": "1.1",
            "jit": "off",
            "timezone": "UTC",
            "log_timezone": "UTC",
            "log_line_prefix": "%m [%p] ",
            "log_checkpoints": "off",
            "logging_collector": "off",
        }
        if not self.durable:
            settings |= dict.fromkeys(("fsync", "full_page_writes", "synchronous_commit"), "off")
            settings |= {"max_connections": "500", "shared_buffers": "128MB"}
        return settings

    async def _answer(self, child: subprocess.Popen[bytes], *, say: Say) -> None:
        """Wait for an answer to a query: without end while the log is replayed, else for a minute."""
        began, said = time.monotonic(), False
        while child.poll() is None:
            try:
                await self._ensure_database()
                return
            except NOT_YET as error:
                waited = time.monotonic() - began
                recovering = isinstance(error, asyncpg.CannotConnectNowError)
                if waited > START_SECONDS and not recovering:
                    raise StartFailed(f"PostgreSQL does not answer; see {self.log}.") from error
                if recovering and waited > PATIENCE_SECONDS and not said:
                    say("PostgreSQL recovers what the last run had not written to its tables; please wait.")
                    said = True
                await asyncio.sleep(RETRY_SECONDS)
        raise StartFailed(f"PostgreSQL ended at its start: {processes.tail(self.log)} (see {self.log}).")

    async def _ensure_database(self) -> None:
        try:
            connection = await asyncpg.connect(self.url)
        except asyncpg.InvalidCatalogNameError:
            maintenance = await asyncpg.connect(self.url_of("postgres"))
            try:
                await maintenance.execute(f"CREATE DATABASE {NAME}")
            finally:
                await maintenance.close()
            connection = await asyncpg.connect(self.url)
        try:
            await connection.fetchval("SELECT 1")
        finally:
            await connection.close()
