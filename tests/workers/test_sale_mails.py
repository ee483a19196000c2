"""Customers are mailed of their sale: once of each thing, with the link that is theirs, and of nothing that is over."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from adapters import mail
from domain import (
    contracts,
    credit_notes,
    documents,
    invoices,
    payments,
    proposal_answers,
    proposal_links,
    proposals,
    sale_mails,
    sale_reminders,
    selling_settings,
    suppressions,
)
from domain.actors import Actor
from domain.captures import Capture, NewContact, capture
from domain.contracts import Signing
from domain.invoice_details import FreeLine, InvoiceDetails, Source
from domain.leads import LeadDetails
from domain.proposal_details import ProposalDetails
from domain.selling_settings import SellerDetails, SellingDetails
from models.contacts import Contact
from models.database import transaction
from models.deliveries import Delivery, DeliveryStatus, Suppression, SuppressionReason
from models.documents import DocumentKind
from models.events import Event, Job
from models.leads import Lead
from models.proposals import Proposal
from models.users import User
from settings import Settings
from tests import closing, factories
from tests.adapters.letterbox import Letterbox, open_letterbox, text_of
from tests.factories import NOW, seller, upload
from tests.negotiating import off, sit_down
from tests.proposing import DAY, accepted, line, link_to, offered
from workers import deliveries
from workers.tasks.following import begin_payment_reminders, mail_customer, plan_validity_reminder

SOON = NOW + timedelta(minutes=5)


@pytest.fixture
async def letterbox(clean_db: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AsyncIterator[Letterbox]:
    async with open_letterbox() as box:
        known = Settings(data_dir=tmp_path, mail_from="Acme <sales@acme.example>", smtp_url=box.url)
        monkeypatch.setattr(mail, "settings", lambda: known)
        # However busy the machine is, a batch ends before the test looks.
        monkeypatch.setattr(deliveries, "STRAGGLING_SECONDS", 60.0)
        for pause in deliveries.PAUSES.values():
            pause.end()
        yield box
        await deliveries.settle()
        await mail.close()


async def customer(
    actor: Actor, *, language: str | None = None, email: str | None = "ada@example.com", name: str = "Ada Lovelace"
) -> Lead:
    row = await capture(
        actor, Capture(details=LeadDetails(title="Solar roof"), contact=NewContact(name=name, email=email)), now=NOW
    )
    await Contact.filter(workspace_id=actor.workspace_id).update(language=language)
    return row


async def tell(actor: Actor, *, now: datetime = NOW) -> None:
    """Have customers mailed of everything that has happened, as often as it is asked for."""
    for event in await Event.filter(workspace_id=actor.workspace_id).order_by("id"):
        await sale_mails.mail(actor.workspace_id, event.id, now=now)


async def mailed(box: Letterbox, actor: Actor, *, now: datetime = SOON) -> Sequence[EmailMessage]:
    """Send what is due of what has happened, and return all mails that have arrived."""
    await tell(actor)
    await tell(actor)
    await deliveries.sweep(now)
    await deliveries.settle()
    return box.mails


async def last(box: Letterbox, actor: Actor) -> tuple[str, str]:
    """Return subject and text of the newest mail; those that are sent together arrive in any order."""
    got = max(await mailed(box, actor), key=lambda one: str(one["Message-ID"]))
    return str(got["Subject"]), text_of(got)


async def reasons(actor: Actor) -> list[str | None]:
    rows = await Delivery.filter(workspace_id=actor.workspace_id, status=DeliveryStatus.SKIPPED).order_by("id")
    return [row.reason for row in rows]


async def url(proposal: Proposal) -> str:
    return proposal_links.url_of((await link_to(proposal)).id)


class TestProposals:
    async def test_what_is_sent_is_mailed_once_in_the_customers_language_with_link_and_message(
        self, letterbox: Letterbox
    ) -> None:
        actor = await seller()
        row = await customer(actor, language="de", name="Ada <b>Lovelace</b>")
        made = await proposals.create(actor, row.id, ProposalDetails(title="Dach & <i>Ziegel</i>"), now=NOW)
        await proposals.set_lines(actor, made.id, [line(price="1000")], now=NOW)
        await proposals.send(actor, made.id, message="Wie besprochen.\nGrüße", now=NOW)

        [got] = await mailed(letterbox, actor)

        me = await User.get(id=actor.user_id)
        proposal = await Proposal.get(id=made.id)
        assert str(got["Subject"]) == f"Angebot {proposal.number}: Dach & <i>Ziegel</i>"
        assert str(got["Reply-To"]) == f"{me.name} <{me.email}>"
        text = text_of(got)
        assert "Wie besprochen.\nGrüße" in text and "1.190" in text and await url(proposal) in text
        html = text_of(got, "html")
        assert "Dach &amp; &lt;i&gt;Ziegel" in html and "<b>Lovelace" not in html
        assert letterbox.recipients == ["ada@example.com"]

    async def test_the_next_version_is_told_as_such_and_the_one_before_is_mailed_no_more(
        self, letterbox: Letterbox
    ) -> None:
        actor = await seller()
        first = await offered(actor, line(), lead=await customer(actor))
        await proposals.set_lines(actor, first.id, [line(price="50")], now=SOON)
        await proposals.send(actor, first.id, now=SOON)

        [got] = await mailed(letterbox, actor)

        assert str(got["Subject"]).startswith("New version of proposal")
        assert "The version before no longer holds" in text_of(got)
        assert await reasons(actor) == ["The proposal was answered or withdrawn, or there is a newer version."]

    async def test_nobody_is_mailed_without_an_address_a_link_or_leave(self, letterbox: Letterbox) -> None:
        actor = await seller()
        await offered(actor, line(), lead=await customer(actor, email=None, name="Nobody"))
        gone = await offered(actor, line(), lead=await customer(actor, email="gone@example.com"))
        await offered(actor, line(), lead=await customer(actor, email="no@example.com"))
        await offered(actor, line(), lead=await factories.lead(actor))
        await suppressions.suppress(actor, email="no@example.com", now=NOW)
        await tell(actor)
        await proposal_links.revoke(actor, (await link_to(gone)).id, now=NOW)

        assert list(await mailed(letterbox, actor)) == []
        assert set(await reasons(actor)) == {
            "The contact has no email address.",
            "The customer's link was revoked.",
            "This address was suppressed by hand.",
            sale_mails.NOBODY,
        }
        told = {event.data["reason"]: event.data for event in await happened(actor, "customer.not_mailed")}
        assert told.keys() == set(await reasons(actor)) - {sale_mails.REVOKED}, "one was revoked after it was asked for"
        assert {(data["kind"], data["by_id"]) for data in told.values()} == {("proposal", str(actor.user_id))}

    async def test_whose_link_was_revoked_is_told_nothing_more_until_they_are_sent_something(
        self, letterbox: Letterbox
    ) -> None:
        actor = await seller()
        proposal = await offered(actor, line(), lead=await customer(actor))
        await mailed(letterbox, actor)
        asked = await proposal_answers.ask((await link_to(proposal)).id, name="Ada", text="When?", now=SOON)
        await proposal_links.revoke(actor, (await link_to(proposal)).id, now=SOON)
        await proposal_answers.answer_question(actor, asked.id, answer="In April.", now=SOON)
        assert len(await mailed(letterbox, actor)) == 1
        await proposals.set_lines(actor, proposal.id, [line(price="50")], now=SOON)
        await proposals.send(actor, proposal.id, now=SOON)
        assert len(await mailed(letterbox, actor)) == 2

    async def test_answers_go_to_whoever_asked(self, letterbox: Letterbox) -> None:
        actor = await seller()
        proposal = await offered(actor, line(), lead=await customer(actor))
        friend = await customer(actor, email="friend@example.com", name="Friend")
        person = await Contact.get(email="friend@example.com")
        assert friend
        link = await proposal_links.create(actor, proposal.id, contact_id=person.id, now=NOW)
        asked = await proposal_answers.ask(link.id, name="Friend", text="When?\nReally?", now=NOW)
        await proposal_answers.answer_question(actor, asked.id, answer="In April.", now=NOW)
        # What goes to several people goes out together, in any order.
        mails = dict(zip(letterbox.recipients, await mailed(letterbox, actor), strict=True))
        subject, text = str(mails["friend@example.com"]["Subject"]), text_of(mails["friend@example.com"])
        assert subject == "Your question about Solar roof"
        assert "When?\nReally?" in text and "In April." in text and proposal_links.url_of(link.id) in text

    async def test_what_was_accepted_is_confirmed_with_what_it_came_to(self, letterbox: Letterbox) -> None:
        actor = await seller()
        proposal = await offered(actor, line(price="1000"), lead=await customer(actor))
        await accepted(proposal, name="Ada L.")
        subject, text = await last(letterbox, actor)
        assert subject == "Accepted: Solar roof"
        assert "Accepted by: Ada L." in text and "€1,190" in text and "2 March 2026" in text
        assert len(letterbox.mails) == 1


class TestNegotiations:
    async def test_the_customer_is_told_when_it_is_their_turn_and_of_nothing_they_do_themselves(
        self, letterbox: Letterbox
    ) -> None:
        actor = await seller()
        sitting = await sit_down(actor, respond_by=NOW + DAY)
        await customer(actor)
        person = await Contact.get(email="ada@example.com")
        await Proposal.filter(id=sitting.proposal.id).update(contact_id=person.id, language="en")
        subject, text = await last(letterbox, actor)
        assert subject == "Your turn: Solar roof"
        assert "Please answer until 3 March 2026" in text and "/negotiation" in text
        await sitting.counter(off("20"))
        await mailed(letterbox, actor)
        assert len(letterbox.mails) == 1
        offer = await sitting.offer(off("10"), note="Our best price.")
        subject, text = await last(letterbox, actor)
        assert subject == "New offer: Solar roof"
        assert "Our best price." in text and f"€{offer.total:,.0f}" in text
        assert len(letterbox.mails) == 2

    async def test_an_offer_that_was_answered_before_it_was_mailed_is_not_mailed(self, letterbox: Letterbox) -> None:
        actor = await seller()
        sitting = await sit_down(actor)
        await customer(actor)
        await Proposal.filter(id=sitting.proposal.id).update(contact_id=(await Contact.get(email="ada@example.com")).id)
        await sitting.offer(off("10"))
        await sitting.counter(off("20"))
        assert list(await mailed(letterbox, actor)) == []
        assert await reasons(actor) == ["The negotiation has gone on."] * 2


class TestClosing:
    async def test_a_contract_is_mailed_when_it_can_be_signed_and_when_it_is(self, letterbox: Letterbox) -> None:
        actor = await seller()
        proposal = await closing.accepted(actor, of=await customer(actor))
        contract = await closing.contract(actor, proposal)
        subject, text = await last(letterbox, actor)
        assert subject == f"Contract {contract.number} to sign: {contract.title}"
        assert f"{await url(proposal)}/contract" in text
        signing = Signing(name="Ada", sha256=contract.sha256)
        await contracts.sign(actor, contract.id, signing, now=NOW)
        await contracts.sign_by_link(await link_to(proposal), contract.id, signing, now=NOW)
        subject, text = await last(letterbox, actor)
        assert subject == f"Contract {contract.number} is signed: {contract.title}"

    async def test_invoices_and_payments_are_mailed_with_what_is_open(self, letterbox: Letterbox) -> None:
        actor = await seller()
        bank = SellingDetails(seller=SellerDetails(name="Acme Solar", bank="DE02 1203 0000 0000 2020 51"))
        await selling_settings.update(actor, bank, now=NOW)
        proposal = await closing.accepted(actor, of=await customer(actor))
        source = Source(proposal_id=proposal.id)
        [invoice] = await invoices.issue(actor, source, InvoiceDetails(due_on=date(2026, 3, 9)), now=NOW)
        subject, text = await last(letterbox, actor)
        assert subject == f"Invoice {invoice.number}: {invoice.title}"
        assert "€119" in text and "9 March 2026" in text and "DE02" in text and "Acme Solar" in text
        await payments.record(actor, invoice.id, closing.paying("19"), now=NOW)
        subject, text = await last(letterbox, actor)
        assert subject == f"Payment received: invoice {invoice.number}"
        assert "€19" in text and "Still open: €100" in text
        await payments.record(actor, invoice.id, closing.paying("100"), now=NOW)
        _, text = await last(letterbox, actor)
        assert "The invoice is paid." in text
        known = len(letterbox.mails)
        await payments.record(actor, invoice.id, closing.paying("-5", note="Too much"), now=NOW)
        assert len(await mailed(letterbox, actor)) == known

    async def test_an_invoice_waits_a_little_for_its_pdf_which_goes_along(self, letterbox: Letterbox) -> None:
        actor = await seller()
        proposal = await closing.accepted(actor, of=await customer(actor))
        [invoice] = await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW)
        assert list(await mailed(letterbox, actor, now=NOW)) == []
        document = await documents.wanted(DocumentKind.INVOICE, invoice.id, now=NOW)
        assert document
        file = await upload(actor, b"%PDF-1.7 and so on", name="invoice.pdf", content_type="application/pdf")
        async with transaction():
            await documents.finish(document, file, pages=1, now=NOW)
        [got] = await mailed(letterbox, actor, now=NOW + timedelta(seconds=3))
        [attached] = got.iter_attachments()
        assert (attached.get_filename(), attached.get_content()) == (f"{invoice.number}.pdf", b"%PDF-1.7 and so on")
        assert f"invoice {invoice.number}" in text_of(got)

    async def test_an_invoice_of_free_lines_goes_to_whom_it_names_or_the_primary_contact(
        self, letterbox: Letterbox
    ) -> None:
        actor = await seller()
        row = await customer(actor, language="de")
        await customer(actor, language="de", email="books@example.com", name="Bookkeeping")
        books = await Contact.get(email="books@example.com")
        lines = [FreeLine(name="Work", unit_price=Decimal(100))]
        [first] = await invoices.issue(actor, Source(lead_id=row.id), InvoiceDetails(lines=lines), now=NOW)
        named = InvoiceDetails(lines=lines, contact_id=books.id)
        [other] = await invoices.issue(actor, Source(lead_id=row.id), named, now=NOW)
        alone = await factories.lead(actor)
        await invoices.issue(actor, Source(lead_id=alone.id), InvoiceDetails(lines=lines), now=NOW)
        mails = dict(zip(letterbox.recipients, await mailed(letterbox, actor), strict=True))
        subjects = {address: str(got["Subject"]) for address, got in mails.items()}
        assert subjects == {
            "ada@example.com": f"Rechnung {first.number}: Solar roof",
            "books@example.com": f"Rechnung {other.number}: Solar roof",
        }
        assert "/documents/invoice/" in text_of(mails["ada@example.com"])
        assert other.parties["buyer"]["name"] == "Bookkeeping"
        assert await reasons(actor) == [sale_mails.NOBODY]
        [told] = await happened(actor, "customer.not_mailed")
        assert (told.subject_id, told.data["reason"]) == (alone.id, sale_mails.NOBODY)

    async def test_a_credit_note_is_mailed_with_its_reason(self, letterbox: Letterbox) -> None:
        actor = await seller()
        proposal = await closing.accepted(actor, of=await customer(actor))
        [invoice] = await invoices.issue(actor, Source(proposal_id=proposal.id), InvoiceDetails(), now=NOW)
        _, note = await credit_notes.credit(actor, invoice.id, reason="One panel came back.", now=NOW)
        subject, text = await last(letterbox, actor)
        subjects = {str(got["Subject"]): text_of(got) for got in letterbox.mails}
        text = subjects[f"Credit note {note.number} for invoice {invoice.number}"]
        assert subject in subjects and "€119" in text and "One panel came back." in text

    async def test_who_unsubscribed_gets_what_belongs_to_their_purchase_but_no_reminders(
        self, letterbox: Letterbox
    ) -> None:
        actor = await seller()
        proposal = await closing.accepted(actor, of=await customer(actor))
        [invoice] = await invoices.issue(
            actor, Source(proposal_id=proposal.id), InvoiceDetails(due_on=date(2026, 3, 9)), now=NOW
        )
        [got] = await mailed(letterbox, actor)
        assert got["List-Unsubscribe"] is None and "nsubscribe" not in text_of(got)
        await sale_reminders.remind_of_payment(actor.workspace_id, invoice.id, 1, now=NOW + 9 * DAY)
        reminder = (await mailed(letterbox, actor))[-1]
        token = str(reminder["List-Unsubscribe"]).strip("<>").rpartition("/")[2]
        await suppressions.unsubscribe(token, now=NOW)
        await sale_reminders.remind_of_payment(actor.workspace_id, invoice.id, 2, now=NOW + 20 * DAY)
        await payments.record(actor, invoice.id, closing.paying("19"), now=NOW)
        subject, _ = await last(letterbox, actor)
        assert subject.startswith("Payment received") and len(letterbox.mails) == 3
        assert (await reasons(actor))[-1] == "This address unsubscribed."
        # There is nobody at the address by now, which holds beside what its owner said.
        await suppressions.bounced(actor.workspace_id, "ada@example.com", note="550 nobody here", now=NOW)
        await payments.record(actor, invoice.id, closing.paying("1"), now=NOW)
        assert len(await mailed(letterbox, actor)) == 3
        await suppressions.resubscribe(token, now=NOW)
        rows = await Suppression.filter(workspace_id=actor.workspace_id)
        assert [row.reason for row in rows] == [SuppressionReason.BOUNCED]

    async def test_a_mail_that_is_not_taken_is_told_to_the_seller(self, letterbox: Letterbox) -> None:
        actor = await seller()
        await offered(actor, line(), lead=await customer(actor, email="nobody@example.com"))
        await mailed(letterbox, actor)
        [told] = await happened(actor, "customer.not_mailed")
        assert told.data["kind"] == "proposal" and "no such user" in told.data["reason"]


async def planned(actor: Actor, task: str) -> list[Job]:
    return await Job.filter(workspace_id=actor.workspace_id, task=task).order_by("due_at")


async def happened(actor: Actor, name: str) -> list[Event]:
    return await Event.filter(workspace_id=actor.workspace_id, name=name).order_by("id")


class TestReminders:
    async def plan(self, actor: Actor) -> None:
        for _ in range(2):
            for event in await happened(actor, "proposal.sent"):
                await sale_reminders.plan_validity(actor.workspace_id, event.id, now=NOW)

    async def remind(self, actor: Actor, job: Job) -> None:
        keys = UUID(job.arguments["proposal_id"]), UUID(job.arguments["version_id"])
        await sale_reminders.remind_of_validity(actor.workspace_id, *keys, now=job.due_at)

    async def test_a_proposal_is_reminded_of_some_mornings_before_it_expires(self, letterbox: Letterbox) -> None:
        actor = await seller()
        await offered(actor, line(), lead=await customer(actor), valid_until=date(2026, 3, 20))
        await self.plan(actor)
        [job] = await planned(actor, "remind_of_validity")
        assert job.due_at == datetime(2026, 3, 17, 9, tzinfo=UTC)
        await self.remind(actor, job)
        subject, _ = await last(letterbox, actor)
        assert subject == "Valid until 20 March 2026: Solar roof"

    async def test_what_was_answered_or_sent_anew_is_not_reminded_of(self, letterbox: Letterbox) -> None:
        actor = await seller()
        done = await offered(actor, line(), lead=await customer(actor), valid_until=date(2026, 3, 20))
        anew = await offered(actor, line(), lead=await customer(actor), valid_until=date(2026, 3, 20))
        await self.plan(actor)
        await accepted(done)
        await proposals.set_lines(actor, anew.id, [line(price="5")], now=NOW)
        await proposals.send(actor, anew.id, now=NOW)
        for job in await planned(actor, "remind_of_validity"):
            await self.remind(actor, job)
        assert await happened(actor, "proposal.ending") == []

    @pytest.mark.parametrize(("days", "valid_until"), [(0, date(2026, 3, 20)), (3, date(2026, 3, 4)), (3, None)])
    async def test_nobody_is_reminded_where_that_is_off_or_too_late_or_nothing_expires(
        self, letterbox: Letterbox, days: int, valid_until: date | None
    ) -> None:
        actor = await seller()
        await selling_settings.update(actor, SellingDetails(validity_reminder_days=days), now=NOW)
        await offered(actor, line(), lead=await customer(actor), valid_until=valid_until)
        await self.plan(actor)
        assert await planned(actor, "remind_of_validity") == []

    async def test_an_overdue_invoice_is_reminded_of_so_many_times_until_it_is_paid(self, letterbox: Letterbox) -> None:
        actor = await seller()
        said = SellingDetails(payment_reminder_days=5, most_payment_reminders=3)
        await selling_settings.update(actor, said, now=NOW)
        proposal = await closing.accepted(actor, of=await customer(actor))
        [invoice] = await invoices.issue(
            actor, Source(proposal_id=proposal.id), InvoiceDetails(due_on=date(2026, 3, 9)), now=NOW
        )
        await mailed(letterbox, actor)
        at = NOW + 9 * DAY
        for number in (1, 2):
            for _ in range(2):
                await sale_reminders.remind_of_payment(actor.workspace_id, invoice.id, number, now=at)
            jobs = await planned(actor, "remind_of_payment")
            assert [(job.arguments["number"], job.due_at - at) for job in jobs][-1] == (number + 1, 5 * DAY)
            subject, text = await last(letterbox, actor)
            assert subject == f"Reminder: invoice {invoice.number}" and "9 March 2026" in text
            assert len(await happened(actor, "invoice.payment_reminded")) == number
            at += 5 * DAY
        await payments.record(actor, invoice.id, closing.paying("119"), now=at)
        await sale_reminders.remind_of_payment(actor.workspace_id, invoice.id, 3, now=at)
        assert len(await happened(actor, "invoice.payment_reminded")) == 2

    async def test_no_more_reminders_than_are_wished_for(self, letterbox: Letterbox) -> None:
        actor = await seller()
        await selling_settings.update(actor, SellingDetails(most_payment_reminders=0), now=NOW)
        invoice = await closing.invoice(actor)
        await sale_reminders.remind_of_payment(actor.workspace_id, invoice.id, 1, now=NOW + 60 * DAY)
        assert await happened(actor, "invoice.payment_reminded") == []

    async def test_a_negotiation_that_nobody_answers_in_time_is_told_of_once(self, letterbox: Letterbox) -> None:
        actor = await seller()
        sitting = await sit_down(actor, respond_by=NOW + DAY)
        assert await sale_reminders.tell_overdue_negotiations(NOW) == 0
        assert await sale_reminders.tell_overdue_negotiations(NOW + DAY) == 1
        assert await sale_reminders.tell_overdue_negotiations(NOW + DAY) == 0
        [told] = await happened(actor, "negotiation.overdue")
        assert (told.subject_id, told.data["turn"]) == (sitting.lead.id, "BUYER")


def test_every_task_is_one_that_workers_know() -> None:
    from workers.subscriptions import TASKS

    wanted: list[Any] = [mail_customer, plan_validity_reminder, begin_payment_reminders]
    assert all(TASKS[one.name] is one for one in wanted)
    assert {sale_reminders.VALIDITY, sale_reminders.PAYMENT} <= TASKS.keys()
