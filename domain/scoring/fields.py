"""What is known of leads, by name: the one list of what rules may ask for and models learn from.

Nothing here follows from how a lead ended: no status, stage, probability, score, closing or lost reason, and no
relationship of its company, which wins alone change.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from domain.learning.kinds import ColumnKind
from models import rows
from models.activities import ActivityKind
from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType
from models.qualification import CriterionType, QualificationCriterion

CUSTOM = "custom:"
ANSWER = "answer:"
ACTIVITY = "activity:"


class Origin(StrEnum):
    """Where a field is read from."""

    LEAD = "LEAD"
    COMPANY = "COMPANY"
    CONTACT = "CONTACT"
    CUSTOM = "CUSTOM"
    ANSWER = "ANSWER"
    ACTIVITY = "ACTIVITY"


@dataclass(frozen=True, slots=True)
class Field:
    """One thing known of a lead; `unit` says what its numbers count."""

    key: str
    label: str
    kind: ColumnKind
    origin: Origin
    unit: str | None = None


N, C, S, W = ColumnKind.NUMBER, ColumnKind.CATEGORY, ColumnKind.SET, ColumnKind.WORDS
L, CO, CT, A = Origin.LEAD, Origin.COMPANY, Origin.CONTACT, Origin.ACTIVITY

FIXED: tuple[Field, ...] = (
    Field("source", "Source", C, L),
    Field("source_kind", "Kind of source", C, L),
    Field("campaign", "Campaign", C, L),
    Field("campaign_kind", "Kind of campaign", C, L),
    Field("pipeline", "Pipeline", C, L),
    Field("product", "Product", C, L),
    Field("owner", "Owner", C, L),
    Field("value", "Value", N, L, "base currency"),
    Field("currency", "Currency", C, L),
    Field("title", "Title", W, L),
    Field("description", "Description", W, L),
    Field("tags", "Tags", S, L),
    Field("close_date_days", "Days until the expected close date", N, L, "days"),
    Field("created_month", "Month of creation", C, L),
    Field("created_weekday", "Weekday of creation", C, L),
    Field("contacts", "Number of contacts", N, L),
    Field("needs", "Number of needs", N, L),
    Field("need_importance", "Importance of the greatest need", N, L),
    Field("competitors", "Number of competitors", N, L),
    Field("company", "Company", C, CO),
    Field("company.country", "Country", C, CO),
    Field("company.industry", "Industry", C, CO),
    Field("company.location", "Location", C, CO),
    Field("company.employees", "Employees", N, CO),
    Field("company.revenue", "Revenue", N, CO, "base currency"),
    Field("company.age", "Age of the company", N, CO, "years"),
    Field("company.parent", "Parent company", C, CO),
    Field("company.won_before", "Earlier wins with the company", N, CO),
    Field("company.lost_before", "Earlier losses with the company", N, CO),
    Field("contact.job_title", "Job title", W, CT),
    Field("contact.seniority", "Seniority", C, CT),
    Field("contact.language", "Language", C, CT),
    Field("contact.email", "Email address", C, CT),
    Field("contact.phone", "Phone number", C, CT),
    *(Field(f"{ACTIVITY}{kind.value}", f"{kind.value.replace('_', ' ').capitalize()}s", N, A) for kind in ActivityKind),
    Field("activities", "Activities", N, A),
    Field("inbound", "Inbound activities", N, A),
    Field("days_silent", "Days since something happened", N, A, "days"),
)
BY_KEY: Mapping[str, Field] = {field.key: field for field in FIXED}
# What the passing of time alone changes.
FADES = frozenset({"days_silent", "close_date_days", "company.age"})

OF_CUSTOM: Mapping[CustomFieldType, ColumnKind] = {
    CustomFieldType.TEXT: C,
    CustomFieldType.NUMBER: N,
    CustomFieldType.MONEY: N,
    CustomFieldType.DATE: N,
    CustomFieldType.CHOICE: C,
    CustomFieldType.MULTI_CHOICE: S,
    CustomFieldType.YES_NO: C,
    CustomFieldType.USER: C,
    CustomFieldType.URL: C,
    CustomFieldType.EMAIL: C,
    CustomFieldType.PHONE: C,
}
OF_ANSWER: Mapping[CriterionType, ColumnKind] = {
    CriterionType.TEXT: W,
    CriterionType.NUMBER: N,
    CriterionType.MONEY: N,
    CriterionType.DATE: N,
    CriterionType.YES_NO: C,
    CriterionType.CHOICE: C,
    CriterionType.MULTI_CHOICE: S,
}
PREFIX = {CustomFieldOwner.LEAD: "", CustomFieldOwner.COMPANY: "company.", CustomFieldOwner.CONTACT: "contact."}
CUSTOM_FIELDS = (
    "SELECT {columns} FROM custom_field WHERE workspace_id = $1 AND deleted_at IS NULL AND archived_at IS NULL"
)
CRITERIA = "SELECT {columns} FROM qualification_criterion WHERE workspace_id = $1 AND archived_at IS NULL"


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All fields of a workspace by key, with the rows behind those that it has added itself."""

    fields: Mapping[str, Field]
    custom: Mapping[str, CustomField]
    criteria: Mapping[str, QualificationCriterion]


def custom_key(row: CustomField) -> str:
    """Return the key of a custom field: `custom:`, `company.custom:` or `contact.custom:` and its id in hex."""
    return f"{PREFIX[row.owner]}{CUSTOM}{row.id.hex}"


def answer_key(criterion_id: UUID) -> str:
    return f"{ANSWER}{criterion_id.hex}"


async def catalogue(workspace_id: UUID, wanted: Iterable[str] | None = None) -> Catalogue:
    """Return what is known of a workspace's leads: what is fixed and, where wanted, its own fields and checklist."""
    if wanted is not None and BY_KEY.keys() >= set(wanted):
        return Catalogue(BY_KEY, {}, {})
    custom = {custom_key(row): row for row in await rows.select(CustomField, CUSTOM_FIELDS, workspace_id)}
    asked = {answer_key(row.id): row for row in await rows.select(QualificationCriterion, CRITERIA, workspace_id)}
    own = [Field(key, row.label, OF_CUSTOM[row.type], Origin.CUSTOM) for key, row in custom.items()]
    answers = [Field(key, row.label, OF_ANSWER[row.type], Origin.ANSWER) for key, row in asked.items()]
    return Catalogue({**BY_KEY, **{field.key: field for field in (*own, *answers)}}, custom, asked)
