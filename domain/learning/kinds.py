"""Kinds of columns, apart from numpy: what serves requests knows them without it."""

from enum import StrEnum


class ColumnKind(StrEnum):
    """NUMBER: floats, NaN where unknown. CATEGORY: a text or None. SET: texts. WORDS: a text that people wrote."""

    NUMBER = "NUMBER"
    CATEGORY = "CATEGORY"
    SET = "SET"
    WORDS = "WORDS"


# What forms and exports say where nobody answered.
PLACEHOLDERS = frozenset(
    {"", "-", "--", "?", "n/a", "na", "nan", "none", "null", "nil", "select", "please select", "unknown", "not known"}
    | {"not provided", "not specified", "unspecified", "undefined", "not set", "(blank)", "blank", "#n/a", "tbd"}
)

# The form in which learned models are kept, and the kinds of their terms.
FORMAT = 1
TERM_KINDS = frozenset({"linear", "steps", "levels", "flags"})
