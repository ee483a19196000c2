"""`make bench-peers`: Salescycle beside its peers and its limit, one line a figure.

    python -m bench.peers [--only page,one] [--peers salescycle,limit] [--rounds 4] [--seconds 1.5] [--connections 32]

docs/benchmarks.md says what is compared, how, and how to read it.
"""

import argparse
import time
from pathlib import Path

import uvloop

from bench.house import told
from bench.peers import growth, jobs, rounds
from bench.peers.contenders import NAMES, contenders, running
from bench.peers.ground import CACHE, Ground, ground
from bench.peers.questions import questions
from bench.peers.rounds import Length

COMPARED = ("page", "one", "board", "write")
KINDS = (*COMPARED, "growth", "jobs")


async def measure(asked: argparse.Namespace) -> None:
    """Measure what is asked for, one figure after the other."""
    began = time.monotonic()
    async with ground(asked.data_dir, leads=asked.leads) as place:
        if "growth" in asked.only:
            await growth.make(place)
        place.pin()
        lasted("peers_filled", began)
        await compare(place, asked)
        for name, others in (("growth", growth.measure), ("jobs", jobs.measure)):
            if name in asked.only:
                began = time.monotonic()
                await others(place)
                lasted(f"peers_{name}", began)


async def compare(place: Ground, asked: argparse.Namespace) -> None:
    """Let contenders answer one kind of document after the other, in turns."""
    kinds, began = [kind for kind in asked.only if kind in COMPARED], time.monotonic()
    if not kinds:
        return
    length = Length(asked.warm_up, asked.rounds, asked.seconds, asked.connections)
    asking, wanted = await questions(place), contenders(place, asked.peers)
    with running(wanted, place) as all_running:
        lasted("peers_started", began)
        for kind in kinds:
            began = time.monotonic()
            able = [at for at in all_running if at.contender.answers(kind)]
            await asking.check(kind, able)
            rounds.tell(kind, await rounds.take_turns(kind, able, asking, length))
            lasted(f"peers_{kind}", began)


def lasted(name: str, since: float) -> None:
    """Print how long a part of the run took."""
    told(name, time.monotonic() - since, "s")


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
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--seconds", type=float, default=1.5, help="of each contender in each round")
    parser.add_argument("--warm-up", type=float, default=3.0, help="seconds of each contender that do not count")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--data-dir", type=Path, default=CACHE / "data", help="filled once and kept")
    uvloop.run(measure(parser.parse_args()))


if __name__ == "__main__":
    main()
