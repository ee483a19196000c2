"""PostgreSQL and Redis for whoever needs them: named in the environment, already running, or started here."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from embedded import addresses, folder, postgres, valkey
from embedded.homes import home_for
from embedded.postgres import Postgres
from embedded.programs import programs_for
from embedded.supervisor import Kept
from embedded.valkey import Valkey
from settings import Settings

Say = Callable[[str], None]


@dataclass(frozen=True)
class Servers:
    """The addresses that processes of Salescycle work with, and the servers behind them that are ours to run."""

    database_url: str
    redis_url: str
    postgres: Postgres | None = None
    valkey: Valkey | None = None


def plan(settings: Settings, *, data_dir: Path) -> Servers:
    """Return the servers that the environment names, completed by our own; starts nothing."""
    if settings.database_url and settings.redis_url:
        return Servers(settings.database_url, settings.redis_url)
    home = home_for(data_dir)
    programs = programs_for(home.account)
    cluster = None if settings.database_url else Postgres(home, programs)
    store = None if settings.redis_url else Valkey(home, programs)
    return Servers(
        cluster.url if cluster else settings.database_url,
        store.url if store else settings.redis_url,
        cluster,
        store,
    )


@contextlib.asynccontextmanager
async def kept(servers: Servers, *, data_dir: Path, say: Say) -> AsyncIterator[None]:
    """Keep our servers running and check the others; the caller holds the data folder's lock.

    PostgreSQL starts first and ends last.
    """
    async with contextlib.AsyncExitStack() as stack:
        ours = servers.postgres or servers.valkey
        if ours and ours.home.folder != data_dir:
            stack.enter_context(folder.locked(ours.home.folder))
        if not servers.postgres:
            await addresses.check_database(servers.database_url)
        if not servers.valkey:
            await addresses.check_redis(servers.redis_url)
        if servers.postgres:
            start = partial(servers.postgres.start, say=say)
            await _keep(stack, Kept("PostgreSQL", start, postgres.STOP, say))
        if servers.valkey:
            start = partial(servers.valkey.start, say=say)
            await _keep(stack, Kept("Valkey", start, valkey.STOP, say))
        yield


@contextlib.asynccontextmanager
async def borrowed(settings: Settings, *, data_dir: Path, say: Say) -> AsyncIterator[Servers]:
    """Give one command the servers of a running `up`, or start them for as long as the command runs.

    Where DATABASE_URL is set nothing is started, and the Redis address may be empty.
    """
    async with contextlib.AsyncExitStack() as stack:
        if settings.database_url:
            await addresses.check_database(settings.database_url)
            yield Servers(settings.database_url, settings.redis_url)
            return
        data_dir = folder.prepare(data_dir)
        servers = plan(settings, data_dir=data_dir)
        try:
            stack.enter_context(folder.locked(data_dir))
        except folder.InUse:
            await addresses.check_database(servers.database_url)
        else:
            await stack.enter_async_context(kept(servers, data_dir=data_dir, say=say))
        yield servers


async def _keep(stack: contextlib.AsyncExitStack, child: Kept) -> None:
    await child.begin()
    stack.push_async_callback(child.stop)
