"""What can be done with payment providers and what they tell, in the schema: translate in, translate out."""

from typing import Annotated, ClassVar

import strawberry

from domain import payment_notices, payment_providers
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import shown
from schema.inputs import about, expected_version, own_id
from schema.invoices import Payment
from schema.payment_providers import PaymentNotice, PaymentProvider


@strawberry.input(description="Who is to tell of payments.")
class CreatePaymentProviderInput(MutationInput):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters.")


@strawberry.input(description="A payment provider.")
class PaymentProviderInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The provider.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived payment provider.")
class RestorePaymentProviderInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The provider.")


@strawberry.input(description="A payment that could not be taken, and what it is for.")
class AssignPaymentNoticeInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="What could not be taken.")
    invoice_id: strawberry.ID = strawberry.field(description="The invoice that it is a payment of.")


@strawberry.input(description="A payment that could not be taken.")
class DismissPaymentNoticeInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="What could not be taken.")


@strawberry.type(description="A payment provider after a mutation.")
class PaymentProviderPayload(Payload):
    stale_field: ClassVar[str] = "payment_provider"
    payment_provider: PaymentProvider | None = strawberry.field(
        default=None, description="The provider; the current one where the edit was stale, else null on errors."
    )


@strawberry.type(description="A payment provider with its new secret.")
class PaymentProviderSecretPayload(PaymentProviderPayload):
    secret: str | None = strawberry.field(
        default=None, description="What it signs its messages with, shown this once: whsec_…"
    )


@strawberry.type(description="What became of a payment that could not be taken.")
class PaymentNoticePayload(Payload):
    payment_notice: PaymentNotice | None = strawberry.field(default=None, description="What could not be taken.")
    payment: Payment | None = strawberry.field(default=None, description="The payment, where it was recorded.")


@strawberry.type
class PaymentProviderMutations:
    @strawberry.mutation(description="Let a provider tell of payments by signed web hooks.")
    @reports_user_errors
    async def create_payment_provider(
        self, info: Info, input: Annotated[CreatePaymentProviderInput, about("The provider.")]
    ) -> PaymentProviderSecretPayload:
        row = await payment_providers.create(
            info.context.actor,
            name=input.name,
            id=ids.decode_new(input.id, "PaymentProvider"),
            now=info.context.now,
        )
        return PaymentProviderSecretPayload(payment_provider=shown(row), secret=payment_providers.secret_of(row))

    @strawberry.mutation(description="Give a provider a new secret; the one before is accepted for a day.")
    @reports_user_errors
    async def rotate_payment_provider(
        self, info: Info, input: Annotated[PaymentProviderInput, about("The provider.")]
    ) -> PaymentProviderSecretPayload:
        row = await payment_providers.rotate(
            info.context.actor,
            ids.decode(input.id, "PaymentProvider"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return PaymentProviderSecretPayload(payment_provider=shown(row), secret=payment_providers.secret_of(row))

    @strawberry.mutation(description="Take nothing more from a provider.")
    @reports_user_errors
    async def archive_payment_provider(
        self, info: Info, input: Annotated[PaymentProviderInput, about("The provider.")]
    ) -> PaymentProviderPayload:
        row = await payment_providers.archive(
            info.context.actor,
            ids.decode(input.id, "PaymentProvider"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return PaymentProviderPayload(payment_provider=shown(row))

    @strawberry.mutation(description="Take payments from an archived provider again, with its secret as before.")
    @reports_user_errors
    async def restore_payment_provider(
        self, info: Info, input: Annotated[RestorePaymentProviderInput, about("The provider.")]
    ) -> PaymentProviderPayload:
        row = await payment_providers.restore(
            info.context.actor, ids.decode(input.id, "PaymentProvider"), now=info.context.now
        )
        return PaymentProviderPayload(payment_provider=shown(row))

    @strawberry.mutation(description="Record a payment that could not be taken as one of an invoice.")
    @reports_user_errors
    async def assign_payment_notice(
        self, info: Info, input: Annotated[AssignPaymentNoticeInput, about("The payment, and what it is for.")]
    ) -> PaymentNoticePayload:
        notice, payment = await payment_notices.assign(
            info.context.actor,
            ids.decode(input.id, "PaymentNotice"),
            ids.decode(input.invoice_id, "Invoice", field="invoiceId"),
            now=info.context.now,
        )
        return PaymentNoticePayload(payment_notice=shown(notice), payment=shown(payment))

    @strawberry.mutation(description="Say that a payment that could not be taken is none of ours.")
    @reports_user_errors
    async def dismiss_payment_notice(
        self, info: Info, input: Annotated[DismissPaymentNoticeInput, about("What could not be taken.")]
    ) -> PaymentNoticePayload:
        notice = await payment_notices.dismiss(
            info.context.actor, ids.decode(input.id, "PaymentNotice"), now=info.context.now
        )
        return PaymentNoticePayload(payment_notice=shown(notice))
