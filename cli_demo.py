"""`salescycle demo`: a workspace of believable data, with a bar that shows how far it is."""

import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from domain.demo import Filled, Plan, fill
from domain.errors import DomainError, Invalid
from embedded.errors import StartFailed
from models.database import DatabaseNewer, close_database, migrate, open_database

POOL = 2
SHOWN = {"company": "companies", "contact": "contacts", "lead": "leads", "stage_transition": "moves", "event": "events"}


async def make_demo(
    database_url: str, *, workspace: str, email: str, password: str | None, leads: int, seed: int
) -> None:
    """Fill a new workspace and say how to sign in; raises StartFailed with what has to be mended.

    Without a password one is made up and shown this once.
    """
    console = Console(highlight=False)
    known = password or secrets.token_urlsafe(12)
    plan = Plan(workspace, email, known, leads, seed)
    began = time.perf_counter()
    with _sentences():
        await migrate(database_url)
        await open_database(database_url, pool_size=POOL)
        try:
            with _bar(console, leads) as report:
                filled = await fill(plan, now=datetime.now(UTC), progress=report)
        finally:
            await close_database()
    _tell(console, plan, filled, seconds=time.perf_counter() - began, shown_password=password is None)


@contextmanager
def _sentences() -> Iterator[None]:
    try:
        yield
    except Invalid as error:
        raise StartFailed(" ".join(fault.message for fault in error.faults)) from error
    except (DomainError, DatabaseNewer) as error:
        raise StartFailed(str(error)) from error


@contextmanager
def _bar(console: Console, leads: int) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(
        *columns, TextColumn("{task.fields[rate]:,.0f} leads/s"), TimeRemainingColumn(), console=console
    ) as bar:
        task = bar.add_task("Leads", total=leads, rate=0)

        def report(written: int) -> None:
            bar.update(task, completed=written, rate=bar.tasks[0].speed or 0)

        yield report


def _tell(console: Console, plan: Plan, filled: Filled, *, seconds: float, shown_password: bool) -> None:
    made = ", ".join(f"{filled.rows[table]:,} {noun}" for table, noun in SHOWN.items())
    console.print(f"{plan.workspace_name}: {made}, in {seconds:.1f} s.")
    secret = f" and the password {plan.password}, which is not shown again" if shown_password else ""
    console.print(f"Sign in as {plan.email}{secret}.", soft_wrap=True)
