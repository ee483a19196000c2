"""Whose lead it is, is told what customers do with what was sold to them; who has to approve is told of that."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain import (
    agreements,
    approval_rules,
    approvals,
    contracts,
    due_invoices,
    leads,
    notifications,
    payments,
    proposal_answers,
    proposal_expiry,
    proposal_views,
    proposals,
    sale_reminders,
)
from domain.actors import Actor
from domain.approval_rules import RuleDetails
from domain.contracts import Signing
from domain.proposal_answers import Given
from domain.proposal_details import ProposalDetails
from models.conversations import Notification, NotificationKind
from models.events import Event
from models.leads import Lead
from models.proposals import ApprovalKind
from models.teams import Team
from models.users import Role
from tests import closing
from tests.factories import NOW, lead, member, seller, team
from tests.negotiating import off, sit_down
from tests.proposing import BROWSER, DAY, accepted, line, link_to, offered, sent_of

pytestmark = pytest.mark.usefixtures("db")
KIND = NotificationKind


@pytest.fixture
async def admin() -> AsyncIterator[Actor]:
    yield await seller()


async def owned(admin: Actor, within: Team | None = None) -> tuple[Actor, Lead]:
    """Return a lead with the rep who owns it."""
    rep = await member(Role.REP, of=admin, team=within)
    row = await lead(admin)
    return rep, await leads.assign(admin, row.id, rep.user_id, now=NOW)


async def given_to(admin: Actor, lead_id: UUID, within: Team | None = None) -> Actor:
    rep = await member(Role.REP, of=admin, team=within)
    await leads.assign(admin, lead_id, rep.user_id, now=NOW)
    return rep


async def told(who: Actor) -> list[NotificationKind]:
    """Do the work of the task, twice, and return what somebody is told but that a lead is theirs."""
    events = await Event.filter(workspace_id=who.workspace_id).order_by("id")
    for _ in range(2):
        await notifications.notify(who.workspace_id, [event.id for event in events], now=NOW)
    rows = await Notification.filter(user_id=who.user_id, workspace_id=who.workspace_id).order_by("id")
    return [row.kind for row in rows if row.kind is not KIND.ASSIGNED]


async def test_the_owner_is_told_of_the_first_view_of_questions_and_of_the_answer(admin: Actor) -> None:
    rep, row = await owned(admin)
    proposal = await offered(admin, line(), lead=row)
    link = await link_to(proposal)
    for hours in (0, 1):
        at = NOW + timedelta(hours=hours)
        assert await proposal_views.count(link.id, address="203.0.113.9", user_agent=BROWSER, now=at)
    await proposal_answers.ask(link.id, name="Ada", text="When?", now=NOW)
    await accepted(proposal)
    assert await told(rep) == [KIND.PROPOSAL_VIEWED, KIND.PROPOSAL_QUESTION, KIND.PROPOSAL_ACCEPTED]
    assert await told(admin) == []


async def test_the_owner_is_told_what_was_declined_has_expired_or_soon_will(admin: Actor) -> None:
    rep, row = await owned(admin)
    declined = await offered(admin, line(), lead=row)
    ending = await offered(admin, line(), lead=row)
    said = Given(name="Ada", sha256=(await sent_of(declined)).sha256, reason="Too dear")
    await proposal_answers.decline((await link_to(declined)).id, said, now=NOW)
    version = await sent_of(ending)
    await sale_reminders.remind_of_validity(admin.workspace_id, ending.id, version.id, now=NOW)
    assert version.valid_until
    while await proposal_expiry.expire_due(NOW + 400 * DAY):
        pass
    assert await told(rep) == [KIND.PROPOSAL_DECLINED, KIND.PROPOSAL_ENDING, KIND.PROPOSAL_EXPIRED]


async def test_whose_role_is_asked_approves_and_whoever_asked_is_told(admin: Actor) -> None:
    north = await team(admin)
    rep, row = await owned(admin, north)
    manager, marketer = await member(Role.MANAGER, of=admin, team=north), await member(Role.MARKETER, of=admin)
    rule = RuleDetails(kind=ApprovalKind.VALUE_OVER, threshold=Decimal(10), roles=[Role.MANAGER])
    await approval_rules.create(admin, rule, now=NOW)
    made = await proposals.create(rep, row.id, ProposalDetails(), lines=[line()], now=NOW)
    await approvals.request(rep, made.id, now=NOW)
    assert await told(manager) == [KIND.APPROVAL_REQUESTED]
    assert await told(marketer) == await told(admin) == []
    await approvals.reject(manager, made.id, note="Too cheap", now=NOW)
    await approvals.request(rep, made.id, now=NOW)
    await approvals.approve(manager, made.id, now=NOW)
    assert await told(rep) == [KIND.PROPOSAL_REJECTED, KIND.PROPOSAL_APPROVED]


async def test_admins_are_asked_where_nobody_who_sees_the_lead_has_the_role(admin: Actor) -> None:
    rep, row = await owned(admin)
    assert await member(Role.MANAGER, of=admin, team=await team(admin))
    rule = RuleDetails(kind=ApprovalKind.VALUE_OVER, threshold=Decimal(10), roles=[Role.MANAGER])
    await approval_rules.create(admin, rule, now=NOW)
    made = await proposals.create(rep, row.id, ProposalDetails(), lines=[line()], now=NOW)
    await approvals.request(rep, made.id, now=NOW)
    assert await told(admin) == [KIND.APPROVAL_REQUESTED]


async def test_the_owner_is_told_of_what_the_buyer_offers_and_of_the_agreement_once(admin: Actor) -> None:
    sitting = await sit_down(admin, respond_by=NOW + DAY)
    rep = await given_to(admin, sitting.lead.id)
    await sitting.offer(off("1"))
    await sitting.counter(off("5"))
    await sale_reminders.tell_overdue_negotiations(NOW + 9 * DAY)
    await agreements.agree(admin, sitting.negotiation.id, round=2, now=NOW)
    assert await told(rep) == [KIND.OFFER_RECEIVED, KIND.NEGOTIATION_AGREED]


async def test_the_owner_is_told_when_nobody_answers_in_time(admin: Actor) -> None:
    sitting = await sit_down(admin, respond_by=NOW + DAY)
    rep = await given_to(admin, sitting.lead.id)
    await sale_reminders.tell_overdue_negotiations(NOW + 2 * DAY)
    assert await told(rep) == [KIND.NEGOTIATION_OVERDUE]


async def test_managers_are_asked_for_offers_beyond_the_guard_rails(admin: Actor) -> None:
    sitting = await sit_down(admin, most_discount=Decimal(2))
    north = await team(admin)
    rep, manager = await given_to(admin, sitting.lead.id, north), await member(Role.MANAGER, of=admin, team=north)
    await sitting.offer(off("30"))
    assert (await told(manager), await told(rep)) == ([KIND.APPROVAL_REQUESTED], [])


async def test_the_owner_is_told_of_signatures_and_of_money(admin: Actor) -> None:
    rep, row = await owned(admin)
    proposal = await closing.accepted(admin, of=row)
    contract = await closing.contract(admin, proposal)
    signing = Signing(name="Ada", sha256=contract.sha256)
    await contracts.sign_by_link(await link_to(proposal), contract.id, signing, now=NOW)
    invoice = await closing.invoice(admin, of=row)
    late = await closing.invoice(admin, of=row)
    await payments.record(admin, invoice.id, closing.paying("119"), now=NOW)
    while await due_invoices.sweep(NOW + 90 * DAY):
        pass
    assert late.number
    assert await told(rep) == [KIND.CONTRACT_SIGNED, KIND.INVOICE_PAID, KIND.INVOICE_OVERDUE]
