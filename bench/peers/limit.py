"""The limit: a bare ASGI handler that answers one document with SQL written for it, on asyncpg and orjson.

It checks nothing, knows nobody and reads no GraphQL. Its connections are not reset when they are given back, which
saves a round trip to PostgreSQL.
"""

import gc
import os
from binascii import b2a_base64
from collections.abc import Awaitable, Callable, MutableMapping
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from domain import money

PAGE = """
SELECT l.id, l.title, l.status, l.score, l.created_at, l.value, l.currency,
       s.id, s.name, u.id, u.name, c.id, c.name
FROM lead l
LEFT JOIN stage s ON s.id = l.stage_id
LEFT JOIN user_account u ON u.id = l.owner_id
LEFT JOIN company c ON c.id = l.company_id
WHERE l.workspace_id = $1 AND l.deleted_at IS NULL
ORDER BY l.created_at DESC, l.id DESC LIMIT $2
"""
NEEDS = """
SELECT n.lead_id, n.id, n.title, n.importance
FROM unnest($1::uuid[]) AS parent(id), LATERAL (
    SELECT n.lead_id, n.id, n.title, n.importance FROM need n
    WHERE n.lead_id = parent.id AND n.deleted_at IS NULL
    ORDER BY n.importance DESC, n.id DESC LIMIT 3
) n
"""
ONE = """
SELECT id, title, status, score, version, created_at FROM lead
WHERE id = $1 AND workspace_id = $2 AND deleted_at IS NULL
"""
STAGES = """
SELECT p.id, p.name, s.id, s.name, s.kind, s.is_intake FROM pipeline p JOIN stage s ON s.pipeline_id = p.id
WHERE p.id = $1 AND p.workspace_id = $2 AND s.archived_at IS NULL ORDER BY s.position, s.id
"""
TOTALS = """
WITH rate AS (
    SELECT DISTINCT ON (currency) currency, rate FROM exchange_rate
    WHERE workspace_id = $2 AND valid_on <= current_date ORDER BY currency, valid_on DESC
), home AS (SELECT base_currency, wins_window_days FROM workspace WHERE id = $2)
SELECT l.stage_id, home.base_currency, count(*),
       sum(l.value * coalesce(l.closing_rate, CASE WHEN l.currency = home.base_currency THEN 1 ELSE rate.rate END))
FROM lead l CROSS JOIN home LEFT JOIN rate ON rate.currency = l.currency
WHERE l.stage_id = ANY($1::uuid[]) AND l.workspace_id = $2 AND l.deleted_at IS NULL AND l.status IN ('OPEN', 'WON')
  AND (l.status = 'OPEN' OR l.closed_at >= now() - make_interval(days => home.wins_window_days))
GROUP BY 1, 2
"""
CARDS = """
SELECT parent.place, l.id, l.title, l.rank, l.version, l.status, l.score, l.grade, l.value, l.currency,
       u.id, u.name, c.id, c.name
FROM unnest($1::uuid[]) WITH ORDINALITY AS parent(id, place), LATERAL (
    SELECT * FROM lead l
    WHERE l.stage_id = parent.id AND l.workspace_id = $2 AND l.deleted_at IS NULL AND l.status IN ('OPEN', 'WON')
      AND (l.status = 'OPEN'
           OR l.closed_at >= now() - make_interval(days => (SELECT wins_window_days FROM workspace WHERE id = $2)))
    ORDER BY l.rank, l.id LIMIT $3
) l
LEFT JOIN user_account u ON u.id = l.owner_id
LEFT JOIN company c ON c.id = l.company_id
ORDER BY parent.place, l.rank, l.id
"""
SAFE = bytes.maketrans(b"+/", b"-_")
HEAD = [(b"content-type", b"application/json")]
WORKSPACE = UUID(os.environ["LIMIT_WORKSPACE"])

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Connection(asyncpg.Connection):
    """A connection that carries nothing from one request to the next."""

    def get_reset_query(self) -> str:
        return ""


def gid(noun: str, key: Any) -> str:
    """Return a global id as Salescycle writes it."""
    return f"{noun}_{key.hex}"


def amount(value: Decimal) -> str:
    """Return a decimal as Salescycle writes it."""
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def encoded(data: Any) -> bytes:
    return orjson.dumps({"data": data}, option=orjson.OPT_UTC_Z)


async def page(pool: Any, first: int) -> bytes:
    """Answer the page."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(PAGE, WORKSPACE, first + 1)
        shown = rows[:first]
        found = await connection.fetch(NEEDS, [row[0] for row in shown])
    needs: dict[Any, list[Any]] = {}
    for lead, key, title, importance in found:
        entry = {"node": {"id": gid("Need", key), "title": title, "importance": importance}}
        needs.setdefault(lead, []).append(entry)
    edges = [{"node": lead_of(row, needs)} for row in shown]
    last = shown[-1]
    cursor = orjson.dumps(["0" * 12, [last[4].isoformat()], last[0].hex])
    end = b2a_base64(cursor, newline=False).rstrip(b"=").translate(SAFE).decode()
    info = {"hasNextPage": len(rows) > first, "endCursor": end}
    return encoded({"leads": {"edges": edges, "pageInfo": info}})


def lead_of(row: Any, needs: dict[Any, list[Any]]) -> dict[str, Any]:
    key, title, status, score, created, value, currency, stage, stage_name, owner, owner_name, company, name = row
    return {
        "id": gid("Lead", key),
        "title": title,
        "status": status,
        "score": score,
        "createdAt": created,
        "value": None if value is None else {"amount": amount(value), "currencyCode": currency},
        "stage": {"id": gid("Stage", stage), "name": stage_name},
        "owner": {"id": gid("User", owner), "name": owner_name} if owner else None,
        "company": {"id": gid("Company", company), "name": name} if company else None,
        "needs": {"edges": needs.get(key, [])},
    }


async def one(pool: Any, key: UUID) -> bytes:
    """Answer one lead."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(ONE, key, WORKSPACE)
    found, title, status, score, version, created = row
    lead = {"id": gid("Lead", found), "title": title, "status": status, "score": score}
    return encoded({"lead": lead | {"version": version, "createdAt": created}})


async def board(pool: Any, pipeline: UUID, first: int) -> bytes:
    """Answer the board."""
    async with pool.acquire() as connection:
        stages = await connection.fetch(STAGES, pipeline, WORKSPACE)
        keys = [row[2] for row in stages]
        totals = {row[0]: row for row in await connection.fetch(TOTALS, keys, WORKSPACE)}
        found = await connection.fetch(CARDS, keys, WORKSPACE, first + 1)
    cards: list[list[Any]] = [[] for _ in keys]
    for row in found:
        cards[row[0] - 1].append(row)
    shown = [stage_of(row, totals.get(row[2]), cards[place], first) for place, row in enumerate(stages)]
    return encoded({"pipeline": {"id": gid("Pipeline", pipeline), "name": stages[0][1], "stages": shown}})


def stage_of(row: Any, total: Any, cards: list[Any], first: int) -> dict[str, Any]:
    _, _, key, name, kind, is_intake = row
    _, currency, count, base = total or (None, "EUR", 0, Decimal(0))
    worth = {"amount": amount(money.quantize(base or Decimal(0), currency)), "currencyCode": currency}
    return {
        "id": gid("Stage", key),
        "name": name,
        "kind": kind,
        "leadCount": count,
        "leadValue": None if is_intake else worth,
        "leads": {
            "edges": [{"node": card_of(card)} for card in cards[:first]],
            "pageInfo": {"hasNextPage": len(cards) > first},
        },
    }


def card_of(row: Any) -> dict[str, Any]:
    _, key, title, rank, version, status, score, grade, value, currency, owner, owner_name, company, name = row
    return {
        "id": gid("Lead", key),
        "title": title,
        "rank": rank,
        "version": version,
        "status": status,
        "score": score,
        "grade": grade,
        "value": None if value is None else {"amount": amount(value), "currencyCode": currency},
        "owner": {"id": gid("User", owner), "name": owner_name} if owner else None,
        "company": {"id": gid("Company", company), "name": name} if company else None,
    }


class Limit:
    """The ASGI application."""

    pool: Any

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["method"] != "POST":
            await send({"type": "http.response.start", "status": 405, "headers": []})
            await send({"type": "http.response.body"})
            return
        variables = orjson.loads((await receive())["body"])["variables"]
        match scope["path"]:
            case "/page":
                body = await page(self.pool, variables["first"])
            case "/board":
                body = await board(self.pool, UUID(variables["id"]), variables["first"])
            case _:
                body = await one(self.pool, UUID(variables["id"]))
        size = str(len(body)).encode()
        head = {"type": "http.response.start", "status": 200, "headers": [*HEAD, (b"content-length", size)]}
        await send(head)
        await send({"type": "http.response.body", "body": body})

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        self.pool = await asyncpg.create_pool(
            os.environ["DATABASE_URL"], min_size=10, max_size=10, connection_class=Connection
        )
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.pool.close()
        await send({"type": "lifespan.shutdown.complete"})


app = Limit()
