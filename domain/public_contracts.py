"""A contract as the buyer finds it, by their link to the proposal that it is on."""

from dataclasses import dataclass
from datetime import datetime

from domain import public_proposals
from domain.errors import DomainError
from domain.public_proposals import Opened
from models.contracts import Contract, ContractState
from models.proposal_links import Evidence


class NoContract(DomainError):
    """There is no contract on this proposal yet."""


@dataclass(frozen=True, slots=True)
class OpenedContract:
    """What somebody with a link finds: the contract, what it is on, and who has signed."""

    on: Opened
    contract: Contract
    seller: Evidence | None
    buyer: Evidence | None

    @property
    def can_be_signed(self) -> bool:
        """Say whether the buyer can sign."""
        return self.contract.state is ContractState.OPEN and self.buyer is None


async def opened(token: str, *, now: datetime) -> OpenedContract:
    """Return the contract that a link leads to; a cancelled one only where there is no other.

    Raises InvalidLink, EndedLink, ProposalWithdrawn, NoContract.
    """
    found = await public_proposals.opened(token, now=now)
    known = await Contract.filter(proposal_id=found.proposal.id, proposal_version_id=found.version.id).order_by(
        "-created_at", "-id"
    )
    live = [one for one in known if one.state is not ContractState.CANCELLED]
    if not known:
        raise NoContract
    contract = (live or known)[0]
    keys = [key for key in (contract.seller_signature_id, contract.buyer_signature_id) if key]
    signed = {one.id: one for one in await Evidence.filter(id__in=keys)} if keys else {}
    return OpenedContract(
        on=found,
        contract=contract,
        seller=signed.get(contract.seller_signature_id) if contract.seller_signature_id else None,
        buyer=signed.get(contract.buyer_signature_id) if contract.buyer_signature_id else None,
    )
