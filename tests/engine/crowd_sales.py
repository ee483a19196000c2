"""What comes of the crowd's proposals: links, negotiations, contracts, invoices, payments and documents; score models.

Each of the newest rows of a list has several of what hangs on it, and what one row refers to has so as well.
"""

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any, TypeVar
from uuid import UUID

from tortoise.models import Model

from domain.offer_terms import LineTerms, Terms, dump
from models.base import uuid7
from models.contracts import Contract
from models.documents import Document, DocumentKind
from models.invoices import Invoice, InvoiceKind, InvoiceState, Payment, PaymentNotice, PaymentProvider
from models.negotiations import Negotiation, NegotiationComment, NegotiationState, Offer, OfferState
from models.proposal_links import Evidence, EvidenceKind, Party, ProposalLink, ProposalQuestion, ProposalView
from models.proposals import Proposal, ProposalLine, ProposalVersion
from models.scoring import (
    ScoreDrift,
    ScoreModel,
    ScoreModelKind,
    ScoreModelVersion,
    ScoreTraining,
    ScoreVersionState,
    TrainingState,
)
from models.users import User
from tests.factories import NOW

M = TypeVar("M", bound=Model)
MANY, FEW = 5, 2
RULES = {"format": 1, "groups": [], "grades": [0.7, 0.4, 0.1], "levels": [0.7, 0.4, 0.1]}


class Sales:
    """What is sold in one workspace."""

    def __init__(self, workspace_id: UUID, users: Sequence[User]) -> None:
        self.home: dict[str, Any] = {"workspace_id": workspace_id}
        self.users = users
        self.made: dict[type[Model], list[Any]] = {}
        self.terms: dict[UUID | None, dict[str, Any]] = {}

    async def sell(self) -> None:
        """Go on from the proposals that there are."""
        proposals = await Proposal.filter(**self.home).order_by("-created_at", "-id")
        versions = await ProposalVersion.filter(**self.home).order_by("id")
        providers = [
            self.add(PaymentProvider, number, name=f"Bank {number}", secret="s", **self.stamps(number))
            for number in range(MANY)
        ]
        lines: dict[UUID, list[LineTerms]] = {version.id: [] for version in versions}
        for line in await ProposalLine.filter(**self.home).order_by("position"):
            own = LineTerms(key=line.key, quantity=line.quantity, unit_price=line.unit_price)
            lines[line.version_id].append(own)
        for version in versions:
            self.terms[version.id] = dump(Terms(lines=tuple(lines[version.id])))
            self.documents(DocumentKind.PROPOSAL, version.lead_id, version_id=version.id)
        for place, proposal in enumerate(proposals):
            assert proposal.sent_id
            self.reach(place, proposal)
            for number in range(place * FEW, (place + 1) * FEW):
                self.negotiate(number, proposal)
            self.close(place, proposal, providers)
        for number in range(MANY):
            self.notice(number, providers[number])
        self.score()
        # Documents are about any of the others.
        documents = self.made.pop(Document)
        for rows in (*self.made.values(), documents):
            await type(rows[0]).bulk_create(rows, batch_size=500)

    def add(self, model: type[M], number: int, /, **columns: Any) -> M:
        """Add a row; those that are added first are the newest."""
        own = {"created_at": NOW - timedelta(minutes=number)} if "created_at" in model._meta.fields_map else {}
        row = model(**{"id": uuid7()} | self.home | own | columns)
        self.made.setdefault(model, []).append(row)
        return row

    def stamps(self, number: int) -> dict[str, Any]:
        return {"updated_at": NOW - timedelta(minutes=number)}

    def user(self, number: int) -> UUID:
        return self.users[number % len(self.users)].id

    def documents(self, kind: DocumentKind, lead_id: UUID, **about: UUID) -> None:
        for number in range(FEW):
            self.add(Document, number, kind=kind, lead_id=lead_id, key=uuid7().hex, **about)

    def reach(self, place: int, proposal: Proposal) -> None:
        """Give links by which customers look at a proposal, ask about it, and say something to it."""
        on = {"lead_id": proposal.lead_id, "proposal_id": proposal.id}
        for number in range(FEW):
            told = {**on, "version_id": proposal.sent_id}
            revoked = NOW if number else None
            known = {"contact_id": proposal.contact_id, "created_by_id": self.user(place + number)}
            link = self.add(ProposalLink, number, **on, **known, revoked_at=revoked)
            seen = {**told, "link_id": link.id}
            self.add(ProposalView, number, **seen, viewed_at=NOW - timedelta(minutes=number), address="192.0.2.1")
            self.add(
                ProposalQuestion,
                number,
                **seen,
                name="Ann",
                text="When?",
                asked_at=NOW - timedelta(minutes=number),
                answered_by_id=self.user(place),
            )
            self.evidence(number, EvidenceKind.AGREED, Party.BUYER, link_id=link.id, user_id=self.user(place), **told)

    def evidence(self, number: int, kind: EvidenceKind, party: Party, **about: Any) -> Evidence:
        said = {"kind": kind, "party": party, "name": "Ann", "sha256": "0", "total": Decimal(1)}
        return self.add(Evidence, number, **said, **about)

    def negotiate(self, number: int, proposal: Proposal) -> None:
        negotiation = self.add(
            Negotiation,
            number,
            lead_id=proposal.lead_id,
            proposal_id=proposal.id,
            proposal_version_id=proposal.sent_id,
            agreed_version_id=proposal.current_id,
            state=NegotiationState.AGREED,
            currency="EUR",
            turn=Party.SELLER,
            rounds=1,
            opened_by_id=self.user(number),
            **self.stamps(number),
        )
        on = {"negotiation_id": negotiation.id, "lead_id": proposal.lead_id}
        for at, party in enumerate((Party.SELLER, Party.BUYER)):
            spoken = {"party": party, "name": "Ann", "user_id": self.user(number + at)}
            amounts = {name: Decimal(1) for name in ("net", "tax", "total")}
            offered = {"terms": self.terms[proposal.sent_id], "currency": "EUR", "sha256": "0", **amounts}
            self.add(
                Offer,
                at,
                **on,
                **spoken,
                **offered,
                round=at,
                state=OfferState.AGREED,
                decided_by_id=self.user(number),
            )
            self.add(NegotiationComment, at, **on, **spoken, text="Well")

    def close(self, place: int, proposal: Proposal, providers: Sequence[PaymentProvider]) -> None:
        """Make contracts on both versions, with invoices that are credited and paid."""
        for at, version_id in enumerate((proposal.sent_id, proposal.current_id)):
            number = place * FEW + at
            on = {"lead_id": proposal.lead_id, "proposal_id": proposal.id, "proposal_version_id": version_id}
            signed = {
                f"{party.value.lower()}_signature_id": self.evidence(
                    number,
                    EvidenceKind.SIGNED,
                    party,
                    **{"lead_id": proposal.lead_id, "proposal_id": proposal.id, "version_id": version_id},
                ).id
                for party in Party
            }
            contract = self.add(
                Contract,
                number,
                **on,
                **signed,
                number=f"C-{number:04}",
                title="Roof",
                language="en",
                currency="EUR",
                net=Decimal(1),
                total=Decimal(1),
                sha256="0",
                created_by_id=self.user(number),
                **self.stamps(number),
            )
            self.documents(DocumentKind.CONTRACT, proposal.lead_id, contract_id=contract.id)
            for one in range(number * FEW * 3, (number + 1) * FEW * 3, 3):
                # A credit note is the newest, for what it refers to.
                asked = self.invoice(one + 1, contract, proposal.contact_id, providers)
                for newer in (one, one + 2):
                    self.invoice(newer, contract, proposal.contact_id, providers, credits_id=asked.id)

    def invoice(
        self,
        number: int,
        contract: Contract,
        contact_id: UUID | None,
        providers: Sequence[PaymentProvider],
        credits_id: UUID | None = None,
    ) -> Invoice:
        kind = InvoiceKind.CREDIT_NOTE if credits_id else InvoiceKind.INVOICE
        line = {"name": "Panel", "quantity": "1", "unit_price": "1", "tax_rate": "0", "amount": "1", "net": "1"}
        tax = {"rate": "19", "net": "1", "tax": "0"}
        invoice = self.add(
            Invoice,
            number,
            lead_id=contract.lead_id,
            proposal_id=contract.proposal_id,
            proposal_version_id=contract.proposal_version_id,
            contract_id=contract.id,
            credits_id=credits_id,
            contact_id=contact_id,
            kind=kind,
            state=InvoiceState.ISSUED,
            number=f"I-{number:05}",
            title="Roof",
            language="en",
            currency="EUR",
            lines=[line] * FEW,
            taxes=[tax] * FEW,
            subtotal=Decimal(1),
            net=Decimal(1),
            tax=Decimal(0),
            total=Decimal(1),
            balance=Decimal(0) if credits_id else Decimal(1),
            created_by_id=self.user(number),
            **self.stamps(number),
        )
        self.documents(DocumentKind.INVOICE, contract.lead_id, invoice_id=invoice.id)
        reverses = None
        for at in range(FEW):
            reverses = self.add(
                Payment,
                at,
                invoice_id=invoice.id,
                lead_id=contract.lead_id,
                amount=Decimal(1),
                currency="EUR",
                received_on=NOW.date(),
                provider_id=providers[number % MANY].id,
                reverses_id=reverses,
                recorded_by_id=self.user(number),
            ).id
        return invoice

    def notice(self, number: int, provider: PaymentProvider) -> None:
        self.add(
            PaymentNotice,
            number,
            provider_id=provider.id,
            provider_key=f"{number}",
            problem="INVOICE_UNKNOWN",
            invoice_number="?",
            amount=Decimal(1),
            currency="EUR",
            body={},
            payment_id=self.made[Payment][number].id,
            last_at=NOW,
            settled_by_id=self.user(number),
        )

    def score(self) -> None:
        for number in range(MANY):
            name = {"name": f"Model {number}", "kind": ScoreModelKind.RULES, "content": RULES}
            model = self.add(ScoreModel, number, **name, **self.stamps(number))
            for at in range(FEW):
                version = self.add(
                    ScoreModelVersion,
                    at,
                    model_id=model.id,
                    number=at,
                    state=ScoreVersionState.RETIRED,
                    content=RULES,
                    signature="0",
                    created_by_id=self.user(number),
                )
                self.add(
                    ScoreTraining,
                    at,
                    model_id=model.id,
                    state=TrainingState.DONE,
                    model_version_id=version.id,
                    requested_by_id=self.user(number),
                )
                field = {"key": "value", "label": "Value", "stability": 0.1}
                measured = {"measured_at": NOW, "leads": 9, "stability": Decimal("0.1"), "columns": [field] * FEW}
                self.add(ScoreDrift, at, model_version_id=version.id, **measured)
