"""What is refused of a file or of its mapping before a row is taken."""

from domain.errors import DomainError


class EmptyFile(DomainError):
    """The file is empty."""


class NotCsv(DomainError):
    """The file is not CSV: it looks like {what}."""


class UnreadableText(DomainError):
    """The file cannot be read as {encoding} near line {line}: name its encoding in the mapping under file."""


class TooManyColumns(DomainError):
    """The file has {count} columns; at most {limit} are allowed."""


class CellTooLarge(DomainError):
    """Line {line} has a cell of more than {limit} characters."""


class LineTooLong(DomainError):
    """Line {line} has more than {limit} characters."""


class BrokenQuotes(DomainError):
    """The quotes that open on line {line} are not closed as CSV wants it, and swallow the lines that follow."""


class MissingColumn(DomainError):
    """The file has no column {column}; it has {columns}."""


class DuplicateColumn(DomainError):
    """The file has more than one column {column}."""


class AmbiguousDates(DomainError):
    """The dates in {columns} can be read month first and day first: say which in the mapping under file, dates."""


class AmbiguousNumbers(DomainError):
    """The numbers in {columns} can be read with a decimal point and with a decimal comma.

    Say which in the mapping under file, decimal.
    """


class BrokenMapping(DomainError):
    """The mapping is not readable as YAML: {reason}"""


class UnknownMappingKey(DomainError):
    """The mapping has {key} under {where}, where only {known} are known."""


class UnknownImportField(DomainError):
    """The mapping fills {name}, which {kind} do not have; they have {known}."""


class MappingIncomplete(DomainError):
    """The mapping lacks {what}."""


class MappingUnclear(DomainError):
    """The mapping says {value} for {where}, where {wanted} is wanted."""


class UnknownPipeline(DomainError):
    """The mapping names the pipeline {name}, which does not exist; there are {known}."""


class UnknownImportStage(DomainError):
    """The mapping names the stage {name}, which the pipeline {pipeline} does not have; it has {known}."""


class StageContradictsStatus(DomainError):
    """The mapping puts {status} leads into the stage {stage}, but won leads alone stand in follow-up stages."""


class UnknownName(DomainError):
    """The mapping names the {noun} {name}, which does not exist."""


class ImportTaken(DomainError):
    """Another process is taking the rows of this import."""


class ImportKindMismatch(DomainError):
    """The mapping is for {kind}, not for {wanted}."""
