"""Rounds in which contenders take turns, so that whatever else the machine does hits them alike."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import cycle
from os import getpid
from uuid import UUID

import asyncpg

from bench.peers import answers
from bench.peers.contenders import Running
from bench.peers.ground import Ground
from bench.peers.load import Measure, measured

PAGE_SIZE = 50
KEYS = 640

Streams = list[Iterator[bytes]]
Measures = dict[str, list[Measure]]


@dataclass(frozen=True)
class Length:
    """How often and how long each is measured, by how many connections."""

    rounds: int
    seconds: float
    connections: int


async def some_leads(ground: Ground) -> list[UUID]:
    """Return leads to ask for one by one."""
    connection = await asyncpg.connect(ground.database_url)
    try:
        rows = await connection.fetch("SELECT id FROM lead WHERE deleted_at IS NULL ORDER BY id LIMIT $1", KEYS)
        return [row["id"] for row in rows]
    finally:
        await connection.close()


def streams(kind: str, at: Running, keys: Sequence[UUID], connections: int) -> Streams:
    """Return what each connection asks, one request after the other."""
    if kind == "page":
        requests = [at.request(kind, {"first": PAGE_SIZE})]
    else:
        requests = [at.request(kind, {"id": at.id_of("Lead", key)}) for key in keys]
    apart = len(requests) // connections
    return [cycle(requests[apart * number :] + requests[: apart * number]) for number in range(connections)]


def check(kind: str, running: Sequence[Running], keys: Sequence[UUID]) -> None:
    """Ask each once; raises SystemExit where two do not say the same."""
    said = {}
    for at in running:
        variables = {"first": PAGE_SIZE} if kind == "page" else {"id": at.id_of("Lead", keys[0])}
        said[at.contender.name] = answers.content(kind, at.ask(kind, variables))
    first, *others = said
    for other in others:
        if said[other] != said[first]:
            raise SystemExit(f"{first} and {other} answer {kind} differently:\n{said[first]}\n{said[other]}")


async def take_turns(
    running: Sequence[Running], length: Length, of: Callable[[Running], Streams], ground: Ground
) -> Measures:
    """Measure each for some seconds, and all of them again, round by round."""
    found: Measures = defaultdict(list)
    for _ in range(length.rounds):
        for at in running:
            measure = await measured(
                at.address,
                of(at),
                length.seconds,
                server=at.pids,
                postgres=ground.postgres_pids,
                generator=getpid(),
            )
            found[at.contender.name].append(measure)
    return found
