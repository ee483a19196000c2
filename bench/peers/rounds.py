"""Rounds in which contenders take turns, so that whatever else the machine does hits them alike."""

import statistics
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.house import told
from bench.peers.contenders import Running
from bench.peers.load import Measure, measured
from bench.peers.questions import Questions

Measures = dict[str, list[Measure]]
Figure = Callable[[Measure], float]
OURS, LIMIT = "salescycle", "limit"


@dataclass(frozen=True)
class Length:
    """How often and how long each is measured, by how many connections, once it is warm."""

    warm_up: float
    rounds: int
    seconds: float
    connections: int


async def take_turns(kind: str, running: Sequence[Running], asking: Questions, length: Length) -> Measures:
    """Measure each for some seconds, and all of them again, round by round."""
    found: Measures = defaultdict(list)
    # The first round is for caches and for V8, which makes code faster as it goes, and does not count.
    for number, seconds in enumerate((length.warm_up, *[length.seconds] * length.rounds)):
        for at in running:
            measure = await measured(
                at.address,
                asking.streams(kind, at, length.connections),
                seconds,
                server=at.pids,
                postgres=asking.ground.postgres_pids,
            )
            if number:
                found[at.contender.name].append(measure)
    return found


def tell(kind: str, measures: Measures) -> None:
    """Print the ratios, then what each contender came to."""
    tell_ratios(kind, measures)
    for name, found in measures.items():
        told(f"{kind}_{name}_rate", median(found, rate), "requests/s")
        told(f"{kind}_{name}_cpu", median(found, server_cpu), "ms of server CPU a request")
        told(f"{kind}_{name}_postgres_cpu", median(found, postgres_cpu), "ms of PostgreSQL's CPU a request")
        told(f"{kind}_{name}_median", median(found, lambda m: m.percentile(0.5)), "ms")
        told(f"{kind}_{name}_p99", median(found, lambda m: m.percentile(0.99)), "ms")
        told(f"{kind}_{name}_other_core", 100 * median(found, other_core), "% busy: PostgreSQL and the load generator")


def tell_ratios(kind: str, measures: Measures) -> None:
    """Print how many times as much as each other Salescycle answers, and how much CPU it takes of the limit's."""
    ours = measures.get(OURS)
    if ours is None:
        return
    for name, theirs in measures.items():
        if name not in (OURS, LIMIT):
            told(f"{kind}_vs_{name}", ratio(ours, theirs, rate), "x the requests/s")
            told(f"{kind}_vs_{name}_by_cpu", ratio(theirs, ours, server_cpu), "x the requests a second of server CPU")
    if LIMIT in measures:
        told(f"{kind}_cpu_vs_limit", ratio(ours, measures[LIMIT], server_cpu), "x the server CPU")
    if kind == "page":
        told("page_tail", median(ours, lambda m: m.percentile(0.99) / m.percentile(0.5)), "x the median")


def ratio(ours: Sequence[Measure], theirs: Sequence[Measure], of: Figure) -> float:
    """Return the median of the rounds' ratios: two of one round have had the same machine."""
    return statistics.median(of(one) / of(other) for one, other in zip(ours, theirs, strict=True))


def median(measures: Sequence[Measure], of: Figure) -> float:
    """Return the median of a figure over the rounds."""
    return statistics.median(of(measure) for measure in measures)


def rate(measure: Measure) -> float:
    return measure.rate


def server_cpu(measure: Measure) -> float:
    return measure.per_request(measure.server_cpu)


def postgres_cpu(measure: Measure) -> float:
    return measure.per_request(measure.postgres_cpu)


def other_core(measure: Measure) -> float:
    """Return how busy the core of PostgreSQL and the load generator was."""
    return (measure.postgres_cpu + measure.generator_cpu) / measure.seconds
