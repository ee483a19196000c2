"""How a workspace sells, in the schema."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, ClassVar

import strawberry

from domain import files, policy, selling_settings
from domain.actors import ALL
from domain.selling_settings import SellerDetails, SellingDetails
from domain.unset import UNSET, Unset
from models.selling import Rounding, WonAt
from models.selling import SellingSettings as SellingSettingsRow
from models.users import Role
from schema.companies import Address, address
from schema.context import Info
from schema.enums import described
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import batch, column, computed, given, given_id, noun, optional, shown
from schema.inputs import AddressInput, about, address_of, expected_version
from schema.scalars import URL

described(
    WonAt,
    "What wins a lead by itself.",
    ACCEPTANCE="Its customer accepts a proposal.",
    SIGNATURE="Both sides have signed a contract.",
    FIRST_PAYMENT="The first payment arrives.",
    BY_HAND="Nothing: somebody closes it.",
)


@strawberry.type(description="Who sells, as documents show them; texts are plain.")
class Seller:
    name: str | None = strawberry.field(description="Their name; null: the workspace's.")
    address: Address | None = strawberry.field(description="Where they are.")
    tax_number: str | None = strawberry.field(description="Their tax number.")
    email: str | None = strawberry.field(description="Their address for mail.")
    phone: str | None = strawberry.field(description="Their telephone.")
    website: str | None = strawberry.field(description="Their site on the web.")
    bank: str | None = strawberry.field(description="To which account they are paid.")


@strawberry.type(description="The highest discount that a role offers in negotiations without approval.")
class RoleDiscount:
    role: Role = strawberry.field(description="The role.")
    percent: Decimal = strawberry.field(description="The discount in percent.")


def seller(said: Mapping[str, Any]) -> Seller:
    """Return a seller from its JSON."""
    names = ("name", "tax_number", "email", "phone", "website", "bank")
    return Seller(address=address(said.get("address")), **{name: said.get(name) for name in names})


def _discounts(said: Mapping[str, str]) -> list[RoleDiscount]:
    return [RoleDiscount(role=role, percent=Decimal(said[role])) for role in Role if role in said]


async def _logo_urls(rows: list[Any], info: Info) -> list[str | None]:
    return [files.avatar_url(row.logo_id, now=info.context.now) if row.logo_id else None for row in rows]


@noun(SellingSettingsRow, description="How the workspace sells: what holds for new drafts and documents.")
class SellingSettings:
    rounding: Rounding = column("How amounts are rounded; HALF_UP at first.")
    tax_inclusive: bool = column("Whether prices bear their tax; at first, no.")
    tax_rate: Decimal = column("The rate of tax in percent where a product has none; 0 at first.")
    validity_days: int = column("For how many days proposals are valid; 30 at first.")
    payment_days: int = column("Within how many days invoices are due; 14 at first.")
    terms: str | None = column("What new proposals say of terms: plain text.")
    color: str | None = column("The colour of documents, as #3b82f6.")
    logo_url: URL | None = batch(
        _logo_urls,
        "Where the logo of documents can be fetched, by whoever has the link: the same address for a day.",
        needs=("logo_id",),
    )
    seller: Seller = computed(seller, "Who sells, as documents show them.", needs=("seller",))
    most_discount: list[RoleDiscount] = computed(
        _discounts,
        "The highest discounts by role; a role that is not among them has no limit.",
        needs=("most_discount",),
    )
    won_at: WonAt = column("What wins a lead by itself; SIGNATURE at first.")
    follows_proposal: bool = column("Whether a lead moves to PROPOSAL when one is sent.")
    follows_negotiation: bool = column("Whether a lead moves to NEGOTIATION when one is opened.")
    follows_agreement: bool = column("Whether a lead moves to CLOSING when terms are agreed on.")
    value_follows: bool = column("Whether a lead's value is that of the proposal that was sent last.")
    validity_reminder_days: int = column(
        "How many days before a proposal expires its customer is reminded; 3 at first, 0: never."
    )
    payment_reminder_days: int = column("Every how many days a customer is reminded of an overdue invoice; 7 at first.")
    most_payment_reminders: int = column("How often at most; 3 at first.")
    version: int = column("Rises with every edit; 0: as they are at first.")


@strawberry.type
class SellingSettingsQueries:
    @strawberry.field(description="How the workspace sells; null where it may not be seen.")
    async def selling_settings(self, info: Info) -> SellingSettings | None:
        actor = info.context.actor
        if actor is None or policy.scope(actor, SellingSettingsRow) != ALL:
            return None
        return shown(await selling_settings.of(actor.workspace_id))  # type: ignore[no-any-return]


@strawberry.input(description="Who sells, as documents show them: said as a whole.")
class SellerInput:
    name: str | None = strawberry.field(default=None, description="Their name; null: the workspace's.")
    address: AddressInput | None = strawberry.field(default=None, description="Where they are.")
    tax_number: str | None = strawberry.field(default=None, description="Their tax number, at most 50 characters.")
    email: str | None = strawberry.field(default=None, description="Their address for mail.")
    phone: str | None = strawberry.field(default=None, description="Their telephone.")
    website: str | None = strawberry.field(default=None, description="Their site on the web.")
    bank: str | None = strawberry.field(
        default=None, description="To which account they are paid, at most 1,000 characters."
    )


@strawberry.input(description="The highest discount that a role offers in negotiations without approval.")
class RoleDiscountInput:
    role: Role = strawberry.field(description="The role.")
    percent: Decimal = strawberry.field(description="The discount in percent.")


@strawberry.input(description="A change of how the workspace sells; what is left out stays, null is as at first.")
class UpdateSellingSettingsInput(MutationInput):
    rounding: Rounding | None = optional("How amounts are rounded.")
    tax_inclusive: bool | None = optional("Whether prices bear their tax.")
    tax_rate: Decimal | None = optional("The rate of tax in percent where a product has none.")
    validity_days: int | None = optional("For how many days proposals are valid, from 1 to 3,660.")
    payment_days: int | None = optional("Within how many days invoices are due, from 0 to 3,660.")
    terms: str | None = optional("What new proposals say of terms, at most 20,000 characters.")
    color: str | None = optional("The colour of documents, as #3b82f6.")
    logo_upload_id: strawberry.ID | None = optional(
        "The logo of documents: the `fileId` of an upload of one's own for LOGO, whose bytes have come; null for none."
    )
    seller: SellerInput | None = optional("Who sells, as a whole.")
    most_discount: list[RoleDiscountInput] | None = optional("The highest discounts by role, as a whole.")
    won_at: WonAt | None = optional("What wins a lead by itself.")
    follows_proposal: bool | None = optional("Whether a lead moves to PROPOSAL when one is sent.")
    follows_negotiation: bool | None = optional("Whether a lead moves to NEGOTIATION when one is opened.")
    follows_agreement: bool | None = optional("Whether a lead moves to CLOSING when terms are agreed on.")
    value_follows: bool | None = optional("Whether a lead's value is that of the proposal that was sent last.")
    validity_reminder_days: int | None = optional(
        "How many days before a proposal expires its customer is reminded, at most 365; 0: never."
    )
    payment_reminder_days: int | None = optional("Every how many days of an overdue invoice, from 1 to 365.")
    most_payment_reminders: int | None = optional("How often at most, up to 20.")
    expected_version: int | None = expected_version()


@strawberry.type(description="How the workspace sells after a mutation.")
class SellingSettingsPayload(Payload):
    stale_field: ClassVar[str] = "selling_settings"
    selling_settings: SellingSettings | None = strawberry.field(
        default=None, description="How; as it is now where the edit was stale, else null on errors."
    )


PLAIN = (
    "rounding",
    "tax_inclusive",
    "tax_rate",
    "validity_days",
    "payment_days",
    "terms",
    "color",
    "won_at",
    "follows_proposal",
    "follows_negotiation",
    "follows_agreement",
    "value_follows",
    "validity_reminder_days",
    "payment_reminder_days",
    "most_payment_reminders",
)


def _seller_of(value: Any) -> SellerDetails | Unset | None:
    if value is None or value is strawberry.UNSET:
        return None if value is None else UNSET
    said: SellerInput = value
    names = ("name", "tax_number", "email", "phone", "website", "bank")
    where = address_of(said.address)
    return SellerDetails(
        address=None if isinstance(where, Unset) else where, **{name: getattr(said, name) for name in names}
    )


def _discounts_of(value: Any) -> dict[Role, Decimal] | Unset | None:
    if value is None or value is strawberry.UNSET:
        return None if value is None else UNSET
    return {one.role: one.percent for one in value}


@strawberry.type
class SellingSettingsMutations:
    @strawberry.mutation(description="Change how the workspace sells, from the next draft and document on.")
    @reports_user_errors
    async def update_selling_settings(
        self, info: Info, input: Annotated[UpdateSellingSettingsInput, about("The change.")]
    ) -> SellingSettingsPayload:
        row = await selling_settings.update(
            info.context.actor,
            SellingDetails(
                seller=_seller_of(input.seller),
                most_discount=_discounts_of(input.most_discount),
                logo_upload_id=given_id(input.logo_upload_id, "File", field="logoUploadId"),
                **{name: given(getattr(input, name)) for name in PLAIN},
            ),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return SellingSettingsPayload(selling_settings=shown(row))
