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


def gid(noun: bytes, key: Any) -> str:
    """Return a global id as Salescycle writes it."""
    return b2a_base64(noun + key.bytes, newline=False).rstrip(b"=").translate(SAFE).decode()


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
        entry = {"node": {"id": gid(b"Need:", key), "title": title, "importance": importance}}
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
        "id": gid(b"Lead:", key),
        "title": title,
        "status": status,
        "score": score,
        "createdAt": created,
        "value": None if value is None else {"amount": amount(value), "currencyCode": currency},
        "stage": {"id": gid(b"Stage:", stage), "name": stage_name},
        "owner": {"id": gid(b"User:", owner), "name": owner_name} if owner else None,
        "company": {"id": gid(b"Company:", company), "name": name} if company else None,
        "needs": {"edges": needs.get(key, [])},
    }


async def one(pool: Any, key: UUID) -> bytes:
    """Answer one lead."""
    async with pool.acquire() as connection:
        row = await connection.fetchrow(ONE, key, WORKSPACE)
    found, title, status, score, version, created = row
    lead = {"id": gid(b"Lead:", found), "title": title, "status": status, "score": score}
    return encoded({"lead": lead | {"version": version, "createdAt": created}})


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
        if scope["path"] == "/page":
            body = await page(self.pool, variables["first"])
        else:
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
