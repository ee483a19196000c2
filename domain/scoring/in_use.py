"""Which models score a workspace's leads: its own, where they are active and as the server signed them."""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import orjson

from domain import tokens
from domain.learning.kinds import FORMAT, TERM_KINDS
from domain.scoring.rules import Rules
from models.database import read
from models.scoring import ScoreModelKind

PURPOSE = "score-model"
KEPT = 200
ACTIVE = """
SELECT version.id, model.kind::text AS kind, version.model_id, version.number, version.content, version.signature
FROM score_model AS model
JOIN score_model_version AS version ON version.model_id = model.id AND version.state = 'ACTIVE'
WHERE model.workspace_id = $1 AND model.active AND model.archived_at IS NULL
"""
EXIST = "SELECT EXISTS (SELECT FROM score_model WHERE workspace_id = $1 AND active AND archived_at IS NULL) AS found"


class ModelUnreadable(Exception):
    """A version's content is not what the server has written and signed, or of a format that it does not know."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A learned model as it is used: `data` is of a `domain.learning.additive.Model`, made of leads at this age."""

    version_id: UUID
    data: Mapping[str, Any]
    age: timedelta

    @property
    def wanted(self) -> frozenset[str]:
        return frozenset(term["key"] for term in self.data["terms"])


@dataclass(frozen=True, slots=True)
class InUse:
    """The active models of a workspace; without rules of its own those hold that ship with Salescycle."""

    rules: Rules | None = None
    learned: Learned | None = None

    def __bool__(self) -> bool:
        return self.rules is not None or self.learned is not None


_read: "OrderedDict[UUID, Rules | Learned | None]" = OrderedDict()


def sign(model_id: UUID, number: int, content: Mapping[str, Any]) -> str:
    """Return the server's signature on what a version says."""
    return tokens.mac(PURPOSE, _canonical(model_id, number, content)).hex()


def check(model_id: UUID, number: int, content: Mapping[str, Any], signature: str) -> None:
    """Raise ModelUnreadable unless the server has signed this."""
    try:
        given = bytes.fromhex(signature)
    except ValueError:
        given = b""
    if not tokens.is_genuine(given, PURPOSE, _canonical(model_id, number, content)):
        raise ModelUnreadable("altered")


def _canonical(model_id: UUID, number: int, content: Mapping[str, Any]) -> bytes:
    return orjson.dumps([str(model_id), number, _settled(content)], option=orjson.OPT_SORT_KEYS)


def _settled(value: Any) -> Any:
    """Return plain values as the database gives them back, which knows no negative zero."""
    match value:
        case Mapping():
            return {key: _settled(one) for key, one in value.items()}
        case list() | tuple():
            return [_settled(one) for one in value]
        case float():
            return value + 0.0
        case _:
            return value


async def exist(workspace_id: UUID) -> bool:
    """Say whether a workspace has models of its own in use, readable or not."""
    [row] = await read(EXIST, workspace_id)
    return bool(row["found"])


async def models(workspace_id: UUID) -> InUse:
    """Return the models that score a workspace's leads; one that cannot be read scores nothing."""
    rules, learned = None, None
    for row in await read(ACTIVE, workspace_id):
        found = _of(row)
        if isinstance(found, Rules):
            rules = found
        elif found is not None:
            learned = found
    return InUse(rules, learned)


def _of(row: Any) -> Rules | Learned | None:
    """Return the model of a version, which never changes: it is read once."""
    if row["id"] in _read:
        _read.move_to_end(row["id"])
        return _read[row["id"]]
    try:
        found = parse(row["id"], row["model_id"], row["number"], row["kind"], _plain(row["content"]), row["signature"])
    except ModelUnreadable:
        return None
    _read[row["id"]] = found
    if len(_read) > KEPT:
        _read.popitem(last=False)
    return found


def parse(
    version_id: UUID, model_id: UUID, number: int, kind: str, content: Mapping[str, Any], signature: str
) -> Rules | Learned:
    """Return what a version says; raises ModelUnreadable."""
    check(model_id, number, content, signature)
    try:
        if kind == ScoreModelKind.RULES:
            return Rules.of_json(content)
        return Learned(version_id, _known(content["model"]), timedelta(days=float(content["age_days"])))
    except (KeyError, TypeError, ValueError) as error:
        raise ModelUnreadable("newer") from error


def _known(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a learned model, whose form is known here; raises KeyError, TypeError or ValueError."""
    if model["format"] != FORMAT or not {term["is"] for term in model["terms"]} <= TERM_KINDS:
        raise ValueError(model["format"])
    return model


def _plain(content: Any) -> Any:
    return orjson.loads(content) if isinstance(content, str) else content
