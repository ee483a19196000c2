"""A crowded workspace and a world of chance, each written once a run into the worker's database."""

import pytest

from domain.actors import Actor
from models.workspaces import Workspace
from tests.engine.crowd import crowd
from tests.oracle.world import World

_made: list[Actor] = []


@pytest.fixture
async def admin(db: str) -> Actor:
    """The admin of a crowded workspace, which is made again where another test has emptied the database."""
    if not _made or not await Workspace.filter(id=_made[0].workspace_id).exists():
        _made[:] = [await crowd()]
    return _made[0]


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture
async def actors(db: str, world: World) -> dict[str, Actor | None]:
    """Who may ask in the world of chance."""
    return await world.settle()
