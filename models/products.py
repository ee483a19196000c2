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
    archived_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "product"
