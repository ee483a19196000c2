"""What comes of a workspace's proposals by chance: links, negotiations, contracts, invoices, papers; score models."""

from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from domain import offer_terms
from domain.guard_rails import Rail
from domain.scoring.default_model import default_model
from models.contracts import Contract, ContractState
from models.documents import Document, DocumentKind, DocumentTemplate
from models.files import File
from models.invoices import Invoice, InvoiceKind, InvoiceState, NoticeState, Payment, PaymentNotice, PaymentProvider
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
from models.selling import Rounding, SellingSettings, WonAt
from models.users import Role, User

if TYPE_CHECKING:
    from tests.oracle.world import Columns, _Filling

QUALITY: dict[str, Any] = {
    **{"leads": 80, "won": 20, "auc": 0.8, "auc_low": 0.7, "auc_high": 0.9, "brier": 0.1, "brier_of_rate": 0.2},
    **{"log_loss": 0.4, "top_fifth": 0.5, "calibration": [{"leads": 8, "predicted": 0.25, "won": 0.5}]},
    "deciles": [{"leads": 8, "won": 2, "win_rate": 0.25, "lift": 1.5}],
}
REPORT: dict[str, Any] = {
    **{"kind": "LOGISTIC", "quality": QUALITY, "compared": {"LOGISTIC": {"auc": 0.8, "log_loss": 0.4}}},
    "dropped": [{"key": "id", "label": "O'Brien", "why": "SPARSE", "auc": None}],
    "unrated": [{"key": "value", "label": "Value", "currencies": ["USD"], "leads": 3, "day": "2026-01-31"}],
}


class Selling:
    """Draws what is sold in a workspace, from the chance of what fills it."""

    def __init__(self, filling: "_Filling") -> None:
        self.all, self.chance = filling, filling.chance
        self.add, self.rows, self.one, self.maybe = filling.add, filling.rows, filling.one, filling.maybe

    def sell(self) -> None:
        self._settings()
        for number in range(4):
            self.add(
                PaymentProvider,
                name=f"{self.all.name()} {number}",
                secret="whsec_AAAA",
                previous_until=self.maybe(self.all.instant(), 0.3),
                archived_at=self.maybe(self.all.instant(), 0.3),
                **self.all.stamps(),
            )
        for number, proposal in enumerate(self.rows(Proposal)):
            own = [row for row in self.rows(ProposalVersion) if row["proposal_id"] == proposal["id"]]
            for version in own:
                self._documents(DocumentKind.PROPOSAL, proposal, version_id=version["id"])
            self._reach(proposal, own)
            for at in range(number % 3):
                self._negotiate(proposal, own, is_last=at == number % 3 - 1)
            for at, version in enumerate(own):
                if self.chance.random() < 0.7:
                    self._contract(f"C-2026-{number:03}{at}", proposal, version)
        for number in range(12):
            self._notice(number)
        self._score()

    def _settings(self) -> None:
        self.add(
            SellingSettings,
            rounding=Rounding.HALF_EVEN,
            tax_inclusive=self.chance.random() < 0.5,
            tax_rate=Decimal("8.1"),
            terms=self.maybe(self.all.text()),
            color="#00ff7f",
            seller={"name": self.all.text(), "address": {"city": "Bern", "country": "CH"}},
            most_discount={"REP": "10", "MANAGER": "25.5"},
            won_at=self.chance.choice(list(WonAt)),
            **self.all.stamps(),
        )
        for kind, language in ((DocumentKind.PROPOSAL, None), (DocumentKind.INVOICE, "de")):
            self.add(DocumentTemplate, kind=kind, language=language, source="= {{0}}", **self.all.stamps())

    def _documents(self, kind: DocumentKind, on: "Columns", **about: UUID) -> None:
        for _ in range(self.chance.randrange(3)):
            self.add(
                Document,
                kind=kind,
                lead_id=on["lead_id"],
                **dict.fromkeys(("version_id", "contract_id", "invoice_id")) | about,
                key=self.all.world.take().hex,
                file_id=self.maybe(self.one(File), 0.5),
                pages=self.maybe(self.chance.randrange(1, 9)),
                missing=self.chance.choice(([], ["日", "\U00013000"])),
                failure=self.maybe(self.all.text(), 0.2),
                created_at=self.all.instant(),
                rendered_at=self.maybe(self.all.instant()),
            )

    def _reach(self, proposal: "Columns", versions: "list[Columns]") -> None:
        on = {"proposal_id": proposal["id"], "lead_id": proposal["lead_id"]}
        for number in range(self.chance.randrange(4)):
            self.add(
                ProposalLink,
                **on,
                contact_id=proposal["contact_id"],
                created_by_id=self.maybe(self.one(User)),
                created_at=self.all.instant(),
                expires_at=self.maybe(self.all.instant()),
                revoked_at=self.all.instant() if number else None,
            )
        links = [row["id"] for row in self.rows(ProposalLink) if row["proposal_id"] == proposal["id"]]
        for _ in range(self.chance.randrange(4)):
            told = {**on, "version_id": self.chance.choice(versions)["id"]}
            told["link_id"] = self.maybe(self.chance.choice(links), 0.8) if links else None
            agent = {"address": "2001:db8::1", "user_agent": self.maybe(self.all.text())}
            self.add(ProposalView, **told, **agent, viewed_at=self.all.instant())
            self.add(
                ProposalQuestion,
                **told,
                name=self.all.name(),
                text=self.all.text() or "?",
                asked_at=self.all.instant(),
                answer=self.maybe(self.all.text()),
                answered_by_id=self.maybe(self.one(User)),
                answered_at=self.maybe(self.all.instant()),
            )
            self._evidence(self.chance.choice((EvidenceKind.DECLINED, EvidenceKind.AGREED)), Party.BUYER, **told)
        for version in versions:
            if self.chance.random() < 0.4:
                self._evidence(EvidenceKind.ACCEPTED, Party.BUYER, **on, version_id=version["id"], link_id=None)

    def _evidence(self, kind: EvidenceKind, party: Party, **about: Any) -> UUID:
        options = [str(row["key"]) for row in self.rows(ProposalLine) if row["version_id"] == about["version_id"]]
        row = self.add(
            Evidence,
            kind=kind,
            party=party,
            **about,
            user_id=self.maybe(self.one(User), 0.4),
            name=self.all.name(),
            address=self.maybe("192.0.2.1"),
            user_agent=self.maybe(self.all.text()),
            sha256="ab" * 32,
            total=abs(self.all.amount()),
            facts=self.chance.choice(({}, {"reason": self.all.text()}, {"options": options, "consent": "I agree."})),
            created_at=self.all.instant(),
        )
        return row["id"]  # type: ignore[no-any-return]

    def _negotiate(self, proposal: "Columns", versions: "list[Columns]", *, is_last: bool) -> None:
        version = self.chance.choice(versions)
        ended = (NegotiationState.AGREED, NegotiationState.BROKEN_OFF)
        rounds = self.chance.randrange(4)
        negotiation = self.add(
            Negotiation,
            lead_id=proposal["lead_id"],
            proposal_id=proposal["id"],
            proposal_version_id=version["id"],
            agreed_version_id=self.maybe(self.chance.choice(versions)["id"], 0.3),
            state=self.chance.choice(list(NegotiationState) if is_last else ended),
            currency=version["currency"],
            turn=self.chance.choice(list(Party)),
            rounds=rounds,
            respond_by=self.maybe(self.all.instant()),
            due_at=None,
            target=self.maybe(abs(self.all.amount())),
            must_haves=self.chance.choice(([], [self.all.text(), "Snow guards"])),
            concessions=[
                {"key": "k", "text": self.all.text(), "value": self.maybe("12.5")}
                for _ in range(self.chance.randrange(3))
            ],
            floor_price=self.maybe(abs(self.all.amount())),
            floor_margin=self.maybe(Decimal("12.125")),
            most_discount=self.maybe(Decimal("7")),
            walk_away=self.maybe(abs(self.all.amount())),
            reason=self.maybe(self.all.text()),
            ended_by=self.maybe(self.chance.choice(list(Party))),
            ended_at=self.maybe(self.all.instant()),
            opened_by_id=self.maybe(self.one(User)),
            **self.all.stamps(),
        )
        on = {"negotiation_id": negotiation["id"], "lead_id": proposal["lead_id"]}
        for number in (*range(rounds + 1), None):
            self._offer(on, version, number)
        for _ in range(self.chance.randrange(3)):
            self.add(
                NegotiationComment,
                **on,
                party=self.chance.choice(list(Party)),
                name=self.all.name(),
                text=self.all.text() or "…",
                user_id=self.maybe(self.one(User)),
                created_at=self.all.instant(),
            )

    def _offer(self, on: "Columns", version: "Columns", number: int | None) -> None:
        lines = sorted(
            (row for row in self.rows(ProposalLine) if row["version_id"] == version["id"]),
            key=lambda row: row["position"],
        )
        off: dict[str, Any] = {"discount_percent": Decimal("2.5")} if self.chance.random() < 0.3 else {}
        terms = offer_terms.Terms(
            lines=tuple(
                offer_terms.LineTerms(
                    key=line["key"],
                    quantity=line["quantity"],
                    unit_price=self.chance.choice((line["unit_price"], Decimal("99.5"))),
                    chosen=line["chosen"] or not line["optional"],
                )
                for line in lines
            ),
            **off,
            delivery=self.maybe(self.all.text()),
            delivery_on=self.maybe(self.all.day()),
            payment_days=self.maybe(self.chance.randrange(90)),
            free=(offer_terms.FreeTerm(key="f", label=self.all.name(), text=self.all.text()),)[
                : self.chance.randrange(2)
            ],
        )
        kept = number is None
        beyond = {
            "rail": self.chance.choice(list(Rail)).value,
            "limit": "10",
            "actual": self.maybe("12.5"),
            "roles": [role.value for role in self.chance.sample(list(Role), self.chance.randrange(3))],
            "of_role": self.maybe(self.chance.choice(list(Role)).value),
            "words": self.all.text(),
        }
        self.add(
            Offer,
            **on,
            round=number,
            party=Party.SELLER if kept or not number else self.chance.choice(list(Party)),
            state=self.chance.choice((OfferState.HELD, OfferState.REFUSED))
            if kept
            else self.chance.choice((OfferState.OPEN, OfferState.REVISED, OfferState.COUNTERED, OfferState.AGREED)),
            terms=offer_terms.dump(terms),
            currency=version["currency"],
            **{name: abs(self.all.amount()) for name in ("net", "tax", "total")},
            cost=self.maybe(abs(self.all.amount())),
            sha256="cd" * 32,
            note=self.maybe(self.all.text()),
            name=self.all.name(),
            beyond=[beyond] * self.chance.randrange(2),
            user_id=self.maybe(self.one(User)),
            decided_by_id=self.maybe(self.one(User), 0.3),
            created_at=self.all.instant(),
            respond_by=self.maybe(self.all.instant()),
            decision=self.maybe(self.all.text()),
            decided_at=self.maybe(self.all.instant()),
        )

    def _contract(self, number: str, proposal: "Columns", version: "Columns") -> None:
        on = {"lead_id": proposal["lead_id"], "proposal_id": proposal["id"]}
        signed = {
            f"{party.value.lower()}_signature_id": self.maybe(
                self._evidence(EvidenceKind.SIGNED, party, **on, version_id=version["id"], link_id=None), 0.6
            )
            for party in Party
        }
        contract = self.add(
            Contract,
            **on,
            **signed,
            proposal_version_id=version["id"],
            number=number,
            title=self.all.name(),
            language="de",
            state=self.chance.choice(list(ContractState)),
            terms=self.maybe(self.all.text()),
            starts_on=self.maybe(self.all.day()),
            ends_on=self.maybe(self.all.day()),
            currency=version["currency"],
            net=abs(self.all.amount()),
            total=abs(self.all.amount()),
            sha256="ef" * 32,
            **{
                name: self.maybe(self.all.instant(), 0.5)
                for name in ("seller_signed_at", "buyer_signed_at", "signed_at", "cancelled_at")
            },
            cancel_reason=self.maybe(self.all.text()),
            created_by_id=self.maybe(self.one(User)),
            **self.all.stamps(),
        )
        self._documents(DocumentKind.CONTRACT, proposal, contract_id=contract["id"])
        for at in range(self.chance.randrange(3)):
            asked = self._invoice(f"I-{number}{at}", contract)
            if asked["number"] is not None and self.chance.random() < 0.5:
                self._invoice(f"CN-{number}{at}", contract, credits_id=asked["id"])

    def _invoice(self, number: str, contract: "Columns", credits_id: UUID | None = None) -> "Columns":
        kind = InvoiceKind.CREDIT_NOTE if credits_id else InvoiceKind.INVOICE
        state = InvoiceState.ISSUED if credits_id else self.chance.choice(list(InvoiceState))
        numbered = state not in (InvoiceState.PLANNED, InvoiceState.CANCELLED)
        net, tax = abs(self.all.amount()) + 1, abs(self.all.amount())
        paid = self.chance.choice((Decimal(0), Decimal("12.5"), net + tax))
        credited = self.chance.choice((Decimal(0), Decimal(1)))
        line = {"name": self.all.name(), "quantity": "2.5", "unit_price": "10", "discount_percent": self.maybe("5")}
        line |= {"tax_rate": "19", "amount": "23.75", "net": "23.75", "unit": self.maybe("piece")}
        rate = {"rate": "19", "net": "100.00", "tax": "19.00"}
        sides = {"seller": {"name": self.all.text()}, "buyer": {"name": self.all.text(), "address": {"city": "Bern"}}}
        invoice = self.add(
            Invoice,
            lead_id=contract["lead_id"],
            proposal_id=contract["proposal_id"],
            proposal_version_id=contract["proposal_version_id"],
            contract_id=self.maybe(contract["id"], 0.8),
            credits_id=credits_id,
            kind=kind,
            state=state,
            number=number if numbered else None,
            instalment=self.maybe(1, 0.3),
            instalments=self.maybe(2, 0.3),
            title=self.all.name(),
            language="de",
            currency=contract["currency"],
            lines=[line] * self.chance.randrange(3),
            taxes=[rate] * self.chance.randrange(3),
            parties=sides if numbered else {},
            terms=self.maybe(self.all.text()),
            tax_inclusive=self.chance.random() < 0.3,
            subtotal=net,
            discount=Decimal(0),
            net=net,
            tax=tax,
            total=net + tax,
            paid=paid,
            credited=credited,
            balance=net + tax - paid - credited if kind is InvoiceKind.INVOICE and numbered else Decimal(0),
            reason=self.maybe(self.all.text()),
            **{name: self.maybe(self.all.day(), 0.5) for name in ("issue_on", "issued_on", "due_on")},
            **{
                name: self.maybe(self.all.instant(), 0.4)
                for name in ("issued_at", "overdue_at", "paid_at", "cancelled_at")
            },
            sha256=self.maybe("12" * 32),
            created_by_id=self.maybe(self.one(User)),
            **self.all.stamps(),
        )
        self._documents(DocumentKind.INVOICE, contract, invoice_id=invoice["id"])
        before = None
        takes_payments = numbered and kind is InvoiceKind.INVOICE
        for at in range(self.chance.randrange(3) if takes_payments else 0):
            told = self.chance.random() < 0.4
            payment = self.add(
                Payment,
                invoice_id=invoice["id"],
                lead_id=invoice["lead_id"],
                amount=self.all.amount(),
                currency=invoice["currency"],
                received_on=self.all.day(),
                method=self.maybe(self.all.text()),
                reference=self.maybe(self.all.text()),
                note=self.maybe(self.all.text()),
                provider_id=self.one(PaymentProvider) if told else None,
                provider_key=f"{number} {at}" if told else None,
                reverses_id=self.maybe(before, 0.4),
                recorded_by_id=self.maybe(self.one(User)),
                created_at=self.all.instant(),
            )
            before = payment["id"]
        return invoice

    def _notice(self, number: int) -> None:
        payments = self.rows(Payment)
        self.add(
            PaymentNotice,
            provider_id=self.one(PaymentProvider),
            provider_key=f"pay {number}",
            state=self.chance.choice(list(NoticeState)),
            problem=self.chance.choice(("UNKNOWN_INVOICE", "CURRENCY_DIFFERS")),
            invoice_number=self.all.text(),
            amount=self.all.amount(),
            currency="EUR",
            body={"odd": self.all.text().replace("\0", "")},
            attempts=self.chance.randrange(1, 9),
            payment_id=self.maybe(self.chance.choice(payments)["id"]) if payments else None,
            created_at=self.all.instant(),
            last_at=self.all.instant(),
            settled_by_id=self.maybe(self.one(User)),
            settled_at=self.maybe(self.all.instant()),
        )

    def _score(self) -> None:
        rules = default_model().to_json()
        for number in range(5):
            kind = ScoreModelKind.RULES if number % 2 else ScoreModelKind.LEARNED
            content = rules if kind is ScoreModelKind.RULES else {"age_days": 7, "trusted": [self.all.text()]}
            model = self.add(
                ScoreModel,
                name=f"{self.all.name()} {number}",
                kind=kind,
                content=content,
                active=False,
                archived_at=self.maybe(self.all.instant(), 0.2),
                **self.all.stamps(),
            )
            self._versions(model, rules if kind is ScoreModelKind.RULES else {"format": 1, "terms": []})

    def _versions(self, model: "Columns", content: "Columns") -> None:
        learned = model["kind"] is ScoreModelKind.LEARNED
        report = {**REPORT, "rival": self.maybe(QUALITY)} if learned else {}
        for number in range(1, 1 + self.chance.randrange(4)):
            version = self.add(
                ScoreModelVersion,
                model_id=model["id"],
                number=number,
                state=self.chance.choice([one for one in ScoreVersionState if one is not ScoreVersionState.ACTIVE]),
                content=content,
                signature="0",
                report=report,
                leads=self.maybe(400) if learned else None,
                won=self.maybe(80) if learned else None,
                window_from=self.maybe(self.all.instant()),
                window_to=self.maybe(self.all.instant()),
                created_at=self.all.instant(),
                created_by_id=self.maybe(self.one(User)),
                activated_at=self.maybe(self.all.instant()),
                retired_at=self.maybe(self.all.instant()),
            )
            fault = {"code": "TOO_FEW_LEADS", "message": self.all.text()}
            self.add(
                ScoreTraining,
                model_id=model["id"],
                state=self.chance.choice((TrainingState.DONE, TrainingState.FAILED, TrainingState.CANCELLED)),
                progress=Decimal(self.chance.choice(("0", "0.3333", "1"))),
                step=self.maybe(self.all.text()),
                failure=self.maybe(fault, 0.4),
                model_version_id=self.maybe(version["id"]),
                requested_by_id=self.maybe(self.one(User)),
                created_at=self.all.instant(),
                started_at=self.maybe(self.all.instant()),
                ended_at=self.maybe(self.all.instant()),
            )
            for _ in range(self.chance.randrange(3)):
                column = {"key": "value", "label": self.all.text(), "stability": 0.125}
                self.add(
                    ScoreDrift,
                    model_version_id=version["id"],
                    measured_at=self.all.instant(),
                    leads=self.chance.randrange(500),
                    stability=Decimal(self.chance.choice(("0", "0.1250", "3"))),
                    columns=[column] * self.chance.randrange(3),
                    auc=self.maybe(Decimal("0.7512")),
                    is_drifting=self.chance.random() < 0.5,
                )
