"""Contracts: made of what was agreed, and signed by both sides, each once, whoever comes first.

Whoever changes one locks its lead first, then its proposal, then the contract.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from domain import agreed, canonical, edits, inputs, leads, local_times, next_steps, number_series, policy
from domain.actors import Actor, ActorKind
from domain.agreed import Agreed
from domain.errors import DomainError, Faults, Forbidden, Malformed, NotFound
from domain.events import Event, record
from domain.policy import Action
from models import rows
from models.base import uuid7
from models.contracts import Contract, ContractState
from models.database import transaction
from models.leads import Lead
from models.proposal_links import Evidence, EvidenceKind, Party, ProposalLink
from models.proposals import Proposal
from models.selling import NumberedKind
from models.workspaces import Workspace

UNIQUE = {"contract_pkey": "id"}
LONGEST_REASON = 2_000
LONGEST_AGENT = 500
SHA256 = re.compile(r"[0-9a-f]{64}")


class ContractCreated(Event):
    name = "contract.created"
    subject_type = "lead"


class ContractSigned(Event):
    """One side has signed: `party` says which."""

    name = "contract.signed"
    subject_type = "lead"


class ContractCompleted(Event):
    """Both sides have signed."""

    name = "contract.completed"
    subject_type = "lead"


class ContractCancelled(Event):
    name = "contract.cancelled"
    subject_type = "lead"


class ContractExists(DomainError):
    """There is a contract on this proposal already, {number}: cancel it to make another."""


class ContractOver(DomainError):
    """The contract {number} is {state}."""


class ContractChanged(DomainError):
    """This is another contract than you saw: read it again. Its SHA-256 is {sha256}."""


class TermEndsBefore(DomainError):
    """A contract cannot end on {ends}, before it begins on {starts}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractDetails:
    """What is said of a contract beside what was agreed; None is as the version has it, or nothing."""

    title: str | None = None
    terms: str | None = None
    starts_on: date | None = None
    ends_on: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """Who signs, and where from; `sha256` is that of the contract that they saw."""

    name: str | None
    sha256: str | None
    address: str | None = None
    user_agent: str | None = field(default=None, repr=False)


async def create(
    actor: Actor, proposal_id: UUID, details: ContractDetails, *, id: UUID | None = None, now: datetime
) -> Contract:
    """Make a contract on what was agreed of a proposal.

    Raises NotFound, Forbidden, ProposalNotAccepted, ContractExists, AlreadyExists (id), and faults.
    """
    faults = Faults()
    key = edits.new_id(faults, id)
    columns = _checked(faults, details)
    with edits.collisions("contract", UNIQUE):
        async with transaction():
            lead, proposal = await _proposal(actor, proposal_id)
            policy.require(actor, Action.CREATE_CONTRACT, lead)
            faults.raise_any()
            found = await agreed.of_proposal(proposal, field="proposalId")
            await _forbid_second(found)
            contract = await _made(actor, key, found, columns, now=now)
            facts = await leads.as_is(lead)
            # Whoever makes another contract waits from here on.
            day = local_times.day_of(now, (await Workspace.get(id=actor.workspace_id)).time_zone)
            contract.number = await number_series.next(actor.workspace_id, NumberedKind.CONTRACT, day)
            contract.sha256 = canonical.sha256(_canonical(contract, found))
            await edits.insert(contract)
            await record(ContractCreated(actor, lead.id, facts | _facts(contract)), now=now)
    return contract


def _checked(faults: Faults, details: ContractDetails) -> dict[str, Any]:
    columns = {
        "terms": inputs.text(faults, details.terms, field="terms"),
        "starts_on": inputs.day(faults, details.starts_on, field="startsOn"),
        "ends_on": inputs.day(faults, details.ends_on, field="endsOn"),
    }
    if details.title is not None:
        columns["title"] = inputs.name(faults, details.title, field="title")
    if details.starts_on and details.ends_on and details.ends_on < details.starts_on:
        faults.add(TermEndsBefore(starts=details.starts_on, ends=details.ends_on, field="endsOn"))
    return columns


async def _proposal(actor: Actor, proposal_id: UUID) -> tuple[Lead, Proposal]:
    """Return a proposal with its lead, both locked."""
    known = await policy.visible(actor, Proposal).filter(id=proposal_id, deleted_at=None).first()
    if known is None:
        raise NotFound(noun="proposal", field="proposalId")
    lead = await policy.locked(actor, Lead, known.lead_id, field="proposalId")
    return lead, await policy.locked(actor, Proposal, proposal_id, field="proposalId")


async def _forbid_second(found: Agreed) -> None:
    live = await Contract.filter(proposal_version_id=found.version.id).exclude(state=ContractState.CANCELLED).first()
    if live is not None:
        raise ContractExists(number=live.number, field="proposalId")


async def _made(actor: Actor, key: UUID, found: Agreed, columns: Mapping[str, Any], *, now: datetime) -> Contract:
    version = found.version
    said: dict[str, Any] = {"title": version.title, **columns}
    return Contract(
        id=key,
        workspace_id=actor.workspace_id,
        lead_id=version.lead_id,
        proposal_id=version.proposal_id,
        proposal_version_id=version.id,
        language=version.language,
        currency=version.currency,
        net=found.totals.net,
        total=found.totals.total,
        created_by_id=actor.user_id,
        created_at=now,
        updated_at=now,
        **(said | {"terms": said["terms"] or version.terms}),
    )


def _canonical(contract: Contract, found: Agreed) -> dict[str, Any]:
    """Return all that is signed: the version by its hash, with the lines that were taken, and what was added."""
    names = ("number", "title", "language", "terms", "starts_on", "ends_on", "currency", "net", "total")
    return {
        **{name: getattr(contract, name) for name in names},
        "proposal": found.proposal.number,
        "version": found.version.number,
        "version_sha256": found.version.sha256,
        "lines": [line.key for line in found.lines],
    }


async def sign(
    actor: Actor, contract_id: UUID, signing: Signing, *, expected_version: int | None = None, now: datetime
) -> Contract:
    """Sign for the seller; a contract that the seller has signed stays as it is.

    Raises NotFound, Stale, Forbidden, ContractOver, ContractChanged, and faults.
    """
    async with transaction():
        lead, contract = await _locked(actor, contract_id, Action.SIGN_CONTRACT, expected_version=expected_version)
        if actor.kind is not ActorKind.USER:
            raise Forbidden(action="sign contracts with an API key: a person has to", field="id")
        await _sign(actor, lead, contract, Party.SELLER, signing, now=now)
    return contract


async def sign_by_link(link: ProposalLink, contract_id: UUID, signing: Signing, *, now: datetime) -> Contract:
    """Sign for the buyer, who has a link to the contract's proposal; one that was signed so stays as it is.

    Raises NotFound, ContractOver, ContractChanged, and faults.
    """
    actor = Actor(ActorKind.LINK, link.workspace_id, link_id=link.id)
    async with transaction():
        lead = await rows.to_edit(Lead, link.lead_id, workspace_id=link.workspace_id)
        contract = await rows.to_edit(Contract, contract_id, workspace_id=link.workspace_id)
        if lead is None or lead.deleted_at or contract is None or contract.proposal_id != link.proposal_id:
            raise NotFound(noun="contract", field="id")
        await _sign(actor, lead, contract, Party.BUYER, signing, link=link, now=now)
    return contract


async def _sign(
    actor: Actor,
    lead: Lead,
    contract: Contract,
    party: Party,
    signing: Signing,
    *,
    link: ProposalLink | None = None,
    now: datetime,
) -> None:
    faults = Faults()
    name = inputs.name(faults, signing.name, field="name")
    if signing.sha256 is None or not SHA256.fullmatch(signing.sha256):
        faults.add(Malformed(field="sha256", what="the SHA-256 of a contract"))
    faults.raise_any()
    if signing.sha256 != contract.sha256:
        raise ContractChanged(sha256=contract.sha256, field="sha256")
    side = party.value.lower()
    if getattr(contract, f"{side}_signature_id") is not None:
        return
    if contract.state is not ContractState.OPEN:
        raise ContractOver(number=contract.number, state=contract.state.value, field="id")
    evidence = Evidence(
        id=uuid7(),
        workspace_id=contract.workspace_id,
        kind=EvidenceKind.SIGNED,
        party=party,
        proposal_id=contract.proposal_id,
        version_id=contract.proposal_version_id,
        lead_id=contract.lead_id,
        link_id=link.id if link else None,
        user_id=actor.user_id,
        name=name,
        address=signing.address or None,
        user_agent=(signing.user_agent or "")[:LONGEST_AGENT] or None,
        sha256=contract.sha256,
        total=contract.total,
        facts={"contract_id": str(contract.id), "contract": contract.number},
        created_at=now,
    )
    await edits.insert(evidence)
    columns: dict[str, Any] = {f"{side}_signature_id": evidence.id, f"{side}_signed_at": now}
    other = contract.buyer_signature_id if party is Party.SELLER else contract.seller_signature_id
    if other is not None:
        columns |= {"state": ContractState.SIGNED, "signed_at": now}
    await edits.apply(contract, columns, now=now)
    facts = _facts(contract) | {"party": party.value, "evidence_id": evidence.id, "name": name}
    await leads.tell(ContractSigned, actor, lead, facts, now=now)
    if other is not None:
        await leads.tell(ContractCompleted, actor, lead, _facts(contract), now=now)
        await _follow_term(actor, lead, contract, now=now)


async def _follow_term(actor: Actor, lead: Lead, contract: Contract, *, now: datetime) -> None:
    """Let the lead's term end with the contract that was signed."""
    if contract.ends_on is not None and lead.term_ends_on != contract.ends_on:
        await leads.change(leads.LeadUpdated, actor, lead, {"term_ends_on": contract.ends_on}, now=now)
        await next_steps.term_moves([lead], now=now)


async def cancel(
    actor: Actor, contract_id: UUID, *, reason: str | None, expected_version: int | None = None, now: datetime
) -> Contract:
    """Cancel a contract that not both sides have signed; one that is cancelled stays so.

    Raises NotFound, Stale, Forbidden, ContractOver, and faults.
    """
    faults = Faults()
    why = inputs.text(faults, reason, field="reason", limit=LONGEST_REASON)
    async with transaction():
        lead, contract = await _locked(actor, contract_id, Action.CREATE_CONTRACT, expected_version=expected_version)
        faults.raise_any()
        if contract.state is ContractState.SIGNED:
            raise ContractOver(number=contract.number, state=contract.state.value, field="id")
        if contract.state is ContractState.OPEN:
            columns = {"state": ContractState.CANCELLED, "cancelled_at": now, "cancel_reason": why}
            await edits.apply(contract, columns, now=now)
            await leads.tell(ContractCancelled, actor, lead, _facts(contract) | {"reason": why}, now=now)
    return contract


async def _locked(
    actor: Actor, contract_id: UUID, action: Action, *, expected_version: int | None = None
) -> tuple[Lead, Contract]:
    """Return a contract that the actor may do this with, and its lead, both locked."""
    known = await policy.visible(actor, Contract).filter(id=contract_id).first()
    if known is None:
        raise NotFound(noun="contract", field="id")
    lead = await policy.locked(actor, Lead, known.lead_id)
    policy.require(actor, action, lead)
    return lead, await policy.locked(actor, Contract, contract_id, expected_version=expected_version)


def _facts(contract: Contract) -> dict[str, Any]:
    return {
        "contract_id": contract.id,
        "proposal_id": contract.proposal_id,
        "version_id": contract.proposal_version_id,
        "number": contract.number,
        "total": contract.total,
        "currency": contract.currency,
    }
