"""Many people at the same leads at once: whoever comes first, the log tells one story, and the rows are its end."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest

from domain import closings, leads, moves
from domain.actors import Actor
from domain.errors import DomainError
from domain.leads import LeadDetails
from domain.money import Money
from domain.moves import Place
from models.catalog import Tag
from models.leads import Lead, LeadStatus
from models.stages import StageKind, StageTransition
from models.users import Role
from tests.factories import NOW, events, lead, member, seller, stage

pytestmark = pytest.mark.usefixtures("db")
KINDS = (StageKind.PROSPECT, StageKind.QUALIFY, StageKind.PROPOSAL)


async def deeds(admin: Actor, rows: list[Lead], chance: random.Random) -> list[Callable[[int], Awaitable[Any]]]:
    """Return what people do to leads, each deed by the number of its second."""
    reps = [await member(Role.REP, of=admin) for _ in range(2)]
    stages = [await stage(admin, kind) for kind in KINDS]
    tags = [
        await Tag.create(workspace_id=admin.workspace_id, name=name, created_at=NOW, updated_at=NOW)
        for name in ("Hot", "Cold")
    ]

    def some(keys: list[UUID]) -> list[UUID]:
        return chance.sample(keys, chance.randrange(len(keys) + 1))

    def now(second: int) -> Any:
        return NOW + timedelta(seconds=second)

    def key() -> UUID:
        return chance.choice(rows).id

    return [
        lambda at: leads.update(admin, key(), LeadDetails(title=f"Roof {at}"), now=now(at)),
        lambda at: leads.update(admin, key(), LeadDetails(value=Money(Decimal(at + 1), "EUR")), now=now(at)),
        lambda at: leads.update(admin, key(), LeadDetails(tag_ids=some([tag.id for tag in tags])), now=now(at)),
        lambda at: leads.update(admin, key(), LeadDetails(title="Stale"), expected_version=at % 9, now=now(at)),
        lambda at: leads.assign(admin, key(), chance.choice(reps).user_id, now=now(at)),
        lambda at: leads.update(chance.choice(reps), key(), LeadDetails(title=f"Mine {at}"), now=now(at)),
        lambda at: moves.move(admin, key(), stage_id=chance.choice(stages).id, now=now(at)),
        lambda at: moves.move(
            admin, key(), stage_id=chance.choice(stages).id, place=Place(after=chance.choice(rows).id), now=now(at)
        ),
        lambda at: closings.close(admin, key(), chance.choice([LeadStatus.WON, LeadStatus.DISQUALIFIED]), now=now(at)),
        lambda at: closings.reopen(admin, key(), now=now(at)),
    ]


@pytest.mark.parametrize("seed", range(3))
async def test_whatever_people_do_at_once_each_lead_has_one_history(seed: int) -> None:
    chance = random.Random(seed)
    admin = await seller()
    rows = [await lead(admin, title=f"Roof {number}") for number in range(3)]
    possible = await deeds(admin, rows, chance)
    done = [chance.choice(possible)(at) for at in range(150)]
    chance.shuffle(done)
    outcomes = await asyncio.gather(*done, return_exceptions=True)

    assert [outcome for outcome in outcomes if not isinstance(outcome, Lead | DomainError)] == []
    assert sum(isinstance(outcome, Lead) for outcome in outcomes) > 40
    for row in await Lead.filter(id__in=[row.id for row in rows]):
        told = [event for event in await events(row.id) if event.name != "lead.captured"]
        versions = [event.data["version"] for event in told]
        assert versions == list(range(2, len(told) + 2))
        assert versions[-1] == row.version
        for before, after in pairwise(told):
            assert after.data["before"] == before.data["after"]
            assert after.occurred_at >= before.occurred_at
        assert told[-1].data["after"] == leads.live_columns(row, await leads.tags_of(row.id))
        changed = [event.data["changes"]["stage_id"] for event in told if "stage_id" in event.data["changes"]]
        walked = await StageTransition.filter(lead_id=row.id).count()
        assert walked == len(changed) + 1
