"""Mutations by chance, and what becomes of them when each is done twice in the same world and taken back."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from graphql import GraphQLArgument, GraphQLField, GraphQLInputObjectType, GraphQLNonNull, get_named_type

from domain import ranks
from domain.actors import Actor
from models import base
from models.database import transaction
from tests.oracle.compare import Answer, Case, answer
from tests.oracle.documents import SCHEMA, Composite, Drawing, Drawn, Path, Room
from tests.oracle.values import NOTHING, Hint, Value, literal
from tests.oracle.world import ACTORS, NOUN_MODELS, NOW, World

# These answer with what nobody can foretell, or end the session that asks.
UNFORETELLABLE = frozenset(
    {"signUp", "signIn", "refreshToken", "signOut", "signOutEverywhere", "switchWorkspace", "acceptInvitation",
     "requestPasswordReset", "resetPassword", "createApiKey", "createUpload", "updateMe"}
)  # fmt: skip
# So many belong to a seed. In every other one a mutation has its turn, so that none is left to chance alone.
DOCUMENTS = 120
OFTEN = {"updateLead": 6, "moveLead": 6, "captureLead": 4, "updateCompany": 4, "updateContact": 3, "closeLead": 3}
WEIGHT_OF_ACTOR = {"admin": 8, "manager": 3, "rep": 2, "partner": 2}
# What an id is of where its name does not say so.
NOUNS = {
    "afterLeadId": "Lead", "beforeLeadId": "Lead", "moveLeadsTo": "Stage", "stageIds": "Stage", "ids": "Stage",
    "ownerId": "User", "userId": "User", "serviceUserId": "User", "updateMember": "User", "approveMove": "MoveRequest",
    "rejectMove": "MoveRequest", "setStageRequirements": "Stage", "mentionIds": "User", "subjectId": "Lead",
    "fromUserId": "User", "toUserId": "User", "substituteId": "User", "transferLeadsToId": "User",
    "lostToId": "Competitor", "contactIds": "Contact", "uploadId": "File", "attachFile": "Attachment",
    "criterionId": "QualificationCriterion", "criterionIds": "QualificationCriterion",
    "setQualificationCriteria": "QualificationCriterion",
}  # fmt: skip
TEXTS = {
    "Email": ("new@example.com", "Person1@example.com", "nonsense"),
    "CurrencyCode": ("EUR", "USD", "JPY", "xx"),
    "CountryCode": ("DE", "JP", "zz"),
    "PhoneNumber": ("+49 221 123456", "1"),
    "URL": ("https://a.example/x?y='", "nonsense"),
    "LanguageTag": ("de", "pt-BR", "nonsense"),
    "TimeZone": ("Europe/Berlin", "Nowhere"),
}
# What saved views ask of their lists.
VIEWED: dict[str, tuple[Any, ...]] = {
    "filter": ({"createdAt": {"isNull": False}}, {"score": {"gte": 40}}, {"nope": 1}, {"name": {"eq": 1}}, None),
    "orderBy": ([{"field": "CREATED_AT"}], {"field": "NAME"}, [{"field": "COLOUR", "direction": "ASC"}]),
    "columns": (["title", "owner"], ["name"], ["email", "nope"], ["name", "name"]),
}
# What checklists are answered with.
ANSWERED: tuple[Any, ...] = (
    True, 12, "because", "a", ["a", "b"], "2026-03-31", {"amount": "5", "currencyCode": "EUR"}, None, {"a": [1]},
)  # fmt: skip
NEW_ID = "018cc251-ffff-7fff-bfff-ffffffffffff"
LEFT_OUT = frozenset({"idempotencyKey", "password", "oldPassword"})


def mutations() -> list[str]:
    """Return the mutations that can be done twice with the same answer."""
    assert SCHEMA.mutation_type
    return [name for name in SCHEMA.mutation_type.fields if name not in UNFORETELLABLE]


def draw_change(world: World, seed: int, number: int) -> Drawn:
    """Return the mutation of a seed and a number."""
    chance = Random(f"changes {seed} {number}")
    actor = chance.choices(ACTORS, [WEIGHT_OF_ACTOR.get(name, 1) for name in ACTORS])[0]
    names = mutations()
    turn = names[(seed * DOCUMENTS + number) // 2 % len(names)] if number % 2 == 0 else None
    return Changing(world, actor, chance, "", turn=turn).draw()


@dataclass
class Changing(Drawing):
    """A document that changes something; what has its turn is in it whatever else is drawn."""

    turn: str | None = None

    def draw(self) -> Drawn:
        assert SCHEMA.mutation_type
        names = mutations()
        weights = [OFTEN.get(name, 1) for name in names]
        chosen = self.chance.choices(names, weights, k=self.chance.choice((1, 1, 1, 2)))
        if self.turn:
            chosen[0] = self.turn
        shapes = self._shapes_at("", "")
        parts = [self._field(SCHEMA.mutation_type, name, Room(depth=8), (), shapes) for name in dict.fromkeys(chosen)]
        document, operation = self._document(" ".join(part for part in parts if part), "mutation")
        return Drawn(Case(document, self._given(), operation, self.actor), (), frozenset(self.covered))

    def _argument(self, name: str, argument: str, one: GraphQLArgument, each: GraphQLField) -> str:
        given = get_named_type(one.type)
        if argument != "input" or not isinstance(given, GraphQLInputObjectType):
            return super()._argument(name, argument, one, each)
        placed = self._place(one.type, self._input(given, name), NOTHING)
        return literal(placed, self.chance)

    def _arguments(
        self, type_: Composite, name: str, each: GraphQLField, room: Room, path: Path | None
    ) -> tuple[str, int, str]:
        text, size, forced = super()._arguments(type_, name, each, room, path)
        payload, faults = get_named_type(each.type), SCHEMA.type_map["UserError"]
        told = ("code", "message", "field")
        if type_.name == "Mutation" and self._claims_all(payload, ("userErrors",)) and self._claims_all(faults, told):
            forced = f"userErrors {{ {' '.join(told)} }}"
        return text, size, forced

    def _input(self, given: GraphQLInputObjectType, mutation: str) -> Value:
        value: dict[str, Value] = {}
        unwanted = self._other_way(given)
        for name, each in given.fields.items():
            if name in unwanted:
                continue
            needed = (isinstance(each.type, GraphQLNonNull) and each.default is None) or (
                name in ("ids", "filter") and bool(unwanted)
            )
            if name in LEFT_OUT or not (needed or self.luck(0.25)):
                continue
            if name == "id" and mutation.startswith(("create", "capture", "invite", "addComment")):
                value[name] = NEW_ID
                continue
            value[name] = self._place(each.type, self._part(name, each.type, mutation), NOTHING)
        return value

    def _other_way(self, given: GraphQLInputObjectType) -> set[str]:
        """Return how many leads are mostly not named, where they can be named in two ways."""
        if not {"ids", "filter"} <= given.fields.keys() or self.luck(0.1):
            return set()
        return {"ids"} if self.luck(0.3) else {"filter", "search", "expectedCount"}

    def _part(self, name: str, type_: Any, mutation: str) -> Value:
        named = get_named_type(type_)
        if named.name.endswith("Filter"):
            return self.values.draw(type_)
        if isinstance(named, GraphQLInputObjectType):
            of_one = self._input(named, mutation)
            return [of_one] if "[" in str(type_) else of_one
        if named.name in TEXTS:
            text = self.chance.choice(TEXTS[named.name])
            return [text] if "[" in str(type_) else text
        self.values.bad = 0.1
        if name in VIEWED and "SavedView" in mutation:
            return self.chance.choice(VIEWED[name])
        if name == "expectedCount":
            return self.chance.randrange(4)
        if (name, named.name) == ("value", "JSON"):
            return self.chance.choice(ANSWERED)
        if name == "expectedVersion":
            return self.chance.choice((1, 2, 3, None))
        return self.values.draw(type_, Hint(id_of=noun_of(mutation, name)) if named.name == "ID" else NOTHING)


def noun_of(mutation: str, name: str) -> str:
    """Return what an id is of."""
    if name == "ids" and mutation.endswith("Leads"):
        return "Lead"
    if name == "parentId":
        return "Team" if mutation.endswith("Team") else "Company"
    if mutation == "markNotificationsRead":
        return "Notification"
    key = mutation if name == "id" and mutation in NOUNS else name
    if key in NOUNS:
        return NOUNS[key]
    if name != "id":
        noun = name[0].upper() + name.removesuffix("s").removesuffix("Id")[1:]
    else:
        noun = mutation.lstrip("abcdefghijklmnopqrstuvwxyz")
    return noun if noun in NOUN_MODELS else "Lead"


class _TakenBack(Exception):
    """What was done is not to stay."""


async def done_and_taken_back(case: Case, actor: Actor | None, *, engine: bool, now: datetime = NOW) -> Answer:
    """Do what a document asks, take it back, and return the answer; keys are the same every time."""
    with same_keys(), suppress(_TakenBack):
        async with transaction():
            told = await answer(case, actor, engine=engine, now=now)
            raise _TakenBack
    return told


@contextmanager
def same_keys() -> Iterator[None]:
    """Let new keys and ranks follow from how many there were, not from the clock and from chance."""
    numbers, moment = count(1), int(NOW.timestamp() * 10**9)

    def chance(length: int) -> bytes:
        return hashlib.sha256(str(next(numbers)).encode()).digest()[:length]

    clock = SimpleNamespace(time_ns=lambda: moment + next(numbers) * 10**6)
    with (
        patch.object(base, "time", clock),
        patch.object(base, "_last_stamp", 0),
        patch.object(base, "os", SimpleNamespace(urandom=chance)),
        patch.object(ranks, "randbelow", lambda most: next(numbers) % most),
        patch.object(ranks, "token_hex", lambda length: chance(length).hex()),
    ):
        yield
