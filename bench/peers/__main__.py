"""`make bench-peers`: Salescycle beside its peers and its limit, one line a figure.

    python -m bench.peers [--only page,one] [--peers salescycle,limit] [--rounds 5] [--seconds 3] [--connections 32]

docs/benchmarks.md says what is compared, how, and how to read it.
"""

import argparse
from functools import partial
from pathlib import Path

import uvloop

from bench.house import told
from bench.peers import rounds
from bench.peers.contenders import contenders, running
from bench.peers.ground import CACHE, ground
from bench.peers.load import Measure, median
from bench.peers.rounds import Length, Measures

KINDS = ("page", "one")


def tell(kind: str, measures: Measures) -> None:
    """Print what each contender came to."""
    for name, found in measures.items():
        told(f"{kind}_{name}_rate", median(found, lambda m: m.rate), "requests/s")
        told(f"{kind}_{name}_cpu", median(found, server_cpu), "ms of server CPU a request")
        told(f"{kind}_{name}_postgres_cpu", median(found, lambda m: m.per_request(m.postgres_cpu)), "ms a request")
        told(f"{kind}_{name}_median", median(found, lambda m: m.percentile(0.5)), "ms")
        told(f"{kind}_{name}_p99", median(found, lambda m: m.percentile(0.99)), "ms")
        told(f"{kind}_{name}_other_core", 100 * median(found, other_core), "% busy")


def tell_ratios(kind: str, measures: Measures) -> None:
    """Print Salescycle's figures as multiples of each other's, and its CPU as a multiple of the limit's."""
    ours = measures.get("salescycle")
    if ours is None:
        return
    for name, found in measures.items():
        if name not in ("salescycle", "limit"):
            told(f"{kind}_vs_{name}", median(ours, lambda m: m.rate) / median(found, lambda m: m.rate), "x")
    if "limit" in measures:
        of_limit = median(measures["limit"], server_cpu)
        told(f"{kind}_cpu_vs_limit", median(ours, server_cpu) / of_limit, "x")


def server_cpu(measure: Measure) -> float:
    return measure.per_request(measure.server_cpu)


def other_core(measure: Measure) -> float:
    """Return how busy the core of PostgreSQL and the load generator was."""
    return (measure.postgres_cpu + measure.generator_cpu) / measure.seconds


async def compare(asked: argparse.Namespace) -> None:
    length = Length(asked.rounds, asked.seconds, asked.connections)
    async with ground(asked.data_dir, leads=asked.leads) as place:
        known = contenders(place)
        wanted = [known[name] for name in (asked.peers or list(known))]
        keys = await rounds.some_leads(place)
        with running(wanted, place) as all_running:
            for kind in asked.only:
                able = [at for at in all_running.values() if at.contender.answers(kind)]
                rounds.check(kind, able, keys)
                ask = partial(rounds.streams, kind, keys=keys, connections=length.connections)
                measures = await rounds.take_turns(able, length, ask, place)
                tell(kind, measures)
                tell_ratios(kind, measures)


def names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.peers", description=__doc__)
    parser.add_argument("--only", type=names, default=list(KINDS), help=f"of {', '.join(KINDS)}")
    parser.add_argument("--peers", type=names, default=[], help="names, separated by commas; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of each contender in each round")
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--data-dir", type=Path, default=CACHE / "data", help="filled once and kept")
    uvloop.run(compare(parser.parse_args()))


if __name__ == "__main__":
    main()
