"""Activities: what was done with a customer, who may say so, and what stands on the lead of it."""

import asyncio
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from domain import activities, catalog, companies, contacts, leads
from domain.activities import (
    AboutNothing,
    ActivityDetails,
    ActivityElsewhere,
    ActivityUnreadable,
    NewActivity,
    NotYetHappened,
    TooManyActivities,
    TypeOfOtherKind,
)
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.contacts import ContactDetails
from domain.errors import AlreadyExists, DomainError, Forbidden, Invalid, NotFound, Required, Stale
from domain.external_refs import ExternalRefTaken, Ref
from domain.leads import Archived
from domain.participants import Participant
from models.activities import Activity, ActivityDirection, ActivityKind, ActivityParticipant, ActivityType
from models.base import uuid7
from models.events import Event
from models.leads import Lead
from models.users import Membership, Role
from tests.factories import NOW, events, lead, member, partner, seller

CALL, EMAIL, NOTE, CUSTOM = ActivityKind.CALL, ActivityKind.EMAIL, ActivityKind.NOTE, ActivityKind.CUSTOM
IN, OUT = ActivityDirection.INBOUND, ActivityDirection.OUTBOUND
HOUR = timedelta(hours=1)
LATER = NOW + 24 * HOUR

pytestmark = pytest.mark.usefixtures("db")


async def logged(
    actor: Actor, on: Lead, kind: ActivityKind = CALL, *, now: datetime = LATER, refs: tuple[Ref, ...] = (), **more: Any
) -> Activity:
    """Log an activity on a lead."""
    new = NewActivity(details=ActivityDetails(kind=kind, **more), lead_id=on.id, external_refs=refs)
    return await activities.log(actor, new, now=now)


async def standing(on: Lead) -> tuple[datetime | None, datetime | None, int | None, int]:
    """Return what stands on a lead of its activities: first, last, seconds to the first answer, touches."""
    row = await Lead.get(id=on.id)
    return row.first_activity_at, row.last_activity_at, row.first_response_seconds, row.touches


def of(actor: Actor) -> UUID:
    assert actor.user_id
    return actor.user_id


async def count(home: Actor) -> int:
    """Return how many activities a workspace has."""
    return await Activity.filter(workspace_id=home.workspace_id).count()


def fields(error: DomainError) -> set[str]:
    faults = error.faults if isinstance(error, Invalid) else [error]
    return {".".join(fault.field or ()) for fault in faults}


async def test_an_activity_is_logged_changed_deleted_and_restored() -> None:
    admin, key = await seller(), uuid7()
    rep = await seller(Role.REP, of=admin)
    on = await lead(rep)
    company = await companies.create(admin, CompanyDetails(name="Acme"), now=NOW)
    contact = await contacts.create(admin, ContactDetails(name="Ada"), now=NOW)
    took_part = [
        Participant(user_id=rep.user_id),
        Participant(contact_id=contact.id),
        Participant(name=" Eve ", email="eve@acme.example"),
        Participant(user_id=rep.user_id),
    ]
    new = NewActivity(
        details=ActivityDetails(
            kind=CALL,
            direction=OUT,
            subject=" Roof ",
            text="<b>Wants it by May</b>",
            outcome="Interested",
            duration_seconds=300,
            occurred_at=NOW + HOUR,
            participants=took_part,
        ),
        id=key,
        lead_id=on.id,
        company_id=company.id,
        contact_id=contact.id,
    )

    made = await activities.log(rep, new, now=LATER)
    edited = await activities.update(
        rep, key, ActivityDetails(kind=NOTE, outcome=None, participants=took_part[:1]), expected_version=1, now=LATER
    )
    same = await activities.update(rep, key, ActivityDetails(subject="Roof", participants=took_part[:1]), now=LATER)
    deleted = await activities.delete(rep, key, expected_version=2, now=LATER)
    with pytest.raises(NotFound):
        await activities.delete(rep, key, now=LATER)
    restored = await activities.restore(rep, key, now=LATER)
    there = await activities.restore(rep, key, now=LATER)

    assert (made.id, made.subject, made.text, made.user_id) == (key, "Roof", "<b>Wants it by May</b>", rep.user_id)
    assert (made.logged_by_id, made.duration_seconds, made.is_touch) == (rep.user_id, 300, True)
    assert (edited.kind, edited.outcome, edited.is_touch, edited.version, same.version) == (NOTE, None, False, 2, 2)
    assert (deleted.deleted_at, restored.deleted_at, there.version) == (LATER, None, 4)
    rows = await ActivityParticipant.filter(activity_id=key)
    assert [(row.user_id, row.contact_id, row.name, row.email) for row in rows] == [(rep.user_id, None, None, None)]
    verbs = ["logged", "updated", "deleted", "restored"]
    for subject, noun in ((on, "lead"), (company, "company"), (contact, "contact")):
        told = [event for event in await events(subject.id) if "activity" in event.name]
        assert [event.name for event in told] == [f"{noun}.activity_{verb}" for verb in verbs]
        assert {event.data["activity_id"] for event in told} == {str(key)}
    [*_, last] = await events(on.id)
    assert last.data["before"] == last.data["after"] == leads.live_columns(await Lead.get(id=on.id), [])
    assert (await Lead.get(id=on.id)).version == on.version, "no version of the lead rises"


async def test_the_participants_are_those_named_each_once_and_in_order() -> None:
    admin = await seller()
    other = await member(Role.REP, of=admin)
    names = [
        Participant(name="Zoe"),
        Participant(user_id=other.user_id),
        Participant(name="Abe"),
        Participant(name="Zoe"),
    ]

    made = await logged(admin, await lead(admin), participants=names)

    rows = await ActivityParticipant.filter(activity_id=made.id).order_by("id")
    assert [(row.name, row.user_id) for row in rows] == [("Zoe", None), (None, other.user_id), ("Abe", None)]


async def test_the_lead_knows_its_first_and_last_activity_its_touches_and_its_first_answer() -> None:
    admin = await seller()
    on = await lead(admin)
    assert await standing(on) == (None, None, None, 0)

    note = await logged(admin, on, NOTE, subject="Roof", occurred_at=NOW + 5 * HOUR)
    assert await standing(on) == (NOW + 5 * HOUR, NOW + 5 * HOUR, None, 0)
    inbound = await logged(admin, on, CALL, direction=IN, occurred_at=NOW + HOUR)
    assert await standing(on) == (NOW + HOUR, NOW + 5 * HOUR, None, 1)
    answer = await logged(admin, on, EMAIL, direction=OUT, occurred_at=NOW + 3 * HOUR)
    assert await standing(on) == (NOW + HOUR, NOW + 5 * HOUR, 3 * 3600, 2)
    sooner = await logged(admin, on, CALL, direction=OUT, occurred_at=NOW + 2 * HOUR)
    assert await standing(on) == (NOW + HOUR, NOW + 5 * HOUR, 2 * 3600, 3)
    cold = await logged(admin, on, CALL, direction=OUT, occurred_at=NOW - 2 * HOUR)
    assert await standing(on) == (NOW - 2 * HOUR, NOW + 5 * HOUR, 2 * 3600, 4), "a call before it came is no answer"

    await activities.delete(admin, sooner.id, now=LATER)
    await activities.delete(admin, cold.id, now=LATER)
    assert await standing(on) == (NOW + HOUR, NOW + 5 * HOUR, 3 * 3600, 2)
    await activities.restore(admin, sooner.id, now=LATER)
    assert await standing(on) == (NOW + HOUR, NOW + 5 * HOUR, 2 * 3600, 3)
    await activities.update(admin, sooner.id, ActivityDetails(direction=IN), now=LATER)
    await activities.update(admin, note.id, ActivityDetails(occurred_at=NOW + 7 * HOUR), now=LATER)
    await activities.update(admin, answer.id, ActivityDetails(kind=NOTE, subject="Roof"), now=LATER)
    assert await standing(on) == (NOW + HOUR, NOW + 7 * HOUR, None, 2)
    for each in (note, inbound, answer, sooner):
        await activities.delete(admin, each.id, now=LATER)
    assert await standing(on) == (None, None, None, 0)


async def test_a_workspaces_own_kind_counts_where_its_type_says_so() -> None:
    admin = await seller()
    on = await lead(admin)
    visit = await catalog.create_activity_type(admin, name="Site visit", is_touch=True, now=NOW)
    memo = await catalog.create_activity_type(admin, name="Memo", now=NOW)

    first = await logged(admin, on, CUSTOM, type_id=visit.id, direction=OUT)
    second = await logged(admin, on, CUSTOM, type_id=memo.id, direction=OUT)
    assert (await standing(on))[2:] == (24 * 3600, 1)
    await catalog.update_activity_type(admin, visit.id, is_touch=False, now=LATER)
    await activities.update(admin, first.id, ActivityDetails(subject="Roof", type_id=visit.id, kind=CUSTOM), now=LATER)
    assert (await standing(on))[2:] == (24 * 3600, 1), "what was logged counts as it did"
    await activities.update(admin, second.id, ActivityDetails(type_id=visit.id), now=LATER)
    changed = await activities.update(admin, first.id, ActivityDetails(kind=NOTE, subject="Roof"), now=LATER)
    assert (changed.type_id, (await standing(on))[3]) == (None, 0)


async def test_a_type_belongs_to_custom_activities_and_must_be_in_use() -> None:
    admin = await seller()
    on = await lead(admin)
    kind = await catalog.create_activity_type(admin, name="Site visit", now=NOW)
    made = await logged(admin, on, CUSTOM, type_id=kind.id)
    call = await logged(admin, on)

    for details, error, where in (
        ({"kind": CUSTOM}, Required, "typeId"),
        ({"kind": CALL, "type_id": kind.id}, TypeOfOtherKind, "typeId"),
        ({"kind": CUSTOM, "type_id": uuid7()}, NotFound, "typeId"),
    ):
        with pytest.raises(error) as caught:
            await logged(admin, on, **details)
        assert fields(caught.value) == {where}
    with pytest.raises(TypeOfOtherKind):
        await activities.update(admin, call.id, ActivityDetails(type_id=kind.id), now=LATER)
    with pytest.raises(Required):
        await activities.update(admin, made.id, ActivityDetails(type_id=None), now=LATER)
    await catalog.archive(admin, ActivityType, kind.id, now=LATER)
    with pytest.raises(Archived):
        await logged(admin, on, CUSTOM, type_id=kind.id)
    kept = await activities.update(admin, made.id, ActivityDetails(subject="Roof", type_id=kind.id), now=LATER)
    assert kept.subject == "Roof"


async def test_every_fault_is_reported_at_once() -> None:
    admin, stranger = await seller(), await seller()
    other = await contacts.create(stranger, ContactDetails(name="Ada"), now=NOW)
    details = ActivityDetails(
        kind=CALL,
        subject="x" * 501,
        text="x" * 20_001,
        outcome="\x00",
        duration_seconds=-1,
        occurred_at=LATER + timedelta(minutes=6),
        user_id=of(stranger),
        participants=[
            Participant(user_id=stranger.user_id),
            Participant(contact_id=other.id),
            Participant(),
            Participant(user_id=admin.user_id, name="Ada"),
            Participant(email="nobody"),
        ],
    )

    with pytest.raises(Invalid) as caught:
        await activities.log(
            admin,
            NewActivity(
                details=details, id=uuid4(), lead_id=uuid7(), contact_id=other.id, external_refs=[Ref("", "1")]
            ),
            now=LATER,
        )

    assert fields(caught.value) == {
        "id", "subject", "text", "outcome", "durationSeconds", "occurredAt", "userId", "leadId", "contactId",
        "participants.0.userId", "participants.1.contactId", "participants.2", "participants.3",
        "participants.4.email", "externalRefs.0.system",
    }  # fmt: skip
    assert not await count(admin)


async def test_a_note_says_something() -> None:
    admin = await seller()
    on = await lead(admin)
    wordless: list[dict[str, Any]] = [{}, {"subject": " ", "text": ""}]
    for words in wordless:
        with pytest.raises(Required) as caught:
            await logged(admin, on, NOTE, **words)
        assert caught.value.field == ("text",)
    await logged(admin, on, NOTE, subject="Roof")
    note = await logged(admin, on, NOTE, text="They want a roof")
    for details in (ActivityDetails(text=None), ActivityDetails(text=" ", subject=" ")):
        with pytest.raises(Required):
            await activities.update(admin, note.id, details, now=LATER)
    await activities.update(admin, note.id, ActivityDetails(text=None, subject="Roof"), now=LATER)
    call = await logged(admin, on, CALL)
    with pytest.raises(Required):
        await activities.update(admin, call.id, ActivityDetails(kind=NOTE), now=LATER)
    await Activity.filter(id=call.id).update(kind=NOTE)
    edited = await activities.update(admin, call.id, ActivityDetails(duration_seconds=60), now=LATER)
    assert edited.duration_seconds == 60, "an empty note of earlier days can be edited elsewhere"


@pytest.mark.parametrize("ahead", [timedelta(days=1), timedelta(days=365), timedelta(days=365 * 500)])
async def test_what_is_to_come_is_refused_by_one_code_however_far_it_is(ahead: timedelta) -> None:
    admin = await seller()
    on = await lead(admin)
    with pytest.raises(NotYetHappened):
        await logged(admin, on, occurred_at=NOW + ahead, now=NOW)


async def test_an_activity_is_about_something_and_has_happened() -> None:
    admin = await seller()
    on = await lead(admin)

    with pytest.raises(AboutNothing):
        await activities.log(admin, NewActivity(details=ActivityDetails(kind=CALL)), now=NOW)
    with pytest.raises(Required):
        await activities.log(admin, NewActivity(lead_id=on.id), now=NOW)
    with pytest.raises(NotYetHappened):
        await logged(admin, on, occurred_at=LATER + timedelta(minutes=6))
    with pytest.raises(DomainError) as caught:
        await logged(admin, on, occurred_at=NOW.replace(tzinfo=None))
    assert fields(caught.value) == {"occurredAt"}
    with pytest.raises(DomainError) as caught:
        await logged(admin, on, participants=[Participant(name=f"{at}") for at in range(51)])
    assert fields(caught.value) == {"participants"}
    made = await logged(admin, on, occurred_at=LATER + timedelta(minutes=5))
    assert made.occurred_at == LATER + timedelta(minutes=5), "clocks may be a little apart"
    assert (await logged(admin, on)).occurred_at == LATER


async def test_an_edit_of_another_version_is_refused() -> None:
    admin = await seller()
    made = await logged(admin, await lead(admin))

    with pytest.raises(Stale) as caught:
        await activities.update(admin, made.id, ActivityDetails(subject="X"), expected_version=9, now=LATER)
    assert caught.value.current.id == made.id
    with pytest.raises(Stale):
        await activities.delete(admin, made.id, expected_version=9, now=LATER)


async def test_whoever_sees_a_lead_and_is_no_viewer_logs_and_edits_what_is_theirs() -> None:
    admin = await seller()
    rep, marketer, viewer = [await seller(role, of=admin) for role in (Role.REP, Role.MARKETER, Role.VIEWER)]
    manager = await seller(Role.MANAGER, of=admin)
    on = await lead(rep)
    await leads.assign(admin, on.id, manager.user_id, now=NOW)
    await leads.assign(admin, on.id, rep.user_id, now=NOW)
    others = await lead(admin)

    theirs = await logged(marketer, on)
    with pytest.raises(Forbidden):
        await logged(viewer, on)
    with pytest.raises(NotFound):
        await logged(rep, others)
    for attempt in (
        activities.update(rep, theirs.id, ActivityDetails(subject="X"), now=LATER),
        activities.delete(rep, theirs.id, now=LATER),
        activities.restore(rep, theirs.id, now=LATER),
        activities.update(viewer, theirs.id, ActivityDetails(subject="X"), now=LATER),
    ):
        with pytest.raises(Forbidden):
            await attempt
    assert (await activities.update(admin, theirs.id, ActivityDetails(subject="X"), now=LATER)).subject == "X"
    assert (await activities.delete(marketer, theirs.id, now=LATER)).deleted_at


async def test_what_others_did_is_logged_by_those_who_may_and_edited_by_both() -> None:
    admin = await seller()
    rep, colleague = await seller(Role.REP, of=admin), await seller(Role.REP, of=admin)
    qualifier = await seller(Role.QUALIFIER, of=admin)
    on = await lead(rep)
    await Membership.filter(user_id=colleague.user_id).update(active=False)

    with pytest.raises(Forbidden):
        await logged(rep, on, user_id=colleague.user_id)
    made = await logged(qualifier, on, user_id=rep.user_id)
    gone = await logged(qualifier, on, user_id=colleague.user_id)

    assert (made.user_id, made.logged_by_id, gone.user_id) == (rep.user_id, qualifier.user_id, colleague.user_id)
    assert (await activities.update(rep, made.id, ActivityDetails(subject="A"), now=LATER)).version == 2
    assert (await activities.update(qualifier, made.id, ActivityDetails(subject="B"), now=LATER)).version == 3
    with pytest.raises(Forbidden):
        await activities.update(rep, made.id, ActivityDetails(user_id=of(colleague)), now=LATER)


async def test_activities_out_of_sight_do_not_exist() -> None:
    stranger, admin = await seller(), await seller()
    rep = await seller(Role.REP, of=admin)
    hidden, gone = await lead(admin), await lead(admin)
    foreign = await logged(stranger, await lead(stranger))
    of_hidden, of_gone = await logged(admin, hidden), await logged(admin, gone)
    await leads.delete(admin, gone.id, now=NOW)

    for actor, key in ((admin, foreign.id), (rep, of_hidden.id), (admin, of_gone.id), (admin, uuid7())):
        for attempt in (
            activities.update(actor, key, ActivityDetails(subject="X"), now=LATER),
            activities.delete(actor, key, now=LATER),
            activities.restore(actor, key, now=LATER),
        ):
            with pytest.raises(NotFound):
                await attempt
    company = await companies.create(stranger, CompanyDetails(name="Acme"), now=NOW)
    with pytest.raises(NotFound):
        await activities.log(admin, NewActivity(details=ActivityDetails(kind=CALL), company_id=company.id), now=NOW)


async def test_an_activity_of_a_company_alone_is_everybodys() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    company = await companies.create(admin, CompanyDetails(name="Acme"), now=NOW)

    made = await activities.log(rep, NewActivity(details=ActivityDetails(kind=CALL), company_id=company.id), now=NOW)
    edited = await activities.update(rep, made.id, ActivityDetails(subject="X"), now=LATER)

    assert (edited.company_id, edited.lead_id, edited.version) == (company.id, None, 2)


REF = Ref("dialler", "call-1")


async def test_what_another_system_sends_twice_is_one_activity() -> None:
    admin = await seller()
    on, other = await lead(admin), await lead(admin)

    first = await logged(admin, on, refs=(REF,), subject="Roof", now=LATER)
    again = await logged(admin, on, refs=(REF,), subject="Roof", now=LATER + HOUR)
    newer = await logged(admin, on, refs=(REF, Ref("crm", "7")), subject="Roofs", direction=OUT, now=LATER + HOUR)
    with pytest.raises(ActivityElsewhere):
        await logged(admin, other, refs=(REF,))
    other_one = await logged(admin, on, refs=(Ref("dialler", "call-2"),))
    with pytest.raises(ExternalRefTaken):
        await logged(admin, on, refs=(REF, Ref("dialler", "call-2")))

    assert (again.id, again.version, again.occurred_at) == (first.id, 1, LATER)
    assert (newer.id, newer.version, newer.subject) == (first.id, 2, "Roofs")
    assert await Activity.filter(lead_id=on.id).count() == 2
    assert (await standing(on))[2:] == (24 * 3600, 2)
    await activities.delete(admin, first.id, now=LATER)
    anew = await logged(admin, on, refs=(REF,))
    assert anew.id not in (first.id, other_one.id), "a deleted activity gives its name up"


async def test_a_key_that_cannot_read_activities_cannot_bring_one_up_to_date() -> None:
    admin = await seller()
    on = await lead(admin)
    await logged(admin, on, refs=(REF,))
    blind = await partner("lead:read", "activity:write", of=admin)

    with pytest.raises(ActivityUnreadable):
        await logged(blind, on, refs=(REF,))
    assert (await logged(blind, on, refs=(Ref("dialler", "call-2"),))).user_id == blind.user_id
    with pytest.raises(Forbidden):
        await logged(await partner("lead:read", "activity:read", of=admin), on)


async def test_a_partner_edits_what_it_sent_and_leaves_alone_what_it_sent_unchanged() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    key = await partner("lead:read", "activity:read", "activity:write", of=admin)
    other = await partner("lead:read", "activity:read", "activity:write", of=admin)
    on = await lead(rep)

    made = await logged(key, on, refs=(REF,), user_id=rep.user_id, subject="Roof")
    edited = await logged(key, on, refs=(REF,), user_id=rep.user_id, subject="Roofs")
    same = await logged(other, on, refs=(REF,), user_id=rep.user_id, subject="Roofs")
    with pytest.raises(Forbidden):
        await logged(other, on, refs=(REF,), subject="Mine")

    assert (edited.id, edited.version, same.version) == (made.id, 2, 2)


async def test_many_are_logged_each_for_itself() -> None:
    admin = await seller()
    on = await lead(admin)

    def new(**more: Any) -> NewActivity:
        given = {"kind": CALL, "direction": OUT} | more
        return NewActivity(details=ActivityDetails(**given), lead_id=on.id, external_refs=[REF] if not more else ())

    outcomes = await activities.log_many(
        admin,
        [new(), new(subject="x" * 501, text="\x00"), new(occurred_at=NOW + HOUR), new(), NewActivity(lead_id=uuid7())],
        now=LATER,
    )

    first, bad, second, again, nowhere = outcomes
    assert isinstance(first, Activity)
    assert isinstance(second, Activity)
    assert isinstance(again, Activity)
    assert first.id == again.id
    assert not isinstance(bad, Activity)
    assert not isinstance(nowhere, Activity)
    assert {fault.field for fault in bad} == {("activities", "1", "subject"), ("activities", "1", "text")}
    assert {fault.field for fault in nowhere} == {("activities", "4", "leadId"), ("activities", "4", "kind")}
    assert await standing(on) == (NOW + HOUR, LATER, 3600, 2)
    told = await Event.filter(subject_id=on.id, name="lead.activity_logged")
    assert [event.data["bulk"] for event in told] == [True, True], "they do not stand before what people do"


async def test_more_than_five_hundred_at_once_are_refused() -> None:
    admin = await seller()
    on = await lead(admin)
    new = NewActivity(details=ActivityDetails(kind=NOTE), lead_id=on.id)

    with pytest.raises(TooManyActivities) as caught:
        await activities.log_many(admin, [new] * 501, now=NOW)
    assert caught.value.field == ("activities",)
    with pytest.raises(Forbidden):
        await activities.log_many(await seller(Role.VIEWER, of=admin), [new], now=NOW)
    assert not await count(admin)


async def test_activities_logged_at_once_on_one_lead_are_all_counted() -> None:
    admin = await seller()
    on = await lead(admin)

    made = await asyncio.gather(
        *(logged(admin, on, CALL, direction=OUT, occurred_at=NOW + at * HOUR) for at in range(1, 9))
    )
    assert await standing(on) == (NOW + HOUR, NOW + 8 * HOUR, 3600, 8)
    await asyncio.gather(
        activities.delete(admin, made[0].id, now=LATER),
        activities.update(admin, made[1].id, ActivityDetails(kind=NOTE, subject="Roof"), now=LATER),
        logged(admin, on, EMAIL, occurred_at=NOW + 9 * HOUR),
        activities.delete(admin, made[7].id, now=LATER),
    )
    assert await standing(on) == (NOW + 2 * HOUR, NOW + 9 * HOUR, 3 * 3600, 6)


async def test_the_same_reference_sent_twice_at_once_makes_one_activity() -> None:
    admin = await seller()
    on = await lead(admin)

    made = await asyncio.gather(*(logged(admin, on, refs=(REF,), direction=OUT) for _ in range(4)))

    assert len({each.id for each in made}) == 1
    assert (await count(admin), (await standing(on))[3]) == (1, 1)


async def test_the_same_id_makes_one_activity_even_at_once() -> None:
    admin, key = await seller(), uuid7()
    on = await lead(admin)
    new = NewActivity(details=ActivityDetails(kind=CALL), id=key, lead_id=on.id)

    outcomes = await asyncio.gather(*(activities.log(admin, new, now=LATER) for _ in range(2)), return_exceptions=True)

    assert [type(outcome) for outcome in outcomes if not isinstance(outcome, Activity)] == [AlreadyExists]
    assert (await standing(on))[3] == 1


async def test_an_edit_of_a_lead_and_an_activity_at_once_lose_nothing() -> None:
    admin = await seller()
    on = await lead(admin)

    await asyncio.gather(
        logged(admin, on),
        leads.update(admin, on.id, leads.LeadDetails(title="Wind"), now=LATER),
        logged(admin, on),
    )

    row = await Lead.get(id=on.id)
    assert (row.title, row.touches, row.version) == ("Wind", 2, on.version + 1)


async def test_what_fails_on_the_way_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    on = await lead(admin)

    async def broken(*_: Any, **__: Any) -> None:
        raise ConnectionError("gone")

    monkeypatch.setattr(activities, "_tell", broken)
    with pytest.raises(ConnectionError):
        await logged(admin, on, refs=(REF,), participants=[Participant(name="Ada")])
    monkeypatch.undo()

    assert not await count(admin)
    assert not await ActivityParticipant.filter(workspace_id=admin.workspace_id).count()
    assert await standing(on) == (None, None, None, 0)
    assert (await logged(admin, on, refs=(REF,))).version == 1
