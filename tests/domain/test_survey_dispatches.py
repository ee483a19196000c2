"""Whom a survey goes to, when, once, and why somebody was not asked."""

import asyncio
from datetime import timedelta

import pytest

from domain import closings, contacts, leads, survey_answers, survey_dispatches, surveys
from domain.actors import Actor
from domain.contacts import ContactDetails
from domain.errors import Conflict, Forbidden, Invalid, NotFound, Required
from domain.survey_dispatches import SurveyOver, TooManyToAsk, is_sampled
from domain.surveys import SurveyDetails, SurveyNotPublished
from models.base import uuid7
from models.contacts import Contact
from models.deliveries import Delivery, DeliveryStatus, Suppression, SuppressionReason
from models.events import Event
from models.leads import Lead, LeadStatus
from models.surveys import DispatchStatus, SkipReason, Survey, SurveyDispatch, SurveyKind
from models.users import Role
from tests.factories import NOW, pipeline, seller
from tests.surveying import asked, buyer, by_rules, published, submitted, swept, win

DAY = timedelta(days=1)
STATUS = DispatchStatus

pytestmark = pytest.mark.usefixtures("db")


async def again(row: SurveyDispatch) -> SurveyDispatch:
    return await SurveyDispatch.get(id=row.id)


async def mails(row: SurveyDispatch) -> list[Delivery]:
    return await Delivery.filter(about_id=row.id).order_by("id")


async def test_a_sale_asks_after_its_delay_reminds_and_ends() -> None:
    actor = await seller()
    await published(actor, after_sale=True, delay_days=30, most_reminders=1, reminder_days=7, expires_days=14)
    lead = await buyer(actor, language="de-AT")

    [row] = await win(actor, lead)
    assert (row.status, row.due_at, row.contact_id) == (STATUS.SCHEDULED, NOW + 30 * DAY, None)
    await swept(NOW + 29 * DAY)
    assert (await again(row)).status is STATUS.SCHEDULED

    out = NOW + 30 * DAY
    await swept(out)
    row = await again(row)
    assert (row.status, row.language, row.sent_at) == (STATUS.SENT, "de", out)
    assert (row.due_at, row.expires_at) == (out + 7 * DAY, out + 14 * DAY)
    await swept(out + 7 * DAY)
    assert ((await again(row)).reminders, (await again(row)).due_at) == (1, out + 14 * DAY)
    await swept(out + 14 * DAY)
    row = await again(row)
    assert (row.status, row.due_at, row.ended_at) == (STATUS.EXPIRED, None, out + 14 * DAY)

    assert [mail.address for mail in await mails(row)] == ["ada@example.com"] * 2
    assert [mail.data["reminder"] for mail in await mails(row)] == [0, 1]
    names = [event.name for event in await Event.filter(subject_id=row.id).order_by("id")]
    assert names == [f"survey_dispatch.{verb}" for verb in ("created", "sent", "reminded", "expired")]


async def test_each_closing_asks_once_however_often_the_task_runs_and_however_many_at_once() -> None:
    actor = await seller()
    await published(actor, after_sale=True, delay_days=1)
    lead = await buyer(actor)
    await win(actor, lead)
    await asyncio.gather(*(by_rules(actor) for _ in range(5)))
    assert await SurveyDispatch.filter(lead_id=lead.id).count() == 1

    await asyncio.gather(*(survey_dispatches.sweep(NOW + DAY) for _ in range(5)))
    [row] = await SurveyDispatch.filter(lead_id=lead.id)
    assert row.status is STATUS.SENT
    assert len(await mails(row)) == 1


async def test_a_lead_that_is_won_again_asks_again_and_the_sale_before_asks_no_more() -> None:
    actor = await seller()
    await published(actor, after_sale=True, delay_days=10)
    lead = await buyer(actor)
    await win(actor, lead)
    await closings.reopen(actor, lead.id, now=NOW + DAY)
    await survey_dispatches.reopened(actor.workspace_id, [lead.id], now=NOW + DAY)
    [first] = await SurveyDispatch.filter(lead_id=lead.id)
    assert (first.status, first.due_at) == (STATUS.CANCELLED, None)

    rows = await win(actor, lead, now=NOW + 2 * DAY)
    assert [row.status for row in rows] == [STATUS.CANCELLED, STATUS.SCHEDULED]
    # The task of the reopening comes late, and again: what the second sale asks for stays.
    await survey_dispatches.reopened(actor.workspace_id, [lead.id], now=NOW + 2 * DAY)
    assert [(await again(row)).status for row in rows] == [STATUS.CANCELLED, STATUS.SCHEDULED]


async def test_a_sale_that_was_reopened_before_the_task_ran_asks_for_nothing() -> None:
    actor = await seller()
    await published(actor, after_sale=True)
    lead = await buyer(actor)
    await closings.close(actor, lead.id, LeadStatus.WON, now=NOW)
    await closings.reopen(actor, lead.id, now=NOW)
    await by_rules(actor)
    assert not await SurveyDispatch.filter(lead_id=lead.id).exists()


async def test_what_is_due_of_a_reopened_or_deleted_lead_does_not_go_out_even_if_nobody_has_cancelled_it() -> None:
    actor = await seller()
    await published(actor, after_sale=True, delay_days=1)
    reopened, deleted = await buyer(actor), await buyer(actor, email="bob@example.com")
    for lead in (reopened, deleted):
        await win(actor, lead)
    await closings.reopen(actor, reopened.id, now=NOW)
    await leads.delete(actor, deleted.id, now=NOW)
    await swept(NOW + DAY)
    for lead in (reopened, deleted):
        [row] = await SurveyDispatch.filter(lead_id=lead.id)
        assert row.status is STATUS.CANCELLED
        assert await mails(row) == []


async def test_only_sales_of_its_pipeline_and_no_losses_ask() -> None:
    actor = await seller()
    other = await pipeline(actor, name="Other")
    await published(actor, name="Here", after_sale=True)
    await published(actor, name="There", after_sale=True, pipeline_id=other.id)
    await published(actor, name="By hand")
    await surveys.create(actor, SurveyKind.CES, SurveyDetails(name="Draft", after_sale=True), now=NOW)
    gone = await published(actor, name="Gone", after_sale=True)
    await surveys.archive(actor, gone.id, now=NOW)
    won, lost = await buyer(actor), await buyer(actor)
    assert len(await win(actor, won)) == 1
    await closings.disqualify(actor, lost.id, note="No", now=NOW)
    await by_rules(actor)
    assert not await SurveyDispatch.filter(lead_id=lost.id).exists()


async def test_somebody_who_was_asked_lately_is_not_asked_again_by_any_survey() -> None:
    actor = await seller()
    first, second = await published(actor, name="One"), await published(actor, name="Two", pause_days=90)
    lead = await buyer(actor)
    assert (await asked(actor, lead, first)).status is STATUS.SENT
    skipped = await asked(actor, lead, second, now=NOW + 89 * DAY)
    assert (skipped.status, skipped.skip_reason, skipped.due_at) == (STATUS.SKIPPED, SkipReason.ASKED_LATELY, None)
    assert (await asked(actor, lead, second, now=NOW + 91 * DAY)).status is STATUS.SENT


async def test_of_surveys_that_are_due_at_once_for_one_person_one_goes_out_whoever_sends_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    actor = await seller()
    for name in ("One", "Two", "Three"):
        await published(actor, name=name, after_sale=True, delay_days=0)
    lead = await buyer(actor)
    await win(actor, lead)
    rows = await SurveyDispatch.filter(lead_id=lead.id)
    monkeypatch.setattr(survey_dispatches, "SWEPT_AT_ONCE", 1)
    await asyncio.gather(*(survey_dispatches.sweep(NOW) for _ in rows))
    await swept(NOW)
    statuses = sorted([(await again(row)).status for row in rows])
    assert statuses == [STATUS.SENT, STATUS.SKIPPED, STATUS.SKIPPED]


async def test_who_cannot_be_asked_has_a_dispatch_that_says_why() -> None:
    actor = await seller()
    survey = await published(actor)
    no_address = await without_address(actor)
    suppressed = await buyer(actor, email="stop@example.com")
    await Suppression.create(
        workspace_id=actor.workspace_id,
        email_normalised="stop@example.com",
        kind="survey",
        reason=SuppressionReason.UNSUBSCRIBED,
        created_at=NOW,
    )
    alone = await buyer(actor, email="gone@example.com")
    await contacts.delete(actor, (await Contact.get(email="gone@example.com")).id, now=NOW)
    reasons = [(await asked(actor, lead, survey)).skip_reason for lead in (no_address, suppressed, alone)]
    assert reasons == [SkipReason.NO_ADDRESS, SkipReason.UNSUBSCRIBED, SkipReason.NO_CONTACT]
    assert not await Delivery.filter(workspace_id=actor.workspace_id).exists()


async def without_address(actor: Actor) -> Lead:
    lead = await buyer(actor, email="later@example.com")
    person = await Contact.get(email="later@example.com")
    await contacts.update(actor, person.id, ContactDetails(email=None), now=NOW)
    return lead


async def test_the_same_sales_are_sampled_every_time_and_as_many_as_were_asked_for() -> None:
    survey, sales = uuid7(), [uuid7() for _ in range(2_000)]
    chosen = [is_sampled(survey, sale, NOW, percent=20) for sale in sales]
    assert chosen == [is_sampled(survey, sale, NOW, percent=20) for sale in sales]
    assert 320 <= sum(chosen) <= 480
    assert not any(is_sampled(survey, sale, NOW, percent=0) for sale in sales)
    assert all(is_sampled(survey, sale, NOW, percent=100) for sale in sales)


async def test_a_sale_that_was_not_sampled_is_on_record() -> None:
    actor = await seller()
    await published(actor, after_sale=True, sample_percent=0)
    [row] = await win(actor, await buyer(actor))
    assert (row.status, row.skip_reason, row.due_at) == (STATUS.SKIPPED, SkipReason.SAMPLED_OUT, None)


async def test_by_hand_leads_and_contacts_are_asked_now_or_later() -> None:
    actor = await seller()
    survey = await published(actor)
    lead = await buyer(actor)
    person = await contacts.create(actor, ContactDetails(name="Bob", email="bob@example.com"), now=NOW)
    rows = await survey_dispatches.dispatch(
        actor, survey.id, lead_ids=[lead.id, lead.id], contact_ids=[person.id], at=NOW + DAY, now=NOW
    )
    assert [row.status for row in rows] == [STATUS.SCHEDULED] * 2
    await swept(NOW + DAY)
    assert {(await again(row)).status for row in rows} == {STATUS.SENT}
    assert {row.created_by_id for row in rows} == {actor.user_id}


async def test_what_cannot_be_sent_by_hand_is_refused_with_its_place() -> None:
    actor = await seller()
    survey, lead = await published(actor), await buyer(actor)
    draft = await surveys.create(actor, SurveyKind.CES, SurveyDetails(name="Draft"), now=NOW)
    with pytest.raises(SurveyNotPublished):
        await survey_dispatches.dispatch(actor, draft.id, lead_ids=[lead.id], now=NOW)
    with pytest.raises(Required):
        await survey_dispatches.dispatch(actor, survey.id, now=NOW)
    with pytest.raises(TooManyToAsk):
        await survey_dispatches.dispatch(actor, survey.id, lead_ids=[uuid7() for _ in range(501)], now=NOW)
    with pytest.raises(Invalid) as caught:
        await survey_dispatches.dispatch(actor, survey.id, lead_ids=[lead.id, uuid7()], contact_ids=[uuid7()], now=NOW)
    assert [fault.field for fault in caught.value.faults] == [("leadIds", "1"), ("contactIds", "0")]
    await surveys.archive(actor, survey.id, now=NOW)
    with pytest.raises(Conflict):
        await survey_dispatches.dispatch(actor, survey.id, lead_ids=[lead.id], now=NOW)


async def test_a_rep_asks_customers_of_their_own() -> None:
    admin = await seller()
    survey = await published(admin)
    rep = await seller(Role.REP, of=admin)
    own, others = await buyer(rep), await buyer(admin, email="bob@example.com")
    assert (await asked(rep, own, survey)).status is STATUS.SENT
    with pytest.raises(NotFound):
        await asked(rep, others, survey)
    viewer = await seller(Role.VIEWER, of=admin)
    with pytest.raises(Forbidden):
        await asked(viewer, others, survey)


async def test_a_dispatch_is_cancelled_with_its_mail_and_not_once_it_was_answered() -> None:
    actor = await seller()
    survey = await published(actor)
    lead = await buyer(actor)
    row = await asked(actor, lead, survey)
    await survey_dispatches.cancel(actor, row.id, now=NOW)
    assert (await survey_dispatches.cancel(actor, row.id, now=NOW)).status is STATUS.CANCELLED
    assert [mail.status for mail in await mails(row)] == [DeliveryStatus.SKIPPED]
    assert (await survey_answers.by_id(row.id, now=NOW)).state is survey_answers.FormState.ENDED

    other = await asked(actor, await buyer(actor, email="bob@example.com"), survey)
    await submitted(other, score=9)
    with pytest.raises(SurveyOver):
        await survey_dispatches.cancel(actor, other.id, now=NOW)


async def test_an_archived_survey_reminds_nobody() -> None:
    actor = await seller()
    survey = await published(actor, reminder_days=1, expires_days=10)
    row = await asked(actor, await buyer(actor), survey)
    await surveys.archive(actor, survey.id, now=NOW)
    await swept(NOW + DAY)
    assert ((await again(row)).reminders, (await again(row)).due_at) == (0, NOW + 10 * DAY)
    assert (await Survey.get(id=survey.id)).archived_at == NOW
