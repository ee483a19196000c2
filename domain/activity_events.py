"""What is told of activities: of the lead, the company and the contact that one is about."""

from dataclasses import dataclass

from domain.events import Event


class LeadActivityLogged(Event):
    name = "lead.activity_logged"


class LeadActivityUpdated(Event):
    name = "lead.activity_updated"


class LeadActivityDeleted(Event):
    name = "lead.activity_deleted"


class LeadActivityRestored(Event):
    name = "lead.activity_restored"


class CompanyActivityLogged(Event):
    name = "company.activity_logged"


class CompanyActivityUpdated(Event):
    name = "company.activity_updated"


class CompanyActivityDeleted(Event):
    name = "company.activity_deleted"


class CompanyActivityRestored(Event):
    name = "company.activity_restored"


class ContactActivityLogged(Event):
    name = "contact.activity_logged"


class ContactActivityUpdated(Event):
    name = "contact.activity_updated"


class ContactActivityDeleted(Event):
    name = "contact.activity_deleted"


class ContactActivityRestored(Event):
    name = "contact.activity_restored"


@dataclass(frozen=True, slots=True)
class Told:
    """The events of one happening, by what it is about."""

    lead: type[Event]
    company: type[Event]
    contact: type[Event]


LOGGED = Told(LeadActivityLogged, CompanyActivityLogged, ContactActivityLogged)
UPDATED = Told(LeadActivityUpdated, CompanyActivityUpdated, ContactActivityUpdated)
DELETED = Told(LeadActivityDeleted, CompanyActivityDeleted, ContactActivityDeleted)
RESTORED = Told(LeadActivityRestored, CompanyActivityRestored, ContactActivityRestored)
