"""Templates of documents, for typst: those that ship with us, or a workspace's own, by kind and language."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from domain import document_samples, edits, inputs, locks, policy, selling_settings
from domain.actors import NONE, Actor
from domain.errors import DomainError, Faults, Forbidden, Required, Stale, TooLong
from domain.events import Event, record
from domain.policy import Action
from models.base import uuid7
from models.database import transaction
from models.documents import DocumentKind, DocumentTemplate

FOLDER = Path(__file__).parent.parent / "templates" / "documents"
LAYOUT = "layout.typ"
LONGEST = 200_000
SAMPLE_LANGUAGE = "en"


class DocumentTemplateSet(Event):
    name = "document_template.set"


class DocumentTemplateReset(Event):
    """Its subject is the template that is gone."""

    name = "document_template.reset"


class FaultyDocumentTemplate(DomainError):
    """Line {line}: {what}."""


class GlyphsMissing(DomainError):
    """No font has these characters: {characters}."""


class Trial(Protocol):
    """A document that was typeset."""

    @property
    def pdf(self) -> bytes: ...
    @property
    def pages(self) -> int: ...
    @property
    def missing(self) -> Sequence[str]: ...


class Typesetting(Protocol):
    """What typesets documents; raises FaultyDocumentTemplate."""

    async def __call__(
        self, template: str, facts: Mapping[str, Any], *, logo_id: UUID | None, at: datetime
    ) -> Trial: ...


@dataclass(frozen=True, slots=True)
class Chosen:
    """A template; `own` is whether it is the workspace's."""

    source: str
    own: bool


@dataclass(frozen=True, slots=True)
class Known:
    """The template of a kind of document in a language, or in all: the workspace's own, or that which ships."""

    kind: DocumentKind
    language: str | None
    own: DocumentTemplate | None

    @property
    def source(self) -> str:
        return self.own.source if self.own else shipped(self.kind)


async def known(actor: Actor) -> list[Known]:
    """Return the template of every kind of document, and those of single languages. Raises Forbidden."""
    _require_seen(actor)
    rows = await DocumentTemplate.filter(workspace_id=actor.workspace_id).order_by("kind", "language")
    own = {(row.kind, row.language): row for row in rows}
    languages = {
        kind: sorted(row.language for row in rows if row.kind is kind and row.language) for kind in DocumentKind
    }
    return [
        Known(kind, language, own.get((kind, language)))
        for kind in DocumentKind
        for language in (None, *languages[kind])
    ]


async def set_own(
    actor: Actor,
    *,
    kind: DocumentKind,
    language: str | None,
    source: str,
    typesetting: Typesetting,
    expected_version: int | None = None,
    now: datetime,
) -> Known:
    """Typeset a kind of document by a template of the workspace's own, which has to make one of example facts.

    Raises Forbidden, Stale, and faults with the line.
    """
    policy.require(actor, Action.MANAGE_DOCUMENTS)
    tag = _checked(language, source)
    await trial(actor, kind=kind, language=tag, source=source, typesetting=typesetting, now=now)
    async with transaction():
        await locks.hold(actor.workspace_id, f"document_template:{kind}:{tag}")
        row = await _own(actor, kind, tag, expected_version=expected_version)
        if row is None:
            row = DocumentTemplate(
                id=uuid7(),
                workspace_id=actor.workspace_id,
                kind=kind,
                language=tag,
                source=source,
                created_at=now,
                updated_at=now,
            )
            await edits.insert(row)
            changed: Any = True
        else:
            changed = await edits.apply(row, {"source": source}, now=now)
        if changed:
            facts = {"kind": kind, "language": tag, "version": row.version}
            await record(DocumentTemplateSet(actor, row.id, facts), now=now)
    return Known(kind, tag, row)


async def reset(
    actor: Actor,
    *,
    kind: DocumentKind,
    language: str | None,
    expected_version: int | None = None,
    now: datetime,
) -> Known:
    """Typeset a kind of document by the template that ships with us again. Raises Forbidden, Stale."""
    policy.require(actor, Action.MANAGE_DOCUMENTS)
    async with transaction():
        await locks.hold(actor.workspace_id, f"document_template:{kind}:{language}")
        if row := await _own(actor, kind, language, expected_version=expected_version):
            await row.delete()
            await record(DocumentTemplateReset(actor, row.id, {"kind": kind, "language": language}), now=now)
    return Known(kind, language, None)


async def trial(
    actor: Actor,
    *,
    kind: DocumentKind,
    language: str | None,
    source: str | None,
    typesetting: Typesetting,
    now: datetime,
) -> Trial:
    """Return a document of example facts as a template would make it, or that which is used.

    Raises Forbidden, and faults with the line.
    """
    _require_seen(actor)
    tag = _checked(language, source if source is not None else "used")
    settings = await selling_settings.of(actor.workspace_id)
    facts = document_samples.sample(kind, language=tag or SAMPLE_LANGUAGE, color=settings.color)
    template = source
    if template is None:
        template = (await chosen(actor.workspace_id, kind, tag or SAMPLE_LANGUAGE)).source
    return await typesetting(template, facts, logo_id=settings.logo_id, at=now)


async def chosen(workspace_id: UUID, kind: DocumentKind, language: str) -> Chosen:
    """Return the template of a document: the workspace's own in its language, or in all, or that which ships."""
    own = DocumentTemplate.filter(workspace_id=workspace_id, kind=kind)
    found = {row.language: row.source for row in await own}
    for wanted in (language, language.replace("_", "-").partition("-")[0], None):
        if wanted in found:
            return Chosen(found[wanted], True)
    return Chosen(shipped(kind), False)


@lru_cache
def shipped(kind: DocumentKind) -> str:
    """Return the template that ships with us."""
    return (FOLDER / LAYOUT).read_text() + (FOLDER / f"{kind.lower()}.typ").read_text()


def _require_seen(actor: Actor) -> None:
    if policy.scope(actor, DocumentTemplate) == NONE:
        raise Forbidden(action="see the templates of documents")


def _checked(language: str | None, source: str) -> str | None:
    faults = Faults()
    tag = inputs.language(faults, language, field="language")
    if not source.strip():
        faults.add(Required(field="source"))
    elif len(source) > LONGEST:
        faults.add(TooLong(field="source", length=len(source), limit=LONGEST))
    faults.raise_any()
    return tag


async def _own(
    actor: Actor, kind: DocumentKind, language: str | None, *, expected_version: int | None
) -> DocumentTemplate | None:
    found = DocumentTemplate.filter(workspace_id=actor.workspace_id, kind=kind, language=language)
    row = await found.select_for_update(no_key=True).first()
    version = row.version if row else 0
    if expected_version is not None and version != expected_version:
        stale = Stale(noun="document template", version=version, expected=expected_version, field="expectedVersion")
        stale.current = Known(kind, language, row)
        raise stale
    return row
