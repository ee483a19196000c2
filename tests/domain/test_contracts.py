"""Contracts: made of what was agreed, signed by both sides once each, cancelled while they are not."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import pytest

from domain import contracts, leads
from domain.agreed import ProposalNotAccepted
from domain.contracts import ContractChanged, ContractDetails, ContractExists, ContractOver, Signing, TermEndsBefore
from domain.errors import AlreadyExists, Forbidden, Malformed, NotFound, Required, Stale
from models.base import uuid7
from models.contracts import Contract, ContractState
from models.events import Event
from models.leads import Lead
from models.proposal_links import Evidence, EvidenceKind, Party
from models.users import Role
from tests.closing import accepted, contract, line, link_to, sent, signed
from tests.factories import NOW, events, lead, member, partner, seller

LATER = NOW + timedelta(hours=1)

pytestmark = pytest.mark.usefixtures("db")


async def names(made: Contract) -> list[str]:
    return [event.name for event in await events(made.lead_id) if event.name.startswith("contract.")]


async def test_a_contract_says_what_was_agreed_and_what_is_added() -> None:
    actor, key = await seller(), uuid7()
    proposal = await accepted(actor, line(), line("Battery", "50.50", "7"))

    made = await contracts.create(
        actor,
        proposal.id,
        ContractDetails(title=" Roof ", terms="Net 30.", starts_on=date(2026, 4, 1), ends_on=date(2028, 3, 31)),
        id=key,
        now=NOW,
    )

    assert (made.id, made.number, made.title, made.terms) == (key, "C-2026-0001", "Roof", "Net 30.")
    assert (made.net, made.total) == (Decimal("150.50"), Decimal("173.04"))
    assert (made.proposal_version_id, made.lead_id) == (proposal.sent_id, proposal.lead_id)
    assert (made.state, len(made.sha256)) == (ContractState.OPEN, 64)
    assert await names(made) == ["contract.created"]
    [event] = await Event.filter(name="contract.created", subject_id=made.lead_id)
    assert event.data["contract_id"] == str(key)
    assert event.data["before"] == event.data["after"]


async def test_a_contract_counts_the_options_that_the_customer_took() -> None:
    actor = await seller()
    keys = [uuid7() for _ in range(2)]
    lines = [
        line(),
        line("Battery", "1000", key=keys[0], optional=True, chosen=True),
        line("Wallbox", "10", key=keys[1], optional=True, chosen=False),
    ]
    proposal = await accepted(actor, *lines, options=[keys[1]])

    made = await contract(actor, proposal)

    assert made.net == Decimal(110)


async def test_what_was_not_accepted_gets_no_contract() -> None:
    actor = await seller()
    proposal = await sent(actor)

    with pytest.raises(ProposalNotAccepted):
        await contracts.create(actor, proposal.id, ContractDetails(), now=NOW)


async def test_a_proposal_has_one_contract_until_it_is_cancelled() -> None:
    actor = await seller()
    proposal = await accepted(actor)

    outcomes = await asyncio.gather(
        *(contracts.create(actor, proposal.id, ContractDetails(), now=NOW) for _ in range(4)), return_exceptions=True
    )
    [first] = [outcome for outcome in outcomes if isinstance(outcome, Contract)]
    await contracts.cancel(actor, first.id, reason="Wrong dates", now=NOW)
    second = await contract(actor, proposal)

    assert sum(isinstance(outcome, ContractExists) for outcome in outcomes) == 3
    assert (first.number, second.number) == ("C-2026-0001", "C-2026-0002")
    assert first.sha256 != second.sha256
    with pytest.raises(AlreadyExists):
        await contracts.create(actor, (await accepted(actor)).id, ContractDetails(), id=first.id, now=NOW)


async def test_a_contract_cannot_end_before_it_begins() -> None:
    actor = await seller()
    proposal = await accepted(actor)

    with pytest.raises(TermEndsBefore):
        await contract(actor, proposal, starts_on=date(2026, 4, 2), ends_on=date(2026, 4, 1))


async def test_both_sides_sign_and_the_leads_term_follows() -> None:
    actor = await seller()
    made = await contract(actor, ends_on=date(2028, 3, 31))
    link = await link_to(made)

    mine = Signing(name="Sam Seller", sha256=made.sha256, address="192.0.2.1", user_agent="x" * 900)
    half = await contracts.sign(actor, made.id, mine, expected_version=1, now=NOW)
    state = half.state
    theirs = Signing(name=" Berta Buyer ", sha256=made.sha256, address="192.0.2.2")
    whole = await contracts.sign_by_link(link, made.id, theirs, now=LATER)

    assert (state, half.seller_signed_at, half.buyer_signed_at) == (ContractState.OPEN, NOW, None)
    assert (whole.state, whole.signed_at, whole.version) == (ContractState.SIGNED, LATER, 3)
    kept = await Evidence.filter(proposal_id=made.proposal_id, kind=EvidenceKind.SIGNED).order_by("created_at")
    assert [(one.party, one.name, one.address, one.sha256) for one in kept] == [
        (Party.SELLER, "Sam Seller", "192.0.2.1", made.sha256),
        (Party.BUYER, "Berta Buyer", "192.0.2.2", made.sha256),
    ]
    assert (kept[0].user_id, kept[0].link_id) == (actor.user_id, None)
    assert (kept[1].user_id, kept[1].link_id) == (None, link.id)
    assert len(kept[0].user_agent or "") == 500
    assert (whole.seller_signature_id, whole.buyer_signature_id) == (kept[0].id, kept[1].id)
    assert (await Lead.get(id=made.lead_id)).term_ends_on == date(2028, 3, 31)
    assert await names(made) == ["contract.created", "contract.signed", "contract.signed", "contract.completed"]


async def test_both_sides_at_once_and_everybody_twice_sign_once_each() -> None:
    actor = await seller()
    made = await contract(actor)
    link = await link_to(made)

    await asyncio.gather(
        *(contracts.sign(actor, made.id, Signing(name="S", sha256=made.sha256), now=NOW) for _ in range(3)),
        *(contracts.sign_by_link(link, made.id, Signing(name="B", sha256=made.sha256), now=NOW) for _ in range(3)),
    )

    row = await Contract.get(id=made.id)
    assert row.state is ContractState.SIGNED
    assert await Evidence.filter(proposal_id=made.proposal_id, kind=EvidenceKind.SIGNED).count() == 2
    assert sorted(await names(made)) == ["contract.completed", "contract.created", "contract.signed", "contract.signed"]


async def test_nobody_signs_what_they_did_not_see() -> None:
    actor = await seller()
    made = await contract(actor)
    link = await link_to(made)

    for signing, error in (
        (Signing(name="S", sha256="0" * 64), ContractChanged),
        (Signing(name="S", sha256="ABC"), Malformed),
        (Signing(name="S", sha256=None), Malformed),
        (Signing(name=" ", sha256=made.sha256), Required),
    ):
        with pytest.raises(error):
            await contracts.sign(actor, made.id, signing, now=NOW)
        with pytest.raises(error):
            await contracts.sign_by_link(link, made.id, signing, now=NOW)
    with pytest.raises(Stale):
        await contracts.sign(actor, made.id, Signing(name="S", sha256=made.sha256), expected_version=9, now=NOW)

    assert await Evidence.filter(kind=EvidenceKind.SIGNED, proposal_id=made.proposal_id).count() == 0


async def test_a_link_signs_the_contract_of_its_own_proposal_only() -> None:
    actor = await seller()
    made, other = await contract(actor), await contract(actor)
    link = await link_to(other)

    with pytest.raises(NotFound):
        await contracts.sign_by_link(link, made.id, Signing(name="B", sha256=made.sha256), now=NOW)


async def test_a_cancelled_contract_is_not_signed_and_a_signed_one_not_cancelled() -> None:
    actor = await seller()
    done, gone = await signed(actor), await contract(actor)
    await contracts.cancel(actor, gone.id, reason=None, now=NOW)
    again = await contracts.cancel(actor, gone.id, reason=None, now=LATER)

    assert (again.state, again.cancelled_at, again.version) == (ContractState.CANCELLED, NOW, 2)
    with pytest.raises(ContractOver):
        await contracts.sign(actor, gone.id, Signing(name="S", sha256=gone.sha256), now=NOW)
    with pytest.raises(ContractOver):
        await contracts.cancel(actor, done.id, reason=None, now=NOW)
    assert await names(gone) == ["contract.created", "contract.cancelled"]


async def test_one_that_is_cancelled_while_it_is_signed_is_either() -> None:
    actor = await seller()
    made = await contract(actor)
    link = await link_to(made)
    await contracts.sign(actor, made.id, Signing(name="S", sha256=made.sha256), now=NOW)

    outcomes = await asyncio.gather(
        contracts.cancel(actor, made.id, reason=None, now=NOW),
        contracts.sign_by_link(link, made.id, Signing(name="B", sha256=made.sha256), now=NOW),
        return_exceptions=True,
    )

    assert sum(isinstance(outcome, ContractOver) for outcome in outcomes) == 1
    row = await Contract.get(id=made.id)
    assert (row.state is ContractState.SIGNED) == (row.buyer_signature_id is not None)


async def test_who_may_make_sign_and_cancel_contracts() -> None:
    admin = await seller()
    viewer, rep = await member(Role.VIEWER, of=admin), await seller(Role.REP, of=admin)
    key = await partner("contract:read", "contract:write", "lead:read", "proposal:read", of=admin, role=Role.ADMIN)
    foreign, made = await seller(), await contract(admin)
    proposal = await accepted(admin)
    signing = Signing(name="S", sha256=made.sha256)

    for stranger in (rep, foreign):
        for attempt in (
            contracts.create(stranger, proposal.id, ContractDetails(), now=NOW),
            contracts.sign(stranger, made.id, signing, now=NOW),
            contracts.cancel(stranger, made.id, reason=None, now=NOW),
        ):
            with pytest.raises(NotFound):
                await attempt
    for attempt in (
        contracts.create(viewer, proposal.id, ContractDetails(), now=NOW),
        contracts.sign(viewer, made.id, signing, now=NOW),
        contracts.cancel(viewer, made.id, reason=None, now=NOW),
        contracts.sign(key, made.id, signing, now=NOW),
    ):
        with pytest.raises(Forbidden):
            await attempt


async def test_the_contract_of_a_deleted_lead_is_not_signed() -> None:
    actor = await seller()
    wanting = await lead(actor)
    made = await contract(actor, await accepted(actor, of=wanting))
    link = await link_to(made)
    await leads.delete(actor, wanting.id, now=NOW)

    with pytest.raises(NotFound):
        await contracts.sign(actor, made.id, Signing(name="S", sha256=made.sha256), now=NOW)
    with pytest.raises(NotFound):
        await contracts.sign_by_link(link, made.id, Signing(name="S", sha256=made.sha256), now=NOW)
