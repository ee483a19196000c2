"""Competitors: a list of the workspace, named on leads, and who won what was lost."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from domain import catalog, closings, competitors
from domain.actors import Actor
from domain.closings import NotLostToAnyone
from domain.competitors import CompetitorDetails, InPlay, TooManyCompetitors
from domain.errors import AlreadyExists, Conflict, Forbidden, Invalid, NotFound, Required, Stale
from domain.leads import Archived
from models.base import uuid7
from models.competitors import Competitor, Threat
from models.leads import Lead, LeadCompetitor, LeadStatus
from models.users import Role
from tests.factories import NOW, events, lead, member, seller

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def rival(actor: Actor, name: str = "Rival", **details: Any) -> Competitor:
    return await competitors.create(actor, CompetitorDetails(name=name, **details), now=NOW)


async def test_a_competitor_is_added_edited_archived_and_restored() -> None:
    actor, key = await seller(), uuid7()
    details = CompetitorDetails(name=" Rival ", website="https://rival.example", strengths="Cheap")

    made = await competitors.create(actor, details, id=key, now=NOW)
    edited = await competitors.update(
        actor, key, CompetitorDetails(strengths=None, weaknesses="Slow"), expected_version=1, now=LATER
    )
    same = await competitors.update(actor, key, CompetitorDetails(name="Rival"), now=LATER)
    archived = await competitors.archive(actor, key, expected_version=2, now=LATER)
    with pytest.raises(Conflict):
        await competitors.update(actor, key, CompetitorDetails(name="Foe"), now=LATER)
    back = await competitors.restore(actor, key, now=LATER)

    assert (made.name, made.website, made.strengths) == ("Rival", "https://rival.example", "Cheap")
    assert (edited.strengths, edited.weaknesses, same.version) == (None, "Slow", 2)
    assert (archived.archived_at, back.archived_at, back.version) == (LATER, None, 4)
    assert [event.name for event in await events(key)] == [
        f"competitor.{verb}" for verb in ("created", "updated", "archived", "restored")
    ]


async def test_no_two_in_use_share_a_name() -> None:
    actor = await seller()
    made = await rival(actor)

    with pytest.raises(AlreadyExists):
        await rival(actor, "RIVAL")
    await competitors.archive(actor, made.id, now=NOW)
    other = await rival(actor, "rival")
    with pytest.raises(AlreadyExists):
        await competitors.restore(actor, made.id, now=NOW)
    assert (await rival(await seller())).name == "Rival"
    with pytest.raises(AlreadyExists):
        await competitors.create(actor, CompetitorDetails(name="Foe"), id=other.id, now=NOW)


async def test_faults_are_told_together_and_rights_asked() -> None:
    actor = await seller()
    viewer = await member(Role.VIEWER, of=actor)

    with pytest.raises(Invalid) as caught:
        await competitors.create(actor, CompetitorDetails(name="x" * 201, website="rival"), now=NOW)
    assert {(fault.code, fault.field) for fault in caught.value.faults} == {
        ("TOO_LONG", ("name",)),
        ("MALFORMED", ("website",)),
    }
    with pytest.raises(Required):
        await competitors.create(actor, CompetitorDetails(), now=NOW)
    with pytest.raises(Forbidden):
        await rival(viewer)
    with pytest.raises(Stale):
        await competitors.archive(actor, (await rival(actor)).id, expected_version=7, now=NOW)


async def test_a_competitor_in_play_is_an_edit_of_the_lead() -> None:
    actor = await seller()
    row, foe = await lead(actor), await rival(actor)

    named = await competitors.set_on_lead(actor, row.id, foe.id, InPlay(strengths="Near"), now=LATER)
    again = await competitors.set_on_lead(actor, row.id, foe.id, InPlay(strengths="Near"), now=LATER)
    worse = await competitors.set_on_lead(actor, row.id, foe.id, InPlay(threat=Threat.HIGH, notes="CEO"), now=LATER)
    placed = await LeadCompetitor.get(lead_id=row.id)
    gone = await competitors.remove_from_lead(actor, row.id, foe.id, now=LATER)
    still = await competitors.remove_from_lead(actor, row.id, foe.id, now=LATER)

    assert [one.version - row.version for one in (named, again, worse, gone, still)] == [1, 1, 2, 3, 3]
    assert (placed.threat, placed.strengths, placed.notes) == (Threat.HIGH, "Near", "CEO")
    assert not await LeadCompetitor.filter(lead_id=row.id).exists()
    told = [event.data["changes"]["competitors"] for event in await events(row.id) if event.name == "lead.updated"]
    key = str(foe.id)
    assert [(before[key] and before[key]["threat"], after[key] and after[key]["threat"]) for before, after in told] == [
        (None, "MEDIUM"),
        ("MEDIUM", "HIGH"),
        ("HIGH", None),
    ]


async def test_archived_ones_stay_but_are_not_named_anew_and_only_so_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(competitors, "MOST_ON_LEAD", 1)
    actor = await seller()
    row, old, new = await lead(actor), await rival(actor, "Old"), await rival(actor, "New")
    await competitors.set_on_lead(actor, row.id, old.id, InPlay(), now=NOW)
    await competitors.archive(actor, old.id, now=NOW)

    await competitors.set_on_lead(actor, row.id, old.id, InPlay(notes="Gone"), now=NOW)
    with pytest.raises(TooManyCompetitors):
        await competitors.set_on_lead(actor, row.id, new.id, InPlay(), now=NOW)
    with pytest.raises(Archived):
        await competitors.set_on_lead(actor, (await lead(actor)).id, old.id, InPlay(), now=NOW)
    with pytest.raises(NotFound):
        await competitors.set_on_lead(actor, row.id, (await rival(await seller())).id, InPlay(), now=NOW)
    with pytest.raises(Forbidden):
        await competitors.set_on_lead(await member(Role.VIEWER, of=actor), row.id, old.id, InPlay(), now=NOW)


async def test_the_same_one_named_twice_at_once_stands_there_once() -> None:
    actor = await seller()
    row, foe = await lead(actor), await rival(actor)

    await asyncio.gather(
        *(competitors.set_on_lead(actor, row.id, foe.id, InPlay(notes=f"{n}"), now=NOW) for n in range(4))
    )

    assert await LeadCompetitor.filter(lead_id=row.id).count() == 1
    assert (await Lead.get(id=row.id)).version == row.version + 4


async def test_a_lost_lead_says_who_won_until_it_is_reopened() -> None:
    actor = await seller()
    foe, reason = await rival(actor), await catalog.create_lost_reason(actor, name="Too dear", now=NOW)
    row = await lead(actor)
    lost: dict[str, Any] = {"lost_reason_id": reason.id, "lost_to_id": foe.id, "now": LATER}

    for status in (LeadStatus.WON, LeadStatus.DISQUALIFIED):
        with pytest.raises(NotLostToAnyone):
            await closings.close(actor, row.id, status, lost_to_id=foe.id, now=LATER)
    with pytest.raises(NotFound):
        await closings.close(actor, row.id, LeadStatus.LOST, **lost | {"lost_to_id": uuid7()})
    closed = await closings.close(actor, row.id, LeadStatus.LOST, **lost)
    assert closed.lost_to_id == foe.id
    [event] = [event for event in await events(row.id) if event.name == "lead.closed"]
    assert event.data["changes"]["lost_to_id"] == [None, str(foe.id)]
    opened = await closings.reopen(actor, row.id, now=LATER)
    assert opened.lost_to_id is None
    await competitors.archive(actor, foe.id, now=LATER)
    with pytest.raises(Archived):
        await closings.close(actor, row.id, LeadStatus.LOST, **lost)
