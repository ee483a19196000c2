"""What can be done with products, in the schema: translate in, translate out."""

from decimal import Decimal
from typing import Annotated, ClassVar

import strawberry

from domain import products
from domain.products import ProductDetails
from schema import ids
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.external_refs import ExternalRefInput, refs
from schema.fields import given, optional, shown
from schema.inputs import about, expected_version, money_of, own_id
from schema.products import Product
from schema.scalars import MoneyInput


@strawberry.input(description="What people say of a product.")
class ProductFields(MutationInput):
    sku: str | None = optional("The number under which it is stocked, at most 100 characters; no two share one.")
    family: str | None = optional("The series or family that it belongs to, at most 200 characters.")
    description: str | None = optional("More about it, at most 20,000 characters.")
    price: MoneyInput | None = optional("What one costs.")
    cost: MoneyInput | None = optional("What one costs the seller, which no customer sees.")
    tax_rate: Decimal | None = optional("The rate of its tax in percent; null: the workspace's usual one.")
    unit: str | None = optional("What is counted, such as piece or hour, at most 50 characters.")
    external_refs: list[ExternalRefInput] = strawberry.field(
        default_factory=list, description="What other systems call it, besides what is known; at most 50."
    )


@strawberry.input(description="A product to add.")
class CreateProductInput(ProductFields):
    id: strawberry.ID | None = own_id()
    name: str = strawberry.field(description="What it is called, at most 200 characters; no two share one.")


@strawberry.input(description="A change of a product; what is left out stays as it is, null clears.")
class UpdateProductInput(ProductFields):
    id: strawberry.ID = strawberry.field(description="The product.")
    name: str | None = optional("What it is called, at most 200 characters; no two share one.")
    expected_version: int | None = expected_version()


@strawberry.input(description="A product to sell no more.")
class ArchiveProductInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The product.")
    expected_version: int | None = expected_version()


@strawberry.input(description="An archived product to sell again.")
class RestoreProductInput(MutationInput):
    id: strawberry.ID = strawberry.field(description="The product.")


@strawberry.type(description="A product after a mutation.")
class ProductPayload(Payload):
    stale_field: ClassVar[str] = "product"
    product: Product | None = strawberry.field(
        default=None, description="The product; the current one where the edit was stale, else null on errors."
    )


def _details(input: CreateProductInput | UpdateProductInput) -> ProductDetails:
    return ProductDetails(
        name=given(input.name),
        sku=given(input.sku),
        family=given(input.family),
        description=given(input.description),
        price=money_of(input.price),
        cost=money_of(input.cost),
        tax_rate=given(input.tax_rate),
        unit=given(input.unit),
    )


@strawberry.type
class ProductMutations:
    @strawberry.mutation(description="Add a product.")
    @reports_user_errors
    async def create_product(
        self, info: Info, input: Annotated[CreateProductInput, about("The product.")]
    ) -> ProductPayload:
        row = await products.create(
            info.context.actor,
            _details(input),
            id=ids.decode_new(input.id, "Product"),
            external_refs=refs(input.external_refs),
            now=info.context.now,
        )
        return ProductPayload(product=shown(row))

    @strawberry.mutation(description="Change a product.")
    @reports_user_errors
    async def update_product(
        self, info: Info, input: Annotated[UpdateProductInput, about("The change.")]
    ) -> ProductPayload:
        row = await products.update(
            info.context.actor,
            ids.decode(input.id, "Product"),
            _details(input),
            expected_version=input.expected_version,
            external_refs=refs(input.external_refs),
            now=info.context.now,
        )
        return ProductPayload(product=shown(row))

    @strawberry.mutation(description="Sell a product no more; leads keep it.")
    @reports_user_errors
    async def archive_product(
        self, info: Info, input: Annotated[ArchiveProductInput, about("The product.")]
    ) -> ProductPayload:
        row = await products.archive(
            info.context.actor,
            ids.decode(input.id, "Product"),
            expected_version=input.expected_version,
            now=info.context.now,
        )
        return ProductPayload(product=shown(row))

    @strawberry.mutation(description="Sell a product again.")
    @reports_user_errors
    async def restore_product(
        self, info: Info, input: Annotated[RestoreProductInput, about("The product.")]
    ) -> ProductPayload:
        row = await products.restore(info.context.actor, ids.decode(input.id, "Product"), now=info.context.now)
        return ProductPayload(product=shown(row))
