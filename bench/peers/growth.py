"""How much longer a page takes where there are a million leads instead of ten thousand.

Two databases with the same people, stages and companies; the same page, by date, by score and by rank within a
stage, for somebody who sees all leads, two who see their own (few or many of them), and one whose team has none. A
page that is not as full in the one as in the other is reported, but says nothing of growth.
"""

import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import asyncpg

from bench.demo import EMAIL
from bench.house import Client, told
from bench.peers import documents
from bench.peers.contenders import Running, salescycle, signed_in, started
from bench.peers.ground import HERE, Ground
from models import database

FEW, MANY = "few", "many"
PEOPLE = {
    "admin": EMAIL,
    "rep": "rep@bench.example",
    "busy_rep": "busy@bench.example",
    "newcomer": "newcomer@bench.example",
}
PAGE_SIZE = 50
WARM_UP, WARM_UP_SECONDS = 8, 20.0
MOST_PAIRS, MOST_SECONDS = 60, 4.0
BUSIEST = "SELECT stage_id FROM lead WHERE status = 'OPEN' GROUP BY 1 ORDER BY count(*) DESC LIMIT 1"


@dataclass(frozen=True)
class Sight:
    """A page as somebody sees it in one of the databases."""

    client: Client
    document: str
    variables: dict[str, Any]

    async def leads(self) -> int:
        """Return how many leads the page shows."""
        data = await self.client.ask(self.document, **self.variables)
        return len((data.get("stage") or data)["leads"]["edges"])

    async def seconds(self) -> float:
        began = time.perf_counter()
        await self.client.ask(self.document, **self.variables)
        return time.perf_counter() - began


async def make(ground: Ground) -> None:
    """Make both databases from the demo, once."""
    wanted = {name: (HERE / "sql" / f"{name}.sql").read_text() for name in (FEW, MANY)}
    mark = ground.data_dir / "bench-peers-growth"
    told_by = ground.prepared + "".join(wanted.values())
    if mark.exists() and mark.read_text() == told_by:
        for name in wanted:
            await database.migrate(ground.postgres.url_of(name))
        return
    await _copy(ground, FEW, ground.postgres.url.partition("@/")[2].partition("?")[0], wanted[FEW])
    await _copy(ground, MANY, FEW, wanted[MANY])
    mark.write_text(told_by)


async def _copy(ground: Ground, name: str, template: str, then: str) -> None:
    maintenance = await asyncpg.connect(ground.postgres.url_of("postgres"))
    try:
        await maintenance.execute(f"DROP DATABASE IF EXISTS {name}")
        await maintenance.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    finally:
        await maintenance.close()
    connection = await asyncpg.connect(ground.postgres.url_of(name))
    try:
        await connection.execute(then)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def measure(ground: Ground) -> None:
    """Print how many times as long each page takes, and the worst of them."""
    stage_id = await _busiest_stage(ground)
    with ExitStack() as stack:
        few, many = (
            stack.enter_context(
                started(replace(salescycle(), name=f"salescycle-{name}"), ground, ground.postgres.url_of(name))
            )
            for name in (FEW, MANY)
        )
        pages = _pages(few, stage_id)
        ratios = []
        for person, email in PEOPLE.items():
            clients = [Client(at.address, signed_in(at.address, email)) for at in (few, many)]
            for order, (document, variables) in pages.items():
                sights = [Sight(client, document, variables) for client in clients]
                ratios.append(await _compared(f"page_growth_{person}_{order}", sights))
            for client in clients:
                client.close()
    told("page_growth", max(ratios), "x")


def _pages(at: Running, stage_id: UUID) -> dict[str, tuple[str, dict[str, Any]]]:
    first = {"first": PAGE_SIZE}
    return {
        "date": (documents.PAGE, first),
        "score": (documents.BY_SCORE, first),
        "rank": (documents.BY_RANK, first | {"stage": at.id_of("Stage", stage_id)}),
    }


async def _compared(name: str, sights: list[Sight]) -> float:
    """Ask in both databases in turn; print and return the ratio of the medians, 0 where pages are not alike."""
    shown = [await sight.leads() for sight in sights]
    took: list[list[float]] = [[], []]
    # PostgreSQL thinks anew about a statement five times before it settles on a plan for whatever it is given.
    warming = _for_a_while(WARM_UP, WARM_UP_SECONDS)
    while warming():
        for sight in sights:
            await sight.seconds()
    going = _for_a_while(MOST_PAIRS, MOST_SECONDS)
    while going():
        for sight, seconds in zip(sights, took, strict=True):
            seconds.append(await sight.seconds())
    few, many = (statistics.median(seconds) * 1000 for seconds in took)
    is_fair = shown[0] == shown[1]
    unlike = "" if is_fair else f"; pages of {shown[0]} and {shown[1]} leads, so it is not among the worst"
    told(name, many / few, f"x ({few:.1f} to {many:.1f} ms{unlike})")
    return many / few if is_fair else 0.0


def _for_a_while(most: int, seconds: float) -> Callable[[], bool]:
    """Return what says whether to go on: so many times or for so long, and three times at least."""
    began, times = time.monotonic(), 0

    def going() -> bool:
        nonlocal times
        times += 1
        return times <= most and (times <= 3 or time.monotonic() - began < seconds)

    return going


async def _busiest_stage(ground: Ground) -> UUID:
    connection = await asyncpg.connect(ground.postgres.url_of(FEW))
    try:
        found: UUID = await connection.fetchval(BUSIEST)
        return found
    finally:
        await connection.close()
