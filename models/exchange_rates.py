"""Dated rates from a currency to the workspace's base currency."""

from decimal import Decimal

from tortoise import fields

from models.base import WorkspaceRow


class ExchangeRate(WorkspaceRow):
    """One unit of `currency` is `rate` units of the base currency from `valid_on` on."""

    currency = fields.CharField(max_length=3)
    rate: Decimal = fields.DecimalField(max_digits=24, decimal_places=12)
    valid_on = fields.DateField()
    created_at = fields.DatetimeField()

    class Meta:
        table = "exchange_rate"
        unique_together = (("workspace_id", "currency", "valid_on"),)
