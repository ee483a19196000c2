"""How long a move takes from its commit to the screens of 200 subscribers: 40 users, 4 scopes, 3 documents.

`python -m bench.live` starts Salescycle as `make run` does (API, relay, worker, PostgreSQL and Valkey that sync to
disk) on a folder of its own and prints one line a figure. A move is made by the domain in this process, so that the
moment after its commit is known; `live_click_…` are moves sent to the API over HTTP, timed from the click.
"""

import argparse
import asyncio
import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psutil
import uvloop

from domain import captures, moves, passwords, pipelines, teams
from domain.actors import ALL, Actor, ActorKind
from domain.captures import Capture
from domain.events import client_mutation_id
from domain.leads import LeadDetails
from embedded.homes import home_for
from embedded.postgres import Postgres
from embedded.programs import programs_for
from models import database
from models.base import uuid7
from models.stages import Stage
from models.users import Membership, Role, User
from models.workspaces import Workspace

ROOT = Path(__file__).resolve().parent.parent
PASSWORD = "a long enough passphrase for a bench"
USERS_A_SCOPE, SOCKETS_A_USER = 10, 5

BOARD = """
subscription Board($pipeline: ID!) { pipelineEvents(pipelineId: $pipeline) { __typename
  ... on LeadEvent { cursor eventId leadId occurredAt clientMutationId actor { kind user { id name } } }
  ... on SeenLeadEvent {
    lead { id title rank status version score grade expectedCloseDate stageEnteredAt value { amount currencyCode }
      stage { id name kind } owner { id name } company { id name } }
    changes { field before after } }
  ... on ResyncRequired { reason } } }
"""
CARDS = """
subscription Cards($pipeline: ID!) { pipelineEvents(pipelineId: $pipeline) { __typename
  ... on LeadEvent { cursor leadId clientMutationId }
  ... on SeenLeadEvent { lead { id title rank version stage { id } owner { id name } } } } }
"""
BELL = """
subscription Bell($pipeline: ID!) { pipelineEvents(pipelineId: $pipeline) {
  __typename ... on LeadEvent { leadId eventId clientMutationId } } }
"""
DOCUMENTS = (BOARD, CARDS, BELL)
PERSONAL = BOARD.replace("title rank", "title viewerCan { move close } rank")
MARK = re.compile(rb'"clientMutationId":"(m\d+)"')


@dataclass
class Arrivals:
    """When each move came to each subscriber."""

    at: dict[str, list[float]] = field(default_factory=dict)
    acknowledged: int = 0
    lost: int = 0


class Subscriber(asyncio.Protocol):
    """The least of a WebSocket client: what it costs must not be taken for the server's time."""

    def __init__(self, host: str, token: str, document: str, pipeline: str, arrivals: Arrivals) -> None:
        self._host, self._arrivals = host, arrivals
        self._hello = [
            {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}},
            {"id": "1", "type": "subscribe", "payload": {"query": document, "variables": {"pipeline": pipeline}}},
        ]
        self._buffer = b""
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        key = base64.b64encode(os.urandom(16)).decode()
        lines = (
            "GET /graphql HTTP/1.1",
            f"Host: {self._host}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Protocol: graphql-transport-ws",
        )
        self._transport.write("\r\n".join((*lines, "", "")).encode())

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self._buffer += data
        if not self._open:
            head, end, self._buffer = self._buffer.partition(b"\r\n\r\n")
            if not end:
                self._buffer = head
                return
            assert b" 101 " in head.splitlines()[0], head
            self._open = True
            self._send(self._hello[0])
        for frame in self._frames():
            if mark := MARK.search(frame):
                self._arrivals.at.setdefault(mark[1].decode(), []).append(at)
            elif b"connection_ack" in frame:
                self._arrivals.acknowledged += 1
                self._send(self._hello[1])
            elif b'"errors"' in frame or b'"error"' in frame:
                print(frame[:300].decode(errors="replace"), file=sys.stderr)

    def connection_lost(self, exc: Exception | None) -> None:
        self._arrivals.lost += 1

    def _frames(self) -> list[bytes]:
        found = []
        while len(self._buffer) >= 2:
            size, start = self._buffer[1] & 127, 2
            if size >= 126:
                start = 4 if size == 126 else 10
                size = int.from_bytes(self._buffer[2:start], "big")
            if len(self._buffer) < start + size:
                break
            found.append(self._buffer[start : start + size])
            self._buffer = self._buffer[start + size :]
        return found

    def _send(self, message: Any) -> None:
        text = json.dumps(message).encode()
        size = len(text)
        head = bytes([0x81, 0x80 | size]) if size < 126 else bytes([0x81, 0xFE]) + size.to_bytes(2, "big")
        # A mask of zeros is a mask.
        self._transport.write(head + b"\0\0\0\0" + text)


@dataclass
class House:
    admin: Actor
    users: list[User]
    owner: User
    pipeline: str
    stages: list[Stage]
    tokens: list[str] = field(default_factory=list)


async def people() -> House:
    """Make a workspace with three teams within each other, so that all 40 users see the leads of the innermost."""
    now = datetime.now(UTC)
    stamps = {"created_at": now, "updated_at": now}
    home = await Workspace.create(name="Bench", base_currency="EUR", **stamps)
    admin = Actor(ActorKind.USER, home.id, user_id=uuid7(), role=Role.ADMIN, rows=ALL)
    hashed = await passwords.hashed(PASSWORD)
    users: list[User] = []
    parent = None
    for scope in range(4):
        team = None if scope == 0 else await teams.create(admin, name=f"Team {scope}", parent_id=parent, now=now)
        parent = team.id if team else None
        for _ in range(USERS_A_SCOPE):
            email = f"user{len(users)}@example.com"
            user = await User.create(
                name=f"User {len(users)}", email=email, email_normalised=email, password_hash=hashed, **stamps
            )
            role = Role.ADMIN if scope == 0 else Role.MANAGER
            await Membership.create(workspace_id=home.id, user_id=user.id, role=role, team=team, created_at=now)
            users.append(user)
    admin = Actor(ActorKind.USER, home.id, user_id=users[0].id, role=Role.ADMIN, rows=ALL)
    board = await pipelines.create_default(admin, now=now)
    stages = await Stage.filter(pipeline_id=board.id).exclude(kind="FOLLOW_UP").order_by("position")
    return House(admin, users, users[-1], gid("Pipeline", board.id), stages)


def gid(noun: str, key: Any) -> str:
    return base64.urlsafe_b64encode(f"{noun}:".encode() + key.bytes).decode().rstrip("=")


async def sign_in(address: str, house: House) -> None:
    document = """mutation ($e: Email!, $p: String!) {
      signIn(input: {email: $e, password: $p}) { accessToken userErrors { message } } }"""
    async with httpx.AsyncClient(base_url=address, timeout=30) as client:
        for user in house.users:
            body = {"query": document, "variables": {"e": user.email, "p": PASSWORD}}
            answer = (await client.post("/graphql", json=body)).json()
            house.tokens.append(answer["data"]["signIn"]["accessToken"])


async def subscribe(address: str, house: House, documents: tuple[str, ...], arrivals: Arrivals) -> list[Any]:
    loop, parts = asyncio.get_running_loop(), urlsplit(address)
    opened = []
    for number, token in enumerate(house.tokens * SOCKETS_A_USER):
        document = documents[number % len(documents)]
        transport, _ = await loop.create_connection(
            lambda token=token, document=document: Subscriber(parts.netloc, token, document, house.pipeline, arrivals),
            parts.hostname,
            parts.port,
        )
        opened.append(transport)
    return opened


async def wait_for(condition: Any, seconds: float = 30) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.01)
    return True


async def measure(
    address: str, house: House, name: str, documents: tuple[str, ...], count: int, pause: float, *, click: bool = False
) -> None:
    arrivals = Arrivals()
    sockets = await subscribe(address, house, documents, arrivals)
    wanted = len(sockets)
    assert await wait_for(lambda: arrivals.acknowledged == wanted), arrivals.acknowledged
    row = await captures.capture(
        house.admin, Capture(details=LeadDetails(title="Solar roof"), owner_id=house.owner.id), now=datetime.now(UTC)
    )
    begun, number = {}, 0
    serve = next(
        process for process in psutil.Process(house_pid).children(recursive=True) if "serve" in process.cmdline()
    )
    # Until everybody has seen one move, somebody may still be subscribing.
    while True:
        number += 1
        mark = f"m{number}"
        client_mutation_id.set(mark)
        target = house.stages[number % len(house.stages)]
        await moves.move(house.admin, row.id, stage_id=target.id, now=datetime.now(UTC))
        if await wait_for(lambda mark=mark: len(arrivals.at.get(mark, ())) == wanted, 1):
            break
    arrivals.at.clear()
    cpu, start = sum(serve.cpu_times()[:2]), time.perf_counter()
    headers = {"Authorization": f"Bearer {house.tokens[0]}"}
    async with httpx.AsyncClient(base_url=address, timeout=30, headers=headers) as http:
        for _ in range(count):
            number += 1
            mark = f"m{number}"
            target = house.stages[number % len(house.stages)]
            if click:
                begun[mark] = time.perf_counter()
                wanted_move = {"id": gid("Lead", row.id), "stageId": gid("Stage", target.id), "clientMutationId": mark}
                body = {
                    "query": "mutation ($i: MoveLeadInput!) { moveLead(input: $i) { userErrors { message } } }",
                    "variables": {"i": wanted_move},
                }
                answer = (await http.post("/graphql", json=body)).json()
                assert "errors" not in answer and not answer["data"]["moveLead"]["userErrors"], answer
            else:
                client_mutation_id.set(mark)
                await moves.move(house.admin, row.id, stage_id=target.id, now=datetime.now(UTC))
                begun[mark] = time.perf_counter()
            await asyncio.sleep(pause)
    await wait_for(lambda: sum(map(len, arrivals.at.values())) >= wanted * count, 10)
    busy = (sum(serve.cpu_times()[:2]) - cpu) / (time.perf_counter() - start)
    delays = [[(at - begun[mark]) * 1000 for at in found] for mark, found in arrivals.at.items() if mark in begun]
    took = sorted(delay for each in delays for delay in each)
    missing = wanted * count - len(took)
    print(f"{name}_median_ms {statistics.median(took):.1f}")
    print(f"{name}_p99_ms {took[int(len(took) * 0.99)]:.1f}")
    print(f"{name}_first_median_ms {statistics.median(map(min, delays)):.1f}")
    print(f"{name}_last_median_ms {statistics.median(map(max, delays)):.1f}")
    print(f"{name}_missing {missing} of {wanted * count}")
    print(f"{name}_api_core_percent {busy * 100:.0f}", flush=True)
    for transport in sockets:
        transport.close()
    assert await wait_for(lambda: arrivals.lost == wanted)


house_pid = 0


async def main(moves_count: int, pause: float) -> None:
    """Start the house, measure, and end it."""
    global house_pid
    folder = Path(tempfile.mkdtemp(prefix="sc-bench-"))
    folder.chmod(0o711)
    environment = {name: value for name, value in os.environ.items() if name not in ("DATABASE_URL", "REDIS_URL")}
    process = subprocess.Popen(
        [sys.executable, ROOT / "cli.py", "up", "--port", "0", "--data-dir", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment | {"LOG_LEVEL": "ERROR"},
    )
    house_pid = process.pid
    try:
        assert process.stdout
        address = next(
            match[1] for line in process.stdout if (match := re.search(r"GraphQL at (http://\S+)/graphql", line))
        )
        home = home_for(folder)
        await database.open_database(Postgres(home, programs_for(home.account)).url, pool_size=4)
        house = await people()
        await sign_in(address, house)
        await measure(address, house, "live", DOCUMENTS, moves_count, pause)
        await measure(address, house, "live_click", DOCUMENTS, moves_count, pause, click=True)
        await measure(address, house, "live_personal", (PERSONAL, CARDS, BELL), moves_count, pause)
        await database.close_database()
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--moves", type=int, default=100)
    parser.add_argument("--pause", type=float, default=0.1)
    arguments = parser.parse_args()
    uvloop.run(main(arguments.moves, arguments.pause))
