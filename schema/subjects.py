"""What comments, files and activities hang on, by its id."""

import strawberry

from domain.subjects import SubjectKey, SubjectNoun
from models.companies import Company as CompanyRow
from models.contacts import Contact as ContactRow
from models.leads import Lead as LeadRow
from schema import ids
from schema.filters import refuse

NOUNS: dict[str, SubjectNoun] = {"Lead": LeadRow, "Company": CompanyRow, "Contact": ContactRow}


def subject(value: strawberry.ID, *, field: str = "subjectId") -> SubjectKey:
    """Return which lead, company or contact a global id names; anything else is a client error."""
    try:
        noun, key = ids.parse(value)
        return SubjectKey(NOUNS[noun], key)
    except (ValueError, KeyError):
        raise refuse(f"{field} is not an id of type Lead, Company or Contact.") from None
