"""What happens to a negotiation, the moment that it happens: for both sides, each what they may see."""

from collections.abc import AsyncGenerator
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import strawberry

from domain import negotiating
from domain.actors import ActorKind
from domain.errors import NotFound
from models.negotiations import Negotiation as NegotiationRow
from models.negotiations import NegotiationComment as NegotiationCommentRow
from models.negotiations import NegotiationEnding
from models.negotiations import Offer as OfferRow
from models.proposal_links import Party
from schema import ids
from schema.amounts import money
from schema.context import Info
from schema.fields import shown
from schema.live import AfterCursor, ResyncRequired, watching
from schema.live_watches import NegotiationWatch
from schema.negotiations import Negotiation
from schema.public_negotiations import PublicComment, PublicOffer, link_of, public_comment, public_offer
from schema.scalars import Money


def tells(*verbs: str) -> Any:
    """Return the test of whether a message tells of one of these."""
    names = frozenset(f"negotiation.{verb}" for verb in verbs)
    return classmethod(
        lambda cls, obj, info: isinstance(obj, cls) or getattr(getattr(obj, "event", None), "name", None) in names
    )


def _key(message: Any, name: str) -> UUID | None:
    value = message.event.data.get(name)
    return UUID(value) if value else None


@strawberry.interface(
    description="Something that happened to a negotiation. It may come twice: drop an eventId that you have."
)
class NegotiationEvent:
    @strawberry.field(description="Where it stands in the log: pass it as `after` to go on from here.")
    def cursor(self) -> str:
        message: Any = self
        return message.cursor  # type: ignore[no-any-return]

    @strawberry.field(description="The event's id.")
    def event_id(self) -> strawberry.ID:
        message: Any = self
        return ids.encode("Event", message.event.id)

    @strawberry.field(description="When it happened.")
    def occurred_at(self) -> datetime:
        message: Any = self
        return message.event.occurred_at  # type: ignore[no-any-return]

    @strawberry.field(description="The negotiation's id.")
    def negotiation_id(self) -> strawberry.ID:
        message: Any = self
        return ids.encode("Negotiation", UUID(message.event.data["negotiation_id"]))

    @strawberry.field(description="Which side did it; null where nobody did.")
    def party(self) -> Party | None:
        message: Any = self
        told = message.event.data.get("party")
        return Party(told) if told else None

    @strawberry.field(description="The negotiation as it is now, for members; null for a customer's link.")
    async def negotiation(self, info: Info) -> Negotiation | None:
        message: Any = self
        identity = info.context.identity
        if identity is None or identity.kind is ActorKind.LINK:
            return None
        return shown(await info.context.row(NegotiationRow, _key(message, "negotiation_id")))  # type: ignore[no-any-return]


@strawberry.type(description="A side made an offer.")
class OfferMade(NegotiationEvent):
    is_type_of = tells("offer_made")

    @strawberry.field(description="The offer, as both sides see it.")
    async def offer(self) -> PublicOffer | None:
        message: Any = self
        row = await OfferRow.get_or_none(id=_key(message, "offer_id"), round__isnull=False)
        return public_offer(row) if row else None


@strawberry.type(description="A side said something.")
class CommentMade(NegotiationEvent):
    is_type_of = tells("commented")

    @strawberry.field(description="What it said.")
    async def comment(self) -> PublicComment | None:
        message: Any = self
        row = await NegotiationCommentRow.get_or_none(id=_key(message, "negotiation_comment_id"))
        return public_comment(row) if row else None


@strawberry.type(description="A side agreed to the other's offer.")
class Agreed(NegotiationEvent):
    is_type_of = tells("agreed")

    @strawberry.field(description="The round that was agreed to.")
    def round(self) -> int:
        message: Any = self
        return message.event.data["round"]  # type: ignore[no-any-return]

    @strawberry.field(description="What it comes to with tax.")
    def total(self) -> Money:
        message: Any = self
        data = message.event.data
        return money(Decimal(data["total"]), data["currency_code"])


@strawberry.type(description="A side ended the negotiation without agreement, or its proposal ended.")
class BrokenOff(NegotiationEvent):
    is_type_of = tells("broken_off")

    @strawberry.field(description="What it ended by.")
    def ending(self) -> NegotiationEnding:
        message: Any = self
        return NegotiationEnding(message.event.data["ending"])

    @strawberry.field(description="Why: plain text; null where the proposal ended.")
    def reason(self) -> str | None:
        message: Any = self
        return message.event.data.get("reason")  # type: ignore[no-any-return]


@strawberry.type(
    description="Something else changed: until when an answer is asked for, that this has passed, or, which only "
    "members are told, what was prepared, or an offer that is held, approved or rejected."
)
class NegotiationChanged(NegotiationEvent):
    is_type_of = tells("opened", "updated", "overdue", "offer_held", "offer_approved", "offer_rejected")


NegotiationMessage = Annotated[
    OfferMade | CommentMade | Agreed | BrokenOff | NegotiationChanged | ResyncRequired,
    strawberry.union("NegotiationMessage", description="What a live stream of a negotiation says."),
]


@strawberry.type
class NegotiationSubscriptions:
    @strawberry.subscription(
        description="What happens to a negotiation, for members who may see it and for whoever has its customer's link."
    )
    async def negotiation_events(
        self,
        info: Info,
        negotiation_id: Annotated[strawberry.ID, strawberry.argument(description="The negotiation.")],
        after: AfterCursor = None,
    ) -> AsyncGenerator[NegotiationMessage, None]:
        key, context = ids.decode(negotiation_id, "Negotiation", field="negotiationId"), info.context
        party, by = Party.SELLER, None
        if context.identity is not None and context.identity.kind is ActorKind.LINK:
            party, by = Party.BUYER, context.identity
            found = await negotiating.of_link(await link_of(context), negotiation_id=key)
        else:
            found = await context.row(NegotiationRow, key)
        if found is None:
            raise NotFound(noun="negotiation", field="negotiationId")
        return watching(context, NegotiationWatch(key, party), after, by=by)
