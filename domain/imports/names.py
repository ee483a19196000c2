"""What rows name rather than refer to: companies, owners, products, sources, campaigns; found by name, or created."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from domain import campaigns as campaigning
from domain import catalog, inputs, locks, teams
from domain import products as catalogue
from domain.campaigns import CampaignDetails
from domain.companies import CompanyCreated
from domain.events import Event
from domain.imports.keys import new_key
from domain.imports.mapping import Missing
from domain.imports.rows import Row
from domain.imports.taking import Taking
from domain.products import ProductDetails
from domain.teams import TeamCreated
from models.catalog import SourceKind
from models.companies import Relationship
from models.users import Role

# PostgreSQL has room for a few thousand locks at a time, for everybody.
MOST_LOCKS = 500


class UserImported(Event):
    name = "user.imported"


class Names:
    """The names that rows of a chunk use in one field, and the keys of what they name.

    A name is matched in lower case with single spaces. What several rows are called is not guessed at. What is
    missing and to be created is so by `create`, once it is known which rows are taken.
    """

    def __init__(self, noun: str, missing: Missing) -> None:
        self.noun = noun
        self.missing = missing
        self.keys: dict[str, UUID] = {}
        self.several: set[str] = set()
        self._by_text: dict[str | None, UUID | None] = {None: None}

    def know(self, keys: Mapping[str, UUID]) -> None:
        """Learn what names stand for."""
        self.keys.update(keys)
        self._by_text = {None: None}

    def key(self, text: str | None) -> UUID | None:
        """Return what a name stands for, None where that is not known."""
        if text not in self._by_text:
            self._by_text[text] = self.keys.get(inputs.normalised_name(text or ""))
        return self._by_text[text]

    def fault(self, text: str | None) -> str | None:
        """Return why a name cannot be followed."""
        if not text or self.key(text) is not None:
            return None
        if inputs.normalised_name(text) in self.several:
            return f"There are several {self.noun}s of this name: use their email addresses."
        return f"There is no {self.noun} of this name." if self.missing is Missing.FAULT else None

    def lacking(self, texts: Iterable[str | None]) -> dict[str, str]:
        """Return names to be created, by what they are matched by."""
        if self.missing is not Missing.CREATE:
            return {}
        return {name: text for name, text in wanted(texts).items() if name not in self.keys}


def wanted(texts: Iterable[str | None]) -> dict[str, str]:
    """Return names by what they are matched by, as they were written first."""
    found: dict[str, str] = {}
    for text in dict.fromkeys(texts):
        if text:
            found.setdefault(inputs.normalised_name(text), text)
    return found


async def look(taking: Taking, names: Names, sql: str, texts: Iterable[str | None]) -> Names:
    """Look names up by a statement that takes the workspace and the names."""
    given = list(wanted(texts))
    if given:
        names.know({row["name"]: row["id"] for row in await taking.fetch(sql, taking.workspace_id, given)})
    return names


COMPANIES = """
SELECT DISTINCT ON (name_normalised) name_normalised AS name, id FROM company
WHERE workspace_id = $1 AND name_normalised = ANY($2) AND deleted_at IS NULL
ORDER BY name_normalised, created_at, id
"""


async def companies(taking: Taking, texts: Iterable[str | None], missing: Missing) -> Names:
    """Return the oldest companies of these names."""
    return await look(taking, Names("company", missing), COMPANIES, texts)


async def create_companies(taking: Taking, known: Names, texts: Iterable[str | None]) -> None:
    """Create companies that are lacking, unless somebody has done so meanwhile."""
    lacking = known.lacking(texts)
    if lacking and len(lacking) <= MOST_LOCKS:
        await locks.hold(taking.workspace_id, *(f"company.name:{name}" for name in lacking))
        await look(taking, known, COMPANIES, lacking.values())
    new = {name: new_key() for name in lacking if name not in known.keys}
    await add_companies(taking, [(key, lacking[name]) for name, key in new.items()])
    known.know(new)


async def add_companies(taking: Taking, named: Sequence[tuple[UUID, str]]) -> None:
    """Create companies of which nothing but the name is known."""
    columns = (
        "id", "workspace_id", "version", "created_at", "updated_at", "name", "name_normalised", "relationship", "custom"
    )  # fmt: skip
    records = []
    for key, name in named:
        normalised = inputs.normalised_name(name)
        records.append(
            (key, taking.workspace_id, 1, taking.now, taking.now, name, normalised, Relationship.LEAD.value, "{}")
        )
        facts = {"changes": {"name": [None, name], "name_normalised": [None, normalised]}, "version": 1}
        taking.happened(CompanyCreated, key, facts, at=taking.now)
    await taking.copy("company", columns, records)


PRODUCTS = """
SELECT name_normalised AS name, id FROM product
WHERE workspace_id = $1 AND name_normalised = ANY($2) AND archived_at IS NULL
"""
LISTED = """
SELECT lower(name) AS name, id FROM {table} WHERE workspace_id = $1 AND lower(name) = ANY($2) AND archived_at IS NULL
"""


async def products(taking: Taking, texts: Iterable[str | None], missing: Missing) -> Names:
    """Return the products of these names."""
    return await look(taking, Names("product", missing), PRODUCTS, texts)


async def create_products(taking: Taking, known: Names, texts: Iterable[str | None]) -> None:
    """Create products that are lacking."""
    for name, text in known.lacking(texts).items():
        row = await catalogue.create(taking.actor, ProductDetails(name=text), now=taking.now)
        known.know({name: row.id})


async def sources(taking: Taking, texts: Iterable[str | None], missing: Missing) -> Names:
    """Return the sources of these names."""
    return await look(taking, Names("source", missing), LISTED.format(table="source"), texts)


async def create_sources(taking: Taking, known: Names, texts: Iterable[str | None]) -> None:
    """Create sources that are lacking."""
    for name, text in known.lacking(texts).items():
        row = await catalog.create_source(taking.actor, name=text, kind=SourceKind.IMPORT, now=taking.now)
        known.know({name: row.id})


async def campaigns(taking: Taking, texts: Iterable[str | None], missing: Missing) -> Names:
    """Return the campaigns of these names."""
    return await look(taking, Names("campaign", missing), LISTED.format(table="campaign"), texts)


async def create_campaigns(taking: Taking, known: Names, texts: Iterable[str | None]) -> None:
    """Create campaigns that are lacking; of what kind they are a file does not say."""
    for name, text in known.lacking(texts).items():
        row = await campaigning.create(taking.actor, CampaignDetails(name=text), now=taking.now)
        known.know({name: row.id})


async def lost_reasons(taking: Taking, texts: Iterable[str | None], missing: Missing) -> Names:
    """Return the lost reasons of these names."""
    return await look(taking, Names("lost reason", missing), LISTED.format(table="lost_reason"), texts)


async def create_lost_reasons(taking: Taking, known: Names, texts: Iterable[str | None]) -> None:
    """Create lost reasons that are lacking."""
    for name, text in known.lacking(texts).items():
        row = await catalog.create_lost_reason(taking.actor, name=text, now=taking.now)
        known.know({name: row.id})


OWNERS = r"""
SELECT member.user_id AS id, lower(regexp_replace(btrim(name), '\s+', ' ', 'g')) AS name, email_normalised AS email
FROM membership AS member JOIN user_account ON user_account.id = member.user_id
WHERE member.workspace_id = $1 AND NOT is_service AND (
    lower(regexp_replace(btrim(name), '\s+', ' ', 'g')) = ANY($2) OR email_normalised = ANY($2)
)
"""


async def owners(taking: Taking, texts: Iterable[str | None], missing: Missing) -> Names:
    """Return the members of these names or email addresses."""
    found, given = Names("member", missing), list(wanted(texts))
    if not given:
        return found
    keys: dict[str, UUID] = {}
    for member in await taking.fetch(OWNERS, taking.workspace_id, given):
        for name in {member["name"], member["email"]}.intersection(given):
            if keys.setdefault(name, member["id"]) != member["id"]:
                found.several.add(name)
    found.know({name: key for name, key in keys.items() if name not in found.several})
    return found


async def create_owners(taking: Taking, known: Names, rows: Iterable[Row]) -> None:
    """Create those as inactive users whom rows name as owners and who are lacking, in the teams that rows give."""
    first: dict[str, Row] = {}
    for row in rows:
        if text := row.values.get("owner"):
            first.setdefault(text, row)
    lacking = known.lacking(first)
    people: list[dict[str, Any]] = [
        {
            "id": new_key(),
            "name": text,
            "team": first[text].values.get("owner_team"),
            "team_within": first[text].values.get("owner_team_within"),
        }
        for text in lacking.values()
    ]
    if people:
        await add_users(taking, people)
        known.know({name: person["id"] for name, person in zip(lacking, people, strict=True)})


async def add_users(taking: Taking, people: Sequence[dict[str, Any]]) -> None:
    """Create inactive users: dicts of id, name, and perhaps email, role, team and team_within."""
    placed = await team_keys(taking, [(person.get("team"), person.get("team_within")) for person in people])
    accounts, places = [], []
    for person in people:
        email, normalised = person.get("email") or (None, None)
        team_id = placed.get(team_pair(person.get("team"), person.get("team_within")))
        role = (person.get("role") or Role.REP).value
        accounts.append((person["id"], person["name"], email, normalised, False, 1, taking.now, taking.now))
        places.append((new_key(), taking.workspace_id, person["id"], role, team_id, False, taking.now))
        told = {"name": person["name"], "email": email, "role": role, "team_id": team_id, "active": False}
        facts = {"changes": {name: [None, value] for name, value in told.items() if value is not None}, "version": 1}
        taking.happened(UserImported, person["id"], facts, at=taking.now)
    await taking.copy(
        "user_account",
        ("id", "name", "email", "email_normalised", "is_service", "version", "created_at", "updated_at"),
        accounts,
    )
    columns = ("id", "workspace_id", "user_id", "role", "team_id", "active", "created_at")
    await taking.copy("membership", columns, places)
    await teams.memberships_change(taking.workspace_id)


Pair = tuple[str, str]
TEAMS = """
SELECT team.id, lower(team.name) AS name, lower(coalesce(parent.name, '')) AS within
FROM team LEFT JOIN team AS parent ON parent.id = team.parent_id
WHERE team.workspace_id = $1 AND team.deleted_at IS NULL ORDER BY team.created_at DESC, team.id DESC
"""


def team_pair(name: str | None, within: str | None) -> Pair:
    """Return by what a team is matched: its name and that of the team it is within."""
    return (name or "").lower(), (within or "").lower()


async def team_keys(taking: Taking, wanted: Sequence[tuple[str | None, str | None]]) -> dict[Pair, UUID]:
    """Return the teams of these names within those of the second names, creating what is missing."""
    pairs = {team_pair(name, within): (name, within) for name, within in wanted if name}
    if not pairs:
        return {}
    await teams.lock_members(taking.workspace_id)
    known: dict[Pair, UUID] = {}
    for row in await taking.fetch(TEAMS, taking.workspace_id):
        known[row["name"], row["within"]] = row["id"]
    outer = {team_pair(within, None): within for _, within in pairs.values() if within}
    for pair, written in outer.items():
        if pair not in known:
            known[pair] = await _add_team(taking, written, None)
    for pair, (name, within) in pairs.items():
        if pair not in known:
            assert name
            known[pair] = await _add_team(taking, name, known[team_pair(within, None)] if within else None)
    return known


async def _add_team(taking: Taking, name: str, parent_id: UUID | None) -> UUID:
    key = new_key()
    columns = ("id", "workspace_id", "version", "created_at", "updated_at", "name", "parent_id")
    await taking.copy("team", columns, [(key, taking.workspace_id, 1, taking.now, taking.now, name, parent_id)])
    told = {"name": [None, name]} | ({"parent_id": [None, parent_id]} if parent_id else {})
    taking.happened(TeamCreated, key, {"changes": told, "version": 1}, at=taking.now)
    return key
