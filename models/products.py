"""What the workspace sells."""

from datetime import datetime
from decimal import Decimal

from tortoise import fields

from models.base import EditableRow


class Product(EditableRow):
    name = fields.TextField()
    name_normalised = fields.TextField()
    sku: str | None = fields.TextField(null=True)
    family: str | None = fields.TextField(null=True)
    description: str | None = fields.TextField(null=True)
    price: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    price_currency = fields.CharField(max_length=3, null=True)
    # What one costs the seller, and the rate of its tax in percent where it is not the usual one.
    cost: Decimal | None = fields.DecimalField(max_digits=19, decimal_places=4, null=True)
    cost_currency = fields.CharField(max_length=3, null=True)
    tax_rate: Decimal | None = fields.DecimalField(max_digits=6, decimal_places=3, null=True)
    unit: str | None = fields.TextField(null=True)
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "product"
