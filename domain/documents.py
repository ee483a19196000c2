"""Documents as PDF: asked for, typeset by a worker, and kept: what is final for good, a draft for a day.

Whatever its template, language or logo becomes, what is final keeps the bytes that it was first given.
"""

from datetime import datetime, timedelta
from uuid import UUID, uuid5

from domain import document_papers, files, jobs
from domain.document_papers import Paper, Subject
from domain.files import Purpose
from models.base import uuid7
from models.contracts import Contract
from models.database import connected, transaction
from models.documents import Document, DocumentKind
from models.files import File
from models.invoices import Invoice
from models.proposals import ProposalVersion
from settings import settings

RENDER = "render_document"
DRAFT_KEPT = timedelta(days=1)
FORGOTTEN_AFTER = timedelta(days=7)
JOBS = UUID("0e6e5a51-8d0c-4d0a-a7c7-4d5f4f3f7f0d")
PURPOSES = {
    DocumentKind.PROPOSAL: Purpose.PROPOSAL,
    DocumentKind.CONTRACT: Purpose.CONTRACT,
    DocumentKind.INVOICE: Purpose.INVOICE,
}
ASK = """
INSERT INTO document (id, workspace_id, kind, lead_id, version_id, contract_id, invoice_id, key, missing, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '[]', $9)
ON CONFLICT (workspace_id, key) DO NOTHING
"""
FORGET = """
DELETE FROM document WHERE file_id IS NULL AND rendered_at < $1
"""


async def wanted(kind: DocumentKind, key: UUID, *, now: datetime) -> Document | None:
    """Return the document about something, asking for it to be typeset where that has not been done.

    None where there is no such thing. Those of drafts are as the draft is now.
    """
    about = await document_papers.subject(kind, key)
    if about is None:
        return None
    known_by = document_papers.final_key(about)
    if known_by is None:
        known_by = document_papers.draft_key(await document_papers.paper(about, now=now))
    return await _asked(kind, about, known_by, now=now)


async def file_of(document: Document) -> File | None:
    """Return the whole file of a document, once it is typeset."""
    if document.file_id is None:
        return None
    return await File.filter(id=document.file_id, completed_at__not_isnull=True).first()


async def to_typeset(document: Document) -> Paper | None:
    """Return what a document is made of, as when it was asked for; None where what it is about has changed since."""
    key = document.version_id or document.contract_id or document.invoice_id
    about = await document_papers.subject(document.kind, key) if key else None
    if about is None:
        return None
    paper = await document_papers.paper(about, now=document.created_at)
    known_by = document_papers.final_key(about) or document_papers.draft_key(paper)
    return paper if known_by == document.key else None


async def forgo(document: Document) -> None:
    """Forget what was asked for and is no longer so; whoever waits asks anew."""
    await Document.filter(id=document.id, file_id=None).delete()


async def finish(
    document: Document,
    file: File | None,
    *,
    pages: int | None = None,
    missing: tuple[str, ...] = (),
    failure: str | None = None,
    now: datetime,
) -> None:
    """Record a document that was typeset, within the running transaction, or why it could not be."""
    document.file_id, document.pages, document.missing = file.id if file else None, pages, list(missing)
    document.failure, document.rendered_at = failure, now
    await document.save(update_fields=["file_id", "pages", "missing", "failure", "rendered_at"])
    if file is not None and is_draft(document):
        await files.let_go(file.id, until=now + DRAFT_KEPT)


def is_draft(document: Document) -> bool:
    """Say whether a document is of something that can still change."""
    return document.key.startswith("draft:")


def url(kind: DocumentKind, key: UUID, *, lasts: timedelta = files.LINK_LASTS, now: datetime) -> str:
    """Return where the document about something can be fetched for a while, by whoever has the link."""
    token = files.token(PURPOSES[kind], key, until=now + lasts)
    return f"{settings().public_url.rstrip('/')}/documents/{kind.lower()}/{token}"


def opened(kind: DocumentKind, token: str, *, now: datetime) -> UUID:
    """Return what the document is about that a link opens. Raises InvalidLink, EndedLink."""
    return files.read_token(PURPOSES[kind], token, now=now)


async def forget(*, now: datetime) -> None:
    """Delete what is left of drafts whose files are gone."""
    await connected().fetch(FORGET, [now - FORGOTTEN_AFTER])


async def _asked(kind: DocumentKind, about: Subject, known_by: str, *, now: datetime) -> Document:
    async with transaction():
        found = await Document.filter(workspace_id=about.workspace_id, key=known_by).first()
        if found is None:
            hangs_on = (about.id if isinstance(about, noun) else None for noun in (ProposalVersion, Contract, Invoice))
            values = [uuid7(), about.workspace_id, kind.value, about.lead_id, *hangs_on, known_by, now]
            await connected().fetch(ASK, values)
            found = await Document.get(workspace_id=about.workspace_id, key=known_by)
        if await file_of(found) is None:
            # What failed, or is forgotten, is tried once more when it is asked for again.
            await jobs.schedule(
                RENDER,
                arguments={"document_id": found.id},
                due_at=now,
                now=now,
                workspace_id=found.workspace_id,
                key=uuid5(JOBS, f"{found.id} {found.rendered_at}"),
            )
    return found
