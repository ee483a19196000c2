"""Score models by the API: drafted, previewed, published, trained, promoted, rolled back; and what leads tell of it."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.learning.additive import Linear, Model
from domain.money import Money
from domain.scoring import in_use, leads_concerned, lessons
from domain.scoring.rescoring import rescore
from models.custom_fields import CustomField, CustomFieldType
from models.leads import Lead, LeadStatus
from models.scoring import ScoreModel, ScoreModelVersion, ScoreVersionState
from models.stages import StageKind
from models.users import Role
from tests.domain.test_rescoring import LEARNED, use
from tests.factories import NOW, custom_field, events, lead, lead_in, member, seller, stage
from tests.oracle.selling import REPORT
from tests.schema.asking import ask, gid

pytestmark = pytest.mark.usefixtures("db")

MODEL = """{ id name kind active version learning { ageDays everyDays } rules { grades groups { label dimension cap
  rules { label points condition { field check values least most withinDays halfLifeDays } } } }
  versions(first: 5) { nodes { number state rules { grades } } } }"""
CREATE = f"""mutation ($input: CreateScoreModelInput!) {{ createScoreModel(input: $input) {{
  scoreModel {MODEL} userErrors {{ code field message }} }} }}"""
UPDATE = f"""mutation ($input: UpdateScoreModelInput!) {{ updateScoreModel(input: $input) {{
  scoreModel {MODEL} userErrors {{ code field message }} }} }}"""
PUBLISH = """mutation ($input: PublishScoreModelInput!) { publishScoreModel(input: $input) {
  scoreModelVersion { number state model { active } } userErrors { code field message } } }"""
TRAIN = """mutation ($input: TrainScoreModelInput!) { trainScoreModel(input: $input) {
  scoreTraining { state progress } userErrors { code message } } }"""
PREVIEW = """query ($id: ID!) { scoreModelPreview(id: $id) {
  leads won auc topFifth deciles { leads won lift } problems { code field } } }"""
LEAD = """query ($id: ID!) { lead(id: $id) { score grade engagement winProbability scoredAt
  scoreFactors { label points direction } scoreHistory(first: 2) { score grade winProbability } } }"""

DAY = NOW.date()
VALUE = Linear("value", "Value", 0.1, 0.0, 0.0, 9.0, -1.0)
OWNED = {"label": "Somebody owns it", "points": 60, "condition": {"field": "owner", "check": "KNOWN"}}
LATELY = {
    "label": "Something happened",
    "points": 40,
    "condition": {"field": "days_silent", "check": "BETWEEN", "most": 7},
}
RULES = {
    "groups": [
        {"label": "Fit", "dimension": "FIT", "cap": 60, "rules": [OWNED]},
        {"label": "Lately", "dimension": "ENGAGEMENT", "cap": 40, "rules": [LATELY]},
    ]
}


async def made(actor: Any, **given: Any) -> dict[str, Any]:
    answer = await ask(actor, CREATE, input={"name": "Ours", "kind": "RULES"} | given)
    assert answer["createScoreModel"]["userErrors"] == []
    found: dict[str, Any] = answer["createScoreModel"]["scoreModel"]
    return found


async def test_a_model_begins_with_the_rules_that_ship_and_scores_when_it_is_published() -> None:
    admin = await seller()
    model = await made(admin)
    assert (model["active"], model["learning"]) == (False, None)
    assert {group["dimension"] for group in model["rules"]["groups"]} == {"FIT", "ENGAGEMENT"}
    answer = await ask(admin, UPDATE, input={"id": model["id"], "rules": RULES, "expectedVersion": 1})
    model = answer["updateScoreModel"]["scoreModel"]
    assert [group["label"] for group in model["rules"]["groups"]] == ["Fit", "Lately"]
    answer = await ask(admin, PUBLISH, input={"id": model["id"], "expectedVersion": 2})
    told = answer["publishScoreModel"]["scoreModelVersion"]
    assert told == {"number": 1, "state": "ACTIVE", "model": {"active": True}}
    row = await lead(admin)
    await rescore(admin.workspace_id, [row.id], now=NOW)
    shown = (await ask(admin, LEAD, id=gid("Lead", row.id)))["lead"]
    assert (shown["score"], shown["grade"], shown["engagement"], shown["winProbability"]) == (40, "D", 1, None)
    assert shown["scoreFactors"] == [{"label": "Something happened", "points": 40, "direction": "UP"}]
    assert [entry["score"] for entry in shown["scoreHistory"]] == [40]


async def test_each_score_of_the_history_stands_beside_what_did_not_change_with_it() -> None:
    admin = await seller()
    await use(admin, LEARNED)
    model = await made(admin, name="Rules", rules=RULES)
    await ask(admin, PUBLISH, input={"id": model["id"]})
    row = await lead(admin)
    for days in (0, 10):
        await rescore(admin.workspace_id, [row.id], now=NOW + timedelta(days=days))
    await Lead.filter(id=row.id).update(owner_id=admin.user_id)
    await rescore(admin.workspace_id, [row.id], now=NOW + timedelta(days=20))
    *_, second, third = await events(row.id)
    assert {*second.data["changes"]} == {"engagement"} and "engagement" not in third.data["changes"]
    before, after = (float(chance) for chance in third.data["changes"]["win_probability"])
    told = [
        {"grade": "A", "engagement": 4, "winProbability": after},
        {"grade": "D", "engagement": 4, "winProbability": before},
        {"grade": "D", "engagement": 1, "winProbability": before},
    ]
    query = "query ($id: ID!, $n: Int!) { lead(id: $id) { scoreHistory(first: $n) { grade engagement winProbability }}}"
    for most in (1, 2, 3):
        assert (await ask(admin, query, id=gid("Lead", row.id), n=most))["lead"]["scoreHistory"] == told[:most]


async def test_publishing_again_retires_what_was_in_use_and_it_can_be_rolled_back() -> None:
    admin = await seller()
    model = await made(admin, rules=RULES)
    for _ in range(2):
        await ask(admin, PUBLISH, input={"id": model["id"]})
    answer = await ask(
        admin,
        """mutation ($input: RollbackScoreModelInput!) { rollbackScoreModel(input: $input) {
          scoreModelVersion { number state } userErrors { code } } }""",
        input={"id": model["id"]},
    )
    assert answer["rollbackScoreModel"]["scoreModelVersion"] == {"number": 1, "state": "ACTIVE"}
    states = {row.number: row.state for row in await ScoreModelVersion.filter(workspace_id=admin.workspace_id)}
    assert states == {1: ScoreVersionState.ACTIVE, 2: ScoreVersionState.REJECTED}


async def test_two_models_of_a_kind_are_never_in_use_together() -> None:
    admin = await seller()
    first, second = await made(admin, rules=RULES), await made(admin, name="Others", rules=RULES)
    for model in (first, second, first):
        await ask(admin, PUBLISH, input={"id": model["id"]})
    assert [row.name for row in await ScoreModel.filter(active=True, workspace_id=admin.workspace_id)] == ["Ours"]


@pytest.mark.parametrize(
    ("condition", "code", "field"),
    [
        ({"field": "custom:gone", "check": "KNOWN"}, "UNKNOWN_SCORE_FIELD", "field"),
        ({"field": "source", "check": "BETWEEN", "least": 1}, "MISFITTING_CHECK", "check"),
        ({"field": "source", "check": "IS"}, "REQUIRED", "values"),
        ({"field": "value", "check": "BETWEEN"}, "REQUIRED", "least"),
        ({"field": "value", "check": "BETWEEN", "least": 5, "most": 5}, "MALFORMED", "most"),
        ({"field": "value", "check": "BETWEEN", "least": 5, "withinDays": 5}, "NOTHING_FADES", None),
        ({"field": "activities", "check": "BETWEEN", "least": 1, "halfLifeDays": 0}, "OUT_OF_RANGE", "halfLifeDays"),
    ],
)
async def test_what_cannot_be_tested_is_refused_by_name(condition: Any, code: str, field: str | None) -> None:
    admin = await seller()
    rule = {"label": "Rule", "points": 5, "condition": condition}
    rules = {"groups": [{"label": "Group", "dimension": "FIT", "cap": 10, "rules": [rule]}]}
    answer = await ask(admin, CREATE, input={"name": "Ours", "kind": "RULES", "rules": rules})
    [fault] = answer["createScoreModel"]["userErrors"]
    path = ["rules", "groups", "0", "rules", "0", "condition", *([field] if field else [])]
    assert (fault["code"], fault["field"]) == (code, path)


@pytest.mark.parametrize("shares", [[], [0.5], [0.9, 0.6, 0.3, 0.1], [0.3, 0.6, 0.9], [1.5, 0.5, 0.2]])
async def test_grades_are_made_of_three_falling_shares(shares: list[float]) -> None:
    admin = await seller()
    rules = RULES | {"grades": shares, "levels": shares}
    answer = await ask(admin, CREATE, input={"name": "Ours", "kind": "RULES", "rules": rules})
    told = [(fault["code"], fault["field"]) for fault in answer["createScoreModel"]["userErrors"]]
    assert told == [("MALFORMED", ["rules", "grades"]), ("MALFORMED", ["rules", "levels"])]


async def test_half_lives_that_overlap_are_refused() -> None:
    admin = await seller()

    def group(label: str, days: float, field: str) -> dict[str, Any]:
        condition = {"field": field, "check": "BETWEEN", "least": 1, "halfLifeDays": days}
        rule = {"label": label, "points": 5, "condition": condition}
        return {"label": "Calls", "dimension": "ENGAGEMENT", "cap": 10, "rules": [rule]}

    groups = [group("One", 7, "activity:CALL"), group("Mails", 9, "activity:EMAIL"), group("Same", 7, "activity:CALL")]
    for other in (group("Two", 30, "activity:CALL"), group("Two", 9, "activities")):
        rules = {"groups": [*groups, other]}
        answer = await ask(admin, CREATE, input={"name": "Ours", "kind": "RULES", "rules": rules})
        [fault] = answer["createScoreModel"]["userErrors"]
        assert fault["code"] == "OVERLAPPING_HALF_LIVES" and "Two and One" in fault["message"]
        assert fault["field"][:3] == ["rules", "groups", "3"]


async def test_a_preview_says_how_closed_leads_would_have_been_scored() -> None:
    admin = await seller()
    model = await made(admin, rules=RULES)
    where = await stage(admin, StageKind.QUALIFY)
    for number in range(40):
        await lead_in(
            where,
            status=LeadStatus.WON if number % 4 == 0 else LeadStatus.LOST,
            owner_id=admin.user_id if number % 4 == 0 else None,
            created_at=NOW - timedelta(days=100 + number),
            closed_at=NOW - timedelta(days=50),
        )
    told = (await ask(admin, PREVIEW, id=model["id"]))["scoreModelPreview"]
    assert (told["leads"], told["won"], told["auc"], told["problems"]) == (40, 10, 1.0, [])
    assert told["topFifth"] == pytest.approx(0.8)
    assert told["deciles"][0] == {"leads": 4, "won": 4, "lift": 4.0}


async def test_a_preview_leaves_out_what_was_written_with_the_outcome() -> None:
    admin = await seller()
    model = await made(admin, rules=RULES)
    where = await stage(admin, StageKind.QUALIFY)
    for number in range(120):
        is_won = number % 2 == 0
        await lead_in(
            where,
            status=LeadStatus.WON if is_won else LeadStatus.LOST,
            owner_id=admin.user_id if is_won else None,
            created_at=NOW - timedelta(days=100),
            closed_at=NOW - timedelta(days=50),
        )
    told = (await ask(admin, PREVIEW, id=model["id"]))["scoreModelPreview"]
    assert told["auc"] == 0.5
    assert [problem["code"] for problem in told["problems"]] == ["SCORE_FIELD_LEAKS"]


async def test_amounts_without_an_exchange_rate_are_told_from_unknown_ones() -> None:
    admin = await seller()
    value = {"label": "Large", "points": 9, "condition": {"field": "value", "check": "BETWEEN", "least": 5000}}
    rules = {"groups": [{"label": "Value", "dimension": "FIT", "cap": 10, "rules": [value]}]}
    model = await made(admin, name="Rules", rules=rules)
    where = await stage(admin, StageKind.QUALIFY)
    for currency, amount in (("EUR", None), ("CHF", 7), ("EUR", 7), ("INR", 7), ("CHF", 7)):
        await lead_in(where, status=LeadStatus.LOST, value=amount, currency=currency, closed_at=NOW)
    found = await lessons.closed_leads(admin.workspace_id, age=timedelta(days=14), now=NOW)
    [unrated] = lessons.unrated(found.columns.values(), found.day)
    assert unrated == {"key": "value", "label": "Value", "currencies": ["CHF", "INR"], "leads": 3, "day": DAY}
    [problem] = (await ask(admin, PREVIEW, id=model["id"]))["scoreModelPreview"]["problems"]
    assert problem["code"] == "SCORE_AMOUNTS_UNRATED"
    report = REPORT | {"rival": None, "unrated": [unrated | {"day": DAY.isoformat()}]}
    version = await use(admin, Model("LOGISTIC", 0.0, (VALUE,)), report=report)
    shown = """query ($id: ID!) { node(id: $id) { ... on ScoreModelVersion {
      report { unrated { label leads currencies message } } } } }"""
    [told] = (await ask(admin, shown, id=gid("ScoreModelVersion", version.id)))["node"]["report"]["unrated"]
    assert (told["label"], told["leads"], told["currencies"]) == ("Value", 3, ["CHF", "INR"])
    assert f"no exchange rate for CHF, INR on {DAY}" in told["message"]
    row = await lead(admin, value=Money(Decimal(7), "CHF"))
    await rescore(admin.workspace_id, [row.id], now=NOW)
    [factor] = (await Lead.get(id=row.id)).score_factors
    assert factor["label"] == "Value is unknown: no exchange rate for CHF"


async def test_learning_says_how_many_outcomes_are_missing() -> None:
    admin = await seller()
    model = await made(admin, kind="LEARNED", learning={"ageDays": 30})
    assert model["learning"] == {"ageDays": 30, "everyDays": 7}
    answer = await ask(admin, TRAIN, input={"id": model["id"]})
    assert [fault["code"] for fault in answer["trainScoreModel"]["userErrors"]] == ["TOO_FEW_OUTCOMES"]
    told = (await ask(admin, "{ scoreOutcomes { won lost needed missing } }"))["scoreOutcomes"]
    assert told == {"won": 0, "lost": 0, "needed": 50, "missing": 100}
    answer = await ask(admin, PUBLISH, input={"id": model["id"]})
    assert [fault["code"] for fault in answer["publishScoreModel"]["userErrors"]] == ["SCORE_MODEL_LEARNS"]


async def test_a_version_is_promoted_by_hand_unless_it_was_altered() -> None:
    admin = await seller()
    version = await use(admin, LEARNED)
    await ScoreModelVersion.filter(id=version.id).update(state=ScoreVersionState.REJECTED)
    promote = """mutation ($input: PromoteScoreModelInput!) { promoteScoreModel(input: $input) {
      scoreModelVersion { state content } userErrors { code message } } }"""
    answer = await ask(admin, promote, input={"versionId": gid("ScoreModelVersion", version.id)})
    assert answer["promoteScoreModel"]["scoreModelVersion"]["state"] == "ACTIVE"
    assert answer["promoteScoreModel"]["scoreModelVersion"]["content"]["age_days"] == 30
    await ScoreModelVersion.filter(id=version.id).update(signature="00")
    answer = await ask(admin, promote, input={"versionId": gid("ScoreModelVersion", version.id)})
    assert [fault["code"] for fault in answer["promoteScoreModel"]["userErrors"]] == ["SCORE_MODEL_ALTERED"]


async def test_leads_are_ordered_and_filtered_by_how_likely_they_are_won() -> None:
    admin = await seller()
    rows = [await lead(admin, title=str(number)) for number in range(3)]
    for row, chance in zip(rows, ("0.2000", "0.9000", None), strict=True):
        await Lead.filter(id=row.id).update(win_probability=chance)
    document = """{ leads(filter: {winProbability: {gte: 0.1}},
      orderBy: [{field: WIN_PROBABILITY, direction: DESC}]) { nodes { title winProbability } } }"""
    found = (await ask(admin, document))["leads"]["nodes"]
    assert found == [{"title": "1", "winProbability": 0.9}, {"title": "0", "winProbability": 0.2}]


async def test_reps_see_models_and_change_none() -> None:
    admin = await seller()
    model = await made(admin, rules=RULES)
    rep = await member(Role.REP, of=admin)
    assert (await ask(rep, "{ scoreModels { nodes { name } } }"))["scoreModels"]["nodes"] == [{"name": "Ours"}]
    answer = await ask(rep, PUBLISH, input={"id": model["id"]})
    assert [fault["code"] for fault in answer["publishScoreModel"]["userErrors"]] == ["FORBIDDEN"]
    assert {"key": "source", "kind": "CATEGORY"} in (await ask(rep, "{ scoreFields { key kind } }"))["scoreFields"]


async def test_a_version_of_a_newer_server_is_refused_with_what_to_do_and_scores_nothing() -> None:
    admin = await seller()
    version = await use(admin, LEARNED)
    content = version.content | {"model": version.content["model"] | {"terms": [{"is": "a kind yet to come"}]}}
    signature = in_use.sign(version.model_id, 1, content)
    await ScoreModelVersion.filter(id=version.id).update(content=content, signature=signature)
    promote = """mutation ($input: PromoteScoreModelInput!) { promoteScoreModel(input: $input) {
      scoreModelVersion { state } userErrors { code message } } }"""
    answer = await ask(admin, promote, input={"versionId": gid("ScoreModelVersion", version.id)})
    [fault] = answer["promoteScoreModel"]["userErrors"]
    assert fault["code"] == "SCORE_MODEL_NEWER" and "update the server" in fault["message"]
    row = await lead(admin)
    await rescore(admin.workspace_id, [row.id], now=NOW)
    scored = await Lead.get(id=row.id)
    assert scored.score is not None and scored.win_probability is None


async def test_a_condition_on_a_field_that_is_gone_holds_no_more_and_is_told() -> None:
    admin = await seller()
    field = await custom_field(admin, "roof", CustomFieldType.TEXT)
    gone = {"field": f"custom:{field.id.hex}", "check": "UNKNOWN"}
    rule = {"label": "Roof is unknown", "points": 30, "condition": gone}
    rules = {"groups": [{"label": "Roof", "dimension": "FIT", "cap": 30, "rules": [rule]}]}
    model = await made(admin, rules=rules)
    await ask(admin, PUBLISH, input={"id": model["id"]})
    row = await lead(admin)
    await rescore(admin.workspace_id, [row.id], now=NOW)
    assert (await Lead.get(id=row.id)).score == 30
    for looked_at in (field, await custom_field(admin, "other", CustomFieldType.TEXT)):
        found = await leads_concerned(admin.workspace_id, "custom_field", [looked_at.id])
        assert found == ([row.id] if looked_at is field else [])
    await CustomField.filter(id=field.id).update(archived_at=NOW)
    await rescore(admin.workspace_id, [row.id], now=NOW)
    assert (await Lead.get(id=row.id)).score == 0
    [problem] = (await ask(admin, PREVIEW, id=model["id"]))["scoreModelPreview"]["problems"]
    assert problem["code"] == "UNKNOWN_SCORE_FIELD"
    answer = await ask(admin, PUBLISH, input={"id": model["id"]})
    [fault] = answer["publishScoreModel"]["userErrors"]
    assert fault["code"] == "UNKNOWN_SCORE_FIELD" and "What Roof is unknown looks at" in fault["message"]
