"""Imported leads carry the score that the rules give, at once, and nobody scores them a second time."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from domain import companies, scoring
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.jobs import Queue
from domain.leads import live_columns
from domain.scoring import TASK
from domain.scoring.rescoring import rescore
from models.catalog import Source, SourceKind
from models.companies import Company
from models.events import Event
from models.exchange_rates import ExchangeRate
from models.external_refs import ExternalRef
from models.imports import Import, ImportKind
from models.leads import Lead
from models.scoring import ScoreModel
from models.workspaces import Workspace
from tests.domain.test_rescoring import RULES, use
from tests.factories import NOW, events
from tests.imports.importing import mapping, seller, take, written
from workers import relay

HEADER = ["id", "title", "company", "owner", "value", "currency", "source", "engaged", "created", "expected", "status"]
MAPPING = mapping(
    """
    system: crm
    external_id: id
    file: {dates: year-first}
    fields:
      title: title
      company: company
      owner: owner
      value: value
      currency: currency
      source: {column: source, missing: create}
      engaged_at: engaged
      created_at: created
      expected_close_date: expected
      status: status
      closed_at: {column: expected}
    """
)
BARE = dict.fromkeys(HEADER, "") | {"title": "A lead", "status": "OPEN"}


def day(ago: int) -> str:
    return (NOW - timedelta(days=ago)).date().isoformat()


SAID: dict[str, dict[str, str]] = {
    "nothing": {},
    "company": {"company": "Globex"},
    "owner": {"owner": "Ann Lee"},
    "small": {"value": "3"},
    "nothing-worth": {"value": "0"},
    "typical": {"value": "10000"},
    "almost-typical": {"value": "9999.9999"},
    "dollars": {"value": "10500", "currency": "USD"},
    "francs-without-rate": {"value": "11000", "currency": "CHF"},
    "referral": {"source": "Tips"},
    "new-source": {"source": "A list that was bought"},
    "due": {"expected": day(0)},
    "overdue": {"expected": day(1)},
    "old": {"created": day(90)},
    "lately-engaged": {"created": day(90), "engaged": day(5)},
    "engaged-before": {"created": day(10), "engaged": day(300)},
    "silent": {"created": day(300), "engaged": day(61)},
    "all": {
        "company": "Globex",
        "owner": "Ann Lee",
        "value": "54000",
        "currency": "USD",
        "source": "Tips",
        "expected": day(-30),
        "engaged": day(20),
    },
}
COLUMNS = ("score", "grade", "engagement", "score_factors", "scored_at")


async def imported(actor: Actor, folder: Path, said: dict[str, dict[str, str]] = SAID, **more: Any) -> Import:
    rows = [list((BARE | {"id": key} | texts).values()) for key, texts in said.items()]
    return await take(actor, ImportKind.LEADS, written(folder, [HEADER, *rows]), MAPPING, **more)


async def lead_of(actor: Actor, external_id: str) -> Lead:
    ref = await ExternalRef.get(workspace_id=actor.workspace_id, system="crm", external_id=external_id)
    return await Lead.get(id=ref.subject_id)


async def scores(actor: Actor) -> dict[str, tuple[Any, ...]]:
    """Return what is written of every lead's score, by the id in the file."""
    refs = await ExternalRef.filter(workspace_id=actor.workspace_id, subject_type="lead")
    leads = await Lead.in_bulk([ref.subject_id for ref in refs])
    return {ref.external_id: tuple(getattr(leads[ref.subject_id], name) for name in COLUMNS) for ref in refs}


@pytest.fixture
async def actor(db: str) -> Actor:
    """A member of a workspace with a rate, a source of another kind than imports', and a setting."""
    admin = await seller()
    for rate, ago in (("0.5", 400), ("0.92", 30), ("2", -1)):
        await ExchangeRate.create(
            workspace_id=admin.workspace_id,
            currency="USD",
            rate=Decimal(rate),
            valid_on=NOW.date() - timedelta(days=ago),
            created_at=NOW,
        )
    await Source.create(
        workspace_id=admin.workspace_id, name="Tips", kind=SourceKind.REFERRAL, created_at=NOW, updated_at=NOW
    )
    return admin


@pytest.mark.parametrize("typical", [None, 500, "much"])
async def test_an_imported_lead_has_the_score_that_a_captured_one_gets(
    actor: Actor, tmp_path: Path, typical: Any
) -> None:
    await Workspace.filter(id=actor.workspace_id).update(settings={scoring.TYPICAL_VALUE_SETTING: typical})
    await imported(actor, tmp_path, chunk_size=7)
    found = await scores(actor)
    assert found.keys() == SAID.keys()
    leads = Lead.filter(workspace_id=actor.workspace_id)
    keys = await leads.values_list("id", flat=True)
    assert await rescore(actor.workspace_id, keys, now=NOW) == 0  # type: ignore[arg-type]
    await leads.update(score=None, grade=None, score_factors=[], scored_at=None)
    assert await rescore(actor.workspace_id, keys, now=NOW) == len(SAID)  # type: ignore[arg-type]
    assert found == await scores(actor)


async def test_scores_of_an_import_are_those_of_the_rules(actor: Actor, tmp_path: Path) -> None:
    await imported(actor, tmp_path)
    found = {key: columns[0] for key, columns in (await scores(actor)).items()}
    assert found == {
        "nothing": 16,
        "company": 22,
        "owner": 20,
        "small": 16,
        "nothing-worth": 16,
        "typical": 28,
        "almost-typical": 24,
        "dollars": 24,
        "francs-without-rate": 16,
        "referral": 36,
        "new-source": 20,
        "due": 20,
        "overdue": 12,
        "old": 0,
        "lately-engaged": 12,
        "engaged-before": 0,
        "silent": 0,
        "all": 20 + 16 + 6 + 4 + 4 + 4,
    }


async def test_a_closed_lead_comes_without_a_score(actor: Actor, tmp_path: Path) -> None:
    await imported(actor, tmp_path, {"1": {"status": "WON", "value": "5", "expected": day(3), "created": day(9)}})
    assert await scores(actor) == {"1": (None, None, None, [], None)}
    captured, closed = await events((await lead_of(actor, "1")).id)
    assert captured.data["after"]["score"] is closed.data["after"]["score"] is None


async def test_live_readers_are_told_the_score_with_the_lead(actor: Actor, tmp_path: Path) -> None:
    await imported(actor, tmp_path, {"1": SAID["all"]})
    lead = await lead_of(actor, "1")
    [captured] = await events(lead.id)
    assert (captured.name, captured.data["after"]) == ("lead.captured", live_columns(lead, []))
    assert captured.data["after"]["score"] == 54


async def test_a_company_deleted_between_two_chunks_counts_no_more(actor: Actor, tmp_path: Path) -> None:
    await companies.create(actor, CompanyDetails(name="Globex"), now=NOW)
    said = {"1": SAID["company"]}
    await imported(actor, tmp_path, said)
    [globex] = await Company.filter(workspace_id=actor.workspace_id)
    await companies.delete(actor, globex.id, now=NOW)
    await imported(actor, tmp_path, said | {"2": SAID["company"]}, now=NOW + timedelta(hours=1))
    [other] = await Company.filter(workspace_id=actor.workspace_id, deleted_at=None)
    assert (await lead_of(actor, "2")).company_id == other.id != globex.id
    assert [score for score, *_ in (await scores(actor)).values()] == [22, 22]


@pytest.fixture
async def connection(clean_db: str) -> AsyncIterator[Any]:
    """A connection as the relay's own is."""
    one = await asyncpg.connect(clean_db, server_settings=relay.SESSION)
    yield one
    await one.close()


async def test_an_imported_lead_asks_for_no_scoring_until_it_is_edited(connection: Any, tmp_path: Path) -> None:
    actor = await seller()
    said = {"1": {}, "2": {"status": "LOST", "expected": day(3), "created": day(9)}}
    await imported(actor, tmp_path, said)
    placed = await relay.relay_batch(connection)
    told = {row["name"] for row in placed.rows}
    assert {"lead.captured", "lead.closed"} <= told
    follows = {row["task"] for row in await connection.fetch("SELECT task FROM job")}
    assert follows == {"write_faults", "notify", "qualify_all_leads"}
    assert await Event.filter(position=None).count() == 0
    await imported(actor, tmp_path, {"1": {"value": "7"}, "2": said["2"]}, now=NOW + timedelta(hours=1))
    lead = await lead_of(actor, "1")
    placed = await relay.relay_batch(connection)
    jobs = await connection.fetch("SELECT task, queue, arguments ->> 'subject_ids' AS subjects FROM job")
    assert [tuple(job) for job in jobs if job["task"] == TASK] == [(TASK, "bulk", f'["{lead.id}"]')]
    assert len([job for job in placed.jobs if job.queue is Queue.BULK]) == 1


async def test_leads_of_workspaces_with_models_of_their_own_are_scored_by_these_in_bulk(
    connection: Any, tmp_path: Path
) -> None:
    actor = await seller()
    version = await use(actor, RULES)
    await imported(actor, tmp_path, {"1": SAID["all"], "2": {"status": "LOST", "expected": day(3), "created": day(9)}})
    lead = await lead_of(actor, "1")
    assert lead.score is None and lead.grade is None and lead.scored_at is None
    await relay.relay_batch(connection)
    jobs = await connection.fetch("SELECT task, queue, arguments ->> 'subject_ids' AS subjects FROM job")
    assert [tuple(job) for job in jobs if job["task"] == TASK] == [(TASK, "bulk", f'["{lead.id}"]')]
    await rescore(actor.workspace_id, [lead.id], now=NOW, bulk=True)
    assert (await Lead.get(id=lead.id)).score == 60
    await ScoreModel.filter(id=version.model_id).update(active=False)
    await imported(actor, tmp_path, {"3": SAID["all"]}, now=NOW + timedelta(hours=1))
    assert (await lead_of(actor, "3")).score == 22


async def test_nights_find_imported_leads_as_their_time_comes(clean_db: str, tmp_path: Path) -> None:
    actor = await seller()
    await imported(actor, tmp_path)
    assert await scoring.schedule_faded(now=NOW) == 0
    assert await scoring.schedule_faded(now=NOW + timedelta(days=1)) == 1
    assert await scoring.schedule_faded(now=NOW + timedelta(days=2)) == 2
