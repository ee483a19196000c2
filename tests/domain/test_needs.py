"""Needs: what a lead wants, edited by whoever may edit the lead."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from domain import leads, needs, products
from domain.errors import AlreadyExists, Forbidden, Invalid, NotFound, OutOfRange, Required, Stale
from domain.leads import Archived
from domain.needs import NeedDetails, TooManyNeeds
from domain.products import ProductDetails
from models.base import uuid7
from models.events import Event
from models.leads import Lead
from models.needs import Need, NeedKind
from models.users import Role
from tests.factories import NOW, lead, member, seller

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def test_a_need_is_named_answered_deleted_and_restored() -> None:
    actor, key = await seller(), uuid7()
    wanting = await lead(actor)

    made = await needs.create(actor, wanting.id, NeedDetails(title=" Lower bills "), id=key, now=NOW)
    edited = await needs.update(
        actor, key, NeedDetails(importance=5, answer="Heat pump"), expected_version=1, now=LATER
    )
    same = await needs.update(actor, key, NeedDetails(title="Lower bills"), now=LATER)
    usual = await needs.update(actor, key, NeedDetails(importance=None, answer=None), now=LATER)
    deleted = await needs.delete(actor, key, expected_version=3, now=LATER)
    with pytest.raises(NotFound):
        await needs.delete(actor, key, now=LATER)
    restored = await needs.restore(actor, key, now=LATER)
    standing = await needs.restore(actor, key, now=LATER)

    assert (made.title, made.importance, made.lead_id) == ("Lower bills", 3, wanting.id)
    assert (edited.importance, edited.answer, same.version) == (5, "Heat pump", 2)
    assert (usual.importance, usual.answer) == (3, None)
    assert (deleted.deleted_at, restored.deleted_at, standing.version) == (LATER, None, 5)
    events = await Event.filter(subject_id=key).order_by("id")
    assert [event.name for event in events] == [
        f"need.{verb}" for verb in ("created", "updated", "updated", "deleted", "restored")
    ]
    assert {event.data["lead_id"] for event in events} == {str(wanting.id)}
    assert (await Lead.get(id=wanting.id)).version == wanting.version


async def test_every_fault_is_reported_at_once() -> None:
    actor = await seller()
    wanting = await lead(actor)

    with pytest.raises(Invalid) as caught:
        await needs.create(
            actor,
            wanting.id,
            NeedDetails(description="x" * 20_001, importance=6, answer="\x00"),
            id=uuid4(),
            now=NOW,
        )

    fields = {fault.field for fault in caught.value.faults}
    assert fields == {("id",), ("title",), ("description",), ("importance",), ("answer",)}


async def test_bad_edits_are_refused() -> None:
    actor = await seller()
    need = await needs.create(actor, (await lead(actor)).id, NeedDetails(title="Warmth"), now=NOW)

    for details, error in (
        (NeedDetails(title=""), Required),
        (NeedDetails(importance=0), OutOfRange),
        (NeedDetails(importance=2**31), OutOfRange),
    ):
        with pytest.raises(error):
            await needs.update(actor, need.id, details, now=NOW)
    with pytest.raises(Stale) as caught:
        await needs.update(actor, need.id, NeedDetails(title="X"), expected_version=9, now=NOW)
    assert caught.value.current.title == "Warmth"


async def test_the_same_id_makes_one_need_even_at_once() -> None:
    actor, key = await seller(), uuid7()
    wanting = await lead(actor)

    outcomes = await asyncio.gather(
        *(needs.create(actor, wanting.id, NeedDetails(title="Warmth"), id=key, now=NOW) for _ in range(2)),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in outcomes if not isinstance(outcome, Need)] == [AlreadyExists]
    assert await Need.filter(lead_id=wanting.id).count() == 1


async def test_a_lead_has_a_hundred_needs_at_most() -> None:
    actor = await seller()
    wanting = await lead(actor)
    first = await needs.create(actor, wanting.id, NeedDetails(title="First"), now=NOW)
    await needs.delete(actor, first.id, now=NOW)
    await Need.bulk_create(
        Need(workspace_id=actor.workspace_id, lead_id=wanting.id, title=f"{n}", created_at=NOW, updated_at=NOW)
        for n in range(100)
    )

    with pytest.raises(TooManyNeeds):
        await needs.create(actor, wanting.id, NeedDetails(title="One more"), now=NOW)
    with pytest.raises(TooManyNeeds):
        await needs.restore(actor, first.id, now=NOW)


async def test_a_rep_names_the_needs_of_their_own_leads_only() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    own, others = await lead(rep), await lead(admin)
    foreign_need = await needs.create(admin, others.id, NeedDetails(title="Warmth"), now=NOW)

    need = await needs.create(rep, own.id, NeedDetails(title="Light"), now=NOW)
    await leads.assign(admin, own.id, admin.user_id, now=NOW)

    for attempt in (
        needs.create(rep, others.id, NeedDetails(title="X"), now=NOW),
        needs.update(rep, foreign_need.id, NeedDetails(title="X"), now=NOW),
        needs.delete(rep, foreign_need.id, now=NOW),
        needs.restore(rep, foreign_need.id, now=NOW),
        needs.update(rep, need.id, NeedDetails(title="X"), now=NOW),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_who_sees_a_lead_and_may_not_edit_it_edits_none_of_its_needs() -> None:
    admin = await seller()
    viewer = await member(Role.VIEWER, of=admin)
    wanting = await lead(admin)
    need = await needs.create(admin, wanting.id, NeedDetails(title="Warmth"), now=NOW)

    for attempt in (
        needs.create(viewer, wanting.id, NeedDetails(title="X"), now=NOW),
        needs.update(viewer, need.id, NeedDetails(title="X"), now=NOW),
        needs.delete(viewer, need.id, now=NOW),
        needs.restore(viewer, need.id, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_another_workspaces_lead_or_need_and_those_of_a_deleted_lead_do_not_exist() -> None:
    stranger, actor = await seller(), await seller()
    elsewhere, gone = await lead(stranger), await lead(actor)
    foreign = await needs.create(stranger, elsewhere.id, NeedDetails(title="Warmth"), now=NOW)
    own = await needs.create(actor, gone.id, NeedDetails(title="Warmth"), now=NOW)
    await leads.delete(actor, gone.id, now=NOW)

    for attempt in (
        needs.create(actor, elsewhere.id, NeedDetails(title="X"), now=NOW),
        needs.create(actor, gone.id, NeedDetails(title="X"), now=NOW),
        needs.create(actor, uuid7(), NeedDetails(title="X"), now=NOW),
        needs.update(actor, foreign.id, NeedDetails(title="X"), now=NOW),
        needs.update(actor, own.id, NeedDetails(title="X"), now=NOW),
        needs.delete(actor, foreign.id, now=NOW),
        needs.restore(actor, foreign.id, now=NOW),
    ):
        with pytest.raises(NotFound):
            await attempt


async def test_a_need_hurts_or_is_wished_for_and_a_product_answers_it() -> None:
    actor = await seller()
    wanting = await lead(actor)
    pump = await products.create(actor, ProductDetails(name="Pump"), now=NOW)
    foreign = await products.create(await seller(), ProductDetails(name="Pump"), now=NOW)

    hurts = await needs.create(actor, wanting.id, NeedDetails(title="Cold"), now=NOW)
    wished = await needs.create(
        actor, wanting.id, NeedDetails(title="Green", kind=NeedKind.WISH, product_id=pump.id), now=NOW
    )
    await products.archive(actor, pump.id, now=NOW)
    kept = await needs.update(actor, wished.id, NeedDetails(product_id=pump.id, kind=NeedKind.PAIN), now=LATER)
    with pytest.raises(Archived):
        await needs.update(actor, hurts.id, NeedDetails(product_id=pump.id), now=LATER)
    with pytest.raises(NotFound):
        await needs.update(actor, hurts.id, NeedDetails(product_id=foreign.id), now=LATER)
    cleared = await needs.update(actor, wished.id, NeedDetails(product_id=None), now=LATER)

    assert (hurts.kind, hurts.product_id) == (NeedKind.PAIN, None)
    assert (wished.kind, kept.kind, kept.product_id) == (NeedKind.WISH, NeedKind.PAIN, pump.id)
    assert (cleared.product_id, cleared.version) == (None, 3)
