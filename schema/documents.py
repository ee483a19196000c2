"""Documents in the schema: the PDFs that were typeset, where they are fetched, and by which templates they are made."""

from base64 import b64encode
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, ClassVar

import strawberry

from domain import document_templates, documents
from domain.document_templates import FaultyDocumentTemplate, Known
from domain.errors import Stale
from engine.pages import Order
from models.documents import Document as DocumentRow
from models.documents import DocumentKind
from schema.connections import connection
from schema.context import Info
from schema.enums import described
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.fields import batch, column, noun
from schema.inputs import about
from schema.nodes import Node
from schema.scalars import LanguageTag

described(
    DocumentKind,
    "What a document is.",
    PROPOSAL="A version of a proposal.",
    CONTRACT="A contract.",
    INVOICE="An invoice, or a credit note.",
)
NEWEST = (Order("created_at", descending=True),)


@noun(DocumentRow, description="A PDF of a version of a proposal, of a contract or of an invoice.")
class Document(Node):
    kind: DocumentKind = column("What it is.")
    pages: int | None = column("How many pages it has; null until it is typeset.")
    missing: list[str] = column("The characters that no font has: they are written as their numbers, as [U+13000].")
    failure: str | None = column(
        "Why the workspace's own template could not make it, so that the template that ships did, or nothing could."
    )
    created_at: datetime = column("When it was asked for.")
    rendered_at: datetime | None = column("When it was typeset; null until then.")


def documents_of(by: str) -> Any:
    """Declare the documents about a noun, whose key stands in this column of theirs."""
    return connection(
        "Document",
        "schema.documents",
        model=DocumentRow,
        by=by,
        default=NEWEST,
        plain=True,
        description="The PDFs that were asked for, the newest first.",
    )


def pdf_url(kind: DocumentKind, description: str, *, by: str = "id") -> Any:
    """Declare where the document can be fetched that is about what stands in a column: whoever sees the row may."""

    async def urls(rows: list[Any], info: Info) -> Sequence[str | None]:
        keys = [getattr(row, by) for row in rows]
        return [documents.url(kind, key, now=info.context.now) if key else None for key in keys]

    return batch(urls, f"{description}, for 15 minutes and by whoever has the link.", needs=(by,))


@strawberry.type(description="What is wrong with a template of documents.")
class DocumentTemplateProblem:
    line: int = strawberry.field(description="In which line of it.")
    message: str = strawberry.field(description="What, as typst says it.")


@strawberry.type(description="A document of example facts as a template makes it, or what is wrong with the template.")
class DocumentTemplateTrial:
    pdf: str | None = strawberry.field(description="The document: a PDF in Base64; null where something is wrong.")
    pages: int | None = strawberry.field(description="How many pages it has.")
    problem: DocumentTemplateProblem | None = strawberry.field(description="What is wrong; null where nothing is.")


@strawberry.type(description="The template of a kind of document, in typst's language, for one language or for all.")
class DocumentTemplate:
    kind: DocumentKind = strawberry.field(description="The kind of document.")
    language: LanguageTag | None = strawberry.field(
        description="Documents in which language it is for; null: in all that have none of their own."
    )
    source: str = strawberry.field(description="The template: the workspace's own, or that which ships.")
    is_own: bool = strawberry.field(description="Whether it is the workspace's own.")
    version: int = strawberry.field(description="Rises with every edit; 0 of the template that ships.")
    updated_at: datetime | None = strawberry.field(description="When the workspace's own was last changed.")

    @staticmethod
    def of(known: Known) -> "DocumentTemplate":
        own = known.own
        return DocumentTemplate(
            kind=known.kind,
            language=LanguageTag(known.language) if known.language else None,
            source=known.source,
            is_own=own is not None,
            version=own.version if own else 0,
            updated_at=own.updated_at if own else None,
        )


Kind = Annotated[DocumentKind, strawberry.argument(description="The kind of document.")]
Language = Annotated[
    LanguageTag | None, strawberry.argument(description="The language of the document; null: English.")
]


@strawberry.type
class DocumentQueries:
    @strawberry.field(
        description="The templates by which documents are typeset: of every kind, and of single languages; for admins "
        "and managers."
    )
    async def document_templates(self, info: Info) -> list[DocumentTemplate]:
        return [DocumentTemplate.of(known) for known in await document_templates.known(info.context.actor)]

    @strawberry.field(description="A document of example facts; nothing is kept.")
    async def preview_document_template(
        self,
        info: Info,
        kind: Kind,
        language: Language = None,
        source: Annotated[
            str | None, strawberry.argument(description="A template to try; null: that which is used.")
        ] = None,
    ) -> DocumentTemplateTrial:
        try:
            made = await document_templates.trial(
                info.context.actor,
                kind=kind,
                language=language,
                source=source,
                typesetting=info.context.typesetting,
                now=info.context.now,
            )
        except FaultyDocumentTemplate as fault:
            problem = DocumentTemplateProblem(line=fault.facts["line"], message=fault.facts["what"])
            return DocumentTemplateTrial(pdf=None, pages=None, problem=problem)
        return DocumentTemplateTrial(pdf=b64encode(made.pdf).decode(), pages=made.pages, problem=None)


@strawberry.input(description="A template of the workspace's own for a kind of document.")
class SetDocumentTemplateInput(MutationInput):
    kind: DocumentKind = strawberry.field(description="The kind of document.")
    language: LanguageTag | None = strawberry.field(
        default=None, description="Documents in which language it is for; null: in all that have none of their own."
    )
    source: str = strawberry.field(
        description="The template, in typst's language, at most 200,000 characters: it has to make a document of "
        "example facts, and reads no files."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="The version that was edited, 0 for the template that ships; else refused as STALE."
    )


@strawberry.input(description="A kind of document to be typeset by the template that ships again.")
class ResetDocumentTemplateInput(MutationInput):
    kind: DocumentKind = strawberry.field(description="The kind of document.")
    language: LanguageTag | None = strawberry.field(
        default=None, description="The language of which it is; null: that for all."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="The version that was seen; else refused as STALE."
    )


@strawberry.type(description="The template of a kind of document after a mutation.")
class DocumentTemplatePayload(Payload):
    stale_field: ClassVar[str] = "document_template"
    document_template: DocumentTemplate | None = strawberry.field(
        default=None, description="The template; the current one where the edit was stale, else null on errors."
    )


@asynccontextmanager
async def _current_shown() -> AsyncIterator[None]:
    """Show the template that a stale edit has met."""
    try:
        yield
    except Stale as stale:
        stale.current = DocumentTemplate.of(stale.current)
        raise


@strawberry.type
class DocumentMutations:
    @strawberry.mutation(description="Typeset a kind of document by a template of the workspace's own.")
    @reports_user_errors
    async def set_document_template(
        self, info: Info, input: Annotated[SetDocumentTemplateInput, about("The template.")]
    ) -> DocumentTemplatePayload:
        async with _current_shown():
            known = await document_templates.set_own(
                info.context.actor,
                kind=input.kind,
                language=input.language,
                source=input.source,
                typesetting=info.context.typesetting,
                expected_version=input.expected_version,
                now=info.context.now,
            )
        return DocumentTemplatePayload(document_template=DocumentTemplate.of(known))

    @strawberry.mutation(description="Typeset a kind of document by the template that ships again.")
    @reports_user_errors
    async def reset_document_template(
        self, info: Info, input: Annotated[ResetDocumentTemplateInput, about("Which.")]
    ) -> DocumentTemplatePayload:
        async with _current_shown():
            known = await document_templates.reset(
                info.context.actor,
                kind=input.kind,
                language=input.language,
                expected_version=input.expected_version,
                now=info.context.now,
            )
        return DocumentTemplatePayload(document_template=DocumentTemplate.of(known))
