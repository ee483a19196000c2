"""Rows on their way into tables: keys that a seed decides, events beside them, and COPY."""

from collections.abc import Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

import asyncpg
import orjson
from tortoise.backends.base.client import BaseDBAsyncClient

from domain.events import Event
from models.database import mark_dirty

Record: TypeAlias = tuple[Any, ...]

# Keys count on from here, a millisecond each, so that they are the same whenever a demo is made.
FIRST_KEY_MS = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
# Plans and surveys are laid out by the demo itself, and nobody is told of answers that nobody gave.
DONE = ("lay_out_plans", "dispatch_surveys", "follow_detractors", "notify")
STAMPS = ("version", "created_at", "updated_at")

# The columns that are filled, by table; tables come in the order in which they refer to each other.
COLUMNS: dict[str, tuple[str, ...]] = {
    "workspace": (
        "id", "name", "base_currency", "time_zone", "locale", "wins_window_days", "role_visibility",
        "memberships_version", "settings", *STAMPS,
    ),
    "user_account": ("id", "email", "email_normalised", "password_hash", "name", "is_service", *STAMPS),
    "team": ("id", "workspace_id", "name", "parent_id", *STAMPS),
    "membership": ("id", "workspace_id", "user_id", "role", "team_id", "active", "created_at"),
    "pipeline": ("id", "workspace_id", "name", "position", "is_default", *STAMPS),
    "stage": (
        "id", "workspace_id", "pipeline_id", "name", "kind", "position", "probability", "rot_days", "is_intake",
        "requirements", *STAMPS,
    ),
    "source": ("id", "workspace_id", "name", "kind", *STAMPS),
    "campaign": (
        "id", "workspace_id", "name", "kind", "starts_on", "ends_on", "cost", "cost_currency", *STAMPS,
    ),
    "lost_reason": ("id", "workspace_id", "name", *STAMPS),
    "tag": ("id", "workspace_id", "name", "color", *STAMPS),
    "product": (
        "id", "workspace_id", "name", "name_normalised", "sku", "family", "price", "price_currency", *STAMPS,
    ),
    "custom_field": (
        "id", "workspace_id", "owner", "key", "label", "type", "options", "position", "is_indexed", "index_state",
        *STAMPS,
    ),
    "qualification_criterion": (
        "id", "workspace_id", "label", "question", "type", "choices", "required_for_mql", "required_for_sql",
        "preset_key", "position", *STAMPS,
    ),
    "competitor": ("id", "workspace_id", "name", "website", "strengths", "weaknesses", *STAMPS),
    "follow_up_plan": ("id", "workspace_id", "name", "trigger", "since", *STAMPS),
    "follow_up_plan_step": (
        "id", "workspace_id", "plan_id", "number", "kind", "title", "priority", "anchor", "days", *STAMPS,
    ),
    "survey": (
        "id", "workspace_id", "name", "kind", "content", "draft_number", "published_number", "published_at",
        "after_sale", "delay_days", "sample_percent", "pause_days", "most_reminders", "reminder_days", "expires_days",
        "detractor_most", "promoter_least", "detractor_follow_up", "asks_referral", *STAMPS,
    ),
    "survey_version": ("id", "workspace_id", "survey_id", "number", "content", "published_at", "published_by_id"),
    "exchange_rate": ("id", "workspace_id", "currency", "rate", "valid_on", "created_at"),
    "company": (
        "id", "workspace_id", "name", "name_normalised", "domain", "website", "phone", "phone_normalised", "industry",
        "country", "location", "employees", "revenue", "revenue_currency", "founded_year", "relationship", "owner_id",
        "custom", *STAMPS,
    ),
    "contact": (
        "id", "workspace_id", "name", "company_id", "job_title", "email", "email_normalised", "phone",
        "phone_normalised", "language", "relationship", "owner_id", "custom", *STAMPS,
    ),
    "lead": (
        "id", "workspace_id", "title", "description", "pipeline_id", "stage_id", "rank", "status", "lifecycle",
        "value", "currency", "closing_rate", "probability", "score", "grade", "engagement", "score_factors",
        "scored_at", "owner_id", "company_id", "product_id", "source_id", "campaign_id", "lost_reason_id",
        "close_note", "expected_close_date", "engaged_at", "stage_entered_at", "first_activity_at", "last_activity_at",
        "first_response_seconds", "touches", "closed_at", "custom", "next_follow_up_at", *STAMPS,
    ),
    "lead_contact": ("id", "workspace_id", "lead_id", "contact_id", "role", "is_primary", "created_at"),
    "lead_tag": ("id", "workspace_id", "lead_id", "tag_id"),
    "lead_competitor": ("id", "workspace_id", "lead_id", "competitor_id", "threat", "created_at"),
    "comment": ("id", "workspace_id", "lead_id", "user_id", "text", *STAMPS),
    "follow_up": (
        "id", "workspace_id", "lead_id", "owner_id", "created_by_id", "kind", "title", "priority", "status", "due_at",
        "due_on", "time_zone", "plan_id", "plan_step_id", "plan_key", "occasion", "outcome", "ended_at", "ended_by_id",
        "occurrence", *STAMPS,
    ),
    "survey_dispatch": (
        "id", "workspace_id", "survey_id", "survey_version_id", "lead_id", "contact_id", "trigger", "occasion",
        "won_at", "status", "language", "reminders", "sent_at", "expires_at", "ended_at", "created_at",
    ),
    "survey_response": (
        "id", "workspace_id", "dispatch_id", "survey_id", "survey_version_id", "lead_id", "contact_id", "answers",
        "score", "verdict", "verbatim", "language", "started_at", "updated_at", "submitted_at",
    ),
    "need": ("id", "workspace_id", "lead_id", "kind", "title", "importance", "answer", *STAMPS),
    "activity": (
        "id", "workspace_id", "kind", "is_touch", "lead_id", "direction", "outcome", "subject", "text",
        "duration_seconds", "occurred_at", "user_id", "logged_by_id", *STAMPS,
    ),
    "qualification_answer": (
        "id", "workspace_id", "lead_id", "criterion_id", "value", "source", "user_id", "answered_at",
    ),
    "stage_transition": (
        "id", "workspace_id", "lead_id", "from_stage_id", "to_stage_id", "user_id", "moved_at", "stayed_seconds",
    ),
    "event": ("id", "workspace_id", "name", "subject_type", "subject_id", "actor", "data", "occurred_at"),
}  # fmt: skip


class Keys:
    """UUIDv7 in rising order, made of chance that a seed decides."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._next = FIRST_KEY_MS

    def take(self) -> UUID:
        random = self._chance.getrandbits(74)
        self._next += 1
        return UUID(
            int=self._next << 80 | 0x7 << 76 | (random >> 62) << 64 | 0b10 << 62 | random & 0x3FFF_FFFF_FFFF_FFFF
        )


class Rows:
    """Rows of many tables that belong together, with their events."""

    def __init__(self, workspace_id: UUID, keys: Keys) -> None:
        self.workspace_id = workspace_id
        self.keys = keys
        self.tables: dict[str, list[Record]] = {table: [] for table in COLUMNS}
        self.leads = 0

    def add(self, table: str, *values: Any) -> None:
        """Add a row of the workspace; `values` follow its key and its workspace's."""
        self.tables[table].append((self.keys.take(), self.workspace_id, *values))

    def put(self, table: str, key: UUID, *values: Any) -> None:
        """Add a row of the workspace under a key taken before."""
        self.tables[table].append((key, self.workspace_id, *values))

    def happened(self, event: type[Event], subject_id: UUID, data: Mapping[str, Any], *, by: str, at: datetime) -> None:
        """Add an event; `by` is its actor as the log keeps it. What follows from it is made as well, or left out."""
        told = orjson.dumps({**data, "bulk": True, "tasks_done": DONE}, default=str).decode()
        self.add("event", event.name, event.name.partition(".")[0], subject_id, by, told, at)

    async def write(self, connection: BaseDBAsyncClient) -> None:
        """Copy all of them into their tables, within the running transaction."""
        async with connection.acquire_connection() as raw:
            assert isinstance(raw, asyncpg.Connection)
            for table, records in self.tables.items():
                if records:
                    await raw.copy_records_to_table(table, columns=COLUMNS[table], records=records)
        mark_dirty()


def fresh(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the event of a new row says: its columns that are filled, and its version."""
    return {"changes": {name: [None, value] for name, value in columns.items() if value is not None}, "version": 1}
