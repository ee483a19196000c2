"""The mapping that a file itself suggests: by what its columns are called and what stands in them.

It is text to be read and changed before it is used. What it does not know becomes custom fields, as it is, where
leads and companies have them.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from domain.errors import DomainError
from domain.imports import files
from domain.imports.guesses import Guess
from domain.imports.mapping import CUSTOM_OWNERS, REQUIRED
from domain.learning.kinds import PLACEHOLDERS
from models.custom_fields import CustomFieldType
from models.imports import ImportKind
from models.leads import LeadStatus

LOOKED_AT = 20_000
MOST_DISTINCT = 1_000
MOST_NAMES = 200
SYSTEM_LIMIT = 60

CURRENCY = ("currency", "currency code")
OWNER = ("owner", "owner name", "sales agent", "sales rep", "assigned to")
COMPANY = ("company", "company name", "account", "account name", "organisation", "organization")
# Fields by what columns are called in files, the first that is there. Who may do what is never guessed.
CALLED: Mapping[ImportKind, Mapping[str, tuple[str, ...]]] = {
    ImportKind.LEADS: {
        "title": (
            "title",
            "lead",
            "lead name",
            "opportunity",
            "opportunity name",
            "deal",
            "deal name",
            "name",
            "full name",
        ),
        "company": COMPANY,
        "source": ("source", "lead source"),
        "campaign": ("campaign", "campaign name", "lead campaign"),
        "product": ("product", "product name"),
        "owner": ("owner", "lead owner", "deal owner", *OWNER[1:]),
        "value": ("value", "amount", "deal value", "deal amount", "deal size", "opportunity amount"),
        "currency": CURRENCY,
        "created_at": (
            "created",
            "created at",
            "created on",
            "created date",
            "create date",
            "creation date",
            "date created",
        ),
        "closed_at": ("closed", "closed at", "closed on", "closed date", "close date", "closing date", "date closed"),
        "expected_close_date": ("expected close date", "expected close", "expected closing date"),
    },
    ImportKind.COMPANIES: {
        "name": ("name", *COMPANY),
        "domain": ("domain", "company domain", "domain name", "company domain name"),
        "website": ("website", "web site", "website url", "homepage", "url"),
        "phone": ("phone", "phone number", "telephone", "tel"),
        "industry": ("industry", "sector"),
        "country": ("country", "country name"),
        "location": ("location", "city", "office location", "headquarters"),
        "employees": ("employees", "number of employees", "no of employees", "employee count", "headcount"),
        "revenue": ("revenue", "annual revenue", "turnover"),
        "revenue_currency": ("revenue currency", *CURRENCY),
        "founded_year": ("founded", "founded year", "year founded", "year established", "established"),
        "tax_number": ("tax number", "tax id", "vat number", "vat id", "vat"),
        "parent": ("parent", "parent company", "parent account", "subsidiary of"),
        "owner": ("owner", "account owner", "company owner", *OWNER[1:], "account manager"),
    },
    ImportKind.PRODUCTS: {
        "name": ("name", "product", "product name", "title", "item", "item name"),
        "sku": ("sku", "product code", "article number", "item number", "stock number", "part number"),
        "family": ("family", "product family", "series", "category", "product category", "product line"),
        "description": ("description", "product description"),
        "price": ("price", "sales price", "list price", "unit price"),
        "price_currency": ("price currency", *CURRENCY),
    },
    ImportKind.USERS: {
        "name": ("name", "full name", "user", "sales agent", "sales rep", "agent", "employee"),
        "email": ("email", "e mail", "email address", "mail"),
        "team": ("team", "team name", "department"),
    },
}
OF_TYPE = {
    "value": CustomFieldType.NUMBER,
    "created_at": CustomFieldType.DATE,
    "closed_at": CustomFieldType.DATE,
    "expected_close_date": CustomFieldType.DATE,
    "employees": CustomFieldType.NUMBER,
    "revenue": CustomFieldType.NUMBER,
    "founded_year": CustomFieldType.NUMBER,
    "price": CustomFieldType.NUMBER,
}
# Names that are made where they are unknown; where a column holds too many of them, it holds something else.
NAMED = ("source", "campaign", "product")
IDS = frozenset({"id", "uuid", "guid", "number", "no", "nr", "key", "ref", "reference"})
NO_IDS = frozenset({"phone", "mobile", "tel", "telephone", "fax"})
# What a column of outcomes is called, where its cells say no more than yes and no.
OUTCOMES = (
    *("converted", "is converted", "conversion", "outcome", "won", "is won", "lead status", "status", "result"),
    *("success", "target", "label", "class", "response", "deposit", "subscribed", "purchased", "sold", "closed", "y"),
)
WON = frozenset({"won", "closed won", "converted", "win", "customer", "success", "successful", "sold"})
LOST = frozenset({"lost", "closed lost", "not converted", "unconverted", "loss", "failure", "failed", "unsuccessful"})
CLEARLY = frozenset({"won", "closed won", "converted", "lost", "closed lost", "not converted", "unconverted"})
DISQUALIFIED = frozenset({"disqualified", "unqualified", "junk", "spam"})
YES = frozenset({"yes", "y", "true", "t", "1", "1.0"})
NO = frozenset({"no", "n", "false", "f", "0", "0.0"})


class NothingSuggested(DomainError):
    """No column is called as the {field} of {kind} usually is: write a mapping, as docs/importing.md says."""


@dataclass(slots=True)
class Look:
    """What a column of the file holds, as far as it was looked at."""

    name: str
    guess: Guess = field(default_factory=Guess)
    filled: int = 0
    seen: dict[str, str] = field(default_factory=dict)
    many: set[int] = field(default_factory=set)
    placeholders: dict[str, str] = field(default_factory=dict)

    def see(self, cell: str) -> None:
        text = " ".join(cell.split())
        if not text:
            return
        self.filled += 1
        self.many.add(hash(text))
        if text.casefold() in PLACEHOLDERS:
            self.placeholders.setdefault(text.casefold(), text)
            return
        if len(self.seen) < MOST_DISTINCT:
            self.seen.setdefault(text.casefold(), text)
        self.guess.see(text)

    @property
    def called(self) -> str:
        """Return its name for comparison: words in lower case."""
        return _words(self.name)


def suggest(path: Path, kind: ImportKind, *, name: str) -> str:
    """Return a mapping as YAML, with comments; raises what domain/imports/errors.py has, and NothingSuggested."""
    looks, rows = _looked(path)
    return "\n".join(_lines(looks, rows, kind, name)) + "\n"


def _looked(path: Path) -> tuple[list[Look], int]:
    header, records = files.sample(path)
    looks, rows = [Look(column) for column in header], 0
    for record in islice(records, LOOKED_AT):
        if len(record.cells) == len(looks):
            rows += 1
            for look, cell in zip(looks, record.cells, strict=True):
                look.see(cell)
    return looks, rows


def _lines(looks: Sequence[Look], rows: int, kind: ImportKind, name: str) -> Iterable[str]:
    twice = {look.name for look in looks if sum(look.name == other.name for other in looks) > 1}
    free = [look for look in looks if look.name and look.name not in twice]
    known_by = next((look for look in free if _is_id(look, rows)), None)
    outcome = _outcome(look for look in free if look is not known_by) if kind is ImportKind.LEADS else None
    named = _named((look for look in free if look not in (known_by, outcome)), CALLED[kind])
    for wanted in REQUIRED[kind]:
        if wanted not in named:
            raise NothingSuggested(field=wanted, kind=kind.lower())
        if known_by is None and _differs(named[wanted], rows):
            known_by = named[wanted]
    yield f"kind: {kind.lower()}"
    yield f"system: {_text(_words(Path(name).stem).replace(' ', '-')[:SYSTEM_LIMIT] or 'file')}"
    if known_by is None:
        yield "# No column tells rows apart: they are known again by their lines."
        yield "external_id: {by: line}"
    else:
        yield f"external_id: {_text(known_by.name)}"
    if empty := _empty(looks):
        yield "# What is written where nobody has answered."
        yield f"empty: [{', '.join(map(_text, empty))}]"
    if named or outcome is not None:
        yield "fields:"
    for fills, look in named.items():
        more = ", missing: create" if fills in NAMED else ""
        yield f"  {fills}: {{column: {_text(look.name)}{more}}}"
    if outcome is not None:
        yield from _status(outcome)
        if "closed_at" not in named:
            yield "  # No column says when leads were closed: they are when this import begins. Else:"
            yield '  # closed_at: {constant: "2024-06-30"}'
    if kind not in CUSTOM_OWNERS:
        if left := [look.name for look in free if look.filled and look not in (known_by, *named.values())]:
            yield f"# Not taken: {', '.join(map(_text, left))}."
        return
    yield "# Every other column becomes a custom field; list those that are not wanted under skip."
    yield "others: custom"
    if idle := [look.name for look in free if not look.filled and look not in named.values()]:
        yield f"skip: [{', '.join(map(_text, idle))}]"


def _is_id(look: Look, rows: int) -> bool:
    words = set(look.called.split())
    return _differs(look, rows) and bool(words & IDS) and not words & NO_IDS


def _differs(look: Look, rows: int) -> bool:
    """Say whether a column tells all rows apart."""
    return bool(rows) and look.filled == rows == len(look.many)


def _outcome(looks: Iterable[Look]) -> Look | None:
    """Return the column that says how leads ended: by the words in it, else by what it is called.

    Words for leads alone count for more than those that may be said of anything, such as success.
    """
    some = list(looks)
    two = {look.called: look for look in reversed(some) if look.seen and _is_of_ends(look)}
    found = (
        *(look for look in some if _says(look, CLEARLY)),
        *(two[called] for called in OUTCOMES if called in two),
        *(look for look in some if _says(look, WON | LOST | DISQUALIFIED)),
    )
    return next(iter(found), None)


def _is_of_ends(look: Look) -> bool:
    """Say whether a column has nothing but yes and no, or but words for how leads end."""
    return look.seen.keys() <= YES | NO or {_words(text) for text in look.seen} <= WON | LOST | DISQUALIFIED


def _says(look: Look, known: frozenset[str]) -> bool:
    """Say whether a column has words of its own for leads that were won and for others."""
    words = {_words(text) for text in look.seen} if len(look.seen) <= MOST_NAMES else set()
    return bool(words & WON & known) and bool(words & (LOST | DISQUALIFIED) & known)


def _status(look: Look) -> Iterable[str]:
    """Return how the cells of the outcome are read; what is not said is open."""
    is_plain = look.seen.keys() <= YES | NO
    yield f"  status:\n    column: {_text(look.name)}\n    values:"
    for key, text in look.seen.items():
        yield f"      {_text(text)}: {_end(key, is_plain)}"


def _end(key: str, is_plain: bool) -> LeadStatus:
    if is_plain:
        return LeadStatus.WON if key in YES else LeadStatus.LOST
    words = _words(key)
    for status, known in (
        (LeadStatus.WON, WON),
        (LeadStatus.LOST, LOST),
        (LeadStatus.DISQUALIFIED, DISQUALIFIED),
    ):
        if words in known:
            return status
    return LeadStatus.OPEN


def _named(looks: Iterable[Look], called: Mapping[str, tuple[str, ...]]) -> dict[str, Look]:
    by_name = {look.called: look for look in reversed(list(looks)) if look.filled}
    found: dict[str, Look] = {}
    for fills, names in called.items():
        look = next((by_name[name] for name in names if name in by_name), None)
        if look is None or (fills in OF_TYPE and look.guess.type is not OF_TYPE[fills]):
            continue
        is_name = fills not in NAMED or (len(look.seen) <= MOST_NAMES and look.guess.type is CustomFieldType.TEXT)
        if is_name and look not in found.values():
            found[fills] = look
    return found


def _empty(looks: Iterable[Look]) -> list[str]:
    found: dict[str, str] = {}
    for look in looks:
        for key, text in look.placeholders.items():
            found.setdefault(key, text)
    return sorted(found.values())


def _words(text: str) -> str:
    """Return a name's words in lower case, those that stand together in capitals apart."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", text))
    return " ".join(re.findall(r"[^\W_]+", apart.casefold()))


def _text(text: str) -> str:
    """Return a text as YAML takes it, whatever is in it."""
    return json.dumps(text, ensure_ascii=False)
