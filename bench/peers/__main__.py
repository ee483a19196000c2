"""`make bench-peers`: Salescycle beside its peers and its limit, one line a figure.

    python -m bench.peers [--only page,one] [--peers salescycle,limit] [--rounds 5] [--seconds 2] [--connections 32]

docs/benchmarks.md says what is compared, how, and how to read it.
"""

import argparse
from pathlib import Path

import uvloop

from bench.peers import growth, jobs, rounds
from bench.peers.contenders import NAMES, contenders, running
from bench.peers.ground import CACHE, Ground, ground
from bench.peers.questions import questions
from bench.peers.rounds import Length

COMPARED = ("page", "one", "board", "write")
KINDS = (*COMPARED, "growth", "jobs")


async def measure(asked: argparse.Namespace) -> None:
    """Measure what is asked for, one figure after the other."""
    async with ground(asked.data_dir, leads=asked.leads) as place:
        if "growth" in asked.only:
            await growth.make(place)
        place.pin()
        await compare(place, asked)
        if "growth" in asked.only:
            await growth.measure(place)
        if "jobs" in asked.only:
            await jobs.measure(place)


async def compare(place: Ground, asked: argparse.Namespace) -> None:
    """Let contenders answer one kind of document after the other, in turns."""
    kinds = [kind for kind in asked.only if kind in COMPARED]
    if not kinds:
        return
    length, asking = Length(asked.rounds, asked.seconds, asked.connections), await questions(place)
    with running(contenders(place, asked.peers), place) as all_running:
        for kind in kinds:
            able = [at for at in all_running if at.contender.answers(kind)]
            await asking.check(kind, able)
            rounds.tell(kind, await rounds.take_turns(kind, able, asking, length))


def some_of(known: tuple[str, ...]) -> "type[list[str]]":
    """Return a reader of names separated by commas, for argparse."""

    class Names(list[str]):
        def __init__(self, text: str) -> None:
            super().__init__(name.strip() for name in text.split(",") if name.strip())
            if unknown := [name for name in self if name not in known]:
                raise argparse.ArgumentTypeError(f"{', '.join(unknown)} is none of {', '.join(known)}")

    return Names


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", type=some_of(KINDS), default=list(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--peers", type=some_of(NAMES), default=list(NAMES), help=f"of {', '.join(NAMES)}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each contender in each round")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--data-dir", type=Path, default=CACHE / "data", help="filled once and kept")
    uvloop.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
