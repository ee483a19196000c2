"""Follow-ups by the API, as clients meet them: planned, changed, done, cancelled, snoozed, and laid out by plans."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.actors import Actor
from models.base import uuid7
from models.leads import Lead
from models.stages import StageKind
from models.users import Role, User
from tests.factories import lead, member, seller, stage
from tests.schema.asking import ask, codes, gid

SHOWN = """id kind title note priority status dueAt dueOn timeZone remindMinutesBefore remindAt escalateAt snoozedUntil
  recurrence seriesId occurrence outcome cancelReason version owner { id } endedBy { id } lead { id nextFollowUpAt }"""
MUTATIONS = {
    name: f"""mutation ($input: {name[0].upper()}{name[1:]}Input!) {{ {name}(input: $input) {{
      followUp {{ {SHOWN} }} {more} userErrors {{ code field message }} clientMutationId }} }}"""
    for name, more in {
        "createFollowUp": "",
        "updateFollowUp": "",
        "completeFollowUp": "next { id dueAt dueOn occurrence seriesId status title }",
        "cancelFollowUp": "next { id dueAt }",
        "snoozeFollowUp": "",
        "reopenFollowUp": "",
    }.items()
}
# A Sunday, and the last one of March 2030, on which Berlin has no half past two.
DUE = "2030-03-24T01:30:00Z"
ZONE = "Europe/Berlin"

pytestmark = pytest.mark.usefixtures("db")


async def run(actor: Actor, mutation: str, **given: Any) -> dict[str, Any]:
    payload: dict[str, Any] = (await ask(actor, MUTATIONS[mutation], input=given))[mutation]
    return payload


async def done(actor: Actor, mutation: str, **given: Any) -> dict[str, Any]:
    payload = await run(actor, mutation, **given)
    assert payload["userErrors"] == []
    row: dict[str, Any] = payload["followUp"]
    return row


def faults(payload: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error["code"], ".".join(error["field"] or [])) for error in payload["userErrors"]]


async def planned(actor: Actor, on: Lead, **given: Any) -> dict[str, Any]:
    given = {"kind": "CALL", "title": "Call", "subjectId": gid("Lead", on.id)} | given
    return await done(actor, "createFollowUp", **given if given.keys() & {"dueAt", "dueOn"} else given | {"dueAt": DUE})


async def berliner() -> tuple[Actor, Lead]:
    actor = await seller()
    await User.filter(id=actor.user_id).update(time_zone=ZONE)
    return actor, await lead(actor)


class TestCreateFollowUp:
    async def test_a_day_ends_where_the_owner_lives_and_is_reminded_of_at_nine_there(self) -> None:
        actor, on = await berliner()
        assert actor.user_id
        key = gid("FollowUp", uuid7())
        row = await planned(
            actor, on, id=key, title="  Ask how the roof holds ", dueOn="2030-03-31", priority="HIGH", note="<b>"
        )
        assert (
            row.items()
            >= {
                "id": key,
                "title": "Ask how the roof holds",
                "note": "<b>",
                "priority": "HIGH",
                "status": "OPEN",
                "dueOn": "2030-03-31",
                "dueAt": "2030-03-31T21:59:59Z",
                "remindAt": "2030-03-31T07:00:00Z",
                "escalateAt": "2030-04-01T21:59:59Z",
                "timeZone": ZONE,
                "version": 1,
                "owner": {"id": gid("User", actor.user_id)},
                "lead": {"id": gid("Lead", on.id), "nextFollowUpAt": "2030-03-31T21:59:59Z"},
            }.items()
        )

    async def test_a_meeting_is_reminded_of_a_quarter_of_an_hour_before_and_what_is_nobodys_is_its_leads_only(
        self,
    ) -> None:
        actor, on = await berliner()
        meeting = await planned(actor, on, kind="MEETING")
        assert (meeting["remindMinutesBefore"], meeting["remindAt"]) == (15, "2030-03-24T01:15:00Z")
        quiet = await planned(actor, on, remindMinutesBefore=None, ownerId=None)
        assert (quiet["remindAt"], quiet["owner"]) == (None, None)

    async def test_what_is_wrong_is_told_together(self) -> None:
        actor, on = await berliner()
        viewer = await member(Role.VIEWER, of=actor)
        assert viewer.user_id
        about = {"subjectId": gid("Lead", on.id), "kind": "CALL"}
        for given, told in (
            ({"title": " "}, [("REQUIRED", "title"), ("DUE_MISSING", "dueAt")]),
            ({"title": "a", "dueAt": DUE, "dueOn": "2030-03-31"}, [("DUE_TWICE", "dueOn")]),
            (
                {"title": "x" * 201, "dueAt": DUE, "remindMinutesBefore": -1, "recurrence": "FREQ=NEVER"},
                [
                    ("TOO_LONG", "title"),
                    ("OUT_OF_RANGE", "remindMinutesBefore"),
                    ("RECURRENCE_NOT_UNDERSTOOD", "recurrence"),
                ],
            ),
            ({"title": "a", "dueAt": DUE, "ownerId": gid("User", viewer.user_id)}, [("OWNER_VIEWER", "ownerId")]),
            ({"title": "a", "dueAt": DUE, "ownerId": gid("User", uuid7())}, [("NOT_FOUND", "ownerId")]),
        ):
            assert faults(await run(actor, "createFollowUp", **about, **given)) == told
        nowhere = {"subjectId": gid("Lead", uuid7()), "kind": "CALL", "title": "a", "dueAt": DUE}
        assert faults(await run(actor, "createFollowUp", **nowhere)) == [("NOT_FOUND", "subjectId")]
        refused = await run(viewer, "createFollowUp", **about, title="a", dueAt=DUE)
        assert [error["code"] for error in refused["userErrors"]] == ["FORBIDDEN"]
        for due in ({"dueAt": "2030-03-31T02:30:00"}, {"dueAt": "soon"}, {"dueOn": "2030-02-30"}):
            bad = about | {"title": "a"} | due
            assert await codes(actor, MUTATIONS["createFollowUp"], input=bad) == ["BAD_USER_INPUT"]

    async def test_a_key_of_ones_own_is_taken_once(self) -> None:
        actor, on = await berliner()
        key = gid("FollowUp", uuid7())
        await planned(actor, on, id=key)
        again = {"id": key, "subjectId": gid("Lead", on.id), "kind": "CALL", "title": "Again", "dueAt": DUE}
        assert faults(await run(actor, "createFollowUp", **again)) == [("ALREADY_EXISTS", "id")]


class TestUpdateFollowUp:
    async def test_what_is_given_changes_and_a_stale_edit_shows_what_is_there(self) -> None:
        actor, on = await berliner()
        row = await planned(actor, on, note="Kept")
        changed = await done(
            actor, "updateFollowUp", id=row["id"], title="Write", kind="EMAIL", dueOn="2030-10-27", expectedVersion=1
        )
        assert (changed["title"], changed["kind"], changed["note"], changed["version"]) == ("Write", "EMAIL", "Kept", 2)
        # This day has 25 hours there.
        assert (changed["dueAt"], changed["dueOn"]) == ("2030-10-27T22:59:59Z", "2030-10-27")
        same = await done(actor, "updateFollowUp", id=row["id"], title="Write")
        assert same["version"] == 2
        stale = await run(actor, "updateFollowUp", id=row["id"], title="Late", expectedVersion=1)
        assert (faults(stale), stale["followUp"]["title"]) == ([("STALE", "expectedVersion")], "Write")
        cleared = await done(actor, "updateFollowUp", id=row["id"], note=None, remindMinutesBefore=None)
        assert (cleared["note"], cleared["remindAt"]) == (None, None)

    async def test_who_may_not_see_it_does_not_find_it_and_who_may_not_change_it_is_refused(self) -> None:
        actor, on = await berliner()
        row = await planned(actor, on)
        for role, told in ((Role.REP, "NOT_FOUND"), (Role.VIEWER, "FORBIDDEN")):
            other = await member(role, of=actor)
            refused = await run(other, "updateFollowUp", id=row["id"], title="Mine")
            assert [error["code"] for error in refused["userErrors"]] == [told]

    async def test_what_has_ended_is_reopened_first(self) -> None:
        actor, on = await berliner()
        row = await planned(actor, on)
        await done(actor, "cancelFollowUp", id=row["id"])
        refused = await run(actor, "updateFollowUp", id=row["id"], title="Late")
        assert [error["code"] for error in refused["userErrors"]] == ["FOLLOW_UP_ENDED"]
        await done(actor, "reopenFollowUp", id=row["id"])
        assert (await done(actor, "updateFollowUp", id=row["id"], title="Late"))["status"] == "OPEN"


class TestCompleteFollowUp:
    async def test_it_keeps_how_it_went_and_logs_it_where_asked_to(self) -> None:
        actor, on = await berliner()
        assert actor.user_id
        row = await planned(actor, on)
        ended = await done(
            actor, "completeFollowUp", id=row["id"], outcome="She buys", logActivity=True, expectedVersion=1
        )
        assert (ended["status"], ended["outcome"], ended["remindAt"]) == ("DONE", "She buys", None)
        assert (ended["endedBy"], ended["lead"]["nextFollowUpAt"]) == ({"id": gid("User", actor.user_id)}, None)
        logged = "query ($id: ID!) { lead(id: $id) { activities { nodes { kind subject outcome } } } }"
        found = (await ask(actor, logged, id=gid("Lead", on.id)))["lead"]["activities"]["nodes"]
        assert found == [{"kind": "CALL", "subject": "Call", "outcome": "She buys"}]
        again = await done(actor, "completeFollowUp", id=row["id"], outcome="She buys", logActivity=True)
        assert again["version"] == ended["version"]
        other = await run(actor, "completeFollowUp", id=row["id"], outcome="She does not")
        assert [error["code"] for error in other["userErrors"]] == ["FOLLOW_UP_ENDED"]
        assert len((await ask(actor, logged, id=gid("Lead", on.id)))["lead"]["activities"]["nodes"]) == 1

    @pytest.mark.parametrize(
        ("due", "rule", "times"),
        [
            # Half past two, which the 31st of March has not: the first instant after the gap.
            (DUE, "FREQ=WEEKLY", ["2030-03-31T01:00:00Z", "2030-04-07T00:30:00Z"]),
            # Half past two, which the 27th of October has twice: the first of them.
            ("2030-10-20T00:30:00Z", "FREQ=WEEKLY", ["2030-10-27T00:30:00Z", "2030-11-03T01:30:00Z"]),
            # A month without a 31st is passed over.
            ("2030-01-31T08:00:00Z", "FREQ=MONTHLY;BYMONTHDAY=31", ["2030-03-31T07:00:00Z", "2030-05-31T07:00:00Z"]),
            (DUE, "FREQ=DAILY;COUNT=2", ["2030-03-25T01:30:00Z", None]),
            (DUE, "RRULE:FREQ=DAILY;UNTIL=20300325T020000Z", ["2030-03-25T01:30:00Z", None]),
        ],
    )
    async def test_what_recurs_is_laid_out_again_on_the_owners_clock(
        self, due: str, rule: str, times: list[str | None]
    ) -> None:
        actor, on = await berliner()
        row: dict[str, Any] | None = await planned(actor, on, dueAt=due, recurrence=rule)
        assert row and row["seriesId"] == row["id"] and row["occurrence"] == 1
        first = row["id"]
        for time in times:
            assert row
            ended = await run(actor, "completeFollowUp", id=row["id"])
            row = ended["next"]
            assert (row and row["dueAt"]) == time
            assert row is None or (row["seriesId"], row["status"]) == (first, "OPEN")

    async def test_a_rule_without_an_end_fills_no_table(self) -> None:
        actor, on = await berliner()
        row = await planned(actor, on, recurrence="FREQ=DAILY")
        listed = """query ($id: ID!) {
          followUps(filter: {series: {eq: $id}}, orderBy: [{field: DUE_AT, direction: ASC}]) {
            totalCount nodes { status } } }"""
        assert (await ask(actor, listed, id=row["id"]))["followUps"]["totalCount"] == 1
        following = [(await run(actor, "completeFollowUp", id=row["id"]))["next"]["id"] for _ in range(3)]
        assert len(set(following)) == 1
        found = (await ask(actor, listed, id=row["id"]))["followUps"]
        assert [node["status"] for node in found["nodes"]] == ["DONE", "OPEN"]
        assert (await run(actor, "cancelFollowUp", id=following[0], endSeries=True))["next"] is None

    @pytest.mark.parametrize(
        ("rule", "code"),
        [
            ("FREQ=SECONDLY", "RECURRENCE_NOT_UNDERSTOOD"),
            ("FREQ=DAILY;BYHOUR=9", "RECURRENCE_NOT_UNDERSTOOD"),
            ("FREQ=DAILY;COUNT=2;UNTIL=20310101T000000Z", "RECURRENCE_NOT_UNDERSTOOD"),
            ("every day", "RECURRENCE_NOT_UNDERSTOOD"),
            ("FREQ=WEEKLY;BYDAY=MO", "RECURRENCE_ELSEWHERE"),
        ],
    )
    async def test_rules_that_are_none_are_refused(self, rule: str, code: str) -> None:
        actor, on = await berliner()
        given = {"subjectId": gid("Lead", on.id), "kind": "CALL", "title": "a", "dueAt": DUE, "recurrence": rule}
        assert faults(await run(actor, "createFollowUp", **given)) == [(code, "recurrence")]
        often = await run(actor, "createFollowUp", **given | {"recurrence": "FREQ=DAILY;COUNT=5001"})
        assert faults(often) == [("OUT_OF_RANGE", "recurrence.COUNT")]


class TestCancelFollowUp:
    async def test_it_keeps_why_and_what_recurs_goes_on(self) -> None:
        actor, on = await berliner()
        row = await planned(actor, on, dueOn="2030-03-30", recurrence="FREQ=DAILY")
        gone = await run(actor, "cancelFollowUp", id=row["id"], reason="On holiday")
        assert (gone["followUp"]["status"], gone["followUp"]["cancelReason"]) == ("CANCELLED", "On holiday")
        # The next day has 23 hours there.
        assert gone["next"]["dueAt"] == "2030-03-31T21:59:59Z"
        again = await run(actor, "cancelFollowUp", id=row["id"], reason="On holiday")
        assert again["userErrors"] == [] and again["followUp"]["version"] == gone["followUp"]["version"]
        other = await run(actor, "completeFollowUp", id=row["id"])
        assert [error["code"] for error in other["userErrors"]] == ["FOLLOW_UP_ENDED"]


class TestSnoozeFollowUp:
    async def test_it_reminds_later_and_is_due_when_it_was(self) -> None:
        actor, on = await berliner()
        row = await planned(actor, on)
        later = "2030-03-25T08:00:00Z"
        put_off = await done(actor, "snoozeFollowUp", id=row["id"], until=later)
        assert (put_off["snoozedUntil"], put_off["remindAt"], put_off["dueAt"]) == (later, later, DUE)
        moved = await done(actor, "updateFollowUp", id=row["id"], dueAt="2030-04-01T08:00:00Z")
        assert (moved["snoozedUntil"], moved["remindAt"]) == (None, "2030-04-01T08:00:00Z")
        now = datetime.now(UTC)
        for until, code in (
            (now - timedelta(hours=1), "SNOOZED_BACKWARDS"),
            (now + timedelta(days=2000), "OUT_OF_RANGE"),
        ):
            refused = await run(actor, "snoozeFollowUp", id=row["id"], until=until.isoformat())
            assert faults(refused) == [(code, "until")]


CREATE_PLAN = """mutation ($input: CreateFollowUpPlanInput!) { createFollowUpPlan(input: $input) {
  followUpPlan { id name trigger stage { id } steps { number kind title days anchor at priority } }
  userErrors { code field } } }"""
APPLY = """mutation ($input: ApplyFollowUpPlanInput!) { applyFollowUpPlan(input: $input) {
  followUps { title dueOn plan { name } } userErrors { code field } } }"""


class TestCreateFollowUpPlan:
    async def test_its_steps_are_laid_out_for_a_lead(self) -> None:
        actor, on = await berliner()
        key = gid("Stage", (await stage(actor, StageKind.QUALIFY)).id)
        steps = [
            {"kind": "EMAIL", "title": "Thank", "days": 0},
            {"kind": "CALL", "title": "Ask", "days": 14, "at": "10:00", "priority": "HIGH"},
            {"kind": "MEETING", "title": "Renew", "days": -60, "anchor": "TERM_END"},
        ]
        given = {"name": "After", "trigger": "STAGE_ENTERED", "stageId": key, "steps": steps}
        payload = (await ask(actor, CREATE_PLAN, input=given))["createFollowUpPlan"]
        assert payload["userErrors"] == []
        plan = payload["followUpPlan"]
        assert (plan["name"], plan["stage"]) == ("After", {"id": key})
        assert [(one["number"], one["title"], one["at"]) for one in plan["steps"]] == [
            (1, "Thank", None),
            (2, "Ask", "10:00"),
            (3, "Renew", None),
        ]
        laid = (await ask(actor, APPLY, input={"leadId": gid("Lead", on.id), "planId": plan["id"]}))[
            "applyFollowUpPlan"
        ]
        assert [one["title"] for one in laid["followUps"]] == ["Thank", "Ask"]
        twice = await ask(actor, APPLY, input={"leadId": gid("Lead", on.id), "planId": plan["id"]})
        assert faults(twice["applyFollowUpPlan"]) == [("PLAN_LAID_OUT_ALREADY", "planId")]

    async def test_what_is_wrong_of_each_step_is_told_by_its_place(self) -> None:
        actor = await seller()
        steps = [
            {"kind": "CALL", "title": "", "days": 1},
            {"kind": "CALL", "title": "a", "days": -1},
            {"kind": "CALL", "title": "a", "days": 1, "at": "25:00"},
        ]
        given = {"name": "", "trigger": "STAGE_ENTERED", "steps": steps}
        payload = (await ask(actor, CREATE_PLAN, input=given))["createFollowUpPlan"]
        assert {field for _, field in faults(payload)} >= {
            "name",
            "stageId",
            "steps.0.title",
            "steps.1.days",
            "steps.2.at",
        }


async def test_leads_without_a_next_step_are_found() -> None:
    actor, on = await berliner()
    idle = await lead(actor)
    row = await planned(actor, on)
    document = "query ($has: Boolean) { leads(filter: {hasNextStep: $has}) { nodes { id } totalCount } }"

    async def found(has: bool) -> set[str]:
        return {node["id"] for node in (await ask(actor, document, has=has))["leads"]["nodes"]}

    assert await found(False) == {gid("Lead", idle.id)}
    assert await found(True) == {gid("Lead", on.id)}
    await done(actor, "completeFollowUp", id=row["id"])
    assert await found(False) == {gid("Lead", idle.id), gid("Lead", on.id)}


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", "CEST", "+02:00"])
async def test_a_time_zone_that_there_is_not_is_refused(zone: str) -> None:
    actor = await seller()
    document = "mutation ($input: UpdateMeInput!) { updateMe(input: $input) { userErrors { code field } } }"
    told = (await ask(actor, document, input={"timeZone": zone}))["updateMe"]["userErrors"]
    assert [error["field"] for error in told] == [["timeZone"]]


async def test_what_is_for_a_deleted_lead_is_not_there_any_more() -> None:
    actor, on = await berliner()
    row = await planned(actor, on)
    document = "mutation ($id: ID!) { deleteLead(input: {id: $id}) { userErrors { code } } }"
    await ask(actor, document, id=gid("Lead", on.id))
    assert (await ask(actor, "query ($id: ID!) { followUp(id: $id) { id } }", id=row["id"]))["followUp"] is None
    assert faults(await run(actor, "completeFollowUp", id=row["id"])) == [("NOT_FOUND", "id")]
