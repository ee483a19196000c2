"""The event log in the schema: who did what, when, and what changed."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

import strawberry

from domain.actors import ActorKind
from models.events import Event as EventRow
from models.follow_ups import FollowUp as FollowUpRow
from models.surveys import Referral as ReferralRow
from models.surveys import SurveyDispatch as SurveyDispatchRow
from models.surveys import SurveyResponse as SurveyResponseRow
from models.users import User as UserRow
from schema import ids
from schema.enums import described
from schema.errors import UserError, user_errors
from schema.fields import column, computed, noun, relation
from schema.scalars import JSON

if TYPE_CHECKING:
    from schema.follow_ups import FollowUp
    from schema.surveys import Referral, SurveyDispatch, SurveyResponse
    from schema.users import User

described(
    ActorKind,
    "A kind of actor.",
    USER="A person.",
    API_KEY="A partner system, by an API key.",
    LINK="A customer, by a link.",
    SYSTEM="Salescycle itself.",
)


# Columns whose values are keys, and the noun that each is the key of.
REFERENCES = {
    "pipeline_id": "Pipeline",
    "stage_id": "Stage",
    "owner_id": "User",
    "company_id": "Company",
    "product_id": "Product",
    "source_id": "Source",
    "campaign_id": "Campaign",
    "lost_reason_id": "LostReason",
    "lost_to_id": "Competitor",
    "tag_ids": "Tag",
    "parent_id": "Company",
    "answers": "QualificationCriterion",
    "competitors": "Competitor",
    "contacts": "Contact",
    "contact_id": "Contact",
}
# How changes of custom fields begin; what follows is the key that the field had then.
CUSTOM = "custom."


# What hangs on a lead, company or contact, by the fact of its events that is its key.
ABOUT = {
    "activity_id": "Activity",
    "attachment_id": "Attachment",
    "comment_id": "Comment",
    "follow_up_id": "FollowUp",
    "referral_id": "Referral",
    "response_id": "SurveyResponse",
    "hand_over_id": "HandOver",
    "request_id": "MoveRequest",
    "payment_id": "Payment",
    "invoice_id": "Invoice",
    "contract_id": "Contract",
    "negotiation_id": "Negotiation",
    "proposal_id": "Proposal",
}
# What has events of its own, beside leads, companies and contacts.
SUBJECTS = {"need": "Need", "bulk": "Bulk", "import": "Import", "survey_dispatch": "SurveyDispatch"}


# The facts of events that are keys of `EventLinks`.
LINKS = ("follow_up_id", "dispatch_id", "response_id", "referral_id")


@strawberry.type(description="Who did something.")
class EventActor:
    kind: ActorKind = strawberry.field(description="What kind of actor it was.")
    task: str | None = strawberry.field(description="Which task, where it was Salescycle itself.")
    user_key: strawberry.Private[UUID | None]

    user: Annotated["User", strawberry.lazy("schema.users")] | None = relation(
        UserRow, "Which user, or the service user of an API key.", by="user_key"
    )


@strawberry.type(
    description="What an event tells of, as that is now; null where it tells of none, and of what is gone."
)
class EventLinks:
    follow_up_key: strawberry.Private[UUID | None]
    dispatch_key: strawberry.Private[UUID | None]
    response_key: strawberry.Private[UUID | None]
    referral_key: strawberry.Private[UUID | None]

    follow_up: Annotated["FollowUp", strawberry.lazy("schema.follow_ups")] | None = relation(
        FollowUpRow,
        "The follow-up that was planned, changed, done, cancelled, snoozed or reopened.",
        by="follow_up_key",
    )
    survey_dispatch: Annotated["SurveyDispatch", strawberry.lazy("schema.surveys")] | None = relation(
        SurveyDispatchRow,
        "The survey that was sent to somebody, brought to mind, answered or ended.",
        by="dispatch_key",
    )
    survey_response: Annotated["SurveyResponse", strawberry.lazy("schema.surveys")] | None = relation(
        SurveyResponseRow, "What was answered: its verdict says whether by a detractor.", by="response_key"
    )
    referral: Annotated["Referral", strawberry.lazy("schema.surveys")] | None = relation(
        ReferralRow, "Whom the customer recommended us to.", by="referral_key"
    )


@strawberry.type(description="A field that changed.")
class Change:
    field: str = strawberry.field(description="The field, as the API names it.")
    before: JSON | None = strawberry.field(description="What it was; a reference is a global id.")
    after: JSON | None = strawberry.field(description="What it became; a reference is a global id.")


def event_actor(facts: dict[str, Any]) -> EventActor:
    """Return an event's actor as the log keeps it."""
    user = facts.get("user")
    return EventActor(
        kind=ActorKind(facts.get("kind", ActorKind.SYSTEM)),
        task=facts.get("task"),
        user_key=UUID(user) if user else None,
    )


def event_changes(data: dict[str, Any]) -> list[Change]:
    """Return what an event says has changed, in the order of the names."""
    changed = data.get("changes") or {}
    return [
        Change(field=_shown(name), before=_public(name, was), after=_public(name, becomes))
        for name, (was, becomes) in sorted(changed.items())
    ]


def about(subject_type: str, subject_id: UUID, name: str, data: dict[str, Any]) -> str | None:
    """Return the global id of what hangs on a subject and an event tells of; None where it tells of itself.

    Of several that it names, that is what it is called by: of `invoice.paid` the invoice, not its contract.
    """
    if noun := SUBJECTS.get(subject_type):
        return ids.encode(noun, subject_id)
    facts = (f"{name.partition('.')[0]}_id", *ABOUT)
    return next((ids.encode(ABOUT[fact], UUID(data[fact])) for fact in facts if fact in ABOUT and data.get(fact)), None)


def event_links(subject_type: str, subject_id: UUID, data: dict[str, Any]) -> EventLinks:
    """Return what an event tells of."""
    found = {name: UUID(value) if (value := data.get(name)) else None for name in LINKS}
    if subject_type == SurveyDispatchRow._meta.db_table:
        found["dispatch_id"] = subject_id
    return EventLinks(
        follow_up_key=found["follow_up_id"],
        dispatch_key=found["dispatch_id"],
        response_key=found["response_id"],
        referral_key=found["referral_id"],
    )


def instead_of(data: dict[str, Any]) -> str | None:
    """Return the global id of whom a substitute stood in for."""
    return ids.encode("User", UUID(data["instead_of"])) if data.get("instead_of") else None


def _shown(name: str) -> str:
    """Return the name of what changed as the API writes it; keys of custom fields are written as they are."""
    return name if name.startswith(CUSTOM) else camel(name)


def _public(name: str, value: Any) -> JSON | None:
    """Return a column's value as the API shows it: keys as global ids."""
    if name.startswith(CUSTOM) and isinstance(value, dict) and "user" in value:
        return JSON(ids.encode("User", UUID(value["user"])))
    noun = REFERENCES.get(name)
    if noun is None or value is None:
        return JSON(value) if value is not None else None
    if isinstance(value, dict):
        return JSON({ids.encode(noun, UUID(key)): known for key, known in value.items()})
    if isinstance(value, list):
        return JSON([ids.encode(noun, UUID(key)) for key in value])
    return JSON(ids.encode(noun, UUID(value)))


def camel(name: str) -> str:
    """Return a column's name as the API writes it."""
    first, *others = name.split("_")
    return first + "".join(part.capitalize() for part in others)


@noun(EventRow, description="Something that happened.")
class HistoryEntry:
    name: str = column("What happened, such as lead.moved.")
    occurred_at: datetime = column("When it happened.")
    client_mutation_id: str | None = column("What the client that caused it sent along.")
    actor: EventActor = computed(event_actor, "Who did it.", needs=("actor",))
    changes: list[Change] = computed(event_changes, "What changed.", needs=("data",))
    about_id: strawberry.ID | None = computed(
        about,
        "The comment, activity, file, follow-up, survey, answer, referral, need, hand-over, asked move, proposal, "
        "negotiation, contract, invoice, payment, bulk or import that it is about, deleted ones included; null where "
        "it is about nothing but the object itself.",
        needs=("subject_type", "subject_id", "name", "data"),
    )
    links: EventLinks = computed(
        event_links,
        "The follow-up, survey, answer or referral that it tells of.",
        needs=("subject_type", "subject_id", "data"),
    )
    unmet_requirements: list[UserError] = computed(
        lambda data: user_errors(data.get("unmet")),
        "What stood against a move that did not follow, where it tells of one (lead.move_held); else empty.",
        needs=("data",),
    )
    reason: str | None = computed(
        lambda data: data.get("reason"),
        "Why, in words, where somebody said so: of what was withdrawn or credited, and why a customer was not mailed "
        "(customer.not_mailed).",
        needs=("data",),
    )
    instead_of_id: strawberry.ID | None = computed(
        instead_of,
        "The user whom the lead was meant for, where they were away and a substitute got it.",
        needs=("data",),
    )
