"""The event log, its head per workspace, and the jobs that follow from it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from tortoise import fields, models

from models.base import LogRow, Row


class Event(LogRow):
    """Something that happened. `position` is set by the relay: gapless and increasing per workspace.

    The table also has `seq`, an identity column, which only the relay reads.
    """

    position: int | None = fields.BigIntField(null=True)
    name = fields.TextField()
    subject_type = fields.TextField()
    subject_id = fields.UUIDField()
    actor: dict[str, Any] = fields.JSONField(default=dict)
    client_mutation_id: str | None = fields.TextField(null=True)
    data: dict[str, Any] = fields.JSONField(default=dict)
    occurred_at = fields.DatetimeField()

    class Meta:
        table = "event"


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """An event that has its position, as live clients and partners are told of it."""

    id: UUID
    workspace_id: UUID
    position: int
    name: str
    subject_id: UUID
    actor: dict[str, Any]
    client_mutation_id: str | None
    data: dict[str, Any]
    occurred_at: datetime


class EventHead(models.Model):
    """The last position that the relay gave in a workspace."""

    workspace_id = fields.UUIDField(primary_key=True)
    position = fields.BigIntField(default=0)

    class Meta:
        table = "event_head"


class Job(Row):
    """A task to run, at least once; the task marks it done in its own transaction."""

    workspace_id: UUID | None = fields.UUIDField(null=True)
    task = fields.TextField()
    queue = fields.TextField(default="default")
    arguments: dict[str, Any] = fields.JSONField(default=dict)
    due_at = fields.DatetimeField()
    lease_until: datetime | None = fields.DatetimeField(null=True)
    attempts = fields.IntField(default=0)
    done_at: datetime | None = fields.DatetimeField(null=True)
    failed_at: datetime | None = fields.DatetimeField(null=True)
    last_error: str | None = fields.TextField(null=True)
    created_at = fields.DatetimeField()

    class Meta:
        table = "job"
