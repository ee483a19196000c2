"""Mails: written as RFC 5322 wants them, handed to an SMTP server, or put into the data folder where none is set."""

import asyncio
import os
import re
import time
from base64 import encodebytes
from binascii import b2a_qp
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from email.header import Header
from email.utils import format_datetime, parseaddr
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, Protocol
from urllib.parse import unquote, urlsplit
from uuid import UUID

import aiosmtplib
import idna
import structlog

from adapters.sending import Deferred, Refused, Unavailable
from settings import settings

CONNECT_SECONDS = 10.0
COMMAND_SECONDS = 30.0
MAIL_SECONDS = 90.0
TLS_PORT, SUBMISSION_PORT, PLAIN_PORT = 465, 587, 25
# A connection that lay idle is tried before it is used, closed after a while, and replaced after so many mails.
TRIED_AFTER_SECONDS, IDLE_SECONDS = 5.0, 30.0
MAILS_A_CONNECTION = 100
# RFC 3463: the mailbox or its domain does not exist, or is there no more. Else a refusal says that they would not
# have this mail of us, which is no reason never to write again.
NOBODY_THERE = re.compile(r"5\.(1\.[0-36]|1\.10|2\.1|4\.4)\b")
ENHANCED = re.compile(r"\b5\.\d{1,3}\.\d{1,3}\b")
NOBODY_CODES = frozenset({550, 551, 553})
OF_US = re.compile(r"relay|auth|spam|block|black|polic|reputation|denied|\bspf\b|dkim|dmarc|quota|full|rate", re.I)
# An address that needs no quotes, in ASCII or not (RFC 5322, RFC 6531), and a host that IDNA does not know.
LOCAL = re.compile(r'[^\s"(),:;<>@\[\]\\.]+(\.[^\s"(),:;<>@\[\]\\.]+)*')
HOST = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
SUBJECT_CHARACTERS, NAME_CHARACTERS = 250, 100
SETUP_CODES = frozenset({530, 534, 535, 538})

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Recipient:
    email: str
    name: str = ""


class Text(Protocol):
    """A mail's words: `subject` is one line, `html` says what `text` says."""

    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it goes out; `utf8`: to an address that only servers with SMTPUTF8 know."""

    sender: str
    to: str
    key: UUID
    content: bytes
    utf8: bool


@dataclass(frozen=True, slots=True)
class Attached:
    """A file that goes with a mail; its name is ASCII."""

    name: str
    content_type: str
    content: bytes


def write(
    to: Recipient,
    words: Text,
    *,
    key: UUID,
    now: datetime,
    unsubscribe: str | None = None,
    language: str | None = None,
    reply_to: Recipient | None = None,
    files: Sequence[Attached] = (),
) -> Mail:
    """Return a mail whose Message-ID follows from `key`, so that a mail sent twice is known as one.

    `unsubscribe` is the address that takes a POST to end such mails (RFC 8058). Raises Refused for an address that
    no mail can be sent to.
    """
    sender_name, sender = _sender()
    address = deliverable(to.email)
    headers = {
        "From": _mailbox(sender_name, sender),
        "To": _mailbox(to.name, address),
        "Subject": _encoded(one_line(words.subject)[:SUBJECT_CHARACTERS]),
        "Date": format_datetime(now),
        "Message-ID": message_id(key),
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": f'multipart/alternative; boundary="=_{key.hex}"',
    }
    if reply_to and (answers := _plain(reply_to.email)):
        headers["Reply-To"] = _mailbox(reply_to.name, answers)
    if language:
        headers["Content-Language"] = language
    if unsubscribe:
        headers |= {"List-Unsubscribe": f"<{unsubscribe}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
    body = _spoken(words, key)
    if files:
        body = _with_files(headers, body, files, key)
    lines = [f"{name}: {value}".encode() for name, value in headers.items()]
    return Mail(sender, address, key, b"\r\n".join([*lines, *body, b""]), not address.isascii())


def _plain(address: str) -> str | None:
    """Return an address that every server takes in a header; None for any other."""
    with suppress(Refused):
        known = deliverable(address)
        return known if known.isascii() else None
    return None


def _spoken(words: Text, key: UUID) -> list[bytes]:
    """Return a mail's words as the two parts of an alternative."""
    lines: list[bytes] = []
    for kind, content in (("plain", words.text), ("html", words.html)):
        # In quoted-printable no line begins like this boundary.
        part = f'--=_{key.hex}\r\nContent-Type: text/{kind}; charset="utf-8"'
        lines += [b"", f"{part}\r\nContent-Transfer-Encoding: quoted-printable".encode(), b"", _quoted(content)]
    return [*lines, b"", f"--=_{key.hex}--".encode()]


def _with_files(headers: dict[str, str], body: list[bytes], files: Sequence[Attached], key: UUID) -> list[bytes]:
    """Return a body with files beside it, of which the headers then tell; base64 has no line like the boundary."""
    alternative, boundary = headers["Content-Type"], f"=_{key.hex}-files"
    headers["Content-Type"] = f'multipart/mixed; boundary="{boundary}"'
    lines = [b"", f"--{boundary}\r\nContent-Type: {alternative}".encode(), *body]
    for file in files:
        part = (
            f'--{boundary}\r\nContent-Type: {file.content_type}; name="{file.name}"\r\n'
            f'Content-Disposition: attachment; filename="{file.name}"\r\nContent-Transfer-Encoding: base64'
        )
        lines += [b"", part.encode(), b"", encodebytes(file.content).replace(b"\n", b"\r\n").rstrip(b"\r\n")]
    return [*lines, b"", f"--{boundary}--".encode()]


def message_id(key: UUID) -> str:
    """Return the Message-ID of what this key names."""
    return f"<{key}@{_sender()[1].rpartition('@')[2] or 'localhost'}>"


def deliverable(address: str) -> str:
    """Return an address with its domain in ASCII; raises Refused for what is none."""
    local, _, domain = address.strip().rpartition("@")
    try:
        ascii_domain = idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        ascii_domain = domain if HOST.fullmatch(domain) else ""
    if not LOCAL.fullmatch(local) or not local.isprintable() or not ascii_domain:
        raise Refused(f"{one_line(address)} is no address that mail can be sent to.")
    return f"{local}@{ascii_domain}"


def one_line(text: str) -> str:
    """Return a text without what would end a header's line, or is no character at all."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())


def _mailbox(name: str, address: str) -> str:
    name = one_line(name)[:NAME_CHARACTERS]
    if not name:
        return address
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f"{_encoded(name)} <{address}>" if not name.isascii() else f'"{escaped}" <{address}>'


def _encoded(text: str) -> str:
    """Return a header's text in ASCII, folded (RFC 2047)."""
    # What looks like an encoded word is one, unless it is encoded itself.
    plain = text.isascii() and "=?" not in text
    return (
        text if plain else Header(text, "utf-8", maxlinelen=70, header_name="List-Unsubscribe").encode(linesep="\r\n")
    )


def _quoted(content: str) -> bytes:
    lines = content.encode(errors="replace").splitlines()
    return b2a_qp(b"\r\n".join(lines))


async def send(mail: Mail) -> None:
    """Hand a mail to the server of SMTP_URL, or write it into the data folder.

    Raises Refused, Deferred or Unavailable.
    """
    if settings().smtp_url:
        await _lines().send(mail)
        logger.debug("mail sent", to=mail.to, message_id=message_id(mail.key))
    else:
        path = await asyncio.to_thread(_save, mail, settings().data_dir / "mail")
        logger.info(f"mail written to {path}, since SMTP_URL is empty", to=mail.to)


async def close() -> None:
    """Close this process's connections to the mail server."""
    for lines in list(_known.values()):
        await lines.close()
    _known.clear()


@dataclass(slots=True)
class Line:
    """A connection to a mail server, and how far the mail is that it is handed."""

    client: aiosmtplib.SMTP
    mails: int = 0
    used_at: float = field(default_factory=time.monotonic)

    @property
    def is_fresh(self) -> bool:
        return self.mails == 0


class Lines:
    """The connections of one process and loop to one mail server, at most `most` of them, used again and again."""

    def __init__(self, url: str, *, most: int) -> None:
        self._options = _options(url)
        self._turns = asyncio.Semaphore(most)
        self._idle: deque[Line] = deque()
        self._closing: asyncio.Task[None] | None = None

    async def send(self, mail: Mail) -> None:
        """Hand a mail over; raises Refused, Deferred or Unavailable."""
        async with self._turns:
            while True:
                line = await self._taken()
                try:
                    await self._hand_over(line, mail)
                except _Stale:
                    continue
                return

    async def close(self) -> None:
        """Close the idle connections."""
        if self._closing:
            self._closing.cancel()
        while self._idle:
            await _ended(self._idle.popleft())

    async def _hand_over(self, line: Line, mail: Mail) -> None:
        """Send a mail on a connection, and keep the connection where it can be used again."""
        stage = _Stage()
        usable = False
        try:
            async with asyncio.timeout(MAIL_SECONDS):
                await _speak(line.client, mail, stage)
            usable = True
        except TimeoutError as error:
            raise Deferred(f"The mail server took longer than {MAIL_SECONDS:.0f} s.", uncertain=stage.data) from error
        except aiosmtplib.SMTPResponseException as refused:
            told = _told(refused)
            usable = refused.code != 421 and await _reset(line)
            if refused.code == 421 and not line.is_fresh and not stage.data:
                raise _Stale from refused
            raise _verdict(refused.code, told, stage) from refused
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError) as error:
            if not line.is_fresh and not stage.data and not isinstance(error, aiosmtplib.SMTPTimeoutError):
                # It was closed while it lay idle, which says nothing of this mail.
                raise _Stale from error
            raise Deferred(f"The connection broke off: {error}", uncertain=stage.data) from error
        finally:
            if usable:
                self._keep(line)
            else:
                line.client.close()

    async def _taken(self) -> Line:
        """Return a connection that works; raises Unavailable."""
        while self._idle:
            line = self._idle.pop()
            if line.client.is_connected and await _answers(line):
                return line
            line.client.close()
        return await self._opened()

    async def _opened(self) -> Line:
        client = aiosmtplib.SMTP(**self._options, timeout=COMMAND_SECONDS)
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                await client.connect()
                await client._ehlo_or_helo_if_needed()
        except aiosmtplib.SMTPAuthenticationError as error:
            raise Unavailable(f"The mail server refuses our name or password: {_told(error)}") from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client.close()
            told = _told(error) if isinstance(error, aiosmtplib.SMTPResponseException) else str(error)
            raise Unavailable(f"The mail server cannot be reached: {told or type(error).__name__}") from error
        except BaseException:
            client.close()
            raise
        return Line(client)

    def _keep(self, line: Line) -> None:
        line.mails += 1
        line.used_at = time.monotonic()
        if line.mails >= MAILS_A_CONNECTION:
            asyncio.get_running_loop().create_task(_ended(line))
            return
        self._idle.append(line)
        if self._closing is None or self._closing.done():
            self._closing = asyncio.get_running_loop().create_task(self._close_idle())

    async def _close_idle(self) -> None:
        while self._idle:
            await asyncio.sleep(IDLE_SECONDS / 2)
            # The one used last is taken first, so those that are not needed gather at the front.
            while self._idle and time.monotonic() - self._idle[0].used_at > IDLE_SECONDS:
                await _ended(self._idle.popleft())


class _Stale(Exception):
    """The connection had ended before the mail was handed over: another one may work."""


@dataclass(slots=True)
class _Stage:
    """How far a mail is. After `data`, the server may have it whatever happens."""

    name: Literal["MAIL", "RCPT", "DATA"] = "MAIL"
    data: bool = False


async def _speak(client: aiosmtplib.SMTP, mail: Mail, stage: _Stage) -> None:
    options, encoding = [], "ascii"
    if mail.utf8:
        if not client.supports_extension("smtputf8"):
            raise Refused(f"{mail.to} needs SMTPUTF8, which our mail server does not speak.")
        options, encoding = ["SMTPUTF8", "BODY=8BITMIME"], "utf-8"
    await client.mail(mail.sender, options=options, encoding=encoding)
    stage.name = "RCPT"
    await client.rcpt(mail.to, encoding=encoding)
    stage.name, stage.data = "DATA", True
    await client.data(mail.content)


def _verdict(code: int, told: str, stage: _Stage) -> Exception:
    """Return what an answer of the mail server means: for this mail, or for all of them."""
    if code in SETUP_CODES:
        return Unavailable(f"The mail server wants us to sign in otherwise: {told}")
    if code < 500:
        return Deferred(f"The mail server says later: {told}")
    if stage.name == "MAIL" and code != 552:
        return Unavailable(f"The mail server does not take mails from {_sender()[1]}: {told}")
    return Refused(f"The mail server refuses it: {told}", bounced=stage.name == "RCPT" and _is_nobody(code, told))


def _is_nobody(code: int, told: str) -> bool:
    if ENHANCED.search(told):
        return NOBODY_THERE.search(told) is not None
    return code in NOBODY_CODES and OF_US.search(told) is None


def _told(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {' '.join(error.message.split())}"


async def _answers(line: Line) -> bool:
    """Say whether a connection works still; one used just now is believed to."""
    if time.monotonic() - line.used_at < TRIED_AFTER_SECONDS:
        return True
    with suppress(aiosmtplib.SMTPException, OSError):
        return (await line.client.noop(timeout=CONNECT_SECONDS)).code == 250
    return False


async def _reset(line: Line) -> bool:
    """Make a connection forget the mail that was refused; say whether it did."""
    with suppress(aiosmtplib.SMTPException, OSError):
        return (await line.client.rset(timeout=CONNECT_SECONDS)).code == 250
    return False


async def _ended(line: Line) -> None:
    with suppress(aiosmtplib.SMTPException, OSError):
        await line.client.quit(timeout=CONNECT_SECONDS)
    line.client.close()


_known: dict[tuple[str, asyncio.AbstractEventLoop], Lines] = {}


def _lines() -> Lines:
    key = settings().smtp_url, asyncio.get_running_loop()
    if key not in _known:
        _known[key] = Lines(settings().smtp_url, most=settings().smtp_connections)
    return _known[key]


def _options(url: str) -> dict[str, Any]:
    """Return how to connect: by `smtp://` (STARTTLS where offered, always on port 587) or `smtps://` (TLS at once)."""
    parts = urlsplit(url)
    secure = parts.scheme == "smtps"
    port = parts.port or (TLS_PORT if secure else SUBMISSION_PORT if parts.username else PLAIN_PORT)
    return {
        "hostname": parts.hostname,
        "port": port,
        "username": unquote(parts.username) if parts.username else None,
        "password": unquote(parts.password) if parts.password else None,
        "use_tls": secure,
        "start_tls": False if secure else True if port == SUBMISSION_PORT else None,
    }


def _save(mail: Mail, folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = folder.absolute() / f"{mail.key}.eml"
    unfinished = path.with_suffix(f".{os.getpid()}.unfinished")
    unfinished.write_bytes(mail.content)
    unfinished.chmod(0o600)
    unfinished.replace(path)
    return path


def _sender() -> tuple[str, str]:
    return _parsed(settings().mail_from)


@lru_cache
def _parsed(sender: str) -> tuple[str, str]:
    return parseaddr(sender)
