"""The mark of an argument that was not given, where None means: clear it."""

from enum import Enum
from typing import Final, TypeVar


class Unset(Enum):
    UNSET = "UNSET"


UNSET: Final = Unset.UNSET
T = TypeVar("T")


def given(**values: object) -> dict[str, object]:
    """Return those values that were given."""
    return {name: value for name, value in values.items() if value is not UNSET}
