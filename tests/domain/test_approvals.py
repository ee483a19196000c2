"""Approval of proposals: rules hold them until the roles that they name have approved."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain import (
    approval_needs,
    approval_rules,
    approvals,
    exchange_rates,
    products,
    proposal_lines,
    proposal_versions,
    proposals,
)
from domain.actors import Actor
from domain.approval_rules import RuleDetails, TooManyRules
from domain.approvals import NoApprovalNeeded, NotAnApprover, OwnRequest
from domain.errors import Conflict, Forbidden, Invalid, NotFound, OutOfRange, Required, Stale
from domain.money import Money
from domain.products import ProductDetails
from domain.proposal_details import ProposalDetails
from domain.proposal_lines import Discount, LineDetails
from domain.proposal_states import ProposalStateRefused
from domain.proposals import ApprovalNeeded, ProposalEmpty
from models.events import Event
from models.proposals import Approval, ApprovalKind, ApprovalRule, ApprovalState, Proposal, ProposalState
from models.users import Role
from models.workspaces import Workspace
from tests.factories import NOW, again, lead, member, seller

LATER = NOW + timedelta(hours=1)
DISCOUNT, VALUE, MARGIN = ApprovalKind.DISCOUNT_OVER, ApprovalKind.VALUE_OVER, ApprovalKind.MARGIN_UNDER

pytestmark = pytest.mark.usefixtures("db")


async def rule(admin: Actor, kind: ApprovalKind, threshold: str, *roles: Role) -> ApprovalRule:
    details = RuleDetails(kind=kind, threshold=Decimal(threshold), roles=roles or (Role.MANAGER,))
    return await approval_rules.create(admin, details, now=NOW)


def line(price: str = "100", **more: Any) -> LineDetails:
    return LineDetails(name="Panel", unit_price=Money(Decimal(price), more.pop("currency", "EUR")), **more)


async def draft(actor: Actor, *lines: LineDetails, currency: str = "EUR", **details: Any) -> Proposal:
    wanting = await lead(actor)
    return await proposals.create(
        actor, wanting.id, ProposalDetails(**details), currency=currency, lines=lines or (line(),), now=NOW
    )


async def needed(proposal: Proposal) -> list[str]:
    """Return in words what holds a proposal."""
    version = await proposal_versions.current(proposal)
    home = await Workspace.get(id=proposal.workspace_id)
    found = await approval_needs.of(version, await proposal_lines.of(version.id), home, on=NOW.date())
    return [need.words for need in found]


async def test_each_kind_of_rule_holds_what_goes_beyond_it() -> None:
    admin = await seller()
    await rule(admin, DISCOUNT, "10")
    await rule(admin, VALUE, "1000")
    await rule(admin, MARGIN, "25")
    cost = Money(Decimal(75), "EUR")

    assert await needed(await draft(admin, line(unit_cost=cost))) == []
    assert await needed(
        await draft(
            admin,
            line("1200", unit_cost=Money(Decimal(900), "EUR"), discount=Discount(percent=Decimal(5))),
            discount=Discount(percent=Decimal(6)),
        )
    ) == [
        "a discount of 10.7 %, over 10 %",
        "a value of 1071.6 EUR, over 1000 EUR",
        "a margin of 16.0134 %, under 25 %",
    ]
    assert await needed(await draft(admin)) == ["a margin that is not known, for want of costs"]


async def test_what_a_customer_can_tick_is_held_as_well() -> None:
    admin = await seller()
    await rule(admin, DISCOUNT, "10")
    await rule(admin, VALUE, "150")

    made = await draft(admin, line(), line(optional=True, discount=Discount(percent=Decimal(40))))

    assert await needed(made) == ["a discount of 20 %, over 10 %", "a value of 160 EUR, over 150 EUR"]


async def test_a_value_in_another_currency_is_compared_by_its_rate_and_held_without_one() -> None:
    admin = await seller()
    await rule(admin, VALUE, "100")
    made = await draft(admin, line("60", currency="USD"), currency="USD")

    unknown = await needed(made)
    await exchange_rates.set_rate(admin, currency="USD", rate=Decimal("1.5"), valid_on=NOW.date(), now=NOW)
    below = await needed(made)
    await exchange_rates.set_rate(admin, currency="USD", rate=Decimal(2), valid_on=NOW.date(), now=NOW)

    assert unknown == ["a value that is not known in EUR, for want of an exchange rate"]
    assert below == []
    assert await needed(made) == ["a value of 120 EUR, over 100 EUR"]


async def test_a_price_below_the_products_is_a_discount() -> None:
    admin = await seller()
    await rule(admin, DISCOUNT, "10")
    pump = await products.create(admin, ProductDetails(name="Pump", price=Money(Decimal(100), "EUR")), now=NOW)

    made = await draft(admin, LineDetails(product_id=pump.id, unit_price=Money(Decimal(85), "EUR")))

    assert await needed(made) == ["a discount of 15 %, over 10 %"]


async def test_nothing_is_sent_before_all_who_are_asked_have_approved() -> None:
    admin = await seller()
    rep, manager = await seller(Role.REP, of=admin), await member(Role.MANAGER, of=admin)
    qualifier = await member(Role.QUALIFIER, of=admin)
    await Workspace.filter(id=admin.workspace_id).update(role_visibility={"MANAGER": "ALL"})
    manager = await again(manager)
    await rule(admin, VALUE, "50", Role.MANAGER)
    await rule(admin, DISCOUNT, "5", Role.QUALIFIER)
    made = await draft(rep, discount=Discount(percent=Decimal(10)))

    with pytest.raises(ApprovalNeeded):
        await proposals.send(rep, made.id, now=NOW)
    asked = await approvals.request(rep, made.id, expected_version=1, now=NOW)
    with pytest.raises(ProposalStateRefused):
        await proposals.send(rep, made.id, now=NOW)
    with pytest.raises(NotAnApprover):
        await approvals.approve(rep, made.id, now=NOW)
    half = await approvals.approve(manager, made.id, note="Fine", now=LATER)
    with pytest.raises(NotAnApprover):
        await approvals.approve(manager, made.id, now=LATER)
    whole = await approvals.approve(qualifier, made.id, now=LATER)
    sent = await proposals.send(rep, made.id, now=LATER)

    assert [row.state for row in (asked, half, whole, sent)] == [
        ProposalState.IN_APPROVAL,
        ProposalState.IN_APPROVAL,
        ProposalState.APPROVED,
        ProposalState.SENT,
    ]
    rows = await Approval.filter(version_id=made.current_id).order_by("created_at", "id")
    assert [(row.state, row.decided_by_id, row.note) for row in rows] == [
        (ApprovalState.APPROVED, manager.user_id, "Fine"),
        (ApprovalState.APPROVED, qualifier.user_id, None),
    ]
    names = [event.name for event in await Event.filter(subject_id=made.lead_id).order_by("id")]
    assert [name for name in names if name.startswith(("proposal.appr", "proposal.sent"))] == [
        "proposal.approval_requested",
        "proposal.approval_given",
        "proposal.approved",
        "proposal.sent",
    ]


async def test_who_asks_does_not_decide_unless_they_are_an_admin() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    await rule(admin, VALUE, "50", Role.REP)
    own, others = await draft(rep), await draft(admin)
    for actor, made in ((rep, own), (admin, others)):
        await approvals.request(actor, made.id, now=NOW)

    with pytest.raises(OwnRequest):
        await approvals.approve(rep, own.id, now=NOW)
    with pytest.raises(OwnRequest):
        await approvals.reject(rep, own.id, note="No", now=NOW)
    approved = await approvals.approve(admin, others.id, now=NOW)

    assert approved.state is ProposalState.APPROVED


async def test_a_rejected_proposal_is_a_draft_again_and_says_why() -> None:
    admin = await seller()
    rep = await seller(Role.REP, of=admin)
    await rule(admin, VALUE, "50")
    await rule(admin, MARGIN, "10", Role.VIEWER)
    made = await draft(rep)
    await approvals.request(rep, made.id, now=NOW)

    with pytest.raises(Required):
        await approvals.reject(admin, made.id, note=" ", now=NOW)
    rejected = await approvals.reject(admin, made.id, note="Too dear", now=LATER)

    assert rejected.state is ProposalState.DRAFT
    assert {row.state for row in await Approval.filter(version_id=made.current_id)} == {ApprovalState.REJECTED}
    told = await Event.filter(subject_id=made.lead_id, name="proposal.rejected").first()
    assert told
    assert (told.data["note"], told.data["requested_by_id"]) == ("Too dear", str(rep.user_id))


@pytest.mark.parametrize("approved", [False, True])
async def test_an_edit_ends_approval_that_is_waited_for_or_was_given(approved: bool) -> None:
    admin = await seller()
    await rule(admin, VALUE, "50")
    made = await draft(admin)
    await approvals.request(admin, made.id, now=NOW)
    if approved:
        await approvals.approve(admin, made.id, now=NOW)

    edited = await proposals.update(admin, made.id, ProposalDetails(title="Other"), now=LATER)

    assert edited.state is ProposalState.DRAFT
    [row] = await Approval.filter(version_id=made.current_id)
    assert row.state is (ApprovalState.APPROVED if approved else ApprovalState.OBSOLETE)
    with pytest.raises(ApprovalNeeded):
        await proposals.send(admin, made.id, now=LATER)
    with pytest.raises(ProposalStateRefused):
        await approvals.approve(admin, made.id, now=LATER)


async def test_approval_of_what_was_edited_at_the_same_time_is_stale_or_undone() -> None:
    admin = await seller()
    await rule(admin, VALUE, "50")
    made = await draft(admin)
    asked = await approvals.request(admin, made.id, now=NOW)

    approval, edit = await asyncio.gather(
        approvals.approve(admin, made.id, expected_version=asked.version, now=NOW),
        proposals.set_lines(admin, made.id, [line("9000")], expected_version=asked.version, now=NOW),
        return_exceptions=True,
    )

    assert [type(outcome) for outcome in (approval, edit) if isinstance(outcome, Exception)] == [Stale]
    found = await Proposal.get(id=made.id)
    held = isinstance(edit, Stale)
    assert (found.state, found.total) == (
        (ProposalState.APPROVED, Decimal(100)) if held else (ProposalState.DRAFT, Decimal(9000))
    )


async def test_two_who_approve_at_once_approve_once() -> None:
    admin = await seller()
    other = await member(Role.ADMIN, of=admin)
    await rule(admin, VALUE, "50")
    made = await draft(admin)
    await approvals.request(admin, made.id, now=NOW)

    outcomes = await asyncio.gather(
        *(approvals.approve(actor, made.id, now=NOW) for actor in (admin, other)), return_exceptions=True
    )

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Proposal", "ProposalStateRefused"]
    assert await Event.filter(subject_id=made.lead_id, name="proposal.approved").count() == 1


async def test_what_no_rule_holds_and_what_is_empty_is_not_put_up_for_approval() -> None:
    admin = await seller()
    made = await draft(admin)
    empty = await proposals.create(admin, (await lead(admin)).id, ProposalDetails(), now=NOW)

    with pytest.raises(NoApprovalNeeded):
        await approvals.request(admin, made.id, now=NOW)
    with pytest.raises(ProposalEmpty):
        await approvals.request(admin, empty.id, now=NOW)


async def test_a_rule_is_made_changed_archived_and_restored() -> None:
    admin = await seller()
    made = await rule(admin, DISCOUNT, "10")

    changed = await approval_rules.update(
        admin, made.id, RuleDetails(threshold=Decimal(20), roles=[Role.ADMIN]), expected_version=1, now=LATER
    )
    same = await approval_rules.update(admin, made.id, RuleDetails(threshold=Decimal(20)), now=LATER)
    archived = await approval_rules.archive(admin, made.id, now=LATER)
    with pytest.raises(Conflict):
        await approval_rules.update(admin, made.id, RuleDetails(threshold=Decimal(5)), now=LATER)
    unheld = await needed(await draft(admin, discount=Discount(percent=Decimal(50))))
    restored = await approval_rules.restore(admin, made.id, now=LATER)

    assert (changed.threshold, changed.roles, same.version) == (Decimal(20), ["ADMIN"], 2)
    assert (archived.archived_at, restored.archived_at, unheld) == (LATER, None, [])


async def test_faults_of_a_rule_are_told_together() -> None:
    admin = await seller()

    with pytest.raises(Invalid) as caught:
        await approval_rules.create(admin, RuleDetails(), now=NOW)
    assert [fault.field for fault in caught.value.faults] == [("kind",), ("threshold",), ("roles",)]
    for kind, threshold in ((DISCOUNT, "101"), (MARGIN, "-1"), (VALUE, "-1")):
        with pytest.raises(OutOfRange):
            await rule(admin, kind, threshold)
    money = await rule(admin, VALUE, "5000")
    with pytest.raises(OutOfRange):
        await approval_rules.update(admin, money.id, RuleDetails(kind=DISCOUNT), now=NOW)


async def test_only_admins_manage_rules_and_only_of_their_workspace() -> None:
    admin, stranger = await seller(), await seller()
    manager = await member(Role.MANAGER, of=admin)
    made = await rule(admin, DISCOUNT, "10")

    for actor, error in ((manager, Forbidden), (stranger, NotFound)):
        for attempt in (
            approval_rules.update(actor, made.id, RuleDetails(threshold=Decimal(1)), now=NOW),
            approval_rules.archive(actor, made.id, now=NOW),
            approval_rules.restore(actor, made.id, now=NOW),
        ):
            with pytest.raises(error):
                await attempt
    with pytest.raises(Forbidden):
        await rule(manager, DISCOUNT, "1")


async def test_a_workspace_has_fifty_rules_in_use_at_most() -> None:
    admin = await seller()
    first = await rule(admin, VALUE, "1")
    await ApprovalRule.bulk_create(
        ApprovalRule(
            workspace_id=admin.workspace_id,
            kind=VALUE,
            threshold=Decimal(1),
            roles=["ADMIN"],
            created_at=NOW,
            updated_at=NOW,
        )
        for _ in range(49)
    )

    with pytest.raises(TooManyRules):
        await rule(admin, VALUE, "1")
    await approval_rules.archive(admin, first.id, now=NOW)
    await rule(admin, VALUE, "1")
    with pytest.raises(TooManyRules):
        await approval_rules.restore(admin, first.id, now=NOW)
