"""The one connection pool of a process, and its migrations."""

import asyncio
import importlib
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from contextvars import Context, ContextVar
from functools import wraps
from typing import Any, ParamSpec, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
from tortoise import Tortoise
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext
from tortoise.migrations.executor import MigrationTarget
from tortoise.migrations.schema_editor import AsyncpgSchemaEditor
from tortoise.transactions import in_transaction

from models.migrating import Executor
from models.postgres import ChangedMeanwhile, Opened, Unit, running
from models.postgres import PooledConnection as PooledConnection
from models.postgres import connected as connected
from settings import settings

P = ParamSpec("P")
R = TypeVar("R")
MODELS = [
    "models.workspaces",
    "models.users",
    "models.teams",
    "models.sessions",
    "models.sign_in_attempts",
    "models.api_keys",
    "models.pipelines",
    "models.stages",
    "models.companies",
    "models.contacts",
    "models.products",
    "models.catalog",
    "models.campaigns",
    "models.competitors",
    "models.leads",
    "models.needs",
    "models.custom_fields",
    "models.activities",
    "models.follow_ups",
    "models.calendar_feeds",
    "models.deliveries",
    "models.reminders",
    "models.surveys",
    "models.timeline",
    "models.saved_views",
    "models.qualification",
    "models.hand_overs",
    "models.conversations",
    "models.exchange_rates",
    "models.external_refs",
    "models.events",
    "models.imports",
    "models.bulks",
    "models.files",
    "models.attachments",
    "models.selling",
    "models.proposals",
    "models.proposal_links",
    "models.negotiations",
    "models.contracts",
    "models.invoices",
    "models.documents",
    "models.scoring",
    "models.idempotency",
]
RELAY_CHANNEL = "salescycle_events"
# Nothing is lost with it, so it need not wait for the disk, which it would hold up for those who do.
NOTIFY = f"SELECT set_config('synchronous_commit', 'off', true), pg_notify('{RELAY_CHANNEL}', '')"
# The advisory lock that the one working relay holds.
RELAY_LOCK = 7_256_114_902
MIGRATION_LOCK = 7_256_114_901
# Kept by each connection: an edit's statement is another one for every set of columns that people change together.
PREPARED_STATEMENTS = 300


class DatabaseNewer(Exception):
    """The database was migrated by a newer Salescycle: {names}. Install that version, or restore a backup."""

    def __init__(self, names: list[str]) -> None:
        super().__init__((self.__doc__ or "").format(names=", ".join(names)))


def config(url: str, *, pool_size: int = 10, pooler: str = "") -> dict[str, Any]:
    """Return Tortoise's configuration for a PostgreSQL address.

    A socket folder is given as `postgresql://user@/name?host=/folder`. Behind a pooler in transaction mode every
    transaction may meet another server process, so that statements prepared in one are not there in the next.
    """
    parts = urlsplit(url)
    query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    credentials: dict[str, Any] = {
        "host": query.pop("host", None) or parts.hostname,
        "port": parts.port or int(query.pop("port", 5432)),
        "user": unquote(parts.username or "") or query.pop("user", None),
        "password": unquote(parts.password) if parts.password else None,
        "database": parts.path.lstrip("/"),
        "minsize": 1,
        "maxsize": pool_size,
        "connection_class": PooledConnection,
        "statement_cache_size": 0 if pooler else PREPARED_STATEMENTS,
        # Whoever renews connections has every statement prepared anew, and a timer set at each return costs as well.
        "max_queries": 10_000_000,
        "max_inactive_connection_lifetime": 0,
    }
    if "sslmode" in query:
        credentials["ssl"] = query["sslmode"]
    return {
        "connections": {"default": {"engine": "models.postgres", "credentials": credentials}},
        "apps": {
            "models": {"models": MODELS, "default_connection": "default", "migrations": "migrations"},
        },
        "use_tz": True,
        "timezone": "UTC",
    }


async def open_database(url: str, *, pool_size: int = 10) -> None:
    """Open the pool that every task of this process uses."""
    chosen = config(url, pool_size=pool_size, pooler=settings().database_pooler)
    await Tortoise.init(config=chosen, _enable_global_fallback=True)


async def close_database() -> None:
    """Close the pool."""
    await Tortoise.close_connections()


async def migrate(url: str, *, target: str | None = None) -> None:
    """Bring the database to the newest migration, or to the one named, all in one transaction.

    Several processes may call it at once: one works, the others wait. Raises DatabaseNewer.
    """
    chosen = config(url, pool_size=2, pooler=settings().database_pooler)
    async with TortoiseContext() as context:
        await context.init(config=chosen)
        async with in_transaction() as connection:
            await connection.execute_query("SELECT pg_advisory_xact_lock($1)", [MIGRATION_LOCK])
            await pending()
            executor = Executor(connection, chosen["apps"])
            # The executor looks for its table before it makes it, which a transaction does not survive.
            await executor.recorder.ensure_schema(AsyncpgSchemaEditor(connection, atomic=False))
            await executor.migrate([MigrationTarget("models", target or "__latest__")])


async def pending() -> list[str]:
    """Return the migrations that the open database lacks, oldest first; raises DatabaseNewer."""
    applied, known = await _applied(), migration_names()
    newer = sorted(applied - set(known))
    if newer:
        raise DatabaseNewer(newer)
    return [name for name in known if name not in applied]


def migration_names() -> list[str]:
    """Return the names of all migrations of this code, oldest first."""
    package = importlib.import_module("migrations")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.name[0].isdigit())


async def _applied() -> set[str]:
    connection = get_connection("default")
    exists = await connection.execute_query_dict("SELECT to_regclass('tortoise_migrations') IS NOT NULL AS yes")
    if not exists[0]["yes"]:
        return set()
    rows = await connection.execute_query_dict("SELECT name FROM tortoise_migrations WHERE app = 'models'")
    return {row["name"] for row in rows}


_hopeful: ContextVar[bool] = ContextVar("salescycle_hopeful", default=False)
_waking: asyncio.Task[None] | None = None


def transaction(*, snapshot: bool = False, of_many: bool = False) -> Opened:
    """Run the block in one transaction; after the outermost commit, wake the relay if events were recorded.

    Within another one it is a part that can fail alone. A `snapshot` reads only, and all of it as of one moment. One
    `of_many` is for the same operation on many rows, as models.postgres.Unit says.
    """
    around = connected()
    inner = isinstance(around, Unit)
    begun = Unit(around, hopeful=_hopeful.get() and not inner, snapshot=snapshot and not inner)
    if of_many:
        begun.of_many, begun.memory = True, {}
    return Opened(begun, committed=wake_relay)


@asynccontextmanager
async def joined() -> AsyncIterator[Unit]:
    """Run the block in the transaction that runs, as a part that fails only with the whole, or else in a new one."""
    if (known := unit()) is not None:
        yield known
        return
    async with transaction() as begun:
        yield begun


def in_one_go(operation: Callable[P, Awaitable[R]]) -> Callable[P, Coroutine[Any, Any, R]]:
    """Let an operation read the row that it edits without a lock, and write it and its event in one statement.

    It is for operations that usually edit one row. Where somebody else has changed that row meanwhile, the operation
    is done again, with the lock; so it must do nothing but read and write rows, in one transaction.
    """

    @wraps(operation)
    async def attempted(*args: P.args, **kwargs: P.kwargs) -> R:
        if unit() is not None:
            return await operation(*args, **kwargs)
        around = _hopeful.set(True)
        try:
            return await operation(*args, **kwargs)
        except ChangedMeanwhile:
            _hopeful.set(False)
            return await operation(*args, **kwargs)
        finally:
            _hopeful.reset(around)

    return attempted


def unit() -> Unit | None:
    """Return the transaction that runs, if one does."""
    return running()


async def read(sql: str, *values: Any) -> list[asyncpg.Record]:
    """Send a statement that neither writes nor locks, in the transaction that runs if one does; return its rows."""
    return await connected().read(sql, values)


async def look_up(sql: str, key: Any) -> asyncpg.Record | None:
    """Return the row with a key, or None.

    The statement takes a list of keys and returns each row with its key first. It is sent after this call, but
    together with what others look up by it: for what every request asks and must not be told late.
    """
    return await connected().look_up(sql, key)


async def remembered(key: Any, look: Callable[[], Awaitable[R]]) -> R:
    """Return what a part of many has found before, or find it; it is what no part changes."""
    memory = known.memory if (known := unit()) is not None else None
    if memory is None:
        return await look()
    if key not in memory:
        memory[key] = await look()
    found: R = memory[key]
    return found


def mark_dirty() -> None:
    """Note that the running transaction records events."""
    if (known := unit()) is not None:
        known.dirty = True


def wake_relay() -> None:
    """Tell the relay, soon and at most every 3 ms, that there are events.

    The NOTIFY is sent outside any transaction, since within one it would make commits wait for each other.
    """
    global _waking
    if _waking is None or _waking.done():
        _waking = asyncio.get_running_loop().create_task(_notify(), context=Context())


async def _notify() -> None:
    # A lost wake-up costs at most the relay's polling interval, so a failure is not worth a line in the log.
    with suppress(Exception):
        async with connected().acquire_connection() as connection:
            await connection.execute(NOTIFY)
    await asyncio.sleep(0.003)
