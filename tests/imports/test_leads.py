"""Leads of a file: where they stand, what they keep when the file or a person changes them, what is refused."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain import campaigns, closings, hand_overs, leads, moves
from domain.campaigns import CampaignDetails
from domain.errors import DomainError, Forbidden
from domain.imports.errors import StageContradictsStatus, UnknownImportStage, UnknownPipeline
from domain.leads import LeadDetails, live_columns
from domain.money import Money
from models.campaigns import Campaign
from models.catalog import LostReason
from models.companies import Company, Relationship
from models.events import Event
from models.exchange_rates import ExchangeRate
from models.external_refs import ExternalRef
from models.hand_overs import HandOver, HandOverStatus
from models.imports import Import, ImportKind, ImportStatus
from models.leads import Lead, LeadStatus
from models.products import Product
from models.stages import Stage, StageTransition
from models.users import Membership, Role
from tests.factories import NOW, member
from tests.imports.importing import counts, faults, mapping, seller, take, written

MAPPING = mapping(
    """
system: crm
external_id: id
file: {dates: year-first, decimal: "."}
fields:
  title: title
  company: company
  product: {column: product, values: {GTXPro: GTX Pro}}
  owner: owner
  stage:
    column: stage
    values:
      Engaging: {stage: Qualified}
      Won: {stage: Won, from: Negotiation}
      Lost: {stage: Qualified, status: LOST}
      Junk: {status: DISQUALIFIED}
  value: value
  currency: currency
  lost_reason: reason
  engaged_at: engaged
  closed_at: closed
"""
)
HEADER = ["id", "title", "company", "product", "owner", "stage", "value", "currency", "reason", "engaged", "closed"]


def line(**cells: str) -> list[str]:
    known = {"id": "1", "title": "Pump", "stage": "Engaging", "engaged": "2025-11-03"} | cells
    return [known.get(name, "") for name in HEADER]


async def taken(actor: Any, folder: Path, *rows: list[str], **more: Any) -> Import:
    return await take(actor, ImportKind.LEADS, written(folder, [HEADER, *rows]), MAPPING, **more)


async def lead_of(actor: Any, external_id: str = "1") -> Lead:
    ref = await ExternalRef.get(workspace_id=actor.workspace_id, system="crm", external_id=external_id)
    return await Lead.get(id=ref.subject_id).prefetch_related("stage", "owner", "company", "product")


async def history(lead: Lead) -> list[tuple[str | None, str, datetime, int | None]]:
    rows = (
        await StageTransition.filter(lead_id=lead.id)
        .order_by("moved_at", "id")
        .prefetch_related("from_stage", "to_stage")
    )
    return [
        (row.from_stage.name if row.from_stage else None, row.to_stage.name, row.moved_at, row.stayed_seconds)
        for row in rows
    ]


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


async def stage_named(actor: Any, name: str) -> Stage:
    return await Stage.get(workspace_id=actor.workspace_id, name=name)


async def test_an_open_lead_entered_its_stage_when_it_was_engaged(db: str, tmp_path: Path) -> None:
    actor = await seller()
    row = await taken(actor, tmp_path, line(company="Globex", owner="Ann Lee", value="12.5"))
    assert counts(row) == (1, 0, 0, 0)
    lead = await lead_of(actor)
    assert (lead.stage.name, lead.status, lead.probability) == ("Qualified", LeadStatus.OPEN, lead.stage.probability)
    assert (lead.engaged_at, lead.stage_entered_at, lead.closed_at) == (at("2025-11-03"), at("2025-11-03"), None)
    assert (lead.value, lead.currency, lead.closing_rate) == (Decimal("12.5"), "EUR", None)
    assert (lead.created_at, lead.version) == (NOW, 1)
    assert lead.company and lead.company.relationship is Relationship.PROSPECT
    assert await history(lead) == [(None, "Qualified", at("2025-11-03"), None)]


async def test_a_won_lead_has_its_history_and_the_rate_of_its_day(db: str, tmp_path: Path) -> None:
    actor = await seller()
    for day, rate in ((date(2025, 1, 1), "0.9"), (date(2025, 12, 1), "0.8"), (date(2026, 1, 1), "0.7")):
        await ExchangeRate.create(
            workspace_id=actor.workspace_id, currency="USD", rate=Decimal(rate), valid_on=day, created_at=NOW
        )
    won = line(stage="Won", closed="2025-12-31", value="100", currency="usd", company="Globex")
    await taken(actor, tmp_path, won)
    lead = await lead_of(actor)
    assert (lead.stage.name, lead.status, lead.probability) == ("Won", LeadStatus.WON, Decimal(1))
    assert (lead.closed_at, lead.stage_entered_at, lead.closing_rate) == (
        at("2025-12-31"),
        at("2025-12-31"),
        Decimal("0.8"),
    )
    assert lead.company and lead.company.relationship is Relationship.CUSTOMER
    assert await history(lead) == [
        (None, "Negotiation", at("2025-11-03"), None),
        ("Negotiation", "Won", at("2025-12-31"), 58 * 86_400),
    ]


async def test_lost_and_disqualified_leads_keep_the_stage_they_were_closed_from(db: str, tmp_path: Path) -> None:
    actor = await seller()
    lost = line(stage="Lost", closed="2025-12-31", reason="price too high")
    junk = line(id="2", stage="Junk", closed="2025-11-30", engaged="")
    assert counts(await taken(actor, tmp_path, lost, junk)) == (2, 0, 0, 0)
    first, second = await lead_of(actor), await lead_of(actor, "2")
    reason = await LostReason.get(workspace_id=actor.workspace_id, name="Price too high")
    assert (first.status, first.stage.name, first.lost_reason_id) == (LeadStatus.LOST, "Qualified", reason.id)
    assert (first.probability, first.stage_entered_at) == (Decimal(0), at("2025-11-03"))
    assert (second.status, second.stage.name, second.engaged_at) == (LeadStatus.DISQUALIFIED, "New", None)
    assert await history(second) == [(None, "New", at("2025-11-30"), None)]


async def test_events_carry_what_live_readers_test(db: str, tmp_path: Path) -> None:
    actor = await seller()
    row = await taken(actor, tmp_path, line(stage="Won", closed="2025-12-31", value="100", owner="Ann Lee"))
    lead = await lead_of(actor)
    captured, closed = await Event.filter(subject_id=lead.id).order_by("id")
    assert (captured.name, captured.occurred_at) == ("lead.captured", at("2025-11-03"))
    assert (closed.name, closed.occurred_at) == ("lead.closed", at("2025-12-31"))
    assert captured.data["before"] is None and captured.data["bulk"] is closed.data["bulk"] is True
    assert captured.data["version"] == closed.data["version"] == 1
    assert closed.data["after"] == live_columns(lead, [])
    negotiation = await stage_named(actor, "Negotiation")
    was = live_columns(lead, []) | {
        "status": "OPEN",
        "stage_id": str(negotiation.id),
        "closed_at": None,
    }
    assert captured.data["after"] == closed.data["before"] == was
    assert captured.actor == {"kind": "USER", "user": str(actor.user_id), "task": f"import:{row.id}"}


async def test_the_same_file_changes_nothing_whatever_people_edited(db: str, tmp_path: Path) -> None:
    actor = await seller()
    await taken(actor, tmp_path, line(value="10"))
    lead = await lead_of(actor)
    negotiation = await stage_named(actor, "Negotiation")
    await leads.update(actor, lead.id, LeadDetails(title="Big pump", value=Money(Decimal(99), "EUR")), now=NOW)
    await moves.move(actor, lead.id, stage_id=negotiation.id, now=NOW)
    events = await Event.filter(subject_id=lead.id).count()
    assert counts(await taken(actor, tmp_path, line(value="10"))) == (0, 0, 1, 0)
    again = await lead_of(actor)
    assert (again.title, again.value, again.stage.name, again.version) == ("Big pump", Decimal(99), "Negotiation", 3)
    assert await Event.filter(subject_id=lead.id).count() == events


async def test_a_changed_file_changes_what_changed_in_it_and_nothing_else(db: str, tmp_path: Path) -> None:
    actor = await seller()
    await taken(actor, tmp_path, line(value="10", owner="Ann Lee"))
    lead = await lead_of(actor)
    negotiation = await stage_named(actor, "Negotiation")
    await leads.update(actor, lead.id, LeadDetails(title="Big pump"), now=NOW)
    await moves.move(actor, lead.id, stage_id=negotiation.id, now=NOW)
    later = NOW + timedelta(days=1)
    assert counts(await taken(actor, tmp_path, line(value="25", owner="Ann Lee"), now=later)) == (0, 1, 0, 0)
    again = await lead_of(actor)
    assert (again.value, again.title, again.stage.name, again.version) == (Decimal(25), "Big pump", "Negotiation", 4)
    event = await Event.filter(subject_id=lead.id).order_by("-id").first()
    assert event and (event.name, event.data["version"], event.data["bulk"]) == ("lead.updated", 4, True)
    assert event.data["changes"] == {"value": ["10", "25"]}
    assert event.data["after"] == live_columns(again, [])


async def test_a_lead_that_the_file_has_won_meanwhile_is_closed(db: str, tmp_path: Path) -> None:
    actor = await seller()
    await taken(actor, tmp_path, line(company="Globex"))
    won = line(company="Globex", stage="Won", closed="2025-12-31", value="100")
    assert counts(await taken(actor, tmp_path, won)) == (0, 1, 0, 0)
    lead = await lead_of(actor)
    assert (lead.status, lead.stage.name, lead.closed_at) == (LeadStatus.WON, "Won", at("2025-12-31"))
    assert (lead.probability, lead.closing_rate, lead.version) == (Decimal(1), Decimal(1), 2)
    assert (await history(lead))[-1] == ("Qualified", "Won", at("2025-12-31"), 58 * 86_400)
    company = await Company.get(workspace_id=actor.workspace_id)
    assert company.relationship is Relationship.CUSTOMER
    event = await Event.filter(subject_id=lead.id).order_by("-id").first()
    assert event and event.name == "lead.closed" and event.data["after"] == live_columns(lead, [])


@pytest.mark.parametrize("ended", [line(stage="Won", closed="2025-12-31"), line(owner="Ann Lee")])
async def test_a_lead_that_the_file_closes_or_gives_away_waits_for_no_acceptance_any_more(
    ended: list[str], db: str, tmp_path: Path
) -> None:
    actor = await seller()
    rep = await member(Role.REP, of=actor)
    assert rep.user_id
    await taken(actor, tmp_path, line())
    lead = await lead_of(actor)
    await hand_overs.hand_over(actor, lead.id, rep.user_id, now=NOW)
    assert counts(await taken(actor, tmp_path, ended, now=NOW + timedelta(days=1))) == (0, 1, 0, 0)
    over = await HandOver.get(lead_id=lead.id)
    assert (over.status, over.decided_at) == (HandOverStatus.OBSOLETE, NOW + timedelta(days=1))


async def test_a_lost_lead_that_the_file_reopens_is_open_again(db: str, tmp_path: Path) -> None:
    actor = await seller()
    await taken(actor, tmp_path, line(stage="Lost", closed="2025-12-31", reason="No budget"))
    await taken(actor, tmp_path, line(stage="Negotiation"))
    lead = await lead_of(actor)
    assert (lead.status, lead.stage.name, lead.closed_at) == (LeadStatus.OPEN, "Negotiation", None)
    assert (lead.lost_reason_id, lead.closing_rate, lead.probability) == (None, None, lead.stage.probability)
    event = await Event.filter(subject_id=lead.id).order_by("-id").first()
    assert event and event.name == "lead.reopened"


async def test_a_lead_lost_here_and_there_keeps_our_stage(db: str, tmp_path: Path) -> None:
    actor = await seller()
    await taken(actor, tmp_path, line())
    lead = await lead_of(actor)
    await moves.move(actor, lead.id, stage_id=(await stage_named(actor, "Proposal sent")).id, now=NOW)
    await taken(actor, tmp_path, line(stage="Lost", closed="2026-02-01"))
    lead = await lead_of(actor)
    assert (lead.status, lead.stage.name) == (LeadStatus.LOST, "Proposal sent")


async def test_a_lead_deleted_here_stays_deleted(db: str, tmp_path: Path) -> None:
    actor = await seller()
    await taken(actor, tmp_path, line())
    await leads.delete(actor, (await lead_of(actor)).id, now=NOW)
    assert counts(await taken(actor, tmp_path, line(value="5"))) == (0, 0, 1, 0)
    assert (await lead_of(actor)).deleted_at == NOW


async def test_a_lead_closed_here_and_unchanged_there_stays_closed(db: str, tmp_path: Path) -> None:
    actor = await seller()
    await taken(actor, tmp_path, line())
    lead = await lead_of(actor)
    await closings.close(actor, lead.id, LeadStatus.WON, now=NOW)
    await taken(actor, tmp_path, line(title="Another title"))
    lead = await lead_of(actor)
    assert (lead.status, lead.title, lead.closed_at) == (LeadStatus.WON, "Another title", NOW)


BAD = [
    (line(id=""), "id", "", "id is required"),
    (line(value="NaN"), "value", "NaN", "value is not a number"),
    (line(value="1e400"), "value", "1e400", "value is not a number"),
    (line(value="-5"), "value", "-5", "value must be between 0"),
    (line(value="12.34567"), "value", "12.34567", "at most four decimals"),
    (line(value="9" * 20), "value", "9" * 20, "value must be between 0"),
    (line(currency="XQX"), "currency", "XQX", "ISO 4217"),
    (line(engaged="yesterday"), "engaged", "yesterday", "engaged is not a date"),
    (line(engaged="2025-02-30"), "engaged", "2025-02-30", "engaged is not a date"),
    (line(engaged="0001-01-01"), "engaged", "0001-01-01", "engaged must be between 1900 and 2200"),
    (line(engaged="2199-01-01"), "engaged", "2199-01-01", "in the future"),
    (line(stage="Limbo"), "stage", "Limbo", "no stage Limbo"),
    (line(stage="Won"), "closed", None, "needs the date of its closing"),
    (line(stage="Won", closed="2025-10-01"), "closed", "2025-10-01", "closed before it was engaged"),
    (line(product="GTXX"), "product", "GTXX", "There is no product of this name"),
    (line(product="GTXPro"), "product", "GTXPro", "There is no product of this name"),
    (line(stage="Lost", closed="2025-12-31", reason="Bad luck"), "reason", "Bad luck", "There is no lost reason"),
    (line(title="x" * 300), "title", "x" * 200 + "…", "title has 300 characters"),
    (line(title="nul\0byte"), "title", "nul�byte", "control characters"),
    (line(company="y" * 300), "company", "y" * 200 + "…", "company has 300 characters"),
    (line()[:-1], None, None, "The line has 10 cells; the header has 11."),
    ([*line(), "more"], None, None, "The line has 12 cells; the header has 11."),
]


@pytest.mark.parametrize(("bad", "column", "value", "why"), BAD)
async def test_a_bad_row_is_reported_and_skipped(
    db: str, tmp_path: Path, bad: list[str], column: str | None, value: str | None, why: str
) -> None:
    actor = await seller()
    row = await taken(actor, tmp_path, line(id="good"), bad, line(id="too"))
    assert (row.status, counts(row)) == (ImportStatus.COMPLETED, (2, 0, 0, 1))
    [(number, told_column, told_value, reason)] = await faults(row)
    assert (number, told_column) == (3, column)
    assert told_value == value or column is None
    assert why in reason
    assert not await Company.filter(workspace_id=actor.workspace_id).exists()
    assert await Lead.filter(workspace_id=actor.workspace_id).count() == 2


async def test_what_only_a_skipped_row_names_is_not_created(db: str, tmp_path: Path) -> None:
    actor = await seller()
    row = await taken(actor, tmp_path, line(product="GTXX", company="Globex", owner="Ann Lee"), line(id="2"))
    assert counts(row) == (1, 0, 0, 1)
    assert not await Company.filter(workspace_id=actor.workspace_id).exists()
    assert not await Membership.filter(workspace_id=actor.workspace_id, active=False).exists()


async def test_everything_that_is_wrong_with_a_row_is_told(db: str, tmp_path: Path) -> None:
    actor = await seller()
    row = await taken(actor, tmp_path, line(value="x", engaged="y", currency="z"))
    assert counts(row) == (0, 0, 0, 1)
    assert {column for _, column, _, _ in await faults(row)} == {"value", "engaged", "currency"}


async def test_an_id_that_comes_twice_is_taken_once(db: str, tmp_path: Path) -> None:
    actor = await seller()
    rows = [line(id=str(n)) for n in range(7)] + [line(id="2", title="Other")]
    row = await taken(actor, tmp_path, *rows, chunk_size=3)
    assert counts(row) == (7, 0, 0, 1)
    assert await faults(row) == [(9, "id", "2", "The same id stands on line 4 already.")]
    again = await taken(actor, tmp_path, *rows, chunk_size=3)
    assert counts(again) == (0, 0, 7, 1)


async def test_owners_are_found_by_name_and_by_address_and_never_guessed(db: str, tmp_path: Path) -> None:
    actor = await seller()
    ann = await member(Role.REP, of=actor, name="Ann  LEE")
    await member(Role.REP, of=actor, name="Bo Ek")
    await member(Role.REP, of=actor, name="Bo Ek")
    membership = await Membership.get(workspace_id=actor.workspace_id, user_id=ann.user_id).prefetch_related("user")
    stranger = await member(Role.REP, name="Cy Twombly")
    rows = [line(id="1", owner="ann lee"), line(id="2", owner=(membership.user.email or "").upper())]
    rows += [line(id="3", owner="Bo Ek"), line(id="4", owner="Cy Twombly"), line(id="5", owner="CY TWOMBLY")]
    row = await taken(actor, tmp_path, *rows)
    assert counts(row) == (4, 0, 0, 1)
    assert [(fault[0], fault[3]) for fault in await faults(row)] == [
        (4, "There are several members of this name: use their email addresses.")
    ]
    assert (await lead_of(actor, "1")).owner_id == (await lead_of(actor, "2")).owner_id == ann.user_id
    fourth, fifth = await lead_of(actor, "4"), await lead_of(actor, "5")
    assert fourth.owner_id == fifth.owner_id != stranger.user_id
    created = await Membership.get(workspace_id=actor.workspace_id, user_id=fourth.owner_id)
    assert (created.active, created.role) == (False, Role.REP)


async def test_products_are_found_by_their_synonyms(db: str, tmp_path: Path) -> None:
    actor = await seller()
    product = await Product.create(
        workspace_id=actor.workspace_id, name="GTX Pro", name_normalised="gtx pro", created_at=NOW, updated_at=NOW
    )
    row = await taken(actor, tmp_path, line(product="GTXPro"), line(id="2", product=" gtx  PRO"))
    assert counts(row) == (2, 0, 0, 0)
    assert {(await lead_of(actor, key)).product_id for key in "12"} == {product.id}


async def test_campaigns_are_found_by_name_or_made_and_change_with_the_file(db: str, tmp_path: Path) -> None:
    actor = await seller()
    known = await campaigns.create(actor, CampaignDetails(name="Spring fair"), now=NOW)
    gone = await campaigns.create(actor, CampaignDetails(name="Letters"), now=NOW)
    await campaigns.archive(actor, gone.id, now=NOW)
    made = {"fields": {**MAPPING["fields"], "campaign": {"column": "product", "missing": "create"}}}
    del made["fields"]["product"]
    found = {"fields": {**made["fields"], "campaign": {"column": "product"}}}

    def rows(*names: str) -> Path:
        lines = [line(id=str(number), product=name) for number, name in enumerate(names)]
        return written(tmp_path, [HEADER, *lines])

    refused = await take(actor, ImportKind.LEADS, rows("Letters", " spring  FAIR"), MAPPING | found)
    first = await take(actor, ImportKind.LEADS, rows("Letters", "Spring fair", "Webinar"), MAPPING | made)
    again = await take(actor, ImportKind.LEADS, rows("Letters", "webinar", "Webinar"), MAPPING | made)

    assert await faults(refused) == [(2, "product", "Letters", "There is no campaign of this name.")]
    assert [counts(one) for one in (refused, first, again)] == [(1, 0, 0, 1), (2, 0, 1, 0), (0, 1, 2, 0)]
    names = {row.id: row.name for row in await Campaign.filter(workspace_id=actor.workspace_id, archived_at=None)}
    assert sorted(names.values()) == ["Letters", "Spring fair", "Webinar"] and names[known.id] == "Spring fair"
    brought = [(await lead_of(actor, str(number))).campaign_id for number in range(3)]
    assert [names[key] for key in brought if key] == ["Letters", "Webinar", "Webinar"]


def staged(target: Any) -> dict[str, Any]:
    return {"fields": {"stage": {"column": "stage", "values": {"a": target}}}}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"pipeline": "Nowhere"}, UnknownPipeline),
        (staged("Limbo"), UnknownImportStage),
        (staged({"stage": "Won", "status": "LOST"}), StageContradictsStatus),
        (staged({"stage": "Won", "from": "Won"}), StageContradictsStatus),
    ],
)
async def test_a_mapping_that_does_not_fit_the_workspace_ends_the_import(
    db: str, tmp_path: Path, change: dict[str, Any], error: type[DomainError]
) -> None:
    actor = await seller()
    with pytest.raises(error):
        await take(actor, ImportKind.LEADS, written(tmp_path, [HEADER, line()]), MAPPING | change)
    row = await Import.get(workspace_id=actor.workspace_id)
    assert (row.status, row.next_row) == (ImportStatus.FAILED, 0)
    assert row.error and row.error.startswith(f"{error.code}: ")
    assert not await Lead.filter(workspace_id=actor.workspace_id).exists()
    assert await Event.filter(workspace_id=actor.workspace_id, name="import.failed").count() == 1


@pytest.mark.parametrize("role", [Role.REP, Role.QUALIFIER, Role.VIEWER])
async def test_who_may_not_import_imports_nothing(db: str, tmp_path: Path, role: Role) -> None:
    actor = await seller(role)
    with pytest.raises(Forbidden):
        await taken(actor, tmp_path, line())
    assert not await Import.filter(workspace_id=actor.workspace_id).exists()


async def test_a_marketer_does_not_edit_leads_of_others_by_a_file(db: str, tmp_path: Path) -> None:
    admin = await seller()
    await taken(admin, tmp_path, line(owner="Ann Lee"))
    marketer = await member(Role.MARKETER, of=admin)
    row = await taken(marketer, tmp_path, line(owner="Ann Lee", value="1"), line(id="2"))
    assert counts(row) == (1, 0, 0, 1)
    assert (await lead_of(admin)).value is None


async def test_faults_are_all_counted_and_not_all_kept(
    db: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.imports.runs.FAULTS_KEPT", 5)
    actor = await seller()
    row = await taken(actor, tmp_path, *[line(id=str(n), value="x") for n in range(9)], chunk_size=2)
    assert counts(row) == (0, 0, 0, 9)
    assert [fault[0] for fault in await faults(row)] == [2, 3, 4, 5, 6]


async def test_rates_and_time_zone_follow_the_mapping(db: str, tmp_path: Path) -> None:
    actor = await seller()
    berlin = MAPPING | {"file": {"dates": "year-first", "time_zone": "Europe/Berlin"}}
    await take(actor, ImportKind.LEADS, written(tmp_path, [HEADER, line()]), berlin)
    assert (await lead_of(actor)).engaged_at == datetime(2025, 11, 2, 23, tzinfo=UTC)


async def test_a_header_without_rows_is_no_fault(db: str, tmp_path: Path) -> None:
    row = await taken(await seller(), tmp_path)
    assert (row.status, counts(row)) == (ImportStatus.COMPLETED, (0, 0, 0, 0))


async def test_companies_of_the_same_name_are_one_and_named_once_in_the_log(db: str, tmp_path: Path) -> None:
    actor = await seller()
    rows = [line(id="1", company="Globex Corp"), line(id="2", company="GLOBEX  corp"), line(id="3", company="Initech")]
    await taken(actor, tmp_path, *rows, chunk_size=2)
    companies = await Company.filter(workspace_id=actor.workspace_id).order_by("name")
    assert [company.name for company in companies] == ["Globex Corp", "Initech"]
    assert await Event.filter(workspace_id=actor.workspace_id, name="company.created").count() == 2
