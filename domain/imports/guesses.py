"""What a column holds that no mapping names, told by its cells: a number, a day, yes and no, or texts."""

import re
from dataclasses import dataclass, field

from domain import custom_values
from domain.imports.formats import NUMERIC_DATE, SCIENTIFIC, YEAR_FIRST, Evidence
from domain.learning.kinds import PLACEHOLDERS
from models.custom_fields import CustomFieldType

# Digits that begin with a zero, such as those of phones and postcodes, are no number, nor are those of a timestamp.
PLAIN_NUMBER = re.compile(
    r"(?P<before>[$€£¥]|[A-Z]{3})?\s?[+-]?(?:(?:0|[1-9]\d{0,17}|[1-9]\d{0,2}(?:[ ,.]\d{3})+)(?:[.,]\d+)?|[.,]\d+)"
    r"\s?(?P<after>[%€$]|[A-Z]{3})?"
)
ISO_DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d.*)?")
YES_NO = frozenset({"yes", "no", "true", "false"})


@dataclass(slots=True)
class Guess:
    """A column whose cells are seen one after the other; `evidence` is what its days and numbers say of the file."""

    evidence: Evidence = field(default_factory=Evidence)
    _could: set[CustomFieldType] = field(
        default_factory=lambda: {CustomFieldType.NUMBER, CustomFieldType.DATE, CustomFieldType.YES_NO}
    )
    _seen: bool = False
    _units: set[str | None] = field(default_factory=set)

    def see(self, text: str) -> None:
        """Look at a cell that says something."""
        if text.casefold() in PLACEHOLDERS or (not self._could and self._seen):
            return
        self._seen = True
        if CustomFieldType.YES_NO in self._could and text.casefold() not in YES_NO:
            self._could.discard(CustomFieldType.YES_NO)
        if CustomFieldType.DATE in self._could:
            self._see_day(text)
        if CustomFieldType.NUMBER in self._could:
            self._see_number(text)

    def _see_day(self, text: str) -> None:
        if NUMERIC_DATE.match(text):
            self.evidence.see_date(text)
        elif not ISO_DATE.fullmatch(text) and not YEAR_FIRST.match(text):
            self._could.discard(CustomFieldType.DATE)

    def _see_number(self, text: str) -> None:
        if len(text) > custom_values.NUMBER_CHARACTERS:
            self._could.discard(CustomFieldType.NUMBER)
        elif found := PLAIN_NUMBER.fullmatch(text):
            self._units.add(found["before"] or found["after"])
            self.evidence.see_number(text)
            if len(self._units - {None}) > 1:
                # Dollars and euros are no numbers of one kind.
                self._could.discard(CustomFieldType.NUMBER)
        elif not SCIENTIFIC.match(text):
            self._could.discard(CustomFieldType.NUMBER)

    @property
    def says_anything(self) -> bool:
        """Say whether any cell did."""
        return self._seen

    @property
    def type(self) -> CustomFieldType:
        """Return the type of a custom field that takes these cells."""
        fitting = self._could if self._seen else set()
        for kind in (CustomFieldType.YES_NO, CustomFieldType.DATE, CustomFieldType.NUMBER):
            if kind in fitting:
                return kind
        return CustomFieldType.TEXT
