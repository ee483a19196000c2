"""First answers to requests that carry an idempotency key."""

from datetime import datetime

from tortoise import fields

from models.base import Row


class IdempotencyKey(Row):
    """`actor` and `key` are unique; `answer` is null while the first request runs."""

    actor = fields.TextField()
    key = fields.TextField()
    request_hash = fields.TextField()
    answer: bytes | None = fields.BinaryField(null=True)
    created_at = fields.DatetimeField()
    finished_at: datetime | None = fields.DatetimeField(null=True)

    class Meta:
        table = "idempotency_key"
        unique_together = (("actor", "key"),)
