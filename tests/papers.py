"""Documents as tests make them: typeset by the tasks themselves, and read as text."""

from datetime import date, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any
from uuid import UUID

import pypdfium2
from PIL import Image
from tortoise.connection import get_connection

from adapters import files as store
from domain import documents, proposals
from domain.actors import Actor
from domain.money import Money
from domain.proposal_details import ProposalDetails
from domain.proposal_lines import LineDetails
from models.documents import Document
from models.files import File
from models.proposals import Proposal
from tests.factories import NOW, lead
from workers import jobs
from workers.subscriptions import TASKS

DUE = "SELECT id FROM job WHERE task = $1 AND done_at IS NULL AND failed_at IS NULL AND lease_until IS NULL"
VALID_UNTIL = date(2100, 1, 1)


def line(name: str = "Panel", price: str = "100", *, currency: str = "EUR", **more: Any) -> LineDetails:
    more = {"tax_rate": Decimal(19), **more}
    return LineDetails(name=name, unit_price=Money(Decimal(price), currency), **more)


async def draft(actor: Actor, *lines: LineDetails, currency: str = "EUR", **details: Any) -> Proposal:
    """Make a draft of a proposal on a new lead."""
    made = lines or (line(currency=currency),)
    said = ProposalDetails(**{"valid_until": VALID_UNTIL, **details})
    return await proposals.create(actor, (await lead(actor)).id, said, currency=currency, lines=made, now=NOW)


async def sent(actor: Actor, *lines: LineDetails, **details: Any) -> Proposal:
    """Make a proposal and send it."""
    made = await draft(actor, *lines, **details)
    return await proposals.send(actor, made.id, now=NOW + timedelta(hours=1))


async def work(task: str = documents.RENDER) -> int:
    """Run the jobs of a task that are due, and return how many."""
    _, rows = await get_connection("default").execute_query(DUE, [task])
    for row in rows:
        job = await jobs.claim(UUID(str(row["id"])))
        assert job
        await TASKS[task].run(job)
        assert job.finished
    return len(rows)


async def pdf_of(document: Document) -> bytes:
    """Return the bytes of a document that was typeset."""
    file = await documents.file_of(await Document.get(id=document.id))
    assert file
    return await bytes_of(file)


async def bytes_of(file: File) -> bytes:
    return b"".join([part async for part in await store.open(file)])


def text_of(pdf: bytes) -> str:
    """Return what can be read of a PDF."""
    pages = pypdfium2.PdfDocument(pdf)
    text = "\n".join(page.get_textpage().get_text_bounded() for page in pages)
    return text.replace("\r\n", "\n").replace("\u00a0", " ")


def pages_of(pdf: bytes) -> int:
    return len(pypdfium2.PdfDocument(pdf))


def picture(width: int = 64, height: int = 32, kind: str = "PNG", color: str = "#c81e1e") -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height), color).save(out, kind)
    return out.getvalue()
