"""PostgreSQL and Redis for whoever needs them: named in the environment, already running, or started here."""

import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
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
    """The addresses that processes of Salescycle work with."""

    database_url: str
    redis_url: str


@contextlib.asynccontextmanager
async def kept_servers(settings: Settings, *, data_dir: Path, say: Say) -> AsyncIterator[Servers]:
    """Keep running what the environment does not name; the caller holds the data folder's lock.

    PostgreSQL starts first and ends last.
    """
    database_url, redis_url = settings.database_url, settings.redis_url
    async with contextlib.AsyncExitStack() as stack:
        if database_url:
            await addresses.check_database(database_url)
        if redis_url:
            await addresses.check_redis(redis_url)
        if not (database_url and redis_url):
            home = home_for(data_dir)
            programs = programs_for(home.account)
            if home.folder != data_dir:
                stack.enter_context(folder.locked(home.folder))
        if not database_url:
            cluster = Postgres(home, programs)
            await _keep(stack, Kept("PostgreSQL", lambda: cluster.start(say=say), postgres.STOP, say))
            database_url = cluster.url
        if not redis_url:
            store = Valkey(home, programs)
            await _keep(stack, Kept("Valkey", lambda: store.start(say=say), valkey.STOP, say))
            redis_url = store.url
        yield Servers(database_url, redis_url)


@contextlib.asynccontextmanager
async def borrowed_servers(settings: Settings, *, data_dir: Path, say: Say) -> AsyncIterator[Servers]:
    """Give one command the servers of a running `up`, or start them for as long as the command runs.

    Where DATABASE_URL is set nothing is started, and the Redis address may be empty.
    """
    async with contextlib.AsyncExitStack() as stack:
        if settings.database_url:
            await addresses.check_database(settings.database_url)
            yield Servers(settings.database_url, settings.redis_url)
            return
        data_dir = folder.prepare(data_dir)
        try:
            stack.enter_context(folder.locked(data_dir))
        except folder.InUse:
            servers = _running(settings, data_dir)
            await addresses.check_database(servers.database_url)
        else:
            servers = await stack.enter_async_context(kept_servers(settings, data_dir=data_dir, say=say))
        yield servers


def _running(settings: Settings, data_dir: Path) -> Servers:
    home = home_for(data_dir)
    programs = programs_for(home.account)
    return Servers(
        settings.database_url or Postgres(home, programs).url,
        settings.redis_url or Valkey(home, programs).url,
    )


async def _keep(stack: contextlib.AsyncExitStack, kept: Kept) -> None:
    await kept.begin()
    stack.push_async_callback(kept.stop)
