"""Templates that somebody writes are tried here, by this process's own typesetter."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from adapters import files as store
from adapters import typesetting
from adapters.typesetting import TemplateFailed, Typeset, Typesetter
from domain.document_templates import FaultyDocumentTemplate, GlyphsMissing
from models.files import File


class Trials:
    """Typesets documents of example facts, and tells what is wrong with their templates as a fault of the input."""

    def __init__(self) -> None:
        self._typesetter = Typesetter()

    async def __call__(self, template: str, facts: Mapping[str, Any], *, logo_id: UUID | None, at: datetime) -> Typeset:
        if missing := typesetting.missing(template):
            raise GlyphsMissing(characters=" ".join(missing), field="source")
        file = await File.filter(id=logo_id, completed_at__not_isnull=True).first() if logo_id else None
        logo = await store.whole(file) if file else None
        try:
            return await self._typesetter.typeset(template, facts, logo=logo, at=at)
        except TemplateFailed as error:
            what = ": ".join((error.message, *error.hints))
            raise FaultyDocumentTemplate(line=error.line or 1, what=what, field="source") from error

    async def close(self) -> None:
        """End the typesetter's processes."""
        await self._typesetter.close()
