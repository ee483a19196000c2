"""Filling a new workspace with a demo, in one transaction: whoever kills it leaves nothing behind."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from uuid import UUID

import asyncpg

from domain import inputs, passwords
from domain.demo.history import History
from domain.demo.home import Admin, furnish, new_rows
from domain.demo.rows import COLUMNS, Rows
from domain.demo.sales import sell
from domain.errors import AlreadyExists, Faults, Required
from models.database import transaction
from models.users import User

MOST_LEADS = 5_000_000
CHUNK = 2_500
ADMIN_NAME = "Robin Demo"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a demo is to be: the same plan makes the same rows, but for their times."""

    workspace_name: str
    email: str
    password: str
    leads: int
    seed: int


@dataclass(frozen=True, slots=True)
class Filled:
    """The workspace that was made, and how many rows of each sort are in it."""

    workspace_id: UUID
    rows: dict[str, int]


async def fill(plan: Plan, *, now: datetime, progress: Callable[[int], None] = lambda leads: None) -> Filled:
    """Make a workspace of believable data, with an admin who can sign in; `progress` is told of leads written.

    Raises AlreadyExists where the email has an account or this very plan was made before, and faults of the plan.
    """
    admin = await _admin(plan)
    chance = Random(f"{plan.seed} {plan.workspace_name} {admin.email_normalised}")  # noqa: S311
    rows = new_rows(chance)
    home = furnish(rows, name=plan.workspace_name, admin=admin, leads=plan.leads, chance=chance, now=now)
    history, counts = History(home, chance), dict.fromkeys(COLUMNS, 0)
    current: Rows | None = rows
    with _collisions():
        async with transaction() as connection:
            written = 0
            while current is not None:
                # The next chunk is made beside the loop while PostgreSQL takes this one.
                missing = plan.leads - written - current.leads
                making = asyncio.to_thread(_next, history, current, min(CHUNK, missing))
                following, _ = await asyncio.gather(making, current.write(connection))
                for table, records in current.tables.items():
                    counts[table] += len(records)
                written += current.leads
                progress(written)
                current = following
            # Sales look for their leads among rows that PostgreSQL has never seen.
            await connection.execute_query(f"ANALYZE {', '.join(COLUMNS)}")
            for table, number in (await sell(home.workspace_id, chance, now=now)).items():
                counts[table] = counts.get(table, 0) + number
    return Filled(home.workspace_id, counts)


@contextmanager
def _collisions() -> Iterator[None]:
    """Name what is there already: the address, or the workspace that this very plan made before."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "user_email_idx":
            raise AlreadyExists(noun="user", what="email", field="email") from error
        raise AlreadyExists(noun="workspace", what="seed", field="seed") from error


def _next(history: History, rows: Rows, leads: int) -> Rows | None:
    if leads == 0:
        return None
    following = Rows(rows.workspace_id, rows.keys)
    history.chunk(following, leads)
    return following


async def _admin(plan: Plan) -> Admin:
    faults = Faults()
    inputs.name(faults, plan.workspace_name, field="workspaceName")
    email, normalised = inputs.email(faults, plan.email, field="email")
    if email is None:
        faults.add(Required(field="email"))
    inputs.whole(faults, plan.leads, field="leads", least=1, most=MOST_LEADS)
    passwords.check(faults, plan.password, field="password", about=(plan.workspace_name, plan.email))
    faults.raise_any()
    if await User.filter(email_normalised=normalised).exists():
        raise AlreadyExists(noun="user", what="email", field="email")
    return Admin(ADMIN_NAME, email or "", normalised or "", await passwords.hashed(plan.password))
