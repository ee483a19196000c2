"""The words of mails: templates that ship with us, in every language that we speak, or a workspace's own."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from jinja2.utils import urlize
from markupsafe import Markup

from domain import edits, locks, own_words, policy
from domain.actors import NONE, Actor
from domain.errors import DomainError, Faults, Forbidden, Malformed, Required, Stale
from domain.events import Event, record
from domain.mail_kinds import KINDS, UNENDING, MailKind
from domain.policy import Action
from domain.words import LANGUAGES, filters, reads_from_the_right, words
from models.base import uuid7
from models.database import read, transaction
from models.deliveries import MailTemplate

FOLDER = Path(__file__).parent.parent / "templates" / "mail"
SUBJECT_LIMIT = 300


class MailTemplateSet(Event):
    name = "mail_template.set"


class MailTemplateReset(Event):
    """Its subject is the template that is gone."""

    name = "mail_template.reset"


class FaultyTemplate(DomainError):
    """Line {line}: {what}."""


@dataclass(frozen=True, slots=True)
class Text:
    """A mail's words: `subject` is one line, `html` says what `text` says."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Source:
    """A workspace's own template; without `html`, its HTML is made of its text."""

    subject: str
    text: str
    html: str | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """The words of a kind of mail in a language: the workspace's own, or (`own` is None) those that ship with us."""

    kind: MailKind
    language: str
    own: MailTemplate | None


Key = tuple[UUID, str, str]
OWN = """
SELECT workspace_id, kind, language, subject, text, html FROM mail_template
WHERE workspace_id = ANY($1) AND kind = ANY($2)
"""


async def known(actor: Actor) -> list[Known]:
    """Return the words of every kind of mail in every language. Raises Forbidden."""
    _require_seen(actor)
    own = {(row.kind, row.language): row for row in await MailTemplate.filter(workspace_id=actor.workspace_id)}
    return [Known(kind, each, own.get((kind.name, each))) for kind in KINDS.values() for each in LANGUAGES]


async def set_own(
    actor: Actor,
    *,
    kind: str,
    language: str,
    source: Source,
    expected_version: int | None = None,
    now: datetime,
) -> Known:
    """Say a kind of mail in words of the workspace's own. Raises Forbidden, Stale, and faults with their lines."""
    policy.require(actor, Action.MANAGE_MAIL)
    faults = Faults()
    known_kind = _checked(faults, kind, language)
    columns = {"subject": source.subject, "text": source.text, "html": source.html or None}
    if known_kind:
        faults.extend(problems(known_kind, source))
    faults.raise_any()
    assert known_kind
    async with transaction():
        await locks.hold(actor.workspace_id, f"mail_template:{kind}:{language}")
        row = await _own(actor, kind, language, expected_version=expected_version)
        if row is None:
            row = MailTemplate(
                id=uuid7(),
                workspace_id=actor.workspace_id,
                kind=kind,
                language=language,
                created_at=now,
                updated_at=now,
                **columns,
            )
            await edits.insert(row)
            changed: Any = {"subject": [None, source.subject]}
        else:
            changed = await edits.apply(row, columns, now=now)
        if changed:
            facts = {"kind": kind, "language": language, "version": row.version}
            await record(MailTemplateSet(actor, row.id, facts), now=now)
    return Known(known_kind, language, row)


async def reset(actor: Actor, *, kind: str, language: str, expected_version: int | None = None, now: datetime) -> Known:
    """Say a kind of mail in the words that ship with us again. Raises Forbidden, Stale, and faults."""
    policy.require(actor, Action.MANAGE_MAIL)
    faults = Faults()
    known_kind = _checked(faults, kind, language)
    faults.raise_any()
    assert known_kind
    async with transaction():
        await locks.hold(actor.workspace_id, f"mail_template:{kind}:{language}")
        if row := await _own(actor, kind, language, expected_version=expected_version):
            await row.delete()
            await record(MailTemplateReset(actor, row.id, {"kind": kind, "language": language}), now=now)
    return Known(known_kind, language, None)


def trial(actor: Actor, *, kind: str, language: str, source: Source) -> tuple[Text | None, list[DomainError]]:
    """Return a mail with example facts as a template would make it, or what is wrong with it. Raises Forbidden."""
    _require_seen(actor)
    faults = Faults()
    found = _checked(faults, kind, language)
    faults.raise_any()
    assert found
    wrong = problems(found, source)
    return (None if wrong else preview(found, language, source)), wrong


def problems(kind: MailKind, source: Source) -> list[DomainError]:
    """Return what is wrong with a template, each with its field and line."""
    found: list[DomainError] = []
    for name, html in (("subject", False), ("text", False), ("html", True)):
        text = getattr(source, name)
        if text is None:
            continue
        if not text.strip() and name != "html":
            found.append(Required(field=name))
        elif name == "subject" and (len(text) > SUBJECT_LIMIT or "\n" in text.strip()):
            found.append(FaultyTemplate(line=1, what=f"a subject is one line of {SUBJECT_LIMIT} signs", field=name))
        else:
            for fault in own_words.faults(text, kind.sample, html=html):
                found.append(FaultyTemplate(line=fault.line, what=fault.what, field=name))
    return found


def preview(kind: MailKind, language: str, source: Source | None) -> Text:
    """Return a mail of this kind with example facts."""
    link = None if kind.name in UNENDING else "https://crm.example/unsubscribe/t0ken"
    if source is None:
        return shipped(kind.name, kind.sample, language=language, unsubscribe_link=link)
    return own(source, kind.sample, language=language, unsubscribe_link=link)


async def own_of(workspaces: Collection[UUID], kinds: Collection[str]) -> dict[Key, Source]:
    """Return the templates that workspaces have of their own, by workspace, kind and language."""
    rows = await read(OWN, list(workspaces), list(kinds))
    return {
        (row["workspace_id"], row["kind"], row["language"]): Source(row["subject"], row["text"], row["html"])
        for row in rows
    }


def shipped(
    kind: str,
    facts: Mapping[str, Any],
    *,
    language: str,
    time_zone: str | None = None,
    unsubscribe_link: str | None = None,
) -> Text:
    """Fill the templates `KIND.txt`, whose first line is the subject, and `KIND.html`, which escapes."""
    given = {**facts, "time_zone": time_zone, "unsubscribe_link": unsubscribe_link, "language": language}
    environment = _shipped(language)
    subject, _, text = environment.get_template(f"{kind}.txt").render(given).partition("\n")
    subject = " ".join(subject.split())
    html = environment.get_template(f"{kind}.html").render(given, subject=subject)
    return Text(subject, _with_footer(environment, text, given), html)


def own(
    source: Source,
    facts: Mapping[str, Any],
    *,
    language: str,
    time_zone: str | None = None,
    unsubscribe_link: str | None = None,
) -> Text:
    """Fill a workspace's own template; raises whatever it does not take of these facts.

    How to unsubscribe stands below it, whatever it says.
    """
    given = {**facts, "time_zone": time_zone, "unsubscribe_link": unsubscribe_link, "language": language}
    environment = _shipped(language)
    subject = " ".join(own_words.fill(source.subject, given, language=language, html=False).split())
    text = own_words.fill(source.text, given, language=language, html=False)
    inner = own_words.fill(source.html, given, language=language, html=True) if source.html else _as_html(text)
    html = environment.get_template("own.html").render(given, subject=subject, inner=Markup(inner))  # noqa: S704
    return Text(subject, _with_footer(environment, text, given), html)


def _with_footer(environment: Environment, text: str, given: Mapping[str, Any]) -> str:
    return f"{text.strip()}\n{environment.get_template('footer.txt').render(given)}"


def _as_html(text: str) -> str:
    paragraphs = [part for part in re.split(r"\n\s*\n", text.strip()) if part.strip()]
    linked = [str(urlize(part.strip(), rel="noopener")).replace("\n", "<br>\n") for part in paragraphs]
    return "\n".join(f"<p>{part}</p>" for part in linked)


def _require_seen(actor: Actor) -> None:
    if policy.scope(actor, MailTemplate) == NONE:
        raise Forbidden(action="see the words of mails")


def _checked(faults: Faults, kind: str, language: str) -> MailKind | None:
    found = KINDS.get(kind)
    if found is None:
        faults.add(Malformed(field="kind", what=f"a kind of mail: {', '.join(KINDS)}"))
    if language not in LANGUAGES:
        faults.add(Malformed(field="language", what=f"a language that we speak: {', '.join(LANGUAGES)}"))
    return found


async def _own(actor: Actor, kind: str, language: str, *, expected_version: int | None) -> MailTemplate | None:
    found = MailTemplate.filter(workspace_id=actor.workspace_id, kind=kind, language=language)
    row = await found.select_for_update(no_key=True).first()
    version = row.version if row else 0
    if expected_version is not None and version != expected_version:
        stale = Stale(noun="mail template", version=version, expected=expected_version, field="expectedVersion")
        stale.current = Known(KINDS[kind], language, row)
        raise stale
    return row


@lru_cache
def _shipped(language: str) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        trim_blocks=True,
        lstrip_blocks=True,
    )
    said = words(language)
    environment.install_gettext_callables(said.gettext, said.ngettext, newstyle=True)  # type: ignore[attr-defined]
    environment.filters |= filters(said)
    environment.globals["direction"] = "rtl" if reads_from_the_right(language) else "ltr"
    return environment
