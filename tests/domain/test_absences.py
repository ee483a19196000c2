"""Members who are away: their substitutes, their open leads, and to whom these go when somebody leaves."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from domain import bulks, captures, closings, companies, hand_overs, leads, users
from domain.absences import Absence
from domain.actors import Actor
from domain.bulks import Handed
from domain.captures import Capture
from domain.companies import CompanyDetails
from domain.errors import DomainError, Forbidden, Invalid, NotFound, Required
from domain.leads import LeadDetails
from models.base import uuid7
from models.bulks import Bulk, BulkKind, BulkStatus
from models.leads import Lead, LeadStatus
from models.users import Membership, Role, User
from tests.factories import NOW, again, events, lead, member, seller, team

pytestmark = pytest.mark.usefixtures("db")
LATER = NOW + timedelta(hours=1)
WEEK = timedelta(days=7)


async def away(who: Actor, substitute: Actor | None, *, since: datetime = NOW, until: datetime | None = None) -> None:
    await Membership.filter(user_id=who.user_id).update(
        away_from=since, away_until=until, substitute_id=substitute.user_id if substitute else None
    )


async def place_of(who: Actor) -> Membership:
    return await Membership.get(user_id=who.user_id)


async def code_of(changing: Any) -> set[str]:
    try:
        await changing
    except Invalid as error:
        return {fault.code for fault in error.faults}
    except DomainError as error:
        return {error.code}
    return set()


class TestAway:
    async def test_what_is_assigned_meanwhile_goes_to_the_substitute_and_says_for_whom(self) -> None:
        admin = await seller()
        ann, bob = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
        await away(ann, bob, since=LATER, until=LATER + WEEK)
        row = await lead(admin)
        for moment, owner in (
            (NOW, ann),
            (LATER, bob),
            (LATER + WEEK - timedelta(seconds=1), bob),
            (LATER + WEEK, ann),
        ):
            await leads.assign(admin, row.id, None, now=moment)
            assert (await leads.assign(admin, row.id, ann.user_id, now=moment)).owner_id == owner.user_id
            told = (await events(row.id))[-1]
            assert told.data["after"]["owner_id"] == str(owner.user_id)
            assert told.data.get("instead_of") == (str(ann.user_id) if owner is bob else None)

    async def test_what_is_captured_for_them_as_well(self) -> None:
        admin = await seller()
        ann, bob = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
        await away(ann, bob)
        new = Capture(details=LeadDetails(title="Roof"), owner_id=ann.user_id)
        row = await captures.capture(admin, new, now=LATER)
        assert row.owner_id == bob.user_id
        [told] = await events(row.id)
        assert told.data["instead_of"] == str(ann.user_id)

    async def test_what_they_take_themselves_stays_theirs(self) -> None:
        admin = await seller()
        ann, bob = await member(Role.QUALIFIER, of=admin), await member(Role.REP, of=admin)
        await away(ann, bob)
        row = await lead(admin)
        assert (await leads.assign(ann, row.id, ann.user_id, now=LATER)).owner_id == ann.user_id
        own = Capture(details=LeadDetails(title="Roof"), owner_id=ann.user_id)
        assert (await captures.capture(ann, own, now=LATER)).owner_id == ann.user_id

    async def test_substitutes_are_followed_and_a_circle_ends_with_the_first(self) -> None:
        admin = await seller()
        ann, bob, cem, dov = [await member(Role.REP, of=admin) for _ in range(4)]
        row = await lead(admin)

        async def gets() -> Actor | None:
            await leads.assign(admin, row.id, None, now=LATER)
            owner = (await leads.assign(admin, row.id, ann.user_id, now=LATER)).owner_id
            return next((one for one in (ann, bob, cem, dov) if one.user_id == owner), None)

        await away(ann, bob)
        await away(bob, cem)
        assert await gets() is cem
        await away(cem, dov, since=LATER + WEEK)
        assert await gets() is cem
        await away(cem, ann)
        assert await gets() is ann
        await away(cem, bob)
        assert await gets() is ann
        await away(cem, None)
        assert await gets() is cem
        await away(cem, dov)
        await Membership.filter(user_id=dov.user_id).update(active=False)
        assert await gets() is cem
        await Membership.filter(user_id=bob.user_id).update(active=False)
        assert await gets() is ann
        await away(ann, None)
        assert await gets() is ann

    async def test_many_at_once_go_to_the_substitute_too(self) -> None:
        admin = await seller()
        ann, bob = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
        await away(ann, bob)
        rows = [await lead(admin) for _ in range(3)]
        work = bulks.Work(BulkKind.ASSIGN, {"owner_id": ann.user_id})
        outcomes = await bulks.named(admin, work, [row.id for row in rows], now=LATER)
        assert [outcome.lead and outcome.lead.owner_id for outcome in outcomes] == [bob.user_id] * 3


class TestSayingSo:
    async def test_people_say_it_of_themselves(self) -> None:
        admin = await seller()
        ann, bob = await member(Role.VIEWER, of=admin), await member(Role.REP, of=admin)
        absence = Absence(away_from=LATER, away_until=LATER + WEEK, substitute_id=bob.user_id)
        row = await users.update_me(ann, absence=absence, now=NOW)
        place = await place_of(ann)
        assert (place.away_from, place.away_until, place.substitute_id) == (LATER, LATER + WEEK, bob.user_id)
        assert (row.version, row.handed) == (2, None)
        [told] = await events(ann.user_id)
        assert (told.name, set(told.data["changes"])) == (
            "user.updated", {"away_from", "away_until", "substitute_id"}
        )  # fmt: skip
        assert (await users.update_me(ann, absence=absence, now=NOW)).version == 2
        await users.update_me(ann, absence=Absence(away_from=None), now=NOW)
        place = await place_of(ann)
        assert (place.away_from, place.away_until, place.substitute_id) == (None, None, bob.user_id)
        await users.update_me(ann, absence=Absence(away_until=LATER), now=NOW)
        place = await place_of(ann)
        assert (place.away_from, place.away_until) == (NOW, LATER)

    async def test_what_cannot_be_is_refused(self) -> None:
        admin, stranger = await seller(), await seller()
        ann, gone = await member(Role.REP, of=admin), await member(Role.REP, of=admin, active=False)

        async def refused(**absence: Any) -> set[str]:
            return await code_of(users.update_me(ann, absence=Absence(**absence), now=NOW))

        assert await refused(substitute_id=ann.user_id) == {"OWN_SUBSTITUTE"}
        assert await refused(substitute_id=gone.user_id) == {"SUBSTITUTE_INACTIVE"}
        assert await refused(substitute_id=stranger.user_id) == {"NOT_FOUND"}
        assert await refused(away_from=LATER, away_until=LATER) == {"AWAY_BACKWARDS"}
        assert await refused(away_until=NOW - WEEK) == {"AWAY_BACKWARDS"}
        assert await refused(away_from=datetime(2026, 3, 2), away_until=LATER) == {"MALFORMED"}  # noqa: DTZ001
        assert await refused(away_from=LATER, away_until=NOW, substitute_id=uuid7()) == {"AWAY_BACKWARDS", "NOT_FOUND"}
        assert (await place_of(ann)).away_from is None

    async def test_managers_say_it_of_those_whose_leads_they_see(self) -> None:
        admin = await seller()
        north = await team(admin)
        manager = await member(Role.MANAGER, of=admin, team=north)
        ann, bob = await member(Role.REP, of=admin, team=north), await member(Role.REP, of=admin)
        manager = await again(manager)
        assert ann.user_id and bob.user_id
        await users.update_member(manager, ann.user_id, absence=Absence(away_from=NOW), now=NOW)
        assert (await place_of(ann)).away_from == NOW
        with pytest.raises(Forbidden):
            await users.update_member(manager, bob.user_id, absence=Absence(away_from=NOW), now=NOW)
        with pytest.raises(Forbidden):
            await users.update_member(bob, ann.user_id, absence=Absence(away_from=None), now=NOW)
        for more in ({"role": Role.ADMIN}, {"active": False}, {"transfer_leads_to": bob.user_id}, {}):
            absence = Absence(away_from=NOW) if more else Absence()
            with pytest.raises(Forbidden):
                await users.update_member(manager, ann.user_id, absence=absence, now=NOW, **more)


async def open_leads(who: Actor) -> int:
    return await Lead.filter(owner_id=who.user_id, status=LeadStatus.OPEN, deleted_at=None).count()


async def owning(admin: Actor, number: int = 3) -> Actor:
    """Return a rep who owns some open leads, a closed one and a deleted one."""
    rep = await member(Role.REP, of=admin)
    for _ in range(number):
        await lead(rep)
    await closings.close(rep, (await lead(rep)).id, LeadStatus.DISQUALIFIED, now=NOW)
    await leads.delete(rep, (await lead(rep)).id, now=NOW)
    return rep


class TestHandingOver:
    async def test_open_leads_go_to_the_substitute_one_event_each(self) -> None:
        admin = await seller()
        ann, bob = await owning(admin), await member(Role.REP, of=admin)
        first = await Lead.filter(owner_id=ann.user_id, status=LeadStatus.OPEN, deleted_at=None).order_by("id").first()
        absence = Absence(away_from=NOW, substitute_id=bob.user_id)
        row = await users.update_me(ann, absence=absence, hand_over=True, now=LATER)
        assert row.handed == Handed(3)
        assert (await open_leads(ann), await open_leads(bob)) == (0, 3)
        assert await Lead.filter(owner_id=ann.user_id).count() == 2
        told = (await events(first.id if first else None))[-1]
        assert (told.name, told.data["transferred_from"]) == ("lead.assigned", str(ann.user_id))
        assert told.actor["user"] == str(ann.user_id)

    async def test_there_has_to_be_a_substitute_who_is_there(self) -> None:
        admin = await seller()
        ann, bob = await owning(admin), await member(Role.REP, of=admin)
        with pytest.raises(Required):
            await users.update_me(ann, hand_over=True, now=LATER)
        await away(bob, ann)
        await users.update_me(ann, absence=Absence(substitute_id=bob.user_id), now=LATER)
        with pytest.raises(DomainError) as refused:
            await users.update_me(ann, hand_over=True, now=LATER)
        assert refused.value.code == "SAME_OWNER"
        assert await open_leads(ann) == 3

    async def test_very_many_go_by_a_worker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulks, "MOST_AT_ONCE", 2)
        admin = await seller()
        ann, bob = await owning(admin), await member(Role.REP, of=admin)
        absence = Absence(substitute_id=bob.user_id)
        row = await users.update_me(ann, absence=absence, hand_over=True, now=NOW)
        bulk = await Bulk.get(workspace_id=admin.workspace_id)
        assert (row.handed, bulk.kind, bulk.total) == (Handed(3, bulk), BulkKind.TRANSFER, 3)
        taken = await Lead.filter(owner_id=ann.user_id, status=LeadStatus.OPEN, deleted_at=None).first()
        assert taken
        await leads.assign(admin, taken.id, admin.user_id, now=NOW)
        await bulks.run(bulk.workspace_id, bulk.id, clock=lambda: LATER, batch=2)
        await bulk.refresh_from_db()
        assert (bulk.status, bulk.failed) == (BulkStatus.COMPLETED, 0)
        assert (await open_leads(ann), await open_leads(bob), await open_leads(admin)) == (0, 2, 1)

    async def test_leads_of_anybody_are_transferred_by_who_may(self) -> None:
        admin, stranger = await seller(), await seller()
        ann, bob = await owning(admin), await member(Role.REP, of=admin)
        await Membership.filter(user_id=ann.user_id).update(active=False)
        assert ann.user_id and bob.user_id and stranger.user_id
        with pytest.raises(Forbidden):
            await users.transfer_leads(bob, ann.user_id, bob.user_id, now=LATER)
        with pytest.raises(NotFound):
            await users.transfer_leads(admin, stranger.user_id, bob.user_id, now=LATER)
        with pytest.raises(NotFound):
            await users.transfer_leads(admin, ann.user_id, stranger.user_id, now=LATER)
        assert await users.transfer_leads(admin, ann.user_id, bob.user_id, now=LATER) == Handed(3)
        assert await open_leads(bob) == 3


class TestLeaving:
    async def test_it_is_asked_to_whom_open_leads_go(self) -> None:
        admin = await seller()
        ann, bob = await owning(admin), await member(Role.REP, of=admin)
        assert ann.user_id
        with pytest.raises(DomainError) as refused:
            await users.update_member(admin, ann.user_id, active=False, now=LATER)
        assert (refused.value.code, refused.value.facts["count"]) == ("OPEN_LEADS", 3)
        assert (await place_of(ann)).active
        row = await users.update_member(admin, ann.user_id, active=False, transfer_leads_to=bob.user_id, now=LATER)
        assert row.handed == Handed(3)
        assert not (await place_of(ann)).active
        assert (await open_leads(ann), await open_leads(bob)) == (0, 3)
        back = await users.update_member(admin, ann.user_id, active=True, now=LATER)
        assert back.handed is None

    async def test_who_owns_nothing_open_leaves_at_once(self) -> None:
        admin = await seller()
        ann = await owning(admin, 0)
        assert ann.user_id
        await users.update_member(admin, ann.user_id, active=False, now=LATER)
        assert not (await place_of(ann)).active
        await users.update_member(admin, ann.user_id, active=False, now=LATER)

    async def test_leads_do_not_go_to_who_left_or_to_nobody_known(self) -> None:
        admin = await seller()
        ann, gone = await owning(admin), await member(Role.REP, of=admin, active=False)
        assert ann.user_id
        for heir, code in ((gone.user_id, "OWNER_INACTIVE"), (ann.user_id, "OWNER_INACTIVE"), (uuid7(), "NOT_FOUND")):
            changing = users.update_member(admin, ann.user_id, active=False, transfer_leads_to=heir, now=LATER)
            assert await code_of(changing) == {code}
            assert (await place_of(ann)).active
        assert await open_leads(ann) == 3

    async def test_very_many_go_by_a_worker_while_the_member_is_gone_already(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(bulks, "MOST_AT_ONCE", 2)
        admin = await seller()
        ann, bob = await owning(admin), await member(Role.REP, of=admin)
        assert ann.user_id
        row = await users.update_member(admin, ann.user_id, active=False, transfer_leads_to=bob.user_id, now=LATER)
        assert isinstance(row, User) and row.handed.bulk is not None
        await bulks.run(admin.workspace_id, row.handed.bulk.id, clock=lambda: LATER)
        assert (await open_leads(ann), await open_leads(bob)) == (0, 3)


class TestViewers:
    async def test_they_are_given_nothing_and_stand_in_for_nobody(self) -> None:
        admin = await seller()
        viewer, ann = await member(Role.VIEWER, of=admin), await owning(admin)
        assert viewer.user_id and ann.user_id
        on = await Lead.filter(owner_id=ann.user_id).first()
        assert on
        for giving in (
            leads.assign(admin, on.id, viewer.user_id, now=LATER),
            captures.capture(admin, Capture(details=LeadDetails(title="Roof"), owner_id=viewer.user_id), now=NOW),
            users.transfer_leads(admin, ann.user_id, viewer.user_id, now=LATER),
            hand_overs.hand_over(admin, on.id, viewer.user_id, now=LATER),
            companies.create(admin, CompanyDetails(name="Acme", owner_id=viewer.user_id), now=LATER),
            users.update_member(
                admin, ann.user_id, absence=Absence(away_from=NOW, substitute_id=viewer.user_id), now=LATER
            ),
        ):
            assert "OWNER_VIEWER" in await code_of(giving)
        await Membership.filter(user_id=ann.user_id).update(away_from=NOW, substitute_id=viewer.user_id)
        kept = await lead(admin)
        assert (await leads.assign(admin, kept.id, ann.user_id, now=LATER)).owner_id == ann.user_id

    async def test_who_owns_open_leads_becomes_one_only_when_it_is_said_to_whom_these_go(self) -> None:
        admin = await seller()
        ann, bob = await owning(admin), await member(Role.REP, of=admin)
        assert ann.user_id
        changing = users.update_member(admin, ann.user_id, role=Role.VIEWER, now=LATER)
        assert await code_of(changing) == {"OPEN_LEADS"}
        await users.update_member(admin, ann.user_id, role=Role.VIEWER, transfer_leads_to=bob.user_id, now=LATER)
        assert await open_leads(bob) == 3
        await users.update_member(admin, ann.user_id, role=Role.VIEWER, now=LATER)


def test_an_absence_that_says_nothing_is_none() -> None:
    assert not Absence()
    assert Absence(away_from=None)
