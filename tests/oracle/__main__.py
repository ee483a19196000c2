"""The long run: documents by chance under both executors, until the time is up."""

import argparse
import asyncio
import sys
import time
from itertools import count

from models import database
from tests.conftest import Servers, fresh_database
from tests.oracle.changes import done_and_taken_back, draw_change
from tests.oracle.running import Run
from tests.oracle.world import World

SHOWN = 5
A_SEED, CHANGES = 250, 8


async def fuzz(servers: Servers, *, seconds: float, seed: int) -> Run:
    """Try documents from a seed on until the time is up."""
    async with fresh_database(servers.addresses) as url:
        await database.open_database(url, pool_size=4)
        try:
            world = World()
            actors = await world.settle()
            run, changing = Run(world, actors), Run(world, actors, done_and_taken_back)
            changing.tally = run.tally
            ends = time.monotonic() + seconds
            for at in count(seed):
                for number in range(A_SEED):
                    if time.monotonic() >= ends or len(run.tally.differences) >= SHOWN:
                        return run
                    await run.number(at, number)
                    change, rest = divmod(number, CHANGES)
                    if not rest:
                        await changing.case(draw_change(world, at, change).case, f"seed {at}, change {change}")
            return run
        finally:
            await database.close_database()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.oracle", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10, help="how long")
    parser.add_argument("--seed", type=int, default=int(time.time()), help="where to begin")
    chosen = parser.parse_args()
    servers = Servers()
    servers.start()
    began = time.monotonic()
    try:
        run = asyncio.run(fuzz(servers, seconds=chosen.minutes * 60, seed=chosen.seed))
    finally:
        servers.stop()
    passed = time.monotonic() - began
    say(f"from seed {chosen.seed}, {run.tally.documents / passed:.0f} documents a second")
    for line in run.tally.lines():
        say(line)
    for difference in run.tally.differences:
        say(f"\n{difference}")
    for unintended in run.tally.unintended[:SHOWN]:
        say(f"\nmeant to be valid, but {unintended}")
    sys.exit(bool(run.tally.differences or run.tally.unintended))


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")


if __name__ == "__main__":
    main()
