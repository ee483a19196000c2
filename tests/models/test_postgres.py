"""Connections: lent and given back without a word, with nothing left behind in them, through a pooler as well."""

import asyncio
import os
import pwd
import shutil
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import pytest
from tortoise.connection import get_connection
from tortoise.context import TortoiseContext

from domain import captures, companies, leads, moves, users
from domain.captures import Capture, NewCompany, NewContact
from domain.companies import CompanyDetails
from domain.leads import LeadDetails
from models import database
from models.companies import Company
from models.database import transaction
from models.leads import Lead
from models.postgres import ARRAYS, Client, Unit, connected
from models.stages import StageKind
from tests.factories import NOW, events, member, seller, session, stage
from tests.statements import SESSION_STATE, recorded

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@pytest.mark.usefixtures("db")
class TestLending:
    async def test_a_connection_is_given_back_without_a_statement(self) -> None:
        with recorded() as sent:
            await get_connection("default").execute_query("SELECT 1")
        assert sent == ["SELECT 1"]

    async def test_connections_are_lent_in_the_order_in_which_they_were_asked_for(self) -> None:
        client, lent = connected(), list[int]()
        assert isinstance(client, Client)
        pool = await client.opened()
        taken = [await pool.acquire() for _ in range(pool.get_max_size())]

        async def borrow(number: int) -> None:
            connection = await pool.acquire()
            lent.append(number)
            await pool.release(connection)

        early = [asyncio.create_task(borrow(number)) for number in range(3)]
        await asyncio.sleep(0)
        early.pop(1).cancel()
        await pool.release(taken.pop())
        # Whoever comes just now stands behind those who were told that it is their turn.
        await borrow(3)
        await asyncio.gather(*early)
        assert lent == [0, 2, 3]
        for connection in taken:
            await pool.release(connection)

    async def test_a_connection_that_is_killed_in_a_transaction_hides_no_error(self, database_url: str) -> None:
        with pytest.raises(ZeroDivisionError):
            async with transaction():
                [row] = await connected().execute_query_dict("SELECT pg_backend_pid() AS pid", [])
                killer = await asyncpg.connect(database_url)
                await killer.fetch("SELECT pg_terminate_backend($1, 5000)", row["pid"])
                await killer.close()
                raise ZeroDivisionError
        assert await database.read("SELECT 1 AS one")

    async def test_a_broken_connection_makes_room_for_a_new_one(self) -> None:
        client = connected()
        assert isinstance(client, Client)
        pool = await client.opened()
        taken = [await pool.acquire() for _ in range(pool.get_max_size())]
        for connection in taken:
            connection.terminate()
            await pool.release(connection)
        rows = await asyncio.gather(*(database.read("SELECT $1::int AS number", number) for number in range(20)))
        assert [row["number"] for [row] in rows] == list(range(20))

    async def test_a_transaction_begins_with_what_is_sent_in_it(self) -> None:
        with recorded() as sent:
            async with transaction():
                pass
            async with transaction(), transaction():
                await database.read("SELECT 1")
        assert [statement.split()[0].rstrip(";") for statement in sent] == [
            "BEGIN",
            "SAVEPOINT",
            "SELECT",
            "RELEASE",
            "COMMIT",
        ]

    async def test_a_transaction_that_was_left_open_is_undone_before_anybody_else_has_its_connection(self) -> None:
        pool = connected()
        assert isinstance(pool, Client)
        admin = await member()
        async with pool.acquire_connection() as connection:
            await connection.execute("BEGIN")
            await connection.execute("UPDATE workspace SET name = 'Lost' WHERE id = $1", admin.workspace_id)
        rows = await asyncio.gather(
            *(database.read("SELECT name FROM workspace WHERE id = $1", admin.workspace_id) for _ in range(20))
        )
        assert {row["name"] for [row] in rows} == {"Acme"}

    async def test_a_statement_that_is_cancelled_takes_its_transaction_with_it(self) -> None:
        admin = await member()
        row = await Company.create(
            workspace_id=admin.workspace_id, name="A", name_normalised="a", created_at=NOW, updated_at=NOW
        )
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), transaction():
                await Company.filter(id=row.id).update(name="B")
                await database.read("SELECT pg_sleep(30)")
        async with transaction() as begun:
            assert await begun.fetch("SELECT 1 FROM company WHERE id = $1 FOR UPDATE NOWAIT", [row.id])
        assert (await Company.get(id=row.id)).name == "A"

    async def test_statements_of_one_transaction_follow_one_another_whoever_sends_them(self) -> None:
        async with transaction() as begun:
            rows = await asyncio.gather(*(database.read("SELECT $1::int AS said", said) for said in range(20)))
            assert isinstance(begun, Unit)
        assert [row["said"] for [row] in rows] == list(range(20))


async def test_the_numbers_of_types_are_postgresqls(db: str) -> None:
    known = await database.read(
        "SELECT typname, oid, typarray FROM pg_type WHERE typname::text = ANY($1)", list(ARRAYS)
    )
    assert {row["typname"]: (row["oid"], row["typarray"]) for row in known} == ARRAYS


@pytest.mark.parametrize(
    "statement",
    [
        "SET search_path TO x",
        "SET SESSION work_mem = '1MB'",
        "SELECT 1; SET jit = off",
        "RESET ALL",
        "LISTEN events",
        "PREPARE one AS SELECT 1",
        "SELECT pg_advisory_lock(1)",
        "SELECT pg_try_advisory_lock_shared(1)",
        "CREATE TEMP TABLE t (id int)",
        "CREATE TEMPORARY TABLE t AS SELECT 1",
        "DECLARE c CURSOR WITH HOLD FOR SELECT 1",
        "SELECT set_config('jit', 'off', false)",
    ],
)
def test_the_suite_refuses_what_stays_in_a_connection(statement: str) -> None:
    assert SESSION_STATE.search(statement)


@pytest.mark.parametrize(
    "statement",
    [
        "SET LOCAL work_mem = '1MB'",
        "SET TRANSACTION READ ONLY",
        "SELECT pg_advisory_xact_lock(1)",
        "SELECT pg_try_advisory_xact_lock(1)",
        "CREATE TEMP TABLE t ON COMMIT DROP AS SELECT 1",
        "SELECT set_config('jit', 'off', true)",
        "UPDATE lead SET title = $1",
        "NOTIFY events",
    ],
)
def test_the_suite_lets_pass_what_ends_with_its_transaction(statement: str) -> None:
    assert not SESSION_STATE.search(statement)


@pytest.fixture
def home() -> Iterator[Path]:
    with TemporaryDirectory(prefix="sc-pooler-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@asynccontextmanager
async def pooler(url: str, home: Path, *, server_connections: int) -> AsyncIterator[str]:
    """Start PgBouncer in transaction mode before a database, with fewer connections to it than it is asked for."""
    parts = urlsplit(url)
    host = parse_qs(parts.query).get("host", [parts.hostname])[0]
    user, name = unquote(parts.username or ""), parts.path.lstrip("/")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    known = f"{name} = host={host} port={parts.port or 5432} dbname={name} user={user}"
    (home / "pgbouncer.ini").write_text(
        f"[databases]\n{known}{f' password={parts.password}' if parts.password else ''}\n"
        f"[pgbouncer]\nlisten_addr =\nlisten_port = {port}\nunix_socket_dir = {home}\nauth_type = any\n"
        f"pool_mode = transaction\ndefault_pool_size = {server_connections}\nserver_reset_query =\n"
        f"logfile = {home / 'log'}\n"
    )
    assert PGBOUNCER
    # It refuses to run as root, and only whoever runs the server may open its socket.
    process = await asyncio.create_subprocess_exec(
        PGBOUNCER,
        "-q",
        str(home / "pgbouncer.ini"),
        stderr=asyncio.subprocess.DEVNULL,
        user=None if os.geteuid() else _owner(host, parts.port or 5432),
    )
    try:
        through = f"postgresql://{user}@/{name}?host={home}&port={port}"
        await _answering(through)
        yield through
    finally:
        process.terminate()
        await process.wait()


def _owner(host: str | None, port: int) -> int:
    address = Path(host or "", f".s.PGSQL.{port}")
    return address.stat().st_uid if address.exists() else pwd.getpwnam("nobody").pw_uid


async def _answering(url: str) -> None:
    async with asyncio.timeout(20):
        while True:
            try:
                await (await asyncpg.connect(url, statement_cache_size=0)).close()
                return
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.02)


@pytest.mark.skipif(PGBOUNCER is None, reason="needs PgBouncer, which no wheel brings: apt-get install pgbouncer")
async def test_everything_works_through_a_pooler_in_transaction_mode(
    empty_database_url: str, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_POOLER", "transaction")
    async with pooler(empty_database_url, home, server_connections=2) as url, TortoiseContext() as context:
        await context.init(config=database.config(url, pool_size=8, pooler="transaction"))
        await _sell_together()


async def _sell_together() -> None:
    """Do what people do all day, many at once, so that every server process serves all of them in turns."""
    admin = await seller()
    token = (await session(admin)).access_token
    target = await stage(admin, StageKind.QUALIFY)
    new = Capture(
        company=NewCompany(name="Acme", domain="acme.com"), contact=NewContact(name="Ann", email="ann@acme.com")
    )

    async def sell(number: int) -> None:
        actor = await users.load_actor(token, now=NOW)
        row = await captures.capture(actor, new, now=NOW)
        await leads.update(actor, row.id, LeadDetails(title=f"Roof {number}"), now=NOW)
        await moves.move(actor, row.id, stage_id=target.id, now=NOW)
        assert row.company_id
        await companies.update(actor, row.company_id, CompanyDetails(industry=f"Solar {number}"), now=NOW)

    await asyncio.gather(*(sell(number) for number in range(24)))
    rows = await Lead.filter(workspace_id=admin.workspace_id)
    assert {row.title for row in rows} == {f"Roof {number}" for number in range(24)}
    assert {(row.version, row.stage_id) for row in rows} == {(3, target.id)}
    [company] = await Company.filter(workspace_id=admin.workspace_id)
    assert company.version == 25
    versions = [event.data["version"] for event in await events(company.id) if event.name == "company.updated"]
    assert versions == list(range(2, 26))
