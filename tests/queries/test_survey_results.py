"""Results of a survey: what is counted, for whom, and in what time whatever the number of answers."""

import time
from datetime import timedelta
from math import isclose

import pytest
from tortoise.connection import get_connection

from domain import products
from domain.products import ProductDetails
from domain.survey_measures import Measures
from models.surveys import SurveyDispatch
from models.users import Role
from queries.survey_results import SurveyResultDimension, results
from tests.factories import NOW, member, seller
from tests.statements import recorded
from tests.surveying import asked, buyer, published, submitted

BY = SurveyResultDimension

pytestmark = pytest.mark.usefixtures("db")


def test_the_score_and_its_interval_are_those_of_a_worked_example() -> None:
    # 100 answers: 50 promoters, 30 passives, 20 detractors: 30, with a variance of 0.5 + 0.2 - 0.09 = 0.61.
    measures = Measures(scores={10: 20, 9: 30, 8: 10, 7: 20, 6: 5, 0: 15})
    assert measures.nps == 30
    assert measures.nps_margin and isclose(measures.nps_margin, 100 * 1.959964 * (0.61 / 100) ** 0.5)
    assert Measures().nps is None and Measures(scores={9: 1}).nps_margin is None
    assert Measures(scores={10: 7}).nps_margin == 0


async def test_answers_are_counted_in_all_and_by_what_their_leads_have() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    roof = await products.create(admin, ProductDetails(name="Roof"), now=NOW)
    survey = await published(admin)
    month = timedelta(days=31)
    for number, (actor, product, score, at) in enumerate(
        ((admin, roof.id, 10, NOW), (admin, None, 9, NOW), (rep, roof.id, 3, NOW + month), (rep, roof.id, None, NOW))
    ):
        lead = await buyer(actor, email=f"a{number}@example.com", product_id=product)
        row = await asked(admin, lead, survey, now=at)
        if score is not None:
            await submitted(row, score=score, reason="Because", now=at)
    found = await results(admin, survey.id)
    assert (found.total.sent, found.total.responses, found.total.response_rate) == (4, 3, 0.75)
    assert found.total.scores == {10: 1, 9: 1, 3: 1}

    by_product = dict((await results(admin, survey.id, by=BY.PRODUCT)).groups)
    assert {key: (one.sent, one.responses) for key, one in by_product.items()} == {roof.id: (3, 2), None: (1, 1)}
    by_month = (await results(admin, survey.id, by=BY.MONTH)).groups
    assert [(key, one.responses) for key, one in by_month] == [("2026-03", 2), ("2026-04", 1)]
    early = await results(admin, survey.id, since=NOW, until=NOW + timedelta(days=1))
    assert (early.total.sent, early.total.responses) == (3, 2)

    own = await results(rep, survey.id, by=BY.OWNER)
    assert (own.total.sent, own.total.responses) == (2, 1)
    assert [key for key, _ in own.groups] == [rep.user_id]
    assert (await results(await seller(), survey.id)).total.responses == 0


MANY = """
WITH made AS (
    INSERT INTO survey_dispatch (id, workspace_id, survey_id, survey_version_id, lead_id, contact_id, trigger, status,
                                 reminders, sent_at, created_at)
    SELECT gen_random_uuid(), d.workspace_id, d.survey_id, d.survey_version_id, d.lead_id, d.contact_id, 'MANUAL',
           'ANSWERED', 0, d.sent_at, d.created_at
    FROM survey_dispatch d, generate_series(1, $2) WHERE d.id = $1
    RETURNING *
)
INSERT INTO survey_response (id, workspace_id, dispatch_id, survey_id, survey_version_id, lead_id, contact_id, answers,
                             score, language, started_at, updated_at, submitted_at, verbatim)
SELECT gen_random_uuid(), workspace_id, id, survey_id, survey_version_id, lead_id, contact_id, '{}',
       (random() * 10)::int, 'en', sent_at, sent_at, sent_at + random() * interval '300 days', 'Words'
FROM made
"""
HUNDRED_THOUSAND = 100_000


async def test_a_hundred_thousand_answers_are_counted_by_index_in_two_statements() -> None:
    admin = await seller()
    row = await asked(admin, await buyer(admin), await published(admin))
    client = get_connection("default")
    await client.execute_query(MANY, [row.id, HUNDRED_THOUSAND])
    await client.execute_script("ANALYZE survey_response; ANALYZE survey_dispatch")
    with recorded() as sent:
        begun = time.perf_counter()
        found = await results(admin, row.survey_id, by=BY.MONTH)
        took = time.perf_counter() - begun
    assert found.total.responses == HUNDRED_THOUSAND
    assert sum(one.responses for _, one in found.groups) == HUNDRED_THOUSAND
    assert len(sent) == 2
    # A machine that is busy is given time; row by row it would take minutes.
    assert took < 10
    plan = await client.execute_query_dict(
        "EXPLAIN SELECT * FROM survey_response r WHERE survey_id = $1 AND submitted_at IS NOT NULL "
        "AND verbatim IS NOT NULL ORDER BY submitted_at DESC NULLS LAST, id DESC LIMIT 20",
        [row.survey_id],
    )
    assert any("survey_response_verbatim_idx" in line["QUERY PLAN"] for line in plan)
    assert await SurveyDispatch.filter(survey_id=row.survey_id).count() == HUNDRED_THOUSAND + 1
