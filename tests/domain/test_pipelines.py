"""Pipelines: from templates or stages of one's own, in an order, one of them the default."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from uuid import UUID, uuid4

import pytest

from domain import pipelines, stages
from domain.actors import Actor, system
from domain.errors import AlreadyExists, Forbidden, Invalid, NotFound, OutOfRange, Required, Stale, TooLong
from domain.pipelines import (
    TEMPLATES,
    PipelineIsDefault,
    PipelineOccupied,
    Template,
    TemplateOrStages,
)
from domain.stages import (
    IntakeKind,
    NewStage,
    PipelineIsArchived,
    StageKindMissing,
    StageOrder,
    TooManyStages,
)
from models.base import uuid7
from models.events import Event
from models.leads import LeadStatus
from models.pipelines import Pipeline
from models.stages import Stage, StageKind
from models.users import Role
from tests.factories import NOW, lead_in, member, pipeline

LATER = NOW + timedelta(hours=1)
OPEN, DONE = NewStage("Open", StageKind.PROSPECT), NewStage("Won", StageKind.FOLLOW_UP)

pytestmark = pytest.mark.usefixtures("db")


async def names(actor: Actor) -> list[str]:
    return [row.name for row in await pipelines.live(actor)]


async def defaults(actor: Actor) -> list[str]:
    return [row.name for row in await pipelines.live(actor) if row.is_default]


async def events_of(key: UUID) -> list[str]:
    return [event.name for event in await Event.filter(subject_id=key).order_by("id")]


@pytest.mark.parametrize("template", Template)
async def test_every_template_makes_a_pipeline_of_all_six_kinds(template: Template) -> None:
    actor = await member()

    row = await pipelines.create(actor, template=template, now=NOW)

    made = await stages.live(row.id)
    assert row.name == TEMPLATES[template].name
    assert {stage.kind for stage in made} == set(StageKind)
    assert [stage.position for stage in made] == list(range(len(made)))
    assert not list(stages.whole_faults(made, field="stages"))
    probabilities = [stage.probability for stage in made]
    assert probabilities == sorted(probabilities)
    assert all((stage.probability == 1) == (stage.kind is StageKind.FOLLOW_UP) for stage in made)
    assert all(stage.rot_days for stage in made if stage.kind is not StageKind.FOLLOW_UP and not stage.is_intake)


async def test_distributors_get_an_intake_for_raw_leads() -> None:
    made = await stages.live((await pipelines.create(await member(), template=Template.DISTRIBUTOR, now=NOW)).id)

    assert [stage.is_intake for stage in made] == [True] + [False] * (len(made) - 1)


async def test_a_new_workspace_gets_a_default_pipeline_from_the_system() -> None:
    admin = await member()

    row = await pipelines.create_default(system(admin.workspace_id, task="sign-up"), now=NOW)

    assert (row.is_default, row.position) == (True, 0)
    assert await events_of(row.id) == ["pipeline.created"]
    [first, *_] = await stages.live(row.id)
    assert await events_of(first.id) == ["stage.created"]


async def test_a_pipeline_can_have_stages_of_its_own() -> None:
    actor, key = await member(), uuid7()

    row = await pipelines.create(
        actor,
        id=key,
        name=" Grants ",
        new_stages=[
            NewStage("Inbox", StageKind.PROSPECT, Decimal(0), is_intake=True),
            NewStage("Talk", StageKind.CLOSING, rot_days=30),
            NewStage("Ask", StageKind.QUALIFY, Decimal("0.33335")),
            NewStage("Granted", StageKind.FOLLOW_UP),
        ],
        now=NOW,
    )

    made = await Stage.filter(pipeline_id=key).order_by("position")
    assert row.name == "Grants"
    assert [(stage.name, stage.probability, stage.rot_days) for stage in made] == [
        ("Inbox", Decimal(0), None),
        ("Talk", Decimal("0.9"), 30),
        ("Ask", Decimal("0.3334"), None),
        ("Granted", Decimal(1), None),
    ]


async def test_the_faults_of_a_pipeline_and_its_stages_are_reported_together() -> None:
    actor = await member()

    with pytest.raises(Invalid) as caught:
        await pipelines.create(
            actor,
            name="x" * 201,
            new_stages=[
                NewStage("Won", StageKind.FOLLOW_UP, Decimal("0.5")),
                NewStage("", StageKind.QUALIFY, Decimal("NaN"), rot_days=0, is_intake=True),
                NewStage("won ", StageKind.PROSPECT, Decimal("1.5"), rot_days=100_000),
            ],
            now=NOW,
        )

    faults = [(".".join(fault.field or ()), type(fault)) for fault in caught.value.faults]
    assert sorted(faults, key=str) == sorted(
        [
            ("name", TooLong),
            ("stages.0.probability", OutOfRange),
            ("stages.1.isIntake", IntakeKind),
            ("stages.1.name", Required),
            ("stages.1.probability", OutOfRange),
            ("stages.1.rotDays", OutOfRange),
            ("stages.2.name", AlreadyExists),
            ("stages.2.probability", OutOfRange),
            ("stages.2.rotDays", OutOfRange),
            ("stages", StageOrder),
        ],
        key=str,
    )
    assert await Pipeline.filter(workspace_id=actor.workspace_id).count() == 0


@pytest.mark.parametrize(
    "new_stages",
    [
        [],
        [OPEN],
        [DONE],
        [NewStage("Raw", StageKind.PROSPECT, is_intake=True), DONE],
    ],
    ids=["none", "no end", "only the end", "only an intake before the end"],
)
async def test_a_pipeline_needs_a_stage_to_work_in_and_one_for_what_is_won(new_stages: list[NewStage]) -> None:
    with pytest.raises(StageKindMissing):
        await pipelines.create(await member(), name="Short", new_stages=new_stages, now=NOW)


async def test_a_pipeline_has_a_width_that_a_screen_can_show() -> None:
    wide = [NewStage(f"Stage {number}", StageKind.PROSPECT) for number in range(50)]

    with pytest.raises(TooManyStages):
        await pipelines.create(await member(), name="Wide", new_stages=[*wide, DONE], now=NOW)


async def test_either_a_template_or_stages() -> None:
    actor = await member()

    with pytest.raises(TemplateOrStages):
        await pipelines.create(actor, name="Both", template=Template.B2B, new_stages=[OPEN, DONE], now=NOW)
    with pytest.raises(TemplateOrStages):
        await pipelines.create(actor, name="Neither", now=NOW)


async def test_names_are_told_apart_within_the_workspace_whatever_their_case() -> None:
    actor = await member()
    await pipeline(actor, name="Sales")

    with pytest.raises(AlreadyExists):
        await pipelines.create(actor, name="SALES", template=Template.B2B, now=NOW)
    assert (await pipeline(await member(), name="Sales")).name == "Sales"


async def test_the_same_id_makes_one_pipeline() -> None:
    actor, key = await member(), uuid7()
    await pipelines.create(actor, id=key, template=Template.B2B, now=NOW)

    with pytest.raises(AlreadyExists) as caught:
        await pipelines.create(actor, id=key, name="Again", template=Template.B2B, now=NOW)
    assert caught.value.field == ("id",)
    with pytest.raises(Invalid):
        await pipelines.create(actor, id=uuid4(), name=" " * 5 + "\x01", template=Template.B2B, now=NOW)


async def test_the_first_pipeline_is_the_default_and_only_one_is() -> None:
    actor = await member()
    first, second = await pipeline(actor, name="First"), await pipeline(actor, name="Second")
    assert await defaults(actor) == ["First"]

    await pipelines.update(actor, second.id, make_default=True, now=LATER)

    assert await defaults(actor) == ["Second"]
    assert await events_of(first.id) == ["pipeline.created", "pipeline.updated"]
    assert (await pipelines.update(actor, second.id, make_default=True, now=LATER)).version == 2


async def test_many_pipelines_made_at_once_have_one_default_and_places_of_their_own() -> None:
    actor = await member()

    await asyncio.gather(*(pipelines.create(actor, name=f"P{n}", template=Template.B2B, now=NOW) for n in range(5)))

    assert len(await defaults(actor)) == 1
    assert [row.position for row in await pipelines.live(actor)] == [0, 1, 2, 3, 4]


async def test_two_that_become_the_default_at_once_leave_one() -> None:
    actor = await member()
    rows = [await pipeline(actor, name=name) for name in ("A", "B", "C")]

    await asyncio.gather(*(pipelines.update(actor, row.id, make_default=True, now=NOW) for row in rows))

    assert len(await defaults(actor)) == 1


async def test_a_pipeline_goes_to_its_place_among_the_others() -> None:
    actor = await member()
    rows = {name: await pipeline(actor, name=name) for name in "ABCD"}

    await pipelines.update(actor, rows["D"].id, position=1, now=NOW)
    assert await names(actor) == ["A", "D", "B", "C"]
    await pipelines.update(actor, rows["A"].id, position=3, now=NOW)
    assert await names(actor) == ["D", "B", "C", "A"]
    with pytest.raises(OutOfRange):
        await pipelines.update(actor, rows["A"].id, position=4, now=NOW)

    assert (await Pipeline.get(id=rows["B"].id)).version == 1


async def test_a_rename_raises_the_version_and_a_stale_one_is_refused() -> None:
    actor = await member()
    row = await pipeline(actor, name="Old")

    renamed = await pipelines.update(actor, row.id, name="New", expected_version=1, now=LATER)

    assert (renamed.name, renamed.version, renamed.updated_at) == ("New", 2, LATER)
    event = await Event.filter(subject_id=row.id, name="pipeline.updated").get()
    assert event.data == {"changes": {"name": ["Old", "New"]}, "version": 2}
    with pytest.raises(Stale):
        await pipelines.update(actor, row.id, name="Newer", expected_version=1, now=LATER)
    with pytest.raises(Required):
        await pipelines.update(actor, row.id, name=None, now=LATER)


async def test_a_pipeline_without_open_leads_goes_and_comes_back() -> None:
    actor = await member()
    kept, row = await pipeline(actor, name="Kept"), await pipeline(actor, name="Going")
    third = await pipeline(actor, name="Third")
    [stage, *_] = await stages.live(row.id)
    await lead_in(stage, status=LeadStatus.LOST)
    await lead_in(stage, deleted=True)

    archived = await pipelines.archive(actor, row.id, now=LATER)
    again = await pipelines.archive(actor, row.id, now=LATER)

    assert (archived.archived_at, again.version) == (LATER, 2)
    assert await names(actor) == ["Kept", "Third"]
    assert [row.position for row in await pipelines.live(actor)] == [0, 1]
    with pytest.raises(PipelineIsArchived):
        await pipelines.update(actor, row.id, name="Gone", now=LATER)
    assert (await pipelines.restore(actor, row.id, now=LATER)).archived_at is None
    assert (await pipelines.restore(actor, row.id, now=LATER)).version == 3
    assert await names(actor) == ["Kept", "Third", "Going"]
    assert await events_of(row.id) == ["pipeline.created", "pipeline.archived", "pipeline.restored"]
    assert kept.id != third.id


async def test_the_default_pipeline_and_one_with_open_leads_are_not_archived() -> None:
    actor = await member()
    default, busy = await pipeline(actor, name="Default"), await pipeline(actor, name="Busy")
    await lead_in((await stages.live(busy.id))[0])

    with pytest.raises(PipelineIsDefault):
        await pipelines.archive(actor, default.id, now=NOW)
    with pytest.raises(PipelineOccupied, match=r"open in this pipeline \(1\)"):
        await pipelines.archive(actor, busy.id, now=NOW)


async def test_a_pipeline_whose_name_was_taken_meanwhile_does_not_come_back() -> None:
    actor = await member()
    await pipeline(actor, name="Default")
    row = await pipeline(actor, name="Sales")
    await pipelines.archive(actor, row.id, now=NOW)
    await pipeline(actor, name="sales")

    with pytest.raises(AlreadyExists):
        await pipelines.restore(actor, row.id, now=NOW)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_only_admins_shape_pipelines(role: Role) -> None:
    admin = await member()
    row, other = await pipeline(admin), await member(role, of=admin)

    for attempt in (
        pipelines.create(other, template=Template.CONSUMER, now=NOW),
        pipelines.update(other, row.id, name="Mine", now=NOW),
        pipelines.archive(other, row.id, now=NOW),
        pipelines.restore(other, row.id, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_another_workspaces_pipeline_does_not_exist() -> None:
    foreign, actor = await pipeline(await member()), await member()

    for attempt in (
        pipelines.update(actor, foreign.id, name="Mine", now=NOW),
        pipelines.archive(actor, foreign.id, now=NOW),
        pipelines.restore(actor, foreign.id, now=NOW),
    ):
        with pytest.raises(NotFound):
            await attempt
