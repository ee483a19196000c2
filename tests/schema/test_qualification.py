"""Qualification and hand-overs through the API, as screens and forms use them."""

from typing import Any

import pytest

from domain import hand_overs, leads
from models.leads import Lead
from models.stages import StageKind
from models.users import Role
from schema.context import Context
from schema.schema import graphql_schema
from tests.factories import NOW, lead, member, partner, seller, stage
from tests.schema.asking import answer, ask, codes, gid

pytestmark = pytest.mark.usefixtures("db")

FAULTS = "userErrors { code message field }"
SET = f"""mutation ($input: SetQualificationCriteriaInput!) {{ setQualificationCriteria(input: $input) {{
  {FAULTS} qualificationCriteria {{ id label question type choices {{ key label qualifies archived }}
    requiredForMql requiredForSql position version archivedAt viewerCan {{ update }} }} }} }}"""
QUALIFICATION = """qualification { total answered qualifying required requiredQualifying progress open { label }
  answers { value text note qualifies source answeredAt criterion { label } answeredBy { id } } }"""
ANSWER = f"""mutation ($input: AnswerQualificationInput!) {{ answerQualification(input: $input) {{
  {FAULTS} lead {{ lifecycle version {QUALIFICATION} }} }} }}"""


async def checklist(actor: Any, *criteria: dict[str, Any]) -> list[dict[str, Any]]:
    told = (await ask(actor, SET, input={"criteria": list(criteria)}))["setQualificationCriteria"]
    assert told["userErrors"] == []
    return told["qualificationCriteria"]  # type: ignore[no-any-return]


BUDGET = {
    "label": "Budget",
    "type": "CHOICE",
    "choices": [{"key": "yes", "label": "Approved"}, {"key": "no", "label": "None", "qualifies": False}],
    "requiredForSql": True,
}


async def test_a_checklist_is_set_read_filtered_and_ordered() -> None:
    admin = await seller()
    budget, _ = await checklist(admin, BUDGET, {"label": "Need", "question": "What hurts?"})
    [need] = await checklist(admin, {"label": "Need"})

    listed = await ask(
        admin,
        """{ all: qualificationCriteria { totalCount nodes { label archivedAt } }
             asked: qualificationCriteria(filter: { archivedAt: { isNull: true } }) { nodes { label } }
             named: qualificationCriteria(orderBy: [{ field: LABEL, direction: DESC }]) { nodes { label } }
             required: qualificationCriteria(filter: { requiredForSql: { eq: true } }) { nodes { id } } }""",
    )

    assert (budget["type"], budget["position"], budget["viewerCan"]) == ("CHOICE", 0, {"update": True})
    assert budget["choices"][1] == {"key": "no", "label": "None", "qualifies": False, "archived": False}
    assert need["version"] == 1, "another one of the same label"
    assert listed["all"]["totalCount"] == 3
    assert [row["label"] for row in listed["asked"]["nodes"]] == ["Need"]
    assert [row["label"] for row in listed["named"]["nodes"]] == ["Need", "Need", "Budget"]
    assert listed["required"]["nodes"] == [{"id": budget["id"]}]


async def test_a_checklist_is_a_preset_or_a_list_and_never_both_or_neither() -> None:
    admin = await seller()

    made = (await ask(admin, SET, input={"preset": "DISTRIBUTOR"}))["setQualificationCriteria"]
    for given in ({}, {"preset": "BANT", "criteria": []}):
        told = (await ask(admin, SET, input=given))["setQualificationCriteria"]
        assert [fault["code"] for fault in told["userErrors"]] == ["PRESET_OR_CRITERIA"]
        assert told["qualificationCriteria"] == []

    assert [row["question"] for row in made["qualificationCriteria"]] == [
        "Why do they ask?",
        "How did they find us?",
        "Is there an approved project or budget?",
    ]


async def test_answers_are_shown_with_how_far_the_lead_is() -> None:
    admin = await seller()
    budget, day, gone = await checklist(
        admin, BUDGET, {"label": "Day", "type": "DATE", "requiredForMql": True}, {"label": "Gone"}
    )
    row = await lead(admin)
    key = gid("Lead", row.id)
    said = [
        {"criterionId": budget["id"], "value": "no", "note": "They said so"},
        {"criterionId": gone["id"], "value": "Something"},
    ]
    await ask(admin, ANSWER, input={"leadId": key, "answers": said})
    keep = [{"id": row["id"], **given} for row, given in ((budget, BUDGET), (day, {"label": "Day", "type": "DATE"}))]
    await checklist(admin, *keep)

    told = (await ask(admin, f"query ($id: ID!) {{ lead(id: $id) {{ {QUALIFICATION} }} }}", id=key))["lead"]

    found = told["qualification"]
    assert {name: found[name] for name in ("total", "answered", "qualifying", "required", "requiredQualifying")} == {
        "total": 2,
        "answered": 1,
        "qualifying": 0,
        "required": 1,
        "requiredQualifying": 0,
    }
    assert (found["progress"], found["open"]) == (0.5, [{"label": "Day"}])
    first, second = found["answers"]
    assert first | {"answeredAt": None} == {
        "value": "no",
        "text": "None",
        "note": "They said so",
        "qualifies": False,
        "source": "PERSON",
        "answeredAt": None,
        "criterion": {"label": "Budget"},
        "answeredBy": {"id": gid("User", admin.user_id)} if admin.user_id else None,
    }
    assert (second["text"], second["criterion"]) == ("Something", {"label": "Gone"})


async def test_bad_answers_are_told_by_their_places() -> None:
    admin = await seller()
    budget, day = await checklist(admin, BUDGET, {"label": "Day", "type": "DATE"})
    given = [{"criterionId": budget["id"], "value": "perhaps"}, {"criterionId": day["id"], "value": {"a": 1}}]

    told = (await ask(admin, ANSWER, input={"leadId": gid("Lead", (await lead(admin)).id), "answers": given}))[
        "answerQualification"
    ]

    assert [(fault["code"], fault["field"]) for fault in told["userErrors"]] == [
        ("UNKNOWN_CHOICE", ["answers", "0", "value"]),
        ("MALFORMED", ["answers", "1", "value"]),
    ]
    assert told["lead"] is None


async def test_rules_raise_by_answers_and_people_by_hand() -> None:
    admin = await seller()
    [budget] = await checklist(admin, BUDGET)
    rules = {"mql": {"score": 40}, "sql": {"criteria": 1}}
    set_up = (
        await ask(
            admin,
            """mutation ($input: UpdateWorkspaceInput!) { updateWorkspace(input: $input) { userErrors { code }
                 workspace { lifecycleRules { mql { score criteria } sql { score criteria } } } } }""",
            input={"lifecycleRules": rules},
        )
    )["updateWorkspace"]
    key = gid("Lead", (await lead(admin)).id)
    said = [{"criterionId": budget["id"], "value": "yes"}]
    answered = (await ask(admin, ANSWER, input={"leadId": key, "answers": said}))["answerQualification"]["lead"]
    by_hand = """mutation ($input: SetLeadLifecycleInput!) { setLeadLifecycle(input: $input) { userErrors { code }
      lead { lifecycle lifecycleChosenAt history(first: 1) { nodes { name changes { field after } } } } } }"""
    lowered = (await ask(admin, by_hand, input={"leadId": key, "lifecycle": "RAW", "note": "A student"}))[
        "setLeadLifecycle"
    ]["lead"]
    left = (await ask(admin, by_hand, input={"leadId": key, "lifecycle": None}))["setLeadLifecycle"]["lead"]

    assert set_up["workspace"]["lifecycleRules"] == {
        "mql": {"score": 40, "criteria": None},
        "sql": {"score": None, "criteria": 1},
    }
    assert (answered["lifecycle"], answered["version"]) == ("SQL", 1)
    assert lowered["lifecycle"] == "RAW"
    assert lowered["lifecycleChosenAt"]
    [event] = lowered["history"]["nodes"]
    assert event["name"] == "lead.qualified"
    assert {"field": "why", "after": {"by": "PERSON", "note": "A student"}} in event["changes"]
    assert (left["lifecycle"], left["lifecycleChosenAt"]) == ("SQL", None)


async def test_moves_say_which_criteria_are_open() -> None:
    admin = await seller()
    budget, need = await checklist(admin, BUDGET, {"label": "Need"})
    target = await stage(admin, StageKind.PROPOSAL)
    wanted = {"criterionIds": [need["id"], budget["id"]]}
    kept = (
        await ask(
            admin,
            """mutation ($input: SetStageRequirementsInput!) { setStageRequirements(input: $input) { userErrors { code }
                 stage { requirements { criterionIds allCriteria } } } }""",
            input={"id": gid("Stage", target.id), "requirements": wanted},
        )
    )["setStageRequirements"]["stage"]
    key = gid("Lead", (await lead(admin)).id)
    said = [{"criterionId": budget["id"], "value": "no"}]
    await ask(admin, ANSWER, input={"leadId": key, "answers": said})

    told = await ask(
        admin,
        """query ($id: ID!, $stage: ID!) {
             lead(id: $id) { moves { stage { id } allowed openCriterionIds unmetRequirements { code field message } } }
             canMoveLead(leadId: $id, stageId: $stage) { allowed openCriterionIds } }""",
        id=key,
        stage=gid("Stage", target.id),
    )

    assert kept["requirements"] == {**wanted, "allCriteria": False}
    [move] = [move for move in told["lead"]["moves"] if move["stage"]["id"] == gid("Stage", target.id)]
    assert (move["allowed"], move["openCriterionIds"]) == (False, [need["id"]])
    assert move["unmetRequirements"] == [
        {
            "code": "ANSWER_MISSING",
            "field": ["qualification"],
            "message": f"The stage {target.name} asks for an answer to Need.",
        }
    ]
    assert told["canMoveLead"] == {"allowed": False, "openCriterionIds": [need["id"]]}
    assert [other["openCriterionIds"] for other in told["lead"]["moves"] if other is not move] == [[]] * (
        len(told["lead"]["moves"]) - 1
    )


HAND_OVER = """mutation ($input: HandOverLeadInput!) { handOverLead(input: $input) {
  userErrors { code field }
  handOver { id status note seconds fromUser { id } toUser { id } } lead { owner { id } } } }"""
RETURN = """mutation ($input: ReturnLeadInput!) { returnLead(input: $input) {
  userErrors { code field } handOver { status reason seconds decidedBy { id } } lead { id } } }"""
ACCEPT = """mutation ($input: AcceptLeadInput!) { acceptLead(input: $input) {
  userErrors { code field } handOver { status seconds } lead { owner { id } } } }"""
WAITING = """query ($me: ID!) {
  handOvers(filter: { status: { eq: PENDING }, toUser: { eq: $me } }) { totalCount nodes { lead { title } } } }"""


READ = "query ($id: ID!) { node(id: $id) { ... on HandOver { reason lead { id } } } handOvers { nodes { id } } }"


async def test_who_took_part_in_a_hand_over_reads_it_wherever_the_lead_is_by_now() -> None:
    admin = await seller()
    giver, taker, other = [await member(Role.REP, of=admin) for _ in range(3)]
    row = await lead(giver)
    assert taker.user_id
    hand_over = await hand_overs.hand_over(admin, row.id, taker.user_id, now=NOW)
    await hand_overs.give_back(taker, row.id, reason="No budget", now=NOW)
    await leads.assign(admin, row.id, admin.user_id, now=NOW)
    key = gid("HandOver", hand_over.id)

    assert await ask(taker, READ, id=key) == {
        "node": {"reason": "No budget", "lead": None},
        "handOvers": {"nodes": [{"id": key}]},
    }
    for nobody in (other, giver, await seller()):
        assert await ask(nobody, READ, id=key) == {"node": None, "handOvers": {"nodes": []}}


async def test_a_lead_goes_from_marketing_to_sales_and_back() -> None:
    admin = await seller()
    marketer, rep = await member(Role.MARKETER, of=admin), await member(Role.REP, of=admin)
    assert marketer.user_id and rep.user_id
    key, me = gid("Lead", (await lead(marketer, title="Heat pump")).id), gid("User", rep.user_id)
    given = {"leadId": key, "toUserId": me, "note": "Call today"}

    over = (await ask(marketer, HAND_OVER, input=given))["handOverLead"]
    twice = (await ask(marketer, HAND_OVER, input=given))["handOverLead"]
    waiting = await ask(rep, WAITING, me=me)
    can = await ask(rep, "query ($id: ID!) { lead(id: $id) { viewerCan { qualify handOver decideHandOver } } }", id=key)
    silent = (await ask(rep, RETURN, input={"leadId": key, "reason": " "}))["returnLead"]
    back = (await ask(rep, RETURN, input={"leadId": key, "reason": "No budget"}))["returnLead"]
    again = (await ask(marketer, HAND_OVER, input=given))["handOverLead"]
    accepted = (await ask(rep, ACCEPT, input={"leadId": key}))["acceptLead"]
    told = await ask(
        rep, "query ($id: ID!) { lead(id: $id) { handOvers { totalCount nodes { status reason } } } }", id=key
    )

    assert over["handOver"] | {"id": None} == {
        "id": None,
        "status": "PENDING",
        "note": "Call today",
        "seconds": None,
        "fromUser": {"id": gid("User", marketer.user_id)},
        "toUser": {"id": me},
    }
    assert over["lead"] == {"owner": {"id": me}}
    assert [fault["code"] for fault in twice["userErrors"]] == ["RECEIVER_OWNS_IT"]
    assert waiting["handOvers"] == {"totalCount": 1, "nodes": [{"lead": {"title": "Heat pump"}}]}
    assert can["lead"]["viewerCan"] == {"qualify": True, "handOver": False, "decideHandOver": True}
    assert silent["userErrors"] == [{"code": "REQUIRED", "field": ["reason"]}]
    assert (back["handOver"]["status"], back["handOver"]["reason"]) == ("RETURNED", "No budget")
    assert back["lead"] is None, "it is no longer theirs to see"
    assert again["userErrors"] == []
    assert (accepted["handOver"]["status"], accepted["lead"]) == ("ACCEPTED", {"owner": {"id": me}})
    assert accepted["handOver"]["seconds"] >= 0
    assert told["lead"]["handOvers"] == {
        "totalCount": 2,
        "nodes": [{"status": "ACCEPTED", "reason": None}, {"status": "RETURNED", "reason": "No budget"}],
    }


async def test_who_sees_no_lead_sees_no_hand_over_of_it() -> None:
    admin = await seller()
    rep, other = await member(Role.REP, of=admin), await member(Role.REP, of=admin)
    assert rep.user_id
    over = await hand_overs.hand_over(admin, (await lead(admin)).id, rep.user_id, now=NOW)
    stranger = await seller()
    document = "query ($id: ID!) { node(id: $id) { id } handOvers { totalCount } }"
    key = gid("HandOver", over.id)

    assert await ask(rep, document, id=key) == {"node": {"id": key}, "handOvers": {"totalCount": 1}}
    for actor in (other, stranger):
        assert await ask(actor, document, id=key) == {"node": None, "handOvers": {"totalCount": 0}}


async def test_a_lead_is_disqualified_with_its_stages_counts() -> None:
    admin = await seller()
    key = gid("Lead", (await lead(admin)).id)
    document = f"""mutation ($input: DisqualifyLeadInput!) {{ disqualifyLead(input: $input) {{ {FAULTS}
      lead {{ status closeNote }} toStage {{ id }} }} }}"""

    silent = (await ask(admin, document, input={"leadId": key}))["disqualifyLead"]
    done = (await ask(admin, document, input={"leadId": key, "note": "A student"}))["disqualifyLead"]

    assert [(fault["code"], fault["field"]) for fault in silent["userErrors"]] == [("WHY_MISSING", ["lostReasonId"])]
    assert done["lead"] == {"status": "DISQUALIFIED", "closeNote": "A student"}
    assert done["toStage"]


async def test_a_form_captures_a_lead_with_its_answers_and_lowers_nothing() -> None:
    admin = await seller()
    [budget] = await checklist(admin, BUDGET)
    form = await partner("lead:read", "lead:write", of=admin)
    capture = f"""mutation ($input: CaptureLeadInput!) {{ captureLead(input: $input) {{ {FAULTS}
      lead {{ id lifecycle {QUALIFICATION} }} }} }}"""
    given = {
        "title": "Heat pump",
        "lifecycle": "MQL",
        "externalRefs": [{"system": "web", "externalId": "7"}],
        "answers": [{"criterionId": budget["id"], "value": "yes"}],
    }

    first = (await _captured(form, capture, given))["lead"]
    again = (await _captured(form, capture, {**given, "lifecycle": None}))["lead"]
    bad = await _captured(form, capture, {"title": "X", "answers": [{"criterionId": budget["id"], "value": 5}]})
    malformed = await codes(admin, capture, input={"title": "X", "answers": [{"criterionId": "nonsense", "value": 5}]})

    assert (first["id"], first["lifecycle"]) == (again["id"], again["lifecycle"])
    assert first["qualification"]["answers"][0]["source"] == "FORM"
    assert first["qualification"]["answers"][0]["criterion"] is None, "the form's key reads no checklist"
    assert first["qualification"]["open"] == []
    assert [fault["field"] for fault in bad["userErrors"]] == [["answers", "0", "value"]]
    assert malformed == ["BAD_USER_INPUT"]
    assert await Lead.filter(workspace_id=admin.workspace_id).count() == 1


async def _captured(actor: Any, document: str, given: dict[str, Any]) -> dict[str, Any]:
    """Send a capture as a partner, whom no session stands for."""
    context = Context(identity=actor)
    result = await graphql_schema.execute(document, variable_values={"input": given}, context_value=context)
    assert result.errors is None, result.errors
    assert result.data is not None
    return result.data["captureLead"]  # type: ignore[no-any-return]


async def test_an_id_that_is_none_is_a_client_error_wherever_it_stands() -> None:
    admin = await seller()

    for document, given in (
        (SET, {"criteria": [{"id": "nonsense", "label": "A"}]}),
        (ANSWER, {"leadId": gid("Lead", admin.workspace_id), "answers": [{"criterionId": "x", "value": 1}]}),
    ):
        assert (await answer(admin, document, input=given))["errors"][0]["extensions"]["code"] == "BAD_USER_INPUT"
