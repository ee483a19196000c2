"""How values of custom fields are read in SQL, by queries and by the indexes that serve them.

A field's key in the column `custom` is its id as 32 hex digits, the one thing that stands in the text of a statement:
an index on an expression serves only the very same expression. Whatever people have written is a bound parameter.
No expression fails on a value of another type, so that a type can change while its old index still stands.
"""

from uuid import UUID

from models.custom_fields import CustomField, CustomFieldOwner, CustomFieldType

TABLES = {owner: owner.value.lower() for owner in CustomFieldOwner}
TEXTS = (CustomFieldType.TEXT, CustomFieldType.URL)
# An index takes no more than a third of a page a row; what is longer is ordered by its beginning.
ORDERED_CHARACTERS = 300
NUMERIC = r"^-?[0-9]+(\.[0-9]+)?$"
# What a value is, for the types that are no texts.
CASTS = {
    CustomFieldType.NUMBER: "numeric",
    CustomFieldType.MONEY: "numeric",
    CustomFieldType.YES_NO: "boolean",
}
SORTABLE = frozenset(
    {
        CustomFieldType.TEXT,
        CustomFieldType.NUMBER,
        CustomFieldType.MONEY,
        CustomFieldType.DATE,
        CustomFieldType.CHOICE,
        CustomFieldType.YES_NO,
        CustomFieldType.URL,
        CustomFieldType.EMAIL,
        CustomFieldType.PHONE,
    }
)


def cast(kind: CustomFieldType) -> str:
    """Return the SQL type of a field's values."""
    return CASTS.get(kind, "text")


def has(key: UUID, alias: str = "") -> str:
    """Say in SQL that a row has a value."""
    return f"{_column(alias)} ? '{key.hex}'"


def value(key: UUID, kind: CustomFieldType, alias: str = "") -> str:
    """Return a field's value in SQL; null where there is none. Of an amount of money it is the amount."""
    column = _column(alias)
    match kind:
        case CustomFieldType.MULTI_CHOICE:
            return f"({column} -> '{key.hex}')"
        case CustomFieldType.NUMBER:
            return _numeric(f"({column} ->> '{key.hex}')")
        case CustomFieldType.MONEY:
            return _numeric(f"({column} -> '{key.hex}' ->> 'amount')")
        case CustomFieldType.YES_NO:
            return f"(({column} ->> '{key.hex}') = 'true')"
        case CustomFieldType.DATE:
            return f"""(({column} ->> '{key.hex}') COLLATE "C")"""
        case _:
            return f"({column} ->> '{key.hex}')"


def currency(key: UUID, alias: str = "") -> str:
    """Return the currency of a field's amount in SQL."""
    return f"({_column(alias)} -> '{key.hex}' ->> 'currencyCode')"


def ordered(key: UUID, kind: CustomFieldType, alias: str = "") -> str:
    """Return what rows are ordered by, and what is indexed: of a text its beginning, in lower case.

    Rows with a choice are ordered by the place of what is indexed, which can change at any time.
    """
    found = value(key, kind, alias)
    return beginning(found) if kind in TEXTS else found


def beginning(text: str) -> str:
    """Return what a text, given in SQL, is ordered by."""
    return f"lower(left({text}, {ORDERED_CHARACTERS}))"


def index_prefix(key: UUID) -> str:
    """Return how the names of a field's indexes begin."""
    return f"custom_{key.hex}_"


def index_name(field: CustomField) -> str:
    """Return the name of the index on a field's values, which is another one for every type."""
    return f"{index_prefix(field.id)}{field.type.value.lower()}_idx"


def index(field: CustomField) -> str:
    """Return the statement that makes the index on a field's values, while others go on writing."""
    indexed = ordered(field.id, field.type)
    # The rows of a field are those of one workspace, so that an index which cannot begin with it needs not.
    on = f"USING gin ({indexed})" if field.type is CustomFieldType.MULTI_CHOICE else f"(workspace_id, {indexed}, id)"
    rows = f"deleted_at IS NULL AND {has(field.id)}"
    return f'CREATE INDEX CONCURRENTLY "{index_name(field)}" ON "{TABLES[field.owner]}" {on} WHERE {rows}'


def statistics_name(field: CustomField) -> str:
    """Return the name of the statistics on a field's values."""
    return f"{index_prefix(field.id)}{field.type.value.lower()}_stats"


def statistics(field: CustomField) -> str:
    """Return the statement that has values looked at: what a partial index tells of them, PostgreSQL ignores."""
    indexed = ordered(field.id, field.type)
    return f'CREATE STATISTICS IF NOT EXISTS "{statistics_name(field)}" ON ({indexed}) FROM "{TABLES[field.owner]}"'


def _column(alias: str) -> str:
    return f"{alias}.custom" if alias else "custom"


def _numeric(text: str) -> str:
    return f"(CASE WHEN {text} ~ '{NUMERIC}' THEN {text}::numeric END)"
