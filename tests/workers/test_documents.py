"""Documents as workers make them: the same bytes for good, a draft as it is now, and templates that fail."""

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from tortoise.connection import get_connection

from adapters import typesetting
from adapters.typesetting import TypesettingUnavailable
from domain import contracts, credit_notes, documents, files, proposals, selling_settings
from domain.actors import Actor
from domain.contracts import Signing
from domain.document_templates import shipped
from domain.jobs import Queue, schedule
from domain.proposal_details import ProposalDetails, Section
from domain.selling_settings import SellerDetails, SellingDetails
from models.base import uuid7
from models.documents import Document, DocumentKind, DocumentTemplate
from models.events import Event
from models.files import File
from tests import closing
from tests.factories import NOW, seller
from tests.papers import draft, line, pages_of, pdf_of, sent, text_of, work
from workers import jobs
from workers.subscriptions import TASKS
from workers.tasks.forgetting import forget_files

LATER = NOW + timedelta(days=2)

pytestmark = pytest.mark.usefixtures("db")


async def asked(key: UUID | None, kind: DocumentKind = DocumentKind.PROPOSAL, *, now: Any = LATER) -> Document:
    assert key
    document = await documents.wanted(kind, key, now=now)
    assert document
    return document


async def template(actor: Actor, source: str, language: str | None = None) -> None:
    await DocumentTemplate.create(
        workspace_id=actor.workspace_id,
        kind=DocumentKind.PROPOSAL,
        language=language,
        source=source,
        created_at=NOW,
        updated_at=NOW,
    )


async def test_a_version_that_was_sent_is_typeset_once_and_says_its_amounts() -> None:
    admin = await seller()
    details = SellerDetails(name="Nord GmbH", tax_number="DE123")
    await selling_settings.update(admin, SellingDetails(seller=details, color="#1f7a4d"), now=NOW)
    lines = [line("Panel", "1234.56", quantity=Decimal(3)), line("Cable", "0.0125", quantity=Decimal(1000))]
    proposal = await sent(admin, *lines, language="de", title="Solardach")

    document = await asked(proposal.sent_id)
    assert document.file_id is None
    assert await work() == 1
    pdf = await pdf_of(document)
    text = text_of(pdf)

    for words in ("Angebot P-2026-0001", "Solardach", "Nord GmbH", "3.703,68 €", "12,50 €", "4.422,25 €", "0,0125 €"):
        assert words in text, words
    done = await Document.get(id=document.id)
    assert (done.pages, pages_of(pdf), done.missing, done.failure) == (1, 1, [], None)
    again = await asked(proposal.sent_id)
    assert (again.id, again.file_id) == (done.id, done.file_id)
    assert await work() == 0
    file = await File.get(id=done.file_id)
    assert (file.name, file.content_type, file.expires_at) == ("Angebot P-2026-0001.pdf", "application/pdf", None)


async def test_the_same_version_has_the_same_bytes_whatever_is_set_later() -> None:
    admin = await seller()
    proposal = await sent(admin)
    document = await asked(proposal.sent_id)
    await work()
    first = await pdf_of(document)
    await selling_settings.update(admin, SellingDetails(color="#ff0000"), now=LATER)
    await template(admin, "Something else")
    assert await pdf_of(await asked(proposal.sent_id)) == first
    assert await work() == 0


async def test_what_is_typeset_twice_has_the_same_bytes() -> None:
    admin = await seller()
    proposal = await sent(admin, line(name="日本語 مرحبا"))
    document = await asked(proposal.sent_id)
    await work()
    first = await pdf_of(document)
    await Document.filter(id=document.id).delete()
    assert await pdf_of(await worked(proposal.sent_id)) == first


async def worked(key: UUID | None, **more: Any) -> Document:
    document = await asked(key, **more)
    await work()
    return document


async def test_a_draft_says_so_follows_its_edits_and_is_forgotten() -> None:
    admin = await seller()
    proposal = await draft(admin)
    first = await worked(proposal.current_id)
    assert "Draft" in text_of(await pdf_of(first))
    assert (await asked(proposal.current_id)).id == first.id

    await proposals.update(admin, proposal.id, ProposalDetails(title="Another title"), now=LATER)
    second = await worked(proposal.current_id)
    assert second.id != first.id
    assert "Another title" in text_of(await pdf_of(second))

    await forget_files(now=datetime.now(UTC) + timedelta(days=2))
    gone = await Document.get(id=second.id)
    assert gone.file_id is None
    again = await worked(proposal.current_id)
    assert again.id == second.id
    assert "Another title" in text_of(await pdf_of(again))
    await forget_files(now=datetime.now(UTC) + timedelta(days=4))
    await documents.forget(now=datetime.now(UTC) + timedelta(days=30))
    assert await Document.filter(workspace_id=admin.workspace_id).count() == 0


async def test_a_draft_that_changed_meanwhile_is_forgone() -> None:
    admin = await seller()
    proposal = await draft(admin)
    document = await asked(proposal.current_id)
    await proposals.update(admin, proposal.id, ProposalDetails(title="Another title"), now=LATER)
    await work()
    assert not await Document.exists(id=document.id)
    assert "Another title" in text_of(await pdf_of(await worked(proposal.current_id)))


async def test_a_sent_draft_is_forgone_with_its_version_and_what_was_sent_is_no_draft() -> None:
    admin = await seller()
    proposal = await draft(admin)
    await asked(proposal.current_id)
    proposal = await proposals.send(admin, proposal.id, now=NOW)
    await work()
    text = text_of(await pdf_of(await worked(proposal.sent_id)))
    assert "Draft" not in text
    assert "SHA-256" in text


async def test_whoever_asks_at_once_asks_for_one() -> None:
    admin = await seller()
    proposal = await sent(admin)
    found = await asyncio.gather(*(asked(proposal.sent_id) for _ in range(8)))
    assert len({document.id for document in found}) == 1
    assert await work() == 1


async def test_nothing_is_made_of_what_is_not_there() -> None:
    assert await documents.wanted(DocumentKind.PROPOSAL, uuid7(), now=NOW) is None
    assert await documents.wanted(DocumentKind.INVOICE, uuid7(), now=NOW) is None


async def test_a_template_of_the_workspaces_own_is_used_by_language_then_for_all() -> None:
    admin = await seller()
    await template(admin, "#let facts = json(bytes(sys.inputs.facts))\nOf all: #facts.title")
    await template(admin, "Nur deutsch", "de")
    english = await sent(admin, title="Roof")
    german = await sent(admin, language="de-AT")
    assert text_of(await pdf_of(await worked(english.sent_id))) == "Of all: Roof"
    assert text_of(await pdf_of(await worked(german.sent_id))) == "Nur deutsch"


async def test_where_the_own_template_fails_that_which_ships_serves_and_the_fault_is_on_record() -> None:
    admin = await seller()
    await template(admin, "fine\n#panic(json(bytes(sys.inputs.facts)).title)")
    document = await worked((await sent(admin, title="Roof")).sent_id)
    assert "Roof" in text_of(await pdf_of(document))
    assert (await Document.get(id=document.id)).failure == "Line 2: panicked with: Roof"


async def test_what_cannot_be_typeset_is_on_record_and_tried_when_it_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin = await seller()
    proposal = await sent(admin)
    with monkeypatch.context() as broken:
        broken.setattr("domain.document_templates.shipped", lambda kind: "#panic()")
        document = await worked(proposal.sent_id)
    assert (await Document.get(id=document.id)).failure == "panicked"
    assert "P-2026-0001" in text_of(await pdf_of(await worked(proposal.sent_id)))
    assert (await Document.get(id=document.id)).failure is None


async def test_without_a_typesetter_the_job_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    admin = await seller()
    document = await asked((await sent(admin)).sent_id)

    async def unavailable() -> None:
        raise TypesettingUnavailable("none")

    with monkeypatch.context() as broken:
        broken.setattr(typesetting.Child, "start", unavailable)
        broken.setattr(typesetting.Typesetter, "_waiting", lambda _: None)
        with pytest.raises(TypesettingUnavailable):
            await work()
    row = await Document.get(id=document.id)
    assert (row.rendered_at, row.failure) == (None, None)
    [job] = await database_rows("SELECT done_at FROM job WHERE arguments->>'document_id' = $1", str(document.id))
    assert job["done_at"] is None


async def test_a_worker_that_lost_its_job_leaves_nothing_behind() -> None:
    admin = await seller()
    document = await asked((await sent(admin)).sent_id)
    [row] = await database_rows("SELECT id FROM job WHERE arguments->>'document_id' = $1", str(document.id))
    job = await jobs.claim(UUID(str(row["id"])))
    assert job
    job.attempt -= 1
    with pytest.raises(Exception, match="no longer at attempt"):
        await TASKS[documents.RENDER].run(job)
    assert (await Document.get(id=document.id)).file_id is None
    assert not await File.exists(workspace_id=admin.workspace_id, completed_at__not_isnull=True)


async def test_hostile_names_are_text_and_what_no_font_has_is_on_record() -> None:
    admin = await seller()
    name = '#panic() *b* <script>alert(1)</script> $x$ @ref \\ `code` // "]'
    section = Section(heading="= No heading", text='#read("/etc/passwd")\n\n- 𓀀 and \U0001f9ff')
    proposal = await sent(admin, line(name=name), title="<b>Roof</b> #1", sections=[section])
    document = await worked(proposal.sent_id)
    text = text_of(await pdf_of(document))
    flat = " ".join(text.split())
    for words in ('#panic() *b* <script>alert(1)</script> $x$ @ref \\ `code` // "]', "= No heading", "<b>Roof</b> #1"):
        assert words in flat, words
    assert '#read("/etc/passwd")' in flat
    assert "[U+13000] and [U+1F9FF]" in flat
    assert (await Document.get(id=document.id)).missing == ["\U00013000", "\U0001f9ff"]


async def test_two_hundred_lines_fill_pages_and_every_one_is_there() -> None:
    admin = await seller()
    proposal = await sent(admin, *(line(f"Item {number:03}", "1.01") for number in range(1, 201)))
    document = await worked(proposal.sent_id)
    pdf = await pdf_of(document)
    text = text_of(pdf)
    assert all(f"Item {number:03}" in text for number in range(1, 201))
    assert "€240.38" in text
    pages = (await Document.get(id=document.id)).pages
    assert pages == pages_of(pdf) > 5
    assert f"{pages} / {pages}" in text
    assert text.count("Unit price") == pages - 1 or text.count("Unit price") == pages


async def test_what_was_sent_is_typeset_ahead() -> None:
    admin = await seller()
    proposal = await sent(admin)
    event = await Event.filter(workspace_id=admin.workspace_id, name="proposal.sent").first()
    assert event
    job = jobs.Job(
        id=uuid7(),
        task="typeset_ahead",
        queue=Queue.DEFAULT,
        workspace_id=admin.workspace_id,
        arguments={"subject_type": "lead", "subject_ids": [str(event.subject_id)], "event_ids": [str(event.id)]},
        attempt=1,
        now=LATER,
    )
    await jobs_row(job)
    await TASKS["typeset_ahead"].run(job)
    assert job.finished
    assert await work() == 1
    [document] = await Document.filter(workspace_id=admin.workspace_id)
    assert document.version_id == proposal.sent_id
    assert document.file_id


async def database_rows(sql: str, *values: Any) -> Any:
    _, rows = await get_connection("default").execute_query(sql, list(values))
    return rows


async def test_a_contract_shows_what_was_taken_and_each_signature_as_it_comes() -> None:
    admin = await seller()
    lines = [line("Panel", "100"), line("Cable", "50", optional=True), line("Mast", "70", optional=True)]
    accepted = await closing.accepted(admin, *lines, language="de", options=[])
    contract = await closing.contract(admin, accepted, terms="Drei Monate")
    text = text_of(await pdf_of(await worked(contract.id, kind=DocumentKind.CONTRACT)))
    for words in (f"Vertrag {contract.number}", "Drei Monate", "119,00 €", "Ort und Datum", contract.sha256):
        assert words in text, words
    assert "Cable" not in text

    await contracts.sign(admin, contract.id, Signing(name="Sam Seller", sha256=contract.sha256), now=LATER)
    second = text_of(await pdf_of(await worked(contract.id, kind=DocumentKind.CONTRACT)))
    assert "Sam Seller" in second
    assert "Elektronisch unterschrieben am 4. März 2026" in second
    assert await Document.filter(contract_id=contract.id).count() == 2


async def test_invoices_and_credit_notes_say_what_they_ask_for_and_give_back() -> None:
    admin = await seller()
    bank = SellerDetails(bank="Sparkasse\nIBAN DE02")
    await selling_settings.update(admin, SellingDetails(seller=bank), now=NOW)
    invoice = await closing.invoice(admin, "1000")
    text = text_of(await pdf_of(await worked(invoice.id, kind=DocumentKind.INVOICE)))
    for words in (
        f"Invoice {invoice.number}",
        "€1,190.00",
        "19% tax on €1,000.00",
        "IBAN DE02",
        "Please pay €1,190.00",
    ):
        assert words in text, words

    _, note = await credit_notes.credit(admin, invoice.id, reason="Too many", now=LATER)
    credit = text_of(await pdf_of(await worked(note.id, kind=DocumentKind.INVOICE)))
    for words in (f"Credit note {note.number}", str(invoice.number), "Too many", "€1,190.00"):
        assert words in credit, words
    assert "Please pay" not in credit


async def jobs_row(job: jobs.Job) -> None:
    """Write the row that the relay writes for a job, as claimed once."""
    await schedule(job.task, arguments=job.arguments, due_at=NOW, now=NOW, workspace_id=job.workspace_id, key=job.id)
    claimed = await jobs.claim(job.id)
    assert claimed
    job.attempt = claimed.attempt


def test_the_templates_that_ship_are_whole() -> None:
    for kind in DocumentKind:
        assert shipped(kind).startswith("//")
        assert "#letterhead()" in shipped(kind)


async def test_a_file_that_is_let_go_is_not_given_out() -> None:
    admin = await seller()
    document = await worked((await draft(admin)).current_id)
    row = await Document.get(id=document.id)
    assert row.file_id
    await files.hide_ended(now=datetime.now(UTC) + timedelta(days=2), most=10, objects=True)
    assert await documents.file_of(row) is None
