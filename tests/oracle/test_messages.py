"""What a live client is told of an event is the same from both executors."""

from dataclasses import dataclass
from inspect import isawaitable
from random import Random
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from graphql import GraphQLUnionType, execute_subscription_event
from structlog.testing import capture_logs

from domain.actors import Actor
from engine.executor import written
from models.bulks import Bulk
from models.events import Event, LiveEvent
from models.imports import Import
from models.leads import Lead
from schema.errors import public
from schema.execution import ask, executor_of
from schema.live_watches import Resync, ResyncReason, Step
from schema.schema import graphql_schema
from tests.oracle.compare import REQUEST_ID, Answer, Case, SameMoment, compared, report, told
from tests.oracle.documents import SCHEMA, Drawing, Drawn, Room
from tests.oracle.running import HAS_ENGINE, refusal
from tests.oracle.values import Hint
from tests.oracle.world import HOME, NOW, World

SEEDS, DOCUMENTS = range(2), 60
WATCHERS = ("admin", "manager", "rep", "lonely rep", "reading partner")
WATCHED = {"pipelineEvents": "Pipeline", "leadEvents": "Lead", "importProgress": "Import", "bulkProgress": "Bulk"}
PROGRESS: dict[str, type[Any]] = {"importProgress": Import, "bulkProgress": Bulk}
MESSAGE = cast(GraphQLUnionType, SCHEMA.type_map["PipelineMessage"])
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine .* was never awaited:RuntimeWarning"
)


@dataclass
class Message:
    """An event as the hub hands it on."""

    step: Step
    event: LiveEvent
    cursor: str
    row: Lead | None

    async def lead(self) -> Lead | None:
        return self.row


class Watching(Drawing):
    """A subscription, whose root field stands alone and without directives."""

    def draw(self) -> Drawn:
        shapes = self._shapes_at("Subscription", "")
        named: Any = SCHEMA.type_map[WATCHED[self.mistake]] if self.mistake in PROGRESS else MESSAGE
        inner = self._selection(named, Room(depth=8, lists=3), None, shapes)
        argument = {"pipelineEvents": "pipelineId", "leadEvents": "leadId"}.get(self.mistake, "id")
        key = self.values.id(Hint(id_of=WATCHED[self.mistake]))
        text = f'{self.mistake}({argument}: "{key}") {{ {inner} }}'
        document, operation = self._document(text, "subscription")
        return Drawn(Case(document, self._given(), operation, self.actor), (), frozenset(self.covered))


def draw_subscription(world: World, seed: int, number: int) -> tuple[str, Drawn]:
    """Return what is watched, and a subscription to it."""
    chance = Random(f"messages {seed} {number}")
    name = chance.choice(("pipelineEvents", "pipelineEvents", "leadEvents", "importProgress"))
    return name, Watching(world, chance.choice(WATCHERS), chance, name).draw()


async def messages(world: World, chance: Random) -> list[Any]:
    """Return messages of every step, one of a lead that is out of sight by now, and the end of a stream."""
    events = [row for row in world.of(HOME, Event) if row["subject_type"] == "lead"]
    found: list[Any] = [Resync(chance.choice(list(ResyncReason)))]
    for step in (*Step, Step.CHANGED):
        row = chance.choice(events)
        event = LiveEvent(
            id=row["id"],
            workspace_id=row["workspace_id"],
            position=chance.randrange(1, 99),
            name=row["name"],
            subject_id=row["subject_id"],
            actor=row["actor"],
            data=row["data"],
            client_mutation_id=row["client_mutation_id"],
            occurred_at=row["occurred_at"],
        )
        lead = await Lead.get_or_none(id=row["subject_id"]) if len(found) < len(Step) else None
        found.append(Message(step, event, "cursor", lead))
    return found


async def progress(world: World, chance: Random, model: type[Any]) -> list[Any]:
    keys: list[UUID] = [row["id"] for row in world.of(HOME, model)]
    return [await model.get(id=chance.choice(keys))]


async def answered(case: Case, actor: Actor | None, message: Any, *, engine: bool) -> Answer:
    context = SameMoment(identity=actor, now=NOW, request_id=REQUEST_ID, engine=engine)
    asked = ask(graphql_schema, case.document, case.operation, case.variables, context)
    executor = executor_of(asked, context, message)
    assert not isinstance(executor, list), executor
    with capture_logs():
        result: Any = execute_subscription_event(executor)
        result = await result if isawaitable(result) else result
        errors = tuple(told(public(error, request_id=REQUEST_ID)) for error in result.errors or ())
    return Answer(orjson.dumps(orjson.loads(written(result.data))), errors, context.compiled, context.why_not)


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_executors_answer_a_message_the_same(
    actors: dict[str, Actor | None], world: World, seed: int
) -> None:
    tried = compiled = 0
    for number in range(DOCUMENTS):
        name, drawn = draw_subscription(world, seed, number)
        case = drawn.case
        assert refusal(case) is None, case.document
        chance = Random(f"{seed} {number}")
        model = PROGRESS.get(name)
        for message in await (progress(world, chance, model) if model else messages(world, chance)):
            oracle = await answered(case, actors[case.actor], message, engine=False)
            engine = await answered(case, actors[case.actor], message, engine=True)
            found = compared(engine, oracle)
            assert not found, report(case, found, engine, oracle)
            tried += not oracle.errors
            compiled += engine.compiled is True and not oracle.errors
    assert tried > DOCUMENTS
    assert not HAS_ENGINE or compiled >= 0.95 * tried


def test_every_field_of_a_message_is_drawn(world: World) -> None:
    drawn = {
        covered
        for seed in range(6)
        for number in range(DOCUMENTS)
        for covered in draw_subscription(world, seed, number)[1].covered
    }
    types = [SCHEMA.type_map["Change"], SCHEMA.type_map["EventActor"], *SCHEMA.get_possible_types(MESSAGE)]
    fields = {f"{type_.name}.{field}" for type_ in types for field in cast(Any, type_).fields}
    assert sorted(fields - drawn) == []
