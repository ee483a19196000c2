"""Results of a survey: counted by score in SQL, whatever the number of answers, with the scope of lists."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from tortoise.models import Model

from domain import policy
from domain.actors import Actor
from domain.survey_measures import Measures
from engine.select import fetch
from engine.sql import Params, visible
from models.campaigns import Campaign
from models.catalog import Source
from models.leads import Lead
from models.products import Product
from models.surveys import SurveyDispatch, SurveyResponse
from models.users import Membership, User

MOST_GROUPS = 1000


class SurveyResultDimension(StrEnum):
    """What results can be grouped by."""

    PRODUCT = "PRODUCT"
    OWNER = "OWNER"
    SOURCE = "SOURCE"
    CAMPAIGN = "CAMPAIGN"
    MONTH = "MONTH"
    LANGUAGE = "LANGUAGE"


@dataclass(frozen=True, slots=True)
class Grouping:
    """A dimension in SQL, of a lead `l` or of a response or dispatch `r` at its instant `at`, and what it shows."""

    value: str
    scoped: type[Model] | None = None
    shows: type[Model] | None = None


BY: Mapping[SurveyResultDimension, Grouping] = {
    SurveyResultDimension.PRODUCT: Grouping("l.product_id", Product, Product),
    SurveyResultDimension.OWNER: Grouping("l.owner_id", Membership, User),
    SurveyResultDimension.SOURCE: Grouping("l.source_id", Source, Source),
    SurveyResultDimension.CAMPAIGN: Grouping("l.campaign_id", Campaign, Campaign),
    SurveyResultDimension.MONTH: Grouping("to_char({at} AT TIME ZONE home.time_zone, 'YYYY-MM')"),
    SurveyResultDimension.LANGUAGE: Grouping("r.language"),
}


@dataclass(slots=True)
class Results:
    total: Measures
    groups: list[tuple[Any, Measures]]


COUNTED = """
WITH home AS (SELECT time_zone FROM workspace WHERE id = {workspace})
SELECT {key} AS key, {counted}
FROM {table} r CROSS JOIN home LEFT JOIN lead l ON l.id = r.lead_id
WHERE r.survey_id = {survey} AND {at} IS NOT NULL AND ({visible}){during}
GROUP BY {by}
LIMIT {most}
"""


async def results(
    actor: Actor,
    survey_id: UUID,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    by: SurveyResultDimension | None = None,
) -> Results:
    """Count what was answered to a survey from `since` to before `until`, of what exists for the actor.

    Answers count by when they were submitted, the asked by when the survey went out. Two statements, whatever the
    number of answers; groups by month come in order, others with the most answers first.
    """
    total = Measures()
    groups: dict[Any, Measures] = {}
    found = await _counted(
        SurveyResponse, "r.submitted_at", "r.score, count(*) AS n", "1, 2", actor, survey_id, since, until, by
    )
    for row in found:
        for measures in (total, groups.setdefault(row["key"], Measures())):
            measures.responses += row["n"]
            if row["score"] is not None:
                measures.scores[row["score"]] = measures.scores.get(row["score"], 0) + row["n"]
    counted = "count(*) AS n, count(*) FILTER (WHERE r.status = 'ANSWERED') AS answered"
    for row in await _counted(SurveyDispatch, "r.sent_at", counted, "1", actor, survey_id, since, until, by):
        for measures in (total, groups.setdefault(row["key"], Measures())):
            measures.sent += row["n"]
            measures.answered += row["answered"]
    return Results(total, _ordered(groups, by) if by else [])


def _ordered(groups: Mapping[Any, Measures], by: SurveyResultDimension) -> list[tuple[Any, Measures]]:
    if by is SurveyResultDimension.MONTH:
        return sorted(groups.items(), key=lambda group: str(group[0]))
    return sorted(groups.items(), key=lambda group: (-group[1].responses, group[0] is None, str(group[0])))[
        :MOST_GROUPS
    ]


async def _counted(
    model: type[Model],
    at: str,
    counted: str,
    grouped: str,
    actor: Actor,
    survey_id: UUID,
    since: datetime | None,
    until: datetime | None,
    by: SurveyResultDimension | None,
) -> list[Any]:
    params = Params()
    during = ""
    for bound, test in ((since, ">="), (until, "<")):
        if bound is not None:
            during += f" AND {at} {test} {params.add(bound, 'timestamptz')}"
    sql = COUNTED.format(
        workspace=params.add(actor.workspace_id, "uuid"),
        key=_key(actor, by, at),
        counted=counted,
        table=model._meta.db_table,
        survey=params.add(survey_id, "uuid"),
        at=at,
        visible=visible(model, actor, params, "r"),
        during=during,
        by=grouped,
        most=params.add(MOST_GROUPS * 20, "int"),
    )
    return await fetch(sql, params)


def _key(actor: Actor, by: SurveyResultDimension | None, at: str) -> str:
    """Return a dimension in SQL; to an actor for whom its noun, or leads, do not exist all answers are alike in it."""
    if by is None:
        return "NULL::text"
    grouping = BY[by]
    hidden = grouping.scoped is not None and policy.scope(actor, grouping.scoped).owners is not None
    unseen = grouping.scoped is not None and policy.scope(actor, Lead).owners == frozenset()
    return "NULL::uuid" if hidden or unseen else grouping.value.format(at=at)
