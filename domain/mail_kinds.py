"""What kinds of mail there are: the one page that names them, with the facts that their templates may speak of.

Each has templates `templates/mail/NAME.txt` (its first line is the subject) and `NAME.html`, whose words
`locales/` has in every language. A workspace may have its own in their place.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

SOON = datetime(2026, 3, 16, 9, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MailKind:
    """`sample` has an example of every fact: templates are tried and previewed with them.

    `account`: somebody asked for it just now and cannot do without, so it goes to suppressed addresses as well, and
    cannot be unsubscribed from.
    """

    name: str
    about: str
    sample: Mapping[str, Any]
    account: bool = False


def _reminder(title: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example of the facts that every reminder has; those that one lacks are None."""
    known = dict.fromkeys(("about", "due_at", "due_on", "owner", "stage", "since", "link"))
    told = {"workspace": "Acme", "name": "Ada Lovelace", "title": title, "about": "Solar roof"}
    return known | told | {"link": "https://crm.example/leads/1"} | dict(more)


KINDS: Mapping[str, MailKind] = {
    kind.name: kind
    for kind in (
        MailKind(
            "invitation",
            "Somebody is invited to the workspace.",
            {
                "workspace": "Acme",
                "inviter": "Grace Hopper",
                "role": "rep",
                "expires_at": SOON,
                "token": "t0ken",
                "link": "https://crm.example/accept-invitation?token=t0ken",
            },
            account=True,
        ),
        MailKind(
            "password_reset",
            "Somebody has asked for a new password.",
            {
                "workspace": "Acme",
                "name": "Ada Lovelace",
                "expires_at": SOON,
                "token": "t0ken",
                "link": "https://crm.example/reset-password?token=t0ken",
            },
            account=True,
        ),
        *(
            MailKind(name, about, _reminder(title, more))
            for name, about, title, more in (
                ("reminder", "A follow-up is due.", "Call Ada", {"due_at": SOON}),
                (
                    "escalation",
                    "A follow-up of somebody whom they lead is overdue.",
                    "Call Ada",
                    {"due_at": SOON, "owner": "Grace Hopper"},
                ),
                (
                    "lead_rotting",
                    "A lead has been in its stage for too long.",
                    "Solar roof",
                    {"stage": "Qualification", "since": SOON},
                ),
                (
                    "first_response_missed",
                    "Nobody has answered a lead in time.",
                    "Solar roof",
                    {"since": SOON},
                ),
            )
        ),
        MailKind(
            "reminder_digest",
            "What somebody is reminded of, once a day.",
            {
                "workspace": "Acme",
                "name": "Ada Lovelace",
                "day": SOON.date(),
                "items": [
                    {"kind": "reminder"} | _reminder("Call Ada", {"due_at": SOON}),
                    {"kind": "lead_rotting"} | _reminder("Solar roof", {"stage": "Qualification", "since": SOON}),
                ],
                "more": 0,
                "link": None,
            },
        ),
        MailKind(
            "survey",
            "A customer is asked, or reminded that they are.",
            {
                "workspace": "Acme",
                "name": "Ada Lovelace",
                "title": "How are we doing?",
                "intro": "",
                "question": "How likely are you to recommend Acme to a friend or colleague?",
                "answers": [
                    {"label": str(value), "link": f"https://crm.example/s/t0ken?a={value}"} for value in range(11)
                ],
                "least_label": "Not at all likely",
                "most_label": "Extremely likely",
                "reminder": False,
                "expires_at": SOON,
                "link": "https://crm.example/s/t0ken",
            },
        ),
    )
}
ACCOUNT = frozenset(name for name, kind in KINDS.items() if kind.account)
