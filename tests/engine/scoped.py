"""Whether a statement asks, of every table that it names, for rows that exist for the actor."""

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tortoise.models import Model

from engine.nouns import NOUNS
from engine.select import fetch
from models.conversations import CommentMention, LeadWatcher
from models.leads import LeadTag

MODELS: tuple[type[Model], ...] = (*NOUNS, LeadTag, CommentMention, LeadWatcher)
TABLES = {model._meta.db_table for model in MODELS}
NAMED = re.compile(r'\b(?:FROM|JOIN)\s+"?(?P<table>\w+)"?\s+(?P<alias>\w+)')
TESTED = re.compile(r"\b(?P<alias>\w+)\.workspace_id = \$\d+::uuid")
MEMBER = re.compile(r"EXISTS \(SELECT FROM membership m WHERE m\.user_id = (?P<alias>\w+)\.id AND m\.workspace_id = \$")
# A workspace is read by its own id; where it has no alias, that follows at once.
HOME = re.compile(r"(?:\b(?P<alias>\w+)\.|FROM workspace WHERE )id = \$\d+::uuid")
# A table in between two others, of which nothing is shown and whose both ends are tested.
BETWEEN = re.compile(
    r'"(?:lead|lead_competitor|lead_contact|lead_tag|comment_mention|lead_watcher|membership)" '
    r'(?P<alias>\w*t) JOIN "\w+" (?P<end>\w+) ON (?P=end)\.id = '
)
# The test itself of what hangs on leads that somebody owns.
OWNED = re.compile(r"EXISTS \(SELECT FROM lead (?P<alias>ol) WHERE ol\.id = \w+\.lead_id AND ol\.owner_id = ANY\(\$")
# The test whether a row goes with its lead, company or contact, which is of the same workspace.
WITH_LEAD = re.compile(
    r"EXISTS \(SELECT FROM (?P<noun>lead|company|contact) (?P<alias>ll)"
    r" WHERE ll\.id = \w+\.(?P=noun)_id AND ll\.deleted_at IS NULL"
)
NOBODY = re.compile(
    r'"user_account" (?P<alias>\w+)'
    r' (?:ON (?P=alias)\."?id"? = \w+\."\w+" AND FALSE|(?:ON (?P=alias)\.id = \w+\."\w+" )?WHERE .*\bFALSE\b)'
)


def unscoped(statement: str) -> list[str]:
    """Return the tables that a statement names without a test of the workspace, with their aliases."""
    named = Counter((found["table"], found["alias"]) for found in NAMED.finditer(statement) if found["table"] in TABLES)
    tested = Counter(found["alias"] for found in TESTED.finditer(statement))
    members = Counter(found["alias"] for found in MEMBER.finditer(statement))
    homes = {found["alias"] or "WHERE" for found in HOME.finditer(statement)}
    between = Counter(
        found["alias"] for pattern in (BETWEEN, OWNED, WITH_LEAD) for found in pattern.finditer(statement)
    )
    hidden = {found["alias"] for found in NOBODY.finditer(statement)}
    wrong = []
    for (table, alias), times in named.items():
        if table == "user_account":
            fine = members[alias] >= times or alias in hidden
        elif table == "workspace":
            fine = alias in homes
        else:
            fine = tested[alias] + between[alias] >= times
        if not fine:
            wrong.append(f"{table} {alias}")
    return wrong


@contextmanager
def plans_statements() -> Iterator[list[str]]:
    """Give the statements that plans send within the block."""
    sent: list[str] = []

    async def noting(sql: str, params: Any) -> list[Any]:
        sent.append(" ".join(sql.split()))
        return await fetch(sql, params)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.records.fetch", noting)
        yield sent
