"""What companies and contacts are to the workspace, as it follows from their leads.

CUSTOMER: one of their leads is won. PROSPECT: none is, but an open one stands in a stage past PROSPECT.
FORMER: neither, but a sale was undone: a lead was won once, reopened, and not won again. LEAD: anything less.
Deleted leads count for nothing.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import ClassVar
from uuid import UUID

from domain.actors import Actor
from domain.events import Event, record
from models.database import connected, read


class CompanyRelationshipChanged(Event):
    name: ClassVar[str] = "company.relationship_changed"


class ContactRelationshipChanged(Event):
    name: ClassVar[str] = "contact.relationship_changed"


# One after the other, so that whoever locks both waits for companies first. What is locked is read by another
# statement: of two who close leads of one company the second sees what the first did.
LOCK = """
WITH companies AS MATERIALIZED (
    SELECT id FROM company WHERE workspace_id = $1 AND id = ANY($2::uuid[]) ORDER BY id FOR NO KEY UPDATE
), contacts AS MATERIALIZED (
    SELECT id FROM contact WHERE workspace_id = $1 AND id = ANY($3::uuid[]) AND (SELECT count(*) FROM companies) >= 0
    ORDER BY id FOR NO KEY UPDATE
)
SELECT (SELECT count(*) FROM companies) + (SELECT count(*) FROM contacts)
"""
FRESH = """
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
    WHERE {table}.workspace_id = $1 AND {table}.id = ANY({keys})
    GROUP BY {table}.id
"""
LEADS_OF_COMPANIES = """
SELECT company_id AS subject_id, id, status, stage_id FROM lead
WHERE workspace_id = $1 AND company_id = ANY($2::uuid[]) AND deleted_at IS NULL
"""
LEADS_OF_CONTACTS = """
SELECT contact_id AS subject_id, lead.id, status, stage_id FROM lead_contact JOIN lead ON lead.id = lead_id
WHERE lead.workspace_id = $1 AND contact_id = ANY($3::uuid[]) AND deleted_at IS NULL
"""
REFRESH = f"""
WITH of_companies AS ({FRESH.format(table="company", leads=LEADS_OF_COMPANIES, keys="$2::uuid[]")}),
     of_contacts AS ({FRESH.format(table="contact", leads=LEADS_OF_CONTACTS, keys="$3::uuid[]")}),
     companies AS (
    UPDATE company SET relationship = becomes FROM of_companies
    WHERE company.id = of_companies.id AND was <> becomes RETURNING company.id, was, becomes
), contacts AS (
    UPDATE contact SET relationship = becomes FROM of_contacts
    WHERE contact.id = of_contacts.id AND was <> becomes RETURNING contact.id, was, becomes
)
SELECT true AS is_company, * FROM companies UNION ALL SELECT false, * FROM contacts ORDER BY 1 DESC, 2
"""
OF_LEADS = """
SELECT ARRAY(SELECT DISTINCT company_id FROM lead WHERE id = ANY($1::uuid[]) AND company_id IS NOT NULL) AS companies,
       ARRAY(SELECT DISTINCT contact_id FROM lead_contact WHERE lead_id = ANY($1::uuid[])) AS contacts
"""


async def refresh(
    actor: Actor, *, company_ids: Iterable[UUID | None] = (), contact_ids: Iterable[UUID] = (), now: datetime
) -> None:
    """Bring the relationship of these companies and contacts up to date, within the running transaction.

    Whoever opens, moves past or back to PROSPECT, closes, reopens, deletes or restores a lead, or gives it
    another company or contact, calls it afterwards. It raises no version.
    """
    wanted = [sorted({key for key in keys if key is not None}) for keys in (company_ids, contact_ids)]
    if not any(wanted):
        return
    await hold(actor.workspace_id, *wanted)
    for row in await connected().fetch(REFRESH, [actor.workspace_id, *wanted]):
        event = CompanyRelationshipChanged if row["is_company"] else ContactRelationshipChanged
        data = {"changes": {"relationship": [row["was"], row["becomes"]]}}
        await record(event(actor, row["id"], data), now=now)


async def hold(workspace_id: UUID, company_ids: Iterable[UUID], contact_ids: Iterable[UUID]) -> None:
    """Lock companies and then contacts, each in the order of their ids, until the transaction ends."""
    await connected().fetch(LOCK, [workspace_id, list(company_ids), list(contact_ids)])


async def of_leads(lead_ids: Iterable[UUID]) -> tuple[list[UUID], list[UUID]]:
    """Return the companies and the contacts of leads, as refresh takes them."""
    [row] = await read(OF_LEADS, list(lead_ids))
    return row["companies"], row["contacts"]
