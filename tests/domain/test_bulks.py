"""Many leads at once: each as by the operation for one, with an answer for each, and by a worker for very many."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain import bulks, catalog, closings, leads, moves, stages
from domain.actors import Actor
from domain.batches import Outcome
from domain.bulks import Chosen, CountChanged, TooManyLeads, Work
from domain.custom_values import CustomValue
from domain.errors import Forbidden, Invalid, NotFound, Required
from domain.leads import LeadDetails, StageClosesLeads, TooManyTags
from domain.money import Money
from models.base import uuid7
from models.bulks import Bulk, BulkKind, BulkRow, BulkStatus
from models.catalog import Tag
from models.events import Job
from models.leads import Lead, LeadStatus, LeadTag, Lifecycle
from models.stages import StageKind
from models.users import Membership, Role
from tests.factories import NOW, events, lead, lead_in, member, partner, seller, stage

pytestmark = pytest.mark.usefixtures("db")
LATER = NOW + timedelta(hours=1)
ALL = "SELECT id FROM lead WHERE workspace_id = $1 AND deleted_at IS NULL"


def everything(actor: Actor) -> Chosen:
    return Chosen(ALL, [actor.workspace_id])


def assign(to: Actor | None) -> Work:
    return Work(BulkKind.ASSIGN, {"owner_id": to.user_id if to else None})


def update(**details: Any) -> Work:
    return Work(BulkKind.UPDATE, {"details": LeadDetails(**details)})


def codes(outcomes: list[Outcome]) -> list[str]:
    return [fault.code for outcome in outcomes for fault in outcome.faults]


async def run(row: Bulk, *, batch: int = 3, at: datetime = LATER) -> Bulk:
    await bulks.run(row.workspace_id, row.id, clock=lambda: at, batch=batch)
    return await Bulk.get(id=row.id)


async def test_each_is_answered_in_the_order_asked_for() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    rows = [await lead(admin, title=f"Roof {number}") for number in range(4)]
    asked = [rows[2].id, rows[0].id, rows[3].id, rows[0].id]
    outcomes = await bulks.named(admin, assign(rep), asked, now=LATER)
    assert [outcome.lead_id for outcome in outcomes] == [rows[2].id, rows[0].id, rows[3].id]
    assert [outcome.lead and outcome.lead.owner_id for outcome in outcomes] == [rep.user_id] * 3
    assert (await Lead.get(id=rows[1].id)).owner_id is None
    [_, told] = await events(rows[0].id)
    assert (told.name, told.data["after"]["owner_id"]) == ("lead.assigned", str(rep.user_id))
    assert "bulk" not in told.data


async def test_what_refuses_one_stops_no_other_and_says_why() -> None:
    admin, stranger = await seller(), await seller()
    mine = [await lead(admin) for _ in range(3)]
    await closings.close(admin, mine[1].id, LeadStatus.DISQUALIFIED, now=NOW)
    abroad = await lead(stranger)
    asked = [mine[0].id, mine[1].id, abroad.id, uuid7(), mine[2].id]
    outcomes = await bulks.named(admin, Work(BulkKind.CLOSE, {"status": LeadStatus.DISQUALIFIED}), asked, now=LATER)
    assert [[fault.code for fault in outcome.faults] for outcome in outcomes] == [
        [], ["LEAD_ALREADY_CLOSED"], ["NOT_FOUND"], ["NOT_FOUND"], [],
    ]  # fmt: skip
    assert (await Lead.get(id=abroad.id)).status is LeadStatus.OPEN
    assert (await Lead.get(id=mine[2].id)).status is LeadStatus.DISQUALIFIED


async def test_what_would_be_wrong_for_every_lead_is_said_once() -> None:
    admin, viewer = await seller(), await member(Role.VIEWER)
    row = await lead(admin)
    rep = await member(Role.REP, of=admin)
    with pytest.raises(Forbidden):
        await bulks.named(viewer, assign(viewer), [row.id], now=NOW)
    with pytest.raises(Forbidden):
        await bulks.named(rep, assign(rep), [row.id], now=NOW)
    with pytest.raises(NotFound):
        await bulks.named(admin, Work(BulkKind.MOVE, {"stage_id": uuid7()}), [row.id], now=NOW)
    with pytest.raises(Required):
        await bulks.named(admin, Work(BulkKind.CLOSE, {"status": LeadStatus.LOST}), [row.id], now=NOW)
    with pytest.raises(TooManyTags):
        await bulks.named(admin, Work(BulkKind.TAG, {"tag_ids": [uuid7() for _ in range(10_000)]}), [row.id], now=NOW)
    with pytest.raises(TooManyTags):
        await bulks.named(admin, update(tag_ids=[uuid7() for _ in range(10_000)]), [row.id], now=NOW)
    with pytest.raises(Invalid):
        await bulks.named(admin, update(value=Money(Decimal(-1), "EUR"), source_id=uuid7()), [row.id], now=NOW)
    with pytest.raises(TooManyLeads):
        await bulks.named(admin, assign(rep), [uuid7() for _ in range(501)], now=NOW)
    assert (await Lead.get(id=row.id)).version == 1


async def test_only_leads_that_are_won_move_to_a_stage_of_wins_and_where_none_is_that_is_said_once() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    wins = await stage(admin, StageKind.FOLLOW_UP)
    later = await stages.create(admin, wins.pipeline_id, stages.NewStage("Renewals", StageKind.FOLLOW_UP), now=NOW)
    rows = [await lead(rep) for _ in range(2)]
    work = Work(BulkKind.MOVE, {"stage_id": wins.id})
    keys = [row.id for row in rows]
    for which in (bulks.named(rep, work, keys, now=NOW), bulks.chosen(rep, work, everything(rep), expected=2, now=NOW)):
        with pytest.raises(StageClosesLeads) as refused:
            await which
        assert refused.value.field == ("stageId",)
    foreign = await lead(admin)
    won = await lead(rep)
    for row in (foreign, won):
        await closings.close(admin, row.id, LeadStatus.WON, now=NOW)
    with pytest.raises(StageClosesLeads):
        await bulks.named(rep, work, [rows[0].id, foreign.id], now=NOW)
    work = Work(BulkKind.MOVE, {"stage_id": later.id})
    assert codes(await bulks.named(rep, work, [*keys, won.id], now=NOW)) == ["STAGE_CLOSES_LEADS"] * 2
    assert (await Lead.get(id=won.id)).stage_id == later.id


async def test_what_is_wrong_with_a_lead_itself_points_at_its_id_among_those_given() -> None:
    admin = await seller()
    row, gone = await lead(admin), await lead(admin)
    await leads.delete(admin, gone.id, now=NOW)
    outcomes = await bulks.named(admin, assign(admin), [row.id, gone.id, row.id, uuid7()], now=LATER)
    assert [[fault.field for fault in outcome.faults] for outcome in outcomes] == [[], [("ids", "1")], [("ids", "3")]]


async def test_a_key_is_told_the_scope_that_it_lacks() -> None:
    admin = await seller()
    row = await lead(admin)
    key = await partner("lead:read", of=admin)
    with pytest.raises(Forbidden, match="lacks the scope lead:write"):
        await bulks.named(key, Work(BulkKind.TAG, {"tag_ids": []}), [row.id], now=NOW)


async def test_a_rep_does_it_to_their_own_and_sees_no_other() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    own, other = await lead(rep), await lead(admin)
    outcomes = await bulks.named(rep, update(lifecycle=Lifecycle.MQL), [own.id, other.id], now=LATER)
    assert codes(outcomes) == ["NOT_FOUND"]
    assert (await Lead.get(id=own.id)).lifecycle is Lifecycle.MQL


async def test_tags_are_put_on_and_taken_off() -> None:
    admin = await seller()
    hot, cold, old = [await catalog.create_tag(admin, name=name, now=NOW) for name in ("Hot", "Cold", "Old")]
    rows = [await lead(admin, tag_ids=[old.id]), await lead(admin, tag_ids=[hot.id, old.id])]
    keys = [row.id for row in rows]
    await bulks.named(admin, Work(BulkKind.TAG, {"tag_ids": [hot.id, cold.id]}), keys, now=LATER)
    for key in keys:
        assert set(await LeadTag.filter(lead_id=key).values_list("tag_id", flat=True)) == {hot.id, cold.id, old.id}
    told = (await events(keys[1]))[-1]
    assert told.name == "lead.updated"
    assert told.data["changes"]["tag_ids"] == [sorted(map(str, [hot.id, old.id])), told.data["after"]["tag_ids"]]
    await catalog.archive(admin, Tag, old.id, now=LATER)
    outcomes = await bulks.named(admin, Work(BulkKind.UNTAG, {"tag_ids": [old.id, hot.id]}), keys, now=LATER)
    assert codes(outcomes) == []
    assert await LeadTag.filter(lead_id__in=keys).values_list("tag_id", flat=True) == [cold.id, cold.id]
    again = await bulks.named(admin, Work(BulkKind.UNTAG, {"tag_ids": [hot.id]}), keys, now=LATER)
    assert [outcome.lead and outcome.lead.version for outcome in again] == [3, 3]


async def test_a_lead_with_fifty_tags_takes_no_more() -> None:
    admin = await seller()
    tags = [await catalog.create_tag(admin, name=f"Tag {number}", now=NOW) for number in range(51)]
    full = await lead(admin, tag_ids=[tag.id for tag in tags[:50]])
    free = await lead(admin)
    outcomes = await bulks.named(admin, Work(BulkKind.TAG, {"tag_ids": [tags[50].id]}), [full.id, free.id], now=LATER)
    assert codes(outcomes) == ["TOO_MANY_TAGS"]
    assert await LeadTag.filter(lead_id=free.id).count() == 1


async def test_moves_and_deletions_keep_their_rules_and_their_history() -> None:
    admin = await seller()
    target = await stage(admin, StageKind.QUALIFY)
    rows = [await lead(admin) for _ in range(3)]
    keys = [row.id for row in rows]
    outcomes = await bulks.named(admin, Work(BulkKind.MOVE, {"stage_id": target.id}), keys, now=LATER)
    assert codes(outcomes) == []
    assert [row.stage_id for row in await Lead.filter(id__in=keys)] == [target.id] * 3
    assert [told.name for told in await events(keys[0])] == ["lead.captured", "lead.moved"]
    await leads.delete(admin, keys[1], now=LATER)
    outcomes = await bulks.named(admin, Work(BulkKind.DELETE, {}), keys, now=LATER)
    assert codes(outcomes) == ["NOT_FOUND"]
    assert await Lead.filter(id__in=keys, deleted_at=None).count() == 0


async def test_a_count_that_has_changed_is_refused_with_the_one_of_now() -> None:
    admin = await seller()
    for _ in range(3):
        await lead(admin)
    with pytest.raises(CountChanged) as refused:
        await bulks.chosen(admin, assign(admin), everything(admin), expected=2, now=NOW)
    assert refused.value.facts["count"] == 3
    with pytest.raises(Required):
        await bulks.chosen(admin, assign(admin), everything(admin), expected=None, now=NOW)
    outcomes = await bulks.chosen(admin, assign(admin), everything(admin), expected=3, now=NOW)
    assert isinstance(outcomes, list) and len(outcomes) == 3


async def test_more_than_fit_are_fixed_and_given_to_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulks, "MOST_AT_ONCE", 5)
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    known = [await lead(admin) for _ in range(8)]
    with pytest.raises(CountChanged) as refused:
        await bulks.chosen(admin, assign(rep), everything(admin), expected=7, now=NOW)
    assert refused.value.facts["count"] == 8
    assert not await Bulk.exists(workspace_id=admin.workspace_id)
    row = await bulks.chosen(admin, assign(rep), everything(admin), expected=8, now=NOW)
    assert isinstance(row, Bulk)
    assert (row.status, row.total, row.done, row.user_id) == (BulkStatus.PENDING, 8, 0, admin.user_id)
    assert (await Job.get(id=row.id)).arguments == {"bulk_id": str(row.id)}
    late = await lead(admin)
    ended = await run(row)
    assert (ended.status, ended.done, ended.failed) == (BulkStatus.COMPLETED, 8, 0)
    assert await Lead.filter(workspace_id=admin.workspace_id, owner_id=rep.user_id).count() == 8
    assert (await Lead.get(id=late.id)).owner_id is None
    told = (await events(known[0].id))[-1]
    assert told.data["bulk"] is True
    assert told.actor == {"kind": "USER", "user": str(admin.user_id), "task": f"bulk:{row.id}"}
    assert [event.name for event in await events(row.id)] == ["bulk.started", "bulk.completed"]


async def begun(actor: Actor, work: Work) -> Bulk:
    return await bulks.begin(actor, work, everything(actor), now=NOW)


async def faults_of(row: Bulk) -> dict[UUID, list[str]]:
    rows = await BulkRow.filter(bulk_id=row.id, errors__isnull=False)
    return {each.lead_id: [fault["code"] for fault in each.errors or ()] for each in rows}


async def test_rows_that_change_meanwhile_fail_by_their_own_rule() -> None:
    admin = await seller()
    rows = [await lead(admin) for _ in range(5)]
    row = await begun(admin, Work(BulkKind.CLOSE, {"status": LeadStatus.DISQUALIFIED}))
    await closings.close(admin, rows[3].id, LeadStatus.DISQUALIFIED, now=NOW)
    await leads.delete(admin, rows[1].id, now=NOW)
    ended = await run(row, batch=2)
    assert (ended.status, ended.done, ended.failed) == (BulkStatus.COMPLETED, 5, 2)
    assert await faults_of(row) == {rows[3].id: ["LEAD_ALREADY_CLOSED"], rows[1].id: ["NOT_FOUND"]}


async def test_the_rights_of_now_count() -> None:
    admin = await seller()
    manager = await member(Role.QUALIFIER, of=admin)
    for _ in range(4):
        await lead(admin)
    row = await begun(manager, assign(admin))
    await Membership.filter(user_id=manager.user_id).update(role=Role.MARKETER)
    ended = await run(row)
    assert (ended.status, ended.failed) == (BulkStatus.COMPLETED, 4)
    assert list((await faults_of(row)).values()) == [["FORBIDDEN"]] * 4


async def test_whoever_left_does_no_more() -> None:
    admin = await seller()
    qualifier = await member(Role.QUALIFIER, of=admin)
    for _ in range(4):
        await lead(admin)
    row = await begun(qualifier, assign(admin))
    await Membership.filter(user_id=qualifier.user_id).update(active=False)
    ended = await run(row)
    assert (ended.status, ended.done, ended.failed) == (BulkStatus.FAILED, 4, 4)
    assert [fault["code"] for fault in ended.errors or ()] == ["ASKER_LEFT"]
    assert len(await faults_of(row)) == 4
    assert await Lead.filter(workspace_id=admin.workspace_id, owner_id=None).count() == 4
    assert [event.name for event in await events(row.id)] == ["bulk.started", "bulk.failed"]


async def test_a_key_acts_as_far_as_its_scopes() -> None:
    from models.api_keys import ApiKey

    admin = await seller()
    await lead(admin)
    key = await partner("lead:read", "lead:write", of=admin)
    await ApiKey.create(
        id=key.key_id, workspace_id=key.workspace_id, user_id=key.user_id, name="Partner", prefix="sck_x",
        key_hash=str(key.key_id), scopes=["lead:read"], created_at=NOW,
    )  # fmt: skip
    row = await begun(key, assign(admin))
    assert (await run(row)).failed == 1
    assert list((await faults_of(row)).values()) == [["FORBIDDEN"]]
    revoked = await begun(key, assign(admin))
    await ApiKey.filter(id=key.key_id).update(revoked_at=NOW)
    assert (await run(revoked)).status is BulkStatus.FAILED


async def test_what_is_cancelled_stops_where_it_is() -> None:
    admin, rep = await seller(), None
    rows = [await lead(admin) for _ in range(6)]
    row = await begun(admin, assign(admin))
    assert await bulks._take(row.workspace_id, row.id, 2, now=LATER)
    rep = await member(Role.REP, of=admin)
    with pytest.raises(NotFound):
        await bulks.cancel(rep, row.id, now=LATER)
    with pytest.raises(Forbidden):
        await bulks.cancel(await member(Role.VIEWER, of=admin), row.id, now=LATER)
    await bulks.cancel(admin, row.id, now=LATER)
    ended = await run(row)
    assert (ended.status, ended.done) == (BulkStatus.CANCELLED, 2)
    assert await Lead.filter(id__in=[one.id for one in rows], owner_id=admin.user_id).count() == 2
    with pytest.raises(bulks.BulkEnded):
        await bulks.cancel(admin, row.id, now=LATER)


async def test_one_that_breaks_is_told_and_the_others_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    rows = [await lead(admin) for _ in range(6)]
    broken = rows[2].id
    real = leads.assign

    async def breaks(actor: Actor, lead_id: UUID, owner_id: UUID | None, **more: Any) -> Lead:
        done = await real(actor, lead_id, owner_id, **more)
        if lead_id == broken:
            raise RuntimeError("a fault of ours")
        return done

    deed = bulks.Deed(breaks, bulks.DEEDS[BulkKind.ASSIGN].action)
    monkeypatch.setitem(bulks.DEEDS, BulkKind.ASSIGN, deed)
    outcomes = await bulks.named(admin, assign(admin), [one.id for one in rows], now=LATER)
    assert codes(outcomes) == ["INTERNAL"]
    assert (await Lead.get(id=broken)).owner_id is None
    ended = await run(await begun(admin, assign(None)))
    assert (ended.status, ended.done, ended.failed) == (BulkStatus.COMPLETED, 6, 1)
    assert await Lead.filter(workspace_id=admin.workspace_id, owner_id=admin.user_id).count() == 0


async def test_arguments_are_kept_as_they_were_given() -> None:
    for kind, arguments in (
        (BulkKind.ASSIGN, {"owner_id": None}),
        (BulkKind.MOVE, {"stage_id": uuid7()}),
        (BulkKind.TAG, {"tag_ids": [uuid7(), uuid7()]}),
        (
            BulkKind.UPDATE,
            {
                "details": LeadDetails(
                    title="UNSET", description=None, value=Money(Decimal("12.50"), "EUR"), source_id=uuid7(),
                    expected_close_date=date(2026, 5, 1), engaged_at=NOW, lifecycle=Lifecycle.SQL, tag_ids=[uuid7()],
                    custom=[CustomValue("size", ["s", 1]), CustomValue(uuid7(), None)],
                )
            },
        ),
        (
            BulkKind.CLOSE,
            {"status": LeadStatus.LOST, "lost_reason_id": uuid7(), "note": "1", "value": Money(Decimal("7"), "USD"),
             "stage_id": None},
        ),
        (BulkKind.TRANSFER, {"from_user_id": uuid7(), "to_user_id": uuid7()}),
        (BulkKind.DELETE, {}),
    ):  # fmt: skip
        assert bulks.load(kind, bulks.dump(arguments)) == arguments


async def test_what_was_left_out_stays_as_it_is() -> None:
    admin = await seller()
    row = await lead(admin, description="Flat", value=Money(Decimal(5), "EUR"))
    done = await run(await begun(admin, update(value=None, lifecycle=Lifecycle.SQL)))
    assert done.failed == 0
    fresh = await Lead.get(id=row.id)
    assert (fresh.description, fresh.value, fresh.lifecycle) == ("Flat", None, Lifecycle.SQL)


async def test_deleted_meanwhile_is_not_found() -> None:
    admin = await seller()
    at = await stage(admin, StageKind.QUALIFY)
    rows = [await lead_in(at) for _ in range(3)]
    doing, deleting = await begun(admin, assign(admin)), await begun(admin, Work(BulkKind.DELETE, {}))
    assert (await run(deleting)).failed == 0
    assert (await run(doing)).failed == 3
    assert await moves.board(admin.workspace_id, [rows[0].id])
