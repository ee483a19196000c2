"""The words of mails: templates that ship with us, in every language that we speak, or a workspace's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context, select_autoescape
from jinja2.runtime import Context

from domain.words import Words, words

FOLDER = Path(__file__).parent.parent / "templates" / "mail"


@dataclass(frozen=True, slots=True)
class Text:
    """A mail's words: `subject` is one line, `html` says what `text` says."""

    subject: str
    text: str
    html: str


def shipped(
    kind: str,
    facts: Mapping[str, Any],
    *,
    language: str,
    time_zone: str | None = None,
    unsubscribe_link: str | None = None,
) -> Text:
    """Fill the templates `KIND.txt`, whose first line is the subject, and `KIND.html`, which escapes."""
    given = {"time_zone": time_zone, "unsubscribe_link": unsubscribe_link, "language": language, **facts}
    environment = _shipped(language)
    subject, _, text = environment.get_template(f"{kind}.txt").render(given).partition("\n")
    subject = " ".join(subject.split())
    html = environment.get_template(f"{kind}.html").render(given, subject=subject)
    return Text(subject, f"{text.strip()}\n{environment.get_template('footer.txt').render(given)}", html)


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
    return environment


def filters(said: Words) -> dict[str, Any]:
    """Return the filters that tell days and times in a language, on the clock of whoever reads."""

    @pass_context
    def moment(context: Context, value: datetime) -> str:
        return said.moment(value, context.get("time_zone"))

    @pass_context
    def clock(context: Context, value: datetime) -> str:
        return said.time(value, context.get("time_zone") or "UTC")

    return {"moment": moment, "date": said.date, "time": clock}
