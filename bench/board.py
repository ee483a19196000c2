"""The board of a filled workspace: SQL statements and time, with and without owner and company on each lead.

    python -m bench.board [--data-dir FOLDER] [--leads 100000] [--times 60]

Without a folder one is filled by `salescycle demo` first. Times are those of one client over HTTP, one query after
the other, on a Salescycle as `make run` starts it, after its relay and worker are done with the demo's events.
Statements are those that read tables; they are counted in this process, on the same database.
"""

import argparse
import asyncio
import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg
import uvloop

from bench.demo import EMAIL, PASSWORD, filled
from bench.house import Client, House, house, some_folder, told, told_times
from domain.actors import ALL, Actor, ActorKind
from embedded.homes import home_for
from embedded.postgres import Postgres
from embedded.programs import programs_for
from models import database
from models.users import Membership
from schema.context import Context
from schema.schema import graphql_schema

QUIET_SECONDS = 600
WARM_UP = 5
SIGN_IN = """
mutation ($email: Email!, $password: String!) {
  signIn(input: {email: $email, password: $password}) { accessToken userErrors { message } }
}
"""
PIPELINES = "{ pipelines(first: 1) { nodes { id stages { id } } } }"
BOARD = """
query ($id: ID!, $first: Int!) {
  pipeline(id: $id) {
    cursor name
    stages {
      id name kind leadCount leadValue { amount currencyCode } leadValues { amount currencyCode }
      leads(first: $first, orderBy: [{field: RANK}]) {
        edges { cursor node { id title rank version status score grade expectedCloseDate value { amount currencyCode }
          %s } }
        pageInfo { hasNextPage }
      }
    }
  }
}
"""
DOCUMENTS = {"board": BOARD % "", "board_with_people": BOARD % "owner { id name } company { id name }"}
LEFT = """
SELECT (SELECT count(*) FROM event WHERE position IS NULL)
     + (SELECT count(*) FROM job WHERE done_at IS NULL AND failed_at IS NULL AND due_at <= now())
"""


def database_url(folder: Path) -> str:
    home = home_for(folder)
    return Postgres(home, programs_for(home.account)).url


async def settled(url: str) -> None:
    """Wait until the relay and the worker have nothing left to do."""
    connection = await asyncpg.connect(url)
    try:
        async with asyncio.timeout(QUIET_SECONDS):
            while await connection.fetchval(LEFT):
                await asyncio.sleep(0.5)
    finally:
        await connection.close()


async def timed(client: Client, document: str, variables: dict[str, Any], times: int) -> list[float]:
    for _ in range(WARM_UP):
        await client.ask(document, **variables)
    took = []
    for _ in range(times):
        began = time.perf_counter()
        await client.ask(document, **variables)
        took.append(time.perf_counter() - began)
    return took


@contextmanager
def statements() -> Iterator[list[str]]:
    """Gather the statements that this process sends, those that only open a snapshot left out."""
    seen: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = str(record.args[0]) if record.args else record.getMessage()
            if text.lstrip().upper().startswith(("SELECT", "WITH")):
                seen.append(text)

    log, ear = logging.getLogger("tortoise.db_client"), Ear()
    level, propagates = log.level, log.propagate
    log.addHandler(ear)
    log.setLevel(logging.DEBUG)
    log.propagate = False
    try:
        yield seen
    finally:
        log.removeHandler(ear)
        log.setLevel(level)
        log.propagate = propagates


async def counted(url: str, document: str, variables: dict[str, Any]) -> int:
    """Count the statements of one query, without those that tell who asks."""
    await database.open_database(url, pool_size=4)
    try:
        membership = await Membership.get(user__email=EMAIL)
        actor = Actor(ActorKind.USER, membership.workspace_id, membership.user_id, membership.role, rows=ALL)
        with statements() as seen:
            answer = await graphql_schema.execute(document, variables, context_value=Context(identity=actor))
        assert answer.errors is None, answer.errors
        return len(seen)
    finally:
        await database.close_database()


async def measure(home: House, first: int, times: int) -> None:
    """Sign in to the demo and print the figures of each document."""
    url = database_url(home.folder)
    await settled(url)
    client = Client(home.address)
    answer = await client.ask(SIGN_IN, email=EMAIL, password=PASSWORD)
    token = answer["signIn"]["accessToken"]
    client.close()
    client = Client(home.address, token)
    [pipeline] = (await client.ask(PIPELINES))["pipelines"]["nodes"]
    variables = {"id": pipeline["id"], "first": first}
    for name, document in DOCUMENTS.items():
        board = (await client.ask(document, **variables))["pipeline"]["stages"]
        shown = sum(len(stage["leads"]["edges"]) for stage in board)
        told(f"{name}_leads", shown, f"shown of {sum(stage['leadCount'] for stage in board)} on the board")
        told_times(name, await timed(client, document, variables, times))
    client.close()
    for name, document in DOCUMENTS.items():
        told(f"{name}_statements", await counted(url, document, variables), "SQL statements")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=20)
    parser.add_argument("--times", type=int, default=60)
    asked = parser.parse_args()
    with some_folder(asked.data_dir) as folder:
        filled(folder, asked.leads)
        with house(folder) as home:
            uvloop.run(measure(home, asked.first, asked.times))


if __name__ == "__main__":
    main()
