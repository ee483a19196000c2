"""Mails: composed from a template, sent by SMTP, or written into the data folder where no server is set."""

import asyncio
import os
import re
from dataclasses import dataclass
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP as SMTP_LINES
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib
import structlog
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from settings import settings

TEMPLATES = Path(__file__).parent.parent / "templates" / "mail"
SEND_SECONDS = 30.0
TLS_PORT, SUBMISSION_PORT, PLAIN_PORT = 465, 587, 25

logger = structlog.get_logger(__name__)


class MailRefused(Exception):
    """The mail server will never take this mail; sending it again would not help."""


@dataclass(frozen=True, slots=True)
class Recipient:
    email: str
    name: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A mail's words: `subject` is one line, `html` says what `text` says."""

    subject: str
    text: str
    html: str


def render(template: str, **facts: Any) -> Text:
    """Fill the templates `NAME.txt`, whose first line is the subject, and `NAME.html`, which escapes."""
    subject, _, text = _templates().get_template(f"{template}.txt").render(facts).partition("\n")
    return Text(
        subject=" ".join(subject.split()),
        text=text.strip() + "\n",
        html=_templates().get_template(f"{template}.html").render(facts, subject=subject.strip()),
    )


def compose(to: Recipient, words: Text, *, key: UUID, now: datetime) -> EmailMessage:
    """Return a mail whose Message-ID follows from `key`, so that a mail sent twice is known as one."""
    sender_name, sender = parseaddr(settings().mail_from)
    message = EmailMessage(policy=SMTP_LINES)
    message["From"] = Address(sender_name, addr_spec=sender)
    message["To"] = Address(_one_line(to.name), addr_spec=to.email)
    message["Subject"] = words.subject
    message["Date"] = format_datetime(now)
    message["Message-ID"] = f"<{key}@{sender.rpartition('@')[2] or 'localhost'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(words.text)
    message.add_alternative(words.html, subtype="html")
    return message


async def send(message: EmailMessage) -> None:
    """Hand a mail to the server of SMTP_URL, or write it into the data folder.

    Raises MailRefused where the server says never, another exception where it may work later.
    """
    if settings().smtp_url:
        await _send(message, settings().smtp_url)
        logger.info("mail sent", to=str(message["To"]), message_id=str(message["Message-ID"]))
    else:
        path = await asyncio.to_thread(_write, message, settings().data_dir / "mail")
        logger.info(f"mail written to {path}, since SMTP_URL is empty", to=str(message["To"]))


async def _send(message: EmailMessage, url: str) -> None:
    """Send by `smtp://` (STARTTLS where the server offers it, always on port 587) or `smtps://` (TLS at once)."""
    parts = urlsplit(url)
    secure = parts.scheme == "smtps"
    port = parts.port or (TLS_PORT if secure else SUBMISSION_PORT if parts.username else PLAIN_PORT)
    try:
        await aiosmtplib.send(
            message,
            hostname=parts.hostname,
            port=port,
            username=unquote(parts.username) if parts.username else None,
            password=unquote(parts.password) if parts.password else None,
            use_tls=secure,
            start_tls=False if secure else True if port == SUBMISSION_PORT else None,
            timeout=SEND_SECONDS,
        )
    except aiosmtplib.SMTPRecipientsRefused as refused:
        if all(one.code >= 500 for one in refused.recipients):
            raise MailRefused(str(refused)) from refused
        raise
    except aiosmtplib.SMTPAuthenticationError:
        # Our own password is wrong: somebody will set it right, and the mail is not to blame.
        raise
    except aiosmtplib.SMTPResponseException as refused:
        if refused.code >= 500:
            raise MailRefused(str(refused)) from refused
        raise


def _write(message: EmailMessage, folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    name = re.sub(r"[^A-Za-z0-9.@-]", "_", str(message["Message-ID"]).strip("<>").partition("@")[0])
    path = folder.absolute() / f"{name}.eml"
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.write_bytes(message.as_bytes())
    unfinished.chmod(0o600)
    unfinished.replace(path)
    return path


@lru_cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _one_line(name: str) -> str:
    return " ".join(name.split())
