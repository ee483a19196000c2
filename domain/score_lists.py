"""The scores of leads with their reasons as CSV, for spreadsheets and for other systems."""

import codecs
from collections.abc import AsyncIterator, Mapping
from datetime import UTC
from typing import Any
from uuid import UUID

from domain import fault_lists, policy
from domain.actors import Actor
from models.leads import Lead

PAGE = 1000
HEADER = ("id", "title", "status", "score", "grade", "engagement", "winProbability", "scoredAt", "factors")


async def as_csv(actor: Actor) -> AsyncIterator[bytes]:
    """Give the leads that an actor may see by pages, with the mark by which spreadsheets know UTF-8.

    Factors stand in one cell, the strongest first: `+1.5 Source is Referral; -0.2 Value is unknown`.
    """
    yield codecs.BOM_UTF8 + fault_lists.lines([HEADER])
    leads = policy.visible(actor, Lead).filter(deleted_at=None).order_by("id")
    last = UUID(int=0)
    while page := await leads.filter(id__gt=last).limit(PAGE):
        yield fault_lists.lines(_row(lead) for lead in page)
        last = page[-1].id


def _row(lead: Lead) -> tuple[object, ...]:
    return (
        f"Lead_{lead.id.hex}",
        lead.title,
        lead.status.value,
        lead.score,
        lead.grade.value if lead.grade else None,
        lead.engagement,
        lead.win_probability,
        lead.scored_at.astimezone(UTC).isoformat() if lead.scored_at else None,
        "; ".join(_factor(one) for one in lead.score_factors),
    )


def _factor(factor: Mapping[str, Any]) -> str:
    return f"{factor['points']:+g} {factor['label']}"
