"""What can be done with campaigns, in the schema: translate in, translate out."""

from datetime import date
from typing import Annotated, ClassVar

import strawberry

from domain import campaigns
from domain.campaigns import CampaignDetails
from models.campaigns import CampaignKind, CampaignMemberStatus
from schema import ids
from schema.campaigns import Campaign
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, money_of, own_id, unless_null
from schema.scalars import MoneyInput


@strawberry.input(description="What people say of a campaign.")
class CampaignFields(MutationInput):
    kind: CampaignKind | None = optional("What kind of campaign it is; OTHER if never said, null changes nothing.")
    description: str | None = optional("More about it, at most 20,000 characters.")
    starts_on: date | None = optional("Its first day.")
    ends_on: date | None = optional("Its last day, not before the first.")
    cost: MoneyInput | None = optional("What it costs in all.")


@strawberry.input(description="A campaign to add.")
class CreateCampaignInput(CampaignFields):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters; no two in use share one.")


@strawberry.input(description="A change of a campaign; what is left out stays as it is, null clears.")
class UpdateCampaignInput(CampaignFields):
    id: strawberry.ID = strawberry.field(description="The campaign.")
    name: str | None = optional("What it is called, at most 200 characters; no two in use share one.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A campaign to offer no more.")
class ArchiveCampaignInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The campaign.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived campaign to offer again.")
class RestoreCampaignInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The campaign.")


@strawberry.input(description="People to put into a campaign, or who have answered it.")
class AddCampaignMembersInput(MutationInput):
    campaign_id: strawberry.ID = strawberry.field(description="The campaign.")
    contact_ids: list[strawberry.ID] = strawberry.field(description="The people, at most 500 at once.")
    status: CampaignMemberStatus = strawberry.field(
        default=CampaignMemberStatus.INVITED,
        description="How they took part. Who has answered already stays so, whatever is said here.",
    )


@strawberry.input(description="People to take out of a campaign.")
class RemoveCampaignMembersInput(MutationInput):
    campaign_id: strawberry.ID = strawberry.field(description="The campaign.")
    contact_ids: list[strawberry.ID] = strawberry.field(
        description="The people, at most 500 at once; who is no member stays none."
    )


@strawberry.type(description="A campaign after a mutation.")
class CampaignPayload(Payload):
    stale_field: ClassVar[str] = "campaign"
    campaign: Campaign | None = strawberry.field(
        default=None, description="The campaign; the current one where the edit was stale, else null on errors."
    )


def _details(input: CreateCampaignInput | UpdateCampaignInput) -> CampaignDetails:
    return CampaignDetails(
        name=given(input.name),
        kind=unless_null(input.kind),
        description=given(input.description),
        starts_on=given(input.starts_on),
        ends_on=given(input.ends_on),
        cost=money_of(input.cost),
    )


@strawberry.type
class CampaignMutations:
    @strawberry.mutation(description="Add a campaign.")
    @reports_user_errors
    async def create_campaign(
        self, info: Info, input: Annotated[CreateCampaignInput, about("The campaign.")]
    ) -> CampaignPayload:
        row = await campaigns.create(
            info.context.actor, _details(input), id=ids.decode_new(input.id, "Campaign"), now=info.context.now
        )
        return CampaignPayload(campaign=shown(row))

    @strawberry.mutation(description="Change a campaign.")
    @reports_user_errors
    async def update_campaign(
        self, info: Info, input: Annotated[UpdateCampaignInput, about("The change.")]
    ) -> CampaignPayload:
        row = await campaigns.update(
            info.context.actor,
            ids.decode(input.id, "Campaign"),
            _details(input),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return CampaignPayload(campaign=shown(row))

    @strawberry.mutation(description="Offer a campaign no more; leads keep it.")
    @reports_user_errors
    async def archive_campaign(
        self, info: Info, input: Annotated[ArchiveCampaignInput, about("The campaign.")]
    ) -> CampaignPayload:
        row = await campaigns.archive(
            info.context.actor,
            ids.decode(input.id, "Campaign"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return CampaignPayload(campaign=shown(row))

    @strawberry.mutation(description="Offer an archived campaign again.")
    @reports_user_errors
    async def restore_campaign(
        self, info: Info, input: Annotated[RestoreCampaignInput, about("The campaign.")]
    ) -> CampaignPayload:
        row = await campaigns.restore(info.context.actor, ids.decode(input.id, "Campaign"), now=info.context.now)
        return CampaignPayload(campaign=shown(row))

    @strawberry.mutation(description="Put people into a campaign, or say that they have answered it.")
    @reports_user_errors
    async def add_campaign_members(
        self, info: Info, input: Annotated[AddCampaignMembersInput, about("The people.")]
    ) -> CampaignPayload:
        row = await campaigns.add_members(
            info.context.actor,
            ids.decode(input.campaign_id, "Campaign", field="campaignId"),
            ids.decode_all(input.contact_ids, "Contact", field="contactIds"),
            status=input.status,
            now=info.context.now,
        )
        return CampaignPayload(campaign=shown(row))

    @strawberry.mutation(description="Take people out of a campaign.")
    @reports_user_errors
    async def remove_campaign_members(
        self, info: Info, input: Annotated[RemoveCampaignMembersInput, about("The people.")]
    ) -> CampaignPayload:
        row = await campaigns.remove_members(
            info.context.actor,
            ids.decode(input.campaign_id, "Campaign", field="campaignId"),
            ids.decode_all(input.contact_ids, "Contact", field="contactIds"),
            now=info.context.now,
        )
        return CampaignPayload(campaign=shown(row))
