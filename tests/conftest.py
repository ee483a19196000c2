"""One PostgreSQL and one Valkey for a whole run, and a database of his own for every test worker."""

import asyncio
import contextlib
import gc
import hashlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import psutil
import pytest
import redis
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from embedded import processes
from embedded.homes import POINTER, Home, home_for
from embedded.postgres import STOP as STOP_POSTGRES
from embedded.postgres import Postgres
from embedded.programs import programs_for
from embedded.valkey import STOP as STOP_VALKEY
from embedded.valkey import Valkey
from models import database
from tests.statements import without_session_state

# How fast examples are drawn says how busy the machine is.
hypothesis_settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("shared")

DATABASE_URL = "TEST_DATABASE_URL"
REDIS_URL = "TEST_REDIS_URL"
REDIS_DATABASES = 256
MACHINE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]
FOLDER_PREFIX = f"salescycle-tests-{os.geteuid()}-"
DATABASE_PREFIX = f"sct_{MACHINE}_"
CLAIM_PREFIX = "salescycle:tests:database:"

os.environ.setdefault("SECRET_KEY", "for tests only, and longer than thirty-two characters")

TABLES = """
SELECT quote_ident(relname) AS name, pg_relation_size(oid) AS size FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname <> 'tortoise_migrations'
"""
# Deleting few rows in any order takes 5 ms, and TRUNCATE, which makes a hundred tables anew with their indexes, 90.
HOLDS = "SELECT '{table}' WHERE EXISTS (SELECT FROM {table})"
MAY_DELETE = "SELECT usesuper FROM pg_user WHERE usename = current_user"
MOST_DELETED = 2**20
RESTART = """
SELECT setval(oid, 1, false) FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind = 'S' AND relname <> 'tortoise_migrations_id_seq'
"""

SERVERS = pytest.StashKey["Servers"]()


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers in the process that hands out the tests, before any worker of it starts."""
    # What is imported and collected stays, and to look it through again and again is a quarter of collecting.
    gc.disable()
    if hasattr(config, "workerinput") or config.option.collectonly or config.option.help:
        return
    servers = Servers()
    config.stash[SERVERS] = servers
    config.add_cleanup(servers.stop)
    servers.start()


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Let garbage be collected from here on, and nothing of what stands already be looked through for it."""
    gc.freeze()
    gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell a worker of pytest-xdist where the servers are."""
    node.workerinput["servers"] = node.config.stash[SERVERS].addresses


class Servers:
    """The servers of this run, started here or named in the environment, and the template database."""

    def __init__(self) -> None:
        self.addresses: dict[str, str] = {}
        self._children: list[tuple[subprocess.Popen[bytes], Any]] = []
        self._folder: Path | None = None
        self._template = f"{DATABASE_PREFIX}{os.getpid()}_{secrets.token_hex(3)}_template"

    def start(self) -> None:
        if not (os.environ.get(DATABASE_URL) and os.environ.get(REDIS_URL)):
            _remove_folders_of_dead_runs()
            self._folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
            self._folder.chmod(0o711)
        asyncio.run(self._start())

    async def _start(self) -> None:
        postgres_url, redis_url = os.environ.get(DATABASE_URL), os.environ.get(REDIS_URL)
        if self._folder:
            home = home_for(self._folder)
            programs = programs_for(home.account)
            if not postgres_url:
                postgres = Postgres(home, programs, durable=False)
                self._children.append((await postgres.start(say=_quiet), STOP_POSTGRES))
                postgres_url = postgres.url
            if not redis_url:
                valkey = Valkey(home, programs, durable=False, databases=REDIS_DATABASES)
                self._children.append((await valkey.start(say=_quiet), STOP_VALKEY))
                redis_url = valkey.url
        assert postgres_url and redis_url
        self.addresses = {
            "postgres": postgres_url,
            "redis": redis_url,
            "template": self._template,
        }
        async with _connected(postgres_url) as connection:
            await _drop_databases_of_dead_runs(connection)
            await connection.execute(f'CREATE DATABASE "{self._template}"')
        await database.migrate(with_database(postgres_url, self._template))

    def stop(self) -> None:
        asyncio.run(self._stop())
        if self._folder:
            _remove(self._folder)

    async def _stop(self) -> None:
        if "postgres" in self.addresses and os.environ.get(DATABASE_URL):
            async with _connected(self.addresses["postgres"]) as connection:
                await _drop(connection, self._template)
        for child, steps in reversed(self._children):
            await processes.end_child(child, steps=steps)


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> dict[str, str]:
    """The addresses of this run's servers."""
    if hasattr(request.config, "workerinput"):
        addresses: dict[str, str] = request.config.workerinput["servers"]
        return addresses
    return request.config.stash[SERVERS].addresses


@pytest.fixture(scope="session")
async def database_url(servers: dict[str, str]) -> AsyncIterator[str]:
    """A migrated database that no other worker and no other run uses."""
    async with fresh_database(servers) as url:
        yield url


@pytest.fixture
async def empty_database_url(servers: dict[str, str]) -> AsyncIterator[str]:
    """A migrated database of one test's own, for tests that start processes or count everything."""
    async with fresh_database(servers) as url:
        yield url


@pytest.fixture(scope="session")
def redis_url(servers: dict[str, str]) -> Iterator[str]:
    """A Redis database that no other worker and no other run uses; channels are shared by all of them."""
    with fresh_redis(servers["redis"]) as url:
        yield url


@pytest.fixture
def empty_redis_url(servers: dict[str, str]) -> Iterator[str]:
    """A Redis database of one test's own."""
    with fresh_redis(servers["redis"]) as url:
        yield url


@pytest.fixture(scope="session")
async def opened_database(database_url: str) -> AsyncIterator[str]:
    with without_session_state():
        await database.open_database(database_url, pool_size=10)
        yield database_url
        await database.close_database()


@pytest.fixture
async def db(opened_database: str) -> str:
    """Tortoise on the worker's database; a test keeps to a workspace it makes itself."""
    return opened_database


@pytest.fixture(scope="session")
async def emptying(opened_database: str) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    """One connection that has every table in its mind, opened again where a test has ended them all."""
    async with asyncpg.create_pool(
        opened_database, min_size=1, max_size=1, max_inactive_connection_lifetime=0
    ) as connections:
        yield connections


@pytest.fixture
async def clean_db(db: str, emptying: "asyncpg.Pool[asyncpg.Record]") -> str:
    """The worker's database with every table emptied, once whatever still writes to one has ended."""
    async with emptying.acquire() as connection, connection.transaction():
        tables = {row["name"]: row["size"] for row in await connection.fetch(TABLES)}
        names = ", ".join(tables)
        await connection.execute(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
        filled = await connection.fetch(" UNION ALL ".join(HOLDS.format(table=name) for name in tables))
        if await connection.fetchval(MAY_DELETE) and max(tables.values()) < MOST_DELETED:
            await connection.execute("SET LOCAL session_replication_role = replica")
            await connection.execute("; ".join([RESTART, *(f"DELETE FROM {row[0]}" for row in filled)]))
        else:
            await connection.execute(f"TRUNCATE {names} RESTART IDENTITY CASCADE")
    return db


@pytest.fixture
def server_home() -> Iterator[Home]:
    """A place for a server that a test starts, kills and starts again by itself."""
    folder = Path(tempfile.mkdtemp(prefix=f"{FOLDER_PREFIX}{os.getpid()}-"))
    folder.chmod(0o711)
    yield home_for(folder)
    _remove(folder)


@contextlib.asynccontextmanager
async def fresh_database(servers: dict[str, str]) -> AsyncIterator[str]:
    """Give a copy of the migrated template, dropped afterwards even while somebody is connected."""
    name = f"{DATABASE_PREFIX}{os.getpid()}_{secrets.token_hex(4)}"
    async with _connected(servers["postgres"]) as connection:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{servers["template"]}"')
    try:
        yield with_database(servers["postgres"], name)
    finally:
        async with _connected(servers["postgres"]) as connection:
            await _drop(connection, name)


@contextlib.contextmanager
def fresh_redis(url: str) -> Iterator[str]:
    """Give an empty Redis database, claimed in database 0 by this process so that nobody else takes it."""
    with redis.Redis.from_url(url) as claims:
        number = _claim(claims)
        mine = f"{url}{'&' if '?' in url else '?'}db={number}"
        try:
            with redis.Redis.from_url(mine) as own:
                own.flushdb()
                yield mine
                own.flushdb()
        finally:
            claims.delete(f"{CLAIM_PREFIX}{number}")


def with_database(url: str, name: str) -> str:
    """Return the address with another database's name."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{name}"))


def _claim(claims: redis.Redis) -> int:
    owner = f"{MACHINE}:{os.getpid()}"
    settings = cast("dict[str, str]", claims.config_get("databases"))
    for number in range(1, int(settings["databases"])):
        key = f"{CLAIM_PREFIX}{number}"
        if claims.set(key, owner, nx=True):
            return number
        machine, _, pid = cast("bytes", claims.get(key) or b":").decode().partition(":")
        if machine == MACHINE and pid and not psutil.pid_exists(int(pid)):
            claims.set(key, owner)
            return number
    raise RuntimeError("every database of the Redis that TEST_REDIS_URL names is in use")


@contextlib.asynccontextmanager
async def _connected(url: str) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        yield connection
    finally:
        await connection.close()


async def _drop(connection: "asyncpg.Connection[asyncpg.Record]", name: str) -> None:
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _drop_databases_of_dead_runs(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    rows = await connection.fetch("SELECT datname FROM pg_database WHERE starts_with(datname, $1)", DATABASE_PREFIX)
    for row in rows:
        pid = int(row["datname"].removeprefix(DATABASE_PREFIX).partition("_")[0])
        if not psutil.pid_exists(pid):
            await _drop(connection, row["datname"])


def _remove_folders_of_dead_runs() -> None:
    for folder in Path(tempfile.gettempdir()).glob(f"{FOLDER_PREFIX}*"):
        pid = int(folder.name.removeprefix(FOLDER_PREFIX).partition("-")[0])
        if not psutil.pid_exists(pid):
            _remove(folder)


def _remove(folder: Path) -> None:
    """Remove a run's folder, and the one elsewhere that its servers may have needed."""
    pointer = folder / POINTER
    if pointer.exists():
        shutil.rmtree(pointer.read_text().strip(), ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def _quiet(message: str) -> None:
    """Say nothing: pytest's own lines are enough."""
