"""The words of mails in the schema: those that ship with us, and a workspace's own."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, ClassVar

import strawberry

from domain import mail_templates
from domain.errors import Stale
from domain.mail_templates import Known, Source
from schema.context import Info
from schema.errors import MutationInput, Payload, reports_user_errors
from schema.inputs import about
from schema.scalars import LanguageTag


@strawberry.type(description="A mail with example facts.")
class MailPreview:
    subject: str = strawberry.field(description="Its subject.")
    text: str = strawberry.field(description="Its text part.")
    html: str = strawberry.field(description="Its HTML part: show it in a sandboxed frame.")


@strawberry.type(description="What is wrong with a template.")
class MailTemplateProblem:
    field: str = strawberry.field(description="Where: subject, text or html.")
    line: int = strawberry.field(description="In which line of it.")
    message: str = strawberry.field(description="What.")


@strawberry.type(description="A mail as a template would make it, or what is wrong with the template.")
class MailTemplateTrial:
    preview: MailPreview | None = strawberry.field(description="The mail; null where something is wrong.")
    problems: list[MailTemplateProblem] = strawberry.field(description="What is wrong.")


@strawberry.type(description="The words of a kind of mail in a language.")
class MailTemplate:
    kind: str = strawberry.field(description="The kind of mail.")
    language: LanguageTag = strawberry.field(description="The language.")
    about: str = strawberry.field(description="When such mails are sent.")
    facts: list[str] = strawberry.field(description="The names that a template of this kind may use.")
    is_own: bool = strawberry.field(description="Whether the workspace has words of its own, or those that ship.")
    subject: str | None = strawberry.field(description="The workspace's own subject, as a template.")
    text: str | None = strawberry.field(description="The workspace's own text, as a template.")
    html: str | None = strawberry.field(description="The workspace's own HTML, as a template; null: made of the text.")
    version: int = strawberry.field(description="Rises with every edit; 0 while the words are those that ship.")
    updated_at: datetime | None = strawberry.field(description="When the workspace's own words were last changed.")
    preview: MailPreview | None = strawberry.field(
        description="Such a mail as it is sent now, with example facts; null where a template of the workspace's own "
        "no longer works, so that the words that ship are sent."
    )

    @staticmethod
    def of(known: Known) -> "MailTemplate":
        own = known.own
        source = Source(own.subject, own.text, own.html) if own else None
        works = source is None or not mail_templates.problems(known.kind, source)
        return MailTemplate(
            kind=known.kind.name,
            language=LanguageTag(known.language),
            about=known.kind.about,
            facts=sorted(known.kind.sample),
            is_own=own is not None,
            subject=own.subject if own else None,
            text=own.text if own else None,
            html=own.html if own else None,
            version=own.version if own else 0,
            updated_at=own.updated_at if own else None,
            preview=_preview(mail_templates.preview(known.kind, known.language, source)) if works else None,
        )


def _preview(words: mail_templates.Text) -> MailPreview:
    return MailPreview(subject=words.subject, text=words.text, html=words.html)


@strawberry.type
class MailTemplateQueries:
    @strawberry.field(
        description="The words of every kind of mail in every language, or of those asked for; for admins and managers."
    )
    async def mail_templates(
        self,
        info: Info,
        kind: Annotated[str | None, strawberry.argument(description="Of this kind of mail.")] = None,
        language: Annotated[LanguageTag | None, strawberry.argument(description="In this language.")] = None,
    ) -> list[MailTemplate]:
        found = await mail_templates.known(info.context.actor)
        return [
            MailTemplate.of(one) for one in found if kind in (None, one.kind.name) and language in (None, one.language)
        ]

    @strawberry.field(description="A mail as a template would make it with example facts; nothing is kept.")
    async def preview_mail_template(
        self,
        info: Info,
        kind: Annotated[str, strawberry.argument(description="The kind of mail.")],
        language: Annotated[LanguageTag, strawberry.argument(description="The language.")],
        subject: Annotated[str, strawberry.argument(description="The subject, as a template.")],
        text: Annotated[str, strawberry.argument(description="The text, as a template.")],
        html: Annotated[
            str | None, strawberry.argument(description="The HTML, as a template; without it, made of the text.")
        ] = None,
    ) -> MailTemplateTrial:
        words, faults = mail_templates.trial(
            info.context.actor, kind=kind, language=language, source=Source(subject, text, html)
        )
        problems = [
            MailTemplateProblem(
                field=".".join(fault.field or ()), line=fault.facts.get("line", 1), message=fault.message
            )
            for fault in faults
        ]
        return MailTemplateTrial(preview=_preview(words) if words else None, problems=problems)


@strawberry.input(description="Words of a workspace's own for a kind of mail in a language.")
class SetMailTemplateInput(MutationInput):
    kind: str = strawberry.field(description="The kind of mail.")
    language: LanguageTag = strawberry.field(description="The language.")
    subject: str = strawberry.field(description="The subject, as a template: one line.")
    text: str = strawberry.field(description="The text, as a template.")
    html: str | None = strawberry.field(
        default=None, description="The HTML, as a template; without it, it is made of the text."
    )
    expected_version: int | None = strawberry.field(
        default=None, description="The version that was edited, 0 for the words that ship; else refused as STALE."
    )


@strawberry.input(description="A kind of mail in a language to say in the words that ship again.")
class ResetMailTemplateInput(MutationInput):
    kind: str = strawberry.field(description="The kind of mail.")
    language: LanguageTag = strawberry.field(description="The language.")
    expected_version: int | None = strawberry.field(
        default=None, description="The version that was seen; else refused as STALE."
    )


@strawberry.type(description="The words of a kind of mail after a mutation.")
class MailTemplatePayload(Payload):
    stale_field: ClassVar[str] = "mail_template"
    mail_template: MailTemplate | None = strawberry.field(
        default=None, description="The words; the current ones where the edit was stale, else null on errors."
    )


@asynccontextmanager
async def _current_shown() -> AsyncIterator[None]:
    """Show the words that a stale edit has met."""
    try:
        yield
    except Stale as stale:
        stale.current = MailTemplate.of(stale.current)
        raise


@strawberry.type
class MailTemplateMutations:
    @strawberry.mutation(description="Say a kind of mail in words of the workspace's own.")
    @reports_user_errors
    async def set_mail_template(
        self, info: Info, input: Annotated[SetMailTemplateInput, about("The words.")]
    ) -> MailTemplatePayload:
        async with _current_shown():
            known = await mail_templates.set_own(
                info.context.actor,
                kind=input.kind,
                language=input.language,
                source=Source(input.subject, input.text, input.html),
                expected_version=input.expected_version,
                now=info.context.now,
            )
        return MailTemplatePayload(mail_template=MailTemplate.of(known))

    @strawberry.mutation(description="Say a kind of mail in the words that ship again.")
    @reports_user_errors
    async def reset_mail_template(
        self, info: Info, input: Annotated[ResetMailTemplateInput, about("Which.")]
    ) -> MailTemplatePayload:
        async with _current_shown():
            known = await mail_templates.reset(
                info.context.actor,
                kind=input.kind,
                language=input.language,
                expected_version=input.expected_version,
                now=info.context.now,
            )
        return MailTemplatePayload(mail_template=MailTemplate.of(known))
