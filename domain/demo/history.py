"""Two years of companies, people and leads: who asked, how far it went, how it ended."""

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, TypeVar
from uuid import UUID

from domain.companies import CompanyCreated
from domain.contacts import ContactCreated
from domain.demo import words
from domain.demo.home import Home, Person, Ware
from domain.demo.rows import Rows, fresh
from domain.demo.stories import SOURCES, Buyer, Story
from domain.scoring.assessing import by_rules, known_of
from domain.scoring.default_model import default_model
from models.catalog import SourceKind
from models.companies import Relationship

T = TypeVar("T")

PRIVATE = 0.06
REACHABLE = 0.93
CHANGES_OWNER = 0.3
MOST_LEADS_A_COMPANY = 25
LANGUAGES = {"GB": "en", "US": "en", "FR": "fr", "NL": "nl", "PL": "pl", "SE": "sv"}
RELATIONSHIPS = (Relationship.LEAD, Relationship.PROSPECT, Relationship.CUSTOMER)


class History:
    """Makes companies with all that happened to them, chunk by chunk, always the same for the same chance."""

    def __init__(self, home: Home, chance: Random) -> None:
        self.home = home
        self.chance = chance
        self._domains: set[str] = set()
        self.sources: list[tuple[UUID, SourceKind]] = _weighted(
            home.sources, [SOURCES[kind][0] for _, kind in home.sources]
        )
        self.wares: list[Ware] = _weighted(home.wares, [ware.weight for ware in home.wares])
        self.countries = _weighted(list(words.COUNTRIES), [facts[0] for facts in words.COUNTRIES.values()])

    def chunk(self, rows: Rows, leads: int) -> None:
        """Add companies until there are as many leads as wanted."""
        stories: list[Story] = []
        while len(stories) < leads:
            stories += _Customer(self, rows).live(most=leads - len(stories))
        said = [story.known() for story in stories]
        done = [(place, *one) for place, story in enumerate(stories) for one in story.done()]
        rules = default_model()
        for story, assessed in zip(stories, by_rules(rules, known_of(said, done, rules.wanted)), strict=True):
            story.tell(assessed)

    def pick(self, of: Sequence[T]) -> T:
        return of[int(self.chance.random() * len(of))]

    def person(self) -> str:
        return f"{self.pick(words.FIRST_NAMES)} {self.pick(words.LAST_NAMES)}"

    def domain(self, name: str) -> str:
        """Return a domain that no other company of the demo has, under a top level that nobody can register."""
        base, number = "".join(letter for letter in name.lower() if letter.isalnum()), 1
        domain = f"{base}.example"
        while domain in self._domains:
            number += 1
            domain = f"{base}-{number}.example"
        self._domains.add(domain)
        return domain

    def moment(self) -> datetime:
        """Return when somebody may have asked: more of them do as the two years pass."""
        return self.working(self.home.began + (self.home.now - self.home.began) * self.chance.random() ** 0.7)

    def working(self, at: datetime) -> datetime:
        """Return the same time, or one soon after it at which people work; never the future."""
        if at.weekday() > 4 and self.chance.random() < 0.85:
            at += timedelta(days=7 - at.weekday())
        if not 7 <= at.hour < 18:
            at = at.replace(hour=7 + int(self.chance.random() * 11))
        return min(at, self.home.now - timedelta(seconds=60 + int(self.chance.random() * 7200)))


class _Customer:
    """One company, or household, with its people and leads."""

    def __init__(self, history: History, rows: Rows) -> None:
        self.history, self.rows, self.chance = history, rows, history.chance
        pick, is_private = history.pick, history.chance.random() < PRIVATE
        self.owner: Person = pick(history.home.reps)
        self.country = pick(history.countries)
        _, currency, cities, form, self.phones = words.COUNTRIES[self.country]
        self.industry = pick(list(words.INDUSTRIES))
        if is_private:
            self.name, people = history.person(), 1
        else:
            house = f"{pick(words.COMPANY_STARTS)}{pick(words.COMPANY_ENDS)}"
            self.name = f"{house} {pick(words.INDUSTRIES[self.industry])} {form}"
            people = 1 + (self.chance.random() < 0.7) + (self.chance.random() < 0.35)
        self.domain = history.domain(self.name.removesuffix(form))
        self.buyer = Buyer(
            name=self.name,
            city=pick(cities),
            currency=currency,
            company_id=None if is_private else rows.keys.take(),
            people=tuple(rows.keys.take() for _ in range(people)),
        )

    def live(self, *, most: int) -> list[Story]:
        """Write the company and its people, and return what happened with at most so many leads, to be told."""
        wanted = (
            1 if self.buyer.company_id is None else min(1 + int(self.chance.expovariate(0.28)), MOST_LEADS_A_COMPANY)
        )
        moments = sorted(self.history.moment() for _ in range(min(wanted, most)))
        stories = []
        for at in moments:
            if self.chance.random() < CHANGES_OWNER:
                self.owner = self.history.pick(self.history.home.reps)
            stories.append(Story(self.history, self.rows, self.buyer, self.owner, at))
        levels = [max((one.level for one in stories if key in one.people), default=0) for key in self.buyer.people]
        if self.buyer.company_id is not None:
            level = max(story.level for story in stories)
            self._company(self.buyer.company_id, RELATIONSHIPS[level], moments[0])
        people = {
            key: self._contact(key, level, moments[0]) for key, level in zip(self.buyer.people, levels, strict=True)
        }
        for story in stories:
            story.meet([people[key] for key in story.people])
        return stories

    def _company(self, key: UUID, relationship: Relationship, at: datetime) -> None:
        phone, employees = self._phone(), int(math.exp(self.chance.gauss(4.2, 1.3))) + 1
        columns: dict[str, Any] = {
            "name": self.name,
            "name_normalised": self.name.lower(),
            "domain": self.domain,
            "website": f"https://www.{self.domain}",
            "phone": phone,
            "phone_normalised": phone,
            "industry": self.industry,
            "country": self.country,
            "location": self.buyer.city,
            "employees": employees,
            "revenue": Decimal(employees * self.chance.randrange(60, 260) * 1000),
            "revenue_currency": self.buyer.currency,
            "founded_year": self.chance.randrange(1890, at.year),
            "relationship": relationship.value,
            "owner_id": self.owner.user_id,
        }
        self.rows.put("company", key, *columns.values(), "{}", 1, at, at)
        self.rows.happened(CompanyCreated, key, fresh(columns), by=self.owner.facts, at=at)

    def _contact(self, key: UUID, level: int, at: datetime) -> dict[str, Any]:
        """Write a person, and return what is known of them."""
        name = self.name if self.buyer.company_id is None else self.history.person()
        email, phone = None, None
        if self.chance.random() < REACHABLE:
            number = self.buyer.people.index(key)
            email = f"{name.lower().replace(' ', '.')}{number + 1 if number else ''}@{self.domain}"
        if self.chance.random() < 0.6:
            phone = self._phone()
        columns: dict[str, Any] = {
            "name": name,
            "company_id": self.buyer.company_id,
            "job_title": self.history.pick(words.JOB_TITLES) if self.buyer.company_id else None,
            "email": email,
            "email_normalised": email,
            "phone": phone,
            "phone_normalised": phone,
            "language": LANGUAGES.get(self.country, "de"),
            "relationship": RELATIONSHIPS[level].value,
            "owner_id": self.owner.user_id,
        }
        self.rows.put("contact", key, *columns.values(), "{}", 1, at, at)
        self.rows.happened(ContactCreated, key, fresh(columns), by=self.owner.facts, at=at)
        return columns

    def _phone(self) -> str:
        return self.phones.format(self.chance.randrange(100))


def _weighted(of: Sequence[T], weights: Sequence[int]) -> list[T]:
    """Return each as often as it weighs, to be picked from."""
    return [one for one, weight in zip(of, weights, strict=True) for _ in range(weight)]
