"""Many leads at once: 500 while somebody waits, and all leads of a workspace by one worker.

    python -m bench.bulk [--data-dir FOLDER] [--leads 100000] [--times 5]

Without a folder one is filled by `salescycle demo` first. Salescycle runs as `make run` starts it; one client over HTTP
assigns, tags and moves the newest 500 open leads, several times, and then has all leads assigned by the worker. What
follows of the leads' events (scores, notifications) runs beside it.
"""

import argparse
import asyncio
import statistics
import time
from pathlib import Path
from typing import Any

import uvloop

from bench.board import SIGN_IN, database_url, settled
from bench.demo import EMAIL, PASSWORD, filled
from bench.house import Client, House, house, some_folder, told

AT_ONCE = 500
KNOWN = """
query ($after: String) {
  leads(first: 100, after: $after, filter: {status: {eq: OPEN}}) { nodes { id } pageInfo { endCursor } }
  users(first: 2, filter: {membership: {role: {eq: REP}, active: {eq: true}}}) { nodes { id } }
  tags(first: 1) { nodes { id } }
  pipelines(first: 1) { nodes { stages { id kind } } }
}
"""
ALL = "{ leads { totalCount } }"
ANSWER = "bulk { id } results { leadId lead { id version } userErrors { code } } userErrors { code message }"
STANDS = "query ($id: ID!) { bulk(id: $id) { status done failed total completedAt } }"
TAG = 'mutation { createTag(input: {name: "Bench"}) { tag { id } } }'


def document(mutation: str) -> str:
    return (
        f"mutation ($input: {mutation[0].upper()}{mutation[1:]}Input!) {{ {mutation}(input: $input) {{ {ANSWER} }} }}"
    )


async def timed(client: Client, mutation: str, inputs: list[dict[str, Any]]) -> None:
    """Send a mutation with each input and print the median of the times."""
    took = []
    for given in inputs:
        began = time.perf_counter()
        answer = (await client.ask(document(mutation), input=given))[mutation]
        took.append(time.perf_counter() - began)
        assert not answer["userErrors"], answer["userErrors"]
        assert len(answer["results"]) == AT_ONCE
        refused = [result for result in answer["results"] if result["userErrors"]]
        assert not refused, refused[:3]
    told(f"bulk_{AT_ONCE}_{mutation}", statistics.median(took) * 1000, "ms")


async def at_once(client: Client, times: int) -> None:
    """Assign, tag and move the newest open leads, to and fro."""
    keys: list[str] = []
    known: dict[str, Any] = {"leads": {"pageInfo": {"endCursor": None}}}
    while len(keys) < AT_ONCE:
        known = await client.ask(KNOWN, after=known["leads"]["pageInfo"]["endCursor"])
        keys += [node["id"] for node in known["leads"]["nodes"]]
    owners = [node["id"] for node in known["users"]["nodes"]]
    tag = (
        known["tags"]["nodes"][0]["id"] if known["tags"]["nodes"] else (await client.ask(TAG))["createTag"]["tag"]["id"]
    )
    [pipeline] = known["pipelines"]["nodes"]
    stages = [stage["id"] for stage in pipeline["stages"] if stage["kind"] in ("QUALIFY", "PROPOSAL")]
    turns = range(times)
    await timed(client, "assignLeads", [{"ids": keys, "ownerId": owners[turn % 2]} for turn in turns])
    await timed(client, "moveLeads", [{"ids": keys, "stageId": stages[turn % 2]} for turn in turns])
    await timed(client, "tagLeads", [{"ids": keys, "tagIds": [tag]} for turn in turns])


async def all_of_them(client: Client, home: House) -> None:
    """Have the worker assign all leads, and print how long that took."""
    count = (await client.ask(ALL))["leads"]["totalCount"]
    before, began = home.cpu(), time.perf_counter()
    given = {"filter": {}, "expectedCount": count, "ownerId": None}
    answer = (await client.ask(document("assignLeads"), input=given))["assignLeads"]
    assert not answer["userErrors"], answer["userErrors"]
    told("bulk_all_asked", (time.perf_counter() - began) * 1000, f"ms until {count} leads are fixed")
    stands: dict[str, Any] = {"completedAt": None}
    while stands["completedAt"] is None:
        await asyncio.sleep(0.2)
        stands = (await client.ask(STANDS, id=answer["bulk"]["id"]))["bulk"]
    took, after = time.perf_counter() - began, home.cpu()
    assert (stands["status"], stands["done"], stands["failed"]) == ("COMPLETED", count, 0), stands
    told("bulk_all", took, f"s ({count} leads by one worker)")
    told("bulk_all_rate", count / took, "leads/s")
    for part, used in sorted(after.items()):
        told(f"bulk_all_cpu_{part}", (used - before.get(part, 0.0)) / count * 1000, "ms a lead")


async def measure(home: House, times: int) -> None:
    """Sign in to the demo and print the figures."""
    await settled(database_url(home.folder))
    client = Client(home.address)
    token = (await client.ask(SIGN_IN, email=EMAIL, password=PASSWORD))["signIn"]["accessToken"]
    client.close()
    client = Client(home.address, token)
    await at_once(client, times)
    await settled(database_url(home.folder))
    await all_of_them(client, home)
    client.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=5)
    asked = parser.parse_args()
    with some_folder(asked.data_dir) as folder:
        filled(folder, asked.leads)
        with house(folder) as home:
            uvloop.run(measure(home, asked.times))


if __name__ == "__main__":
    main()
