"""A real mail server within the test: it remembers what it took, and refuses, hangs and breaks off as it is told to."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult

HANG, BREAK_OFF = "hang", "break off"


class Letterbox:
    """Its mails and how it was spoken to.

    It answers to a mail with the next of `answers`, and takes it when there is none. An answer may be HANG (until
    `calm` is set) or BREAK_OFF; `takes_first` keeps the mail before that.
    """

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[str] = []
        self.answers: list[str] = []
        self.sender_answers: list[str] = []
        self.connections = 0
        self.takes_first = False
        self.calm = asyncio.Event()
        self.url = ""

    async def handle_EHLO(self, _server: Any, session: Any, _envelope: Any, hostname: str, responses: Any) -> Any:
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, options: Any) -> str:
        if self.sender_answers:
            return self.sender_answers.pop(0)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer == "250 OK" or self.takes_first:
            self.mails.append(parsed(envelope.content))
            self.recipients += envelope.rcpt_tos
        if answer == HANG:
            await self.calm.wait()
            return "451 that took long"
        if answer == BREAK_OFF:
            server.transport.abort()
            return "250 nobody hears this"
        return answer

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, _options: Any) -> str:
        if address.startswith("nobody@"):
            return "550 no such user"
        if address.startswith("blocked@"):
            return "550 5.7.1 blocked by policy"
        if address.startswith("busy@"):
            return "451 try later"
        envelope.rcpt_tos.append(address)
        return "250 OK"


@asynccontextmanager
async def open_letterbox(*, utf8: bool = True, password: str | None = None) -> AsyncIterator[Letterbox]:
    """Open a server, which wants a password if it is given one."""
    box = Letterbox()
    loop = asyncio.get_running_loop()

    def authenticated(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
        return AuthResult(success=data.password.decode() == password, handled=False)

    signing_in: dict[str, Any] = {"authenticator": authenticated, "auth_required": True, "auth_require_tls": False}

    def serve() -> SMTP:
        return SMTP(box, enable_SMTPUTF8=utf8, loop=loop, **(signing_in if password else {}))

    server = await loop.create_server(serve, "127.0.0.1", 0)
    box.url = f"smtp://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield box
    finally:
        box.calm.set()
        server.close()


def parsed(content: bytes) -> EmailMessage:
    return email.message_from_bytes(content, policy=email.policy.default)


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part
    return str(part.get_content()).replace("\r\n", "\n")
