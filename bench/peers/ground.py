"""The ground that all contenders stand on: PostgreSQL and Valkey on a core of their own, and the same leads."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import psutil

from bench.demo import EMAIL, filled
from bench.peers import cores
from embedded import folder, servers
from embedded.postgres import Postgres
from models import database
from settings import Settings

HERE = Path(__file__).resolve().parent
CACHE = HERE / ".cache"
PREPARE = HERE / "sql" / "prepare.sql"
MARK = "bench-peers"


@dataclass(frozen=True)
class Ground:
    """Running servers with filled tables."""

    postgres: Postgres
    redis_url: str
    data_dir: Path
    workspace_id: UUID
    secret_key: str
    prepared: str

    @property
    def database_url(self) -> str:
        return self.postgres.url

    def postgres_pids(self) -> list[int]:
        """Return PostgreSQL's processes, whatever database they work on."""
        postmaster = int((self.postgres.cluster / "postmaster.pid").read_text().split()[0])
        return [postmaster, *(child.pid for child in psutil.Process(postmaster).children())]

    def pin(self) -> None:
        """Keep the servers and this process, which sends the load, on the core that contenders leave alone."""
        for pid in (*self.postgres_pids(), *cores.tree(os.getpid())):
            cores.pin(pid, cores.OTHERS)


@asynccontextmanager
async def ground(data_dir: Path, *, leads: int) -> AsyncIterator[Ground]:
    """Start the servers on a folder that is filled once."""
    data_dir = folder.prepare(data_dir)
    filled(data_dir, leads)
    ours = servers.plan(Settings(database_url="", redis_url=""), data_dir=data_dir)
    assert ours.postgres
    with folder.locked(data_dir):
        async with servers.kept(ours, data_dir=data_dir, say=print):
            workspace_id = await _prepared(ours.database_url, data_dir)
            secret_key, prepared = folder.secret_key(data_dir), PREPARE.read_text()
            yield Ground(ours.postgres, ours.redis_url, data_dir, workspace_id, secret_key, prepared)


async def _prepared(url: str, data_dir: Path) -> UUID:
    """Bring the demo into the shape that the documents ask for, once; return its workspace."""
    mark, wanted = data_dir / MARK, PREPARE.read_text()
    await database.migrate(url)
    connection = await asyncpg.connect(url)
    try:
        if not mark.exists() or mark.read_text() != wanted:
            await connection.execute(wanted)
            await connection.execute("VACUUM ANALYZE")
            mark.write_text(wanted)
        found: UUID = await connection.fetchval(
            "SELECT workspace_id FROM membership JOIN user_account u ON u.id = user_id WHERE u.email = $1", EMAIL
        )
        return found
    finally:
        await connection.close()
