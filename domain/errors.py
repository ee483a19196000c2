"""What the domain refuses: one class a reason, whose docstring is the message and whose name is the code."""

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

WRITTEN = {"api key": "API key", "follow up": "follow-up", "hand over": "hand-over"}


def code_of(name: str) -> str:
    """Return a class name as a code: NotFound as NOT_FOUND."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).upper()


def words_of(name: str) -> str:
    """Return a class name as people write it: SavedView as "saved view"."""
    words = code_of(name).replace("_", " ").lower()
    return WRITTEN.get(words, words)


class DomainError(Exception):
    """Something that a caller can mend."""

    code: ClassVar[str] = "DOMAIN_ERROR"

    def __init__(self, *, field: tuple[str, ...] | str | None = None, **facts: Any) -> None:
        self.field = tuple(field.split(".")) if isinstance(field, str) else field
        self.facts = facts
        super().__init__(self._written(".".join(self.field or ())))

    def __init_subclass__(cls) -> None:
        if "code" not in cls.__dict__:
            cls.code = code_of(cls.__name__)

    @property
    def message(self) -> str:
        return str(self)

    def call(self, name: str) -> None:
        """Have the message call the field what people call it; its path stays."""
        self.args = (self._written(name),)

    def _written(self, name: str) -> str:
        return " ".join((type(self).__doc__ or "").split()).format(**{"field": name, **self.facts})


class NotFound(DomainError):
    """There is no {noun} with this id, or you may not see it."""


class Forbidden(DomainError):
    """You may not do this: {action}."""


class Stale(DomainError):
    """The {noun} was changed by someone else: it is at version {version}, you edited version {expected}.

    Load it again and repeat your change.
    """

    current: Any = None


class Conflict(DomainError):
    """{reason}"""


class AlreadyExists(DomainError):
    """Another {noun} has this {what} already."""


class Required(DomainError):
    """{field} is required."""


class TooLong(DomainError):
    """{field} has {length} characters; at most {limit} are allowed."""


class OutOfRange(DomainError):
    """{field} must be between {least} and {most}."""


class Malformed(DomainError):
    """{field} is not {what}."""


class Invalid(DomainError):
    """The input has {count} faults."""

    def __init__(self, faults: list[DomainError]) -> None:
        self.faults = faults
        super().__init__(count=len(faults))


class Faults:
    """Faults of one input, collected and raised together."""

    def __init__(self) -> None:
        self._faults: list[DomainError] = []

    def add(self, fault: DomainError) -> None:
        self._faults.append(fault)

    def extend(self, faults: Iterable[DomainError]) -> None:
        self._faults.extend(faults)

    def __iter__(self) -> Iterator[DomainError]:
        return iter(self._faults)

    def raise_any(self) -> None:
        """Raise what was collected: the fault itself where it is one, Invalid where they are several."""
        raise_all(self._faults)


def raise_all(faults: list[DomainError]) -> None:
    """Raise faults together: the fault itself where it is one, Invalid where they are several."""
    if len(faults) == 1:
        raise faults[0]
    if faults:
        raise Invalid(faults)


def all_errors() -> list[type[DomainError]]:
    """Return the error classes that are imported, by code; of those that share one, that which it is named after."""
    found: dict[str, type[DomainError]] = {}
    pending = [DomainError]
    while pending:
        for error in pending.pop().__subclasses__():
            if error.code == code_of(error.__name__):
                found[error.code] = error
            pending.append(error)
    return [found[code] for code in sorted(found)]


class Internal(DomainError):
    """Something went wrong on our side: {what}."""


class BadUserInput(DomainError):
    """What was sent is not what the API takes: {reason}"""


class Unauthenticated(DomainError):
    """Sign in first: send an access token or an API key as `Authorization: Bearer …`."""


class TokenExpired(Unauthenticated):
    """The access token has expired: refresh it and try again."""

    code = "UNAUTHENTICATED"


class RateLimited(DomainError):
    """Too many attempts: try again in {seconds} s."""
