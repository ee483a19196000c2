"""Stages: shaped, ordered, given requirements, emptied and archived."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tortoise.connection import get_connection

from domain import closings, companies, leads, moves, pipelines, stage_archive, stages
from domain.actors import Actor
from domain.captures import Capture, capture
from domain.companies import CompanyDetails
from domain.errors import (
    AlreadyExists,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
    OutOfRange,
    Required,
    Stale,
)
from domain.leads import LeadDetails
from domain.requirements import FILLED, MILESTONES, LeadFacts, UnknownLeadField
from domain.stage_archive import StageNotEmpty, StageUnfit
from domain.stages import (
    IntakeKind,
    NewStage,
    PipelineIsArchived,
    Requirements,
    StageArchived,
    StageDetails,
    StageKindMissing,
    StageOccupied,
    StageOrder,
    StagesIncomplete,
    TooManyStages,
)
from models.base import uuid7
from models.companies import Company, Relationship
from models.database import transaction
from models.events import Event
from models.leads import Lead, LeadStatus
from models.pipelines import Pipeline
from models.stages import MoveRequest, MoveRequestStatus, Stage, StageKind, StageTransition
from models.users import Role
from tests.factories import NOW, lead_in, member, pipeline

LATER = NOW + timedelta(hours=1)
QUALIFY, FOLLOW_UP, PROSPECT = StageKind.QUALIFY, StageKind.FOLLOW_UP, StageKind.PROSPECT
SHORT = [
    NewStage("New", PROSPECT),
    NewStage("Talk", QUALIFY),
    NewStage("Won", FOLLOW_UP),
    NewStage("Kept", FOLLOW_UP),
]

pytestmark = pytest.mark.usefixtures("db")


async def board(actor: Actor) -> tuple[Pipeline, list[Stage]]:
    """Make a pipeline with the stages New, Talk, Won and Kept."""
    row = await pipelines.create(actor, name="Board", new_stages=SHORT, now=NOW)
    return row, await stages.live(row.id)


async def names(row: Pipeline) -> list[str]:
    ordered = await stages.live(row.id)
    assert [stage.position for stage in ordered] == list(range(len(ordered)))
    return [stage.name for stage in ordered]


async def somebody_waits_for_a_lock() -> None:
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not (await get_connection("default").execute_query(waiting))[0]:
            await asyncio.sleep(0.001)


async def events_of(key: UUID) -> list[Event]:
    return await Event.filter(subject_id=key).order_by("id")


class TestCreate:
    @pytest.mark.parametrize(
        ("new", "position", "order"),
        [
            (NewStage("X", QUALIFY), None, ["New", "Talk", "X", "Won", "Kept"]),
            (NewStage("X", FOLLOW_UP), None, ["New", "Talk", "Won", "Kept", "X"]),
            (NewStage("X", StageKind.CLOSING), 0, ["X", "New", "Talk", "Won", "Kept"]),
            (NewStage("X", FOLLOW_UP), 2, ["New", "Talk", "X", "Won", "Kept"]),
        ],
    )
    async def test_a_stage_comes_to_its_place(self, new: NewStage, position: int | None, order: list[str]) -> None:
        actor = await member()
        row, _ = await board(actor)

        stage = await stages.create(actor, row.id, new, position=position, now=NOW)

        assert await names(row) == order
        assert (stage.position, stage.version) == (order.index("X"), 1)
        [event] = await events_of(stage.id)
        assert (event.name, event.data["pipeline_id"]) == ("stage.created", str(row.id))

    async def test_follow_up_stages_come_last(self) -> None:
        actor = await member()
        row, _ = await board(actor)

        for new, position in ((NewStage("X", FOLLOW_UP), 1), (NewStage("X", QUALIFY), 3)):
            with pytest.raises(StageOrder):
                await stages.create(actor, row.id, new, position=position, now=NOW)
        assert await names(row) == ["New", "Talk", "Won", "Kept"]

    async def test_every_fault_is_reported(self) -> None:
        actor = await member()
        row, _ = await board(actor)

        with pytest.raises(Invalid) as caught:
            await stages.create(
                actor,
                row.id,
                NewStage(" TALK", FOLLOW_UP, Decimal("Infinity"), rot_days=0, is_intake=True),
                id=uuid4(),
                position=9,
                now=NOW,
            )

        assert {fault.field for fault in caught.value.faults} == {
            ("id",),
            ("name",),
            ("probability",),
            ("rotDays",),
            ("isIntake",),
            ("position",),
        }

    async def test_many_at_once_get_places_of_their_own(self) -> None:
        actor = await member()
        row, _ = await board(actor)

        await asyncio.gather(
            *(stages.create(actor, row.id, NewStage(f"S{n}", QUALIFY), position=1, now=NOW) for n in range(6))
        )

        assert sorted(await names(row)) == sorted([*(f"S{n}" for n in range(6)), "New", "Talk", "Won", "Kept"])

    async def test_the_same_name_and_the_same_id_twice_are_refused(self) -> None:
        actor, key = await member(), uuid7()
        row, _ = await board(actor)
        await stages.create(actor, row.id, NewStage("X", QUALIFY), id=key, now=NOW)

        with pytest.raises(AlreadyExists, match="name"):
            await stages.create(actor, row.id, NewStage("x", QUALIFY), now=NOW)
        with pytest.raises(AlreadyExists, match="id"):
            await stages.create(actor, row.id, NewStage("Y", QUALIFY), id=key, now=NOW)

    async def test_a_board_has_fifty_stages_at_most(self) -> None:
        actor = await member()
        many = [NewStage(f"S{n}", QUALIFY) for n in range(49)]
        row = await pipelines.create(actor, name="Full", new_stages=[*many, SHORT[-1]], now=NOW)

        with pytest.raises(TooManyStages):
            await stages.create(actor, row.id, NewStage("One more", QUALIFY), now=NOW)


class TestUpdate:
    async def test_what_is_given_changes_and_nothing_else(self) -> None:
        actor = await member()
        _, [_, talk, *_] = await board(actor)

        edited = await stages.update(
            actor, talk.id, StageDetails(name="Call", rot_days=7), expected_version=1, now=LATER
        )

        assert (edited.name, edited.rot_days, edited.kind, edited.version) == ("Call", 7, QUALIFY, 2)
        changed = {"name": ["Talk", "Call"], "rot_days": [None, 7]}
        event = (await events_of(talk.id))[-1]
        assert (event.name, event.data["changes"]) == ("stage.updated", changed)
        cleared = await stages.update(actor, talk.id, StageDetails(rot_days=None), now=LATER)
        assert cleared.rot_days is None

    async def test_an_edit_that_changes_nothing_is_none_and_a_stale_one_is_refused(self) -> None:
        actor = await member()
        _, [_, talk, *_] = await board(actor)

        same = await stages.update(actor, talk.id, StageDetails(name="Talk", kind=QUALIFY), now=LATER)

        assert same.version == 1
        assert len(await events_of(talk.id)) == 1
        with pytest.raises(Stale) as caught:
            await stages.update(actor, talk.id, StageDetails(name="X"), expected_version=0, now=LATER)
        assert caught.value.current.id == talk.id

    async def test_its_open_leads_take_its_probability_and_keep_their_version(self) -> None:
        actor = await member()
        _, [_, talk, *_] = await board(actor)
        standing, gone = await lead_in(talk), await lead_in(talk, status=LeadStatus.LOST, probability=0)

        await stages.update(actor, talk.id, StageDetails(probability=Decimal("0.42")), now=LATER)

        assert (await Lead.get(id=standing.id)).probability == Decimal("0.42")
        assert (await Lead.get(id=standing.id)).version == 1
        assert (await Lead.get(id=gone.id)).probability == 0

    @pytest.mark.parametrize("probability", [Decimal("-0.1"), Decimal("1.01"), Decimal("NaN"), Decimal("1e30")])
    async def test_a_probability_is_between_0_and_1(self, probability: Decimal) -> None:
        actor = await member()
        _, [_, talk, *_] = await board(actor)

        with pytest.raises(OutOfRange):
            await stages.update(actor, talk.id, StageDetails(probability=probability), now=NOW)

    async def test_won_is_certain(self) -> None:
        actor = await member()
        _, [*_, won, _] = await board(actor)

        with pytest.raises(OutOfRange):
            await stages.update(actor, won.id, StageDetails(probability=Decimal("0.9")), now=NOW)

    async def test_between_open_kinds_a_stage_may_change_with_its_leads(self) -> None:
        actor = await member()
        row, [_, talk, *_] = await board(actor)
        await lead_in(talk)

        changed = await stages.update(actor, talk.id, StageDetails(kind=StageKind.CLOSING), now=LATER)

        assert (changed.kind, changed.probability) == (StageKind.CLOSING, Decimal("0.25"))
        assert await names(row) == ["New", "Talk", "Won", "Kept"]

    @pytest.mark.parametrize("deleted", [False, True])
    async def test_open_leads_do_not_stand_in_follow_up(self, deleted: bool) -> None:
        actor = await member()
        _, [_, talk, won, _] = await board(actor)
        await lead_in(talk, deleted=deleted)
        await lead_in(won, status=LeadStatus.WON)

        with pytest.raises(StageOccupied, match="OPEN"):
            await stages.update(actor, talk.id, StageDetails(kind=FOLLOW_UP), now=NOW)
        with pytest.raises(StageOccupied, match="WON"):
            await stages.update(actor, won.id, StageDetails(kind=QUALIFY), now=NOW)
        assert (await Stage.get(id=talk.id)).kind is QUALIFY

    async def test_a_stage_that_changes_its_sort_goes_to_the_border(self) -> None:
        actor = await member()
        row, [new, talk, won, kept] = await board(actor)
        await lead_in(talk, status=LeadStatus.LOST)

        turned = await stages.update(actor, kept.id, StageDetails(kind=QUALIFY), now=NOW)
        assert await names(row) == ["New", "Talk", "Kept", "Won"]
        assert turned.probability == Decimal("0.25")
        back = await stages.update(actor, new.id, StageDetails(kind=FOLLOW_UP), now=NOW)
        assert await names(row) == ["Talk", "Kept", "Won", "New"]
        assert back.probability == 1
        assert (await Stage.get(id=won.id)).version == 1

    async def test_the_last_of_its_sort_keeps_its_kind(self) -> None:
        actor = await member()
        row = await pipelines.create(actor, name="Two", new_stages=[SHORT[0], SHORT[2]], now=NOW)
        new, won = await stages.live(row.id)

        for stage, details in (
            (new, StageDetails(kind=FOLLOW_UP)),
            (won, StageDetails(kind=QUALIFY)),
            (new, StageDetails(is_intake=True)),
        ):
            with pytest.raises(StageKindMissing):
                await stages.update(actor, stage.id, details, now=NOW)

    async def test_only_prospects_come_in_raw(self) -> None:
        actor = await member()
        _, [new, talk, *_] = await board(actor)

        assert (await stages.update(actor, new.id, StageDetails(is_intake=True), now=NOW)).is_intake
        with pytest.raises(IntakeKind):
            await stages.update(actor, talk.id, StageDetails(is_intake=True), now=NOW)
        with pytest.raises(IntakeKind):
            await stages.update(actor, new.id, StageDetails(kind=QUALIFY), now=NOW)

    async def test_names_are_told_apart(self) -> None:
        actor = await member()
        _, [_, talk, *_] = await board(actor)

        with pytest.raises(AlreadyExists):
            await stages.update(actor, talk.id, StageDetails(name="WON"), now=NOW)
        with pytest.raises(Required):
            await stages.update(actor, talk.id, StageDetails(name="  "), now=NOW)
        assert (await stages.update(actor, talk.id, StageDetails(name="talk"), now=NOW)).name == "talk"

    async def test_whose_leads_became_qualified_by_it_is_a_prospect(self) -> None:
        actor = await member()
        _, [new, *_] = await board(actor)
        buyer = await companies.create(actor, CompanyDetails(name="Buyer"), now=NOW)
        await lead_in(new, company_id=buyer.id)

        await stages.update(actor, new.id, StageDetails(kind=QUALIFY), now=NOW)

        assert (await Company.get(id=buyer.id)).relationship is Relationship.PROSPECT


class TestRequirements:
    async def test_they_are_kept_as_they_are_set(self) -> None:
        actor = await member()
        _, [_, talk, *_] = await board(actor)
        wanted = Requirements(
            fields=("owner", "value", "owner"),
            min_needs=2,
            no_skipping=True,
            roles_in=(Role.REP, Role.ADMIN, Role.REP),
            needs_approval=True,
            contract_signed=True,
        )

        stage = await stages.set_requirements(actor, talk.id, wanted, expected_version=1, now=LATER)

        assert stage.version == 2
        assert Requirements.of(await Stage.get(id=talk.id)) == Requirements(
            fields=("value", "owner"),
            min_needs=2,
            no_skipping=True,
            roles_in=(Role.ADMIN, Role.REP),
            needs_approval=True,
            contract_signed=True,
        )
        same = await stages.set_requirements(actor, talk.id, wanted, now=LATER)
        assert same.version == 2
        none = await stages.set_requirements(actor, talk.id, Requirements(), now=LATER)
        assert none.requirements == {}

    async def test_only_fields_of_a_lead_can_be_required(self) -> None:
        actor = await member()
        _, [_, talk, *_] = await board(actor)

        with pytest.raises(Invalid) as caught:
            await stages.set_requirements(
                actor, talk.id, Requirements(fields=("value", "password", "x" * 9999), min_needs=-1), now=NOW
            )

        assert [type(fault) for fault in caught.value.faults] == [UnknownLeadField, UnknownLeadField, OutOfRange]
        assert len(str(caught.value.faults[1])) < 400

    @given(
        st.builds(
            Requirements,
            fields=st.lists(st.sampled_from(sorted(FILLED)), unique=True).map(
                lambda picked: tuple(name for name in FILLED if name in picked)
            ),
            min_needs=st.integers(0, 50),
            no_skipping=st.booleans(),
            no_going_back=st.booleans(),
            roles_in=st.sets(st.sampled_from(Role)).map(lambda roles: tuple(role for role in Role if role in roles)),
            roles_out=st.sets(st.sampled_from(Role)).map(lambda roles: tuple(role for role in Role if role in roles)),
            needs_approval=st.booleans(),
            **{name: st.booleans() for name in MILESTONES},
        )
    )
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_their_json_is_read_back_as_it_was(self, wanted: Requirements) -> None:
        assert Requirements.parse(wanted.to_json()) == wanted

    @pytest.mark.parametrize(
        ("name", "empty", "filled"),
        [
            ("value", {"value": None}, {"value": Decimal(0)}),
            ("expectedCloseDate", {"expected_close_date": None}, {"expected_close_date": NOW.date()}),
            ("company", {"company_id": None}, {"company_id": uuid7()}),
            ("owner", {"owner_id": None}, {"owner_id": uuid7()}),
            ("source", {"source_id": None}, {"source_id": uuid7()}),
            ("campaign", {"campaign_id": None}, {"campaign_id": uuid7()}),
            ("product", {"product_id": None}, {"product_id": uuid7()}),
            ("description", {"description": None}, {"description": "Wants it"}),
            ("engagedAt", {"engaged_at": None}, {"engaged_at": NOW}),
        ],
    )
    def test_a_required_field_is_one_that_is_empty(
        self, name: str, empty: dict[str, object], filled: dict[str, object]
    ) -> None:
        wanted = Requirements(fields=(name,))

        assert wanted.unfilled(LeadFacts(Lead(**empty))) == (name,)
        assert wanted.unfilled(LeadFacts(Lead(**filled))) == ()

    def test_what_does_not_stand_in_the_row_can_be_required_too(self) -> None:
        wanted = Requirements(fields=("primaryContact", "contacts", "tags"))

        assert wanted.unfilled(LeadFacts(Lead())) == ("primaryContact", "contacts", "tags")
        assert wanted.unfilled(LeadFacts(Lead(), contacts=1, tags=1)) == ("primaryContact",)
        assert wanted.unfilled(LeadFacts(Lead(), contacts=1, tags=1, has_primary_contact=True)) == ()


class TestReorder:
    async def test_the_stages_stand_as_they_are_named(self) -> None:
        actor = await member()
        row, [new, talk, won, kept] = await board(actor)

        changed = await stages.reorder(actor, row.id, [talk.id, new.id, kept.id, won.id], expected_version=1, now=LATER)

        assert await names(row) == ["Talk", "New", "Kept", "Won"]
        assert changed.version == 2
        assert (await Stage.get(id=talk.id)).version == 1
        event = (await events_of(row.id))[-1]
        assert event.name == "pipeline.stages_reordered"
        assert event.data["changes"]["stages"][1][0] == str(talk.id)

    async def test_the_same_order_is_no_edit(self) -> None:
        actor = await member()
        row, ordered = await board(actor)

        assert (await stages.reorder(actor, row.id, [s.id for s in ordered], now=LATER)).version == 1

    async def test_every_stage_is_named_once(self) -> None:
        actor = await member()
        row, [new, talk, won, kept] = await board(actor)
        foreign = (await board(await member()))[1][0]

        for wrong in (
            [],
            [new.id, talk.id, won.id],
            [new.id, talk.id, won.id, kept.id, kept.id],
            [new.id, new.id, won.id, kept.id],
            [new.id, foreign.id, won.id, kept.id],
            [new.id, talk.id, won.id, kept.id, uuid7()],
        ):
            with pytest.raises(StagesIncomplete):
                await stages.reorder(actor, row.id, wrong, now=NOW)

    async def test_follow_up_stays_last_and_other_kinds_stand_as_one_likes(self) -> None:
        actor = await member()
        row, [new, talk, won, kept] = await board(actor)

        with pytest.raises(StageOrder):
            await stages.reorder(actor, row.id, [new.id, won.id, talk.id, kept.id], now=NOW)
        await stages.reorder(actor, row.id, [talk.id, new.id, won.id, kept.id], now=NOW)

    async def test_two_at_once_leave_one_order_and_with_versions_one_is_refused(self) -> None:
        actor = await member()
        row, [new, talk, won, kept] = await board(actor)
        one, other = [talk.id, new.id, won.id, kept.id], [new.id, talk.id, kept.id, won.id]

        await asyncio.gather(stages.reorder(actor, row.id, one, now=NOW), stages.reorder(actor, row.id, other, now=NOW))
        assert await names(row) in (["Talk", "New", "Won", "Kept"], ["New", "Talk", "Kept", "Won"])

        version = (await Pipeline.get(id=row.id)).version
        both = [talk.id, new.id, kept.id, won.id], [new.id, talk.id, won.id, kept.id]
        outcomes = await asyncio.gather(
            *(stages.reorder(actor, row.id, order, expected_version=version, now=NOW) for order in both),
            return_exceptions=True,
        )
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Pipeline", "Stale"]


class TestArchive:
    async def test_its_leads_go_on_top_of_another_stage_in_their_order(self) -> None:
        actor = await member()
        row, [new, talk, *_] = await board(actor)
        there = await lead_in(talk, rank="f" * 12)
        second, first = await lead_in(new, rank="b"), await lead_in(new, rank="a")
        gone, hidden = await lead_in(new, status=LeadStatus.LOST), await lead_in(new, deleted=True)

        archived = await stage_archive.archive(actor, new.id, move_leads_to=talk.id, now=LATER)

        assert archived.archived_at == LATER
        assert await names(row) == ["Talk", "Won", "Kept"]
        standing = await Lead.filter(stage_id=talk.id, deleted_at=None).order_by("rank")
        assert [lead.id for lead in standing] == [first.id, second.id, there.id]
        moved = standing[0]
        assert (moved.version, moved.stage_entered_at, moved.probability) == (2, LATER, Decimal("0.25"))
        assert (await Lead.get(id=gone.id)).stage_id == new.id
        assert (await Lead.get(id=hidden.id)).stage_id == talk.id

    async def test_every_lead_keeps_the_move_in_its_history(self) -> None:
        actor = await member()
        _, [new, talk, *_] = await board(actor)
        lead = await lead_in(new)

        await stage_archive.archive(actor, new.id, move_leads_to=talk.id, now=LATER)

        step = await StageTransition.get(lead_id=lead.id)
        assert (step.from_stage_id, step.to_stage_id, step.user_id) == (new.id, talk.id, actor.user_id)
        assert (step.moved_at, step.stayed_seconds) == (LATER, 3600)
        [event] = await events_of(lead.id)
        assert event.name == "lead.moved"
        assert event.data["version"] == 2
        assert event.data["before"]["stage_id"] == str(new.id)
        assert event.data["after"]["stage_id"] == str(talk.id)
        assert [event.name for event in await events_of(new.id)] == ["stage.created", "stage.archived"]

    async def test_wins_go_to_another_follow_up_stage(self) -> None:
        actor = await member()
        _, [_, talk, won, kept] = await board(actor)
        lead = await lead_in(won, status=LeadStatus.WON)

        with pytest.raises(StageUnfit):
            await stage_archive.archive(actor, won.id, move_leads_to=talk.id, now=NOW)
        await stage_archive.archive(actor, won.id, move_leads_to=kept.id, now=NOW)

        assert (await Lead.get(id=lead.id)).stage_id == kept.id

    async def test_more_leads_than_a_chunk_all_arrive(self, monkeypatch: pytest.MonkeyPatch) -> None:
        actor = await member()
        _, [new, talk, *_] = await board(actor)
        monkeypatch.setattr(stage_archive, "CHUNK", 3)
        order = [(await lead_in(new)).id for _ in range(8)]

        await stage_archive.archive(actor, new.id, move_leads_to=talk.id, now=LATER)

        assert [lead.id for lead in await Lead.filter(stage_id=talk.id).order_by("rank")] == order

    async def test_a_stage_with_leads_asks_where_they_go(self) -> None:
        actor = await member()
        _, [new, talk, won, _] = await board(actor)
        await lead_in(new)
        other = (await board(await member()))[1][1]
        elsewhere = (await stages.live((await pipeline(actor, name="Elsewhere")).id))[0]

        with pytest.raises(StageNotEmpty, match=r"stand in this stage \(1\)"):
            await stage_archive.archive(actor, new.id, now=NOW)
        for wrong in (new, won, elsewhere):
            with pytest.raises(StageUnfit):
                await stage_archive.archive(actor, new.id, move_leads_to=wrong.id, now=NOW)
        for missing in (other.id, uuid7()):
            with pytest.raises(NotFound):
                await stage_archive.archive(actor, new.id, move_leads_to=missing, now=NOW)
        await stages.create(actor, talk.pipeline_id, NewStage("Third", QUALIFY), now=NOW)
        await stage_archive.archive(actor, talk.id, now=NOW)
        with pytest.raises(StageUnfit):
            await stage_archive.archive(actor, new.id, move_leads_to=talk.id, now=NOW)

    async def test_the_last_of_its_sort_stays(self) -> None:
        actor = await member()
        _, [new, talk, won, kept] = await board(actor)
        await stage_archive.archive(actor, new.id, now=NOW)
        await stage_archive.archive(actor, kept.id, now=NOW)

        for stage in (talk, won):
            with pytest.raises(StageKindMissing):
                await stage_archive.archive(actor, stage.id, now=NOW)

    async def test_of_the_last_two_archived_at_once_one_stays(self) -> None:
        actor = await member()
        row, [new, talk, *_] = await board(actor)

        outcomes = await asyncio.gather(
            *(stage_archive.archive(actor, stage.id, now=NOW) for stage in (new, talk)), return_exceptions=True
        )

        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Stage", "StageKindMissing"]
        assert len(await names(row)) == 3

    async def test_a_lead_that_is_entering_is_waited_for_and_taken_along(self) -> None:
        actor = await member()
        _, [new, talk, *_] = await board(actor)
        entered, leaving = asyncio.Event(), asyncio.Event()

        async def enter() -> Lead:
            async with transaction():
                await stages.hold(new)
                entered.set()
                await leaving.wait()
                return await lead_in(new)

        entering = asyncio.create_task(enter())
        await entered.wait()
        archiving = asyncio.create_task(stage_archive.archive(actor, new.id, move_leads_to=talk.id, now=NOW))
        await somebody_waits_for_a_lock()
        assert not archiving.done()
        leaving.set()
        lead = await entering
        await archiving

        assert (await Lead.get(id=lead.id)).stage_id == talk.id

    async def test_nobody_enters_what_was_archived_meanwhile(self) -> None:
        actor = await member()
        await pipeline(actor, name="Default")
        row, [new, talk, *_] = await board(actor)
        lead = await lead_in(talk, status=LeadStatus.LOST, closed_at=NOW)
        hidden = await lead_in(talk, deleted=True)
        await stage_archive.archive(actor, new.id, now=NOW)

        with pytest.raises(StageArchived):
            await capture(actor, Capture(details=LeadDetails(title="Late"), stage_id=new.id), now=NOW)
        async with transaction():
            with pytest.raises(StageArchived):
                await stages.hold(new)

        await pipelines.archive(actor, row.id, now=NOW)
        async with transaction():
            with pytest.raises(PipelineIsArchived):
                await stages.hold(talk)
        with pytest.raises(PipelineIsArchived):
            await closings.reopen(actor, lead.id, stage_id=talk.id, now=NOW)
        with pytest.raises(PipelineIsArchived):
            await leads.restore(actor, hidden.id, now=NOW)

    async def test_a_stage_that_became_one_for_wins_meanwhile_is_not_entered(self) -> None:
        actor = await member()
        _, [_, talk, *_] = await board(actor)
        await stages.update(actor, talk.id, StageDetails(kind=FOLLOW_UP), now=NOW)

        async with transaction():
            with pytest.raises(Conflict, match="meanwhile"):
                await stages.hold(talk)

    async def test_whoever_moves_captures_wins_or_reopens_meanwhile_no_lead_is_left_behind(self) -> None:
        actor = await member()
        for _ in range(8):
            row, [new, talk, won, kept] = await board(actor)
            await stages.create(actor, row.id, NewStage("Third", StageKind.PROPOSAL), now=NOW)
            third = (await stages.live(row.id))[2]
            walking, closing = [await lead_in(new) for _ in range(3)], [await lead_in(new) for _ in range(2)]
            gone = await lead_in(talk, status=LeadStatus.LOST, closed_at=NOW)

            outcomes = await asyncio.gather(
                *(moves.move(actor, lead.id, stage_id=talk.id, now=LATER) for lead in walking[:2]),
                closings.close(actor, closing[0].id, LeadStatus.WON, stage_id=won.id, now=LATER),
                stage_archive.archive(actor, talk.id, move_leads_to=third.id, now=LATER),
                stage_archive.archive(actor, won.id, move_leads_to=kept.id, now=LATER),
                closings.close(actor, closing[1].id, LeadStatus.WON, stage_id=won.id, now=LATER),
                capture(actor, Capture(details=LeadDetails(title="New"), stage_id=talk.id), now=LATER),
                closings.reopen(actor, gone.id, stage_id=talk.id, now=LATER),
                moves.move(actor, walking[2].id, stage_id=talk.id, now=LATER),
                return_exceptions=True,
            )

            refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
            assert {type(refusal).__name__ for refusal in refused} <= {"StageArchived"}
            standing = Lead.filter(stage_id__in=[talk.id, won.id])
            assert await standing.filter(status__in=[LeadStatus.OPEN, LeadStatus.WON]).count() == 0
            await Pipeline.filter(id=row.id).update(name=f"Old {row.id}")

    async def test_requests_to_move_there_are_closed(self) -> None:
        actor = await member()
        _, [new, talk, *_] = await board(actor)
        lead = await lead_in(new)
        request = await MoveRequest.create(
            workspace_id=actor.workspace_id,
            lead_id=lead.id,
            from_stage_id=new.id,
            to_stage_id=talk.id,
            created_at=NOW,
        )

        await stage_archive.archive(actor, talk.id, now=LATER)

        assert (await MoveRequest.get(id=request.id)).status is MoveRequestStatus.OBSOLETE

    async def test_whose_leads_fell_back_to_prospect_is_a_lead(self) -> None:
        actor = await member()
        _, [new, talk, *_] = await board(actor)
        buyer = await companies.create(actor, CompanyDetails(name="Buyer"), now=NOW)
        await Company.filter(id=buyer.id).update(relationship=Relationship.PROSPECT)
        await lead_in(talk, company_id=buyer.id)

        await stage_archive.archive(actor, talk.id, move_leads_to=new.id, now=NOW)

        assert (await Company.get(id=buyer.id)).relationship is Relationship.LEAD

    async def test_an_archived_stage_is_edited_only_after_its_return(self) -> None:
        actor = await member()
        row, [new, talk, *_] = await board(actor)
        await stage_archive.archive(actor, new.id, now=NOW)

        assert (await stage_archive.archive(actor, new.id, now=LATER)).archived_at == NOW
        with pytest.raises(Conflict, match="restore"):
            await stages.update(actor, new.id, StageDetails(name="X"), now=NOW)
        with pytest.raises(Conflict, match="restore"):
            await stages.set_requirements(actor, new.id, Requirements(), now=NOW)

        restored = await stage_archive.restore(actor, new.id, now=LATER)
        assert (restored.archived_at, restored.position) == (None, 1)
        assert await names(row) == ["Talk", "New", "Won", "Kept"]
        assert (await stage_archive.restore(actor, talk.id, now=LATER)).version == 1

    async def test_a_stage_whose_name_was_taken_meanwhile_does_not_come_back(self) -> None:
        actor = await member()
        row, [new, *_] = await board(actor)
        await stage_archive.archive(actor, new.id, now=NOW)
        await stages.create(actor, row.id, NewStage("new", PROSPECT), now=NOW)

        with pytest.raises(AlreadyExists):
            await stage_archive.restore(actor, new.id, now=NOW)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_only_admins_shape_stages(role: Role) -> None:
    admin = await member()
    (row, ordered), other = await board(admin), await member(role, of=admin)
    key = ordered[0].id

    for attempt in (
        stages.create(other, row.id, NewStage("X", QUALIFY), now=NOW),
        stages.update(other, key, StageDetails(name="X"), now=NOW),
        stages.set_requirements(other, key, Requirements(), now=NOW),
        stages.reorder(other, row.id, [], now=NOW),
        stage_archive.archive(other, key, now=NOW),
        stage_archive.restore(other, key, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_another_workspaces_stage_does_not_exist() -> None:
    (row, [foreign, *_]), actor = await board(await member()), await member()

    for attempt in (
        stages.create(actor, row.id, NewStage("X", QUALIFY), now=NOW),
        stages.update(actor, foreign.id, StageDetails(name="X"), now=NOW),
        stages.set_requirements(actor, foreign.id, Requirements(), now=NOW),
        stages.reorder(actor, row.id, [foreign.id], now=NOW),
        stage_archive.archive(actor, foreign.id, now=NOW),
        stage_archive.restore(actor, foreign.id, now=NOW),
    ):
        with pytest.raises(NotFound):
            await attempt
