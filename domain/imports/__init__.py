"""Imports: files of leads, companies, products and users, taken by chunks through COPY, each chunk whole or not at all.

`start` has a worker import an uploaded file; `begin` makes or finds an import, and `run` takes the rows that no
earlier run has taken. A row is known again by the reference that the mapping's system gives it; what it said is kept
with the reference, field by field, so that the same file changes nothing, whatever people edited since, and a changed
file changes what changed in it.
"""

from domain.imports.errors import ImportTaken
from domain.imports.files import fingerprint
from domain.imports.mapping import load
from domain.imports.operators import importer_of, operator
from domain.imports.runs import begin, fail, progress, reason, run, start
from domain.imports.suggestions import suggest

__all__ = [
    "ImportTaken",
    "begin",
    "fail",
    "fingerprint",
    "importer_of",
    "load",
    "operator",
    "progress",
    "reason",
    "run",
    "start",
    "suggest",
]
