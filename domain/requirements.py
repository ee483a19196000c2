"""What a stage asks of a lead before it enters, and of people before they move it in or out."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from domain import inputs
from domain.errors import DomainError, Faults
from models.custom_fields import CustomField
from models.leads import Lead
from models.stages import Stage
from models.users import Role

MOST_NEEDS = 50
MOST_FAULTS = 20
# How the names of custom fields begin; the key follows or, where they are kept, the id as 32 hex digits.
CUSTOM = "custom:"
HEX = re.compile(r"[0-9a-f]{32}")
# What a sale has come to, of which a stage may ask: each is a requirement of this name.
MILESTONES = ("proposal_accepted", "terms_agreed", "contract_signed", "invoice_paid")


class UnknownLeadField(DomainError):
    """{field} names {name}, which is no field of a lead that a stage can require."""


@dataclass(frozen=True, slots=True)
class LeadFacts:
    """A lead and what its row does not say, as requirements look at it; custom fields in use by their hex digits."""

    lead: Lead
    contacts: int = 0
    has_primary_contact: bool = False
    tags: int = 0
    custom: Mapping[str, CustomField] = field(default_factory=dict)


FILLED: dict[str, Callable[[LeadFacts], bool]] = {
    "value": lambda facts: facts.lead.value is not None,
    "expectedCloseDate": lambda facts: facts.lead.expected_close_date is not None,
    "company": lambda facts: facts.lead.company_id is not None,
    "primaryContact": lambda facts: facts.has_primary_contact,
    "contacts": lambda facts: facts.contacts > 0,
    "owner": lambda facts: facts.lead.owner_id is not None,
    "source": lambda facts: facts.lead.source_id is not None,
    "campaign": lambda facts: facts.lead.campaign_id is not None,
    "product": lambda facts: facts.lead.product_id is not None,
    "description": lambda facts: bool(facts.lead.description),
    "engagedAt": lambda facts: facts.lead.engaged_at is not None,
    "termEndsOn": lambda facts: facts.lead.term_ends_on is not None,
    "nextFollowUpAt": lambda facts: facts.lead.next_follow_up_at is not None,
    "tags": lambda facts: facts.tags > 0,
}


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a lead needs to enter a stage, and how it may enter and leave it.

    `fields` are keys of FILLED, and custom fields. With `no_skipping` a lead enters only from the stage right before
    this one or from a later one; with `no_going_back` a lead that is here does not return to an earlier stage.
    `roles_in` may move leads into the stage and `roles_out` out of it; an empty tuple means all who may move leads.
    These `criteria` of the checklist must be answered, or `all_criteria`. The last four ask how far the sale has come.
    """

    fields: tuple[str, ...] = ()
    min_needs: int = 0
    no_skipping: bool = False
    no_going_back: bool = False
    roles_in: tuple[Role, ...] = ()
    roles_out: tuple[Role, ...] = ()
    needs_approval: bool = False
    criteria: tuple[UUID, ...] = ()
    all_criteria: bool = False
    proposal_accepted: bool = False
    terms_agreed: bool = False
    contract_signed: bool = False
    invoice_paid: bool = False

    @property
    def milestones(self) -> tuple[str, ...]:
        """Return which of MILESTONES a lead must have reached."""
        return tuple(name for name in MILESTONES if getattr(self, name))

    @property
    def asks_for_answers(self) -> bool:
        return self.all_criteria or bool(self.criteria)

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "Requirements":
        """Return requirements from their JSON; what it does not name is not required."""
        return cls(
            fields=tuple(data.get("fields", ())),
            min_needs=data.get("min_needs", 0),
            no_skipping=data.get("no_skipping", False),
            no_going_back=data.get("no_going_back", False),
            roles_in=tuple(Role(role) for role in data.get("roles_in", ())),
            roles_out=tuple(Role(role) for role in data.get("roles_out", ())),
            needs_approval=data.get("needs_approval", False),
            criteria=tuple(UUID(key) for key in data.get("criteria", ())),
            all_criteria=data.get("all_criteria", False),
            **{name: data.get(name, False) for name in MILESTONES},
        )

    @classmethod
    def of(cls, stage: Stage) -> "Requirements":
        return cls.parse(stage.requirements)

    def to_json(self) -> dict[str, Any]:
        """Return what differs from no requirements at all, as the table keeps it."""
        values: dict[str, Any] = {
            "fields": list(self.fields),
            "min_needs": self.min_needs,
            "no_skipping": self.no_skipping,
            "no_going_back": self.no_going_back,
            "roles_in": [role.value for role in self.roles_in],
            "roles_out": [role.value for role in self.roles_out],
            "needs_approval": self.needs_approval,
            "criteria": [key.hex for key in self.criteria],
            "all_criteria": self.all_criteria,
            **dict.fromkeys(self.milestones, True),
        }
        return {name: value for name, value in values.items() if value}

    @property
    def custom(self) -> list[str | UUID]:
        """Return what is said of custom fields: their keys or ids."""
        return [custom_name(name) for name in self.fields if name.startswith(CUSTOM)]

    def checked(
        self, faults: Faults, *, field: str, custom: Mapping[str | UUID, CustomField] | None = None
    ) -> "Requirements":
        """Check names and numbers; return the requirements with every name once, in the order of FILLED.

        `custom` has the custom fields in use that are named; they come last.
        """
        known = custom or {}
        own = {name: row for name in self.fields if name.startswith(CUSTOM) and (row := known.get(custom_name(name)))}
        for name in sorted(set(self.fields) - FILLED.keys() - own.keys())[:MOST_FAULTS]:
            faults.add(UnknownLeadField(field=f"{field}.fields", name=name[: inputs.NAME_LIMIT]))
        inputs.whole(faults, self.min_needs, field=f"{field}.minNeeds", least=0, most=MOST_NEEDS)
        named = (
            *(name for name in FILLED if name in self.fields),
            *dict.fromkeys(f"{CUSTOM}{row.id.hex}" for row in own.values()),
        )
        return replace(
            self,
            fields=named,
            roles_in=_each_once(self.roles_in),
            roles_out=_each_once(self.roles_out),
            criteria=tuple(dict.fromkeys(self.criteria)),
        )

    def unfilled(self, facts: LeadFacts) -> tuple[str, ...]:
        """Return the required fields that the lead lacks; a custom field that is archived is asked for no more."""
        lacking = [name for name in self.fields if name in FILLED and not FILLED[name](facts)]
        wanted = [row for name in self.fields if (row := facts.custom.get(name.removeprefix(CUSTOM))) is not None]
        return (*lacking, *(f"{CUSTOM}{row.key}" for row in wanted if row.id.hex not in facts.lead.custom))


def custom_name(name: str) -> str | UUID:
    """Return what a required custom field is called: its key, or its id."""
    named = name.removeprefix(CUSTOM)
    return UUID(hex=named) if HEX.fullmatch(named) else named


def _each_once(roles: Iterable[Role]) -> tuple[Role, ...]:
    wanted = set(roles)
    return tuple(role for role in Role if role in wanted)
