"""Filters and orders by custom fields at a million leads, with and without the fields' indexes.

    python -m bench.custom_fields [--leads 1000000] [--times 7]

A database of its own is made on DATABASE_URL's server, or on an embedded one started for the run, and dropped in the
end. Each figure is the median of a page of fifty leads, read by the engine in this process, as an admin who sees all.
"""

import argparse
import asyncio
import os
import secrets
import statistics
import tempfile
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import UUID

import asyncpg
import psutil

from domain import custom_fields, pipelines
from domain.actors import Actor, system
from domain.custom_fields import CustomFieldDetails, Option
from engine.conditions import EVERYTHING, Asked, Condition, Op
from engine.cursors import cursor_of
from engine.pages import Order, PageRequest
from engine.records import counts, pages
from models import custom_indexes, database
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType, IndexState
from models.leads import Lead
from models.stages import Stage
from models.workspaces import Workspace
from queries.custom_fields import resolved

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
NEWEST = (Order("created_at", descending=True),)
# Nine leads in ten have a size, one of a hundred thousand numbers; a third have each tier; all have a note.
FILL = """
INSERT INTO lead (id, workspace_id, version, created_at, updated_at, title, pipeline_id, stage_id, rank, status,
                  lifecycle, value, currency, probability, score_factors, stage_entered_at, touches, custom)
SELECT gen_random_uuid(), $1, 1, at, at, 'Lead ' || number, $2, $3, lpad(number::text, 9, '0'), 'OPEN', 'RAW', number,
       'EUR', 0.1, '[]', at, 0,
       CASE WHEN number % 10 > 0 THEN jsonb_build_object($4::text, (number::bigint * 7919 % 100000)::text) ELSE '{}' END
       || jsonb_build_object($5::text, (ARRAY['gold', 'tin', 'clay'])[1 + number % 3])
       || jsonb_build_object($6::text, 'Note ' || md5(number::text))
FROM generate_series(1, $7::int) AS number,
     LATERAL (SELECT $8::timestamptz - number * interval '1 minute' AS at) AS made
"""
NOTE_7 = '"Note 8f14e45fceea167a5a36dedd4bea2543"'


def told(figure: str, value: float, unit: str = "ms") -> None:
    print(f"{figure} {value:.1f} {unit}", flush=True)


async def fill(actor: Actor, connection: "asyncpg.Connection[asyncpg.Record]", leads: int) -> dict[str, CustomField]:
    """Make the fields and write the leads."""
    stage = await Stage.filter(workspace_id=actor.workspace_id).order_by("position").first()
    assert stage is not None
    kinds = {"size": CustomFieldType.NUMBER, "tier": CustomFieldType.CHOICE, "note": CustomFieldType.TEXT}
    options = [Option(key, key) for key in ("gold", "tin", "clay")]
    fields = {
        key: await custom_fields.create(
            actor,
            CustomFieldOwner.LEAD,
            CustomFieldDetails(key=key, label=key, type=kind, options=options if key == "tier" else ()),
            now=NOW,
        )
        for key, kind in kinds.items()
    }
    began = time.perf_counter()
    keys = [fields[key].id.hex for key in kinds]
    await connection.execute(FILL, actor.workspace_id, stage.pipeline_id, stage.id, *keys, leads, NOW, timeout=None)
    await connection.execute("VACUUM ANALYZE lead")
    told("custom_fields_made", time.perf_counter() - began, f"s ({leads} leads)")
    return fields


async def page(figure: str, actor: Actor, times: int, *, request: PageRequest) -> list[Lead]:
    """Read a page several times, print the median and return it."""
    took, shown = list[float](), list[Lead]()
    for _ in range(times):
        began = time.perf_counter()
        [found] = await pages(await resolved(request, actor), actor)
        shown = list(found.rows)
        took.append((time.perf_counter() - began) * 1000)
    told(figure, statistics.median(took))
    return shown


def asked(
    condition: Condition = EVERYTHING, orders: tuple[Order, ...] = NEWEST, after: str | None = None
) -> PageRequest:
    return PageRequest(Lead, orders, limit=50, condition=condition, after=after)


async def middle(actor: Actor, field: CustomField, order: Order) -> str:
    """Return a cursor in the middle of a list by the field."""
    known = await resolved(asked(Asked("size", Op.GTE, "50000"), (order,)), actor)
    [found] = await pages(known, actor)
    every = await resolved(asked(orders=(order,)), actor)
    row = found.rows[0]
    return cursor_of(every.signature, [str(row.custom[field.id.hex])], row.id)


async def measure(state: str, actor: Actor, field: CustomField, times: int) -> None:
    """Print what pages by custom fields take."""
    up, down = Order("", custom="size"), Order("", True, custom="size")
    tests: dict[str, Condition] = {
        "number_rare": Asked("size", Op.EQ, "4242"),
        "number_range": Asked("size", Op.GTE, "99000"),
        "text_equal": Asked("note", Op.EQ, NOTE_7),
        "choice": Asked("tier", Op.EQ, '"gold"'),
    }
    for name, condition in tests.items():
        await page(f"custom_filter_{name}_{state}", actor, times, request=asked(condition))
    began = time.perf_counter()
    [counted] = await counts(await resolved(asked(tests["number_range"]), actor), actor)
    told(f"custom_count_range_{state}", (time.perf_counter() - began) * 1000, f"ms ({counted} leads)")
    await page(f"custom_order_first_{state}", actor, times, request=asked(orders=(up,)))
    await page(f"custom_order_falling_{state}", actor, times, request=asked(orders=(down,)))
    after = await middle(actor, field, up)
    await page(f"custom_order_middle_{state}", actor, times, request=asked(orders=(up,), after=after))
    choice = Order("", custom="tier")
    await page(f"custom_order_choice_first_{state}", actor, times, request=asked(orders=(choice,)))
    await page(
        f"custom_order_choice_falling_{state}", actor, times, request=asked(orders=(Order("", True, custom="tier"),))
    )
    every = await resolved(asked(orders=(choice,)), actor)
    after = cursor_of(every.signature, [2], UUID(int=2**127))
    await page(f"custom_order_choice_middle_{state}", actor, times, request=asked(orders=(choice,), after=after))
    narrow = asked(tests["number_range"], (up,))
    await page(f"custom_filter_and_order_{state}", actor, times, request=narrow)


async def run(server_url: str, leads: int, times: int) -> None:
    """Make a database, measure and drop it."""
    parts = urlsplit(server_url)
    name = f"bench_custom_{secrets.token_hex(4)}"
    url = urlunsplit(parts._replace(path=f"/{name}"))
    admin = await asyncpg.connect(server_url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    try:
        await database.migrate(url)
        await database.open_database(url, pool_size=2)
        home = await Workspace.create(name="Bench", base_currency="EUR", created_at=NOW, updated_at=NOW)
        actor = system(home.id, task="bench")
        await pipelines.create_default(actor, now=NOW)
        connection = await asyncpg.connect(url)
        fields = await fill(actor, connection, leads)
        # What no list may be ordered by without an index is measured as if it had one.
        ordered = [fields[key].id for key in ("size", "tier")]
        await CustomField.filter(id__in=ordered).update(index_state=IndexState.READY)
        await measure("bare", actor, fields["size"], times)
        for key, field in fields.items():
            details = CustomFieldDetails(is_indexed=True)
            await custom_fields.update(actor, field.id, details, now=NOW)
            began = time.perf_counter()
            await custom_indexes.settle(field.id, url=url)
            told(f"custom_index_{key}", time.perf_counter() - began, "s to make")
        await connection.execute("ANALYZE lead")
        await measure("indexed", actor, fields["size"], times)
        await connection.close()
    finally:
        with suppress(Exception):
            await database.close_database()
        await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await admin.close()


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=7)
    args = parser.parse_args()
    print(f"cores: {psutil.cpu_count()}, load before: {os.getloadavg()[0]:.1f}")
    if os.environ.get("DATABASE_URL"):
        await run(os.environ["DATABASE_URL"], args.leads, args.times)
        return
    from embedded.servers import borrowed
    from settings import settings

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)
        async with borrowed(settings(), data_dir=Path(folder) / "data", say=lambda message: None) as servers:
            await run(servers.database_url, args.leads, args.times)


if __name__ == "__main__":
    asyncio.run(main())
