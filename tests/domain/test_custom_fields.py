"""Custom fields: what a workspace adds, and how its values follow when a field becomes another."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from domain import companies, custom_fields, leads
from domain.actors import Actor
from domain.companies import CompanyDetails
from domain.custom_fields import (
    CustomFieldDetails,
    Merge,
    Option,
    OptionInUse,
    OptionsNotTaken,
    TooManyCustomFields,
    TooManyOptions,
    TooManyValues,
    ValuesDoNotFit,
)
from domain.custom_values import CustomValue, UnknownCustomField, UnknownOption
from domain.errors import (
    AlreadyExists,
    Conflict,
    DomainError,
    Forbidden,
    Invalid,
    Malformed,
    NotFound,
    Required,
    Stale,
    TooLong,
)
from domain.leads import LeadDetails
from domain.unset import UNSET
from models.base import uuid7
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType, IndexState
from models.leads import Lead
from models.users import Role
from tests.factories import NOW, custom_field, events, lead, member, seller

LATER = NOW + timedelta(hours=1)
HOSTILE = [
    "'; DROP TABLE lead; --",
    'a" OR 1=1',
    "{braces} %s $1 ? ?|",
    "Straße 🏗 right",
    "\\x00\\'",
]

pytestmark = pytest.mark.usefixtures("db")


async def noted(actor: Actor, row: Lead, **values: Any) -> Lead:
    given = [CustomValue(key, value) for key, value in values.items()]
    return await leads.update(actor, row.id, LeadDetails(custom=given), now=LATER)


async def kept(row: Lead, field: CustomField) -> Any:
    return (await Lead.get(id=row.id)).custom.get(field.id.hex)


def named(*keys: str) -> list[Option]:
    return [Option(key, key.capitalize()) for key in keys]


async def test_a_field_is_added_changed_archived_restored_and_deleted() -> None:
    actor, key = await seller(), uuid7()
    details = CustomFieldDetails(key="budget", label=" Budget ", type=CustomFieldType.MONEY, description="Of the year")

    made = await custom_fields.create(actor, CustomFieldOwner.LEAD, details, id=key, now=NOW)
    renamed = await custom_fields.update(
        actor, key, CustomFieldDetails(label="Yearly budget", key="yearly"), expected_version=1, now=LATER
    )
    same = await custom_fields.update(actor, key, CustomFieldDetails(label="Yearly budget"), now=LATER)
    with pytest.raises(Conflict):
        await custom_fields.delete(actor, key, now=LATER)
    archived = await custom_fields.archive(actor, key, expected_version=2, now=LATER)
    again = await custom_fields.archive(actor, key, now=LATER)
    with pytest.raises(Conflict):
        await custom_fields.update(actor, key, CustomFieldDetails(label="No"), now=LATER)
    restored = await custom_fields.restore(actor, key, now=LATER)
    await custom_fields.archive(actor, key, now=LATER)
    deleted = await custom_fields.delete(actor, key, now=LATER)
    with pytest.raises(NotFound):
        await custom_fields.restore(actor, key, now=LATER)

    assert (made.label, made.position, made.index_state, made.options) == ("Budget", 0, IndexState.NONE, [])
    assert (renamed.label, renamed.key, same.version) == ("Yearly budget", "yearly", 2)
    assert (archived.version, again.version, restored.archived_at) == (3, 3, None)
    assert deleted.deleted_at == LATER
    told = [event.name.removeprefix("custom_field.") for event in await events(key)]
    assert told == ["created", "updated", "archived", "restored", "archived", "deleted"]


async def test_renaming_a_field_and_its_options_keeps_its_values() -> None:
    actor = await seller()
    field = await custom_field(actor, "tier", CustomFieldType.CHOICE, options=named("gold", "tin"))
    row = await noted(actor, await lead(actor), tier="gold")

    renamed = [Option("gold", "Very important"), Option("tin", "Tin", archived=True)]
    await custom_fields.update(actor, field.id, CustomFieldDetails(key="rank", options=renamed), now=LATER)
    await noted(actor, row, rank="gold")
    with pytest.raises(UnknownOption):
        await noted(actor, row, rank="tin")

    assert await kept(row, field) == "gold"


async def test_every_fault_is_reported_at_once() -> None:
    actor = await seller()
    options = [*named("a", "a"), Option("B", " a "), Option("", "\x00")]

    with pytest.raises(Invalid) as caught:
        await custom_fields.create(
            actor,
            CustomFieldOwner.LEAD,
            CustomFieldDetails(
                key="Not A Key", label="", description="x" * 2001, type=CustomFieldType.CHOICE, options=options
            ),
            now=NOW,
        )

    faults = [(type(fault), ".".join(fault.field or ())) for fault in caught.value.faults]
    assert faults == [
        (Malformed, "key"),
        (Required, "label"),
        (TooLong, "description"),
        (AlreadyExists, "options.1.key"),
        (AlreadyExists, "options.1.label"),
        (Malformed, "options.2.key"),
        (AlreadyExists, "options.2.label"),
        (Required, "options.3.key"),
        (Malformed, "options.3.label"),
    ]


@pytest.mark.parametrize("key", ["", "1st", "Ünder", "a-b", "a" * 41, "a b", "lead'); --", "CustomField_" + "0" * 32])
async def test_a_key_is_a_slug(key: str) -> None:
    actor = await seller()
    with pytest.raises((Malformed, Required)):
        await custom_field(actor, key)


async def test_options_are_for_choices_and_choices_need_them() -> None:
    actor = await seller()
    with pytest.raises(OptionsNotTaken):
        await custom_field(actor, "note", CustomFieldType.TEXT, options=named("a"))
    with pytest.raises(Required):
        await custom_field(actor, "tier", CustomFieldType.CHOICE)
    with pytest.raises(TooManyOptions):
        await custom_field(actor, "tier", CustomFieldType.CHOICE, options=named(*(f"o{n}" for n in range(201))))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
async def test_only_admins_change_fields(role: Role) -> None:
    admin = await seller()
    field = await custom_field(admin, "note")
    other = await member(role, of=admin)
    with pytest.raises(Forbidden):
        await custom_field(other, "mine")
    for change in (custom_fields.archive, custom_fields.delete, custom_fields.restore):
        with pytest.raises(Forbidden):
            await change(other, field.id, now=NOW)
    with pytest.raises(Forbidden):
        await custom_fields.update(other, field.id, CustomFieldDetails(label="Mine"), now=NOW)


async def test_a_stale_edit_is_refused_with_the_current_field() -> None:
    actor = await seller()
    field = await custom_field(actor, "note")
    await custom_fields.update(actor, field.id, CustomFieldDetails(label="First"), now=LATER)
    with pytest.raises(Stale) as caught:
        await custom_fields.update(actor, field.id, CustomFieldDetails(label="Late"), expected_version=1, now=LATER)
    assert caught.value.current.label == "First"


async def test_another_workspaces_field_does_not_exist() -> None:
    actor, stranger = await seller(), await seller()
    field = await custom_field(actor, "note")
    row = await lead(stranger)
    with pytest.raises(NotFound):
        await custom_fields.archive(stranger, field.id, now=NOW)
    for name in ("note", field.id):
        given = [CustomValue(name, "mine")]
        with pytest.raises(UnknownCustomField):
            await leads.update(stranger, row.id, LeadDetails(custom=given), now=NOW)


async def test_a_field_whose_key_was_taken_comes_back_under_another() -> None:
    actor = await seller()
    old = await custom_field(actor, "size")
    row = await noted(actor, await lead(actor), size="big")
    await custom_fields.archive(actor, old.id, now=LATER)
    new = await custom_field(actor, "size")

    tries: list[tuple[Any, type[DomainError]]] = [(UNSET, AlreadyExists), ("size", AlreadyExists), ("Size!", Malformed)]
    for key, refused in tries:
        with pytest.raises(refused) as caught:
            await custom_fields.restore(actor, old.id, key=key, now=LATER)
        assert caught.value.field == ("key",)
    back = await custom_fields.restore(actor, old.id, key="old_size", now=LATER)
    with pytest.raises(Conflict):
        await custom_fields.restore(actor, old.id, key="other", now=LATER)
    same = await custom_fields.restore(actor, old.id, key="old_size", now=LATER)

    assert (back.key, back.archived_at, same.version) == ("old_size", None, back.version)
    assert await kept(row, old) == "big" and await kept(row, new) is None
    assert (await events(old.id))[-1].data["changes"] == {"key": ["size", "old_size"]}


async def test_a_choice_with_an_archived_option_becomes_several_and_one_again() -> None:
    actor = await seller()
    options = [Option("gold", "Gold"), Option("tin", "Tin")]
    field = await custom_field(actor, "tier", CustomFieldType.CHOICE, options=options)
    row = await noted(actor, await lead(actor), tier="tin")
    gone = [options[0], Option("tin", "Tin", archived=True)]
    await custom_fields.update(actor, field.id, CustomFieldDetails(options=gone), now=LATER)

    for kind, value in (
        (CustomFieldType.MULTI_CHOICE, ["tin"]),
        (CustomFieldType.CHOICE, "tin"),
        (CustomFieldType.TEXT, "Tin"),
    ):
        await custom_fields.update(actor, field.id, CustomFieldDetails(type=kind), now=LATER)
        assert await kept(row, field) == value
    details = CustomFieldDetails(type=CustomFieldType.CHOICE, options=gone)
    edited = await custom_fields.update(actor, field.id, details, now=LATER)
    assert (await kept(row, field), edited.options[1]["archived"]) == ("tin", True)
    with pytest.raises(UnknownOption):
        await noted(actor, await lead(actor), tier="tin")


async def test_a_key_is_taken_by_one_field_in_use_of_an_owner() -> None:
    actor = await seller()
    first = await custom_field(actor, "note")
    await custom_field(actor, "note", owner=CustomFieldOwner.COMPANY)
    with pytest.raises(AlreadyExists):
        await custom_field(actor, "note")
    await custom_fields.archive(actor, first.id, now=NOW)
    await custom_field(actor, "note")
    with pytest.raises(AlreadyExists):
        await custom_fields.restore(actor, first.id, now=NOW)


async def test_of_two_who_add_the_same_key_at_once_one_is_told_so() -> None:
    actor = await seller()
    made = await asyncio.gather(*(custom_field(actor, "note") for _ in range(4)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["AlreadyExists"] * 3 + ["CustomField"]


async def test_there_is_a_most_of_fields(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_fields, "MOST_FIELDS", 3)
    actor = await seller()
    made = await asyncio.gather(*(custom_field(actor, f"f{n}") for n in range(5)), return_exceptions=True)
    assert sum(isinstance(one, TooManyCustomFields) for one in made) == 2
    assert await CustomField.filter(workspace_id=actor.workspace_id).count() == 3


async def test_fields_stand_in_the_order_that_people_give_them() -> None:
    actor = await seller()
    a, b, c = [await custom_field(actor, key) for key in "abc"]
    await custom_fields.update(actor, c.id, CustomFieldDetails(position=0), now=LATER)
    await custom_field(actor, "d", position=1)
    await custom_fields.update(actor, a.id, CustomFieldDetails(position=99), now=LATER)

    rows = await CustomField.filter(workspace_id=actor.workspace_id).order_by("position")
    assert [(row.key, row.position) for row in rows] == [("c", 0), ("d", 1), ("b", 2), ("a", 3)]
    assert (await CustomField.get(id=b.id)).version == 1


async def test_many_who_move_fields_and_note_values_at_once_do_not_stand_in_each_others_way() -> None:
    actor = await seller()
    fields = [await custom_field(actor, key) for key in "abcd"]
    rows = [await lead(actor) for _ in range(3)]
    deeds = [
        custom_fields.update(actor, fields[n % 4].id, CustomFieldDetails(position=(n * 7) % 4), now=LATER)
        for n in range(8)
    ]
    notes = [noted(actor, rows[n % 3], a=f"{n}", d=f"{n}", b=f"{n}") for n in range(12)]
    await asyncio.gather(*deeds, *notes)
    places = await CustomField.filter(workspace_id=actor.workspace_id).order_by("position").values_list("position")
    assert [place for (place,) in places] == [0, 1, 2, 3]


# Options in use


async def test_an_option_in_use_is_kept_or_merged() -> None:
    actor = await seller()
    field = await custom_field(actor, "tier", CustomFieldType.CHOICE, options=named("gold", "tin", "clay"))
    rows = [await noted(actor, await lead(actor), tier=tier) for tier in ("tin", "tin", "gold")]

    with pytest.raises(OptionInUse) as caught:
        await custom_fields.update(actor, field.id, CustomFieldDetails(options=named("gold")), now=LATER)
    assert caught.value.facts["count"] == 2
    merging = CustomFieldDetails(options=named("gold"), merges=[Merge("tin", "gold")])
    edited = await custom_fields.update(actor, field.id, merging, now=LATER)

    assert [await kept(row, field) for row in rows] == ["gold"] * 3
    assert [option["key"] for option in edited.options] == ["gold"]
    assert (await Lead.get(id=rows[0].id)).version == rows[0].version
    assert (await events(field.id))[-1].data["rewritten"] == 2


async def test_a_merged_option_stands_once_among_several() -> None:
    actor = await seller()
    field = await custom_field(actor, "uses", CustomFieldType.MULTI_CHOICE, options=named("a", "b", "c"))
    both_, other = await lead(actor), await lead(actor)
    await noted(actor, both_, uses=["c", "a", "b"])
    await noted(actor, other, uses=["c"])

    with pytest.raises(OptionInUse):
        await custom_fields.update(actor, field.id, CustomFieldDetails(options=named("b", "a")), now=LATER)
    await custom_fields.update(actor, field.id, CustomFieldDetails(merges=[Merge("c", "a")]), now=LATER)

    assert await kept(both_, field) == ["a", "b"]
    assert await kept(other, field) == ["a"]


@pytest.mark.parametrize(
    "merges",
    [
        [Merge("none", "gold")],
        [Merge("gold", "gold")],
        [Merge("tin", "none")],
        [Merge("tin", "tin")],
        [Merge("tin", "gold"), Merge("tin", "gold")],
    ],
)
async def test_a_merge_names_an_option_that_goes_and_one_that_stays(merges: list[Merge]) -> None:
    actor = await seller()
    field = await custom_field(actor, "tier", CustomFieldType.CHOICE, options=named("gold", "tin"))
    with pytest.raises((Malformed, Invalid)):
        await custom_fields.update(actor, field.id, CustomFieldDetails(options=named("gold"), merges=merges), now=LATER)


async def test_an_option_that_is_merged_while_somebody_sets_it_is_left_nowhere() -> None:
    actor = await seller()
    field = await custom_field(actor, "tier", CustomFieldType.CHOICE, options=named("gold", "tin"))
    rows = [await lead(actor) for _ in range(12)]
    merging = CustomFieldDetails(merges=[Merge("tin", "gold")])

    setting = [noted(actor, row, tier="tin") for row in rows]
    done = await asyncio.gather(
        *setting[:6],
        custom_fields.update(actor, field.id, merging, now=LATER),
        *setting[6:],
        return_exceptions=True,
    )

    assert all(isinstance(one, Lead | CustomField | UnknownOption) for one in done)
    values = [await kept(row, field) for row in rows]
    told = [one for one in done if not isinstance(one, CustomField)]
    assert values == ["gold" if isinstance(one, Lead) else None for one in told]


async def test_too_many_values_are_not_rewritten_while_somebody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_fields, "MOST_REWRITTEN", 2)
    monkeypatch.setattr(custom_fields, "AT_ONCE", 2)
    actor = await seller()
    field = await custom_field(actor, "tier", CustomFieldType.CHOICE, options=named("gold", "tin"))
    rows = [await noted(actor, await lead(actor), tier="tin") for _ in range(3)]
    with pytest.raises(TooManyValues):
        await custom_fields.update(actor, field.id, CustomFieldDetails(merges=[Merge("tin", "gold")]), now=LATER)
    assert {await kept(row, field) for row in rows} == {"tin"}


# Types


CONVERSIONS: list[tuple[CustomFieldType, Any, CustomFieldType, Any]] = [
    (CustomFieldType.TEXT, "012.50", CustomFieldType.NUMBER, "12.5"),
    (CustomFieldType.TEXT, "7 EUR", CustomFieldType.MONEY, {"amount": "7", "currencyCode": "EUR"}),
    (CustomFieldType.TEXT, "2026-02-28", CustomFieldType.DATE, "2026-02-28"),
    (CustomFieldType.TEXT, "YES", CustomFieldType.YES_NO, True),
    (CustomFieldType.TEXT, "gold", CustomFieldType.CHOICE, "gold"),
    (CustomFieldType.TEXT, "Tin; gold", CustomFieldType.MULTI_CHOICE, ["gold", "tin"]),
    (CustomFieldType.TEXT, "Ann@Example.com", CustomFieldType.EMAIL, "ann@example.com"),
    (CustomFieldType.TEXT, "+49 30 901820", CustomFieldType.PHONE, "+4930901820"),
    (CustomFieldType.TEXT, "https://example.com", CustomFieldType.URL, "https://example.com"),
    (CustomFieldType.NUMBER, "12.50", CustomFieldType.TEXT, "12.5"),
    (CustomFieldType.MONEY, {"amount": "12.50", "currencyCode": "EUR"}, CustomFieldType.TEXT, "12.5 EUR"),
    (CustomFieldType.DATE, "2026-02-28", CustomFieldType.TEXT, "2026-02-28"),
    (CustomFieldType.YES_NO, False, CustomFieldType.TEXT, "No"),
    (CustomFieldType.CHOICE, "tin", CustomFieldType.TEXT, "Tin"),
    (CustomFieldType.CHOICE, "tin", CustomFieldType.MULTI_CHOICE, ["tin"]),
    (CustomFieldType.MULTI_CHOICE, ["tin"], CustomFieldType.CHOICE, "tin"),
    (CustomFieldType.MULTI_CHOICE, ["gold", "tin"], CustomFieldType.TEXT, "Gold, Tin"),
]


@pytest.mark.parametrize(("before", "value", "after", "becomes"), CONVERSIONS)
async def test_values_follow_a_new_type_where_all_fit(
    before: CustomFieldType, value: Any, after: CustomFieldType, becomes: Any
) -> None:
    actor, options = await seller(), named("gold", "tin")
    choices = custom_fields.CHOICES
    field = await custom_field(actor, "thing", before, options=options if before in choices else ())
    row = await noted(actor, await lead(actor), thing=value)

    details = CustomFieldDetails(type=after, options=options) if after in choices else CustomFieldDetails(type=after)
    edited = await custom_fields.update(actor, field.id, details, now=LATER)

    assert (edited.type, await kept(row, field)) == (after, becomes)
    assert [option["key"] for option in edited.options] == (["gold", "tin"] if after in choices else [])


MISFITS: list[tuple[CustomFieldType, Any, CustomFieldType]] = [
    (CustomFieldType.TEXT, "about seven", CustomFieldType.NUMBER),
    (CustomFieldType.TEXT, "NaN", CustomFieldType.NUMBER),
    (CustomFieldType.TEXT, "7 bananas", CustomFieldType.MONEY),
    (CustomFieldType.TEXT, "2026-02-30", CustomFieldType.DATE),
    (CustomFieldType.TEXT, "perhaps", CustomFieldType.YES_NO),
    (CustomFieldType.TEXT, "bronze", CustomFieldType.CHOICE),
    (CustomFieldType.TEXT, "Ann", CustomFieldType.USER),
    (CustomFieldType.MONEY, {"amount": "12.50", "currencyCode": "EUR"}, CustomFieldType.NUMBER),
    (CustomFieldType.MULTI_CHOICE, ["gold", "tin"], CustomFieldType.CHOICE),
]


@pytest.mark.parametrize(("before", "value", "after"), MISFITS)
async def test_a_new_type_is_refused_while_values_do_not_fit(
    before: CustomFieldType, value: Any, after: CustomFieldType
) -> None:
    actor, options = await seller(), named("gold", "tin")
    field = await custom_field(actor, "thing", before, options=options if before in custom_fields.CHOICES else ())
    row = await noted(actor, await lead(actor), thing=value)
    was = await kept(row, field)

    details = CustomFieldDetails(type=after)
    if after in custom_fields.CHOICES and before not in custom_fields.CHOICES:
        details = CustomFieldDetails(type=after, options=options)
    with pytest.raises(ValuesDoNotFit) as caught:
        await custom_fields.update(actor, field.id, details, now=LATER)

    assert caught.value.facts["count"] == 1
    assert (await kept(row, field), (await CustomField.get(id=field.id)).type) == (was, before)


async def test_how_many_values_do_not_fit_is_told_and_deleted_rows_count() -> None:
    actor = await seller()
    field = await custom_field(actor, "size")
    for size in ("1", "two", "three", "4"):
        row = await noted(actor, await lead(actor), size=size)
    two = await noted(actor, row, size="four")
    await leads.delete(actor, two.id, now=LATER)
    with pytest.raises(ValuesDoNotFit) as caught:
        await custom_fields.update(actor, field.id, CustomFieldDetails(type=CustomFieldType.NUMBER), now=LATER)
    assert (caught.value.facts["count"], caught.value.facts["example"]) == (3, "two")


async def test_a_text_that_is_noted_while_the_field_becomes_a_number_is_a_number_or_refused() -> None:
    actor = await seller()
    field = await custom_field(actor, "size")
    rows = [await lead(actor) for _ in range(8)]
    becoming = custom_fields.update(actor, field.id, CustomFieldDetails(type=CustomFieldType.NUMBER), now=LATER)
    done = await asyncio.gather(
        *(noted(actor, row, size=f"{n}.0") for n, row in enumerate(rows[:4])),
        becoming,
        *(noted(actor, row, size="many") for row in rows[4:]),
        return_exceptions=True,
    )
    kind = (await CustomField.get(id=field.id)).type
    values = [await kept(row, field) for row in rows]
    if kind is CustomFieldType.NUMBER:
        assert values == ["0", "1", "2", "3", None, None, None, None]
        assert all(isinstance(one, Malformed) for one in done[5:])
    else:
        assert isinstance(done[4], ValuesDoNotFit)
        assert set(values[:4]) == {"0.0", "1.0", "2.0", "3.0"}


# Names that mean harm


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_labels_and_options_are_texts(text: str) -> None:
    actor = await seller()
    options = [Option("a", text), Option("b", f"{text}!")]
    field = await custom_field(actor, "tier", CustomFieldType.CHOICE, label=text, options=options)
    row = await noted(actor, await lead(actor), tier="a")
    with pytest.raises(UnknownOption):
        await noted(actor, row, tier=text)
    await custom_fields.update(
        actor, field.id, CustomFieldDetails(options=options[1:], merges=[Merge("a", "b")]), now=LATER
    )
    with pytest.raises((Malformed, Required)):
        await custom_field(actor, text)
    assert (field.label, await kept(row, field)) == (text, "b")


async def test_names_of_ten_thousand_characters_are_refused() -> None:
    actor, long = await seller(), "x" * 10_000
    with pytest.raises(Malformed):
        await custom_field(actor, long, label="Long")
    with pytest.raises(TooLong):
        await custom_field(actor, "note", label=long)
    with pytest.raises(TooLong):
        await custom_field(actor, "tier", CustomFieldType.CHOICE, options=[Option("a", long)])
    with pytest.raises(UnknownCustomField) as caught:
        await noted(actor, await lead(actor), **{long: "1"})
    assert len(str(caught.value)) < 200


# What is hidden, and what is gone


async def test_values_of_an_archived_field_are_kept_and_cannot_be_set() -> None:
    actor = await seller()
    field = await custom_field(actor, "note")
    row = await noted(actor, await lead(actor), note="Once")
    await custom_fields.archive(actor, field.id, now=LATER)
    with pytest.raises(UnknownCustomField):
        await noted(actor, row, note="Twice")
    await custom_fields.restore(actor, field.id, now=LATER)
    assert await kept(row, field) == "Once"


async def test_values_of_a_deleted_field_are_removed_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(custom_fields, "AT_ONCE", 2)
    actor = await seller()
    field, other = await custom_field(actor, "note"), await custom_field(actor, "other")
    rows = [await noted(actor, await lead(actor), note=f"{n}", other="stays") for n in range(5)]
    await leads.delete(actor, rows[0].id, now=LATER)
    await custom_fields.archive(actor, field.id, now=LATER)
    deleted = await custom_fields.delete(actor, field.id, now=LATER)

    await custom_fields.remove_values(deleted)
    await custom_fields.remove_values(deleted)

    assert [(await Lead.get(id=row.id)).custom for row in rows] == [{other.id.hex: "stays"}] * 5


async def test_companies_have_fields_of_their_own() -> None:
    actor = await seller()
    field = await custom_field(actor, "branch", owner=CustomFieldOwner.COMPANY)
    made = await companies.create(actor, CompanyDetails(name="Acme", custom=[CustomValue("branch", "North")]), now=NOW)
    with pytest.raises(UnknownCustomField):
        await noted(actor, await lead(actor), branch="North")
    assert made.custom == {field.id.hex: "North"}
    [created] = await events(made.id)
    assert created.data["changes"]["custom.branch"] == [None, "North"]
    assert UUID(field.id.hex) == field.id
