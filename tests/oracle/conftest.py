"""The world that documents are tried in, written once into a worker's database."""

import pytest

from domain.actors import Actor
from tests.oracle.running import Run
from tests.oracle.world import World


@pytest.fixture(scope="session")
def world() -> World:
    return World()


@pytest.fixture
async def actors(db: str, world: World) -> dict[str, Actor | None]:
    """Who may ask; the world is written again where another test has emptied the database."""
    return await world.settle()


@pytest.fixture
def run(world: World, actors: dict[str, Actor | None]) -> Run:
    return Run(world, actors)
