"""What companies and contacts are to the workspace, as it follows from their leads.

CUSTOMER: one of their leads is won. PROSPECT: none is, but an open one stands in a stage past PROSPECT.
FORMER: neither, but a sale was undone: a lead was won once, reopened, and not won again. LEAD: anything less.
Deleted leads count for nothing.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from tortoise.connection import get_connection

from domain.actors import Actor
from domain.events import Event, record


class CompanyRelationshipChanged(Event):
    name: ClassVar[str] = "company.relationship_changed"


class ContactRelationshipChanged(Event):
    name: ClassVar[str] = "contact.relationship_changed"


LOCK = """
SELECT id FROM {table} WHERE workspace_id = $1 AND id = ANY($2) ORDER BY id FOR NO KEY UPDATE
"""
REFRESH = """
WITH fresh AS (
    SELECT {table}.id, {table}.relationship AS was,
           CASE WHEN bool_or(lead.status = 'WON') THEN 'CUSTOMER'
                WHEN bool_or(lead.status = 'OPEN' AND stage.kind <> 'PROSPECT') THEN 'PROSPECT'
                WHEN bool_or(lead.status <> 'WON' AND EXISTS (
                    SELECT 1 FROM stage_transition JOIN stage AS left_stage ON left_stage.id = from_stage_id
                    WHERE stage_transition.workspace_id = $1 AND stage_transition.lead_id = lead.id
                      AND left_stage.kind = 'FOLLOW_UP'
                )) THEN 'FORMER'
                ELSE 'LEAD' END AS becomes
    FROM {table}
    LEFT JOIN ({leads}) AS lead ON lead.subject_id = {table}.id
    LEFT JOIN stage ON stage.id = lead.stage_id
    WHERE {table}.workspace_id = $1 AND {table}.id = ANY($2)
    GROUP BY {table}.id
)
UPDATE {table} SET relationship = fresh.becomes FROM fresh
WHERE {table}.id = fresh.id AND fresh.was <> fresh.becomes
RETURNING {table}.id, fresh.was, fresh.becomes
"""
LEADS_OF_COMPANIES = """
SELECT company_id AS subject_id, id, status, stage_id FROM lead
WHERE workspace_id = $1 AND company_id = ANY($2) AND deleted_at IS NULL
"""
LEADS_OF_CONTACTS = """
SELECT contact_id AS subject_id, lead.id, status, stage_id FROM lead_contact JOIN lead ON lead.id = lead_id
WHERE lead.workspace_id = $1 AND contact_id = ANY($2) AND deleted_at IS NULL
"""


async def refresh(
    actor: Actor, *, company_ids: Iterable[UUID | None] = (), contact_ids: Iterable[UUID] = (), now: datetime
) -> None:
    """Bring the relationship of these companies and contacts up to date, within the running transaction.

    Whoever opens, moves past or back to PROSPECT, closes, reopens, deletes or restores a lead, or gives it
    another company or contact, calls it afterwards. It raises no version.
    """
    for table, leads, keys, event in (
        ("company", LEADS_OF_COMPANIES, company_ids, CompanyRelationshipChanged),
        ("contact", LEADS_OF_CONTACTS, contact_ids, ContactRelationshipChanged),
    ):
        wanted = sorted({key for key in keys if key is not None})
        changed = await _refresh(actor, table, leads, wanted) if wanted else []
        facts = ((key, {"changes": {"relationship": [was, becomes]}}) for key, was, becomes in changed)
        await record(*(event(actor, key, data) for key, data in facts), now=now)


async def of_leads(lead_ids: Iterable[UUID]) -> tuple[list[UUID], list[UUID]]:
    """Return the companies and the contacts of leads, as refresh takes them."""
    connection, keys = get_connection("default"), list(lead_ids)
    companies = await connection.execute_query_dict(
        "SELECT DISTINCT company_id AS id FROM lead WHERE id = ANY($1) AND company_id IS NOT NULL", [keys]
    )
    contacts = await connection.execute_query_dict(
        "SELECT DISTINCT contact_id AS id FROM lead_contact WHERE lead_id = ANY($1)", [keys]
    )
    return [row["id"] for row in companies], [row["id"] for row in contacts]


async def _refresh(actor: Actor, table: str, leads: str, keys: list[UUID]) -> list[tuple[UUID, str, str]]:
    connection, arguments = get_connection("default"), [actor.workspace_id, keys]
    # Locked first, so that of two who close leads of one company the second sees what the first did.
    await connection.execute_query(LOCK.format(table=table), arguments)
    rows = await connection.execute_query_dict(REFRESH.format(table=table, leads=leads), arguments)
    return [(row["id"], row["was"], row["becomes"]) for row in rows]
