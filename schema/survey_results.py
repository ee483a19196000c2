"""Results of a survey in the schema."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import strawberry

from domain.survey_measures import Measures
from engine.conditions import Compare, Op, both
from models.surveys import Survey as SurveyRow
from models.surveys import SurveyKind
from models.surveys import SurveyResponse as SurveyResponseRow
from queries import survey_results
from queries.survey_results import BY, SurveyResultDimension
from schema import ids
from schema.connections import After, Before, Connection, First, Last, listed, page_request
from schema.context import Info
from schema.enums import described
from schema.surveys import LAST_SUBMITTED, SurveyResponse

described(
    SurveyResultDimension,
    "What results of a survey can be grouped by.",
    PRODUCT="The product that the lead is most interested in.",
    OWNER="Who owns the lead.",
    SOURCE="Where the lead came from.",
    CAMPAIGN="The campaign that brought the lead.",
    MONTH="The month in which it was answered, or of those asked in which it went out, in the workspace's time zone.",
    LANGUAGE="The language that they were asked in.",
)


@strawberry.type(description="How often a score was given.")
class ScoreCount:
    score: int = strawberry.field(description="The score.")
    count: int = strawberry.field(description="How often.")


@strawberry.type(description="The Net Promoter Score, -100 to 100, with its 95 % confidence interval.")
class NetPromoterScore:
    score: float = strawberry.field(description="The share of promoters (9, 10) less that of detractors (0 to 6).")
    low: float | None = strawberry.field(
        description="Where the interval begins; null for fewer than two answers. It is Wald's, by the variance of the "
        "trinomial: too narrow for few answers, and silent on those who did not answer."
    )
    high: float | None = strawberry.field(description="Where the interval ends; null for fewer than two answers.")
    promoters: int = strawberry.field(description="How many gave 9 or 10.")
    passives: int = strawberry.field(description="How many gave 7 or 8.")
    detractors: int = strawberry.field(description="How many gave 0 to 6.")


@strawberry.interface(description="What was answered, counted. Answers that are not submitted count nowhere.")
class SurveyMeasures:
    measures: strawberry.Private[Measures]
    kind: strawberry.Private[SurveyKind]

    @strawberry.field(description="How many were asked in the time.")
    def sent(self) -> int:
        return self.measures.sent

    @strawberry.field(description="How many answers were submitted in the time.")
    def responses(self) -> int:
        return self.measures.responses

    @strawberry.field(description="Of those asked in the time, the share who answered by now, 0 to 1; null for none.")
    def response_rate(self) -> float | None:
        return self.measures.response_rate

    @strawberry.field(description="How often each score was given, from the lowest.")
    def distribution(self) -> list[ScoreCount]:
        return [ScoreCount(score=score, count=count) for score, count in sorted(self.measures.scores.items())]

    @strawberry.field(description="The mean score; null without any. Of a survey of kind CES it is the score.")
    def mean_score(self) -> float | None:
        return self.measures.mean

    @strawberry.field(
        description="The Net Promoter Score of a survey of kind NPS; null of others, and without answers."
    )
    def nps(self) -> NetPromoterScore | None:
        found, margin = self.measures.nps, self.measures.nps_margin
        if self.kind is not SurveyKind.NPS or found is None:
            return None
        promoters, detractors = self.measures.promoters, self.measures.detractors
        return NetPromoterScore(
            score=found,
            low=None if margin is None else max(found - margin, -100.0),
            high=None if margin is None else min(found + margin, 100.0),
            promoters=promoters,
            passives=self.measures.scored - promoters - detractors,
            detractors=detractors,
        )

    @strawberry.field(description="Of a survey of kind CSAT the share of 4 and 5, 0 to 1; null of others.")
    def satisfied_share(self) -> float | None:
        return self.measures.satisfied if self.kind is SurveyKind.CSAT else None


@strawberry.type(description="All answers of the results.")
class SurveyTotals(SurveyMeasures):
    pass


@strawberry.type(description="Answers that have something in common.")
class SurveyResultGroup(SurveyMeasures):
    of: strawberry.Private[Any]
    dimension: SurveyResultDimension = strawberry.field(description="What they have in common.")

    @strawberry.field(description="An id, a month as YYYY-MM, or a language; null where they have none.")
    def key(self) -> str | None:
        model = BY[self.dimension].shows
        return self.of if model is None or self.of is None else ids.encode(model.__name__, self.of)

    @strawberry.field(description="The same for people to read; null where they have none, or it may not be seen.")
    async def label(self, info: Info) -> str | None:
        model = BY[self.dimension].shows
        if model is None or self.of is None:
            return None if self.of is None else str(self.of)
        row = await info.context.row(model, self.of)
        return row.name if row else None


@strawberry.type(description="The results of a survey.")
class SurveyResults:
    survey_id: strawberry.Private[UUID]
    since: strawberry.Private[datetime | None]
    until: strawberry.Private[datetime | None]
    total: SurveyTotals = strawberry.field(description="All of them.")
    groups: list[SurveyResultGroup] = strawberry.field(
        description="By groupBy: months in order, others with the most answers first; empty without it."
    )

    @strawberry.field(description="What was written in their own words, the newest first.")
    async def verbatims(
        self, info: Info, first: First = None, after: After = None, last: Last = None, before: Before = None
    ) -> Connection[SurveyResponse]:
        parts = [
            Compare("survey_id", Op.EQ, self.survey_id),
            Compare("submitted_at", Op.IS_NULL, False),
            Compare("verbatim", Op.IS_NULL, False),
        ]
        if self.since is not None:
            parts.append(Compare("submitted_at", Op.GTE, self.since))
        if self.until is not None:
            parts.append(Compare("submitted_at", Op.LT, self.until))
        asked = page_request(
            SurveyResponseRow,
            orders=LAST_SUBMITTED,
            condition=both(*parts),
            first=first,
            after=after,
            last=last,
            before=before,
        )
        return await listed(asked, info.context)  # type: ignore[return-value]


@strawberry.type
class SurveyResultQueries:
    @strawberry.field(
        description="The results of a survey, of what the viewer may see: whoever sees only some people's leads sees "
        "what was answered about these. Null where the survey may not be seen."
    )
    async def survey_results(
        self,
        info: Info,
        survey_id: Annotated[strawberry.ID, strawberry.argument(description="The survey.")],
        from_: Annotated[
            datetime | None, strawberry.argument(name="from", description="Only what was answered from here on.")
        ] = None,
        to: Annotated[datetime | None, strawberry.argument(description="Only what was answered before.")] = None,
        group_by: Annotated[
            SurveyResultDimension | None, strawberry.argument(description="By what to group; none: totals only.")
        ] = None,
    ) -> SurveyResults | None:
        survey = await info.context.row(SurveyRow, ids.decode(survey_id, "Survey", field="surveyId"))
        if survey is None:
            return None
        found = await survey_results.results(info.context.actor, survey.id, since=from_, until=to, by=group_by)
        return SurveyResults(
            survey_id=survey.id,
            since=from_,
            until=to,
            total=SurveyTotals(measures=found.total, kind=survey.kind),
            groups=[
                SurveyResultGroup(measures=measures, kind=survey.kind, of=key, dimension=group_by)
                for key, measures in found.groups
                if group_by is not None
            ],
        )
