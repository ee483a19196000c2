"""What can be done with competitors, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import competitors
from domain.competitors import CompetitorDetails, InPlay
from models.competitors import Threat
from schema import ids
from schema.competitors import Competitor
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, own_id, unless_null
from schema.lead_mutations import LeadPayload
from schema.scalars import URL


@strawberry.input(description="What people say of a competitor.")
class CompetitorFields(MutationInput):
    website: URL | None = optional("Their web address.")
    description: str | None = optional("More about them, at most 20,000 characters.")
    strengths: str | None = optional("What they are good at everywhere, at most 20,000 characters.")
    weaknesses: str | None = optional("What they are bad at everywhere, at most 20,000 characters.")


@strawberry.input(description="A competitor to add.")
class CreateCompetitorInput(CompetitorFields):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What they are called, at most 200 characters; no two share one.")


@strawberry.input(description="A change of a competitor; what is left out stays as it is, null clears.")
class UpdateCompetitorInput(CompetitorFields):
    id: strawberry.ID = strawberry.field(description="The competitor.")
    name: str | None = optional("What they are called, at most 200 characters; no two share one.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A competitor to offer no more.")
class ArchiveCompetitorInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The competitor.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived competitor to offer again.")
class RestoreCompetitorInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The competitor.")


@strawberry.input(
    description="A competitor to name on a lead, or what is said of them there; what is left out stays as it is, "
    "null clears."
)
class SetLeadCompetitorInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    competitor_id: strawberry.ID = strawberry.field(description="The competitor.")
    threat: Threat | None = optional("How dangerous they are here; MEDIUM at first, null changes nothing.")
    strengths: str | None = optional("What they are good at here, at most 20,000 characters.")
    weaknesses: str | None = optional("What they are bad at here, at most 20,000 characters.")
    notes: str | None = optional("What else there is to say, at most 20,000 characters.")


@strawberry.input(description="A competitor to take off a lead.")
class RemoveLeadCompetitorInput(MutationInput):
    lead_id: strawberry.ID = strawberry.field(description="The lead.")
    competitor_id: strawberry.ID = strawberry.field(description="The competitor.")


@strawberry.type(description="A competitor after a mutation.")
class CompetitorPayload(Payload):
    stale_field: ClassVar[str] = "competitor"
    competitor: Competitor | None = strawberry.field(
        default=None, description="The competitor; the current one where the edit was stale, else null on errors."
    )


def _details(input: CreateCompetitorInput | UpdateCompetitorInput) -> CompetitorDetails:
    return CompetitorDetails(
        name=given(input.name),
        website=given(input.website),
        description=given(input.description),
        strengths=given(input.strengths),
        weaknesses=given(input.weaknesses),
    )


@strawberry.type
class CompetitorMutations:
    @strawberry.mutation(description="Add a competitor.")
    @reports_user_errors
    async def create_competitor(
        self, info: Info, input: Annotated[CreateCompetitorInput, about("The competitor.")]
    ) -> CompetitorPayload:
        row = await competitors.create(
            info.context.actor, _details(input), id=ids.decode_new(input.id, "Competitor"), now=info.context.now
        )
        return CompetitorPayload(competitor=shown(row))

    @strawberry.mutation(description="Change a competitor.")
    @reports_user_errors
    async def update_competitor(
        self, info: Info, input: Annotated[UpdateCompetitorInput, about("The change.")]
    ) -> CompetitorPayload:
        row = await competitors.update(
            info.context.actor,
            ids.decode(input.id, "Competitor"),
            _details(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return CompetitorPayload(competitor=shown(row))

    @strawberry.mutation(description="Offer a competitor no more; leads keep it.")
    @reports_user_errors
    async def archive_competitor(
        self, info: Info, input: Annotated[ArchiveCompetitorInput, about("The competitor.")]
    ) -> CompetitorPayload:
        row = await competitors.archive(
            info.context.actor,
            ids.decode(input.id, "Competitor"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return CompetitorPayload(competitor=shown(row))

    @strawberry.mutation(description="Offer an archived competitor again.")
    @reports_user_errors
    async def restore_competitor(
        self, info: Info, input: Annotated[RestoreCompetitorInput, about("The competitor.")]
    ) -> CompetitorPayload:
        row = await competitors.restore(info.context.actor, ids.decode(input.id, "Competitor"), now=info.context.now)
        return CompetitorPayload(competitor=shown(row))

    @strawberry.mutation(description="Name a competitor on a lead, or change what is said of them there.")
    @reports_user_errors
    async def set_lead_competitor(
        self, info: Info, input: Annotated[SetLeadCompetitorInput, about("The competitor.")]
    ) -> LeadPayload:
        row = await competitors.set_on_lead(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            ids.decode(input.competitor_id, "Competitor", field="competitorId"),
            InPlay(
                threat=unless_null(input.threat),
                strengths=given(input.strengths),
                weaknesses=given(input.weaknesses),
                notes=given(input.notes),
            ),
            now=info.context.now,
        )
        return LeadPayload(lead=shown(row))

    @strawberry.mutation(description="Take a competitor off a lead.")
    @reports_user_errors
    async def remove_lead_competitor(
        self, info: Info, input: Annotated[RemoveLeadCompetitorInput, about("The competitor.")]
    ) -> LeadPayload:
        row = await competitors.remove_from_lead(
            info.context.actor,
            ids.decode(input.lead_id, "Lead", field="leadId"),
            ids.decode(input.competitor_id, "Competitor", field="competitorId"),
            now=info.context.now,
        )
        return LeadPayload(lead=shown(row))
