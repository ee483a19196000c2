"""A learned model that no longer fits says so, once."""

from datetime import timedelta
from typing import Any

import pytest

from domain import score_drift
from domain.actors import Actor
from domain.learning import drift
from domain.scoring import extraction
from models.catalog import Source, SourceKind
from models.leads import LeadStatus
from models.stages import StageKind
from tests.domain.test_rescoring import LEARNED, use
from tests.factories import NOW, events, lead_in, seller, stage

pytestmark = pytest.mark.usefixtures("db")


async def leads_from(actor: Actor, names: list[str], **columns: Any) -> list[Any]:
    where = await stage(actor, StageKind.QUALIFY)
    sources = {}
    for name in dict.fromkeys(names):
        sources[name], _ = await Source.get_or_create(
            {"kind": SourceKind.OTHER, "created_at": NOW, "updated_at": NOW}, workspace_id=actor.workspace_id, name=name
        )
    made = NOW - timedelta(days=40)
    return [await lead_in(where, source_id=sources[name].id, created_at=made, **columns) for name in names]


async def in_use_since_half_and_half(actor: Actor) -> Any:
    known = await leads_from(actor, ["Fair", "Web"] * 30)
    found = await extraction.as_now(actor.workspace_id, [row.id for row in known], wanted=["source", "owner"], now=NOW)
    report = {"reference": drift.reference(found.columns), "quality": {"auc": 0.8}}
    return await use(actor, LEARNED, report=report, activated_at=NOW - timedelta(days=5))


async def test_leads_as_before_are_no_drift() -> None:
    admin = await seller()
    await in_use_since_half_and_half(admin)
    row = await score_drift.measure(admin.workspace_id, now=NOW)
    assert row and (row.leads, row.is_drifting, row.auc) == (60, False, None)
    assert float(row.stability) < 0.1
    assert await score_drift.measure(admin.workspace_id, now=NOW + timedelta(hours=1)) is None


async def test_other_leads_are_a_drift_that_is_told_once() -> None:
    admin = await seller()
    version = await in_use_since_half_and_half(admin)
    await leads_from(admin, ["Radio"] * 200)
    row = await score_drift.measure(admin.workspace_id, now=NOW)
    assert row and row.is_drifting and row.columns[0]["key"] == "source" and row.columns[0]["stability"] > 0.25
    await score_drift.measure(admin.workspace_id, now=NOW + timedelta(days=1))
    assert [event.name for event in await events(version.model_id)] == ["score_model.drifted"]


async def test_a_model_that_foretells_worse_than_it_did_drifts() -> None:
    admin = await seller()
    await in_use_since_half_and_half(admin)
    # What it takes for promising is lost, and the other way round.
    await leads_from(admin, ["Fair"] * 30, status=LeadStatus.LOST, closed_at=NOW - timedelta(days=1))
    await leads_from(admin, ["Web"] * 30, status=LeadStatus.WON, closed_at=NOW - timedelta(days=1))
    row = await score_drift.measure(admin.workspace_id, now=NOW)
    assert row and row.is_drifting and row.auc is not None and row.auc < 0.5
    assert float(row.stability) < 0.25


async def test_a_model_that_is_older_than_a_year_drifts_however_few_leads_there_are() -> None:
    admin = await seller()
    await use(admin, LEARNED, report={"reference": {}, "quality": {"auc": 0.8}})
    assert await score_drift.measure(admin.workspace_id, now=NOW + timedelta(days=360)) is None
    row = await score_drift.measure(admin.workspace_id, now=NOW + timedelta(days=370))
    assert row and (row.is_drifting, row.leads, row.columns) == (True, 0, [])
