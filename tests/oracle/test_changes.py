"""What mutations return, and what is read on in the same request, is the same from both executors."""

import orjson
import pytest

from domain.actors import Actor
from models.events import Event
from models.leads import Lead
from tests.oracle.changes import DOCUMENTS, UNFORETELLABLE, done_and_taken_back, draw_change, mutations
from tests.oracle.compare import Case, answer
from tests.oracle.documents import SCHEMA
from tests.oracle.running import HAS_ENGINE, TOO_COSTLY, Run, refusal
from tests.oracle.world import World

SEEDS = range(4)
LEAST_COMPILED, SHOWN = 0.95, 5
pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning", "ignore:coroutine .* was never awaited:RuntimeWarning"
)


@pytest.fixture
def changing(world: World, actors: dict[str, Actor | None]) -> Run:
    return Run(world, actors, done_and_taken_back)


@pytest.mark.parametrize("seed", SEEDS)
async def test_both_executors_answer_a_mutation_the_same(changing: Run, world: World, seed: int) -> None:
    done = 0
    for number in range(DOCUMENTS):
        drawn = draw_change(world, seed, number)
        refused = refusal(drawn.case)
        if refused == TOO_COSTLY:
            # By the number of leads that was drawn.
            continue
        assert refused is None, drawn.case.document
        told = await changing.case(drawn.case, f"seed {seed}, change {number}")
        done += b'"userErrors":[]' in told.data
    assert not changing.tally.differences, "\n\n".join(changing.tally.differences[:SHOWN])
    assert done >= DOCUMENTS // 10
    if HAS_ENGINE:
        assert changing.tally.share_compiled >= LEAST_COMPILED, "\n".join(changing.tally.lines())


def test_every_mutation_but_those_that_nobody_can_foretell_is_drawn(world: World) -> None:
    drawn = {one for seed in SEEDS for number in range(DOCUMENTS) for one in draw_change(world, seed, number).covered}
    assert [name for name in mutations() if f"Mutation.{name}" not in drawn] == []
    assert SCHEMA.mutation_type
    assert SCHEMA.mutation_type.fields.keys() >= UNFORETELLABLE


async def test_what_is_taken_back_leaves_nothing(changing: Run, world: World) -> None:
    lead = world.gids("home", "Lead")[5]
    document = "mutation ($input: UpdateLeadInput!) { updateLead(input: $input) { lead { title version } } }"
    case = Case(document, {"input": {"id": lead, "title": "Another"}})
    before = await counted()
    told = await done_and_taken_back(case, changing.actors["admin"], engine=True)
    assert told.tree["updateLead"]["lead"]["title"] == "Another"
    assert await done_and_taken_back(case, changing.actors["admin"], engine=True) == told
    assert await counted() == before
    read = await answer(Case(f'{{ lead(id: "{lead}") {{ title version }} }}'), changing.actors["admin"], engine=False)
    assert read.tree["lead"]["version"] == told.tree["updateLead"]["lead"]["version"] - 1
    assert orjson.dumps(read.tree) != orjson.dumps(told.tree)


async def counted() -> list[int]:
    return [await Lead.all().count(), await Event.all().count()]
