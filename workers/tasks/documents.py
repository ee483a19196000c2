"""Documents are typeset: ahead, when something is sent, signed or issued, and whenever somebody asks for one."""

from collections.abc import AsyncIterator
from functools import lru_cache
from uuid import UUID

import structlog

from adapters import files as store
from adapters.typesetting import TemplateFailed, Typeset, Typesetter
from domain import documents, files
from domain.document_papers import Paper
from domain.document_templates import shipped
from models.documents import Document, DocumentKind
from models.events import Event
from models.files import File
from workers.jobs import Job, task

PDF = "application/pdf"
MOST_ATTEMPTS = 5
# What events tell of something that is final, and which of their facts names it.
ABOUT = {
    "proposal.sent": (DocumentKind.PROPOSAL, "proposal_version_id"),
    "contract.created": (DocumentKind.CONTRACT, "contract_id"),
    "contract.signed": (DocumentKind.CONTRACT, "contract_id"),
    "invoice.issued": (DocumentKind.INVOICE, "invoice_id"),
    "invoice.credited": (DocumentKind.INVOICE, "credit_note_id"),
}

log = structlog.get_logger(__name__)


@lru_cache
def typesetter() -> Typesetter:
    """Return the typesetter of this process."""
    return Typesetter()


@task(batch=True)
async def typeset_ahead(job: Job) -> None:
    """Ask for the documents of what was sent, signed or issued; those that are there stay as they are."""
    events = await Event.filter(id__in=job.event_ids, workspace_id=job.workspace)
    async with job.finishing():
        for event in events:
            kind, fact = ABOUT[event.name]
            await documents.wanted(kind, UUID(event.data[fact]), now=job.now)


@task(max_attempts=MOST_ATTEMPTS, timeout_seconds=120)
async def render_document(job: Job) -> None:
    """Typeset a document; one that is there stays as it is, and what is no longer asked for is forgone."""
    document = await Document.get_or_none(id=UUID(job.arguments["document_id"]), workspace_id=job.workspace)
    if document is None or await documents.file_of(document) is not None:
        async with job.finishing():
            return
    paper = await documents.to_typeset(document)
    if paper is None:
        async with job.finishing():
            await documents.forgo(document)
        return
    try:
        made, failure = await _made(paper)
    except TemplateFailed as error:
        log.error("a document cannot be typeset", document=str(document.id), error=error.message)
        async with job.finishing():
            await documents.finish(document, None, failure=error.message, now=job.now)
        return
    file = await files.draft(job.workspace, name=paper.name, content_type=PDF, size=len(made.pdf), now=job.now)
    written = await store.write(file, _once(made.pdf), most=len(made.pdf))
    async with job.finishing():
        await files.publish(file, size=written.size, sha256=written.sha256, now=job.now)
        await documents.finish(document, file, pages=made.pages, missing=made.missing, failure=failure, now=job.now)


async def _made(paper: Paper) -> tuple[Typeset, str | None]:
    """Return a document, and what is wrong with the workspace's own template where that which ships had to serve."""
    logo = await _logo(paper.logo_id)
    try:
        return await typesetter().typeset(paper.template, paper.facts, logo=logo, at=paper.day), None
    except TemplateFailed as error:
        if not paper.own:
            raise
        failure = f"Line {error.line}: {error.message}" if error.line else error.message
    kind = DocumentKind(paper.facts["kind"].replace("CREDIT_NOTE", "INVOICE"))
    return await typesetter().typeset(shipped(kind), paper.facts, logo=logo, at=paper.day), failure


async def _logo(key: UUID | None) -> bytes | None:
    file = await File.filter(id=key, completed_at__not_isnull=True).first() if key else None
    if file is None:
        return None
    return await store.whole(file)


async def _once(data: bytes) -> AsyncIterator[bytes]:
    yield data
