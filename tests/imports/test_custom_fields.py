"""Custom fields of files: read by their types, with the same checks as anywhere, and known again the next time."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from domain import custom_fields
from domain.actors import Actor
from domain.custom_fields import CustomFieldDetails, Option
from domain.custom_values import UnknownCustomField
from domain.errors import DomainError
from domain.imports import custom as imported
from domain.imports.custom import CustomFieldChanged
from domain.imports.errors import UnknownImportField
from domain.imports.taking import Taking
from models.companies import Company
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType
from models.imports import Import, ImportKind
from models.leads import Lead
from models.users import Role, User
from tests.factories import NOW, custom_field, events, member
from tests.imports.importing import counts, faults, mapping, seller, take, written

pytestmark = pytest.mark.usefixtures("db")
LEADS = """
system: erp
external_id: id
file: {decimal: ",", dates: day-first}
fields:
  title: title
  "custom:size": size
  "custom:end": {column: end, default: "31.12.2026"}
  "custom:budget": budget
  "custom:tier": {column: tier, values: {best: gold}}
  "custom:uses": uses
  "custom:hot": hot
  "custom:engineer": engineer
  "custom:note": {constant: "Robert'); DROP TABLE lead; --"}
"""
HEADER = ["id", "title", "size", "end", "budget", "tier", "uses", "hot", "engineer"]
OPTIONS = [Option("gold", "Gold 🥇"), Option("tin", "Tin plated"), Option("clay", "Clay", archived=True)]
KINDS = {
    "size": CustomFieldType.NUMBER,
    "end": CustomFieldType.DATE,
    "budget": CustomFieldType.MONEY,
    "tier": CustomFieldType.CHOICE,
    "uses": CustomFieldType.MULTI_CHOICE,
    "hot": CustomFieldType.YES_NO,
    "engineer": CustomFieldType.USER,
    "note": CustomFieldType.TEXT,
}


async def fields(actor: Actor, owner: CustomFieldOwner = CustomFieldOwner.LEAD) -> dict[str, CustomField]:
    choices = custom_fields.CHOICES
    return {
        key: await custom_field(actor, key, kind, owner=owner, options=OPTIONS if kind in choices else ())
        for key, kind in KINDS.items()
    }


async def leads_of(actor: Actor, path: Path, rows: list[list[str]], **more: Any) -> Import:
    return await take(actor, ImportKind.LEADS, written(path, [HEADER, *rows]), mapping(LEADS), **more)


def named(row: Lead | Company, known: dict[str, CustomField]) -> dict[str, Any]:
    return {key: row.custom[field.id.hex] for key, field in known.items() if field.id.hex in row.custom}


async def test_rows_fill_custom_fields_of_every_type(tmp_path: Path) -> None:
    actor = await seller()
    known = await fields(actor)
    ann = await member(Role.REP, of=actor, name="Ann")
    address = (await User.get(id=ann.user_id)).email
    first = ["1", "Roof", "1.250,50", "28.02.2026", "12,50 EUR", "best", "Gold 🥇|Tin plated", "yes", str(address)]
    row = await leads_of(actor, tmp_path, [first, ["2", "Bare", "", "", "", "", "", "", ""]])

    assert (counts(row), await faults(row)) == ((2, 0, 0, 0), [])
    note = "Robert'); DROP TABLE lead; --"
    roof, bare = [await Lead.get(workspace_id=actor.workspace_id, title=title) for title in ("Roof", "Bare")]
    assert named(roof, known) == {
        "size": "1250.5",
        "end": "2026-02-28",
        "budget": {"amount": "12.5", "currencyCode": "EUR"},
        "tier": "gold",
        "uses": ["gold", "tin"],
        "hot": True,
        "engineer": str(ann.user_id),
        "note": note,
    }
    assert named(bare, known) == {"end": "2026-12-31", "note": note}


async def test_the_same_file_changes_nothing_and_a_new_one_what_it_says_anew(tmp_path: Path) -> None:
    actor = await seller()
    known = await fields(actor)
    rows = [["1", "Roof", "1", "", "", "gold", "", "", ""]]
    await leads_of(actor, tmp_path, rows)
    lead = await Lead.get(workspace_id=actor.workspace_id)
    await Lead.filter(id=lead.id).update(custom=lead.custom | {known["size"].id.hex: "7"})
    again = await leads_of(actor, tmp_path, rows, now=NOW + timedelta(hours=1))
    changed = await leads_of(
        actor, tmp_path, [["1", "Roof", "1", "", "", "", "", "no", ""]], now=NOW + timedelta(hours=2)
    )
    assert (counts(again), counts(changed)) == ((0, 0, 1, 0), (0, 1, 0, 0))
    lead = await Lead.get(workspace_id=actor.workspace_id)
    assert {key: value for key, value in named(lead, known).items() if key not in ("end", "note")} == {
        "size": "7",
        "hot": False,
    }
    told = (await events(lead.id))[-1].data["changes"]
    assert told == {"custom.tier": ["gold", None], "custom.hot": [None, False]}


async def test_a_row_whose_values_do_not_fit_is_reported_by_column(tmp_path: Path) -> None:
    actor = await seller()
    await fields(actor)
    stranger = await member(name="Nobody")
    address = str((await User.get(id=stranger.user_id)).email)
    row = await leads_of(
        actor,
        tmp_path,
        [
            ["1", "A", "many", "31.02.2026", "12", "bronze", "gold;lead", "perhaps", ""],
            ["2", "B", "", "", "", "", "", "", address],
            ["3", "C", "", "", "", "clay", "", "", ""],
            ["4", "D", "1", "", "", "", "", "", ""],
        ],
    )
    assert counts(row) == (1, 0, 0, 3)
    assert sorted((line, column, value) for line, column, value, _ in await faults(row)) == sorted(
        [
            (2, "size", "many"),
            (2, "end", "31.02.2026"),
            (2, "budget", "12"),
            (2, "tier", "bronze"),
            (2, "uses", "gold;lead"),
            (2, "hot", "perhaps"),
            (3, "engineer", address),
            (4, "tier", "clay"),
        ]
    )


async def test_companies_are_filled_and_known_again(tmp_path: Path) -> None:
    actor = await seller()
    known = await fields(actor, CustomFieldOwner.COMPANY)
    given = mapping('{system: erp, external_id: id, fields: {name: name, "custom:size": size, "custom:hot": hot}}')

    async def taken(*rows: list[str], hours: int) -> Import:
        path = written(tmp_path, [["id", "name", "size", "hot"], *rows])
        return await take(actor, ImportKind.COMPANIES, path, given, now=NOW + timedelta(hours=hours))

    first = await taken(["1", "Acme", "5", "no"], ["2", "Bolt", "", ""], hours=0)
    second = await taken(["1", "Acme", "6", "no"], ["2", "Bolt", "", ""], hours=1)
    assert (counts(first), counts(second)) == ((2, 0, 0, 0), (0, 1, 1, 0))
    acme, bolt = [await Company.get(workspace_id=actor.workspace_id, name=name) for name in ("Acme", "Bolt")]
    assert (named(acme, known), bolt.custom) == ({"size": "6", "hot": False}, {})
    created, updated = await events(acme.id)
    assert created.data["changes"]["custom.size"] == [None, "5"]
    assert updated.data["changes"] == {"custom.size": ["5", "6"]}


@pytest.mark.parametrize("name", ["custom:none", "custom:", "custom:'; --", f"custom:{'x' * 10_000}"])
async def test_a_mapping_that_names_no_custom_field_is_refused(tmp_path: Path, name: str) -> None:
    actor = await seller()
    given = mapping("{system: erp, external_id: id}") | {"fields": {"title": "title", name: "size"}}
    with pytest.raises(UnknownCustomField):
        await take(actor, ImportKind.LEADS, written(tmp_path, [["id", "title", "size"], ["1", "A", "1"]]), given)


async def test_products_have_none(tmp_path: Path) -> None:
    actor = await seller()
    given = mapping('{system: erp, external_id: id, fields: {name: name, "custom:size": size}}')
    with pytest.raises(UnknownImportField):
        await take(actor, ImportKind.PRODUCTS, written(tmp_path, [["id", "name", "size"], ["1", "A", "1"]]), given)


@pytest.mark.parametrize("deed", ["archive", "retype"])
async def test_a_field_that_is_changed_meanwhile_ends_the_import_at_its_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, deed: str
) -> None:
    actor = await seller()
    known = await fields(actor)
    settle, chunks = imported.Custom.settle, 0

    async def settling(self: imported.Custom, taking: Taking, rows: Any) -> Any:
        nonlocal chunks
        chunks += 1
        return await settle(self, taking, rows)

    async def changed(row: Import) -> None:
        if deed == "archive":
            await custom_fields.archive(actor, known["size"].id, now=NOW)
        else:
            details = CustomFieldDetails(type=CustomFieldType.TEXT)
            await custom_fields.update(actor, known["size"].id, details, now=NOW)

    bind = imported.Custom.bind

    async def binding(actor: Actor, mapping: Any) -> imported.Custom:
        found = await bind(actor, mapping)
        await changed(Import())
        return found

    monkeypatch.setattr(imported.Custom, "settle", settling)
    monkeypatch.setattr(imported.Custom, "bind", binding)
    with pytest.raises(DomainError) as caught:
        await leads_of(actor, tmp_path, [["1", "Roof", "1", "", "", "", "", "", ""]])
    assert isinstance(caught.value, CustomFieldChanged)
    assert chunks == 1
    assert await Lead.filter(workspace_id=actor.workspace_id).count() == 0
