"""What is asked in a measurement: variables for every kind of document, and whether the answers are right."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any
from uuid import UUID

import asyncpg

from bench.peers import answers
from bench.peers.contenders import Running
from bench.peers.ground import Ground

PAGE_SIZE, BOARD_SIZE = 50, 20
KEYS = 6400

LEADS = "SELECT id, version FROM lead WHERE deleted_at IS NULL ORDER BY id LIMIT $1"
BOARD = "SELECT id FROM pipeline WHERE is_default"
RECORDED = "SELECT count(*) FROM event WHERE subject_id = $1"


@dataclass
class Questions:
    """Rows to ask for. `versions` is what the next edit of each lead expects, whoever makes it."""

    ground: Ground
    pipeline_id: UUID
    versions: dict[UUID, int]
    _numbers: "count[int]" = field(default_factory=count)

    def streams(self, kind: str, at: Running, connections: int) -> list[Iterator[bytes]]:
        """Return what each connection asks, one request after the other."""
        keys = list(self.versions)
        mine = [keys[number::connections] for number in range(connections)]
        if kind == "write":
            return [self._edits(at, share) for share in mine]
        return [cycle([at.request(kind, self._variables(kind, at, key)) for key in share]) for share in mine]

    def _edits(self, at: Running, keys: Sequence[UUID]) -> Iterator[bytes]:
        """Edit leads that no other connection edits; a request that is taken is one that will be answered."""
        for key in cycle(keys):
            yield at.request("write", self._edit(at, key))

    def _edit(self, at: Running, key: UUID) -> dict[str, Any]:
        version = self.versions[key]
        self.versions[key] = version + 1
        return {"id": at.id_of("Lead", key), "version": version, "title": f"Rooftop array {next(self._numbers)}"}

    def _variables(self, kind: str, at: Running, key: UUID) -> dict[str, Any]:
        match kind:
            case "page":
                return {"first": PAGE_SIZE}
            case "board":
                return {"id": at.id_of("Pipeline", self.pipeline_id), "first": BOARD_SIZE}
            case _:
                return {"id": at.id_of("Lead", key)}

    async def check(self, kind: str, running: Sequence[Running]) -> None:
        """Ask each once; raises SystemExit where two do not say the same, or where an edit is not recorded."""
        key = next(iter(self.versions))
        if kind == "write":
            for at in running:
                await self._check_edit(at, key)
            return
        said = {at.contender.name: self._said(kind, at, key) for at in running}
        for name, content in said.items():
            if content != said[running[0].contender.name]:
                raise SystemExit(f"{running[0].contender.name} and {name} answer {kind} differently:\n{said}")

    def _said(self, kind: str, at: Running, key: UUID) -> Any:
        return answers.content(kind, at.ask(kind, self._variables(kind, at, key)))

    async def _check_edit(self, at: Running, key: UUID) -> None:
        variables, before = self._edit(at, key), await self._recorded(key)
        lead = at.ask("write", variables)["updateLead"]["lead"]
        is_right = lead and (lead["title"], lead["version"]) == (variables["title"], variables["version"] + 1)
        if not is_right or await self._recorded(key) != before + 1:
            raise SystemExit(f"{at.contender.name} does not edit a lead and record it: {lead}")

    async def _recorded(self, key: UUID) -> int:
        connection = await asyncpg.connect(self.ground.database_url)
        try:
            return int(await connection.fetchval(RECORDED, key))
        finally:
            await connection.close()


async def questions(ground: Ground) -> Questions:
    """Return questions about the leads that are there."""
    connection = await asyncpg.connect(ground.database_url)
    try:
        rows = await connection.fetch(LEADS, KEYS)
        versions = {row["id"]: row["version"] for row in rows}
        return Questions(ground, await connection.fetchval(BOARD), versions)
    finally:
        await connection.close()
