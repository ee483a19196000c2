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
    cannot be unsubscribed from. `essential`: a seller sends it on purpose, or it answers what its reader did; whoever
    unsubscribed gets it as well, and no link to unsubscribe stands below it, but no address gets it where nobody is.
    """

    name: str
    about: str
    sample: Mapping[str, Any]
    account: bool = False
    essential: bool = False


def _reminder(title: str, more: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example of the facts that every reminder has; those that one lacks are None."""
    known = dict.fromkeys(("about", "due_at", "due_on", "owner", "stage", "since", "link"))
    told = {"workspace": "Acme", "name": "Ada Lovelace", "title": title, "about": "Solar roof"}
    return known | told | {"link": "https://crm.example/leads/1"} | dict(more)


def _sale(**more: Any) -> dict[str, Any]:
    """Return an example of the facts that every mail of a sale has, and of its own."""
    told = {"workspace": "Acme", "name": "Ada Lovelace", "sender": "Grace Hopper", "title": "Solar roof"}
    return told | {"number": "2026-0042", "total": "€11,900.00", "link": "https://crm.example/p/t0ken"} | more


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
        *(
            MailKind(name, about, _sale(**more), essential=name not in {"proposal_ending", "payment_reminder"})
            for name, about, more in (
                (
                    "proposal",
                    "A proposal is sent to a customer; its next version, too.",
                    {"version": 1, "message": "As we discussed.", "valid_until": SOON.date()},
                ),
                ("proposal_ending", "A proposal that was not answered soon expires.", {"valid_until": SOON.date()}),
                (
                    "proposal_answer",
                    "A customer's question about a proposal is answered.",
                    {"question": "When can you begin?", "answer": "In April."},
                ),
                (
                    "proposal_accepted",
                    "A proposal was accepted: what its customer keeps of it.",
                    {"by": "Ada Lovelace", "accepted_at": SOON},
                ),
                ("negotiation_opened", "A customer is asked to negotiate.", {"respond_by": SOON}),
                (
                    "negotiation_offer",
                    "The seller has made an offer, and it is the customer's turn.",
                    {"round": 3, "message": "Our best price.", "respond_by": SOON},
                ),
                ("negotiation_agreed", "Both sides have agreed on terms.", {}),
                ("negotiation_ended", "The seller has broken off a negotiation.", {"message": "Sold to others."}),
                ("contract_ready", "A contract is ready to be signed.", {}),
                ("contract_signed", "Both sides have signed a contract.", {}),
                ("invoice", "An invoice is issued.", {"due_on": SOON.date(), "bank": "DE02 1203 0000 0000 2020 51"}),
                (
                    "credit_note",
                    "An invoice is credited, whole or in part.",
                    {"invoice": "INV-2026-0042", "message": "One panel was returned."},
                ),
                (
                    "payment_reminder",
                    "An invoice is overdue.",
                    {
                        "due_on": SOON.date(),
                        "balance": "€1,900.00",
                        "reminder": 1,
                        "bank": "DE02 1203 0000 0000 2020 51",
                    },
                ),
                ("payment_received", "A payment has come.", {"amount": "€10,000.00", "balance": "€1,900.00"}),
            )
        ),
    )
}
ACCOUNT = frozenset(name for name, kind in KINDS.items() if kind.account)
UNENDING = ACCOUNT | frozenset(name for name, kind in KINDS.items() if kind.essential)
