"""What comments, files and activities hang on, by its id."""

import strawberry

from domain.subjects import SubjectKey
from models.companies import Company
from models.contacts import Contact
from models.leads import Lead
from schema import ids
from schema.filters import refuse

SUBJECTS: dict[str, type[Lead] | type[Company] | type[Contact]] = {
    "Lead": Lead,
    "Company": Company,
    "Contact": Contact,
}


def subject(value: strawberry.ID, *, field: str = "subjectId") -> SubjectKey:
    """Return which lead, company or contact a global id names; anything else is a client error."""
    try:
        noun, key = ids.parse(value)
        return SubjectKey(SUBJECTS[noun], key)
    except (ValueError, KeyError):
        raise refuse(f"{field} is not the id of a Lead, Company or Contact.") from None
