"""Answers: kept as far as they got, submitted once, and followed up; recommendations become leads."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from domain import leads, notifications, referrals, survey_answers, survey_outcomes, surveys, tokens
from domain.errors import Invalid, Required
from domain.questionnaires import Condition, Operator, Question, QuestionType, load
from domain.referrals import ConsentMissing, NoReferral, OwnReferral, Recommended, TooManyReferrals
from domain.survey_answers import FormState, SurveyAnswered, SurveyEnded
from domain.surveys import SurveyDetails
from domain.tokens import InvalidLink, Kind
from models.base import uuid7
from models.catalog import Source, SourceKind
from models.contacts import Contact
from models.conversations import Notification, NotificationKind
from models.events import Event
from models.follow_ups import FollowUp, Priority
from models.leads import Lead, LeadContact
from models.surveys import DispatchStatus, Referral, SurveyDispatch, SurveyResponse, Verdict
from models.users import Membership, Role, User
from models.workspaces import Workspace
from tests.factories import NOW, again, member, seller, team
from tests.surveying import asked, buyer, published, submitted

LATER = NOW + timedelta(hours=1)
GRACE = Recommended(name="Grace Hopper", email="grace@example.com", note="Navy", consent="She agrees.")

pytestmark = pytest.mark.usefixtures("db")


async def test_answers_are_kept_as_far_as_they_got_changed_and_submitted() -> None:
    actor = await seller()
    row = await asked(actor, await buyer(actor), await published(actor))

    first = await survey_answers.answer(row.id, {"score": 3}, complete=False, now=NOW)
    assert (first.state, dict(first.answers)) == (FormState.OPEN, {"score": 3})
    await survey_answers.answer(row.id, {"score": 9, "reason": "Kind"}, complete=False, now=NOW)
    done = await survey_answers.answer(row.id, {"reason": "Kind people"}, complete=True, now=LATER)

    assert done.state is FormState.ANSWERED
    kept = await SurveyResponse.get(dispatch_id=row.id)
    assert kept.answers == {"score": 9, "reason": "Kind people"}
    assert (kept.score, kept.verdict, kept.verbatim) == (9, Verdict.PROMOTER, "Kind people")
    assert (kept.started_at, kept.submitted_at) == (NOW, LATER)
    dispatch = await SurveyDispatch.get(id=row.id)
    assert (dispatch.status, dispatch.due_at, dispatch.ended_at) == (DispatchStatus.ANSWERED, None, LATER)


async def test_what_is_missing_or_wrong_is_told_by_its_question_and_nothing_is_kept() -> None:
    actor = await seller()
    row = await asked(actor, await buyer(actor), await published(actor))
    with pytest.raises(Required) as missing:
        await submitted(row, reason="Because")
    with pytest.raises(Invalid) as wrong:
        await submitted(row, score=11, reason=7)
    assert missing.value.field == ("answers", "score")
    assert {fault.field for fault in wrong.value.faults} >= {("answers", "score"), ("answers", "reason")}
    assert not await SurveyResponse.filter(dispatch_id=row.id).exists()


async def test_the_same_submitted_twice_is_submitted_once_and_something_else_is_refused() -> None:
    actor = await seller()
    row = await asked(actor, await buyer(actor), await published(actor))
    first = await submitted(row, score=8)
    second = await submitted(row, score=8, now=LATER)
    assert first.response and second.response and second.response.submitted_at == NOW
    with pytest.raises(SurveyAnswered):
        await submitted(row, score=2)
    with pytest.raises(SurveyAnswered):
        await survey_answers.answer(row.id, {"reason": "More"}, complete=False, now=NOW)
    names = [event.name for event in await Event.filter(subject_id=row.lead_id, name="lead.survey_answered")]
    assert names == ["lead.survey_answered"]


async def test_of_two_who_submit_at_once_one_wins_and_the_other_is_told() -> None:
    actor = await seller()
    row = await asked(actor, await buyer(actor), await published(actor))
    outcomes = await asyncio.gather(*(submitted(row, score=score) for score in range(6)), return_exceptions=True)
    won = [outcome for outcome in outcomes if isinstance(outcome, survey_answers.Form)]
    assert len(won) == 1
    assert sum(isinstance(outcome, SurveyAnswered) for outcome in outcomes) == 5
    kept = await SurveyResponse.get(dispatch_id=row.id)
    assert won[0].response and kept.score == won[0].response.score


async def test_what_was_sent_is_answered_whatever_was_published_since() -> None:
    actor = await seller()
    survey = await published(actor)
    row = await asked(actor, await buyer(actor), survey)
    asks = load(survey.content).questions[0]
    other = (asks, Question(key="new", type=QuestionType.YES_NO, text={"en": "New?"}, required=True))
    await surveys.update(actor, survey.id, SurveyDetails(questions=other), now=NOW)
    await surveys.publish(actor, survey.id, now=NOW)

    form = await submitted(row, score=7, reason="Old question")
    assert dict(form.answers) == {"score": 7, "reason": "Old question"}
    newer = await asked(actor, await buyer(actor, email="bob@example.com"), survey)
    with pytest.raises(Required):
        await submitted(newer, score=7)


async def test_hidden_answers_are_dropped_when_an_earlier_answer_changes() -> None:
    actor = await seller()
    asks = load((await published(actor, name="Usual")).content).questions[0]
    bad = Question(
        key="bad",
        type=QuestionType.TEXT,
        text={"en": "What went wrong?"},
        required=True,
        conditions=(Condition("score", Operator.LTE, 6),),
    )
    survey = await published(actor, questions=(asks, bad))
    row = await asked(actor, await buyer(actor), survey)
    await survey_answers.answer(row.id, {"score": 2, "bad": "All of it"}, complete=False, now=NOW)
    form = await submitted(row, score=10)
    assert dict(form.answers) == {"score": 10}
    assert form.response and form.response.verbatim is None


async def test_links_that_were_guessed_are_none_and_others_end() -> None:
    actor = await seller()
    survey = await published(actor, expires_days=10)
    row = await asked(actor, await buyer(actor), survey)
    token = tokens.sign(Kind.SURVEY, row.id)
    assert (await survey_answers.opened(token, now=NOW)).state is FormState.OPEN
    assert (await survey_answers.opened(token, now=NOW + timedelta(days=10))).state is FormState.ENDED
    for guessed in (
        "",
        "x",
        token[:-4] + "AAAA",
        tokens.sign(Kind.SURVEY, uuid7()),
        tokens.sign(Kind.INVITATION, row.id),
    ):
        with pytest.raises(InvalidLink):
            await survey_answers.opened(guessed, now=NOW)
    with pytest.raises(SurveyEnded):
        await submitted(row, score=1, now=NOW + timedelta(days=10))
    lead = await buyer(actor, email="bob@example.com")
    other = await asked(actor, lead, survey)
    await leads.delete(actor, lead.id, now=NOW)
    with pytest.raises(SurveyEnded):
        await submitted(other, score=1)


async def outcomes_of(workspace_id: object) -> None:
    """Do what both tasks do for all that was answered in a workspace."""
    events = await Event.filter(workspace_id=workspace_id, name="lead.survey_answered").order_by("id")
    keys = [event.id for event in events]
    await survey_outcomes.open_follow_ups(events[0].workspace_id, keys, now=NOW)
    await notifications.notify(events[0].workspace_id, keys, now=NOW)


async def test_a_detractor_is_called_back_by_the_owner_and_the_manager_is_told_once() -> None:
    admin = await seller()
    crew = await team(admin)
    rep, manager, other = [await member(role, of=admin) for role in (Role.REP, Role.MANAGER, Role.MANAGER)]
    for who in (rep, manager):
        await Membership.filter(workspace_id=admin.workspace_id, user_id=who.user_id).update(team_id=crew.id)
    rep, manager = await again(rep), await again(manager)
    survey = await published(admin)
    row = await asked(rep, await buyer(rep), survey)
    await submitted(row, score=3, reason="<script>alert(1)</script>")

    await asyncio.gather(*(outcomes_of(admin.workspace_id) for _ in range(3)))

    [todo] = await FollowUp.filter(lead_id=row.lead_id)
    assert (todo.owner_id, todo.priority, todo.due_at) == (rep.user_id, Priority.HIGH, NOW + timedelta(days=1))
    assert todo.title == "Ada Lovelace is not satisfied: 3 in NPS after the sale"
    told = {
        one.user_id: one.kind
        for one in await Notification.filter(workspace_id=admin.workspace_id)
        if one.kind in (NotificationKind.SURVEY_DETRACTOR, NotificationKind.SURVEY_ANSWERED)
    }
    assert told == dict.fromkeys((rep.user_id, manager.user_id), NotificationKind.SURVEY_DETRACTOR)
    assert other.user_id not in told


async def test_where_the_owner_is_gone_the_call_is_nobodys_and_the_admins_are_told() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    row = await asked(rep, await buyer(rep), await published(admin))
    await Membership.filter(workspace_id=admin.workspace_id, user_id=rep.user_id).update(active=False)
    await submitted(row, score=0)
    await outcomes_of(admin.workspace_id)
    [todo] = await FollowUp.filter(lead_id=row.lead_id)
    assert todo.owner_id is None
    told = await Notification.filter(workspace_id=admin.workspace_id, kind=NotificationKind.SURVEY_DETRACTOR)
    assert [one.user_id for one in told] == [admin.user_id]


@pytest.mark.parametrize(
    ("own", "home", "title"),
    [
        ("de", "fr", "Ada Lovelace ist nicht zufrieden: 2 in NPS after the sale"),
        (None, "fr-CH", "Mécontentement de Ada Lovelace\xa0: 2 dans NPS after the sale"),
        ("xx", "xx", "Ada Lovelace is not satisfied: 2 in NPS after the sale"),
    ],
)
async def test_what_is_to_be_done_is_said_in_the_owners_language_else_the_workspaces(
    own: str | None, home: str, title: str
) -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    await User.filter(id=rep.user_id).update(locale=own)
    await Workspace.filter(id=admin.workspace_id).update(locale=home)
    await submitted(await asked(rep, await buyer(rep), await published(admin)), score=2)
    await outcomes_of(admin.workspace_id)
    assert (await FollowUp.get(workspace_id=admin.workspace_id)).title == title


async def test_a_title_that_is_too_long_is_cut() -> None:
    admin = await seller()
    row = await asked(admin, await buyer(admin), await published(admin, name="x" * 200))
    await submitted(row, score=2)
    await outcomes_of(admin.workspace_id)
    title = (await FollowUp.get(workspace_id=admin.workspace_id)).title
    assert len(title) == 200 and title.startswith("Ada Lovelace is not satisfied: 2 in xxx")


async def test_of_a_detractor_the_managers_of_the_nearest_team_above_are_told_or_who_stands_in_for_them() -> None:
    admin = await seller()
    top = await team(admin)
    above = await team(admin, parent=top)
    crew = await team(admin, parent=above)
    rep, manager, other, far = [
        await member(role, of=admin, team=place)
        for role, place in ((Role.REP, crew), (Role.MANAGER, above), (Role.MANAGER, above), (Role.MANAGER, top))
    ]
    await Membership.filter(workspace_id=admin.workspace_id, user_id=other.user_id).update(
        away_from=NOW, substitute_id=far.user_id
    )
    row = await asked(rep, await buyer(rep), await published(admin))
    await submitted(row, score=3)
    await outcomes_of(admin.workspace_id)
    told = await Notification.filter(workspace_id=admin.workspace_id, kind=NotificationKind.SURVEY_DETRACTOR)
    assert {one.user_id for one in told} == {rep.user_id, manager.user_id, far.user_id}


async def test_nobody_is_called_who_is_content_or_where_the_survey_says_so() -> None:
    actor = await seller()
    quiet = await published(actor, name="Quiet", detractor_follow_up=False)
    strict = await published(actor, name="Strict", detractor_most=None, promoter_least=None)
    for number, (survey, score) in enumerate(((quiet, 1), (strict, 1))):
        row = await asked(actor, await buyer(actor, email=f"a{number}@example.com"), survey)
        await submitted(row, score=score)
    await outcomes_of(actor.workspace_id)
    assert not await FollowUp.filter(workspace_id=actor.workspace_id).exists()


async def test_a_promoter_recommends_somebody_who_becomes_a_lead_once() -> None:
    admin = await seller()
    rep = await member(Role.REP, of=admin)
    lead = await buyer(rep)
    row = await asked(rep, lead, await published(admin))
    await submitted(row, score=10)

    made = await asyncio.gather(*(referrals.refer(row.id, GRACE, now=LATER) for _ in range(4)))
    assert len({one.id for one in made}) == 1
    [referral] = await Referral.filter(dispatch_id=row.id)
    new = await Lead.get(id=referral.lead_id).prefetch_related("source")
    assert (new.title, new.owner_id, new.referrer_id) == ("Grace Hopper", rep.user_id, row.contact_id)
    assert new.source and new.source.kind is SourceKind.REFERRAL
    assert (referral.referrer_lead_id, referral.consent) == (lead.id, "She agrees.")
    person = await Contact.get(id=(await LeadContact.get(lead_id=new.id)).contact_id)
    assert person.email == "grace@example.com"
    assert await Source.filter(workspace_id=admin.workspace_id, kind=SourceKind.REFERRAL).count() == 1


async def test_recommendations_have_their_limits() -> None:
    actor = await seller()
    row = await asked(actor, await buyer(actor), await published(actor))
    with pytest.raises(NoReferral):
        await referrals.refer(row.id, GRACE, now=NOW)
    await submitted(row, score=9)
    with pytest.raises(OwnReferral):
        await referrals.refer(row.id, replace(GRACE, email="ADA@example.com"), now=NOW)
    with pytest.raises(ConsentMissing):
        await referrals.refer(row.id, replace(GRACE, consent=None), now=NOW)
    with pytest.raises(Required):
        await referrals.refer(row.id, replace(GRACE, email=None), now=NOW)
    for number in range(referrals.MOST_REFERRALS):
        await referrals.refer(row.id, replace(GRACE, email=f"g{number}@example.com"), now=NOW)
    with pytest.raises(TooManyReferrals):
        await referrals.refer(row.id, GRACE, now=NOW)


async def test_who_is_no_promoter_is_not_asked_for_a_recommendation() -> None:
    actor = await seller()
    row = await asked(actor, await buyer(actor), await published(actor))
    form = await submitted(row, score=8)
    assert not form.asks_referral
