"""Words are searched without their accents and found by every part; a view's filter keeps the order it was given in."""

from models.saved_views import JSONAsGiven
from orjson import loads
from tortoise import migrations
from tortoise.fields.data import JSON_DUMPS
from tortoise.migrations import operations as ops

# What is searched of each table, the name first, with the weights that ts_rank gives them.
SEARCHED = {
    "lead": {"title": "A", "description": "C"},
    "company": {"name": "A", "domain": "B", "industry": "C"},
    "contact": {"name": "A", "email": "B", "job_title": "C"},
    "product": {"name": "A", "sku": "B", "family": "C"},
}
# What is searched by an index on an expression.
INDEXED = {
    "activity": "coalesce(subject, '') || ' ' || coalesce(text, '')",
    "comment": "text",
}
# One letter for one; beside them, what is several letters without its accent.
LETTERS, PLAIN = "øØłŁđĐðÐıħĦŧŦ", "oOlLdDdDihHtT"
SEVERAL = {"ß": "ss", "ẞ": "SS", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "þ": "th", "Þ": "TH"}
# Accents, and what is not seen.
MARKS = r"[\u0300-\u036f\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+"
# What no word has: controls, spaces, punctuation and signs; a dot within one is looked at by itself.
BETWEEN = (
    r"[\u0001-\u002d\u002f\u003a-\u0040\u005b-\u0060\u007b-\u00a9\u00ab-\u00b4\u00b6-\u00b9\u00bb-\u00bf"
    r"\u2000-\u206f\u20a0-\u20cf\u2190-\u2bff\u3000-\u3004\u3008-\u3020\u3030\uff01-\uff0f\uff1a-\uff20"
    r"\uff3b-\uff40\uff5b-\uff65\U0001f000-\U0001faff]+"
)
# A letter that looks like a dot keeps a domain, a version or an amount one word.
DOT = "ꞏ"


def replaced(text: str) -> str:
    for letter, letters in SEVERAL.items():
        text = f"replace({text}, '{letter}', '{letters}')"
    return text


SPELT = replaced(f"translate(given, '{LETTERS}', '{PLAIN}')")
FOLD = f"""
CREATE FUNCTION search_fold(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN octet_length(given) = char_length(given) THEN given ELSE normalize(regexp_replace(
  normalize({SPELT}, NFD), '{MARKS}', '', 'g'), NFC) END
"""
CUT = rf"""
CREATE FUNCTION search_cut(given text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN regexp_replace(regexp_replace(search_fold(given), '{BETWEEN}', ' ', 'g'),
  '(?<=[^\s.])\.(?=[^\s.])', '{DOT}', 'g')
"""
# What has a dot within is found by its parts, too.
PARTS = rf"""
CREATE FUNCTION search_parts(cut text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN position('{DOT}' IN cut) = 0 THEN cut ELSE
  cut || ' ' || translate(regexp_replace(cut, '(^|\s)[^\s{DOT}]+(?=\s|$)', '', 'g'), '{DOT}', ' ') END
"""
WORDS = """
CREATE FUNCTION search_words(given text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('simple', search_parts(search_cut(given)))
"""
FUNCTIONS = {"search_fold": FOLD, "search_cut": CUT, "search_parts": PARTS, "search_words": WORDS}


def keep_words(table: str, columns: dict[str, str], cut: str) -> list[str]:
    """Return what writes a table anew with the words of its columns."""
    texts = {f"coalesce({name}, '')": weight for name, weight in columns.items()}
    vectors = [f"setweight({cut.format(text)}, '{weight}')" for text, weight in texts.items()]
    return [
        f"DROP INDEX {table}_search_idx",
        f"ALTER TABLE {table} DROP COLUMN words",
        f"ALTER TABLE {table} ADD COLUMN words tsvector GENERATED ALWAYS AS ({' || '.join(vectors)}) STORED",
        f"CREATE INDEX {table}_search_idx ON {table} USING gin (words)",
    ]


def index_words(table: str, text: str, cut: str) -> list[str]:
    return [
        f"DROP INDEX {table}_search_idx",
        f"CREATE INDEX {table}_search_idx ON {table} USING gin ({cut.format(text)})",
    ]


def all_words(cut: str) -> list[str]:
    kept = [sql for table, columns in SEARCHED.items() for sql in keep_words(table, columns, cut)]
    return kept + [sql for table, text in INDEXED.items() for sql in index_words(table, text, cut)]


class Migration(migrations.Migration):
    dependencies = [("models", "0017_timeline")]

    operations = [
        ops.RunSQL(
            [
                *FUNCTIONS.values(),
                *all_words("search_words({})"),
                "CREATE INDEX product_sku_typed_idx ON product (workspace_id, lower(sku)) WHERE sku IS NOT NULL",
            ],
            [
                "DROP INDEX product_sku_typed_idx",
                *all_words("to_tsvector('simple', {})"),
                *(f"DROP FUNCTION {name}(text)" for name in reversed(FUNCTIONS)),
            ],
        ),
        ops.AlterField("SavedView", "passing", JSONAsGiven(null=True, encoder=JSON_DUMPS, decoder=loads)),
        ops.AlterField("SavedView", "order_by", JSONAsGiven(null=True, encoder=JSON_DUMPS, decoder=loads)),
    ]
