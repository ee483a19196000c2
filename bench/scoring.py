"""All leads of a workspace scored anew after a publish and after a promotion, while people read and edit leads.

    python -m bench.scoring [--leads 100000] [--workers 2] [--rate 20] [--rules-only] [--data-dir FOLDER]

Salescycle runs as `make run` starts it (API, relay, PostgreSQL and Valkey that sync to disk) on a folder of its own,
with as many workers as asked for. A workspace is filled by SQL: each lead has a company, a contact, two custom fields,
three activities on average and its events. Then rules are published, and a learned model is promoted; each time one
client asks for pages of fifty leads and another one edits leads, twenty times a second each, before it and during it.
Memory at 100,000 and at 1,000,000 leads is to be the same.
"""

import argparse
import asyncio
import os
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import uvloop

from bench.house import Client, House, environment, house, some_folder, told, told_times
from bench.reminders import SIGN_UP, Others, database_of, more_workers
from domain import custom_fields, score_models
from domain.actors import Actor, ActorKind
from domain.custom_fields import CustomFieldDetails, Option
from domain.learning.additive import Flags, Levels, Linear, Model, Steps
from models import database
from models.custom_fields import CustomFieldOwner, CustomFieldType
from models.scoring import ScoreModel, ScoreVersionState
from models.users import Membership
from schema import ids

BEFORE_SECONDS = 10.0
SIGNED_IN_SECONDS = 600.0
TABLES = ("company", "contact", "lead", "lead_contact", "activity", "need", "event")
INDEXES = """
SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS made
FROM pg_index WHERE indrelid = ANY($1::regclass[]) AND NOT indisunique
"""
# Keys rise with the instants, as those of real rows do. What refers to nothing is not looked for.
FILL = """
SET session_replication_role = replica;
CREATE FUNCTION pg_temp.key(n bigint, kind int) RETURNS uuid LANGUAGE sql IMMUTABLE AS
  $$ SELECT encode(int8send((1700000000000 + n * 60000) << 16 | 28672 | kind) || int8send(-9223372036854775808 | n),
    'hex')::uuid $$;
CREATE FUNCTION pg_temp.chance(n bigint, salt int) RETURNS int LANGUAGE sql IMMUTABLE AS
  $$ SELECT (hashint8(n * 1000 + salt)::bigint & 2147483647)::int $$;
CREATE TEMP TABLE known AS
SELECT s.workspace_id, s.id AS stage_id, s.pipeline_id, m.user_id,
       (SELECT array_agg(id ORDER BY id) FROM source) AS sources,
       (SELECT replace(id::text, '-', '') FROM custom_field WHERE key = 'tier') AS tier,
       (SELECT replace(id::text, '-', '') FROM custom_field WHERE key = 'size') AS size
FROM stage s, membership m ORDER BY s.position LIMIT 1;
INSERT INTO company (id, workspace_id, name, name_normalised, industry, country, employees, relationship, custom,
                     version, created_at, updated_at)
SELECT pg_temp.key(n, 1), workspace_id, 'Firm ' || n, 'firm ' || n,
       (ARRAY['Farming', 'Trade', 'Building', 'Energy', 'Health', 'Schools'])[1 + pg_temp.chance(n, 1) % 6],
       (ARRAY['DE', 'FR', 'NL', 'PL', 'IT', 'ES', 'AT', 'CH'])[1 + pg_temp.chance(n, 2) % 8],
       CASE WHEN n % 5 > 0 THEN 1 + pg_temp.chance(n, 3) % 1000 END, 'LEAD', '{{}}', 1, at, at
FROM known, generate_series(1, {leads} / 4) n, LATERAL (SELECT now() - n * interval '1 minute') t(at);
INSERT INTO contact (id, workspace_id, name, email, email_normalised, job_title, relationship, custom, version,
                     created_at, updated_at)
SELECT pg_temp.key(n, 2), workspace_id, 'Person ' || n, email, email,
       (ARRAY['CEO', 'Head of sales', 'Manager', 'Clerk', 'Engineer'])[1 + pg_temp.chance(n, 4) % 5], 'LEAD', '{{}}', 1,
       at, at
FROM known, generate_series(1, {leads}) n, LATERAL (SELECT now() - n * interval '1 minute') t(at),
     LATERAL (SELECT 'person.' || n || CASE WHEN n % 3 = 0 THEN '@gmail.com' ELSE '@firm.example' END) e(email);
INSERT INTO lead (id, workspace_id, title, pipeline_id, stage_id, rank, status, lifecycle, value, currency, probability,
                  score_factors, owner_id, company_id, source_id, expected_close_date, custom, stage_entered_at,
                  version, created_at, updated_at)
SELECT pg_temp.key(n, 3), workspace_id,
       (ARRAY['Solar roof', 'Heat pump', 'Windows', 'Storage'])[1 + pg_temp.chance(n, 5) % 4] || ' number ' || n,
       pipeline_id, stage_id, lpad(to_hex(n), 8, '0'), 'OPEN', 'RAW', 100 + pg_temp.chance(n, 6) % 60000, 'EUR', 0.1,
       '[]', CASE WHEN n % 4 > 0 THEN user_id END, pg_temp.key(1 + pg_temp.chance(n, 7) % ({leads} / 4), 1),
       sources[1 + pg_temp.chance(n, 8) % cardinality(sources)],
       CASE WHEN n % 3 = 0 THEN now()::date + pg_temp.chance(n, 9) % 200 END,
       jsonb_build_object(tier, (ARRAY['gold', 'tin', 'clay'])[1 + pg_temp.chance(n, 10) % 3],
                          size, (pg_temp.chance(n, 11) % 500)::text), at, 1, at, at
FROM known, generate_series(1, {leads}) n, LATERAL (SELECT now() - (n % 130000) * interval '1 minute') t(at);
INSERT INTO lead_contact (id, workspace_id, lead_id, contact_id, role, is_primary, created_at)
SELECT pg_temp.key(n, 4), workspace_id, pg_temp.key(n, 3), pg_temp.key(n, 2), 'OTHER', true, now() - interval '1 year'
FROM known, generate_series(1, {leads}) n;
INSERT INTO activity (id, workspace_id, lead_id, kind, direction, is_touch, subject, occurred_at, version, created_at,
                      updated_at)
SELECT gen_random_uuid(), workspace_id, pg_temp.key(n, 3),
       (ARRAY['CALL', 'EMAIL', 'MEETING', 'PAGE_VISIT'])[1 + pg_temp.chance(n, m) % 4],
       CASE WHEN (n + m) % 2 = 0 THEN 'INBOUND' ELSE 'OUTBOUND' END, true, 'Number ' || m, at, 1, at, at
FROM known, generate_series(1, {leads}) n, generate_series(1, n % 7) m,
     LATERAL (SELECT now() - (pg_temp.chance(n, 20 + m) % 90000) * interval '1 minute') t(at);
INSERT INTO need (id, workspace_id, lead_id, kind, title, importance, version, created_at, updated_at)
SELECT gen_random_uuid(), workspace_id, pg_temp.key(n, 3), 'PAIN', 'Lower bills', 3, 1, now(), now()
FROM known, generate_series(1, {leads}, 3) n;
WITH head AS (UPDATE event_head SET position = position + {leads} RETURNING position - {leads} AS first)
INSERT INTO event (id, workspace_id, position, name, subject_type, subject_id, actor, data, occurred_at)
SELECT gen_random_uuid(), workspace_id, first + n, 'lead.captured', 'lead', pg_temp.key(n, 3), '{{"kind": "USER"}}',
       '{{"version": 1, "changes": {{}}}}', now() - interval '1 day'
FROM head, known, generate_series(1, {leads}) n;
SET session_replication_role = DEFAULT;
"""
SIGN_IN = """
mutation {
  signIn(input: {email: "ada@bench.example", password: "eleven quiet boats"}) { accessToken userErrors { message } }
}
"""
MAKE = """
mutation ($input: CreateScoreModelInput!) {
  createScoreModel(input: $input) { scoreModel { id } userErrors { message field } }
}
"""
PUBLISH = """
mutation ($id: ID!) { publishScoreModel(input: {id: $id}) { scoreModelVersion { id } userErrors { message } } }
"""
PROMOTE = """
mutation ($id: ID!) {
  promoteScoreModel(input: {versionId: $id}) { scoreModelVersion { id } userErrors { message } }
}
"""
PAGE = """
query ($after: String) {
  leads(first: 50, after: $after, orderBy: [{field: CREATED_AT, direction: DESC}]) {
    nodes { id title score grade stage { name } owner { name } company { name } } pageInfo { endCursor }
  }
}
"""
EDIT = """
mutation ($id: ID!, $title: String!) {
  updateLead(input: {id: $id, title: $title}) { lead { version } userErrors { message } }
}
"""
LEFT = """
SELECT EXISTS (SELECT FROM event WHERE position IS NULL)
    OR EXISTS (SELECT FROM job WHERE done_at IS NULL AND failed_at IS NULL AND due_at <= now()) AS found
"""
# The publish itself, until it is relayed, its job, and the jobs that this has made.
SCORING = """
SELECT EXISTS (SELECT FROM event WHERE position IS NULL AND subject_type = 'score_model')
    OR EXISTS (SELECT FROM job WHERE task = 'score_all_leads' AND done_at IS NULL)
    OR EXISTS (SELECT FROM job WHERE task = 'score_leads' AND queue = 'bulk' AND done_at IS NULL)
"""
UNSCORED = "SELECT count(*) FROM lead WHERE status = 'OPEN' AND (scored_at IS NULL OR scored_at < $1)"
FACTS = """
SELECT (SELECT count(*) FROM event WHERE name = 'lead.scored') AS events,
       (SELECT count(*) FROM job WHERE failed_at IS NOT NULL) AS failed_jobs,
       (SELECT count(DISTINCT score) FROM lead) AS scores, (SELECT pg_database_size(current_database())) AS size
"""


def group(label: str, dimension: str, *rules: tuple[Any, ...], cap: float = 20.0) -> dict[str, Any]:
    """Return a group of rules: of each its label, its points, its field, how that is tested, and by what."""
    made = [
        {"label": label, "points": points, "condition": {"field": key, "check": check, **(dict(*rest))}}
        for label, points, key, check, *rest in rules
    ]
    return {"label": label, "dimension": dimension, "cap": cap, "rules": made}


def rules(tier: str) -> dict[str, Any]:
    """Return rules on sources, values, companies, people, a custom field, and what was done lately."""
    kinds = ("REFERRAL", "CHANNEL_PARTNER", "WEB_FORM", "TRADE_SHOW", "CAMPAIGN", "SOCIAL", "COLD_OUTREACH")
    came = [(f"Came by {kind}", 20 - 2 * at, "source_kind", "IS", {"values": [kind]}) for at, kind in enumerate(kinds)]
    groups = [
        group("Source", "FIT", *came),
        group(
            "Value",
            "FIT",
            ("Worth very much", 20, "value", "BETWEEN", {"least": 50000}),
            ("Worth much", 15, "value", "BETWEEN", {"least": 20000, "most": 50000}),
            ("Worth something", 10, "value", "BETWEEN", {"least": 10000, "most": 20000}),
            ("Worth little", 5, "value", "BETWEEN", {"least": 1000, "most": 10000}),
        ),
        group(
            "Company",
            "FIT",
            ("More than 50 people", 10, "company.employees", "BETWEEN", {"least": 50}),
            ("In a trade that we know", 6, "company.industry", "IS", {"values": ["Building", "Energy"]}),
            ("Abroad", -4, "company.country", "IS_NOT", {"values": ["DE", "AT", "CH"]}),
            ("Gold", 8, tier, "IS", {"values": ["gold"]}),
        ),
        group(
            "People",
            "FIT",
            ("They decide", 6, "contact.seniority", "IS", {"values": ["Owner or chief", "Director or head"]}),
            ("Has an address", 4, "contact.email", "KNOWN"),
            cap=10,
        ),
        group(
            "Lately",
            "ENGAGEMENT",
            ("Something in a week", 20, "days_silent", "BETWEEN", {"least": 0, "most": 7}),
            ("Something in a month", 10, "days_silent", "BETWEEN", {"least": 7, "most": 30}),
            ("Silent", -10, "days_silent", "BETWEEN", {"least": 60}),
        ),
        group(
            "Done",
            "ENGAGEMENT",
            ("Calls", 8, "activity:CALL", "BETWEEN", {"least": 2, "halfLifeDays": 14}),
            ("Visits", 6, "activity:PAGE_VISIT", "BETWEEN", {"least": 1, "withinDays": 30}),
            ("They came to us", 4, "inbound", "BETWEEN", {"least": 1}),
            ("Needs are known", 4, "needs", "BETWEEN", {"least": 1}),
        ),
    ]
    return {"groups": groups}


def learned(tier: str, size: str) -> Model:
    """Return a model as trainings make them, of fifteen fields."""
    return Model(
        "LOGISTIC",
        -1.2,
        (
            Levels("source", "Source", {"Website": 0.8, "Referral": 1.4, "Trade show": -0.3}, other=-0.2, missing=-0.4),
            Levels("owner", "Owner", {"Ada": 0.3}, other=0.0, missing=-0.6),
            Linear("value", "Value", 0.2, 9.0, 0.0, 60000.0, missing=-0.1, log=True),
            Flags("title", "Title", {"solar": 0.5, "windows": -0.4, "storage": 0.2}, base=-0.1, of_words=True),
            Steps("close_date_days", "Days until close", (0.0, 30.0, 90.0), (-0.5, 0.6, 0.3, 0.1), missing=-0.2),
            Levels("company.country", "Country", {"DE": 0.4, "AT": 0.2, "FR": -0.2}, other=-0.1, missing=0.0),
            Levels("company.industry", "Industry", {"Energy": 0.7, "Schools": -0.6}, other=0.0, missing=0.1),
            Linear("company.employees", "Employees", 0.15, 4.0, 0.0, 1000.0, missing=-0.3, log=True),
            Levels("contact.seniority", "Seniority", {"Owner or chief": 0.9, "Manager": 0.1}, other=-0.3, missing=-0.5),
            Levels("contact.email", "Email address", {"private": -0.4, "of a company": 0.2}, other=0.0, missing=-0.7),
            Steps("activities", "Activities", (1.0, 3.0, 5.0), (-0.8, 0.0, 0.4, 0.9), missing=0.0),
            Linear("inbound", "Inbound activities", 0.3, 1.0, 0.0, 5.0, missing=0.0),
            Linear("days_silent", "Days silent", -0.03, 10.0, 0.0, 30.0, missing=0.0),
            Levels(tier, "Tier", {"gold": 0.8, "clay": -0.5}, other=0.0, missing=-0.2),
            Linear(size, "Size", 0.002, 250.0, 0.0, 500.0, missing=0.0),
        ),
        slope=0.9,
        offset=0.1,
        quantiles=tuple(number / 100 for number in range(101)),
    )


@dataclass(frozen=True)
class Bench:
    """A filled workspace, who asks in it, and the workers beside that of `up`."""

    home: House
    others: Others
    url: str
    rate: float
    lead_ids: Sequence[str]
    tier: str
    size: str


async def fill(url: str, leads: int) -> tuple[str, str, list[str]]:
    """Fill the one workspace; return the keys of its custom fields and some of its leads."""
    await database.open_database(url, pool_size=2)
    actor = await admin()
    at = datetime.now(UTC)
    tiers = [Option(key, key) for key in ("gold", "tin", "clay")]
    kinds = {"tier": (CustomFieldType.CHOICE, tiers), "size": (CustomFieldType.NUMBER, ())}
    made = [
        await custom_fields.create(
            actor, CustomFieldOwner.LEAD, CustomFieldDetails(key=key, label=key, type=kind, options=options), now=at
        )
        for key, (kind, options) in kinds.items()
    ]
    await database.close_database()
    connection = await asyncpg.connect(url)
    began = time.perf_counter()
    await connection.execute("SET maintenance_work_mem = '1GB'")
    indexes = await connection.fetch(INDEXES, list(TABLES))
    for index in indexes:
        await connection.execute(f"DROP INDEX {index['name']}")
    await connection.execute(FILL.format(leads=leads), timeout=7200)
    for index in indexes:
        await connection.execute(index["made"], timeout=7200)
    await connection.execute("VACUUM ANALYZE", timeout=7200)
    told("scoring_filled", time.perf_counter() - began, f"s ({leads} leads)")
    some = await connection.fetch("SELECT id FROM lead ORDER BY hashtext(id::text) LIMIT 5000")
    await connection.close()
    tier, size = (f"custom:{row.id.hex}" for row in made)
    return tier, size, [ids.encode("Lead", row["id"]) for row in some]


async def admin() -> Actor:
    member = await Membership.all().get()
    return Actor(ActorKind.USER, member.workspace_id, user_id=member.user_id, role=member.role)


@dataclass
class Asked:
    """How long pages and edits took."""

    pages: list[float] = field(default_factory=list)
    edits: list[float] = field(default_factory=list)


async def steadily(bench: Bench, took: Asked) -> None:
    """Ask for pages, and edit leads, so many times a second each, until cancelled."""

    async def read() -> None:
        after = None
        async for client in turns(bench):
            began = time.perf_counter()
            answer = await client.ask(PAGE, after=after)
            took.pages.append(time.perf_counter() - began)
            after = answer["leads"]["pageInfo"]["endCursor"]

    async def write() -> None:
        lead_ids = cycle(bench.lead_ids)
        async for client in turns(bench):
            began = time.perf_counter()
            answer = await client.ask(EDIT, id=next(lead_ids), title=f"Title {began}")
            took.edits.append(time.perf_counter() - began)
            assert not answer["updateLead"]["userErrors"], answer

    await asyncio.gather(read(), write())


async def turns(bench: Bench) -> AsyncIterator[Client]:
    """Give a client so many times a second, signed in anew before what it has been given ends."""
    while True:
        client, until = await signed_in(bench.home), time.perf_counter() + SIGNED_IN_SECONDS
        try:
            while time.perf_counter() < until:
                next_turn = time.perf_counter() + 1 / bench.rate
                yield client
                await asyncio.sleep(max(next_turn - time.perf_counter(), 0))
        finally:
            client.close()


async def signed_in(home: House) -> Client:
    asking = Client(home.address)
    answer = await asking.ask(SIGN_IN)
    asking.close()
    return Client(home.address, answer["signIn"]["accessToken"])


async def once(bench: Bench, query: str, **variables: Any) -> dict[str, Any]:
    """Ask something over a connection of its own: what is kept alive is closed while this waits."""
    client = await signed_in(bench.home)
    try:
        return await client.ask(query, **variables)
    finally:
        client.close()


def workers_of(bench: Bench) -> list[psutil.Process]:
    children = psutil.Process(bench.home.process.pid).children(recursive=True)
    own = [one for one in children if "worker" in one.cmdline()]
    return own + [psutil.Process(other.pid) for other in bench.others]


def cpu(bench: Bench) -> dict[str, float]:
    used = bench.home.cpu()
    for other in bench.others:
        times = psutil.Process(other.pid).cpu_times()
        used["worker"] = used.get("worker", 0.0) + times.user + times.system
    return used


async def settled(connection: Any) -> None:
    while (await connection.fetchrow(LEFT))["found"]:
        await asyncio.sleep(0.05)


async def measure(bench: Bench, name: str, mutation: str, key: str) -> None:
    """Put a model into use, wait until it has scored all leads, and print the figures."""
    connection = await asyncpg.connect(bench.url)
    await settled(connection)
    before, during = Asked(), Asked()
    with suppress(TimeoutError):
        await asyncio.wait_for(steadily(bench, before), BEFORE_SECONDS)
    await settled(connection)
    workers, most, spent = workers_of(bench), 0, cpu(bench)
    first = sum(worker.memory_info().rss for worker in workers)
    load = asyncio.create_task(steadily(bench, during))
    began, at = time.perf_counter(), datetime.now(UTC)
    answer = await once(bench, mutation, id=key)
    assert not next(iter(answer.values()))["userErrors"], answer
    left = True
    while left:
        assert not load.done(), load
        await asyncio.sleep(0.1)
        most = max(most, *(worker.memory_info().rss for worker in workers))
        left = await connection.fetchval(SCORING)
    took = time.perf_counter() - began
    load.cancel()
    await asyncio.gather(load, return_exceptions=True)
    await settled(connection)
    used = {part: total - spent.get(part, 0.0) for part, total in cpu(bench).items()}
    told(f"scoring_{name}", took, "s from the mutation to the last lead")
    told(f"scoring_{name}_all", time.perf_counter() - began, "s until what follows of it is done")
    told(f"scoring_{name}_unscored", await connection.fetchval(UNSCORED, at), "leads")
    for part in ("worker", "postgres", "relay", "api"):
        told(f"scoring_{name}_cpu_{part}", used.get(part, 0.0), "s")
    told(f"scoring_{name}_worker_memory", most / 2**20, f"MB at most, {first / len(workers) / 2**20:.0f} before")
    for what, asked in (("before", before), ("during", during)):
        told_times(f"scoring_{name}_page_{what}", asked.pages)
        told_times(f"scoring_{name}_edit_{what}", asked.edits)
        told(f"scoring_{name}_edit_{what}_longest", max(asked.edits) * 1000, "ms")
    [facts] = await connection.fetch(FACTS)
    print("  " + ", ".join(f"{what}: {number}" for what, number in facts.items()))
    print(f"  load of the machine: {os.getloadavg()[0]:.1f}", flush=True)
    await connection.close()


async def add_learned(bench: Bench) -> str:
    """Add a version to a new model that learns, as a training does; return its id."""
    made = await once(bench, MAKE, input={"name": "Learned", "kind": "LEARNED"})
    key = ids.decode(made["createScoreModel"]["scoreModel"]["id"], "ScoreModel")
    await database.open_database(bench.url, pool_size=2)
    row = await ScoreModel.get(id=key)
    content = {"model": learned(bench.tier, bench.size).to_json(), "age_days": 14}
    async with database.transaction():
        version = await score_models.add_version(
            row, content, state=ScoreVersionState.CANDIDATE, by=None, now=datetime.now(UTC)
        )
    await database.close_database()
    return ids.encode("ScoreModelVersion", version.id)


async def run(folder: Path, leads: int, workers: int, rate: float, rules_only: bool) -> None:
    with house(folder) as home, more_workers(home, workers - 1, environment()) as others:
        signing = Client(home.address)
        await signing.ask(SIGN_UP)
        signing.close()
        url = database_of(home)
        tier, size, lead_ids = await fill(url, leads)
        bench = Bench(home, others, url, rate, lead_ids, tier, size)
        made = await once(bench, MAKE, input={"name": "Ours", "kind": "RULES", "rules": rules(tier)})
        assert not made["createScoreModel"]["userErrors"], made
        await measure(bench, "rules", PUBLISH, made["createScoreModel"]["scoreModel"]["id"])
        if not rules_only:
            await measure(bench, "learned", PROMOTE, await add_learned(bench))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rate", type=float, default=20, help="pages and edits a second")
    parser.add_argument("--rules-only", action="store_true", help="promote no learned model")
    parser.add_argument("--data-dir", type=Path)
    chosen = parser.parse_args()
    os.environ["SECRET_KEY"] = "for this bench only, and longer than thirty-two characters"
    with some_folder(chosen.data_dir) as folder:
        uvloop.run(run(folder, chosen.leads, chosen.workers, chosen.rate, chosen.rules_only))


if __name__ == "__main__":
    main()
