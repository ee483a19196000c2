"""Tortoise's client for PostgreSQL, with transactions that cost as few round trips as they can.

Tortoise is told of it by this module's name. What is overridden here is how connections are acquired and how
transactions begin and end; everything else is Tortoise's own.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import ContextVar
from types import TracebackType
from typing import Any, cast
from uuid import UUID

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import TransactionContext
from tortoise.backends.base_postgres.client import translate_exceptions
from tortoise.connection import get_connection, get_connections
from tortoise.exceptions import TransactionManagementError
from tortoise.models import Model

from models.lookups import Lookups
from models.writes import NewEvent, Writes

# Types and their arrays, whose numbers PostgreSQL never changes. asyncpg knows few of the arrays, and would look up
# the others anew in every connection: two or three round trips, with jit switched off around them for the session.
ARRAYS = {
    "bool": (16, 1000),
    "bytea": (17, 1001),
    "int8": (20, 1016),
    "int2": (21, 1005),
    "int4": (23, 1007),
    "json": (114, 199),
    "float4": (700, 1021),
    "float8": (701, 1022),
    "varchar": (1043, 1015),
    "date": (1082, 1182),
    "timestamp": (1114, 1115),
    "timestamptz": (1184, 1185),
    "numeric": (1700, 1231),
    "uuid": (2950, 2951),
    "jsonb": (3802, 3807),
}
KNOWN_TYPES = [
    {
        "oid": array,
        "name": f"_{name}",
        "ns": "pg_catalog",
        "elemtype": element,
        "elemtype_name": name,
        "elemdelim": ",",
        "kind": b"b",
        "basetype": None,
        "range_subtype": None,
        "attrtypoids": None,
    }
    for name, (element, array) in ARRAYS.items()
]


class PooledConnection(asyncpg.Connection):
    """A connection that is given back without a reset round trip; session state is therefore banned."""

    _failed = False

    def __init__(self, protocol: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(protocol, *args, **kwargs)
        protocol.get_settings().register_data_types(KNOWN_TYPES)

    async def _do_execute(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await super()._do_execute(*args, **kwargs)  # type: ignore[misc]
        except BaseException:
            self._failed = True
            raise

    def is_clean(self) -> bool:
        """Say whether whoever comes next can have the connection as it is."""
        inner: Any = self
        return not (
            self._failed
            or self.is_closed()
            or self.is_in_transaction()
            or inner._protocol._is_cancelling()
            or inner._top_xact is not None
            or inner._listeners
        )

    def get_reset_query(self) -> str:
        # A statement that was prepared, and never sent since a value did not fit or nobody waited for it any more, has
        # left PostgreSQL in a transaction of its own making. The next round trip ends it, and so must this one.
        failed, self._failed = self._failed, False
        return "SELECT" if failed else ""


class Pool(asyncpg.Pool):
    """A pool that lends in the order in which it is asked, and takes back at once where there is nothing to clear up.

    asyncpg's own lets those who have just come go before those who wait, and takes back in a task with a timeout,
    which costs as much as a small query.
    """

    def __init__(self, **chosen: Any) -> None:
        plain: dict[str, Any] = dict.fromkeys(("connect", "setup", "init", "reset"))
        super().__init__(None, record_class=asyncpg.Record, **plain, **chosen)
        self._turns = asyncio.Semaphore(chosen["max_size"])

    async def acquire(self, *, timeout: float | None = None) -> Any:  # type: ignore[override]
        await self._turns.acquire()
        try:
            return await super().acquire(timeout=timeout)
        except BaseException:
            self._turns.release()
            raise

    async def release(self, connection: Any, *, timeout: float | None = None) -> None:
        try:
            if (held := connection._con) is not None and held.is_clean():
                connection._holder._release()
            else:
                await super().release(connection, timeout=timeout)
        finally:
            self._turns.release()


HOLD = """
SELECT pg_advisory_xact_lock(hashtextextended(name, 0))
FROM (SELECT name FROM unnest($1::text[]) WITH ORDINALITY AS given(name, place) ORDER BY place) AS names
"""


class ChangedMeanwhile(Exception):
    """A row that was read without a lock was changed by somebody else before it was written."""


class Client(AsyncpgDBClient):
    """The pool of a process."""

    def __init__(self, *args: Any, **chosen: Any) -> None:
        super().__init__(*args, **chosen)
        self._lookups: dict[str, Lookups] = {}

    def _in_transaction(self) -> TransactionContext:
        return Opened(Unit(self))

    async def create_pool(self, **chosen: Any) -> "asyncpg.Pool[Any]":
        return await Pool(**chosen)

    async def fetch(self, sql: str, values: Sequence[Any]) -> "list[asyncpg.Record]":
        """Send a statement and return its rows, with less ado than Tortoise."""
        pool = self._pool or await self.opened()
        connection = await pool.acquire()
        try:
            return await connection.fetch(sql, *values)
        finally:
            await pool.release(connection)

    read = fetch

    async def look_up(self, sql: str, key: Any) -> "asyncpg.Record | None":
        """Read a row by its key, in one statement with those that others look up."""
        lookups = self._lookups.get(sql)
        if lookups is None:
            lookups = self._lookups[sql] = Lookups(lambda keys: self.fetch(sql, [keys]))
        found: asyncpg.Record | None = await lookups.find(key)
        return found

    async def opened(self) -> "asyncpg.Pool[Any]":
        """Return the pool of connections, which is made when it is first needed."""
        if self._pool is None:
            async with self._pool_init_lock:
                if self._pool is None:
                    await self.create_connection(with_db=True)
        assert self._pool is not None
        return self._pool


class Unit(TransactionWrapper):
    """A transaction as a unit of work.

    It begins with the first statement that is sent in it. Rows and events that are given to it wait, and are written
    by one statement, at its end or before the next one that is sent, which therefore sees them. Where nothing else
    is sent, that one statement needs no transaction around it.

    A `hopeful` one reads rows that are to be edited without a lock, and remembers who wrote them last (their xmin).
    Their own update then refuses to overwrite what somebody else has written meanwhile; if it turns out that more
    than one statement is needed, they are locked first, and refused where they have changed.

    One `of_many` holds the same operation on many rows, each a part of its own. A part that has sent nothing gives
    its rows and events to the whole, which writes those of several parts together; it can fail alone until then.
    What the parts read alike is remembered, and the rows that they edit may have been locked and read before.
    """

    def __init__(self, parent: "Client | Unit", *, hopeful: bool = False, snapshot: bool = False) -> None:
        super().__init__(parent)
        self.outer = parent if isinstance(parent, Unit) else None
        self.pool: Client = parent.pool if isinstance(parent, Unit) else parent
        self.writes = Writes()
        self.dirty = False
        self.hopeful = hopeful
        self._snapshot = snapshot
        self._begun = False
        self._over = False
        self._read_as: dict[tuple[type[Model], UUID], int] = {}
        self._beside: dict[UUID, dict[str, Any]] = {}
        self._held: dict[UUID, Model] = {}
        self._written: set[UUID] = set()
        self._names: set[str] = set()
        self._acquired: Any = None
        self.of_many = False
        self.memory: dict[Any, Any] | None = None
        self._ready_rows: dict[tuple[type[Model], UUID], tuple[Model, dict[str, Any]]] = {}
        if isinstance(parent, Unit):
            self.memory = parent.memory
            # Both send over one connection, one after the other.
            self._lock = parent._lock
            self._held = dict(parent._held)
            self._written = set(parent._written)
            self._names = set(parent._names)

    @property
    def is_hopeful(self) -> bool:
        """Say whether rows can be read without a lock still."""
        return self.hopeful and not self._begun and not self.writes

    @property
    def is_part_of_many(self) -> bool:
        """Say whether it is one of many parts, and has sent nothing yet."""
        return self.outer is not None and self.outer.of_many and not self._begun

    def _in_transaction(self) -> TransactionContext:
        return Opened(Unit(self))

    def acquire_connection(self) -> "Ready":  # type: ignore[override]
        return Ready(self)

    def held(self, row: Model) -> None:
        """Note that a row is locked."""
        self._held[row.pk] = row

    async def hold(self, names: Sequence[str]) -> None:
        """Lock names, one after the other, until the transaction ends; those that it holds are not asked for again."""
        if not self._names.issuperset(names):
            await self.fetch(HOLD, [names])
            self._names.update(names)

    def hoped(self, row: Model, *, read_as: int, beside: dict[str, Any]) -> None:
        """Note that a row was read as somebody wrote it last, and what was read beside it."""
        self._held[row.pk] = row
        self._read_as[type(row), row.pk] = read_as
        self._beside[row.pk] = beside

    def make_ready(self, row: Model, beside: dict[str, Any]) -> None:
        """Note that a row is locked and was read since, with what is read beside it, for the part that edits it."""
        self._ready_rows[type(row), row.pk] = row, beside

    def take_ready(self, model: type[Model], key: UUID) -> Any:
        """Return a row that was made ready for this part; None where none was, or another part has had it."""
        if not self.is_part_of_many or self.outer is None or (model, key) not in self.outer._ready_rows:
            return None
        row, self._beside[key] = self.outer._ready_rows.pop((model, key))
        self.held(row)
        return row

    def beside(self, key: UUID, name: str) -> Any:
        """Return what was read beside a row; None where that may have changed."""
        return None if self._begun else self._beside.get(key, {}).get(name)

    async def read(self, sql: str, values: Sequence[Any]) -> "list[asyncpg.Record]":
        """Send a statement that neither writes nor locks and return its rows; a hopeful one does not begin for it."""
        return await (self.pool if self.is_hopeful else self).fetch(sql, values)

    async def fetch(self, sql: str, values: Sequence[Any]) -> "list[asyncpg.Record]":
        """Send a statement in the transaction and return its rows."""
        if self.outer is not None and self.is_part_of_many and not self.writes:
            return await self.outer.fetch(sql, values)
        async with self.acquire_connection() as connection:
            return await connection.fetch(sql, *values)

    async def look_up(self, sql: str, key: Any) -> "asyncpg.Record | None":
        """Read a row by its key, as this transaction sees it."""
        rows = await self.fetch(sql, [[key]])
        return rows[0] if rows else None

    async def insert(self, row: Model) -> None:
        """Let a new row wait to be written."""
        await self._make_room(row, is_new=True)
        self.writes.insert(row)
        self._written.add(row.pk)
        row._saved_in_db = True

    async def insert_unless_known(self, row: Model, event: NewEvent) -> bool:
        """Write a new row and its event, unless another row has what must be unique; say whether they were written."""
        writes = Writes()
        writes.insert(row, unless_known=True)
        writes.events.append(event)
        async with self.acquire_connection() as connection:
            written: bool = await self._send(connection, writes)
        if written:
            self._written.add(row.pk)
            self.dirty = row._saved_in_db = True
        return written

    async def update(self, row: Model, names: list[str]) -> None:
        """Let columns of a row wait to be written, as they are now."""
        await self._make_room(row, is_new=False)
        read_as = None if self._begun else self._read_as.get((type(row), row.pk))
        self.writes.update(row, names, read_as=read_as)
        self._written.add(row.pk)

    def record(self, event: NewEvent) -> None:
        """Let an event wait to be appended."""
        held = self._held.get(event.subject_id)
        if held is not None and event.subject_id not in self._written:
            # Whoever has read the row without a lock must see that something has happened to it.
            self.writes.update(held, (), read_as=None if self._begun else self._read_as.get((type(held), held.pk)))
            self._written.add(event.subject_id)
        self.writes.events.append(event)
        self.dirty = True

    async def ready(self) -> "asyncpg.Connection[Any]":
        """Return the connection, with the transaction begun and nothing waiting; the caller has the lock."""
        if self._over:
            raise TransactionManagementError("The transaction is over.")
        if not self._begun:
            await self._begin()
        if self.writes:
            await self._write(self._connection)
        return self._connection

    async def end(self) -> None:
        """Write what waits and commit."""
        try:
            if self.outer is not None and self.is_part_of_many:
                await self.outer._take_over(self.writes)
            elif not self._begun and self._fits_one_statement():
                await self._write_at_once()
            elif self.writes:
                await self._settle()
            async with self._lock:
                self._over = True
                if self.transaction:
                    await self.transaction.commit()
        except BaseException:
            await self.undo()
            raise
        else:
            await self._give_back()
        if self.outer is not None:
            self.outer._held |= self._held
            self.outer._written |= self._written
            self.outer._names |= self._names
            self.outer.dirty |= self.dirty

    async def undo(self) -> None:
        """Take back what was written."""
        try:
            async with self._lock:
                self._over = True
                if self.transaction is not None:
                    await self.transaction.rollback()
        except BaseException as error:
            # Nobody knows in what state the connection is, so nobody else gets it.
            self._break_off()
            if not isinstance(error, asyncpg.PostgresError | asyncpg.InterfaceError | OSError):
                raise
        finally:
            await self._give_back()

    async def _settle(self) -> None:
        """Write what waits, in the transaction."""
        async with self.acquire_connection():
            pass

    async def _make_room(self, row: Model, *, is_new: bool) -> None:
        if not self.writes.fit(type(row), row.pk, is_new=is_new):
            await self._settle()

    async def _take_over(self, writes: Writes) -> None:
        """Let what a part has written wait with what other parts have."""
        if not self.writes.fit_together(writes):
            await self._settle()
        self.writes.add(writes)

    def _fits_one_statement(self) -> bool:
        """Say whether one statement writes what waits and refuses to where a row has changed that was read."""
        if self.outer is not None or not self._read_as:
            return self.outer is None
        guarded = [write.read_as is not None for write in self.writes.rows.values()]
        return len(self._read_as) == 1 and guarded == [True]

    async def _write_at_once(self) -> None:
        if self.writes:
            pool = await self.pool.opened()
            connection = await pool.acquire()
            try:
                await self._write(connection)
            finally:
                await pool.release(connection)

    async def _begin(self) -> None:
        if self.outer is not None:
            self._connection = await self.outer.ready()
        else:
            self._acquired = await (await self.pool.opened()).acquire()
            self._connection = self._acquired
        isolated: dict[str, Any] = {"isolation": "repeatable_read", "readonly": True} if self._snapshot else {}
        self.transaction = self._connection.transaction(**isolated)
        try:
            await self.transaction.start()
        except BaseException:
            # Whoever comes next in this transaction begins it anew, with another connection.
            self.transaction = None
            self._break_off()
            await self._give_back()
            raise
        self._begun = True
        for (model, key), read_as in self._read_as.items():
            again = f'SELECT 1 FROM "{model._meta.db_table}" WHERE "id"=$1 AND xmin=$2::xid FOR NO KEY UPDATE'
            if not await self._connection.fetch(again, key, read_as):
                raise ChangedMeanwhile
        self._read_as.clear()
        for write in self.writes.rows.values():
            write.read_as = None

    async def _write(self, connection: Any) -> None:
        writes, self.writes = self.writes, Writes()
        if not await self._send(connection, writes):
            raise ChangedMeanwhile

    @translate_exceptions
    async def _send(self, connection: Any, writes: Writes) -> bool:
        """Write rows and events; say whether they were written, which depends on rows that others may come before."""
        sql, values = writes.statement()
        tag: str = await connection.execute(sql, *values)
        return writes.guard is None or not tag.endswith(" 0")

    def _break_off(self) -> None:
        if self._acquired is not None:
            # A connection that PostgreSQL has closed is the pool's again already.
            with suppress(asyncpg.InterfaceError):
                self._acquired.terminate()

    async def _give_back(self) -> None:
        if self._acquired is not None:
            acquired, self._acquired = self._acquired, None
            await (await self.pool.opened()).release(acquired)


class Ready:
    """A unit's connection, for one statement at a time."""

    __slots__ = ("_unit",)

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    async def __aenter__(self) -> "asyncpg.Connection[Any]":
        await self._unit._lock.acquire()
        try:
            return await self._unit.ready()
        except BaseException:
            self._unit._lock.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._unit._lock.release()


_running: ContextVar[Unit | None] = ContextVar("salescycle_running", default=None)
# The pool of Tortoise's connections, which know it, too, but take long to say so.
_known: tuple[object, Client] | None = None


class Opened(TransactionContext):
    """A unit within which everything is sent that is sent in the block.

    `committed` is called after the outermost one has recorded events and ended well.
    """

    __slots__ = ("_around", "_committed", "_token", "client", "unit")

    def __init__(self, unit: Unit, committed: Callable[[], None] | None = None) -> None:
        self.unit = self.client = unit
        self._committed = committed

    async def __aenter__(self) -> Unit:
        # Tortoise is told, too, but takes longer to answer.
        self._token = get_connections().set(self.unit.connection_name, self.unit)
        self._around = _running.set(self.unit)
        return self.unit

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            await (self.unit.end() if kind is None else self.unit.undo())
        finally:
            _running.reset(self._around)
            get_connections().reset(self._token)
        if self._committed is not None and kind is None and self.unit.dirty and self.unit.outer is None:
            self._committed()


def running() -> Unit | None:
    """Return the transaction that runs, if one does."""
    return _running.get()


def connected() -> Client | Unit:
    """Return the transaction that runs, or else the pool."""
    global _known
    if (unit := _running.get()) is not None:
        return unit
    connections = get_connections()
    if _known is None or _known[0] is not connections:
        _known = connections, cast(Client, get_connection("default"))
    return _known[1]


client_class = Client
